/* slots.c - the counters of the slots that one series or group has.
 *
 * A record is one byte slot % SLOTS_RING, the size of what follows (a varint of one or two bytes),
 * and counts_pack(). The full slot number comes from the newest one: all records are less than
 * SLOTS_RING older, because slots_open() drops what is not live before it adds one.
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

static struct record
record_at(const struct slots *slots, size_t at)
{
    const uint64_t age = ((uint64_t)slots->newest - slots->data[at]) % SLOTS_RING;
    size_t size = slots->data[at + 1];
    size_t head = 2;

    if (size >= 0x80) {
        size = (size & 0x7f) | (size_t)slots->data[at + 2] << 7;
        head = 3;
    }
    return (struct record){
            .slot = slots->newest - (int64_t)age,
            .packed = {slots->data + at + head, size},
            .end = at + head + size,
    };
}

static size_t
record_write(int64_t slot, struct span packed, uint8_t *bytes)
{
    size_t head = 2;

    bytes[0] = (uint8_t)((uint64_t)slot % SLOTS_RING);
    if (packed.size < 0x80) {
        bytes[1] = (uint8_t)packed.size;
    } else {
        bytes[1] = (uint8_t)(packed.size | 0x80);
        bytes[2] = (uint8_t)(packed.size >> 7);
        head = 3;
    }
    memcpy(bytes + head, packed.data, packed.size);
    return head + packed.size;
}

/* Put size bytes in the place of the old_size bytes at `at`. */
static void
splice(struct slots *slots, size_t at, size_t old_size, const uint8_t *bytes, size_t size)
{
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
        memcpy(slots->data + at, bytes, size);
    }
    slots->size = (uint16_t)total;
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

void
slots_flush(struct slots *slots)
{
    struct open_slot *open = slots->open;
    uint8_t packed[COUNTS_PACKED_MAX];
    uint8_t bytes[RECORD_MAX];

    if (open == NULL || open->slot == SLOT_NONE || open->packed) {
        return;
    }

    const struct span span = {packed, counts_pack(&open->counts, packed)};
    const size_t size = record_write(open->slot, span, bytes);

    splice(slots, open->at, open->size, bytes, size);
    open->size = (uint16_t)size;
    open->packed = true;
    if (open->slot == slots->newest) {
        slots->last = open->at;
    }
}

static void
drop_before(struct slots *slots, int64_t oldest)
{
    size_t at = 0;

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
        splice(slots, 0, at, NULL, 0);
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

static void
set_newest(struct slots *slots, int64_t slot)
{
    if (!slots->any || slot > slots->newest) {
        slots->newest = slot;
        slots->any = true;
    }
}

void
slots_keep_open(struct slots *slots, struct open_slot *open)
{
    assert(slots->open == NULL);
    open->slot = SLOT_NONE;
    slots->open = open;
}

void
slots_close(struct slots *slots)
{
    slots_flush(slots);
    slots->open = NULL;
}

/* Unpack the record of a slot, or begin a new one. */
static void
load(const struct slots *slots, struct open_slot *open, int64_t slot)
{
    bool found = false;
    const size_t at = find(slots, slot, &found);

    open->slot = slot;
    open->at = (uint16_t)at;
    open->size = 0;
    open->packed = false;
    counts_init(&open->counts);
    if (found) {
        const struct record record = record_at(slots, at);

        counts_add_packed(&open->counts, record.packed);
        open->size = (uint16_t)(record.end - at);
    }
}

struct counts *
slots_open(struct slots *slots, struct arena *arena, int64_t slot, int64_t oldest)
{
    struct open_slot *open = slots->open;

    assert(slot >= oldest && slot - oldest < SLOTS_RING);
    if (open != NULL && open->slot == slot) {
        open->packed = false;
        return &open->counts;
    }
    slots_flush(slots);
    if (open == NULL) {
        open = slots->open = arena_new(arena, 1, sizeof(*open));
    }
    if (slot > slots_newest(slots)) {
        drop_before(slots, oldest);
    }
    load(slots, open, slot);
    set_newest(slots, slot);
    return &open->counts;
}

bool
slots_insert(struct slots *slots, int64_t slot, struct span packed, int64_t oldest)
{
    uint8_t bytes[RECORD_MAX];
    bool found = false;

    assert(packed.size <= COUNTS_PACKED_MAX);
    assert(slot >= oldest && slot - oldest < SLOTS_RING);
    assert(slots->open == NULL || slots->open->slot == SLOT_NONE);
    drop_before(slots, oldest);

    const size_t at = find(slots, slot, &found);

    if (found) {
        return false;
    }
    splice(slots, at, 0, bytes, record_write(slot, packed, bytes));
    set_newest(slots, slot);
    if (slot == slots->newest) {
        slots->last = (uint16_t)at;
    }
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
    const struct open_slot *open = slots->open;
    struct span packed;
    int64_t slot = 0;
    size_t at = 0;

    while (slots_next(slots, &at, &slot, &packed)) {
        if (slot >= from && slot <= to && (open == NULL || slot != open->slot)) {
            counts_add_packed(sum, packed);
        }
    }
    if (open != NULL && open->slot >= from && open->slot <= to) {
        counts_add(sum, &open->counts);
    }
}
