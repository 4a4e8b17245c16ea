/* review.c - the command review.
 *
 * SPDX-License-Identifier: Apache-2.0 */
