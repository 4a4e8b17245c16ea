/* null_consumer.c - a librdkafka consumer that only counts messages: the measure of the pipeline.
 *
 * null_consumer BOOTSTRAP TOPIC COUNT [PROPERTY=VALUE ...]
 *
 * The settings are those of consumer/source_kafka.c, and its way to wake fetchers. Reads every
 * partition from the beginning until COUNT messages are seen, and prints one line of JSON. The
 * clock, the CPU time of the process and the count all start when the first batch is in: connecting
 * is in none of them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <librdkafka/rdkafka.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH 200000
#define LINGER_MS 50
#define SILENCE_MS 30000 /* without a message: something is wrong */
#define ASK_MS 10000
#define WAKE_RECORDS 256
#define HAS_FETCH_BACKOFF (RD_KAFKA_VERSION >= 0x02020000)

struct tally {
    uint64_t count, bytes, first; /* first: messages of the first batch */
    double begun, ended, cpu_begun, cpu_ended;
};

static double
seconds(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "null_consumer: %s: %s\n", what, why);
    exit(1);
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        die(name, text);
    }
}

static rd_kafka_t *
connect_consumer(const char *bootstrap, char **properties, int count)
{
    static const char *const settings[][2] = {
            {"group.id", "null-consumer"},
            {"enable.auto.commit", "false"},
            {"enable.auto.offset.store", "false"},
            {"isolation.level", "read_committed"},
            {"fetch.message.max.bytes", "262144"},
            {"queued.min.messages", "1000000"},
            {"queued.max.messages.kbytes", "65536"},
            {"fetch.queue.backoff.ms", HAS_FETCH_BACKOFF ? "10" : NULL},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    set(conf, "bootstrap.servers", bootstrap);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (settings[i][1] != NULL) {
            set(conf, settings[i][0], settings[i][1]);
        }
    }
    for (int i = 0; i < count; i++) {
        char *equals = strchr(properties[i], '=');

        if (equals == NULL) {
            die(properties[i], "not PROPERTY=VALUE");
        }
        *equals = '\0';
        set(conf, properties[i], equals + 1);
    }

    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));

    if (rk == NULL) {
        die("rd_kafka_new", text);
    }
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

static void
assign_all(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, handle, &metadata, ASK_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topics[0].partition_cnt == 0) {
        die(topic, code != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_err2str(code) : "no such topic");
    }

    rd_kafka_topic_partition_list_t *list =
            rd_kafka_topic_partition_list_new(metadata->topics[0].partition_cnt);

    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

/* As kafka_wake_fetchers() of consumer/kafka_ask.c. */
static void
wake(rd_kafka_t *rk)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    if (rd_kafka_assignment(rk, &list) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; i < list->cnt; i++) {
            list->elems[i].offset = RD_KAFKA_OFFSET_END;
        }
        rd_kafka_offsets_for_times(rk, list, 0);
        rd_kafka_topic_partition_list_destroy(list);
    }
}

static void
count_batch(struct tally *tally, rd_kafka_message_t **messages, ssize_t got)
{
    const bool first = tally->count == 0;

    for (ssize_t i = 0; i < got; i++) {
        if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            tally->count += 1;
            tally->bytes += messages[i]->len;
        }
        rd_kafka_message_destroy(messages[i]);
    }
    if (first && tally->count > 0) {
        tally->first = tally->count;
        tally->begun = seconds(CLOCK_MONOTONIC);
        tally->cpu_begun = seconds(CLOCK_PROCESS_CPUTIME_ID);
    }
}

static void
consume(rd_kafka_t *rk, uint64_t wanted, struct tally *tally)
{
    static rd_kafka_message_t *messages[BATCH];
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    double heard = seconds(CLOCK_MONOTONIC);

    while (tally->count < wanted) {
        const ssize_t got = rd_kafka_consume_batch_queue(queue, LINGER_MS, messages, BATCH);

        count_batch(tally, messages, got);
        if (!HAS_FETCH_BACKOFF && got >= WAKE_RECORDS) {
            wake(rk);
        }
        if (got > 0) {
            heard = seconds(CLOCK_MONOTONIC);
        } else if (seconds(CLOCK_MONOTONIC) - heard > SILENCE_MS / 1000.0) {
            die("consume", "no more messages");
        }
    }
    tally->ended = seconds(CLOCK_MONOTONIC);
    tally->cpu_ended = seconds(CLOCK_PROCESS_CPUTIME_ID);
    rd_kafka_queue_destroy(queue);
}

int
main(int argc, char **argv)
{
    struct tally tally = {0};

    if (argc < 4) {
        die("usage", "null_consumer BOOTSTRAP TOPIC COUNT [PROPERTY=VALUE ...]");
    }

    rd_kafka_t *rk = connect_consumer(argv[1], argv + 4, argc - 4);

    assign_all(rk, argv[2]);
    consume(rk, strtoull(argv[3], NULL, 10), &tally);

    const double took = tally.ended - tally.begun;
    const double cpu = tally.cpu_ended - tally.cpu_begun;
    const double timed = (double)(tally.count - tally.first);
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    printf("{\"events\":%llu,\"bytes\":%llu,\"seconds\":%.3f,\"cpu_seconds\":%.3f,"
           "\"events_per_second\":%.0f,\"events_per_cpu_second\":%.0f,\"peak_mib\":%.0f}\n",
            (unsigned long long)tally.count, (unsigned long long)tally.bytes, took, cpu,
            timed / took, timed / cpu, (double)usage.ru_maxrss / 1024);
    rd_kafka_destroy(rk);
    return 0;
}
