/* test_counts.c - what one event adds, saturation, and the packed form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sparse_counts
sparse_of(const struct counts *counts)
{
    struct sparse_counts sparse = {
            .first_offset = counts->first_offset, .last_offset = counts->last_offset};
    size_t size = 0;

    for (size_t i = 0; i < COUNT_NUMBER; i++) {
        if (counts->n[i] != 0) {
            sparse.mask |= UINT64_C(1) << i;
            sparse.value[size++] = counts->n[i];
        }
    }
    return sparse;
}

static void
add(struct counts *counts, const struct counts *other)
{
    const struct sparse_counts sparse = sparse_of(other);

    counts_add_sparse(counts, &sparse);
}

static struct counts
counts_of(const struct outcome *outcome, bool late, uint32_t missing)
{
    struct event_counts event;
    struct counts counts;

    counts_init(&counts);
    event_counts_init(&event, outcome, 42, late, missing);
    counts_add_sparse(&counts, &event.all);
    return counts;
}

static void
test_first_attempt(void **state)
{
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    outcome.attempt_number = 1;
    outcome.retry_cause = CAUSE_TIMEOUT; /* of no meaning on a first attempt */
    outcome.retry_decision = RETRY_DECISION_STOP;

    const struct counts counts = counts_of(&outcome, false, DIM_WORKLOAD);

    for (size_t i = 0; i < COUNT_NUMBER; i++) {
        const bool counted = i == COUNT_ATTEMPTS || i == COUNT_USAGE_UNAVAILABLE ||
                             i == COUNT_DECISION + (int)RETRY_DECISION_STOP;

        assert_int_equal(counts.n[i], counted);
    }
    assert_int_equal(counts.first_offset, 42);
    assert_int_equal(counts.last_offset, 42);
}

static void
test_retry(void **state)
{
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    outcome.attempt_number = OUTCOME_ATTEMPT_MAX;
    outcome.result = RESULT_FAILURE;
    outcome.retry_layer = LAYER_AGENT;
    outcome.has_units = true;
    outcome.units = 9;

    const struct counts counts =
            counts_of(&outcome, true, 1u << DIM_WORKLOAD | 1u << DIM_ENVIRONMENT | 1u << DIM_CLASS);

    assert_int_equal(counts.n[COUNT_RETRIES], 1);
    assert_int_equal(counts.n[COUNT_FAILURES], 1);
    assert_int_equal(counts.n[COUNT_FIRST_UNITS], 0);
    assert_int_equal(counts.n[COUNT_RETRY_UNITS], 9);
    assert_int_equal(counts.n[COUNT_LATE], 1);
    assert_int_equal(counts.n[COUNT_CAUSE_NULL], 1); /* null is not unknown */
    assert_int_equal(counts.n[COUNT_CAUSE + (int)CAUSE_UNKNOWN], 0);
    assert_int_equal(counts.n[COUNT_ERROR + (int)ERROR_OTHER], 1); /* a failure without one */
    assert_int_equal(counts.n[COUNT_LAYER + (int)LAYER_AGENT], 1);
    assert_int_equal(counts.n[COUNT_NO_WORKLOAD], 1);
    assert_int_equal(counts.n[COUNT_NO_ENVIRONMENT], 1);
    assert_int_equal(counts.n[COUNT_NO_CLASS], 1);
}

/* ---- units ----------------------------------------------------------------------------------- */

#define NONE INT64_MIN

struct units_row {
    const char *name;
    int64_t units, input, output; /* NONE: absent */
    enum usage_source source;
    int64_t want; /* -1: usage unavailable */
};

