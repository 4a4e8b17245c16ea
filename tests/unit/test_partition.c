/* test_partition.c - the fold at its edges: minutes, windows, lateness, limits, forgetting.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define M MINUTE_MS
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
    fixture->rule = default_rule();
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

/* An event that its record brings later. */
static void
late_event(struct fixture *fixture, const char *owner, int64_t event_ms, int64_t record_ms)
{
    struct outcome outcome = outcome_of(owner, "w", 2);

    count_at(fixture, &outcome, event_ms, record_ms);
}

static void
test_late(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        int64_t behind_ms;         /* log time is 30 s into a minute */
        uint64_t l, d, late, lost; /* counters of the view afterwards */
    } rows[] = {
            {4 * M + 30 * 1000, 2, 2, 0, 0},     /* the first ms of S */
            {4 * M + 30 * 1000 + 1, 2, 2, 1, 0}, /* the last ms before S */
            {59 * M + 30 * 1000, 2, 2, 1, 0},    /* the first ms of L */
            {59 * M + 30 * 1000 + 1, 1, 2, 1, 0},
            {DAY, 1, 1, 0, 0},     /* counted, but its half-hour is just outside D */
            {DAY + 1, 1, 1, 0, 1}, /* too late */
            {10 * DAY, 1, 1, 0, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int64_t now_ms = BASE + 10 * M + 30 * 1000;
        struct owner_view view;

        start(fixture);
        event(fixture, "ana", 1, now_ms);
        late_event(fixture, "ana", now_ms - rows[i].behind_ms, now_ms);
        assert_true(look(fixture, "ana", &view));
        assert_int_equal(view.totals[VIEW_60M][COUNT_ATTEMPTS], rows[i].l);
        assert_int_equal(view.totals[VIEW_24H][COUNT_ATTEMPTS], rows[i].d);
        assert_int_equal(view.totals[VIEW_24H][COUNT_LATE], rows[i].late);
        assert_int_equal(view.totals[VIEW_24H][COUNT_TOO_LATE], rows[i].lost);
        assert_int_equal(partition_metrics(fixture->partition)->too_late, rows[i].lost);
        assert_int_equal(partition_metrics(fixture->partition)->counted, 2 - rows[i].lost);
    }
}

