/* main.c - the command line: finds the command and runs it.
 *
 * SPDX-License-Identifier: Apache-2.0 */

int
main(void)
{
    return 0;
}
