/* source_kafka.c - records of the input topic, by one librdkafka consumer.
 *
 * librdkafka fetches in its own threads; everything here runs on the thread of the loop. Which
 * record is the next one of a partition is kept here and nowhere else: a partition begins paused,
 * and flows from the offset that resume() was given, so that nothing depends on positions that
 * librdkafka keeps for itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka.h"
#include "consumer/kafka_internal.h"
#include "consumer/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_VALID_MS 1000   /* how long an answer about the end of the log counts */
#define ANSWER_WAIT_MS 300     /* the loop stands still meanwhile, so not long */
#define COMMITTED_WAIT_MS 5000 /* waits for transactions of others */
#define REQUEST_WAIT_MS 5000
#define LINGER_RECORDS 20000 /* in a batch: more would hardly share more slots */
#define FETCH_PIECE 1024     /* messages */
#define WAKE_RECORDS 256     /* in a batch: the queue may have been full */
#define SEEK_WAIT_MS 2000    /* a fetcher that has just been assigned may still be starting */
#define SEEK_RETRY_MS 10

struct partition {
    bool assigned, resumed;
    int64_t next; /* the smallest offset that may be handed out, if resumed */
    int64_t eof;  /* end of the log seen with nothing handed out since; OFFSET_NONE if not */
    int64_t end;  /* end of the log as the broker answered; OFFSET_NONE if it did not */
};

#define OFFSET_NONE INT64_C(-1)
#define HAS_FETCH_BACKOFF (RD_KAFKA_VERSION >= 0x02020000) /* fetch.queue.backoff.ms */

struct source_kafka {
    struct source base;
    const struct config *config;
    const struct clock *clock;
    struct source_listener listener;
    struct kafka_trouble trouble;
    struct kafka_asker *asker;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_consumer_group_metadata_t *group; /* remembered in the rebalance callback */
    struct partition *partitions;              /* partitions[partition_count], by number */
    size_t partition_count;
    rd_kafka_message_t **messages; /* messages[message_count]: those of the batch */
    size_t message_count;
    struct record *records; /* records[i] is messages[i] */
    size_t capacity;        /* of both */
    struct arena metadata;  /* of the committed positions last handed out */
    int64_t ends_asked_ms;  /* when `end` of all partitions was asked for */
    int64_t probed_ms;      /* when a broker that was down was last asked */
    int64_t polled_ms;      /* when the last batch was complete */
    bool rebalanced;        /* a rebalance callback ran */
    bool joined;            /* the first assignment has come */
    bool closing;           /* the listener is told no more */
};

static struct source_kafka *
source_of(struct source *source)
{
    return (struct source_kafka *)source;
}

const rd_kafka_consumer_group_metadata_t *
source_kafka_group(const struct source *source)
{
    return ((const struct source_kafka *)source)->group;
}

static int64_t
now_ms(const struct source_kafka *source)
{
    return source->clock->monotonic_ms(source->clock);
}

static enum status
failed(struct source_kafka *source, rd_kafka_resp_err_t code, const char *what, const char *text,
        struct error *error)
{
    return kafka_failed(&source->trouble, code, what, text, error);
}

/* The state of a partition, or NULL when it was never assigned. */
static struct partition *
find_partition(struct source_kafka *source, int32_t number)
{
    return number >= 0 && (size_t)number < source->partition_count ? &source->partitions[number]
                                                                   : NULL;
}

static rd_kafka_topic_partition_list_t *
list_of_one(const struct source_kafka *source, int32_t partition, int64_t offset)
{
    const struct position position = {.partition = partition, .offset = offset};

    return kafka_positions(source->config->topics.outcomes, &position, 1);
}

/* ---- rebalance; runs inside poll() --------------------------------------------------------- */

static void
remember_group(struct source_kafka *source)
{
    if (source->closing) {
        return;
    }
    if (source->group != NULL) {
        rd_kafka_consumer_group_metadata_destroy(source->group);
    }
    source->group = rd_kafka_consumer_group_metadata(source->rk);
}

static struct partition *
add_partition(struct source_kafka *source, int32_t number)
{
    const size_t needed = (size_t)number + 1;

    if (needed > source->partition_count) {
        source->partitions = memory_resize(source->partitions, needed, sizeof(*source->partitions));
        memset(source->partitions + source->partition_count, 0,
                (needed - source->partition_count) * sizeof(*source->partitions));
        source->partition_count = needed;
    }
    return &source->partitions[number];
}

