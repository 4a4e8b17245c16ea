/* state.h - the packed values of the Redis state keys (docs/redis.md).
 *
 * Every value starts with a version byte. Decoders answer STATUS_REFUSED for bytes that this
 * version never wrote; they never read outside them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_STATE_H
#define RETRYWATCH_CODEC_STATE_H

#include "aggregator/partition.h"
#include "codec/buffer.h"

#define STATE_LAYOUT_VERSION 1

/* Unique for each EXEC. */
struct token {
    uint64_t process; /* 64 random bits of the process that wrote it */
    uint64_t count;   /* of its EXECs */
};

/* rw:{topic:p}:applied - how far the state has got, and who wrote it last. */
struct applied {
    int64_t offset;         /* the next record to count */
    uint64_t serial;        /* the last number given to what is to be published; 0: none */
    int64_t quiet;          /* evaluate nothing up to this offset; -1: none */
    struct token token;     /* of the EXEC that wrote it */
    int64_t wall_ms;        /* wall clock of that EXEC */
    int64_t last_record_ms; /* timestamp of record offset - 1; TIME_NULL when none */
    uint64_t last_checksum; /* XXH3 of the value of record offset - 1; 0 when none */
    struct partition_times times;
    uint64_t next_series, next_group, next_active;
};

void applied_encode(const struct applied *applied, struct buffer *out);
enum status applied_decode(
        struct span bytes, struct applied *applied, struct error *error) MUST_CHECK;

/* rw:{topic:p}:series and :groups - what a number stands for. Null dimensions stay null. */
void dimensions_encode(const struct span dimensions[DIM_COUNT], struct buffer *out);
enum status dimensions_decode(
        struct span bytes, struct span dimensions[DIM_COUNT], struct error *error) MUST_CHECK;

/* rw:{topic:p}:reviews - the review and the remembered evidence of one group. */
void review_state_encode(
        const struct review *review, const struct evidence *evidence, struct buffer *out);
/** review and evidence own what they get: review_fini(), evidence_fini(). */
enum status review_state_decode(struct span bytes, struct review *review, struct evidence *evidence,
        struct error *error) MUST_CHECK;

/* rw:{topic:p}:pending - one record to publish, by serial. */
enum pending_kind { PENDING_REVIEW, PENDING_REJECTED };

struct pending {
    struct token token; /* of the EXEC that stored it */
    enum pending_kind kind;
    int64_t offset;         /* `applied` after that EXEC; of a verdict: the record's own */
    struct span key, value; /* of the record; null is null */
    struct span headers;    /* headers_put() one after the other */
};

void pending_encode(const struct pending *pending, struct buffer *out);
/** Spans point into bytes. */
enum status pending_decode(
        struct span bytes, struct pending *pending, struct error *error) MUST_CHECK;

void headers_put(struct buffer *headers, const char *name, struct span value);
/** The next header of what is left; false at the end or when the rest cannot be read. */
bool headers_next(struct reader *reader, struct span *name, struct span *value);

/* The offset's metadata in Kafka: the last serial published and the token of its EXEC. Text,
 * `1 <serial> <process hex> <count> <fresh|->`. */
struct cursor {
    uint64_t serial;
    struct token token;
    bool fresh; /* the offset was committed before anything was counted */
};

#define CURSOR_TEXT_SIZE 80
void cursor_format(const struct cursor *cursor, char text[CURSOR_TEXT_SIZE]);
enum status cursor_parse(const char *text, struct cursor *cursor, struct error *error) MUST_CHECK;

#endif
