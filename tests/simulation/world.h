/* world.h - a simulated Kafka, Redis and clock, in which instances of the service live and die.
 *
 * The loop, the core and the codec are those of production; only what is behind source.h, store.h,
 * publisher.h and clock.h is simulated. One seed is one history.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_SIMULATION_WORLD_H
#define RETRYWATCH_TESTS_SIMULATION_WORLD_H

#include "codec/state.h"
#include "consumer/config.h"
#include "consumer/loop.h"

#define WORLD_PARTITIONS_MAX 4
#define WORLD_INSTANCES_MAX 4

/* One record of the input topic. */
struct world_record {
    int64_t timestamp_ms;
    char *value; /* JSON; NULL for a record without value */
    bool valid;  /* is counted; else a rejected record must come of it, once */
};

/* One field of the simulated Redis. */
struct world_field {
    char *map, *field;
    struct buffer value;
};

/* The state of one partition in Redis. */
struct world_state {
    bool exists;
    struct buffer applied;
    struct world_field *fields;
    size_t count, capacity;
};

/* What a read_committed reader of an output topic sees. */
struct world_output {
    enum out_topic topic;
    int32_t partition; /* of the input, from rw-position or the headers */
    struct buffer key, value, headers;
};

struct world_log {
    struct world_record *records;
    size_t count, capacity;
    int64_t committed; /* -1: none */
    char metadata[CURSOR_TEXT_SIZE];
    int owner;  /* instance that may hold it; -1: nobody */
    int wanted; /* instance that the coordinator gives it to */
};

struct instance;

/* How often things go wrong, in thousandths of a call; all 0: never. */
struct world_faults {
    int crash, lost_reply, failure, interleave, rebalance, expel, outage, lose_writes;
};

struct world {
    uint64_t random;
    int64_t wall_ms;    /* also the monotonic clock */
    struct clock clock; /* points back by container */
    struct config *config;
    struct world_faults faults;
    struct world_log logs[WORLD_PARTITIONS_MAX];
    struct world_state states[WORLD_PARTITIONS_MAX];
    struct world_state durable[WORLD_PARTITIONS_MAX]; /* what Redis has after its next crash */
    bool lost_writes;                                 /* Redis has lost some in this history */
    int32_t partition_count;
    int64_t generation; /* of the consumer group */
    struct instance *instances[WORLD_INSTANCES_MAX];
    int instance_count;
    int64_t store_down_until_ms, broker_down_until_ms;
    struct world_output *outputs;
    size_t output_count, output_capacity;
    int depth; /* of interleaved turns */
    bool trace;
    bool failed; /* something happened that never may */
};

/** A world with nothing in it; config is borrowed and may be changed before the first instance. */
void world_init(struct world *world, uint64_t seed, struct config *config);
void world_fini(struct world *world);

/** Uniform in 0..bound-1. */
uint64_t world_random(struct world *world, uint64_t bound);
bool world_chance(struct world *world, int per_thousand);

/** Append a record to a partition at the present time. Takes value. */
void world_append(struct world *world, int32_t partition, char *value, bool valid);

/** A fresh instance of the service in this place. */
void world_start(struct world *world, int index);

/** One turn of a live instance; one that crashed in it is started again. */
void world_turn(struct world *world, int index);

/** The coordinator gives each partition to some instance. */
void world_rebalance(struct world *world);

/** The instance was silent for too long: the group goes on without it, and it does not know. */
void world_expel(struct world *world, int index);

/** Redis has written everything to disk. */
void world_persist(struct world *world);

/** Redis crashes and comes back with what it had on disk. */
void world_lose_writes(struct world *world);

/** Whether everything appended is counted, published and committed. */
bool world_is_settled(const struct world *world);

#endif
