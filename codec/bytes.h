/* bytes.h - several bytes looked at in one step, in plain C.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_BYTES_H
#define RETRYWATCH_CODEC_BYTES_H

#include "aggregator/span.h"

/* What nearly always holds: the code for it stands in line, without a jump. */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

#define HIGH_BITS UINT64_C(0x8080808080808080) /* those of a byte that is not ASCII */

/* Eight bytes, the first one lowest on every machine. Compilers make one load of it. */
static inline uint64_t
load64_little(const uint8_t *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 |
           (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 |
           (uint64_t)at[7] << 56;
}

/* Whether the first size bytes of 16 are ASCII; size < 16. A mask leaves out the others, which
 * spares the processor a guess at the size. */
static inline bool
is_ascii_below_16(const uint8_t *at, size_t size)
{
    static const uint64_t masks[4] = {HIGH_BITS, HIGH_BITS};
    const uint8_t *mask = (const uint8_t *)masks + 16 - size;

    return ((load64(at) & load64(mask)) | (load64(at + 8) & load64(mask + 8))) == 0;
}

/* Whether all are ASCII; size >= 16. The last 16 overlap, which spares a loop over the rest. */
static inline bool
is_ascii_from_16(const uint8_t *at, size_t size)
{
    const uint8_t *last = at + size - 16;
    uint64_t bits = load64(last) | load64(last + 8);

    for (; at < last; at += 16) {
        bits |= load64(at) | load64(at + 8);
    }
    return (bits & HIGH_BITS) == 0;
}

#endif
