/* test_outcome_json.c - which JSON events are read, as what, and which are refused and why.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/outcome_json.h"

#include "codec/buffer.h"
#include "codec/decoder.h"
#include "tests/support/outcome_print.h"
#include "tests/support/rows.h"

#include <stdlib.h>

/* What every event needs. */
#define NEEDED "\"event_time\":1700000000000,\"attempt_number\":1"
#define EVENT(fields) "{" NEEDED "," fields "}"

static const struct good_row {
    const char *name;
    const char *json;
    const char *field; /* NULL: only that it is read */
    const char *want;  /* JSON */
} good[] = {
        {"least event", "{" NEEDED "}", "attempt_number", "1"},
        {"white space around", " \n\t{ " NEEDED " }\r\n ", NULL, NULL},
        {"time in milliseconds", "{" NEEDED "}", "event_time", "1700000000000"},
        {"time as text", "{\"attempt_number\":1,\"event_time\":\"2023-11-14T22:13:20Z\"}",
                "event_time", "1700000000000"},
        {"time with fraction",
                "{\"attempt_number\":1,\"event_time\":\"2023-11-14T22:13:20.123987654Z\"}",
                "event_time", "1700000000123"},
        {"time with offset",
                "{\"attempt_number\":1,\"event_time\":\"2023-11-15T00:13:20.5+02:00\"}",
                "event_time", "1700000000500"},
        {"time before 1970", "{\"attempt_number\":1,\"event_time\":-1}", "event_time", "-1"},
        {"attempt number", "{\"event_time\":0,\"attempt_number\":1000}", "attempt_number", "1000"},
        {"attempt number out of its range", "{\"event_time\":0,\"attempt_number\":-5}",
                "attempt_number", "-5"},
        {"owner", EVENT("\"owner_tag\":\"ana\""), "owner_tag", "\"ana\""},
        {"owner by its alias", EVENT("\"owner_group\":\"ana\""), "owner_tag", "\"ana\""},
        {"owner and alias", EVENT("\"owner_tag\":\"ana\",\"owner_group\":\"bob\""), "owner_tag",
                "\"ana\""},
        {"alias and owner", EVENT("\"owner_group\":\"bob\",\"owner_tag\":\"ana\""), "owner_tag",
                "\"ana\""},
        {"alias and null owner", EVENT("\"owner_group\":\"bob\",\"owner_tag\":null"), "owner_tag",
                "null"},
        {"null owner and alias", EVENT("\"owner_tag\":null,\"owner_group\":\"bob\""), "owner_tag",
                "null"},
        {"absent owner", "{" NEEDED "}", "owner_tag", "null"},
        {"empty owner", EVENT("\"owner_tag\":\"\""), "owner_tag", "\"\""},
        {"escapes", EVENT("\"owner_tag\":\"a\\\"\\\\\\u00e4\\ud83d\\ude80\\n\""), "owner_tag",
                "\"a\\\"\\\\\\u00e4\\ud83d\\ude80\\n\""},
        {"UTF-8", EVENT("\"owner_tag\":\"\xc3\xa4\xf0\x9f\x9a\x80\""), "owner_tag",
                "\"\\u00e4\\ud83d\\ude80\""},
        {"escape in a key", EVENT("\"owner\\u005ftag\":\"ana\""), "owner_tag", "\"ana\""},
        {"last of two", EVENT("\"owner_tag\":\"bob\",\"owner_tag\":\"ana\""), "owner_tag",
                "\"ana\""},
        {"null after a value", EVENT("\"owner_tag\":\"bob\",\"owner_tag\":null"), "owner_tag",
                "null"},
        {"last of two lists",
                EVENT("\"source_urls\":[\"https://h/1\",\"https://h/2\"],"
                      "\"source_urls\":[\"https://h/3\"]"),
                "source_urls", "[\"https://h/3\"]"},
        {"result", EVENT("\"result_category\":\"failure\""), "result_category", "\"failure\""},
        {"result by its alias", EVENT("\"outcome\":\"failure\""), "result_category", "\"failure\""},
        {"unknown result", EVENT("\"result_category\":\"maybe\""), "result_category",
                "\"unknown\""},
        {"absent result", "{" NEEDED "}", "result_category", "\"unknown\""},
        {"unknown layer", EVENT("\"retry_layer\":\"proxy\""), "retry_layer", "\"unknown\""},
        {"symbol in another case", EVENT("\"retry_layer\":\"SDK\""), "retry_layer", "\"unknown\""},
        {"error category", EVENT("\"error_category\":\"quota_exhausted\""), "error_category",
                "\"quota_exhausted\""},
        {"unknown error category", EVENT("\"error_category\":\"weird\""), "error_category",
                "\"other\""},
        {"null error category", EVENT("\"error_category\":null"), "error_category", "null"},
        {"unknown cause", EVENT("\"retry_cause\":\"weird\""), "retry_cause", "\"unknown\""},
        {"retry decision", EVENT("\"retry_decision\":\"hold_for_owner\""), "retry_decision",
                "\"hold_for_owner\""},
        {"null usage source", EVENT("\"usage_source\":null"), "usage_source", "\"reported\""},
        {"tokens", EVENT("\"input_tokens\":12"), "input_tokens", "12"},
        {"no tokens are not 0", EVENT("\"input_tokens\":null"), "input_tokens", "null"},
        {"zero tokens", EVENT("\"input_tokens\":0"), "input_tokens", "0"},
        {"tokens below zero", EVENT("\"input_tokens\":-1"), "input_tokens", "-1"},
        {"largest number", EVENT("\"units\":9223372036854775807"), "units", "9223372036854775807"},
        {"smallest number", EVENT("\"units\":-9223372036854775808"), "units",
                "-9223372036854775808"},
        {"source URLs", EVENT("\"source_urls\":[\"https://u:p@h/a?token=s\",\"https://h/b#c\"]"),
                "source_urls", "[\"https://h/a\",\"https://h/b\"]"},
        {"nine source URLs",
                EVENT("\"source_urls\":[\"h/1\",\"h/2\",\"h/3\",\"h/4\",\"h/5\",\"h/6\",\"h/7\","
                      "\"h/8\",\"h/9\"]"),
                "source_urls", "[\"h/1\",\"h/2\",\"h/3\",\"h/4\",\"h/5\",\"h/6\",\"h/7\",\"h/8\"]"},
        {"source URL that cannot be cut safely", EVENT("\"source_urls\":[\"https://u:p@\"]"),
                "source_urls", "[]"},
        {"pricing date", EVENT("\"pricing_source_checked_at\":\"2023-11-14T22:13:20Z\""),
                "pricing_source_checked_at", "1700000000000"},
        {"unknown fields of every kind",
                EVENT("\"a\":1.5e-3,\"b\":true,\"c\":[1,[null],{}],\"d\":{\"e\":{\"f\":\"\\u0000\"}"
                      "},"
                      "\"g\":\"x\",\"owner_tag\":\"ana\""),
                "owner_tag", "\"ana\""},
        {"unknown number of any size", EVENT("\"a\":1e400,\"b\":123456789012345678901234567890"),
                NULL, NULL},
        {"our name inside a foreign object", EVENT("\"x\":{\"owner_tag\":\"bob\"}"), "owner_tag",
                "null"},
        {"project and product", EVENT("\"project_tag\":\"p\",\"product_tag\":null"), NULL, NULL},
};

