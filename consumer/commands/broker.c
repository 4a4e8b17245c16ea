/* broker.c - the command broker.
 *
 * SPDX-License-Identifier: Apache-2.0 */
