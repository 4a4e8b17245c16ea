/* buffer.c - bytes that grow, and the variable-length integers of Avro and of the packed state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define VARINT_MAX 10 /* bytes of a 64-bit varint */

void
buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void
buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

uint8_t *
buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->capacity - buffer->size < size) {
        const size_t twice = buffer->capacity * 2;

        buffer->capacity = buffer->size + size > twice ? buffer->size + size : twice;
        buffer->data = memory_resize(buffer->data, buffer->capacity, 1);
    }
    return buffer->data + buffer->size;
}

void
buffer_put(struct buffer *buffer, const void *data, size_t size)
{
    if (size != 0) {
        memcpy(buffer_reserve(buffer, size), data, size);
        buffer->size += size;
    }
}

void
buffer_put_byte(struct buffer *buffer, uint8_t byte)
{
    *buffer_reserve(buffer, 1) = byte;
    buffer->size += 1;
}

void
buffer_put_text(struct buffer *buffer, const char *text)
{
    buffer_put(buffer, text, strlen(text));
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_list again;

    va_start(args, format);
    va_copy(again, args);

    const int size = vsnprintf(NULL, 0, format, args);

    va_end(args);
    if (size > 0) {
        vsnprintf(
                (char *)buffer_reserve(buffer, (size_t)size + 1), (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

void
buffer_put_varint(struct buffer *buffer, uint64_t value)
{
    uint8_t *at = buffer_reserve(buffer, VARINT_MAX);
    size_t size = 0;

    while (value >= 0x80) {
        at[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[size++] = (uint8_t)value;
    buffer->size += size;
}

void
buffer_put_zigzag(struct buffer *buffer, int64_t value)
{
    buffer_put_varint(buffer, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void
buffer_put_span(struct buffer *buffer, struct span span)
{
    if (span.data == NULL) {
        buffer_put_byte(buffer, 0);
        return;
    }
    buffer_put_varint(buffer, (uint64_t)span.size + 1);
    buffer_put(buffer, span.data, span.size);
}

struct span
buffer_span(const struct buffer *buffer)
{
    static const uint8_t empty[1];

    return (struct span){buffer->data != NULL ? buffer->data : empty, buffer->size};
}

struct reader
reader_of(struct span bytes)
{
    /* Null has no end to point to. */
    return (struct reader){
            bytes.data, bytes.size != 0 ? bytes.data + bytes.size : bytes.data, false};
}

uint8_t
reader_byte(struct reader *reader)
{
    if (reader->failed || reader->at == reader->end) {
        reader->failed = true;
        return 0;
    }
    return *reader->at++;
}

uint64_t
reader_varint(struct reader *reader)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = reader_byte(reader);

        if (shift == 63 && byte > 1) {
            break; /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return reader->failed ? 0 : value;
        }
    }
    reader->failed = true;
    return 0;
}

int64_t
reader_zigzag(struct reader *reader)
{
    const uint64_t value = reader_varint(reader);

    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

struct span
reader_span(struct reader *reader)
{
    const uint64_t size = reader_varint(reader);

    if (reader->failed || size == 0) {
        return SPAN_NULL;
    }
    if (size - 1 > (uint64_t)(reader->end - reader->at)) {
        reader->failed = true;
        return SPAN_NULL;
    }

    const struct span span = {reader->at, (size_t)size - 1};

    reader->at += span.size;
    return span;
}
