/* decoder.c - the value of one Kafka record to one outcome, whatever its format.
 *
 * SPDX-License-Identifier: Apache-2.0 */
