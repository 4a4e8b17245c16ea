/* state.c - the packed values of the Redis state keys.
 *
 * Numbers are varints (zigzag where they can be negative), strings are spans with their size + 1,
 * flags are one byte. Every decoder reads all bytes and none beyond them, and checks what the
 * encoder guarantees, so that a foreign or damaged value is refused instead of counted on.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The flags of a decision. */
#define FLAG_ACCEPTS_RISK 1
#define FLAG_RULE_CHECKED 2
#define FLAG_REVOKED 4
#define FLAGS_ALL 7

/* ---- reading with checks: what is out of range fails the reader ------------------------------ */

static struct reader
open_value(struct span bytes)
{
    struct reader reader = reader_of(bytes);

    if (reader_byte(&reader) != STATE_LAYOUT_VERSION) {
        reader.failed = true;
    }
    return reader;
}

static enum status
close_value(const struct reader *reader, const char *what, struct error *error)
{
    if (reader->failed || reader->at != reader->end) {
        return error_set(error, STATUS_REFUSED,
                "%s in Redis is not what this version writes (layout %d): another version wrote "
                "it, or it is damaged; run `retrywatch rebuild`",
                what, STATE_LAYOUT_VERSION);
    }
    return STATUS_OK;
}

static uint64_t
read_at_most(struct reader *reader, uint64_t max)
{
    const uint64_t value = reader_varint(reader);

    if (value > max) {
        reader->failed = true;
        return 0;
    }
    return value;
}

static int64_t
read_within(struct reader *reader, int64_t min, int64_t max)
{
    const int64_t value = reader_zigzag(reader);

    if (value < min || value > max) {
        reader->failed = true;
        return min;
    }
    return value;
}

static uint32_t
read_u32(struct reader *reader)
{
    return (uint32_t)read_at_most(reader, UINT32_MAX);
}

/** A time that may be null. */
static int64_t
read_time(struct reader *reader)
{
    return reader_zigzag(reader);
}

/** A symbol below count, or SYMBOL_NULL. */
static uint8_t
read_symbol(struct reader *reader, uint8_t count)
{
    const uint8_t symbol = reader_byte(reader);

    if (symbol >= count && symbol != SYMBOL_NULL) {
        reader->failed = true;
    }
    return symbol;
}

static bool
read_bool(struct reader *reader)
{
    const uint8_t byte = reader_byte(reader);

    if (byte > 1) {
        reader->failed = true;
    }
    return byte == 1;
}

/* ---- applied --------------------------------------------------------------------------------- */

static void
put_token(struct buffer *out, struct token token)
{
    buffer_put_varint(out, token.process);
    buffer_put_varint(out, token.count);
}

static struct token
read_token(struct reader *reader)
{
    struct token token;

    token.process = reader_varint(reader);
    token.count = reader_varint(reader);
    return token;
}

void
applied_encode(const struct applied *applied, struct buffer *out)
{
    buffer_put_byte(out, STATE_LAYOUT_VERSION);
    buffer_put_zigzag(out, applied->offset);
    buffer_put_varint(out, applied->serial);
    buffer_put_zigzag(out, applied->quiet);
    put_token(out, applied->token);
    buffer_put_zigzag(out, applied->wall_ms);
    buffer_put_zigzag(out, applied->last_record_ms);
    buffer_put_varint(out, applied->last_checksum);
    buffer_put_zigzag(out, applied->times.stream_ms);
    buffer_put_zigzag(out, applied->times.log_ms);
    buffer_put_zigzag(out, applied->times.record_max_ms);
    buffer_put_varint(out, applied->next_series);
    buffer_put_varint(out, applied->next_group);
    buffer_put_varint(out, applied->next_active);
}

enum status
applied_decode(struct span bytes, struct applied *applied, struct error *error)
{
    struct reader reader = open_value(bytes);
    struct applied read;

    read.offset = read_within(&reader, 0, INT64_MAX);
    read.serial = reader_varint(&reader);
    read.quiet = read_within(&reader, -1, INT64_MAX);
    read.token = read_token(&reader);
    read.wall_ms = read_time(&reader);
    read.last_record_ms = read_time(&reader);
    read.last_checksum = reader_varint(&reader);
    read.times.stream_ms = read_time(&reader);
    read.times.log_ms = read_time(&reader);
    read.times.record_max_ms = read_time(&reader);
    read.next_series = reader_varint(&reader);
    read.next_group = reader_varint(&reader);
    read.next_active = reader_varint(&reader);

    const enum status status = close_value(&reader, "`applied`", error);

    if (status == STATUS_OK) {
        *applied = read;
    }
    return status;
}

/* ---- series and groups ----------------------------------------------------------------------- */

