/* owners.c - the command owners.
 *
 * SPDX-License-Identifier: Apache-2.0 */
