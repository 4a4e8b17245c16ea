/* span.h - bytes that belong to somebody else.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_SPAN_H
#define RETRYWATCH_AGGREGATOR_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes, not ended by NUL. data == NULL is null, which is not the empty string. Spans
 * into a payload live until the batch ends. */
struct span {
    const uint8_t *data;
    size_t size;
};

#define SPAN_NULL ((struct span){NULL, 0})

static inline struct span
span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

/* Eight and four bytes from anywhere, in this machine's order. */
static inline uint64_t
load64(const uint8_t *at)
{
    uint64_t word = 0;

    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint32_t
load32(const uint8_t *at)
{
    uint32_t word = 0;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* memcmp() for the short strings that most of ours are: its call costs more than the comparison.
 * Loads overlap at the end, which spares a loop over the last bytes. */
static inline bool
same_bytes(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint64_t differ = 0;

    if (size >= 8) {
        const size_t last = size - 8;

        for (size_t i = 0; i < last; i += 8) {
            differ |= load64(a + i) ^ load64(b + i);
        }
        return (differ | (load64(a + last) ^ load64(b + last))) == 0;
    }
    if (size >= 4) {
        return ((load32(a) ^ load32(b)) | (load32(a + size - 4) ^ load32(b + size - 4))) == 0;
    }
    for (size_t i = 0; i < size; i++) {
        differ |= (uint64_t)(a[i] ^ b[i]);
    }
    return differ == 0;
}

static inline bool
span_equal(struct span a, struct span b)
{
    return a.size == b.size && same_bytes(a.data, b.data, a.size);
}

/** Order by bytes, the shorter first when one begins the other. */
static inline int
span_compare(struct span a, struct span b)
{
    const size_t size = a.size < b.size ? a.size : b.size;
    const int order = size == 0 ? 0 : memcmp(a.data, b.data, size);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

#endif
