/* packet.c - the review packet: all that a budget owner needs to decide.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/packet.h"

#include "aggregator/slots.h"

#include <stdlib.h>

#define DAY_MS INT64_C(86400000)

#define PACKET_NAME(name, text) text,
const char *const missing_field_names[MISSING_COUNT] = {MISSING_FIELD_MAP(PACKET_NAME)};
const char *const pause_reason_names[PAUSE_COUNT] = {PAUSE_REASON_MAP(PACKET_NAME)};

/* What is known of the sources, from the events, the adopted decision and the configuration. */
struct known {
    bool access_date;
    int64_t pricing_date_ms; /* TIME_NULL when nobody knows one */
};

static bool
is_text(struct span value, const char *text)
{
    return span_equal(value, span_of(text));
}

/* ---- evidence ---------------------------------------------------------------------------------
 */

/** How well a configured entry fits the group: owner and bucket, owner, bucket, any; or not: -1. */
static int
configured_fit(const struct configured_evidence *entry, const struct span *dimensions)
{
    if (entry->owner.data != NULL && !span_equal(entry->owner, dimensions[DIM_OWNER])) {
        return -1;
    }
    if (entry->bucket.data != NULL && (dimensions[DIM_BUCKET].data == NULL ||
                                              !span_equal(entry->bucket, dimensions[DIM_BUCKET]))) {
        return -1;
    }
    return 2 * (entry->owner.data != NULL) + (entry->bucket.data != NULL);
}

/** Take from an entry what a better fitting one has left open. */
static void
combine_entry(struct configured_evidence *all, const struct configured_evidence *entry)
{
    if (all->unit_metric.size == 0) {
        all->unit_metric = entry->unit_metric;
    }
    if (all->source_url_count == 0) {
        memcpy(all->source_urls, entry->source_urls, sizeof(all->source_urls));
        all->source_url_count = entry->source_url_count;
    }
    if (all->pricing_source_checked_at_ms == TIME_NULL) {
        all->pricing_source_checked_at_ms = entry->pricing_source_checked_at_ms;
    }
    if (all->access_date == DATE_NULL) {
        all->access_date = entry->access_date;
    }
    all->allocation_rule_checked |= entry->allocation_rule_checked;
}

/** What the configuration knows about this group: field by field from the entry that fits best. */
static struct configured_evidence
combine_configured(const struct packet_inputs *inputs)
{
    struct configured_evidence all = {
            .pricing_source_checked_at_ms = TIME_NULL, .access_date = DATE_NULL};

    for (int fit = 3; fit >= 0; fit--) {
        for (size_t i = 0; i < inputs->configured_count; i++) {
            if (configured_fit(&inputs->configured[i], inputs->evaluation->dimensions) == fit) {
                combine_entry(&all, &inputs->configured[i]);
            }
        }
    }
    return all;
}

static void
fill_unit_metric(struct packet *packet, struct arena *arena, const struct packet_inputs *inputs,
        const struct configured_evidence *configured)
{
    const struct decision *adopted = inputs->review->adopted;
    struct span metric =
            evidence_unit_metric(inputs->evidence, inputs->evaluation->windows->minute);

    if (metric.size == 0 && adopted != NULL) {
        metric = adopted->unit_metric;
    }
    if (metric.size == 0) {
        metric = configured->unit_metric;
    }
    packet->unit_metric = metric.size != 0 ? arena_copy(arena, metric) : SPAN_NULL;
}

static void
add_urls(struct packet *packet, struct arena *arena, const struct span *urls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        packet->source_urls[i] = arena_copy(arena, urls[i]);
    }
    packet->source_url_count = (uint32_t)count;
}

static void
fill_source_urls(struct packet *packet, struct arena *arena, const struct packet_inputs *inputs,
        const struct configured_evidence *configured)
{
    const struct evidence *evidence = inputs->evidence;
    const struct decision *adopted = inputs->review->adopted;

    if (evidence->source_url_count != 0) {
        struct span urls[OUTCOME_URLS_MAX];

        for (uint32_t i = 0; i < evidence->source_url_count; i++) {
            urls[i] = (struct span){evidence->source_urls[i].data, evidence->source_urls[i].size};
        }
        add_urls(packet, arena, urls, evidence->source_url_count);
    } else if (adopted != NULL && adopted->source_url_count != 0) {
        add_urls(packet, arena, adopted->source_urls, adopted->source_url_count);
    } else {
        add_urls(packet, arena, configured->source_urls, configured->source_url_count);
    }
}

