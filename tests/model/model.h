/* model.h - the rules of docs/delivery.md alone, small enough to try everything that may happen.
 *
 * One partition, three records, two instances. A state is a few bytes; a step is one call, one
 * answer or one fault. The service's code is not in it: that is what the simulation is for.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_MODEL_MODEL_H
#define RETRYWATCH_TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define RECORDS 3
#define GROUPS 2
#define INSTANCES 2
#define PENDING_MAX 6

/* One rule left out. */
#define MUTANT_MAP(X)                                                                     \
    X(NONE, "")                                                                           \
    X(NO_WATCH, "an EXEC does not compare `applied`")                                     \
    X(COMMIT_FIRST, "offset and cursor are committed before the reviews are published")   \
    X(RECOMPUTE, "after a restart reviews are made again instead of published as stored") \
    X(COUNT_AGAIN, "records below `applied` are counted again")                           \
    X(NO_REJECTED, "rejected records are not made again below `applied`")                 \
    X(UNSTABLE, "the committed position is read without waiting for transactions")        \
    X(NO_FENCING, "a transaction does not carry the group's generation")                  \
    X(NO_SECOND_READ, "`applied` is not read again after the state")                      \
    X(PRUNE_EARLY, "pending is removed before its commit is known")                       \
    X(NO_QUIET, "what gave the adopted reviews is evaluated again")                       \
    X(COMMITTED_BACK, "while records are read again a smaller offset is committed")       \
    X(TRUST_UNKNOWN, "a transaction whose outcome is not known is taken for committed")

#define MUTANT_ENUM(name, text) MUTANT_##name,
enum mutant { MUTANT_MAP(MUTANT_ENUM) MUTANT_COUNT };
#undef MUTANT_ENUM

extern const char *const mutant_names[MUTANT_COUNT];
extern const char *const mutant_texts[MUTANT_COUNT];

/* A review that waits in Redis; record + 1, 0: none. */
struct waiting {
    uint8_t serial, token, record, offset, sequence;
};

/* What the EXECs write, and what memory holds of it. */
struct stored {
    uint8_t offset, serial, token, quiet; /* quiet: evaluate nothing below this offset */
    uint8_t counted[RECORDS];             /* how often */
    uint8_t sequence[GROUPS];             /* the state of a group: reviews that it has given */
    struct waiting pending[PENDING_MAX];
};

struct cursor_of {
    uint8_t offset, serial, token;
};

enum place {
    IDLE, /* has no partition */
    READ_APPLIED,
    READ_PENDING,
    READ_COMMITTED,
    COMPARE,
    COMMIT_BACK,
    CLAIM,
    READ_STATE,
    READ_AGAIN,
    READ_BACK,
    RUNNING,
    SENT,      /* offsets and records are sent, the end of the transaction is not */
    SENT_FIRST /* mutant: the position is committed, the records are not */
};

struct transaction {
    uint8_t open; /* 1: of a live instance, 2: nobody will end it any more */
    struct cursor_of position;
    uint8_t rejected; /* bit each record */
    struct waiting reviews[PENDING_MAX];
};

struct member {
    uint8_t place, generation;
    uint8_t has_memory;
    uint8_t attempted; /* token of an EXEC whose answer was lost */
    uint8_t adopts;
    uint8_t next;
    uint8_t rejected;     /* bit each record, waiting for a transaction */
    struct stored memory; /* the fold, and `applied` and pending as last written or read */
    uint8_t applied;      /* the offset that is stored; memory.offset may be ahead of it */
    struct cursor_of kafka;
    struct waiting fresh[PENDING_MAX]; /* reviews that no EXEC has stored yet */
    struct transaction transaction;
};

struct model {
    struct stored redis, durable;
    struct cursor_of committed;
    uint8_t owner, generation;
    uint8_t reviews[RECORDS], rejections[RECORDS]; /* how often a reader sees them */
    struct waiting outputs[PENDING_MAX];           /* published reviews, by serial */
    uint8_t published;                             /* the last serial */
    struct member members[INSTANCES];
    uint8_t crashes, losses, moves, doubts; /* faults that may still come */
};

/* The faults of one search. */
struct budget {
    uint8_t crashes, losses, moves, doubts;
};

/** The first state. */
void model_init(struct model *model, const struct budget *budget);

/**
 * Every state that one step leads to: emit() is called with each.
 *
 * Returns NULL, or what must never happen and did in a step.
 */
const char *model_steps(const struct model *model, enum mutant mutant,
        void (*emit)(void *context, const struct model *next), void *context);

/** What must hold in a state in which nothing but faults can happen any more; NULL: it does. */
const char *model_at_rest(const struct model *model);

#endif
