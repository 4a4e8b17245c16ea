/* world.c - a simulated Kafka, Redis and clock, in which instances of the service live and die.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world_internal.h"

#include "consumer/digest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- chance ------------------------------------------------------------------------------------
 */

uint64_t
world_random(struct world *world, uint64_t bound)
{
    /* splitmix64 (Steele, Lea, Flood 2014): any seed gives a good stream. */
    uint64_t z = world->random += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % bound;
}

bool
world_chance(struct world *world, int per_thousand)
{
    return (int64_t)world_random(world, 1000) < per_thousand;
}

void
sim_trace(const struct instance *instance, const char *what, int32_t partition, const char *outcome)
{
    if (instance->world->trace) {
        printf("%" PRId64 " instance %d %s partition %" PRId32 " %s\n", instance->world->wall_ms,
                instance->index, what, partition, outcome);
    }
}

/* Before any call: time passes, others may move, and the call meets its fate. */
enum fate
sim_fate(struct instance *instance, int64_t down_until_ms)
{
    struct world *world = instance->world;
    const struct world_faults *faults = &world->faults;

    if (instance->dead) {
        return FATE_CRASHED;
    }
    if (world->depth < 2 && world->instance_count > 1 && world_chance(world, faults->interleave)) {
        const int turns = 1 + (int)world_random(world, 6);

        world->depth += 1;
        for (int i = 0; i < turns; i++) {
            const int other = (int)world_random(world, (uint64_t)world->instance_count);

            world->wall_ms += (int64_t)world_random(world, 2000);
            if (world_chance(world, faults->expel * 20)) {
                world_expel(world, instance->index);
            }
            if (world->instances[other] != instance) {
                world_turn(world, other);
            }
        }
        world->depth -= 1;
    }
    if (world->wall_ms < down_until_ms || world_chance(world, faults->failure)) {
        return FATE_FAILED;
    }
    if (world_chance(world, faults->lost_reply)) {
        return world_chance(world, 500) ? FATE_LOST_REPLY : FATE_NOT_DONE;
    }
    if (world_chance(world, faults->crash)) {
        instance->dead = true;
        return world_chance(world, 500) ? FATE_CRASHED : FATE_CRASHED_AFTER;
    }
    return FATE_DONE;
}

bool
fate_is_done(enum fate fate)
{
    return fate == FATE_DONE || fate == FATE_LOST_REPLY || fate == FATE_CRASHED_AFTER;
}

enum status
fate_told(enum fate fate, enum status down, struct error *error)
{
    switch (fate) {
    case FATE_DONE:
        return STATUS_OK;
    case FATE_FAILED:
        return error_set(error, down, "simulated: down");
    default:
        return error_set(error, STATUS_UNKNOWN_OUTCOME, "simulated: no answer");
    }
}

/* For calls that only read, an answer that was lost is a failure. */
enum status
fate_told_read(enum fate fate, enum status down, struct error *error)
{
    return fate == FATE_DONE ? STATUS_OK : error_set(error, down, "simulated: no answer");
}

/* ---- source ------------------------------------------------------------------------------------
 */

static void
source_revoke(struct instance *instance, int32_t partition, bool lost)
{
    const struct source_listener *listener = loop_listener(instance->loop);

    listener->revoked(listener->context, &partition, 1, lost);
    instance->partitions[partition] = (struct sim_partition){0};
    if (instance->world->logs[partition].owner == instance->index) {
        instance->world->logs[partition].owner = -1;
    }
    sim_trace(instance, "revoked", partition, lost ? "lost" : "");
}

/* The rebalance callback: what is not ours any more goes first, then comes what is new. */
static void
source_rebalance(struct instance *instance)
{
    struct world *world = instance->world;
    const struct source_listener *listener = loop_listener(instance->loop);
    int32_t assigned[WORLD_PARTITIONS_MAX];
    size_t count = 0;

    for (int32_t p = 0; p < world->partition_count; p++) {
        const struct world_log *log = &world->logs[p];

        if (instance->partitions[p].assigned &&
                (instance->expelled || log->wanted != instance->index)) {
            source_revoke(instance, p, instance->expelled);
        }
    }
    instance->expelled = false;
    instance->generation = world->generation;
    for (int32_t p = 0; p < world->partition_count; p++) {
        struct world_log *log = &world->logs[p];

        if (log->wanted == instance->index && log->owner == -1) {
            log->owner = instance->index;
            instance->partitions[p] = (struct sim_partition){.assigned = true};
            assigned[count++] = p;
            sim_trace(instance, "assigned", p, "");
        }
    }
    if (count != 0) {
        listener->assigned(listener->context, assigned, count);
    }
}

