/* publisher_kafka.c - reviews and rejected records out, with the input offsets, by librdkafka.
 *
 * exactly_once: one Kafka transaction a call. at_least_once: records first, acknowledged, then a
 * plain commit. After any doubt the producer is thrown away: the next one's init_transactions()
 * ends whatever its predecessor left behind.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/state.h"
#include "consumer/kafka.h"
#include "consumer/kafka_internal.h"
#include "consumer/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define INIT_WAIT_MS 5000
#define STEP_WAIT_MS 5000    /* for the records, and for the offsets */
#define COMMIT_WAIT_MS 10000 /* beyond it the outcome is unknown, which costs a load */
#define ABORT_WAIT_MS 3000   /* beyond it the producer is thrown away instead */
#define LOOK_UP_WAIT_MS 1000
#define POLL_MS 10
#define TRANSACTIONAL_ID_SIZE 320

struct publisher_kafka {
    struct publisher base;
    const struct config *config;
    struct source *source;
    struct kafka_trouble trouble;
    char transactional_id[TRANSACTIONAL_ID_SIZE];
    rd_kafka_t *rk;                       /* NULL: to be made by the next call */
    rd_kafka_topic_t *topics[OUT_TOPICS]; /* held, so that it knows them; or NULL */
    bool ready;                           /* init_transactions() has succeeded */
    size_t undelivered;                   /* records of this call without an answer yet */
    rd_kafka_resp_err_t refused; /* why a record of this call was not taken; else NO_ERROR */
};

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct publisher_kafka *publisher = ((struct kafka_trouble *)opaque)->owner;

    (void)rk;
    publisher->undelivered -= 1;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        publisher->refused = message->err;
    }
}

/* ---- the producer ------------------------------------------------------------------------ */

static void
close_producer(struct publisher_kafka *publisher)
{
    if (publisher->rk != NULL) {
        rd_kafka_purge(publisher->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_poll(publisher->rk, 0);
        for (size_t i = 0; i < OUT_TOPICS; i++) {
            if (publisher->topics[i] != NULL) {
                rd_kafka_topic_destroy(publisher->topics[i]);
                publisher->topics[i] = NULL;
            }
        }
        rd_kafka_destroy(publisher->rk);
    }
    publisher->rk = NULL;
    publisher->ready = false;
    publisher->undelivered = 0;
    publisher->trouble.error.status = STATUS_OK;
    publisher->trouble.fatal = false;
}

/* Transactions meet "concurrent transactions" right after a commit, and wait retry.backoff.ms. */
static const struct kafka_setting publisher_defaults[] = {
        {"transaction.timeout.ms", "10000", NULL},
        {"retry.backoff.ms", "5", NULL},
        {"partitioner", "murmur2_random", NULL}, /* that of Kafka's own clients */
        {NULL, NULL, NULL},
};

static enum status
open_producer(struct publisher_kafka *publisher, struct error *error)
{
    const bool transactions = publisher->config->delivery == DELIVERY_EXACTLY_ONCE;
    const struct kafka_setting ours[] = {
            {"transactional.id", transactions ? publisher->transactional_id : NULL,
                    "use `group` and `instance`"},
            {"enable.idempotence", "true", "it is always on"},
            {"acks", "all", "it is always all"},
            {"request.required.acks", NULL, "it is always all"},
            {"group.id", NULL, "use `group`"},
            {"group.instance.id", NULL, "use `instance`"},
            {NULL, NULL, NULL},
    };
    rd_kafka_conf_t *conf = NULL;
    enum status status = kafka_conf_new(publisher->config, KAFKA_PRODUCER, publisher_defaults, ours,
            &publisher->trouble, &conf, error);

    if (status == STATUS_OK) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        status = kafka_client_new(RD_KAFKA_PRODUCER, conf, &publisher->rk, error);
    }
    return status;
}

/* The status of a transactional call's error, which this frees. */
static enum status
transaction_failed(struct publisher_kafka *publisher, rd_kafka_error_t *problem, const char *what,
        struct error *error)
{
    rd_kafka_poll(publisher->rk, 0); /* errors of connections, which tell more */

    const enum status status = kafka_failed(&publisher->trouble, rd_kafka_error_code(problem), what,
            rd_kafka_error_string(problem), error);

    rd_kafka_error_destroy(problem);
    return status;
}

/* Who leads the partitions is asked now: the first record to a topic that librdkafka does not know
 * waits for it, 0.7 s were seen. Best effort. */
