/* simulate.c - random histories of the service loop, each checked against its whole input.
 *
 * Usage: simulate [--seed N] [--seeds COUNT] [--trace]
 *
 * The checker asserts: each valid event is counted once, each invalid one rejected once, each
 * review that the fold produced is visible once and in order, and all of it ends when faults end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world.h"

#include "codec/review_codec.h"
#include "consumer/digest.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HISTORY_STEPS 120
#define SETTLE_TURNS 4000

/* A failure of the present seed; counted, so that one run can show several. */
static void
fail(struct world *world, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("  ", stdout);
    vprintf(format, args);
    fputc('\n', stdout);
    va_end(args);
    world->failed = true;
}

/* ---- input -------------------------------------------------------------------------------------
 */

static char *
make_event(struct world *world, bool *valid)
{
    static const char *const owners[] = {"ana", "bo", ""};
    static const char *const causes[] = {"timeout", "platform_response", "unknown"};
    char *text = NULL;

    *valid = !world_chance(world, 60);
    if (!*valid && world_chance(world, 300)) {
        return NULL;
    }
    if (!*valid) {
        return strdup("{\"event_time\": ");
    }
    if (asprintf(&text,
                "{\"event_time\":%" PRId64 ",\"operation_id\":\"o%" PRIu64
                "\",\"attempt_number\":%d,\"retry_layer\":\"sdk\",\"owner_tag\":\"%s\","
                "\"environment\":\"prod\",\"budget_bucket\":\"b\",\"workload_tag\":\"w%d\","
                "\"result_category\":\"failure\",\"retry_cause\":\"%s\",\"units\":%d}",
                world->wall_ms - (int64_t)world_random(world, 400000), world_random(world, 1000),
                1 + (int)world_random(world, 3), owners[world_random(world, 3)],
                (int)world_random(world, 3), causes[world_random(world, 3)],
                (int)world_random(world, 100)) < 0) {
        abort();
    }
    return text;
}

static void
append_some(struct world *world)
{
    const int count = (int)world_random(world, 12);

    for (int i = 0; i < count; i++) {
        bool valid = false;
        const int32_t partition = (int32_t)world_random(world, (uint64_t)world->partition_count);
        char *value = make_event(world, &valid);

        world_append(world, partition, value, valid);
    }
}

/* ---- what should have come of it
 * ----------------------------------------------------------------- */

/* The same log, folded at once by one partition that nothing ever happened to. */
static struct partition *
reference(struct world *world, int32_t p, struct partition_options *options,
        struct decisions *decisions)
{
    const struct decoder_options decoding = {
            .format = FORMAT_JSON, .record_bytes_max = (size_t)world->config->record_bytes};
    struct decoder *decoder = NULL;
    struct error error = {0};
    struct arena arena;
    struct partition *fold;

    *options = (struct partition_options){
            .topic = world->config->topics.outcomes,
            .partition = p,
            .rule = &world->config->rule,
            .limits = &world->config->limits,
            .group_by = world->config->group_by,
            .decisions = decisions,
            .config_version = world->config->version,
            .digest = digest_sha256,
    };
    fold = partition_new(options);
    arena_init(&arena);
    if (decoder_new(&decoding, &decoder, &error) != STATUS_OK) {
        abort();
    }
    for (size_t i = 0; i < world->logs[p].count; i++) {
        const struct world_record *record = &world->logs[p].records[i];
        struct outcome outcome;
        int64_t id = 0;

        partition_record(fold, (int64_t)i, record->timestamp_ms);
        if (record->value != NULL && decoder_decode(decoder, span_of(record->value), &arena,
                                             &outcome, &id, &error) == STATUS_OK) {
            partition_count(fold, &outcome);
        }
    }
    partition_tick(fold, world->wall_ms);
    decoder_destroy(decoder);
    arena_fini(&arena);
    return fold;
}

