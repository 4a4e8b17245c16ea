/* partition.c - the fold: time moves, minutes close, events are counted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/partition_internal.h"

#include <assert.h>
#include <stdlib.h>

#define PREPARE_AHEAD 32 /* events whose memory is asked for together */
#define CACHE_LINE 64    /* of x86 and of most ARM; another one costs a little time, nothing else */
#define NEWEST_HOT 65    /* bytes: a packed slot has some 30, and may lie across two lines */

struct partition *
partition_new(const struct partition_options *options)
{
    struct partition *partition = memory_new(1, sizeof(*partition));

    assert((options->group_by & DIM_BIT(DIM_OWNER)) != 0);
    partition->options = *options;
    partition->times = (struct partition_times){TIME_NULL, TIME_NULL, TIME_NULL};
    partition->settled = partition->times;
    partition->offset = -1;
    partition->record_ms = TIME_NULL;
    partition->quiet = -1;
    for (size_t i = 0; i < SLOTS_RING; i++) {
        link_init(&partition->series_by_minute[i]);
        link_init(&partition->groups_by_half_hour[i]);
    }
    link_init(&partition->active);
    link_init(&partition->owners_touched);
    link_init(&partition->owners_resting);
    link_init(&partition->owners_forgotten);
    arena_init(&partition->batch.arena);
    return partition;
}

static void
destroy_live(struct partition *partition)
{
    for (size_t i = 0; i < partition->series.capacity; i++) {
        if (partition->series.cells[i].item != NULL) {
            series_destroy(partition->series.cells[i].item);
        }
    }
    for (size_t i = 0; i < partition->groups.capacity; i++) {
        if (partition->groups.cells[i].item != NULL) {
            group_destroy(partition->groups.cells[i].item);
        }
    }
    for (size_t i = 0; i < partition->owners.capacity; i++) {
        if (partition->owners.cells[i].item != NULL) {
            owner_destroy(partition->owners.cells[i].item);
        }
    }
    table_fini(&partition->series);
    table_fini(&partition->groups);
    table_fini(&partition->owners);
}

