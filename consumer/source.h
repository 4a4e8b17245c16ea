/* source.h - where records come from: Kafka in production, a simulated log in tests.
 *
 * All calls, and the callbacks, happen on the thread of the loop. Callbacks run only inside poll().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_SOURCE_H
#define RETRYWATCH_CONSUMER_SOURCE_H

#include "aggregator/status.h"
#include "consumer/record.h"

#include <stddef.h>

/* Told by poll(), between batches: no record of a revoked partition follows in the same batch. */
struct source_listener {
    void *context;
    /* Newly assigned, paused. The loop loads them, then calls resume(). */
    void (*assigned)(void *context, const int32_t *partitions, size_t count);
    /* To be dropped now. lost: another instance may already have them: commit nothing. */
    void (*revoked)(void *context, const int32_t *partitions, size_t count, bool lost);
};

struct batch {
    const struct record *records; /* in offset order within a partition */
    size_t count;
};

struct source;

struct source_ops {
    /**
     * Up to max records: returns when there are so many, or linger_ms after the first came (a
     * source may spare that when there are many), or wait_ms without any. Records are borrowed
     * until the next poll. Errors: STATUS_BROKER_DOWN (nothing read), STATUS_AUTH, STATUS_REFUSED
     * (topic missing, ...).
     */
    enum status (*poll)(struct source *source, size_t max, int64_t wait_ms, int64_t linger_ms,
            struct batch *batch, struct error *error);

    /**
     * Fill offset and metadata of positions[count], stable: waits for transactions that are
     * pending. Errors: STATUS_BROKER_DOWN, STATUS_AUTH, STATUS_FAILED.
     */
    enum status (*committed)(
            struct source *source, struct position *positions, size_t count, struct error *error);

    /** Stop fetching; records already fetched are dropped. */
    enum status (*pause)(struct source *source, int32_t partition, struct error *error);

    /** Go on at offset: the next record of the partition is the first at or after it. */
    enum status (*resume)(
            struct source *source, int32_t partition, int64_t offset, struct error *error);

    /** Offsets of the oldest record kept and after the newest, asked from the broker now. */
    enum status (*limits)(struct source *source, int32_t partition, int64_t *low, int64_t *high,
            struct error *error);

    /**
     * Whether next is the end of the partition's log, as an answer of the broker within the last
     * second shows: everything before it was handed out, nothing after it exists.
     */
    bool (*at_end)(struct source *source, int32_t partition, int64_t next);

    /** at_least_once only: plain synchronous commit. Errors: STATUS_FENCED, STATUS_BROKER_DOWN. */
    enum status (*commit)(struct source *source, const struct position *positions, size_t count,
            struct error *error);

    /** Leave the group and close. */
    void (*destroy)(struct source *source);
};

/* Implementations begin with this. */
struct source {
    const struct source_ops *ops;
};

#endif
