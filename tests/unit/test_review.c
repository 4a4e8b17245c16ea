/* test_review.c - the life of a review: clear, open, resolved.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/life.h"

/* ---- clear ------------------------------------------------------------------------------------
 */

static void
test_no_rise(void **state)
{
    struct life *life = *state;

    set_share(life, 49, 20);
    event(life, START);
    assert_nothing(life);
    assert_string_equal(life->review.id, "");
}

static void
test_rise_opens(void **state)
{
    struct life *life = *state;

    rise(life);
    assert_published(life, REVIEW_STATUS_OPEN, REASON_RISE);
    assert_int_equal(life->review.generation, 1);
    assert_int_equal(life->review.sequence, 1);
    assert_int_equal(life->review.starts_at_ms, START);
    assert_int_equal(life->review.ends_at_ms, TIME_NULL);
    event(life, START + 1);
    assert_nothing(life);
}

static void
test_id(void **state)
{
    struct life *life = *state;
    static const char want[] = "outcomes\0003\0ana\0prod\0chat\0007\0008639999999";

    rise(life);
    assert_int_equal(strlen(life->review.id), REVIEW_ID_SIZE);
    assert_int_equal(digested_size, sizeof(want) - 1);
    assert_memory_equal(digested, want, sizeof(want) - 1);
    for (size_t i = 0; i < 16; i++) {
        uint8_t digest[32];
        char hex[3];

        remember_digest(want, sizeof(want) - 1, digest);
        snprintf(hex, sizeof(hex), "%02x", digest[i]);
        assert_memory_equal(life->review.id + (2 * i), hex, 2);
    }
}

/** Long values make a long text, which has its room. */
static void
test_id_of_long_values(void **state)
{
    struct life *life = *state;
    char owner[201] = "";

    memset(owner, 'x', sizeof(owner) - 1);
    life->dimensions[DIM_OWNER] = span_of(owner);
    rise(life);
    assert_int_equal(digested_size, sizeof("outcomes.3..prod.chat.7.8639999999") - 1 + 200);
}

static void
test_decision_covers_rise(void **state)
{
    struct life *life = *state;

    decide(life, decision_of("d1", START));
    set_share(life, 100, 20);
    event(life, START);
    assert_silent(life, REVIEW_COVERED);
    assert_true(life->effect.suppressed);
    assert_int_equal(life->review.generation, 0);
    assert_int_equal(life->review.sequence, 0);
    assert_int_equal(strlen(life->review.id), REVIEW_ID_SIZE);
    event(life, START + 1);
    assert_nothing(life);
}

static void
test_too_low_a_limit_opens(void **state)
{
    struct life *life = *state;

    decide_limit(life, "d1", START, 1999);
    rise(life);
    assert_published(life, REVIEW_STATUS_OPEN, REASON_RISE);
}

/** A continued review keeps its id, its generations, and what is used up. */
static void
test_rise_again(void **state)
{
    struct life *life = *state;
    char id[REVIEW_ID_SIZE + 1];

    rise(life);
    memcpy(id, life->review.id, sizeof(id));
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    set_share(life, 100, 20);
    life->offset = 8;
    event(life, START + HOUR + 30 * MINUTE);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_RISE_AGAIN);
    assert_string_equal(life->review.id, id);
    assert_int_equal(life->review.generation, 2);
    assert_int_equal(life->review.sequence, 3);
    assert_int_equal(life->review.starts_at_ms, START + HOUR + 30 * MINUTE);
    assert_int_equal(life->review.ends_at_ms, TIME_NULL);
}

static void
test_new_review_after_30_minutes(void **state)
{
    struct life *life = *state;
    char id[REVIEW_ID_SIZE + 1];

    rise_and_decide(life);
    memcpy(id, life->review.id, sizeof(id));
    life->review.active_order = 42;
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    forget_decisions(life);
    set_share(life, 100, 20);
    life->offset = 8;
    event(life, START + HOUR + 30 * MINUTE + 1);
    assert_published(life, REVIEW_STATUS_OPEN, REASON_RISE);
    assert_string_not_equal(life->review.id, id);
    assert_int_equal(life->review.generation, 1);
    assert_int_equal(life->review.sequence, 1);
    assert_null(life->review.adopted);
    assert_int_equal(life->review.active_order, 42);
}