void
dimensions_encode(const struct span dimensions[DIM_COUNT], struct buffer *out)
{
    buffer_put_byte(out, STATE_LAYOUT_VERSION);
    for (int d = 0; d < DIM_COUNT; d++) {
        buffer_put_span(out, dimensions[d]);
    }
}

enum status
dimensions_decode(struct span bytes, struct span dimensions[DIM_COUNT], struct error *error)
{
    struct reader reader = open_value(bytes);
    struct span read[DIM_COUNT];

    for (int d = 0; d < DIM_COUNT; d++) {
        read[d] = reader_span(&reader);
    }

    const enum status status = close_value(&reader, "a series or group", error);

    if (status == STATUS_OK) {
        memcpy(dimensions, read, sizeof(read));
    }
    return status;
}

/* ---- reviews: the adopted decision ----------------------------------------------------------- */

static void
put_decision(struct buffer *out, const struct decision *decision)
{
    buffer_put_span(out, decision->decision_id);
    buffer_put_span(out, decision->review_id);
    buffer_put_span(out, decision->decision_owner);
    for (int d = 0; d < DIM_COUNT; d++) {
        buffer_put_span(out, decision->scope[d]);
    }
    buffer_put_span(out, decision->reason);
    buffer_put_span(out, decision->unit_metric);
    buffer_put_varint(out, decision->source_url_count);
    for (size_t i = 0; i < decision->source_url_count; i++) {
        buffer_put_span(out, decision->source_urls[i]);
    }
    buffer_put_span(out, decision->changed_setting);
    buffer_put_span(out, decision->changed_assumption);
    buffer_put_span(out, decision->remaining_uncertainty);
    buffer_put_zigzag(out, decision->decided_at_ms);
    buffer_put_zigzag(out, decision->effective_from_ms);
    buffer_put_zigzag(out, decision->expires_at_ms);
    buffer_put_zigzag(out, decision->record_ms);
    buffer_put_zigzag(out, decision->pricing_source_checked_at_ms);
    buffer_put_zigzag(out, decision->access_date);
    buffer_put_zigzag(out, decision->max_retry_share_bps);
    buffer_put_byte(out, decision->action);
    buffer_put_byte(out, (uint8_t)((decision->accepts_spend_risk ? FLAG_ACCEPTS_RISK : 0) |
                                   (decision->allocation_rule_checked ? FLAG_RULE_CHECKED : 0) |
                                   (decision->revoked ? FLAG_REVOKED : 0)));
}

static void
read_decision_texts(struct reader *reader, struct decision *decision)
{
    decision->decision_id = reader_span(reader);
    decision->review_id = reader_span(reader);
    decision->decision_owner = reader_span(reader);
    for (int d = 0; d < DIM_COUNT; d++) {
        decision->scope[d] = reader_span(reader);
    }
    decision->reason = reader_span(reader);
    decision->unit_metric = reader_span(reader);
    decision->source_url_count = (uint8_t)read_at_most(reader, OUTCOME_URLS_MAX);
    for (size_t i = 0; i < decision->source_url_count; i++) {
        decision->source_urls[i] = reader_span(reader);
    }
    decision->changed_setting = reader_span(reader);
    decision->changed_assumption = reader_span(reader);
    decision->remaining_uncertainty = reader_span(reader);
}

/** Spans point into the bytes read. */
static void
read_decision(struct reader *reader, struct decision *decision)
{
    *decision = (struct decision){0};
    read_decision_texts(reader, decision);
    decision->decided_at_ms = read_time(reader);
    decision->effective_from_ms = read_time(reader);
    decision->expires_at_ms = read_time(reader);
    decision->record_ms = read_time(reader);
    decision->pricing_source_checked_at_ms = read_time(reader);
    decision->access_date = (int32_t)read_within(reader, INT32_MIN, INT32_MAX);
    decision->max_retry_share_bps = (int32_t)read_within(reader, -1, INT32_MAX);
    decision->action = reader_byte(reader);

    const uint8_t flags = reader_byte(reader);

    decision->accepts_spend_risk = (flags & FLAG_ACCEPTS_RISK) != 0;
    decision->allocation_rule_checked = (flags & FLAG_RULE_CHECKED) != 0;
    decision->revoked = (flags & FLAG_REVOKED) != 0;
    if (decision->action > ACTION_COUNT || flags > FLAGS_ALL) {
        reader->failed = true;
    }
}

/* ---- reviews: the review and the evidence ---------------------------------------------------- */

