/* loop.c - the service loop: read, decode, count, store, publish, commit.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/review_codec.h"
#include "consumer/loop_internal.h"

#include "consumer/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define WAIT_MS 100         /* for a first record, when there is nothing to do */
#define SCHEMA_WAIT_MS 1000 /* before a record whose schema is not known is looked at again */
#define TICK_MS 1000        /* between two ticks of an idle partition */
#define CHECK_MS 1000       /* between two looks for a foreign `applied` */
#define PROGRESS_MS 30000   /* between two lines about progress */
#define TROUBLE_MS 10000    /* between two lines about a source that still does not answer */
#define REJECTED_MAX 10000  /* rejected records that wait for one transaction */
#define BLOCK_RECORDS 32    /* decoded together, before the first of them is counted */

int64_t
loop_now(const struct loop *loop)
{
    return loop->options.clock->monotonic_ms(loop->options.clock);
}

int64_t
loop_wall(const struct loop *loop)
{
    return loop->options.clock->wall_ms(loop->options.clock);
}

struct claim *
loop_find(struct loop *loop, int32_t partition)
{
    for (size_t i = 0; i < loop->claim_count; i++) {
        if (loop->claims[i]->partition == partition) {
            return loop->claims[i];
        }
    }
    return NULL;
}

/* ---- what the source tells ------------------------------------------------------------------- */

static void
drop_claim(struct loop *loop, int32_t partition)
{
    for (size_t i = 0; i < loop->claim_count; i++) {
        if (loop->claims[i]->partition == partition) {
            claim_destroy(loop->claims[i]);
            loop->claims[i] = loop->claims[--loop->claim_count];
            return;
        }
    }
}

static void
on_assigned(void *context, const int32_t *partitions, size_t count)
{
    struct loop *loop = context;

    for (size_t i = 0; i < count; i++) {
        struct claim *claim = claim_new(partitions[i]);

        log_info("assigned", "partition=%" PRId32, partitions[i]);
        drop_claim(loop, partitions[i]);
        claim_reload(claim, loop_now(loop), 0);
        loop->claims = memory_grow(
                loop->claims, loop->claim_count, &loop->claim_capacity, sizeof(*loop->claims));
        loop->claims[loop->claim_count++] = claim;
    }
    /* Those that were kept are compared with what is stored, too: who knows what happened in
     * between. It costs little while memory is still what is stored. */
    loop_reload_all(loop, 0);
}

/* What is stored may go out now, so that the next owner need not begin with it. Best effort. */
static void
publish_before_revoke(struct loop *loop, const int32_t *partitions, size_t count)
{
    struct claim **claims = memory_new(count, sizeof(struct claim *));
    struct error error = {0};
    size_t running = 0;

    for (size_t i = 0; i < count; i++) {
        struct claim *claim = loop_find(loop, partitions[i]);

        if (claim != NULL && claim->state != CLAIM_LOADING) {
            claims[running++] = claim;
        }
    }
    if (loop_publish(loop, claims, running, &error) != STATUS_OK) {
        log_info("revoked", "published=no error=\"%s\"", error.text);
    }
    free(claims);
}

static void
on_revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    struct loop *loop = context;

    if (!lost) {
        publish_before_revoke(loop, partitions, count);
    }
    for (size_t i = 0; i < count; i++) {
        log_info("revoked", "partition=%" PRId32 " lost=%d", partitions[i], lost);
        drop_claim(loop, partitions[i]);
    }
}

/* ---- trouble --------------------------------------------------------------------------------- */

static void
pause_claim(struct loop *loop, const struct claim *claim)
{
    struct error error = {0};

    if (loop->source->ops->pause(loop->source, claim->partition, &error) != STATUS_OK) {
        log_warn("pause", "partition=%" PRId32 " error=\"%s\"", claim->partition, error.text);
    }
}

void
loop_reload(struct loop *loop, struct claim *claim, int64_t ms)
{
    if (claim->state == CLAIM_RUNNING) {
        pause_claim(loop, claim);
    }
    claim_reload(claim, loop_now(loop), ms);
}

void
loop_reload_all(struct loop *loop, int64_t ms)
{
    for (size_t i = 0; i < loop->claim_count; i++) {
        if (loop->claims[i]->state != CLAIM_LOADING) {
            loop_reload(loop, loop->claims[i], ms);
        }
    }
}

