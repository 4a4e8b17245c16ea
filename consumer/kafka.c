/* kafka.c - what is asked of a Kafka cluster before work begins: is it there, who is it, are the
 * topics there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka.h"
#include "consumer/kafka_internal.h"
#include "consumer/log.h"

#include <stdio.h>
#include <string.h>

#define ASK_MS 1000  /* one question; then the reasons of failures are looked at */
#define PAUSE_MS 100 /* between two questions */
#define TOPICS_MAX 4
#define CREATE_PARTITIONS 4
#define RETENTION_MS "2592000000" /* 30 days */
#define BROKER_DEFAULT (-1)       /* replication factor */

/* One topic of ours, and how --create-topics makes it. */
struct topic {
    const char *name;
    int partitions;             /* when created */
    const char *settings[3][2]; /* name and value, ended by NULL */
    int32_t found;              /* partitions that it has; 0: missing */
    rd_kafka_resp_err_t code;   /* why it cannot be seen */
};

struct check {
    const struct config *config;
    struct kafka_trouble trouble;
    rd_kafka_t *rk;
    int64_t until_ms;
    struct topic topics[TOPICS_MAX];
    size_t topic_count;
};

static int64_t
monotonic_ms(void)
{
    return clock_system.monotonic_ms(&clock_system);
}

/* What notify reads, and where it puts what it cannot deliver. */
static void
name_topics_of_notify(struct check *check)
{
    check->topics[check->topic_count++] = (struct topic){.name = check->config->topics.reviews,
            .partitions = CREATE_PARTITIONS,
            .settings = {{"retention.ms", RETENTION_MS}}};
    check->topics[check->topic_count++] = (struct topic){.name = check->config->topics.undelivered,
            .partitions = 1,
            .settings = {{"retention.ms", RETENTION_MS}}};
}

static void
name_topics_of_run(struct check *check)
{
    const struct config *config = check->config;
    const struct topic topics[] = {
            /* One broken producer clock cannot move a partition's time. */
            {.name = config->topics.outcomes,
                    .partitions = CREATE_PARTITIONS,
                    .settings = {{"message.timestamp.after.max.ms", "300000"}}},
            {.name = config->topics.decisions,
                    .partitions = 1,
                    .settings = {{"cleanup.policy", "compact"}}},
            {.name = config->topics.reviews,
                    .partitions = CREATE_PARTITIONS,
                    .settings = {{"retention.ms", RETENTION_MS}}},
            {.name = config->topics.rejected,
                    .partitions = CREATE_PARTITIONS,
                    .settings = {{"retention.ms", RETENTION_MS}}},
    };

    memcpy(check->topics, topics, sizeof(topics));
    check->topic_count = sizeof(topics) / sizeof(topics[0]);
}

/* ---- looking ------------------------------------------------------------------------------- */

/* One question; what the background threads have to say about a failure is in trouble. */
static rd_kafka_resp_err_t
look_at(struct check *check, struct topic *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(check->rk, topic->name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code =
            handle != NULL ? rd_kafka_metadata(check->rk, 0, handle, &metadata, ASK_MS)
                           : rd_kafka_last_error();

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        topic->found = 0;
        topic->code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (metadata->topic_cnt > 0) {
            topic->found = metadata->topics[0].partition_cnt;
            topic->code = metadata->topics[0].err;
        }
        rd_kafka_metadata_destroy(metadata);
        kafka_trouble_over(&check->trouble);
    }
    if (handle != NULL) {
        rd_kafka_topic_destroy(handle);
    }
    while (rd_kafka_poll(check->rk, 0) > 0) {
    }
    return code;
}

static enum status
look(struct check *check, struct error *error)
{
    for (size_t i = 0; i < check->topic_count;) {
        const rd_kafka_resp_err_t code = look_at(check, &check->topics[i]);

        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            i++;
        } else if (check->trouble.error.status == STATUS_AUTH ||
                   monotonic_ms() >= check->until_ms) {
            if (check->trouble.error.status != STATUS_OK) {
                return error_set(
                        error, check->trouble.error.status, "%s", check->trouble.error.text);
            }
            return kafka_failed(&check->trouble, code, "ask for topics", NULL, error);
        } else {
            clock_system.sleep_ms(&clock_system, PAUSE_MS);
        }
    }
    return STATUS_OK;
}

static bool
is_missing(const struct topic *topic)
{
    return topic->code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           topic->code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
}

static size_t
count_missing(const struct check *check)
{
    size_t count = 0;

    for (size_t i = 0; i < check->topic_count; i++) {
        count += is_missing(&check->topics[i]) ? 1 : 0;
    }
    return count;
}

/* ---- creating ------------------------------------------------------------------------------ */

static rd_kafka_NewTopic_t *
describe(const struct topic *topic, bool with_settings, struct error *error)
{
    char text[256];
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(
            topic->name, topic->partitions, BROKER_DEFAULT, text, sizeof(text));

    if (made == NULL) {
        (void)error_set(error, STATUS_REFUSED, "kafka: topic %s: %s", topic->name, text);
        return NULL;
    }
    for (size_t i = 0; with_settings && topic->settings[i][0] != NULL; i++) {
        rd_kafka_NewTopic_set_config(made, topic->settings[i][0], topic->settings[i][1]);
    }
    return made;
}

/* The code and text of the one topic that was to be created. */
static rd_kafka_resp_err_t
create_result(rd_kafka_event_t *event, char *text, size_t size)
{
    size_t count = 0;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics =
            result != NULL ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *told = rd_kafka_event_error_string(event);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && count > 0) {
        code = rd_kafka_topic_result_error(topics[0]);
        told = rd_kafka_topic_result_error_string(topics[0]);
    }
    snprintf(text, size, "%s", told != NULL ? told : rd_kafka_err2str(code));
    return code;
}

