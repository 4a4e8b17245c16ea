/* world_kafka.c - the simulated Kafka: logs, a consumer group, transactions, output topics.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world_internal.h"

#include "codec/review_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the consumer group ---------------------------------------------------------------------- */

static void
revoke(struct instance *instance, int32_t partition, bool lost)
{
    const struct source_listener *listener = loop_listener(instance->loop);

    instance->revoking = !lost;
    listener->revoked(listener->context, &partition, 1, lost);
    instance->revoking = false;
    instance->partitions[partition] = (struct sim_partition){0};
    if (instance->world->logs[partition].owner == instance->index) {
        instance->world->logs[partition].owner = -1;
    }
    sim_trace(instance, "revoked", partition, lost ? "lost" : "");
}

/* The rebalance callback: what is not ours any more goes first, then comes what is new. */
void
sim_rebalance(struct instance *instance)
{
    struct world *world = instance->world;
    const struct source_listener *listener = loop_listener(instance->loop);
    const bool lost = instance->expelled;
    int32_t assigned[WORLD_PARTITIONS_MAX];
    size_t count = 0;

    instance->expelled = false;
    for (int32_t p = 0; p < world->partition_count; p++) {
        if (instance->partitions[p].assigned &&
                (lost || world->logs[p].wanted != instance->index)) {
            revoke(instance, p, lost);
        }
    }
    if (instance->expelled) {
        return; /* meanwhile: it joins at the next poll */
    }
    instance->generation = world->generation;
    for (int32_t p = 0; p < world->partition_count; p++) {
        struct world_log *log = &world->logs[p];

        if (log->wanted == instance->index && log->owner == -1) {
            log->owner = instance->index;
            instance->partitions[p] = (struct sim_partition){.assigned = true};
            assigned[count++] = p;
            sim_trace(instance, "assigned", p, "");
        }
    }
    if (count != 0) {
        listener->assigned(listener->context, assigned, count);
    }
}

/* ---- source ---------------------------------------------------------------------------------- */

static size_t
poll_partition(struct instance *instance, int32_t p, size_t count, size_t max)
{
    struct sim_partition *partition = &instance->partitions[p];
    const struct world_log *log = &instance->world->logs[p];

    while (partition->assigned && partition->resumed && count < max &&
            partition->next < (int64_t)log->count) {
        const struct world_record *record = &log->records[partition->next];

        instance->records = memory_grow(
                instance->records, count, &instance->record_capacity, sizeof(*instance->records));
        instance->records[count++] = (struct record){
                .partition = p,
                .offset = partition->next++,
                .timestamp_ms = record->timestamp_ms,
                .value = record->is_null ? SPAN_NULL : buffer_span(&record->value),
        };
    }
    return count;
}

static enum status
sim_poll(struct source *source, size_t max, int64_t wait_ms, int64_t linger_ms, struct batch *batch,
        struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct world *world = instance->world;
    size_t count = 0;

    (void)linger_ms;
    *batch = (struct batch){0};
    world->wall_ms += (int64_t)world_random(world, (uint64_t)wait_ms);

    const enum fate fate = sim_fate(instance, "poll", world->broker_down_until_ms);

    if (fate != FATE_DONE) {
        return fate_told_read(fate, STATUS_BROKER_DOWN, error);
    }
    if (instance->deaf > 0) {
        instance->deaf -= 1;
    } else {
        sim_rebalance(instance);
    }
    max = 1 + world_random(world, max);
    for (int32_t p = 0; p < world->partition_count; p++) {
        count = poll_partition(instance, p, count, max);
    }
    *batch = (struct batch){instance->records, count};
    return STATUS_OK;
}

static enum status
sim_pause(struct source *source, int32_t partition, struct error *error)
{
    (void)error;
    INSTANCE_OF(source, source)->partitions[partition].resumed = false;
    return STATUS_OK;
}

static enum status
sim_resume(struct source *source, int32_t partition, int64_t offset, struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct sim_partition *at = &instance->partitions[partition];

    if (!at->assigned) {
        return error_set(error, STATUS_FENCED, "simulated: not assigned");
    }
    at->resumed = true;
    at->next = offset;
    instance->loading[partition] = false;
    return STATUS_OK;
}

static enum status
sim_limits(
        struct source *source, int32_t partition, int64_t *low, int64_t *high, struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, "limits", world->broker_down_until_ms);

    *low = 0;
    *high = (int64_t)world->logs[partition].count;
    return fate_told_read(fate, STATUS_BROKER_DOWN, error);
}