/* What the store answered. A partition that was fenced is looked at again; a store that is down
 * concerns all. */
static enum status
store_failed(struct loop *loop, struct claim *claim, enum status status, struct error *error)
{
    if (status_disposition(status) == DISPOSE_EXIT) {
        return status;
    }
    log_warn("exec", "partition=%" PRId32 " status=\"%s\" error=\"%s\"", claim->partition,
            status_text(status), error->text);
    if (status == STATUS_FENCED) {
        loop_reload(loop, claim, -1);
    } else {
        for (size_t i = 0; i < loop->claim_count; i++) {
            loop_views_lost(loop, loop->claims[i]);
        }
        loop_reload_all(loop, -1);
    }
    return STATUS_OK;
}

enum status
loop_exec_end(struct loop *loop, struct error *error)
{
    struct claim *claim = loop->storing;
    enum status status;

    if (claim == NULL) {
        return STATUS_OK;
    }
    loop->storing = NULL;
    status = claim_exec_end(claim, &loop->context, error);
    if (status != STATUS_OK) {
        return store_failed(loop, claim, status, error);
    }
    loop->metrics.execs += 1;
    claim->checked_ms = loop_now(loop);
    if (claim->applied.serial != loop->storing_serial) {
        loop_show_reviews(
                loop, claim, claim->pending.count - (claim->applied.serial - loop->storing_serial));
    }
    return STATUS_OK;
}

enum status
loop_exec_begin(struct loop *loop, struct claim *claim, struct error *error)
{
    enum status status = loop_exec_end(loop, error);

    if (status != STATUS_OK || claim->state == CLAIM_LOADING) {
        return status; /* the EXEC before has failed, and took this claim with it */
    }
    loop->storing_serial = claim->applied.serial;
    status = claim_exec_begin(claim, &loop->context, loop_wall(loop), error);
    if (status != STATUS_OK) {
        return store_failed(loop, claim, status, error);
    }
    loop->storing = claim;
    return STATUS_OK;
}

/* ---- one record ------------------------------------------------------------------------------ */

static void
reject(struct loop *loop, struct claim *claim, const struct record *record, enum status reason,
        int64_t schema_id, const struct error *error)
{
    claim_reject(claim, &loop->context, record, reason, error->text, schema_id);
    loop->metrics.rejected[reason] += 1;
    log_warn("rejected", "partition=%" PRId32 " offset=%" PRId64 " reason=%s detail=\"%s\"",
            record->partition, record->offset, status_text(reason), error->text);
}

/* A record below `applied` is counted already; only its rejection may have to be made again. */
static enum status
replay_record(struct loop *loop, struct claim *claim, const struct record *record,
        enum status verdict, int64_t schema_id, struct error *error)
{
    if (record->offset == claim->applied.offset - 1 && claim->applied.last_record_ms != TIME_NULL &&
            (record->timestamp_ms != claim->applied.last_record_ms ||
                    XXH3_64bits(record->value.data, record->value.size) !=
                            claim->applied.last_checksum)) {
        return error_set(error, STATUS_REFUSED,
                "partition %" PRId32 ": the record at offset %" PRId64
                " is not the one that was counted: the topic was made anew: " START_AFRESH,
                record->partition, record->offset);
    }
    if (status_disposition(verdict) == DISPOSE_REJECT && verdict != STATUS_UNKNOWN_SCHEMA &&
            record->offset >= claim->committed && !claim_has_verdict(claim, record->offset)) {
        reject(loop, claim, record, verdict, schema_id, error);
    }
    return STATUS_OK;
}

/* A record on its way through the loop: decoded before its turn comes. */
struct arrival {
    const struct record *record;
    int64_t schema_id;
    struct outcome outcome;
    const struct prepared *prepared; /* both valid if the verdict is STATUS_OK */
};

static void
count_record(struct loop *loop, struct claim *claim, const struct arrival *arrival,
        enum status verdict, const struct error *error)
{
    const struct record *record = arrival->record;

