/* fill.c - writes what makes a large state: many series, each seen in 8 minutes of the last hour.
 *
 *     fill BOOTSTRAP TOPIC PARTITIONS SERIES
 *
 * Ten series share a group, and each group has an event in every half-hour of the day before. All
 * of an owner goes to one partition, and a partition's events are written in the order of time.
 * Prints how many events it wrote.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/outcome.h"
#include "codec/outcome_encode.h"

#include <librdkafka/rdkafka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GROUP_SERIES 10
#define HOUR_MINUTES 60
#define DAY_HALF_HOURS 48
#define SEEN_MINUTES 8 /* of the hour, by each series */
#define MINUTE_MS INT64_C(60000)
#define FLUSH_MS 120000

struct fill {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    int32_t partitions;
    struct buffer value;
    struct outcome outcome;
    uint64_t written;
};

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "fill: %s: %s\n", what, why);
    exit(1);
}

static void
connect_producer(struct fill *fill, const char *bootstrap, const char *topic)
{
    static const char *const settings[][2] = {
            {"enable.idempotence", "true"},
            {"linger.ms", "50"},
            {"compression.codec", "lz4"},
            {"queue.buffering.max.messages", "1000000"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof(text)) !=
                RD_KAFKA_CONF_OK) {
            die(settings[i][0], text);
        }
    }
    if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof(text)) !=
            RD_KAFKA_CONF_OK) {
        die(bootstrap, text);
    }
    fill->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (fill->rk == NULL) {
        die("rd_kafka_new", text);
    }
    fill->topic = rd_kafka_topic_new(fill->rk, topic, NULL);
}

static void
send_event(struct fill *fill, int32_t partition, struct span key)
{
    rd_kafka_resp_err_t code;

    buffer_clear(&fill->value);
    outcome_encode(&fill->outcome, OUTCOME_SCHEMA_ID_DEFAULT, &fill->value);
    do {
        code = rd_kafka_producev(fill->rk, RD_KAFKA_V_RKT(fill->topic),
                RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key.data, key.size),
                RD_KAFKA_V_VALUE(fill->value.data, fill->value.size),
                RD_KAFKA_V_TIMESTAMP(fill->outcome.event_time_ms),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        rd_kafka_poll(fill->rk, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 10 : 0);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        die("produce", rd_kafka_err2str(code));
    }
    fill->written += 1;
}

/* One event of a series; one in 20 is a retry, whatever its group, so that hardly a review opens.
 */
static void
put_series(struct fill *fill, size_t number, int64_t at_ms)
{
    const size_t group = number / GROUP_SERIES;
    char owner[32];
    char workload[32];

    snprintf(owner, sizeof(owner), "team-%05zu", group);
    snprintf(workload, sizeof(workload), "workload-%zu", number % GROUP_SERIES);
    fill->outcome.dimensions[DIM_OWNER] = span_of(owner);
    fill->outcome.dimensions[DIM_WORKLOAD] = span_of(workload);
    fill->outcome.attempt_number =
            (fill->written * UINT64_C(0x9e3779b97f4a7c15) >> 32) % 20 == 0 ? 2 : 1;
    fill->outcome.event_time_ms = at_ms;
    send_event(fill, (int32_t)(group % (size_t)fill->partitions), span_of(owner));
}

static void
init_outcome(struct outcome *outcome)
{
    outcome_init(outcome);
    outcome->dimensions[DIM_ENVIRONMENT] = span_of("production");
    outcome->dimensions[DIM_CLASS] = span_of("chat");
    outcome->dimensions[DIM_BUCKET] = span_of("bucket-main");
    outcome->unit_metric = span_of("tokens");
    outcome->retry_cause = CAUSE_TIMEOUT;
    outcome->has_units = true;
    outcome->units = 1234;
}

static void
write_all(struct fill *fill, size_t series)
{
    const size_t groups = series / GROUP_SERIES;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);

    const int64_t now_minute = (int64_t)now.tv_sec / 60;
    /* Not quite the whole hour: the oldest minute must still be in it when the last is read. */
    const int64_t seen_within = HOUR_MINUTES * 4 / 5;

    for (int64_t half = DAY_HALF_HOURS; half > 2; half--) {
        for (size_t i = 0; i < groups; i++) {
            put_series(fill, i * GROUP_SERIES, (now_minute - half * 30) * MINUTE_MS);
        }
    }
    for (int64_t minute = 0; minute < seen_within; minute++) {
        for (size_t i = (size_t)minute % (size_t)(seen_within / SEEN_MINUTES); i < series;
                i += (size_t)(seen_within / SEEN_MINUTES)) {
            put_series(fill, i, (now_minute - seen_within + minute) * MINUTE_MS);
        }
    }
    if (rd_kafka_flush(fill->rk, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        die("flush", "not everything was delivered");
    }
}

int
main(int argc, char **argv)
{
    struct fill fill = {0};

    if (argc != 5) {
        die("usage", "fill BOOTSTRAP TOPIC PARTITIONS SERIES");
    }
    fill.partitions = (int32_t)strtol(argv[3], NULL, 10);
    connect_producer(&fill, argv[1], argv[2]);
    init_outcome(&fill.outcome);
    write_all(&fill, strtoull(argv[4], NULL, 10));
    printf("%" PRIu64 "\n", fill.written);
    rd_kafka_topic_destroy(fill.topic);
    rd_kafka_destroy(fill.rk);
    buffer_fini(&fill.value);
    return 0;
}
