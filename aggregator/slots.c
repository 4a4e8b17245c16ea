/* slots.c - the counters of the slots that one series or group has.
 *
 * A record is one byte slot % SLOTS_RING, the size of what follows (a varint of one or two bytes),
 * and what counts_merge() wrote. The full slot number comes from the newest one: all records are
 * less than SLOTS_RING older, because slots_add() drops what is not live before it adds one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/slots.h"

#include <assert.h>
#include <stdlib.h>

#define RECORD_HEAD_MAX 3
#define RECORD_MAX (RECORD_HEAD_MAX + COUNTS_PACKED_MAX)

_Static_assert(SLOTS_RING *RECORD_MAX <= UINT16_MAX, "offsets in a buffer have 16 bits");
_Static_assert(WINDOW_L_MINUTES <= SLOTS_RING, "minutes of L differ modulo the ring");
_Static_assert(LIVE_HALF_HOURS <= SLOTS_RING, "live half-hours differ modulo the ring");
_Static_assert(COUNTS_PACKED_MAX < 1 << 14, "a packed size has two bytes at most");

struct record {
    int64_t slot;
    struct span packed;
    size_t end; /* where the next one begins */
};

/* The slot that has this number modulo SLOTS_RING. */
static inline int64_t
full_slot(const struct slots *slots, uint8_t number)
{
    return slots->newest - (int64_t)(((uint64_t)slots->newest - number) % SLOTS_RING);
}

static struct record
record_at(const struct slots *slots, size_t at)
{
    size_t size = slots->data[at + 1];
    size_t head = 2;

    if (size >= 0x80) {
        size = (size & 0x7f) | (size_t)slots->data[at + 2] << 7;
        head = 3;
    }
    return (struct record){
            .slot = full_slot(slots, slots->data[at]),
            .packed = {slots->data + at + head, size},
            .end = at + head + size,
    };
}

/* A record that is being written: the packed counters come first, then the head before them. */
struct draft {
    uint8_t bytes[RECORD_MAX];
};

#define DRAFT_PACKED(draft) ((draft)->bytes + RECORD_HEAD_MAX)

/* The record of size packed bytes in the draft. */
static struct span
draft_finish(struct draft *draft, int64_t slot, size_t size)
{
    const size_t head = size < 0x80 ? 2 : 3;
    uint8_t *record = DRAFT_PACKED(draft) - head;

    record[0] = (uint8_t)((uint64_t)slot % SLOTS_RING);
    record[1] = (uint8_t)(head == 2 ? size : size | 0x80);
    if (head == 3) {
        record[2] = (uint8_t)(size >> 7);
    }
    return (struct span){record, head + size};
}

/* Put a record in the place of the old_size bytes at `at`. */
static void
splice(struct slots *slots, size_t at, size_t old_size, struct span record)
{
    const size_t size = record.size;
    const size_t tail = slots->size - at - old_size;
    const size_t total = at + size + tail;

    if (total > slots->capacity) {
        /* A little ahead only: there may be millions of these, and most stay short. But not so
         * little that each new slot would move the block. */
        size_t capacity = (total + total / 4 + 7) / 16 * 16 + 8; /* as malloc() rounds */

        capacity = capacity <= UINT16_MAX ? capacity : UINT16_MAX;
        slots->data = memory_resize(slots->data, capacity, 1);
        slots->capacity = (uint16_t)capacity;
    }
    if (tail != 0 && size != old_size) {
        memmove(slots->data + at + size, slots->data + at + old_size, tail);
    }
    if (size != 0) {
        memcpy(slots->data + at, record.data, size);
    }
    slots->size = (uint16_t)total;
    if (at == 0 && total != 0) {
        slots->first = slots->data[0];
    }
    if (slots->last >= at + old_size) {
        slots->last = (uint16_t)(slots->last + size - old_size);
    }
}

void
slots_fini(struct slots *slots)
{
    free(slots->data);
    *slots = (struct slots){0};
}

static void
drop_before(struct slots *slots, int64_t oldest)
{
    size_t at = 0;

    if (slots->size == 0 || full_slot(slots, slots->first) >= oldest) {
        return; /* nearly always, and without a look at the records */
    }
    while (at < slots->size) {
        const struct record record = record_at(slots, at);

        if (record.slot >= oldest) {
            break;
        }
        slots->dirty &= ~(UINT64_C(1) << ((uint64_t)record.slot % SLOTS_RING));
        at = record.end;
    }
    if (at == slots->size) {
        slots->last = 0;
        slots->size = 0;
    } else if (at != 0) {
        splice(slots, 0, at, SPAN_NULL);
    }
}

/* Where the record of the slot is, or would have to be; *found tells which. */
static size_t
find(const struct slots *slots, int64_t slot, bool *found)
{
    size_t at = 0;

    *found = false;
    if (slots->size == 0 || slot > slots->newest) {
        return slots->size;
    }
    if (slot == slots->newest) {
        *found = true;
        return slots->last;
    }
    while (at < slots->size) {
        const struct record record = record_at(slots, at);

        if (record.slot >= slot) {
            *found = record.slot == slot;
            break;
        }
        at = record.end;
    }
    return at;
}

