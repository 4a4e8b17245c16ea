/* smoke_io.c - how the smoke test writes events, and looks at what became of them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/smoke_io.h"

#include "codec/frame.h"
#include "codec/outcome_encode.h"
#include "codec/review_codec.h"
#include "codec/schema.h"
#include "consumer/kafka_admin.h"
#include "consumer/kafka_writer.h"
#include "consumer/redis_scan.h"
#include "consumer/topic_reader.h"
#include "consumer/view_reader.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FLUSH_MS 15000
#define LOOK_EVERY_MS 200
#define ID_SIZE 96
#define REJECTED_BACK_MS 60000 /* clocks of brokers may be so far behind ours */
#define REVIEWS_BACK_MS 600000

/* ---- events -------------------------------------------------------------------------------- */

enum status
smoke_check_format(const struct smoke *smoke, struct error *error)
{
    const struct config *config = smoke->config;

    if (config->input.format == FORMAT_JSON) {
        return STATUS_OK;
    }
    if (config->schema.registry[0] != '\0' && !smoke->options.has_schema_id) {
        return error_set(error, STATUS_REFUSED,
                "the service asks a schema registry, and does not know the schema of the test's "
                "events: register request_outcome.avsc there under a subject of its own, and give "
                "--schema-id");
    }
    if (config->schema.registry[0] == '\0' && config->schema.outcome[0] != '\0') {
        return error_set(error, STATUS_REFUSED,
                "the service reads events of schema.outcome alone; the test can only write those "
                "of the built-in schema");
    }
    return STATUS_OK;
}

/* The built-in schema's fingerprint takes the place of the frame. */
static enum status
put_single(struct span framed, struct buffer *out, struct error *error)
{
    static const uint8_t marker[] = {0xc3, 0x01};
    struct schema *schema = NULL;
    const enum status status = schema_new(span_of(schema_request_outcome), &schema, error);

    if (status == STATUS_OK) {
        buffer_put(out, marker, sizeof(marker));
        for (unsigned i = 0; i < 8; i++) {
            buffer_put_byte(out, (uint8_t)(schema->fingerprint >> 8 * i));
        }
        buffer_put(out, framed.data + FRAME_CONFLUENT_SIZE, framed.size - FRAME_CONFLUENT_SIZE);
    }
    schema_destroy(schema);
    return status;
}

static enum status
encode(const struct smoke *smoke, const struct outcome *outcome, struct buffer *out,
        struct error *error)
{
    struct buffer framed = {0};
    enum status status = STATUS_OK;

    if (smoke->config->input.format == FORMAT_JSON) {
        outcome_encode_json(outcome, out);
        return STATUS_OK;
    }
    outcome_encode(outcome, (uint32_t)smoke->options.schema_id, &framed);
    switch (smoke->config->input.format) {
    case FORMAT_AVRO_SINGLE:
        status = put_single(buffer_span(&framed), out, error);
        break;
    case FORMAT_AVRO_BARE:
        buffer_put(out, framed.data + FRAME_CONFLUENT_SIZE, framed.size - FRAME_CONFLUENT_SIZE);
        break;
    case FORMAT_AVRO:
    case FORMAT_JSON:
        buffer_put(out, framed.data, framed.size);
        break;
    }
    buffer_fini(&framed);
    return status;
}

static void
describe_result(enum smoke_event event, struct outcome *outcome)
{
    switch (event) {
    case SMOKE_SUCCESS:
        outcome->result = RESULT_SUCCESS;
        outcome->retry_decision = RETRY_DECISION_STOP;
        break;
    case SMOKE_INVALID_REQUEST:
        outcome->result = RESULT_FAILURE;
        outcome->error_category = ERROR_INVALID_REQUEST;
        outcome->retry_decision = RETRY_DECISION_STOP;
        break;
    case SMOKE_RETRY:
        outcome->retry_cause = CAUSE_PLATFORM_RESPONSE;
        /* fall through */
    case SMOKE_FIRST:
        outcome->result = RESULT_FAILURE;
        outcome->error_category = ERROR_RATE_LIMITED;
        outcome->retry_decision = RETRY_DECISION_RETRY;
        break;
    }
}

