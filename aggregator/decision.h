/* decision.h - cost owners' recorded answers, and which of them applies.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_DECISION_H
#define RETRYWATCH_AGGREGATOR_DECISION_H

#include "aggregator/outcome.h"
#include "aggregator/rule.h"

#define ACTION_MAP(X)                                                \
    X(ACTION_KEEP_BUDGET, "keep_budget_unchanged")                   \
    X(ACTION_ADJUST_CLASSIFICATION, "adjust_request_classification") \
    X(ACTION_REVISE_RETRIES, "revise_retry_behavior")                \
    X(ACTION_UPDATE_TAGS, "update_cost_allocation_tags")             \
    X(ACTION_OPEN_EXCEPTION, "open_cost_exception_review")

#define ACTION_ENUM(name, text) name,
enum action { ACTION_MAP(ACTION_ENUM) ACTION_COUNT };
#undef ACTION_ENUM

extern const char *const action_names[ACTION_COUNT];

#define DECISION_REASON_MAX 200 /* characters of a reason */
#define DATE_NULL INT32_MIN     /* a nullable date (days since the epoch) that is null */

/* One record of the decisions topic. Spans are borrowed, or owned by the set that holds it. */
struct decision {
    struct span decision_id;
    struct span review_id; /* null: any review */
    struct span decision_owner;
    struct span scope[DIM_COUNT]; /* null: any value */
    struct span reason;
    struct span unit_metric; /* null if absent */
    struct span source_urls[OUTCOME_URLS_MAX];
    struct span changed_setting, changed_assumption, remaining_uncertainty; /* null if absent */
    int64_t decided_at_ms;
    int64_t effective_from_ms;            /* TIME_NULL: from decided_at */
    int64_t expires_at_ms;                /* TIME_NULL: decision_default_ms after the start */
    int64_t record_ms;                    /* timestamp of the record; the end, when it is revoked */
    int64_t pricing_source_checked_at_ms; /* TIME_NULL if absent */
    int32_t access_date;                  /* DATE_NULL if absent */
    int32_t max_retry_share_bps;          /* -1: none of its own */
    uint8_t source_url_count;
    uint8_t action; /* enum action; ACTION_COUNT when it is none of the five */
    bool accepts_spend_risk;
    bool allocation_rule_checked;
    bool revoked;
};

/** When it starts: the later of effective_from and decided_at. */
int64_t decision_start(const struct decision *decision);

/** When it ends (exclusive): expiry, default, 30 days at most, or the record that revoked it. */
int64_t decision_end(const struct decision *decision, const struct rule *rule);

/**
 * Owner, one of the five actions, a reason that is not blank, and an end after its start.
 *
 * Errors: STATUS_INVALID with what is wrong.
 */
enum status decision_check(
        const struct decision *decision, const struct rule *rule, struct error *error) MUST_CHECK;

/** Whether two records say the same, at the same time. */
bool decision_equal(const struct decision *a, const struct decision *b);

/** A deep copy in one block, to be given to free(). */
struct decision *decision_copy(const struct decision *decision);

/** Every dimension named is a dimension of the group (group_by bits) with the same value. */
bool decision_covers(const struct decision *decision, uint32_t group_by,
        const struct span dimensions[DIM_COUNT], struct span review_id);

/** > 0 when a is to be preferred over b: more dimensions named, then later decided, then by id. */
int decision_compare(const struct decision *a, const struct decision *b);

/* All decisions that are known: one set for the instance, read by every partition. */
struct decisions;

struct decisions *decisions_new(void);
void decisions_destroy(struct decisions *decisions);

/** The newest record of an id stands. Copies it. */
void decisions_put(struct decisions *decisions, const struct decision *decision);

/** The record of that id, or NULL. Borrowed until the next put. */
const struct decision *decisions_find(const struct decisions *decisions, struct span decision_id);

size_t decisions_count(const struct decisions *decisions);

/** Every decision, in no order; decisions[decisions_count()] pointers, borrowed until the next put.
 */
void decisions_list(const struct decisions *decisions, const struct decision **list);

/** The index-th decision that names this owner or none, or NULL after the last. */
const struct decision *decisions_for_owner(
        const struct decisions *decisions, struct span owner, size_t index);

#endif
