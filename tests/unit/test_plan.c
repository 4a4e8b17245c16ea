/* test_plan.c - writer schemas of all kinds, resolved against ours; each row one rule.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decoder.h"
#include "codec/plan.h"
#include "codec/schema.h"
#include "tests/support/outcome_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* A writer with the two fields that an outcome needs, both 1 in every row ("02 02"), and more. */
#define TIME_FIELD "{\"name\":\"event_time\",\"type\":\"long\"}"
#define ATTEMPT_FIELD "{\"name\":\"attempt_number\",\"type\":\"int\"}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"w\",\"fields\":[" fields "]}"
#define WITH(name, type) \
    RECORD(TIME_FIELD "," ATTEMPT_FIELD ",{\"name\":\"" name "\",\"type\":" type "}")
#define LIST_NODE                                         \
    "{\"type\":\"record\",\"name\":\"node\",\"fields\":[" \
    "{\"name\":\"next\",\"type\":[\"null\",\"node\"]}]}"
#define LAYER(symbols) "{\"type\":\"enum\",\"name\":\"x\",\"symbols\":[" symbols "]}"

static const struct row {
    const char *name;
    const char *schema;
    const char *hex;  /* NULL: the schema itself is refused */
    const char *want; /* JSON of the fields to look at; NULL: malformed */
    const char *why;  /* a part of the error's text */
} rows[] = {
#include "tests/unit/plan_rows.inc"
};

static void
check_fields(const struct outcome *outcome, const char *want)
{
    json_t *wanted = json_loads(want, 0, NULL);
    json_t *got = outcome_print(outcome);
    const char *name = NULL;
    json_t *value = NULL;

    assert_non_null(wanted);
    json_object_foreach(wanted, name, value)
    {
        if (!json_equal(value, json_object_get(got, name))) {
            char *text = json_dumps(json_object_get(got, name), JSON_ENCODE_ANY);

            print_error("%s is %s\n", name, text);
            free(text);
            fail();
        }
    }
    json_decref(wanted);
    json_decref(got);
}

static void
check_decode(const struct plan *plan, const struct row *row)
{
    /* Of exactly the size, so that a sanitizer sees a read beyond the end. */
    uint8_t *bytes = malloc(1024);
    const size_t size = hex_read(row->hex, bytes, 1024);
    struct outcome outcome = {.attempt_number = 77};
    struct error error = {0};
    struct arena arena;
    unsigned forbidden = 0;

    bytes = realloc(bytes, size != 0 ? size : 1);
    arena_init(&arena);

    const enum status status =
            plan_decode(plan, (struct span){bytes, size}, &arena, &outcome, &forbidden, &error);

    if (row->want != NULL) {
        assert_string_equal(error.text, "");
        assert_int_equal(status, STATUS_OK);
        check_fields(&outcome, row->want);
    } else {
        assert_int_equal(status, STATUS_MALFORMED);
        assert_int_equal(outcome.attempt_number, 77);
        assert_non_null(strstr(error.text, row->why));
    }
    arena_fini(&arena);
    free(bytes);
}

static void
test_row(void **state)
{
    const struct row *row = *state;
    struct schema *schema = NULL;
    struct plan *plan = NULL;
    struct error error = {0};
    enum status status = schema_new(span_of(row->schema), &schema, &error);

    if (status == STATUS_OK) {
        status = plan_new(schema, &plan, &error);
        if (status != STATUS_OK) {
            schema_destroy(schema);
        }
    }
    if (row->hex == NULL) {
        assert_int_equal(status, STATUS_BAD_SCHEMA);
        if (strstr(error.text, row->why) == NULL) {
            fail_msg("the error is: %s", error.text);
        }
        return;
    }
    assert_string_equal(error.text, "");
    assert_int_equal(status, STATUS_OK);
    check_decode(plan, row);
    plan_destroy(plan);
}

/* Every cut of a sound event is malformed, and so is a byte more. */
static void
test_exact_length(void **state)
{
    static const char schema_text[] = WITH("owner_tag", "[\"null\",\"string\"]");
    const uint8_t whole[] = {0x02, 0x02, 0x02, 0x06, 'a', 'n', 'a', 0x00};
    struct schema *schema = NULL;
    struct plan *plan = NULL;
    struct error error = {0};
    struct outcome outcome;
    unsigned forbidden = 0;

    (void)state;
    assert_int_equal(schema_new(span_of(schema_text), &schema, &error), STATUS_OK);
    assert_int_equal(plan_new(schema, &plan, &error), STATUS_OK);
    for (size_t size = 0; size <= sizeof(whole); size++) {
        uint8_t *bytes = malloc(size != 0 ? size : 1);

        memcpy(bytes, whole, size);

        const enum status status =
                plan_decode(plan, (struct span){bytes, size}, NULL, &outcome, &forbidden, &error);

        assert_int_equal(status, size == sizeof(whole) - 1 ? STATUS_OK : STATUS_MALFORMED);
        free(bytes);
    }
    plan_destroy(plan);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 1] = {cmocka_unit_test(test_exact_length)};

    for (size_t i = 0; i < ROWS; i++) {
        tests[i + 1] = (struct CMUnitTest){
                .name = rows[i].name, .test_func = test_row, .initial_state = (void *)&rows[i]};
    }
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
