/* rebuild_source.c - the log up to where a rebuild ends, from positions that can be relied upon.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/claim.h"
#include "consumer/log.h"
#include "consumer/rebuild.h"

#include <inttypes.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct rebuild_partition {
    struct rebuild_old old;
    int64_t committed; /* as it is used; -1: none */
    int64_t judged;    /* by what was published; 0: not known */
    int64_t low, high; /* of the log, when it was loaded */
    int64_t next;      /* the next record to be handed out */
    bool flows, reached, mended;
    char metadata[CURSOR_TEXT_SIZE]; /* of a mended position */
};

struct rebuild_source {
    struct source base;
    struct source *inner;
    struct readback *published;
    bool at_least_once;
    bool goes_on; /* the second step */
    struct rebuild_partition *partitions;
    size_t partition_count;
    struct record *records; /* those of the batch that are handed out */
    size_t record_capacity;
};

static int64_t
max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct rebuild_source *
rebuild_of(struct source *source)
{
    return (struct rebuild_source *)source;
}

/* The first record that is not handed out in this step. */
static int64_t
step_end(const struct rebuild_source *source, const struct rebuild_partition *partition)
{
    const int64_t counters =
            max_i64(partition->low, max_i64(partition->committed, partition->judged));
    const int64_t all = source->goes_on ? max_i64(counters, partition->old.offset) : counters;

    return all < partition->high ? all : partition->high;
}

/* ---- positions ------------------------------------------------------------------------------- */

/* The position is taken from what was published. Which records were rejected it does not tell, so
 * that the whole log is looked through for those again. */
static enum status
take_position(struct rebuild_source *source, struct position *position, uint64_t serial,
        struct error *error)
{
    struct rebuild_partition *partition = &source->partitions[position->partition];
    const struct cursor cursor = {.serial = serial};
    int64_t low = 0;
    int64_t high = 0;
    enum status status = STATUS_OK;

    if (position->offset < 0) {
        status = source->inner->ops->limits(source->inner, position->partition, &low, &high, error);
        position->offset = low;
    }
    log_warn("position",
            "partition=%" PRId32 " offset=%" PRId64 " serial=%" PRIu64
            " text=\"taken from what was published\"",
            position->partition, position->offset, serial);
    cursor_format(&cursor, partition->metadata);
    position->metadata = partition->metadata;
    partition->mended = true;
    return status;
}

/* A cursor of ours says what is published. There may be none, or one that others wrote, or one from
 * before what is known to be published. */
static enum status
mend(struct rebuild_source *source, struct position *position, struct error *error)
{
    struct rebuild_partition *partition = &source->partitions[position->partition];
    const uint64_t known = partition->old.known;
    struct cursor cursor = {0};
    struct error unread;
    uint64_t serial = 0;
    const bool is_ours = position->offset >= 0 &&
                         cursor_parse(position->metadata, &cursor, &unread) == STATUS_OK;
    const bool is_good = is_ours && cursor.serial >= known && !source->at_least_once;
    const enum status status = rebuild_readback_last(source->published, position->partition,
            is_good ? cursor.serial : UINT64_MAX, &serial, &partition->judged, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (!is_ours) {
        position->offset = -1; /* wherever somebody has put it */
    }
    serial = serial > known ? serial : known;
    return serial > cursor.serial ? take_position(source, position, serial, error) : STATUS_OK;
}

static enum status
rebuild_committed(
        struct source *base, struct position *positions, size_t count, struct error *error)
{
    struct rebuild_source *source = rebuild_of(base);
    enum status status = source->inner->ops->committed(source->inner, positions, count, error);

    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if ((size_t)positions[i].partition >= source->partition_count) {
            return error_set(error, STATUS_REFUSED,
                    "partitions were added to the topic while it was counted: run it again");
        }
        status = mend(source, &positions[i], error);
        if (status == STATUS_OK) {
            source->partitions[positions[i].partition].committed = positions[i].offset;
        }
    }
    return status;
}

static enum status
rebuild_limits(
        struct source *base, int32_t partition, int64_t *low, int64_t *high, struct error *error)
{
    struct rebuild_source *source = rebuild_of(base);
    const enum status status =
            source->inner->ops->limits(source->inner, partition, low, high, error);

    if (status == STATUS_OK) {
        source->partitions[partition].low = *low;
        source->partitions[partition].high = *high;
    }
    return status;
}

/* ---- records --------------------------------------------------------------------------------- */

/* The old state has counted this record last: is the log still the same? */
static enum status
check_same_log(
        const struct rebuild_partition *partition, const struct record *record, struct error *error)
{
    const struct rebuild_old *old = &partition->old;

    if (record->offset != old->offset - 1 || old->counted_ms <= 0 ||
            (record->timestamp_ms == old->counted_ms &&
                    XXH3_64bits(record->value.data, record->value.size) == old->counted_sum)) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_REFUSED,
            "partition %" PRId32 ": the record at offset %" PRId64
            " is not the one that was counted: the topic was made anew: " START_AFRESH,
            record->partition, record->offset);
}

static enum status
keep_records(struct rebuild_source *source, const struct batch *from, struct batch *batch,
        struct error *error)
{
    size_t count = 0;

