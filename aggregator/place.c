/* place.c - which series an event belongs to: missing values, and the limits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/partition_internal.h"

#include <assert.h>

/* Null and empty become _MISSING, what is too long _OTHER. Returns whether something was. */
static bool
normalise(const struct partition *partition, const struct outcome *outcome, struct place *place)
{
    const struct span missing = span_of(DIM_MISSING);
    const size_t size_max =
            (size_t)min_i64(partition->options.limits->string_bytes, UINT16_MAX); /* struct entry */
    bool over = false;

    place->missing = 0;
    for (size_t i = 0; i < DIM_COUNT; i++) {
        struct span value = outcome->dimensions[i];

        if (value.size == 0) {
            value = missing;
        } else if (value.size > size_max) {
            value = span_of(DIM_OTHER);
            over = true;
        }
        if (span_equal(value, missing)) {
            place->missing |= DIM_BIT(i);
        }
        place->dimensions[i] = value;
    }
    return over;
}

static void
set_other(struct place *place, uint32_t bits)
{
    for (size_t i = 0; i < DIM_COUNT; i++) {
        if ((bits & DIM_BIT(i)) != 0) {
            place->dimensions[i] = span_of(DIM_OTHER);
        }
    }
}

static void
look_up(const struct partition *partition, struct place *place)
{
    place->key = key_of(place->dimensions, DIM_ALL);
    place->series = entry_find(&partition->series, &place->key);
}

/* Another owner would be too many. */
static bool
limit_owners(const struct partition *partition, struct place *place)
{
    const struct owner *owner = find_owner(partition, place->dimensions);

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
limit_series(const struct partition *partition, struct place *place)
{
    const struct owner *owner = find_owner(partition, place->dimensions);
    const uint32_t group_by = partition->options.group_by;

    if (owner == NULL || owner->live_series < partition->options.limits->series_per_owner) {
        return false;
    }
    set_other(place, DIM_ALL & ~group_by);

    const struct group *group = find_group(partition, place->dimensions);

    if (group == NULL || !group->live) {
        set_other(place, group_by & ~DIM_BIT(DIM_OWNER));
    }
    look_up(partition, place);
    return true;
}

void
place_find(struct partition *partition, const struct outcome *outcome, struct place *place)
{
    bool over = normalise(partition, outcome, place);

    look_up(partition, place);
    /* A live series has its place, whatever the limits say. */
    if (place->series == NULL) {
        over |= limit_owners(partition, place);
    }
    if (place->series == NULL) {
        over |= limit_series(partition, place);
    }
    partition->metrics.over_limit += over;
}
