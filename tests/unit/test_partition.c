/* test_partition.c - the fold at its edges: minutes, windows, lateness, limits, forgetting.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define M MINUTE_MS
#define DAY INT64_C(1440) * M
#define BASE (INT64_C(20000) * DAY) /* a midnight, UTC */

struct fixture {
    struct decisions *decisions;
    struct limits limits;
    struct rule rule;
    struct partition *partition;
    struct arena arena;
    int64_t offset;
};

static void
start(struct fixture *fixture)
{
    const struct partition_options options =
            fold_options(&fixture->rule, &fixture->limits, fixture->decisions);

    partition_destroy(fixture->partition);
    fixture->partition = partition_new(&options);
}

static int
setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->limits = fold_limits;
    fixture->rule = fold_rule;
    fixture->decisions = decisions_new();
    arena_init(&fixture->arena);
    start(fixture);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fixture = *state;

    partition_destroy(fixture->partition);
    decisions_destroy(fixture->decisions);
    arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

/* ---- feeding and looking ----------------------------------------------------------------------
 */

static struct outcome
outcome_of(const char *owner, const char *workload, int32_t attempt)
{
    struct outcome outcome;

    outcome_init(&outcome);
    outcome.dimensions[DIM_OWNER] = span_of(owner);
    outcome.dimensions[DIM_WORKLOAD] = span_of(workload);
    outcome.dimensions[DIM_ENVIRONMENT] = span_of("prod");
    outcome.dimensions[DIM_CLASS] = span_of("chat");
    outcome.dimensions[DIM_BUCKET] = span_of("b1");
    outcome.attempt_number = attempt;
    outcome.has_units = true;
    outcome.units = 7;
    return outcome;
}

static void
count_at(struct fixture *fixture, struct outcome *outcome, int64_t event_ms, int64_t record_ms)
{
    outcome->event_time_ms = event_ms;
    partition_record(fixture->partition, fixture->offset++, record_ms);
    partition_count(fixture->partition, outcome);
}

/* One event of an owner, stamped by its record. */
static void
event(struct fixture *fixture, const char *owner, int32_t attempt, int64_t at_ms)
{
    struct outcome outcome = outcome_of(owner, "w", attempt);

    count_at(fixture, &outcome, at_ms, at_ms);
}

/* The view of one owner as it is now; the others are passed over. */
static bool
look(struct fixture *fixture, const char *owner, struct owner_view *view)
{
    bool forgotten = false;
    bool found = false;
    struct owner_view next;

    partition_settle(fixture->partition);
    while (partition_next_view(fixture->partition, &fixture->arena, &next, &forgotten)) {
        if (!forgotten && span_equal(next.owner, span_of(owner))) {
            *view = next;
            found = true;
        }
    }
    return found;
}

/* ---- windows ----------------------------------------------------------------------------------
 */

static void
test_windows_end(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        int64_t after_ms; /* when the second event comes; the first is at BASE */
        uint64_t s, l, d;
    } rows[] = {
            {0, 2, 2, 2},
            {5 * M - 1, 2, 2, 2},  /* the last ms of S */
            {5 * M, 1, 2, 2},      /* the first ms outside S */
            {60 * M - 1, 1, 2, 2}, /* the last ms of L */
            {60 * M, 1, 1, 2},     /* the first ms outside L */
            {DAY - 1, 1, 1, 2},    /* the last ms of D */
            {DAY, 1, 1, 1},        /* the first ms outside D */
            {50 * DAY, 1, 1, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct owner_view view;

        start(fixture);
        event(fixture, "ana", 1, BASE);
        event(fixture, "ana", 1, BASE + rows[i].after_ms);
        assert_true(look(fixture, "ana", &view));
        assert_int_equal(view.totals[VIEW_5M][COUNT_ATTEMPTS], rows[i].s);
        assert_int_equal(view.totals[VIEW_60M][COUNT_ATTEMPTS], rows[i].l);
        assert_int_equal(view.totals[VIEW_24H][COUNT_ATTEMPTS], rows[i].d);
        assert_int_equal(view.totals[VIEW_60M][COUNT_FIRST_UNITS], rows[i].l * 7);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_windows_end, setup, teardown),
    };

    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
