/* review_json.h - review events for tests: encoded as the service does, and decoded.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_REVIEW_JSON_H
#define RETRYWATCH_TESTS_REVIEW_JSON_H

#include "codec/review_codec.h"

#include <stdlib.h>

#define REVIEW_WINDOW_END_MS INT64_C(1790084000000) /* 2026-09-22T13:33:20Z */
#define REVIEW_STARTS_AT_MS (REVIEW_WINDOW_END_MS - 60000)

/* 40 retries of 120 attempts; group_by is the default. */
static inline struct packet
review_packet(const char *owner, enum review_status status, uint32_t sequence)
{
    struct packet packet = {
            .generation = 1,
            .sequence = sequence,
            .status = status,
            .scope = {[DIM_OWNER] = span_of(owner),
                    [DIM_ENVIRONMENT] = span_of("production"),
                    [DIM_BUCKET] = span_of("search")},
            .window_start_ms = REVIEW_WINDOW_END_MS - 3600000,
            .window_end_ms = REVIEW_WINDOW_END_MS,
            .starts_at_ms = REVIEW_STARTS_AT_MS,
            .ends_at_ms = TIME_NULL,
            .retry_share_bps = 3333,
            .baseline_share_bps = 205,
            .threshold_bps = 1000,
            .config_version = "0123",
            .review_date = 20718,
            .missing_fields = 1u << MISSING_WORKLOAD | 1u << MISSING_ACCESS_DATE,
            .pause_reasons = 1u << PAUSE_PRICING_UNCHECKED,
            .proposed_action = ACTION_REVISE_RETRIES,
            .cost_owner_action = SYMBOL_NULL,
            .topic = span_of("request-outcomes"),
    };

    snprintf(packet.review_id, sizeof(packet.review_id), "%08x%024x",
            (unsigned)(owner[0] != '\0' ? owner[0] : 0), 7u);
    packet.l.n[COUNT_ATTEMPTS] = 120;
    packet.l.n[COUNT_RETRIES] = 40;
    packet.l.n[COUNT_CAUSE + CAUSE_PLATFORM_RESPONSE] = 38;
    packet.l.n[COUNT_CAUSE + CAUSE_TIMEOUT] = 2;
    return packet;
}

/* Returns owned. */
static inline json_t *
review_json(const struct packet *packet)
{
    struct buffer bytes = {0};
    json_t *json = NULL;

    review_encode(packet, REVIEW_SCHEMA_ID_DEFAULT, &bytes);
    if (review_decode(buffer_span(&bytes), &json, NULL) != STATUS_OK) {
        abort();
    }
    buffer_fini(&bytes);
    return json;
}

#endif
