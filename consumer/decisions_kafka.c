/* decisions_kafka.c - the decisions topic, read whole and followed by one librdkafka consumer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/decision_feed.h"
#include "consumer/kafka.h"
#include "consumer/kafka_internal.h"
#include "consumer/log.h"

#include <inttypes.h>
#include <stdlib.h>

#define REQUEST_WAIT_MS 5000
#define READ_WAIT_MS 100 /* for one record, while the end is not reached */
#define READ_TO_END_MAX_MS 60000
#define OFFSET_NONE INT64_C(-1)

struct decisions_kafka {
    struct decision_feed base;
    const struct config *config;
    const struct clock *clock;
    struct kafka_trouble trouble;
    rd_kafka_t *rk;
    int64_t *reached; /* reached[partition_count]: everything before is read */
    int32_t partition_count;
    struct arena arena;
    uint64_t invalid; /* records that are no decision */
};

static struct decisions_kafka *
feed_of(struct decision_feed *feed)
{
    return (struct decisions_kafka *)feed;
}

static enum status
failed(struct decisions_kafka *feed, rd_kafka_resp_err_t code, const char *what,
        struct error *error)
{
    return kafka_failed(&feed->trouble, code, what, rd_kafka_err2str(code), error);
}

/* A record that is no decision is told here, once for each instance, and nothing else is done. */
static void
take_record(struct decisions_kafka *feed, struct decisions *decisions,
        const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    const struct decision_record record = {
            .topic = feed->config->topics.decisions,
            .partition = message->partition,
            .offset = message->offset,
            .timestamp_ms = rd_kafka_message_timestamp(message, &type),
            .value = {message->payload, message->len},
    };
    struct error error = {0};

    if (decision_accept(decisions, &feed->config->rule, &record, &feed->arena, &error) !=
            STATUS_OK) {
        feed->invalid += 1;
        log_warn("decision", "topic=%s partition=%" PRId32 " offset=%" PRId64 " error=\"%s\"",
                record.topic, record.partition, record.offset, error.text);
    }
    arena_reset(&feed->arena);
}

/* One record, or the end of a partition. Returns false when nothing came within wait_ms. */
static bool
take_one(struct decisions_kafka *feed, struct decisions *decisions, int wait_ms)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(feed->rk, wait_ms);

    if (message == NULL) {
        return false;
    }
    if (message->partition >= 0 && message->partition < feed->partition_count) {
        int64_t *reached = &feed->reached[message->partition];

        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            take_record(feed, decisions, message);
            *reached = message->offset + 1;
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && message->offset > *reached) {
            *reached = message->offset; /* behind a marker, or behind what was compacted away */
        }
    }
    rd_kafka_message_destroy(message);
    return true;
}

/* All partitions from their beginning. */
static enum status
assign_all(struct decisions_kafka *feed, struct error *error)
{
    const char *topic = feed->config->topics.decisions;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(feed->rk, topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(feed->rk, 0, handle, &metadata, REQUEST_WAIT_MS);
    rd_kafka_topic_partition_list_t *list = NULL;

    rd_kafka_topic_destroy(handle);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
        code = metadata->topics[0].err;
        feed->partition_count = metadata->topics[0].partition_cnt;
    }
    if (metadata != NULL) {
        rd_kafka_metadata_destroy(metadata);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && feed->partition_count > 0) {
        free(feed->reached);
        feed->reached = memory_new((size_t)feed->partition_count, sizeof(*feed->reached));
        list = rd_kafka_topic_partition_list_new(feed->partition_count);
        for (int32_t p = 0; p < feed->partition_count; p++) {
            rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
        }
        code = rd_kafka_assign(feed->rk, list);
        rd_kafka_topic_partition_list_destroy(list);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        feed->partition_count = 0;
        return failed(feed, code, "read decisions", error);
    }
    return STATUS_OK;
}