    if (record->timestamp_ms >= 0) {
        partition_record(claim->fold, record->offset, record->timestamp_ms);
    }
    if (claim_has_verdict(claim, record->offset)) {
        /* Published before Redis lost it: neither counted nor judged again. */
    } else if (verdict == STATUS_OK) {
        partition_count_prepared(claim->fold, &arrival->outcome, arrival->prepared);
        loop->metrics.events += 1;
    } else if (record->offset >= claim->committed || verdict == STATUS_UNKNOWN_SCHEMA) {
        /* Below the committed offset Redis has lost what was counted, but not Kafka what was
         * rejected. */
        reject(loop, claim, record, verdict, arrival->schema_id, error);
    }
    claim->last = record;
}

/* The schema is not known yet: the partition stands still at this record. */
static void
wait_for_schema(struct loop *loop, struct claim *claim, const struct record *record,
        const struct error *error)
{
    log_warn("schema", "partition=%" PRId32 " offset=%" PRId64 " error=\"%s\"", record->partition,
            record->offset, error->text);
    pause_claim(loop, claim);
    /* What was counted before it in this batch is still to be stored, with its last record. */
    claim->state = CLAIM_WAITING;
    claim->retry_at_ms = loop_now(loop) + SCHEMA_WAIT_MS;
}

static enum status
decode_record(struct loop *loop, struct arrival *arrival, struct error *error)
{
    const struct record *record = arrival->record;
    const enum status status = decoder_decode(loop->options.decoder, record->value, &loop->arena,
            &arrival->outcome, &arrival->schema_id, error);

    return status != STATUS_OK ? status
                               : outcome_check(&arrival->outcome, record->timestamp_ms,
                                         loop->options.config->limits.future_ms, error);
}

/* error: says why, unless the verdict is STATUS_OK. */
static enum status
handle_record(struct loop *loop, struct claim *claim, const struct arrival *arrival,
        enum status verdict, struct error *error)
{
    const struct record *record = arrival->record;
    enum status status = STATUS_OK;

    if (status_disposition(verdict) == DISPOSE_EXIT) {
        return verdict;
    }
    /* What was rejected already is not waited for: another process has done that. */
    if (verdict == STATUS_SCHEMA_WAIT && !claim_has_verdict(claim, record->offset)) {
        wait_for_schema(loop, claim, record, error);
        return STATUS_OK;
    }
    if (record->offset < claim->applied.offset) {
        status = replay_record(loop, claim, record, verdict, arrival->schema_id, error);
    } else {
        count_record(loop, claim, arrival, verdict, error);
    }
    claim->next = record->offset + 1;
    return status;
}

/* The records of one partition in a batch. */
struct lane {
    struct claim *claim;
    const struct record **records; /* records[count] */
    size_t count, at;
};

struct lanes {
    struct lane *items;
    size_t count;
};

static struct lane *
find_lane(struct lanes *lanes, const struct claim *claim)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (lanes->items[i].claim == claim) {
            return &lanes->items[i];
        }
    }
    return NULL;
}

/* Partition by partition: what is counted together lies together, and while Redis stores one, the
 * next is counted. */
static void
sort_batch(struct loop *loop, const struct batch *batch, struct lanes *lanes)
{
    struct claim *claim = NULL;
    struct lane *lane = NULL;

    lanes->items = arena_new(&loop->arena, loop->claim_count, sizeof(*lanes->items));
    lanes->count = loop->claim_count;
    for (size_t i = 0; i < lanes->count; i++) {
        lanes->items[i].claim = loop->claims[i];
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < batch->count; i++) {
            const struct record *record = &batch->records[i];

            if (claim == NULL || claim->partition != record->partition) {
                claim = loop_find(loop, record->partition);
                lane = claim != NULL ? find_lane(lanes, claim) : NULL;
            }
            if (lane != NULL && pass == 0) {
                lane->count += 1;
            } else if (lane != NULL) {
                lane->records[lane->at++] = record;
            }
        }
        for (size_t i = 0; i < lanes->count; i++) {
            struct lane *each = &lanes->items[i];

            if (pass == 0) {
                each->records = arena_new(&loop->arena, each->count, sizeof(struct record *));
            }
            each->at = 0;
        }
    }
}

/* Records of a lane that are decoded, and looked ahead to, before the first of them is counted. All
 * but the last have the verdict STATUS_OK, so that one error is enough. */
struct block {
    size_t count;
    enum status verdict; /* on the last */
    struct arrival arrivals[BLOCK_RECORDS];
    struct prepared prepared[BLOCK_RECORDS];
};

/* No more than fits into this EXEC: a record adds a minute, a half-hour and their names, or a
 * rejection. */
