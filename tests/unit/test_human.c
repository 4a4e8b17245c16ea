/* test_human.c - what people read: counts, shares, times, harmless text, bars and charts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/human.h"

#include "aggregator/outcome.h"
#include "tests/support/rows.h"

#include <stdlib.h>

static const struct {
    const char *name;
    struct human (*function)(int64_t value);
    int64_t value;
    const char *want;
} numbers[] = {
        {"count: nothing", human_count, 0, "0"},
        {"count: three digits", human_count, 999, "999"},
        {"count: four digits", human_count, 1000, "1,000"},
        {"count: negative, three digits", human_count, -123, "-123"},
        {"count: negative, six digits", human_count, -123456, "-123,456"},
        {"count: largest", human_count, INT64_MAX, "9,223,372,036,854,775,807"},
        {"count: smallest", human_count, INT64_MIN, "-9,223,372,036,854,775,808"},
        {"share: nothing", human_share, 0, "0.0 %"},
        {"share: just below ten", human_share, 999, "9.9 %"},
        {"share: all", human_share, 10000, "100.0 %"},
        {"duration: negative", human_duration, -1, "0 s"},
        {"duration: two minutes less a moment", human_duration, 119999, "119 s"},
        {"duration: two minutes", human_duration, 120000, "2 min"},
        {"duration: two hours less a moment", human_duration, 7199999, "119 min"},
        {"duration: two hours", human_duration, 7200000, "2 h"},
        {"duration: two days less a moment", human_duration, 172799999, "47 h"},
        {"duration: two days", human_duration, 172800000, "2 d"},
        {"time: epoch", human_time, 0, "1970-01-01 00:00 UTC"},
        {"time: before the epoch", human_time, -1, "1969-12-31 23:59 UTC"},
        {"time: in 2026", human_time, INT64_C(1795324957307), "2026-11-22 05:22 UTC"},
        {"time: null", human_time, TIME_NULL, "-"},
        {"time: far away", human_time, INT64_MAX, "9999-12-31 07:12 UTC"},
        {"hour: of a time", human_hour, INT64_C(1795324957307), "05:22"},
};

static void
test_number(void **state)
{
    const __typeof__(numbers[0]) *row = *state;

    assert_string_equal(row->function(row->value).text, row->want);
}

static const struct {
    const char *name;
    const char *text;
    const char *want;
} texts[] = {
        {"text: plain", "team-a/b_c", "team-a/b_c"},
        {"text: letters beyond ASCII", "équipe 漢 😀", "équipe 漢 😀"},
        {"text: a terminal's escape", "a\033[31mb", "a?[31mb"},
        {"text: end of line, tab, delete", "a\r\n\tb\x7f", "a???b?"},
        {"text: C1 control",
                "a\xc2\x9b"
                "31m",
                "a?31m"},
        {"text: no-break space is not a control", "a\xc2\xa0z", "a\xc2\xa0z"},
        {"text: line separator", "a\xe2\x80\xa8z", "a?z"},
        {"text: right-to-left override", "a\xe2\x80\xaez", "a?z"},
        {"text: isolate", "a\xe2\x81\xa6z", "a?z"},
        {"text: bullet is seen", "a\xe2\x80\xa2z", "a\xe2\x80\xa2z"},
        {"text: not UTF-8", "a\xff\xc3z", "a??z"},
};

static void
test_text(void **state)
{
    const __typeof__(texts[0]) *row = *state;
    struct buffer out = {0};

    human_put_text(&out, span_of(row->text));
    buffer_put_byte(&out, '\0');
    assert_string_equal((const char *)out.data, row->want);
    buffer_fini(&out);
}

static void
test_width_counts_characters(void **state)
{
    (void)state;
    assert_int_equal(human_width(span_of("")), 0);
    assert_int_equal(human_width(span_of("abc")), 3);
    assert_int_equal(human_width(span_of("é漢😀")), 3);
}

static const struct {
    const char *name;
    int64_t value, max;
    const char *want;
} bars[] = {
        {"bar: nothing", 0, 10, ""},
        {"bar: negative", -1, 10, ""},
        {"bar: no largest", 1, 0, ""},
        {"bar: a little shows", 1, 1000000, "▏"},
        {"bar: half a character", 1, 8, "▌"},
        {"bar: seven eighths", 7, 32, "▉"},
        {"bar: one", 1, 4, "█"},
        {"bar: one and a quarter", 5, 16, "█▎"},
        {"bar: all", 10, 10, "████"},
        {"bar: more than the largest", 20, 10, "████"},
        {"bar: the largest numbers", INT64_MAX, INT64_MAX, "████"},
};

static void
test_bar(void **state)
{
    const __typeof__(bars[0]) *row = *state;
    struct buffer out = {0};

    human_put_bar(&out, row->value, row->max, 4);
    buffer_put_byte(&out, '\0');
    assert_string_equal((const char *)out.data, row->want);
    buffer_fini(&out);
}

static void
test_chart(void **state)
{
    const int64_t values[] = {0, 1, 8, 16, 12, 0};
    const int64_t nothing[] = {0, 0};
    struct buffer out = {0};

    (void)state;
    human_put_chart(&out, values, COUNT_OF(values), 2, 1);
    human_put_chart(&out, nothing, COUNT_OF(nothing), 1, 1);
    buffer_put_byte(&out, '\0');
    assert_string_equal((const char *)out.data, "    █▄\n  ▁███\n\n");
    buffer_fini(&out);
}

int
main(void)
{
    struct CMUnitTest tests[64];
    size_t count = 0;

    ADD_ROWS(tests, count, numbers, test_number);
    ADD_ROWS(tests, count, texts, test_text);
    ADD_ROWS(tests, count, bars, test_bar);
    ADD_TEST(tests, count, test_width_counts_characters);
    ADD_TEST(tests, count, test_chart);
    return _cmocka_run_group_tests("human", tests, count, NULL, NULL);
}
