/* slots.h - time to slot numbers, and the counters of the slots that one series or group has.
 *
 * Slots are kept sparsely and packed, oldest first: an idle series costs no full ring, and what is
 * stored is what is in memory.
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
#define YOUNG_HALF_HOURS 2     /* H and the one before: all their minutes are in L */

/* No more slots than this are live at a time, so slot numbers modulo it tell them apart. */
#define SLOTS_RING 64

/* The slots that one series or group has. Zeroed memory is an empty one. */
struct slots {
    uint8_t *data;           /* records, oldest slot first: slot % SLOTS_RING, packed size, bytes */
    int64_t newest;          /* the newest slot; valid if slots_newest() says so */
    uint64_t dirty;          /* bit slot % SLOTS_RING: changed in this batch */
    uint16_t size, capacity; /* bytes of data */
    uint16_t last;           /* where the newest record is in data */
    uint8_t first;           /* slot % SLOTS_RING of the oldest record */
    bool any;                /* there ever was a slot */
};

/* What was added to one slot since it was last packed: for slots that are added to very often.
 * Base counters only, so that it is small. */
struct slot_tally {
    int64_t slot;
    uint64_t n[COUNT_BASE];
};

void tally_init(struct slot_tally *tally);

/** Add base counters to a tally, whatever slot it is of. Offsets are left out. */
void tally_add(struct slot_tally *tally, const struct sparse_counts *counts);

/** Move what the tally holds to counts; false if that is nothing. */
bool tally_take(struct slot_tally *tally, struct sparse_counts *counts);

void slots_fini(struct slots *slots);

/** The newest slot, live or not; SLOT_NONE when there never was one. */
static inline int64_t
slots_newest(const struct slots *slots)
{
    return slots->any ? slots->newest : SLOT_NONE;
}

/**
 * Add counters to a slot.
 *
 * slot:   oldest <= slot < oldest + SLOTS_RING.
 * oldest: the oldest live slot; older ones are dropped when a newer one comes.
 * Cost:   O(1) for the newest slot; else O(records).
 */
void slots_add(
        struct slots *slots, int64_t slot, int64_t oldest, const struct sparse_counts *counts);

/** The same through a tally, for base counters alone. Until slots_pack() the slots lack what it
 * holds. */
void slots_add_tally(struct slots *slots, struct slot_tally *tally, int64_t slot, int64_t oldest,
        const struct sparse_counts *counts);

/** Add to the slots what the tally holds. */
void slots_pack(struct slots *slots, struct slot_tally *tally);

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

/** Ask for the memory of the records: slots_insert() comes soon. */
static inline void
slots_prefetch(const struct slots *slots)
{
    if (slots->size != 0) {
        __builtin_prefetch(slots->data);
        __builtin_prefetch(slots->data + slots->size, 1); /* where a newer one goes */
    }
}

/** Walk the records, oldest first. at: 0 at first. Returns false after the last. */
bool slots_next(const struct slots *slots, size_t *at, int64_t *slot, struct span *packed);

/** The packed bytes of a slot; null when it is not there. Cost: O(1) for the newest. */
struct span slots_packed(const struct slots *slots, int64_t slot);

/** Add the slots from ... to (both included) to sum. Cost: O(records). */
void slots_sum(const struct slots *slots, int64_t from, int64_t to, struct counts *sum);

/** The same of attempts and retries alone. */
void slots_sum_attempts(
        const struct slots *slots, int64_t from, int64_t to, uint64_t *attempts, uint64_t *retries);

#endif
