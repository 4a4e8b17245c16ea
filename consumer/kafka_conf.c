/* kafka_conf.c - the configuration of librdkafka clients, and what their errors mean to us.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/state.h"
#include "consumer/kafka_internal.h"
#include "consumer/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* librdkafka's log levels are those of syslog.h, whose names are taken by consumer/log.h. */
#define SYSLOG_WARNING 4
#define SYSLOG_DEBUG 7

const char *
kafka_address(const struct config *config)
{
    const char *address = "localhost:9092";

    for (size_t i = 0; i < config->kafka_count; i++) {
        const char *name = config->kafka[i].name;

        if (strcmp(name, "bootstrap.servers") == 0 || strcmp(name, "metadata.broker.list") == 0) {
            address = config->kafka[i].value;
        }
    }
    return address;
}

enum status
kafka_status(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return STATUS_OK;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return STATUS_AUTH;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
        return STATUS_FENCED;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
        return STATUS_REFUSED;
    default:
        /* Whatever else a broker says may be over in a while. */
        return STATUS_BROKER_DOWN;
    }
}

/* What a person can do about it. */
static const char *
way_out(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
        if (rd_kafka_version() < 0x02060100) {
            return "; check sasl.mechanism, sasl.username and sasl.password under kafka: (SCRAM "
                   "with Kafka 4 needs librdkafka 2.6.1)";
        }
        return "; check sasl.mechanism, sasl.username and sasl.password under kafka:";
    case RD_KAFKA_RESP_ERR__SSL:
        return "; check security.protocol, ssl.ca.location and the broker's certificate";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return "; grant this user Read and Describe on the input topic, Write on the others";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return "; grant this user Read on the consumer group";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return "; grant this user Write and Describe on transactional ids that begin with the "
               "group";
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        return "; create it, or start once with --create-topics";
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return "; the records after it are lost to the state: retrywatch rebuild starts anew";
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return "; another process runs with the same instance: give each its own";
    default:
        return "";
    }
}

enum status
kafka_failed(const struct kafka_trouble *trouble, rd_kafka_resp_err_t code, const char *what,
        const char *text, struct error *error)
{
    const enum status status = kafka_status(code);
    const char *reason = status == STATUS_BROKER_DOWN ? trouble->reason : "";

    if (trouble->error.status == STATUS_AUTH) {
        return error_set(error, STATUS_AUTH, "%s", trouble->error.text);
    }
    return error_set(error, status, "kafka %s: %s: %s%s%s%s", kafka_address(trouble->config), what,
            text != NULL && text[0] != '\0' ? text : rd_kafka_err2str(code),
            reason[0] != '\0' ? ": " : "", reason, way_out(code));
}

void
kafka_trouble_over(struct kafka_trouble *trouble)
{
    trouble->connected = true;
    if (!trouble->fatal) {
        trouble->error.status = STATUS_OK;
        trouble->reason[0] = '\0';
    }
}

/* ---- callbacks; they run where the client is polled ---------------------------------------- */

static void
trouble_fatal(struct kafka_trouble *trouble, rd_kafka_t *rk)
{
    char text[256];
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(rk, text, sizeof(text));
    const enum status status =
            code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ? STATUS_REFUSED : kafka_status(code);

    trouble->fatal = true;
    error_set(&trouble->error, status, "kafka %s: %s%s", kafka_address(trouble->config), text,
            way_out(code));
}

static void
on_error(rd_kafka_t *rk, int number, const char *reason, void *opaque)
{
    const rd_kafka_resp_err_t code = (rd_kafka_resp_err_t)number;
    struct kafka_trouble *trouble = opaque;
    const char *address = kafka_address(trouble->config);

    if (trouble->fatal) {
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        trouble_fatal(trouble, rk);
    } else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        if (trouble->error.status != STATUS_AUTH) {
            error_set(&trouble->error, STATUS_BROKER_DOWN, "kafka %s: no broker can be reached: %s",
                    address,
                    trouble->reason[0] != '\0' ? trouble->reason : "all connections are down");
        }
    } else if (kafka_status(code) == STATUS_AUTH) {
        /* Once a broker has let us in, a refusal is trouble that may be over in a while, such as
         * a password that is being rotated. */
        error_set(&trouble->error, trouble->connected ? STATUS_BROKER_DOWN : STATUS_AUTH,
                "kafka %s: %s%s", address, reason, way_out(code));
    } else {
        snprintf(trouble->reason, sizeof(trouble->reason), "%s", reason);
    }
}

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (strcmp(facility, "CONFWARN") == 0) {
        return; /* a property of `kafka:` that the other kind of client understands */
    }
    if (level <= SYSLOG_WARNING) {
        log_warn("kafka", "facility=%s text=\"%s\"", facility, text);
    } else if (level < SYSLOG_DEBUG) {
        log_info("kafka", "facility=%s text=\"%s\"", facility, text);
    } else {
        log_debug("kafka", "facility=%s text=\"%s\"", facility, text);
    }
}