/* An answer may be a second old: the log may have gone on, or the broker away, since. */
static bool
sim_at_end(struct source *source, int32_t partition, int64_t next)
{
    const struct instance *instance = INSTANCE_OF(source, source);
    struct world *world = instance->world;
    const struct world_log *log = &world->logs[partition];
    const int64_t second_ago_ms = world->wall_ms - 1000;

    if (instance->dead || (world->wall_ms < world->broker_down_until_ms &&
                                  world->broker_down_from_ms < second_ago_ms)) {
        return false;
    }
    return next == (int64_t)log->count ||
           (next < (int64_t)log->count && log->records[next].timestamp_ms > second_ago_ms &&
                   world_chance(world, world->faults.stale_end));
}

static void
sim_source_destroy(struct source *source)
{
    (void)source;
}

/* ---- transactions ---------------------------------------------------------------------------- */

void
output_fini(struct world_output *output)
{
    buffer_fini(&output->key);
    buffer_fini(&output->value);
    buffer_fini(&output->headers);
}

static struct world_output
output_of(const struct world *world, const struct out_record *record)
{
    struct world_output output = {
            .topic = record->topic, .partition = -1, .timestamp_ms = world->wall_ms};
    struct reader headers = reader_of(record->headers);
    struct span name, value;

    buffer_put(&output.key, record->key.data, record->key.size);
    buffer_put(&output.value, record->value.data, record->value.size);
    buffer_put(&output.headers, record->headers.data, record->headers.size);
    while (headers_next(&headers, &name, &value)) {
        char text[128] = {0};
        char topic[64];

        memcpy(text, value.data, value.size < 127 ? value.size : 127);
        if (span_equal(name, span_of("partition"))) {
            output.partition = atoi(text);
        } else if (span_equal(name, span_of("rw-position")) &&
                   sscanf(text, "%63s %" SCNd32 " %" SCNu64 " %" SCNd64 " %" SCNd64, topic,
                           &output.partition, &output.serial, &output.offset,
                           &output.stream_ms) < 4) {
            abort();
        }
    }
    return output;
}

static const struct world_output *
published(const struct world *world, int32_t partition, uint64_t serial)
{
    for (size_t i = 0; i < world->output_count; i++) {
        const struct world_output *output = &world->outputs[i];

        if (output->partition == partition && output->serial == serial) {
            return output;
        }
    }
    return NULL;
}

bool
world_is_published(const struct world *world, int32_t partition, uint64_t serial,
        const struct pending *pending)
{
    const struct world_output *output = published(world, partition, serial);

    return output != NULL && span_equal(pending->headers, buffer_span(&output->headers)) &&
           span_equal(pending->value, buffer_span(&output->value));
}

static bool
same_record(const struct world_output *a, const struct world_output *b)
{
    return span_equal(buffer_span(&a->value), buffer_span(&b->value)) &&
           span_equal(buffer_span(&a->headers), buffer_span(&b->headers));
}

/* What is published is what Redis holds as pending under that serial, unless it has lost it. */
static void
check_stored(struct world *world, const struct world_output *output)
{
    const struct world_field *field =
            state_field(&world->states[output->partition], "pending", output->serial);
    struct pending pending;
    struct error error;

    if (world->lost_writes || world->emptied) {
        return;
    }
    if (field == NULL ||
            pending_decode(buffer_span(&field->value), &pending, &error) != STATUS_OK) {
        world_fail(world, "partition %d: serial %" PRIu64 " was published and never stored",
                output->partition, output->serial);
    } else if (!span_equal(pending.headers, buffer_span(&output->headers)) ||
               !span_equal(pending.value, buffer_span(&output->value))) {
        world_fail(world, "partition %d: serial %" PRIu64 " was not published as stored",
                output->partition, output->serial);
    }
}

/* Up to the last review that is published, nothing is evaluated again. */
static void
check_not_again(struct world *world, const struct world_output *output)
{
    struct world_log *log = &world->logs[output->partition];

    if (output->topic != OUT_REVIEWS) {
        return;
    }
    if ((output->offset < log->published_at || output->stream_ms < log->published_ms) &&
            !world->changed_roles) {
        world_fail(world,
                "partition %d: serial %" PRIu64 " was decided at %" PRId64 ", T %" PRId64
                ", the one before at %" PRId64 ", T %" PRId64,
                output->partition, output->serial, output->offset, output->stream_ms,
                log->published_at, log->published_ms);
    }
    log->published_ms = output->stream_ms;
    log->published_at = output->offset;
}

