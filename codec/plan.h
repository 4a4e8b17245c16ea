/* plan.h - a writer schema compiled into steps that read or skip one field each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_PLAN_H
#define RETRYWATCH_CODEC_PLAN_H

#include "aggregator/memory.h"
#include "aggregator/outcome.h"

struct plan;
struct schema;

/**
 * Resolve the writer's schema against codec/schema/request_outcome.avsc, by the rules of the Avro
 * specification but for one: the names of types are not compared, since teams have their own.
 *
 * schema: taken when STATUS_OK, else still the caller's.
 * Errors: STATUS_BAD_SCHEMA: it can never be an outcome; says which field is missing or does not
 *         fit.
 */
enum status plan_new(struct schema *schema, struct plan **out, struct error *error) MUST_CHECK;
void plan_destroy(struct plan *plan);

/** CRC-64-AVRO of the writer's schema. */
uint64_t plan_fingerprint(const struct plan *plan);

/**
 * Decode one body of exactly body.size bytes. Text that is read must be UTF-8; text that is
 * skipped is not looked at.
 *
 * outcome:   spans point into body, or into arena for a URL that lost its user info. event_id and
 *            operation_id are null when the writer does not have them.
 * forbidden: set to a bit (1 << enum forbidden) for each kind of foreign field that it carried.
 * Errors:    STATUS_MALFORMED; outputs untouched.
 * Cost:      some 2 ns a field; no allocation but for a URL that lost its user info.
 */
enum status plan_decode(const struct plan *plan, struct span body, struct arena *arena,
        struct outcome *outcome, unsigned *forbidden, struct error *error) MUST_CHECK;

#endif