void
partition_destroy(struct partition *partition)
{
    if (partition == NULL) {
        return;
    }
    partition_settle(partition); /* gives back what was forgotten in this batch */
    restore_destroy(partition->restore);
    while (!link_is_alone(&partition->owners_forgotten)) {
        struct owner *owner = LINK_ITEM(partition->owners_forgotten.next, struct owner, in_views);

        link_remove(&owner->in_views);
        owner_destroy(owner);
    }
    destroy_live(partition);
    arena_fini(&partition->batch.arena);
    free(partition->batch.minutes);
    free(partition->batch.half_hours);
    free(partition->batch.new_series);
    free(partition->batch.new_groups);
    free(partition->batch.forgotten_series);
    free(partition->batch.forgotten_groups);
    free(partition->batch.reviews);
    free(partition->batch.publications);
    free(partition);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* T moves on to to_ms, closing the minutes on its way. */
static void
move_stream(struct partition *partition, int64_t to_ms)
{
    if (to_ms > partition->times.stream_ms) {
        if (partition->times.stream_ms != TIME_NULL) {
            close_minutes(partition, to_ms);
        }
        partition->times.stream_ms = to_ms;
    }
}

/* A record moves T, and with it the log time. Slots leave only after the minutes have closed, for
 * their windows end earlier. */
static void
move_log(struct partition *partition, int64_t to_ms)
{
    const int64_t was_ms = partition->times.log_ms;

    move_stream(partition, to_ms);
    if (to_ms > was_ms) {
        partition->times.log_ms = to_ms;
        if (was_ms != TIME_NULL && minute_of(to_ms) != minute_of(was_ms)) {
            forget_expired(partition, was_ms);
            mark_grown_up(partition, was_ms);
        }
    }
}

/* Where T has to be at least, now that it is now_ms and no newer record has come; below 0: T is
 * not idle. */
static int64_t
follow(const struct partition *partition, int64_t now_ms)
{
    const int64_t idle_ms = partition->options.limits->idle_ms;
    const int64_t record_ms = partition->times.record_max_ms;

    if (record_ms == TIME_NULL || now_ms <= record_ms || now_ms - record_ms <= idle_ms) {
        return -1;
    }
    return now_ms - idle_ms;
}

void
partition_record(struct partition *partition, int64_t offset, int64_t record_ms)
{
    partition->offset = offset;
    partition->record_ms = record_ms;
    if (offset > partition->quiet) {
        partition->quiet = -1;
    }
    if (record_ms < 0) {
        return; /* a record without a timestamp moves no clock; it is rejected */
    }

    const int64_t to_ms = follow(partition, record_ms);

    if (to_ms >= 0) {
        move_log(partition, to_ms);
    }
    partition->times.record_max_ms = max_i64(partition->times.record_max_ms, record_ms);
}

void
partition_tick(struct partition *partition, int64_t now_ms)
{
    const int64_t to_ms = follow(partition, now_ms);

    if (to_ms >= 0) {
        move_stream(partition, to_ms);
    }
}

void
partition_set_quiet(struct partition *partition, int64_t offset)
{
    partition->quiet = offset;
}

int64_t
partition_quiet(const struct partition *partition)
{
    return partition->quiet;
}

struct partition_times
partition_times(const struct partition *partition)
{
    return partition->times;
}

const struct partition_metrics *
partition_metrics(const struct partition *partition)
{
    return &partition->metrics;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* What follows from minutes need not be stored; see half_hour_is_young(). Half-hours that are not
 * the group's newest change rarely, and are stored at once. */
static void
add_half_hour(struct partition *partition, struct group *group, int64_t half_hour,
        const struct sparse_counts *counts)
{
    const int64_t newest = slots_newest(&group->half_hours);
    const bool too_late = counts->mask == UINT64_C(1) << COUNT_TOO_LATE;

    slots_add_tally(&group->half_hours, &group->half_hour_tally, half_hour,
            oldest_half_hour(partition), counts);
    if (half_hour > newest) {
        group_move(partition, group, half_hour);
        if (newest != SLOT_NONE && half_hour_is_young(partition, newest)) {
            mark_half_hour(partition, group, newest);
        }
    }
    if (half_hour < newest || !half_hour_is_young(partition, half_hour) || too_late) {
        mark_half_hour(partition, group, half_hour);
    }
}

static void
add_minute(struct partition *partition, struct series *series, int64_t minute,
        const struct sparse_counts *counts)
{
    struct batch *batch = &partition->batch;
    const int64_t newest = slots_newest(&series->minutes);

    slots_add(&series->minutes, minute, oldest_minute(partition), counts);
    if (minute > newest) {
        series_move(partition, series, minute);
    }
    if (slots_set_dirty(&series->minutes, minute)) {
        batch->minutes = memory_grow(batch->minutes, batch->minute_count, &batch->minute_capacity,
                sizeof(*batch->minutes));
        batch->minutes[batch->minute_count++] = (struct dirty_minute){series, minute};
    }
}

static struct group *
group_at(struct partition *partition, const struct place *place)
{
    return place->group != NULL ? place->group : come_up_group(partition, place->dimensions);
}

static struct series *
series_at(struct partition *partition, const struct place *place, struct group *group)
{
    struct batch *batch = &partition->batch;
    struct series *series = place->series;

    if (series == NULL) {
        series = add_series(partition, &place->key, partition->next_series++, group);
        batch->new_series = memory_grow(batch->new_series, batch->new_series_count,
                &batch->new_series_capacity, sizeof(struct series *));
        batch->new_series[batch->new_series_count++] = series;
    }
    return series;
}

/* The event is so far behind the log that no slot is left for it: its group counts that alone. */
static void
count_too_late(struct partition *partition, const struct place *place)
{
    struct group *group = group_at(partition, place);
    const int64_t half_hour = half_hour_of(partition->times.log_ms);
    const struct sparse_counts one = {
            .mask = UINT64_C(1) << COUNT_TOO_LATE,
            .value = {1},
            .first_offset = -1,
            .last_offset = -1,
    };

    add_half_hour(partition, group, half_hour, &one);
    partition->metrics.too_late++;
    view_touch(partition, group->owner);
}

static void
count_event(struct partition *partition, const struct outcome *outcome,
        const struct prepared *prepared, const struct place *place, int64_t event_ms)
{
    const int64_t minute = minute_of(event_ms);
    const int64_t half_hour = half_hour_of(event_ms);
    const int64_t log_minute = minute_of(partition->times.log_ms);
    const bool late = minute <= log_minute - WINDOW_S_MINUTES;
    const bool in_l = minute >= oldest_minute(partition);
    struct group *group = group_at(partition, place);
    struct event_counts event;

    event_counts_init(&event, outcome, partition->offset, late, prepared->missing);
    add_half_hour(partition, group, half_hour, &event.base);
    if (in_l) {
        add_minute(partition, series_at(partition, place, group), minute, &event.all);
        slots_add_tally(&group->minutes, &group->minute_tally, minute, oldest_minute(partition),
                &event.base);
    }
    group_add_event(group, &event, minute, half_hour);
    group->owner->last_event_ms = max_i64(group->owner->last_event_ms, event_ms);
    partition->metrics.counted++;
    partition->metrics.late += late;
    view_touch(partition, group->owner);

    if (evidence_remember(
                &group->evidence, outcome, prepared->texts, event_ms, partition->times.stream_ms)) {
        mark_review(partition, group);
    }
    if (in_l && partition_evaluates(partition)) {
        evaluate_event(partition, group, event_ms);
    }
}

/* ---- looking ahead -------------------------------------------------------------------------- */

static void
prefetch(const void *memory, size_t size)
{
    for (size_t at = 0; at < size; at += CACHE_LINE) {
        __builtin_prefetch((const uint8_t *)memory + at, 1);
    }
}

static void
prefetch_newest(const struct slots *slots)
{
    if (slots->data != NULL) {
        prefetch(slots->data + slots->last, NEWEST_HOT);
    }
}

/* What the look-up of an event found by its hash alone: counting looks it up again. */
struct likely {
    const struct series *series; /* NULL: a new one */
    const struct group *group;   /* NULL: a new one, or not known yet */
    uint64_t group_hash;         /* valid if the series is new */
};

static void
look_for_series(
        const struct partition *partition, const struct prepared *prepared, struct likely *likely)
{
    size_t at = 0;

    likely->series = table_next(&partition->series, prepared->hash, &at);
    if (likely->series != NULL) {
        prefetch(likely->series, sizeof(struct series) + CACHE_LINE); /* and its values */
    } else {
        likely->group_hash = key_of(prepared->dimensions, partition->options.group_by).hash;
        table_prefetch(&partition->groups, likely->group_hash);
    }
}

static void
look_for_group(const struct partition *partition, struct likely *likely)
{
    size_t at = 0;

    if (likely->series != NULL) {
        likely->group = likely->series->group;
        prefetch_newest(&likely->series->minutes);
    } else {
        likely->group = table_next(&partition->groups, likely->group_hash, &at);
    }
    if (likely->group != NULL) {
        prefetch(likely->group, offsetof(struct group, evidence.unit_metric));
        prefetch(&likely->group->review.state, 1);
        if (likely->series == NULL) {
            prefetch(likely->group + 1, CACHE_LINE); /* its values are compared */
        }
    }
}

/* A million series do not fit into any cache, and each look-up waits for three or four memories
 * that are found one through the other. So they are asked for step by step, for all events of a
 * block at a time: by the time that an event is counted, its memory has come. */
void
partition_prepare(const struct partition *partition, const struct outcome *const *events,
        size_t count, struct prepared *prepared)
{
    struct likely likely[PREPARE_AHEAD];

    for (size_t first = 0; first < count; first += PREPARE_AHEAD) {
        const size_t size = count - first < PREPARE_AHEAD ? count - first : PREPARE_AHEAD;

        for (size_t i = 0; i < size; i++) {
            place_prepare(partition, events[first + i], &prepared[first + i]);
            table_prefetch(&partition->series, prepared[first + i].hash);
        }
        for (size_t i = 0; i < size; i++) {
            look_for_series(partition, &prepared[first + i], &likely[i]);
        }
        for (size_t i = 0; i < size; i++) {
            look_for_group(partition, &likely[i]);
        }
        for (size_t i = 0; i < size; i++) {
            if (likely[i].group != NULL) {
                prefetch(&likely[i].group->owner->last_event_ms, 1);
            }
        }
    }
}

void
partition_count_prepared(
        struct partition *partition, const struct outcome *outcome, const struct prepared *prepared)
{
    const int64_t event_ms = min_i64(outcome->event_time_ms, partition->record_ms);
    struct place place;

    assert(event_ms >= 0); /* pairs with outcome_check() */
    move_log(partition, event_ms);
    place_find(partition, prepared, &place);

    const int64_t behind_ms = partition->times.log_ms - event_ms;

    if (behind_ms > partition->options.limits->too_late_ms ||
            half_hour_of(event_ms) < oldest_half_hour(partition)) {
        count_too_late(partition, &place);
    } else {
        count_event(partition, outcome, prepared, &place, event_ms);
    }
}

void
partition_count(struct partition *partition, const struct outcome *outcome)
{
    struct prepared prepared;

    place_prepare(partition, outcome, &prepared);
    partition_count_prepared(partition, outcome, &prepared);
}
