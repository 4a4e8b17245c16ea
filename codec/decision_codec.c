/* decision_codec.c - records of the decisions topic, Avro or JSON.
 *
 * Both readers fill a decision with the texts as they came; finish() then bounds and cleans them,
 * so that a decision means the same in both.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decision_codec.h"

#include "codec/avro_data.h"
#include "codec/times.h"
#include "codec/url.h"
#include "codec/utf8.h"

#include <jansson.h>

#define FRAME_SIZE 5
#define VALUE_BYTES_MAX 256 /* of every text but the reason and URLs */
#define URL_BYTES_MAX 2048
#define BPS_NULL (-1)

/* How a text is cleaned. What is compared with the values of events may not be changed: cutting
 * a byte from a scope would make it cover another owner. */
enum cleaning {
    EXACT, /* control characters are refused */
    PROSE, /* control characters are removed */
    REASON /* the same, and it has a bound of its own */
};

static const struct text_field {
    const char *name;
    size_t offset;
    enum cleaning cleaning;
} text_fields[] = {
        {"decision_id", offsetof(struct decision, decision_id), EXACT},
        {"review_id", offsetof(struct decision, review_id), EXACT},
        {"decision_owner", offsetof(struct decision, decision_owner), PROSE},
        {"reason", offsetof(struct decision, reason), REASON},
        {"unit_metric", offsetof(struct decision, unit_metric), EXACT},
        {"changed_setting", offsetof(struct decision, changed_setting), PROSE},
        {"changed_assumption", offsetof(struct decision, changed_assumption), PROSE},
        {"remaining_uncertainty", offsetof(struct decision, remaining_uncertainty), PROSE},
};

#define TEXT_FIELDS (sizeof(text_fields) / sizeof(text_fields[0]))

static struct span *
text_of(struct decision *decision, const struct text_field *field)
{
    return (struct span *)(void *)((uint8_t *)decision + field->offset);
}

static void
decision_init(struct decision *decision)
{
    *decision = (struct decision){
            .decided_at_ms = TIME_NULL,
            .effective_from_ms = TIME_NULL,
            .expires_at_ms = TIME_NULL,
            .pricing_source_checked_at_ms = TIME_NULL,
            .access_date = DATE_NULL,
            .max_retry_share_bps = BPS_NULL,
            .action = ACTION_COUNT,
    };
}

/* ---- cleaning and bounds --------------------------------------------------------------------- */

/** Size of the control character at the start of size bytes of UTF-8, 0 if it is none: C0, DEL
 * and C1. */
static size_t
control_size(const uint8_t *at, size_t size)
{
    if (at[0] < 0x20 || at[0] == 0x7f) {
        return 1;
    }
    return at[0] == 0xc2 && size > 1 && at[1] < 0xa0 ? 2 : 0;
}

static bool
has_control(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (control_size(text.data + i, text.size - i) != 0) {
            return true;
        }
    }
    return false;
}

static struct span
without_control(struct span text, struct arena *arena)
{
    uint8_t *clean = arena_new(arena, text.size, 1);
    size_t size = 0;

    for (size_t i = 0; i < text.size;) {
        const size_t control = control_size(text.data + i, text.size - i);

        if (control == 0) {
            clean[size++] = text.data[i++];
        } else {
            i += control;
        }
    }
    return (struct span){clean, size};
}

static size_t
character_count(struct span text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++) {
        count += (text.data[i] & 0xc0) != 0x80; /* bytes that go on with a character */
    }
    return count;
}

static enum status
clean_text(struct span *text, const char *name, enum cleaning cleaning, struct arena *arena,
        struct error *error)
{
    if (!utf8_valid(*text)) {
        return error_set(error, STATUS_MALFORMED, "decision: %s is not UTF-8", name);
    }
    if (has_control(*text)) {
        if (cleaning == EXACT) {
            return error_set(error, STATUS_INVALID, "decision: %s holds control characters", name);
        }
        *text = without_control(*text, arena);
    }
    if (cleaning == REASON && character_count(*text) > DECISION_REASON_MAX) {
        return error_set(error, STATUS_INVALID, "decision: %s has %zu characters, at most %d", name,
                character_count(*text), DECISION_REASON_MAX);
    }
    if (cleaning != REASON && text->size > VALUE_BYTES_MAX) {
        return error_set(error, STATUS_INVALID, "decision: %s has %zu bytes, at most %d", name,
                text->size, VALUE_BYTES_MAX);
    }
    return STATUS_OK;
}

