/* review_codec.c - the review packet to the bytes of review-required, and back for views.
 *
 * Both directions follow the order of the fields in schema/review_required.avsc. Reading is by
 * hand too: the generic reader of Avro-C allocates what hostile sizes ask for.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/review_codec.h"

#include "codec/avro_data.h"
#include "codec/times.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define FRAME_SIZE 5

enum result { RESULT_PASS, RESULT_FAIL, RESULT_SYMBOLS };
static const char *const result_symbols[RESULT_SYMBOLS] = {"pass", "fail"};

/* ---- writing --------------------------------------------------------------------------------- */

/** Counters are unsigned and stop at their maximum; Avro's long is signed. */
static void
put_count(struct buffer *out, uint64_t count)
{
    buffer_put_zigzag(out, count > INT64_MAX ? INT64_MAX : (int64_t)count);
}

static void
put_map_entry(struct buffer *out, const char *key, uint64_t count)
{
    if (count != 0) {
        avro_put_string(out, span_of(key));
        put_count(out, count);
    }
}

/** counts[count] by symbol, without zeros; extra is counted under _MISSING. */
static void
put_map(struct buffer *out, const uint64_t *counts, const char *const *symbols, size_t count,
        uint64_t extra)
{
    int64_t entries = extra != 0;

    for (size_t i = 0; i < count; i++) {
        entries += counts[i] != 0;
    }
    if (entries != 0) {
        buffer_put_zigzag(out, entries);
        for (size_t i = 0; i < count; i++) {
            put_map_entry(out, symbols[i], counts[i]);
        }
        put_map_entry(out, DIM_MISSING, extra);
    }
    buffer_put_zigzag(out, 0);
}

static void
put_top(struct buffer *out, const struct top_value *top, size_t count)
{
    if (count != 0) {
        buffer_put_zigzag(out, (int64_t)count);
        for (size_t i = 0; i < count; i++) {
            avro_put_string(out, top[i].value);
            put_count(out, top[i].retries);
        }
    }
    buffer_put_zigzag(out, 0);
}

/** The names of the bits that are set, in their order. */
static void
put_names(struct buffer *out, uint32_t bits, const char *const *names, size_t count)
{
    struct span set[32];
    size_t set_count = 0;

    for (size_t i = 0; i < count; i++) {
        if ((bits & UINT32_C(1) << i) != 0) {
            set[set_count++] = span_of(names[i]);
        }
    }
    avro_put_strings(out, set, set_count);
}

static void
put_what_happened(struct buffer *out, const struct packet *packet)
{
    avro_put_string(out, span_of(packet->review_id));
    buffer_put_zigzag(out, packet->generation);
    buffer_put_zigzag(out, packet->sequence);
    buffer_put_zigzag(out, packet->status);
    buffer_put_zigzag(out, packet->reason);
    for (int d = 0; d < DIM_COUNT; d++) {
        avro_put_optional_string(out, packet->scope[d]);
    }
    buffer_put_zigzag(out, packet->window_start_ms);
    buffer_put_zigzag(out, packet->window_end_ms);
    buffer_put_zigzag(out, packet->starts_at_ms);
    avro_put_optional_long(out, packet->ends_at_ms, TIME_NULL);
}

static void
put_counts(struct buffer *out, const struct packet *packet)
{
    const uint64_t *n = packet->l.n;

    put_count(out, n[COUNT_ATTEMPTS] - n[COUNT_RETRIES]);
    put_count(out, n[COUNT_ATTEMPTS]);
    put_count(out, n[COUNT_RETRIES]);
    buffer_put_zigzag(out, packet->retry_share_bps);
    buffer_put_zigzag(out, packet->baseline_share_bps);
    buffer_put_zigzag(out, packet->threshold_bps);
    avro_put_string(out, span_of(RULE_ID));
    avro_put_string(out, span_of(packet->config_version));
    put_map(out, n + COUNT_CAUSE, retry_cause_names, CAUSE_COUNT, n[COUNT_CAUSE_NULL]);
    put_map(out, n + COUNT_ERROR, error_category_names, ERROR_COUNT, 0);
    put_map(out, n + COUNT_LAYER, retry_layer_names, LAYER_COUNT, 0);
    put_map(out, n + COUNT_DECISION, retry_decision_names, RETRY_DECISION_COUNT, 0);
    put_top(out, packet->top_classes, packet->top_class_count);
    put_top(out, packet->top_workloads, packet->top_workload_count);
    put_top(out, packet->top_environments, packet->top_environment_count);
    put_count(out, n[COUNT_FIRST_UNITS]);
    put_count(out, n[COUNT_RETRY_UNITS]);
    avro_put_optional_string(out, packet->unit_metric);
    put_count(out, n[COUNT_USAGE_UNAVAILABLE]);
    put_count(out, n[COUNT_LATE]);
}

