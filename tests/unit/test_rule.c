/* test_rule.c - each comparison of the rule, at its edge.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/default_rule.h"
#include "tests/support/rows.h"

#define HUGE_COUNT UINT64_MAX

struct sums {
    uint64_t attempts, retries;
};

static struct attempts
attempts_of(struct sums l, struct sums s, struct sums b)
{
    return (struct attempts){l.attempts, l.retries, s.attempts, s.retries, b.attempts, b.retries};
}

/* ---- rise -------------------------------------------------------------------------------------
 */

static const struct rise_row {
    const char *name;
    struct sums l, s, b;
    bool want;
} rise_rows[] = {
        {"50 attempts and 10 retries are enough", {50, 10}, {50, 10}, {0, 0}, true},
        {"49 attempts are not", {49, 10}, {49, 10}, {0, 0}, false},
        {"9 retries are not", {50, 9}, {50, 9}, {0, 0}, false},
        {"L at 10 %", {100, 10}, {100, 10}, {0, 0}, true},
        {"L just under 10 %", {101, 10}, {50, 10}, {0, 0}, false},
        {"S at 10 %", {100, 20}, {10, 1}, {0, 0}, true},
        {"S just under 10 %", {100, 20}, {11, 1}, {0, 0}, false},
        {"S is empty", {100, 20}, {0, 0}, {0, 0}, false},
        {"L is empty", {0, 0}, {10, 10}, {0, 0}, false},
        {"L at 1.5 times B", {100, 12}, {100, 12}, {1000, 80}, true},
        {"L just under 1.5 times B", {1000, 119}, {100, 12}, {1000, 80}, false},
        {"L under 1.5 times B, at 20 %", {100, 20}, {100, 20}, {1000, 180}, true},
        {"L under 1.5 times B, just under 20 %", {1000, 199}, {100, 20}, {1000, 180}, false},
        {"B of 49 attempts counts as no retries", {100, 10}, {100, 10}, {49, 40}, true},
        {"B of 50 attempts counts", {100, 10}, {100, 10}, {50, 40}, false},
        {"B without retries", {100, 10}, {100, 10}, {1000, 0}, true},
        {"counters at their maximum, L as B", {HUGE_COUNT, HUGE_COUNT / 8},
                {HUGE_COUNT, HUGE_COUNT}, {HUGE_COUNT, HUGE_COUNT / 8}, false},
        {"counters at their maximum, L at 1.5 times B", {HUGE_COUNT, HUGE_COUNT / 15 * 3},
                {HUGE_COUNT, HUGE_COUNT}, {HUGE_COUNT, HUGE_COUNT / 15 * 2}, true},
        {"counters at their maximum, just under 1.5 times B", {HUGE_COUNT, HUGE_COUNT / 15 * 3 - 1},
                {HUGE_COUNT, HUGE_COUNT}, {HUGE_COUNT, HUGE_COUNT / 15 * 2}, false},
};

static void
test_rise(void **state)
{
    const struct rise_row *row = *state;
    const struct rule rule = default_rule();
    const struct attempts attempts = attempts_of(row->l, row->s, row->b);

    assert_int_equal(rule_is_rise(&rule, &attempts), row->want);
}

/** B of no attempts has no share, even where the configuration asks for none. */
static void
test_empty_baseline(void **state)
{
    (void)state;

    struct rule rule = default_rule();
    const struct attempts attempts =
            attempts_of((struct sums){50, 10}, (struct sums){50, 10}, (struct sums){0, 0});

    rule.baseline_attempts_min = 0;
    assert_true(rule_is_rise(&rule, &attempts));
    assert_int_equal(rule_baseline_bps(&rule, &attempts), 0);
    assert_int_equal(rule_threshold_bps(&rule, &attempts), 1000);
}

/** A factor of 0 asks for no more than the least share. */
static void
test_no_factor(void **state)
{
    (void)state;

    struct rule rule = default_rule();
    const struct attempts attempts =
            attempts_of((struct sums){100, 10}, (struct sums){100, 10}, (struct sums){100, 90});

    rule.baseline_factor_bps = 0;
    assert_true(rule_is_rise(&rule, &attempts));
    assert_int_equal(rule_threshold_bps(&rule, &attempts), 1000);
}

/* ---- shares -----------------------------------------------------------------------------------
 */

static const struct share_row {
    const char *name;
    struct sums sums;
    int64_t bps;
    bool at_least, at_most;
} share_rows[] = {
        {"share: exactly", {3, 1}, 3333, true, false},
        {"share: one basis point more", {3, 1}, 3334, false, true},
        {"share: equal is both", {10, 1}, 1000, true, true},
        {"share: nothing is at or above no share", {0, 0}, 0, false, true},
        {"share: no retries are at or above 0", {7, 0}, 0, true, true},
        {"share: all", {7, 7}, BPS, true, true},
        {"share: all but one", {10001, 10000}, BPS, false, true},
        {"share: above a limit", {10000, 2001}, 2000, true, false},
        {"share: maximum", {HUGE_COUNT, HUGE_COUNT}, BPS, true, true},
        {"share: maximum but one", {HUGE_COUNT, HUGE_COUNT - 1}, BPS, false, true},
};

static void
test_share(void **state)
{
    const struct share_row *row = *state;

    assert_int_equal(
            share_at_least(row->sums.retries, row->sums.attempts, row->bps), row->at_least);
    assert_int_equal(share_at_most(row->sums.retries, row->sums.attempts, row->bps), row->at_most);
}

