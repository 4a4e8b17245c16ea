/* kafka_writer.h - write records to one topic: generated events, decisions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_KAFKA_WRITER_H
#define RETRYWATCH_CONSUMER_KAFKA_WRITER_H

#include "aggregator/span.h"
#include "aggregator/status.h"

struct config;
struct kafka_writer;

/** An idempotent producer, tuned for many records. Returns owned in *out. topic: borrowed. */
enum status kafka_writer_new(const struct config *config, const char *topic,
        struct kafka_writer **out, struct error *error) MUST_CHECK;

/** Ends within a few seconds, whatever is still queued. */
void kafka_writer_destroy(struct kafka_writer *writer);

/**
 * Queue one record; its bytes are copied. Waits while the queue is full.
 *
 * timestamp_ms: of the record; 0 for the time it is sent.
 * Errors: STATUS_BROKER_DOWN, STATUS_AUTH, STATUS_REFUSED (also for an earlier record).
 */
enum status kafka_writer_send(struct kafka_writer *writer, struct span key, struct span value,
        int64_t timestamp_ms, struct error *error) MUST_CHECK;

/* A record with headers, as headers_put() (codec/state.h) wrote them; null: none. */
struct writer_record {
    struct span key, value, headers;
    int64_t timestamp_ms; /* 0: the time it is sent */
};

/** The same for a record with headers. */
enum status kafka_writer_put(struct kafka_writer *writer, const struct writer_record *record,
        struct error *error) MUST_CHECK;

/** Wait until every record is acknowledged. Errors: as above, for any record. */
enum status kafka_writer_flush(
        struct kafka_writer *writer, int64_t timeout_ms, struct error *error) MUST_CHECK;

/** Where the record that was acknowledged last is. False when none was. */
bool kafka_writer_last(const struct kafka_writer *writer, int32_t *partition, int64_t *offset);

/** Records acknowledged so far. */
uint64_t kafka_writer_acknowledged(const struct kafka_writer *writer);

#endif
