/* test_nearest.c - which known word somebody meant.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/nearest.h"
#include "tests/support/rows.h"

static const struct row {
    const char *name; /* the word written */
    const char *want; /* NULL: nothing is near */
} rows[] = {
        {"group", "group"},
        {"gruop", "group"},
        {"grop", "group"},
        {"groups", "group"},
        {"check-confg", "check-config"},
        {"cehck-config", "check-config"},
        {"owner", "owner"},
        {"ownerss", "owners"},
        {"onwers", "owners"},
        {"", NULL},
        {"zzzzz", NULL},
        {"a word that is much longer than any of those that are known to the program", NULL},
};

static void
test_nearest(void **state)
{
    static const char *const known[] = {"group", "owner", "owners", "check-config", "run"};
    const struct row *row = *state;
    struct nearest nearest = {.word = row->name};

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        nearest_offer(&nearest, known[i]);
    }
    if (row->want == NULL) {
        assert_null(nearest.found);
    } else {
        assert_non_null(nearest.found);
        assert_string_equal(nearest.found, row->want);
    }
}

int
main(void)
{
    struct CMUnitTest tests[32];
    size_t count = 0;

    ADD_ROWS(tests, count, rows, test_nearest);
    return _cmocka_run_group_tests("nearest", tests, count, NULL, NULL);
}