static enum status
sim_poll(struct source *source, size_t max, int64_t wait_ms, int64_t linger_ms, struct batch *batch,
        struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct world *world = instance->world;
    size_t count = 0;

    (void)linger_ms;
    *batch = (struct batch){0};
    world->wall_ms += (int64_t)world_random(world, (uint64_t)wait_ms);

    const enum fate fate = sim_fate(instance, world->broker_down_until_ms);

    if (fate != FATE_DONE) {
        return fate_told_read(fate, STATUS_BROKER_DOWN, error);
    }
    source_rebalance(instance);
    max = 1 + world_random(world, max);
    for (int32_t p = 0; p < world->partition_count; p++) {
        struct sim_partition *partition = &instance->partitions[p];
        const struct world_log *log = &world->logs[p];

        while (partition->assigned && partition->resumed && count < max &&
                partition->next < (int64_t)log->count) {
            const struct world_record *record = &log->records[partition->next];

            instance->records = memory_grow(instance->records, count, &instance->record_capacity,
                    sizeof(*instance->records));
            instance->records[count++] = (struct record){
                    .partition = p,
                    .offset = partition->next++,
                    .timestamp_ms = record->timestamp_ms,
                    .value = record->value != NULL ? span_of(record->value) : SPAN_NULL,
            };
        }
    }
    *batch = (struct batch){instance->records, count};
    return STATUS_OK;
}

static enum status
sim_committed(struct source *source, struct position *positions, size_t count, struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, world->broker_down_until_ms);

    for (size_t i = 0; i < count; i++) {
        const struct world_log *log = &world->logs[positions[i].partition];

        memcpy(instance->metadata[i], log->metadata, CURSOR_TEXT_SIZE);
        positions[i].offset = log->committed;
        positions[i].metadata = instance->metadata[i];
    }
    return fate_told_read(fate, STATUS_BROKER_DOWN, error);
}

static enum status
sim_pause(struct source *source, int32_t partition, struct error *error)
{
    (void)error;
    INSTANCE_OF(source, source)->partitions[partition].resumed = false;
    return STATUS_OK;
}

static enum status
sim_resume(struct source *source, int32_t partition, int64_t offset, struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct sim_partition *at = &instance->partitions[partition];

    if (!at->assigned) {
        return error_set(error, STATUS_FENCED, "simulated: not assigned");
    }
    at->resumed = true;
    at->next = offset;
    return STATUS_OK;
}

static enum status
sim_limits(
        struct source *source, int32_t partition, int64_t *low, int64_t *high, struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct world *world = instance->world;

    *low = 0;
    *high = (int64_t)world->logs[partition].count;
    return fate_told_read(
            sim_fate(instance, world->broker_down_until_ms), STATUS_BROKER_DOWN, error);
}

static bool
sim_at_end(struct source *source, int32_t partition, int64_t next)
{
    const struct instance *instance = INSTANCE_OF(source, source);
    const struct world *world = instance->world;

    return !instance->dead && world->wall_ms >= world->broker_down_until_ms &&
           next == (int64_t)world->logs[partition].count;
}

static void
sim_source_destroy(struct source *source)
{
    (void)source;
}

static const struct source_ops sim_source_ops = {.poll = sim_poll,
        .committed = sim_committed,
        .pause = sim_pause,
        .resume = sim_resume,
        .limits = sim_limits,
        .at_end = sim_at_end,
        .destroy = sim_source_destroy};

/* ---- publisher ---------------------------------------------------------------------------------
 */

static void
output_add(struct world *world, const struct out_record *record)
{
    struct world_output *output;
    struct reader headers = reader_of(record->headers);
    struct span name, value;

    world->outputs = memory_grow(
            world->outputs, world->output_count, &world->output_capacity, sizeof(*output));
    output = &world->outputs[world->output_count++];
    *output = (struct world_output){.topic = record->topic, .partition = -1};
    buffer_put(&output->key, record->key.data, record->key.size);
    buffer_put(&output->value, record->value.data, record->value.size);
    buffer_put(&output->headers, record->headers.data, record->headers.size);
    while (headers_next(&headers, &name, &value)) {
        char text[64] = {0};
        char *blank;

        memcpy(text, value.data, value.size < 63 ? value.size : 63);
        if (span_equal(name, span_of("partition"))) {
            output->partition = atoi(text);
        } else if (span_equal(name, span_of("rw-position")) &&
                   (blank = strchr(text, ' ')) != NULL) {
            output->partition = atoi(blank);
        }
    }
}

