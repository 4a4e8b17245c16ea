/* test_review_decisions.c - how decisions change the life of a review.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/life.h"

/* ---- which decisions apply ---------------------------------------------------------------------
 */

static const struct applies_row {
    const char *name;
    int64_t decided, from, expires; /* after START */
    int64_t at;
    bool want;
} applies_rows[] = {
        {"applies: from its start", 10, 0, HOUR, 10, true},
        {"applies: not before its start", 10, 0, HOUR, 9, false},
        {"applies: from effective_from", 10, 20, HOUR, 20, true},
        {"applies: not before effective_from", 10, 20, HOUR, 19, false},
        {"applies: up to its end", 10, 0, HOUR, HOUR - 1, true},
        {"applies: not at its end", 10, 0, HOUR, HOUR, false},
        {"applies: never, if it ends before it starts", 10, HOUR, HOUR, HOUR, false},
};

static void
test_applies(void **state)
{
    const struct applies_row *row = *state;
    void *memory = NULL;

    life_begin(&memory);

    struct life *life = memory;
    struct decision decision = decision_of("d1", START + row->decided);

    rise(life);
    decision.effective_from_ms = START + row->from;
    decision.expires_at_ms = START + row->expires;
    decide(life, decision);
    event(life, START + row->at);
    assert_int_equal(life->review.state, row->want ? REVIEW_DECIDED : REVIEW_OPEN);
    life_end(&memory);
}

static void
test_invalid_never_applies(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise(life);
    decision.reason = span_of(" ");
    decide(life, decision);
    event(life, START + 1);
    assert_nothing(life);
}

static void
test_other_scope_never_applies(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise(life);
    decision.scope[DIM_BUCKET] = span_of("batch");
    decide(life, decision);
    event(life, START + 1);
    assert_nothing(life);
}

static void
test_review_id_restricts(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise(life);
    decision.review_id = span_of("another");
    decide(life, decision);
    event(life, START + 1);
    assert_nothing(life);
    decision.review_id = span_of(life->review.id);
    decide(life, decision);
    event(life, START + 2);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
}

/** The most specific wins; when it does not answer, none that is less specific does. */
static void
test_most_specific_wins(void **state)
{
    struct life *life = *state;
    struct decision specific = decision_of("d1", START);

    rise(life);
    specific.scope[DIM_BUCKET] = span_of("chat");
    specific.max_retry_share_bps = 1500;
    decide(life, specific);
    decide(life, decision_of("d2", START + 1));
    event(life, START + 2);
    assert_nothing(life);
    set_l(life, 100, 15);
    event(life, START + 3);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
    assert_true(span_equal(life->review.adopted->decision_id, span_of("d1")));
}

/* ---- limits -----------------------------------------------------------------------------------
 */

static const struct limit_row {
    const char *name;
    uint64_t l_attempts, l_retries, s_attempts, s_retries;
    bool risk;
    int32_t own_bps;
    int32_t want_bps;
} limit_rows[] = {
        {"limit: 1.1 times L", 100, 20, 100, 20, false, -1, 2200},
        {"limit: 1.5 times L with the spend risk", 100, 20, 100, 20, true, -1, 3000},
        {"limit: S, if larger", 100, 20, 40, 10, false, -1, 2750},
        {"limit: L, if larger", 100, 20, 100, 10, false, -1, 2200},
        {"limit: not of 9 retries in S", 100, 20, 9, 9, false, -1, 2200},
        {"limit: base rounded up, limit down", 30000, 6001, 30000, 6001, false, -1, 2201},
        {"limit: 100 % at most", 100, 95, 100, 95, false, -1, BPS},
        {"limit: just under 100 %", 1000, 909, 1000, 909, false, -1, 9999},
        {"limit: its own", 100, 20, 100, 20, true, 2100, 2100},
};

static void
test_limit(void **state)
{
    const struct limit_row *row = *state;
    void *memory = NULL;

    life_begin(&memory);

    struct life *life = memory;
    struct decision decision = decision_of("d1", START);

    set_l(life, row->l_attempts, row->l_retries);
    set_s(life, row->s_attempts, row->s_retries);
    decision.accepts_spend_risk = row->risk;
    decision.max_retry_share_bps = row->own_bps;
    decide(life, decision);
    event(life, START);
    assert_int_equal(life->review.state, REVIEW_COVERED);
    assert_int_equal(life->review.adopted_limit_bps, row->want_bps);
    life_end(&memory);
}

static void
test_share_at_the_limit_answers(void **state)
{
    struct life *life = *state;

    rise(life);
    decide_limit(life, "d1", START, 1999);
    event(life, START + 1);
    assert_nothing(life);
    decide_limit(life, "d1", START, 2000);
    event(life, START + 2);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
}

/** A limit of 0 is a limit: it answers no retries at all. */
static void
test_a_limit_of_nothing(void **state)
{
    struct life *life = *state;

    rise(life);
    decide_limit(life, "d1", START, 0);
    event(life, START + 1);
    assert_nothing(life);
    set_l(life, 100, 0);
    event(life, START + 2);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
    assert_int_equal(life->review.adopted_limit_bps, 0);
}

