/* naive_fold.c - counting and reviews by a list that remembers every event.
 *
 * Written from the documentation, not from the fold. No decisions: those have tests of their own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/property/naive_fold.h"

#include <assert.h>

static const int64_t minute_ms = 60000;
static const int64_t half_hour_ms = 1800000;

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t
larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void
naive_init(struct naive *naive, const struct rule *rule, const struct limits *limits,
        uint32_t group_by)
{
    memset(naive, 0, sizeof(*naive));
    naive->rule = rule;
    naive->limits = limits;
    naive->group_by = group_by;
    naive->stream_ms = naive->log_ms = naive->record_max_ms = TIME_NULL;
    naive->offset = -1;
    naive->quiet = -1;
}

/* ---- by filter ------------------------------------------------------------------------------- */

bool
naive_key_equal(const struct naive_key *a, const struct naive_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static bool
matches(const struct naive_key *series, const struct naive_key *key)
{
    for (size_t i = 0; i < DIM_COUNT; i++) {
        if (key->values[i] != VALUE_NONE && key->values[i] != series->values[i]) {
            return false;
        }
    }
    return true;
}

static void
add_event(struct counts *sum, const struct naive_event *event, size_t counters)
{
    for (size_t i = 0; i < counters; i++) {
        const uint64_t room = UINT64_MAX - sum->n[i];

        sum->n[i] = event->adds[i] > room ? UINT64_MAX : sum->n[i] + event->adds[i];
    }
}

struct counts
naive_sum_minutes(const struct naive *naive, const struct naive_key *key, int64_t from, int64_t to)
{
    struct counts sum = {.first_offset = -1, .last_offset = -1};

    for (size_t i = 0; i < naive->event_count; i++) {
        const struct naive_event *event = &naive->events[i];
        const int64_t minute = event->time_ms / minute_ms;

        if (minute < from || minute > to || !event->in_l || !matches(&event->series, key)) {
            continue;
        }
        add_event(&sum, event, COUNT_NUMBER);
        if (sum.first_offset < 0) {
            sum.first_offset = event->offset; /* the list is in offset order */
        }
        sum.last_offset = event->offset;
    }
    return sum;
}

struct counts
naive_sum_half_hours(
        const struct naive *naive, const struct naive_key *key, int64_t from, int64_t to)
{
    struct counts sum = {.first_offset = -1, .last_offset = -1};

    for (size_t i = 0; i < naive->event_count; i++) {
        const struct naive_event *event = &naive->events[i];

        if (event->half_hour >= from && event->half_hour <= to && matches(&event->group, key)) {
            add_event(&sum, event, COUNT_BASE);
        }
    }
    return sum;
}

static struct naive_key
group_key(const struct naive *naive, const struct naive_key *series)
{
    struct naive_key group = *series;

    for (size_t i = 0; i < DIM_COUNT; i++) {
        if ((naive->group_by >> i & 1) == 0) {
            group.values[i] = VALUE_NONE;
        }
    }
    return group;
}

bool
naive_series_is_live(const struct naive *naive, const struct naive_key *series)
{
    const int64_t minute = naive->log_ms / minute_ms;

    for (size_t i = 0; i < naive->event_count; i++) {
        const struct naive_event *event = &naive->events[i];

        if (event->in_l && event->time_ms / minute_ms > minute - 60 &&
                naive_key_equal(&event->series, series)) {
            return true;
        }
    }
    return false;
}

bool
naive_group_is_live(const struct naive *naive, const struct naive_key *group)
{
    const int64_t half_hour = naive->log_ms / half_hour_ms;

    for (size_t i = 0; i < naive->event_count; i++) {
        if (naive->events[i].half_hour > half_hour - 51 &&
                naive_key_equal(&naive->events[i].group, group)) {
            return true;
        }
    }
    return false;
}

static bool
owner_is_live(const struct naive *naive, uint8_t owner)
{
    for (size_t i = 0; i < naive->group_count; i++) {
        if (naive->groups[i].key.values[DIM_OWNER] == owner &&
                naive_group_is_live(naive, &naive->groups[i].key)) {
            return true;
        }
    }
    return false;
}

static int64_t
live_owners(const struct naive *naive)
{
    int64_t live = 0;

    for (uint8_t owner = VALUE_MISSING; owner < NAIVE_VALUES_MAX; owner++) {
        live += owner_is_live(naive, owner);
    }
    return live;
}

static int64_t
live_series(const struct naive *naive, uint8_t owner)
{
    int64_t live = 0;

    for (size_t i = 0; i < naive->event_count; i++) {
        const struct naive_key *series = &naive->events[i].series;
        bool first = series->values[DIM_OWNER] == owner && naive->events[i].in_l;

        for (size_t j = 0; j < i && first; j++) {
            first = !naive->events[j].in_l || !naive_key_equal(series, &naive->events[j].series);
        }
        live += first && naive_series_is_live(naive, series);
    }
    return live;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void
forget(struct naive_group *group)
{
    *group = (struct naive_group){.key = group->key,
            .starts_ms = TIME_NULL,
            .cleared_ms = TIME_NULL,
            .metric_changed_ms = TIME_NULL};
}

static struct naive_group *
group_of(struct naive *naive, const struct naive_key *key)
{
    struct naive_group *group = NULL;

    for (size_t i = 0; i < naive->group_count && group == NULL; i++) {
        if (naive_key_equal(&naive->groups[i].key, key)) {
            group = &naive->groups[i];
        }
    }
    if (group == NULL) {
        assert(naive->group_count < NAIVE_GROUPS_MAX);
        group = &naive->groups[naive->group_count++];
        *group = (struct naive_group){.key = *key};
    }
    if (!group->exists) {
        forget(group);
        group->exists = true;
    }
    return group;
}

static void
forget_groups(struct naive *naive)
{
    for (size_t i = 0; i < naive->group_count; i++) {
        struct naive_group *group = &naive->groups[i];

        if (group->exists && !group->open && !naive_group_is_live(naive, &group->key)) {
            forget(group);
        }
    }
}

/* ---- the rule, and the states clear and open ------------------------------------------------- */

struct naive_windows {
    struct counts l, s, b;
};

static struct naive_windows
windows_at(const struct naive *naive, const struct naive_key *group, int64_t minute)
{
    const int64_t last = floor_div(minute - 59, 30) - 1; /* ends at or before the start of L */

    return (struct naive_windows){
            .l = naive_sum_minutes(naive, group, minute - 59, minute),
            .s = naive_sum_minutes(naive, group, minute - 4, minute),
            .b = naive_sum_half_hours(naive, group, last - 47, last),
    };
}

static bool
at_least(const struct counts *counts, int64_t bps)
{
    const uint64_t attempts = counts->n[COUNT_ATTEMPTS];

    return attempts > 0 && counts->n[COUNT_RETRIES] * 10000 >= attempts * (uint64_t)bps;
}

static bool
is_rise(const struct rule *rule, const struct naive_windows *windows)
{
    const uint64_t *l = windows->l.n;
    const uint64_t *b = windows->b.n;
    const bool no_baseline = b[COUNT_ATTEMPTS] < (uint64_t)rule->baseline_attempts_min;
    const bool above = no_baseline || l[COUNT_RETRIES] * b[COUNT_ATTEMPTS] * 10000 >=
                                              b[COUNT_RETRIES] * l[COUNT_ATTEMPTS] *
                                                      (uint64_t)rule->baseline_factor_bps;

    return l[COUNT_ATTEMPTS] >= (uint64_t)rule->attempts_min &&
           l[COUNT_RETRIES] >= (uint64_t)rule->retries_min &&
           at_least(&windows->s, rule->share_min_bps) &&
           at_least(&windows->l, rule->share_min_bps) &&
           (above || at_least(&windows->l, rule->share_max_bps));
}

static void
publish_sums(struct naive *naive, const struct naive_group *group,
        const struct naive_windows *windows, struct naive_published *published)
{
    const uint64_t *l = windows->l.n;
    const uint64_t *b = windows->b.n;

    published->l = windows->l;
    if (l[COUNT_ATTEMPTS] > 0) {
        published->share_bps = (int32_t)(l[COUNT_RETRIES] * 10000 / l[COUNT_ATTEMPTS]);
    }
    if (b[COUNT_ATTEMPTS] >= (uint64_t)naive->rule->baseline_attempts_min) {
        published->baseline_bps = (int32_t)(b[COUNT_RETRIES] * 10000 / b[COUNT_ATTEMPTS]);
    }
    for (uint8_t workload = VALUE_MISSING; workload < NAIVE_VALUES_MAX; workload++) {
        struct naive_key key = group->key;

        if (key.values[DIM_WORKLOAD] == VALUE_NONE || key.values[DIM_WORKLOAD] == workload) {
            key.values[DIM_WORKLOAD] = workload;
            published->retries_by_workload[workload] =
                    naive_sum_minutes(naive, &key, published->minute - 59, published->minute)
                            .n[COUNT_RETRIES];
        }
    }
}

static void
publish(struct naive *naive, struct naive_group *group, const struct naive_windows *windows,
        enum review_status status, enum review_reason reason, int64_t time_ms, int64_t minute)
{
    assert(naive->published_count < NAIVE_PUBLISHED_MAX);

    struct naive_published *published = &naive->published[naive->published_count++];

    group->sequence++;
    *published = (struct naive_published){
            .group = group->key,
            .status = status,
            .reason = reason,
            .generation = group->generation,
            .sequence = group->sequence,
            .time_ms = time_ms,
            .minute = minute,
            .starts_ms = group->starts_ms,
            .ends_ms = status == REVIEW_STATUS_RESOLVED ? time_ms : TIME_NULL,
            .review_number = group->review_number,
            .metric = group->metric,
    };
    if (group->metric_changed_ms != TIME_NULL &&
            minute - group->metric_changed_ms / minute_ms < 60) {
        published->metric = NAIVE_MIXED;
    }
    publish_sums(naive, group, windows, published);
}

static void
evaluate_clear(struct naive *naive, struct naive_group *group)
{
    const int64_t minute = naive->stream_ms / minute_ms;
    const struct naive_windows windows = windows_at(naive, &group->key, minute);

    if (!is_rise(naive->rule, &windows)) {
        return;
    }

    const bool goes_on = group->cleared_ms != TIME_NULL &&
                         naive->stream_ms - group->cleared_ms <= naive->rule->continue_ms;

    if (!goes_on) {
        group->generation = group->sequence = 0;
        group->review_number = ++naive->next_review;
    }
    group->open = true;
    group->active_order = naive->next_active++;
    group->generation++;
    group->calm = group->repeats = 0;
    group->starts_ms = naive->stream_ms;
    publish(naive, group, &windows, goes_on ? REVIEW_STATUS_REOPENED : REVIEW_STATUS_OPEN,
            goes_on ? REASON_RISE_AGAIN : REASON_RISE, naive->stream_ms, minute);
}

static void
evaluate_close(struct naive *naive, struct naive_group *group, int64_t minute)
{
    const struct naive_windows windows = windows_at(naive, &group->key, minute);
    const int64_t time_ms = (minute + 1) * minute_ms;

    if (windows.s.n[COUNT_ATTEMPTS] > 0) {
        group->calm = at_least(&windows.s, naive->rule->calm_share_bps) ? 0 : group->calm + 1;
    }

    const bool calm = group->calm >= naive->rule->calm_closes;

    if (calm || windows.l.n[COUNT_ATTEMPTS] == 0) {
        group->open = false;
        group->cleared_ms = time_ms;
        publish(naive, group, &windows, REVIEW_STATUS_RESOLVED,
                calm ? REASON_CALM : REASON_NO_TRAFFIC, time_ms, minute);
        return;
    }

    const int64_t due = (time_ms - group->starts_ms) / naive->rule->repeat_ms;

    if (due > group->repeats) {
        group->repeats = (uint32_t)due;
        publish(naive, group, &windows,
                due <= naive->rule->repeats ? REVIEW_STATUS_REPEATED : REVIEW_STATUS_ESCALATED,
                REASON_UNANSWERED, time_ms, minute);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static bool
is_quiet(const struct naive *naive)
{
    return naive->quiet >= 0 && naive->offset <= naive->quiet;
}

/* The open group with the least order from `order` on, or NULL. */
static struct naive_group *
next_active(struct naive *naive, uint64_t order)
{
    struct naive_group *next = NULL;

    for (size_t i = 0; i < naive->group_count; i++) {
        struct naive_group *group = &naive->groups[i];

        if (group->open && group->active_order >= order &&
                (next == NULL || group->active_order < next->active_order)) {
            next = group;
        }
    }
    return next;
}

static void
close_minutes(struct naive *naive, int64_t to_ms)
{
    for (int64_t minute = naive->stream_ms / minute_ms; minute < to_ms / minute_ms; minute++) {
        struct naive_group *group = NULL;
        uint64_t order = 0;

        if (is_quiet(naive) || next_active(naive, 0) == NULL) {
            return;
        }
        while ((group = next_active(naive, order)) != NULL) {
            order = group->active_order + 1;
            evaluate_close(naive, group, minute);
            if (!group->open && !naive_group_is_live(naive, &group->key)) {
                forget(group);
            }
        }
    }
}

static void
move(struct naive *naive, int64_t to_ms, bool by_record)
{
    if (to_ms > naive->stream_ms) {
        if (naive->stream_ms != TIME_NULL) {
            close_minutes(naive, to_ms);
        }
        naive->stream_ms = to_ms;
    }
    if (by_record && to_ms > naive->log_ms) {
        naive->log_ms = to_ms;
        forget_groups(naive);
    }
}

static void
follow(struct naive *naive, int64_t now_ms, bool by_record)
{
    if (naive->record_max_ms != TIME_NULL &&
            now_ms - naive->record_max_ms > naive->limits->idle_ms) {
        move(naive, now_ms - naive->limits->idle_ms, by_record);
    }
}

void
naive_record(struct naive *naive, int64_t offset, int64_t record_ms)
{
    naive->offset = offset;
    naive->record_ms = record_ms;
    follow(naive, record_ms, true);
    naive->record_max_ms = larger(naive->record_max_ms, record_ms);
}

void
naive_tick(struct naive *naive, int64_t now_ms)
{
    follow(naive, now_ms, false);
}

/* ---- counting -------------------------------------------------------------------------------- */

static struct naive_key
place(struct naive *naive, const uint8_t *values, bool over)
{
    struct naive_key key;
    bool live = false;

    memcpy(key.values, values, sizeof(key.values));
    live = naive_series_is_live(naive, &key);
    if (!live && !owner_is_live(naive, key.values[DIM_OWNER]) &&
            live_owners(naive) >= naive->limits->owners_per_partition) {
        memset(key.values, VALUE_OTHER, sizeof(key.values));
        over = true;
        live = naive_series_is_live(naive, &key);
    }
    if (!live && live_series(naive, key.values[DIM_OWNER]) >= naive->limits->series_per_owner) {
        for (size_t i = 0; i < DIM_COUNT; i++) {
            if ((naive->group_by >> i & 1) == 0) {
                key.values[i] = VALUE_OTHER;
            }
        }

        const struct naive_key group = group_key(naive, &key);

        if (!naive_group_is_live(naive, &group)) {
            memset(key.values + 1, VALUE_OTHER, DIM_COUNT - 1); /* all but the owner */
        }
        over = true;
    }
    naive->over_limit += over;
    return key;
}

static void
add_units(const struct outcome *outcome, uint64_t *adds)
{
    int64_t units = 0;
    bool known = outcome->usage_source != USAGE_UNAVAILABLE;

    if (outcome->has_units) {
        units = outcome->units;
        known = known && outcome->units >= 0;
    } else {
        if (outcome->has_input_tokens) {
            units += outcome->input_tokens;
            known = known && outcome->input_tokens >= 0;
        }
        if (outcome->has_output_tokens) {
            units += outcome->output_tokens;
            known = known && outcome->output_tokens >= 0;
        }
        known = known && (outcome->has_input_tokens || outcome->has_output_tokens);
    }
    if (!known) {
        adds[COUNT_USAGE_UNAVAILABLE] = 1;
    } else if (outcome->attempt_number == 1) {
        adds[COUNT_FIRST_UNITS] = (uint64_t)units;
    } else {
        adds[COUNT_RETRY_UNITS] = (uint64_t)units;
    }
}

static void
add_kinds(const struct outcome *outcome, const uint8_t *values, uint64_t *adds)
{
    if (outcome->attempt_number > 1) {
        adds[COUNT_RETRIES] = 1;
        adds[outcome->retry_cause == SYMBOL_NULL ? COUNT_CAUSE_NULL
                                                 : COUNT_CAUSE + (int)outcome->retry_cause] = 1;
        adds[COUNT_LAYER + (int)outcome->retry_layer] = 1;
        adds[COUNT_NO_WORKLOAD] = values[DIM_WORKLOAD] == VALUE_MISSING;
        adds[COUNT_NO_ENVIRONMENT] = values[DIM_ENVIRONMENT] == VALUE_MISSING;
        adds[COUNT_NO_CLASS] = values[DIM_CLASS] == VALUE_MISSING;
    }
    if (outcome->error_category != SYMBOL_NULL) {
        adds[COUNT_ERROR + (int)outcome->error_category] = 1;
    } else if (outcome->result == RESULT_FAILURE) {
        adds[COUNT_ERROR + (int)ERROR_OTHER] = 1;
    }
    if (outcome->retry_decision != SYMBOL_NULL) {
        adds[COUNT_DECISION + (int)outcome->retry_decision] = 1;
    }
}

static void
remember_metric(const struct naive *naive, struct naive_group *group, uint8_t metric)
{
    if (metric != 0 && metric != group->metric) {
        if (group->metric != 0) {
            group->metric_changed_ms = naive->stream_ms;
        }
        group->metric = metric;
    }
}

void
naive_count(struct naive *naive, const struct outcome *outcome, const uint8_t *values,
        bool too_long, uint8_t metric)
{
    const int64_t time_ms =
            outcome->event_time_ms < naive->record_ms ? outcome->event_time_ms : naive->record_ms;

    move(naive, time_ms, true);
    assert(naive->event_count < NAIVE_EVENTS_MAX);

    struct naive_event *event = &naive->events[naive->event_count];

    *event = (struct naive_event){.time_ms = time_ms, .offset = naive->offset};
    event->series = place(naive, values, too_long);
    event->group = group_key(naive, &event->series);
    naive->event_count++;

    struct naive_group *group = group_of(naive, &event->group);

    if (naive->log_ms - time_ms > naive->limits->too_late_ms) {
        event->half_hour = naive->log_ms / half_hour_ms;
        event->adds[COUNT_TOO_LATE] = 1;
        return;
    }
    event->half_hour = time_ms / half_hour_ms;
    event->in_l = time_ms / minute_ms > naive->log_ms / minute_ms - 60;
    event->adds[COUNT_ATTEMPTS] = 1;
    event->adds[COUNT_FAILURES] = outcome->result == RESULT_FAILURE;
    event->adds[COUNT_LATE] = time_ms / minute_ms <= naive->log_ms / minute_ms - 5;
    add_units(outcome, event->adds);
    add_kinds(outcome, values, event->adds);
    remember_metric(naive, group, metric);
    if (event->in_l && !is_quiet(naive) && !group->open) {
        evaluate_clear(naive, group);
    }
}
