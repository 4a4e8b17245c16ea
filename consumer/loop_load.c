/* loop_load.c - the service loop's loading of partitions: what Redis holds against what Kafka
 * holds.
 *
 * Every step is done for all partitions that are due before the next begins, so that one
 * transaction serves all. The order of the steps is what makes them right: docs/delivery.md.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/loop_internal.h"

#include "consumer/log.h"

#include <inttypes.h>
#include <stdlib.h>

/* One partition on its way through the steps; claim is NULL once it has dropped out. */
struct loading {
    struct claim *claim;
    struct position position;
    int64_t low, high;
};

struct load_round {
    struct loop *loop;
    struct loading *items;
    size_t count;
};

/* A claim that failed tries again later; what ends the process is handed up. */
static enum status
load_failed(struct load_round *round, struct loading *item, enum status status, struct error *error)
{
    if (status_disposition(status) == DISPOSE_EXIT) {
        return status;
    }
    log_warn("load", "partition=%" PRId32 " status=\"%s\" error=\"%s\"", item->claim->partition,
            status_text(status), error->text);
    if (status == STATUS_STORE_DOWN || status == STATUS_UNKNOWN_OUTCOME) {
        loop_views_lost(round->loop, item->claim);
    }
    claim_reload(item->claim, loop_now(round->loop), -1);
    item->claim = NULL;
    return STATUS_OK;
}

static enum status
load_failed_all(struct load_round *round, enum status status, struct error *error)
{
    for (size_t i = 0; i < round->count; i++) {
        if (round->items[i].claim != NULL) {
            const enum status failed = load_failed(round, &round->items[i], status, error);

            if (failed != STATUS_OK) {
                return failed;
            }
        }
    }
    return STATUS_OK;
}

static size_t
load_left(const struct load_round *round)
{
    size_t left = 0;

    for (size_t i = 0; i < round->count; i++) {
        left += round->items[i].claim != NULL;
    }
    return left;
}

/* Step 1. */
static enum status
load_stored(struct load_round *round, struct loading *item, struct error *error)
{
    const struct loop_options *options = &round->loop->options;

    if (options->partition_count != 0 && item->claim->partition >= options->partition_count) {
        return error_set(error, STATUS_REFUSED,
                "partitions were added to %s, which had %" PRId32 " at start: owners moved to "
                "other partitions; `retrywatch rebuild` counts the log anew",
                options->config->topics.outcomes, options->partition_count);
    }

    const enum status status = claim_read_stored(item->claim, &round->loop->context, error);

    return status == STATUS_OK ? STATUS_OK : load_failed(round, item, status, error);
}

/* Steps 2 and 4: the comparison needs nothing of step 3, and refuses before anything is written. */
static enum status
load_committed(struct load_round *round, struct error *error)
{
    struct source *source = round->loop->source;
    struct position *positions = memory_new(round->count, sizeof(*positions));
    size_t count = 0;
    enum status status;

    for (size_t i = 0; i < round->count; i++) {
        if (round->items[i].claim != NULL) {
            positions[count++].partition = round->items[i].claim->partition;
        }
    }
    status = source->ops->committed(source, positions, count, error);
    if (status != STATUS_OK) {
        status = load_failed_all(round, status, error);
        goto done;
    }
    count = 0;
    for (size_t i = 0; i < round->count && status == STATUS_OK; i++) {
        struct loading *item = &round->items[i];

        if (item->claim == NULL) {
            continue;
        }
        item->position = positions[count++];
        status =
                source->ops->limits(source, item->claim->partition, &item->low, &item->high, error);
        if (status == STATUS_OK) {
            status = claim_compare(item->claim, &round->loop->context, &item->position, item->low,
                    item->high, error);
        }
        if (status != STATUS_OK) {
            status = load_failed(round, item, status, error);
        }
    }
done:
    free(positions);
    return status;
}

/* Step 3: commit back what was read. Who is not the owner any more is refused here, before the
 * claim could disturb the one who is. */
