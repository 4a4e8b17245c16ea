/* history.c - what happens in one simulated history: made from a seed, run, checked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define HISTORY_CPU_S 30 /* of which a history takes hundredths: it does not end */
#define ROUNDS 120
#define SETTLE_TURNS 6000
#define CALM_TURNS 12 /* of each instance, without any write: it has come to an end */

static void
add_step(struct history *history, struct world *dice, enum step_kind kind)
{
    history->steps = memory_grow(
            history->steps, history->count, &history->capacity, sizeof(*history->steps));
    history->steps[history->count++] =
            (struct step){.kind = kind, .seed = world_random(dice, UINT64_MAX)};
}

static struct world_faults
choose_faults(struct world *dice)
{
    const uint64_t most = world_random(dice, 4) * 10;

    return (struct world_faults){
            .crash = (int)world_random(dice, most + 1),
            .lost_reply = (int)world_random(dice, most + 1),
            .failure = (int)world_random(dice, most + 1),
            .interleave = (int)world_random(dice, most * 2 + 1),
            .slow = (int)world_random(dice, most / 2 + 1),
            .expel = (int)world_random(dice, 50),
    };
}

static void
choose_flavour(struct world *dice, struct flavour *flavour)
{
    const uint64_t decisions = world_random(dice, 100);

    *flavour = (struct flavour){
            .decisions = decisions < 30   ? DECISIONS_NONE
                         : decisions < 65 ? DECISIONS_IN_TIME
                                          : DECISIONS_ANY_TIME,
            .delivery = world_chance(dice, 120) ? DELIVERY_AT_LEAST_ONCE : DELIVERY_EXACTLY_ONCE,
            .schemas = world_chance(dice, 300),
            .shadow = world_chance(dice, 40),
            .in_order = world_chance(dice, 400),
            .partitions = 1 + (int)world_random(dice, 3),
            .instances = 1 + (int)world_random(dice, 3),
            .max_events = 1 + (int64_t)world_random(dice, 40),
            .max_updates = 1 + (int64_t)world_random(dice, 30),
            .faults = choose_faults(dice),
    };
    flavour->loses_writes = flavour->delivery == DELIVERY_EXACTLY_ONCE && world_chance(dice, 500);
    if (flavour->loses_writes) {
        flavour->flips = world_chance(dice, 500);
        flavour->faults.persist = (int)world_random(dice, flavour->flips ? 30 : 20);
        flavour->faults.lose = (int)world_random(dice, 16);
    }
    flavour->faults.decide =
            flavour->decisions == DECISIONS_ANY_TIME ? (int)world_random(dice, 10) : 0;
    flavour->faults.stale_end = flavour->in_order ? 300 : 0;
}

void
history_init(struct history *history, uint64_t seed)
{
    struct world dice = {.random = seed};
    const struct flavour *flavour = &history->flavour;

    *history = (struct history){.seed = seed};
    choose_flavour(&dice, &history->flavour);
    history->flavour.rebuilds = seed % 4 != 0;

    const int rebalance = (int)world_random(&dice, 100);
    const int outage = (int)world_random(&dice, 40);
    const int lose = flavour->loses_writes ? (int)world_random(&dice, 100) : 0;
    const int decide = flavour->decisions != DECISIONS_NONE ? 100 : 0;
    /* Once, if at all: somebody empties Redis or deletes the group's offsets. */
    const uint64_t disaster = world_random(&dice, ROUNDS * 10);
    const enum step_kind disaster_kind = world_chance(&dice, 500) ? STEP_EMPTY : STEP_RESET;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        const struct {
            enum step_kind kind;
            int chance;
        } steps[] = {
                {STEP_APPEND, 900},
                {STEP_DECIDE, decide},
                {STEP_SILENCE, 50},
                {STEP_REBALANCE, rebalance},
                {STEP_EXPEL, flavour->faults.expel},
                {STEP_RESTART, 20},
                {STEP_STORE_OUTAGE, outage},
                {STEP_BROKER_OUTAGE, outage},
                {STEP_PERSIST, flavour->flips ? 100 : 200},
                {STEP_LOSE_WRITES, lose},
                {disaster_kind, disaster == round ? 1000 : 0},
                {STEP_REBUILD, seed % 8 == 5 && seed / 8 % ROUNDS == round ? 1000 : 0},
                {STEP_TURN, 1000},
        };

        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            if (world_chance(&dice, steps[i].chance)) {
                add_step(history, &dice, steps[i].kind);
            }
        }
    }
}

