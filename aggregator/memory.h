/* memory.h - allocation that never fails, and an arena for what lives one batch.
 *
 * Out of memory ends the process (abort): memory holds nothing that cannot be loaded again, and a
 * half-counted batch is worse than none.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_MEMORY_H
#define RETRYWATCH_AGGREGATOR_MEMORY_H

#include "aggregator/span.h"

#include <stddef.h>

/** Zeroed memory, to be given to free(). Aborts when there is none. */
void *memory_new(size_t count, size_t size);

/** Like realloc(); what is added is not zeroed. Aborts when there is none. */
void *memory_resize(void *memory, size_t count, size_t size);

/**
 * Room for one more in a growing array: doubles *capacity when count reaches it.
 * Use: items = memory_grow(items, count, &capacity, sizeof(*items)); items[count++] = x;
 */
void *memory_grow(void *items, size_t count, size_t *capacity, size_t size);

/* Memory given back all at once. Blocks are kept for the next round. */
struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes of the newest block that are taken */
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);

/** Zeroed, aligned for any type; lives until arena_reset(). */
void *arena_new(struct arena *arena, size_t count, size_t size);

/** A copy that lives until arena_reset(). A null span stays null. */
struct span arena_copy(struct arena *arena, struct span span);

/** Forget everything. Cost: O(1) once the arena has one block large enough for a round. */
void arena_reset(struct arena *arena);

#endif
