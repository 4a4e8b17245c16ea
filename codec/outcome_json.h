/* outcome_json.h - JSON events to outcomes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_OUTCOME_JSON_H
#define RETRYWATCH_CODEC_OUTCOME_JSON_H

#ifdef __cplusplus
extern "C" {
#endif

#include "aggregator/memory.h"
#include "aggregator/outcome.h"

struct outcome_json;

/** Returns owned. It grows to the largest event it has seen and serves one at a time. */
struct outcome_json *outcome_json_new(void);
void outcome_json_destroy(struct outcome_json *json);

/**
 * Decode one JSON object with the field names (and aliases) of codec/schema/request_outcome.avsc.
 *
 * Absent equals null. Times are epoch milliseconds or RFC 3339. An unknown symbol reads as the
 * default of its enum. Unknown fields are skipped, but must be JSON. Of a field that is given
 * twice the last one counts, and a name beats its alias.
 *
 * value:     borrowed; needs no padding.
 * outcome:   spans point into arena, never into value.
 * forbidden: set to a bit (1 << enum forbidden) for each kind of foreign field that it carried.
 * Errors:    STATUS_MALFORMED (no JSON, not UTF-8, a wrong type, no event_time or attempt_number),
 *            STATUS_INVALID (attempt_number that no int holds); outputs untouched.
 * Cost:      one copy into arena; allocates only for an event larger than all before.
 */
enum status outcome_json_decode(struct outcome_json *json, struct span value, struct arena *arena,
        struct outcome *outcome, unsigned *forbidden, struct error *error) MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