enum status
smoke_send(struct smoke *smoke, enum smoke_event event, int64_t operation, int32_t attempt_number,
        struct error *error)
{
    const int64_t now_ms = clock_system.wall_ms(&clock_system);
    char operation_id[ID_SIZE];
    char event_id[ID_SIZE];
    struct buffer value = {0};
    struct outcome outcome;
    enum status status;

    snprintf(operation_id, sizeof(operation_id), "%s-%" PRId64, smoke->owner, operation);
    snprintf(event_id, sizeof(event_id), "%s-%" PRId64 "-%" PRId32, smoke->owner, operation,
            attempt_number);
    outcome_init(&outcome);
    outcome.event_time_ms = now_ms;
    outcome.event_id = span_of(event_id);
    outcome.source = span_of("retrywatch/smoke-test");
    outcome.operation_id = span_of(operation_id);
    outcome.attempt_number = attempt_number;
    outcome.retry_layer = LAYER_CLIENT;
    outcome.dimensions[DIM_OWNER] = span_of(smoke->owner);
    outcome.dimensions[DIM_WORKLOAD] = span_of(SMOKE_NAME);
    outcome.dimensions[DIM_ENVIRONMENT] = span_of(smoke->options.environment);
    outcome.dimensions[DIM_CLASS] = span_of(SMOKE_NAME);
    outcome.dimensions[DIM_BUCKET] = span_of(SMOKE_NAME);
    outcome.unit_metric = span_of(SMOKE_UNIT_METRIC);
    outcome.allocation_rule_id = span_of(SMOKE_NAME);
    outcome.pricing_source_checked_at_ms = now_ms;
    outcome.source_urls[outcome.source_url_count++] = span_of(smoke->options.source_url);
    outcome.has_units = true;
    outcome.units = 1;
    outcome.usage_source = USAGE_REPORTED;
    describe_result(event, &outcome);
    status = encode(smoke, &outcome, &value, error);
    if (status == STATUS_OK) {
        status = kafka_writer_send(
                smoke->events, span_of(smoke->owner), buffer_span(&value), now_ms, error);
    }
    if (status == STATUS_OK) {
        smoke->attempts += 1;
        smoke->retries += attempt_number > 1 ? 1 : 0;
    }
    buffer_fini(&value);
    return status;
}

enum status
smoke_flush(struct smoke *smoke, struct error *error)
{
    const bool first = kafka_writer_acknowledged(smoke->events) == 0;
    const enum status status = kafka_writer_flush(smoke->events, FLUSH_MS, error);

    if (status == STATUS_OK) {
        (void)kafka_writer_last(smoke->events, &smoke->partition, &smoke->last_offset);
        smoke->first_offset = first ? smoke->last_offset : smoke->first_offset;
    }
    return status;
}

/* ---- why it is not there ------------------------------------------------------------------- */

struct rejection {
    int32_t partition;
    int64_t offset;
    char reason[64], detail[256]; /* "": not rejected */
};

static bool
header_is(const struct topic_record *record, const char *name, int64_t number)
{
    const struct span value = topic_record_header(record, name);
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    return value.data != NULL && span_equal(value, span_of(text));
}

static enum status
take_rejected(void *context, const struct topic_record *record, struct error *error)
{
    struct rejection *rejection = context;

    (void)error;
    if (header_is(record, "partition", rejection->partition) &&
            header_is(record, "offset", rejection->offset)) {
        const struct span reason = topic_record_header(record, "reason");
        const struct span detail = topic_record_header(record, "detail");

        snprintf(rejection->reason, sizeof(rejection->reason), "%.*s", (int)reason.size,
                (const char *)reason.data);
        snprintf(rejection->detail, sizeof(rejection->detail), "%.*s", (int)detail.size,
                (const char *)detail.data);
    }
    return STATUS_OK;
}

/* Whether the service could not read the last event. */
static bool
was_rejected(const struct smoke *smoke, struct rejection *rejection)
{
    struct topic_reader *reader = NULL;
    struct error error = {0};

    *rejection = (struct rejection){.partition = smoke->partition, .offset = smoke->last_offset};
    if (topic_reader_new(smoke->config, &clock_system, smoke->config->topics.rejected, &reader,
                &error) == STATUS_OK &&
            topic_reader_rewind(reader, smoke->started_ms - REJECTED_BACK_MS, &error) ==
                    STATUS_OK) {
        const enum status status = topic_reader_to_end(reader, take_rejected, rejection, &error);

        (void)status; /* what was found until then counts */
    }
    topic_reader_destroy(reader);
    return rejection->reason[0] != '\0';
}