static int32_t *
numbers_of(const rd_kafka_topic_partition_list_t *list)
{
    int32_t *numbers = memory_new((size_t)list->cnt + 1, sizeof(*numbers));

    for (int i = 0; i < list->cnt; i++) {
        numbers[i] = list->elems[i].partition;
    }
    return numbers;
}

static void
log_rebalance(const char *what, rd_kafka_error_t *problem)
{
    if (problem != NULL) {
        log_warn("rebalance", "step=%s error=\"%s\"", what, rd_kafka_error_string(problem));
        rd_kafka_error_destroy(problem);
    }
}

static void
assign(struct source_kafka *source, rd_kafka_topic_partition_list_t *list)
{
    int32_t *numbers = numbers_of(list);

    for (int i = 0; i < list->cnt; i++) {
        /* A concrete offset starts the fetcher without asking the broker for one. Nothing is
         * fetched there: the partition is paused before it is assigned. */
        list->elems[i].offset = 0;
        *add_partition(source, numbers[i]) =
                (struct partition){.assigned = true, .eof = OFFSET_NONE, .end = OFFSET_NONE};
    }
    rd_kafka_pause_partitions(source->rk, list);
    log_rebalance("assign", rd_kafka_incremental_assign(source->rk, list));
    rd_kafka_pause_partitions(source->rk, list);
    remember_group(source);
    if (list->cnt > 0 && !source->closing) {
        source->listener.assigned(source->listener.context, numbers, (size_t)list->cnt);
    }
    free(numbers);
}

static void
revoke(struct source_kafka *source, rd_kafka_topic_partition_list_t *list)
{
    const bool lost = rd_kafka_assignment_lost(source->rk) != 0;
    int32_t *numbers = numbers_of(list);

    for (int i = 0; i < list->cnt; i++) {
        *add_partition(source, numbers[i]) =
                (struct partition){.eof = OFFSET_NONE, .end = OFFSET_NONE};
    }
    if (list->cnt > 0 && !source->closing) {
        source->listener.revoked(source->listener.context, numbers, (size_t)list->cnt, lost);
    }
    log_rebalance("unassign", rd_kafka_incremental_unassign(source->rk, list));
    remember_group(source);
    free(numbers);
}

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
        void *opaque)
{
    struct source_kafka *source = ((struct kafka_trouble *)opaque)->owner;

    source->rebalanced = true;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        source->joined = true;
        kafka_trouble_over(&source->trouble); /* the coordinator has just answered */
        assign(source, list);
    } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        revoke(source, list);
    } else {
        log_warn("rebalance", "error=%s", rd_kafka_err2name(code));
        log_rebalance("unassign", rd_kafka_incremental_unassign(rk, list));
    }
}

/* ---- moving ------------------------------------------------------------------------------ */

/*
 * Seek: whatever was fetched before counts as outdated inside librdkafka from here on.
 *
 * Works on a paused partition too, and makes the end of the log be reported again.
 */
