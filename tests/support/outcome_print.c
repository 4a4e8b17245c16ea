/* outcome_print.c - an outcome as JSON, for tests that compare it with what others read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/outcome_print.h"

#include <assert.h>
#include <stdlib.h>

static json_t *
text(struct span span)
{
    return span.data != NULL ? json_stringn((const char *)span.data, span.size) : json_null();
}

static json_t *
number(bool present, int64_t value)
{
    return present ? json_integer(value) : json_null();
}

static json_t *
symbol(uint8_t value, const char *const *names)
{
    return value != SYMBOL_NULL ? json_string(names[value]) : json_null();
}

json_t *
outcome_print(const struct outcome *o)
{
    json_t *out = json_object();
    json_t *urls = json_array();

    json_object_set_new(out, "event_id", text(o->event_id));
    json_object_set_new(out, "source", text(o->source));
    json_object_set_new(out, "event_time", json_integer(o->event_time_ms));
    json_object_set_new(out, "operation_id", text(o->operation_id));
    json_object_set_new(out, "attempt_number", json_integer(o->attempt_number));
    json_object_set_new(out, "retry_layer", symbol(o->retry_layer, retry_layer_names));
    for (int i = 0; i < DIM_COUNT; i++) {
        json_object_set_new(out, dimension_name((enum dimension)i), text(o->dimensions[i]));
    }
    json_object_set_new(out, "unit_metric", text(o->unit_metric));
    json_object_set_new(out, "allocation_rule_id", text(o->allocation_rule_id));
    json_object_set_new(out, "result_category", symbol(o->result, result_names));
    json_object_set_new(out, "error_category", symbol(o->error_category, error_category_names));
    json_object_set_new(out, "retry_cause", symbol(o->retry_cause, retry_cause_names));
    json_object_set_new(out, "retry_decision", symbol(o->retry_decision, retry_decision_names));
    json_object_set_new(out, "input_tokens", number(o->has_input_tokens, o->input_tokens));
    json_object_set_new(out, "output_tokens", number(o->has_output_tokens, o->output_tokens));
    json_object_set_new(out, "units", number(o->has_units, o->units));
    json_object_set_new(out, "usage_source", symbol(o->usage_source, usage_source_names));
    for (int i = 0; i < o->source_url_count; i++) {
        json_array_append_new(urls, text(o->source_urls[i]));
    }
    json_object_set_new(out, "source_urls", urls);
    json_object_set_new(out, "pricing_source_checked_at",
            number(o->pricing_source_checked_at_ms != TIME_NULL, o->pricing_source_checked_at_ms));
    return out;
}

static int
digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    assert(c >= 'a' && c <= 'f');
    return c - 'a' + 10;
}

size_t
hex_read(const char *hex, uint8_t *bytes, size_t size_max)
{
    size_t size = 0;

    for (; *hex != '\0'; hex++) {
        if (*hex == ' ') {
            continue;
        }
        assert(size < size_max);
        bytes[size++] = (uint8_t)(digit(hex[0]) * 16 + digit(hex[1]));
        hex++;
    }
    return size;
}
