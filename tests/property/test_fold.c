/* test_fold.c - property: the fold agrees with a list that remembers every event.
 *
 * Random streams (times out of order, silences, ticks, limits, missing and long values), cut into
 * batches anywhere, stored and restored anywhere: after each batch the published reviews, what is
 * stored and what dashboards show must be what the naive model says.
 *
 *     test_fold [seed [streams]]
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/property/map_store.h"
#include "tests/property/naive_fold.h"
#include "tests/support/fold.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STREAMS 10000
#define STEPS_MAX 90
#define OWNERS_MAX NAIVE_VALUES_MAX

static uint64_t seed = 20240607;
static uint64_t stream_count = STREAMS;

/* Some begin others, so that where one value ends matters. */
static const char *const texts[] = {NULL, "_MISSING", "_OTHER", "a", "ab", "b", "bb", "abb"};
static const char *const metrics[] = {NULL, "tokens", "images"};

#define LONG_TEXT "this-is-longer-than-the-limit"

struct shown {
    bool exists;
    struct owner_view view; /* spans and buckets are copied below, or not valid any more */
    uint64_t buckets[OWNERS_MAX][VIEW_WINDOWS][COUNT_BASE];
};

struct stream {
    uint64_t seed, random;
    struct rule rule;
    struct limits limits;
    struct partition_options options;
    struct partition *partition;
    struct naive *naive;
    struct map_store store;
    struct arena arena;
    struct shown shown[OWNERS_MAX];
    int64_t clock_ms, offset;
    unsigned retry_percent, value_count;
    size_t compared;                   /* publications of the model */
    bool restored;                     /* at least once */
    char ids[512][REVIEW_ID_SIZE + 1]; /* by the model's review number */
    uint64_t over_limit;
};

static uint64_t published_total, restored_total, event_total;