static void
trace_output(const struct world *world, const struct world_output *output)
{
    json_t *review = NULL;
    struct error error;

    printf("%" PRId64 " published partition %" PRId32 " serial %" PRIu64 " (%" PRId64 ", T %" PRId64
           ")",
            world->wall_ms, output->partition, output->serial, output->offset, output->stream_ms);
    if (output->topic == OUT_REVIEWS &&
            review_decode(buffer_span(&output->value), &review, &error) == STATUS_OK) {
        printf(" %.8s %s %s", json_string_value(json_object_get(review, "review_id")),
                json_string_value(json_object_get(review, "status")),
                json_string_value(json_object_get(review, "reason")));
        json_decref(review);
    }
    printf("\n");
}

/* A record becomes visible. Takes what the output owns. */
static void
output_add(struct world *world, struct world_output output)
{
    struct world_log *log = &world->logs[output.partition];
    const bool may_repeat = world->config->delivery == DELIVERY_AT_LEAST_ONCE;

    if (output.serial != 0 && output.serial == log->published + 1) {
        check_stored(world, &output);
        check_not_again(world, &output);
        log->published += 1;
    } else if (output.serial != 0 && may_repeat && output.serial <= log->published) {
        /* Emptied before the first commit, Redis forgets what was published with it. */
        if (!world->emptied &&
                !same_record(published(world, output.partition, output.serial), &output)) {
            world_fail(world, "partition %d: serial %" PRIu64 " was repeated with other content",
                    output.partition, output.serial);
        }
    } else if (output.serial != 0) {
        world_fail(world, "partition %d: serial %" PRIu64 " was published after %" PRIu64,
                output.partition, output.serial, log->published);
    }
    if (world->trace) {
        trace_output(world, &output);
    }
    world->outputs = memory_grow(
            world->outputs, world->output_count, &world->output_capacity, sizeof(output));
    world->outputs[world->output_count++] = output;
}

static void
commit_position(struct world *world, int32_t partition, int64_t offset, const char *metadata)
{
    struct world_log *log = &world->logs[partition];
    struct cursor before = {0};
    struct cursor after = {0};
    struct error error;

    if (cursor_parse(metadata, &after, &error) != STATUS_OK) {
        world_fail(world, "partition %d: committed without a cursor", partition);
    }
    if (!world->reset && log->committed >= 0 &&
            cursor_parse(log->metadata, &before, &error) == STATUS_OK &&
            (offset < log->committed || after.serial < before.serial)) {
        world_fail(world, "partition %d: committed %" PRId64 " (%s) after %" PRId64 " (%s)",
                partition, offset, metadata, log->committed, log->metadata);
    }
    /* With at_least_once somebody else may have published further. */
    if (world->config->delivery == DELIVERY_EXACTLY_ONCE ? after.serial != log->published
                                                         : after.serial > log->published) {
        world_fail(world, "partition %d: the cursor is %" PRIu64 ", published is %" PRIu64,
                partition, after.serial, log->published);
    }
    log->committed = offset;
    memcpy(log->metadata, metadata, strnlen(metadata, CURSOR_TEXT_SIZE - 1) + 1);
    if (world->trace) {
        printf("%" PRId64 " committed partition %" PRId32 " %" PRId64 " %s\n", world->wall_ms,
                partition, offset, metadata);
    }
}

static void
transaction_free(struct world_transaction *transaction)
{
    for (size_t i = 0; i < transaction->output_count; i++) {
        output_fini(&transaction->outputs[i]);
    }
    transaction->output_count = 0;
    transaction->position_count = 0;
    transaction->id = 0;
    transaction->instance = NULL;
}

static void
transaction_commit(struct world *world, struct world_transaction *transaction)
{
    for (size_t i = 0; i < transaction->output_count; i++) {
        output_add(world, transaction->outputs[i]);
    }
    transaction->output_count = 0; /* the world owns them now */
    for (size_t i = 0; i < transaction->position_count; i++) {
        commit_position(world, transaction->positions[i].partition,
                transaction->positions[i].offset, transaction->positions[i].metadata);
    }
    world->writes += 1;
    transaction_free(transaction);
}

static struct world_transaction *
transaction_begin(struct instance *instance)
{
    struct world *world = instance->world;

    for (size_t i = 0; i < WORLD_TRANSACTIONS_MAX; i++) {
        if (world->transactions[i].id == 0) {
            world->transactions[i].id = ++world->transaction_count;
            world->transactions[i].instance = instance;
            return &world->transactions[i];
        }
    }
    transaction_free(&world->transactions[0]); /* its time is over: aborted */
    return transaction_begin(instance);
}

