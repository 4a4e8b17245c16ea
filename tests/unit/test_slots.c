/* test_slots.c - packed slots against an array, and the table of entries against a list.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/slots.h"
#include "aggregator/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEED 7
#define SPAN 60 /* live slots */
#define SLOTS_MAX 4000

static uint64_t random_state;

static uint64_t
random_below(uint64_t bound)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % bound;
}

/* What the slots must hold: attempts by slot, from oldest on. */
static void
compare(const struct slots *slots, const uint64_t *naive, int64_t oldest, int64_t newest)
{
    for (int64_t slot = oldest; slot <= newest; slot++) {
        const int64_t to = slot + (int64_t)random_below(SPAN);
        struct counts counts;
        uint64_t wanted = 0;

        counts_init(&counts);
        slots_sum(slots, slot, to, &counts);
        for (int64_t s = slot; s <= to && s <= newest; s++) {
            wanted += naive[s];
        }
        assert_int_equal(counts.n[COUNT_RETRY_UNITS], wanted);
    }
}

static void
compare_packed(const struct slots *slots, const uint64_t *naive, int64_t oldest, int64_t newest)
{
    for (int64_t slot = oldest; slot <= newest; slot++) {
        const struct span packed = slots_packed(slots, slot);
        struct counts counts;

        counts_init(&counts);
        if (naive[slot] == 0) {
            assert_null(packed.data);
        } else {
            counts_add_packed(&counts, packed);
            assert_int_equal(counts.n[COUNT_RETRY_UNITS], naive[slot]);
        }
    }
}

static struct sparse_counts
units_of(uint64_t units)
{
    return (struct sparse_counts){.mask = UINT64_C(1) << COUNT_RETRY_UNITS,
            .value = {units},
            .first_offset = -1,
            .last_offset = -1};
}

/* Slots come in any order, grow in size, and leave; with a tally, and without. */
static void
run_slots(bool with_tally)
{
    static uint64_t naive[SLOTS_MAX];
    struct slots slots = {0};
    struct slot_tally tally;
    int64_t newest = 100;

    memset(naive, 0, sizeof(naive));
    tally_init(&tally);
    for (size_t i = 0; i < 4000 && newest < SLOTS_MAX - 200; i++) {
        const uint64_t kind = random_below(100);

        newest += kind < 10 ? 1 : kind < 12 ? (int64_t)random_below(130) : 0;

        const int64_t oldest = newest - (SPAN - 1);
        const int64_t slot = kind < 70 ? newest : oldest + (int64_t)random_below(SPAN);
        const struct sparse_counts units = units_of(UINT64_C(1) << random_below(40));

        naive[slot] += units.value[0];
        if (with_tally) {
            slots_add_tally(&slots, &tally, slot, oldest, &units);
        } else {
            slots_add(&slots, slot, oldest, &units);
        }
        if (random_below(4) == 0) {
            slots_pack(&slots, &tally);
            compare(&slots, naive, oldest, newest);
            compare_packed(&slots, naive, oldest, newest);
        }
    }
    slots_fini(&slots);
}

static void
test_agrees_with_array(void **state)
{
    (void)state;
    random_state = SEED;
    print_message("seed %d\n", SEED);
    for (size_t i = 0; i < 30; i++) {
        run_slots(i % 2 == 0);
    }
}

static void
test_insert(void **state)
{
    const uint8_t bytes[] = {1, 1, 5};
    const struct span packed = {bytes, sizeof(bytes)};
    struct slots slots = {0};
    struct counts sum;

    (void)state;
    assert_int_equal(slots_newest(&slots), SLOT_NONE);
    assert_true(slots_insert(&slots, 100, packed, 60));
    assert_true(slots_insert(&slots, 60, packed, 60));
    assert_true(slots_insert(&slots, 119, packed, 60));
    assert_true(slots_insert(&slots, 118, packed, 60));
    assert_false(slots_insert(&slots, 100, packed, 60)); /* a scan may visit a field twice */
    assert_int_equal(slots_newest(&slots), 119);
    counts_init(&sum);
    slots_sum(&slots, 60, 119, &sum);
    assert_int_equal(sum.n[COUNT_ATTEMPTS], 20);
    slots_fini(&slots);
}

static void
test_dirty(void **state)
{
    const struct sparse_counts units = units_of(1);
    struct slots slots = {0};

    (void)state;
    slots_add(&slots, 10, 0, &units);
    assert_true(slots_set_dirty(&slots, 10));
    assert_false(slots_set_dirty(&slots, 10));
    /* 74 has the bit of 10, which leaves. */
    slots_add(&slots, 74, 15, &units);
    assert_true(slots_set_dirty(&slots, 74));
    slots_fini(&slots);
}

/* The largest slots there can be, all live at once. */
static void
test_full(void **state)
{
    struct sparse_counts most = {
            .mask = (UINT64_C(1) << COUNT_NUMBER) - 1, .first_offset = 1, .last_offset = INT64_MAX};
    struct slots slots = {0};
    struct counts sum;

    (void)state;
    for (size_t i = 0; i < COUNT_NUMBER; i++) {
        most.value[i] = UINT64_MAX;
    }
    for (int64_t slot = 0; slot < SLOTS_RING; slot++) {
        slots_add(&slots, slot, 0, &most);
    }
    counts_init(&sum);
    slots_sum(&slots, 0, SLOTS_RING - 1, &sum);
    assert_int_equal(sum.n[COUNT_NUMBER - 1], UINT64_MAX); /* it stops there */
    assert_int_equal(sum.last_offset, INT64_MAX);
    slots_fini(&slots);
}

/* ---- table ----------------------------------------------------------------------------------- */

#define ITEMS 500

/* Hashes that collide, and wrap around the end. */
static uint64_t
poor_hash(size_t item)
{
    return item % 7 == 0 ? UINT64_MAX : item / 5;
}

static bool
is_in(const struct table *table, const size_t *item, uint64_t hash)
{
    const size_t *candidate = NULL;
    size_t at = 0;

    while ((candidate = table_next(table, hash, &at)) != NULL) {
        if (candidate == item) {
            return true;
        }
    }
    return false;
}

static void
test_table(void **state)
{
    static size_t items[ITEMS];
    bool in[ITEMS] = {false};
    struct table table = {0};
    size_t count = 0;

    (void)state;
    random_state = SEED;
    for (size_t i = 0; i < 20000; i++) {
        const size_t item = random_below(i / 4000 % 2 == 0 ? ITEMS : ITEMS / 10);

        if (in[item]) {
            table_remove(&table, poor_hash(item), &items[item]);
        } else {
            table_add(&table, poor_hash(item), &items[item]);
        }
        in[item] = !in[item];
        count += in[item] ? 1 : (size_t)-1;
        assert_int_equal(table.count, count);
        for (size_t j = i % 50; i % 10 == 0 && j < ITEMS; j += 50) {
            assert_int_equal(is_in(&table, &items[j], poor_hash(j)), in[j]);
        }
    }
    table_fini(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_agrees_with_array),
            cmocka_unit_test(test_insert),
            cmocka_unit_test(test_dirty),
            cmocka_unit_test(test_full),
            cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
