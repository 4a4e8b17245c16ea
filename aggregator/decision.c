/* decision.c - cost owners' recorded answers, and which of them applies.
 *
 * SPDX-License-Identifier: Apache-2.0 */