static void
put_record_of_review(struct buffer *out, const struct packet *packet)
{
    buffer_put_zigzag(out, packet->review_date);
    avro_put_strings(out, packet->source_urls, packet->source_url_count);
    avro_put_bool(out, packet->first_attempt_recorded);
    put_count(out, packet->l.n[COUNT_RETRIES]);
    avro_put_bool(out, packet->pricing_source_checked);
    avro_put_bool(out, packet->allocation_rule_checked);
    buffer_put_zigzag(out, packet->ready_for_decision ? RESULT_PASS : RESULT_FAIL);
    put_names(out, packet->missing_fields, missing_field_names, MISSING_COUNT);
    put_names(out, packet->pause_reasons, pause_reason_names, PAUSE_COUNT);
    avro_put_bool(out, packet->ready_for_decision);
    buffer_put_zigzag(out, packet->proposed_action);
    avro_put_optional_long(out, packet->cost_owner_action, SYMBOL_NULL);
    avro_put_optional_string(out, packet->last_decision);
}

void
review_encode(const struct packet *packet, int32_t schema_id, struct buffer *out)
{
    avro_put_frame(out, schema_id);
    put_what_happened(out, packet);
    put_counts(out, packet);
    put_record_of_review(out, packet);
    avro_put_string(out, packet->topic);
    buffer_put_zigzag(out, packet->partition);
    avro_put_optional_long(out, packet->l.first_offset, -1);
    avro_put_optional_long(out, packet->l.last_offset, -1);
}

/* ---- reading --------------------------------------------------------------------------------- */

enum kind {
    KIND_STRING,
    KIND_INT,
    KIND_LONG, /* times too: they are milliseconds in JSON as they are in Avro */
    KIND_BOOL,
    KIND_DATE,
    KIND_SYMBOL,  /* symbols[count] */
    KIND_COUNTS,  /* map of string to long */
    KIND_STRINGS, /* array of string */
    KIND_RECORD,  /* fields[count] */
    KIND_RECORDS  /* array of record, fields[count] */
};

struct field {
    const char *name;
    enum kind kind;
    bool nullable;
    size_t count;
    const char *const *symbols;
    const struct field *fields;
};

#define FIELD(name, kind)                \
    {                                    \
        name, kind, false, 0, NULL, NULL \
    }
#define NULLABLE(name, kind)            \
    {                                   \
        name, kind, true, 0, NULL, NULL \
    }
#define SYMBOL(name, nullable, symbols, count)            \
    {                                                     \
        name, KIND_SYMBOL, nullable, count, symbols, NULL \
    }
#define NESTED(name, kind, fields)                                            \
    {                                                                         \
        name, kind, false, sizeof(fields) / sizeof((fields)[0]), NULL, fields \
    }

static const struct field scope_fields[] = {
        NULLABLE("owner_tag", KIND_STRING),
        NULLABLE("workload_tag", KIND_STRING),
        NULLABLE("environment", KIND_STRING),
        NULLABLE("request_class", KIND_STRING),
        NULLABLE("budget_bucket", KIND_STRING),
};

static const struct field top_fields[] = {
        FIELD("value", KIND_STRING),
        FIELD("retries", KIND_LONG),
};

static const struct field evidence_fields[] = {
        FIELD("topic", KIND_STRING),
        FIELD("partition", KIND_INT),
        NULLABLE("first_offset", KIND_LONG),
        NULLABLE("last_offset", KIND_LONG),
};

static const struct field review_fields[] = {
        FIELD("review_id", KIND_STRING),
        FIELD("generation", KIND_INT),
        FIELD("sequence", KIND_INT),
        SYMBOL("status", false, review_status_names, REVIEW_STATUS_COUNT),
        SYMBOL("reason", false, review_reason_names, REASON_COUNT),
        NESTED("scope", KIND_RECORD, scope_fields),
        FIELD("window_start", KIND_LONG),
        FIELD("window_end", KIND_LONG),
        FIELD("starts_at", KIND_LONG),
        NULLABLE("ends_at", KIND_LONG),
        FIELD("first_attempts", KIND_LONG),
        FIELD("attempts", KIND_LONG),
        FIELD("retries", KIND_LONG),
        FIELD("retry_share_bps", KIND_INT),
        FIELD("baseline_share_bps", KIND_INT),
        FIELD("threshold_bps", KIND_INT),
        FIELD("rule_id", KIND_STRING),
        FIELD("config_version", KIND_STRING),
        FIELD("retries_by_cause", KIND_COUNTS),
        FIELD("errors_by_category", KIND_COUNTS),
        FIELD("retries_by_layer", KIND_COUNTS),
        FIELD("retry_decisions", KIND_COUNTS),
        NESTED("top_request_classes", KIND_RECORDS, top_fields),
        NESTED("top_workloads", KIND_RECORDS, top_fields),
        NESTED("top_environments", KIND_RECORDS, top_fields),
        FIELD("first_attempt_units", KIND_LONG),
        FIELD("retry_units", KIND_LONG),
        NULLABLE("unit_metric", KIND_STRING),
        FIELD("usage_unavailable_count", KIND_LONG),
        FIELD("late_count", KIND_LONG),
        FIELD("review_date", KIND_DATE),
        FIELD("source_urls", KIND_STRINGS),
        FIELD("first_attempt_recorded", KIND_BOOL),
        FIELD("retry_count_recorded", KIND_LONG),
        FIELD("pricing_source_checked", KIND_BOOL),
        FIELD("allocation_rule_checked", KIND_BOOL),
        SYMBOL("result", false, result_symbols, RESULT_SYMBOLS),
        FIELD("missing_fields", KIND_STRINGS),
        FIELD("pause_reasons", KIND_STRINGS),
        FIELD("ready_for_decision", KIND_BOOL),
        SYMBOL("proposed_action", false, action_names, ACTION_COUNT),
        SYMBOL("cost_owner_action", true, action_names, ACTION_COUNT),
        NULLABLE("last_decision", KIND_STRING),
        NESTED("evidence", KIND_RECORD, evidence_fields),
};