    for (size_t i = 0; i < from->count; i++) {
        struct rebuild_partition *partition = &source->partitions[from->records[i].partition];

        if (from->records[i].offset >= step_end(source, partition)) {
            partition->reached = true;
            continue;
        }
        const enum status status = check_same_log(partition, &from->records[i], error);

        if (status != STATUS_OK) {
            return status;
        }
        source->records = memory_grow(
                source->records, count, &source->record_capacity, sizeof(*source->records));
        source->records[count++] = from->records[i];
        partition->next = from->records[i].offset + 1;
    }
    *batch = (struct batch){source->records, count};
    return STATUS_OK;
}

/* A partition whose end is reached is fetched no more. What lies before it may be marks of
 * transactions alone: then the end of the log is as far as it goes. */
static enum status
stop_reached(struct rebuild_source *source, bool quiet, struct error *error)
{
    for (size_t i = 0; i < source->partition_count; i++) {
        struct rebuild_partition *partition = &source->partitions[i];
        struct source *inner = source->inner;

        if (!partition->flows) {
            continue;
        }
        partition->reached = partition->reached || partition->next >= step_end(source, partition) ||
                             (quiet && inner->ops->at_end(inner, (int32_t)i, partition->next));
        if (partition->reached) {
            const enum status status = inner->ops->pause(inner, (int32_t)i, error);

            if (status != STATUS_OK) {
                return status;
            }
        }
    }
    return STATUS_OK;
}

static enum status
rebuild_poll(struct source *base, size_t max, int64_t wait_ms, int64_t linger_ms,
        struct batch *batch, struct error *error)
{
    struct rebuild_source *source = rebuild_of(base);
    struct batch from = {0};
    enum status status =
            source->inner->ops->poll(source->inner, max, wait_ms, linger_ms, &from, error);

    if (status == STATUS_OK) {
        status = keep_records(source, &from, batch, error);
    }
    return status == STATUS_OK ? stop_reached(source, from.count == 0, error) : status;
}

static enum status
rebuild_pause(struct source *base, int32_t partition, struct error *error)
{
    struct rebuild_source *source = rebuild_of(base);

    source->partitions[partition].flows = false;
    return source->inner->ops->pause(source->inner, partition, error);
}

static enum status
rebuild_resume(struct source *base, int32_t partition, int64_t offset, struct error *error)
{
    struct rebuild_source *source = rebuild_of(base);
    const enum status status = source->inner->ops->resume(source->inner, partition, offset, error);

    if (status == STATUS_OK) {
        source->partitions[partition].flows = true;
        source->partitions[partition].reached = false;
        source->partitions[partition].next = offset;
    }
    return status;
}

static bool
rebuild_at_end(struct source *base, int32_t partition, int64_t next)
{
    (void)base;
    (void)partition;
    (void)next;
    return false;
}

static enum status
rebuild_commit(
        struct source *base, const struct position *positions, size_t count, struct error *error)
{
    struct source *inner = rebuild_of(base)->inner;

    return inner->ops->commit(inner, positions, count, error);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void
rebuild_source_destroy(struct source *base)
{
    struct rebuild_source *source = rebuild_of(base);

    free(source->records);
    free(source->partitions);
    free(source);
}

static const struct source_ops rebuild_source_ops = {
        .poll = rebuild_poll,
        .committed = rebuild_committed,
        .pause = rebuild_pause,
        .resume = rebuild_resume,
        .limits = rebuild_limits,
        .at_end = rebuild_at_end,
        .commit = rebuild_commit,
        .destroy = rebuild_source_destroy,
};

struct source *
rebuild_source_new(const struct rebuild_source_options *options)
{
    struct rebuild_source *source = memory_new(1, sizeof(*source));

    source->base.ops = &rebuild_source_ops;
    source->inner = options->inner;
    source->published = options->published;
    source->at_least_once = options->at_least_once;
    source->partition_count = options->partition_count;
    source->partitions = memory_new(source->partition_count, sizeof(*source->partitions));
    for (size_t i = 0; i < source->partition_count; i++) {
        source->partitions[i].old = options->olds[i];
        source->partitions[i].committed = -1;
    }
    return &source->base;
}

void
rebuild_source_go_on(struct source *source)
{
    struct rebuild_source *rebuild = rebuild_of(source);

    rebuild->goes_on = true;
    for (size_t i = 0; i < rebuild->partition_count; i++) {
        rebuild->partitions[i].flows = false; /* each is loaded again first */
    }
}

bool
rebuild_source_is_done(const struct source *source)
{
    const struct rebuild_source *rebuild = (const struct rebuild_source *)source;

    for (size_t i = 0; i < rebuild->partition_count; i++) {
        if (!rebuild->partitions[i].flows || !rebuild->partitions[i].reached) {
            return false;
        }
    }
    return true;
}

struct rebuild_progress
rebuild_source_progress(const struct source *source, int32_t partition)
{
    const struct rebuild_source *rebuild = (const struct rebuild_source *)source;
    const struct rebuild_partition *state = &rebuild->partitions[partition];
    const int64_t to = step_end(rebuild, state);

    return (struct rebuild_progress){
            .from = state->low,
            .at = state->reached && state->next < to ? to : state->next,
            .to = to,
            .mended = state->mended,
            .done = state->flows && state->reached,
    };
}
