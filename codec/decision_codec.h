/* decision_codec.h - records of the decisions topic, Avro (Confluent frame) or JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_DECISION_CODEC_H
#define RETRYWATCH_CODEC_DECISION_CODEC_H

#include "aggregator/decision.h"
#include "aggregator/memory.h"
#include "codec/buffer.h"

/**
 * Decode one value; its first byte tells: 0 is Avro, '{' is JSON. record_ms is left 0. Text is
 * bounded and loses control characters; source URLs lose user info, query and fragment.
 *
 * decision: spans point into the value or the arena.
 * Errors:   STATUS_EMPTY (a tombstone), STATUS_MALFORMED, STATUS_INVALID; decision untouched.
 *           Whether it can apply is for decision_check().
 */
enum status decision_decode(struct span value, struct arena *arena, struct decision *decision,
        struct error *error) MUST_CHECK;

/** Append the Confluent-framed Avro record. */
void decision_encode(const struct decision *decision, int32_t schema_id, struct buffer *out);

#endif
