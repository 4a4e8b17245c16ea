/* history.h - what happens in one simulated history, as a list of steps that can be cut down.
 *
 * A seed gives the list; each step has a seed of its own, so that leaving one out changes nothing
 * about the draws of the others.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_SIMULATION_HISTORY_H
#define RETRYWATCH_TESTS_SIMULATION_HISTORY_H

#include "tests/simulation/world.h"

enum step_kind {
    STEP_TURN, /* of one instance */
    STEP_APPEND,
    STEP_DECIDE,
    STEP_SILENCE,
    STEP_REBALANCE,
    STEP_EXPEL,
    STEP_RESTART,
    STEP_STORE_OUTAGE,
    STEP_BROKER_OUTAGE,
    STEP_PERSIST,
    STEP_LOSE_WRITES,
    STEP_EMPTY,
    STEP_RESET,
    STEP_REBUILD,
    STEP_SCRIPT, /* of the fixed histories; its seed is the number of the scene */
    STEP_KINDS
};

struct step {
    enum step_kind kind;
    uint64_t seed;
    bool left_out; /* by the shrinker */
    bool quiet;    /* by the shrinker: no faults in it */
};

enum decisions_kind {
    DECISIONS_NONE,
    DECISIONS_IN_TIME, /* each is known everywhere before it starts: the result is exact */
    DECISIONS_ANY_TIME /* also revoked, in the past, replaced */
};

/* What kind of history it is. */
struct flavour {
    enum decisions_kind decisions;
    enum delivery delivery;
    bool schemas; /* Avro, with schema ids that are not known at once or ever */
    bool shadow;
    bool loses_writes;
    bool rebuilds; /* what is refused is counted anew */
    bool flips;    /* what Redis has lost may come back: a replica lags, and roles change */
    bool in_order; /* events are no older than a minute; then an answer about the end may be old */
    int partitions, instances;
    int64_t max_events, max_updates;
    struct world_faults faults;
};

struct history {
    uint64_t seed;
    struct flavour flavour;
    struct step *steps;
    size_t count, capacity;
    struct world_plan plans[WORLD_PLANS];
};

/* What came of one run. */
struct outcome_of_history {
    bool failed;
    char failure[256];
    size_t reviews;   /* that a reader saw */
    bool refused;     /* rightly */
    bool rebuilt;     /* the log was counted anew */
    bool lost_writes; /* Redis lost some */
    uint64_t calls;   /* that met their fate before faults ended */
    size_t decided;   /* reviews of status decided */
};

/** The history of a seed. */
void history_init(struct history *history, uint64_t seed);
/** A small one by hand, to try every fault at every call; a tiny one, to try every pair. */
void history_small(struct history *history);
void history_tiny(struct history *history);
void history_fini(struct history *history);

/** Run it in a world of its own and check what came of it. */
void history_run(const struct history *history, struct config *config, bool trace,
        struct outcome_of_history *outcome);

/** No faults of these kinds, by their names with commas between. false: no such kind. */
bool history_without(struct history *history, const char *names);

/** Leave out steps and faults while it still fails. */
void history_shrink(struct history *history, struct config *config);

/** The steps that are left, as history_choose() reads them: "0-4,7q,9"; q: without faults.
 * And the kinds of faults that have been left out. */
void history_print_steps(const struct history *history);
/** false: text is not such a list. */
bool history_choose(struct history *history, const char *text);

/** Put some random events into the log; some are invalid. */
void input_append(struct world *world, const struct flavour *flavour);
/** A decision that one of the owners could have recorded. */
void input_decide(struct world *world, const struct flavour *flavour);
/** A scene of the fixed histories. */
void input_scene(struct world *world, uint64_t scene);

/** Check everything that a reader of the topics and of Redis sees at the end. */
void check_world(
        struct world *world, const struct flavour *flavour, struct outcome_of_history *outcome);

#endif