static enum status
sim_publish(struct publisher *publisher, const struct out_record *records, size_t record_count,
        const struct position *positions, size_t position_count, struct error *error)
{
    struct instance *instance = INSTANCE_OF(publisher, publisher);
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, world->broker_down_until_ms);

    if (!fate_is_done(fate)) {
        return fate_told(fate, STATUS_BROKER_DOWN, error);
    }
    /* The coordinator fences by member and generation. */
    if (instance->expelled || instance->generation != world->generation) {
        sim_trace(instance, "publish", -1, "fenced");
        return error_set(error, STATUS_FENCED, "simulated: old generation");
    }
    for (size_t i = 0; i < record_count; i++) {
        output_add(world, &records[i]);
    }
    for (size_t i = 0; i < position_count; i++) {
        struct world_log *log = &world->logs[positions[i].partition];

        assert(positions[i].offset >= log->committed);
        log->committed = positions[i].offset;
        snprintf(log->metadata, sizeof(log->metadata), "%s", positions[i].metadata);
        sim_trace(instance, "committed", positions[i].partition, positions[i].metadata);
    }
    return fate_told(fate, STATUS_BROKER_DOWN, error);
}

static void
sim_publisher_destroy(struct publisher *publisher)
{
    (void)publisher;
}

static const struct publisher_ops sim_publisher_ops = {
        .publish = sim_publish, .destroy = sim_publisher_destroy};

/* ---- decisions ---------------------------------------------------------------------------------
 */

static enum status
sim_read_decisions(struct decision_feed *feed, struct decisions *decisions, struct error *error)
{
    struct instance *instance = INSTANCE_OF(feed, feed);

    (void)decisions;
    return fate_told_read(
            sim_fate(instance, instance->world->broker_down_until_ms), STATUS_BROKER_DOWN, error);
}

static enum status
sim_read_new_decisions(struct decision_feed *feed, struct decisions *decisions, struct error *error)
{
    (void)feed;
    (void)decisions;
    (void)error;
    return STATUS_OK;
}

static void
sim_feed_destroy(struct decision_feed *feed)
{
    (void)feed;
}

static const struct decision_feed_ops sim_feed_ops = {.read_to_end = sim_read_decisions,
        .read_new = sim_read_new_decisions,
        .destroy = sim_feed_destroy};

/* ---- what was published, read back
 * --------------------------------------------------------------- */

static enum status
sim_read_back(struct readback *readback, int64_t from_ms,
        enum status (*visit)(void *context, struct span position, struct error *error),
        void *context, struct error *error)
{
    struct instance *instance = INSTANCE_OF(readback, readback);
    struct world *world = instance->world;
    enum status status = fate_told_read(
            sim_fate(instance, world->broker_down_until_ms), STATUS_BROKER_DOWN, error);

    (void)from_ms;
    for (size_t i = 0; i < world->output_count && status == STATUS_OK; i++) {
        struct reader headers = reader_of(buffer_span(&world->outputs[i].headers));
        struct span name, value;

        while (headers_next(&headers, &name, &value) && status == STATUS_OK) {
            if (span_equal(name, span_of("rw-position"))) {
                status = visit(context, value, error);
            }
        }
    }
    return status;
}

static void
sim_readback_destroy(struct readback *readback)
{
    (void)readback;
}

static const struct readback_ops sim_readback_ops = {
        .read = sim_read_back, .destroy = sim_readback_destroy};

/* ---- clock -------------------------------------------------------------------------------------
 */

static int64_t
sim_now(const struct clock *clock)
{
    return ((const struct world *)((const char *)clock - offsetof(struct world, clock)))->wall_ms;
}

static void
sim_sleep(const struct clock *clock, int64_t ms)
{
    (void)clock;
    (void)ms;
}

/* ---- instances ---------------------------------------------------------------------------------
 */

