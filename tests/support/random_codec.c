/* random_codec.c - random values of what the codec reads and writes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/random_codec.h"

#include <string.h>

#define TEXT_CHARACTERS_MAX 10

static const char *const characters[] = {"a", "b", "Z", "0", "-", "_", " ", "\"", "\\", "/", ":",
        "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9a\x80", "{", "}", "[", ",", "u", "\xed\x9f\xbf"};

struct span
random_text(struct random *random, struct arena *arena)
{
    const size_t count = random_below(random, TEXT_CHARACTERS_MAX + 1);
    uint8_t *text = arena_new(arena, TEXT_CHARACTERS_MAX * 4 + 1, 1);
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        const char *character =
                characters[random_below(random, sizeof(characters) / sizeof(characters[0]))];

        memcpy(text + size, character, strlen(character));
        size += strlen(character);
    }
    return (struct span){text, size};
}

struct span
random_optional_text(struct random *random, struct arena *arena)
{
    return random_chance(random, 3) ? SPAN_NULL : random_text(random, arena);
}

static int64_t
random_time(struct random *random)
{
    return (int64_t)random_below(random, INT64_C(4102444800000)); /* to the year 2100 */
}

static int64_t
random_optional_time(struct random *random)
{
    return random_chance(random, 3) ? TIME_NULL : random_time(random);
}

static uint8_t
random_urls(struct random *random, struct arena *arena, struct span urls[OUTCOME_URLS_MAX])
{
    const uint8_t count = (uint8_t)random_below(random, OUTCOME_URLS_MAX + 1);

    for (uint8_t i = 0; i < count; i++) {
        char url[64];

        snprintf(url, sizeof(url), "https://docs.example.com/%" PRIx64, random_bits(random));
        urls[i] = arena_copy(arena, span_of(url));
    }
    return count;
}

static uint8_t
random_symbol(struct random *random, uint8_t count, bool nullable)
{
    return nullable && random_chance(random, 3) ? SYMBOL_NULL
                                                : (uint8_t)random_below(random, count);
}

void
random_outcome(struct random *random, struct arena *arena, struct outcome *outcome)
{
    outcome_init(outcome);
    outcome->event_time_ms = random_signed(random);
    for (size_t d = 0; d < DIM_COUNT; d++) {
        outcome->dimensions[d] = random_optional_text(random, arena);
    }
    outcome->operation_id = random_text(random, arena);
    outcome->event_id = random_text(random, arena);
    outcome->source = random_optional_text(random, arena);
    outcome->unit_metric = random_optional_text(random, arena);
    outcome->allocation_rule_id = random_optional_text(random, arena);
    outcome->source_url_count = random_urls(random, arena, outcome->source_urls);
    outcome->pricing_source_checked_at_ms = random_optional_time(random);
    outcome->has_units = random_chance(random, 2);
    outcome->units = outcome->has_units ? random_signed(random) : 0;
    outcome->has_input_tokens = random_chance(random, 2);
    outcome->input_tokens = outcome->has_input_tokens ? random_signed(random) : 0;
    outcome->has_output_tokens = random_chance(random, 2);
    outcome->output_tokens = outcome->has_output_tokens ? random_signed(random) : 0;
    outcome->attempt_number = (int32_t)random_signed(random);
    outcome->retry_layer = random_symbol(random, LAYER_COUNT, false);
    outcome->result = random_symbol(random, RESULT_COUNT, false);
    outcome->error_category = random_symbol(random, ERROR_COUNT, true);
    outcome->retry_cause = random_symbol(random, CAUSE_COUNT, true);
    outcome->retry_decision = random_symbol(random, RETRY_DECISION_COUNT, true);
    outcome->usage_source = random_symbol(random, USAGE_COUNT, false);
}

void
random_decision(struct random *random, struct arena *arena, struct decision *decision)
{
    memset(decision, 0, sizeof(*decision));
    decision->decision_id = random_text(random, arena);
    decision->review_id = random_optional_text(random, arena);
    decision->decision_owner = random_text(random, arena);
    for (size_t d = 0; d < DIM_COUNT; d++) {
        decision->scope[d] = random_optional_text(random, arena);
    }
    decision->reason = random_text(random, arena);
    decision->unit_metric = random_optional_text(random, arena);
    decision->source_url_count = random_urls(random, arena, decision->source_urls);
    decision->changed_setting = random_optional_text(random, arena);
    decision->changed_assumption = random_optional_text(random, arena);
    decision->remaining_uncertainty = random_optional_text(random, arena);
    decision->decided_at_ms = random_time(random);
    decision->effective_from_ms = random_optional_time(random);
    decision->expires_at_ms = random_optional_time(random);
    decision->pricing_source_checked_at_ms = random_optional_time(random);
    decision->access_date =
            random_chance(random, 3) ? DATE_NULL : (int32_t)random_below(random, 40000);
    decision->max_retry_share_bps =
            random_chance(random, 3) ? -1 : (int32_t)random_below(random, BPS + 1);
    decision->action = (uint8_t)random_below(random, ACTION_COUNT + 1);
    decision->accepts_spend_risk = random_chance(random, 2);
    decision->allocation_rule_checked = random_chance(random, 2);
    decision->revoked = random_chance(random, 2);
}

static void
random_review_id(struct random *random, char id[REVIEW_ID_SIZE + 1])
{
    if (random_chance(random, 4)) {
        id[0] = '\0';
        return;
    }
    snprintf(id, REVIEW_ID_SIZE + 1, "%016" PRIx64 "%016" PRIx64, random_bits(random),
            random_bits(random));
}

