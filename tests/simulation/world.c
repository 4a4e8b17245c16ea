/* world.c - the simulated world: chance, instances that live and die, what becomes of their calls.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world_internal.h"

#include "consumer/digest.h"
#include "consumer/loop_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- chance ---------------------------------------------------------------------------------- */

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
    return per_thousand > 0 && (int64_t)world_random(world, 1000) < per_thousand;
}

void
world_fail(struct world *world, const char *format, ...)
{
    va_list args;

    if (!world->failed) {
        va_start(args, format);
        vsnprintf(world->failure, sizeof(world->failure), format, args);
        va_end(args);
        world->failed = true;
        if (world->trace) {
            printf("%" PRId64 " FAILED %s\n", world->wall_ms, world->failure);
        }
    }
}

void
sim_trace(const struct instance *instance, const char *what, int32_t partition, const char *outcome)
{
    if (instance->world->trace) {
        printf("%" PRId64 " instance %d %s partition %" PRId32 " %s\n", instance->world->wall_ms,
                instance->index, what, partition, outcome);
    }
}

/* ---- the fate of a call ---------------------------------------------------------------------- */

/* While this instance waits for its answer, others go on. */
static void
others_move(struct instance *instance, int turns)
{
    struct world *world = instance->world;

    world->depth += 1;
    for (int i = 0; i < turns; i++) {
        const int other = (int)world_random(world, (uint64_t)world->instance_count);

        world->wall_ms += (int64_t)world_random(world, 2000);
        if (world->instances[other] != instance) {
            world_turn(world, other);
        }
    }
    world->depth -= 1;
}

/* Whether another instance goes on with what it has lost. */
static bool
has_zombie(const struct instance *instance)
{
    const struct world *world = instance->world;

    for (int i = 0; i < world->instance_count; i++) {
        const struct instance *other = world->instances[i];

        if (other != NULL && other != instance && other->expelled) {
            return true;
        }
    }
    return false;
}

static void
time_passes(struct instance *instance)
{
    struct world *world = instance->world;
    const struct world_faults *faults = &world->faults;

    if (world_chance(world, faults->slow)) {
        const int64_t ms = (int64_t)world_random(world, 20000);

        world->wall_ms += ms;
        if (ms > SESSION_TIMEOUT_MS) {
            world_expel(world, instance->index, 0);
        }
    }
    if (world_chance(world, faults->persist)) {
        world_persist(world);
    }
    if (world_chance(world, faults->decide)) {
        world->decide(world);
    }
    if (world->flip_back_ms != 0 && world->wall_ms >= world->flip_back_ms) {
        world_lose_writes(world, true);
        world->flip_back_ms = 0;
    }
    /* The best moment to lose writes is when what is to be published is stored, and nothing else.
     */
    if (world_chance(world, world->stored_reviews ? faults->lose * 10 : faults->lose)) {
        world_lose_writes(world, world->flips);
        if (world_chance(world, faults->decide * 50)) {
            world->decide(world); /* so that another history may come of it */
        }
    }
    world->stored_reviews = false;
    if (world->depth < 2 && world->instance_count > 1 &&
            world_chance(world, faults->interleave * (has_zombie(instance) ? 10 : 1))) {
        if (world_chance(world, faults->expel * 20)) {
            world_expel(world, instance->index, (int)world_random(world, 3));
        }
        if (faults->decide > 0 && world_chance(world, 500)) {
            world->decide(world);
        }
        others_move(instance, 1 + (int)world_random(world, 6));
    }
}

/* The fault that is planned for this call, or FATE_DONE. */
static enum fate
planned_fate(struct instance *instance)
{
    struct world *world = instance->world;
    enum fate fate = FATE_DONE;

    world->calls += 1;
    for (int i = 0; i < WORLD_PLANS; i++) {
        if (world->plans[i].call == world->calls) {
            fate = world->plans[i].fate;
        }
    }
    if (fate == FATE_OVERTAKEN) {
        world_expel(world, instance->index, 2);
        others_move(instance, 6);
        fate = FATE_DONE;
    } else if (fate == FATE_FORGOTTEN || fate == FATE_FLIPPED) {
        world_lose_writes(world, fate == FATE_FLIPPED);
        fate = FATE_DONE;
    }
    return fate;
}

static enum fate
random_fate(struct world *world)
{
    const struct world_faults *faults = &world->faults;

    if (world_chance(world, faults->failure)) {
        return FATE_FAILED;
    }
    if (world_chance(world, faults->lost_reply)) {
        return world_chance(world, 500) ? FATE_LOST_REPLY : FATE_NOT_DONE;
    }
    if (world_chance(world, faults->crash)) {
        return world_chance(world, 500) ? FATE_CRASHED : FATE_CRASHED_AFTER;
    }
    return FATE_DONE;
}

