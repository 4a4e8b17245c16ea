/* group.c - owners, their groups, and the series that a group is made of.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/group.h"
#include "aggregator/hash.h"

#include <assert.h>
#include <stdlib.h>

/* ---- entries --------------------------------------------------------------------------------- */

struct key
key_of(const struct span *dimensions, uint32_t bits)
{
    struct span named[DIM_COUNT];
    size_t count = 0;

    if (bits == DIM_ALL) {
        return (struct key){dimensions, bits, hash_spans(dimensions, DIM_COUNT)};
    }
    for (size_t i = 0; i < DIM_COUNT; i++) {
        if ((bits & DIM_BIT(i)) != 0) {
            named[count++] = dimensions[i];
        }
    }
    return (struct key){dimensions, bits, hash_spans(named, count)};
}

static bool
entry_has(const struct entry *entry, const struct key *key)
{
    const uint8_t *value = (const uint8_t *)entry + entry->values;

    for (size_t i = 0; i < DIM_COUNT; i++) {
        if ((key->bits & DIM_BIT(i)) != 0) {
            const struct span *wanted = &key->dimensions[i];

            if (wanted->size != entry->sizes[i] || !same_bytes(value, wanted->data, wanted->size)) {
                return false;
            }
        }
        value += entry->sizes[i];
    }
    return true;
}

void *
entry_find(const struct table *table, const struct key *key)
{
    struct entry *entry = NULL;
    size_t at = 0;

    while ((entry = table_next(table, key->hash, &at)) != NULL) {
        if (entry_has(entry, key)) {
            break;
        }
    }
    return entry;
}

struct span
entry_value(const struct entry *entry, enum dimension dimension)
{
    const uint8_t *value = (const uint8_t *)entry + entry->values;

    if (entry->sizes[dimension] == 0) {
        return SPAN_NULL;
    }
    for (size_t i = 0; i < (size_t)dimension; i++) {
        value += entry->sizes[i];
    }
    return (struct span){value, entry->sizes[dimension]};
}

void
entry_values(const struct entry *entry, struct span *dimensions)
{
    for (size_t i = 0; i < DIM_COUNT; i++) {
        dimensions[i] = entry_value(entry, (enum dimension)i);
    }
}

/* A struct of struct_size bytes that begins with an entry, and the values of the key behind it. */
static void *
entry_new(const struct key *key, size_t struct_size)
{
    size_t size = 0;

    for (size_t i = 0; i < DIM_COUNT; i++) {
        size += (key->bits & DIM_BIT(i)) != 0 ? key->dimensions[i].size : 0;
    }

    struct entry *entry = memory_new(1, struct_size + size);
    uint8_t *value = (uint8_t *)entry + struct_size;

    entry->hash = key->hash;
    entry->values = (uint16_t)struct_size;
    for (size_t i = 0; i < DIM_COUNT; i++) {
        const struct span *dimension = &key->dimensions[i];

        if ((key->bits & DIM_BIT(i)) != 0) {
            assert(dimension->size > 0 && dimension->size <= UINT16_MAX);
            memcpy(value, dimension->data, dimension->size);
            value += dimension->size;
            entry->sizes[i] = (uint16_t)dimension->size;
        }
    }
    return entry;
}

/* ---- owners, groups, series -------------------------------------------------------------------
 */

struct owner *
owner_new(const struct key *key)
{
    struct owner *owner = entry_new(key, sizeof(*owner));

    link_init(&owner->groups);
    link_init(&owner->in_views);
    owner->last_event_ms = TIME_NULL;
    return owner;
}

struct group *
group_new(const struct key *key, uint64_t number, struct owner *owner)
{
    struct group *group = entry_new(key, sizeof(*group));

    group->number = number;
    group->owner = owner;
    group->minute = SLOT_NONE;
    group->baseline_end = SLOT_NONE;
    tally_init(&group->minute_tally);
    tally_init(&group->half_hour_tally);
    review_init(&group->review);
    evidence_init(&group->evidence);
    link_init(&group->series);
    link_init(&group->in_owner);
    link_init(&group->in_live);
    link_init(&group->in_active);
    link_append(&owner->groups, &group->in_owner);
    return group;
}

struct series *
series_new(const struct key *key, uint64_t number, struct group *group)
{
    struct series *series = entry_new(key, sizeof(*series));

    series->number = number;
    series->group = group;
    link_init(&series->in_group);
    link_init(&series->in_live);
    link_append(&group->series, &series->in_group);
    group->owner->live_series++;
    return series;
}

void
owner_destroy(struct owner *owner)
{
    free(owner);
}

