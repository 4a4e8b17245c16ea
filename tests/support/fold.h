/* fold.h - small helpers for tests that feed a partition.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_FOLD_H
#define RETRYWATCH_TESTS_FOLD_H

#include "aggregator/partition.h"
#include "tests/support/default_rule.h"

static const struct limits fold_limits = {
        .series_per_owner = 1000,
        .owners_per_partition = 1000000,
        .string_bytes = 256,
        .future_ms = 5 * MINUTE_MS,
        .idle_ms = 2 * MINUTE_MS,
        .too_late_ms = 1440 * MINUTE_MS,
};

/* Not a good hash, but one that tells inputs apart. */
static inline void
fold_digest(const void *data, size_t size, uint8_t digest[32])
{
    const uint8_t *bytes = data;
    uint64_t hash = UINT64_C(1469598103934665603);

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    for (size_t i = 0; i < 32; i++) {
        digest[i] = (uint8_t)(hash >> (i % 8 * 8));
    }
}

static inline struct partition_options
fold_options(
        const struct rule *rule, const struct limits *limits, const struct decisions *decisions)
{
    return (struct partition_options){
            .topic = "request-outcomes",
            .partition = 3,
            .rule = rule,
            .limits = limits,
            .group_by = 1u << DIM_OWNER | 1u << DIM_ENVIRONMENT | 1u << DIM_BUCKET,
            .decisions = decisions,
            .config_version = "test",
            .digest = fold_digest,
    };
}

/** Packed counters, as counts. Errors: STATUS_REFUSED; counts untouched. */
static inline enum status
counts_unpack(struct span packed, struct counts *counts)
{
    struct sparse_counts sparse;
    const enum status status = sparse_unpack(packed, &sparse);

    if (status == STATUS_OK) {
        counts_init(counts);
        counts_add_sparse(counts, &sparse);
    }
    return status;
}

#endif
