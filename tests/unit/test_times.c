/* test_times.c - dates and times as text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/times.h"

#include "tests/support/rows.h"

static const struct time_row {
    const char *name; /* the text */
    int64_t want_ms;
} times[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01 00:00:00Z", 0},
        {"1969-12-31T23:59:59.999Z", -1},
        {"2026-09-22T13:33:20Z", INT64_C(1790084000000)},
        {"2026-09-22T13:33:20.1Z", INT64_C(1790084000100)},
        {"2026-09-22T13:33:20.0019999Z", INT64_C(1790084000001)},
        {"2026-09-22T15:33:20+02:00", INT64_C(1790084000000)},
        {"2026-09-22T08:03:20-05:30", INT64_C(1790084000000)},
        {"2026-09-22T13:33:20-00:00", INT64_C(1790084000000)},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000)},
};

static const struct bad_row {
    const char *name; /* the text */
} bad_times[] = {
        {""},
        {"2026-09-22"},
        {"2026-09-22T13:33:20"},
        {"2026-09-22T13:33Z"},
        {"2026-09-22T13:33:20.Z"},
        {"2026-09-22T13:33:20,5Z"},
        {"2026-09-22T24:00:00Z"},
        {"2026-09-22T13:60:00Z"},
        {"2026-09-22T13:33:61Z"},
        {"2026-09-22T13:33:20+24:00"},
        {"2026-09-22T13:33:20+0200"},
        {"2026-09-22T13:33:20+02"},
        {"2026-09-22T13:33:20Z "},
        {"2026-13-01T00:00:00Z"},
        {"2026-00-01T00:00:00Z"},
        {"2026-02-29T00:00:00Z"},
        {"1900-02-29T00:00:00Z"},
        {"2026-04-31T00:00:00Z"},
        {"+2026-09-22T13:33:20Z"},
        {"26-09-22T13:33:20Z"},
        {"2026-9-22T13:33:20Z"},
};

static void
test_time(void **state)
{
    const struct time_row *row = *state;
    int64_t time_ms = 0;

    assert_true(time_parse(span_of(row->name), &time_ms));
    assert_true(time_ms == row->want_ms);
}

static void
test_bad_time(void **state)
{
    const struct bad_row *row = *state;
    int64_t time_ms = 77;

    assert_false(time_parse(span_of(row->name), &time_ms));
    assert_int_equal(time_ms, 77);
}

/* Every day of the calendar follows the one before. */
static void
test_dates(void **state)
{
    int32_t before = -719529;

    (void)state;
    for (int year = 0; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= 31; day++) {
                char text[32];
                char again[DATE_TEXT_SIZE];
                int32_t days = 0;

                snprintf(text, sizeof(text), "%04d-%02d-%02d", year, month, day);
                if (date_parse(span_of(text), &days)) {
                    assert_int_equal(days, before + 1);
                    date_format(days, again);
                    assert_string_equal(again, text);
                    before = days;
                } else {
                    assert_true(day > 28);
                }
            }
        }
    }
    assert_int_equal(before, 2932896);
}

static void
test_dates_beyond_the_calendar(void **state)
{
    char text[DATE_TEXT_SIZE];

    (void)state;
    date_format(INT32_MIN, text);
    assert_string_equal(text, "0000-01-01");
    date_format(INT32_MAX, text);
    assert_string_equal(text, "9999-12-31");
}

static void
test_time_is_written_as_it_is_read(void **state)
{
    static const struct {
        int64_t time_ms;
        const char *want;
    } rows[] = {
            {0, "1970-01-01T00:00:00Z"},
            {-1, "1969-12-31T23:59:59.999Z"},
            {INT64_C(1790084000001), "2026-09-22T13:33:20.001Z"},
            {INT64_C(1790084000100), "2026-09-22T13:33:20.100Z"},
            {INT64_C(253402300799000), "9999-12-31T23:59:59Z"},
            {INT64_C(253402300800000), "9999-12-31T00:00:00Z"},
            {INT64_MAX, "9999-12-31T00:00:00Z"},
            {INT64_MIN, "0000-01-01T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[TIME_TEXT_SIZE];

        time_format(rows[i].time_ms, text);
        assert_string_equal(text, rows[i].want);
    }
}

static void
test_null(void **state)
{
    int64_t time_ms = 77;
    int32_t days = 77;

    (void)state;
    assert_false(time_parse(SPAN_NULL, &time_ms));
    assert_false(date_parse(SPAN_NULL, &days));
    assert_int_equal(time_ms, 77);
    assert_int_equal(days, 77);
}

int
main(void)
{
    struct CMUnitTest tests[64] = {0}; /* rows without a function do not count */
    size_t count = 0;

    ADD_ROWS(tests, count, times, test_time);
    ADD_ROWS(tests, count, bad_times, test_bad_time);
    ADD_TEST(tests, count, test_null);
    ADD_TEST(tests, count, test_dates);
    ADD_TEST(tests, count, test_time_is_written_as_it_is_read);
    ADD_TEST(tests, count, test_dates_beyond_the_calendar);
    return cmocka_run_group_tests_name("times", tests, NULL, NULL);
}
