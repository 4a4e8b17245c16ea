/* decision.c - cost owners' recorded answers, and which of them applies.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/decision.h"

#include "aggregator/memory.h"

#define ACTION_NAME(name, text) text,
const char *const action_names[ACTION_COUNT] = {ACTION_MAP(ACTION_NAME)};

/* Times come from records: a sum must not overflow whatever they hold. */
static int64_t
later_by(int64_t time_ms, int64_t span_ms)
{
    int64_t sum = 0;

    return __builtin_add_overflow(time_ms, span_ms, &sum) ? INT64_MAX : sum;
}

int64_t
decision_start(const struct decision *decision)
{
    /* TIME_NULL is the smallest of all times. */
    return decision->effective_from_ms > decision->decided_at_ms ? decision->effective_from_ms
                                                                 : decision->decided_at_ms;
}

/** When it ends if nobody revokes it. */
static int64_t
decision_expiry(const struct decision *decision, const struct rule *rule)
{
    const int64_t start = decision_start(decision);
    const int64_t latest = later_by(start, rule->decision_max_ms);
    const int64_t expiry = decision->expires_at_ms != TIME_NULL
                                   ? decision->expires_at_ms
                                   : later_by(start, rule->decision_default_ms);

    return expiry < latest ? expiry : latest;
}

int64_t
decision_end(const struct decision *decision, const struct rule *rule)
{
    const int64_t expiry = decision_expiry(decision, rule);

    return decision->revoked && decision->record_ms < expiry ? decision->record_ms : expiry;
}

static bool
is_blank(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] > ' ') {
            return false;
        }
    }
    return true;
}

enum status
decision_check(const struct decision *decision, const struct rule *rule, struct error *error)
{
    if (is_blank(decision->decision_id)) {
        return error_set(error, STATUS_INVALID, "decision without a decision_id");
    }
    if (is_blank(decision->decision_owner)) {
        return error_set(error, STATUS_INVALID, "decision without a decision_owner");
    }
    if (decision->action >= ACTION_COUNT) {
        return error_set(error, STATUS_INVALID, "decision with an action that is none of the five");
    }
    if (is_blank(decision->reason)) {
        return error_set(error, STATUS_INVALID, "decision with a blank reason");
    }
    /* Revoking one before its start is fine, so the record that revokes it is not looked at. */
    if (decision_expiry(decision, rule) <= decision_start(decision)) {
        return error_set(error, STATUS_INVALID, "decision that ends before it starts");
    }
    return STATUS_OK;
}

/* The spans of a decision, in the order of the block that decision_copy() makes. */
#define DECISION_SPANS (8 + DIM_COUNT + OUTCOME_URLS_MAX)

static size_t
list_spans(struct decision *decision, struct span *spans[DECISION_SPANS])
{
    struct span *const singles[] = {&decision->decision_id, &decision->review_id,
            &decision->decision_owner, &decision->reason, &decision->unit_metric,
            &decision->changed_setting, &decision->changed_assumption,
            &decision->remaining_uncertainty};
    size_t count = 0;

    for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
        spans[count++] = singles[i];
    }
    for (size_t i = 0; i < DIM_COUNT; i++) {
        spans[count++] = &decision->scope[i];
    }
    for (size_t i = 0; i < decision->source_url_count; i++) {
        spans[count++] = &decision->source_urls[i];
    }
    return count;
}

static bool
equal_texts(struct decision a, struct decision b)
{
    struct span *a_spans[DECISION_SPANS];
    struct span *b_spans[DECISION_SPANS];
    const size_t count = list_spans(&a, a_spans);

    if (list_spans(&b, b_spans) != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if ((a_spans[i]->data == NULL) != (b_spans[i]->data == NULL) ||
                !span_equal(*a_spans[i], *b_spans[i])) {
            return false;
        }
    }
    return true;
}

bool
decision_equal(const struct decision *a, const struct decision *b)
{
    return a->record_ms == b->record_ms && a->decided_at_ms == b->decided_at_ms &&
           a->effective_from_ms == b->effective_from_ms && a->expires_at_ms == b->expires_at_ms &&
           a->pricing_source_checked_at_ms == b->pricing_source_checked_at_ms &&
           a->access_date == b->access_date && a->max_retry_share_bps == b->max_retry_share_bps &&
           a->action == b->action && a->accepts_spend_risk == b->accepts_spend_risk &&
           a->allocation_rule_checked == b->allocation_rule_checked && a->revoked == b->revoked &&
           equal_texts(*a, *b);
}

struct decision *
decision_copy(const struct decision *decision)
{
    struct decision copy = *decision;
    struct span *spans[DECISION_SPANS];
    const size_t count = list_spans(&copy, spans);
    size_t size = sizeof(copy);

    for (size_t i = 0; i < count; i++) {
        size += spans[i]->size;
    }

    uint8_t *block = memory_new(1, size);
    uint8_t *text = block + sizeof(copy);

    for (size_t i = 0; i < count; i++) {
        if (spans[i]->size != 0) {
            memcpy(text, spans[i]->data, spans[i]->size);
        }
        if (spans[i]->data != NULL) {
            spans[i]->data = text; /* an empty string stays one, null stays null */
        }
        text += spans[i]->size;
    }
    memcpy(block, &copy, sizeof(copy));
    return (struct decision *)(void *)block;
}

/** _MISSING and _OTHER are no team: a decision for every owner is not one about them. */
static bool
must_be_named(struct span owner)
{
    return span_equal(owner, span_of(DIM_MISSING)) || span_equal(owner, span_of(DIM_OTHER));
}

bool
decision_covers(const struct decision *decision, uint32_t group_by,
        const struct span dimensions[DIM_COUNT], struct span review_id)
{
    for (uint32_t i = 0; i < DIM_COUNT; i++) {
        const bool named = decision->scope[i].data != NULL;

        if (named &&
                ((group_by & 1U << i) == 0 || !span_equal(decision->scope[i], dimensions[i]))) {
            return false;
        }
    }
    if (decision->scope[DIM_OWNER].data == NULL && must_be_named(dimensions[DIM_OWNER])) {
        return false;
    }
    return decision->review_id.data == NULL || span_equal(decision->review_id, review_id);
}

static int
named_count(const struct decision *decision)
{
    int count = decision->review_id.data != NULL;

    for (size_t i = 0; i < DIM_COUNT; i++) {
        count += decision->scope[i].data != NULL;
    }
    return count;
}

int
decision_compare(const struct decision *a, const struct decision *b)
{
    const int named = named_count(a) - named_count(b);

    if (named != 0) {
        return named;
    }
    if (a->decided_at_ms != b->decided_at_ms) {
        return a->decided_at_ms > b->decided_at_ms ? 1 : -1;
    }
    return span_compare(a->decision_id, b->decision_id);
}
