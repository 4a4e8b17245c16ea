/* counts.c - the counters of one slot of time, and their packed form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/counts.h"

#include <assert.h>

#define COUNTS_VERSION 1
#define VARINT_MAX 10 /* bytes of a 64-bit varint */
#define PACK_RUN 8    /* counters that are looked at together: a cache line */

_Static_assert(COUNT_NUMBER <= 64, "the mask of a packed slot has one bit for each counter");

void
counts_init(struct counts *counts)
{
    *counts = (struct counts){.first_offset = -1, .last_offset = -1};
}

static void
add_offsets(struct counts *counts, int64_t first, int64_t last)
{
    if (first < 0) {
        return;
    }
    if (counts->first_offset < 0 || first < counts->first_offset) {
        counts->first_offset = first;
    }
    if (last > counts->last_offset) {
        counts->last_offset = last;
    }
}

void
counts_add(struct counts *counts, const struct counts *other)
{
    for (size_t i = 0; i < COUNT_NUMBER; i++) {
        counts->n[i] = count_sum(counts->n[i], other->n[i]);
    }
    add_offsets(counts, other->first_offset, other->last_offset);
}

/* ---- one event ------------------------------------------------------------------------------ */

static void
event_add(struct event_counts *event, size_t counter, uint64_t value)
{
    assert(event->size < EVENT_COUNTS_MAX && counter < COUNT_NUMBER);
    event->counter[event->size] = (uint8_t)counter;
    event->value[event->size] = value;
    event->size++;
}

/* The units of an attempt: `units`, else the tokens that are known. False when none is usable: it
 * is not zero then, but unknown. */
static bool
outcome_units(const struct outcome *outcome, uint64_t *units)
{
    if (outcome->usage_source == USAGE_UNAVAILABLE) {
        return false;
    }
    if (outcome->has_units) {
        *units = (uint64_t)outcome->units;
        return outcome->units >= 0;
    }

    const int64_t input = outcome->has_input_tokens ? outcome->input_tokens : 0;
    const int64_t output = outcome->has_output_tokens ? outcome->output_tokens : 0;

    *units = (uint64_t)input + (uint64_t)output; /* two 63-bit numbers: no overflow */
    return (outcome->has_input_tokens || outcome->has_output_tokens) && input >= 0 && output >= 0;
}

static void
event_add_base(struct event_counts *event, const struct outcome *outcome, bool late)
{
    const bool retry = outcome->attempt_number >= 2;
    uint64_t units = 0;

    event_add(event, COUNT_ATTEMPTS, 1);
    if (retry) {
        event_add(event, COUNT_RETRIES, 1);
    }
    if (outcome->result == RESULT_FAILURE) {
        event_add(event, COUNT_FAILURES, 1);
    }
    if (!outcome_units(outcome, &units)) {
        event_add(event, COUNT_USAGE_UNAVAILABLE, 1);
    } else if (units != 0) {
        event_add(event, retry ? COUNT_RETRY_UNITS : COUNT_FIRST_UNITS, units);
    }
    if (late) {
        event_add(event, COUNT_LATE, 1);
    }
}

static void
event_add_retry(struct event_counts *event, const struct outcome *outcome, uint32_t missing)
{
    const bool null_cause = outcome->retry_cause == SYMBOL_NULL;

    event_add(event, null_cause ? COUNT_CAUSE_NULL : COUNT_CAUSE + (size_t)outcome->retry_cause, 1);
    event_add(event, COUNT_LAYER + (size_t)outcome->retry_layer, 1);
    if ((missing & 1u << DIM_WORKLOAD) != 0) {
        event_add(event, COUNT_NO_WORKLOAD, 1);
    }
    if ((missing & 1u << DIM_ENVIRONMENT) != 0) {
        event_add(event, COUNT_NO_ENVIRONMENT, 1);
    }
    if ((missing & 1u << DIM_CLASS) != 0) {
        event_add(event, COUNT_NO_CLASS, 1);
    }
}

void
event_counts_init(struct event_counts *event, const struct outcome *outcome, int64_t offset,
        bool late, uint32_t missing)
{
    /* Pairs with the checks of the decoders. */
    assert(outcome->retry_layer < LAYER_COUNT);
    assert(outcome->retry_cause < CAUSE_COUNT || outcome->retry_cause == SYMBOL_NULL);
    assert(outcome->error_category < ERROR_COUNT || outcome->error_category == SYMBOL_NULL);
    assert(outcome->retry_decision < RETRY_DECISION_COUNT ||
            outcome->retry_decision == SYMBOL_NULL);

    event->size = 0;
    event->offset = offset;
    event_add_base(event, outcome, late);
    event->base_size = event->size;

    if (outcome->attempt_number >= 2) {
        event_add_retry(event, outcome, missing);
    }
    if (outcome->error_category != SYMBOL_NULL) {
        event_add(event, COUNT_ERROR + (size_t)outcome->error_category, 1);
    } else if (outcome->result == RESULT_FAILURE) {
        event_add(event, COUNT_ERROR + (size_t)ERROR_OTHER, 1);
    }
    if (outcome->retry_decision != SYMBOL_NULL) {
        event_add(event, COUNT_DECISION + (size_t)outcome->retry_decision, 1);
    }
}

