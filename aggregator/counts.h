/* counts.h - the counters of one slot of time, and their packed form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_COUNTS_H
#define RETRYWATCH_AGGREGATOR_COUNTS_H

#include "aggregator/outcome.h"
#include "aggregator/span.h"
#include "aggregator/status.h"

/* Indexes into struct counts. The order is that of the packed form: only append. */
enum count {
    COUNT_ATTEMPTS,           /* every event */
    COUNT_RETRIES,            /* attempt_number 2 and up; first attempts are the rest */
    COUNT_FAILURES,           /* result_category failure only */
    COUNT_FIRST_UNITS,        /* units of first attempts */
    COUNT_RETRY_UNITS,        /* units of retries */
    COUNT_USAGE_UNAVAILABLE,  /* events whose units are not known */
    COUNT_LATE,               /* events older than S of the log time when they were counted */
    COUNT_TOO_LATE,           /* half-hours only: events in no slot, by the log time they came at */
    COUNT_BASE,               /* the counters up to here are those of views */
    COUNT_CAUSE = COUNT_BASE, /* retries by enum retry_cause ... */
    COUNT_CAUSE_NULL = COUNT_CAUSE + CAUSE_COUNT,              /* ... and with a null cause */
    COUNT_ERROR,                                               /* errors by enum error_category */
    COUNT_LAYER = COUNT_ERROR + ERROR_COUNT,                   /* retries by enum retry_layer */
    COUNT_DECISION = COUNT_LAYER + LAYER_COUNT,                /* attempts by enum retry_decision */
    COUNT_NO_WORKLOAD = COUNT_DECISION + RETRY_DECISION_COUNT, /* retries without workload, */
    COUNT_NO_ENVIRONMENT,                                      /* without environment, */
    COUNT_NO_CLASS,                                            /* without request class */
    COUNT_NUMBER
};

#define COUNTS_BASE_MASK ((UINT64_C(1) << COUNT_BASE) - 1) /* as in struct sparse_counts */

/* All counters are 64-bit and stop at UINT64_MAX. */
struct counts {
    uint64_t n[COUNT_NUMBER];
    int64_t first_offset; /* smallest offset counted; -1 when none */
    int64_t last_offset;  /* largest offset counted; -1 when none */
};

void counts_init(struct counts *counts);

/** a + b, at most UINT64_MAX. */
static inline uint64_t
count_sum(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Counters of which most are zero: those that are not, in the order of enum count. */
struct sparse_counts {
    uint64_t mask;                /* bit enum count: not zero */
    uint64_t value[COUNT_NUMBER]; /* one for each bit of mask */
    int64_t first_offset;         /* as in struct counts */
    int64_t last_offset;
};

/* What one event adds, computed once and then added to each slot and sum that it is in. */
struct event_counts {
    struct sparse_counts all;
    struct sparse_counts base; /* the base counters only, without offsets: for slots of groups */
};

/**
 * What an event adds.
 *
 * offset:  of its record.
 * late:    its minute is older than S of the log time.
 * missing: bits of enum dimension that the event does not name.
 */
void event_counts_init(struct event_counts *event, const struct outcome *outcome, int64_t offset,
        bool late, uint32_t missing);

/** Add what other has; offsets become the smallest and the largest of both. */
void counts_add_sparse(struct counts *counts, const struct sparse_counts *other);

/* Version byte, mask of the counters that are not zero (varint), those counters (varints); then,
 * when there are offsets, the first and the difference to the last (varints). */
#define COUNTS_PACKED_MAX (1 + 10 + 10 * COUNT_NUMBER + 20)

/**
 * Pack the sum of packed counters (null: none yet) and others.
 *
 * packed: written by this function, or accepted by sparse_unpack().
 * bytes:  bytes[COUNTS_PACKED_MAX], not those of packed.
 * Returns the size. Cost: some 5 ns for each counter that is not zero.
 */
size_t counts_merge(struct span packed, const struct sparse_counts *other, uint8_t *bytes);

/** Errors: STATUS_REFUSED for bytes that counts_merge() never wrote; counts undefined. */
enum status sparse_unpack(struct span bytes, struct sparse_counts *counts) MUST_CHECK;

/** Add packed counters, written by counts_merge() or accepted by sparse_unpack(). */
void counts_add_packed(struct counts *counts, struct span packed);

/** Add the attempts and retries of such counters. Cost: the least there is, for windows move often.
 */
void counts_add_packed_attempts(struct span packed, uint64_t *attempts, uint64_t *retries);

#endif
