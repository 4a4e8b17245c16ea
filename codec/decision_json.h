/* decision_json.h - a decision as JSON: for people who write the topic by hand, and for programs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_DECISION_JSON_H
#define RETRYWATCH_CODEC_DECISION_JSON_H

#include "aggregator/decision.h"

#include <jansson.h>

/**
 * An object with the schema's field names that decision_decode() reads back as the same: times as
 * RFC 3339, dates as YYYY-MM-DD, null fields as null. Texts must be UTF-8 and times those of years
 * 0 to 9999. Returns owned (json_decref()).
 */
json_t *decision_json(const struct decision *decision);

#endif
