/* loop_internal.h - what the parts of the service loop share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_LOOP_INTERNAL_H
#define RETRYWATCH_CONSUMER_LOOP_INTERNAL_H

#include "consumer/claim.h"
#include "consumer/loop.h"
#include "consumer/views.h"

struct loop {
    struct loop_options options;
    struct source_listener listener;
    struct partition_options fold_options;
    struct claim_context context;
    struct source *source;
    struct store *store;
    struct publisher *publisher;
    struct decision_feed *feed;
    struct views *views;
    struct claim **claims; /* those that this instance holds, by partition */
    size_t claim_count, claim_capacity;
    struct claim *storing;   /* its EXEC is begun and not ended; NULL: none */
    uint64_t storing_serial; /* of its `applied` before */
    struct arena arena;      /* of the decoder, until the batch ends */
    struct loop_metrics metrics;
    int64_t published_ms;       /* monotonic: begin of the last transaction */
    int64_t publish_retry_ms;   /* monotonic: not before, after a failure */
    int64_t publish_backoff_ms; /* 0: the last one went through */
    size_t batch_count;         /* records of this turn */
    int64_t views_ms;           /* monotonic: start of the second that views_count belongs to */
    int64_t views_count;        /* owners shown in it */
    int64_t progress_ms;        /* monotonic: the last line about progress */
    uint64_t progress_events;
    enum status trouble;      /* why the source gave nothing; STATUS_OK: it does */
    int64_t trouble_since_ms; /* monotonic */
    int64_t trouble_told_ms;  /* monotonic: the last line about it */
};

int64_t loop_now(const struct loop *loop);  /* monotonic */
int64_t loop_wall(const struct loop *loop); /* since the epoch */

struct claim *loop_find(struct loop *loop, int32_t partition);

/** Tell of records that are stamped ahead of the clock (loop_ahead.c). */
void loop_note_ahead(struct loop *loop, const struct batch *batch);

/** Pause a partition and load it again after ms (its own backoff if -1). */
void loop_reload(struct loop *loop, struct claim *claim, int64_t ms);
void loop_reload_all(struct loop *loop, int64_t ms);

/** Load the claims whose time has come (loop_load.c). Errors: those that end the process. */
enum status loop_load(struct loop *loop, struct error *error) MUST_CHECK;

/**
 * Begin to store what changed in one claim; the EXEC before it is ended first. Others are counted
 * while Redis works. Errors: those that end the process.
 */
enum status loop_exec_begin(struct loop *loop, struct claim *claim, struct error *error) MUST_CHECK;

/** Wait for the EXEC that was begun, if any. Errors: those that end the process. */
enum status loop_exec_end(struct loop *loop, struct error *error) MUST_CHECK;

/** A transaction if one is due, or at once (loop_publish.c). Errors: those that end the process. */
enum status loop_publish_if_due(struct loop *loop, bool at_once, struct error *error) MUST_CHECK;

/** One transaction over these claims; STATUS_OK also when there was nothing to do. */
enum status loop_publish(
        struct loop *loop, struct claim **claims, size_t count, struct error *error) MUST_CHECK;

/** Show owners that are out of date, within views.max_per_second (loop_views.c). */
void loop_show_owners(struct loop *loop);

/** Redis may not have what it was last told to show, and the claim stays in memory: show it all. */
void loop_views_lost(struct loop *loop, struct claim *claim);

/** Show a review as it was published; context: the loop. */
void loop_show_review(void *context, struct span record);

/** Show the reviews of a claim that are pending from index first on. */
void loop_show_reviews(struct loop *loop, const struct claim *claim, size_t first);

#endif
