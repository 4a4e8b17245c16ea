/* input.c - what producers and cost owners write in a simulated history.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/history.h"

#include "codec/outcome_encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const owners[] = {"ana", "bo", ""};

#define OWNERS (sizeof(owners) / sizeof(owners[0]))

static void
random_outcome(struct world *world, const struct flavour *flavour, struct outcome *outcome)
{
    static const char *const workloads[] = {"w0", "w1", "w2"};
    static const uint8_t causes[] = {CAUSE_TIMEOUT, CAUSE_PLATFORM_RESPONSE, CAUSE_UNKNOWN};
    const int64_t late_ms = flavour->in_order ? 60000 : 400000;

    outcome_init(outcome);
    outcome->event_time_ms = world->wall_ms - (int64_t)world_random(world, (uint64_t)late_ms);
    outcome->operation_id = span_of("o");
    outcome->dimensions[DIM_OWNER] = span_of(owners[world_random(world, OWNERS)]);
    outcome->dimensions[DIM_WORKLOAD] = span_of(workloads[world_random(world, 3)]);
    outcome->dimensions[DIM_ENVIRONMENT] = span_of("prod");
    outcome->dimensions[DIM_BUCKET] = span_of("b");
    outcome->attempt_number = 1 + (int32_t)world_random(world, 3);
    outcome->result = RESULT_FAILURE;
    outcome->retry_cause = causes[world_random(world, 3)];
    outcome->has_units = true;
    outcome->units = (int64_t)world_random(world, 100);
}

static void
append_outcome(struct world *world, int32_t partition, const struct outcome *outcome,
        uint32_t schema_id, enum record_fate fate)
{
    struct buffer value = {0};

    if (world->config->input.format == FORMAT_AVRO) {
        outcome_encode(outcome, schema_id, &value);
    } else {
        outcome_encode_json(outcome, &value);
    }
    world_append(world, partition, buffer_span(&value), fate);
    buffer_fini(&value);
}

static void
append_invalid(struct world *world, int32_t partition, struct outcome *outcome)
{
    switch (world_random(world, 3)) {
    case 0:
        world_append(world, partition, SPAN_NULL, RECORD_INVALID);
        break;
    case 1: /* the clock of its producer is wrong */
        outcome->event_time_ms = world->wall_ms + INT64_C(3600) * 1000;
        append_outcome(world, partition, outcome, WORLD_SCHEMA_KNOWN, RECORD_INVALID);
        break;
    default:
        world_append(world, partition, span_of("{\"event_time\": "), RECORD_INVALID);
    }
}

void
input_append(struct world *world, const struct flavour *flavour)
{
    const int count = (int)world_random(world, 12);

    for (int i = 0; i < count; i++) {
        const int32_t partition = (int32_t)world_random(world, (uint64_t)world->partition_count);
        struct outcome outcome;

        random_outcome(world, flavour, &outcome);
        if (world_chance(world, 60)) {
            append_invalid(world, partition, &outcome);
        } else if (flavour->schemas && world_chance(world, 20)) {
            append_outcome(world, partition, &outcome,
                    WORLD_SCHEMA_FIRST + (uint32_t)world_random(world, WORLD_SCHEMAS),
                    RECORD_EITHER);
        } else {
            append_outcome(world, partition, &outcome, WORLD_SCHEMA_KNOWN, RECORD_VALID);
        }
    }
}

static void
append_simple(
        struct world *world, int32_t partition, const char *owner, int attempt, uint32_t schema_id)
{
    const struct flavour flavour = {.in_order = true};
    struct outcome outcome;

    random_outcome(world, &flavour, &outcome);
    outcome.event_time_ms = world->wall_ms;
    outcome.dimensions[DIM_OWNER] = span_of(owner);
    outcome.attempt_number = attempt;
    append_outcome(world, partition, &outcome, schema_id,
            schema_id == WORLD_SCHEMA_KNOWN ? RECORD_VALID : RECORD_EITHER);
}

void
input_scene(struct world *world, uint64_t scene)
{
    static const struct {
        int firsts, retries; /* eight attempts with three retries open a review */
        bool empty, unknown;
    } scenes[] = {
            {4, 0, true, false},
            {1, 4, false, true},
            {6, 0, false, true},
            {2, 3, true, false},
            {5, 4, true, true},
    };
    const int32_t partition = (int32_t)(scene / 16) % world->partition_count;

    scene %= 16;
    for (int i = 0; i < scenes[scene].firsts + scenes[scene].retries; i++) {
        for (size_t o = 0; o < 2; o++) {
            append_simple(world, partition, owners[o], i < scenes[scene].firsts ? 1 : 2,
                    WORLD_SCHEMA_KNOWN);
        }
    }
    if (scenes[scene].empty) {
        world_append(world, partition, SPAN_NULL, RECORD_INVALID);
    }
    if (scenes[scene].unknown && world->config->input.format == FORMAT_AVRO) {
        append_simple(world, partition, owners[0], 1, WORLD_SCHEMA_FIRST);
    }
}

void
input_decide(struct world *world, const struct flavour *flavour)
{
    const int64_t minute_ms = 60000;
    const bool in_time = flavour->decisions == DECISIONS_IN_TIME;
    const uint64_t number = in_time ? world->decision_count : world_random(world, 6);
    /* In time: an hour ahead, longer than any turn lasts and any news travels. */
    const int64_t from_ms = world->wall_ms + (in_time ? 60 + (int64_t)world_random(world, 60)
                                                      : (int64_t)world_random(world, 60) - 50) *
                                                     minute_ms;
    const int64_t until_ms = from_ms + (1 + (int64_t)world_random(world, 90)) * minute_ms;
    const bool revoked = !in_time && world_chance(world, 250);
    char limit[48] = "";
    char *json = NULL;

    if (world_chance(world, 500)) {
        snprintf(limit, sizeof(limit), ",\"max_retry_share_bps\":%d",
                5000 + (int)world_random(world, 5000));
    }
    if (asprintf(&json,
                "{\"decision_id\":\"d%" PRIu64 "\",\"decided_at\":%" PRId64
                ",\"decision_owner\":\"cy\",\"scope\":{\"owner_tag\":\"%s\"},"
                "\"action\":\"revise_retry_behavior\",\"accepts_spend_risk\":%s,"
                "\"reason\":\"they back off\",\"effective_from\":%" PRId64
                ",\"expires_at\":%" PRId64 ",\"revoked\":%s%s}",
                number, world->wall_ms - (int64_t)world_random(world, 30) * minute_ms,
                owners[world_random(world, 2)], world_chance(world, 500) ? "true" : "false",
                from_ms, until_ms, revoked ? "true" : "false", limit) < 0) {
        abort();
    }
    world_decide(world, json);
}
