/* review.c - the life of one review: clear, open, covered, decided.
 *
 * SPDX-License-Identifier: Apache-2.0 */