/* The ends that the partitions have now. */
static enum status
ask_ends(struct decisions_kafka *feed, int64_t *ends, struct error *error)
{
    for (int32_t p = 0; p < feed->partition_count; p++) {
        int64_t low = 0;
        const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
                feed->rk, feed->config->topics.decisions, p, &low, &ends[p], REQUEST_WAIT_MS);

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return failed(feed, code, "find the end of the decisions", error);
        }
    }
    return STATUS_OK;
}

static bool
is_reached(const struct decisions_kafka *feed, const int64_t *ends)
{
    for (int32_t p = 0; p < feed->partition_count; p++) {
        if (feed->reached[p] < ends[p]) {
            return false;
        }
    }
    return true;
}

static enum status
read_to_end(struct decision_feed *base, struct decisions *decisions, struct error *error)
{
    struct decisions_kafka *feed = feed_of(base);
    const int64_t until_ms = feed->clock->monotonic_ms(feed->clock) + READ_TO_END_MAX_MS;
    int64_t *ends = NULL;
    enum status status = STATUS_OK;

    if (feed->partition_count == 0) {
        status = assign_all(feed, error);
    }
    if (status == STATUS_OK) {
        ends = memory_new((size_t)feed->partition_count, sizeof(*ends));
        status = ask_ends(feed, ends, error);
    }
    while (status == STATUS_OK && !is_reached(feed, ends)) {
        if (!take_one(feed, decisions, READ_WAIT_MS) &&
                feed->clock->monotonic_ms(feed->clock) > until_ms) {
            status = error_set(error, STATUS_BROKER_DOWN, "kafka %s: the end of %s is not reached",
                    kafka_address(feed->config), feed->config->topics.decisions);
        }
    }
    free(ends);
    return status;
}

static enum status
read_new(struct decision_feed *base, struct decisions *decisions, struct error *error)
{
    (void)error; /* what is missed while the broker is away is read when it is back */
    while (take_one(feed_of(base), decisions, 0)) {
        continue;
    }
    return STATUS_OK;
}

static void
feed_destroy(struct decision_feed *base)
{
    struct decisions_kafka *feed = feed_of(base);

    if (feed->rk != NULL) {
        rd_kafka_consumer_close(feed->rk);
        rd_kafka_destroy(feed->rk);
    }
    arena_fini(&feed->arena);
    free(feed->reached);
    free(feed);
}

static const struct decision_feed_ops feed_ops = {
        .read_to_end = read_to_end, .read_new = read_new, .destroy = feed_destroy};

enum status
decisions_kafka_new(const struct config *config, const struct clock *clock,
        struct decision_feed **out, struct error *error)
{
    static const struct kafka_setting ours[] = {
            {"enable.auto.commit", "false", "nothing: decisions have no position"},
            {"enable.auto.offset.store", "false", "nothing: decisions have no position"},
            {"enable.partition.eof", "true", "nothing: it tells where the decisions end"},
            {"isolation.level", "read_committed", "nothing: what is aborted was never decided"},
            {NULL, NULL, NULL},
    };
    struct decisions_kafka *feed = memory_new(1, sizeof(*feed));
    rd_kafka_conf_t *conf = NULL;
    enum status status;

    feed->base.ops = &feed_ops;
    feed->config = config;
    feed->clock = clock;
    feed->trouble.config = config;
    feed->trouble.owner = feed;
    arena_init(&feed->arena);
    status = kafka_conf_new(config, KAFKA_CONSUMER, NULL, ours, &feed->trouble, &conf, error);
    if (status == STATUS_OK) {
        /* librdkafka wants a group even where none is joined. */
        kafka_conf_set(conf, "group.id", config->group);
        status = kafka_client_new(RD_KAFKA_CONSUMER, conf, &feed->rk, error);
    }
    if (status == STATUS_OK) {
        rd_kafka_poll_set_consumer(feed->rk);
        *out = &feed->base;
    } else {
        feed_destroy(&feed->base);
    }
    return status;
}