static enum status
seek(struct source_kafka *source, int32_t partition, int64_t offset, struct error *error)
{
    const int64_t until = now_ms(source) + SEEK_WAIT_MS;
    rd_kafka_topic_partition_list_t *list = list_of_one(source, partition, offset);
    enum status status = STATUS_OK;

    for (;;) {
        rd_kafka_error_t *problem = rd_kafka_seek_partitions(source->rk, list, SEEK_WAIT_MS);
        const rd_kafka_resp_err_t code =
                problem != NULL ? rd_kafka_error_code(problem) : list->elems[0].err;

        rd_kafka_error_destroy(problem);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            break;
        }
        if (now_ms(source) >= until) {
            status = error_set(error, STATUS_BROKER_DOWN,
                    "kafka %s: cannot go to offset %" PRId64 " of partition %" PRId32 ": %s",
                    kafka_address(source->config), offset, partition, rd_kafka_err2str(code));
            break;
        }
        source->clock->sleep_ms(source->clock, SEEK_RETRY_MS);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static enum status
source_pause(struct source *base, int32_t partition, struct error *error)
{
    struct source_kafka *source = source_of(base);
    struct partition *state = find_partition(source, partition);

    (void)error;
    if (state != NULL && state->assigned) {
        rd_kafka_topic_partition_list_t *list = list_of_one(source, partition, OFFSET_NONE);

        state->resumed = false;
        rd_kafka_pause_partitions(source->rk, list);
        rd_kafka_topic_partition_list_destroy(list);
    }
    return STATUS_OK;
}

static enum status
source_resume(struct source *base, int32_t partition, int64_t offset, struct error *error)
{
    struct source_kafka *source = source_of(base);
    struct partition *state = find_partition(source, partition);

    if (state == NULL || !state->assigned) {
        return error_set(error, STATUS_FENCED, "partition %" PRId32 " is not assigned", partition);
    }

    enum status status = source_pause(base, partition, error);

    if (status == STATUS_OK) {
        status = seek(source, partition, offset, error);
    }
    if (status == STATUS_OK) {
        rd_kafka_topic_partition_list_t *list = list_of_one(source, partition, offset);

        rd_kafka_resume_partitions(source->rk, list);
        rd_kafka_topic_partition_list_destroy(list);
        *state = (struct partition){.assigned = true,
                .resumed = true,
                .next = offset,
                .eof = OFFSET_NONE,
                .end = OFFSET_NONE};
    }
    return status;
}

/* ---- poll -------------------------------------------------------------------------------- */

static void
release_batch(struct source_kafka *source)
{
    for (size_t i = 0; i < source->message_count; i++) {
        rd_kafka_message_destroy(source->messages[i]);
    }
    source->message_count = 0;
}

/* An error in the place of a record: what it says of its partition, or of all. */
static void
take_error(struct source_kafka *source, const rd_kafka_message_t *message)
{
    struct partition *state = find_partition(source, message->partition);
    const bool flows = state != NULL && state->resumed;

    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (flows && message->offset >= state->next) {
            state->eof = message->offset;
            kafka_trouble_over(&source->trouble);
        }
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
        log_warn("poll", "error=\"no poll for max.poll.interval.ms: left the group\"");
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && !flows) {
        return; /* of an offset that the loop has left */
    }

    struct error error;
    const enum status status =
            failed(source, message->err, "read", rd_kafka_message_errstr(message), &error);

    if (status == STATUS_FENCED || source->trouble.error.status == STATUS_AUTH) {
        return; /* the rebalance callback follows; or worse is known already */
    }
    if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        /* It was there when the service started: metadata may lack it for a while. */
        error.status = STATUS_BROKER_DOWN;
    }
    source->trouble.error = error;
}

/* Whether the record is handed out; if so it is the last of records. */
static bool
take_record(struct source_kafka *source, rd_kafka_message_t *message)
{
    struct partition *state = find_partition(source, message->partition);
    rd_kafka_timestamp_type_t type;

    if (state == NULL || !state->resumed || message->offset < state->next) {
        return false;
    }
    state->next = message->offset + 1;
    state->eof = OFFSET_NONE;
    source->messages[source->message_count] = message;
    source->records[source->message_count] = (struct record){
            .partition = message->partition,
            .offset = message->offset,
            .timestamp_ms = rd_kafka_message_timestamp(message, &type),
            .value = {message->payload, message->len},
    };
    source->message_count += 1;
    return true;
}

/* Keep of fresh[count], which lie behind the messages of the batch, those to be handed out. */
static void
take_messages(struct source_kafka *source, rd_kafka_message_t **fresh, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool taken = false;

        if (fresh[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            take_error(source, fresh[i]);
        } else {
            taken = take_record(source, fresh[i]);
        }
        if (!taken) {
            rd_kafka_message_destroy(fresh[i]);
        }
    }
}

/*
 * After a rebalance callback: nothing of what came with it is handed out, and every partition that
 * is kept goes back to its next record.
 *
 * librdkafka pauses the kept partitions too, and what its batch call has thrown away by then it
 * still counts as read: it would go on behind a gap.
 */
static void
after_rebalance(struct source_kafka *source, rd_kafka_message_t **fresh, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_destroy(fresh[i]);
    }
    for (size_t i = 0; i < source->message_count; i++) {
        if (source->partitions[source->records[i].partition].resumed) {
            source->records[kept] = source->records[i];
            source->messages[kept++] = source->messages[i];
        } else {
            rd_kafka_message_destroy(source->messages[i]);
        }
    }
    source->message_count = kept;
    for (size_t i = 0; i < source->partition_count; i++) {
        struct partition *state = &source->partitions[i];
        struct error error;

        if (state->resumed) {
            state->eof = OFFSET_NONE;
            if (seek(source, (int32_t)i, state->next, &error) != STATUS_OK) {
                source->trouble.error = error;
            }
        }
    }
}

