/* map_store.h - what a store would hold of one partition, as plain arrays.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_MAP_STORE_H
#define RETRYWATCH_TESTS_MAP_STORE_H

#include "aggregator/partition.h"

#define MAP_TEXT_MAX 64

struct map_name {
    uint64_t number;
    char texts[DIM_COUNT][MAP_TEXT_MAX]; /* "": null */
};

struct map_slot {
    int64_t slot;
    uint64_t number;
    uint8_t packed[COUNTS_PACKED_MAX];
    size_t size;
};

/* Reviews without a decision only: nothing in them is owned. */
struct map_review {
    uint64_t number;
    struct review review;
    struct evidence evidence; /* owned */
};

struct map_store {
    struct map_name *series, *groups;
    size_t series_count, series_capacity, group_count, group_capacity;
    struct map_slot *minutes, *half_hours;
    size_t minute_count, minute_capacity, half_hour_count, half_hour_capacity;
    struct map_review *reviews;
    size_t review_count, review_capacity;
    struct partition_times times;
    uint64_t next_series, next_group, next_active;
};

void map_store_clear(struct map_store *store);
void map_store_fini(struct map_store *store);

/** Store what a batch changed, as the service would in one EXEC. */
void map_store_apply(struct map_store *store, const struct partition_changes *changes,
        struct partition_times times);

/** A new partition from what is stored. */
struct partition *map_store_restore(
        const struct map_store *store, const struct partition_options *options);

const struct map_name *map_store_find(const struct map_name *names, size_t count, uint64_t number);

#endif
