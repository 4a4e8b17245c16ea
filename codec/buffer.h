/* buffer.h - bytes that grow, and the variable-length integers of Avro and of the packed state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_BUFFER_H
#define RETRYWATCH_CODEC_BUFFER_H

#include "aggregator/memory.h"
#include "aggregator/span.h"
#include "aggregator/status.h"

/* Owns its bytes; all zero is an empty buffer. Out of memory aborts (aggregator/memory.h). */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void buffer_fini(struct buffer *buffer);

/** Forget the bytes, keep the memory. */
void buffer_clear(struct buffer *buffer);

/** Room for size more bytes; returns where they go. The caller adds to buffer->size itself. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);

void buffer_put(struct buffer *buffer, const void *data, size_t size);
void buffer_put_byte(struct buffer *buffer, uint8_t byte);
void buffer_put_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/** Little-endian base 128, as protobuf's varint. */
void buffer_put_varint(struct buffer *buffer, uint64_t value);
/** Zigzag, then varint: Avro's int and long. */
void buffer_put_zigzag(struct buffer *buffer, int64_t value);
/** Size as varint + 1, then the bytes; a null span is a single 0. */
void buffer_put_span(struct buffer *buffer, struct span span);

/** The bytes so far; borrowed until the next put. */
struct span buffer_span(const struct buffer *buffer);

/* Reads what was put; once it fails, every further read gives 0 or null. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct reader reader_of(struct span bytes);
uint8_t reader_byte(struct reader *reader);
uint64_t reader_varint(struct reader *reader);
int64_t reader_zigzag(struct reader *reader);
/** Points into the bytes read. */
struct span reader_span(struct reader *reader);

#endif
