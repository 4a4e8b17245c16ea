/* loop_publish.c - the service loop's transactions: reviews, rejected records, input offsets.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/loop_internal.h"

#include "consumer/log.h"

#include <inttypes.h>
#include <stdlib.h>

#define PUBLISH_BACKOFF_MIN_MS 100
#define PUBLISH_BACKOFF_MAX_MS 5000

/* A batch is under load when it is this part of a full one: by default 20,000 records, more than
 * come during a turn and its transaction at 200,000 a second. Below, the time that waiting for the
 * next transaction saves would be spent on waiting for records. */
#define LOADED_PART 10

/* Everything of one transaction; metadata belongs to positions. */
struct transaction {
    struct out_record *records;
    size_t record_count;
    struct position *positions;
    char (*metadata)[CURSOR_TEXT_SIZE];
    size_t position_count;
};

static void
transaction_init(struct transaction *transaction, struct claim **claims, size_t count)
{
    size_t record_count = 0;

    for (size_t i = 0; i < count; i++) {
        record_count += claim_collect(claims[i], NULL);
    }
    *transaction = (struct transaction){
            .records = memory_new(record_count, sizeof(*transaction->records)),
            .positions = memory_new(count, sizeof(*transaction->positions)),
            .metadata = memory_new(count, CURSOR_TEXT_SIZE),
    };
    for (size_t i = 0; i < count; i++) {
        transaction->record_count +=
                claim_collect(claims[i], transaction->records + transaction->record_count);
        transaction->positions[i] = claim_position(claims[i], transaction->metadata[i]);
    }
    transaction->position_count = count;
}

static void
transaction_fini(struct transaction *transaction)
{
    free(transaction->records);
    free(transaction->positions);
    free(transaction->metadata);
}

static bool
transaction_has_news(const struct transaction *transaction, struct claim **claims)
{
    bool news = transaction->record_count != 0;

    for (size_t i = 0; i < transaction->position_count; i++) {
        news = news || transaction->positions[i].offset != claims[i]->committed;
    }
    return news;
}

static void
publish_count(struct loop *loop, const struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->record_count; i++) {
        loop->metrics.reviews += transaction->records[i].topic == OUT_REVIEWS;
    }
    loop->metrics.transactions += 1;
}

enum status
loop_publish(struct loop *loop, struct claim **claims, size_t count, struct error *error)
{
    struct publisher *publisher = loop->publisher;
    struct transaction transaction;
    enum status status;

    if (loop->options.rebuilds) {
        return STATUS_OK; /* what it would publish waits for the service */
    }
    transaction_init(&transaction, claims, count);
    if (!transaction_has_news(&transaction, claims)) {
        transaction_fini(&transaction);
        return STATUS_OK;
    }
    status = publisher->ops->publish(publisher, transaction.records, transaction.record_count,
            transaction.positions, transaction.position_count, error);
    if (status == STATUS_OK) {
        publish_count(loop, &transaction);
        for (size_t i = 0; i < count; i++) {
            claim_published(claims[i]);
        }
    }
    transaction_fini(&transaction);
    return status;
}

/* Nothing more is read while nothing can be published: what waits must not grow without end. */
static void
publish_failed(struct loop *loop, enum status status, const struct error *error)
{
    const int64_t twice = loop->publish_backoff_ms * 2;

    log_warn("publish", "status=\"%s\" error=\"%s\"", status_text(status), error->text);
    loop->publish_backoff_ms = twice < PUBLISH_BACKOFF_MIN_MS   ? PUBLISH_BACKOFF_MIN_MS
                               : twice > PUBLISH_BACKOFF_MAX_MS ? PUBLISH_BACKOFF_MAX_MS
                                                                : twice;
    loop->publish_retry_ms = loop_now(loop) + loop->publish_backoff_ms;
    /* Whatever it was, loading finds out where the partitions stand: it reads both sides again,
     * and keeps memory that is still what is stored. */
    loop_reload_all(loop, loop->publish_backoff_ms);
}

/* Claims that a transaction may speak for; returns how many, and whether they have records. */
static size_t
publish_claims(struct loop *loop, struct claim **claims, bool *has_records, bool *has_progress)
{
    size_t count = 0;

    *has_records = false;
    *has_progress = false;
    for (size_t i = 0; i < loop->claim_count; i++) {
        struct claim *claim = loop->claims[i];
        char metadata[CURSOR_TEXT_SIZE];

        if (claim->state == CLAIM_LOADING) {
            continue;
        }
        claims[count++] = claim;
        *has_records = *has_records || claim_collect(claim, NULL) != 0;
        *has_progress = *has_progress || claim_position(claim, metadata).offset != claim->committed;
    }
    return count;
}

enum status
loop_publish_if_due(struct loop *loop, bool at_once, struct error *error)
{
    const struct config *config = loop->options.config;
    const int64_t now_ms = loop_now(loop);
    const int64_t since_ms = now_ms - loop->published_ms;
    const bool loaded = loop->batch_count >= (size_t)config->batch.max_events / LOADED_PART;
    struct claim **claims = memory_new(loop->claim_count, sizeof(struct claim *));
    bool has_records = false;
    bool has_progress = false;
    const size_t count = publish_claims(loop, claims, &has_records, &has_progress);
    enum status status = STATUS_OK;

    /* Under load a transaction each publish_interval_ms, from begin to begin; else at once. */
    if (at_once || (has_records && (!loaded || since_ms >= config->batch.publish_interval_ms)) ||
            (has_progress && since_ms >= config->batch.commit_interval_ms)) {
        loop->published_ms = now_ms;
        status = loop_publish(loop, claims, count, error);
        if (status == STATUS_OK) {
            loop->publish_backoff_ms = 0;
        } else if (status_disposition(status) != DISPOSE_EXIT) {
            publish_failed(loop, status, error);
            status = STATUS_OK;
        }
    }
    free(claims);
    return status;
}
