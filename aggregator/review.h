/* review.h - the life of one review: clear, open, covered, decided.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_REVIEW_H
#define RETRYWATCH_AGGREGATOR_REVIEW_H

#include "aggregator/decision.h"
#include "aggregator/rule.h"

enum review_state { REVIEW_CLEAR, REVIEW_OPEN, REVIEW_COVERED, REVIEW_DECIDED, REVIEW_STATES };

#define REVIEW_STATUS_MAP(X)                \
    X(REVIEW_STATUS_OPEN, "open")           \
    X(REVIEW_STATUS_REPEATED, "repeated")   \
    X(REVIEW_STATUS_ESCALATED, "escalated") \
    X(REVIEW_STATUS_DECIDED, "decided")     \
    X(REVIEW_STATUS_REOPENED, "reopened")   \
    X(REVIEW_STATUS_RESOLVED, "resolved")

#define REVIEW_REASON_MAP(X)                       \
    X(REASON_RISE, "rise")                         \
    X(REASON_RISE_AGAIN, "rise_again")             \
    X(REASON_DECISION, "decision")                 \
    X(REASON_UNANSWERED, "unanswered")             \
    X(REASON_DECISION_EXPIRED, "decision_expired") \
    X(REASON_DECISION_REVOKED, "decision_revoked") \
    X(REASON_SHARE_EXCEEDED, "share_exceeded")     \
    X(REASON_NEW_CAUSE, "new_cause")               \
    X(REASON_CALM, "calm")                         \
    X(REASON_NO_TRAFFIC, "no_traffic")

#define REVIEW_ENUM(name, text) name,
enum review_status { REVIEW_STATUS_MAP(REVIEW_ENUM) REVIEW_STATUS_COUNT };
enum review_reason { REVIEW_REASON_MAP(REVIEW_ENUM) REASON_COUNT };
#undef REVIEW_ENUM

extern const char *const review_state_names[REVIEW_STATES];
extern const char *const review_status_names[REVIEW_STATUS_COUNT];
extern const char *const review_reason_names[REASON_COUNT];

#define REVIEW_ID_SIZE 32 /* hex digits */

/* One group's review: what is stored in rw:{topic:p}:reviews beside the evidence. */
struct review {
    enum review_state state;
    char id[REVIEW_ID_SIZE + 1]; /* "" before the first rise */
    uint32_t generation;         /* + 1 at each open and reopened, from 1 */
    uint32_t sequence;           /* of the last event published; 0: none yet */
    int64_t starts_at_ms;        /* T at this generation's start */
    int64_t ends_at_ms;          /* T at `resolved`; TIME_NULL before */
    int64_t cleared_at_ms;       /* T at which it came back to clear; TIME_NULL before */
    uint32_t calm_closes;        /* in a row */
    uint32_t repeats;            /* how many of the k x 4 h have been said */
    uint64_t active_order;     /* groups at a close come in the order in which they became active */
    struct decision *adopted;  /* owned copy; NULL when none */
    int64_t adopted_end_ms;    /* when it ends, as last known */
    int32_t adopted_limit_bps; /* fixed at the adoption */
    uint8_t adopted_cause;     /* leading cause at the adoption; SYMBOL_NULL when none */
    int64_t used_up_decided_at_ms; /* decisions up to this one answer no more; TIME_NULL: none */
    struct span used_up_id;        /* owned: free(data) */
};

void review_init(struct review *review);
void review_fini(struct review *review);

/** SHA-256 of size bytes at data; the core has no hash of its own. */
typedef void digest_function(const void *data, size_t size, uint8_t digest[32]);

/* What one evaluation sees. All borrowed. */
struct review_inputs {
    const struct rule *rule;
    const struct decisions *decisions;
    const struct windows *windows;
    const struct span *dimensions; /* dimensions[DIM_COUNT] of the group; null outside group_by */
    uint32_t group_by;             /* bits of enum dimension */
    const char *topic;
    int32_t partition;
    int64_t stream_ms;    /* T */
    bool at_close;        /* a minute closes; else one of its events was counted in L */
    int64_t event_offset; /* of the event being counted; begins a review's id */
    int64_t event_ms;     /* t of the event being counted */
    digest_function *digest;
};

/* What one evaluation did. */
struct review_effect {
    bool changed;    /* the review must be stored */
    bool publishes;  /* one event is to be published, with: */
    bool suppressed; /* a decision covered a rise: metric suppressed + 1 */
    enum review_status status;
    enum review_reason reason;
};

/** One evaluation: the first line of the table that applies. Sets active_order never. */
struct review_effect review_evaluate(struct review *review, const struct review_inputs *inputs);

#endif
