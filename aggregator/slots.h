/* slots.h - time to slot numbers, and the counters of the slots that one series or group has.
 *
 * Slots are stored sparsely and packed, oldest first: an idle series costs no full ring. The slot
 * last touched is open (unpacked).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_SLOTS_H
#define RETRYWATCH_AGGREGATOR_SLOTS_H

#include "aggregator/counts.h"
#include "aggregator/memory.h"

#define MINUTE_MS INT64_C(60000)
#define HALF_HOUR_MINUTES 30
#define HALF_HOUR_MS (HALF_HOUR_MINUTES * MINUTE_MS)

/* Slot numbers count from the epoch (UTC); times are never negative. */

#define SLOT_NONE INT64_C(-1)

static inline int64_t
minute_of(int64_t time_ms)
{
    return time_ms / MINUTE_MS;
}

static inline int64_t
half_hour_of(int64_t time_ms)
{
    return time_ms / HALF_HOUR_MS;
}

/* The windows, in whole slots; M is the minute and H the half-hour of T. */
#define WINDOW_S_MINUTES 5     /* M and the 4 before */
#define WINDOW_L_MINUTES 60    /* M and the 59 before */
#define WINDOW_B_HALF_HOURS 48 /* the whole half-hours that end at or before the start of L */
#define WINDOW_D_HALF_HOURS 48 /* H and the 47 before */
#define LIVE_HALF_HOURS 51     /* H and the 50 before: what B can still reach */

/* No more slots than this are live at a time, so slot numbers modulo it tell them apart. */
#define SLOTS_RING 64

/* The slot that is being counted into, unpacked. */
struct open_slot {
    int64_t slot;      /* SLOT_NONE: not in use */
    uint16_t at, size; /* where its last packed record is in the buffer; size 0: not yet */
    bool packed;       /* that record is up to date */
    struct counts counts;
};

/* The slots that one series or group has. Zeroed memory is an empty one. */
struct slots {
    uint8_t *data;           /* records, oldest slot first: slot % SLOTS_RING, packed size, bytes */
    int64_t newest;          /* the newest slot; valid if slots_newest() says so */
    uint64_t dirty;          /* bit slot % SLOTS_RING: changed in this batch */
    struct open_slot *open;  /* NULL: none; else it stands for its record */
    uint16_t size, capacity; /* bytes of data */
    uint16_t last;           /* where the newest record is in data */
    bool any;                /* at least one slot was ever opened */
};

void slots_fini(struct slots *slots);

/** From now on the open slot is kept here, for as long as the slots live. */
void slots_keep_open(struct slots *slots, struct open_slot *open);

/** Pack the open slot into the buffer; it stays open. */
void slots_flush(struct slots *slots);

/** Pack the open slot into the buffer, and forget the memory that it was in. */
void slots_close(struct slots *slots);

/** The newest slot, live or not; SLOT_NONE when there never was one. */
static inline int64_t
slots_newest(const struct slots *slots)
{
    return slots->any ? slots->newest : SLOT_NONE;
}

/**
 * The counters of a slot, to count into; empty ones if it is new.
 *
 * arena:  where the open slot is put, if there is no place for it: slots_close() before its reset.
 * slot:   oldest <= slot < oldest + SLOTS_RING.
 * oldest: the oldest live slot; older ones are dropped when a newer one comes.
 * Returns what is valid until another slot of these is opened, or they are closed.
 * Cost:   O(1) for the slot opened last; else packing that, and unpacking this.
 */
struct counts *slots_open(struct slots *slots, struct arena *arena, int64_t slot, int64_t oldest);

/** Note that the batch changed the slot; returns whether that is news. */
static inline bool
slots_set_dirty(struct slots *slots, int64_t slot)
{
    const uint64_t bit = UINT64_C(1) << ((uint64_t)slot % SLOTS_RING);
    const bool news = (slots->dirty & bit) == 0;

    slots->dirty |= bit;
    return news;
}

/** Put in a slot as it was stored, ready packed; false when there is one already. */
bool slots_insert(struct slots *slots, int64_t slot, struct span packed, int64_t oldest);

/**
 * Walk the records, oldest first. The record of the open slot is among them: flush it before.
 *
 * at: 0 at first. Returns false after the last.
 */
bool slots_next(const struct slots *slots, size_t *at, int64_t *slot, struct span *packed);

/** The packed bytes of a slot, flushed before; null when it is not there. Cost: O(1) if newest. */
struct span slots_packed(const struct slots *slots, int64_t slot);

/** Add the slots from ... to (both included) to sum. Cost: O(records). */
void slots_sum(const struct slots *slots, int64_t from, int64_t to, struct counts *sum);

#endif
