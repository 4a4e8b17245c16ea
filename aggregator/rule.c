/* rule.c - when retries have risen: the numbers, and the comparisons in 128 bits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
