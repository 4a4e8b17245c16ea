/* claim.h - one partition that this instance holds: its fold, and how Redis and Kafka tie to it.
 *
 * Kafka holds the input and what was published, Redis holds the state. Two numbers tie them
 * together (docs/delivery.md): the serial of what is to be published, and the token of the EXEC
 * that stored it. A claim keeps both, and never does anything that they do not allow.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_CLAIM_H
#define RETRYWATCH_CONSUMER_CLAIM_H

#include "aggregator/partition.h"
#include "codec/state.h"
#include "consumer/position.h"
#include "consumer/publisher.h"
#include "consumer/readback.h"
#include "consumer/source.h"
#include "consumer/store.h"

/* The ways out of what cannot be continued (docs/delivery.md). */
#define COUNT_ANEW "`retrywatch rebuild` counts the topic anew, and keeps what was published"
#define START_AFRESH "use another `group` and redis.prefix to start afresh"

/* A rebuild counts the log once more, into a namespace of its own (docs/delivery.md). */
enum rebuild_step {
    REBUILD_NONE,     /* the service */
    REBUILD_COUNTERS, /* up to the committed offset: count, evaluate nothing, adopt nothing yet */
    REBUILD_REVIEWS   /* adopt what was published, and go on from there; still publish nothing */
};

enum claim_state {
    CLAIM_LOADING, /* paused: memory is not, or may not be, what is stored */
    CLAIM_RUNNING, /* records are counted */
    CLAIM_WAITING  /* paused at a record whose schema is not known yet */
};

/* One record to publish, waiting for its transaction or for being pruned from Redis. */
struct claim_record {
    uint64_t serial;    /* 0: a rejected record, a pure function of its input record */
    struct token token; /* of the EXEC that stored it; serial > 0 */
    enum pending_kind kind;
    int64_t offset;        /* of a rejected record: the input record's own */
    struct out_record out; /* points into bytes */
    uint8_t *bytes;        /* owned */
};

struct claim_records {
    struct claim_record *items;
    size_t count, capacity;
};

/** Copy the parts into one block that the record owns. */
void record_own(
        struct claim_record *record, struct span key, struct span value, struct span headers);

/** Takes what the record owns. */
void records_add(struct claim_records *records, struct claim_record record);

void records_clear(struct claim_records *records);

/* All stored values are as this instance last wrote or read them. */
struct claim {
    int32_t partition;
    enum claim_state state;
    int64_t retry_at_ms;              /* monotonic: when LOADING or WAITING goes on */
    int64_t backoff_ms;               /* of the next failure to load */
    struct partition_options options; /* of fold */
    struct partition *fold;           /* NULL until loaded */
    struct applied applied;           /* what Redis holds */
    struct buffer applied_bytes;      /* the same, byte by byte: what the next EXEC expects */
    bool stored;                      /* whether Redis holds anything */
    struct token attempted;           /* of an EXEC whose outcome is not known */
    struct cursor cursor;             /* what Kafka holds: the last serial published */
    int64_t committed;                /* what Kafka holds: the committed offset; -1: none */
    struct exec *exec;                /* begun and not ended; NULL: none */
    struct exec *spare;               /* the memory of the one before; NULL: none */
    bool adopts;                      /* Redis has lost what is published: to be read back */
    size_t lost_count; /* of what was published, no longer there to be read back (rebuild) */
    int64_t *passed;   /* offsets of verdicts published before Redis lost them; not judged again */
    size_t passed_count, passed_capacity;
    int64_t next;              /* the next record to look at; below applied.offset after a load */
    const struct record *last; /* the last record counted since the EXEC, until the batch ends */
    struct claim_records pending;  /* stored in Redis, in order of serial: published up to cursor */
    struct claim_records verdicts; /* to be stored by the next EXEC, with its first serials */
    struct claim_records rejected; /* from committed up to next, not stored */
    int64_t checked_ms;            /* monotonic: when `applied` was last seen to be ours */
    int64_t ticked_ms;             /* monotonic: the last tick */
    int64_t viewed_ms;             /* monotonic: when all views were up to date */
};

/* What all claims of an instance share. Borrowed. */
struct claim_context {
    struct position_origin origin;                /* the topic that is read, and the group */
    const struct partition_options *fold_options; /* of every partition but its number */
    struct store *store;
    struct readback *readback;
    void (*show_review)(void *context, struct span record); /* its view, from what was published */
    void *show_context;
    enum rebuild_step rebuild;
    uint64_t process;    /* 64 random bits */
    uint64_t exec_count; /* EXECs of this process */
    digest_function *digest;
    int32_t review_schema_id;
};

