/* changes.c - what a batch changed, ready to be stored.
 *
 * The packed bytes of a slot are those in memory: nothing is encoded twice.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/partition_internal.h"

#include <stdlib.h>

#define LIST_AHEAD 16 /* slots */

size_t
partition_update_count(const struct partition *partition)
{
    const struct batch *batch = &partition->batch;

    return batch->minute_count + batch->half_hour_count + batch->new_series_count +
           batch->new_group_count;
}

/* ---- slots ----------------------------------------------------------------------------------- */

/* Order by slot, by counting: all slots are in [oldest, oldest + SLOTS_RING). */
static struct slot_change *
order_by_slot(struct arena *arena, const struct slot_change *changes, size_t count, int64_t oldest)
{
    struct slot_change *ordered = arena_new(arena, count, sizeof(*ordered));
    size_t begin[SLOTS_RING + 1] = {0};

    for (size_t i = 0; i < count; i++) {
        begin[changes[i].slot - oldest + 1]++;
    }
    for (size_t slot = 1; slot < SLOTS_RING; slot++) {
        begin[slot] += begin[slot - 1];
    }
    for (size_t i = 0; i < count; i++) {
        ordered[begin[changes[i].slot - oldest]++] = changes[i];
    }
    return ordered;
}

/* What was counted long ago in this batch has left the nearest caches: ask for it in time. */
static void
prefetch_dirty(const struct batch *batch, size_t i)
{
    if (i + LIST_AHEAD < batch->minute_count) {
        __builtin_prefetch(&batch->minutes[i + LIST_AHEAD].series->minutes);
    }
    if (i + LIST_AHEAD / 2 < batch->minute_count) {
        const struct slots *slots = &batch->minutes[i + LIST_AHEAD / 2].series->minutes;

        __builtin_prefetch(slots->data + slots->last);
    }
}

static void
prefetch_dirty_half_hour(const struct batch *batch, size_t i)
{
    if (i + LIST_AHEAD < batch->half_hour_count) {
        __builtin_prefetch(&batch->half_hours[i + LIST_AHEAD].group->half_hours);
    }
    if (i + LIST_AHEAD / 2 < batch->half_hour_count) {
        const struct slots *slots = &batch->half_hours[i + LIST_AHEAD / 2].group->half_hours;

        __builtin_prefetch(slots->data + slots->last);
    }
}

/* A slot that has left the live ones since it was counted in is unlinked, not stored; so are all
 * slots of what was forgotten. */
static void
list_minutes(struct partition *partition, struct partition_changes *changes)
{
    const struct batch *batch = &partition->batch;
    struct arena *arena = &partition->batch.arena;
    const int64_t oldest = batch->minute_count != 0 ? oldest_minute(partition) : 0;
    struct slot_change *list = arena_new(arena, batch->minute_count, sizeof(*list));
    size_t count = 0;

    for (size_t i = 0; i < batch->minute_count; i++) {
        const struct dirty_minute *dirty = &batch->minutes[i];

        prefetch_dirty(batch, i);
        if (dirty->minute >= oldest) {
            list[count++] = (struct slot_change){dirty->minute, dirty->series->number,
                    slots_packed(&dirty->series->minutes, dirty->minute)};
        }
    }
    changes->minutes = order_by_slot(arena, list, count, oldest);
    changes->minute_count = count;
}

static void
list_half_hours(struct partition *partition, struct partition_changes *changes)
{
    const struct batch *batch = &partition->batch;
    struct arena *arena = &partition->batch.arena;
    const int64_t oldest = batch->half_hour_count != 0 ? oldest_half_hour(partition) : 0;
    struct slot_change *list = arena_new(arena, batch->half_hour_count, sizeof(*list));
    size_t count = 0;

    for (size_t i = 0; i < batch->half_hour_count; i++) {
        const struct dirty_half_hour *dirty = &batch->half_hours[i];

        prefetch_dirty_half_hour(batch, i);
        if (dirty->half_hour >= oldest) {
            /* Before the first of the group's half-hours is listed: packing moves the others. */
            slots_pack(&dirty->group->half_hours, &dirty->group->half_hour_tally);
            list[count++] = (struct slot_change){dirty->half_hour, dirty->group->number,
                    slots_packed(&dirty->group->half_hours, dirty->half_hour)};
        }
    }
    changes->half_hours = order_by_slot(arena, list, count, oldest);
    changes->half_hour_count = count;
}

/* Only what was live at the last settle can have been stored: a silence of years drops 60 minutes,
 * not millions. */
static void
list_dropped(const struct partition *partition, struct partition_changes *changes)
{
    struct partition_times was = partition->settled;
    int64_t from = 0;
    int64_t to = 0;

    if (was.log_ms == TIME_NULL) {
        return;
    }
    partition_live_slots(
            was, &from, &to, &changes->half_hours_dropped_from, &changes->half_hours_dropped_to);
    changes->minutes_dropped_from = from;
    changes->minutes_dropped_to = max_i64(from, min_i64(oldest_minute(partition), to + 1));
    changes->half_hours_dropped_to = max_i64(changes->half_hours_dropped_from,
            min_i64(oldest_half_hour(partition), changes->half_hours_dropped_to + 1));
}

/* ---- names and reviews ----------------------------------------------------------------------- */

