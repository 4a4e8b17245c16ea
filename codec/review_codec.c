/* review_codec.c - the review packet to the bytes of review-required, and back for views.
 *
 * SPDX-License-Identifier: Apache-2.0 */