enum fate
sim_fate(struct instance *instance, const char *call, int64_t down_until_ms)
{
    static const char *const names[FATE_COUNT] = {"", "failed", "lost reply", "not done", "crashed",
            "crashed after", "overtaken", "forgotten", "flipped"};
    struct world *world = instance->world;
    enum fate fate;

    if (instance->dead) {
        return FATE_CRASHED;
    }
    time_passes(instance);
    fate = planned_fate(instance);
    if (fate == FATE_DONE) {
        fate = world->wall_ms < down_until_ms ? FATE_FAILED : random_fate(world);
    }
    if (fate == FATE_CRASHED || fate == FATE_CRASHED_AFTER) {
        instance->dead = true;
    }
    if (fate != FATE_DONE) {
        sim_trace(instance, call, -1, names[fate]);
    }
    return fate;
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

/* ---- clock ----------------------------------------------------------------------------------- */

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

/* ---- instances ------------------------------------------------------------------------------- */

static void
sim_connect(struct instance *instance)
{
    struct world *world = instance->world;
    const struct loop_options options = {
            .config = world->config,
            .clock = &world->clock,
            .decoder = instance->decoder,
            .decisions = instance->decisions,
            .digest = digest_sha256,
            .process = instance->process,
            .rebuilds = world->rebuild != NULL,
    };
    struct source *source = &instance->source;
    struct readback *readback = &instance->readback;

    instance->loop = loop_new(&options);
    if (world->rebuild != NULL) {
        rebuild_connect(instance, &source, &readback);
    }
    loop_connect(instance->loop, source, &instance->store, &instance->publisher, &instance->feed,
            readback);
}

void
world_start(struct world *world, int index)
{
    struct instance *instance = memory_new(1, sizeof(*instance));
    const struct decoder_options decoder = {
            .format = world->config->input.format,
            .fetch = world->config->input.format == FORMAT_AVRO ? sim_fetch : NULL,
            .fetch_context = instance,
            .record_bytes_max = (size_t)world->config->record_bytes,
    };
    struct error error = {0};

    instance->world = world;
    instance->index = index;
    instance->source.ops = &sim_source_ops;
    instance->store.ops = &sim_store_ops;
    instance->publisher.ops = &sim_publisher_ops;
    instance->feed.ops = &sim_feed_ops;
    instance->readback.ops = &sim_readback_ops;
    instance->decisions = decisions_new();
    instance->process = world_random(world, UINT64_MAX);
    if (world_chance(world, 500)) {
        instance->lag_ms = (int64_t)world_random(world, (uint64_t)world->decision_lag_ms + 1);
    }
    arena_init(&instance->arena);
    if (decoder_new(&decoder, &instance->decoder, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    sim_connect(instance);
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
    transactions_orphan(world, instance);
    rebuild_disconnect(instance);
    loop_destroy(instance->loop);
    decoder_destroy(instance->decoder);
    decisions_destroy(instance->decisions);
    arena_fini(&instance->arena);
    free(instance->records);
    world->instances[instance->index] = NULL;
    free(instance);
}

/* A record that was rejected because its schema stayed unknown is not waited for again. */
static void
check_waiting(struct instance *instance)
{
    for (int32_t p = 0; p < instance->world->partition_count; p++) {
        const struct claim *claim = loop_find(instance->loop, p);

        if (claim != NULL && claim->state == CLAIM_WAITING &&
                claim_has_verdict(claim, claim->next)) {
            world_fail(instance->world,
                    "partition %" PRId32 ": waits for the schema of a record that was rejected", p);
        }
    }
}

void
world_turn(struct world *world, int index)
{
    struct instance *instance = world->instances[index];
    struct error error = {0};

    if (instance == NULL || instance->running || world->refused || world->failed) {
        return;
    }
    instance->running = true;

    const enum status status = loop_turn(instance->loop, &error);

    instance->running = false;
    check_waiting(instance);
    if (status != STATUS_OK && !instance->dead) {
        sim_trace(instance, "gave up", -1, error.text);
        if (status == STATUS_REFUSED && (world->emptied || world->reset)) {
            world->refused = true;
        } else {
            world_fail(world, "instance %d gave up: %s", index, error.text);
        }
    }
    if (instance->dead || status != STATUS_OK) {
        sim_trace(instance, "ended", -1, "");
        sim_stop(instance);
        world_start(world, index);
    }
}

void
world_restart(struct world *world, int index, bool drains)
{
    struct instance *instance = world->instances[index];

    if (instance == NULL || instance->running) {
        return;
    }
    if (drains) {
        instance->running = true;
        loop_drain(instance->loop);
        instance->running = false;
    }
    sim_trace(instance, "restart", -1, drains ? "drained" : "");
    sim_stop(instance);
    world_start(world, index);
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
world_expel(struct world *world, int index, int deaf)
{
    struct instance *instance = world->instances[index];

    if (instance == NULL) {
        return;
    }
    sim_trace(instance, "expelled", -1, "");
    instance->expelled = true;
    instance->deaf = deaf;
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
    for (int i = 0; i < WORLD_SCHEMAS; i++) {
        world->schema_known_ms[i] = INT64_MAX;
    }
}

void
world_append(struct world *world, int32_t partition, struct span value, enum record_fate fate)
{
    struct world_log *log = &world->logs[partition];
    struct world_record *record;

    log->records = memory_grow(log->records, log->count, &log->capacity, sizeof(*log->records));
    record = &log->records[log->count++];
    *record = (struct world_record){
            .timestamp_ms = world->wall_ms, .is_null = value.data == NULL, .fate = fate};
    if (value.data != NULL) {
        buffer_put(&record->value, value.data, value.size);
    }
}

bool
world_is_settled(const struct world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        const struct world_state *state = &world->states[p];
        const int64_t end = (int64_t)world->logs[p].count;
        struct applied applied = {0};
        struct error error;

        if (world->logs[p].committed != end ||
                (state->exists && (applied_decode(buffer_span(&state->applied), &applied, &error) !=
                                                  STATUS_OK ||
                                          applied.offset != end))) {
            return false;
        }
        for (size_t i = 0; i < state->count; i++) {
            if (strcmp(state->fields[i].map, "pending") == 0 &&
                    strtoull(state->fields[i].field, NULL, 10) > world->logs[p].published) {
                return false;
            }
        }
    }
    return true;
}

void
world_persist(struct world *world)
{
    if (world->flip_back_ms != 0) {
        return; /* the other one is not reached yet */
    }
    for (int32_t p = 0; p < world->partition_count; p++) {
        state_copy(&world->durable[p], &world->states[p]);
    }
    if (world->trace) {
        printf("%" PRId64 " Redis writes to disk\n", world->wall_ms);
    }
}

void
world_lose_writes(struct world *world, bool changes_roles)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        if (!world->durable[p].exists) {
            return; /* before the first write to disk nothing may be lost: it would be refused */
        }
    }
    for (int32_t p = 0; p < world->partition_count; p++) {
        if (changes_roles) {
            const struct world_state lost = world->states[p];

            world->states[p] = world->durable[p];
            world->durable[p] = lost;
        } else {
            state_copy(&world->states[p], &world->durable[p]);
        }
    }
    for (int i = 0; i < world->instance_count; i++) {
        if (world->instances[i] != NULL) {
            world->instances[i]->disconnected = true;
            world->instances[i]->exec_waits = false; /* what was sent is gone */
        }
    }
    if (changes_roles && world->flips && world_chance(world, 600)) {
        world->flip_back_ms = world->wall_ms + 1 + (int64_t)world_random(world, 90000);
    }
    world->lost_writes = true;
    world->changed_roles = world->changed_roles || changes_roles;
    if (world->trace) {
        printf("%" PRId64 " Redis loses its last writes\n", world->wall_ms);
    }
}

void
world_empty(struct world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        const struct world_log *log = &world->logs[p];
        struct cursor cursor = {0};
        struct error error;

        world->must_refuse =
                world->must_refuse ||
                (log->committed >= 0 && cursor_parse(log->metadata, &cursor, &error) == STATUS_OK &&
                        !cursor.fresh);
        state_clear(&world->states[p]);
        state_clear(&world->durable[p]);
    }
    world->emptied = true;
}

void
world_reset(struct world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        world->logs[p].committed = world_chance(world, 500) ? -1 : 0;
        world->logs[p].metadata[0] = '\0';
    }
    world->reset = true;
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
            buffer_fini(&world->logs[p].records[i].value);
        }
        free(world->logs[p].records);
        state_fini(&world->states[p]);
        state_fini(&world->durable[p]);
    }
    for (size_t i = 0; i < world->output_count; i++) {
        output_fini(&world->outputs[i]);
    }
    free(world->outputs);
    for (size_t i = 0; i < WORLD_TRANSACTIONS_MAX; i++) {
        for (size_t k = 0; k < world->transactions[i].output_count; k++) {
            output_fini(&world->transactions[i].outputs[k]);
        }
        free(world->transactions[i].outputs);
    }
    for (size_t i = 0; i < world->decision_count; i++) {
        free(world->decisions[i].json);
    }
    free(world->decisions);
}