static void
test_share_bps(void **state)
{
    (void)state;
    assert_int_equal(share_bps(1, 3), 3333);
    assert_int_equal(share_bps_up(1, 3), 3334);
    assert_int_equal(share_bps(1, 4), 2500);
    assert_int_equal(share_bps_up(1, 4), 2500);
    assert_int_equal(share_bps(0, 0), 0);
    assert_int_equal(share_bps_up(0, 0), 0);
    assert_int_equal(share_bps(HUGE_COUNT, HUGE_COUNT), BPS);
    assert_int_equal(share_bps_up(HUGE_COUNT - 1, HUGE_COUNT), BPS);
}

static void
test_more_than_half(void **state)
{
    (void)state;
    assert_false(more_than_half(0, 0));
    assert_false(more_than_half(5, 10));
    assert_true(more_than_half(6, 10));
    assert_true(more_than_half(6, 11));
    assert_false(more_than_half(5, 11));
    assert_true(more_than_half(HUGE_COUNT, HUGE_COUNT));
}

/* ---- what is published ------------------------------------------------------------------------
 */

static const struct threshold_row {
    const char *name;
    struct sums b;
    int32_t baseline_bps, threshold_bps;
} threshold_rows[] = {
        {"threshold: no baseline", {0, 0}, 0, 1000},
        {"threshold: 49 attempts of baseline", {49, 49}, 0, 1000},
        {"threshold: 50 attempts of baseline", {50, 6}, 1200, 1800},
        {"threshold: low baseline, never under 10 %", {10000, 666}, 666, 1000},
        {"threshold: from 10 % on 1.5 times B", {10000, 667}, 667, 1000},
        {"threshold: 1.5 times B, rounded down once", {10000, 669}, 669, 1003},
        {"threshold: 1.5 times the exact share", {3, 1}, 0, 1000},
        {"threshold: the fraction, not its basis points", {70001, 7000}, 999, 1499},
        {"threshold: never over 20 %", {10000, 1400}, 1400, 2000},
        {"threshold: maximum", {HUGE_COUNT, HUGE_COUNT}, BPS, 2000},
};

static void
test_threshold(void **state)
{
    const struct threshold_row *row = *state;
    const struct rule rule = default_rule();
    const struct attempts attempts = attempts_of((struct sums){0, 0}, (struct sums){0, 0}, row->b);

    assert_int_equal(rule_baseline_bps(&rule, &attempts), row->baseline_bps);
    assert_int_equal(rule_threshold_bps(&rule, &attempts), row->threshold_bps);
}

/* ---- causes -----------------------------------------------------------------------------------
 */

static const struct cause_row {
    const char *name;
    uint64_t retries;
    uint64_t causes[CAUSE_COUNT];
    uint8_t leading, dominant;
} cause_rows[] = {
        {"cause: none", 10, {0}, SYMBOL_NULL, SYMBOL_NULL},
        {"cause: half is not more than half", 10, {[CAUSE_TIMEOUT] = 5}, CAUSE_TIMEOUT,
                SYMBOL_NULL},
        {"cause: more than half", 11, {[CAUSE_TIMEOUT] = 6}, CAUSE_TIMEOUT, CAUSE_TIMEOUT},
        {"cause: unknown leads but never dominates", 10, {[CAUSE_UNKNOWN] = 9, [CAUSE_TIMEOUT] = 1},
                CAUSE_UNKNOWN, SYMBOL_NULL},
        {"cause: a tie goes to the first of the enum", 10,
                {[CAUSE_PLATFORM_RESPONSE] = 4, [CAUSE_TIMEOUT] = 4}, CAUSE_PLATFORM_RESPONSE,
                SYMBOL_NULL},
        {"cause: the first of the enum", 3, {[CAUSE_CLIENT_HANDLING] = 2}, CAUSE_CLIENT_HANDLING,
                CAUSE_CLIENT_HANDLING},
        {"cause: the last but one", 3, {[CAUSE_UNFAMILIAR_REQUEST_SOURCE] = 2, [CAUSE_TIMEOUT] = 1},
                CAUSE_UNFAMILIAR_REQUEST_SOURCE, CAUSE_UNFAMILIAR_REQUEST_SOURCE},
};

static void
test_cause(void **state)
{
    const struct cause_row *row = *state;
    struct counts l = {0};

    l.n[COUNT_RETRIES] = row->retries;
    memcpy(&l.n[COUNT_CAUSE], row->causes, sizeof(row->causes));
    assert_int_equal(rule_leading_cause(&l), row->leading);
    assert_int_equal(rule_dominant_cause(&l), row->dominant);
}

int
main(void)
{
    struct CMUnitTest tests[COUNT_OF(rise_rows) + COUNT_OF(share_rows) + COUNT_OF(threshold_rows) +
                            COUNT_OF(cause_rows) + 4];
    size_t count = 0;

    ADD_ROWS(tests, count, rise_rows, test_rise)
    ADD_ROWS(tests, count, share_rows, test_share)
    ADD_ROWS(tests, count, threshold_rows, test_threshold)
    ADD_ROWS(tests, count, cause_rows, test_cause)
    ADD_TEST(tests, count, test_empty_baseline);
    ADD_TEST(tests, count, test_no_factor);
    ADD_TEST(tests, count, test_share_bps);
    ADD_TEST(tests, count, test_more_than_half);
    return cmocka_run_group_tests_name("rule", tests, NULL, NULL);
}
