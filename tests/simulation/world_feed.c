/* world_feed.c - the simulated decisions topic and schema registry.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world_internal.h"

#include "codec/review_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void
world_decide(struct world *world, char *json)
{
    world->decisions = memory_grow(world->decisions, world->decision_count,
            &world->decision_capacity, sizeof(*world->decisions));
    world->decisions[world->decision_count++] =
            (struct world_decision){.put_ms = world->wall_ms, .json = json};
    if (world->trace) {
        printf("%" PRId64 " decision %s\n", world->wall_ms, json);
    }
}

/* The records up to the end-th. */
static void
read_decisions(struct instance *instance, struct decisions *decisions, size_t end)
{
    struct world *world = instance->world;

    while (instance->decisions_known < end) {
        const struct world_decision *decision = &world->decisions[instance->decisions_known++];
        const struct decision_record record = {
                .topic = world->config->topics.decisions,
                .offset = (int64_t)instance->decisions_known - 1,
                .timestamp_ms = decision->put_ms,
                .value = span_of(decision->json),
        };
        struct error error;

        /* One that ends before it starts is told and dropped. */
        (void)!decision_accept(decisions, &world->config->rule, &record, &instance->arena, &error);
        arena_reset(&instance->arena);
    }
}

static enum status
sim_read_to_end(struct decision_feed *feed, struct decisions *decisions, struct error *error)
{
    struct instance *instance = INSTANCE_OF(feed, feed);
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, "decisions", world->broker_down_until_ms);
    const size_t left = world->decision_count - instance->decisions_known;

    read_decisions(instance, decisions,
            instance->decisions_known +
                    (fate == FATE_DONE ? left : (size_t)world_random(world, left + 1)));
    return fate_told_read(fate, STATUS_BROKER_DOWN, error);
}

static enum status
sim_read_new(struct decision_feed *feed, struct decisions *decisions, struct error *error)
{
    struct instance *instance = INSTANCE_OF(feed, feed);
    const struct world *world = instance->world;
    size_t end = instance->decisions_known;

    (void)error;
    while (end < world->decision_count && world->wall_ms >= world->broker_down_until_ms &&
            world->decisions[end].put_ms + instance->lag_ms <= world->wall_ms) {
        end += 1;
    }
    read_decisions(instance, decisions, end);
    return STATUS_OK;
}

static void
sim_feed_destroy(struct decision_feed *feed)
{
    (void)feed;
}

const struct decision_feed_ops sim_feed_ops = {
        .read_to_end = sim_read_to_end, .read_new = sim_read_new, .destroy = sim_feed_destroy};

/* ---- schemas --------------------------------------------------------------------------------- */

static enum status
schema_text(char **json)
{
    *json = strdup(schema_request_outcome);
    return STATUS_OK;
}

enum status
world_fetch_known(void *context, int64_t id, char **json, struct error *error)
{
    (void)context;
    (void)id;
    (void)error;
    return schema_text(json);
}

enum status
sim_fetch(void *context, int64_t id, char **json, struct error *error)
{
    struct instance *instance = context;
    const struct world *world = instance->world;
    const int64_t index = id - WORLD_SCHEMA_FIRST;
    int64_t *asked_ms;

    if (index < 0 || index >= WORLD_SCHEMAS || world->schema_known_ms[index] <= world->wall_ms) {
        return schema_text(json);
    }
    asked_ms = &instance->schema_asked_ms[index];
    if (*asked_ms == 0) {
        *asked_ms = world->wall_ms;
    }
    return world->wall_ms - *asked_ms < world->config->schema.unknown_wait_ms
                   ? error_set(error, STATUS_SCHEMA_WAIT, "simulated: not known yet")
                   : error_set(error, STATUS_UNKNOWN_SCHEMA, "simulated: not found");
}