static rd_kafka_resp_err_t
create_request(
        struct check *check, const struct topic *topic, bool with_settings, char *text, size_t size)
{
    struct error error = {.status = STATUS_OK};
    rd_kafka_NewTopic_t *made = describe(topic, with_settings, &error);

    if (made == NULL) {
        snprintf(text, size, "%.*s", (int)size - 1, error.text);
        return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    }

    rd_kafka_queue_t *answers = rd_kafka_queue_new(check->rk);
    rd_kafka_event_t *event;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    const int64_t left_ms = check->until_ms - monotonic_ms();

    rd_kafka_CreateTopics(check->rk, &made, 1, NULL, answers);
    event = rd_kafka_queue_poll(answers, left_ms > ASK_MS ? (int)left_ms : ASK_MS);
    snprintf(text, size, "%s", rd_kafka_err2str(code));
    if (event != NULL) {
        code = create_result(event, text, size);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answers);
    rd_kafka_NewTopic_destroy(made);
    return code;
}

static enum status
create_topic(struct check *check, const struct topic *topic, struct error *error)
{
    char text[256];
    rd_kafka_resp_err_t code = create_request(check, topic, true, text, sizeof(text));

    if (code == RD_KAFKA_RESP_ERR_INVALID_CONFIG) {
        /* message.timestamp.after.max.ms is unknown before Kafka 3.6. */
        log_warn("topics", "topic=%s error=\"%s\" next=\"created without settings\"", topic->name,
                text);
        code = create_request(check, topic, false, text, sizeof(text));
    }
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        log_info("topics", "topic=%s created=true partitions=%d", topic->name, topic->partitions);
        return STATUS_OK;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE: /* development brokers make topics when asked */
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return STATUS_OK;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return error_set(error, STATUS_AUTH,
                "kafka %s: not allowed to create topic %s: create it by hand, or grant Create",
                kafka_address(check->config), topic->name);
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
        return kafka_failed(&check->trouble, code, "create topics", text, error);
    default:
        return error_set(error, STATUS_REFUSED, "kafka %s: cannot create topic %s: %s",
                kafka_address(check->config), topic->name, text);
    }
}

/* Create what is missing, and wait until every broker asked knows it. */
static enum status
create_missing(struct check *check, struct error *error)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < check->topic_count && status == STATUS_OK; i++) {
        if (is_missing(&check->topics[i])) {
            status = create_topic(check, &check->topics[i], error);
        }
    }
    while (status == STATUS_OK) {
        status = look(check, error);
        if (status != STATUS_OK || count_missing(check) == 0 || monotonic_ms() >= check->until_ms) {
            break;
        }
        clock_system.sleep_ms(&clock_system, PAUSE_MS);
    }
    return status;
}

/* ---- the answer ---------------------------------------------------------------------------- */

static enum status
judge(const struct check *check, struct error *error)
{
    char names[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < check->topic_count; i++) {
        const struct topic *topic = &check->topics[i];

        if (is_missing(topic) && used < sizeof(names)) {
            used += (size_t)snprintf(
                    names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "", topic->name);
        } else if (topic->code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return kafka_failed(&check->trouble, topic->code, topic->name, NULL, error);
        }
    }
    if (used > 0) {
        return error_set(error, STATUS_REFUSED,
                "kafka %s: topics are missing: %s; create them, or start once with "
                "--create-topics",
                kafka_address(check->config), names);
    }
    return STATUS_OK;
}

static enum status
connect_client(struct check *check, struct error *error)
{
    const struct kafka_setting ours[] = {
            {"group.instance.id", NULL, "use `instance`"},
            {NULL, NULL, NULL},
    };
    rd_kafka_conf_t *conf = NULL;
    const enum status status = kafka_conf_new(
            check->config, KAFKA_CONSUMER, NULL, ours, &check->trouble, &conf, error);

    return status == STATUS_OK ? kafka_client_new(RD_KAFKA_CONSUMER, conf, &check->rk, error)
                               : status;
}

static void
tell_facts(struct check *check, struct kafka_facts *facts)
{
    char *cluster = rd_kafka_clusterid(check->rk, ASK_MS);

    snprintf(facts->cluster_id, sizeof(facts->cluster_id), "%s", cluster != NULL ? cluster : "");
    rd_kafka_mem_free(check->rk, cluster);
    facts->partition_count = check->topics[0].found;
}

/* The topics that check names; facts may be NULL. */
static enum status
run_check(struct check *check, bool create, struct kafka_facts *facts, struct error *error)
{
    enum status status = connect_client(check, error);

    if (status == STATUS_OK) {
        status = look(check, error);
    }
    if (status == STATUS_OK && create && count_missing(check) > 0) {
        status = create_missing(check, error);
    }
    if (status == STATUS_OK) {
        status = judge(check, error);
    }
    if (status == STATUS_OK && facts != NULL) {
        tell_facts(check, facts);
    }
    if (check->rk != NULL) {
        rd_kafka_destroy(check->rk);
    }
    return status;
}

enum status
kafka_check(const struct config *config, bool create, int64_t timeout_ms, struct kafka_facts *facts,
        struct error *error)
{
    struct check check = {.config = config, .until_ms = monotonic_ms() + timeout_ms};

    name_topics_of_run(&check);
    return run_check(&check, create, facts, error);
}

enum status
kafka_check_notify(
        const struct config *config, bool create, int64_t timeout_ms, struct error *error)
{
    struct check check = {.config = config, .until_ms = monotonic_ms() + timeout_ms};

    name_topics_of_notify(&check);
    return run_check(&check, create, NULL, error);
}