void
random_review(struct random *random, struct arena *arena, struct review *review)
{
    memset(review, 0, sizeof(*review));
    review->state = (enum review_state)random_below(random, REVIEW_STATES);
    random_review_id(random, review->id);
    review->generation = (uint32_t)random_number(random);
    review->sequence = (uint32_t)random_number(random);
    review->starts_at_ms = random_time(random);
    review->ends_at_ms = random_optional_time(random);
    review->cleared_at_ms = random_optional_time(random);
    review->calm_closes = (uint32_t)random_number(random);
    review->repeats = (uint32_t)random_number(random);
    review->active_order = random_number(random);
    if (random_chance(random, 2)) {
        review->adopted = arena_new(arena, 1, sizeof(*review->adopted));
        random_decision(random, arena, review->adopted);
        review->adopted->record_ms = random_time(random);
    }
    review->adopted_end_ms = random_time(random);
    review->adopted_limit_bps = (int32_t)random_below(random, BPS + 1);
    review->adopted_cause = random_symbol(random, CAUSE_COUNT, true);
    review->used_up_decided_at_ms = random_optional_time(random);
    review->used_up_id = random_optional_text(random, arena);
}

void
random_evidence(struct random *random, struct arena *arena, struct evidence *evidence)
{
    const struct span unit_metric = random_optional_text(random, arena);
    struct span urls[OUTCOME_URLS_MAX];

    memset(evidence, 0, sizeof(*evidence));
    evidence->unit_metric = (uint8_t *)(uintptr_t)unit_metric.data;
    evidence->unit_metric_size = (uint32_t)unit_metric.size;
    evidence->unit_metric_changed_ms = random_optional_time(random);
    evidence->source_url_count = random_urls(random, arena, urls);
    for (size_t i = 0; i < evidence->source_url_count; i++) {
        evidence->source_urls[i].data = (uint8_t *)(uintptr_t)urls[i].data;
        evidence->source_urls[i].size = (uint32_t)urls[i].size;
    }
    evidence->pricing_source_checked_at_ms = random_optional_time(random);
    evidence->allocation_rule_seen = random_chance(random, 2);
}

static uint32_t
random_top(struct random *random, struct arena *arena, struct top_value top[PACKET_TOP])
{
    const uint32_t count = (uint32_t)random_below(random, PACKET_TOP + 1);

    for (uint32_t i = 0; i < count; i++) {
        top[i] = (struct top_value){random_text(random, arena), random_number(random) >> 1};
    }
    return count;
}

static void
random_counts(struct random *random, struct counts *counts)
{
    counts_init(counts);
    for (size_t i = 0; i < COUNT_NUMBER; i++) {
        counts->n[i] = random_chance(random, 3) ? 0 : random_number(random) >> 2;
    }
    counts->n[COUNT_ATTEMPTS] = count_sum(counts->n[COUNT_ATTEMPTS], counts->n[COUNT_RETRIES]);
    if (random_chance(random, 2)) {
        counts->first_offset = (int64_t)(random_number(random) >> 2);
        counts->last_offset = counts->first_offset + (int64_t)random_below(random, 1000);
    }
}

void
random_packet(struct random *random, struct arena *arena, struct packet *packet)
{
    memset(packet, 0, sizeof(*packet));
    random_review_id(random, packet->review_id);
    packet->generation = (uint32_t)random_below(random, 1000);
    packet->sequence = (uint32_t)random_below(random, 1000);
    packet->status = (enum review_status)random_below(random, REVIEW_STATUS_COUNT);
    packet->reason = (enum review_reason)random_below(random, REASON_COUNT);
    for (size_t d = 0; d < DIM_COUNT; d++) {
        packet->scope[d] = random_optional_text(random, arena);
    }
    packet->window_start_ms = random_time(random);
    packet->window_end_ms = random_time(random);
    packet->starts_at_ms = random_time(random);
    packet->ends_at_ms = random_optional_time(random);
    packet->retry_share_bps = (int32_t)random_below(random, BPS + 1);
    packet->baseline_share_bps = (int32_t)random_below(random, BPS + 1);
    packet->threshold_bps = (int32_t)random_below(random, BPS + 1);
    packet->config_version = "0123456789abcdef";
    random_counts(random, &packet->l);
    packet->top_class_count = random_top(random, arena, packet->top_classes);
    packet->top_workload_count = random_top(random, arena, packet->top_workloads);
    packet->top_environment_count = random_top(random, arena, packet->top_environments);
    packet->unit_metric = random_optional_text(random, arena);
    packet->source_url_count = random_urls(random, arena, packet->source_urls);
    packet->review_date = (int32_t)random_below(random, 40000);
    packet->first_attempt_recorded = random_chance(random, 2);
    packet->pricing_source_checked = random_chance(random, 2);
    packet->allocation_rule_checked = random_chance(random, 2);
    packet->missing_fields = (uint32_t)random_below(random, UINT64_C(1) << MISSING_COUNT);
    packet->pause_reasons = (uint32_t)random_below(random, UINT64_C(1) << PAUSE_COUNT);
    packet->ready_for_decision = packet->missing_fields == 0 && packet->pause_reasons == 0;
    packet->proposed_action = (enum action)random_below(random, ACTION_COUNT);
    packet->cost_owner_action = random_symbol(random, ACTION_COUNT, true);
    packet->last_decision = random_optional_text(random, arena);
    packet->topic = span_of("request-outcomes");
    packet->partition = (int32_t)random_below(random, 100);
}
