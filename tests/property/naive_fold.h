/* naive_fold.h - counting and reviews as the documentation tells them, by a list that remembers
 * every event and recounts by filter. Slow, and without any cleverness that could be wrong.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_NAIVE_FOLD_H
#define RETRYWATCH_TESTS_NAIVE_FOLD_H

#include "aggregator/partition.h"

#define NAIVE_EVENTS_MAX 512
#define NAIVE_GROUPS_MAX 512
#define NAIVE_PUBLISHED_MAX 256
#define NAIVE_VALUES_MAX 16 /* values of one dimension */
#define NAIVE_MIXED UINT8_MAX

/* Values of dimensions are numbers here: */
enum naive_value { VALUE_NONE, VALUE_MISSING, VALUE_OTHER, VALUE_FIRST };

struct naive_key {
    uint8_t values[DIM_COUNT]; /* VALUE_NONE: outside group_by */
};

struct naive_event {
    int64_t time_ms; /* t */
    int64_t offset;
    struct naive_key series; /* after the limits */
    struct naive_key group;
    bool in_l;         /* when it was counted */
    int64_t half_hour; /* the slot that it is in */
    uint64_t adds[COUNT_NUMBER];
};

struct naive_group {
    struct naive_key key;
    bool exists, open;
    uint32_t generation, sequence, calm, repeats;
    int64_t starts_ms, cleared_ms;
    uint64_t active_order;
    uint64_t review_number;    /* tells reviews apart, as their ids do */
    uint8_t metric;            /* the last one; 0: none */
    int64_t metric_changed_ms; /* T; TIME_NULL: never */
};

struct naive_published {
    struct naive_key group;
    enum review_status status;
    enum review_reason reason;
    uint32_t generation, sequence;
    int64_t time_ms, starts_ms, ends_ms, minute;
    struct counts l;
    int32_t share_bps, baseline_bps;
    uint64_t review_number;
    uint8_t metric; /* 0: none; NAIVE_MIXED */
    uint64_t retries_by_workload[NAIVE_VALUES_MAX];
};

struct naive {
    const struct rule *rule;
    const struct limits *limits;
    uint32_t group_by;
    int64_t stream_ms, log_ms, record_max_ms; /* TIME_NULL before the first record */
    int64_t offset, record_ms;
    int64_t quiet; /* evaluate nothing up to this offset; -1: none */
    struct naive_event events[NAIVE_EVENTS_MAX];
    size_t event_count;
    struct naive_group groups[NAIVE_GROUPS_MAX];
    size_t group_count;
    uint64_t next_active, next_review;
    struct naive_published published[NAIVE_PUBLISHED_MAX];
    size_t published_count;
    uint64_t over_limit;
};

void naive_init(struct naive *naive, const struct rule *rule, const struct limits *limits,
        uint32_t group_by);

void naive_record(struct naive *naive, int64_t offset, int64_t record_ms);
void naive_tick(struct naive *naive, int64_t now_ms);

/**
 * values:   values[DIM_COUNT] that the event names; VALUE_OTHER where a string is too long.
 * too_long: one of them is.
 * metric:   its unit metric; 0: none.
 */
void naive_count(struct naive *naive, const struct outcome *outcome, const uint8_t *values,
        bool too_long, uint8_t metric);

bool naive_key_equal(const struct naive_key *a, const struct naive_key *b);
bool naive_series_is_live(const struct naive *naive, const struct naive_key *series);
bool naive_group_is_live(const struct naive *naive, const struct naive_key *group);

/* Sums by filter, over the slots from ... to. A value VALUE_NONE of the key matches anything. */
struct counts naive_sum_minutes(
        const struct naive *naive, const struct naive_key *key, int64_t from, int64_t to);
struct counts naive_sum_half_hours(
        const struct naive *naive, const struct naive_key *key, int64_t from, int64_t to);

#endif
