/* test_log.c - one line an event, whatever the values hold.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/log.h"
#include "tests/support/rows.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 65536

static int64_t now_ms;
static int output[2]; /* a pipe */

static int64_t
test_now_ms(void)
{
    return now_ms;
}

static int
begin(void **state)
{
    (void)state;
    now_ms = INT64_C(1772366400123); /* 2026-03-01T12:00:00.123Z */
    if (pipe(output) != 0) {
        return -1;
    }
    log_divert(output[1], test_now_ms);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    log_divert(STDERR_FILENO, NULL);
    close(output[0]);
    return 0;
}

/* What was written; ends the output. */
static const char *
written(void)
{
    static char text[TEXT_SIZE];
    size_t size = 0;
    ssize_t got = 0;

    log_divert(STDERR_FILENO, NULL);
    close(output[1]);
    while ((got = read(output[0], text + size, sizeof(text) - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = '\0';
    return text;
}

#define HEAD "time=2026-03-01T12:00:00.123Z level=info at=start"

static const struct row {
    const char *name;
    const char *value;  /* of the field `v` */
    const char *logfmt; /* as it is written */
    const char *json;
} rows[] = {
        {"plain", "abc", "abc", "\"abc\""},
        {"empty", "", "\"\"", "\"\""},
        {"number", "42", "42", "42"},
        {"negative number", "-42", "-42", "-42"},
        {"a number with a zero before it", "042", "042", "\"042\""},
        {"a number too long for a double", "1234567890123456", "1234567890123456",
                "\"1234567890123456\""},
        {"minus alone", "-", "-", "\"-\""},
        {"blank", "a b", "\"a b\"", "\"a b\""},
        {"quote", "a\"b", "\"a\\\"b\"", "\"a\\\"b\""},
        {"backslash", "a\\b", "\"a\\\\b\"", "\"a\\\\b\""},
        {"equals", "a=b", "\"a=b\"", "\"a=b\""},
        {"a field of its own", "x\" level=error y=\"", "\"x\\\" level=error y=\\\"\"",
                "\"x\\\" level=error y=\\\"\""},
        {"new line", "a\nb", "\"a\\nb\"", "\"a\\nb\""},
        {"control", "a\x1b[31m", "\"a\\u001b[31m\"", "\"a\\u001b[31m\""},
        {"UTF-8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
                "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
                "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"not UTF-8", "a\xff", "\"a\\ufffd\"", "\"a\\ufffd\""},
        {"overlong", "\xc0\xaf", "\"\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\""},
        {"half of a surrogate", "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"",
                "\"\\ufffd\\ufffd\\ufffd\""},
        {"cut", "\xe2\x82", "\"\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\""},
};

static void
test_logfmt(void **state)
{
    const struct row *row = *state;
    struct log_site site = {0};
    char want[512];

    log_init(LOG_INFO, LOG_LOGFMT);
    log_write(&site, LOG_INFO, "start", "v=%s after=1", row->value);
    snprintf(want, sizeof(want), HEAD " v=%s after=1\n", row->logfmt);
    assert_string_equal(written(), want);
}

static void
test_json(void **state)
{
    const struct row *row = *state;
    struct log_site site = {0};
    char want[512];

    log_init(LOG_INFO, LOG_JSON);
    log_write(&site, LOG_INFO, "start", "v=\"%s\" after=1", row->value);
    snprintf(want, sizeof(want),
            "{\"time\":\"2026-03-01T12:00:00.123Z\",\"level\":\"info\",\"at\":\"start\",\"v\":%s,"
            "\"after\":1}\n",
            row->json);
    const char *text = written();
    json_t *object = json_loads(text, 0, NULL);

    assert_string_equal(text, want);
    assert_non_null(object);
    json_decref(object);
}

static void
test_conversions(void **state)
{
    (void)state;
    log_init(LOG_INFO, LOG_LOGFMT);
    log_info("start",
            "d=%d u=%" PRIu64 " i=%" PRId64 " z=%zu ld=%ld x=%016" PRIx64 " c=%c f=%.2f s=%.*s "
            "p=100%% two=%d-%d text=\"partition %d of %s\"",
            -1, UINT64_MAX, INT64_MIN, (size_t)3, 4L, UINT64_C(255), 'c', 2.5, 2, "abcdef", 7, 8, 9,
            "a topic");
    assert_string_equal(written(),
            HEAD " d=-1 u=18446744073709551615 i=-9223372036854775808 z=3 ld=4 "
                 "x=00000000000000ff c=c f=2.50 s=ab p=100% two=7-8 text=\"partition 9 of a "
                 "topic\"\n");
}

static void
test_no_fields(void **state)
{
    (void)state;
    log_init(LOG_INFO, LOG_LOGFMT);
    log_info("start", " ");
    assert_string_equal(written(), HEAD "\n");
}

static void
test_level(void **state)
{
    (void)state;
    log_init(LOG_WARN, LOG_LOGFMT);
    log_debug("start", "v=1");
    log_info("start", "v=2");
    log_warn("start", "v=3");
    log_error("start", "v=4");
    assert_string_equal(written(), "time=2026-03-01T12:00:00.123Z level=warn at=start v=3\n"
                                   "time=2026-03-01T12:00:00.123Z level=error at=start v=4\n");
}

static size_t
count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void
storm(int lines)
{
    for (int i = 0; i < lines; i++) {
        log_info("storm", "i=%d", i);
    }
}

static void
test_rate(void **state)
{
    (void)state;
    log_init(LOG_INFO, LOG_LOGFMT);
    storm(1000);
    log_info("other", "v=1"); /* another site has its own allowance */
    now_ms += 1000;
    storm(1);
    storm(1);
    const char *text = written();

    assert_int_equal(count_lines(text), 10 + 1 + 2);
    assert_non_null(strstr(text, "at=storm i=9\n"));
    assert_null(strstr(text, "at=storm i=10\n"));
    assert_non_null(strstr(text, "at=other v=1\n"));
    assert_non_null(strstr(text, "12:00:01.123Z level=info at=storm i=0 suppressed=990\n"));
    assert_null(strstr(strstr(text, "suppressed") + 1, "suppressed"));
}

/* The line stays whole: a field that does not fit is left out. */
static void
test_long_values(void **state)
{
    char value[3000];

    (void)state;
    memset(value, '\x01', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_init(LOG_INFO, LOG_JSON);
    log_info("start", "a=%s b=%.100s c=1", value, value);
    const char *text = written();
    json_t *object = json_loads(text, 0, NULL);

    assert_non_null(object);
    assert_null(json_object_get(object, "a"));
    assert_non_null(json_object_get(object, "b"));
    assert_int_equal(json_integer_value(json_object_get(object, "c")), 1);
    json_decref(object);
}

static void *
writer(void *context)
{
    for (int i = 0; i < 200; i++) {
        log_info("thread", "n=%d i=%d text=\"a b\"", *(int *)context, i);
    }
    return NULL;
}

static void
test_threads(void **state)
{
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};

    (void)state;
    log_init(LOG_INFO, LOG_LOGFMT);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, writer, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(count_lines(written()), 10);
}

int
main(void)
{
    struct CMUnitTest tests[64];
    size_t count = 0;

    ADD_ROWS(tests, count, rows, test_logfmt);
    ADD_ROWS(tests, count, rows, test_json);
    ADD_TEST(tests, count, test_conversions);
    ADD_TEST(tests, count, test_no_fields);
    ADD_TEST(tests, count, test_level);
    ADD_TEST(tests, count, test_rate);
    ADD_TEST(tests, count, test_long_values);
    ADD_TEST(tests, count, test_threads);
    for (size_t i = 0; i < count; i++) {
        tests[i].setup_func = begin;
        tests[i].teardown_func = end;
    }
    return _cmocka_run_group_tests("log", tests, count, NULL, NULL);
}