static void
look_up_topics(struct publisher_kafka *publisher)
{
    const char *names[OUT_TOPICS];

    names[OUT_REVIEWS] = publisher->config->topics.reviews;
    names[OUT_REJECTED] = publisher->config->topics.rejected;
    for (size_t i = 0; i < OUT_TOPICS; i++) {
        const struct rd_kafka_metadata *metadata = NULL;

        publisher->topics[i] = rd_kafka_topic_new(publisher->rk, names[i], NULL);
        if (publisher->topics[i] != NULL &&
                rd_kafka_metadata(publisher->rk, 0, publisher->topics[i], &metadata,
                        LOOK_UP_WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(metadata);
        }
    }
}

/* A producer that can begin a transaction. */
static enum status
make_ready(struct publisher_kafka *publisher, struct error *error)
{
    enum status status = STATUS_OK;

    if (publisher->rk == NULL) {
        status = open_producer(publisher, error);
    }
    if (status != STATUS_OK || publisher->ready) {
        return status;
    }
    if (publisher->config->delivery == DELIVERY_EXACTLY_ONCE) {
        rd_kafka_error_t *problem = rd_kafka_init_transactions(publisher->rk, INIT_WAIT_MS);

        if (problem != NULL) {
            const bool retriable = rd_kafka_error_is_retriable(problem) != 0;

            status = transaction_failed(publisher, problem, "begin transactions", error);
            if (!retriable) {
                close_producer(publisher);
            }
            return status;
        }
    }
    look_up_topics(publisher);
    kafka_trouble_over(&publisher->trouble);
    publisher->ready = true;
    return STATUS_OK;
}

/* ---- records ----------------------------------------------------------------------------- */

static rd_kafka_resp_err_t
produce_one(struct publisher_kafka *publisher, const struct out_record *record)
{
    const struct config *config = publisher->config;
    rd_kafka_headers_t *headers = kafka_headers(record->headers);
    const char *topic =
            record->topic == OUT_REVIEWS ? config->topics.reviews : config->topics.rejected;
    const rd_kafka_resp_err_t code = rd_kafka_producev(publisher->rk, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_KEY(record->key.data, record->key.size),
            RD_KAFKA_V_VALUE((void *)record->value.data, record->value.size),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_headers_destroy(headers);
    } else {
        publisher->undelivered += 1;
    }
    return code;
}

static enum status
produce(struct publisher_kafka *publisher, const struct out_record *records, size_t count,
        struct error *error)
{
    int64_t waited_ms = 0;

    publisher->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < count;) {
        const rd_kafka_resp_err_t code = produce_one(publisher, &records[i]);

        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            i++;
        } else if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && waited_ms < STEP_WAIT_MS) {
            rd_kafka_poll(publisher->rk, POLL_MS);
            waited_ms += POLL_MS;
        } else {
            return kafka_failed(&publisher->trouble, code, "publish", NULL, error);
        }
    }
    return STATUS_OK;
}

/* Wait until every record is acknowledged. */
static enum status
await_records(struct publisher_kafka *publisher, struct error *error)
{
    const rd_kafka_resp_err_t code = rd_kafka_flush(publisher->rk, STEP_WAIT_MS);

    if (publisher->refused != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failed(&publisher->trouble, publisher->refused, "publish", NULL, error);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failed(&publisher->trouble, code, "publish", NULL, error);
    }
    assert(publisher->undelivered == 0);
    return STATUS_OK;
}

/* ---- exactly_once --------------------------------------------------------------------------- */

static enum status
send_offsets(struct publisher_kafka *publisher, const struct position *positions, size_t count,
        struct error *error)
{
    const rd_kafka_consumer_group_metadata_t *group = source_kafka_group(publisher->source);

    if (count == 0) {
        return STATUS_OK;
    }
    if (group == NULL) {
        return error_set(error, STATUS_FENCED, "not a member of the consumer group yet");
    }

    rd_kafka_topic_partition_list_t *list =
            kafka_positions(publisher->config->topics.outcomes, positions, count);
    rd_kafka_error_t *problem =
            rd_kafka_send_offsets_to_transaction(publisher->rk, list, group, STEP_WAIT_MS);

    rd_kafka_topic_partition_list_destroy(list);
    return problem == NULL ? STATUS_OK
                           : transaction_failed(publisher, problem, "send offsets", error);
}

/* What ended the producer for good says more than what followed from it; else status. */
static enum status
fatal_or(struct publisher_kafka *publisher, enum status status, struct error *error)
{
    char text[256];
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(publisher->rk, text, sizeof(text));

    return code == RD_KAFKA_RESP_ERR_NO_ERROR
                   ? status
                   : kafka_failed(&publisher->trouble, code, "publish", text, error);
}

