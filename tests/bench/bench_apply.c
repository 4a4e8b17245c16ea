/* bench_apply.c - what counting one event costs, and what a series costs in memory.
 *
 *     bench_apply [events [owners [series]]]
 *
 * Owners follow Zipf's law with exponent 1.1. Batches end as in the service: at 200,000 events or
 * 5,000 slots to write; taking the changes and settling is part of the time, and so is looking
 * ahead to the next 16 events. The series are those of the memory measured; 0 leaves that out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fold.h"

#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH_EVENTS 200000
#define BATCH_UPDATES 5000
#define AHEAD 16
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

static double
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
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

/* The events of one block, as they come from the decoder. */
struct block {
    struct outcome outcomes[AHEAD];
    char owners[AHEAD][12];
};

static int64_t
time_at(size_t i, size_t count, int64_t span_ms)
{
    return START_MS + (int64_t)((double)i / (double)count * (double)span_ms);
}

static void
make_block(struct block *block, const uint32_t *drawn, size_t first, size_t count, int64_t span_ms)
{
    for (size_t i = 0; i < AHEAD && first + i < count; i++) {
        char *owner = block->owners[i];

        memcpy(owner, "team-00000", sizeof("team-00000"));
        for (uint32_t number = drawn[(first + i) % DRAWN], at = 9; number > 0; number /= 10) {
            owner[at--] = (char)('0' + number % 10);
        }
        make_event(&block->outcomes[i], (struct span){(const uint8_t *)owner, 10},
                time_at(first + i, count, span_ms));
    }
}

/* Events of the drawn owners, spread over the span of stream time; without a partition, what the
 * bench itself costs. */
static struct run
apply(struct partition *partition, const uint32_t *drawn, size_t count, int64_t span_ms)
{
    const struct outcome *events[AHEAD];
    struct prepared prepared[AHEAD];
    struct block block;
    struct run run = {0};
    size_t in_batch = 0;
    const double begin = now_s();

    for (size_t i = 0; i < AHEAD; i++) {
        init_event(&block.outcomes[i]);
        events[i] = &block.outcomes[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (i % AHEAD == 0) {
            make_block(&block, drawn, i, count, span_ms);
        }
        if (partition == NULL) {
            run.updates += block.owners[i % AHEAD][9]; /* keeps the work alive */
            continue;
        }
        if (i % AHEAD == 0) {
            partition_prepare(partition, events, count - i < AHEAD ? count - i : AHEAD, prepared);
        }
        partition_record(partition, (int64_t)i, time_at(i, count, span_ms));
        partition_count_prepared(partition, events[i % AHEAD], &prepared[i % AHEAD]);
        in_batch++;
        if (in_batch >= BATCH_EVENTS || partition_update_count(partition) >= BATCH_UPDATES ||
                i + 1 == count) {
            const struct partition_changes *changes = partition_changes(partition);

            run.updates += changes->minute_count + changes->half_hour_count;
            run.batches++;
            partition_settle(partition);
            in_batch = 0;
        }
    }
    run.seconds = now_s() - begin;
    return run;
}

static void
bench_time(size_t count, size_t owners, int64_t span_ms, const struct decisions *decisions)
{
    uint32_t *drawn = zipf_owners(DRAWN, owners);
    struct partition *partition = new_partition(decisions);
    const struct run empty = apply(NULL, drawn, count, span_ms);
    const struct run run = apply(partition, drawn, count, span_ms);

    printf("apply: %zu owners, %zu events in %" PRId64 " s of stream time: %.0f ns an event, "
           "%.1f events a slot written, %" PRIu64 " batches\n",
            owners, count, span_ms / 1000, (run.seconds - empty.seconds) * 1e9 / (double)count,
            (double)count / (double)run.updates, run.batches);
    partition_destroy(partition);
    free(drawn);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Each series of 10 in a group is seen in 8 minutes of the hour; groups have 24 h of half-hours. */
static void
bench_memory(size_t series, const struct decisions *decisions)
{
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

    printf("memory: %zu series in %zu groups: %.0f bytes a series, all in\n", series, groups,
            (double)used / (double)series);
    partition_destroy(partition);
}

int
main(int argc, char **argv)
{
    const size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    const size_t owners = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000;
    const size_t series = argc > 3 ? strtoull(argv[3], NULL, 10) : 100000;
    struct decisions *decisions = decisions_new();

    bench_time(count, owners, 60 * 1000, decisions);
    bench_time(count, owners, 20 * 60 * 1000, decisions);
    if (series != 0) {
        bench_memory(series, decisions);
    }
    decisions_destroy(decisions);
    return 0;
}
