/* config.h - what can be configured: one table drives parsing, help, --print-config and docs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_CONFIG_H
#define RETRYWATCH_CONSUMER_CONFIG_H

#include "aggregator/evidence.h"
#include "aggregator/partition.h"
#include "aggregator/rule.h"
#include "codec/decoder.h"
#include "consumer/log.h"

#include <stdio.h>

enum delivery { DELIVERY_EXACTLY_ONCE, DELIVERY_AT_LEAST_ONCE };

/* Any librdkafka property: `kafka:` for every client, kafka.consumer, kafka.producer for one. */
enum kafka_scope { KAFKA_ALL, KAFKA_CONSUMER, KAFKA_PRODUCER };

struct kafka_property {
    enum kafka_scope scope;
    char *name, *value;
    char *file; /* where the value was read from (`<name>_file`); NULL: given itself */
};

/* Where notify begins when its group has no position yet. */
enum notify_start { NOTIFY_EARLIEST, NOTIFY_LATEST };

/* An entry of notify.routes. Texts are owned and end with NUL. */
struct notify_route {
    struct span owner, environment, bucket; /* those it is for; null: any */
    struct span alertmanager, webhook;      /* URLs; null: none */
    struct span webhook_file, secret_file;  /* paths */
    struct span webhook_read, secret;       /* what these files hold */
    bool silent;                            /* nobody is told */
};

/* Owned strings; never NULL, "" when not set. */
struct config {
    struct kafka_property *kafka;
    size_t kafka_count;
    char *group;    /* consumer group and base of the transactional.id */
    char *instance; /* "": a fresh one each start; set: also group.instance.id */
    enum delivery delivery;
    struct {
        char *outcomes, *decisions, *reviews, *rejected, *undelivered;
    } topics;
    struct {
        char *url, *prefix, *username, *password, *password_file;
        int64_t state_ttl_ms, timeout_ms;
    } redis;
    struct {
        char *registry, *outcome; /* URL; path of a schema file */
        char *username, *password, *password_file;
        char *ca_file; /* certificates that the registry's is checked against; "": the system's */
        int64_t unknown_wait_ms;
    } schema;
    struct {
        enum input_format format;
    } input;
    struct {
        int64_t max_events, max_updates, linger_ms;
        int64_t commit_interval_ms;  /* offsets alone, when there is nothing to publish: 3 s */
        int64_t publish_interval_ms; /* least time between transactions under load: 100 ms */
    } batch;
    uint32_t group_by; /* bits of enum dimension */
    struct rule rule;
    struct limits limits;
    int64_t record_bytes; /* limits.record_bytes */
    struct configured_evidence *evidence;
    size_t evidence_count;
    struct {
        int64_t max_per_second;
    } views;
    struct {
        char *group; /* "": the group and -notify */
        enum notify_start start;
        char *alertmanager, *webhook, *webhook_file; /* where no route matches; "": none */
        char *secret, *secret_file;                  /* of signatures; "": none */
        char *ca_file;
        int64_t timeout_ms, give_up_ms;
        struct notify_route *routes;
        size_t route_count;
    } notify;
    struct {
        char *listen;
    } http;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    struct {
        bool core_dumps;
    } process;
    char version[17]; /* config_version of packets: hash of what counting and the rule depend on */
    char layout[17];  /* hash of what the stored state depends on: group_by, slot widths, ... */
};

/* Names the file when the command line does not. */
#define CONFIG_PATH_VARIABLE "RETRYWATCH_CONFIG"

/* What the command line says beside the file. */
struct config_sources {
    const char *path;        /* NULL: defaults */
    const char *const *sets; /* "group=x", sets[set_count] */
    size_t set_count;
};

/**
 * Defaults, then the file, then RETRYWATCH_* of the environment, then --set.
 *
 * errors: every error at once, a line each with file, line, key and what is allowed, on stderr.
 * Errors: STATUS_BAD_CONFIG. Returns owned in *out (config_destroy()).
 */
enum status config_load(
        const struct config_sources *sources, struct config **out, struct error *error) MUST_CHECK;
void config_destroy(struct config *config);

/** The effective configuration as YAML that config_load() reads, without secrets (--print-config).
 */
void config_print(const struct config *config, FILE *out);

/** docs/config.md and the example file, from the table. */
void config_print_docs(FILE *out);
void config_print_example(FILE *out);

/** The value of a librdkafka property that applies to scope, or NULL. */
const char *config_kafka(const struct config *config, enum kafka_scope scope, const char *name);

#endif