static inline void
add_entries(struct counts *counts, const struct event_counts *event, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t *n = &counts->n[event->counter[i]];

        *n = count_sum(*n, event->value[i]);
    }
}

void
counts_add_event(struct counts *counts, const struct event_counts *event)
{
    add_entries(counts, event, event->size);
    add_offsets(counts, event->offset, event->offset);
}

void
counts_add_event_base(struct counts *counts, const struct event_counts *event)
{
    add_entries(counts, event, event->base_size);
}

/* ---- the packed form ------------------------------------------------------------------------ */

static inline uint8_t *
put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* The shortest form only, so that equal counters have equal bytes. NULL when it is not there. */
static inline const uint8_t *
get_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    if (at < end && *at < 0x80) {
        *value = *at;
        return at + 1;
    }

    uint64_t sum = 0;

    for (unsigned i = 0; i < VARINT_MAX && at < end; i++) {
        const uint8_t byte = *at++;

        if (i == VARINT_MAX - 1 && byte > 1) {
            return NULL; /* over 64 bits */
        }
        sum |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = sum;
            return byte != 0 ? at : NULL;
        }
    }
    return NULL;
}

size_t
counts_pack(const struct counts *counts, uint8_t *bytes)
{
    uint64_t mask = 0;
    uint8_t *at = bytes;

    /* Most counters of most slots are 0: whole runs of them are passed by one test. */
    for (size_t first = 0; first < COUNT_NUMBER; first += PACK_RUN) {
        const size_t end = first + PACK_RUN < COUNT_NUMBER ? first + PACK_RUN : COUNT_NUMBER;
        uint64_t any = 0;

        for (size_t i = first; i < end; i++) {
            any |= counts->n[i];
        }
        for (size_t i = first; any != 0 && i < end; i++) {
            mask |= (uint64_t)(counts->n[i] != 0) << i;
        }
    }
    *at++ = COUNTS_VERSION;
    at = put_varint(at, mask);
    for (; mask != 0; mask &= mask - 1) {
        at = put_varint(at, counts->n[__builtin_ctzll(mask)]);
    }
    if (counts->first_offset >= 0) {
        assert(counts->last_offset >= counts->first_offset);
        at = put_varint(at, (uint64_t)counts->first_offset);
        at = put_varint(at, (uint64_t)(counts->last_offset - counts->first_offset));
    }
    return (size_t)(at - bytes);
}

static bool
get_offsets(const uint8_t *at, const uint8_t *end, int64_t *first, int64_t *last)
{
    uint64_t smallest = 0;
    uint64_t difference = 0;

    *first = *last = -1;
    if (at == end) {
        return true;
    }
    at = get_varint(at, end, &smallest);
    if (at == NULL || smallest > INT64_MAX) {
        return false;
    }
    at = get_varint(at, end, &difference);
    if (at != end || difference > INT64_MAX - smallest) {
        return false;
    }
    *first = (int64_t)smallest;
    *last = (int64_t)(smallest + difference);
    return true;
}

/* Adds what the bytes hold; false, with some of it added, when counts_pack() never wrote them. */
static bool
add_packed(struct counts *counts, struct span bytes)
{
    const uint8_t *at = bytes.data;
    const uint8_t *end = bytes.data + bytes.size;
    uint64_t mask = 0;
    int64_t first = 0;
    int64_t last = 0;

    if (bytes.size < 2 || *at++ != COUNTS_VERSION) {
        return false;
    }
    at = get_varint(at, end, &mask);
    if (at == NULL || mask >> COUNT_NUMBER != 0) {
        return false;
    }
    for (; mask != 0; mask &= mask - 1) {
        uint64_t *n = &counts->n[__builtin_ctzll(mask)];
        uint64_t value = 0;

        at = get_varint(at, end, &value);
        if (at == NULL || value == 0) {
            return false;
        }
        *n = count_sum(*n, value);
    }
    if (!get_offsets(at, end, &first, &last)) {
        return false;
    }
    add_offsets(counts, first, last);
    return true;
}

enum status
counts_unpack(struct span bytes, struct counts *counts)
{
    struct counts unpacked;

    counts_init(&unpacked);
    if (!add_packed(&unpacked, bytes)) {
        return STATUS_REFUSED;
    }
    *counts = unpacked;
    return STATUS_OK;
}

void
counts_add_packed(struct counts *counts, struct span bytes)
{
    const bool readable = add_packed(counts, bytes);

    assert(readable);
    (void)readable;
}