void
history_fini(struct history *history)
{
    free(history->steps);
}

static void
add_fixed(struct history *history, enum step_kind kind, uint64_t seed)
{
    history->steps = memory_grow(
            history->steps, history->count, &history->capacity, sizeof(*history->steps));
    history->steps[history->count++] = (struct step){.kind = kind, .seed = seed};
}

/* Two partitions, two instances; a review opens, is decided, resolves; records are rejected by
 * what they are and by a schema id that stays unknown. */
void
history_small(struct history *history)
{
    *history = (struct history){
            .seed = 8, /* the partitions go to different instances */
            .flavour = {.decisions = DECISIONS_IN_TIME,
                    .schemas = true,
                    .in_order = true,
                    .partitions = 2,
                    .instances = 2,
                    .max_events = 8,
                    .max_updates = 6},
    };
    for (uint64_t scene = 0; scene < 5; scene++) {
        add_fixed(history, STEP_SCRIPT, scene);
        add_fixed(history, STEP_SCRIPT, 16 + (scene + 2) % 5);
        for (uint64_t turn = 0; turn < 5; turn++) {
            add_fixed(history, STEP_TURN, scene * 5 + turn);
        }
        if (scene == 1) {
            add_fixed(history, STEP_DECIDE, 1);
            add_fixed(history, STEP_REBALANCE, 1);
        }
        add_fixed(history, STEP_PERSIST, 0);
    }
}

/* One partition, two instances, one review, one rejected record. */
void
history_tiny(struct history *history)
{
    *history = (struct history){
            .seed = 5,
            .flavour = {.in_order = true,
                    .partitions = 1,
                    .instances = 2,
                    .max_events = 16,
                    .max_updates = 30},
    };
    for (uint64_t turn = 0; turn < 8; turn++) {
        add_fixed(history, STEP_TURN, turn);
        add_fixed(history, STEP_PERSIST, 0);
        if (turn == 3) {
            add_fixed(history, STEP_SCRIPT, 4);
        }
    }
}

/* ---- running --------------------------------------------------------------------------------- */

static void
outage(struct world *world, bool broker)
{
    const int64_t until_ms = world->wall_ms + (int64_t)world_random(world, 60000);

    if (!broker) {
        world->store_down_until_ms = until_ms;
    } else {
        world->broker_down_from_ms = world->wall_ms;
        world->broker_down_until_ms = until_ms;
    }
}

static void
run_step(struct world *world, const struct flavour *flavour, const struct step *step)
{
    const int any = (int)world_random(world, (uint64_t)world->instance_count);

    switch (step->kind) {
    case STEP_TURN:
        world->wall_ms += (int64_t)world_random(world, 20000);
        world_turn(world, any);
        break;
    case STEP_APPEND:
        input_append(world, flavour);
        break;
    case STEP_DECIDE:
        input_decide(world, flavour);
        break;
    case STEP_SILENCE:
        world->wall_ms += (int64_t)world_random(world, world_chance(world, 600) ? 900000 : 4000000);
        break;
    case STEP_REBALANCE:
        world_rebalance(world);
        break;
    case STEP_EXPEL:
        world_expel(world, any, (int)world_random(world, world_chance(world, 300) ? 12 : 4));
        break;
    case STEP_RESTART:
        world_restart(world, any, world_chance(world, 700));
        break;
    case STEP_STORE_OUTAGE:
    case STEP_BROKER_OUTAGE:
        outage(world, step->kind == STEP_BROKER_OUTAGE);
        break;
    case STEP_PERSIST:
        world_persist(world);
        break;
    case STEP_LOSE_WRITES:
        world_lose_writes(world, flavour->flips);
        break;
    case STEP_EMPTY:
        world_empty(world);
        break;
    case STEP_REBUILD:
        world_rebuild(world);
        break;
    case STEP_SCRIPT:
        input_scene(world, step->seed);
        break;
    default:
        world_reset(world);
    }
}

