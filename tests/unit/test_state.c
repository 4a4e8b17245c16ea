/* test_state.c - the packed values of the Redis state: what was written comes back, the rest is
 * refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/state.h"
#include "tests/support/rows.h"

#include <stdlib.h>

static const struct applied applied = {
        .offset = 4711,
        .serial = 12,
        .quiet = -1,
        .token = {UINT64_C(0xfedcba9876543210), 99},
        .wall_ms = INT64_C(1790000000000),
        .last_record_ms = INT64_C(1789999999999),
        .last_checksum = UINT64_C(0x8000000000000001),
        .times = {INT64_C(1789999999000), INT64_C(1789999998000), INT64_C(1789999999999)},
        .next_series = 7,
        .next_group = 3,
        .next_active = 2,
};

static void
test_applied(void **state)
{
    struct buffer bytes = {0};
    struct applied read;

    (void)state;
    applied_encode(&applied, &bytes);
    assert_int_equal(applied_decode(buffer_span(&bytes), &read, NULL), STATUS_OK);
    assert_true(read.offset == applied.offset && read.serial == applied.serial);
    assert_true(read.quiet == -1);
    assert_true(read.token.process == applied.token.process && read.token.count == 99);
    assert_true(read.wall_ms == applied.wall_ms && read.last_record_ms == applied.last_record_ms);
    assert_true(read.last_checksum == applied.last_checksum);
    assert_true(read.times.stream_ms == applied.times.stream_ms);
    assert_true(read.times.log_ms == applied.times.log_ms);
    assert_true(read.times.record_max_ms == applied.times.record_max_ms);
    assert_true(read.next_series == 7 && read.next_group == 3 && read.next_active == 2);
    buffer_fini(&bytes);
}

static void
test_applied_of_a_fresh_partition(void **state)
{
    const struct applied fresh = {
            .quiet = -1,
            .last_record_ms = TIME_NULL,
            .times = {TIME_NULL, TIME_NULL, TIME_NULL},
    };
    struct buffer bytes = {0};
    struct applied read;

    (void)state;
    applied_encode(&fresh, &bytes);
    assert_int_equal(applied_decode(buffer_span(&bytes), &read, NULL), STATUS_OK);
    assert_true(read.last_record_ms == TIME_NULL && read.times.stream_ms == TIME_NULL);
    buffer_fini(&bytes);
}

/* Each beginning of a value is shorter than it, one byte more is longer: both are refused. */
static void
check_exact_length(struct buffer *bytes, enum status (*decode)(struct span, struct error *))
{
    struct error error;

    assert_int_equal(decode(buffer_span(bytes), &error), STATUS_OK);
    for (size_t size = 0; size < bytes->size; size++) {
        /* A copy of just this size, so that the sanitizer sees each byte too far. */
        uint8_t *copy = memory_new(size, 1);

        memcpy(copy, bytes->data, size);
        assert_int_equal(decode((struct span){copy, size}, &error), STATUS_REFUSED);
        assert_non_null(strstr(error.text, "rebuild"));
        free(copy);
    }
    buffer_put_byte(bytes, 0);
    assert_int_equal(decode(buffer_span(bytes), &error), STATUS_REFUSED);
    bytes->size -= 1;
    bytes->data[0] = STATE_LAYOUT_VERSION + 1;
    assert_int_equal(decode(buffer_span(bytes), &error), STATUS_REFUSED);
    buffer_fini(bytes);
}

static enum status
decode_applied(struct span bytes, struct error *error)
{
    struct applied read;

    return applied_decode(bytes, &read, error);
}

static enum status
decode_dimensions(struct span bytes, struct error *error)
{
    struct span read[DIM_COUNT];

    return dimensions_decode(bytes, read, error);
}

static enum status
decode_pending(struct span bytes, struct error *error)
{
    struct pending read;

    return pending_decode(bytes, &read, error);
}

static enum status
decode_review(struct span bytes, struct error *error)
{
    struct review review;
    struct evidence evidence;
    const enum status status = review_state_decode(bytes, &review, &evidence, error);

    if (status == STATUS_OK) {
        review_fini(&review);
        evidence_fini(&evidence);
    }
    return status;
}

