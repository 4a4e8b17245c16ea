/* restore_slots.c - stored minutes and half-hours find their series and groups.
 *
 * There are many millions of them, each for another series than the one before, and nearly all the
 * time would be spent on waiting for memory. So each passes through a ring, in steps: each step
 * asks for the memory that the next one needs, and does so some slots before it is needed. All
 * that follows from the slots (the sums of groups, the lists by newest slot) is made once, in the
 * end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/restore_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define STEP ((size_t)16)      /* slots between two steps: enough to hide one access to memory */
#define GROUP_STEP ((size_t)4) /* the same of the table's cells with groups, which take longer */

_Static_assert(RESTORE_RING > STEP * 3, "a slot is in the ring for three steps");

static bool
is_minute(const struct restore *restore, const struct waiting_slot *waiting)
{
    return waiting->table == &restore->series;
}

/* Step 1: where its number is in the table was asked for. Ask for what the table names. */
static void
ask_item(const struct restore *restore, const struct waiting_slot *waiting)
{
    size_t at = 0;
    const void *item = table_next(waiting->table, hash_number(waiting->number), &at);

    if (item != NULL) {
        const struct slots *slots = is_minute(restore, waiting)
                                            ? &((const struct series *)item)->minutes
                                            : &((const struct group *)item)->half_hours;

        __builtin_prefetch(item); /* its number */
        __builtin_prefetch(&slots->data, 1);
        __builtin_prefetch(&slots->any, 1); /* often in another line than where they begin */
    }
}

static enum status
not_stored(const struct restore *restore, const struct waiting_slot *waiting, struct error *error)
{
    const bool minute = is_minute(restore, waiting);

    return error_set(error, STATUS_REFUSED,
            "stored %s %" PRId64 " names %s %" PRIu64 ", which is not stored",
            minute ? "minute" : "half-hour", waiting->slot, minute ? "series" : "group",
            waiting->number);
}

/* Step 2: the item is there. Ask for the records that it has. */
static enum status
ask_records(const struct restore *restore, struct waiting_slot *waiting, struct error *error)
{
    if (is_minute(restore, waiting)) {
        struct series *series = series_numbered(restore, waiting->number);

        waiting->slots = series != NULL ? &series->minutes : NULL;
    } else {
        struct group *group = group_numbered(restore, waiting->number);

        waiting->slots = group != NULL ? &group->half_hours : NULL;
    }
    if (waiting->slots == NULL) {
        return not_stored(restore, waiting, error);
    }
    slots_prefetch(waiting->slots);
    return STATUS_OK;
}

/* Step 3. A scan may visit a field twice: what is there already stays. */
static void
insert(const struct waiting_slot *waiting)
{
    (void)slots_insert(waiting->slots, waiting->slot, (struct span){waiting->packed, waiting->size},
            waiting->oldest);
}

/* Another one has come, or would have if there were more: those before it are one further. */
static enum status
move_on(struct restore *restore, size_t turn, struct error *error)
{
    struct waiting_slot *ring = restore->ring;

    if (turn >= STEP && turn - STEP < restore->come) {
        ask_item(restore, &ring[(turn - STEP) % RESTORE_RING]);
    }
    if (turn >= STEP * 2 && turn - STEP * 2 < restore->come) {
        const enum status status =
                ask_records(restore, &ring[(turn - STEP * 2) % RESTORE_RING], error);

        if (status != STATUS_OK) {
            return status;
        }
    }
    if (turn >= STEP * 3) {
        insert(&ring[restore->gone % RESTORE_RING]);
        restore->gone += 1;
    }
    return STATUS_OK;
}

enum status
restore_waiting(struct partition *partition, struct error *error)
{
    struct restore *restore = partition->restore;
    enum status status = STATUS_OK;

    for (size_t turn = restore->come; restore->gone < restore->come && status == STATUS_OK;
            turn++) {
        status = move_on(restore, turn, error);
    }
    restore->come = restore->gone = 0;
    return status;
}

static enum status
add_waiting(struct restore *restore, const struct table *table, int64_t slot, int64_t oldest,
        uint64_t number, struct span packed, struct error *error)
{
    struct waiting_slot *waiting = &restore->ring[restore->come % RESTORE_RING];

    waiting->table = table;
    waiting->number = number;
    waiting->slot = slot;
    waiting->oldest = oldest;
    waiting->size = packed.size;
    memcpy(waiting->packed, packed.data, packed.size);
    table_prefetch(table, hash_number(number));
    return move_on(restore, restore->come++, error);
}

/* Whether a slot is one that a restart needs; others are left alone. */
static bool
is_live(const struct partition *partition, int64_t slot, int64_t oldest, int64_t newest)
{
    return partition->times.log_ms != TIME_NULL && slot >= oldest && slot <= newest;
}

enum status
partition_restore_minute(struct partition *partition, int64_t minute, uint64_t number,
        struct span packed, struct error *error)
{
    struct restore *restore = partition->restore;
    const int64_t oldest = oldest_minute(partition);
    struct sparse_counts counts;

    if (sparse_unpack(packed, &counts) != STATUS_OK) {
        return error_set(error, STATUS_REFUSED,
                "stored minute %" PRId64 " of series %" PRIu64 " cannot be read", minute, number);
    }
    if (!is_live(partition, minute, oldest, minute_of(partition->times.log_ms))) {
        return STATUS_OK;
    }
    return add_waiting(restore, &restore->series, minute, oldest, number, packed, error);
}

/* The rest of a young half-hour follows from minutes; what is stored of it may be old. */
static bool
keep_too_late(struct sparse_counts *counts)
{
    const uint64_t bit = UINT64_C(1) << COUNT_TOO_LATE;
    size_t at = 0;

    if ((counts->mask & bit) == 0) {
        return false;
    }
    for (uint64_t before = counts->mask & (bit - 1); before != 0; before &= before - 1) {
        at++;
    }
    counts->value[0] = counts->value[at];
    counts->mask = bit;
    return true;
}