void
group_destroy(struct group *group)
{
    slots_fini(&group->minutes);
    slots_fini(&group->half_hours);
    group_drop_windows(group);
    review_fini(&group->review);
    evidence_fini(&group->evidence);
    free(group);
}

void
series_destroy(struct series *series)
{
    slots_fini(&series->minutes);
    free(series);
}

/* ---- windows --------------------------------------------------------------------------------- */

/* B ends before this half-hour: the one in which L begins. (A minute before L's length since the
 * epoch gives 0: there are no slots before.) */
static int64_t
baseline_end(int64_t minute)
{
    return (minute - (WINDOW_L_MINUTES - 1)) / HALF_HOUR_MINUTES;
}

/* All counters of L are in the slots of the group's series alone: limits.series_per_owner at most,
 * and few groups are ever asked. */
static void
roll_windows(struct group *group)
{
    struct windows *windows = group->windows;
    const int64_t minute = group->minute;

    windows->minute = minute;
    windows->b_attempts = group->attempts.b_attempts;
    windows->b_retries = group->attempts.b_retries;
    counts_init(&windows->l);
    counts_init(&windows->s);
    for (struct link *link = group->series.next; link != &group->series; link = link->next) {
        const struct series *series = LINK_ITEM(link, struct series, in_group);

        slots_sum(&series->minutes, minute - (WINDOW_L_MINUTES - 1), minute, &windows->l);
    }
    slots_pack(&group->minutes, &group->minute_tally);
    slots_sum(&group->minutes, minute - (WINDOW_S_MINUTES - 1), minute, &windows->s);
}

/* Sums are recomputed when they move to another minute, not subtracted from: what stops at
 * UINT64_MAX, and smallest and largest offsets, cannot be taken back. It is one scan of at most
 * 60 + 51 short records for a group and minute; within the minute an event just adds. */
void
group_roll(struct group *group, int64_t minute)
{
    struct attempts *sums = &group->attempts;
    const int64_t end = baseline_end(minute);

    if (group->minute == minute) {
        return;
    }
    group->minute = minute;
    slots_pack(&group->minutes, &group->minute_tally);
    sums->l_attempts = sums->l_retries = sums->s_attempts = sums->s_retries = 0;
    slots_sum_attempts(&group->minutes, minute - (WINDOW_L_MINUTES - 1), minute, &sums->l_attempts,
            &sums->l_retries);
    slots_sum_attempts(&group->minutes, minute - (WINDOW_S_MINUTES - 1), minute, &sums->s_attempts,
            &sums->s_retries);
    if (group->baseline_end != end) {
        group->baseline_end = end;
        sums->b_attempts = sums->b_retries = 0;
        slots_pack(&group->half_hours, &group->half_hour_tally);
        slots_sum_attempts(&group->half_hours, end - WINDOW_B_HALF_HOURS, end - 1,
                &sums->b_attempts, &sums->b_retries);
    }
    if (group->windows != NULL) {
        roll_windows(group);
    }
}

const struct windows *
group_windows(struct group *group, int64_t minute)
{
    group_roll(group, minute);
    if (group->windows == NULL) {
        group->windows = memory_new(1, sizeof(*group->windows));
        roll_windows(group);
    }
    return group->windows;
}

void
group_drop_windows(struct group *group)
{
    free(group->windows);
    group->windows = NULL;
}

/* Events add 0 or 1 to attempts and retries. */
static void
add_attempt(uint64_t *attempts, uint64_t *retries, const struct event_counts *event)
{
    const uint64_t mask = event->base.mask;

    *attempts = count_sum(*attempts, mask >> COUNT_ATTEMPTS & 1);
    *retries = count_sum(*retries, mask >> COUNT_RETRIES & 1);
}

void
group_add_event(
        struct group *group, const struct event_counts *event, int64_t minute, int64_t half_hour)
{
    struct attempts *sums = &group->attempts;
    struct windows *windows = group->windows;

    if (minute <= group->minute && minute > group->minute - WINDOW_L_MINUTES) {
        add_attempt(&sums->l_attempts, &sums->l_retries, event);
        if (windows != NULL) {
            counts_add_sparse(&windows->l, &event->all);
        }
    }
    if (minute <= group->minute && minute > group->minute - WINDOW_S_MINUTES) {
        add_attempt(&sums->s_attempts, &sums->s_retries, event);
        if (windows != NULL) {
            counts_add_sparse(&windows->s, &event->base);
        }
    }
    if (half_hour < group->baseline_end && half_hour >= group->baseline_end - WINDOW_B_HALF_HOURS) {
        add_attempt(&sums->b_attempts, &sums->b_retries, event);
        if (windows != NULL) {
            windows->b_attempts = sums->b_attempts;
            windows->b_retries = sums->b_retries;
        }
    }
}