static bool
may_go_on(const struct world *world)
{
    return !world->failed && !world->refused;
}

/* What an operator does about a refusal. */
static void
mend(struct world *world, const struct flavour *flavour)
{
    if (world->refused && flavour->rebuilds && !world->rebuilt) {
        world_rebuild(world);
    }
}

/* Turns until nothing is written any more. */
static void
come_to_rest(struct world *world, const struct flavour *flavour)
{
    uint64_t writes = world->writes;
    int calm = 0;

    for (int turn = 0; turn < SETTLE_TURNS && may_go_on(world); turn++) {
        world->wall_ms += 500;
        world_turn(world, turn % world->instance_count);
        mend(world, flavour);
        calm = world->writes == writes ? calm + 1 : 0;
        writes = world->writes;
        if (calm >= CALM_TURNS * world->instance_count && world_is_settled(world)) {
            return;
        }
    }
}

/* Faults are over: now it must come to an end by itself. The last silence resolves every review. */
static void
settle(struct world *world, const struct flavour *flavour)
{
    world->faults = (struct world_faults){0};
    memset(world->plans, 0, sizeof(world->plans));
    come_to_rest(world, flavour);
    world->wall_ms += INT64_C(2) * 3600 * 1000;
    come_to_rest(world, flavour);
    if (may_go_on(world) && !world_is_settled(world)) {
        world_fail(world, "does not settle");
    }
}

static void
prepare_config(struct config *config, const struct flavour *flavour)
{
    config->batch.max_events = flavour->max_events;
    config->batch.max_updates = flavour->max_updates;
    config->delivery = flavour->delivery;
    config->rule.shadow = flavour->shadow;
    config->input.format = flavour->schemas ? FORMAT_AVRO : FORMAT_JSON;
}

static void
decide_any_time(struct world *world)
{
    const struct flavour flavour = {.decisions = DECISIONS_ANY_TIME};

    input_decide(world, &flavour);
}

static void
prepare_world(struct world *world, const struct history *history)
{
    const struct flavour *flavour = &history->flavour;

    world->partition_count = flavour->partitions;
    world->decide = decide_any_time;
    world->flips = flavour->flips;
    world->decision_lag_ms = flavour->decisions == DECISIONS_NONE ? 0 : 60000;
    memcpy(world->plans, history->plans, sizeof(world->plans));
    for (int i = 0; i < WORLD_SCHEMAS; i++) {
        /* Where lost writes may come back, what was counted in one history could be rejected in the
         * other: nothing can undo that (docs/delivery.md), so no schema becomes known there. */
        if (world_chance(world, 500) && !flavour->flips) {
            world->schema_known_ms[i] = world->wall_ms + (int64_t)world_random(world, 3600 * 1000);
        }
    }
    for (int i = 0; i < flavour->instances; i++) {
        world_start(world, i);
    }
}

