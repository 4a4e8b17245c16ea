/* review_feed_kafka.c - the reviews topic, followed by a librdkafka consumer in a group of its own.
 *
 * Partitions are given up and taken as a whole (eager): who gets them begins at what is committed,
 * so a delivery may be repeated but none is passed over.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka.h"
#include "consumer/kafka_internal.h"
#include "consumer/log.h"

#include <inttypes.h>
#include <stdlib.h>

#define REQUEST_WAIT_MS 5000
#define ID_HEADER "ce_id"

struct assigned {
    int32_t number;
    bool at_end;
};

struct review_feed_kafka {
    struct review_feed base;
    const struct config *config;
    struct review_feed_listener listener;
    struct kafka_trouble trouble;
    rd_kafka_t *rk;
    rd_kafka_message_t *message; /* what the last record points into */
    struct assigned *assigned;   /* assigned[count] */
    size_t count;
    bool joined; /* had an assignment */
    bool held;
};

static struct review_feed_kafka *
feed_of(struct review_feed *base)
{
    return (struct review_feed_kafka *)base;
}

static enum status
failed(struct review_feed_kafka *feed, rd_kafka_resp_err_t code, const char *what,
        struct error *error)
{
    return kafka_failed(&feed->trouble, code, what, NULL, error);
}

/* ---- rebalance; runs inside poll() and destroy() --------------------------------------------- */

/* notify.start: latest. A partition without a position gets its end as one, which is committed at
 * once: what comes after must not be lost by a restart. */
static void
begin_at_end(struct review_feed_kafka *feed, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t code = rd_kafka_committed(feed->rk, list, REQUEST_WAIT_MS);

    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        rd_kafka_topic_partition_t *one = &list->elems[i];
        int64_t low = 0;

        if (one->offset < 0) {
            code = rd_kafka_query_watermark_offsets(
                    feed->rk, one->topic, one->partition, &low, &one->offset, REQUEST_WAIT_MS);
        }
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = rd_kafka_commit(feed->rk, list, 0);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_warn("notify", "step=start error=\"%s\" next=\"begins at the earliest review\"",
                rd_kafka_err2str(code));
        for (int i = 0; i < list->cnt; i++) {
            list->elems[i].offset = RD_KAFKA_OFFSET_STORED;
        }
    }
}

static void
assign(struct review_feed_kafka *feed, rd_kafka_topic_partition_list_t *list)
{
    if (feed->config->notify.start == NOTIFY_LATEST) {
        begin_at_end(feed, list);
    }
    feed->assigned = memory_resize(feed->assigned, (size_t)list->cnt + 1, sizeof(*feed->assigned));
    feed->count = (size_t)list->cnt;
    for (int i = 0; i < list->cnt; i++) {
        feed->assigned[i] = (struct assigned){.number = list->elems[i].partition};
    }
    feed->joined = true;
    feed->held = false;
    rd_kafka_assign(feed->rk, list);
    log_info("notify", "step=assigned partitions=%d", list->cnt);
}

static void
revoke(struct review_feed_kafka *feed)
{
    int32_t *numbers = memory_new(feed->count + 1, sizeof(*numbers));

    for (size_t i = 0; i < feed->count; i++) {
        numbers[i] = feed->assigned[i].number;
    }
    feed->listener.revoked(feed->listener.context, numbers, feed->count);
    feed->count = 0;
    rd_kafka_assign(feed->rk, NULL);
    free(numbers);
}

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
        void *opaque)
{
    struct review_feed_kafka *feed = ((struct kafka_trouble *)opaque)->owner;

    (void)rk;
    kafka_trouble_over(&feed->trouble); /* the coordinator has just answered */
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        assign(feed, list);
    } else {
        revoke(feed);
    }
}

/* ---- records -------------------------------------------------------------------------------- */

static void
release(struct review_feed_kafka *feed)
{
    if (feed->message != NULL) {
        rd_kafka_message_destroy(feed->message);
        feed->message = NULL;
    }
}

static void
set_at_end(struct review_feed_kafka *feed, int32_t partition, bool at_end)
{
    for (size_t i = 0; i < feed->count; i++) {
        if (feed->assigned[i].number == partition) {
            feed->assigned[i].at_end = at_end;
        }
    }
}

/* What a message says that is no record. */
static enum status
take_error(struct review_feed_kafka *feed, struct error *error)
{
    const rd_kafka_message_t *message = feed->message;

    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        set_at_end(feed, message->partition, true);
        kafka_trouble_over(&feed->trouble);
        return STATUS_OK;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        return STATUS_OK; /* the rebalance callback follows */
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        /* It was there at the start: metadata may lack it for a while. */
        (void)failed(feed, message->err, "read reviews", error);
        return error->status = STATUS_BROKER_DOWN;
    default:
        return kafka_failed(&feed->trouble, message->err, "read reviews",
                rd_kafka_message_errstr(message), error);
    }
}

static struct span
id_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
            rd_kafka_header_get_last(headers, ID_HEADER, &value, &size) !=
                    RD_KAFKA_RESP_ERR_NO_ERROR) {
        return SPAN_NULL;
    }
    return (struct span){value, size};
}

static enum status
feed_poll(struct review_feed *base, int wait_ms, struct review_record *record, bool *got,
        struct error *error)
{
    struct review_feed_kafka *feed = feed_of(base);

