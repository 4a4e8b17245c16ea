/* restore_internal.h - what a partition needs only while it is being restored.
 *
 *   restore.c         names and reviews, beginning and end
 *   restore_slots.c   minutes and half-hours, many millions of them
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_RESTORE_INTERNAL_H
#define RETRYWATCH_AGGREGATOR_RESTORE_INTERNAL_H

#include "aggregator/partition_internal.h"

#define RESTORE_RING 64 /* stored slots that are under way */

/* A stored slot on its way to the series or group of its number; the steps are those of
 * restore_slots.c. */
struct waiting_slot {
    const struct table *table; /* where the number is looked up */
    uint64_t number;
    int64_t slot;
    int64_t oldest;      /* the oldest live slot of its kind */
    struct slots *slots; /* of the series or group, once it is known */
    size_t size;         /* of packed */
    uint8_t packed[COUNTS_PACKED_MAX];
};

struct restore {
    struct table series, groups; /* by number */
    struct group **active;       /* groups that are not clear */
    size_t active_count, active_capacity;
    size_t come, gone; /* slots that came into the ring, and those that left it */
    struct waiting_slot ring[RESTORE_RING];
};

static inline uint64_t
hash_number(uint64_t number)
{
    return number * UINT64_C(0x9e3779b97f4a7c15) >> 16; /* numbers are dense: spread them */
}

/** The item of that number, or NULL. */
struct series *series_numbered(const struct restore *restore, uint64_t number);
struct group *group_numbered(const struct restore *restore, uint64_t number);

/** Let all slots that wait find their place. */
enum status restore_waiting(struct partition *partition, struct error *error) MUST_CHECK;

/** Once all slots are in their place: what follows from them. */
void restore_sums(struct partition *partition);

#endif