static void
put_review(struct buffer *out, const struct review *review)
{
    buffer_put_byte(out, (uint8_t)review->state);
    buffer_put_span(out, span_of(review->id));
    buffer_put_varint(out, review->generation);
    buffer_put_varint(out, review->sequence);
    buffer_put_zigzag(out, review->starts_at_ms);
    buffer_put_zigzag(out, review->ends_at_ms);
    buffer_put_zigzag(out, review->cleared_at_ms);
    buffer_put_varint(out, review->calm_closes);
    buffer_put_varint(out, review->repeats);
    buffer_put_varint(out, review->active_order);
    buffer_put_zigzag(out, review->adopted_end_ms);
    buffer_put_zigzag(out, review->adopted_limit_bps);
    buffer_put_byte(out, review->adopted_cause);
    buffer_put_zigzag(out, review->used_up_decided_at_ms);
    buffer_put_span(out, review->used_up_id);
    buffer_put_byte(out, review->adopted != NULL);
    if (review->adopted != NULL) {
        put_decision(out, review->adopted);
    }
}

static void
put_evidence(struct buffer *out, const struct evidence *evidence)
{
    buffer_put_span(out, (struct span){evidence->unit_metric, evidence->unit_metric_size});
    buffer_put_zigzag(out, evidence->unit_metric_changed_ms);
    buffer_put_varint(out, evidence->source_url_count);
    for (size_t i = 0; i < evidence->source_url_count; i++) {
        buffer_put_span(
                out, (struct span){evidence->source_urls[i].data, evidence->source_urls[i].size});
    }
    buffer_put_zigzag(out, evidence->pricing_source_checked_at_ms);
    buffer_put_byte(out, evidence->allocation_rule_seen);
}

void
review_state_encode(
        const struct review *review, const struct evidence *evidence, struct buffer *out)
{
    buffer_put_byte(out, STATE_LAYOUT_VERSION);
    put_review(out, review);
    put_evidence(out, evidence);
}

/** An id is empty before the first rise, else lower-case hex digits. */
static void
read_review_id(struct reader *reader, char id[REVIEW_ID_SIZE + 1])
{
    const struct span text = reader_span(reader);

    if (text.size != 0 && text.size != REVIEW_ID_SIZE) {
        reader->failed = true;
        return;
    }
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            reader->failed = true;
        }
        id[i] = (char)c;
    }
    id[text.size] = '\0';
}

/* What a stored review names, still pointing into the stored bytes: copied only when all of them
 * have proved readable, so that a refused value leaves nothing to give back. */
struct borrowed_review {
    struct review review; /* owns nothing yet */
    struct decision adopted;
    bool has_adopted;
    struct span used_up_id;
    struct span unit_metric;
    struct span source_urls[OUTCOME_URLS_MAX];
    struct evidence evidence; /* owns nothing yet */
};

static void
read_review(struct reader *reader, struct borrowed_review *into)
{
    struct review *review = &into->review;

    review->state = (enum review_state)reader_byte(reader);
    if (review->state >= REVIEW_STATES) {
        reader->failed = true;
    }
    read_review_id(reader, review->id);
    review->generation = read_u32(reader);
    review->sequence = read_u32(reader);
    review->starts_at_ms = read_time(reader);
    review->ends_at_ms = read_time(reader);
    review->cleared_at_ms = read_time(reader);
    review->calm_closes = read_u32(reader);
    review->repeats = read_u32(reader);
    review->active_order = reader_varint(reader);
    review->adopted_end_ms = read_time(reader);
    review->adopted_limit_bps = (int32_t)read_within(reader, INT32_MIN, INT32_MAX);
    review->adopted_cause = read_symbol(reader, CAUSE_COUNT);
    review->used_up_decided_at_ms = read_time(reader);
    into->used_up_id = reader_span(reader);
    into->has_adopted = read_bool(reader);
    if (into->has_adopted) {
        read_decision(reader, &into->adopted);
    }
}

static void
read_evidence(struct reader *reader, struct borrowed_review *into)
{
    struct evidence *evidence = &into->evidence;

    into->unit_metric = reader_span(reader);
    evidence->unit_metric_changed_ms = read_time(reader);
    evidence->source_url_count = (uint32_t)read_at_most(reader, OUTCOME_URLS_MAX);
    for (size_t i = 0; i < evidence->source_url_count; i++) {
        into->source_urls[i] = reader_span(reader);
        if (into->source_urls[i].data == NULL) {
            reader->failed = true;
        }
    }
    evidence->pricing_source_checked_at_ms = read_time(reader);
    evidence->allocation_rule_seen = read_bool(reader);
    if (into->unit_metric.size > UINT32_MAX) {
        reader->failed = true;
    }
}

/** An owned copy; NULL for a null span. */
static uint8_t *
own(struct span span)
{
    if (span.data == NULL) {
        return NULL;
    }

    uint8_t *copy = memory_new(span.size, 1);

    if (span.size != 0) {
        memcpy(copy, span.data, span.size);
    }
    return copy;
}

