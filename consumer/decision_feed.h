/* decision_feed.h - where cost owners' decisions come from: a compacted Kafka topic, or a test.
 *
 * Every instance reads all of it, whatever partitions it holds, and keeps no position.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_DECISION_FEED_H
#define RETRYWATCH_CONSUMER_DECISION_FEED_H

#include "aggregator/decision.h"
#include "aggregator/memory.h"
#include "aggregator/status.h"

struct decision_feed;

struct decision_feed_ops {
    /**
     * Read everything that is in the topic when this is called into decisions.
     * Errors: STATUS_BROKER_DOWN, STATUS_AUTH, STATUS_REFUSED; what was read until then stands.
     */
    enum status (*read_to_end)(
            struct decision_feed *feed, struct decisions *decisions, struct error *error);

    /** Read what has arrived by now, without waiting. Errors: as above. */
    enum status (*read_new)(
            struct decision_feed *feed, struct decisions *decisions, struct error *error);

    void (*destroy)(struct decision_feed *feed);
};

struct decision_feed {
    const struct decision_feed_ops *ops;
};

/* What is told of a record of the decisions topic that cannot stand. */
struct decision_record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct span value;
};

/**
 * Put one record into decisions, if it is a valid decision. A tombstone changes nothing.
 *
 * Errors: STATUS_MALFORMED, STATUS_INVALID, with what is wrong; decisions untouched.
 */
enum status decision_accept(struct decisions *decisions, const struct rule *rule,
        const struct decision_record *record, struct arena *arena, struct error *error) MUST_CHECK;

#endif
