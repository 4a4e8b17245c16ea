/* avro_data.c - Avro binary values of the schemas that we write ourselves.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/avro_data.h"

#include "codec/utf8.h"

void
avro_put_frame(struct buffer *out, int32_t schema_id)
{
    const uint32_t id = (uint32_t)schema_id;
    const uint8_t frame[] = {
            0, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

    buffer_put(out, frame, sizeof(frame));
}

void
avro_put_bool(struct buffer *out, bool value)
{
    buffer_put_byte(out, value ? 1 : 0);
}

void
avro_put_string(struct buffer *out, struct span value)
{
    buffer_put_zigzag(out, (int64_t)value.size);
    buffer_put(out, value.data, value.size);
}

void
avro_put_optional_string(struct buffer *out, struct span value)
{
    buffer_put_zigzag(out, value.data != NULL);
    if (value.data != NULL) {
        avro_put_string(out, value);
    }
}

void
avro_put_optional_long(struct buffer *out, int64_t value, int64_t null)
{
    buffer_put_zigzag(out, value != null);
    if (value != null) {
        buffer_put_zigzag(out, value);
    }
}

void
avro_put_strings(struct buffer *out, const struct span *values, size_t count)
{
    if (count != 0) {
        buffer_put_zigzag(out, (int64_t)count);
        for (size_t i = 0; i < count; i++) {
            avro_put_string(out, values[i]);
        }
    }
    buffer_put_zigzag(out, 0);
}

bool
avro_read_bool(struct reader *reader)
{
    const uint8_t byte = reader_byte(reader);

    if (byte > 1) {
        reader->failed = true;
    }
    return byte == 1;
}

int32_t
avro_read_int(struct reader *reader)
{
    const int64_t value = reader_zigzag(reader);

    if (value < INT32_MIN || value > INT32_MAX) {
        reader->failed = true;
        return 0;
    }
    return (int32_t)value;
}

struct span
avro_read_string(struct reader *reader)
{
    const int64_t size = reader_zigzag(reader);

    if (reader->failed || size < 0 || size > reader->end - reader->at) {
        reader->failed = true;
        return SPAN_NULL;
    }

    const struct span text = {reader->at, (size_t)size};

    reader->at += size;
    if (!utf8_valid(text)) {
        reader->failed = true;
        return SPAN_NULL;
    }
    return text;
}

size_t
avro_read_index(struct reader *reader, size_t count)
{
    const int64_t index = reader_zigzag(reader);

    if (index < 0 || (uint64_t)index >= count) {
        reader->failed = true;
        return 0;
    }
    return (size_t)index;
}

bool
avro_read_present(struct reader *reader)
{
    return avro_read_index(reader, 2) == 1;
}

struct span
avro_read_optional_string(struct reader *reader)
{
    return avro_read_present(reader) ? avro_read_string(reader) : SPAN_NULL;
}

int64_t
avro_read_optional_long(struct reader *reader, int64_t null)
{
    if (!avro_read_present(reader)) {
        return null;
    }

    const int64_t value = reader_zigzag(reader);

    if (value == null) {
        reader->failed = true; /* a value that is there is not null */
    }
    return value;
}

size_t
avro_read_block(struct reader *reader)
{
    int64_t count = reader_zigzag(reader);

    if (count < 0 && count != INT64_MIN) {
        (void)reader_zigzag(reader); /* the size of the block, for those who skip it */
        count = -count;
    }
    if (reader->failed || count < 0 || count > reader->end - reader->at) {
        reader->failed = true;
        return 0;
    }
    return (size_t)count;
}
