/* decision_print.h - decisions for people and programs: what one covers, until when, by whom.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_DECISION_PRINT_H
#define RETRYWATCH_CONSUMER_DECISION_PRINT_H

#include "aggregator/decision.h"
#include "codec/buffer.h"

#include <jansson.h>
#include <stdio.h>

enum decision_state { DECISION_ACTIVE, DECISION_FUTURE, DECISION_EXPIRED, DECISION_REVOKED };
#define DECISION_STATES 4

extern const char *const decision_state_names[DECISION_STATES];

/** By the clock at now_ms; the service goes by the time of the log, which is seconds behind. */
enum decision_state decision_state_at(
        const struct decision *decision, const struct rule *rule, int64_t now_ms);

/** "owner ana, environment production, review 4f0c..."; safe for a terminal. */
void decision_put_scope(struct buffer *out, const struct decision *decision);

/** decision_json() and state, starts_at, ends_at. Returns owned (json_decref()). */
json_t *decision_describe(const struct decision *decision, const struct rule *rule, int64_t now_ms);

/** All that it says, a line each. */
void decision_print(
        const struct decision *decision, const struct rule *rule, int64_t now_ms, FILE *out);

#endif