static void
make_room(struct source_kafka *source, size_t max)
{
    if (max > source->capacity) {
        source->messages = memory_resize(source->messages, max, sizeof(rd_kafka_message_t *));
        source->records = memory_resize(source->records, max, sizeof(*source->records));
        source->capacity = max;
    }
}

/* One call of the batch API, which waits until it has count messages or timeout_ms are over.
 * Returns whether it has so many, and no rebalance callback ran. */
static bool
fetch_piece(struct source_kafka *source, int64_t timeout_ms, size_t count)
{
    rd_kafka_message_t **fresh = source->messages + source->message_count;

    source->rebalanced = false;

    const ssize_t answer =
            rd_kafka_consume_batch_queue(source->queue, (int)timeout_ms, fresh, count);
    const size_t got = answer > 0 ? (size_t)answer : 0;

    if (source->rebalanced) {
        after_rebalance(source, fresh, got);
        return false;
    }
    take_messages(source, fresh, got);
    return got == count;
}

/* Up to count messages, in pieces: they are looked at while still in the nearest caches. */
static void
fetch(struct source_kafka *source, int64_t timeout_ms, size_t count)
{
    bool more = true;

    while (more && count > 0) {
        const size_t piece = count < FETCH_PIECE ? count : FETCH_PIECE;

        more = fetch_piece(source, timeout_ms, piece);
        count -= piece;
        timeout_ms = 0;
    }
}

/* Fill the batch: what is there at once, then the first record, then until linger is over. Nobody
 * works while more is waited for, so that a batch of LINGER_RECORDS goes as it is. What is there at
 * once has waited since some time after the last poll: while the loop was busy, linger has gone by.
 */
static void
collect(struct source_kafka *source, size_t max, int64_t wait_ms, int64_t linger_ms)
{
    const size_t enough = max < LINGER_RECORDS ? max : LINGER_RECORDS;
    int64_t until = now_ms(source) + wait_ms;
    int64_t left = 0;
    int64_t first_ms = source->polled_ms; /* no record of the batch came before */
    bool lingers = false;
    const enum status known = source->trouble.error.status;

    do {
        const size_t more = source->message_count == 0 ? 1 : enough - source->message_count;
        const bool awaits = left > 0 && source->message_count == 0;

        fetch(source, left, left == 0 ? max : more);
        first_ms = awaits ? now_ms(source) : first_ms;
        if (!lingers && source->message_count > 0) {
            lingers = true;
            until = first_ms + linger_ms;
        }
        left = until - now_ms(source);
    } while (left > 0 && source->message_count < enough &&
             (source->message_count > 0 || source->trouble.error.status == STATUS_OK ||
                     source->trouble.error.status == known));
    source->polled_ms = now_ms(source);
    if (!HAS_FETCH_BACKOFF && source->message_count >= WAKE_RECORDS) {
        kafka_wake_fetchers(source->rk);
    }
}

/* A broker that was reported down is asked once a second whether it is back. */
static void
probe(struct source_kafka *source)
{
    if (now_ms(source) - source->probed_ms >= ANSWER_VALID_MS) {
        if (kafka_ask_anything(source->asker, ANSWER_WAIT_MS)) {
            kafka_trouble_over(&source->trouble);
        }
        source->probed_ms = now_ms(source);
    }
}

static enum status
source_poll(struct source *base, size_t max, int64_t wait_ms, int64_t linger_ms,
        struct batch *batch, struct error *error)
{
    struct source_kafka *source = source_of(base);

    assert(max > 0);
    release_batch(source);
    make_room(source, max);
    if (source->trouble.error.status == STATUS_BROKER_DOWN) {
        probe(source);
    }
    if (status_disposition(source->trouble.error.status) != DISPOSE_EXIT) {
        collect(source, max, wait_ms, linger_ms);
    }
    if (source->message_count > 0) {
        kafka_trouble_over(&source->trouble);
    } else if (source->trouble.error.status != STATUS_OK) {
        return error_set(error, source->trouble.error.status, "%s", source->trouble.error.text);
    }
    *batch = (struct batch){source->records, source->message_count};
    return STATUS_OK;
}