static void
test_a_newer_record_with_a_limit_of_nothing(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise_and_decide(life);
    decision.record_ms = START + 1;
    decision.max_retry_share_bps = 0;
    decide(life, decision);
    event(life, START + 2);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_SHARE_EXCEEDED);
    assert_int_equal(life->review.adopted_limit_bps, 0);
}

/* ---- covered and decided -----------------------------------------------------------------------
 */

static void
test_another_decision(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    decide(life, decision_of("d2", START + 1));
    event(life, START + 2);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
    assert_int_equal(life->review.state, REVIEW_DECIDED);
    assert_true(span_equal(life->review.adopted->decision_id, span_of("d2")));
    event(life, START + 3);
    assert_nothing(life);
}

static void
test_another_decision_while_covered(void **state)
{
    struct life *life = *state;

    decide(life, decision_of("d1", START));
    set_share(life, 100, 20);
    event(life, START);
    decide(life, decision_of("d2", START + 1));
    event(life, START + 2);
    assert_silent(life, REVIEW_COVERED);
    assert_false(life->effect.suppressed);
    assert_true(span_equal(life->review.adopted->decision_id, span_of("d2")));
}

static void
test_expired(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    event(life, START + DAY - 1);
    assert_nothing(life);
    event(life, START + DAY);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_DECISION_EXPIRED);
    assert_int_equal(life->review.generation, 2);
    assert_int_equal(life->review.starts_at_ms, START + DAY);
}

static void
test_expired_while_covered(void **state)
{
    struct life *life = *state;

    decide(life, decision_of("d1", START));
    set_share(life, 100, 20);
    event(life, START);
    close_minute(life, START + DAY);
    assert_published(life, REVIEW_STATUS_OPEN, REASON_DECISION_EXPIRED);
    assert_int_equal(life->review.generation, 1);
}

static void
test_expired_without_a_rise(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    set_s(life, 100, 9);
    event(life, START + DAY);
    assert_nothing(life);
}

static void
test_revoked(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise_and_decide(life);
    decision.revoked = true;
    decision.record_ms = START + HOUR;
    decide(life, decision);
    event(life, START + HOUR - 1);
    assert_silent(life, REVIEW_DECIDED); /* its new end is remembered */
    assert_int_equal(life->review.adopted_end_ms, START + HOUR);
    forget_decisions(life);
    event(life, START + HOUR);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_DECISION_REVOKED);
}

/** A record that revokes what had expired before changes nothing about why it ended. */
static void
test_revoked_after_its_end(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise_and_decide(life);
    decision.revoked = true;
    decision.record_ms = START + DAY + 1;
    decide(life, decision);
    event(life, START + DAY + 2);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_DECISION_EXPIRED);
}

/** A newer record of the adopted decision may extend it, and set a limit. */
static void
test_newer_record(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise_and_decide(life);
    decision.record_ms = START + 5;
    decision.expires_at_ms = START + 2 * DAY;
    decide(life, decision);
    event(life, START + 6);
    assert_silent(life, REVIEW_DECIDED);
    assert_int_equal(life->review.adopted_end_ms, START + 2 * DAY);
    assert_int_equal(life->review.adopted_limit_bps, 2200);
    event(life, START + 7);
    assert_nothing(life);
    decision.record_ms = START + 8;
    decision.max_retry_share_bps = 1900;
    decide(life, decision);
    event(life, START + 9);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_SHARE_EXCEEDED);
}

/** Two records of one id in one millisecond: the newer one stands all the same. */
static void
test_newer_record_of_the_same_time(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise_and_decide(life);
    decision.max_retry_share_bps = 1900;
    decide(life, decision);
    event(life, START + 9);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_SHARE_EXCEEDED);
}

/** What was adopted holds when the topic has forgotten it: its span and its limit. */
static void
test_adopted_holds_when_gone(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    forget_decisions(life);
    event(life, START + DAY - 1);
    assert_nothing(life);
    set_share(life, 100, 23);
    event(life, START + DAY - 1);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_SHARE_EXCEEDED);
}

/** It still has to be more specific than another one. */
static void
test_gone_competes_with_others(void **state)
{
    struct life *life = *state;
    struct decision specific = decision_of("d1", START);

    specific.scope[DIM_BUCKET] = span_of("chat");
    rise(life);
    decide(life, specific);
    event(life, START + 1);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
    forget_decisions(life);
    decide(life, decision_of("d2", START + 2));
    event(life, START + 3);
    assert_nothing(life);
    event(life, START + DAY); /* d1 has ended, d2 answers */
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
    assert_true(span_equal(life->review.adopted->decision_id, span_of("d2")));
}

static void
test_share_exceeded(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    set_share(life, 100, 22);
    event(life, START + 2);
    assert_nothing(life);
    set_share(life, 10000, 2201);
    event(life, START + 3);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_SHARE_EXCEEDED);
}