/* B ends where the half-hour of the start of L begins, and holds 48: seen by what a rise says. */
static void
test_baseline_edges(void **state)
{
    struct fixture *fixture = *state;
    /* The rise is at minute 100 of the day: L begins at minute 41, so B ends at minute 30. */
    static const struct {
        int64_t minute;
        int32_t bps;
    } rows[] = {
            {29, 10000},
            {30, 0},
            {40, 0},
            {30 - 1440, 10000},
            {29 - 1440, 0},
    };

    fixture->rule.attempts_min = fixture->rule.retries_min = 2;
    fixture->rule.baseline_attempts_min = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct partition_changes *changes = NULL;

        start(fixture);
        event(fixture, "ana", 2, BASE + rows[i].minute * M);
        event(fixture, "ana", 2, BASE + 100 * M);
        event(fixture, "ana", 2, BASE + 100 * M);
        changes = partition_changes(fixture->partition);
        assert_int_equal(changes->publication_count, 1);
        assert_int_equal(changes->publications[0].packet.l.n[COUNT_ATTEMPTS], 2);
        assert_int_equal(changes->publications[0].packet.baseline_share_bps, rows[i].bps);
        partition_settle(fixture->partition);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static void
test_idle(void **state)
{
    struct fixture *fixture = *state;

    /* Before the first record there is no time. */
    partition_tick(fixture->partition, BASE);
    assert_true(partition_times(fixture->partition).stream_ms == TIME_NULL);

    /* A producer that is behind: T is its event's, not its record's. */
    late_event(fixture, "ana", BASE - 10 * M, BASE);
    assert_int_equal(partition_times(fixture->partition).stream_ms, BASE - 10 * M);

    partition_tick(fixture->partition, BASE + 2 * M); /* not over 2 min yet */
    assert_int_equal(partition_times(fixture->partition).stream_ms, BASE - 10 * M);
    partition_tick(fixture->partition, BASE + 2 * M + 1);
    assert_int_equal(partition_times(fixture->partition).stream_ms, BASE + 1);
    assert_int_equal(partition_times(fixture->partition).log_ms, BASE - 10 * M); /* not its */
    partition_tick(fixture->partition, BASE + 3 * M);
    assert_int_equal(partition_times(fixture->partition).stream_ms, BASE + M);
    partition_tick(fixture->partition, BASE + M); /* it never goes back */
    assert_int_equal(partition_times(fixture->partition).stream_ms, BASE + M);

    /* A record moves both, even when it is rejected. */
    partition_record(fixture->partition, 7, BASE + 10 * M);
    assert_int_equal(partition_times(fixture->partition).stream_ms, BASE + 8 * M);
    assert_int_equal(partition_times(fixture->partition).log_ms, BASE + 8 * M);
    assert_int_equal(partition_times(fixture->partition).record_max_ms, BASE + 10 * M);

    /* One without a timestamp moves nothing. */
    partition_record(fixture->partition, 8, -1);
    assert_int_equal(partition_times(fixture->partition).record_max_ms, BASE + 10 * M);
}

/* A producer whose clock is ahead is cut to its record. */
static void
test_event_ahead_of_record(void **state)
{
    struct fixture *fixture = *state;

    late_event(fixture, "ana", BASE + 4 * M, BASE);
    assert_int_equal(partition_times(fixture->partition).stream_ms, BASE);
}

/* A silence of a thousand years is no loop over its minutes, be a review open or not. */
static void
test_long_silence(void **state)
{
    struct fixture *fixture = *state;
    const struct partition_changes *changes = NULL;

    for (int i = 0; i < 100; i++) {
        event(fixture, "ana", 2, BASE);
    }
    partition_settle(fixture->partition);
    event(fixture, "ben", 1, BASE + 365000 * DAY);
    assert_true(partition_metrics(fixture->partition)->closes <= 61);
    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->publication_count, 1);
    assert_int_equal(changes->publications[0].packet.reason, REASON_NO_TRAFFIC);
    assert_int_equal(changes->publications[0].packet.window_end_ms, BASE + 61 * M);
    assert_int_equal(changes->forgotten_series_count, 1);
    assert_int_equal(changes->forgotten_group_count, 1);
    assert_int_equal(changes->minutes_dropped_to - changes->minutes_dropped_from, 60);
    assert_int_equal(changes->half_hours_dropped_to - changes->half_hours_dropped_from, 51);
    assert_int_equal(changes->review_count, 0); /* that group is gone */
}

/* ---- what a batch changed -------------------------------------------------------------------- */

static void
test_changes(void **state)
{
    struct fixture *fixture = *state;
    const struct partition_changes *changes = NULL;

    event(fixture, "ana", 1, BASE);
    event(fixture, "ana", 1, BASE + M);
    late_event(fixture, "ana", BASE, BASE + M);
    assert_int_equal(partition_update_count(fixture->partition), 2 + 2); /* a series, a group */
    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->minute_count, 2);
    assert_int_equal(changes->minutes[0].slot, minute_of(BASE));
    assert_int_equal(changes->minutes[1].slot, minute_of(BASE) + 1);
    assert_int_equal(changes->half_hour_count, 0); /* young */
    assert_int_equal(changes->series_count, 1);
    assert_int_equal(changes->group_count, 1);
    assert_null(changes->groups[0].dimensions[DIM_WORKLOAD].data);
    assert_true(span_equal(changes->groups[0].dimensions[DIM_BUCKET], span_of("b1")));
    partition_settle(fixture->partition);
    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->minute_count + changes->half_hour_count, 0);
    assert_int_equal(changes->series_count + changes->group_count, 0);

    event(fixture, "ana", 1, BASE + M);
    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->minute_count, 1);
    assert_int_equal(changes->series_count, 0);
}

static size_t
half_hours_stored(struct fixture *fixture, int64_t half_hour)
{
    const struct partition_changes *changes = partition_changes(fixture->partition);
    size_t count = 0;

    for (size_t i = 0; i < changes->half_hour_count; i++) {
        assert_true(changes->half_hours[i].packed.size > 2);
        count += changes->half_hours[i].slot == half_hour;
    }
    assert_int_equal(count, changes->half_hour_count);
    partition_settle(fixture->partition);
    return count;
}