static const struct world_field *
state_find(const struct world_state *state, const char *map, uint64_t number)
{
    char field[24];

    snprintf(field, sizeof(field), "%" PRIu64, number);
    for (size_t i = 0; i < state->count; i++) {
        if (strcmp(state->fields[i].map, map) == 0 && strcmp(state->fields[i].field, field) == 0) {
            return &state->fields[i];
        }
    }
    return NULL;
}

/* The number under which the store knows a series or group; UINT64_MAX when it does not. */
static uint64_t
stored_number(const struct world_state *state, const char *map, const struct span *dimensions)
{
    struct buffer packed = {0};
    uint64_t number = UINT64_MAX;

    dimensions_encode(dimensions, &packed);
    for (size_t i = 0; i < state->count && number == UINT64_MAX; i++) {
        if (strcmp(state->fields[i].map, map) == 0 &&
                span_equal(buffer_span(&state->fields[i].value), buffer_span(&packed))) {
            number = strtoull(state->fields[i].field, NULL, 10);
        }
    }
    buffer_fini(&packed);
    return number;
}

/* What the reference has counted in slots, by the names that it gave numbers to. */
struct slots_check {
    char kind;            /* of the maps: m or h */
    const char *name_map; /* "series" or "groups" */
    const struct slot_change *slots;
    size_t count;
    const struct name_change *names;
    size_t name_count;
};

static void
check_slots(struct world *world, int32_t p, const struct slots_check *check)
{
    const struct world_state *state = &world->states[p];
    size_t stored = 0;

    for (size_t i = 0; i < check->count; i++) {
        const struct slot_change *slot = &check->slots[i];
        const struct world_field *field;
        size_t name = 0;
        char map[32];

        while (name < check->name_count && check->names[name].number != slot->number) {
            name++;
        }
        snprintf(map, sizeof(map), "%c:%" PRId64, check->kind, slot->slot);
        field = state_find(
                state, map, stored_number(state, check->name_map, check->names[name].dimensions));
        if (field == NULL || !span_equal(buffer_span(&field->value), slot->packed)) {
            fail(world, "partition %d: %s of %" PRIu64 " %s", p, map, slot->number,
                    field == NULL ? "is missing" : "differs");
        }
    }
    for (size_t i = 0; i < state->count; i++) {
        stored += state->fields[i].map[0] == check->kind && state->fields[i].map[1] == ':';
    }
    if (stored != check->count) {
        fail(world, "partition %d: %zu slots %c are stored, not %zu", p, stored, check->kind,
                check->count);
    }
}

static const struct world_output *
next_output(const struct world *world, enum out_topic topic, int32_t p, size_t *from)
{
    while (*from < world->output_count) {
        const struct world_output *output = &world->outputs[(*from)++];

        if (output->topic == topic && output->partition == p) {
            return output;
        }
    }
    return NULL;
}

static void
check_reviews(struct world *world, int32_t p, const struct partition_changes *changes)
{
    struct buffer want = {0};
    size_t from = 0;

    for (size_t i = 0; i < changes->publication_count; i++) {
        const struct world_output *output = next_output(world, OUT_REVIEWS, p, &from);

        buffer_clear(&want);
        review_encode(&changes->publications[i].packet, REVIEW_SCHEMA_ID_DEFAULT, &want);
        if (output == NULL) {
            fail(world, "partition %d: review %zu of %zu was not published", p, i + 1,
                    changes->publication_count);
            break;
        }
        if (!span_equal(buffer_span(&output->value), buffer_span(&want))) {
            fail(world, "partition %d: review %zu is another than it should be", p, i + 1);
            break;
        }
    }
    if (next_output(world, OUT_REVIEWS, p, &from) != NULL) {
        fail(world, "partition %d: more than %zu reviews were published", p,
                changes->publication_count);
    }
    buffer_fini(&want);
}

/* After Redis has lost writes, what was not published yet may be decided again and differently (a
 * calm minute that only Redis knew). What holds all the same: nothing comes twice, nothing is left
 * out of a review's sequence. */