/* ---- configuration ------------------------------------------------------------------------- */

void
kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    const rd_kafka_conf_res_t done = rd_kafka_conf_set(conf, name, value, text, sizeof(text));

    assert(done == RD_KAFKA_CONF_OK); /* only with names and values of ours */
    (void)done;
}

static const struct kafka_setting *
find_setting(const struct kafka_setting *settings, const char *name)
{
    for (; settings != NULL && settings->name != NULL; settings++) {
        if (strcmp(settings->name, name) == 0) {
            return settings;
        }
    }
    return NULL;
}

static void
set_all(rd_kafka_conf_t *conf, const struct kafka_setting *settings)
{
    for (; settings != NULL && settings->name != NULL; settings++) {
        if (settings->value != NULL) {
            kafka_conf_set(conf, settings->name, settings->value);
        }
    }
}

/* Set what `kafka:` says for exactly this scope. */
static enum status
set_configured(rd_kafka_conf_t *conf, const struct config *config, enum kafka_scope scope,
        const struct kafka_setting *ours, struct error *error)
{
    for (size_t i = 0; i < config->kafka_count; i++) {
        const struct kafka_property *property = &config->kafka[i];
        char text[256];

        if (property->scope != scope) {
            continue;
        }

        const struct kafka_setting *fixed = find_setting(ours, property->name);

        if (fixed != NULL) {
            return error_set(error, STATUS_BAD_CONFIG, "kafka: %s is not yours to set: %s",
                    property->name, fixed->instead);
        }
        if (rd_kafka_conf_set(conf, property->name, property->value, text, sizeof(text)) !=
                RD_KAFKA_CONF_OK) {
            return error_set(error, STATUS_BAD_CONFIG,
                    "kafka: %s (librdkafka %s; its CONFIGURATION.md lists every property)", text,
                    rd_kafka_version_str());
        }
    }
    return STATUS_OK;
}

enum status
kafka_conf_new(const struct config *config, enum kafka_scope scope,
        const struct kafka_setting *defaults, const struct kafka_setting *ours,
        struct kafka_trouble *trouble, rd_kafka_conf_t **out, struct error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status status;

    trouble->config = config;
    kafka_conf_set(conf, "client.id", "retrywatch");
    kafka_conf_set(conf, "bootstrap.servers", kafka_address(config));
    /* A broker that is back after a while should be found at once, not after librdkafka's 10 s. */
    kafka_conf_set(conf, "reconnect.backoff.max.ms", "2000");
    set_all(conf, defaults);
    status = set_configured(conf, config, KAFKA_ALL, ours, error);
    if (status == STATUS_OK) {
        status = set_configured(conf, config, scope, ours, error);
    }
    if (status != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    set_all(conf, ours);
    /* Logs of librdkafka's threads wait for our poll: the log is written by one thread. */
    kafka_conf_set(conf, "log.queue", "true");
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, trouble);
    *out = conf;
    return STATUS_OK;
}

enum status
kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out, struct error *error)
{
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));

    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, STATUS_BAD_CONFIG, "kafka: %s", text);
    }
    rd_kafka_set_log_queue(rk, NULL);
    *out = rk;
    return STATUS_OK;
}

rd_kafka_topic_partition_list_t *
kafka_positions(const char *topic, const struct position *positions, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *entry =
                rd_kafka_topic_partition_list_add(list, topic, positions[i].partition);
        const char *metadata = positions[i].metadata;

        entry->offset = positions[i].offset;
        if (metadata != NULL && metadata[0] != '\0') {
            /* The list frees it, so it must come from librdkafka's own allocator. */
            entry->metadata_size = strlen(metadata);
            entry->metadata = rd_kafka_mem_malloc(NULL, entry->metadata_size + 1);
            memcpy(entry->metadata, metadata, entry->metadata_size + 1);
        }
    }
    return list;
}

rd_kafka_headers_t *
kafka_headers(struct span packed)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    struct reader reader = reader_of(packed);
    struct span name;
    struct span value;

    while (packed.data != NULL && headers_next(&reader, &name, &value)) {
        rd_kafka_header_add(headers, (const char *)name.data, (ssize_t)name.size, value.data,
                (ssize_t)value.size);
    }
    return headers;
}
