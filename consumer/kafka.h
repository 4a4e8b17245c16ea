/* kafka.h - source and publisher over librdkafka, and what else is asked of a Kafka cluster.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_KAFKA_H
#define RETRYWATCH_CONSUMER_KAFKA_H

#include "consumer/clock.h"
#include "consumer/config.h"
#include "consumer/decision_feed.h"
#include "consumer/publisher.h"
#include "consumer/review_feed.h"
#include "consumer/readback.h"
#include "consumer/source.h"

/** Creates the consumer and subscribes; joins at the first poll. listener: borrowed for its life.
 */
enum status source_kafka_new(const struct config *config, const struct clock *clock,
        const struct source_listener *listener, struct source **out,
        struct error *error) MUST_CHECK;

/**
 * The transactional producer (exactly_once) or the plain one (at_least_once).
 *
 * source: made by source_kafka_new(); gives the group metadata remembered in the rebalance
 *         callback (exactly_once) and the plain commit (at_least_once).
 */
enum status publisher_kafka_new(const struct config *config, struct source *source,
        struct publisher **out, struct error *error) MUST_CHECK;

/** The decisions topic; connects at the first read. Returns owned in *out. */
enum status decisions_kafka_new(const struct config *config, const struct clock *clock,
        struct decision_feed **out, struct error *error) MUST_CHECK;

/** The reviews and rejected topics; a client of its own is made for each read. Returns owned. */
struct readback *readback_kafka_new(const struct config *config, const struct clock *clock);

/**
 * The reviews topic as a member of notify.group; joins at the first poll. listener: borrowed for
 * its life. Returns owned in *out.
 */
enum status review_feed_kafka_new(const struct config *config,
        const struct review_feed_listener *listener, struct review_feed **out,
        struct error *error) MUST_CHECK;

/* What the cluster says of itself and of the input topic. */
struct kafka_facts {
    char cluster_id[64];     /* "" when the broker does not tell */
    int32_t partition_count; /* of topics.outcomes */
};

/**
 * Ask the cluster; with create, make the topics that are missing (decisions compacted, reviews
 * 30 days, outcomes with message.timestamp.after.max.ms=300000).
 *
 * Errors: STATUS_BROKER_DOWN with the address, STATUS_AUTH, STATUS_REFUSED naming the topics that
 * are missing and the way out.
 */
enum status kafka_check(const struct config *config, bool create, int64_t timeout_ms,
        struct kafka_facts *facts, struct error *error) MUST_CHECK;

/** The same for the topics of `retrywatch notify`: reviews and undelivered. */
enum status kafka_check_notify(const struct config *config, bool create, int64_t timeout_ms,
        struct error *error) MUST_CHECK;

#endif