enum status
smoke_explain(struct smoke *smoke, struct error *error)
{
    const struct config *config = smoke->config;
    const int64_t offset = smoke->last_offset;
    struct kafka_progress progress;
    struct rejection rejection;

    if (kafka_group_progress(config, smoke->partition, &progress, error) != STATUS_OK) {
        return error->status;
    }
    if (progress.members == 0) {
        return error_set(error, STATUS_FAILED,
                "the service is not running: no instance is in group %s, and the events wait in "
                "%s; start `retrywatch run` with this configuration, or give the test that of the "
                "service",
                config->group, config->topics.outcomes);
    }
    if (progress.committed <= offset) {
        return error_set(error, STATUS_FAILED,
                "the service has %d instances in group %s, but has not reached the events: %s "
                "partition %" PRId32 " is committed up to %" PRId64 ", they end at %" PRId64
                "; it is behind or stuck: see its log, or give --timeout",
                progress.members, config->group, config->topics.outcomes, smoke->partition,
                progress.committed, offset);
    }
    if (was_rejected(smoke, &rejection)) {
        return error_set(error, STATUS_FAILED,
                "the service could not read the event and rejected it (%s: %s): compare "
                "input.format and schema.* with its configuration",
                rejection.reason, rejection.detail);
    }
    return error_set(error, STATUS_FAILED,
            "the service has counted the events, but not in this Redis (%s, prefix %s): it writes "
            "to another one; compare redis.url and redis.prefix with its configuration",
            view_reader_address(smoke->views), config->redis.prefix);
}

/* ---- what Redis shows ---------------------------------------------------------------------- */

static int64_t
hour_of(const json_t *view, const char *counter)
{
    const json_t *hour = json_object_get(json_object_get(view, "windows"), "60m");

    return json_integer_value(json_object_get(hour, counter));
}

static bool
shows(const struct smoke *smoke, const json_t *view, int64_t failures)
{
    return hour_of(view, "attempts") == smoke->attempts &&
           hour_of(view, "retries") == smoke->retries && hour_of(view, "failures") == failures;
}

/* Its bucket alone, with the same counts. */
static bool
shows_bucket(const struct smoke *smoke, const json_t *view, int64_t failures)
{
    const json_t *buckets = json_object_get(view, "buckets");
    const json_t *bucket = json_array_get(buckets, 0);
    const char *name = json_string_value(json_object_get(bucket, "bucket"));

    return json_array_size(buckets) == 1 && name != NULL && strcmp(name, SMOKE_NAME) == 0 &&
           shows(smoke, bucket, failures);
}

enum status
smoke_await_counts(struct smoke *smoke, int64_t failures, struct error *error)
{
    const int64_t until_ms = clock_system.monotonic_ms(&clock_system) + smoke->options.timeout_ms;
    int64_t attempts = 0;

    for (;;) {
        json_t *view = NULL;
        enum status status = view_reader_owner(smoke->views, smoke->owner, &view, error);
        const bool done = status == STATUS_OK && shows(smoke, view, failures) &&
                          shows_bucket(smoke, view, failures);

        attempts = status == STATUS_OK ? hour_of(view, "attempts") : 0;
        json_decref(view);
        if (done) {
            return STATUS_OK;
        }
        if (status != STATUS_OK && status != STATUS_FAILED) {
            return status; /* no such owner yet is STATUS_FAILED */
        }
        if (clock_system.monotonic_ms(&clock_system) >= until_ms) {
            break;
        }
        clock_system.sleep_ms(&clock_system, LOOK_EVERY_MS);
    }
    if (attempts == 0) {
        return smoke_explain(smoke, error);
    }
    return error_set(error, STATUS_FAILED,
            "Redis shows %" PRId64 " attempts of %s where %" PRId64 " were written (%" PRId64
            " retries, %" PRId64 " failures): compare rw:view:owner and rw:view:buckets",
            attempts, smoke->owner, smoke->attempts, smoke->retries, failures);
}