/** The newest pricing date of all; any pricing date is an access date too. */
static struct known
what_is_known(const struct packet_inputs *inputs, const struct configured_evidence *configured)
{
    const struct decision *adopted = inputs->review->adopted;
    struct known known = {
            .access_date = configured->access_date != DATE_NULL,
            .pricing_date_ms = inputs->evidence->pricing_source_checked_at_ms,
    };

    if (configured->pricing_source_checked_at_ms > known.pricing_date_ms) {
        known.pricing_date_ms = configured->pricing_source_checked_at_ms;
    }
    if (adopted != NULL) {
        known.access_date |= adopted->access_date != DATE_NULL;
        if (adopted->pricing_source_checked_at_ms > known.pricing_date_ms) {
            known.pricing_date_ms = adopted->pricing_source_checked_at_ms;
        }
    }
    known.access_date |= known.pricing_date_ms != TIME_NULL;
    return known;
}

/* ---- what is missing, why to pause, what to do -------------------------------------------------
 */

/** Retries of L without a budget bucket; groups count it only through their series. */
static uint64_t
retries_without_bucket(const struct packet_inputs *inputs)
{
    uint64_t retries = 0;

    for (size_t i = 0; i < inputs->series_count; i++) {
        if (is_text(inputs->series[i].dimensions[DIM_BUCKET], DIM_MISSING)) {
            retries = count_sum(retries, inputs->series[i].retries);
        }
    }
    return retries;
}

/** A group's dimension: its value. Another one: so many retries do not name it. */
static bool
dimension_missing(const struct packet_inputs *inputs, enum dimension dimension, uint64_t without)
{
    const struct review_inputs *evaluation = inputs->evaluation;

    if ((evaluation->group_by & 1U << dimension) != 0) {
        return is_text(evaluation->dimensions[dimension], DIM_MISSING);
    }
    return share_at_least(
            without, evaluation->windows->l.n[COUNT_RETRIES], evaluation->rule->missing_share_bps);
}

static uint32_t
find_missing(const struct packet *packet, const struct packet_inputs *inputs, struct known known)
{
    const struct rule *rule = inputs->evaluation->rule;
    const uint64_t *l = packet->l.n;
    const bool missing[MISSING_COUNT] = {
            [MISSING_OWNER] = dimension_missing(inputs, DIM_OWNER, 0),
            [MISSING_WORKLOAD] = dimension_missing(inputs, DIM_WORKLOAD, l[COUNT_NO_WORKLOAD]),
            [MISSING_ENVIRONMENT] =
                    dimension_missing(inputs, DIM_ENVIRONMENT, l[COUNT_NO_ENVIRONMENT]),
            [MISSING_CLASS] = dimension_missing(inputs, DIM_CLASS, l[COUNT_NO_CLASS]),
            [MISSING_BUCKET] =
                    dimension_missing(inputs, DIM_BUCKET, retries_without_bucket(inputs)),
            [MISSING_UNIT_METRIC] = packet->unit_metric.data == NULL,
            [MISSING_SOURCE_URLS] = packet->source_url_count == 0,
            [MISSING_ACCESS_DATE] = !known.access_date,
            [MISSING_PRICING_DATE] = known.pricing_date_ms == TIME_NULL,
            [MISSING_RETRY_CAUSE] =
                    share_at_least(l[COUNT_CAUSE_NULL], l[COUNT_RETRIES], rule->missing_share_bps),
    };
    uint32_t bits = 0;

    for (uint32_t i = 0; i < MISSING_COUNT; i++) {
        bits |= (uint32_t)missing[i] << i;
    }
    return bits & rule->required;
}

static bool
owner_unidentified(const struct packet_inputs *inputs)
{
    const struct span owner = inputs->evaluation->dimensions[DIM_OWNER];

    return is_text(owner, DIM_MISSING) || is_text(owner, DIM_OTHER);
}

