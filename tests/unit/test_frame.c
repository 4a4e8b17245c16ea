/* test_frame.c - Confluent and single-object frames.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/frame.h"
#include "tests/support/outcome_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row {
    const char *name;
    bool single;
    const char *hex;
    enum status want;
    uint64_t want_id;
    size_t want_body;
} rows[] = {
        {"confluent", false, "00 00000003 0202", STATUS_OK, 3, 2},
        {"confluent, empty body", false, "00 00000003", STATUS_OK, 3, 0},
        {"confluent, id is big-endian", false, "00 01020304", STATUS_OK, 0x01020304, 0},
        {"confluent, largest id", false, "00 ffffffff", STATUS_OK, 0xffffffff, 0},
        {"confluent, no bytes", false, "", STATUS_MALFORMED, 0, 0},
        {"confluent, one byte short", false, "00 000000", STATUS_MALFORMED, 0, 0},
        {"confluent, JSON instead", false, "7b 22616263 22", STATUS_MALFORMED, 0, 0},
        {"single, fingerprint is little-endian", true, "c301 0102030405060708 0202", STATUS_OK,
                UINT64_C(0x0807060504030201), 2},
        {"single, empty body", true, "c301 ffffffffffffffff", STATUS_OK, UINT64_MAX, 0},
        {"single, one byte short", true, "c301 01020304050607", STATUS_MALFORMED, 0, 0},
        {"single, another version", true, "c302 0102030405060708", STATUS_MALFORMED, 0, 0},
        {"single, confluent instead", true, "00 00000003 0202020202", STATUS_MALFORMED, 0, 0},
};

static void
test_row(void **state)
{
    const struct row *row = *state;
    uint8_t bytes[64];
    const struct span value = {bytes, hex_read(row->hex, bytes, sizeof(bytes))};
    struct span body = SPAN_NULL;
    struct error error = {0};
    uint64_t id = 0;
    enum status status = STATUS_OK;

    if (row->single) {
        status = frame_split_single(value, &id, &body, &error);
    } else {
        uint32_t schema_id = 0;

        status = frame_split_confluent(value, &schema_id, &body, &error);
        id = schema_id;
    }
    assert_int_equal(status, row->want);
    assert_int_equal(id, row->want_id);
    assert_int_equal(body.size, row->want_body);
    if (status == STATUS_OK) {
        assert_ptr_equal(body.data + body.size, bytes + value.size);
    } else {
        assert_null(body.data);
        assert_int_equal(error.status, STATUS_MALFORMED);
        assert_true(error.text[0] != '\0');
    }
}

int
main(void)
{
    struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++) {
        tests[i] = (struct CMUnitTest){
                .name = rows[i].name, .test_func = test_row, .initial_state = (void *)&rows[i]};
    }
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
