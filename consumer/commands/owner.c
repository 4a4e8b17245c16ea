/* owner.c - the command owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
