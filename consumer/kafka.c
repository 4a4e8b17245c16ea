/* kafka.c - what is asked of a Kafka cluster: configuration, topics, cluster id.
 *
 * SPDX-License-Identifier: Apache-2.0 */