/* A half-hour that follows from minutes is stored once, when it does so no more or another begins.
 */
static void
test_young_half_hours(void **state)
{
    struct fixture *fixture = *state;
    const int64_t h = half_hour_of(BASE);

    event(fixture, "ana", 1, BASE);
    event(fixture, "ben", 1, BASE + 1 * M);
    assert_int_equal(half_hours_stored(fixture, h), 0);
    event(fixture, "ana", 1, BASE + 30 * M);
    assert_int_equal(half_hours_stored(fixture, h), 1); /* ana has begun another one */
    event(fixture, "ana", 1, BASE + 31 * M);
    late_event(fixture, "ben", BASE + 29 * M, BASE + 31 * M);
    assert_int_equal(half_hours_stored(fixture, h), 0);
    late_event(fixture, "ana", BASE + 28 * M, BASE + 31 * M);
    assert_int_equal(half_hours_stored(fixture, h), 1); /* it is not her newest */
    event(fixture, "eve", 1, BASE + 60 * M - 1);
    assert_int_equal(half_hours_stored(fixture, h), 0);
    event(fixture, "eve", 1, BASE + 60 * M);
    /* ben's has grown up in silence, and eve has begun another one. */
    assert_int_equal(partition_changes(fixture->partition)->half_hour_count, 2);
    assert_int_equal(partition_changes(fixture->partition)->half_hours[0].slot, h);
    partition_settle(fixture->partition);
    late_event(fixture, "ben", BASE + 2 * M, BASE + 60 * M);
    assert_int_equal(half_hours_stored(fixture, h), 1); /* each change, from now on */
    late_event(fixture, "zoe", BASE - 2 * DAY, BASE + 60 * M);
    assert_int_equal(half_hours_stored(fixture, h + 2), 1); /* too late: in no minute */
}

/* What came up and went within one batch was never stored: nothing is said of it. */
static void
test_forgotten_within_a_batch(void **state)
{
    struct fixture *fixture = *state;
    const struct partition_changes *changes = NULL;

    event(fixture, "ana", 1, BASE);
    event(fixture, "ben", 1, BASE + 3 * DAY);
    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->minute_count, 1);
    assert_int_equal(changes->half_hour_count, 0);
    assert_int_equal(changes->series_count, 1);
    assert_int_equal(changes->group_count, 1);
    assert_int_equal(changes->series[0].number, 1);
    assert_int_equal(changes->next_series, 2); /* numbers are never used again */
    assert_int_equal(changes->forgotten_series_count, 0);
    assert_int_equal(changes->forgotten_group_count, 0);
    assert_int_equal(changes->minutes_dropped_to - changes->minutes_dropped_from, 0);
}

static void
test_shadow_publishes_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct partition_changes *changes = NULL;

    fixture->rule.shadow = true;
    for (int i = 0; i < 100; i++) {
        event(fixture, "ana", 2, BASE);
    }
    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->publication_count, 0);
    assert_int_equal(changes->review_count, 1);
    assert_int_equal(changes->reviews[0].review->state, REVIEW_OPEN);
}

static void
test_quiet(void **state)
{
    struct fixture *fixture = *state;

    partition_set_quiet(fixture->partition, 79);
    for (int i = 0; i < 80; i++) {
        event(fixture, "ana", 2, BASE);
        partition_tick(fixture->partition, BASE + 10 * M);
    }
    assert_int_equal(partition_metrics(fixture->partition)->evaluations, 0);
    assert_int_equal(partition_quiet(fixture->partition), 79);
    event(fixture, "ana", 2, BASE + 8 * M);
    assert_int_equal(partition_metrics(fixture->partition)->evaluations, 1);
    assert_int_equal(partition_quiet(fixture->partition), -1);
    assert_int_equal(partition_changes(fixture->partition)->publication_count, 1);
}

/* An open review keeps its group until it becomes clear, even when all its slots have left; but it
 * is not live, so the limits do not count with it. */