static void
test_share_exceeded_without_a_rise(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    set_l(life, 100, 30);
    set_s(life, 100, 9);
    event(life, START + 2);
    assert_nothing(life);
}

/** A more specific decision that came later may have too low a limit. */
static void
test_share_exceeded_of_another(void **state)
{
    struct life *life = *state;
    struct decision specific = decision_of("d2", START + 1);

    rise_and_decide(life);
    specific.scope[DIM_BUCKET] = span_of("chat");
    specific.max_retry_share_bps = 1500;
    decide(life, specific);
    event(life, START + 2);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_SHARE_EXCEEDED);
    set_l(life, 100, 15);
    event(life, START + 3);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION); /* d2 is newer than d1 */
}

static void
set_cause(struct life *life, enum retry_cause cause, uint64_t retries)
{
    memset(&life->windows.l.n[COUNT_CAUSE], 0, CAUSE_COUNT * sizeof(uint64_t));
    life->windows.l.n[COUNT_CAUSE + cause] = retries;
}

static void
test_new_cause(void **state)
{
    struct life *life = *state;

    set_cause(life, CAUSE_TIMEOUT, 20);
    rise_and_decide(life);
    assert_int_equal(life->review.adopted_cause, CAUSE_TIMEOUT);
    event(life, START + 2);
    assert_nothing(life);
    set_cause(life, CAUSE_UNKNOWN, 20);
    event(life, START + 3);
    assert_nothing(life);
    set_cause(life, CAUSE_CLIENT_HANDLING, 10);
    event(life, START + 4);
    assert_nothing(life); /* half is not more than half */
    set_cause(life, CAUSE_CLIENT_HANDLING, 11);
    event(life, START + 5);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_NEW_CAUSE);
}

/* ---- used up -----------------------------------------------------------------------------------
 */

/** After share_exceeded the same decision, and older ones, answer no more when L falls again. */
static void
test_used_up(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    decide(life, decision_of("d0", START - 1));
    set_share(life, 100, 30);
    event(life, START + 2);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_SHARE_EXCEEDED);
    set_share(life, 100, 12);
    event(life, START + 3);
    assert_nothing(life);
    decide(life, decision_of("d0b", START)); /* as late as d1, but before it by id */
    event(life, START + 4);
    assert_nothing(life);
    decide(life, decision_of("d2", START)); /* as late as d1, and after it by id */
    event(life, START + 5);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
}

static void
test_used_up_holds_in_a_continued_review(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    set_share(life, 100, 30);
    event(life, START + 2);
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    set_share(life, 100, 20);
    event(life, START + HOUR + 30 * MINUTE);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_RISE_AGAIN);
}

static void
test_a_new_review_forgets_used_up(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    set_share(life, 100, 30);
    event(life, START + 2);
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    set_share(life, 100, 20);
    event(life, START + HOUR + 30 * MINUTE + 1);
    assert_silent(life, REVIEW_COVERED);
    assert_true(life->effect.suppressed);
}

/** The same id decided again, later: the new record answers, and its limit is fixed anew. */
static void
test_decided_again_under_the_same_id(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    set_share(life, 100, 30);
    event(life, START + 2);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_SHARE_EXCEEDED);
    decide(life, decision_of("d1", START + 3));
    event(life, START + 4);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
    assert_int_equal(life->review.adopted_limit_bps, 3300);
}

static const struct CMUnitTest lives[] = {
        LIFE(test_invalid_never_applies),
        LIFE(test_other_scope_never_applies),
        LIFE(test_review_id_restricts),
        LIFE(test_most_specific_wins),
        LIFE(test_share_at_the_limit_answers),
        LIFE(test_a_limit_of_nothing),
        LIFE(test_a_newer_record_with_a_limit_of_nothing),
        LIFE(test_another_decision),
        LIFE(test_another_decision_while_covered),
        LIFE(test_expired),
        LIFE(test_expired_while_covered),
        LIFE(test_expired_without_a_rise),
        LIFE(test_revoked),
        LIFE(test_revoked_after_its_end),
        LIFE(test_newer_record),
        LIFE(test_newer_record_of_the_same_time),
        LIFE(test_adopted_holds_when_gone),
        LIFE(test_gone_competes_with_others),
        LIFE(test_share_exceeded),
        LIFE(test_share_exceeded_without_a_rise),
        LIFE(test_share_exceeded_of_another),
        LIFE(test_new_cause),
        LIFE(test_used_up),
        LIFE(test_used_up_holds_in_a_continued_review),
        LIFE(test_a_new_review_forgets_used_up),
        LIFE(test_decided_again_under_the_same_id),
};

int
main(void)
{
    struct CMUnitTest tests[COUNT_OF(lives) + COUNT_OF(applies_rows) + COUNT_OF(limit_rows)];
    size_t count = COUNT_OF(lives);

    memcpy(tests, lives, sizeof(lives));
    ADD_ROWS(tests, count, applies_rows, test_applies)
    ADD_ROWS(tests, count, limit_rows, test_limit)
    return cmocka_run_group_tests_name("review_decisions", tests, NULL, NULL);
}