static uint64_t
random_below(struct stream *stream, uint64_t bound)
{
    uint64_t z = (stream->random += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % bound;
}

static bool
chance(struct stream *stream, unsigned percent)
{
    return random_below(stream, 100) < percent;
}

static uint8_t
value_of(struct span span)
{
    for (uint8_t value = VALUE_MISSING; value < sizeof(texts) / sizeof(texts[0]); value++) {
        if (span_equal(span, span_of(texts[value]))) {
            return value;
        }
    }
    return VALUE_NONE;
}

static struct naive_key
key_of_spans(const struct span *dimensions)
{
    struct naive_key key;

    for (size_t i = 0; i < DIM_COUNT; i++) {
        key.values[i] = dimensions[i].data != NULL ? value_of(dimensions[i]) : VALUE_NONE;
    }
    return key;
}

static struct naive_key
key_of_name(const struct map_name *name)
{
    struct naive_key key;

    for (size_t i = 0; i < DIM_COUNT; i++) {
        key.values[i] = name->texts[i][0] != '\0' ? value_of(span_of(name->texts[i])) : VALUE_NONE;
    }
    return key;
}

/* ---- making a stream ------------------------------------------------------------------------- */

/* Often whole minutes, so that limits are hit exactly. */
static int64_t
on_edge(struct stream *stream, int64_t duration_ms)
{
    return chance(stream, 30) ? duration_ms - duration_ms % MINUTE_MS : duration_ms;
}

static void
begin(struct stream *stream, uint64_t number, struct decisions *decisions)
{
    static const int64_t series_limits[] = {1, 2, 4, 1000};
    static const int64_t owner_limits[] = {1, 2, 1000, 1000};

    stream->seed = seed + number;
    stream->random = stream->seed * UINT64_C(0x9e3779b97f4a7c15);
    stream->rule = default_rule();
    stream->rule.attempts_min = 4;
    stream->rule.retries_min = 2;
    stream->rule.baseline_attempts_min = 3;
    stream->rule.calm_closes = 3;
    stream->rule.repeat_ms = 25 * MINUTE_MS;
    stream->rule.repeats = 2;
    stream->limits = fold_limits;
    stream->limits.string_bytes = 8;
    stream->limits.series_per_owner = series_limits[random_below(stream, 4)];
    stream->limits.owners_per_partition = owner_limits[random_below(stream, 4)];
    stream->options = fold_options(&stream->rule, &stream->limits, decisions);
    if (chance(stream, 50)) {
        stream->options.group_by = 1u << DIM_OWNER | (uint32_t)random_below(stream, 32);
    }
    stream->value_count = 1 + (unsigned)random_below(stream, 4);
    stream->retry_percent = 30;
    /* Now and then so early that windows begin before the epoch. */
    stream->clock_ms = chance(stream, 10)
                               ? (int64_t)random_below(stream, 100 * MINUTE_MS)
                               : (int64_t)(1700000000000 + random_below(stream, HALF_HOUR_MS));
    stream->clock_ms = on_edge(stream, stream->clock_ms);
    stream->offset = (int64_t)random_below(stream, 1000);
    stream->partition = partition_new(&stream->options);

    naive_init(stream->naive, &stream->rule, &stream->limits, stream->options.group_by);
    map_store_clear(&stream->store);
    memset(stream->shown, 0, sizeof(stream->shown));
    memset(stream->ids, 0, sizeof(stream->ids));
    stream->compared = 0;
    stream->restored = false;
    stream->over_limit = 0;
}

/* How far the next record's timestamp is from the last one's. */
static int64_t
random_step(struct stream *stream)
{
    const uint64_t kind = random_below(stream, 100);
    const int64_t scale = kind < 60   ? 20 * 1000
                          : kind < 85 ? 3 * MINUTE_MS
                          : kind < 95 ? 40 * MINUTE_MS
                          : kind < 99 ? 6 * 60 * MINUTE_MS
                                      : 40 * 60 * MINUTE_MS;

    return on_edge(stream, (int64_t)random_below(stream, (uint64_t)scale));
}

static int64_t
random_lag(struct stream *stream)
{
    const uint64_t kind = random_below(stream, 100);
    const int64_t scale = kind < 65   ? 5 * 1000
                          : kind < 80 ? 7 * MINUTE_MS
                          : kind < 93 ? 75 * MINUTE_MS
                                      : 30 * 60 * MINUTE_MS;
    const int64_t lag = on_edge(stream, (int64_t)random_below(stream, (uint64_t)scale));

    return chance(stream, 5) ? -lag % (5 * MINUTE_MS) : lag;
}

static void
random_values(struct stream *stream, struct outcome *outcome, uint8_t *values, bool *too_long)
{
    *too_long = false;
    for (size_t i = 0; i < DIM_COUNT; i++) {
        const uint64_t kind = random_below(stream, 40);

        if (kind == 0) {
            values[i] = VALUE_MISSING;
            outcome->dimensions[i] = chance(stream, 50) ? SPAN_NULL : span_of("");
        } else if (kind == 1) {
            values[i] = VALUE_OTHER;
            outcome->dimensions[i] = span_of(LONG_TEXT);
            *too_long = true;
        } else {
            values[i] =
                    kind == 2 ? (uint8_t)(VALUE_MISSING + random_below(stream, 2))
                              : (uint8_t)(VALUE_FIRST + random_below(stream, stream->value_count));
            outcome->dimensions[i] = span_of(texts[values[i]]);
        }
    }
}

static uint8_t
random_symbol(struct stream *stream, unsigned count)
{
    const unsigned symbol = (unsigned)random_below(stream, count + 1);

    return symbol < count ? (uint8_t)symbol : SYMBOL_NULL;
}

static void
random_usage(struct stream *stream, struct outcome *outcome)
{
    static const int64_t units[] = {-1, 0, 1, 127, 128, 1000000, INT64_MAX};

    outcome->has_units = chance(stream, 50);
    outcome->has_input_tokens = chance(stream, 70);
    outcome->has_output_tokens = chance(stream, 70);
    outcome->units = units[random_below(stream, chance(stream, 5) ? 7 : 6)];
    outcome->input_tokens = units[random_below(stream, 6)];
    outcome->output_tokens = units[random_below(stream, 6)];
    outcome->usage_source = (uint8_t)random_below(stream, USAGE_COUNT);
}

static void
random_event(struct stream *stream, int64_t record_ms)
{
    struct outcome outcome;
    uint8_t values[DIM_COUNT];
    bool too_long = false;
    const uint8_t metric = chance(stream, 90) ? 1 : (uint8_t)random_below(stream, 3);

    outcome_init(&outcome);
    outcome.event_time_ms = record_ms - random_lag(stream);
    if (outcome.event_time_ms < 0) {
        outcome.event_time_ms = 0;
    }
    random_values(stream, &outcome, values, &too_long);
    outcome.attempt_number = chance(stream, stream->retry_percent) ? 2 : 1;
    outcome.result = (uint8_t)random_below(stream, RESULT_COUNT);
    outcome.retry_layer = (uint8_t)random_below(stream, LAYER_COUNT);
    outcome.retry_cause = random_symbol(stream, CAUSE_COUNT);
    outcome.error_category = random_symbol(stream, ERROR_COUNT);
    outcome.retry_decision = random_symbol(stream, RETRY_DECISION_COUNT);
    random_usage(stream, &outcome);
    if (metric != 0) {
        outcome.unit_metric = span_of(metrics[metric]);
    }
    partition_count(stream->partition, &outcome);
    naive_count(stream->naive, &outcome, values, too_long, metric);
    event_total++;
}

static void
step(struct stream *stream)
{
    int64_t record_ms = 0;

    if (chance(stream, 8)) {
        const int64_t now_ms = stream->clock_ms + random_step(stream);

        partition_tick(stream->partition, now_ms);
        naive_tick(stream->naive, now_ms);
        return;
    }
    if (chance(stream, 5)) {
        stream->retry_percent = chance(stream, 50) ? 3 : 60;
    }
    stream->clock_ms += random_step(stream);
    stream->offset += 1 + (chance(stream, 10) ? (int64_t)random_below(stream, 1000) : 0);
    record_ms = stream->clock_ms;
    if (chance(stream, 5)) {
        record_ms -= random_step(stream); /* the log's timestamps may go back */
        record_ms = record_ms > 0 ? record_ms : 0;
    }
    partition_record(stream->partition, stream->offset, record_ms);
    naive_record(stream->naive, stream->offset, record_ms);
    if (!chance(stream, 5)) { /* else the record is rejected */
        random_event(stream, record_ms);
    }
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void
compare_counts(const struct counts *counts, const struct counts *wanted, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(counts->n[i], wanted->n[i]);
    }
    assert_int_equal(counts->first_offset, wanted->first_offset);
    assert_int_equal(counts->last_offset, wanted->last_offset);
}

/* The first of the top list are those with the most retries, ties by bytes. */
static void
compare_top(const struct packet *packet, const struct naive_published *wanted)
{
    uint64_t retries[NAIVE_VALUES_MAX];

    memcpy(retries, wanted->retries_by_workload, sizeof(retries));
    for (size_t i = 0; i < PACKET_TOP; i++) {
        uint8_t best = 0;

        for (uint8_t v = VALUE_MISSING; v < sizeof(texts) / sizeof(texts[0]); v++) {
            if (retries[v] > retries[best] || (retries[v] != 0 && retries[v] == retries[best] &&
                                                      strcmp(texts[v], texts[best]) < 0)) {
                best = v;
            }
        }
        if (best == 0) {
            assert_int_equal(packet->top_workload_count, i);
            return;
        }
        assert_true(i < packet->top_workload_count);
        assert_int_equal(value_of(packet->top_workloads[i].value), best);
        assert_int_equal(packet->top_workloads[i].retries, retries[best]);
        retries[best] = 0;
    }
}

static void
compare_published(struct stream *stream, const struct publication *publication,
        const struct naive_published *wanted)
{
    const struct packet *packet = &publication->packet;
    const struct naive_key group = key_of_spans(publication->dimensions);
    char *id = stream->ids[wanted->review_number];

    assert_memory_equal(&group, &wanted->group, sizeof(group));
    assert_int_equal(packet->status, wanted->status);
    assert_int_equal(packet->reason, wanted->reason);
    assert_int_equal(packet->generation, wanted->generation);
    assert_int_equal(packet->sequence, wanted->sequence);
    assert_int_equal(packet->window_end_ms, wanted->time_ms);
    assert_int_equal(packet->window_start_ms, (wanted->minute - 59) * MINUTE_MS);
    assert_int_equal(packet->starts_at_ms, wanted->starts_ms);
    assert_int_equal(packet->ends_at_ms, wanted->ends_ms);
    assert_int_equal(packet->retry_share_bps, wanted->share_bps);
    assert_int_equal(packet->baseline_share_bps, wanted->baseline_bps);
    compare_counts(&packet->l, &wanted->l, COUNT_NUMBER);
    compare_top(packet, wanted);
    if (wanted->metric == 0) {
        assert_null(packet->unit_metric.data);
    } else {
        assert_true(span_equal(packet->unit_metric,
                span_of(wanted->metric == NAIVE_MIXED ? UNIT_METRIC_MIXED
                                                      : metrics[wanted->metric])));
    }
    assert_int_equal(publication->review.sequence, wanted->sequence);
    assert_int_equal(publication->review.state,
            wanted->status == REVIEW_STATUS_RESOLVED ? REVIEW_CLEAR : REVIEW_OPEN);
    if (id[0] == '\0') {
        memcpy(id, packet->review_id, sizeof(packet->review_id));
    }
    assert_string_equal(packet->review_id, id);
    assert_true(
            wanted->review_number == 1 || strcmp(id, stream->ids[wanted->review_number - 1]) != 0);
}

/* Each stored minute is the recount of its series and minute, and each recount is stored. */
static void
compare_minutes(struct stream *stream)
{
    const struct naive *naive = stream->naive;
    const struct map_store *store = &stream->store;
    uint64_t stored = 0;
    uint64_t wanted = 0;

    for (size_t i = 0; i < store->minute_count; i++) {
        const struct map_slot *slot = &store->minutes[i];
        const struct map_name *name =
                map_store_find(store->series, store->series_count, slot->number);
        struct counts counts;

        assert_non_null(name);
        assert_int_equal(
                counts_unpack((struct span){slot->packed, slot->size}, &counts), STATUS_OK);

        const struct naive_key key = key_of_name(name);
        const struct counts sum = naive_sum_minutes(naive, &key, slot->slot, slot->slot);

        compare_counts(&counts, &sum, COUNT_NUMBER);
        stored += counts.n[COUNT_ATTEMPTS];
    }
    for (size_t i = 0; i < naive->event_count; i++) {
        wanted += naive->events[i].in_l &&
                  minute_of(naive->events[i].time_ms) > minute_of(naive->log_ms) - 60;
    }
    assert_int_equal(stored, wanted);
    for (size_t i = 0; i < store->series_count; i++) {
        const struct naive_key key = key_of_name(&store->series[i]);

        assert_true(naive_series_is_live(naive, &key));
    }
}

/* Of the two newest half-hours nothing but too_late has to be stored: their minutes are. */
static void
compare_half_hours(struct stream *stream)
{
    const struct naive *naive = stream->naive;
    const struct map_store *store = &stream->store;
    const int64_t newest = half_hour_of(naive->log_ms);
    uint64_t stored = 0;
    uint64_t wanted = 0;

    for (size_t i = 0; i < store->half_hour_count; i++) {
        const struct map_slot *slot = &store->half_hours[i];
        const struct map_name *name =
                map_store_find(store->groups, store->group_count, slot->number);
        struct counts counts;

        assert_non_null(name);
        assert_int_equal(
                counts_unpack((struct span){slot->packed, slot->size}, &counts), STATUS_OK);

        const struct naive_key key = key_of_name(name);
        const struct counts sum = naive_sum_half_hours(naive, &key, slot->slot, slot->slot);

        assert_true(counts.n[COUNT_TOO_LATE] == sum.n[COUNT_TOO_LATE]);
        stored += counts.n[COUNT_TOO_LATE];
        if (slot->slot < newest - 1) {
            compare_counts(&counts, &sum, COUNT_NUMBER);
            stored += counts.n[COUNT_ATTEMPTS];
        }
    }
    for (size_t i = 0; i < naive->event_count; i++) {
        const struct naive_event *event = &naive->events[i];

        wanted += event->half_hour > newest - LIVE_HALF_HOURS &&
                  (event->half_hour < newest - 1 || event->adds[COUNT_TOO_LATE] != 0);
    }
    assert_int_equal(stored, wanted);
    wanted = 0;
    for (size_t i = 0; i < naive->group_count; i++) {
        wanted += naive->groups[i].exists;
    }
    assert_int_equal(store->group_count, wanted);
}

/* ---- views ----------------------------------------------------------------------------------- */

static void
remember_view(struct stream *stream, const struct owner_view *view, bool forgotten)
{
    struct shown *shown = &stream->shown[value_of(view->owner)];

    memset(shown, 0, sizeof(*shown));
    if (forgotten) {
        return;
    }
    shown->exists = true;
    shown->view = *view;
    for (size_t i = 0; i < view->bucket_count; i++) {
        memcpy(shown->buckets[value_of(view->buckets[i].bucket)], view->buckets[i].totals,
                sizeof(shown->buckets[0]));
    }
}

static void
compare_totals(struct stream *stream, const struct naive_key *key,
        const uint64_t totals[VIEW_WINDOWS][COUNT_BASE])
{
    const struct naive *naive = stream->naive;
    const int64_t minute = minute_of(naive->stream_ms);
    const int64_t half_hour = half_hour_of(naive->stream_ms);
    const struct counts s = naive_sum_minutes(naive, key, minute - 4, minute);
    const struct counts l = naive_sum_minutes(naive, key, minute - 59, minute);
    const struct counts d = naive_sum_half_hours(naive, key, half_hour - 47, half_hour);

    assert_memory_equal(totals[VIEW_5M], s.n, sizeof(totals[0]));
    assert_memory_equal(totals[VIEW_60M], l.n, sizeof(totals[0]));
    assert_memory_equal(totals[VIEW_24H], d.n, sizeof(totals[0]));
}

/* At least the newest event that is still live (after a restart the start of its slot), at most the
 * newest of all. */
static void
compare_last_event(const struct stream *stream, uint8_t owner)
{
    const struct naive *naive = stream->naive;
    const int64_t oldest = half_hour_of(naive->log_ms) - (LIVE_HALF_HOURS - 1);
    int64_t at_least_ms = TIME_NULL;
    int64_t at_most_ms = TIME_NULL;

    for (size_t i = 0; i < naive->event_count; i++) {
        const struct naive_event *event = &naive->events[i];

        if (event->group.values[DIM_OWNER] == owner && event->adds[COUNT_ATTEMPTS] != 0) {
            at_most_ms = event->time_ms > at_most_ms ? event->time_ms : at_most_ms;
            if (event->half_hour >= oldest && event->time_ms > at_least_ms) {
                at_least_ms = event->time_ms;
            }
        }
    }
    if (stream->restored && at_least_ms != TIME_NULL) {
        at_least_ms -= at_least_ms % HALF_HOUR_MS;
    }
    assert_true(stream->shown[owner].view.last_event_ms >= at_least_ms);
    assert_true(stream->shown[owner].view.last_event_ms <= at_most_ms);
}

static void
compare_view(struct stream *stream, uint8_t owner)
{
    const struct naive *naive = stream->naive;
    const struct shown *shown = &stream->shown[owner];
    struct naive_key key = {.values = {[DIM_OWNER] = owner}};
    uint32_t open = 0;
    bool exists = false;

    for (size_t i = 0; i < naive->group_count; i++) {
        if (naive->groups[i].exists && naive->groups[i].key.values[DIM_OWNER] == owner) {
            exists = true;
            open += naive->groups[i].open;
        }
    }
    assert_int_equal(shown->exists, exists);
    if (!exists) {
        return;
    }
    assert_int_equal(shown->view.open_reviews, open);
    compare_totals(stream, &key, shown->view.totals);
    for (uint8_t bucket = VALUE_MISSING; bucket < OWNERS_MAX; bucket++) {
        key.values[DIM_BUCKET] = bucket;
        if ((stream->options.group_by >> DIM_BUCKET & 1) != 0) {
            compare_totals(stream, &key, shown->buckets[bucket]);
        }
    }
    key.values[DIM_BUCKET] = VALUE_NONE;
    for (int64_t i = 0; i < WINDOW_L_MINUTES; i += 1 + (int64_t)random_below(stream, 9)) {
        /* As of when it was shown, which may be another minute when it shows nothing. */
        const int64_t minute = shown->view.first_minute + i;
        const struct counts sum = naive_sum_minutes(naive, &key, minute, minute);

        if (shown->view.first_minute == minute_of(naive->stream_ms) - 59) {
            assert_int_equal(shown->view.minute_attempts[i], sum.n[COUNT_ATTEMPTS]);
            assert_int_equal(shown->view.minute_retries[i], sum.n[COUNT_RETRIES]);
        }
    }
    compare_last_event(stream, owner);
}

static void
compare_views(struct stream *stream)
{
    struct owner_view view;
    bool forgotten = false;

    while (partition_next_view(stream->partition, &stream->arena, &view, &forgotten)) {
        remember_view(stream, &view, forgotten);
    }
    for (uint8_t owner = VALUE_MISSING; owner < sizeof(texts) / sizeof(texts[0]); owner++) {
        compare_view(stream, owner);
    }
    arena_reset(&stream->arena);
}

/* ---- batches --------------------------------------------------------------------------------- */

static void
end_batch(struct stream *stream)
{
    const struct partition_changes *changes = partition_changes(stream->partition);
    const struct partition_times times = partition_times(stream->partition);
    const struct naive *naive = stream->naive;

    if (chance(stream, 20)) {
        changes = partition_changes(stream->partition); /* asking twice changes nothing */
    }
    assert_true(changes->minute_count + changes->half_hour_count + changes->series_count +
                        changes->group_count <=
                partition_update_count(stream->partition));
    assert_int_equal(times.stream_ms, naive->stream_ms);
    assert_int_equal(times.log_ms, naive->log_ms);
    assert_int_equal(times.record_max_ms, naive->record_max_ms);
    assert_int_equal(changes->publication_count, naive->published_count - stream->compared);
    for (size_t i = 0; i < changes->publication_count; i++) {
        compare_published(stream, &changes->publications[i], &naive->published[stream->compared++]);
        published_total++;
    }
    map_store_apply(&stream->store, changes, times);
    partition_settle(stream->partition);
    assert_int_equal(partition_update_count(stream->partition), 0);
    if (naive->log_ms != TIME_NULL) {
        compare_minutes(stream);
        compare_half_hours(stream);
        compare_views(stream);
    }
}

static void
restore(struct stream *stream)
{
    const int64_t quiet = partition_quiet(stream->partition);

    stream->over_limit += partition_metrics(stream->partition)->over_limit;
    partition_destroy(stream->partition);
    stream->partition = map_store_restore(&stream->store, &stream->options);
    partition_set_quiet(stream->partition, quiet);
    stream->restored = true;
    restored_total++;
}

/* As after an adoption: what comes next is counted, but all that it gave is published. */
static void
be_quiet(struct stream *stream)
{
    stream->naive->quiet = stream->offset + 1 + (int64_t)random_below(stream, 20);
    partition_set_quiet(stream->partition, stream->naive->quiet);
}

static void
run_stream(struct stream *stream, uint64_t number, struct decisions *decisions)
{
    begin(stream, number, decisions);

    const uint64_t steps = 1 + random_below(stream, STEPS_MAX);
    const unsigned cut = (unsigned)random_below(stream, 40);

    for (uint64_t i = 0; i < steps; i++) {
        step(stream);
        if (chance(stream, cut)) {
            end_batch(stream);
            if (chance(stream, 20)) {
                restore(stream);
            }
            if (chance(stream, 4)) {
                be_quiet(stream);
            }
        }
    }
    end_batch(stream);
    stream->over_limit += partition_metrics(stream->partition)->over_limit;
    assert_int_equal(stream->over_limit, stream->naive->over_limit);
    partition_destroy(stream->partition);
    stream->partition = NULL;
}

static struct stream stream;

static void
test_agrees_with_naive_model(void **state)
{
    struct decisions *decisions = decisions_new();

    (void)state;
    stream.naive = memory_new(1, sizeof(*stream.naive));
    arena_init(&stream.arena);
    for (uint64_t i = 0; i < stream_count; i++) {
        run_stream(&stream, i, decisions);
    }
    print_message("%" PRIu64 " streams, %" PRIu64 " events, %" PRIu64 " reviews published, %" PRIu64
                  " times restored\n",
            stream_count, event_total, published_total, restored_total);
    assert_true(stream_count < 1000 || published_total > stream_count / 10);
    map_store_fini(&stream.store);
    arena_fini(&stream.arena);
    free(stream.naive);
    decisions_destroy(decisions);
}

static int
say_seed(void **state)
{
    (void)state;
    print_message("last stream: test_fold %" PRIu64 " 1\n", stream.seed);
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_teardown(test_agrees_with_naive_model, say_seed),
    };

    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : seed;
    stream_count = argc > 2 ? strtoull(argv[2], NULL, 10) : stream_count;
    print_message("seed %" PRIu64 "\n", seed);
    return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
