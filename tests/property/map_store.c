/* map_store.c - what a store would hold of one partition, as plain arrays.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/property/map_store.h"

#include <assert.h>
#include <stdlib.h>

void
map_store_clear(struct map_store *store)
{
    for (size_t i = 0; i < store->review_count; i++) {
        evidence_fini(&store->reviews[i].evidence);
    }
    store->series_count = store->group_count = store->review_count = 0;
    store->minute_count = store->half_hour_count = 0;
    store->times = (struct partition_times){TIME_NULL, TIME_NULL, TIME_NULL};
    store->next_series = store->next_group = store->next_active = 0;
}

void
map_store_fini(struct map_store *store)
{
    map_store_clear(store);
    free(store->series);
    free(store->groups);
    free(store->minutes);
    free(store->half_hours);
    free(store->reviews);
}

const struct map_name *
map_store_find(const struct map_name *names, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].number == number) {
            return &names[i];
        }
    }
    return NULL;
}

/* ---- storing --------------------------------------------------------------------------------- */

static struct map_name
name_of(const struct name_change *change)
{
    struct map_name name = {.number = change->number};

    for (size_t i = 0; i < DIM_COUNT; i++) {
        assert(change->dimensions[i].size < MAP_TEXT_MAX);
        if (change->dimensions[i].size != 0) {
            memcpy(name.texts[i], change->dimensions[i].data, change->dimensions[i].size);
        }
    }
    return name;
}

static void
delete_name(struct map_name *names, size_t *count, uint64_t number)
{
    const struct map_name *name = map_store_find(names, *count, number);

    assert(name != NULL); /* only what was stored is to be deleted */
    names[name - names] = names[--*count];
}

static void
apply_names(struct map_store *store, const struct partition_changes *changes)
{
    for (size_t i = 0; i < changes->series_count; i++) {
        assert(changes->series[i].number >= store->next_series);
        assert(changes->series[i].number < changes->next_series);
        store->series = memory_grow(store->series, store->series_count, &store->series_capacity,
                sizeof(*store->series));
        store->series[store->series_count++] = name_of(&changes->series[i]);
    }
    for (size_t i = 0; i < changes->group_count; i++) {
        assert(changes->groups[i].number >= store->next_group);
        assert(changes->groups[i].number < changes->next_group);
        store->groups = memory_grow(
                store->groups, store->group_count, &store->group_capacity, sizeof(*store->groups));
        store->groups[store->group_count++] = name_of(&changes->groups[i]);
    }
    for (size_t i = 0; i < changes->forgotten_series_count; i++) {
        delete_name(store->series, &store->series_count, changes->forgotten_series[i]);
    }
    for (size_t i = 0; i < changes->forgotten_group_count; i++) {
        delete_name(store->groups, &store->group_count, changes->forgotten_groups[i]);
    }
}

static void
put_slot(struct map_slot **slots, size_t *count, size_t *capacity, const struct slot_change *change)
{
    struct map_slot *slot = NULL;

    for (size_t i = 0; i < *count; i++) {
        if ((*slots)[i].slot == change->slot && (*slots)[i].number == change->number) {
            slot = &(*slots)[i];
        }
    }
    if (slot == NULL) {
        *slots = memory_grow(*slots, *count, capacity, sizeof(**slots));
        slot = &(*slots)[(*count)++];
    }
    assert(change->packed.data != NULL && change->packed.size <= COUNTS_PACKED_MAX);
    slot->slot = change->slot;
    slot->number = change->number;
    slot->size = change->packed.size;
    memcpy(slot->packed, change->packed.data, change->packed.size);
}

static void
drop_slots(struct map_slot *slots, size_t *count, int64_t from, int64_t to)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        if (slots[i].slot < from || slots[i].slot >= to) {
            slots[kept++] = slots[i];
        }
    }
    *count = kept;
}

static void
apply_slots(struct map_store *store, const struct partition_changes *changes)
{
    for (size_t i = 0; i < changes->minute_count; i++) {
        assert(i == 0 || changes->minutes[i].slot >= changes->minutes[i - 1].slot);
        put_slot(&store->minutes, &store->minute_count, &store->minute_capacity,
                &changes->minutes[i]);
    }
    for (size_t i = 0; i < changes->half_hour_count; i++) {
        assert(i == 0 || changes->half_hours[i].slot >= changes->half_hours[i - 1].slot);
        put_slot(&store->half_hours, &store->half_hour_count, &store->half_hour_capacity,
                &changes->half_hours[i]);
    }
    assert(changes->minutes_dropped_to - changes->minutes_dropped_from <= WINDOW_L_MINUTES);
    assert(changes->half_hours_dropped_to - changes->half_hours_dropped_from <= LIVE_HALF_HOURS);
    drop_slots(store->minutes, &store->minute_count, changes->minutes_dropped_from,
            changes->minutes_dropped_to);
    drop_slots(store->half_hours, &store->half_hour_count, changes->half_hours_dropped_from,
            changes->half_hours_dropped_to);
}

