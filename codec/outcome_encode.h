/* outcome_encode.h - one outcome to the bytes of a request-outcome record.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_OUTCOME_ENCODE_H
#define RETRYWATCH_CODEC_OUTCOME_ENCODE_H

#include "aggregator/outcome.h"
#include "codec/buffer.h"

#define OUTCOME_SCHEMA_ID_DEFAULT 1 /* in the frame when there is no registry */

/** Append the Confluent-framed Avro record in the built-in schema. Fields that struct outcome does
 * not have (project_tag, product_tag, cached_input_tokens) are null. */
void outcome_encode(const struct outcome *outcome, uint32_t schema_id, struct buffer *out);

/** Append the same as JSON: event_time as epoch milliseconds, null fields left out. */
void outcome_encode_json(const struct outcome *outcome, struct buffer *out);

#endif