/* SIGVTALRM ends a process whose turn does not end. */
static void
limit_time(void)
{
    const struct itimerval limit = {.it_value.tv_sec = HISTORY_CPU_S};

    (void)setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

void
history_run(const struct history *history, struct config *config, bool trace,
        struct outcome_of_history *outcome)
{
    struct world world;

    limit_time();
    *outcome = (struct outcome_of_history){0};
    prepare_config(config, &history->flavour);
    world_init(&world, history->seed, config);
    world.trace = trace;
    prepare_world(&world, history);
    for (size_t i = 0; i < history->count && may_go_on(&world); i++) {
        const struct step *step = &history->steps[i];

        if (!step->left_out) {
            world.random = step->seed;
            world.faults = step->quiet ? (struct world_faults){0} : history->flavour.faults;
            run_step(&world, &history->flavour, step);
            mend(&world, &history->flavour);
        }
    }
    outcome->calls = world.calls;
    settle(&world, &history->flavour);
    if (!world.failed) {
        check_world(&world, &history->flavour, outcome);
    }
    outcome->failed = world.failed;
    outcome->refused = world.refused;
    outcome->rebuilt = world.rebuilt;
    outcome->lost_writes = world.lost_writes;
    memcpy(outcome->failure, world.failure, sizeof(outcome->failure));
    world_fini(&world);
}

/* ---- cutting down ---------------------------------------------------------------------------- */

static bool
still_fails(const struct history *history, struct config *config)
{
    struct outcome_of_history outcome;

    history_run(history, config, false, &outcome);
    return outcome.failed;
}

/* Leave out, or make quiet, as many of the steps as can be spared, size at a time. */
static void
shrink_by(struct history *history, struct config *config, size_t size, bool only_quiet)
{
    struct step *saved = memory_new(history->count, sizeof(*saved));

    for (size_t i = 0; i < history->count; i += size) {
        memcpy(saved, history->steps, history->count * sizeof(*saved));
        for (size_t k = i; k < i + size && k < history->count; k++) {
            history->steps[k].left_out = history->steps[k].left_out || !only_quiet;
            history->steps[k].quiet = true;
        }
        if (!still_fails(history, config)) {
            memcpy(history->steps, saved, history->count * sizeof(*saved));
        }
    }
    free(saved);
}

static void
shrink_faults(struct history *history, struct config *config)
{
    struct world_faults *faults = &history->flavour.faults;

#define WITHOUT(name)                                            \
    {                                                            \
        const int saved = faults->name;                          \
        faults->name = 0;                                        \
        faults->name = still_fails(history, config) ? 0 : saved; \
    }
    FAULT_MAP(WITHOUT)
#undef WITHOUT
}

void
history_shrink(struct history *history, struct config *config)
{
    shrink_faults(history, config);
    for (size_t size = history->count / 2; size > 0; size /= 2) {
        shrink_by(history, config, size, false);
    }
    for (size_t size = history->count / 2; size > 0; size /= 2) {
        shrink_by(history, config, size, true);
    }
    shrink_by(history, config, 1, false);
}

static bool
same_kind_of_step(const struct step *a, const struct step *b)
{
    return a->left_out == b->left_out && a->quiet == b->quiet;
}

void
history_print_steps(const struct history *history)
{
    const char *comma = "";

    for (size_t i = 0; i < history->count; i++) {
        const size_t first = i;

        while (i + 1 < history->count &&
                same_kind_of_step(&history->steps[i], &history->steps[i + 1])) {
            i++;
        }
        if (!history->steps[i].left_out) {
            printf("%s%zu", comma, first);
            if (i > first) {
                printf("-%zu", i);
            }
            fputs(history->steps[i].quiet ? "q" : "", stdout);
            comma = ",";
        }
    }
    comma = " --without ";
#define PRINT_IF_NONE(name)                  \
    if (history->flavour.faults.name == 0) { \
        printf("%s%s", comma, #name);        \
        comma = ",";                         \
    }
    FAULT_MAP(PRINT_IF_NONE)
#undef PRINT_IF_NONE
}

bool
history_without(struct history *history, const char *names)
{
    while (*names != '\0') {
        const size_t size = strcspn(names, ",");
        int *fault = NULL;

#define FIND(name)                                                      \
    if (size == sizeof(#name) - 1 && memcmp(names, #name, size) == 0) { \
        fault = &history->flavour.faults.name;                          \
    }
        FAULT_MAP(FIND)
#undef FIND
        if (fault == NULL) {
            return false;
        }
        *fault = 0;
        names += size;
        names += *names == ',';
    }
    return true;
}

bool
history_choose(struct history *history, const char *text)
{
    for (size_t i = 0; i < history->count; i++) {
        history->steps[i].left_out = true;
    }
    while (*text != '\0') {
        char *end;
        const size_t first = strtoull(text, &end, 10);
        size_t last = first;

        if (end == text) {
            return false;
        }
        if (*end == '-') {
            last = strtoull(end + 1, &end, 10);
        }
        for (size_t i = first; i <= last && i < history->count; i++) {
            history->steps[i].left_out = false;
            history->steps[i].quiet = *end == 'q';
        }
        end += *end == 'q';
        end += *end == ',';
        text = end;
    }
    return true;
}