static const struct bad_row {
    const char *name;
    const char *json;
    const char *why; /* part of the error */
} bad[] = {
        {"nothing", "", "JSON"},
        {"white space", "  ", "JSON"},
        {"no JSON", "hello", "JSON"},
        {"array", "[{" NEEDED "}]", "JSON"},
        {"number", "12", "JSON"},
        {"null", "null", "JSON"},
        {"Avro frame", "\x01\x02\x03", "JSON"},
        {"object that is cut", "{" NEEDED, "JSON"},
        {"string that is cut", "{" NEEDED ",\"owner_tag\":\"an", "JSON"},
        {"something behind", "{" NEEDED "}x", "JSON"},
        {"second object", "{" NEEDED "}{" NEEDED "}", "JSON"},
        {"comma at the end", "{" NEEDED ",}", "JSON"},
        {"no comma", "{" NEEDED " \"owner_tag\":\"ana\"}", "JSON"},
        {"no colon", EVENT("\"owner_tag\" \"ana\""), "JSON"},
        {"key without quotes", EVENT("owner_tag:\"ana\""), "JSON"},
        {"two values", EVENT("\"owner_tag\":\"ana\" \"bob\""), "JSON"},
        {"not UTF-8", EVENT("\"owner_tag\":\"\xff\""), "UTF"},
        {"not UTF-8 in a foreign field", EVENT("\"x\":\"\xc3\""), "UTF"},
        {"surrogate as bytes", EVENT("\"owner_tag\":\"\xed\xa0\x80\""), "UTF"},
        {"half a surrogate pair", EVENT("\"owner_tag\":\"\\ud83d\""), "JSON"},
        {"control character in a string", EVENT("\"owner_tag\":\"a\nb\""), "JSON"},
        {"unknown escape", EVENT("\"owner_tag\":\"\\x\""), "JSON"},
        {"unknown escape in a foreign field", EVENT("\"x\":\"\\x\""), "JSON"},
        {"escape that is cut in a foreign field", EVENT("\"x\":\"\\u12\""), "JSON"},
        {"foreign value that is none", EVENT("\"x\":nope"), "JSON"},
        {"foreign number with zeros", EVENT("\"x\":007"), "JSON"},
        {"foreign number without digits", EVENT("\"x\":-"), "JSON"},
        {"foreign number that ends in a point", EVENT("\"x\":1."), "JSON"},
        {"foreign number without exponent", EVENT("\"x\":1e"), "JSON"},
        {"wrong brackets in a foreign field", EVENT("\"x\":[1}"), "JSON"},
        {"no event time", "{\"attempt_number\":1}", "event_time is missing"},
        {"null event time", "{\"attempt_number\":1,\"event_time\":null}", "event_time is missing"},
        {"no attempt number", "{\"event_time\":1}", "attempt_number is missing"},
        {"attempt number taken back",
                "{\"event_time\":1,\"attempt_number\":1,\"attempt_number\":null}",
                "attempt_number is missing"},
        {"attempt number as text", "{\"event_time\":1,\"attempt_number\":\"1\"}",
                "attempt_number must be a whole number, but is a string"},
        {"attempt number with fraction", "{\"event_time\":1,\"attempt_number\":1.0}",
                "attempt_number must be a whole number"},
        {"attempt number with exponent", "{\"event_time\":1,\"attempt_number\":1e0}",
                "attempt_number must be a whole number"},
        {"attempt number with zeros", "{\"event_time\":1,\"attempt_number\":01}",
                "attempt_number must be a whole number"},
        {"event time with fraction", "{\"event_time\":1.5,\"attempt_number\":1}",
                "event_time must be epoch milliseconds"},
        {"event time without offset",
                "{\"event_time\":\"2023-11-14T22:13:20\",\"attempt_number\":1}",
                "event_time must be epoch milliseconds or an RFC 3339 time"},
        {"event time as a boolean", "{\"event_time\":true,\"attempt_number\":1}",
                "event_time must be epoch milliseconds or an RFC 3339 time with its offset, but "
                "is a boolean"},
        {"tokens as text", EVENT("\"input_tokens\":\"12\""),
                "input_tokens must be a whole number of at most 64 bits, but is a string"},
        {"tokens of 65 bits", EVENT("\"input_tokens\":9223372036854775808"),
                "input_tokens must be a whole number of at most 64 bits"},
        {"cached tokens as text", EVENT("\"cached_input_tokens\":\"12\""), "cached_input_tokens"},
        {"owner as a number", EVENT("\"owner_tag\":7"), "owner_tag must be a string"},
        {"owner as an object", EVENT("\"owner_tag\":{}"), "owner_tag must be a string"},
        {"project as a number", EVENT("\"project_tag\":7"), "project_tag must be a string"},
        {"layer as a number", EVENT("\"retry_layer\":1"), "retry_layer must be a string"},
        {"value that begins like null", EVENT("\"owner_tag\":nul"), "owner_tag must be a string"},
        {"source URL alone", EVENT("\"source_urls\":\"https://h/a\""),
                "source_urls must be an array of strings"},
        {"source URL that is null", EVENT("\"source_urls\":[null]"),
                "source_urls must be an array of strings"},
};

