/* check_config.c - the command check_config.
 *
 * SPDX-License-Identifier: Apache-2.0 */
