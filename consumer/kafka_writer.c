/* kafka_writer.c - write records to one topic: generated events, decisions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka_writer.h"
#include "consumer/clock.h"
#include "consumer/kafka_internal.h"

#include <stdlib.h>

#define FULL_WAIT_MS 100
#define PATIENCE_MS 30000 /* without one acknowledgement while the queue is full */
#define SERVE_EVERY 1024  /* records between two looks at what was acknowledged */

struct kafka_writer {
    struct kafka_trouble trouble;
    const char *topic;
    rd_kafka_t *rk;
    uint64_t sent, acknowledged;
    int32_t partition;           /* of the record acknowledged last, */
    int64_t offset;              /* and its offset */
    rd_kafka_resp_err_t refused; /* why a record was not taken; else NO_ERROR */
};

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_writer *writer = ((struct kafka_trouble *)opaque)->owner;

    (void)rk;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        writer->refused = message->err;
        return;
    }
    writer->acknowledged += 1;
    writer->partition = message->partition;
    writer->offset = message->offset;
    kafka_trouble_over(&writer->trouble);
}

static const struct kafka_setting writer_defaults[] = {
        {"partitioner", "murmur2_random", NULL}, /* that of Kafka's own clients */
        {"linger.ms", "20", NULL},
        {"compression.type", "lz4", NULL},
        {"queue.buffering.max.messages", "500000", NULL},
        {"topic.metadata.propagation.max.ms", "5000", NULL},
        {NULL, NULL, NULL},
};

static const struct kafka_setting writer_ours[] = {
        {"enable.idempotence", "true", "it is always on"},
        {"transactional.id", NULL, "nothing here is transactional"},
        {NULL, NULL, NULL},
};

enum status
kafka_writer_new(const struct config *config, const char *topic, struct kafka_writer **out,
        struct error *error)
{
    struct kafka_writer *writer = memory_new(1, sizeof(*writer));
    rd_kafka_conf_t *conf = NULL;
    enum status status;

    writer->topic = topic;
    writer->trouble.owner = writer;
    status = kafka_conf_new(
            config, KAFKA_PRODUCER, writer_defaults, writer_ours, &writer->trouble, &conf, error);
    if (status == STATUS_OK) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        status = kafka_client_new(RD_KAFKA_PRODUCER, conf, &writer->rk, error);
    }
    if (status != STATUS_OK) {
        kafka_writer_destroy(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

void
kafka_writer_destroy(struct kafka_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->rk != NULL) {
        rd_kafka_purge(writer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(writer->rk);
    }
    free(writer);
}

/* What is known to have gone wrong with records sent before. */
static enum status
check_sent(const struct kafka_writer *writer, struct error *error)
{
    if (writer->refused != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failed(&writer->trouble, writer->refused, writer->topic, NULL, error);
    }
    if (writer->trouble.error.status == STATUS_AUTH) {
        return error_set(error, STATUS_AUTH, "%s", writer->trouble.error.text);
    }
    return STATUS_OK;
}

static rd_kafka_resp_err_t
try_send(struct kafka_writer *writer, const struct writer_record *record)
{
    rd_kafka_headers_t *headers = kafka_headers(record->headers);
    const rd_kafka_resp_err_t code = rd_kafka_producev(writer->rk, RD_KAFKA_V_TOPIC(writer->topic),
            RD_KAFKA_V_KEY(record->key.data, record->key.size),
            RD_KAFKA_V_VALUE((void *)record->value.data, record->value.size),
            RD_KAFKA_V_TIMESTAMP(record->timestamp_ms), RD_KAFKA_V_HEADERS(headers),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_headers_destroy(headers);
    }
    return code;
}

enum status
kafka_writer_send(struct kafka_writer *writer, struct span key, struct span value,
        int64_t timestamp_ms, struct error *error)
{
    return kafka_writer_put(writer,
            &(struct writer_record){.key = key, .value = value, .timestamp_ms = timestamp_ms},
            error);
}

enum status
kafka_writer_put(
        struct kafka_writer *writer, const struct writer_record *record, struct error *error)
{
    uint64_t acknowledged = writer->acknowledged;
    int64_t waited_ms = 0;

    for (;;) {
        enum status status = check_sent(writer, error);

        if (status != STATUS_OK) {
            return status;
        }

        const rd_kafka_resp_err_t code = try_send(writer, record);

        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            break;
        }
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || waited_ms >= PATIENCE_MS) {
            return kafka_failed(&writer->trouble, code, writer->topic, NULL, error);
        }
        rd_kafka_poll(writer->rk, FULL_WAIT_MS);
        waited_ms = writer->acknowledged != acknowledged ? 0 : waited_ms + FULL_WAIT_MS;
        acknowledged = writer->acknowledged;
    }
    writer->sent += 1;
    if (writer->sent % SERVE_EVERY == 0) {
        rd_kafka_poll(writer->rk, 0);
    }
    return STATUS_OK;
}

enum status
kafka_writer_flush(struct kafka_writer *writer, int64_t timeout_ms, struct error *error)
{
    const int64_t until = clock_system.monotonic_ms(&clock_system) + timeout_ms;
    rd_kafka_resp_err_t code;
    enum status status;

    do {
        code = rd_kafka_flush(writer->rk, FULL_WAIT_MS);
        status = check_sent(writer, error);
    } while (status == STATUS_OK && code != RD_KAFKA_RESP_ERR_NO_ERROR &&
             clock_system.monotonic_ms(&clock_system) < until);
    if (status == STATUS_OK && code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failed(&writer->trouble, code, writer->topic, NULL, error);
    }
    return status;
}

uint64_t
kafka_writer_acknowledged(const struct kafka_writer *writer)
{
    return writer->acknowledged;
}

bool
kafka_writer_last(const struct kafka_writer *writer, int32_t *partition, int64_t *offset)
{
    *partition = writer->partition;
    *offset = writer->offset;
    return writer->acknowledged > 0;
}
