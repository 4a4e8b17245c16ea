/* topic_reader.c - all partitions of one Kafka topic, read from a time to their ends, by one
 * librdkafka consumer outside any group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/topic_reader.h"

#include "aggregator/memory.h"
#include "consumer/kafka_internal.h"

#include <stdlib.h>

#define REQUEST_WAIT_MS 5000
#define RECORD_WAIT_MS 100       /* for one record, while the end is not reached */
#define READ_TO_END_MAX_MS 60000 /* without a single record */

struct topic_reader {
    const struct config *config;
    const struct clock *clock;
    const char *topic;
    struct kafka_trouble trouble;
    rd_kafka_t *rk;
    int64_t *reached;        /* reached[partition_count]: everything before is visited */
    int32_t partition_count; /* 0: not assigned yet */
};

static enum status
failed(struct topic_reader *reader, rd_kafka_resp_err_t code, struct error *error)
{
    return kafka_failed(&reader->trouble, code, "read a topic", rd_kafka_err2str(code), error);
}

struct span
topic_record_header(const struct topic_record *record, const char *name)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;

    if (rd_kafka_message_headers(record->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
            rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return SPAN_NULL;
    }
    return (struct span){value, size};
}

/* ---- where to begin ------------------------------------------------------------------------ */

static rd_kafka_resp_err_t
count_partitions(struct topic_reader *reader, int32_t *count)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(reader->rk, reader->topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(reader->rk, 0, handle, &metadata, REQUEST_WAIT_MS);

    rd_kafka_topic_destroy(handle);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                        : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        *count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && *count == 0
                   ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                   : code;
}

enum status
topic_reader_rewind(struct topic_reader *reader, int64_t from_ms, struct error *error)
{
    int32_t count = 0;
    rd_kafka_resp_err_t code = count_partitions(reader, &count);
    rd_kafka_topic_partition_list_t *list = NULL;

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failed(reader, code, error);
    }
    list = rd_kafka_topic_partition_list_new(count);
    for (int32_t p = 0; p < count; p++) {
        rd_kafka_topic_partition_list_add(list, reader->topic, p)->offset =
                from_ms == TIME_NULL ? RD_KAFKA_OFFSET_BEGINNING
                : from_ms > 0        ? from_ms
                                     : 0;
    }
    if (from_ms != TIME_NULL) {
        code = rd_kafka_offsets_for_times(reader->rk, list, REQUEST_WAIT_MS);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = rd_kafka_assign(reader->rk, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failed(reader, code, error);
    }
    free(reader->reached);
    reader->reached = memory_new((size_t)count, sizeof(*reader->reached));
    reader->partition_count = count;
    return STATUS_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* One record, or the end of a partition; *any tells whether anything came within wait_ms. */
static enum status
take_one(struct topic_reader *reader, int64_t wait_ms, topic_visit *visit, void *context, bool *any,
        struct error *error)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, (int)wait_ms);
    enum status status = STATUS_OK;

    *any = message != NULL;
    if (message == NULL) {
        return STATUS_OK;
    }
    if (message->partition >= 0 && message->partition < reader->partition_count) {
        int64_t *reached = &reader->reached[message->partition];

        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_timestamp_type_t type;
            const struct topic_record record = {
                    .topic = reader->topic,
                    .partition = message->partition,
                    .offset = message->offset,
                    .timestamp_ms = rd_kafka_message_timestamp(message, &type),
                    .key = {message->key, message->key_len},
                    .value = {message->payload, message->len},
                    .message = message,
            };

            status = visit(context, &record, error);
            *reached = message->offset + 1;
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && message->offset > *reached) {
            *reached = message->offset; /* behind a marker, or behind what was compacted away */
        }
    }
    rd_kafka_message_destroy(message);
    return status;
}

/* The ends that the partitions have now. */
static enum status
ask_ends(struct topic_reader *reader, int64_t *ends, struct error *error)
{
    for (int32_t p = 0; p < reader->partition_count; p++) {
        int64_t low = 0;
        const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
                reader->rk, reader->topic, p, &low, &ends[p], REQUEST_WAIT_MS);

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return failed(reader, code, error);
        }
    }
    return STATUS_OK;
}

static bool
is_reached(const struct topic_reader *reader, const int64_t *ends)
{
    for (int32_t p = 0; p < reader->partition_count; p++) {
        if (reader->reached[p] < ends[p]) {
            return false;
        }
    }
    return true;
}

enum status
topic_reader_to_end(
        struct topic_reader *reader, topic_visit *visit, void *context, struct error *error)
{
    int64_t until_ms = reader->clock->monotonic_ms(reader->clock) + READ_TO_END_MAX_MS;
    int64_t *ends = NULL;
    enum status status = STATUS_OK;

    if (reader->partition_count == 0) {
        status = topic_reader_rewind(reader, TIME_NULL, error);
    }
    if (status == STATUS_OK) {
        ends = memory_new((size_t)reader->partition_count, sizeof(*ends));
        status = ask_ends(reader, ends, error);
    }
    while (status == STATUS_OK && !is_reached(reader, ends)) {
        bool any = false;

        status = take_one(reader, RECORD_WAIT_MS, visit, context, &any, error);
        if (any) {
            until_ms = reader->clock->monotonic_ms(reader->clock) + READ_TO_END_MAX_MS;
        } else if (reader->clock->monotonic_ms(reader->clock) > until_ms) {
            status = error_set(error, STATUS_BROKER_DOWN, "kafka %s: the end of %s is not reached",
                    kafka_address(reader->config), reader->topic);
        }
    }
    free(ends);
    return status;
}

enum status
topic_reader_new_records(struct topic_reader *reader, int64_t wait_ms, topic_visit *visit,
        void *context, struct error *error)
{
    enum status status = STATUS_OK;
    bool any = true;

    while (any && status == STATUS_OK) {
        status = take_one(reader, wait_ms, visit, context, &any, error);
        wait_ms = 0;
    }
    return status;
}

/* ---- beginning and end -------------------------------------------------------------------------
 */

enum status
topic_reader_new(const struct config *config, const struct clock *clock, const char *topic,
        struct topic_reader **out, struct error *error)
{
    static const struct kafka_setting ours[] = {
            {"enable.auto.commit", "false", "nothing: this reader keeps no position"},
            {"enable.auto.offset.store", "false", "nothing: this reader keeps no position"},
            {"enable.partition.eof", "true", "nothing: it tells where the topic ends"},
            {"isolation.level", "read_committed", "nothing: what is aborted was never said"},
            {NULL, NULL, NULL},
    };
    struct topic_reader *reader = memory_new(1, sizeof(*reader));
    rd_kafka_conf_t *conf = NULL;
    enum status status;

    reader->config = config;
    reader->clock = clock;
    reader->topic = topic;
    reader->trouble.config = config;
    reader->trouble.owner = reader;
    status = kafka_conf_new(config, KAFKA_CONSUMER, NULL, ours, &reader->trouble, &conf, error);
    if (status == STATUS_OK) {
        /* librdkafka wants a group even where none is joined. */
        kafka_conf_set(conf, "group.id", config->group);
        status = kafka_client_new(RD_KAFKA_CONSUMER, conf, &reader->rk, error);
    }
    if (status == STATUS_OK) {
        rd_kafka_poll_set_consumer(reader->rk);
        *out = reader;
    } else {
        topic_reader_destroy(reader);
    }
    return status;
}

void
topic_reader_destroy(struct topic_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->rk != NULL) {
        rd_kafka_consumer_close(reader->rk);
        rd_kafka_destroy(reader->rk);
    }
    free(reader->reached);
    free(reader);
}
