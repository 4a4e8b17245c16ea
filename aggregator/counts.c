/* counts.c - the counters of one slot of time, and their packed form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/counts.h"

#include <assert.h>

#define COUNTS_VERSION 1
#define VARINT_MAX 10 /* bytes of a 64-bit varint */

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

/* ---- one event ------------------------------------------------------------------------------ */

/* Counters are added in the order of enum count. */
static inline void
event_add(struct sparse_counts *counts, size_t *size, size_t counter, uint64_t value)
{
    assert(counts->mask >> counter == 0);
    counts->mask |= UINT64_C(1) << counter;
    counts->value[(*size)++] = value;
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

static size_t
event_add_base(struct sparse_counts *counts, const struct outcome *outcome, bool late)
{
    const bool retry = outcome->attempt_number >= 2;
    uint64_t units = 0;
    size_t size = 0;
    const bool known = outcome_units(outcome, &units);

    event_add(counts, &size, COUNT_ATTEMPTS, 1);
    if (retry) {
        event_add(counts, &size, COUNT_RETRIES, 1);
    }
    if (outcome->result == RESULT_FAILURE) {
        event_add(counts, &size, COUNT_FAILURES, 1);
    }
    if (known && units != 0) {
        event_add(counts, &size, retry ? COUNT_RETRY_UNITS : COUNT_FIRST_UNITS, units);
    }
    if (!known) {
        event_add(counts, &size, COUNT_USAGE_UNAVAILABLE, 1);
    }
    if (late) {
        event_add(counts, &size, COUNT_LATE, 1);
    }
    return size;
}

static void
event_add_rest(
        struct sparse_counts *counts, size_t size, const struct outcome *outcome, uint32_t missing)
{
    const bool retry = outcome->attempt_number >= 2;

    if (retry) {
        event_add(counts, &size,
                outcome->retry_cause == SYMBOL_NULL ? COUNT_CAUSE_NULL
                                                    : COUNT_CAUSE + (size_t)outcome->retry_cause,
                1);
    }
    if (outcome->error_category != SYMBOL_NULL) {
        event_add(counts, &size, COUNT_ERROR + (size_t)outcome->error_category, 1);
    } else if (outcome->result == RESULT_FAILURE) {
        event_add(counts, &size, COUNT_ERROR + (size_t)ERROR_OTHER, 1);
    }
    if (retry) {
        event_add(counts, &size, COUNT_LAYER + (size_t)outcome->retry_layer, 1);
    }
    if (outcome->retry_decision != SYMBOL_NULL) {
        event_add(counts, &size, COUNT_DECISION + (size_t)outcome->retry_decision, 1);
    }
    if (retry && (missing & 1u << DIM_WORKLOAD) != 0) {
        event_add(counts, &size, COUNT_NO_WORKLOAD, 1);
    }
    if (retry && (missing & 1u << DIM_ENVIRONMENT) != 0) {
        event_add(counts, &size, COUNT_NO_ENVIRONMENT, 1);
    }
    if (retry && (missing & 1u << DIM_CLASS) != 0) {
        event_add(counts, &size, COUNT_NO_CLASS, 1);
    }
}

void
event_counts_init(struct event_counts *event, const struct outcome *outcome, int64_t offset,
        bool late, uint32_t missing)
{
    size_t size;

    /* Pairs with the checks of the decoders. */
    assert(outcome->retry_layer < LAYER_COUNT);
    assert(outcome->retry_cause < CAUSE_COUNT || outcome->retry_cause == SYMBOL_NULL);
    assert(outcome->error_category < ERROR_COUNT || outcome->error_category == SYMBOL_NULL);
    assert(outcome->retry_decision < RETRY_DECISION_COUNT ||
            outcome->retry_decision == SYMBOL_NULL);

    event->base.mask = 0;
    event->base.first_offset = event->base.last_offset = -1;
    size = event_add_base(&event->base, outcome, late);

    event->all.mask = event->base.mask;
    event->all.first_offset = event->all.last_offset = offset;
    for (size_t i = 0; i < size; i++) {
        event->all.value[i] = event->base.value[i];
    }
    event_add_rest(&event->all, size, outcome, missing);
}

void
counts_add_sparse(struct counts *counts, const struct sparse_counts *other)
{
    const uint64_t *value = other->value;

    for (uint64_t mask = other->mask; mask != 0; mask &= mask - 1) {
        uint64_t *n = &counts->n[__builtin_ctzll(mask)];

        *n = count_sum(*n, *value++);
    }
    add_offsets(counts, other->first_offset, other->last_offset);
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

enum status
sparse_unpack(struct span bytes, struct sparse_counts *counts)
{
    const uint8_t *at = bytes.data;
    const uint8_t *end = bytes.data + bytes.size;
    uint64_t *value = counts->value;

    if (bytes.size < 2 || *at++ != COUNTS_VERSION) {
        return STATUS_REFUSED;
    }
    at = get_varint(at, end, &counts->mask);
    if (at == NULL || counts->mask >> COUNT_NUMBER != 0) {
        return STATUS_REFUSED;
    }
    for (uint64_t mask = counts->mask; mask != 0; mask &= mask - 1) {
        at = get_varint(at, end, value);
        if (at == NULL || *value++ == 0) {
            return STATUS_REFUSED;
        }
    }
    return get_offsets(at, end, &counts->first_offset, &counts->last_offset) ? STATUS_OK
                                                                             : STATUS_REFUSED;
}

/* A varint that we wrote. */
static inline const uint8_t *
take_varint(const uint8_t *at, uint64_t *value)
{
    uint64_t sum = *at & 0x7f;

    for (unsigned shift = 7; *at++ >= 0x80; shift += 7) {
        sum |= (uint64_t)(*at & 0x7f) << shift;
    }
    *value = sum;
    return at;
}

/* Smallest and largest offset of what was packed, if any, and of other. */
static uint8_t *
merge_offsets(
        const uint8_t *in, const uint8_t *end, const struct sparse_counts *other, uint8_t *out)
{
    uint64_t first = (uint64_t)other->first_offset;
    uint64_t last = (uint64_t)other->last_offset;

    if (in != end) {
        uint64_t known = 0;
        uint64_t more = 0;

        in = take_varint(in, &known);
        take_varint(in, &more);
        more += known;
        if (other->first_offset < 0 || known < first) {
            first = known;
        }
        if (other->first_offset < 0 || more > last) {
            last = more;
        }
    } else if (other->first_offset < 0) {
        return out;
    }
    return put_varint(put_varint(out, first), last - first);
}

/* Reads, adds and writes in one go, counter by counter: nothing is unpacked in between. */
size_t
counts_merge(struct span packed, const struct sparse_counts *other, uint8_t *bytes)
{
    const uint8_t *in = packed.data;
    const uint64_t *value = other->value;
    uint8_t *out = bytes;
    uint64_t known = 0;

    if (in != NULL) {
        in = take_varint(in + 1, &known);
    }
    *out++ = COUNTS_VERSION;
    out = put_varint(out, known | other->mask);
    for (uint64_t mask = known | other->mask; mask != 0; mask &= mask - 1) {
        const uint64_t bit = mask & -mask;
        uint64_t sum = 0;

        if ((known & bit) != 0) {
            in = take_varint(in, &sum);
        }
        if ((other->mask & bit) != 0) {
            sum = count_sum(sum, *value++);
        }
        out = put_varint(out, sum);
    }
    out = merge_offsets(in, packed.data + packed.size, other, out);
    assert((size_t)(out - bytes) <= COUNTS_PACKED_MAX);
    return (size_t)(out - bytes);
}

void
counts_add_packed(struct counts *counts, struct span packed)
{
    struct sparse_counts sparse;
    const enum status status = sparse_unpack(packed, &sparse);

    assert(status == STATUS_OK);
    (void)status;
    counts_add_sparse(counts, &sparse);
}

void
counts_add_packed_attempts(struct span packed, uint64_t *attempts, uint64_t *retries)
{
    uint64_t mask = 0;
    uint64_t value = 0;
    const uint8_t *at = take_varint(packed.data + 1, &mask);

    _Static_assert(COUNT_ATTEMPTS == 0 && COUNT_RETRIES == 1, "they come first");
    if ((mask & 1u << COUNT_ATTEMPTS) != 0) {
        at = take_varint(at, &value);
        *attempts = count_sum(*attempts, value);
    }
    if ((mask & 1u << COUNT_RETRIES) != 0) {
        take_varint(at, &value);
        *retries = count_sum(*retries, value);
    }
}
