/* review_feed.h - the reviews topic, followed as a member of a consumer group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REVIEW_FEED_H
#define RETRYWATCH_CONSUMER_REVIEW_FEED_H

#include "aggregator/span.h"
#include "aggregator/status.h"

/* One record; spans are borrowed until the next call of poll. */
struct review_record {
    int32_t partition;
    int64_t offset;
    struct span key, value;
    struct span id; /* header ce_id; null when there is none */
};

/* Called within poll and destroy, before the partitions are given up: the last moment in which
 * their offsets can be committed. */
struct review_feed_listener {
    void (*revoked)(void *context, const int32_t *partitions, size_t count);
    void *context;
};

struct review_feed;

struct review_feed_ops {
    /** Wait up to wait_ms for one record; *got tells whether one came.
     * Errors: STATUS_BROKER_DOWN, STATUS_AUTH, STATUS_REFUSED. */
    enum status (*poll)(struct review_feed *feed, int wait_ms, struct review_record *record,
            bool *got, struct error *error);
    /** Everything before offset is done. Errors: as above, and STATUS_FENCED. */
    enum status (*commit)(
            struct review_feed *feed, int32_t partition, int64_t offset, struct error *error);
    /** While held poll gives no records, but keeps the membership. */
    void (*hold)(struct review_feed *feed, bool held);
    /** Whether partitions are assigned and each was read to its end since then. */
    bool (*at_end)(const struct review_feed *feed);
    void (*destroy)(struct review_feed *feed);
};

struct review_feed {
    const struct review_feed_ops *ops;
};

#endif
