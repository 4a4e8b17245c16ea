/* record.h - what the source hands to the loop, and what the loop hands to the publisher.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_RECORD_H
#define RETRYWATCH_CONSUMER_RECORD_H

#include "aggregator/span.h"

/* One record of the input topic. */
struct record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 when the record has none */
    struct span value; /* null for a record without value; borrowed until the batch is released */
};

/* A committed position of the consumer group. */
struct position {
    int32_t partition;
    int64_t offset;       /* -1: nothing is committed */
    const char *metadata; /* "" when none; borrowed until the next call of the same interface */
};

/* What is published. Headers as headers_put() (codec/state.h) wrote them. */
enum out_topic { OUT_REVIEWS, OUT_REJECTED, OUT_TOPICS };

struct out_record {
    enum out_topic topic;
    struct span key, value, headers;
};

#endif