static const struct span *
values_of(struct arena *arena, const struct entry *entry)
{
    struct span *dimensions = arena_new(arena, DIM_COUNT, sizeof(*dimensions));

    entry_values(entry, dimensions);
    return dimensions;
}

static void
list_series(struct partition *partition, struct partition_changes *changes)
{
    const struct batch *batch = &partition->batch;
    struct arena *arena = &partition->batch.arena;
    struct name_change *names = arena_new(arena, batch->new_series_count, sizeof(*names));
    uint64_t *forgotten = arena_new(arena, batch->forgotten_series_count, sizeof(*forgotten));

    for (size_t i = 0; i < batch->new_series_count; i++) {
        const struct series *series = batch->new_series[i];

        if (!series->forgotten) {
            names[changes->series_count++] =
                    (struct name_change){series->number, values_of(arena, &series->entry)};
        }
    }
    for (size_t i = 0; i < batch->forgotten_series_count; i++) {
        if (batch->forgotten_series[i]->stored) {
            forgotten[changes->forgotten_series_count++] = batch->forgotten_series[i]->number;
        }
    }
    changes->series = names;
    changes->forgotten_series = forgotten;
}

static void
list_groups(struct partition *partition, struct partition_changes *changes)
{
    const struct batch *batch = &partition->batch;
    struct arena *arena = &partition->batch.arena;
    struct name_change *names = arena_new(arena, batch->new_group_count, sizeof(*names));
    uint64_t *forgotten = arena_new(arena, batch->forgotten_group_count, sizeof(*forgotten));

    for (size_t i = 0; i < batch->new_group_count; i++) {
        const struct group *group = batch->new_groups[i];

        if (!group->forgotten) {
            names[changes->group_count++] =
                    (struct name_change){group->number, values_of(arena, &group->entry)};
        }
    }
    for (size_t i = 0; i < batch->forgotten_group_count; i++) {
        if (batch->forgotten_groups[i]->stored) {
            forgotten[changes->forgotten_group_count++] = batch->forgotten_groups[i]->number;
        }
    }
    changes->groups = names;
    changes->forgotten_groups = forgotten;
}

static void
list_reviews(struct partition *partition, struct partition_changes *changes)
{
    const struct batch *batch = &partition->batch;
    struct arena *arena = &partition->batch.arena;
    struct review_change *reviews = arena_new(arena, batch->review_count, sizeof(*reviews));

    for (size_t i = 0; i < batch->review_count; i++) {
        const struct group *group = batch->reviews[i];

        if (!group->forgotten) {
            reviews[changes->review_count++] = (struct review_change){group->number,
                    values_of(arena, &group->entry), &group->review, &group->evidence};
        }
    }
    changes->reviews = reviews;
}

const struct partition_changes *
partition_changes(struct partition *partition)
{
    struct partition_changes *changes = &partition->changes;

    *changes = (struct partition_changes){
            .publications = partition->batch.publications,
            .publication_count = partition->batch.publication_count,
            .next_series = partition->next_series,
            .next_group = partition->next_group,
            .next_active = partition->next_active,
    };
    list_minutes(partition, changes);
    list_half_hours(partition, changes);
    list_dropped(partition, changes);
    list_series(partition, changes);
    list_groups(partition, changes);
    list_reviews(partition, changes);
    return changes;
}

/* ---- settling -------------------------------------------------------------------------------- */

static void
settle_slots(struct batch *batch)
{
    for (size_t i = 0; i < batch->minute_count; i++) {
        if (i + LIST_AHEAD < batch->minute_count) { /* while it was stored, others were counted */
            __builtin_prefetch(&batch->minutes[i + LIST_AHEAD].series->minutes, 1);
        }
        batch->minutes[i].series->minutes.dirty = 0;
    }
    for (size_t i = 0; i < batch->half_hour_count; i++) {
        if (i + LIST_AHEAD < batch->half_hour_count) {
            __builtin_prefetch(&batch->half_hours[i + LIST_AHEAD].group->half_hours, 1);
        }
        batch->half_hours[i].group->half_hours.dirty = 0;
    }
}

static void
settle_names(struct batch *batch)
{
    for (size_t i = 0; i < batch->new_series_count; i++) {
        batch->new_series[i]->stored = true;
    }
    for (size_t i = 0; i < batch->new_group_count; i++) {
        batch->new_groups[i]->stored = true;
    }
    for (size_t i = 0; i < batch->review_count; i++) {
        batch->reviews[i]->review_dirty = false;
    }
    for (size_t i = 0; i < batch->publication_count; i++) {
        free(batch->publications[i].review.adopted);
    }
    for (size_t i = 0; i < batch->forgotten_series_count; i++) {
        series_destroy(batch->forgotten_series[i]);
    }
    for (size_t i = 0; i < batch->forgotten_group_count; i++) {
        group_destroy(batch->forgotten_groups[i]);
    }
}

void
partition_settle(struct partition *partition)
{
    struct batch *batch = &partition->batch;

    settle_slots(batch);
    settle_names(batch);
    batch->minute_count = 0;
    batch->half_hour_count = 0;
    batch->new_series_count = 0;
    batch->new_group_count = 0;
    batch->forgotten_series_count = 0;
    batch->forgotten_group_count = 0;
    batch->review_count = 0;
    batch->publication_count = 0;
    arena_reset(&batch->arena);
    partition->changes = (struct partition_changes){0};
    partition->settled = partition->times;
}
