/* world.h - a simulated Kafka, Redis and clock, in which instances of the service live and die.
 *
 * The loop, the core and the codec are those of production; only what is behind source.h, store.h,
 * publisher.h, decision_feed.h, readback.h and clock.h is simulated. One seed is one history.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_SIMULATION_WORLD_H
#define RETRYWATCH_TESTS_SIMULATION_WORLD_H

#include "codec/state.h"
#include "consumer/config.h"
#include "consumer/loop.h"

#define WORLD_PARTITIONS_MAX 4
#define WORLD_INSTANCES_MAX 4
#define WORLD_SCHEMAS 4 /* schema ids that are not known at first: 100, 101, ... */
#define WORLD_SCHEMA_KNOWN 1
#define WORLD_SCHEMA_FIRST 100
#define WORLD_TRANSACTIONS_MAX 16

/* What must come of a record. */
enum record_fate {
    RECORD_VALID,   /* counted once */
    RECORD_INVALID, /* rejected once */
    RECORD_EITHER   /* its schema id may stay unknown: counted or rejected, never both */
};

/* One record of the input topic. */
struct world_record {
    int64_t timestamp_ms;
    struct buffer value;
    bool is_null;
    enum record_fate fate;
};

/* One record of the decisions topic. */
struct world_decision {
    int64_t put_ms;
    char *json;
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
    uint64_t serial;   /* 0: a rejection that is a pure function of its record */
    int64_t offset;    /* in rw-position, and T for reviews */
    int64_t stream_ms;
    int64_t timestamp_ms;
    struct buffer key, value, headers;
};

struct world_log {
    struct world_record *records;
    size_t count, capacity;
    int64_t committed; /* -1: none */
    char metadata[CURSOR_TEXT_SIZE];
    int owner;            /* instance that may hold it; -1: nobody */
    int wanted;           /* instance that the coordinator gives it to */
    uint64_t published;   /* the last serial in an output topic */
    int64_t published_at; /* `applied` after the EXEC of the last review, and T */
    int64_t published_ms;
    size_t decisions_known; /* by whoever evaluated last */
};

/* A transaction whose offsets are sent and whose end is not known to the broker yet. */
struct world_transaction {
    uint64_t id; /* 0: free */
    struct instance *instance;
    struct world_output *outputs;
    size_t output_count, output_capacity;
    struct {
        int32_t partition;
        int64_t offset;
        char metadata[CURSOR_TEXT_SIZE];
    } positions[WORLD_PARTITIONS_MAX];
    size_t position_count;
};

/* What becomes of one call. A crashed instance's later calls fail without doing anything, which to
 * the world is the same as a process that ended at this call. */
enum fate {
    FATE_DONE,
    FATE_FAILED,     /* nothing was done, and the caller is told so */
    FATE_LOST_REPLY, /* done, but the caller is told that nobody knows */
    FATE_NOT_DONE,   /* not done, and the caller is told that nobody knows */
    FATE_CRASHED,    /* the instance ended before it was done */
    FATE_CRASHED_AFTER,
    FATE_OVERTAKEN, /* done, but first the group went on without the instance */
    FATE_FORGOTTEN, /* done, but first Redis lost its last writes */
    FATE_FLIPPED,   /* done, but first a replica that lags took over, or gave back */
    FATE_COUNT
};

/* A fault that is planned for one call of the history. */
struct world_plan {
    uint64_t call; /* counted from 1; 0: none */
    enum fate fate;
};

#define WORLD_PLANS 2

struct instance;
struct rebuild_old;

/* How often things go wrong, in thousandths of a call (or of a step); all 0: never. */
#define FAULT_MAP(X) \
    X(crash)         \
    X(lost_reply)    \
    X(failure)       \
    X(interleave)    \
    X(slow)          \
    X(expel)         \
    X(persist)       \
    X(lose)          \
    X(decide)        \
    X(stale_end)

struct world_faults {
#define FAULT_FIELD(name) int name;
    FAULT_MAP(FAULT_FIELD)
#undef FAULT_FIELD
};

