/* rebuild.h - count the log once more: what stands between the service loop and Kafka meanwhile.
 *
 * A rebuild is the loop of the service over a part of the log, with a namespace of its own. It
 * counts up to the committed offsets without judging, then takes over what was published, as the
 * service does after Redis has lost its last writes, and goes on to where the old state stands, so
 * that the two can be compared. What it would publish stays pending for the service.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REBUILD_H
#define RETRYWATCH_CONSUMER_REBUILD_H

#include "consumer/position.h"
#include "consumer/readback.h"
#include "consumer/source.h"

/* What the namespace in use says of a partition; all zero: nothing. */
struct rebuild_old {
    int64_t offset;       /* the next record to count */
    uint64_t known;       /* serials up to this one are published, and forgotten */
    int64_t counted_ms;   /* timestamp of record offset - 1; 0: not known */
    uint64_t counted_sum; /* its checksum */
};

/* How far a partition has got. */
struct rebuild_progress {
    int64_t from, at, to; /* offsets: the oldest record, the next one, the end of the rebuild */
    bool mended;          /* the committed position was not to be used: taken from the reviews */
    bool done;
};

struct rebuild_source_options {
    struct source *inner;
    struct readback *published;     /* made by rebuild_readback_new() */
    bool at_least_once;             /* a cursor may be behind what is published */
    const struct rebuild_old *olds; /* olds[partition_count] */
    size_t partition_count;
};

/**
 * The log up to where a step ends. at_end() is never true, so that the wall clock moves nothing.
 *
 * Borrowed until it is destroyed, but for olds.
 */
struct source *rebuild_source_new(const struct rebuild_source_options *options);

/** The counters are done: from now on up to where the old state stands. */
void rebuild_source_go_on(struct source *source);

/** Whether every partition has come to the end of the step. */
bool rebuild_source_is_done(const struct source *source);

struct rebuild_progress rebuild_source_progress(const struct source *source, int32_t partition);

/**
 * What was published, read once and kept: every partition asks for it. Nobody may publish
 * meanwhile. inner: borrowed. Returns owned.
 */
struct readback *rebuild_readback_new(struct readback *inner, const struct position_origin *origin);

/**
 * The last thing that was published of a partition, with a serial of at most most: its serial (0:
 * nothing is there) and the offset up to which all was judged by then. Errors: those of inner.
 */
enum status rebuild_readback_last(struct readback *readback, int32_t partition, uint64_t most,
        uint64_t *serial, int64_t *offset, struct error *error) MUST_CHECK;

#endif
