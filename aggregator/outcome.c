/* outcome.c - one attempt of one operation, as the codec hands it to the fold.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/outcome.h"

#include <assert.h>
#include <inttypes.h>

#define SYMBOL_NAME(name, text) text,
const char *const retry_layer_names[] = {RETRY_LAYER_MAP(SYMBOL_NAME)};
const char *const result_names[] = {RESULT_MAP(SYMBOL_NAME)};
const char *const error_category_names[] = {ERROR_CATEGORY_MAP(SYMBOL_NAME)};
const char *const retry_cause_names[] = {RETRY_CAUSE_MAP(SYMBOL_NAME)};
const char *const retry_decision_names[] = {RETRY_DECISION_MAP(SYMBOL_NAME)};
const char *const usage_source_names[] = {USAGE_SOURCE_MAP(SYMBOL_NAME)};

const char *
dimension_name(enum dimension dimension)
{
    static const char *const names[DIM_COUNT] = {
            "owner_tag", "workload_tag", "environment", "request_class", "budget_bucket"};

    assert(dimension < DIM_COUNT);
    return names[dimension];
}

void
outcome_init(struct outcome *outcome)
{
    *outcome = (struct outcome){
            .pricing_source_checked_at_ms = TIME_NULL,
            .retry_layer = LAYER_UNKNOWN,
            .result = RESULT_UNKNOWN,
            .error_category = SYMBOL_NULL,
            .retry_cause = SYMBOL_NULL,
            .retry_decision = SYMBOL_NULL,
            .usage_source = USAGE_REPORTED,
    };
}

enum status
outcome_check(
        const struct outcome *outcome, int64_t record_ms, int64_t future_ms, struct error *error)
{
    if (record_ms < 0) {
        return error_set(error, STATUS_INVALID, "record has no timestamp");
    }
    if (outcome->attempt_number < 1 || outcome->attempt_number > OUTCOME_ATTEMPT_MAX) {
        return error_set(error, STATUS_INVALID, "attempt_number %" PRId32 " is outside 1..%d",
                outcome->attempt_number, OUTCOME_ATTEMPT_MAX);
    }
    if (outcome->event_time_ms < 0) {
        return error_set(error, STATUS_INVALID, "event_time %" PRId64 " is before 1970",
                outcome->event_time_ms);
    }
    if (outcome->event_time_ms > record_ms && outcome->event_time_ms - record_ms > future_ms) {
        return error_set(error, STATUS_FUTURE,
                "event_time is %" PRId64
                " ms ahead of the record's timestamp, allowed are %" PRId64,
                outcome->event_time_ms - record_ms, future_ms);
    }
    return STATUS_OK;
}
