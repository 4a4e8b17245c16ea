/* test_rebuild_compare.c - two states of the same log: what differs is found, and nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/rebuild_compare.h"

#include "tests/support/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BASE (INT64_C(20000) * DAY)

struct fixture {
    struct decisions *decisions;
    struct limits limits;
    struct rule rule;
    struct partition *states[2]; /* old, new */
    struct rebuild_compare *compare;
};

static int
setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->limits = fold_limits;
    fixture->rule = default_rule();
    fixture->decisions = decisions_new();
    for (int i = 0; i < 2; i++) {
        const struct partition_options options =
                fold_options(&fixture->rule, &fixture->limits, fixture->decisions);

        fixture->states[i] = partition_new(&options);
    }
    fixture->compare = rebuild_compare_new();
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fixture = *state;

    rebuild_compare_destroy(fixture->compare);
    partition_destroy(fixture->states[0]);
    partition_destroy(fixture->states[1]);
    decisions_destroy(fixture->decisions);
    free(fixture);
    return 0;
}

static void
count(struct partition *partition, const char *owner, int32_t attempt, int64_t time_ms)
{
    struct outcome outcome;

    outcome_init(&outcome);
    outcome.event_time_ms = time_ms;
    outcome.dimensions[DIM_OWNER] = span_of(owner);
    outcome.dimensions[DIM_ENVIRONMENT] = span_of("prod");
    outcome.dimensions[DIM_BUCKET] = span_of("b1");
    outcome.attempt_number = attempt;
    partition_record(partition, 0, time_ms);
    partition_count(partition, &outcome);
}

static json_t *
report(struct fixture *fixture)
{
    rebuild_compare_add(fixture->compare, 3, fixture->states[0], fixture->states[1]);
    return rebuild_compare_report(fixture->compare);
}

static json_int_t
number(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static const json_t *
difference(const json_t *json, const char *owner, const char *counter)
{
    const json_t *all = json_object_get(json, "differences");

    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);

        if (strcmp(json_string_value(json_object_get(one, "owner")), owner) == 0 &&
                strcmp(json_string_value(json_object_get(one, "counter")), counter) == 0) {
            return one;
        }
    }
    return NULL;
}

static void
test_same(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        count(fixture->states[i], "ana", 1, BASE);
        count(fixture->states[i], "bo", 2, BASE + SECOND);
    }

    json_t *json = report(fixture);

    assert_int_equal(number(json, "owners"), 2);
    assert_int_equal(number(json, "owners_different"), 0);
    assert_int_equal(json_array_size(json_object_get(json, "differences")), 0);
    json_decref(json);
}

/* Ticks have moved T of the one and not of the other: that is no difference of counters. */
static void
test_other_time(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        count(fixture->states[i], "ana", 1, BASE);
    }
    partition_tick(fixture->states[0], BASE + 30 * MINUTE);

    json_t *json = report(fixture);

    assert_int_equal(number(json, "owners_different"), 0);
    json_decref(json);
}

static void
test_different(void **state)
{
    struct fixture *fixture = *state;
    const json_t *one;

    for (int i = 0; i < 2; i++) {
        count(fixture->states[i], "ana", 1, BASE);
        count(fixture->states[i], "bo", 1, BASE);
    }
    count(fixture->states[0], "ana", 2, BASE);

    json_t *json = report(fixture);

    assert_int_equal(number(json, "owners"), 2);
    assert_int_equal(number(json, "owners_different"), 1);
    one = difference(json, "ana", "60m:retries");
    assert_non_null(one);
    assert_int_equal(number(one, "old"), 1);
    assert_int_equal(number(one, "new"), 0);
    assert_non_null(difference(json, "ana", "24h:attempts"));
    assert_null(difference(json, "bo", "24h:attempts"));
    json_decref(json);
}

static void
note_gone(void *context, int32_t partition, struct span owner)
{
    int *count_of_gone = context;

    assert_int_equal(partition, 3);
    assert_true(span_equal(owner, span_of("old")) || span_equal(owner, span_of(DIM_MISSING)));
    *count_of_gone += 1;
}

/* Who is on one side alone differs; who is on the old side alone is gone. */
static void
test_one_side(void **state)
{
    struct fixture *fixture = *state;
    int gone = 0;

    count(fixture->states[0], "old", 1, BASE);
    count(fixture->states[0], "", 1, BASE);
    count(fixture->states[1], "new", 1, BASE);

    json_t *json = report(fixture);

    assert_int_equal(number(json, "owners"), 3);
    assert_int_equal(number(json, "owners_different"), 3);
    assert_int_equal(number(difference(json, "old", "24h:attempts"), "new"), 0);
    assert_int_equal(number(difference(json, "new", "24h:attempts"), "old"), 0);
    assert_non_null(difference(json, "_MISSING@3", "24h:attempts"));
    rebuild_compare_gone(fixture->compare, note_gone, &gone);
    assert_int_equal(gone, 2);
    json_decref(json);
}

static void
test_nothing(void **state)
{
    json_t *json = report(*state);

    assert_int_equal(number(json, "owners"), 0);
    json_decref(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_same, setup, teardown),
            cmocka_unit_test_setup_teardown(test_other_time, setup, teardown),
            cmocka_unit_test_setup_teardown(test_different, setup, teardown),
            cmocka_unit_test_setup_teardown(test_one_side, setup, teardown),
            cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
    };

    return cmocka_run_group_tests_name("rebuild_compare", tests, NULL, NULL);
}
