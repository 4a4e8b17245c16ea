/* avro_data.h - Avro binary values of the schemas that we write ourselves.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_AVRO_DATA_H
#define RETRYWATCH_CODEC_AVRO_DATA_H

#include "codec/buffer.h"

/* Nullable values are unions of null and one other type, null first. Source: Apache Avro 1.11
 * specification, "Binary encoding". */

/** What stands before a body: 0, schema id (4 bytes, big-endian). */
void avro_put_frame(struct buffer *out, int32_t schema_id);

void avro_put_bool(struct buffer *out, bool value);
/** A null span is the empty string. */
void avro_put_string(struct buffer *out, struct span value);
void avro_put_optional_string(struct buffer *out, struct span value);
/** null is what stands for null, such as TIME_NULL. */
void avro_put_optional_long(struct buffer *out, int64_t value, int64_t null);
void avro_put_strings(struct buffer *out, const struct span *values, size_t count);

/* Readers fail for what is out of range, and then read 0, false or null. */

bool avro_read_bool(struct reader *reader);
int32_t avro_read_int(struct reader *reader);
/** UTF-8; points into the bytes read. */
struct span avro_read_string(struct reader *reader);
/** Index of an enum's symbol or a union's branch, below count. */
size_t avro_read_index(struct reader *reader, size_t count);
/** Whether a nullable value is there. */
bool avro_read_present(struct reader *reader);
struct span avro_read_optional_string(struct reader *reader);
int64_t avro_read_optional_long(struct reader *reader, int64_t null);

/**
 * Items in the next block of an array or map, 0 at its end. Every item must take at least one
 * byte, so that there are never more of them than bytes left.
 */
size_t avro_read_block(struct reader *reader);

#endif