static void
put_example_dimensions(struct buffer *bytes)
{
    const struct span dimensions[DIM_COUNT] = {
            span_of("ana"), SPAN_NULL, span_of("prod"), span_of(""), span_of("chat")};

    dimensions_encode(dimensions, bytes);
}

static void
test_dimensions(void **state)
{
    struct buffer bytes = {0};
    struct span read[DIM_COUNT];

    (void)state;
    put_example_dimensions(&bytes);
    assert_int_equal(dimensions_decode(buffer_span(&bytes), read, NULL), STATUS_OK);
    assert_true(span_equal(read[DIM_OWNER], span_of("ana")));
    assert_null(read[DIM_WORKLOAD].data);
    assert_non_null(read[DIM_CLASS].data); /* empty is not null */
    assert_true(span_equal(read[DIM_BUCKET], span_of("chat")));
    buffer_fini(&bytes);
}

static void
put_example_pending(struct buffer *bytes)
{
    struct buffer headers = {0};
    struct pending pending = {.token = {1, 2}, .kind = PENDING_REJECTED, .offset = 5};

    headers_put(&headers, "reason", span_of("malformed"));
    headers_put(&headers, "key", SPAN_NULL);
    pending.headers = buffer_span(&headers);
    pending.key = span_of("ana");
    pending_encode(&pending, bytes);
    buffer_fini(&headers);
}

static void
test_pending(void **state)
{
    struct buffer bytes = {0};
    struct pending read;
    struct span name;
    struct span value;

    (void)state;
    put_example_pending(&bytes);
    assert_int_equal(pending_decode(buffer_span(&bytes), &read, NULL), STATUS_OK);
    assert_true(read.token.process == 1 && read.token.count == 2 && read.offset == 5);
    assert_int_equal(read.kind, PENDING_REJECTED);
    assert_true(span_equal(read.key, span_of("ana")));
    assert_null(read.value.data);

    struct reader headers = reader_of(read.headers);

    assert_true(headers_next(&headers, &name, &value));
    assert_true(span_equal(name, span_of("reason")) && span_equal(value, span_of("malformed")));
    assert_true(headers_next(&headers, &name, &value));
    assert_null(value.data);
    assert_false(headers_next(&headers, &name, &value));
    assert_false(headers.failed);
    buffer_fini(&bytes);
}

static void
test_pending_with_broken_headers(void **state)
{
    struct pending pending = {.headers = span_of("\x05")};
    struct buffer bytes = {0};

    (void)state;
    pending_encode(&pending, &bytes);
    assert_int_equal(pending_decode(buffer_span(&bytes), &pending, NULL), STATUS_REFUSED);
    buffer_fini(&bytes);
}

static void
put_example_review(struct buffer *bytes)
{
    struct decision decision = {
            .decision_id = span_of("d-1"),
            .decision_owner = span_of("ana"),
            .scope = {span_of("team-a")},
            .reason = span_of("known rollout"),
            .source_urls = {span_of("https://docs.example.com/limits")},
            .source_url_count = 1,
            .action = ACTION_REVISE_RETRIES,
            .access_date = DATE_NULL,
            .max_retry_share_bps = -1,
            .accepts_spend_risk = true,
            .revoked = true,
    };
    struct review review;
    struct evidence evidence;

    review_init(&review);
    evidence_init(&evidence);
    memset(review.id, 'a', REVIEW_ID_SIZE);
    review.state = REVIEW_DECIDED;
    review.adopted = &decision;
    review_state_encode(&review, &evidence, bytes);
    review.adopted = NULL;
    review_fini(&review);
    evidence_fini(&evidence);
}

