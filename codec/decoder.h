/* decoder.h - the value of one Kafka record to one outcome, whatever its format.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_DECODER_H
#define RETRYWATCH_CODEC_DECODER_H

#include "aggregator/memory.h"
#include "aggregator/outcome.h"

enum input_format {
    FORMAT_AVRO,        /* Confluent frame: 0, schema id, body */
    FORMAT_AVRO_SINGLE, /* single-object: C3 01, fingerprint, body */
    FORMAT_AVRO_BARE,   /* body alone, in the configured schema */
    FORMAT_JSON
};

#define SCHEMA_ID_NONE INT64_C(-1)

/**
 * Fetch the writer schema with this id; called from decoder_decode() for an id not seen before,
 * and again at each record that needs it until it is known.
 *
 * json:   returns owned text (free()) on STATUS_OK.
 * Errors: STATUS_SCHEMA_WAIT: not known yet, ask again later; STATUS_UNKNOWN_SCHEMA: not found for
 *         longer than allowed.
 */
typedef enum status schema_fetch(void *context, int64_t id, char **json, struct error *error);

struct decoder_options {
    enum input_format format;
    const char
            *writer_schema; /* JSON text of the one writer schema without fetch; NULL: built-in */
    schema_fetch *fetch;    /* NULL: writer_schema is that of every id */
    void *fetch_context;
    size_t record_bytes_max; /* limits.record_bytes */
};

/* Foreign fields that could carry content, credentials or prices; skipped, and counted so. */
enum forbidden { FORBIDDEN_CONTENT, FORBIDDEN_CREDENTIAL, FORBIDDEN_PRICE, FORBIDDEN_COUNT };

struct decoder_metrics {
    uint64_t decoded;
    uint64_t skipped_forbidden[FORBIDDEN_COUNT]; /* records that carried such a field */
    uint64_t schemas;                            /* decode plans compiled */
};

struct decoder;

/** Errors: STATUS_BAD_SCHEMA when writer_schema cannot be an outcome. Returns owned in *out. */
enum status decoder_new(const struct decoder_options *options, struct decoder **out,
        struct error *error) MUST_CHECK;
void decoder_destroy(struct decoder *decoder);

/**
 * Decode one value.
 *
 * value:     null for a record without value. Spans of the outcome point into it or into arena.
 * schema_id: the id in the frame, or SCHEMA_ID_NONE; set on errors too, when it was read.
 * Errors:    STATUS_EMPTY, STATUS_TOO_LARGE, STATUS_MALFORMED, STATUS_INVALID,
 *            STATUS_UNKNOWN_SCHEMA (also a schema that can never be an outcome),
 *            STATUS_SCHEMA_WAIT; outcome untouched.
 * Cost:      about 40 ns for the 220-byte Avro event; the first record of a schema compiles it.
 */
enum status decoder_decode(struct decoder *decoder, struct span value, struct arena *arena,
        struct outcome *outcome, int64_t *schema_id, struct error *error) MUST_CHECK;

const struct decoder_metrics *decoder_metrics(const struct decoder *decoder);

#endif
