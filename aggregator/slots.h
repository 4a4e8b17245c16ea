/* slots.h - time to slot numbers, and the counters of the slots that one series or group has.
 *
 * Slots are stored sparsely and packed, oldest first: an idle series costs no full ring. The slot
 * last touched is kept open (unpacked) while a batch runs.
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

#endif
