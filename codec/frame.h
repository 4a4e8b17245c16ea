/* frame.h - Confluent and single-object frames: what stands before an Avro body.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_FRAME_H
#define RETRYWATCH_CODEC_FRAME_H

#include "aggregator/span.h"
#include "aggregator/status.h"

#define FRAME_CONFLUENT_SIZE 5
#define FRAME_SINGLE_SIZE 10

/**
 * Split a Confluent frame: magic byte 0, schema id (4 bytes, big-endian), body.
 *
 * value:  borrowed; body points into it.
 * Errors: STATUS_MALFORMED (short, wrong magic); outputs untouched.
 * Source: Confluent Schema Registry, "Wire format".
 */
enum status frame_split_confluent(
        struct span value, uint32_t *schema_id, struct span *body, struct error *error) MUST_CHECK;

/**
 * Split a single-object frame: C3 01, fingerprint (8 bytes, little-endian), body.
 *
 * Errors: STATUS_MALFORMED (short, wrong marker); outputs untouched.
 * Source: Apache Avro 1.11 specification, "Single-object encoding".
 */
enum status frame_split_single(struct span value, uint64_t *fingerprint, struct span *body,
        struct error *error) MUST_CHECK;

#endif
