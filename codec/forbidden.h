/* forbidden.h - names of foreign fields that could carry content, credentials or prices.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_FORBIDDEN_H
#define RETRYWATCH_CODEC_FORBIDDEN_H

#include "aggregator/span.h"
#include "codec/decoder.h"

/**
 * What a foreign field with this name could carry; FORBIDDEN_COUNT: nothing of that kind. The
 * case and the way of joining words do not matter: apiKey, API-KEY and api_key are one name.
 *
 * Ask only for names that are not ours: input_tokens and budget_bucket are judged like any other.
 */
enum forbidden forbidden_name(struct span name);

#endif
