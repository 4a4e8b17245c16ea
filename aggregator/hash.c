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

    /* Each string is hashed by itself, so that the processor works on several at a time. Mixing
     * them in turn keeps their order, and where one ends and the next begins, significant. */
    for (size_t i = 0; i < count; i++) {
        const uint64_t mixed = (hash << 27 | hash >> 37) ^
                               XXH3_64bits_withSeed(spans[i].data, spans[i].size, spans[i].size);

        hash = mixed * UINT64_C(0x9e3779b97f4a7c15);
    }
    return hash ^ hash >> 32;
}