enum status
partition_restore_half_hour(struct partition *partition, int64_t half_hour, uint64_t number,
        struct span packed, struct error *error)
{
    struct restore *restore = partition->restore;
    const int64_t oldest = oldest_half_hour(partition);
    struct sparse_counts counts;

    if (sparse_unpack(packed, &counts) != STATUS_OK) {
        return error_set(error, STATUS_REFUSED,
                "stored half-hour %" PRId64 " of group %" PRIu64 " cannot be read", half_hour,
                number);
    }
    if (!is_live(partition, half_hour, oldest, half_hour_of(partition->times.log_ms))) {
        return STATUS_OK;
    }
    if (!half_hour_is_young(partition, half_hour)) {
        return add_waiting(restore, &restore->groups, half_hour, oldest, number, packed, error);
    }
    if (!keep_too_late(&counts)) {
        return STATUS_OK;
    }

    uint8_t kept[COUNTS_PACKED_MAX];
    const size_t size = counts_merge(SPAN_NULL, &counts, kept);

    return add_waiting(
            restore, &restore->groups, half_hour, oldest, number, (struct span){kept, size}, error);
}

/* ---- what follows from the slots ------------------------------------------------------------- */

static void
restore_series(struct partition *partition, struct series *series, struct slot_tally *tallies)
{
    struct owner *owner = series->group->owner;
    const int64_t newest = slots_newest(&series->minutes);
    struct sparse_counts counts;
    struct span packed;
    int64_t minute = 0;
    size_t at = 0;

    if (newest == SLOT_NONE) {
        return;
    }
    while (slots_next(&series->minutes, &at, &minute, &packed)) {
        const enum status status = sparse_unpack(packed, &counts);

        assert(status == STATUS_OK); /* it was unpacked when it came */
        (void)status;
        counts.mask &= COUNTS_BASE_MASK; /* they come first */
        tally_add(&tallies[(uint64_t)minute % SLOTS_RING], &counts);
    }
    series_move(partition, series, newest);
    owner->last_event_ms = max_i64(owner->last_event_ms, newest * MINUTE_MS);
}

/* Groups and series are anywhere in memory too: ask for a group some before its turn, then for what
 * it names, then for one series while the one before it is added up. */
static void
ask_group(const struct group *group)
{
    if (group != NULL) {
        __builtin_prefetch(&group->owner);
        __builtin_prefetch(&group->half_hours);
        __builtin_prefetch(&group->series);
    }
}

static void
ask_group_items(const struct group *group)
{
    if (group != NULL) {
        __builtin_prefetch(group->owner);
        __builtin_prefetch(group->half_hours.data);
        __builtin_prefetch(LINK_ITEM(group->series.next, struct series, in_group));
        __builtin_prefetch(group->series.next);
    }
}

static void
ask_series(const struct group *group, const struct link *link)
{
    if (link != &group->series) {
        __builtin_prefetch(LINK_ITEM(link, struct series, in_group)->minutes.data);
        __builtin_prefetch(link->next);
    }
}

/* The group's minutes are the sums of those of its series: made minute after minute, oldest first,
 * so that each is put behind the one before. So are its young half-hours. */
static void
restore_minutes(struct partition *partition, struct group *group, struct slot_tally *tallies)
{
    const int64_t oldest = oldest_minute(partition);
    struct sparse_counts counts;

    for (struct link *link = group->series.next; link != &group->series; link = link->next) {
        ask_series(group, link->next);
        restore_series(partition, LINK_ITEM(link, struct series, in_group), tallies);
    }
    for (int64_t minute = oldest; minute < oldest + WINDOW_L_MINUTES; minute++) {
        const int64_t half_hour = minute / HALF_HOUR_MINUTES;

        if (tally_take(&tallies[(uint64_t)minute % SLOTS_RING], &counts)) {
            slots_add(&group->minutes, minute, oldest, &counts);
            if (half_hour_is_young(partition, half_hour)) {
                slots_add(&group->half_hours, half_hour, oldest_half_hour(partition), &counts);
            }
        }
    }
}

static void
restore_half_hours(struct partition *partition, struct group *group)
{
    struct owner *owner = group->owner;
    const int64_t newest = slots_newest(&group->half_hours);
    struct span packed;
    int64_t half_hour = 0;
    size_t at = 0;

    while (slots_next(&group->half_hours, &at, &half_hour, &packed)) {
        uint64_t attempts = 0, retries = 0;

        counts_add_packed_attempts(packed, &attempts, &retries);
        if (attempts != 0) { /* else it holds too_late only */
            owner->last_event_ms = max_i64(owner->last_event_ms, half_hour * HALF_HOUR_MS);
        }
    }
    if (newest != SLOT_NONE) {
        group_move(partition, group, newest);
    }
}

void
restore_sums(struct partition *partition)
{
    const struct table *groups = &partition->restore->groups;
    struct slot_tally *tallies = memory_new(SLOTS_RING, sizeof(*tallies)); /* by minute */

    for (size_t i = 0; i < SLOTS_RING; i++) {
        tally_init(&tallies[i]);
    }
    for (size_t i = 0; i < groups->capacity && partition->times.log_ms != TIME_NULL; i++) {
        struct group *group = groups->cells[i].item;

        ask_group(groups->cells[(i + 2 * GROUP_STEP) % groups->capacity].item);
        ask_group_items(groups->cells[(i + GROUP_STEP) % groups->capacity].item);
        if (group != NULL) {
            restore_minutes(partition, group, tallies);
            restore_half_hours(partition, group);
        }
    }
    free(tallies);
}