static bool
is_number(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!isdigit(text.data[i]) && !(i == 0 && text.data[i] == '-' && text.size > 1)) {
            return false;
        }
    }
    return text.size > 0;
}

static enum status
take_field(void *context, size_t hash, struct span field, struct span value, struct error *error)
{
    size_t *seen = context;

    (void)hash;
    (void)field;
    *seen += 1;
    return is_number(value) ? STATUS_OK
                            : error_set(error, STATUS_FAILED,
                                      "a view of the owner in Redis holds more than numbers");
}

enum status
smoke_check_content(struct smoke *smoke, struct error *error)
{
    static const char *const kinds[] = {"owner", "buckets", "minutes"};
    const struct config *config = smoke->config;
    const struct redis_link_options options = {.url = config->redis.url,
            .username = config->redis.username,
            .password = config->redis.password,
            .timeout_ms = config->redis.timeout_ms};
    struct redis_link *link = NULL;
    struct buffer keys[3] = {{0}, {0}, {0}};
    struct span spans[3];
    size_t seen = 0;
    enum status status = redis_link_new(&options, &link, error);

    for (size_t i = 0; i < 3; i++) {
        buffer_printf(&keys[i], "%s:view:%s:%s", config->redis.prefix, kinds[i], smoke->owner);
        spans[i] = buffer_span(&keys[i]);
    }
    if (status == STATUS_OK) {
        status = redis_link_connect(link, error);
    }
    if (status == STATUS_OK) {
        status = redis_scan(link, spans, 3, take_field, &seen, error);
    }
    if (status == STATUS_OK && seen == 0) {
        status = error_set(error, STATUS_FAILED, "the views of the owner are gone from Redis");
    }
    for (size_t i = 0; i < 3; i++) {
        buffer_fini(&keys[i]);
    }
    redis_link_destroy(link);
    return status;
}

/* ---- reviews ------------------------------------------------------------------------------- */

/* at_least_once may say the same twice: each sequence counts once. */
static enum status
take_review(void *context, const struct topic_record *record, struct error *error)
{
    struct smoke *smoke = context;
    const json_t *last = smoke_packet(smoke);
    json_t *packet = NULL;
    enum status status;

    if (!span_equal(record->key, span_of(smoke->owner))) {
        return STATUS_OK;
    }
    status = review_decode(record->value, &packet, error);
    if (status == STATUS_OK && json_integer_value(json_object_get(packet, "sequence")) >
                                       json_integer_value(json_object_get(last, "sequence"))) {
        json_array_append(smoke->packets, packet);
    }
    json_decref(packet);
    return status;
}

/* A topic that was made a moment ago may have no leader yet: that is asked again. */
static enum status
follow_reviews(struct smoke *smoke, struct error *error)
{
    const int64_t until_ms = clock_system.monotonic_ms(&clock_system) + smoke->options.timeout_ms;
    const int64_t from_ms = smoke->started_ms - REVIEWS_BACK_MS;
    enum status status = topic_reader_new(
            smoke->config, &clock_system, smoke->config->topics.reviews, &smoke->reviews, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = topic_reader_rewind(smoke->reviews, from_ms, error);
    while (status == STATUS_BROKER_DOWN && clock_system.monotonic_ms(&clock_system) < until_ms) {
        clock_system.sleep_ms(&clock_system, LOOK_EVERY_MS);
        status = topic_reader_rewind(smoke->reviews, from_ms, error);
    }
    return status;
}

enum status
smoke_read_reviews(struct smoke *smoke, int64_t wait_ms, size_t count, struct error *error)
{
    const int64_t until_ms = clock_system.monotonic_ms(&clock_system) + wait_ms;
    enum status status = STATUS_OK;

    if (smoke->reviews == NULL) {
        status = follow_reviews(smoke, error);
    }
    while (status == STATUS_OK && json_array_size(smoke->packets) < count &&
            clock_system.monotonic_ms(&clock_system) < until_ms) {
        status = topic_reader_new_records(smoke->reviews, LOOK_EVERY_MS, take_review, smoke, error);
    }
    return status;
}
