/* evidence.h - what a group remembers of the sources that its events name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_EVIDENCE_H
#define RETRYWATCH_AGGREGATOR_EVIDENCE_H

#include "aggregator/outcome.h"

#define UNIT_METRIC_MIXED "_MIXED"

/* Remembered in offset order. Owns its bytes. */
struct evidence {
    uint64_t texts_seen; /* evidence_hash() of the last event: it names nothing new. 0: look */
    int64_t pricing_source_checked_at_ms; /* the newest; TIME_NULL when none was seen */
    int64_t unit_metric_changed_ms; /* T of the last change; TIME_NULL when it never changed */
    uint8_t *unit_metric;           /* the last one; NULL when none was seen */
    uint32_t unit_metric_size;
    struct {
        uint8_t *data;
        uint32_t size;
    } source_urls[OUTCOME_URLS_MAX]; /* the first 8 different ones */
    uint32_t source_url_count;
    bool allocation_rule_seen;
};

void evidence_init(struct evidence *evidence);
void evidence_fini(struct evidence *evidence);

/** Of all texts that evidence_remember() looks at: nearly all events of a group name the same. */
uint64_t evidence_hash(const struct outcome *outcome);

/**
 * Remember what the event names; returns whether anything changed.
 *
 * texts:     evidence_hash() of the event.
 * event_ms:  t of the event; a pricing date after it is clamped to it.
 * stream_ms: T, which dates a change of unit_metric.
 */
bool evidence_remember(struct evidence *evidence, const struct outcome *outcome, uint64_t texts,
        int64_t event_ms, int64_t stream_ms);

/** The unit metric as of the window that ends in minute: null, the last one, or _MIXED. */
struct span evidence_unit_metric(const struct evidence *evidence, int64_t minute);

/* What the configuration knows where events are silent (config key `evidence`). */
struct configured_evidence {
    struct span owner;       /* null: every owner */
    struct span bucket;      /* null: every bucket */
    struct span unit_metric; /* null if absent */
    struct span source_urls[OUTCOME_URLS_MAX];
    int64_t pricing_source_checked_at_ms; /* TIME_NULL if absent */
    int32_t access_date;                  /* days since the epoch; DATE_NULL if absent */
    uint8_t source_url_count;
    bool allocation_rule_checked;
};

#endif