/* Nothing of the transaction was committed, nor will be. */
static void
abandon(struct publisher_kafka *publisher)
{
    rd_kafka_error_t *problem = NULL;

    if (rd_kafka_fatal_error(publisher->rk, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        problem = rd_kafka_abort_transaction(publisher->rk, ABORT_WAIT_MS);
        if (problem == NULL) {
            return;
        }
        log_warn("publish", "step=abort error=\"%s\"", rd_kafka_error_string(problem));
        rd_kafka_error_destroy(problem);
    }
    /* A new producer with the same id aborts it; until then readers of offsets wait. */
    close_producer(publisher);
}

/* All records are acknowledged and the offsets sent: only the end of the transaction is left. */
static enum status
commit_transaction(struct publisher_kafka *publisher, struct error *error)
{
    rd_kafka_error_t *problem = rd_kafka_commit_transaction(publisher->rk, COMMIT_WAIT_MS);

    if (problem == NULL) {
        return STATUS_OK;
    }

    const bool abortable = rd_kafka_error_txn_requires_abort(problem) != 0;
    const enum status status = transaction_failed(publisher, problem, "commit", error);

    if (abortable) {
        abandon(publisher);
        return status == STATUS_OK ? STATUS_BROKER_DOWN : status;
    }

    struct error later;

    /* The broker may have committed, or may still: a new producer makes it final, one way or the
     * other, so that what is read afterwards stands. */
    close_producer(publisher);
    if (make_ready(publisher, &later) != STATUS_OK) {
        log_warn("publish", "step=recover error=\"%s\"", later.text);
    }
    if (error != NULL) {
        error->status = STATUS_UNKNOWN_OUTCOME;
    }
    return STATUS_UNKNOWN_OUTCOME;
}

static enum status
publish_once(struct publisher_kafka *publisher, const struct out_record *records,
        size_t record_count, const struct position *positions, size_t position_count,
        struct error *error)
{
    rd_kafka_error_t *problem = rd_kafka_begin_transaction(publisher->rk);
    enum status status;

    if (problem != NULL) {
        status = transaction_failed(publisher, problem, "begin a transaction", error);
        close_producer(publisher);
        return status;
    }
    status = produce(publisher, records, record_count, error);
    if (status == STATUS_OK) {
        status = send_offsets(publisher, positions, position_count, error);
    }
    if (status == STATUS_OK) {
        status = await_records(publisher, error);
    }
    if (status != STATUS_OK) {
        status = fatal_or(publisher, status, error);
        abandon(publisher);
        return status;
    }
    return commit_transaction(publisher, error);
}

/* ---- at_least_once --------------------------------------------------------------------------- */

static enum status
publish_plain(struct publisher_kafka *publisher, const struct out_record *records,
        size_t record_count, const struct position *positions, size_t position_count,
        struct error *error)
{
    enum status status = produce(publisher, records, record_count, error);

    if (status == STATUS_OK && record_count > 0) {
        status = await_records(publisher, error);
    }
    if (status != STATUS_OK) {
        close_producer(publisher); /* what it still holds would come twice, and late */
    } else if (position_count > 0) {
        status =
                publisher->source->ops->commit(publisher->source, positions, position_count, error);
    }
    return status;
}

static enum status
publisher_publish(struct publisher *base, const struct out_record *records, size_t record_count,
        const struct position *positions, size_t position_count, struct error *error)
{
    struct publisher_kafka *publisher = (struct publisher_kafka *)base;
    enum status status;

    if (record_count == 0 && position_count == 0) {
        return STATUS_OK;
    }
    status = make_ready(publisher, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (publisher->config->delivery == DELIVERY_EXACTLY_ONCE) {
        status = publish_once(publisher, records, record_count, positions, position_count, error);
    } else {
        status = publish_plain(publisher, records, record_count, positions, position_count, error);
    }
    if (publisher->rk != NULL) {
        rd_kafka_poll(publisher->rk, 0);
    }
    if (status == STATUS_OK) {
        kafka_trouble_over(&publisher->trouble);
    }
    return status;
}

/* ---- life -------------------------------------------------------------------------------- */

static void
publisher_destroy(struct publisher *base)
{
    struct publisher_kafka *publisher = (struct publisher_kafka *)base;

    if (publisher != NULL) {
        close_producer(publisher);
        free(publisher);
    }
}

static const struct publisher_ops publisher_kafka_ops = {
        .publish = publisher_publish,
        .destroy = publisher_destroy,
};

/* <group>-<instance>, or a fresh one: then nobody can be fenced by chance. */
static void
name_transactions(struct publisher_kafka *publisher)
{
    const struct config *config = publisher->config;
    uint64_t random = 0;

    if (config->instance[0] != '\0') {
        snprintf(publisher->transactional_id, sizeof(publisher->transactional_id), "%s-%s",
                config->group, config->instance);
        return;
    }

    const ssize_t got = getrandom(&random, sizeof(random), 0);

    assert(got == (ssize_t)sizeof(random));
    (void)got;
    snprintf(publisher->transactional_id, sizeof(publisher->transactional_id), "%s-%016" PRIx64,
            config->group, random);
}

enum status
publisher_kafka_new(const struct config *config, struct source *source, struct publisher **out,
        struct error *error)
{
    struct publisher_kafka *publisher = memory_new(1, sizeof(*publisher));

    publisher->base.ops = &publisher_kafka_ops;
    publisher->config = config;
    publisher->source = source;
    publisher->trouble.owner = publisher;
    name_transactions(publisher);

    enum status status = open_producer(publisher, error);

    if (status == STATUS_OK) {
        /* Now, and not with the first transaction: it takes a while, and it ends what an instance
         * of the same name left open, which loading would wait for. Else the first one tries. */
        status = make_ready(publisher, error);
        status = status_disposition(status) == DISPOSE_EXIT ? status : STATUS_OK;
    }
    if (status != STATUS_OK) {
        publisher_destroy(&publisher->base);
        return status;
    }
    *out = &publisher->base;
    return STATUS_OK;
}
