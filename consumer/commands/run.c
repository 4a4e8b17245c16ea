/* run.c - the command run.
 *
 * SPDX-License-Identifier: Apache-2.0 */
