/* publisher_kafka.c - reviews, rejected records and offsets to Kafka in one transaction.
 *
 * SPDX-License-Identifier: Apache-2.0 */
