/* table.h - items by hash: open addressing, linear probing, no tombstones.
 *
 * The table knows nothing of what it holds: whoever looks something up compares the candidates
 * that have its hash.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_TABLE_H
#define RETRYWATCH_AGGREGATOR_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_cell {
    uint64_t hash;
    void *item; /* NULL: free */
};

struct table {
    struct table_cell *cells; /* cells[capacity] */
    size_t capacity;          /* a power of two, or 0 */
    size_t count;
};

/** Gives the cells back, not the items. */
void table_fini(struct table *table);

/**
 * The candidates with that hash, one after the other; NULL after the last.
 *
 * at: 0 at first, then as the call before left it.
 */
static inline void *
table_next(const struct table *table, uint64_t hash, size_t *at)
{
    const size_t mask = table->capacity - 1;

    while (table->capacity != 0) {
        const struct table_cell *cell = &table->cells[(hash + *at) & mask];

        (*at)++;
        if (cell->item == NULL || cell->hash == hash) {
            return cell->item;
        }
    }
    return NULL;
}

/** Ask for the memory of the first candidate: table_next() comes soon. */
static inline void
table_prefetch(const struct table *table, uint64_t hash)
{
    if (table->capacity != 0) {
        __builtin_prefetch(&table->cells[hash & (table->capacity - 1)]);
    }
}

/** The item must not be in the table. Cost: O(1), now and then O(count). */
void table_add(struct table *table, uint64_t hash, void *item);

/** The item must be in the table. */
void table_remove(struct table *table, uint64_t hash, const void *item);

#endif