/* ---- questions to the broker --------------------------------------------------------------- */

/* The metadata comes back without an end of string. */
static const char *
copy_metadata(struct source_kafka *source, const rd_kafka_topic_partition_t *entry)
{
    char *text = arena_new(&source->metadata, entry->metadata_size + 1, 1);

    if (entry->metadata_size > 0) {
        memcpy(text, entry->metadata, entry->metadata_size);
    }
    return text;
}

static enum status
source_committed(struct source *base, struct position *positions, size_t count, struct error *error)
{
    struct source_kafka *source = source_of(base);
    const char *topic = source->config->topics.outcomes;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t code;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, topic, positions[i].partition);
    }
    code = rd_kafka_committed(source->rk, list, COMMITTED_WAIT_MS);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        code = list->elems[i].err;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        status = failed(source, code, "read committed offsets", NULL, error);
    } else {
        kafka_trouble_over(&source->trouble);
        arena_reset(&source->metadata);
        for (size_t i = 0; i < count; i++) {
            const rd_kafka_topic_partition_t *entry =
                    rd_kafka_topic_partition_list_find(list, topic, positions[i].partition);

            positions[i].offset = entry->offset >= 0 ? entry->offset : OFFSET_NONE;
            positions[i].metadata = copy_metadata(source, entry);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static enum status
source_limits(
        struct source *base, int32_t partition, int64_t *low, int64_t *high, struct error *error)
{
    struct source_kafka *source = source_of(base);

    return kafka_ask_limits(source->asker, source->config->topics.outcomes, partition, low, high,
            REQUEST_WAIT_MS, error);
}

/*
 * Ask, in one call, where the logs of all partitions that flow end.
 *
 * With read_committed the answer is the last stable offset, which is also what the end of a
 * partition is reported at: the two can be compared even behind transaction markers.
 */
static void
ask_ends(struct source_kafka *source)
{
    rd_kafka_topic_partition_list_t *list =
            rd_kafka_topic_partition_list_new((int)source->partition_count);

    source->ends_asked_ms = now_ms(source);
    for (size_t i = 0; i < source->partition_count; i++) {
        source->partitions[i].end = OFFSET_NONE;
        if (source->partitions[i].resumed) {
            rd_kafka_topic_partition_list_add(list, source->config->topics.outcomes, (int32_t)i);
        }
    }
    if (kafka_ask_ends(source->asker, list, ANSWER_WAIT_MS)) {
        for (int i = 0; i < list->cnt; i++) {
            if (list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                source->partitions[list->elems[i].partition].end = list->elems[i].offset;
            }
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static bool
source_at_end(struct source *base, int32_t partition, int64_t next)
{
    struct source_kafka *source = source_of(base);
    struct partition *state = find_partition(source, partition);

    if (state == NULL || !state->resumed || next < state->next || state->eof < next) {
        return false;
    }
    if (now_ms(source) - source->ends_asked_ms >= ANSWER_VALID_MS) {
        ask_ends(source);
    }
    /* An answer that took long is old: it is counted from when it was asked for. */
    return state->end == state->eof && now_ms(source) - source->ends_asked_ms < ANSWER_VALID_MS;
}

/* Synchronous, with a limit of time that rd_kafka_commit() lacks. */
static enum status
source_commit(
        struct source *base, const struct position *positions, size_t count, struct error *error)
{
    struct source_kafka *source = source_of(base);
    rd_kafka_queue_t *answers = rd_kafka_queue_new(source->rk);
    rd_kafka_topic_partition_list_t *list =
            kafka_positions(source->config->topics.outcomes, positions, count);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(source->rk, list, answers, NULL, NULL);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(answers, REQUEST_WAIT_MS);

        code = event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
        for (int i = 0; event != NULL && code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
            code = rd_kafka_event_topic_partition_list(event)->elems[i].err;
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(answers);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failed(source, code, "commit offsets", NULL, error);
    }
    kafka_trouble_over(&source->trouble);
    return STATUS_OK;
}

/* ---- life -------------------------------------------------------------------------------- */

static void
source_destroy(struct source *base)
{
    struct source_kafka *source = source_of(base);

    if (source == NULL) {
        return;
    }
    source->closing = true;
    release_batch(source);
    if (source->rk != NULL) {
        if (source->queue != NULL) {
            rd_kafka_queue_destroy(source->queue);
        }
        if (source->group != NULL) {
            rd_kafka_consumer_group_metadata_destroy(source->group);
        }
        kafka_consumer_close(source->rk, source->clock, &source->joined,
                source->trouble.error.status == STATUS_OK);
    }
    kafka_asker_destroy(source->asker);
    arena_fini(&source->metadata);
    free(source->partitions);
    free(source->messages);
    free(source->records);
    free(source);
}

static const struct source_ops source_kafka_ops = {
        .poll = source_poll,
        .committed = source_committed,
        .pause = source_pause,
        .resume = source_resume,
        .limits = source_limits,
        .at_end = source_at_end,
        .commit = source_commit,
        .destroy = source_destroy,
};

/* Fetches of 256 KiB: else one large fetch of a topic that compresses well fills the queue. The
 * queue is short, so that records are still in a cache when they are counted, and looked at again
 * soon (see kafka_wake_fetchers()). */
static const struct kafka_setting source_defaults[] = {
        {"fetch.message.max.bytes", "262144", NULL},
        {"queued.min.messages", "1000000", NULL},
        {"queued.max.messages.kbytes", "65536", NULL},
        {"fetch.queue.backoff.ms", HAS_FETCH_BACKOFF ? "10" : NULL, NULL},
        /* A member that died is missed after 15 s, not 45; also the one that this process was
         * before the brokers were away for longer. */
        {"session.timeout.ms", "15000", NULL},
        {NULL, NULL, NULL},
};

static enum status
make_conf(struct source_kafka *source, rd_kafka_conf_t **out, struct error *error)
{
    const struct config *config = source->config;
    const char *instance = config->instance[0] != '\0' ? config->instance : NULL;
    const struct kafka_setting ours[] = {
            {"group.id", config->group, "use `group`"},
            {"group.instance.id", instance, "use `instance`"},
            {"partition.assignment.strategy", "cooperative-sticky", "it is cooperative-sticky"},
            {"enable.auto.commit", "false", "offsets are committed with what was published"},
            {"enable.auto.offset.store", "false", "offsets are committed with what was published"},
            {"auto.offset.reset", "error", "a fresh group starts at the earliest offset"},
            {"isolation.level", "read_committed", "it is read_committed"},
            {"enable.partition.eof", "true", "the end of partitions is needed"},
            {"transactional.id", NULL, "use `group` and `instance`"},
            {"enable.idempotence", NULL, "it is always on"},
            {NULL, NULL, NULL},
    };

    return kafka_conf_new(
            config, KAFKA_CONSUMER, source_defaults, ours, &source->trouble, out, error);
}

static enum status
subscribe(struct source_kafka *source, struct error *error)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(
            topics, source->config->topics.outcomes, RD_KAFKA_PARTITION_UA);

    const rd_kafka_resp_err_t code = rd_kafka_subscribe(source->rk, topics);

    rd_kafka_topic_partition_list_destroy(topics);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? STATUS_OK
                                              : failed(source, code, "subscribe", NULL, error);
}

enum status
source_kafka_new(const struct config *config, const struct clock *clock,
        const struct source_listener *listener, struct source **out, struct error *error)
{
    struct source_kafka *source = memory_new(1, sizeof(*source));
    rd_kafka_conf_t *conf = NULL;
    enum status status;

    source->base.ops = &source_kafka_ops;
    source->config = config;
    source->clock = clock;
    source->listener = *listener;
    source->trouble.owner = source;
    arena_init(&source->metadata);
    source->ends_asked_ms = INT64_MIN / 2; /* never */
    source->probed_ms = INT64_MIN / 2;
    status = make_conf(source, &conf, error);
    if (status != STATUS_OK) {
        goto fail;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    status = kafka_client_new(RD_KAFKA_CONSUMER, conf, &source->rk, error);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = kafka_asker_new(config, &source->asker, error);
    if (status != STATUS_OK) {
        goto fail;
    }
    rd_kafka_poll_set_consumer(source->rk);
    source->queue = rd_kafka_queue_get_consumer(source->rk);
    status = subscribe(source, error);
    if (status != STATUS_OK) {
        goto fail;
    }
    *out = &source->base;
    return STATUS_OK;
fail:
    source_destroy(&source->base);
    return status;
}