/** A covered rise that ended and comes again was never published: it is an open. */
static void
test_rise_again_but_never_published(void **state)
{
    struct life *life = *state;

    decide_limit(life, "d1", START, 2000);
    set_share(life, 100, 20);
    event(life, START);
    assert_silent(life, REVIEW_COVERED);
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    assert_silent(life, REVIEW_CLEAR);
    set_share(life, 100, 21);
    event(life, START + HOUR + MINUTE);
    assert_published(life, REVIEW_STATUS_OPEN, REASON_RISE);
    assert_int_equal(life->review.generation, 1);
}

/** The limit that was fixed holds on in a continued review; it does not climb with each rise. */
static void
test_continued_review_keeps_the_limit(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    assert_int_equal(life->review.adopted_limit_bps, 2200);
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    set_share(life, 100, 22);
    event(life, START + HOUR + MINUTE);
    assert_silent(life, REVIEW_COVERED);
    assert_int_equal(life->review.adopted_limit_bps, 2200);
    set_share(life, 0, 0);
    close_minute(life, START + 2 * HOUR);
    set_share(life, 100, 23);
    event(life, START + 2 * HOUR + MINUTE);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_RISE_AGAIN);
}

/* ---- resolved ---------------------------------------------------------------------------------
 */

static void
test_calm_for_15_closes(void **state)
{
    struct life *life = *state;

    rise(life);
    set_s(life, 1000, 69);
    for (int i = 1; i < 15; i++) {
        close_minute(life, START + i * MINUTE);
        assert_silent(life, REVIEW_OPEN); /* the count of calm closes is stored */
    }
    close_minute(life, START + 15 * MINUTE);
    assert_published(life, REVIEW_STATUS_RESOLVED, REASON_CALM);
    assert_int_equal(life->review.state, REVIEW_CLEAR);
    assert_int_equal(life->review.ends_at_ms, START + 15 * MINUTE);
    assert_int_equal(life->review.cleared_at_ms, START + 15 * MINUTE);
    assert_int_equal(life->review.calm_closes, 0);
    assert_int_equal(life->review.sequence, 2);
}

static void
test_seven_percent_is_not_calm(void **state)
{
    struct life *life = *state;

    rise(life);
    set_s(life, 1000, 69);
    for (int i = 1; i < 15; i++) {
        close_minute(life, START + i * MINUTE);
    }
    set_s(life, 1000, 70);
    close_minute(life, START + 15 * MINUTE);
    assert_silent(life, REVIEW_OPEN);
    assert_int_equal(life->review.calm_closes, 0);
    close_minute(life, START + 16 * MINUTE);
    assert_nothing(life);
}

static void
test_empty_s_neither_counts_nor_resets(void **state)
{
    struct life *life = *state;

    rise(life);
    set_s(life, 100, 0);
    close_minute(life, START + MINUTE);
    set_s(life, 0, 0);
    close_minute(life, START + 2 * MINUTE);
    assert_nothing(life);
    assert_int_equal(life->review.calm_closes, 1);
}

/** Events do not resolve, only closes do. */
static void
test_events_do_not_resolve(void **state)
{
    struct life *life = *state;

    rise(life);
    set_share(life, 0, 0);
    event(life, START + 1);
    assert_nothing(life);
    set_s(life, 100, 0);
    for (int i = 0; i < 20; i++) {
        event(life, START + i);
        assert_nothing(life);
    }
}

static void
test_no_traffic(void **state)
{
    struct life *life = *state;

    rise(life);
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    assert_published(life, REVIEW_STATUS_RESOLVED, REASON_NO_TRAFFIC);
    assert_int_equal(life->review.state, REVIEW_CLEAR);
}

static void
test_decided_resolves(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    assert_published(life, REVIEW_STATUS_RESOLVED, REASON_NO_TRAFFIC);
    assert_non_null(life->review.adopted); /* the packet names the last decision */
}

static void
test_covered_ends_silently(void **state)
{
    struct life *life = *state;

    decide(life, decision_of("d1", START));
    set_share(life, 100, 20);
    event(life, START);
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    assert_silent(life, REVIEW_CLEAR);
    assert_int_equal(life->review.sequence, 0);
}