static void
check_sequences(struct world *world, int32_t p)
{
    const struct world_output *output;
    size_t from = 0;

    while ((output = next_output(world, OUT_REVIEWS, p, &from)) != NULL) {
        const struct world_output *earlier;
        struct error error;
        json_t *review = NULL;
        json_int_t before = 0;
        size_t earlier_from = 0;

        if (review_decode(buffer_span(&output->value), &review, &error) != STATUS_OK) {
            fail(world, "partition %d: %s", p, error.text);
            return;
        }
        while ((earlier = next_output(world, OUT_REVIEWS, p, &earlier_from)) != output) {
            json_t *other = NULL;

            if (review_decode(buffer_span(&earlier->value), &other, &error) == STATUS_OK &&
                    strcmp(json_string_value(json_object_get(other, "review_id")),
                            json_string_value(json_object_get(review, "review_id"))) == 0) {
                before = json_integer_value(json_object_get(other, "sequence"));
            }
            json_decref(other);
        }
        if (json_integer_value(json_object_get(review, "sequence")) != before + 1) {
            fail(world, "partition %d: review %s has sequence %lld after %lld", p,
                    json_string_value(json_object_get(review, "review_id")),
                    (long long)json_integer_value(json_object_get(review, "sequence")),
                    (long long)before);
        }
        json_decref(review);
    }
}

static bool
rejects_offset(const struct world_output *output, size_t offset)
{
    struct reader headers = reader_of(buffer_span(&output->headers));
    struct span name, value;
    char text[24];

    snprintf(text, sizeof(text), "%zu", offset);
    while (headers_next(&headers, &name, &value)) {
        if (span_equal(name, span_of("offset"))) {
            return span_equal(value, span_of(text));
        }
    }
    return false;
}

static void
check_rejected(struct world *world, int32_t p)
{
    for (size_t i = 0; i < world->logs[p].count; i++) {
        const struct world_output *output;
        size_t from = 0;
        int times = 0;

        while ((output = next_output(world, OUT_REJECTED, p, &from)) != NULL) {
            times += rejects_offset(output, i);
        }
        if (times != (world->logs[p].records[i].valid ? 0 : 1)) {
            fail(world, "partition %d: offset %zu was rejected %d times", p, i, times);
        }
    }
}

static size_t
check_partition(struct world *world, int32_t p)
{
    struct decisions *decisions = decisions_new();
    struct partition_options options;
    struct partition *fold = reference(world, p, &options, decisions);
    const struct partition_changes *changes = partition_changes(fold);
    const size_t reviews = changes->publication_count;

    check_slots(world, p,
            &(struct slots_check){'m', "series", changes->minutes, changes->minute_count,
                    changes->series, changes->series_count});
    check_slots(world, p,
            &(struct slots_check){'h', "groups", changes->half_hours, changes->half_hour_count,
                    changes->groups, changes->group_count});
    if (world->lost_writes) {
        check_sequences(world, p);
    } else {
        check_reviews(world, p, changes);
    }
    check_rejected(world, p);
    partition_destroy(fold);
    decisions_destroy(decisions);
    return reviews;
}

/* ---- one history
 * --------------------------------------------------------------------------------- */

static struct world_faults
choose_faults(struct world *world)
{
    const int most = (int)world_random(world, 4) * 10;

    return (struct world_faults){
            .crash = (int)world_random(world, (uint64_t)most + 1),
            .lost_reply = (int)world_random(world, (uint64_t)most + 1),
            .failure = (int)world_random(world, (uint64_t)most + 1),
            .interleave = (int)world_random(world, (uint64_t)most * 2 + 1),
            .rebalance = (int)world_random(world, 100),
            .expel = (int)world_random(world, 50),
            .outage = (int)world_random(world, 40),
            .lose_writes = world_chance(world, 400) ? (int)world_random(world, 100) : 0,
    };
}

