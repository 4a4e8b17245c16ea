/* loop.h - the service loop: read, decode, count, store, publish, commit.
 *
 * One thread does all of it. The loop reaches Kafka, Redis and the clock through source.h, store.h,
 * publisher.h and clock.h only, so that the very same loop runs under simulation.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_LOOP_H
#define RETRYWATCH_CONSUMER_LOOP_H

#include "codec/decoder.h"
#include "consumer/clock.h"
#include "consumer/config.h"
#include "consumer/decision_feed.h"
#include "consumer/publisher.h"
#include "consumer/readback.h"
#include "consumer/source.h"
#include "consumer/store.h"

struct loop;
struct claim;

/* Borrowed for the life of the loop. */
struct loop_options {
    const struct config *config;
    const struct clock *clock;
    struct decoder *decoder;
    struct decisions *decisions; /* filled from the feed */
    digest_function *digest;
    int32_t partition_count; /* of the topic, as the state has it; 0: not looked at */
    uint64_t process;        /* 64 random bits: the first half of every token */
    bool rebuilds;           /* count the log anew, publish nothing (rebuild.h) */
};

/* Since the start of the process. */
struct loop_metrics {
    uint64_t events;                 /* counted */
    uint64_t rejected[STATUS_COUNT]; /* by reason */
    uint64_t reviews;                /* published */
    uint64_t ahead;                  /* stamped ahead of the clock by more than limits.future */
    uint64_t owners_split;           /* views of an owner that another partition has too */
    uint64_t execs, transactions, loads;
};

struct loop *loop_new(const struct loop_options *options);
void loop_destroy(struct loop *loop);

/** What the source tells the loop; lives as long as the loop. */
const struct source_listener *loop_listener(struct loop *loop);

/** Borrowed: to be destroyed after loop_drain(), before the loop. */
void loop_connect(struct loop *loop, struct source *source, struct store *store,
        struct publisher *publisher, struct decision_feed *feed, struct readback *readback);

/**
 * One turn: what is due to be loaded, one batch, its EXECs, views, and a transaction when due.
 *
 * Errors: only those that end the process (DISPOSE_EXIT); all else is retried by the next turn.
 */
enum status loop_turn(struct loop *loop, struct error *error) MUST_CHECK;

/** Publish and commit what is stored, before leaving the group. Waits at most a few seconds. */
void loop_drain(struct loop *loop);

/** Whether every assigned partition is loaded and the last transaction went through. */
bool loop_is_ready(const struct loop *loop);

/** A rebuild has counted up to the committed offsets: take over what was published, and go on. */
void loop_rebuild_reviews(struct loop *loop);

/**
 * What a store holds of a partition, read and not claimed: for looking only. Returns owned in *out.
 * Errors: as store; STATUS_REFUSED for state that cannot be read.
 */
enum status loop_look(struct loop *loop, struct store *store, int32_t partition, struct claim **out,
        struct error *error) MUST_CHECK;

/** Of what was published in a partition, how much can no longer be read back (rebuild). */
size_t loop_lost_count(struct loop *loop, int32_t partition);

const struct loop_metrics *loop_metrics(const struct loop *loop);

#endif