struct claim *claim_new(int32_t partition);
void claim_destroy(struct claim *claim);

/** Forget what is not stored, and load again after ms (or the claim's own backoff, if -1). */
void claim_reload(struct claim *claim, int64_t now_ms, int64_t ms);

/**
 * Read what is stored of a partition, without claiming it: for looking only. claim->stored tells
 * whether there is anything; then claim->fold is what is stored.
 *
 * Errors: as store; STATUS_REFUSED for state that cannot be read.
 */
enum status claim_look(
        struct claim *claim, struct claim_context *context, struct error *error) MUST_CHECK;

/**
 * A record that is not counted. A pure function of the record waits for the next transaction; a
 * verdict that time decided is stored with a serial by the next EXEC.
 */
void claim_reject(struct claim *claim, const struct claim_context *context,
        const struct record *record, enum status reason, const char *detail, int64_t schema_id);

/** Whether a verdict on the record at offset is stored or was published: it is not judged again. */
bool claim_has_verdict(const struct claim *claim, int64_t offset);

/** Whether there is anything that the next EXEC would store or prune. */
bool claim_is_dirty(struct claim *claim);

/**
 * Begin to store what changed, in one EXEC: counters, reviews to publish with their serials,
 * `applied`; prune what is known as published. Until claim_exec_end() the claim is left alone.
 *
 * wall_ms: stored beside it.
 * Errors:  as store->exec_begin; nothing is to be ended, and the claim must be reloaded.
 */
enum status claim_exec_begin(struct claim *claim, struct claim_context *context, int64_t wall_ms,
        struct error *error) MUST_CHECK;

/** Wait for its outcome. Errors: as store->exec_end; the claim must then be reloaded. */
enum status claim_exec_end(
        struct claim *claim, struct claim_context *context, struct error *error) MUST_CHECK;

/** The same for a claim that is being loaded: prune, and write `applied` with a new token. */
enum status claim_exec_token(struct claim *claim, struct claim_context *context, int64_t wall_ms,
        struct error *error) MUST_CHECK;

/**
 * The same after reading back what Redis had lost: pending becomes kept, with serials above the
 * cursor. Takes what kept owns.
 */
enum status claim_exec_adopted(struct claim *claim, struct claim_context *context, int64_t wall_ms,
        struct claim_records *kept, struct error *error) MUST_CHECK;

/** The position that a transaction commits once it holds everything that is to be published. */
struct position claim_position(const struct claim *claim, char metadata[CURSOR_TEXT_SIZE]);

/**
 * What the next transaction publishes, reviews in order of serial first. Borrowed until the claim
 * changes; with out NULL only counted.
 */
size_t claim_collect(const struct claim *claim, struct out_record *out);

/** The transaction is committed: forget the rejected records, move the cursor. */
void claim_published(struct claim *claim);

/* ---- loading, in the order of docs/delivery.md ------------------------------------------------
 */

/** Step 1: read `applied` and `pending`. Errors: as store; STATUS_REFUSED. */
enum status claim_read_stored(
        struct claim *claim, struct claim_context *context, struct error *error) MUST_CHECK;

/**
 * Steps 2 and 4: what Kafka holds against what Redis holds.
 *
 * position:  the committed one, stable.
 * low, high: the log's limits now.
 * Errors:    STATUS_REFUSED with what differs and the way out.
 */
enum status claim_compare(struct claim *claim, struct claim_context *context,
        const struct position *position, int64_t low, int64_t high, struct error *error) MUST_CHECK;

/** Steps 5 and 6: claim with a new token, read the state unless memory has it. Errors: as store. */
enum status claim_take(struct claim *claim, struct claim_context *context, int64_t wall_ms,
        struct error *error) MUST_CHECK;

/**
 * Redis has lost its last writes: take over from the output topics what was published since, after
 * claim_take(). Errors: as readback and store; STATUS_REFUSED when the topics have lost it, too
 * (but for a rebuild, which goes on without: claim->lost_count).
 */
enum status claim_adopt(struct claim *claim, struct claim_context *context, int64_t wall_ms,
        struct error *error) MUST_CHECK;

/**
 * A rebuild counts, before it adopts: records whose verdict is published are not judged again.
 * Errors: as readback.
 */
enum status claim_skip_verdicts(
        struct claim *claim, struct claim_context *context, struct error *error) MUST_CHECK;

/** The offset to read from: the one before `applied`, to check it, or the committed one if lower.
 */
int64_t claim_start(const struct claim *claim, int64_t low);

#endif
