/* kafka_ask.c - questions about partitions, over connections of their own.
 *
 * A broker answers the requests of one connection in order, and a fetch at the end of a log waits
 * there until something comes (fetch.wait.max.ms). Behind it a question would take as long; the
 * loop, which waits for the answer, must not.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka_internal.h"

#include <stdlib.h>

struct kafka_asker {
    struct kafka_trouble trouble;
    rd_kafka_t *rk;
};

/* Answers must mean the same as what the source reads: the last stable offset is the end. */
static const struct kafka_setting asker_ours[] = {
        {"isolation.level", "read_committed", "it is read_committed"},
        {"group.instance.id", NULL, "use `instance`"},
        {NULL, NULL, NULL},
};

enum status
kafka_asker_new(const struct config *config, struct kafka_asker **out, struct error *error)
{
    struct kafka_asker *asker = memory_new(1, sizeof(*asker));
    rd_kafka_conf_t *conf = NULL;
    enum status status =
            kafka_conf_new(config, KAFKA_CONSUMER, NULL, asker_ours, &asker->trouble, &conf, error);

    if (status == STATUS_OK) {
        status = kafka_client_new(RD_KAFKA_CONSUMER, conf, &asker->rk, error);
    }
    if (status != STATUS_OK) {
        kafka_asker_destroy(asker);
        return status;
    }
    *out = asker;
    return STATUS_OK;
}

void
kafka_asker_destroy(struct kafka_asker *asker)
{
    if (asker != NULL) {
        if (asker->rk != NULL) {
            rd_kafka_destroy(asker->rk);
        }
        free(asker);
    }
}

static void
serve(struct kafka_asker *asker)
{
    while (rd_kafka_poll(asker->rk, 0) > 0) {
    }
}

bool
kafka_ask_ends(struct kafka_asker *asker, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = RD_KAFKA_OFFSET_END;
    }

    const rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(asker->rk, list, timeout_ms);

    serve(asker);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum status
kafka_ask_limits(struct kafka_asker *asker, const char *topic, int32_t partition, int64_t *low,
        int64_t *high, int timeout_ms, struct error *error)
{
    int64_t oldest = 0;
    int64_t newest = 0;
    const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            asker->rk, topic, partition, &oldest, &newest, timeout_ms);

    serve(asker);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failed(&asker->trouble, code, "ask for the limits of a log", NULL, error);
    }
    kafka_trouble_over(&asker->trouble);
    *low = oldest;
    *high = newest;
    return STATUS_OK;
}

bool
kafka_ask_anything(struct kafka_asker *asker, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code = rd_kafka_metadata(asker->rk, 0, NULL, &metadata, timeout_ms);

    serve(asker);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void
kafka_wake_fetchers(rd_kafka_t *rk)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    if (rd_kafka_assignment(rk, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = RD_KAFKA_OFFSET_END;
    }
    if (list->cnt > 0) {
        rd_kafka_offsets_for_times(rk, list, 0); /* the request is sent; 0 ms is not enough */
    }
    rd_kafka_topic_partition_list_destroy(list);
}
