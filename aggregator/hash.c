/* hash.c - the hash of strings: xxHash, header only, so that the core links nothing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
hash_spans(const struct span *spans, size_t count)
{
    uint64_t hash = count;

    /* The hash so far seeds the next: where one string ends and the next begins then matters. */
    for (size_t i = 0; i < count; i++) {
        hash = XXH3_64bits_withSeed(spans[i].data, spans[i].size, hash + spans[i].size);
    }
    return hash;
}
