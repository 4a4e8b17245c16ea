/* fold_store.c - what a partition stores, kept in memory, so that tests can restart it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fold_store.h"

#include "codec/state.h"

#include <stdio.h>
#include <stdlib.h>

void
fold_store_fini(struct fold_store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        free(store->items[i].value);
    }
    free(store->items);
    *store = (struct fold_store){0};
}

static void
require(enum status status, const struct error *error)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "fold_store: %s\n", error->text);
        abort();
    }
}

static struct span
item_value(const struct fold_item *item)
{
    return (struct span){item->value, item->size};
}

/* ---- apply ------------------------------------------------------------------------------------
 */

static void
put(struct fold_store *store, enum fold_kind kind, int64_t slot, uint64_t number, struct span value)
{
    size_t i = 0;

    while (i < store->count && (store->items[i].kind != kind || store->items[i].slot != slot ||
                                       store->items[i].number != number)) {
        i++;
    }
    if (i == store->count) {
        store->items =
                memory_grow(store->items, store->count, &store->capacity, sizeof(*store->items));
        store->items[store->count++] = (struct fold_item){kind, slot, number, NULL, 0};
    }
    free(store->items[i].value);
    store->items[i].value = memory_new(1, value.size + 1);
    store->items[i].size = value.size;
    memcpy(store->items[i].value, value.data, value.size);
}

static void
drop_at(struct fold_store *store, size_t index)
{
    free(store->items[index].value);
    store->items[index] = store->items[--store->count];
}

static void
drop_numbers(struct fold_store *store, enum fold_kind kind, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = store->count; k-- > 0;) {
            if (store->items[k].kind == kind && store->items[k].number == numbers[i]) {
                drop_at(store, k);
            }
        }
    }
}

static void
drop_slots(struct fold_store *store, enum fold_kind kind, int64_t from, int64_t to)
{
    for (size_t k = store->count; k-- > 0;) {
        if (store->items[k].kind == kind && store->items[k].slot >= from &&
                store->items[k].slot < to) {
            drop_at(store, k);
        }
    }
}

static void
put_names(struct fold_store *store, enum fold_kind kind, const struct name_change *names,
        size_t count)
{
    struct buffer packed = {0};

    for (size_t i = 0; i < count; i++) {
        buffer_clear(&packed);
        dimensions_encode(names[i].dimensions, &packed);
        put(store, kind, 0, names[i].number, buffer_span(&packed));
    }
    buffer_fini(&packed);
}

static void
put_slots(struct fold_store *store, enum fold_kind kind, const struct slot_change *slots,
        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(store, kind, slots[i].slot, slots[i].number, slots[i].packed);
    }
}

static void
put_reviews(struct fold_store *store, const struct partition_changes *changes)
{
    struct buffer packed = {0};

    for (size_t i = 0; i < changes->review_count; i++) {
        const struct review_change *change = &changes->reviews[i];

        buffer_clear(&packed);
        review_state_encode(change->review, change->evidence, &packed);
        put(store, FOLD_REVIEW, 0, change->number, buffer_span(&packed));
    }
    buffer_fini(&packed);
}

void
fold_store_apply(struct fold_store *store, struct partition *partition)
{
    const struct partition_changes *changes = partition_changes(partition);

    put_names(store, FOLD_SERIES, changes->series, changes->series_count);
    put_names(store, FOLD_GROUP, changes->groups, changes->group_count);
    put_slots(store, FOLD_MINUTE, changes->minutes, changes->minute_count);
    put_slots(store, FOLD_HALF_HOUR, changes->half_hours, changes->half_hour_count);
    put_reviews(store, changes);
    drop_numbers(store, FOLD_SERIES, changes->forgotten_series, changes->forgotten_series_count);
    drop_numbers(store, FOLD_GROUP, changes->forgotten_groups, changes->forgotten_group_count);
    drop_numbers(store, FOLD_REVIEW, changes->forgotten_groups, changes->forgotten_group_count);
    drop_slots(store, FOLD_MINUTE, changes->minutes_dropped_from, changes->minutes_dropped_to);
    drop_slots(store, FOLD_HALF_HOUR, changes->half_hours_dropped_from,
            changes->half_hours_dropped_to);
    store->times = partition_times(partition);
    store->next_series = changes->next_series;
    store->next_group = changes->next_group;
    store->next_active = changes->next_active;
}

/* ---- restore ----------------------------------------------------------------------------------
 */

static void
restore_name(const struct fold_item *item, struct partition *partition)
{
    struct error error;
    struct span dimensions[DIM_COUNT];

    require(dimensions_decode(item_value(item), dimensions, &error), &error);
    require(item->kind == FOLD_SERIES
                    ? partition_restore_series(partition, item->number, dimensions, &error)
                    : partition_restore_group(partition, item->number, dimensions, &error),
            &error);
}

static void
restore_slot(const struct fold_item *item, struct partition *partition)
{
    struct error error;

    require(item->kind == FOLD_MINUTE ? partition_restore_minute(partition, item->slot,
                                                item->number, item_value(item), &error)
                                      : partition_restore_half_hour(partition, item->slot,
                                                item->number, item_value(item), &error),
            &error);
}

static void
restore_review(const struct fold_item *item, struct partition *partition)
{
    struct error error;
    struct review review;
    struct evidence evidence;

    review_init(&review);
    evidence_init(&evidence);
    require(review_state_decode(item_value(item), &review, &evidence, &error), &error);
    require(partition_restore_review(partition, item->number, &review, &evidence, &error), &error);
}

static void
restore_kind(const struct fold_store *store, enum fold_kind kind, struct partition *partition,
        void (*restore)(const struct fold_item *item, struct partition *partition))
{
    for (size_t i = 0; i < store->count; i++) {
        if (store->items[i].kind == kind) {
            restore(&store->items[i], partition);
        }
    }
}

void
fold_store_restore(const struct fold_store *store, struct partition *partition)
{
    struct error error;

    partition_restore_times(
            partition, store->times, store->next_series, store->next_group, store->next_active);
    restore_kind(store, FOLD_GROUP, partition, restore_name);
    restore_kind(store, FOLD_SERIES, partition, restore_name);
    restore_kind(store, FOLD_MINUTE, partition, restore_slot);
    restore_kind(store, FOLD_HALF_HOUR, partition, restore_slot);
    restore_kind(store, FOLD_REVIEW, partition, restore_review);
    require(partition_restore_end(partition, &error), &error);
}

/* ---- look ---------------------------------------------------------------------------------------
 */

static bool
is_group(const struct fold_item *item, const struct span dimensions[DIM_COUNT])
{
    struct error error;
    struct span stored[DIM_COUNT];

    if (item->kind != FOLD_GROUP) {
        return false;
    }
    require(dimensions_decode(item_value(item), stored, &error), &error);
    for (size_t i = 0; i < DIM_COUNT; i++) {
        if (dimensions[i].data != NULL && !span_equal(dimensions[i], stored[i])) {
            return false;
        }
    }
    return true;
}

bool
fold_store_review(const struct fold_store *store, const struct span dimensions[DIM_COUNT],
        struct review *review, struct evidence *evidence)
{
    struct error error;

    for (size_t i = 0; i < store->count; i++) {
        if (!is_group(&store->items[i], dimensions)) {
            continue;
        }
        for (size_t k = 0; k < store->count; k++) {
            if (store->items[k].kind == FOLD_REVIEW &&
                    store->items[k].number == store->items[i].number) {
                review_init(review);
                evidence_init(evidence);
                require(review_state_decode(item_value(&store->items[k]), review, evidence, &error),
                        &error);
                return true;
            }
        }
    }
    return false;
}