static enum status
load_commit_back(struct load_round *round, struct error *error)
{
    struct position *positions = memory_new(round->count, sizeof(*positions));
    char(*metadata)[CURSOR_TEXT_SIZE] = memory_new(round->count, CURSOR_TEXT_SIZE);
    struct publisher *publisher = round->loop->publisher;
    size_t count = 0;
    enum status status;

    for (size_t i = 0; i < round->count; i++) {
        const struct claim *claim = round->items[i].claim;

        if (claim != NULL) {
            cursor_format(&claim->cursor, metadata[count]);
            positions[count].partition = claim->partition;
            positions[count].offset = claim->committed;
            positions[count].metadata = metadata[count];
            count += 1;
        }
    }
    status = publisher->ops->publish(publisher, NULL, 0, positions, count, error);
    if (status != STATUS_OK) {
        status = load_failed_all(round, status, error);
    }
    free(metadata);
    free(positions);
    return status;
}

/* Steps 5 and 6. */
static enum status
load_take(struct load_round *round, struct loading *item, struct error *error)
{
    struct loop *loop = round->loop;
    const enum status status = claim_take(item->claim, &loop->context, loop_wall(loop), error);

    if (status != STATUS_OK) {
        return load_failed(round, item, status, error);
    }
    loop->metrics.loads += 1;
    item->claim->checked_ms = loop_now(loop);
    return STATUS_OK;
}

/* Step 7, after the claim: whoever wrote the state that was read knew no decision that is not read
 * here, so that what is known never goes back. */
static enum status
load_decisions(struct load_round *round, struct error *error)
{
    struct loop *loop = round->loop;
    const enum status status =
            loop->feed->ops->read_to_end(loop->feed, loop->options.decisions, error);

    return status == STATUS_OK ? STATUS_OK : load_failed_all(round, status, error);
}

/* On with reading. */
static enum status
load_resume(struct load_round *round, struct loading *item, struct error *error)
{
    struct loop *loop = round->loop;
    struct claim *claim = item->claim;
    enum status status;

    claim->next = claim_start(claim, item->low);
    status = loop->source->ops->resume(loop->source, claim->partition, claim->next, error);
    if (status != STATUS_OK) {
        return load_failed(round, item, status, error);
    }
    log_info("load",
            "partition=%" PRId32 " applied=%" PRId64 " committed=%" PRId64 " serial=%" PRIu64
            " pending=%zu",
            claim->partition, claim->applied.offset, claim->committed, claim->applied.serial,
            claim->pending.count);
    /* A crash may have come between the EXEC and the views. */
    loop_show_reviews(loop, claim, 0);
    return STATUS_OK;
}

static enum status
load_each(struct load_round *round,
        enum status (*step)(struct load_round *round, struct loading *item, struct error *error),
        struct error *error)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < round->count && status == STATUS_OK; i++) {
        if (round->items[i].claim != NULL) {
            status = step(round, &round->items[i], error);
        }
    }
    return status;
}

static enum status
load_round_run(struct load_round *round, struct error *error)
{
    enum status status = load_each(round, load_stored, error);

    if (status == STATUS_OK && load_left(round) != 0) {
        status = load_committed(round, error);
    }
    if (status == STATUS_OK && load_left(round) != 0) {
        status = load_commit_back(round, error);
    }
    if (status == STATUS_OK) {
        status = load_each(round, load_take, error);
    }
    if (status == STATUS_OK && load_left(round) != 0) {
        status = load_decisions(round, error);
    }
    return status == STATUS_OK ? load_each(round, load_resume, error) : status;
}

enum status
loop_load(struct loop *loop, struct error *error)
{
    struct load_round round = {.loop = loop};
    const int64_t now_ms = loop_now(loop);
    enum status status = STATUS_OK;

    round.items = memory_new(loop->claim_count, sizeof(*round.items));
    for (size_t i = 0; i < loop->claim_count; i++) {
        struct claim *claim = loop->claims[i];

        if (claim->state == CLAIM_LOADING && claim->retry_at_ms <= now_ms) {
            round.items[round.count++].claim = claim;
        }
    }
    if (round.count != 0) {
        status = load_round_run(&round, error);
    }
    free(round.items);
    return status;
}
