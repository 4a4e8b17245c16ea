/* source_kafka.c - records from Kafka by librdkafka.
 *
 * SPDX-License-Identifier: Apache-2.0 */
