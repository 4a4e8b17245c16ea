/* kafka_mock.h - librdkafka's development broker inside this process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_KAFKA_MOCK_H
#define RETRYWATCH_CONSUMER_KAFKA_MOCK_H

#include "aggregator/status.h"

struct kafka_mock;

/**
 * Start it on a free port of 127.0.0.1. It keeps a few MiB of each partition in memory, makes
 * topics (4 partitions) when they are first asked for, and has no working transactions.
 *
 * Returns owned in *out. Errors: STATUS_FAILED.
 */
enum status kafka_mock_new(struct kafka_mock **out, struct error *error) MUST_CHECK;
void kafka_mock_destroy(struct kafka_mock *mock);

/** bootstrap.servers; borrowed. */
const char *kafka_mock_address(const struct kafka_mock *mock);

#endif