static uint8_t *
copy_bytes(const uint8_t *data, size_t size)
{
    return data != NULL ? memcpy(memory_new(1, size), data, size) : NULL;
}

static struct evidence
copy_evidence(const struct evidence *evidence)
{
    struct evidence copy = *evidence;

    copy.unit_metric = copy_bytes(evidence->unit_metric, evidence->unit_metric_size);
    for (size_t i = 0; i < evidence->source_url_count; i++) {
        copy.source_urls[i].data =
                copy_bytes(evidence->source_urls[i].data, evidence->source_urls[i].size);
    }
    return copy;
}

static void
delete_review(struct map_store *store, uint64_t number)
{
    for (size_t i = 0; i < store->review_count; i++) {
        if (store->reviews[i].number == number) {
            evidence_fini(&store->reviews[i].evidence);
            store->reviews[i] = store->reviews[--store->review_count];
            return;
        }
    }
}

static void
apply_reviews(struct map_store *store, const struct partition_changes *changes)
{
    for (size_t i = 0; i < changes->review_count; i++) {
        const struct review_change *change = &changes->reviews[i];

        delete_review(store, change->number);
        store->reviews = memory_grow(store->reviews, store->review_count, &store->review_capacity,
                sizeof(*store->reviews));
        store->reviews[store->review_count++] = (struct map_review){
                change->number, *change->review, copy_evidence(change->evidence)};
    }
    for (size_t i = 0; i < changes->forgotten_group_count; i++) {
        delete_review(store, changes->forgotten_groups[i]);
    }
}

void
map_store_apply(struct map_store *store, const struct partition_changes *changes,
        struct partition_times times)
{
    apply_names(store, changes);
    apply_slots(store, changes);
    apply_reviews(store, changes);
    store->times = times;
    store->next_series = changes->next_series;
    store->next_group = changes->next_group;
    store->next_active = changes->next_active;
}

/* ---- restoring ------------------------------------------------------------------------------- */

static void
spans_of(const struct map_name *name, struct span *dimensions)
{
    for (size_t i = 0; i < DIM_COUNT; i++) {
        dimensions[i] = name->texts[i][0] != '\0' ? span_of(name->texts[i]) : SPAN_NULL;
    }
}

static void
restore_names(const struct map_store *store, struct partition *partition)
{
    struct span dimensions[DIM_COUNT];
    enum status status = STATUS_OK;

    for (size_t i = 0; i < store->group_count; i++) {
        spans_of(&store->groups[i], dimensions);
        status = partition_restore_group(partition, store->groups[i].number, dimensions, NULL);
        assert(status == STATUS_OK);
    }
    for (size_t i = 0; i < store->series_count; i++) {
        spans_of(&store->series[i], dimensions);
        /* Twice, as a scan of Redis may answer. */
        for (int times = 0; times < 2; times++) {
            status = partition_restore_series(partition, store->series[i].number, dimensions, NULL);
            assert(status == STATUS_OK);
        }
    }
}

static void
restore_slots(const struct map_store *store, struct partition *partition)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < 2 * store->minute_count; i++) {
        const struct map_slot *slot = &store->minutes[i / 2]; /* each of them twice */

        status = partition_restore_minute(
                partition, slot->slot, slot->number, (struct span){slot->packed, slot->size}, NULL);
        assert(status == STATUS_OK);
    }
    for (size_t i = 0; i < 2 * store->half_hour_count; i++) {
        const struct map_slot *slot = &store->half_hours[i / 2];

        status = partition_restore_half_hour(
                partition, slot->slot, slot->number, (struct span){slot->packed, slot->size}, NULL);
        assert(status == STATUS_OK);
    }
    (void)status;
}

struct partition *
map_store_restore(const struct map_store *store, const struct partition_options *options)
{
    struct partition *partition = partition_new(options);

    partition_restore_times(
            partition, store->times, store->next_series, store->next_group, store->next_active);
    restore_names(store, partition);
    restore_slots(store, partition);
    for (size_t i = 0; i < store->review_count; i++) {
        struct review review = store->reviews[i].review;
        struct evidence evidence = copy_evidence(&store->reviews[i].evidence);
        const enum status status = partition_restore_review(
                partition, store->reviews[i].number, &review, &evidence, NULL);

        assert(status == STATUS_OK);
        (void)status;
    }
    const enum status status = partition_restore_end(partition, NULL);

    assert(status == STATUS_OK);
    (void)status;
    return partition;
}