static size_t
block_room(const struct loop *loop, const struct claim *claim)
{
    const size_t updates_max = (size_t)loop->options.config->batch.max_updates;
    const size_t updates = partition_update_count(claim->fold);
    size_t room = updates < updates_max ? (updates_max - updates + 3) / 4 : 0;

    if (claim->rejected.count >= REJECTED_MAX) {
        room = 0;
    }
    return room < BLOCK_RECORDS ? room : BLOCK_RECORDS;
}

static void
decode_block(
        struct loop *loop, struct lane *lane, size_t room, struct block *block, struct error *error)
{
    const struct outcome *outcomes[BLOCK_RECORDS];
    int64_t next = lane->claim->next;
    size_t good = 0;

    block->count = 0;
    block->verdict = STATUS_OK;
    while (lane->at < lane->count && block->count < room && block->verdict == STATUS_OK) {
        struct arrival *arrival = &block->arrivals[block->count];

        arrival->record = lane->records[lane->at++];
        if (arrival->record->offset >= next) {
            next = arrival->record->offset + 1;
            block->verdict = decode_record(loop, arrival, error);
            arrival->prepared = &block->prepared[block->count];
            outcomes[block->count++] = &arrival->outcome;
            good += block->verdict == STATUS_OK;
        }
    }
    partition_prepare(lane->claim->fold, outcomes, good, block->prepared);
}

/* Count as many records as one EXEC should carry. */
static enum status
count_lane(struct loop *loop, struct lane *lane, struct error *error)
{
    struct claim *claim = lane->claim;
    enum status status = STATUS_OK;
    struct block block;
    size_t room;

    while (status == STATUS_OK && lane->at < lane->count && claim->state == CLAIM_RUNNING &&
            (room = block_room(loop, claim)) > 0) {
        decode_block(loop, lane, room, &block, error);
        for (size_t i = 0; i < block.count && status == STATUS_OK; i++) {
            const bool last = i + 1 == block.count;

            status = handle_record(
                    loop, claim, &block.arrivals[i], last ? block.verdict : STATUS_OK, error);
        }
    }
    return status;
}

static enum status
run_lane(struct loop *loop, struct lane *lane, struct error *error)
{
    struct claim *claim = lane->claim;
    enum status status = loop->storing == claim ? loop_exec_end(loop, error) : STATUS_OK;

    if (status == STATUS_OK) {
        status = count_lane(loop, lane, error);
    }
    if (status == STATUS_OK && claim->state != CLAIM_LOADING && claim_is_dirty(claim)) {
        status = loop_exec_begin(loop, claim, error);
    }
    if (status == STATUS_OK && claim->rejected.count >= REJECTED_MAX) {
        status = loop_exec_end(loop, error);
        if (status == STATUS_OK) {
            status = loop_publish_if_due(loop, true, error);
        }
    }
    return status;
}