static void
test_open_review_outlives_slots(void **state)
{
    struct fixture *fixture = *state;
    const struct partition_changes *changes = NULL;
    struct outcome outcome = outcome_of("ana", "w", 1);

    fixture->limits.series_per_owner = 1;
    start(fixture);
    for (int i = 0; i < 100; i++) {
        event(fixture, "ana", 2, BASE);
    }
    partition_settle(fixture->partition);
    partition_set_quiet(fixture->partition, fixture->offset + 1);
    outcome.dimensions[DIM_ENVIRONMENT] = span_of("test");
    count_at(fixture, &outcome, BASE + 3 * DAY, BASE + 3 * DAY);
    outcome = outcome_of("ana", "w", 1); /* over the limit, and its group has no slot */
    count_at(fixture, &outcome, BASE + 3 * DAY, BASE + 3 * DAY);
    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->forgotten_series_count, 1);
    assert_int_equal(changes->forgotten_group_count, 0);
    assert_int_equal(changes->series_count, 2);
    assert_true(span_equal(changes->series[1].dimensions[DIM_ENVIRONMENT], span_of(DIM_OTHER)));
    partition_settle(fixture->partition);

    event(fixture, "ben", 1, BASE + 3 * DAY + M); /* no longer quiet: a minute closes */
    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->publication_count, 1);
    assert_int_equal(changes->publications[0].packet.reason, REASON_NO_TRAFFIC);
    assert_int_equal(changes->forgotten_group_count, 1);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void
test_series_limit(void **state)
{
    struct fixture *fixture = *state;
    const struct partition_changes *changes = NULL;
    struct outcome outcome = outcome_of("ana", "w1", 1);

    fixture->limits.series_per_owner = 1;
    start(fixture);
    count_at(fixture, &outcome, BASE, BASE);
    outcome.dimensions[DIM_WORKLOAD] = span_of("w2"); /* its group is live */
    count_at(fixture, &outcome, BASE, BASE);
    outcome.dimensions[DIM_ENVIRONMENT] = span_of("test"); /* and this one is not */
    count_at(fixture, &outcome, BASE, BASE);
    outcome.dimensions[DIM_WORKLOAD] = span_of("w1"); /* a live one has its place */
    outcome.dimensions[DIM_ENVIRONMENT] = span_of("prod");
    count_at(fixture, &outcome, BASE, BASE);
    assert_int_equal(partition_metrics(fixture->partition)->over_limit, 2);

    changes = partition_changes(fixture->partition);
    assert_int_equal(changes->series_count, 3);
    assert_true(span_equal(changes->series[1].dimensions[DIM_WORKLOAD], span_of(DIM_OTHER)));
    assert_true(span_equal(changes->series[1].dimensions[DIM_CLASS], span_of(DIM_OTHER)));
    assert_true(span_equal(changes->series[1].dimensions[DIM_ENVIRONMENT], span_of("prod")));
    assert_true(span_equal(changes->series[2].dimensions[DIM_OWNER], span_of("ana")));
    assert_true(span_equal(changes->series[2].dimensions[DIM_ENVIRONMENT], span_of(DIM_OTHER)));
    assert_true(span_equal(changes->series[2].dimensions[DIM_BUCKET], span_of(DIM_OTHER)));
}

static void
test_owner_limit(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view;

    fixture->limits.owners_per_partition = 1;
    start(fixture);
    event(fixture, "ana", 1, BASE);
    event(fixture, "ben", 1, BASE);
    event(fixture, "cat", 1, BASE);
    assert_true(look(fixture, DIM_OTHER, &view));
    assert_int_equal(view.totals[VIEW_24H][COUNT_ATTEMPTS], 2);
    assert_int_equal(view.bucket_count, 1);
    assert_true(span_equal(view.buckets[0].bucket, span_of(DIM_OTHER)));

    /* A day and a half later there is room again. */
    event(fixture, "ben", 1, BASE + DAY * 3 / 2);
    assert_true(look(fixture, "ben", &view));
}

