/* test_avro_data.c - Avro values and UTF-8 as they may come from anywhere.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/avro_data.h"
#include "codec/utf8.h"
#include "tests/support/outcome_print.h"
#include "tests/support/rows.h"

static const struct utf8_row {
    const char *name;
    const char *hex;
    bool valid;
} utf8_rows[] = {
        {"nothing", "", true},
        {"ASCII", "61007f", true},
        {"two bytes", "c280 dfbf", true},
        {"three bytes", "e0a080 efbfbf", true},
        {"before and after the surrogates", "ed9fbf ee8080", true},
        {"four bytes", "f0908080 f48fbfbf", true},
        {"byte that goes on with nothing", "80", false},
        {"overlong, two bytes", "c0af", false},
        {"overlong, two bytes, largest", "c1bf", false},
        {"overlong, three bytes", "e09fbf", false},
        {"overlong, four bytes", "f08fbfbf", false},
        {"first surrogate", "eda080", false},
        {"last surrogate", "edbfbf", false},
        {"beyond U+10FFFF", "f4908080", false},
        {"five bytes", "f888808080", false},
        {"cut after one byte", "61c3", false},
        {"cut after two bytes", "e282", false},
        {"cut after three bytes", "f09f9a", false},
        {"second byte that begins another", "c3c3", false},
        {"third byte that is ASCII", "e28261", false},
        {"byte that is never used", "ff", false},
};

static void
test_utf8(void **state)
{
    const struct utf8_row *row = *state;
    uint8_t bytes[32];
    const size_t size = hex_read(row->hex, bytes, sizeof(bytes));

    assert_int_equal(utf8_valid((struct span){bytes, size}), row->valid);
}

static const struct block_row {
    const char *name;
    const char *hex;
    size_t want;
    bool failed;
} block_rows[] = {
        {"end of an array", "00", 0, false},
        {"block", "04 0202", 2, false},
        {"block with its size", "03 04 0202", 2, false},
        {"block of more items than bytes", "06 0202", 0, true},
        {"block of very many items", "feffffffffffffffff01", 0, true},
        {"block of -2^63 items", "ffffffffffffffffff01 00 0202", 0, true},
        {"block without its size", "03", 0, true},
        {"no block", "", 0, true},
};

static void
test_block(void **state)
{
    const struct block_row *row = *state;
    uint8_t bytes[32];
    struct reader reader =
            reader_of((struct span){bytes, hex_read(row->hex, bytes, sizeof(bytes))});

    assert_int_equal(avro_read_block(&reader), row->want);
    assert_int_equal(reader.failed, row->failed);
}

static const struct string_row {
    const char *name;
    const char *hex;
} bad_strings[] = {
        {"string longer than the bytes", "0461"},
        {"string of a size below 0", "0161"},
        {"string of 2^62 bytes", "feffffffffffffffff01"},
        {"string that is not UTF-8", "02ff"},
};

static void
test_bad_string(void **state)
{
    const struct string_row *row = *state;
    uint8_t bytes[32];
    struct reader reader =
            reader_of((struct span){bytes, hex_read(row->hex, bytes, sizeof(bytes))});

    assert_null(avro_read_string(&reader).data);
    assert_true(reader.failed);
}

static void
test_out_of_range(void **state)
{
    static const uint8_t two[] = {0x02};
    static const uint8_t four[] = {0x04};
    static const uint8_t beyond_int[] = {0x80, 0x80, 0x80, 0x80, 0x10};
    struct reader reader = reader_of((struct span){two, 1});

    (void)state;
    assert_false(avro_read_bool(&reader));
    assert_true(reader.failed);
    reader = reader_of((struct span){four, 1});
    assert_false(avro_read_present(&reader));
    assert_true(reader.failed);
    reader = reader_of((struct span){beyond_int, 5});
    assert_int_equal(avro_read_int(&reader), 0);
    assert_true(reader.failed);
}

int
main(void)
{
    struct CMUnitTest tests[64] = {0}; /* rows without a function do not count */
    size_t count = 0;

    ADD_ROWS(tests, count, utf8_rows, test_utf8);
    ADD_ROWS(tests, count, block_rows, test_block);
    ADD_ROWS(tests, count, bad_strings, test_bad_string);
    ADD_TEST(tests, count, test_out_of_range);
    return cmocka_run_group_tests_name("avro_data", tests, NULL, NULL);
}
