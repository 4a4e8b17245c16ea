/* reviews.c - the command reviews.
 *
 * SPDX-License-Identifier: Apache-2.0 */
