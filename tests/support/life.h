/* life.h - one group's review, evaluated by hand.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_LIFE_H
#define RETRYWATCH_TESTS_LIFE_H

#include "aggregator/review.h"

#include "tests/support/default_rule.h"
#include "tests/support/rows.h"

#include <stdlib.h>

#define GROUP_BY (1U << DIM_OWNER | 1U << DIM_ENVIRONMENT | 1U << DIM_BUCKET)
#define START (100 * DAY)

/* One group and all that its evaluations see. */
struct life {
    struct rule rule;
    struct review review;
    struct decisions *decisions;
    struct windows windows;
    struct span dimensions[DIM_COUNT];
    int64_t offset;
    struct review_effect effect; /* of the last evaluation */
};

/* The digest of these tests: the text itself, folded, so that its parts can be told apart. */
static uint8_t digested[256];
static size_t digested_size;

static inline void
remember_digest(const void *data, size_t size, uint8_t digest[32])
{
    memset(digest, 0, 32);
    for (size_t i = 0; i < size; i++) {
        digest[i % 16] = (uint8_t)(digest[i % 16] * 31 + ((const uint8_t *)data)[i]);
    }
    assert_true(size <= sizeof(digested));
    memcpy(digested, data, size);
    digested_size = size;
}

static inline int
life_begin(void **state)
{
    struct life *life = calloc(1, sizeof(*life));

    life->rule = default_rule();
    review_init(&life->review);
    life->decisions = decisions_new();
    life->dimensions[DIM_OWNER] = span_of("ana");
    life->dimensions[DIM_ENVIRONMENT] = span_of("prod");
    life->dimensions[DIM_BUCKET] = span_of("chat");
    life->offset = 7;
    *state = life;
    return 0;
}

static inline int
life_end(void **state)
{
    struct life *life = *state;

    review_fini(&life->review);
    decisions_destroy(life->decisions);
    free(life);
    return 0;
}

static inline void
set_l(struct life *life, uint64_t attempts, uint64_t retries)
{
    life->windows.l.n[COUNT_ATTEMPTS] = attempts;
    life->windows.l.n[COUNT_RETRIES] = retries;
}

static inline void
set_s(struct life *life, uint64_t attempts, uint64_t retries)
{
    life->windows.s.n[COUNT_ATTEMPTS] = attempts;
    life->windows.s.n[COUNT_RETRIES] = retries;
}

/** Both windows. */
static inline void
set_share(struct life *life, uint64_t attempts, uint64_t retries)
{
    set_l(life, attempts, retries);
    set_s(life, attempts, retries);
}

static inline void
evaluate(struct life *life, int64_t stream_ms, bool at_close)
{
    const struct review_inputs inputs = {
            .rule = &life->rule,
            .decisions = life->decisions,
            .windows = &life->windows,
            .dimensions = life->dimensions,
            .group_by = GROUP_BY,
            .topic = "outcomes",
            .partition = 3,
            .stream_ms = stream_ms,
            .at_close = at_close,
            .event_offset = life->offset,
            .event_ms = stream_ms - 1,
            .digest = remember_digest,
    };

    life->effect = review_evaluate(&life->review, &inputs);
}

static inline void
event(struct life *life, int64_t stream_ms)
{
    evaluate(life, stream_ms, false);
}

static inline void
close_minute(struct life *life, int64_t stream_ms)
{
    evaluate(life, stream_ms, true);
}

static inline void
assert_nothing(const struct life *life)
{
    assert_false(life->effect.publishes);
    assert_false(life->effect.changed);
    assert_false(life->effect.suppressed);
}

static inline void
assert_published(const struct life *life, enum review_status status, enum review_reason reason)
{
    assert_true(life->effect.publishes);
    assert_true(life->effect.changed);
    assert_string_equal(review_status_names[life->effect.status], review_status_names[status]);
    assert_string_equal(review_reason_names[life->effect.reason], review_reason_names[reason]);
}

/** Changed, but nobody is told. */
static inline void
assert_silent(const struct life *life, enum review_state state)
{
    assert_false(life->effect.publishes);
    assert_true(life->effect.changed);
    assert_int_equal(life->review.state, state);
}

static inline struct decision
decision_of(const char *id, int64_t decided)
{
    return (struct decision){
            .decision_id = span_of(id),
            .decision_owner = span_of("finops"),
            .scope[DIM_OWNER] = span_of("ana"),
            .reason = span_of("known"),
            .decided_at_ms = decided,
            .effective_from_ms = TIME_NULL,
            .expires_at_ms = TIME_NULL,
            .record_ms = decided,
            .pricing_source_checked_at_ms = TIME_NULL,
            .access_date = DATE_NULL,
            .max_retry_share_bps = -1,
    };
}

static inline void
decide(struct life *life, struct decision decision)
{
    decisions_put(life->decisions, &decision);
}

static inline void
decide_limit(struct life *life, const char *id, int64_t decided, int32_t limit_bps)
{
    struct decision decision = decision_of(id, decided);

    decision.max_retry_share_bps = limit_bps;
    decide(life, decision);
}

/** The topic has forgotten all decisions. */
static inline void
forget_decisions(struct life *life)
{
    decisions_destroy(life->decisions);
    life->decisions = decisions_new();
}

/** Open since START at a share of 20 %. */
static inline void
rise(struct life *life)
{
    set_share(life, 100, 20);
    event(life, START);
    assert_int_equal(life->review.state, REVIEW_OPEN);
}

/** Decided since START + 1 by "d1", which was decided at START. */
static inline void
rise_and_decide(struct life *life)
{
    rise(life);
    decide(life, decision_of("d1", START));
    event(life, START + 1);
    assert_int_equal(life->review.state, REVIEW_DECIDED);
}

#define LIFE(function) cmocka_unit_test_setup_teardown(function, life_begin, life_end)

#endif