struct world {
    uint64_t random;
    int64_t wall_ms;    /* also the monotonic clock */
    struct clock clock; /* points back by container */
    struct config *config;
    struct world_faults faults;
    struct world_plan plans[WORLD_PLANS];
    uint64_t calls; /* that have met their fate so far */
    struct world_log logs[WORLD_PARTITIONS_MAX];
    struct world_state states[WORLD_PARTITIONS_MAX];
    struct world_state durable[WORLD_PARTITIONS_MAX]; /* what Redis has after its next crash */
    bool stored_reviews;                              /* by the last call */
    bool lost_writes;                                 /* Redis has lost some in this history */
    bool flips;                                       /* a replica that lags takes over */
    int64_t flip_back_ms;                             /* when; 0: not at all */
    void (*decide)(struct world *world);              /* some owner records a decision */
    bool changed_roles;                               /* and perhaps got them back */
    bool emptied;                                     /* Redis was emptied */
    bool must_refuse;                                 /* that had been counted and committed */
    bool reset;                                       /* committed offsets were deleted */
    bool rejects_again;                               /* so what was rejected is not known */
    const struct rebuild_old *rebuild;                /* the log is being counted anew */
    bool rebuilt;                                     /* it was */
    bool refused;                                     /* and an instance has said so, and ended */
    int32_t partition_count;
    int64_t generation; /* of the consumer group */
    struct instance *instances[WORLD_INSTANCES_MAX];
    int instance_count;
    int64_t store_down_until_ms, broker_down_from_ms, broker_down_until_ms;
    struct world_output *outputs;
    size_t output_count, output_capacity;
    struct world_transaction transactions[WORLD_TRANSACTIONS_MAX];
    uint64_t transaction_count;
    struct world_decision *decisions;
    size_t decision_count, decision_capacity;
    int64_t decision_lag_ms;                /* of what arrives by itself, at most */
    int64_t schema_known_ms[WORLD_SCHEMAS]; /* when the registry learns it */
    uint64_t writes;                        /* EXECs and transactions that were done */
    int depth;                              /* of interleaved turns */
    bool trace;
    bool failed; /* something happened that never may */
    char failure[256];
};

/** A world with nothing in it; config is borrowed and may be changed before the first instance. */
void world_init(struct world *world, uint64_t seed, struct config *config);
void world_fini(struct world *world);

/** What never may happen has happened. The first one is kept. */
void world_fail(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);

/** Uniform in 0..bound-1. */
uint64_t world_random(struct world *world, uint64_t bound);
bool world_chance(struct world *world, int per_thousand);

/** Append a record to a partition at the present time; value is copied, null is null. */
void world_append(struct world *world, int32_t partition, struct span value, enum record_fate fate);

/** Put a decision into its topic at the present time. Takes json. */
void world_decide(struct world *world, char *json);

/** A fresh instance of the service in this place. */
void world_start(struct world *world, int index);

/** One turn of a live instance; one that crashed in it is started again. */
void world_turn(struct world *world, int index);

/** The process ends, in good order or not, and is started again. */
void world_restart(struct world *world, int index, bool drains);

/** The coordinator gives each partition to some instance. */
void world_rebalance(struct world *world);

/** The instance was silent for too long: the group goes on without it, and it does not know.
 * deaf: how many polls it goes on without hearing of it. */
void world_expel(struct world *world, int index, int deaf);

/** Redis has written everything to disk. */
void world_persist(struct world *world);

/** Redis crashes and comes back with what it had on disk, or a replica takes over that lags so far
 * behind; then what is lost may come back with the next change of roles. */
void world_lose_writes(struct world *world, bool changes_roles);

/** Whether a reader sees this pending record as it is stored under this serial. */
bool world_is_published(const struct world *world, int32_t partition, uint64_t serial,
        const struct pending *pending);

/** Somebody empties Redis, or deletes the group's offsets. */
void world_empty(struct world *world);
void world_reset(struct world *world);

/** An operator stops the service, has the log counted anew, and starts it again. */
void world_rebuild(struct world *world);

/** Whether everything appended is counted, published and committed. */
bool world_is_settled(const struct world *world);

/** The schema fetch of the reference: it knows every id. A schema_fetch. */
enum status world_fetch_known(void *context, int64_t id, char **json, struct error *error);

#endif