/** Resolved comes first in the table: it wins over a decision that answers. */
static void
test_resolved_before_decided(void **state)
{
    struct life *life = *state;

    rise(life);
    decide(life, decision_of("d1", START));
    set_share(life, 0, 0);
    close_minute(life, START + HOUR);
    assert_published(life, REVIEW_STATUS_RESOLVED, REASON_NO_TRAFFIC);
    assert_null(life->review.adopted);
}

/* ---- open -------------------------------------------------------------------------------------
 */

static void
test_decided(void **state)
{
    struct life *life = *state;

    rise_and_decide(life);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
    assert_int_equal(life->review.sequence, 2);
    assert_int_equal(life->review.generation, 1);
    assert_int_equal(life->review.adopted_end_ms, START + DAY);
    assert_int_equal(life->review.adopted_limit_bps, 2200);
    event(life, START + 2);
    assert_nothing(life);
}

static void
test_decided_at_a_close(void **state)
{
    struct life *life = *state;

    rise(life);
    decide(life, decision_of("d1", START));
    close_minute(life, START + MINUTE);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
}

static void
test_unanswered(void **state)
{
    struct life *life = *state;
    const int64_t wait = 4 * HOUR;

    rise(life);
    close_minute(life, START + wait - 1);
    assert_nothing(life);
    event(life, START + wait);
    assert_nothing(life); /* at a close only */
    for (int k = 1; k <= 5; k++) {
        close_minute(life, START + k * wait);
        assert_published(
                life, k <= 3 ? REVIEW_STATUS_REPEATED : REVIEW_STATUS_ESCALATED, REASON_UNANSWERED);
        close_minute(life, START + k * wait + MINUTE);
        assert_nothing(life);
    }
    assert_int_equal(life->review.sequence, 6);
    assert_int_equal(life->review.generation, 1);
}

static void
test_a_skipped_stretch_says_it_once(void **state)
{
    struct life *life = *state;

    rise(life);
    close_minute(life, START + 18 * HOUR);
    assert_published(life, REVIEW_STATUS_ESCALATED, REASON_UNANSWERED);
    assert_int_equal(life->review.repeats, 4);
    close_minute(life, START + 19 * HOUR);
    assert_nothing(life);
}

static void
test_a_new_generation_waits_anew(void **state)
{
    struct life *life = *state;
    struct decision decision = decision_of("d1", START);

    rise(life);
    close_minute(life, START + 4 * HOUR);
    assert_int_equal(life->review.repeats, 1);
    decision.decided_at_ms = START + 4 * HOUR;
    decision.expires_at_ms = START + 5 * HOUR;
    decide(life, decision);
    event(life, START + 4 * HOUR);
    assert_published(life, REVIEW_STATUS_DECIDED, REASON_DECISION);
    event(life, START + 5 * HOUR);
    assert_published(life, REVIEW_STATUS_REOPENED, REASON_DECISION_EXPIRED);
    close_minute(life, START + 8 * HOUR);
    assert_nothing(life);
    close_minute(life, START + 9 * HOUR);
    assert_published(life, REVIEW_STATUS_REPEATED, REASON_UNANSWERED);
}

/* Shadow mode lives the same life: what is not published is for the loop. */
static void
test_shadow(void **state)
{
    struct life *life = *state;

    life->rule.shadow = true;
    rise_and_decide(life);
    assert_int_equal(life->review.sequence, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            LIFE(test_no_rise),
            LIFE(test_rise_opens),
            LIFE(test_id),
            LIFE(test_id_of_long_values),
            LIFE(test_decision_covers_rise),
            LIFE(test_too_low_a_limit_opens),
            LIFE(test_rise_again),
            LIFE(test_new_review_after_30_minutes),
            LIFE(test_rise_again_but_never_published),
            LIFE(test_continued_review_keeps_the_limit),
            LIFE(test_calm_for_15_closes),
            LIFE(test_seven_percent_is_not_calm),
            LIFE(test_empty_s_neither_counts_nor_resets),
            LIFE(test_events_do_not_resolve),
            LIFE(test_no_traffic),
            LIFE(test_decided_resolves),
            LIFE(test_covered_ends_silently),
            LIFE(test_resolved_before_decided),
            LIFE(test_decided),
            LIFE(test_decided_at_a_close),
            LIFE(test_unanswered),
            LIFE(test_a_skipped_stretch_says_it_once),
            LIFE(test_a_new_generation_waits_anew),
            LIFE(test_shadow),
    };

    return cmocka_run_group_tests_name("review", tests, NULL, NULL);
}
