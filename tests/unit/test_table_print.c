/* test_table_print.c - tables for people, character by character.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/table_print.h"

#include "tests/support/rows.h"

#include <stdlib.h>

static const struct table_print_column columns[] = {
        {"NAME", false}, {"COUNT", true}, {"NOTE", false}};

/* What the table prints; to be given to free(). */
static char *
printed(struct table_print *table, bool colour)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    table_print_to(table, colour, out);
    fclose(out);
    table_print_destroy(table);
    return text;
}

static void
test_columns_are_as_wide_as_what_they_hold(void **state)
{
    struct table_print *table = table_print_new(columns, COUNT_OF(columns));
    char *text;

    (void)state;
    table_print_text(table, span_of("équipe"));
    table_print_format(table, "%d", 7);
    table_print_text(table, span_of("x"));
    table_print_text(table, span_of(""));
    table_print_format(table, "%d", 1234567);
    table_print_text(table, span_of("longer"));
    text = printed(table, false);
    assert_string_equal(text, "NAME      COUNT  NOTE\n"
                              "équipe        7  x\n"
                              "        1234567  longer\n");
    free(text);
}

static void
test_titles_alone(void **state)
{
    char *text = printed(table_print_new(columns, COUNT_OF(columns)), false);

    (void)state;
    assert_string_equal(text, "NAME  COUNT  NOTE\n");
    free(text);
}

static void
test_only_titles_are_bold(void **state)
{
    struct table_print *table = table_print_new(columns, 1);
    char *text;

    (void)state;
    table_print_text(table, span_of("ana"));
    text = printed(table, true);
    assert_string_equal(text, "\033[1mNAME\033[0m\nana\n");
    free(text);
}

static void
test_text_of_others_is_harmless(void **state)
{
    struct table_print *table = table_print_new(columns, 1);
    char *text;

    (void)state;
    table_print_text(table, span_of("a\033]0;evil\007\nb"));
    text = printed(table, false);
    assert_string_equal(text, "NAME\na?]0;evil??b\n");
    free(text);
}

static void
test_long_names_are_cut(void **state)
{
    struct table_print *table = table_print_new(columns, 1);
    struct buffer name = {0};
    struct buffer want = {0};
    char *text;

    (void)state;
    buffer_put_text(&want, "NAME\n");
    for (int i = 0; i < 60; i++) {
        buffer_put_text(&name, "é");
        buffer_put_text(&want, "é");
    }
    table_print_text(table, buffer_span(&name)); /* just fits */
    buffer_put_text(&name, "é");
    table_print_text(table, buffer_span(&name));
    buffer_put_text(&want, "\n");
    for (int i = 0; i < 59; i++) {
        buffer_put_text(&want, "é");
    }
    buffer_put(&want, "…\n", sizeof("…\n"));
    text = printed(table, false);
    assert_string_equal(text, (const char *)want.data);
    free(text);
    buffer_fini(&name);
    buffer_fini(&want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_columns_are_as_wide_as_what_they_hold),
            cmocka_unit_test(test_titles_alone),
            cmocka_unit_test(test_only_titles_are_bold),
            cmocka_unit_test(test_text_of_others_is_harmless),
            cmocka_unit_test(test_long_names_are_cut),
    };

    return cmocka_run_group_tests_name("table_print", tests, NULL, NULL);
}
