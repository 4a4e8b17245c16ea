/* test_plan_bytes.c - numbers and text of every size, so near to the end of the event and so far
 * from it that each way to read them is gone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/buffer.h"
#include "codec/plan.h"
#include "codec/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define TAIL_MAX 20 /* bytes behind the value: more than are looked at in one step */
#define TEXT_MAX 70 /* its size takes two bytes */
#define NUMBER_BYTES_MAX 10

/* A plan for an event that ends with a value and tail bytes that are skipped. */
static struct plan *
plan_with(const char *fields, int tail)
{
    char text[512];
    struct schema *schema = NULL;
    struct plan *plan = NULL;
    struct error error = {0};

    snprintf(text, sizeof(text),
            "{\"type\":\"record\",\"name\":\"w\",\"fields\":["
            "{\"name\":\"attempt_number\",\"type\":\"int\"},%s,"
            "{\"name\":\"tail\",\"type\":{\"type\":\"fixed\",\"name\":\"f\",\"size\":%d}}]}",
            fields, tail);
    assert_int_equal(schema_new(span_of(text), &schema, &error), STATUS_OK);
    assert_int_equal(plan_new(schema, &plan, &error), STATUS_OK);
    return plan;
}

/* The bytes after attempt_number, then a tail of bytes that are not ASCII and end no number. */
static enum status
decode(const struct plan *plan, struct span bytes, int tail, struct outcome *outcome)
{
    const size_t size = 1 + bytes.size + (size_t)tail;
    uint8_t *body = malloc(size); /* of exactly the size, so that a sanitizer sees a read beyond */
    struct error error = {0};
    unsigned forbidden = 0;

    body[0] = 0x02;
    memcpy(body + 1, bytes.data, bytes.size);
    memset(body + 1 + bytes.size, 0xff, (size_t)tail);

    const enum status status =
            plan_decode(plan, (struct span){body, size}, NULL, outcome, &forbidden, &error);

    free(body);
    return status;
}

/* Seven bits a byte, and zeros up to count bytes. Returns how many bytes there are. */
static size_t
put_padded(int64_t value, size_t count, uint8_t bytes[NUMBER_BYTES_MAX])
{
    uint64_t bits = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    size_t size = 0;

    while (bits >= 0x80 || size + 1 < count) {
        bytes[size++] = (uint8_t)(bits | 0x80);
        bits >>= 7;
    }
    bytes[size++] = (uint8_t)bits;
    return size;
}

static void
check_number(const struct plan *plan, int tail, int64_t value)
{
    for (size_t count = 1; count <= NUMBER_BYTES_MAX; count++) {
        uint8_t bytes[NUMBER_BYTES_MAX];
        const size_t size = put_padded(value, count, bytes);
        struct outcome outcome = {0};

        assert_int_equal(decode(plan, (struct span){bytes, size}, tail, &outcome), STATUS_OK);
        assert_int_equal(outcome.event_time_ms, value);
    }
}

static void
test_numbers(void **state)
{
    (void)state;
    for (int tail = 0; tail <= TAIL_MAX; tail++) {
        struct plan *plan = plan_with("{\"name\":\"event_time\",\"type\":\"long\"}", tail);

        for (int bit = 0; bit < 64; bit++) {
            const uint64_t power = UINT64_C(1) << bit;

            check_number(plan, tail, (int64_t)power);
            check_number(plan, tail, (int64_t)(power - 1));
            check_number(plan, tail, -(int64_t)(power - 1));
            check_number(plan, tail, (int64_t)(power / 3 * 2));
        }
        plan_destroy(plan);
    }
}

static void
test_number_without_end(void **state)
{
    static const uint8_t bytes[NUMBER_BYTES_MAX + 1] = {
            0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    struct outcome outcome = {.attempt_number = 77};

    (void)state;
    for (int tail = 0; tail <= TAIL_MAX; tail++) {
        struct plan *plan = plan_with("{\"name\":\"event_time\",\"type\":\"long\"}", tail);

        for (size_t size = 0; size <= sizeof(bytes); size++) {
            assert_int_equal(
                    decode(plan, (struct span){bytes, size}, tail, &outcome), STATUS_MALFORMED);
        }
        plan_destroy(plan);
    }
    assert_int_equal(outcome.attempt_number, 77);
}

/* Time, the branch of a union if there is one, and text of some size. */
static void
put_text(struct buffer *out, bool in_union, size_t size)
{
    out->size = 0;
    buffer_put_zigzag(out, 1);
    if (in_union) {
        buffer_put_zigzag(out, 1);
    }
    buffer_put_zigzag(out, (int64_t)size);
    for (size_t i = 0; i < size; i++) {
        buffer_put_byte(out, (uint8_t)('a' + i % 26));
    }
}

/* One byte after the other is none of UTF-8; each two bytes are one character of it. */
static void
check_text(const struct plan *plan, int tail, struct buffer *event, size_t size)
{
    uint8_t *text = event->data + event->size - size;
    struct outcome outcome = {0};

    assert_int_equal(decode(plan, buffer_span(event), tail, &outcome), STATUS_OK);
    assert_int_equal(outcome.dimensions[DIM_OWNER].size, size);
    for (size_t i = 0; i < size; i++) {
        const uint8_t before[2] = {text[i], i + 1 < size ? text[i + 1] : 0};

        text[i] = 0xc3;
        assert_int_equal(decode(plan, buffer_span(event), tail, &outcome), STATUS_MALFORMED);
        if (i + 1 < size) {
            text[i + 1] = 0xa9;
            assert_int_equal(decode(plan, buffer_span(event), tail, &outcome), STATUS_OK);
            text[i + 1] = before[1];
        }
        text[i] = before[0];
    }
}

static void
test_texts(void **state)
{
    static const char *const types[] = {"\"string\"", "[\"null\",\"string\"]"};
    struct buffer event = {0};

    (void)state;
    for (int tail = 0; tail <= TAIL_MAX; tail++) {
        for (int in_union = 0; in_union < 2; in_union++) {
            char fields[128];

            snprintf(fields, sizeof(fields),
                    "{\"name\":\"event_time\",\"type\":\"long\"},"
                    "{\"name\":\"owner_tag\",\"type\":%s}",
                    types[in_union]);

            struct plan *plan = plan_with(fields, tail);

            for (size_t size = 0; size <= TEXT_MAX; size++) {
                put_text(&event, in_union, size);
                check_text(plan, tail, &event, size);
            }
            plan_destroy(plan);
        }
    }
    buffer_fini(&event);
}

/* A size that reaches beyond the end, by as little as a byte. */
static void
test_text_too_long(void **state)
{
    struct buffer event = {0};
    struct outcome outcome = {0};
    struct plan *plan = plan_with("{\"name\":\"event_time\",\"type\":\"long\"},"
                                  "{\"name\":\"owner_tag\",\"type\":\"string\"}",
            0);

    (void)state;
    for (size_t size = 1; size <= TEXT_MAX; size++) {
        put_text(&event, false, size);
        for (size_t cut = 1; cut <= size; cut++) {
            const struct span bytes = {event.data, event.size - cut};

            assert_int_equal(decode(plan, bytes, 0, &outcome), STATUS_MALFORMED);
        }
    }
    plan_destroy(plan);
    buffer_fini(&event);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_numbers),
            cmocka_unit_test(test_number_without_end),
            cmocka_unit_test(test_texts),
            cmocka_unit_test(test_text_too_long),
    };

    return cmocka_run_group_tests_name("plan_bytes", tests, NULL, NULL);
}
