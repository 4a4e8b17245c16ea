/* world_internal.h - what the parts of the simulated world share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_SIMULATION_WORLD_INTERNAL_H
#define RETRYWATCH_TESTS_SIMULATION_WORLD_INTERNAL_H

#include "tests/simulation/world.h"

#include <stddef.h>

#define SESSION_TIMEOUT_MS 10000
#define TRANSACTION_TIMEOUT_MS 10000

/* What the source of one instance knows of one partition. */
struct sim_partition {
    bool assigned, resumed;
    int64_t next;
};

struct instance {
    struct world *world;
    int index;
    bool dead;
    bool expelled;
    int deaf;           /* polls before it hears what the coordinator said */
    bool running;       /* inside a turn, which others may interrupt */
    bool revoking;      /* inside the callback that takes partitions away in good order */
    int64_t generation; /* remembered when the assignment last changed */
    uint64_t process;
    int64_t lag_ms; /* of decisions that arrive by themselves */
    struct sim_partition partitions[WORLD_PARTITIONS_MAX];
    bool loading[WORLD_PARTITIONS_MAX]; /* from asking for the committed position to reading on */
    struct record *records;
    size_t record_capacity;
    char metadata[WORLD_PARTITIONS_MAX][CURSOR_TEXT_SIZE];
    int64_t schema_asked_ms[WORLD_SCHEMAS]; /* 0: not yet */
    struct source source;
    struct store store;
    struct publisher publisher;
    struct decision_feed feed;
    struct readback readback;
    enum fate exec_fate; /* of the EXEC that was begun */
    bool disconnected;   /* from Redis, which the next call finds out */
    bool exec_waits;     /* Redis has not executed it yet */
    struct changes exec; /* if so */
    struct decoder *decoder;
    struct decisions *decisions;
    size_t decisions_known; /* of the topic, in order */
    struct arena arena;
    struct loop *loop;
    struct source *rebuild_source; /* of one that counts the log anew, instead of its source */
    struct readback *rebuild_readback;
};

#define INSTANCE_OF(pointer, member) \
    ((struct instance *)((char *)(pointer)-offsetof(struct instance, member)))

/** Before any call: time passes, others may move, and the call meets its fate. */
enum fate sim_fate(struct instance *instance, const char *call, int64_t down_until_ms);
bool fate_is_done(enum fate fate);
/** What the caller of a call that writes, or only reads, is told. */
enum status fate_told(enum fate fate, enum status down, struct error *error);
enum status fate_told_read(enum fate fate, enum status down, struct error *error);

void sim_trace(
        const struct instance *instance, const char *what, int32_t partition, const char *outcome);

extern const struct source_ops sim_source_ops;
extern const struct publisher_ops sim_publisher_ops;
extern const struct readback_ops sim_readback_ops;
extern const struct store_ops sim_store_ops;
extern const struct decision_feed_ops sim_feed_ops;

/** The registry as this instance sees it. A schema_fetch. */
enum status sim_fetch(void *context, int64_t id, char **json, struct error *error);

/** What an instance that counts the log anew is connected to instead of its own. */
void rebuild_connect(struct instance *instance, struct source **source, struct readback **readback);
void rebuild_disconnect(struct instance *instance);

/** The process is gone. */
void sim_stop(struct instance *instance);

/** Tell the instance what has changed in its assignment. */
void sim_rebalance(struct instance *instance);

/** The transactions of an instance that has ended stay open until somebody waits for them. */
void transactions_orphan(struct world *world, const struct instance *instance);

void output_fini(struct world_output *output);
void state_clear(struct world_state *state);
void state_copy(struct world_state *to, const struct world_state *from);
void state_fini(struct world_state *state);

/** The value of a field of a map, or NULL. */
const struct world_field *state_field(
        const struct world_state *state, const char *map, uint64_t number);

#endif
