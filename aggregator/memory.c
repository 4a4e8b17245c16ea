/* memory.c - allocation that never fails, and an arena for what lives one batch.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/memory.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_MIN ((size_t)64 * 1024)
#define ARENA_ALIGN _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes at data */
    max_align_t data[];
};

void *
memory_new(size_t count, size_t size)
{
    void *memory = calloc(count != 0 ? count : 1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

void *
memory_resize(void *memory, size_t count, size_t size)
{
    size_t total = 0;

    if (__builtin_mul_overflow(count != 0 ? count : 1, size, &total)) {
        abort();
    }
    memory = realloc(memory, total);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

void *
memory_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return items;
    }
    *capacity = *capacity != 0 ? *capacity * 2 : 16;
    return memory_resize(items, *capacity, size);
}

void
arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void
arena_fini(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
    arena->used = 0;
}

static void
arena_add_block(struct arena *arena, size_t size)
{
    struct arena_block *block = memory_resize(NULL, 1, sizeof(*block) + size);

    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
}

void *
arena_new(struct arena *arena, size_t count, size_t size)
{
    size_t total = 0;

    if (__builtin_mul_overflow(count, size, &total) || total > SIZE_MAX / 4) {
        abort();
    }
    total = (total + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (arena->blocks == NULL || total > arena->blocks->size - arena->used) {
        /* Twice the last block, so that a round ends in few of them. */
        const size_t last = arena->blocks != NULL ? arena->blocks->size * 2 : ARENA_BLOCK_MIN;

        arena_add_block(arena, total > last ? total : last);
    }

    void *memory = (uint8_t *)arena->blocks->data + arena->used;

    arena->used += total;
    memset(memory, 0, total);
    return memory;
}

struct span
arena_copy(struct arena *arena, struct span span)
{
    if (span.data == NULL) {
        return SPAN_NULL;
    }

    uint8_t *copy = arena_new(arena, span.size != 0 ? span.size : 1, 1);

    if (span.size != 0) {
        memcpy(copy, span.data, span.size);
    }
    return (struct span){copy, span.size};
}

void
arena_reset(struct arena *arena)
{
    if (arena->blocks != NULL && arena->blocks->next != NULL) {
        /* One block as large as all of them, so that the next round needs no more. */
        size_t total = 0;

        for (struct arena_block *block = arena->blocks; block != NULL; block = block->next) {
            total += block->size;
        }
        arena_fini(arena);
        arena_add_block(arena, total);
    }
    arena->used = 0;
}