static uint32_t
find_pauses(const struct packet *packet, const struct packet_inputs *inputs, struct known known)
{
    const struct rule *rule = inputs->evaluation->rule;
    const uint64_t *l = packet->l.n;
    const uint64_t cause_unknown = count_sum(l[COUNT_CAUSE_NULL], l[COUNT_CAUSE + CAUSE_UNKNOWN]);
    const bool pauses[PAUSE_COUNT] = {
            [PAUSE_SAMPLE_MISSING] = l[COUNT_ATTEMPTS] < (uint64_t)rule->attempts_min ||
                                     !packet->first_attempt_recorded,
            [PAUSE_OWNER_UNIDENTIFIED] = owner_unidentified(inputs),
            [PAUSE_PRICING_UNCHECKED] = known.pricing_date_ms == TIME_NULL,
            [PAUSE_PRICING_STALE] =
                    known.pricing_date_ms != TIME_NULL &&
                    known.pricing_date_ms < packet->window_end_ms - rule->pricing_stale_ms,
            [PAUSE_UNIT_UNDEFINED] = packet->unit_metric.data == NULL ||
                                     is_text(packet->unit_metric, UNIT_METRIC_MIXED),
            [PAUSE_CAUSE_UNKNOWN] =
                    share_at_least(cause_unknown, l[COUNT_RETRIES], rule->missing_share_bps),
    };
    uint32_t bits = 0;

    for (uint32_t i = 0; i < PAUSE_COUNT; i++) {
        bits |= (uint32_t)pauses[i] << i;
    }
    return bits;
}

static bool
has_bit(uint32_t bits, uint32_t index)
{
    return (bits & 1U << index) != 0;
}

static uint64_t
sum_errors(const uint64_t *l)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ERROR_COUNT; i++) {
        sum = count_sum(sum, l[COUNT_ERROR + i]);
    }
    return sum;
}

static enum action
propose_action(const struct packet *packet)
{
    const uint64_t *l = packet->l.n;
    const uint32_t missing = packet->missing_fields;
    const uint64_t own_doing = count_sum(
            count_sum(l[COUNT_CAUSE + CAUSE_CLIENT_HANDLING], l[COUNT_CAUSE + CAUSE_TIMEOUT]),
            l[COUNT_CAUSE + CAUSE_PLATFORM_RESPONSE]);

    if (has_bit(packet->pause_reasons, PAUSE_OWNER_UNIDENTIFIED) ||
            has_bit(missing, MISSING_OWNER) || has_bit(missing, MISSING_BUCKET) ||
            has_bit(missing, MISSING_WORKLOAD)) {
        return ACTION_UPDATE_TAGS;
    }
    if (has_bit(missing, MISSING_CLASS)) {
        return ACTION_ADJUST_CLASSIFICATION;
    }
    if (more_than_half(l[COUNT_ERROR + ERROR_QUOTA_EXHAUSTED], sum_errors(l))) {
        return ACTION_OPEN_EXCEPTION;
    }
    if (more_than_half(own_doing, l[COUNT_RETRIES])) {
        return ACTION_REVISE_RETRIES;
    }
    return ACTION_KEEP_BUDGET;
}

/* ---- the top lists -----------------------------------------------------------------------------
 */

static int
by_value(const void *a, const void *b)
{
    return span_compare(((const struct top_value *)a)->value, ((const struct top_value *)b)->value);
}

static int
by_retries(const void *a, const void *b)
{
    const struct top_value *left = a;
    const struct top_value *right = b;

    return left->retries != right->retries ? (left->retries < right->retries ? 1 : -1)
                                           : span_compare(left->value, right->value);
}

/** The values of one dimension with the most retries; those without any are not listed. */
static uint32_t
fill_top(struct top_value top[PACKET_TOP], struct arena *arena, const struct packet_inputs *inputs,
        enum dimension dimension)
{
    struct top_value *values = arena_new(arena, inputs->series_count + 1, sizeof(*values));
    size_t listed = 0;
    size_t count = 0;

