/* fold_store.h - what a partition stores, kept in memory, so that tests can restart it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_FOLD_STORE_H
#define RETRYWATCH_TESTS_FOLD_STORE_H

#include "aggregator/partition.h"

/* One field of a stored hash; all is packed as the service packs it. */
struct fold_item {
    enum fold_kind { FOLD_SERIES, FOLD_GROUP, FOLD_MINUTE, FOLD_HALF_HOUR, FOLD_REVIEW } kind;
    int64_t slot; /* of minutes and half-hours, else 0 */
    uint64_t number;
    uint8_t *value; /* owned */
    size_t size;
};

/* All zero is an empty store. */
struct fold_store {
    struct fold_item *items;
    size_t count, capacity;
    struct partition_times times;
    uint64_t next_series, next_group, next_active;
};

void fold_store_fini(struct fold_store *store);

/** What a batch changed, before it is settled. */
void fold_store_apply(struct fold_store *store, struct partition *partition);

/** Into a fresh partition. Aborts when anything stored cannot be read. */
void fold_store_restore(const struct fold_store *store, struct partition *partition);

/**
 * The stored review of the group with these values; null values match any.
 *
 * review, evidence: to be given to review_fini() and evidence_fini().
 * Returns false when no such group has one.
 */
bool fold_store_review(const struct fold_store *store, const struct span dimensions[DIM_COUNT],
        struct review *review, struct evidence *evidence);

#endif