static enum status
handle_batch(struct loop *loop, const struct batch *batch, struct error *error)
{
    struct lanes lanes;
    enum status status = STATUS_OK;
    bool more = batch->count != 0;

    sort_batch(loop, batch, &lanes);
    while (more && status == STATUS_OK) {
        more = false;
        for (size_t i = 0; i < lanes.count && status == STATUS_OK; i++) {
            struct lane *lane = &lanes.items[i];

            if (lane->at < lane->count && lane->claim->state == CLAIM_RUNNING) {
                status = run_lane(loop, lane, error);
                more = true;
            }
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    return loop_exec_end(loop, error);
}

/* ---- one turn -------------------------------------------------------------------------------- */

/* Nobody else writes `applied` of a partition that is ours: look, while nothing is written. */
static enum status
check_owner(struct loop *loop, struct claim *claim, struct error *error)
{
    struct buffer bytes = {0};
    bool exists = false;
    enum status status;

    if (loop_now(loop) - claim->checked_ms < CHECK_MS) {
        return STATUS_OK;
    }
    claim->checked_ms = loop_now(loop);
    status = loop->store->ops->read_applied(loop->store, claim->partition, &bytes, &exists, error);
    if (status == STATUS_OK &&
            !(exists && span_equal(buffer_span(&bytes), buffer_span(&claim->applied_bytes)))) {
        status = error_set(
                error, STATUS_FENCED, "the state in Redis is not what this instance last wrote");
    }
    buffer_fini(&bytes);
    return status == STATUS_OK ? STATUS_OK : store_failed(loop, claim, status, error);
}

static void
tick(struct loop *loop, struct claim *claim)
{
    const int64_t now_ms = loop_now(loop);

    if (now_ms - claim->ticked_ms >= TICK_MS && claim->next >= claim->applied.offset &&
            loop->source->ops->at_end(loop->source, claim->partition, claim->next)) {
        claim->ticked_ms = now_ms;
        /* At the log's end every record up to the quiet offset has come. Else a review that was
         * adopted there would never be evaluated again while no record follows. */
        partition_set_quiet(claim->fold, -1);
        partition_tick(claim->fold, loop_wall(loop));
    }
}

/* A claim goes on after its schema has become known, or may have. */
static void
resume_waiting(struct loop *loop, struct claim *claim)
{
    struct error error = {0};

    if (claim->state != CLAIM_WAITING || claim->retry_at_ms > loop_now(loop)) {
        return;
    }
    if (loop->source->ops->resume(loop->source, claim->partition, claim->next, &error) ==
            STATUS_OK) {
        claim->state = CLAIM_RUNNING;
    } else {
        claim_reload(claim, loop_now(loop), -1);
    }
}

static enum status
finish_claim(struct loop *loop, struct claim *claim, struct error *error)
{
    if (claim->state == CLAIM_RUNNING) {
        tick(loop, claim);
    }
    if (claim->state != CLAIM_LOADING && claim_is_dirty(claim)) {
        const enum status status = loop_exec_begin(loop, claim, error);

        return status == STATUS_OK ? loop_exec_end(loop, error) : status;
    }
    return claim->state == CLAIM_RUNNING ? check_owner(loop, claim, error) : STATUS_OK;
}

static void
log_progress(struct loop *loop)
{
    const int64_t now_ms = loop_now(loop);

    if (now_ms - loop->progress_ms < PROGRESS_MS) {
        return;
    }
    log_info("progress",
            "events=%" PRIu64 " events_per_second=%" PRIu64 " reviews=%" PRIu64
            " transactions=%" PRIu64 " partitions=%zu ready=%d",
            loop->metrics.events,
            (loop->metrics.events - loop->progress_events) * 1000 /
                    (uint64_t)(now_ms - loop->progress_ms),
            loop->metrics.reviews, loop->metrics.transactions, loop->claim_count,
            loop_is_ready(loop));
    loop->progress_ms = now_ms;
    loop->progress_events = loop->metrics.events;
}

/* Every turn fails while the brokers are away: a line when it begins or turns into something else,
 * one every TROUBLE_MS, and one when it is over. */
static void
tell_trouble(struct loop *loop, enum status status, const struct error *error)
{
    const int64_t now_ms = loop_now(loop);
    const bool same = status == loop->trouble;

    if (same && (status == STATUS_OK || now_ms - loop->trouble_told_ms < TROUBLE_MS)) {
        return;
    }
    if (loop->trouble == STATUS_OK) {
        loop->trouble_since_ms = now_ms;
    }
    if (status == STATUS_OK) {
        log_info("poll", "status=\"%s\" after_ms=%" PRId64, status_text(status),
                now_ms - loop->trouble_since_ms);
    } else {
        log_warn("poll", "status=\"%s\" since_ms=%" PRId64 " error=\"%s\"", status_text(status),
                now_ms - loop->trouble_since_ms, error->text);
    }
    loop->trouble = status;
    loop->trouble_told_ms = now_ms;
}

/* A source that does not answer is asked again; it comes back by itself. */
static enum status
poll_source(struct loop *loop, struct batch *batch, struct error *error)
{
    const struct config *config = loop->options.config;
    const enum status status = loop->source->ops->poll(loop->source,
            (size_t)config->batch.max_events, WAIT_MS, config->batch.linger_ms, batch, error);

    if (status_disposition(status) == DISPOSE_EXIT) {
        return status;
    }
    tell_trouble(loop, status, error);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    *batch = (struct batch){0};
    return STATUS_OK;
}

/* After the poll, which waits: what was decided before a record was written holds for it. What was
 * polled must be handled unless the process ends, or it would be skipped. */
static enum status
read_decisions(struct loop *loop, struct error *error)
{
    const enum status status =
            loop->feed->ops->read_new(loop->feed, loop->options.decisions, error);

    if (status == STATUS_OK || status_disposition(status) == DISPOSE_EXIT) {
        return status;
    }
    log_warn("decisions", "status=\"%s\" error=\"%s\"", status_text(status), error->text);
    return STATUS_OK;
}

enum status
loop_turn(struct loop *loop, struct error *error)
{
    struct batch batch = {0};
    enum status status = loop_load(loop, error);

    for (size_t i = 0; i < loop->claim_count; i++) {
        resume_waiting(loop, loop->claims[i]);
    }
    if (status == STATUS_OK) {
        status = poll_source(loop, &batch, error);
    }
    if (status == STATUS_OK) {
        status = read_decisions(loop, error);
    }
    if (status == STATUS_OK) {
        loop->batch_count = batch.count;
        loop_note_ahead(loop, &batch);
        status = handle_batch(loop, &batch, error);
    }
    for (size_t i = 0; i < loop->claim_count && status == STATUS_OK; i++) {
        status = finish_claim(loop, loop->claims[i], error);
    }
    if (status == STATUS_OK) {
        status = loop_publish_if_due(loop, false, error);
    }
    if (status == STATUS_OK) {
        loop_show_owners(loop);
        log_progress(loop);
    }
    /* Records are borrowed until the next poll, and what was decoded from them with them. */
    for (size_t i = 0; i < loop->claim_count; i++) {
        loop->claims[i]->last = NULL;
    }
    arena_reset(&loop->arena);
    return status;
}

void
loop_drain(struct loop *loop)
{
    struct claim **claims = memory_new(loop->claim_count, sizeof(struct claim *));
    struct error error = {0};
    size_t count = 0;

    for (size_t i = 0; i < loop->claim_count; i++) {
        if (loop->claims[i]->state != CLAIM_LOADING) {
            claims[count++] = loop->claims[i];
        }
    }
    if (loop_publish(loop, claims, count, &error) != STATUS_OK) {
        log_warn("drain", "error=\"%s\"", error.text);
    }
    free(claims);
}

bool
loop_is_ready(const struct loop *loop)
{
    for (size_t i = 0; i < loop->claim_count; i++) {
        if (loop->claims[i]->state == CLAIM_LOADING) {
            return false;
        }
    }
    return loop->claim_count != 0 && loop->publish_backoff_ms == 0;
}

const struct loop_metrics *
loop_metrics(const struct loop *loop)
{
    return &loop->metrics;
}

/* ---- beginning and end -------------------------------------------------------------------------
 */

struct loop *
loop_new(const struct loop_options *options)
{
    const struct config *config = options->config;
    struct loop *loop = memory_new(1, sizeof(*loop));

    loop->options = *options;
    loop->listener = (struct source_listener){loop, on_assigned, on_revoked};
    loop->fold_options = (struct partition_options){
            .topic = config->topics.outcomes,
            .rule = &config->rule,
            .limits = &config->limits,
            .group_by = config->group_by,
            .decisions = options->decisions,
            .configured = config->evidence,
            .configured_count = config->evidence_count,
            .config_version = config->version,
            .digest = options->digest,
    };
    loop->context = (struct claim_context){
            .origin = {config->topics.outcomes, config->group},
            .fold_options = &loop->fold_options,
            .process = options->process,
            .rebuild = options->rebuilds ? REBUILD_COUNTERS : REBUILD_NONE,
            .digest = options->digest,
            .show_review = loop_show_review,
            .show_context = loop,
            .review_schema_id = REVIEW_SCHEMA_ID_DEFAULT,
    };
    loop->views = views_new(config->redis.prefix);
    loop->progress_ms = loop_now(loop);
    arena_init(&loop->arena);
    return loop;
}

void
loop_destroy(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (loop->claim_count != 0) {
        claim_destroy(loop->claims[--loop->claim_count]);
    }
    free(loop->claims);
    views_destroy(loop->views);
    arena_fini(&loop->arena);
    free(loop);
}

const struct source_listener *
loop_listener(struct loop *loop)
{
    return &loop->listener;
}

void
loop_connect(struct loop *loop, struct source *source, struct store *store,
        struct publisher *publisher, struct decision_feed *feed, struct readback *readback)
{
    loop->feed = feed;
    loop->context.readback = readback;
    loop->source = source;
    loop->store = store;
    loop->publisher = publisher;
    loop->context.store = store;
}