void
world_start(struct world *world, int index)
{
    struct instance *instance = memory_new(1, sizeof(*instance));
    const struct decoder_options decoder = {
            .format = FORMAT_JSON, .record_bytes_max = (size_t)world->config->record_bytes};
    struct error error = {0};
    struct loop_options options;

    instance->world = world;
    instance->index = index;
    instance->source.ops = &sim_source_ops;
    instance->store.ops = &sim_store_ops;
    instance->publisher.ops = &sim_publisher_ops;
    instance->feed.ops = &sim_feed_ops;
    instance->readback.ops = &sim_readback_ops;
    instance->decisions = decisions_new();
    if (decoder_new(&decoder, &instance->decoder, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    options = (struct loop_options){
            .config = world->config,
            .clock = &world->clock,
            .decoder = instance->decoder,
            .decisions = instance->decisions,
            .digest = digest_sha256,
            .process = world_random(world, UINT64_MAX),
    };
    instance->loop = loop_new(&options);
    loop_connect(instance->loop, &instance->source, &instance->store, &instance->publisher,
            &instance->feed, &instance->readback);
    world->instances[index] = instance;
    if (index >= world->instance_count) {
        world->instance_count = index + 1;
    }
    world_rebalance(world);
}

void
sim_stop(struct instance *instance)
{
    struct world *world = instance->world;

    for (int32_t p = 0; p < world->partition_count; p++) {
        if (world->logs[p].owner == instance->index) {
            world->logs[p].owner = -1;
        }
    }
    loop_destroy(instance->loop);
    decoder_destroy(instance->decoder);
    decisions_destroy(instance->decisions);
    free(instance->records);
    world->instances[instance->index] = NULL;
    free(instance);
}

void
world_turn(struct world *world, int index)
{
    struct instance *instance = world->instances[index];
    struct error error = {0};

    if (instance == NULL || instance->running) {
        return;
    }
    instance->running = true;

    const enum status status = loop_turn(instance->loop, &error);

    instance->running = false;
    if (status != STATUS_OK && !instance->dead) {
        fprintf(stderr, "instance %d gave up: %s\n", index, error.text);
        world->failed = true;
    }
    if (instance->dead || status != STATUS_OK) {
        sim_trace(instance, "crashed", -1, "");
        sim_stop(instance);
        world_start(world, index);
    }
}

void
world_rebalance(struct world *world)
{
    world->generation += 1;
    for (int32_t p = 0; p < world->partition_count; p++) {
        const int to = (int)world_random(world, (uint64_t)world->instance_count);

        world->logs[p].wanted = world->instances[to] != NULL ? to : world->logs[p].wanted;
    }
}

void
world_expel(struct world *world, int index)
{
    struct instance *instance = world->instances[index];

    if (instance == NULL) {
        return;
    }
    instance->expelled = true;
    for (int32_t p = 0; p < world->partition_count; p++) {
        if (world->logs[p].owner == index) {
            world->logs[p].owner = -1;
        }
    }
    world_rebalance(world);
}

/* ---- the world itself ------------------------------------------------------------------------ */

void
world_init(struct world *world, uint64_t seed, struct config *config)
{
    *world = (struct world){
            .random = seed,
            .wall_ms = INT64_C(1790000000000),
            .clock = {sim_now, sim_now, sim_sleep},
            .config = config,
    };
    for (int32_t p = 0; p < WORLD_PARTITIONS_MAX; p++) {
        world->logs[p].committed = -1;
        world->logs[p].owner = -1;
    }
}

void
world_append(struct world *world, int32_t partition, char *value, bool valid)
{
    struct world_log *log = &world->logs[partition];

    log->records = memory_grow(log->records, log->count, &log->capacity, sizeof(*log->records));
    log->records[log->count++] = (struct world_record){world->wall_ms, value, valid};
}

bool
world_is_settled(const struct world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        if (world->logs[p].committed != (int64_t)world->logs[p].count) {
            return false;
        }
    }
    return true;
}

void
world_persist(struct world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        state_copy(&world->durable[p], &world->states[p]);
    }
}

void
world_lose_writes(struct world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        if (!world->durable[p].exists) {
            return; /* before the first write to disk nothing may be lost: it would be refused */
        }
    }
    for (int32_t p = 0; p < world->partition_count; p++) {
        state_copy(&world->states[p], &world->durable[p]);
    }
    world->lost_writes = true;
}

void
world_fini(struct world *world)
{
    for (int i = 0; i < world->instance_count; i++) {
        if (world->instances[i] != NULL) {
            sim_stop(world->instances[i]);
        }
    }
    for (int32_t p = 0; p < WORLD_PARTITIONS_MAX; p++) {
        for (size_t i = 0; i < world->logs[p].count; i++) {
            free(world->logs[p].records[i].value);
        }
        free(world->logs[p].records);
        state_fini(&world->states[p]);
        state_fini(&world->durable[p]);
    }
    for (size_t i = 0; i < world->output_count; i++) {
        buffer_fini(&world->outputs[i].key);
        buffer_fini(&world->outputs[i].value);
        buffer_fini(&world->outputs[i].headers);
    }
    free(world->outputs);
}
