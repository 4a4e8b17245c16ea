/* position.h - the headers of what is published: CloudEvents, and where in the log it came from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_POSITION_H
#define RETRYWATCH_CONSUMER_POSITION_H

#include "aggregator/partition.h"
#include "codec/state.h"
#include "consumer/record.h"

/**
 * Headers of a review: ce_id, ce_specversion, ce_type, ce_source, ce_time, and rw-position with the
 * whole state of the group after it, so that it can be read back from the topic.
 *
 * offset:    `applied` after its EXEC.
 * stream_ms: T after its EXEC.
 */
void review_headers(struct buffer *headers, const struct publication *publication,
        const char *topic, int32_t partition, uint64_t serial, int64_t offset, int64_t stream_ms,
        digest_function *digest);

/* What is told of a record that was not counted: never its payload. */
struct rejection {
    enum status reason;
    const char *detail;
    const char *topic;
    const struct record *record;
    int64_t schema_id; /* SCHEMA_ID_NONE: not known */
    uint64_t serial;   /* > 0 of a verdict, which has an rw-position; 0: no header */
};

void rejection_headers(
        struct buffer *headers, const struct rejection *rejection, digest_function *digest);

#endif