static const struct units_row units_rows[] = {
        {"units: its own win over tokens", 5, 10, 20, USAGE_REPORTED, 5},
        {"units: its own of zero is zero", 0, 10, 20, USAGE_REPORTED, 0},
        {"units: input and output are added", NONE, 10, 20, USAGE_ESTIMATED, 30},
        {"units: input alone", NONE, 10, NONE, USAGE_REPORTED, 10},
        {"units: output alone", NONE, NONE, 20, USAGE_REPORTED, 20},
        {"units: zero tokens are known", NONE, 0, NONE, USAGE_REPORTED, 0},
        {"units: none present", NONE, NONE, NONE, USAGE_REPORTED, -1},
        {"units: negative", -1, 10, 20, USAGE_REPORTED, -1},
        {"units: negative input", NONE, -1, 20, USAGE_REPORTED, -1},
        {"units: negative output", NONE, 10, -1, USAGE_REPORTED, -1},
        {"units: source unavailable", 5, 10, 20, USAGE_UNAVAILABLE, -1},
        {"units: two of the largest", NONE, INT64_MAX, INT64_MAX, USAGE_REPORTED, -2},
};

static void
test_units(void **state)
{
    const struct units_row *row = *state;
    struct outcome outcome;

    outcome_init(&outcome);
    outcome.attempt_number = 1;
    outcome.has_units = row->units != NONE;
    outcome.has_input_tokens = row->input != NONE;
    outcome.has_output_tokens = row->output != NONE;
    outcome.units = row->units;
    outcome.input_tokens = row->input;
    outcome.output_tokens = row->output;
    outcome.usage_source = (uint8_t)row->source;

    const struct counts counts = counts_of(&outcome, false, 0);
    const uint64_t want = row->want == -1 ? 0 : (uint64_t)row->want; /* -2: 2 * INT64_MAX */

    assert_int_equal(counts.n[COUNT_FIRST_UNITS], want);
    assert_int_equal(counts.n[COUNT_USAGE_UNAVAILABLE], row->want == -1);
}

static void
test_saturation(void **state)
{
    struct counts counts;
    struct counts other;

    (void)state;
    assert_int_equal(count_sum(UINT64_MAX - 1, 1), UINT64_MAX);
    assert_int_equal(count_sum(UINT64_MAX, 1), UINT64_MAX);
    counts_init(&counts);
    counts_init(&other);
    counts.n[COUNT_FIRST_UNITS] = UINT64_MAX - 1;
    other.n[COUNT_FIRST_UNITS] = 7;
    other.first_offset = 3;
    other.last_offset = 9;
    add(&counts, &other);
    assert_int_equal(counts.n[COUNT_FIRST_UNITS], UINT64_MAX);
    assert_int_equal(counts.first_offset, 3);
    other.first_offset = 2;
    other.last_offset = 5;
    add(&counts, &other);
    assert_int_equal(counts.first_offset, 2);
    assert_int_equal(counts.last_offset, 9);
}

/* ---- the packed form ------------------------------------------------------------------------- */

static size_t
pack(const struct counts *counts, uint8_t *bytes)
{
    const struct sparse_counts sparse = sparse_of(counts);

    return counts_merge(SPAN_NULL, &sparse, bytes);
}

static void
test_pack_and_unpack(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, INT64_MAX, UINT64_MAX};
    uint8_t bytes[COUNTS_PACKED_MAX];
    struct counts unpacked;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        struct counts counts;

        counts_init(&counts);
        for (size_t n = 0; n < COUNT_NUMBER; n++) {
            counts.n[n] = values[(i * 31 + n * (i + 7)) % 8];
        }
        if (i % 3 != 0) {
            counts.first_offset = (int64_t)(i * i);
            counts.last_offset = i % 2 == 0 ? INT64_MAX : counts.first_offset;
        }

        const size_t size = pack(&counts, bytes);

        assert_true(size <= sizeof(bytes));
        assert_int_equal(counts_unpack((struct span){bytes, size}, &unpacked), STATUS_OK);
        assert_memory_equal(&unpacked, &counts, sizeof(counts));
        for (size_t cut = 0; cut < size; cut++) {
            /* Cut off where the offsets begin, it is what a slot without them looks like. */
            if (counts_unpack((struct span){bytes, cut}, &unpacked) == STATUS_OK) {
                assert_true(counts.first_offset >= 0);
                assert_int_equal(unpacked.first_offset, -1);
            }
        }
    }
}