static struct outcome_json *decoder;
static struct arena arena;

/* Decode a copy of just this size, and free it: nothing may be read past it, nor point into it. */
static enum status
decode(const char *json, struct outcome *outcome, unsigned *forbidden, struct error *error)
{
    const size_t size = strlen(json);
    uint8_t *copy = memory_new(size, 1);

    memcpy(copy, json, size);

    const enum status status = outcome_json_decode(
            decoder, (struct span){copy, size}, &arena, outcome, forbidden, error);

    free(copy);
    return status;
}

static void
test_good(void **state)
{
    const struct good_row *row = *state;
    struct error error = {0};
    struct outcome outcome;
    unsigned forbidden = 0;

    /* Twice: the second time the keys are recognised by their place. */
    for (int i = 0; i < 2; i++) {
        const enum status status = decode(row->json, &outcome, &forbidden, &error);

        assert_string_equal(error.text, "");
        assert_int_equal(status, STATUS_OK);
        if (row->field != NULL) {
            json_t *got = outcome_print(&outcome);
            char *text =
                    json_dumps(json_object_get(got, row->field), JSON_ENCODE_ANY | JSON_COMPACT);
            json_t *want = json_loads(row->want, JSON_DECODE_ANY, NULL);

            if (!json_equal(want, json_object_get(got, row->field))) {
                fail_msg("%s is %s, want %s", row->field, text, row->want);
            }
            free(text);
            json_decref(got);
            json_decref(want);
        }
    }
}

