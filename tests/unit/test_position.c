/* test_position.c - where in the log a published record came from: what is written is read again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct position_origin ours = {"request-outcomes", "retry watch"};

/* The value of the rw-position header that position_put() writes. */
static struct span
written(const struct position_origin *origin, const struct position_header *position,
        struct buffer *headers)
{
    struct span name, value;
    struct reader reader;

    buffer_clear(headers);
    position_put(headers, origin, position);
    reader = reader_of(buffer_span(headers));
    assert_true(headers_next(&reader, &name, &value));
    assert_true(span_equal(name, span_of("rw-position")));
    return value;
}

static struct position_header
a_review(void)
{
    struct position_header position = {.partition = 3,
            .serial = 12,
            .offset = 4711,
            .is_review = true,
            .stream_ms = 1790000000000};

    buffer_put(&position.dimensions, "\1dims", 5);
    buffer_put(&position.review, "\1review", 7);
    return position;
}

static void
test_review(void **state)
{
    struct position_header position = a_review();
    struct position_header read = {0};
    struct buffer headers = {0};
    struct error error;
    bool is_ours = false;

    (void)state;
    assert_int_equal(
            position_parse(written(&ours, &position, &headers), &ours, &read, &is_ours, &error),
            STATUS_OK);
    assert_true(is_ours && read.is_review);
    assert_int_equal(read.partition, 3);
    assert_int_equal(read.serial, 12);
    assert_int_equal(read.offset, 4711);
    assert_int_equal(read.stream_ms, 1790000000000);
    assert_true(span_equal(buffer_span(&read.dimensions), buffer_span(&position.dimensions)));
    assert_true(span_equal(buffer_span(&read.review), buffer_span(&position.review)));
    position_header_fini(&position);
    position_header_fini(&read);
    buffer_fini(&headers);
}

static void
test_verdict(void **state)
{
    const struct position_header position = {.partition = 0, .serial = 1, .offset = 9};
    struct position_header read = {0};
    struct buffer headers = {0};
    struct error error;
    bool is_ours = false;

    (void)state;
    assert_int_equal(
            position_parse(written(&ours, &position, &headers), &ours, &read, &is_ours, &error),
            STATUS_OK);
    assert_true(is_ours && !read.is_review);
    assert_int_equal(read.serial, 1);
    assert_int_equal(read.offset, 9);
    buffer_fini(&headers);
}

/* Two groups that read the same topic have serials of their own. */
static void
test_of_others(void **state)
{
    static const struct position_origin others[] = {
            {"request-outcomes", "another"}, {"another", "retry watch"}, {"request", "retry"}};
    struct position_header position = a_review();
    struct buffer headers = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct position_header read = {0};
        struct error error;
        bool is_ours = true;

        assert_int_equal(position_parse(written(&others[i], &position, &headers), &ours, &read,
                                 &is_ours, &error),
                STATUS_OK);
        assert_false(is_ours);
    }
    position_header_fini(&position);
    buffer_fini(&headers);
}

/* Whatever is left out of it or cut off: refused, or of somebody else; never read wrong. */
static void
test_cut(void **state)
{
    struct position_header position = a_review();
    struct buffer headers = {0};
    const struct span whole = written(&ours, &position, &headers);

    (void)state;
    for (size_t size = 0; size < whole.size; size++) {
        struct position_header read = {0};
        struct error error;
        bool is_ours = false;
        const enum status status =
                position_parse((struct span){whole.data, size}, &ours, &read, &is_ours, &error);

        assert_true(status == STATUS_REFUSED || !is_ours);
    }
    for (size_t from = 17; from < whole.size - 18; from++) {
        struct position_header read = {0};
        struct buffer text = {0};
        struct error error;
        bool is_ours = false;

        buffer_put(&text, whole.data, 17);
        buffer_put(&text, whole.data + from + 1, whole.size - from - 1);
        if (position_parse(buffer_span(&text), &ours, &read, &is_ours, &error) == STATUS_OK) {
            position_header_fini(&read);
        }
        buffer_fini(&text);
    }
    position_header_fini(&position);
    buffer_fini(&headers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_review),
            cmocka_unit_test(test_verdict),
            cmocka_unit_test(test_of_others),
            cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests_name("position", tests, NULL, NULL);
}