/* The record of a slot is at `at` now. */
static void
note_slot(struct slots *slots, int64_t slot, size_t at)
{
    if (!slots->any || slot >= slots->newest) {
        slots->newest = slot;
        slots->last = (uint16_t)at;
        slots->any = true;
    }
}

void
slots_add(struct slots *slots, int64_t slot, int64_t oldest, const struct sparse_counts *counts)
{
    struct draft draft;
    struct span packed = SPAN_NULL;
    size_t old_size = 0;
    bool found = false;

    assert(slot >= oldest && slot - oldest < SLOTS_RING);
    if (slot > slots_newest(slots)) {
        drop_before(slots, oldest);
    }

    const size_t at = find(slots, slot, &found);

    if (found) {
        const struct record record = record_at(slots, at);

        packed = record.packed;
        old_size = record.end - at;
    }
    splice(slots, at, old_size,
            draft_finish(&draft, slot, counts_merge(packed, counts, DRAFT_PACKED(&draft))));
    note_slot(slots, slot, at);
}

void
tally_init(struct slot_tally *tally)
{
    *tally = (struct slot_tally){.slot = SLOT_NONE};
}

void
tally_add(struct slot_tally *tally, const struct sparse_counts *counts)
{
    const uint64_t *value = counts->value;

    assert(counts->mask >> COUNT_BASE == 0);
    for (uint64_t mask = counts->mask; mask != 0; mask &= mask - 1) {
        uint64_t *n = &tally->n[__builtin_ctzll(mask)];

        *n = count_sum(*n, *value++);
    }
}

bool
tally_take(struct slot_tally *tally, struct sparse_counts *counts)
{
    uint64_t *value = counts->value;

    counts->mask = 0;
    counts->first_offset = counts->last_offset = -1;
    for (size_t i = 0; i < COUNT_BASE; i++) {
        if (tally->n[i] != 0) {
            counts->mask |= UINT64_C(1) << i;
            *value++ = tally->n[i];
            tally->n[i] = 0;
        }
    }
    return counts->mask != 0;
}

/* A slot begins with a record of its own, so that the newest one is always known. What is behind
 * the newest is rare, and goes to its record. */
void
slots_add_tally(struct slots *slots, struct slot_tally *tally, int64_t slot, int64_t oldest,
        const struct sparse_counts *counts)
{
    if (slot == tally->slot) {
        tally_add(tally, counts);
        return;
    }
    slots_add(slots, slot, oldest, counts);
    if (slot > tally->slot) {
        slots_pack(slots, tally);
        tally->slot = slot;
    }
}

void
slots_pack(struct slots *slots, struct slot_tally *tally)
{
    struct sparse_counts counts;
    bool found = false;

    if (!tally_take(tally, &counts)) {
        return;
    }
    find(slots, tally->slot, &found);
    if (found) { /* else it has left the live ones meanwhile */
        slots_add(slots, tally->slot, tally->slot, &counts);
    }
}

bool
slots_insert(struct slots *slots, int64_t slot, struct span packed, int64_t oldest)
{
    struct draft draft;
    bool found = false;

    assert(packed.size <= COUNTS_PACKED_MAX);
    assert(slot >= oldest && slot - oldest < SLOTS_RING);
    drop_before(slots, oldest);

    const size_t at = find(slots, slot, &found);

    if (found) {
        return false;
    }
    memcpy(DRAFT_PACKED(&draft), packed.data, packed.size);
    splice(slots, at, 0, draft_finish(&draft, slot, packed.size));
    note_slot(slots, slot, at);
    return true;
}

bool
slots_next(const struct slots *slots, size_t *at, int64_t *slot, struct span *packed)
{
    if (*at >= slots->size) {
        return false;
    }

    const struct record record = record_at(slots, *at);

    *slot = record.slot;
    *packed = record.packed;
    *at = record.end;
    return true;
}

struct span
slots_packed(const struct slots *slots, int64_t slot)
{
    bool found = false;
    const size_t at = find(slots, slot, &found);

    return found ? record_at(slots, at).packed : SPAN_NULL;
}

void
slots_sum(const struct slots *slots, int64_t from, int64_t to, struct counts *sum)
{
    struct span packed;
    int64_t slot = 0;
    size_t at = 0;

    while (slots_next(slots, &at, &slot, &packed)) {
        if (slot >= from && slot <= to) {
            counts_add_packed(sum, packed);
        }
    }
}

void
slots_sum_attempts(
        const struct slots *slots, int64_t from, int64_t to, uint64_t *attempts, uint64_t *retries)
{
    struct span packed;
    int64_t slot = 0;
    size_t at = 0;

    while (slots_next(slots, &at, &slot, &packed)) {
        if (slot >= from && slot <= to) {
            counts_add_packed_attempts(packed, attempts, retries);
        }
    }
}
