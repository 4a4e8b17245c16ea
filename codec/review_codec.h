/* review_codec.h - the review packet to the bytes of review-required, and back for views.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_REVIEW_CODEC_H
#define RETRYWATCH_CODEC_REVIEW_CODEC_H

#include "aggregator/packet.h"
#include "codec/buffer.h"

#include <jansson.h>

#define REVIEW_SCHEMA_ID_DEFAULT 1 /* in the frame when there is no registry */

/** Append the Confluent-framed Avro record. The same packet gives the same bytes. */
void review_encode(const struct packet *packet, int32_t schema_id, struct buffer *out);

/**
 * Decode a framed record into JSON with the schema's field names: times as epoch milliseconds,
 * review_date as YYYY-MM-DD. Returns owned in *out (json_decref()).
 *
 * Errors: STATUS_MALFORMED.
 */
enum status review_decode(struct span value, json_t **out, struct error *error) MUST_CHECK;

/** ce_id: the first 32 hex digits of SHA-256 over review_id, generation, sequence, status, as
 * decimal text joined by NUL. A replay yields the same. */
void review_event_id(const struct packet *packet, digest_function *digest, char id[33]);

/** The built-in schemas, as JSON text (codec/schema/); borrowed for ever. */
extern const char schema_request_outcome[];
extern const char schema_cost_owner_decision[];
extern const char schema_review_required[];
extern const char schema_rejected[];

#endif
