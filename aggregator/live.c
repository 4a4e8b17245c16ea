/* live.c - owners, groups and series come up, and are forgotten when their last slot has left.
 *
 * A series is live while it has a minute in L of the log time, a group while it has one of the 51
 * half-hours. Both hang in the list of their newest slot, so that what expires is found without
 * looking at the rest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/partition_internal.h"

#include <assert.h>

struct owner *
find_owner(const struct partition *partition, const struct span *dimensions)
{
    const struct key key = key_of(dimensions, DIM_BIT(DIM_OWNER));

    return entry_find(&partition->owners, &key);
}

struct group *
find_group(const struct partition *partition, const struct span *dimensions)
{
    const struct key key = key_of(dimensions, partition->options.group_by);

    return entry_find(&partition->groups, &key);
}

struct group *
add_group(struct partition *partition, const struct span *dimensions, uint64_t number)
{
    const struct key key = key_of(dimensions, partition->options.group_by);
    const struct key owner_key = key_of(dimensions, DIM_BIT(DIM_OWNER));
    struct owner *owner = entry_find(&partition->owners, &owner_key);

    if (owner == NULL) {
        owner = owner_new(&owner_key);
        table_add(&partition->owners, owner_key.hash, owner);
    }

    struct group *group = group_new(&key, number, owner);

    table_add(&partition->groups, key.hash, group);
    return group;
}

struct group *
come_up_group(struct partition *partition, const struct span *dimensions)
{
    struct batch *batch = &partition->batch;
    struct group *group = find_group(partition, dimensions);

    if (group == NULL) {
        group = add_group(partition, dimensions, partition->next_group++);
        batch->new_groups = memory_grow(batch->new_groups, batch->new_group_count,
                &batch->new_group_capacity, sizeof(struct group *));
        batch->new_groups[batch->new_group_count++] = group;
    }
    return group;
}

struct series *
add_series(struct partition *partition, const struct key *key, uint64_t number, struct group *group)
{
    struct series *series = series_new(key, number, group);

    table_add(&partition->series, key->hash, series);
    return series;
}

void
series_move(struct partition *partition, struct series *series, int64_t minute)
{
    link_append(&partition->series_by_minute[(uint64_t)minute % SLOTS_RING], &series->in_live);
}

void
group_move(struct partition *partition, struct group *group, int64_t half_hour)
{
    link_append(&partition->groups_by_half_hour[(uint64_t)half_hour % SLOTS_RING], &group->in_live);
    if (!group->live) {
        group->live = true;
        if (group->owner->live_groups++ == 0) {
            partition->live_owners++;
        }
    }
}

void
mark_half_hour(struct partition *partition, struct group *group, int64_t half_hour)
{
    struct batch *batch = &partition->batch;

    if (slots_set_dirty(&group->half_hours, half_hour)) {
        batch->half_hours = memory_grow(batch->half_hours, batch->half_hour_count,
                &batch->half_hour_capacity, sizeof(*batch->half_hours));
        batch->half_hours[batch->half_hour_count++] = (struct dirty_half_hour){group, half_hour};
    }
}

void
mark_grown_up(struct partition *partition, int64_t was_log_ms)
{
    const int64_t was = half_hour_of(was_log_ms);
    const int64_t is = half_hour_of(partition->times.log_ms);

    for (int64_t half_hour = was - (YOUNG_HALF_HOURS - 1);
            half_hour <= min_i64(was, is - YOUNG_HALF_HOURS); half_hour++) {
        struct link *list = &partition->groups_by_half_hour[(uint64_t)half_hour % SLOTS_RING];

        for (struct link *link = list->next; link != list; link = link->next) {
            mark_half_hour(partition, LINK_ITEM(link, struct group, in_live), half_hour);
        }
    }
}

void
forget_series(struct partition *partition, struct series *series)
{
    struct batch *batch = &partition->batch;

    table_remove(&partition->series, series->entry.hash, series);
    link_remove(&series->in_live);
    link_remove(&series->in_group);
    series->group->owner->live_series--;
    series->forgotten = true;
    batch->forgotten_series = memory_grow(batch->forgotten_series, batch->forgotten_series_count,
            &batch->forgotten_series_capacity, sizeof(struct series *));
    batch->forgotten_series[batch->forgotten_series_count++] = series;
}

void
forget_group(struct partition *partition, struct group *group)
{
    struct batch *batch = &partition->batch;
    struct owner *owner = group->owner;

    assert(!group->live && link_is_alone(&group->series));
    table_remove(&partition->groups, group->entry.hash, group);
    link_remove(&group->in_live);
    link_remove(&group->in_active);
    link_remove(&group->in_owner);
    group->owner = NULL;
    group->forgotten = true;
    batch->forgotten_groups = memory_grow(batch->forgotten_groups, batch->forgotten_group_count,
            &batch->forgotten_group_capacity, sizeof(struct group *));
    batch->forgotten_groups[batch->forgotten_group_count++] = group;

    if (link_is_alone(&owner->groups)) {
        table_remove(&partition->owners, owner->entry.hash, owner);
        view_forget(partition, owner);
    }
}

/* The group has no live slot left. Its review may still have something to say. */
static void
expire_group(struct partition *partition, struct group *group)
{
    link_remove(&group->in_live);
    group->live = false;
    if (--group->owner->live_groups == 0) {
        partition->live_owners--;
    }
    if (group->review.state == REVIEW_CLEAR) {
        forget_group(partition, group);
    }
}

void
forget_expired(struct partition *partition, int64_t was_log_ms)
{
    const int64_t minute = minute_of(was_log_ms);
    const int64_t minutes_to = min_i64(minute, oldest_minute(partition) - 1);
    const int64_t half_hour = half_hour_of(was_log_ms);
    const int64_t half_hours_to = min_i64(half_hour, oldest_half_hour(partition) - 1);

    for (int64_t m = minute - (WINDOW_L_MINUTES - 1); m <= minutes_to; m++) {
        struct link *list = &partition->series_by_minute[(uint64_t)m % SLOTS_RING];

        while (!link_is_alone(list)) {
            forget_series(partition, LINK_ITEM(list->next, struct series, in_live));
        }
    }
    for (int64_t h = half_hour - (LIVE_HALF_HOURS - 1); h <= half_hours_to; h++) {
        struct link *list = &partition->groups_by_half_hour[(uint64_t)h % SLOTS_RING];

        while (!link_is_alone(list)) {
            expire_group(partition, LINK_ITEM(list->next, struct group, in_live));
        }
    }
}