static void
test_bad(void **state)
{
    const struct bad_row *row = *state;
    struct error error = {0};
    struct outcome outcome = {.attempt_number = 77};
    unsigned forbidden = 99;

    assert_int_equal(decode(row->json, &outcome, &forbidden, &error), STATUS_MALFORMED);
    if (strstr(error.text, row->why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.text, row->why);
    }
    assert_int_equal(outcome.attempt_number, 77); /* untouched */
    assert_int_equal(forbidden, 99);
}

static void
test_attempt_number_that_no_int_holds(void **state)
{
    struct error error = {0};
    struct outcome outcome;
    unsigned forbidden = 0;

    (void)state;
    assert_int_equal(decode("{\"event_time\":1,\"attempt_number\":4294967297}", &outcome,
                             &forbidden, &error),
            STATUS_INVALID);
    assert_non_null(strstr(error.text, "attempt_number"));
}

static void
test_forbidden(void **state)
{
    static const struct {
        const char *fields;
        unsigned want;
    } rows[] = {
            {"\"x\":1", 0},
            {"\"prompt\":\"canary\"", 1U << FORBIDDEN_CONTENT},
            {"\"prompt\":null", 0},
            {"\"apiKey\":\"canary\"", 1U << FORBIDDEN_CREDENTIAL},
            {"\"x\":[{\"y\":{\"cost\":1.5}}]", 1U << FORBIDDEN_PRICE},
            {"\"messages\":[{\"authorization\":\"canary\"}],\"cost\":1",
                    1U << FORBIDDEN_CONTENT | 1U << FORBIDDEN_CREDENTIAL | 1U << FORBIDDEN_PRICE},
            {"\"input_tokens\":1,\"budget_bucket\":\"b\"", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char json[256];
        struct outcome outcome;
        unsigned forbidden = 0;

        snprintf(json, sizeof(json), "{" NEEDED ",%s}", rows[i].fields);
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(decode(json, &outcome, &forbidden, NULL), STATUS_OK);
            assert_int_equal(forbidden, rows[i].want);
        }
    }
}