    *got = false;
    release(feed);
    feed->message = rd_kafka_consumer_poll(feed->rk, wait_ms);
    if (feed->message == NULL) {
        return feed->trouble.error.status == STATUS_OK
                       ? STATUS_OK
                       : error_set(
                                 error, feed->trouble.error.status, "%s", feed->trouble.error.text);
    }
    if (feed->message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return take_error(feed, error);
    }
    kafka_trouble_over(&feed->trouble);
    set_at_end(feed, feed->message->partition, false);
    *got = true;
    *record = (struct review_record){
            .partition = feed->message->partition,
            .offset = feed->message->offset,
            .key = {feed->message->key, feed->message->key_len},
            .value = {feed->message->payload, feed->message->len},
            .id = id_of(feed->message),
    };
    return STATUS_OK;
}

static enum status
feed_commit(struct review_feed *base, int32_t partition, int64_t offset, struct error *error)
{
    struct review_feed_kafka *feed = feed_of(base);
    const struct position position = {.partition = partition, .offset = offset};
    rd_kafka_topic_partition_list_t *list =
            kafka_positions(feed->config->topics.reviews, &position, 1);
    const rd_kafka_resp_err_t code = rd_kafka_commit(feed->rk, list, 0);

    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? STATUS_OK : failed(feed, code, "commit", error);
}

static void
feed_hold(struct review_feed *base, bool held)
{
    struct review_feed_kafka *feed = feed_of(base);
    rd_kafka_topic_partition_list_t *list = NULL;

    if (held == feed->held || rd_kafka_assignment(feed->rk, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    if (held) {
        rd_kafka_pause_partitions(feed->rk, list);
    } else {
        rd_kafka_resume_partitions(feed->rk, list);
    }
    feed->held = held;
    rd_kafka_topic_partition_list_destroy(list);
}

static bool
feed_at_end(const struct review_feed *base)
{
    const struct review_feed_kafka *feed = (const struct review_feed_kafka *)base;

    for (size_t i = 0; i < feed->count; i++) {
        if (!feed->assigned[i].at_end) {
            return false;
        }
    }
    return feed->joined; /* be it no partition at all */
}

static void
feed_destroy(struct review_feed *base)
{
    struct review_feed_kafka *feed = feed_of(base);

    release(feed);
    if (feed->rk != NULL) {
        kafka_consumer_close(
                feed->rk, &clock_system, &feed->joined, feed->trouble.error.status == STATUS_OK);
    }
    free(feed->assigned);
    free(feed);
}

static const struct review_feed_ops feed_ops = {
        .poll = feed_poll,
        .commit = feed_commit,
        .hold = feed_hold,
        .at_end = feed_at_end,
        .destroy = feed_destroy,
};

/* ---- the client ----------------------------------------------------------------------------- */

static enum status
open_client(struct review_feed_kafka *feed, const char *group, struct error *error)
{
    const struct config *config = feed->config;
    const struct kafka_setting ours[] = {
            {"group.id", group, "use `notify.group`"},
            {"group.instance.id", config->instance[0] != '\0' ? config->instance : NULL,
                    "use `instance`"},
            {"partition.assignment.strategy", "roundrobin", "it is roundrobin"},
            {"enable.auto.commit", "false", "offsets are committed after delivery"},
            {"enable.auto.offset.store", "false", "offsets are committed after delivery"},
            {"auto.offset.reset", "earliest", "use `notify.start`"},
            {"isolation.level", "read_committed", "what is aborted was never published"},
            {"enable.partition.eof", "true", "the end of partitions is needed"},
            {NULL, NULL, NULL},
    };
    rd_kafka_conf_t *conf = NULL;
    enum status status =
            kafka_conf_new(config, KAFKA_CONSUMER, NULL, ours, &feed->trouble, &conf, error);

    if (status == STATUS_OK) {
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
        status = kafka_client_new(RD_KAFKA_CONSUMER, conf, &feed->rk, error);
    }
    return status;
}

static enum status
subscribe(struct review_feed_kafka *feed, struct error *error)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);

    rd_kafka_poll_set_consumer(feed->rk);
    rd_kafka_topic_partition_list_add(topics, feed->config->topics.reviews, RD_KAFKA_PARTITION_UA);

    const rd_kafka_resp_err_t code = rd_kafka_subscribe(feed->rk, topics);

    rd_kafka_topic_partition_list_destroy(topics);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? STATUS_OK : failed(feed, code, "subscribe", error);
}

enum status
review_feed_kafka_new(const struct config *config, const struct review_feed_listener *listener,
        struct review_feed **out, struct error *error)
{
    struct review_feed_kafka *feed = memory_new(1, sizeof(*feed));
    char *group = NULL;
    enum status status;

    if (asprintf(&group, "%s%s",
                config->notify.group[0] != '\0' ? config->notify.group : config->group,
                config->notify.group[0] != '\0' ? "" : "-notify") < 0) {
        abort();
    }
    feed->base.ops = &feed_ops;
    feed->config = config;
    feed->listener = *listener;
    feed->trouble.config = config;
    feed->trouble.owner = feed;
    status = open_client(feed, group, error);
    free(group);
    if (status == STATUS_OK) {
        status = subscribe(feed, error);
    }
    if (status != STATUS_OK) {
        feed_destroy(&feed->base);
        return status;
    }
    *out = &feed->base;
    return STATUS_OK;
}