static void
own_review(struct borrowed_review *from, struct review *review, struct evidence *evidence)
{
    *review = from->review;
    review->used_up_id = (struct span){own(from->used_up_id), from->used_up_id.size};
    review->adopted = from->has_adopted ? decision_copy(&from->adopted) : NULL;

    *evidence = from->evidence;
    evidence->unit_metric = own(from->unit_metric);
    evidence->unit_metric_size = (uint32_t)from->unit_metric.size;
    for (size_t i = 0; i < evidence->source_url_count; i++) {
        evidence->source_urls[i].data = own(from->source_urls[i]);
        evidence->source_urls[i].size = (uint32_t)from->source_urls[i].size;
    }
}

enum status
review_state_decode(
        struct span bytes, struct review *review, struct evidence *evidence, struct error *error)
{
    struct reader reader = open_value(bytes);
    struct borrowed_review read = {0};

    read_review(&reader, &read);
    read_evidence(&reader, &read);

    const enum status status = close_value(&reader, "a review", error);

    if (status == STATUS_OK) {
        own_review(&read, review, evidence);
    }
    return status;
}

/* ---- pending --------------------------------------------------------------------------------- */

void
headers_put(struct buffer *headers, const char *name, struct span value)
{
    buffer_put_span(headers, span_of(name));
    buffer_put_span(headers, value);
}

bool
headers_next(struct reader *reader, struct span *name, struct span *value)
{
    if (reader->at == reader->end) {
        return false;
    }

    const struct span read_name = reader_span(reader);
    const struct span read_value = reader_span(reader);

    if (read_name.data == NULL) {
        reader->failed = true;
    }
    if (reader->failed) {
        return false;
    }
    *name = read_name;
    *value = read_value;
    return true;
}

/** Fails the reader unless these are whole headers. */
static void
check_headers(struct reader *reader, struct span headers)
{
    struct reader inner = reader_of(headers);
    struct span name;
    struct span value;

    while (headers_next(&inner, &name, &value)) {
    }
    if (inner.failed) {
        reader->failed = true;
    }
}

void
pending_encode(const struct pending *pending, struct buffer *out)
{
    buffer_put_byte(out, STATE_LAYOUT_VERSION);
    put_token(out, pending->token);
    buffer_put_byte(out, (uint8_t)pending->kind);
    buffer_put_zigzag(out, pending->offset);
    buffer_put_span(out, pending->key);
    buffer_put_span(out, pending->value);
    buffer_put_span(out, pending->headers);
}

enum status
pending_decode(struct span bytes, struct pending *pending, struct error *error)
{
    struct reader reader = open_value(bytes);
    struct pending read;

    read.token = read_token(&reader);

    const uint8_t kind = reader_byte(&reader);

    read.kind = (enum pending_kind)kind;
    if (kind > PENDING_REJECTED) {
        reader.failed = true;
    }
    read.offset = read_within(&reader, 0, INT64_MAX);
    read.key = reader_span(&reader);
    read.value = reader_span(&reader);
    read.headers = reader_span(&reader);
    check_headers(&reader, read.headers);

    const enum status status = close_value(&reader, "a pending record", error);

    if (status == STATUS_OK) {
        *pending = read;
    }
    return status;
}

/* ---- the cursor ------------------------------------------------------------------------------ */

void
cursor_format(const struct cursor *cursor, char text[CURSOR_TEXT_SIZE])
{
    snprintf(text, CURSOR_TEXT_SIZE, "%d %" PRIu64 " %016" PRIx64 " %" PRIu64 " %s",
            STATE_LAYOUT_VERSION, cursor->serial, cursor->token.process, cursor->token.count,
            cursor->fresh ? "fresh" : "-");
}

enum status
cursor_parse(const char *text, struct cursor *cursor, struct error *error)
{
    struct cursor read = {0};
    char again[CURSOR_TEXT_SIZE];
    char *at = NULL;

    if (strtoull(text, &at, 10) == STATE_LAYOUT_VERSION) {
        read.serial = strtoull(at, &at, 10);
        read.token.process = strtoull(at, &at, 16);
        read.token.count = strtoull(at, &at, 10);
        read.fresh = strcmp(at, " fresh") == 0;
        /* Whatever else strtoull() lets pass does not come out of cursor_format() again. */
        cursor_format(&read, again);
        if (strcmp(text, again) == 0) {
            *cursor = read;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_REFUSED,
            "the metadata of the committed offset is %s: another program or version committed the "
            "offsets of this group; use another `group`, or run `retrywatch rebuild`",
            text[0] == '\0' ? "empty" : "not a cursor of this version");
}
