/* world_rebuild.c - an operator has the log counted anew while the service is stopped.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world_internal.h"

#include "consumer/rebuild.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TURNS 4000       /* until it has to be done */
#define FAULTY_TURNS 400 /* with faults */

void
rebuild_connect(struct instance *instance, struct source **source, struct readback **readback)
{
    const struct config *config = instance->world->config;
    const struct position_origin origin = {config->topics.outcomes, config->group};

    instance->rebuild_readback = rebuild_readback_new(&instance->readback, &origin);
    instance->rebuild_source = rebuild_source_new(&(struct rebuild_source_options){
            .inner = &instance->source,
            .published = instance->rebuild_readback,
            .at_least_once = config->delivery == DELIVERY_AT_LEAST_ONCE,
            .olds = instance->world->rebuild,
            .partition_count = (size_t)instance->world->partition_count,
    });
    *source = instance->rebuild_source;
    *readback = instance->rebuild_readback;
}

void
rebuild_disconnect(struct instance *instance)
{
    if (instance->rebuild_source != NULL) {
        instance->rebuild_source->ops->destroy(instance->rebuild_source);
        instance->rebuild_readback->ops->destroy(instance->rebuild_readback);
    }
}

static void
stop_all(struct world *world)
{
    for (int i = 0; i < world->instance_count; i++) {
        if (world->instances[i] != NULL) {
            sim_stop(world->instances[i]);
        }
    }
}

/* What the state in use says of a partition: it is read before, and left alone. */
static struct rebuild_old
old_of(const struct world_state *state)
{
    struct rebuild_old old = {0};
    struct applied applied;
    struct error error;

    if (!state->exists ||
            applied_decode(buffer_span(&state->applied), &applied, &error) != STATUS_OK) {
        return old;
    }
    old = (struct rebuild_old){
            applied.offset, applied.serial, applied.last_record_ms, applied.last_checksum};
    for (size_t i = 0; i < state->count; i++) {
        if (strcmp(state->fields[i].map, "pending") == 0) {
            const uint64_t serial = strtoull(state->fields[i].field, NULL, 10);

            old.known = serial - 1 < old.known ? serial - 1 : old.known;
        }
    }
    return old;
}

/* Everything is given to the one that counts. */
static void
give_all(struct world *world)
{
    for (int32_t p = 0; p < world->partition_count; p++) {
        world->generation += world->logs[p].wanted != 0;
        world->logs[p].wanted = 0;
    }
}

/* Both steps, through crashes and all. */
static void
run_until_done(struct world *world)
{
    const struct world_faults faults = world->faults;
    uint64_t went_on = 0;

    for (int turn = 0; turn < TURNS && !world->failed; turn++) {
        struct instance *instance = world->instances[0];
        const uint64_t process = instance->process;

        world->faults = turn < FAULTY_TURNS ? faults : (struct world_faults){0};
        give_all(world);
        world->wall_ms += 200;
        world_turn(world, 0);
        if (world->instances[0]->process != process || !loop_is_ready(instance->loop) ||
                !rebuild_source_is_done(instance->rebuild_source)) {
            continue;
        }
        if (went_on == instance->process) {
            world->faults = faults;
            return;
        }
        went_on = instance->process; /* one that crashed since begins with the counters again */
        rebuild_source_go_on(instance->rebuild_source);
        loop_rebuild_reviews(instance->loop);
    }
    world_fail(world, "counting anew comes to no end");
}

/* The namespace in use is left behind as it is, so that it need not be simulated any more. */
void
world_rebuild(struct world *world)
{
    struct rebuild_old olds[WORLD_PARTITIONS_MAX] = {{0}};
    const int instance_count = world->instance_count;

    if (world->rebuilt || world->depth > 0) {
        return;
    }
    if (world->trace) {
        printf("%" PRId64 " the log is counted anew\n", world->wall_ms);
    }
    stop_all(world);
    for (int32_t p = 0; p < world->partition_count; p++) {
        olds[p] = old_of(&world->states[p]);
        state_clear(&world->states[p]);
        state_clear(&world->durable[p]);
    }
    world->rebuild = olds;
    world->lost_writes = true; /* what was silent is derived again */
    world->rejects_again = world->rejects_again || world->reset;
    world->refused = false;
    world->emptied = true;
    world->must_refuse = false;
    world->instance_count = 1;
    world_start(world, 0);
    run_until_done(world);
    stop_all(world);
    world->rebuild = NULL;
    world->rebuilt = true;
    world->emptied = false;
    world->reset = false;
    world_persist(world);
    world->instance_count = instance_count;
    for (int i = 0; i < instance_count; i++) {
        world_start(world, i);
    }
}