void
transactions_orphan(struct world *world, const struct instance *instance)
{
    for (size_t i = 0; i < WORLD_TRANSACTIONS_MAX; i++) {
        if (world->transactions[i].instance == instance) {
            world->transactions[i].instance = NULL;
        }
    }
}

static bool
transaction_holds(const struct world_transaction *transaction, int32_t partition)
{
    for (size_t i = 0; i < transaction->position_count; i++) {
        if (transaction->positions[i].partition == partition) {
            return transaction->id != 0;
        }
    }
    return false;
}

/* Wait until a transaction over this partition has ended, one way or the other; false: in vain. */
static bool
await_transaction(struct instance *instance, struct world_transaction *transaction)
{
    struct world *world = instance->world;
    const bool is_running = transaction->instance != NULL && transaction->instance != instance;

    if (world_chance(world, 300)) {
        return false;
    }
    world->wall_ms += (int64_t)world_random(world, TRANSACTION_TIMEOUT_MS);
    /* The end that was sent may arrive only now; what is still on its way in another instance
     * meets a transaction that timed out. */
    if (!is_running && world_chance(world, 500)) {
        sim_trace(instance, "waits for a transaction", -1, "committed");
        transaction_commit(world, transaction);
    } else {
        sim_trace(instance, "waits for a transaction", -1, "aborted");
        transaction_free(transaction);
    }
    return true;
}

/* Stable: read_committed waits for open transactions. */
static enum status
sim_committed(struct source *source, struct position *positions, size_t count, struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, "committed", world->broker_down_until_ms);

    if (fate != FATE_DONE) {
        return fate_told_read(fate, STATUS_BROKER_DOWN, error);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < WORLD_TRANSACTIONS_MAX; k++) {
            if (transaction_holds(&world->transactions[k], positions[i].partition) &&
                    !await_transaction(instance, &world->transactions[k])) {
                return error_set(error, STATUS_BROKER_DOWN, "simulated: unstable");
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct world_log *log = &world->logs[positions[i].partition];

        instance->loading[positions[i].partition] = true;
        memcpy(instance->metadata[i], log->metadata, CURSOR_TEXT_SIZE);
        positions[i].offset = log->committed;
        positions[i].metadata = instance->metadata[i];
    }
    return STATUS_OK;
}

/* ---- publisher ------------------------------------------------------------------------------- */

/* The coordinator fences by member and generation. Who is asked to give a partition away may still
 * commit for it. */
static bool
is_fenced(const struct instance *instance, const struct position *positions, size_t count)
{
    const struct world *world = instance->world;

    if (instance->expelled) {
        return true;
    }
    for (size_t i = 0; i < count && instance->revoking; i++) {
        if (world->logs[positions[i].partition].owner != instance->index) {
            return true;
        }
    }
    return !instance->revoking && instance->generation != world->generation;
}

/* The answer to the end of a transaction, by what became of it on the way. */
static enum status
end_transaction(struct instance *instance, struct world_transaction *transaction, uint64_t id,
        struct error *error)
{
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, "commit", world->broker_down_until_ms);

    if (fate == FATE_NOT_DONE || fate == FATE_CRASHED) {
        return fate_told(fate, STATUS_BROKER_DOWN, error); /* open until somebody waits for it */
    }
    if (transaction->id != id) {
        sim_trace(instance, "commit", -1, "too late");
        return error_set(error, world_chance(world, 500) ? STATUS_FENCED : STATUS_UNKNOWN_OUTCOME,
                "simulated: the transaction has timed out");
    }
    if (fate == FATE_FAILED) {
        transaction_free(transaction);
    } else {
        transaction_commit(world, transaction);
    }
    return fate_told(fate, STATUS_BROKER_DOWN, error);
}

