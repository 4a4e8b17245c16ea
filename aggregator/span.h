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

static inline bool
span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
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
