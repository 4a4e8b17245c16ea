/* kafka_mock.c - librdkafka's development broker inside this process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka_mock.h"
#include "aggregator/memory.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <stdlib.h>

#define BROKERS 1

struct kafka_mock {
    rd_kafka_t *rk; /* a client that does nothing but run the cluster */
    rd_kafka_mock_cluster_t *cluster;
};

static void
ignore_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    /* The client that carries the cluster complains that it has nobody to talk to. */
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

enum status
kafka_mock_new(struct kafka_mock **out, struct error *error)
{
    struct kafka_mock *mock = memory_new(1, sizeof(*mock));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    rd_kafka_conf_set_log_cb(conf, ignore_log);
    mock->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (mock->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        kafka_mock_destroy(mock);
        return error_set(error, STATUS_FAILED, "development broker: %s", text);
    }
    mock->cluster = rd_kafka_mock_cluster_new(mock->rk, BROKERS);
    if (mock->cluster == NULL) {
        kafka_mock_destroy(mock);
        return error_set(error, STATUS_FAILED, "development broker: it cannot listen");
    }
    *out = mock;
    return STATUS_OK;
}

void
kafka_mock_destroy(struct kafka_mock *mock)
{
    if (mock == NULL) {
        return;
    }
    if (mock->cluster != NULL) {
        rd_kafka_mock_cluster_destroy(mock->cluster);
    }
    if (mock->rk != NULL) {
        rd_kafka_destroy(mock->rk);
    }
    free(mock);
}

const char *
kafka_mock_address(const struct kafka_mock *mock)
{
    return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}