#define REVIEW_FIELDS (sizeof(review_fields) / sizeof(review_fields[0]))

static json_t *
json_of_string(struct reader *reader)
{
    const struct span text = avro_read_string(reader);

    return reader->failed ? NULL : json_stringn((const char *)text.data, text.size);
}

static json_t *
json_of_date(struct reader *reader)
{
    char text[DATE_TEXT_SIZE];

    date_format(avro_read_int(reader), text);
    return json_string(text);
}

static json_t *
json_of_counts(struct reader *reader)
{
    json_t *object = json_object();

    for (size_t left = avro_read_block(reader); left != 0; left = avro_read_block(reader)) {
        for (; left != 0 && !reader->failed; left--) {
            const struct span key = avro_read_string(reader);
            const int64_t value = reader_zigzag(reader);

            if (!reader->failed) {
                json_object_setn_new(object, (const char *)key.data, key.size, json_integer(value));
            }
        }
    }
    return object;
}

static json_t *json_of_record(struct reader *reader, const struct field *fields, size_t count);

/** Arrays of strings (no fields) and of records. */
static json_t *
json_of_array(struct reader *reader, const struct field *field)
{
    json_t *array = json_array();

    for (size_t left = avro_read_block(reader); left != 0; left = avro_read_block(reader)) {
        for (; left != 0 && !reader->failed; left--) {
            json_array_append_new(
                    array, field->kind == KIND_STRINGS
                                   ? json_of_string(reader)
                                   : json_of_record(reader, field->fields, field->count));
        }
    }
    return array;
}

/** Never NULL but after a failure of the reader. */
static json_t *
json_of_field(struct reader *reader, const struct field *field)
{
    if (field->nullable && !avro_read_present(reader)) {
        return json_null();
    }
    switch (field->kind) {
    case KIND_STRING:
        return json_of_string(reader);
    case KIND_INT:
        return json_integer(avro_read_int(reader));
    case KIND_LONG:
        return json_integer(reader_zigzag(reader));
    case KIND_BOOL:
        return json_boolean(avro_read_bool(reader));
    case KIND_DATE:
        return json_of_date(reader);
    case KIND_SYMBOL:
        return json_string(field->symbols[avro_read_index(reader, field->count)]);
    case KIND_COUNTS:
        return json_of_counts(reader);
    case KIND_RECORD:
        return json_of_record(reader, field->fields, field->count);
    case KIND_STRINGS:
    case KIND_RECORDS:
        return json_of_array(reader, field);
    }
    return NULL;
}

static json_t *
json_of_record(struct reader *reader, const struct field *fields, size_t count)
{
    json_t *object = json_object();

    for (size_t i = 0; i < count && !reader->failed; i++) {
        json_object_set_new(object, fields[i].name, json_of_field(reader, &fields[i]));
    }
    return object;
}

enum status
review_decode(struct span value, json_t **out, struct error *error)
{
    if (value.size < FRAME_SIZE || value.data[0] != 0) {
        return error_set(error, STATUS_MALFORMED, "review: not a Confluent frame");
    }

    struct reader reader =
            reader_of((struct span){value.data + FRAME_SIZE, value.size - FRAME_SIZE});
    json_t *review = json_of_record(&reader, review_fields, REVIEW_FIELDS);

    if (reader.failed || reader.at != reader.end) {
        json_decref(review);
        return error_set(error, STATUS_MALFORMED,
                "review: the bytes do not match the schema review_required of this version");
    }
    *out = review;
    return STATUS_OK;
}

/* ---- identity -------------------------------------------------------------------------------- */

#define ID_DIGEST_BYTES 16

void
review_event_id(const struct packet *packet, digest_function *digest, char id[33])
{
    static const char hex[] = "0123456789abcdef";
    char text[128];
    uint8_t hash[32];
    const int size = snprintf(text, sizeof(text), "%s%c%" PRIu32 "%c%" PRIu32 "%c%s",
            packet->review_id, '\0', packet->generation, '\0', packet->sequence, '\0',
            review_status_names[packet->status]);

    assert(size > 0 && (size_t)size < sizeof(text));
    digest(text, (size_t)size, hash);
    for (size_t i = 0; i < ID_DIGEST_BYTES; i++) {
        id[2 * i] = hex[hash[i] >> 4];
        id[2 * i + 1] = hex[hash[i] & 0xf];
    }
    id[2 * ID_DIGEST_BYTES] = '\0';
}