static enum status
publish_exactly_once(struct instance *instance, const struct out_record *records,
        size_t record_count, const struct position *positions, size_t position_count,
        struct error *error)
{
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, "send offsets", world->broker_down_until_ms);
    struct world_transaction *transaction;

    if (fate != FATE_DONE && fate != FATE_CRASHED_AFTER) {
        return error_set(error, STATUS_BROKER_DOWN, "simulated: aborted");
    }
    if (is_fenced(instance, positions, position_count)) {
        sim_trace(instance, "publish", -1, "fenced");
        return error_set(error, STATUS_FENCED, "simulated: old generation");
    }
    transaction = transaction_begin(instance);
    for (size_t i = 0; i < record_count; i++) {
        transaction->outputs = memory_grow(transaction->outputs, transaction->output_count,
                &transaction->output_capacity, sizeof(*transaction->outputs));
        transaction->outputs[transaction->output_count++] = output_of(world, &records[i]);
    }
    for (size_t i = 0; i < position_count; i++) {
        transaction->positions[i].partition = positions[i].partition;
        transaction->positions[i].offset = positions[i].offset;
        memcpy(transaction->positions[i].metadata, positions[i].metadata,
                strnlen(positions[i].metadata, CURSOR_TEXT_SIZE - 1) + 1);
    }
    transaction->position_count = position_count;
    return end_transaction(instance, transaction, transaction->id, error);
}

static enum status
sim_commit(
        struct source *source, const struct position *positions, size_t count, struct error *error)
{
    struct instance *instance = INSTANCE_OF(source, source);
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, "commit", world->broker_down_until_ms);

    if (!fate_is_done(fate)) {
        return fate_told(fate, STATUS_BROKER_DOWN, error);
    }
    if (is_fenced(instance, positions, count)) {
        return error_set(error, STATUS_FENCED, "simulated: old generation");
    }
    for (size_t i = 0; i < count; i++) {
        commit_position(world, positions[i].partition, positions[i].offset, positions[i].metadata);
    }
    world->writes += 1;
    return fate_told(fate, STATUS_BROKER_DOWN, error);
}

/* Records first, some of them perhaps although it fails; then the offsets. */
static enum status
publish_at_least_once(struct instance *instance, const struct out_record *records,
        size_t record_count, const struct position *positions, size_t position_count,
        struct error *error)
{
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, "produce", world->broker_down_until_ms);
    const size_t done = fate_is_done(fate) ? record_count : world_random(world, record_count + 1);

    for (size_t i = 0; i < done; i++) {
        output_add(world, output_of(world, &records[i]));
    }
    if (fate != FATE_DONE) {
        return fate_told(fate, STATUS_BROKER_DOWN, error);
    }
    return sim_commit(&instance->source, positions, position_count, error);
}

static enum status
sim_publish(struct publisher *publisher, const struct out_record *records, size_t record_count,
        const struct position *positions, size_t position_count, struct error *error)
{
    struct instance *instance = INSTANCE_OF(publisher, publisher);

    return instance->world->config->delivery == DELIVERY_EXACTLY_ONCE
                   ? publish_exactly_once(
                             instance, records, record_count, positions, position_count, error)
                   : publish_at_least_once(
                             instance, records, record_count, positions, position_count, error);
}

static void
sim_publisher_destroy(struct publisher *publisher)
{
    (void)publisher;
}

/* ---- what was published, read back ------------------------------------------------------------
 */

static enum status
sim_read_back(struct readback *readback, int64_t from_ms,
        enum status (*visit)(
                void *context, struct span position, struct span value, struct error *error),
        void *context, struct error *error)
{
    struct instance *instance = INSTANCE_OF(readback, readback);
    struct world *world = instance->world;
    const enum fate fate = sim_fate(instance, "read back", world->broker_down_until_ms);
    enum status status = fate_told_read(fate, STATUS_BROKER_DOWN, error);

    for (size_t i = 0; i < world->output_count && status == STATUS_OK; i++) {
        struct reader headers = reader_of(buffer_span(&world->outputs[i].headers));
        struct span name, value;

        while (world->outputs[i].timestamp_ms >= from_ms && status == STATUS_OK &&
                headers_next(&headers, &name, &value)) {
            if (span_equal(name, span_of("rw-position"))) {
                status = visit(context, value, buffer_span(&world->outputs[i].value), error);
            }
        }
    }
    return status;
}

static void
sim_readback_destroy(struct readback *readback)
{
    (void)readback;
}

const struct source_ops sim_source_ops = {.poll = sim_poll,
        .committed = sim_committed,
        .pause = sim_pause,
        .resume = sim_resume,
        .limits = sim_limits,
        .at_end = sim_at_end,
        .commit = sim_commit,
        .destroy = sim_source_destroy};

const struct publisher_ops sim_publisher_ops = {
        .publish = sim_publish, .destroy = sim_publisher_destroy};

const struct readback_ops sim_readback_ops = {
        .read = sim_read_back, .destroy = sim_readback_destroy};
