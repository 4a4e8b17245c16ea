/* fuzz_plan.c - any bytes as an event: never a read outside them, never a span outside them.
 *
 * The first byte chooses the writer's schema, the rest is the body.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/plan.h"
#include "codec/review_codec.h"
#include "codec/schema.h"

#include <assert.h>
#include <stdlib.h>

#define BASE                                           \
    "{\"type\":\"record\",\"name\":\"w\",\"fields\":[" \
    "{\"name\":\"event_time\",\"type\":\"long\"},"     \
    "{\"name\":\"attempt_number\",\"type\":\"int\"},"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"

/* A list of itself, with what can be nested in it. */
#define TREE                                                                 \
    "{\"type\":\"record\",\"name\":\"t\",\"fields\":["                       \
    "{\"name\":\"prompt\",\"type\":\"string\"},"                             \
    "{\"name\":\"children\",\"type\":{\"type\":\"array\",\"items\":\"t\"}}," \
    "{\"name\":\"named\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"t\"]}}]}"

static const char *const schemas[] = {
        schema_request_outcome,
        BASE FIELD("x", TREE) "]}",
        BASE FIELD("source_urls",
                "{\"type\":\"array\",\"items\":[\"string\",\"null\",\"bytes\"]}") "]}",
        BASE FIELD("x", "{\"type\":\"array\",\"items\":\"null\"}") "," FIELD(
                "y", "{\"type\":\"map\",\"values\":\"null\"}") "]}",
        BASE FIELD("owner_group", "[\"bytes\",\"int\",\"null\",\"string\"]") "," FIELD(
                "outcome", "[{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"failure\"]}]") "]}",
        "[\"null\"," BASE FIELD("x", "{\"type\":\"fixed\",\"name\":\"f\",\"size\":7}") "]}]",
};

#define SCHEMAS (sizeof(schemas) / sizeof(schemas[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Compiled once, for speed; kept reachable, so that a leak checker does not mind. */
static const struct plan *
plan_at(size_t number)
{
    static struct plan *plans[SCHEMAS];
    struct schema *schema = NULL;
    struct error error = {0};

    if (plans[number] == NULL) {
        if (schema_new(span_of(schemas[number]), &schema, &error) != STATUS_OK ||
                plan_new(schema, &plans[number], &error) != STATUS_OK) {
            abort();
        }
    }
    return plans[number];
}

static void
check_inside(struct span body, struct span text)
{
    assert(text.data == NULL || (text.data >= body.data && text.size <= body.size &&
                                        text.data + text.size <= body.data + body.size));
}

static void
check_outcome(struct span body, const struct outcome *outcome)
{
    volatile uint8_t sum = 0;

    for (int i = 0; i < DIM_COUNT; i++) {
        check_inside(body, outcome->dimensions[i]);
    }
    check_inside(body, outcome->operation_id);
    check_inside(body, outcome->event_id);
    check_inside(body, outcome->source);
    check_inside(body, outcome->unit_metric);
    check_inside(body, outcome->allocation_rule_id);
    assert(outcome->source_url_count <= OUTCOME_URLS_MAX);
    for (int i = 0; i < outcome->source_url_count; i++) { /* may be in the arena */
        for (size_t k = 0; k < outcome->source_urls[i].size; k++) {
            sum = (uint8_t)(sum + outcome->source_urls[i].data[k]);
        }
    }
    assert(outcome->retry_layer < LAYER_COUNT && outcome->result < RESULT_COUNT);
    assert(outcome->usage_source < USAGE_COUNT);
    assert(outcome->error_category < ERROR_COUNT || outcome->error_category == SYMBOL_NULL);
    assert(outcome->retry_cause < CAUSE_COUNT || outcome->retry_cause == SYMBOL_NULL);
    assert(outcome->retry_decision < RETRY_DECISION_COUNT ||
            outcome->retry_decision == SYMBOL_NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome outcome;
    struct error error = {0};
    struct arena arena;
    unsigned forbidden = 0;

    if (size == 0) {
        return 0;
    }

    const struct span body = {data + 1, size - 1};

    arena_init(&arena);
    if (plan_decode(plan_at(data[0] % SCHEMAS), body, &arena, &outcome, &forbidden, &error) ==
            STATUS_OK) {
        check_outcome(body, &outcome);
    } else {
        assert(error.status == STATUS_MALFORMED && error.text[0] != '\0');
    }
    arena_fini(&arena);
    return 0;
}
