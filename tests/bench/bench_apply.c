/* bench_apply.c - what counting one event costs, as owners grow, and what a series costs in memory.
 *
 *     bench_apply [events [owners [series]]]
 *
 * CPU time of one core, the median of the rounds. Owners follow Zipf's law with exponent 1.1, and
 * each has been seen once before the clock starts. Batches end as in the service: at 200,000 events
 * or 5,000 slots to write; taking the changes and settling is part of the time, and so is looking
 * ahead to the next 32 events. Without owners, several numbers of them are compared. The series are
 * those of the memory measured; 0 leaves that out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/rows.h"
#include "tests/support/fold.h"

#include <inttypes.h>
#include <malloc.h>
#include <math.h>

#define BATCH_EVENTS 200000
#define BATCH_UPDATES 5000
#define AHEAD 32
#define ROUNDS 5
#define DRAWN 1000000 /* owners drawn; then they come again */
#define START_MS INT64_C(1700000000000)

static uint64_t random_state = 1;

static uint64_t
next_random(void)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static struct partition *
new_partition(const struct decisions *decisions)
{
    const struct rule rule = default_rule();
    const struct partition_options options = fold_options(&rule, &fold_limits, decisions);

    return partition_new(&options);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Which owner each of count events has. */
static uint32_t *
zipf_owners(size_t count, size_t owners)
{
    double *share = calloc(owners, sizeof(*share));
    uint32_t *drawn = calloc(count, sizeof(*drawn));
    double total = 0;

    for (size_t i = 0; i < owners; i++) {
        total += pow((double)(i + 1), -1.1);
        share[i] = total;
    }
    for (size_t i = 0; i < count; i++) {
        const double at = (double)(next_random() >> 11) * 0x1p-53 * total;
        size_t low = 0;
        size_t high = owners - 1;

        while (low < high) {
            const size_t middle = (low + high) / 2;

            if (share[middle] < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        drawn[i] = (uint32_t)low;
    }
    free(share);
    return drawn;
}

/* An event as a decoder hands it over: one struct, used again for the next one. */
static void
make_event(struct outcome *outcome, struct span owner, int64_t at_ms)
{
    const uint64_t random = next_random();
    const bool retry = random % 20 == 0;

    outcome->event_time_ms = at_ms;
    outcome->dimensions[DIM_OWNER] = owner;
    outcome->attempt_number = retry ? 2 : 1;
    outcome->result = random % 25 == 0 ? RESULT_FAILURE : RESULT_SUCCESS;
    outcome->retry_cause = retry ? CAUSE_TIMEOUT : SYMBOL_NULL;
    outcome->input_tokens = (int64_t)(random >> 8 & 0xfff);
    outcome->output_tokens = (int64_t)(random >> 20 & 0x3ff);
}

static void
init_event(struct outcome *outcome)
{
    outcome_init(outcome);
    outcome->dimensions[DIM_WORKLOAD] = span_of("checkout-assistant");
    outcome->dimensions[DIM_ENVIRONMENT] = span_of("production");
    outcome->dimensions[DIM_CLASS] = span_of("chat");
    outcome->dimensions[DIM_BUCKET] = span_of("bucket-main");
    outcome->unit_metric = span_of("tokens");
    outcome->retry_layer = LAYER_SDK;
    outcome->has_input_tokens = outcome->has_output_tokens = true;
}

struct run {
    double seconds;
    uint64_t updates, batches;
};

/* Events of one stretch of stream time: the owners drawn, or each in turn if drawn is NULL. */
struct stretch {
    const uint32_t *drawn;
    size_t first, count; /* first: offset of the first event */
    int64_t start_ms, span_ms;
};

/* The events of one block, as they come from the decoder. */
struct block {
    struct outcome outcomes[AHEAD];
    char owners[AHEAD][12];
};

static int64_t
time_at(const struct stretch *stretch, size_t i)
{
    return stretch->start_ms +
           (int64_t)((double)i / (double)stretch->count * (double)stretch->span_ms);
}

static void
make_block(struct block *block, const struct stretch *stretch, size_t first)
{
    for (size_t i = 0; i < AHEAD && first + i < stretch->count; i++) {
        char *owner = block->owners[i];
        uint32_t number = stretch->drawn != NULL ? stretch->drawn[(first + i) % DRAWN]
                                                 : (uint32_t)(first + i);

        memcpy(owner, "team-00000", sizeof("team-00000"));
        for (uint32_t at = 9; number > 0; number /= 10) {
            owner[at--] = (char)('0' + number % 10);
        }
        make_event(&block->outcomes[i], (struct span){(const uint8_t *)owner, 10},
                time_at(stretch, first + i));
    }
}

static void
end_batch(struct partition *partition, struct run *run)
{
    const struct partition_changes *changes = partition_changes(partition);

    run->updates += changes->minute_count + changes->half_hour_count;
    run->batches++;
    partition_settle(partition);
}

/* Count the events of a stretch; without a partition, what the bench itself costs. */
static struct run
apply(struct partition *partition, const struct stretch *stretch)
{
    const size_t count = stretch->count;
    const struct outcome *events[AHEAD];
    struct prepared prepared[AHEAD];
    struct block block;
    struct run run = {0};
    size_t in_batch = 0;
    const double begin = rows_seconds(CLOCK_PROCESS_CPUTIME_ID);

    for (size_t i = 0; i < AHEAD; i++) {
        init_event(&block.outcomes[i]);
        events[i] = &block.outcomes[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (i % AHEAD == 0) {
            make_block(&block, stretch, i);
        }
        if (partition == NULL) {
            run.updates += block.owners[i % AHEAD][9]; /* keeps the work alive */
            continue;
        }
        if (i % AHEAD == 0) {
            partition_prepare(partition, events, count - i < AHEAD ? count - i : AHEAD, prepared);
        }
        partition_record(
                partition, (int64_t)(stretch->first + i), events[i % AHEAD]->event_time_ms);
        partition_count_prepared(partition, events[i % AHEAD], &prepared[i % AHEAD]);
        in_batch++;
        if (in_batch >= BATCH_EVENTS || partition_update_count(partition) >= BATCH_UPDATES ||
                i + 1 == count) {
            end_batch(partition, &run);
            in_batch = 0;
        }
    }
    run.seconds = rows_seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
    return run;
}

/* Nanoseconds an event. at_most: the number to reach, or 0. */
static double
bench_time(size_t count, size_t owners, int64_t span_ms, const struct decisions *decisions,
        double at_most)
{
    rows_reset_peak();

    uint32_t *drawn = zipf_owners(DRAWN, owners);
    struct partition *partition = new_partition(decisions);
    struct stretch stretch = {.count = owners, .start_ms = START_MS, .span_ms = MINUTE_MS};
    struct run run = apply(partition, &stretch);
    double rounds[ROUNDS];
    char what[96];

    stretch.drawn = drawn;
    for (size_t i = 0; i < ROUNDS; i++) {
        stretch.first += stretch.count;
        stretch.start_ms += stretch.span_ms;
        stretch.span_ms = span_ms;
        stretch.count = count;

        const struct run empty = apply(NULL, &stretch);

        run = apply(partition, &stretch);
        rounds[i] = (run.seconds - empty.seconds) * 1e9 / (double)count;
    }

    const double median = rows_median(rounds, ROUNDS);

    snprintf(what, sizeof(what), "%zu owners, %zu events in %" PRId64 " s", owners, count,
            span_ms / 1000);
    printf("apply: %s of stream time: %.0f ns an event (%.0f to %.0f), %.1f events a slot written, "
           "%" PRIu64 " batches\n",
            what, median, rounds[0], rounds[ROUNDS - 1], (double)count / (double)run.updates,
            run.batches);
    fflush(stdout);
    rows_add(&(struct row){.bench = "apply",
            .what = what,
            .unit = "ns/event",
            .value = median,
            .at_most = at_most});
    partition_destroy(partition);
    free(drawn);
    return median;
}

/* What a batch costs must depend on what it touched, not on how many owners there are. */
static void
bench_growth(size_t count, const struct decisions *decisions)
{
    const double thousand = bench_time(count, 1000, MINUTE_MS, decisions, 0);
    const double ten_thousand = bench_time(count, 10000, MINUTE_MS, decisions, 120);
    const double million = bench_time(count, 1000000, MINUTE_MS, decisions, 0);

    printf("growth: 1,000,000 owners cost %.2f times as much an event as 10,000 (1,000: %.2f)\n",
            million / ten_thousand, thousand / ten_thousand);
    rows_add(&(struct row){.bench = "apply",
            .what = "1,000,000 owners against 10,000",
            .unit = "times",
            .value = million / ten_thousand,
            .at_most = 2});
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Each series of 10 in a group is seen in 8 minutes of the hour; groups have 24 h of half-hours. */
static void
bench_memory(size_t series, const struct decisions *decisions)
{
    rows_reset_peak();

    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct partition *partition = new_partition(decisions);
    const size_t groups = series / 10;
    struct outcome outcome;
    char owner[32];
    char workload[32];
    int64_t offset = 0;

    outcome_init(&outcome);
    outcome.dimensions[DIM_ENVIRONMENT] = span_of("production");
    outcome.dimensions[DIM_CLASS] = span_of("chat");
    outcome.dimensions[DIM_BUCKET] = span_of("bucket-main");
    outcome.has_units = true;
    outcome.units = 1234;
    outcome.retry_cause = CAUSE_TIMEOUT;
    for (int64_t minute = -24 * 60; minute < 60; minute++) {
        const bool in_hour = minute >= 0;

        if (!in_hour && minute % 30 != 0) {
            continue;
        }
        for (size_t i = 0; i < (in_hour ? series : groups); i++) {
            const size_t number = in_hour ? i : i * 10;
            const int64_t at_ms = START_MS + minute * MINUTE_MS;

            if (in_hour && (number * 7 + (size_t)minute) % 60 % 7 != 0) {
                continue; /* 8 or 9 minutes of the 60 */
            }
            snprintf(owner, sizeof(owner), "team-%05zu", number / 10);
            snprintf(workload, sizeof(workload), "workload-%zu", number % 10);
            outcome.dimensions[DIM_OWNER] = span_of(owner);
            outcome.dimensions[DIM_WORKLOAD] = span_of(workload);
            outcome.attempt_number = offset % 20 == 0 ? 2 : 1;
            outcome.event_time_ms = at_ms;
            partition_record(partition, offset++, at_ms);
            partition_count(partition, &outcome);
            if (partition_update_count(partition) >= BATCH_UPDATES) {
                (void)partition_changes(partition);
                partition_settle(partition);
            }
        }
    }
    partition_settle(partition);

    const size_t used = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    const double each = (double)used / (double)series;

    printf("memory: %zu series in %zu groups: %.0f bytes a series, all in\n", series, groups, each);
    rows_add(&(struct row){.bench = "apply",
            .what = "a series seen in 8 minutes of the hour",
            .unit = "bytes",
            .value = each,
            .at_most = 1024});
    partition_destroy(partition);
}

int
main(int argc, char **argv)
{
    const size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    const size_t owners = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    const size_t series = argc > 3 ? strtoull(argv[3], NULL, 10) : 100000;
    struct decisions *decisions = decisions_new();

    if (owners == 0) {
        bench_growth(count, decisions);
        bench_time(count, 10000, 20 * MINUTE_MS, decisions, 0);
    } else {
        bench_time(count, owners, MINUTE_MS, decisions, 0);
        bench_time(count, owners, 20 * MINUTE_MS, decisions, 0);
    }
    if (series != 0) {
        bench_memory(series, decisions);
    }
    decisions_destroy(decisions);
    return 0;
}