/* Counters that were added one slot after the other, packed or not, are the same. */
static void
test_merge(void **state)
{
    uint8_t bytes[2][COUNTS_PACKED_MAX];
    struct span packed = SPAN_NULL;
    struct counts sum;
    uint64_t attempts = 0;
    uint64_t retries = 0;

    (void)state;
    counts_init(&sum);
    for (size_t i = 0; i < 300; i++) {
        struct counts counts;
        struct counts unpacked;

        counts_init(&counts);
        for (size_t n = 0; n < COUNT_NUMBER; n++) {
            /* Some for the first time, some again; a few grow by a byte, or stop. */
            counts.n[n] = (i + n * 5) % 11 == 0 ? UINT64_C(1) << (i * n) % 60 : 0;
        }
        if (i % 4 != 0) {
            counts.first_offset = (int64_t)(1000 + i * 37 % 200);
            counts.last_offset = counts.first_offset + (int64_t)(i * 53 % 400);
        }

        const struct sparse_counts sparse = sparse_of(&counts);

        add(&sum, &counts);
        packed = (struct span){bytes[i % 2], counts_merge(packed, &sparse, bytes[i % 2])};
        assert_int_equal(counts_unpack(packed, &unpacked), STATUS_OK);
        assert_memory_equal(&unpacked, &sum, sizeof(sum));
    }
    counts_add_packed_attempts(packed, &attempts, &retries);
    assert_int_equal(attempts, sum.n[COUNT_ATTEMPTS]);
    assert_int_equal(retries, sum.n[COUNT_RETRIES]);
}

struct bytes_row {
    const char *name;
    uint8_t bytes[24];
    size_t size;
    bool good;
};

static const struct bytes_row bytes_rows[] = {
        {"bytes: empty slot", {1, 0}, 2, true},
        {"bytes: one attempt", {1, 1, 1}, 3, true},
        {"bytes: one attempt at offsets 5 to 7", {1, 1, 1, 5, 2}, 5, true},
        {"bytes: nothing", {0}, 0, false},
        {"bytes: version alone", {1}, 1, false},
        {"bytes: another version", {2, 1, 1}, 3, false},
        {"bytes: counter of zero", {1, 1, 0}, 3, false},
        {"bytes: counter is missing", {1, 3, 1}, 3, false},
        {"bytes: a counter that nobody knows", {1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 1}, 9,
                false},
        {"bytes: longer than needed", {1, 1, 0x81, 0}, 4, false},
        {"bytes: over 64 bits", {1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, 12,
                false},
        {"bytes: 64 bits", {1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 12,
                true},
        {"bytes: first offset alone", {1, 1, 1, 5}, 4, false},
        {"bytes: more than there is", {1, 1, 1, 5, 2, 0}, 6, false},
        {"bytes: offset beyond 63 bits",
                {1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0}, 13, false},
        {"bytes: last offset beyond 63 bits",
                {1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1}, 12, false},
};

static void
test_bytes(void **state)
{
    const struct bytes_row *row = *state;
    uint8_t again[COUNTS_PACKED_MAX];
    struct counts counts;
    const enum status status = counts_unpack((struct span){row->bytes, row->size}, &counts);

    assert_int_equal(status, row->good ? STATUS_OK : STATUS_REFUSED);
    if (row->good) {
        assert_int_equal(pack(&counts, again), row->size);
        assert_memory_equal(again, row->bytes, row->size);
    }
}

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

int
main(void)
{
    struct CMUnitTest tests[5 + ROWS(units_rows) + ROWS(bytes_rows)] = {
            cmocka_unit_test(test_first_attempt),
            cmocka_unit_test(test_retry),
            cmocka_unit_test(test_saturation),
            cmocka_unit_test(test_pack_and_unpack),
            cmocka_unit_test(test_merge),
    };
    size_t count = 5;

    for (size_t i = 0; i < ROWS(units_rows); i++) {
        tests[count++] = (struct CMUnitTest){.name = units_rows[i].name,
                .test_func = test_units,
                .initial_state = (void *)(uintptr_t)&units_rows[i]};
    }
    for (size_t i = 0; i < ROWS(bytes_rows); i++) {
        tests[count++] = (struct CMUnitTest){.name = bytes_rows[i].name,
                .test_func = test_bytes,
                .initial_state = (void *)(uintptr_t)&bytes_rows[i]};
    }
    return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
