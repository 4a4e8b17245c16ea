/* world_internal.h - what the parts of the simulated world share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_SIMULATION_WORLD_INTERNAL_H
#define RETRYWATCH_TESTS_SIMULATION_WORLD_INTERNAL_H

#include "tests/simulation/world.h"

#include <stddef.h>

/* What becomes of one call. A crashed instance's later calls fail without doing anything, which to
 * the world is the same as a process that ended at this call. */
enum fate {
    FATE_DONE,
    FATE_FAILED,     /* nothing was done, and the caller is told so */
    FATE_LOST_REPLY, /* done, but the caller is told that nobody knows */
    FATE_NOT_DONE,   /* not done, and the caller is told that nobody knows */
    FATE_CRASHED,    /* the instance ended before it was done */
    FATE_CRASHED_AFTER
};

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
    bool running;       /* inside a turn, which others may interrupt */
    int64_t generation; /* remembered when the assignment last changed */
    struct sim_partition partitions[WORLD_PARTITIONS_MAX];
    struct record *records;
    size_t record_capacity;
    char metadata[WORLD_PARTITIONS_MAX][CURSOR_TEXT_SIZE];
    struct source source;
    struct store store;
    struct publisher publisher;
    struct decision_feed feed;
    struct readback readback;
    enum fate exec_fate; /* of the EXEC that was begun */
    struct decoder *decoder;
    struct decisions *decisions;
    struct loop *loop;
};

#define INSTANCE_OF(pointer, member) \
    ((struct instance *)((char *)(pointer)-offsetof(struct instance, member)))

/** Before any call: time passes, others may move, and the call meets its fate. */
enum fate sim_fate(struct instance *instance, int64_t down_until_ms);
bool fate_is_done(enum fate fate);
/** What the caller of a call that writes, or only reads, is told. */
enum status fate_told(enum fate fate, enum status down, struct error *error);
enum status fate_told_read(enum fate fate, enum status down, struct error *error);

void sim_trace(
        const struct instance *instance, const char *what, int32_t partition, const char *outcome);
void sim_stop(struct instance *instance);

extern const struct store_ops sim_store_ops;

void state_clear(struct world_state *state);
void state_copy(struct world_state *to, const struct world_state *from);
void state_fini(struct world_state *state);

#endif
