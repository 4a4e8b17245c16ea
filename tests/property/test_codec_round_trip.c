/* test_codec_round_trip.c - random values come back from every form that the codec writes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decision_codec.h"
#include "codec/decision_json.h"
#include "codec/outcome_json.h"
#include "codec/review_codec.h"
#include "codec/state.h"
#include "tests/support/outcome_print.h"
#include "tests/support/random_codec.h"
#include "tests/support/rows.h"

#include <assert.h>
#include <stdlib.h>

#define ROUNDS 3000

static struct random numbers;
static struct arena arena;

static struct span
copy_exactly(struct span bytes)
{
    uint8_t *copy = memory_new(bytes.size, 1);

    memcpy(copy, bytes.data, bytes.size);
    return (struct span){copy, bytes.size};
}

/* The fields in another order each time, as other producers write them. */
static json_t *
shuffled(const json_t *object)
{
    const char *keys[64];
    json_t *values[64];
    size_t count = 0;
    json_t *out = json_object();
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        keys[count] = key;
        values[count++] = value;
    }
    while (count > 0) {
        const size_t at = random_below(&numbers, count);

        if (!json_is_null(values[at]) || random_chance(&numbers, 2)) {
            json_object_set(out, keys[at], values[at]);
        }
        count -= 1;
        keys[at] = keys[count];
        values[at] = values[count];
    }
    return out;
}

static void
test_outcome_json(void **state)
{
    struct outcome_json *json = outcome_json_new();

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct outcome outcome;
        struct outcome read;
        struct error error = {0};
        unsigned forbidden = 0;

        random_outcome(&numbers, &arena, &outcome);

        json_t *want = outcome_print(&outcome);
        json_t *event = shuffled(want);
        char *text =
                json_dumps(event, random_chance(&numbers, 2) ? JSON_ENSURE_ASCII : JSON_INDENT(2));
        const struct span value = copy_exactly(span_of(text));
        const enum status status =
                outcome_json_decode(json, value, &arena, &read, &forbidden, &error);

        free((void *)(uintptr_t)value.data); /* nothing may point into it */
        assert_string_equal(error.text, "");
        assert_int_equal(status, STATUS_OK);

        json_t *got = outcome_print(&read);

        assert_true(json_equal(want, got));
        assert_int_equal(forbidden, 0);
        json_decref(want);
        json_decref(event);
        json_decref(got);
        free(text);
        arena_reset(&arena);
    }
    outcome_json_destroy(json);
}

static void
test_decision(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct decision decision;
        struct decision read;
        struct buffer bytes = {0};
        struct buffer again = {0};

        random_decision(&numbers, &arena, &decision);
        decision_encode(&decision, 7, &bytes);

        const struct span value = copy_exactly(buffer_span(&bytes));

        assert_int_equal(decision_decode(value, &arena, &read, NULL), STATUS_OK);
        decision_encode(&read, 7, &again);
        assert_true(span_equal(buffer_span(&bytes), buffer_span(&again)));
        free((void *)(uintptr_t)value.data);
        buffer_fini(&bytes);
        buffer_fini(&again);
        arena_reset(&arena);
    }
}

static void
test_decision_as_json(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct decision decision;
        struct decision read;
        struct buffer bytes = {0};
        struct buffer again = {0};

        random_decision(&numbers, &arena, &decision);
        decision_encode(&decision, 7, &bytes);

        json_t *json = decision_json(&decision);
        char *text = json_dumps(json, JSON_COMPACT);

        assert_int_equal(decision_decode(span_of(text), &arena, &read, NULL), STATUS_OK);
        decision_encode(&read, 7, &again);
        assert_true(span_equal(buffer_span(&bytes), buffer_span(&again)));
        free(text);
        json_decref(json);
        buffer_fini(&bytes);
        buffer_fini(&again);
        arena_reset(&arena);
    }
}

static void
test_review_state(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct review review;
        struct review read;
        struct evidence evidence;
        struct evidence read_evidence;
        struct buffer bytes = {0};
        struct buffer again = {0};

        random_review(&numbers, &arena, &review);
        random_evidence(&numbers, &arena, &evidence);
        review_state_encode(&review, &evidence, &bytes);

        const struct span value = copy_exactly(buffer_span(&bytes));

        assert_int_equal(review_state_decode(value, &read, &read_evidence, NULL), STATUS_OK);
        free((void *)(uintptr_t)value.data);
        review_state_encode(&read, &read_evidence, &again);
        assert_true(span_equal(buffer_span(&bytes), buffer_span(&again)));
        assert_int_equal(read.adopted != NULL, review.adopted != NULL);
        review_fini(&read);
        evidence_fini(&read_evidence);
        buffer_fini(&bytes);
        buffer_fini(&again);
        arena_reset(&arena);
    }
}

static void
test_applied(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const struct applied applied = {
                .offset = (int64_t)(random_number(&numbers) >> 1),
                .serial = random_number(&numbers),
                .quiet = (int64_t)(random_number(&numbers) >> 1) - 1,
                .token = {random_bits(&numbers), random_number(&numbers)},
                .wall_ms = random_signed(&numbers),
                .last_record_ms = random_chance(&numbers, 4) ? TIME_NULL : random_signed(&numbers),
                .last_checksum = random_bits(&numbers),
                .times = {random_signed(&numbers), random_signed(&numbers),
                        random_signed(&numbers)},
                .next_series = random_number(&numbers),
                .next_group = random_number(&numbers),
                .next_active = random_number(&numbers),
        };
        struct applied read;
        struct buffer bytes = {0};

        memset(&read, 0, sizeof(read));
        applied_encode(&applied, &bytes);
        assert_int_equal(applied_decode(buffer_span(&bytes), &read, NULL), STATUS_OK);
        assert_memory_equal(&applied, &read, sizeof(read));
        buffer_fini(&bytes);
    }
}

/* What Avro and JSON of a packet say must be the same; test_review_codec looks at each field. */
static void
test_review_packet(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct packet packet;
        struct buffer bytes = {0};
        json_t *review = NULL;

        random_packet(&numbers, &arena, &packet);
        review_encode(&packet, REVIEW_SCHEMA_ID_DEFAULT, &bytes);

        const struct span value = copy_exactly(buffer_span(&bytes));

        assert_int_equal(review_decode(value, &review, NULL), STATUS_OK);
        assert_true(json_integer_value(json_object_get(review, "retries")) ==
                    (json_int_t)packet.l.n[COUNT_RETRIES]);
        assert_string_equal(
                json_string_value(json_object_get(review, "review_id")), packet.review_id);
        json_decref(review);
        free((void *)(uintptr_t)value.data);
        buffer_fini(&bytes);
        arena_reset(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_outcome_json),
            cmocka_unit_test(test_decision),
            cmocka_unit_test(test_decision_as_json),
            cmocka_unit_test(test_review_state),
            cmocka_unit_test(test_applied),
            cmocka_unit_test(test_review_packet),
    };

    numbers = random_new("codec_round_trip");
    arena_init(&arena);

    const int failed = cmocka_run_group_tests_name("codec_round_trip", tests, NULL, NULL);

    arena_fini(&arena);
    return failed;
}
