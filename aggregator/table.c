/* table.c - items by hash: open addressing, linear probing, no tombstones.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/table.h"
#include "aggregator/memory.h"

#include <assert.h>
#include <stdlib.h>

#define TABLE_CAPACITY_MIN 16

void
table_fini(struct table *table)
{
    free(table->cells);
    *table = (struct table){0};
}

static void
put(struct table *table, uint64_t hash, void *item)
{
    const size_t mask = table->capacity - 1;
    size_t i = hash & mask;

    while (table->cells[i].item != NULL) {
        i = (i + 1) & mask;
    }
    table->cells[i] = (struct table_cell){hash, item};
}

static void
grow(struct table *table)
{
    struct table old = *table;

    table->capacity = old.capacity != 0 ? old.capacity * 2 : TABLE_CAPACITY_MIN;
    table->cells = memory_new(table->capacity, sizeof(*table->cells));
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.cells[i].item != NULL) {
            put(table, old.cells[i].hash, old.cells[i].item);
        }
    }
    free(old.cells);
}

void
table_add(struct table *table, uint64_t hash, void *item)
{
    assert(item != NULL);
    if (table->count >= table->capacity / 4 * 3) {
        grow(table);
    }
    put(table, hash, item);
    table->count++;
}

void
table_remove(struct table *table, uint64_t hash, const void *item)
{
    const size_t mask = table->capacity - 1;
    size_t hole = hash & mask;

    assert(table->count > 0);
    while (table->cells[hole].item != item) {
        assert(table->cells[hole].item != NULL);
        hole = (hole + 1) & mask;
    }
    /* Close the gap, so that no probe ends early: each later cell of the run moves into the hole,
     * unless that would put it before the place where its probing begins. */
    for (size_t i = (hole + 1) & mask; table->cells[i].item != NULL; i = (i + 1) & mask) {
        const size_t home = table->cells[i].hash & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table->cells[hole] = table->cells[i];
            hole = i;
        }
    }
    table->cells[hole].item = NULL;
    table->count--;
}