static void
live(struct world *world)
{
    for (int step = 0; step < HISTORY_STEPS && !world->failed; step++) {
        world->wall_ms += (int64_t)world_random(world, 20000);
        if (world_chance(world, 20)) {
            world->wall_ms += (int64_t)world_random(world, 4000000); /* a long silence */
        }
        append_some(world);
        if (world_chance(world, world->faults.rebalance)) {
            world_rebalance(world);
        }
        if (world_chance(world, world->faults.expel)) {
            world_expel(world, (int)world_random(world, (uint64_t)world->instance_count));
        }
        if (world_chance(world, world->faults.outage)) {
            world->store_down_until_ms = world->wall_ms + (int64_t)world_random(world, 60000);
        }
        if (world_chance(world, world->faults.outage)) {
            world->broker_down_until_ms = world->wall_ms + (int64_t)world_random(world, 60000);
        }
        if (world_chance(world, 200)) {
            world_persist(world);
        }
        if (world_chance(world, world->faults.lose_writes)) {
            world_lose_writes(world);
        }
        world_turn(world, (int)world_random(world, (uint64_t)world->instance_count));
    }
}

/* Faults are over: now it must come to an end by itself. The last silence resolves every review. */
static void
settle(struct world *world)
{
    world->faults = (struct world_faults){0};
    for (int turn = 0; turn < SETTLE_TURNS && !world->failed; turn++) {
        world->wall_ms += 500;
        world_turn(world, turn % world->instance_count);
        if (turn == SETTLE_TURNS / 2) {
            world->wall_ms += INT64_C(2) * 3600 * 1000;
        }
    }
    if (!world->failed && !world_is_settled(world)) {
        fail(world, "does not settle");
    }
}

static bool
simulate(uint64_t seed, struct config *config, bool trace, size_t *reviews)
{
    struct world world;

    world_init(&world, seed, config);
    world.trace = trace;
    world.partition_count = 1 + (int32_t)world_random(&world, 3);
    config->batch.max_events = 1 + (int64_t)world_random(&world, 40);
    config->batch.max_updates = 1 + (int64_t)world_random(&world, 30);
    const int instances = 1 + (int)world_random(&world, 3);

    for (int i = 0; i < instances; i++) {
        world_start(&world, i);
    }
    world.faults = choose_faults(&world);
    live(&world);
    settle(&world);
    for (int32_t p = 0; p < world.partition_count && !world.failed; p++) {
        *reviews += check_partition(&world, p);
    }

    const bool passed = !world.failed;

    world_fini(&world);
    return passed;
}

/* Small numbers, so that short histories have reviews. */
static struct config *
small_config(void)
{
    const struct config_sources sources = {0};
    struct config *config = NULL;
    struct error error = {0};

    if (config_load(&sources, &config, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    config->rule.attempts_min = 8;
    config->rule.retries_min = 3;
    log_init(LOG_ERROR, LOG_LOGFMT);
    return config;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
            {"seeds", required_argument, NULL, 'n'}, {"trace", no_argument, NULL, 't'},
            {NULL, 0, NULL, 0}};
    uint64_t seed = 1;
    uint64_t count = 200;
    uint64_t failed = 0;
    size_t reviews = 0;
    bool trace = false;
    struct config *config;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            seed = strtoull(optarg, NULL, 10);
            count = 1;
            break;
        case 'n':
            count = strtoull(optarg, NULL, 10);
            break;
        case 't':
            trace = true;
            break;
        default:
            return 2;
        }
    }
    config = small_config();
    for (uint64_t i = 0; i < count; i++) {
        if (!simulate(seed + i, config, trace, &reviews)) {
            printf("seed %" PRIu64 " failed: simulate --seed %" PRIu64 " --trace\n", seed + i,
                    seed + i);
            failed += 1;
        }
    }
    printf("%" PRIu64 " histories, %zu reviews\n%" PRIu64 " passed, %" PRIu64 " failed\n", count,
            reviews, count - failed, failed);
    config_destroy(config);
    return failed == 0 ? 0 : 1;
}