static enum status
clean_texts(struct decision *decision, struct arena *arena, struct error *error)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < TEXT_FIELDS && status == STATUS_OK; i++) {
        status = clean_text(text_of(decision, &text_fields[i]), text_fields[i].name,
                text_fields[i].cleaning, arena, error);
    }
    for (int d = 0; d < DIM_COUNT && status == STATUS_OK; d++) {
        status = clean_text(
                &decision->scope[d], dimension_name((enum dimension)d), EXACT, arena, error);
    }
    return status;
}

static enum status
check_times(const struct decision *decision, struct error *error)
{
    const struct {
        const char *name;
        int64_t ms;
    } times[] = {
            {"decided_at", decision->decided_at_ms},
            {"effective_from", decision->effective_from_ms},
            {"expires_at", decision->expires_at_ms},
            {"pricing_source_checked_at", decision->pricing_source_checked_at_ms},
    };

    if (decision->decided_at_ms == TIME_NULL) {
        return error_set(error, STATUS_INVALID, "decision: decided_at is missing");
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (times[i].ms < 0 && times[i].ms != TIME_NULL) {
            return error_set(error, STATUS_INVALID, "decision: %s is before 1970", times[i].name);
        }
    }
    return STATUS_OK;
}

static enum status
finish(struct decision *decision, struct arena *arena, struct error *error)
{
    enum status status = clean_texts(decision, arena, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (decision->max_retry_share_bps > BPS) {
        return error_set(error, STATUS_INVALID,
                "decision: max_retry_share_bps is outside 0..%d (basis points)", BPS);
    }
    return check_times(decision, error);
}

/** Keep the URL if there is room and something is left of it. */
static enum status
add_url(struct decision *decision, struct span url, struct arena *arena, struct error *error)
{
    if (!utf8_valid(url)) {
        return error_set(error, STATUS_MALFORMED, "decision: source_urls is not UTF-8");
    }
    if (url.size > URL_BYTES_MAX || has_control(url)) {
        return error_set(error, STATUS_INVALID,
                "decision: source_urls holds control characters or more than %d bytes",
                URL_BYTES_MAX);
    }
    if (decision->source_url_count < OUTCOME_URLS_MAX) {
        url = url_strip(url, arena);
        if (url.data != NULL) {
            decision->source_urls[decision->source_url_count++] = url;
        }
    }
    return STATUS_OK;
}

/* ---- Avro ------------------------------------------------------------------------------------ */

static enum status
avro_urls(
        struct reader *reader, struct decision *decision, struct arena *arena, struct error *error)
{
    enum status status = STATUS_OK;

    for (size_t left = avro_read_block(reader); left != 0; left = avro_read_block(reader)) {
        for (; left != 0 && status == STATUS_OK && !reader->failed; left--) {
            status = add_url(decision, avro_read_string(reader), arena, error);
        }
    }
    return status;
}

static int32_t
avro_date(struct reader *reader)
{
    if (!avro_read_present(reader)) {
        return DATE_NULL;
    }

    const int32_t days = avro_read_int(reader);

    if (days == DATE_NULL) {
        reader->failed = true;
    }
    return days;
}

/** What is out of range stays so, but never becomes what stands for null. */
static int32_t
bps_of(int64_t value)
{
    return value < 0 || value > BPS ? BPS + 1 : (int32_t)value;
}

static enum status
read_avro_fields(
        struct reader *reader, struct decision *decision, struct arena *arena, struct error *error)
{
    decision->decision_id = avro_read_string(reader);
    decision->review_id = avro_read_optional_string(reader);
    decision->decided_at_ms = reader_zigzag(reader);
    decision->decision_owner = avro_read_string(reader);
    for (int d = 0; d < DIM_COUNT; d++) {
        decision->scope[d] = avro_read_optional_string(reader);
    }
    decision->action = (uint8_t)avro_read_index(reader, ACTION_COUNT + 1); /* the last: unknown */
    decision->accepts_spend_risk = avro_read_bool(reader);
    decision->reason = avro_read_string(reader);
    decision->effective_from_ms = avro_read_optional_long(reader, TIME_NULL);
    decision->expires_at_ms = avro_read_optional_long(reader, TIME_NULL);
    decision->max_retry_share_bps =
            avro_read_present(reader) ? bps_of(avro_read_int(reader)) : BPS_NULL;
    decision->revoked = avro_read_bool(reader);

    const enum status status = avro_urls(reader, decision, arena, error);

    decision->access_date = avro_date(reader);
    decision->pricing_source_checked_at_ms = avro_read_optional_long(reader, TIME_NULL);
    decision->allocation_rule_checked = avro_read_bool(reader);
    decision->unit_metric = avro_read_optional_string(reader);
    decision->changed_setting = avro_read_optional_string(reader);
    decision->changed_assumption = avro_read_optional_string(reader);
    decision->remaining_uncertainty = avro_read_optional_string(reader);
    return status;
}

static enum status
read_avro(struct span value, struct decision *decision, struct arena *arena, struct error *error)
{
    if (value.size < FRAME_SIZE) {
        return error_set(error, STATUS_MALFORMED, "decision: %zu bytes, a frame needs %d",
                value.size, FRAME_SIZE);
    }

    struct reader reader =
            reader_of((struct span){value.data + FRAME_SIZE, value.size - FRAME_SIZE});
    const enum status status = read_avro_fields(&reader, decision, arena, error);

    if (reader.failed || reader.at != reader.end) {
        return error_set(error, STATUS_MALFORMED,
                "decision: the bytes do not match the schema cost_owner_decision");
    }
    return status;
}

void
decision_encode(const struct decision *decision, int32_t schema_id, struct buffer *out)
{
    avro_put_frame(out, schema_id);
    avro_put_string(out, decision->decision_id);
    avro_put_optional_string(out, decision->review_id);
    buffer_put_zigzag(out, decision->decided_at_ms);
    avro_put_string(out, decision->decision_owner);
    for (int d = 0; d < DIM_COUNT; d++) {
        avro_put_optional_string(out, decision->scope[d]);
    }
    buffer_put_zigzag(out, decision->action);
    avro_put_bool(out, decision->accepts_spend_risk);
    avro_put_string(out, decision->reason);
    avro_put_optional_long(out, decision->effective_from_ms, TIME_NULL);
    avro_put_optional_long(out, decision->expires_at_ms, TIME_NULL);
    avro_put_optional_long(out, decision->max_retry_share_bps, BPS_NULL);
    avro_put_bool(out, decision->revoked);
    avro_put_strings(out, decision->source_urls, decision->source_url_count);
    avro_put_optional_long(out, decision->access_date, DATE_NULL);
    avro_put_optional_long(out, decision->pricing_source_checked_at_ms, TIME_NULL);
    avro_put_bool(out, decision->allocation_rule_checked);
    avro_put_optional_string(out, decision->unit_metric);
    avro_put_optional_string(out, decision->changed_setting);
    avro_put_optional_string(out, decision->changed_assumption);
    avro_put_optional_string(out, decision->remaining_uncertainty);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* The first wrong value fails it; what is read later does not change the error. */
struct json_source {
    json_t *object;
    struct arena *arena;
    struct error *error;
    enum status status;
};

static void
wrong_type(struct json_source *source, const char *name, const char *want)
{
    if (source->status == STATUS_OK) {
        source->status =
                error_set(source->error, STATUS_MALFORMED, "decision: %s must be %s", name, want);
    }
}

/** The value of a field; NULL when it is absent or null. */
static json_t *
json_field(const struct json_source *source, const char *name)
{
    json_t *value = json_object_get(source->object, name);

    return json_is_null(value) ? NULL : value;
}

/** The bytes of a string, which live as long as it does; null for any other value. */
static struct span
raw_text(const json_t *value)
{
    return (struct span){(const uint8_t *)json_string_value(value), json_string_length(value)};
}

static struct span
json_text(struct json_source *source, const char *name)
{
    json_t *value = json_field(source, name);

    if (value == NULL) {
        return SPAN_NULL;
    }
    if (!json_is_string(value)) {
        wrong_type(source, name, "a string");
        return SPAN_NULL;
    }
    return arena_copy(source->arena, raw_text(value));
}

static bool
json_flag(struct json_source *source, const char *name)
{
    json_t *value = json_field(source, name);

    if (value != NULL && !json_is_boolean(value)) {
        wrong_type(source, name, "true or false");
    }
    return json_is_true(value);
}

static int64_t
json_time(struct json_source *source, const char *name)
{
    json_t *value = json_field(source, name);
    int64_t time_ms = TIME_NULL;

    if (json_is_integer(value)) {
        /* The number that stands for null is no time. */
        time_ms = json_integer_value(value) == TIME_NULL ? -1 : json_integer_value(value);
    } else if (value != NULL && !time_parse(raw_text(value), &time_ms)) {
        wrong_type(source, name, "epoch milliseconds or an RFC 3339 time with its offset");
    }
    return time_ms;
}

static int32_t
json_date(struct json_source *source, const char *name)
{
    json_t *value = json_field(source, name);
    int32_t days = DATE_NULL;

    if (json_is_integer(value) && json_integer_value(value) > DATE_NULL &&
            json_integer_value(value) <= INT32_MAX) {
        days = (int32_t)json_integer_value(value);
    } else if (value != NULL && !date_parse(raw_text(value), &days)) {
        wrong_type(source, name, "a date YYYY-MM-DD or days since 1970");
    }
    return days;
}

static int32_t
json_bps(struct json_source *source, const char *name)
{
    json_t *value = json_field(source, name);

    if (value == NULL) {
        return BPS_NULL;
    }
    if (!json_is_integer(value)) {
        wrong_type(source, name, "an integer");
        return BPS_NULL;
    }
    return bps_of(json_integer_value(value));
}

static uint8_t
json_action(struct json_source *source)
{
    const struct span name = json_text(source, "action");
    uint8_t action = 0;

    while (action < ACTION_COUNT && !span_equal(name, span_of(action_names[action]))) {
        action++;
    }
    return action;
}

static void
json_scope(struct json_source *source, struct decision *decision)
{
    json_t *scope = json_field(source, "scope");
    struct json_source inner = {scope, source->arena, source->error, source->status};

    if (scope != NULL && !json_is_object(scope)) {
        wrong_type(source, "scope", "an object");
        return;
    }
    for (int d = 0; d < DIM_COUNT; d++) {
        decision->scope[d] = json_text(&inner, dimension_name((enum dimension)d));
    }
    source->status = inner.status;
}

static void
json_urls(struct json_source *source, struct decision *decision)
{
    json_t *urls = json_field(source, "source_urls");

    if (urls != NULL && !json_is_array(urls)) {
        wrong_type(source, "source_urls", "an array of strings");
    }
    for (size_t i = 0; i < json_array_size(urls) && source->status == STATUS_OK; i++) {
        json_t *url = json_array_get(urls, i);

        if (!json_is_string(url)) {
            wrong_type(source, "source_urls", "an array of strings");
        } else {
            source->status = add_url(decision, arena_copy(source->arena, raw_text(url)),
                    source->arena, source->error);
        }
    }
}

static void
read_json_fields(struct json_source *source, struct decision *decision)
{
    for (size_t i = 0; i < TEXT_FIELDS; i++) {
        *text_of(decision, &text_fields[i]) = json_text(source, text_fields[i].name);
    }
    json_scope(source, decision);
    json_urls(source, decision);
    decision->action = json_action(source);
    decision->decided_at_ms = json_time(source, "decided_at");
    decision->effective_from_ms = json_time(source, "effective_from");
    decision->expires_at_ms = json_time(source, "expires_at");
    decision->pricing_source_checked_at_ms = json_time(source, "pricing_source_checked_at");
    decision->access_date = json_date(source, "access_date");
    decision->max_retry_share_bps = json_bps(source, "max_retry_share_bps");
    decision->accepts_spend_risk = json_flag(source, "accepts_spend_risk");
    decision->allocation_rule_checked = json_flag(source, "allocation_rule_checked");
    decision->revoked = json_flag(source, "revoked");
}

static enum status
read_json(struct span value, struct decision *decision, struct arena *arena, struct error *error)
{
    json_error_t cause;
    /* Of a field that is given twice nobody can say which was decided. */
    json_t *root = json_loadb((const char *)value.data, value.size, JSON_REJECT_DUPLICATES, &cause);

    if (root == NULL) {
        /* The text of the cause may quote the payload; its position does not. */
        return error_set(error, STATUS_MALFORMED,
                "decision: no JSON object without duplicate fields (at byte %d)", cause.position);
    }

    struct json_source source = {root, arena, error, STATUS_OK};

    read_json_fields(&source, decision);
    json_decref(root);
    return source.status;
}

enum status
decision_decode(
        struct span value, struct arena *arena, struct decision *decision, struct error *error)
{
    struct decision read;
    enum status status = STATUS_OK;

    decision_init(&read);
    if (value.size == 0) {
        return error_set(error, STATUS_EMPTY, "decision: no value");
    }
    if (value.data[0] == 0) {
        status = read_avro(value, &read, arena, error);
    } else if (value.data[0] == '{') {
        status = read_json(value, &read, arena, error);
    } else {
        status = error_set(error, STATUS_MALFORMED,
                "decision: begins with byte 0x%02x, want 0 (Avro) or '{' (JSON)", value.data[0]);
    }
    if (status == STATUS_OK) {
        status = finish(&read, arena, error);
    }
    if (status == STATUS_OK) {
        *decision = read;
    }
    return status;
}