static void
test_strings(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view;
    char longest[258];

    memset(longest, 'x', sizeof(longest));
    longest[257] = '\0';
    event(fixture, longest, 1, BASE); /* 257 bytes */
    assert_true(look(fixture, DIM_OTHER, &view));
    longest[256] = '\0';
    event(fixture, longest, 1, BASE);
    assert_true(look(fixture, longest, &view));
    event(fixture, "", 1, BASE);
    assert_true(look(fixture, DIM_MISSING, &view));
    assert_int_equal(partition_metrics(fixture->partition)->over_limit, 1);
}

/* ---- views ----------------------------------------------------------------------------------- */

static void
test_views_are_due(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view;
    bool forgotten = false;
    int gone = 0;

    event(fixture, "ana", 2, BASE);
    assert_true(look(fixture, "ana", &view));
    assert_int_equal(view.last_event_ms, BASE);
    assert_int_equal(view.minute_attempts[59], 1);
    assert_int_equal(view.minute_retries[59], 1);
    assert_int_equal(view.first_minute, minute_of(BASE) - 59);
    assert_false(look(fixture, "ana", &view)); /* nothing new */

    /* Once a minute of T while its windows hold something. */
    partition_tick(fixture->partition, BASE + 3 * M);
    assert_true(look(fixture, "ana", &view));
    assert_int_equal(view.as_of_ms, BASE + M);
    assert_int_equal(view.minute_attempts[58], 1);
    partition_tick(fixture->partition, BASE + 3 * M + 1);
    assert_false(look(fixture, "ana", &view));

    /* Once as empty, and then no more. */
    partition_tick(fixture->partition, BASE + 25 * 60 * M);
    assert_true(look(fixture, "ana", &view));
    assert_int_equal(view.totals[VIEW_24H][COUNT_ATTEMPTS], 0);
    partition_tick(fixture->partition, BASE + 30 * 60 * M);
    assert_false(look(fixture, "ana", &view));

    /* When the log has passed it, its views go. */
    event(fixture, "ben", 1, BASE + 30 * 60 * M);
    partition_settle(fixture->partition);
    for (int i = 0; i < 2; i++) { /* whose turn it is does not matter here */
        assert_true(partition_next_view(fixture->partition, &fixture->arena, &view, &forgotten));
        assert_true(span_equal(view.owner, span_of(forgotten ? "ana" : "ben")));
        gone += forgotten;
    }
    assert_int_equal(gone, 1);
    assert_false(partition_next_view(fixture->partition, &fixture->arena, &view, &forgotten));
}

static void
test_views_that_were_lost(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view;

    event(fixture, "ana", 1, BASE);
    partition_tick(fixture->partition, BASE + 25 * 60 * M);
    assert_true(look(fixture, "ana", &view)); /* all zero: never due again */
    event(fixture, "ben", 1, BASE + 25 * 60 * M);
    assert_true(look(fixture, "ben", &view));
    assert_false(look(fixture, "ben", &view));

    partition_views_lost(fixture->partition);
    assert_true(look(fixture, "ana", &view));
    partition_views_lost(fixture->partition);
    assert_true(look(fixture, "ben", &view));
    assert_int_equal(view.totals[VIEW_24H][COUNT_ATTEMPTS], 1);
    assert_false(look(fixture, "ben", &view));
}

/* ---- restoring ------------------------------------------------------------------------------- */

