/* topic_reader.h - all partitions of one Kafka topic, read from a time to their ends, outside any
 * consumer group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_TOPIC_READER_H
#define RETRYWATCH_CONSUMER_TOPIC_READER_H

#include "consumer/clock.h"
#include "consumer/config.h"

/* Borrowed while it is visited. */
struct topic_record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct span key, value; /* null is null */
    const void *message;    /* for topic_record_header() */
};

/** The last header of that name; null when there is none. */
struct span topic_record_header(const struct topic_record *record, const char *name);

/** Errors end the reading, and are handed on. */
typedef enum status topic_visit(
        void *context, const struct topic_record *record, struct error *error);

struct topic_reader;

/** Connects at the first read. topic: borrowed. Returns owned in *out. */
enum status topic_reader_new(const struct config *config, const struct clock *clock,
        const char *topic, struct topic_reader **out, struct error *error) MUST_CHECK;
void topic_reader_destroy(struct topic_reader *reader);

/** Begin again at the first record with a timestamp of from_ms or later; TIME_NULL: the oldest. */
enum status topic_reader_rewind(
        struct topic_reader *reader, int64_t from_ms, struct error *error) MUST_CHECK;

/**
 * Visit everything that is there now, committed records only. The first call begins at the oldest
 * record unless topic_reader_rewind() said otherwise; later ones go on.
 *
 * Errors: STATUS_BROKER_DOWN, STATUS_AUTH, STATUS_REFUSED, and those of visit.
 */
enum status topic_reader_to_end(struct topic_reader *reader, topic_visit *visit, void *context,
        struct error *error) MUST_CHECK;

/** Visit what has arrived, waiting at most wait_ms for a first record. Errors: those of visit. */
enum status topic_reader_new_records(struct topic_reader *reader, int64_t wait_ms,
        topic_visit *visit, void *context, struct error *error) MUST_CHECK;

#endif
