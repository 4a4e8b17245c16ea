/* test_buffer.c - bytes that grow, and the integers in them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/buffer.h"
#include "tests/support/outcome_print.h"
#include "tests/support/rows.h"

static const struct varint_row {
    const char *name;
    uint64_t value;
    const char *hex;
} varint_rows[] = {
        {"varint 0", 0, "00"},
        {"varint 127", 127, "7f"},
        {"varint 128", 128, "8001"},
        {"varint 300", 300, "ac02"},
        {"varint 2^63", UINT64_C(1) << 63, "80808080808080808001"},
        {"varint 2^64 - 1", UINT64_MAX, "ffffffffffffffffff01"},
};

static const struct zigzag_row {
    const char *name;
    int64_t value;
    const char *hex;
} zigzag_rows[] = {
        {"zigzag 0", 0, "00"},
        {"zigzag -1", -1, "01"},
        {"zigzag 1", 1, "02"},
        {"zigzag -64", -64, "7f"},
        {"zigzag 64", 64, "8001"},
        {"zigzag largest", INT64_MAX, "feffffffffffffffff01"},
        {"zigzag smallest", INT64_MIN, "ffffffffffffffffff01"},
};

static const struct broken_row {
    const char *name;
    const char *hex;
} broken_varints[] = {
        {"varint of nothing", ""},
        {"varint that is cut", "80"},
        {"varint cut after nine bytes", "ffffffffffffffffff"},
        {"varint of 65 bits", "ffffffffffffffffff02"},
        {"varint of eleven bytes", "8080808080808080808000"},
};

static const struct broken_row broken_spans[] = {
        {"span of nothing", ""},
        {"span longer than the bytes", "0361"},
        {"span of 2^64 - 2 bytes", "ffffffffffffffffff01"},
        {"span of a size that is cut", "80"},
};

static struct span
bytes_of(const char *hex, uint8_t bytes[32])
{
    return (struct span){bytes, hex_read(hex, bytes, 32)};
}

static void
check_bytes(struct buffer *buffer, const char *hex)
{
    uint8_t bytes[32];
    const struct span want = bytes_of(hex, bytes);

    assert_int_equal(buffer->size, want.size);
    assert_memory_equal(buffer->data, want.data, want.size);
}

static void
test_varint(void **state)
{
    const struct varint_row *row = *state;
    struct buffer buffer = {0};

    buffer_put_varint(&buffer, row->value);
    check_bytes(&buffer, row->hex);

    struct reader reader = reader_of(buffer_span(&buffer));

    assert_true(reader_varint(&reader) == row->value);
    assert_false(reader.failed);
    assert_ptr_equal(reader.at, reader.end);
    buffer_fini(&buffer);
}

static void
test_zigzag(void **state)
{
    const struct zigzag_row *row = *state;
    struct buffer buffer = {0};

    buffer_put_zigzag(&buffer, row->value);
    check_bytes(&buffer, row->hex);

    struct reader reader = reader_of(buffer_span(&buffer));

    assert_true(reader_zigzag(&reader) == row->value);
    assert_false(reader.failed);
    buffer_fini(&buffer);
}

static void
test_broken_varint(void **state)
{
    const struct broken_row *row = *state;
    uint8_t bytes[32];
    struct reader reader = reader_of(bytes_of(row->hex, bytes));

    assert_true(reader_varint(&reader) == 0);
    assert_true(reader.failed);
    assert_int_equal(reader_byte(&reader), 0); /* it stays failed */
}

static void
test_broken_span(void **state)
{
    const struct broken_row *row = *state;
    uint8_t bytes[32];
    struct reader reader = reader_of(bytes_of(row->hex, bytes));

    assert_null(reader_span(&reader).data);
    assert_true(reader.failed);
}

static void
test_spans(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_put_span(&buffer, SPAN_NULL);
    buffer_put_span(&buffer, span_of(""));
    buffer_put_span(&buffer, span_of("ab"));
    check_bytes(&buffer, "00 01 03 6162");

    struct reader reader = reader_of(buffer_span(&buffer));
    const struct span null = reader_span(&reader);
    const struct span empty = reader_span(&reader);
    const struct span text = reader_span(&reader);

    assert_null(null.data);
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
    assert_true(span_equal(text, span_of("ab")));
    assert_false(reader.failed);
    buffer_fini(&buffer);
}

static void
test_text_and_clear(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        buffer_printf(&buffer, "%d,", i % 10);
        buffer_put_text(&buffer, ";");
    }
    assert_int_equal(buffer.size, 3000);
    assert_memory_equal(buffer.data + 2997, "9,;", 3);

    const size_t capacity = buffer.capacity;

    buffer_clear(&buffer);
    buffer_put_byte(&buffer, 'x');
    assert_int_equal(buffer.size, 1);
    assert_int_equal(buffer.capacity, capacity);
    buffer_fini(&buffer);
    assert_null(buffer.data);
}

static void
test_empty_buffer(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    assert_non_null(buffer_span(&buffer).data); /* empty is not null */
    assert_int_equal(buffer_span(&buffer).size, 0);

    struct reader reader = reader_of(SPAN_NULL);

    assert_int_equal(reader_byte(&reader), 0);
    assert_true(reader.failed);
}

int
main(void)
{
    struct CMUnitTest tests[64] = {0}; /* rows without a function do not count */
    size_t count = 0;

    ADD_ROWS(tests, count, varint_rows, test_varint);
    ADD_ROWS(tests, count, zigzag_rows, test_zigzag);
    ADD_ROWS(tests, count, broken_varints, test_broken_varint);
    ADD_ROWS(tests, count, broken_spans, test_broken_span);
    ADD_TEST(tests, count, test_spans);
    ADD_TEST(tests, count, test_text_and_clear);
    ADD_TEST(tests, count, test_empty_buffer);
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