static void
test_error_does_not_quote(void **state)
{
    struct error error = {0};
    struct outcome outcome;
    unsigned forbidden = 0;

    (void)state;
    assert_int_equal(decode(EVENT("\"canary_name\":canary"), &outcome, &forbidden, &error),
            STATUS_MALFORMED);
    assert_null(strstr(error.text, "canary"));
    assert_int_equal(
            decode(EVENT("\"units\":\"canary\""), &outcome, &forbidden, &error), STATUS_MALFORMED);
    assert_null(strstr(error.text, "canary"));
}

static void
test_depth(void **state)
{
    struct error error = {0};
    struct outcome outcome;
    unsigned forbidden = 0;

    (void)state;
    for (int depth = 60; depth < 2000; depth += depth < 70 ? 1 : 1000) {
        struct buffer json = {0};

        buffer_put_text(&json, "{" NEEDED ",\"x\":");
        for (int i = 0; i < depth; i++) {
            buffer_put_byte(&json, '[');
        }
        for (int i = 0; i < depth; i++) {
            buffer_put_byte(&json, ']');
        }
        buffer_put(&json, "}", 2);

        const enum status status = decode((const char *)json.data, &outcome, &forbidden, &error);

        /* The event itself is one level. */
        assert_int_equal(status, depth < 64 ? STATUS_OK : STATUS_MALFORMED);
        assert_true(status == STATUS_OK || strstr(error.text, "deep") != NULL);
        buffer_fini(&json);
    }
}

/* Events of another shape, larger and smaller, and with more keys than are remembered. */
static void
test_changing_events(void **state)
{
    struct outcome outcome;
    unsigned forbidden = 0;

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct buffer json = {0};

        buffer_put_text(&json, "{");
        for (int k = 0; k < i; k++) {
            buffer_printf(&json, "\"key%d\":%d,", k * (i % 3), k);
        }
        buffer_printf(&json, "\"owner_tag\":\"owner%d\"," NEEDED "}", i);
        buffer_put_byte(&json, 0);
        assert_int_equal(decode((const char *)json.data, &outcome, &forbidden, NULL), STATUS_OK);

        char want[32];

        snprintf(want, sizeof(want), "owner%d", i);
        assert_true(span_equal(outcome.dimensions[DIM_OWNER], span_of(want)));
        buffer_fini(&json);
    }
}

/* A key is not the one before it that it begins like. */
static void
test_keys_that_begin_alike(void **state)
{
    static const char *const keys[] = {
            "owner_tag", "owner_tagx", "owner_tag", "owner_ta", "owner_tag\\u0061", "owner_tag"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        char json[128];
        struct outcome outcome;
        unsigned forbidden = 0;

        snprintf(json, sizeof(json), "{\"%s\":\"ana\"," NEEDED "}", keys[i]);
        assert_int_equal(decode(json, &outcome, &forbidden, NULL), STATUS_OK);
        assert_int_equal(
                outcome.dimensions[DIM_OWNER].data != NULL, strcmp(keys[i], "owner_tag") == 0);
    }
}

int
main(void)
{
    struct CMUnitTest tests[160] = {0}; /* rows without a function do not count */
    size_t count = 0;

    decoder = outcome_json_new();
    arena_init(&arena);
    ADD_ROWS(tests, count, good, test_good);
    ADD_ROWS(tests, count, bad, test_bad);
    ADD_TEST(tests, count, test_attempt_number_that_no_int_holds);
    ADD_TEST(tests, count, test_forbidden);
    ADD_TEST(tests, count, test_error_does_not_quote);
    ADD_TEST(tests, count, test_depth);
    ADD_TEST(tests, count, test_keys_that_begin_alike);
    ADD_TEST(tests, count, test_changing_events);

    const int failed = cmocka_run_group_tests_name("outcome_json", tests, NULL, NULL);

    arena_fini(&arena);
    outcome_json_destroy(decoder);
    return failed;
}
