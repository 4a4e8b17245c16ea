/* packet.h - the review packet: all that a budget owner needs to decide.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_PACKET_H
#define RETRYWATCH_AGGREGATOR_PACKET_H

#include "aggregator/evidence.h"
#include "aggregator/memory.h"
#include "aggregator/review.h"

/* The order is that of missing_fields. */
#define MISSING_FIELD_MAP(X)                             \
    X(MISSING_OWNER, "owner_tag")                        \
    X(MISSING_WORKLOAD, "workload_tag")                  \
    X(MISSING_ENVIRONMENT, "environment")                \
    X(MISSING_CLASS, "request_class")                    \
    X(MISSING_BUCKET, "budget_bucket")                   \
    X(MISSING_UNIT_METRIC, "unit_metric")                \
    X(MISSING_SOURCE_URLS, "source_urls")                \
    X(MISSING_ACCESS_DATE, "access_date")                \
    X(MISSING_PRICING_DATE, "pricing_source_checked_at") \
    X(MISSING_RETRY_CAUSE, "retry_cause")

/* The order is that of pause_reasons. */
#define PAUSE_REASON_MAP(X)                                \
    X(PAUSE_SAMPLE_MISSING, "sample_missing")              \
    X(PAUSE_OWNER_UNIDENTIFIED, "owner_unidentified")      \
    X(PAUSE_PRICING_UNCHECKED, "pricing_source_unchecked") \
    X(PAUSE_PRICING_STALE, "pricing_source_stale")         \
    X(PAUSE_UNIT_UNDEFINED, "unit_metric_undefined")       \
    X(PAUSE_CAUSE_UNKNOWN, "retry_cause_unknown")

#define PACKET_ENUM(name, text) name,
enum missing_field { MISSING_FIELD_MAP(PACKET_ENUM) MISSING_COUNT };
enum pause_reason { PAUSE_REASON_MAP(PACKET_ENUM) PAUSE_COUNT };
#undef PACKET_ENUM

extern const char *const missing_field_names[MISSING_COUNT];
extern const char *const pause_reason_names[PAUSE_COUNT];

#define PACKET_TOP 3

struct top_value {
    struct span value;
    uint64_t retries;
};

/* The fields of review-required (codec/schema/review_required.avsc). Spans are in the arena that
 * packet_fill() got. */
struct packet {
    char review_id[REVIEW_ID_SIZE + 1];
    uint32_t generation;
    uint32_t sequence;
    enum review_status status;
    enum review_reason reason;
    struct span scope[DIM_COUNT]; /* null outside group_by */
    int64_t window_start_ms, window_end_ms;
    int64_t starts_at_ms;
    int64_t ends_at_ms; /* TIME_NULL unless resolved */
    int32_t retry_share_bps, baseline_share_bps, threshold_bps;
    const char *config_version;
    struct counts l; /* attempts, retries, units, causes, errors, layers, ... */
    struct top_value top_classes[PACKET_TOP], top_workloads[PACKET_TOP],
            top_environments[PACKET_TOP];
    uint32_t top_class_count, top_workload_count, top_environment_count;
    struct span unit_metric; /* null, a name, or _MIXED */
    struct span source_urls[OUTCOME_URLS_MAX];
    uint32_t source_url_count;
    int32_t review_date; /* days since the epoch, of T */
    bool first_attempt_recorded;
    bool pricing_source_checked;
    bool allocation_rule_checked;
    uint32_t missing_fields; /* bits of enum missing_field */
    uint32_t pause_reasons;  /* bits of enum pause_reason */
    bool ready_for_decision;
    enum action proposed_action;
    uint8_t cost_owner_action; /* enum action; SYMBOL_NULL when no decision is adopted */
    struct span last_decision; /* id of the adopted decision; null when none */
    struct span topic;         /* the evidence pointer; offsets are in l */
    int32_t partition;
};

/* Retries of one series in L, for the top lists. */
struct series_retries {
    const struct span *dimensions; /* dimensions[DIM_COUNT] */
    uint64_t retries;
};

/* What a packet is computed from, beside the inputs of the evaluation. All borrowed. */
struct packet_inputs {
    const struct review *review; /* after the evaluation */
    const struct review_inputs *evaluation;
    enum review_status status;
    enum review_reason reason;
    const struct evidence *evidence;
    const struct configured_evidence *configured; /* configured[configured_count] */
    size_t configured_count;
    const struct series_retries *series; /* series[series_count] of the group */
    size_t series_count;
    const char *config_version;
};

/** Compute every field. Strings are copied into the arena. Cost: O(series x log series). */
void packet_fill(struct packet *packet, struct arena *arena, const struct packet_inputs *inputs);

#endif
