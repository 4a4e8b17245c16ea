/* outcome.h - one attempt of one operation, as the codec hands it to the fold.
 *
 * The order of the symbols is that of codec/schema/request_outcome.avsc.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_OUTCOME_H
#define RETRYWATCH_AGGREGATOR_OUTCOME_H

#include "aggregator/span.h"
#include "aggregator/status.h"

/* The five fields that make a series. */
enum dimension { DIM_OWNER, DIM_WORKLOAD, DIM_ENVIRONMENT, DIM_CLASS, DIM_BUCKET, DIM_COUNT };

/** Field name, as in the schemas: owner_tag, workload_tag, environment, request_class,
 * budget_bucket. */
const char *dimension_name(enum dimension dimension);

/* What stands for a null or empty value, and for values beyond a limit. */
#define DIM_MISSING "_MISSING"
#define DIM_OTHER "_OTHER"

#define RETRY_LAYER_MAP(X)      \
    X(LAYER_CLIENT, "client")   \
    X(LAYER_SDK, "sdk")         \
    X(LAYER_GATEWAY, "gateway") \
    X(LAYER_AGENT, "agent")     \
    X(LAYER_UNKNOWN, "unknown")

#define RESULT_MAP(X)            \
    X(RESULT_SUCCESS, "success") \
    X(RESULT_FAILURE, "failure") \
    X(RESULT_UNKNOWN, "unknown")

#define ERROR_CATEGORY_MAP(X)                   \
    X(ERROR_INVALID_REQUEST, "invalid_request") \
    X(ERROR_AUTH, "auth")                       \
    X(ERROR_RATE_LIMITED, "rate_limited")       \
    X(ERROR_QUOTA_EXHAUSTED, "quota_exhausted") \
    X(ERROR_TIMEOUT, "timeout")                 \
    X(ERROR_SERVER, "server_error")             \
    X(ERROR_NETWORK, "network")                 \
    X(ERROR_CONTENT_FILTER, "content_filter")   \
    X(ERROR_CANCELLED, "cancelled")             \
    X(ERROR_OTHER, "other")

#define RETRY_CAUSE_MAP(X)                                          \
    X(CAUSE_CLIENT_HANDLING, "client_handling")                     \
    X(CAUSE_PLATFORM_RESPONSE, "platform_response")                 \
    X(CAUSE_TIMEOUT, "timeout")                                     \
    X(CAUSE_SCHEDULED_MAINTENANCE, "scheduled_maintenance")         \
    X(CAUSE_UNFAMILIAR_REQUEST_SOURCE, "unfamiliar_request_source") \
    X(CAUSE_UNKNOWN, "unknown")

#define RETRY_DECISION_MAP(X)        \
    X(RETRY_DECISION_RETRY, "retry") \
    X(RETRY_DECISION_STOP, "stop")   \
    X(RETRY_DECISION_HOLD_FOR_OWNER, "hold_for_owner")

#define USAGE_SOURCE_MAP(X)         \
    X(USAGE_REPORTED, "reported")   \
    X(USAGE_ESTIMATED, "estimated") \
    X(USAGE_UNAVAILABLE, "unavailable")

#define SYMBOL_ENUM(name, text) name,
enum retry_layer { RETRY_LAYER_MAP(SYMBOL_ENUM) LAYER_COUNT };
enum result_category { RESULT_MAP(SYMBOL_ENUM) RESULT_COUNT };
enum error_category { ERROR_CATEGORY_MAP(SYMBOL_ENUM) ERROR_COUNT };
enum retry_cause { RETRY_CAUSE_MAP(SYMBOL_ENUM) CAUSE_COUNT };
enum retry_decision { RETRY_DECISION_MAP(SYMBOL_ENUM) RETRY_DECISION_COUNT };
enum usage_source { USAGE_SOURCE_MAP(SYMBOL_ENUM) USAGE_COUNT };
#undef SYMBOL_ENUM

/* A nullable enum that is null. */
#define SYMBOL_NULL 0xff

extern const char *const retry_layer_names[LAYER_COUNT];
extern const char *const result_names[RESULT_COUNT];
extern const char *const error_category_names[ERROR_COUNT];
extern const char *const retry_cause_names[CAUSE_COUNT];
extern const char *const retry_decision_names[RETRY_DECISION_COUNT];
extern const char *const usage_source_names[USAGE_COUNT];

#define OUTCOME_URLS_MAX 8       /* source URLs that are kept; the first ones win */
#define OUTCOME_ATTEMPT_MAX 1000 /* a larger attempt_number is rejected */
#define TIME_NULL INT64_MIN      /* a nullable time that is null */

/* Spans point into the payload, or into the decoder's arena, and live until the batch ends. */
struct outcome {
    int64_t event_time_ms;             /* when the attempt ended, ms since the epoch */
    struct span dimensions[DIM_COUNT]; /* null or empty: missing */
    struct span operation_id;
    struct span event_id;                 /* null if absent */
    struct span source;                   /* null if absent */
    struct span unit_metric;              /* null if absent */
    struct span allocation_rule_id;       /* null if absent */
    int64_t pricing_source_checked_at_ms; /* TIME_NULL if absent */
    int64_t units;                        /* valid if has_units */
    int64_t input_tokens;                 /* valid if has_input_tokens */
    int64_t output_tokens;                /* valid if has_output_tokens */
    int32_t attempt_number;               /* 1 is the first attempt */
    uint8_t source_url_count;             /* 0..OUTCOME_URLS_MAX */
    bool has_units, has_input_tokens, has_output_tokens;
    uint8_t retry_layer;    /* enum retry_layer */
    uint8_t result;         /* enum result_category */
    uint8_t error_category; /* enum error_category or SYMBOL_NULL */
    uint8_t retry_cause;    /* enum retry_cause or SYMBOL_NULL */
    uint8_t retry_decision; /* enum retry_decision or SYMBOL_NULL */
    uint8_t usage_source;   /* enum usage_source */
    /* Without user info, query and fragment. Those behind source_url_count are undefined. */
    struct span source_urls[OUTCOME_URLS_MAX];
};

/* The bytes of an outcome without its source URLs. */
#define OUTCOME_HEAD offsetof(struct outcome, source_urls)

/** An outcome in which everything nullable is null and enums have their default. */
void outcome_init(struct outcome *outcome);

/**
 * The checks that need only the record: attempt_number 1..1,000, event_time not negative, and at
 * most future_ms ahead of the record's timestamp. A pure function of the record, so that a replay
 * rejects the same ones.
 *
 * record_ms: the Kafka record's timestamp, ms since the epoch; below 0 (no timestamp) is invalid.
 * Errors:    STATUS_INVALID, STATUS_FUTURE.
 */
enum status outcome_check(const struct outcome *outcome, int64_t record_ms, int64_t future_ms,
        struct error *error) MUST_CHECK;

#endif