    for (size_t i = 0; i < inputs->series_count; i++) {
        if (inputs->series[i].retries != 0) {
            values[listed++] = (struct top_value){
                    inputs->series[i].dimensions[dimension], inputs->series[i].retries};
        }
    }
    qsort(values, listed, sizeof(*values), by_value);
    for (size_t i = 0; i < listed; i++) {
        if (count == 0 || !span_equal(values[count - 1].value, values[i].value)) {
            values[count++] = values[i];
        } else {
            values[count - 1].retries = count_sum(values[count - 1].retries, values[i].retries);
        }
    }
    qsort(values, count, sizeof(*values), by_retries);
    count = count < PACKET_TOP ? count : PACKET_TOP;
    for (size_t i = 0; i < count; i++) {
        top[i] = (struct top_value){arena_copy(arena, values[i].value), values[i].retries};
    }
    return (uint32_t)count;
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static void
fill_identity(struct packet *packet, struct arena *arena, const struct packet_inputs *inputs)
{
    const struct review *review = inputs->review;
    const struct review_inputs *evaluation = inputs->evaluation;

    memcpy(packet->review_id, review->id, sizeof(packet->review_id));
    packet->generation = review->generation;
    packet->sequence = review->sequence;
    packet->status = inputs->status;
    packet->reason = inputs->reason;
    packet->starts_at_ms = review->starts_at_ms;
    packet->ends_at_ms = inputs->status == REVIEW_STATUS_RESOLVED ? review->ends_at_ms : TIME_NULL;
    packet->config_version = inputs->config_version;
    packet->topic = arena_copy(arena, span_of(evaluation->topic));
    packet->partition = evaluation->partition;
    for (uint32_t i = 0; i < DIM_COUNT; i++) {
        packet->scope[i] = has_bit(evaluation->group_by, i)
                                   ? arena_copy(arena, evaluation->dimensions[i])
                                   : SPAN_NULL;
    }
}

static void
fill_counts(struct packet *packet, struct arena *arena, const struct packet_inputs *inputs)
{
    const struct review_inputs *evaluation = inputs->evaluation;
    const struct windows *windows = evaluation->windows;
    const struct attempts attempts = windows_attempts(windows);

    packet->l = windows->l;
    packet->window_start_ms = (windows->minute - (WINDOW_L_MINUTES - 1)) * MINUTE_MS;
    packet->window_end_ms = evaluation->stream_ms;
    packet->review_date = (int32_t)(evaluation->stream_ms / DAY_MS);
    packet->retry_share_bps = share_bps(attempts.l_retries, attempts.l_attempts);
    packet->baseline_share_bps = rule_baseline_bps(evaluation->rule, &attempts);
    packet->threshold_bps = rule_threshold_bps(evaluation->rule, &attempts);
    packet->first_attempt_recorded = attempts.l_attempts > attempts.l_retries;
    packet->top_class_count = fill_top(packet->top_classes, arena, inputs, DIM_CLASS);
    packet->top_workload_count = fill_top(packet->top_workloads, arena, inputs, DIM_WORKLOAD);
    packet->top_environment_count =
            fill_top(packet->top_environments, arena, inputs, DIM_ENVIRONMENT);
}

static void
fill_decision(struct packet *packet, struct arena *arena, const struct decision *adopted)
{
    packet->cost_owner_action = adopted != NULL ? adopted->action : SYMBOL_NULL;
    packet->last_decision = adopted != NULL ? arena_copy(arena, adopted->decision_id) : SPAN_NULL;
}

void
packet_fill(struct packet *packet, struct arena *arena, const struct packet_inputs *inputs)
{
    const struct decision *adopted = inputs->review->adopted;
    const struct configured_evidence configured = combine_configured(inputs);
    const struct known known = what_is_known(inputs, &configured);

    *packet = (struct packet){0};
    fill_identity(packet, arena, inputs);
    fill_counts(packet, arena, inputs);
    fill_decision(packet, arena, adopted);
    fill_unit_metric(packet, arena, inputs, &configured);
    fill_source_urls(packet, arena, inputs, &configured);
    packet->missing_fields = find_missing(packet, inputs, known);
    packet->pause_reasons = find_pauses(packet, inputs, known);
    packet->pricing_source_checked = !has_bit(packet->pause_reasons, PAUSE_PRICING_UNCHECKED) &&
                                     !has_bit(packet->pause_reasons, PAUSE_PRICING_STALE);
    packet->allocation_rule_checked = inputs->evidence->allocation_rule_seen ||
                                      configured.allocation_rule_checked ||
                                      (adopted != NULL && adopted->allocation_rule_checked);
    packet->ready_for_decision = packet->missing_fields == 0 && packet->pause_reasons == 0;
    packet->proposed_action = propose_action(packet);
}
