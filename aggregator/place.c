/* place.c - which series an event belongs to: missing values, and the limits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/partition_internal.h"

#include <assert.h>

void
place_prepare(
        const struct partition *partition, const struct outcome *outcome, struct prepared *prepared)
{
    const size_t missing_size = sizeof(DIM_MISSING) - 1;
    const size_t size_max =
            (size_t)min_i64(partition->options.limits->string_bytes, UINT16_MAX); /* struct entry */

    prepared->missing = 0;
    prepared->over = false;
    for (size_t i = 0; i < DIM_COUNT; i++) {
        struct span value = outcome->dimensions[i];

        if (value.size == 0) {
            value = span_of(DIM_MISSING); /* null and empty */
        } else if (value.size > size_max) {
            value = span_of(DIM_OTHER);
            prepared->over = true;
        }
        if (value.size == missing_size && memcmp(value.data, DIM_MISSING, missing_size) == 0) {
            prepared->missing |= DIM_BIT(i);
        }
        prepared->dimensions[i] = value;
    }
    prepared->hash = key_of(prepared->dimensions, DIM_ALL).hash;
    prepared->texts = evidence_hash(outcome);
}

static void
set_other(struct place *place, uint32_t bits)
{
    if (place->dimensions != place->others) {
        memcpy(place->others, place->dimensions, sizeof(place->others));
        place->dimensions = place->others;
    }
    for (size_t i = 0; i < DIM_COUNT; i++) {
        if ((bits & DIM_BIT(i)) != 0) {
            place->others[i] = span_of(DIM_OTHER);
        }
    }
}

/* The group and the owner of an event whose series is not live. A group knows its owner, which
 * spares that look-up for all but the first series of a group. */
static const struct owner *
look_up_group(const struct partition *partition, struct place *place)
{
    place->group = find_group(partition, place->dimensions);
    return place->group != NULL ? place->group->owner : find_owner(partition, place->dimensions);
}

/* The same after a limit has changed the dimensions. */
static void
look_up(const struct partition *partition, struct place *place)
{
    place->key = key_of(place->dimensions, DIM_ALL);
    place->series = entry_find(&partition->series, &place->key);
    place->group =
            place->series != NULL ? place->series->group : find_group(partition, place->dimensions);
}

/* Another owner would be too many. */
static bool
limit_owners(const struct partition *partition, const struct owner *owner, struct place *place)
{
    if ((owner != NULL && owner->live_groups > 0) ||
            partition->live_owners < partition->options.limits->owners_per_partition) {
        return false;
    }
    set_other(place, DIM_ALL);
    look_up(partition, place);
    return true;
}

/* Another series of this owner would be too many: it goes into one that stands for the rest of its
 * group, or, if that is not live, for the rest of the owner. */
static bool
limit_series(const struct partition *partition, const struct owner *owner, struct place *place)
{
    const uint32_t group_by = partition->options.group_by;

    if (owner == NULL || owner->live_series < partition->options.limits->series_per_owner) {
        return false;
    }
    set_other(place, DIM_ALL & ~group_by);
    if (place->group == NULL || !place->group->live) {
        set_other(place, group_by & ~DIM_BIT(DIM_OWNER));
    }
    look_up(partition, place);
    return true;
}

/* A live series has its place, whatever the limits say; another one must keep within them. */
static bool
limit(const struct partition *partition, struct place *place)
{
    const struct owner *owner = look_up_group(partition, place);
    const bool over = limit_owners(partition, owner, place);

    if (place->series != NULL) {
        return over;
    }
    if (over) {
        owner = find_owner(partition, place->dimensions);
    }
    return limit_series(partition, owner, place) || over;
}

void
place_find(struct partition *partition, const struct prepared *prepared, struct place *place)
{
    bool over = prepared->over;

    place->dimensions = prepared->dimensions;
    place->key = (struct key){prepared->dimensions, DIM_ALL, prepared->hash};
    place->series = entry_find(&partition->series, &place->key);
    if (place->series != NULL) {
        place->group = place->series->group;
    } else {
        over |= limit(partition, place);
    }
    partition->metrics.over_limit += over;
}
