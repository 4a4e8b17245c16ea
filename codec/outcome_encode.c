/* outcome_encode.c - one outcome to the bytes of a request-outcome record.
 *
 * Written by hand in the order of codec/schema/request_outcome.avsc; a test decodes it again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/outcome_encode.h"

#include <inttypes.h>

/* ---- Avro ---------------------------------------------------------------------------------- */

/* The branches of a union of null and something. */
#define BRANCH_NULL 0
#define BRANCH_VALUE 1

static void
put_string(struct buffer *out, struct span text)
{
    buffer_put_zigzag(out, (int64_t)text.size);
    buffer_put(out, text.data, text.size);
}

static void
put_nullable_string(struct buffer *out, struct span text)
{
    if (text.data == NULL) {
        buffer_put_zigzag(out, BRANCH_NULL);
        return;
    }
    buffer_put_zigzag(out, BRANCH_VALUE);
    put_string(out, text);
}

static void
put_nullable_long(struct buffer *out, bool has, int64_t value)
{
    buffer_put_zigzag(out, has ? BRANCH_VALUE : BRANCH_NULL);
    if (has) {
        buffer_put_zigzag(out, value);
    }
}

static void
put_nullable_symbol(struct buffer *out, uint8_t symbol)
{
    put_nullable_long(out, symbol != SYMBOL_NULL, symbol);
}

static void
put_frame(struct buffer *out, uint32_t schema_id)
{
    const uint8_t header[] = {0, (uint8_t)(schema_id >> 24), (uint8_t)(schema_id >> 16),
            (uint8_t)(schema_id >> 8), (uint8_t)schema_id};

    buffer_put(out, header, sizeof(header));
}

static void
put_urls(struct buffer *out, const struct outcome *outcome)
{
    if (outcome->source_url_count > 0) {
        buffer_put_zigzag(out, outcome->source_url_count);
        for (size_t i = 0; i < outcome->source_url_count; i++) {
            put_string(out, outcome->source_urls[i]);
        }
    }
    buffer_put_zigzag(out, 0); /* no block follows */
}

void
outcome_encode(const struct outcome *outcome, uint32_t schema_id, struct buffer *out)
{
    put_frame(out, schema_id);
    put_string(out, outcome->event_id);
    put_nullable_string(out, outcome->source);
    buffer_put_zigzag(out, outcome->event_time_ms);
    put_string(out, outcome->operation_id);
    buffer_put_zigzag(out, outcome->attempt_number);
    buffer_put_zigzag(out, outcome->retry_layer);
    for (enum dimension i = 0; i < DIM_COUNT; i++) {
        put_nullable_string(out, outcome->dimensions[i]);
    }
    put_nullable_string(out, outcome->unit_metric);
    buffer_put_zigzag(out, BRANCH_NULL); /* project_tag */
    buffer_put_zigzag(out, BRANCH_NULL); /* product_tag */
    put_nullable_string(out, outcome->allocation_rule_id);
    buffer_put_zigzag(out, outcome->result);
    put_nullable_symbol(out, outcome->error_category);
    put_nullable_symbol(out, outcome->retry_cause);
    put_nullable_symbol(out, outcome->retry_decision);
    put_nullable_long(out, outcome->has_input_tokens, outcome->input_tokens);
    put_nullable_long(out, outcome->has_output_tokens, outcome->output_tokens);
    buffer_put_zigzag(out, BRANCH_NULL); /* cached_input_tokens */
    put_nullable_long(out, outcome->has_units, outcome->units);
    buffer_put_zigzag(out, outcome->usage_source);
    put_urls(out, outcome);
    put_nullable_long(out, outcome->pricing_source_checked_at_ms != TIME_NULL,
            outcome->pricing_source_checked_at_ms);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void
put_json_string(struct buffer *out, struct span text)
{
    buffer_put_byte(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = text.data[i];

        if (byte < 0x20) {
            buffer_printf(out, "\\u%04x", byte);
            continue;
        }
        if (byte == '"' || byte == '\\') {
            buffer_put_byte(out, '\\');
        }
        buffer_put_byte(out, byte);
    }
    buffer_put_byte(out, '"');
}

static void
put_json_text(struct buffer *out, const char *name, struct span text)
{
    if (text.data != NULL) {
        buffer_printf(out, ",\"%s\":", name);
        put_json_string(out, text);
    }
}

static void
put_json_number(struct buffer *out, const char *name, bool has, int64_t value)
{
    if (has) {
        buffer_printf(out, ",\"%s\":%" PRId64, name, value);
    }
}

static void
put_json_symbol(struct buffer *out, const char *name, const char *const *names, uint8_t symbol)
{
    if (symbol != SYMBOL_NULL) {
        buffer_printf(out, ",\"%s\":\"%s\"", name, names[symbol]);
    }
}

static void
put_json_urls(struct buffer *out, const struct outcome *outcome)
{
    if (outcome->source_url_count == 0) {
        return;
    }
    buffer_put_text(out, ",\"source_urls\":[");
    for (size_t i = 0; i < outcome->source_url_count; i++) {
        if (i > 0) {
            buffer_put_byte(out, ',');
        }
        put_json_string(out, outcome->source_urls[i]);
    }
    buffer_put_byte(out, ']');
}

void
outcome_encode_json(const struct outcome *outcome, struct buffer *out)
{
    buffer_printf(out, "{\"event_time\":%" PRId64, outcome->event_time_ms);
    put_json_text(out, "event_id", outcome->event_id);
    put_json_text(out, "source", outcome->source);
    put_json_text(out, "operation_id", outcome->operation_id);
    put_json_number(out, "attempt_number", true, outcome->attempt_number);
    put_json_symbol(out, "retry_layer", retry_layer_names, outcome->retry_layer);
    for (enum dimension i = 0; i < DIM_COUNT; i++) {
        put_json_text(out, dimension_name(i), outcome->dimensions[i]);
    }
    put_json_text(out, "unit_metric", outcome->unit_metric);
    put_json_text(out, "allocation_rule_id", outcome->allocation_rule_id);
    put_json_symbol(out, "result_category", result_names, outcome->result);
    put_json_symbol(out, "error_category", error_category_names, outcome->error_category);
    put_json_symbol(out, "retry_cause", retry_cause_names, outcome->retry_cause);
    put_json_symbol(out, "retry_decision", retry_decision_names, outcome->retry_decision);
    put_json_number(out, "input_tokens", outcome->has_input_tokens, outcome->input_tokens);
    put_json_number(out, "output_tokens", outcome->has_output_tokens, outcome->output_tokens);
    put_json_number(out, "units", outcome->has_units, outcome->units);
    put_json_symbol(out, "usage_source", usage_source_names, outcome->usage_source);
    put_json_urls(out, outcome);
    put_json_number(out, "pricing_source_checked_at",
            outcome->pricing_source_checked_at_ms != TIME_NULL,
            outcome->pricing_source_checked_at_ms);
    buffer_put_byte(out, '}');
}