static void
test_review(void **state)
{
    struct buffer bytes = {0};
    struct review review;
    struct evidence evidence;

    (void)state;
    put_example_review(&bytes);
    assert_int_equal(review_state_decode(buffer_span(&bytes), &review, &evidence, NULL), STATUS_OK);
    buffer_fini(&bytes); /* the review owns what it got */
    assert_int_equal(review.state, REVIEW_DECIDED);
    assert_string_equal(review.id, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_non_null(review.adopted);
    assert_true(span_equal(review.adopted->scope[DIM_OWNER], span_of("team-a")));
    assert_true(span_equal(review.adopted->reason, span_of("known rollout")));
    assert_int_equal(review.adopted->source_url_count, 1);
    assert_int_equal(review.adopted->max_retry_share_bps, -1);
    assert_true(review.adopted->accepts_spend_risk && review.adopted->revoked);
    assert_false(review.adopted->allocation_rule_checked);
    assert_null(evidence.unit_metric);
    review_fini(&review);
    evidence_fini(&evidence);
}

static void
test_review_with_a_foreign_id(void **state)
{
    struct buffer bytes = {0};
    struct error error;

    (void)state;
    put_example_review(&bytes);
    bytes.data[3] = 'A'; /* version, state, size, then the id in lower-case hex digits */
    assert_int_equal(decode_review(buffer_span(&bytes), &error), STATUS_REFUSED);
    bytes.data[3] = 'a';
    bytes.data[1] = REVIEW_STATES;
    assert_int_equal(decode_review(buffer_span(&bytes), &error), STATUS_REFUSED);
    buffer_fini(&bytes);
}

static void
test_lengths(void **state)
{
    struct buffer bytes = {0};

    (void)state;
    applied_encode(&applied, &bytes);
    check_exact_length(&bytes, decode_applied);
    put_example_dimensions(&bytes);
    check_exact_length(&bytes, decode_dimensions);
    put_example_pending(&bytes);
    check_exact_length(&bytes, decode_pending);
    put_example_review(&bytes);
    check_exact_length(&bytes, decode_review);
}

static const struct cursor_row {
    const char *name;
    const char *text;
    struct cursor cursor;
} cursors[] = {
        {"cursor", "1 12 fedcba9876543210 99 -", {12, {UINT64_C(0xfedcba9876543210), 99}, false}},
        {"cursor of a fresh partition", "1 0 000000000000000a 1 fresh", {0, {10, 1}, true}},
        {"cursor of the largest numbers",
                "1 18446744073709551615 ffffffffffffffff 18446744073709551615 fresh",
                {UINT64_MAX, {UINT64_MAX, UINT64_MAX}, true}},
};

static const struct foreign_row {
    const char *name;
    const char *text;
} foreign_cursors[] = {
        {"no metadata", ""},
        {"text of another program", "checkpoint"},
        {"another version", "2 12 fedcba9876543210 99 -"},
        {"negative serial", "1 -1 fedcba9876543210 99 -"},
        {"serial of 65 bits", "1 18446744073709551616 fedcba9876543210 99 -"},
        {"short process", "1 12 a 99 -"},
        {"upper case", "1 12 FEDCBA9876543210 99 -"},
        {"two blanks", "1  12 fedcba9876543210 99 -"},
        {"no mark", "1 12 fedcba9876543210 99"},
        {"another mark", "1 12 fedcba9876543210 99 stale"},
        {"something behind", "1 12 fedcba9876543210 99 - "},
};

static void
test_cursor(void **state)
{
    const struct cursor_row *row = *state;
    char text[CURSOR_TEXT_SIZE];
    struct cursor read;

    cursor_format(&row->cursor, text);
    assert_string_equal(text, row->text);
    assert_int_equal(cursor_parse(text, &read, NULL), STATUS_OK);
    assert_true(read.serial == row->cursor.serial && read.fresh == row->cursor.fresh);
    assert_true(read.token.process == row->cursor.token.process);
    assert_true(read.token.count == row->cursor.token.count);
}

static void
test_foreign_cursor(void **state)
{
    const struct foreign_row *row = *state;
    struct cursor cursor;
    struct error error;

    assert_int_equal(cursor_parse(row->text, &cursor, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "group"));
}

int
main(void)
{
    struct CMUnitTest tests[64] = {0}; /* rows without a function do not count */
    size_t count = 0;

    ADD_TEST(tests, count, test_applied);
    ADD_TEST(tests, count, test_applied_of_a_fresh_partition);
    ADD_TEST(tests, count, test_dimensions);
    ADD_TEST(tests, count, test_pending);
    ADD_TEST(tests, count, test_pending_with_broken_headers);
    ADD_TEST(tests, count, test_review);
    ADD_TEST(tests, count, test_review_with_a_foreign_id);
    ADD_TEST(tests, count, test_lengths);
    ADD_ROWS(tests, count, cursors, test_cursor);
    ADD_ROWS(tests, count, foreign_cursors, test_foreign_cursor);
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
