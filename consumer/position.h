/* position.h - the headers of what is published: CloudEvents, and where in the log it came from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_POSITION_H
#define RETRYWATCH_CONSUMER_POSITION_H

#include "aggregator/partition.h"
#include "codec/state.h"
#include "consumer/record.h"

/* Whose positions they are: several groups may read a topic, each with serials of its own. */
struct position_origin {
    const char *topic, *group;
};

/**
 * Headers of a review: ce_id, ce_specversion, ce_type, ce_source, ce_time, and rw-position with the
 * whole state of the group after it, so that it can be read back from the topic.
 *
 * offset:    `applied` after its EXEC.
 * stream_ms: T after its EXEC.
 */
void review_headers(struct buffer *headers, const struct publication *publication,
        const struct position_origin *origin, int32_t partition, uint64_t serial, int64_t offset,
        int64_t stream_ms, digest_function *digest);

/* What an rw-position header says. Of a verdict there is no group. */
struct position_header {
    int32_t partition;
    uint64_t serial;
    int64_t offset; /* of a review: `applied` after its EXEC; of a verdict: its record */
    bool is_review;
    int64_t stream_ms;        /* T after the EXEC */
    struct buffer dimensions; /* packed (dimensions_encode()); owned */
    struct buffer review;     /* packed (review_state_encode()); owned */
};

/**
 * Parse the value of an rw-position header. *ours tells whether it is of this topic and group at
 * all; if not, nothing else is set. position_header_fini() gives back what is owned.
 *
 * Errors: STATUS_REFUSED for text that review_headers() and rejection_headers() never wrote.
 */
enum status position_parse(struct span text, const struct position_origin *origin,
        struct position_header *header, bool *ours, struct error *error) MUST_CHECK;
void position_header_fini(struct position_header *header);

/** The same header with another serial, appended to headers. */
void position_put(struct buffer *headers, const struct position_origin *origin,
        const struct position_header *header);

/* What is told of a record that was not counted: never its payload. */
struct rejection {
    enum status reason;
    const char *detail;
    const struct position_origin *origin;
    const struct record *record;
    int64_t schema_id; /* SCHEMA_ID_NONE: not known */
    uint64_t serial;   /* > 0 of a verdict, which has an rw-position; 0: no header */
};

void rejection_headers(
        struct buffer *headers, const struct rejection *rejection, digest_function *digest);

#endif