static void
test_restore_refuses(void **state)
{
    struct fixture *fixture = *state;
    const struct partition_times times = {BASE, BASE, BASE};
    const uint8_t bad[] = {9, 1, 1};
    struct span series[DIM_COUNT];
    struct span group[DIM_COUNT] = {[DIM_OWNER] = span_of("ana"),
            [DIM_ENVIRONMENT] = span_of("prod"),
            [DIM_BUCKET] = span_of("b1")};
    struct partition *partition = fixture->partition;
    struct error error;
    struct review review;
    struct evidence evidence;

    memcpy(series, outcome_of("ana", "w", 1).dimensions, sizeof(series));
    partition_restore_times(partition, times, 5, 5, 0);
    assert_int_equal(partition_restore_series(partition, 1, series, &error), STATUS_REFUSED);
    assert_int_equal(partition_restore_group(partition, 1, series, &error), STATUS_REFUSED);
    assert_int_equal(partition_restore_group(partition, 5, group, &error), STATUS_REFUSED);
    assert_int_equal(partition_restore_group(partition, 1, group, &error), STATUS_OK);
    assert_int_equal(partition_restore_group(partition, 2, group, &error), STATUS_REFUSED);
    assert_int_equal(partition_restore_series(partition, 1, group, &error), STATUS_REFUSED);
    assert_int_equal(partition_restore_series(partition, 1, series, &error), STATUS_OK);
    assert_int_equal(partition_restore_series(partition, 2, series, &error), STATUS_REFUSED);
    assert_int_equal(
            partition_restore_minute(partition, minute_of(BASE), 1, (struct span){bad, 3}, &error),
            STATUS_REFUSED);
    assert_int_equal(partition_restore_half_hour(
                             partition, half_hour_of(BASE), 1, (struct span){bad, 3}, &error),
            STATUS_REFUSED);
    review_init(&review);
    evidence_init(&evidence);
    assert_int_equal(
            partition_restore_review(partition, 3, &review, &evidence, &error), STATUS_REFUSED);
    assert_int_equal(partition_restore_end(partition, &error), STATUS_OK);
    /* What had no slot is forgotten, and to be deleted. */
    assert_int_equal(partition_changes(partition)->forgotten_series_count, 1);
    assert_int_equal(partition_changes(partition)->forgotten_group_count, 1);
}

/* A slot of a number that is not stored is told by a later call, at the latest by the end. */
static void
test_restore_refuses_numbers(void **state)
{
    const struct partition_times times = {BASE, BASE, BASE};
    const uint8_t bytes[] = {1, 1, 1};
    const struct span packed = {bytes, sizeof(bytes)};

    for (int minutes = 0; minutes <= 1; minutes++) {
        for (int count = 1; count < 300; count += 43) {
            struct fixture *fixture = *state;
            enum status status = STATUS_OK;
            struct error error = {0};

            start(fixture);

            struct partition *partition = fixture->partition;

            partition_restore_times(partition, times, 5, 5, 0);
            for (int i = 0; i < count && status == STATUS_OK; i++) {
                status = minutes ? partition_restore_minute(
                                           partition, minute_of(BASE), 2, packed, &error)
                                 : partition_restore_half_hour(
                                           partition, half_hour_of(BASE) - 2, 2, packed, &error);
            }
            if (status == STATUS_OK) {
                status = partition_restore_end(partition, &error);
            }
            assert_int_equal(status, STATUS_REFUSED);
            assert_non_null(strstr(error.text, minutes ? "names series 2" : "names group 2"));
        }
    }
}

static void
test_live_slots(void **state)
{
    int64_t minute_from, minute_to, half_hour_from, half_hour_to;
    struct partition_times times = {BASE, TIME_NULL, BASE};

    (void)state;
    partition_live_slots(times, &minute_from, &minute_to, &half_hour_from, &half_hour_to);
    assert_true(minute_to < minute_from && half_hour_to < half_hour_from);
    times.log_ms = BASE;
    partition_live_slots(times, &minute_from, &minute_to, &half_hour_from, &half_hour_to);
    assert_int_equal(minute_to, minute_of(BASE));
    assert_int_equal(minute_to - minute_from, 59);
    assert_int_equal(half_hour_to, half_hour_of(BASE));
    assert_int_equal(half_hour_to - half_hour_from, 50);
    times.log_ms = 5 * M;
    partition_live_slots(times, &minute_from, &minute_to, &half_hour_from, &half_hour_to);
    assert_int_equal(minute_from, 0);
    assert_int_equal(half_hour_from, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_windows_end),
            TEST(test_late),
            TEST(test_baseline_edges),
            TEST(test_idle),
            TEST(test_event_ahead_of_record),
            TEST(test_long_silence),
            TEST(test_changes),
            TEST(test_young_half_hours),
            TEST(test_forgotten_within_a_batch),
            TEST(test_shadow_publishes_nothing),
            TEST(test_quiet),
            TEST(test_open_review_outlives_slots),
            TEST(test_series_limit),
            TEST(test_owner_limit),
            TEST(test_strings),
            TEST(test_views_are_due),
            TEST(test_views_that_were_lost),
            TEST(test_restore_refuses),
            TEST(test_restore_refuses_numbers),
            TEST(test_live_slots),
    };

    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
