/* frame.c - Confluent and single-object frames.
 *
 * SPDX-License-Identifier: Apache-2.0 */
