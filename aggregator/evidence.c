/* evidence.c - what a group remembers of the sources that its events name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/evidence.h"

#include "aggregator/hash.h"
#include "aggregator/memory.h"
#include "aggregator/slots.h"

#include <stdlib.h>

/* What is longer is not remembered: a hundred thousand groups remember. */
#define UNIT_METRIC_MAX 256
#define SOURCE_URL_MAX 2048

void
evidence_init(struct evidence *evidence)
{
    *evidence = (struct evidence){
            .unit_metric_changed_ms = TIME_NULL,
            .pricing_source_checked_at_ms = TIME_NULL,
    };
}

void
evidence_fini(struct evidence *evidence)
{
    free(evidence->unit_metric);
    for (uint32_t i = 0; i < evidence->source_url_count; i++) {
        free(evidence->source_urls[i].data);
    }
    evidence_init(evidence);
}

static uint8_t *
copy_bytes(struct span text)
{
    return memcpy(memory_new(1, text.size), text.data, text.size);
}

static bool
remember_unit_metric(struct evidence *evidence, struct span metric, int64_t stream_ms)
{
    const struct span last = {evidence->unit_metric, evidence->unit_metric_size};

    if (metric.size == 0 || metric.size > UNIT_METRIC_MAX || span_equal(metric, last)) {
        return false;
    }
    if (evidence->unit_metric != NULL) {
        evidence->unit_metric_changed_ms = stream_ms;
    }
    free(evidence->unit_metric);
    evidence->unit_metric = copy_bytes(metric);
    evidence->unit_metric_size = (uint32_t)metric.size;
    return true;
}

static bool
remember_url(struct evidence *evidence, struct span url)
{
    if (url.size == 0 || url.size > SOURCE_URL_MAX ||
            evidence->source_url_count == OUTCOME_URLS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < evidence->source_url_count; i++) {
        const struct span known = {evidence->source_urls[i].data, evidence->source_urls[i].size};

        if (span_equal(url, known)) {
            return false;
        }
    }
    evidence->source_urls[evidence->source_url_count].data = copy_bytes(url);
    evidence->source_urls[evidence->source_url_count].size = (uint32_t)url.size;
    evidence->source_url_count += 1;
    return true;
}

static bool
remember_pricing_date(struct evidence *evidence, int64_t checked_at_ms, int64_t event_ms)
{
    /* Nobody has checked a page after the event that says so. */
    const int64_t known_ms = checked_at_ms < event_ms ? checked_at_ms : event_ms;

    if (checked_at_ms == TIME_NULL || known_ms <= evidence->pricing_source_checked_at_ms) {
        return false;
    }
    evidence->pricing_source_checked_at_ms = known_ms;
    return true;
}

uint64_t
evidence_hash(const struct outcome *outcome)
{
    const uint64_t urls = hash_spans(outcome->source_urls, outcome->source_url_count);

    return hash_spans(&outcome->unit_metric, 1) * 2 + urls +
           (outcome->allocation_rule_id.size != 0);
}

static bool
remember_texts(struct evidence *evidence, const struct outcome *outcome, int64_t stream_ms)
{
    bool changed = remember_unit_metric(evidence, outcome->unit_metric, stream_ms);

    for (size_t i = 0; i < outcome->source_url_count; i++) {
        changed |= remember_url(evidence, outcome->source_urls[i]);
    }
    if (outcome->allocation_rule_id.size != 0 && !evidence->allocation_rule_seen) {
        evidence->allocation_rule_seen = true;
        changed = true;
    }
    return changed;
}

bool
evidence_remember(struct evidence *evidence, const struct outcome *outcome, uint64_t texts,
        int64_t event_ms, int64_t stream_ms)
{
    bool changed = false;

    if (texts != evidence->texts_seen) {
        changed = remember_texts(evidence, outcome, stream_ms);
        evidence->texts_seen = texts;
    }
    return remember_pricing_date(evidence, outcome->pricing_source_checked_at_ms, event_ms) ||
           changed;
}

struct span
evidence_unit_metric(const struct evidence *evidence, int64_t minute)
{
    if (evidence->unit_metric_changed_ms != TIME_NULL &&
            minute - minute_of(evidence->unit_metric_changed_ms) < WINDOW_L_MINUTES) {
        return span_of(UNIT_METRIC_MIXED);
    }
    return (struct span){evidence->unit_metric, evidence->unit_metric_size};
}
