/* run.c - the command run: the service.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/config.h"
#include "consumer/commands/commands.h"
#include "consumer/digest.h"
#include "consumer/file.h"
#include "consumer/kafka.h"
#include "consumer/log.h"
#include "consumer/loop.h"
#include "consumer/registry.h"
#include "consumer/stop_signal.h"
#include "consumer/store_redis.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#define CHECK_TIMEOUT_MS 5000
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000
#define KEEP_BLOCK (32 << 20) /* bytes; the largest that glibc allows */
#define KEEP_FREE (256 << 20) /* bytes at the end of a heap */
#define KEEP_AHEAD (4 << 20)  /* bytes by which a heap grows; not touched before they are used */
#define SCHEMA_SIZE_MAX ((size_t)1 << 20)

/* Everything that the service is made of; all zero is nothing. */
struct service {
    struct config *config;
    bool create_topics;
    struct kafka_facts facts;
    char *writer_schema;
    struct registry *registry;
    struct decoder *decoder;
    struct decisions *decisions;
    struct loop *loop;
    struct source *source;
    struct store *store;
    struct publisher *publisher;
    struct decision_feed *feed;
    struct readback *readback;
};

/* What must be there before the first record is read, asked again until it is. */
static enum status
check_kafka(struct service *service, struct error *error)
{
    return kafka_check(
            service->config, service->create_topics, CHECK_TIMEOUT_MS, &service->facts, error);
}

static enum status
check_redis(struct service *service, struct error *error)
{
    const struct store_meta meta = {
            .cluster_id = service->facts.cluster_id,
            .topic = service->config->topics.outcomes,
            .partition_count = service->facts.partition_count,
            .group = service->config->group,
            .layout = service->config->layout,
    };

    return store_redis_check(service->store, &meta, error);
}

static enum status
wait_until_ready(struct service *service,
        enum status (*check)(struct service *service, struct error *error), struct error *error)
{
    int64_t backoff_ms = BACKOFF_MIN_MS;
    enum status status = check(service, error);

    while (!stop_signal_came() && status_disposition(status) == DISPOSE_RETRY) {
        log_warn("start", "error=\"%s\" retry_ms=%" PRId64, error->text, backoff_ms);
        clock_system.sleep_ms(&clock_system, backoff_ms);
        backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
        if (!stop_signal_came()) {
            status = check(service, error);
        }
    }
    return status;
}

static enum status
make_decoder(struct service *service, struct error *error)
{
    const struct config *config = service->config;
    struct decoder_options options = {
            .format = config->input.format,
            .record_bytes_max = (size_t)config->record_bytes,
    };

    if (config->schema.outcome[0] != '\0') {
        size_t size = 0;
        const enum status status = file_read(
                config->schema.outcome, SCHEMA_SIZE_MAX, &service->writer_schema, &size, error);

        if (status != STATUS_OK) {
            return status;
        }
        options.writer_schema = service->writer_schema;
    }
    if (config->schema.registry[0] != '\0') {
        service->registry = registry_new(config, &clock_system);
        options.fetch = registry_fetch;
        options.fetch_context = service->registry;
    }
    return decoder_new(&options, &service->decoder, error);
}

static enum status
make_loop(struct service *service, struct error *error)
{
    struct loop_options options = {
            .config = service->config,
            .clock = &clock_system,
            .decoder = service->decoder,
            .decisions = service->decisions,
            .digest = digest_sha256,
    };
    enum status status;

    if (getrandom(&options.process, sizeof(options.process), 0) !=
            (ssize_t)sizeof(options.process)) {
        return error_set(error, STATUS_FAILED, "the kernel gives no random numbers");
    }
    service->loop = loop_new(&options);
    status = source_kafka_new(
            service->config, &clock_system, loop_listener(service->loop), &service->source, error);
    if (status == STATUS_OK) {
        status = publisher_kafka_new(service->config, service->source, &service->publisher, error);
    }
    if (status == STATUS_OK) {
        status = decisions_kafka_new(service->config, &clock_system, &service->feed, error);
    }
    if (status == STATUS_OK) {
        service->readback = readback_kafka_new(service->config, &clock_system);
        loop_connect(service->loop, service->source, service->store, service->publisher,
                service->feed, service->readback);
    }
    return status;
}

static enum status
start(struct service *service, struct error *error)
{
    enum status status = make_decoder(service, error);

    if (status == STATUS_OK) {
        status = wait_until_ready(service, check_kafka, error);
    }
    if (status == STATUS_OK) {
        service->store = store_redis_new(service->config);
        service->decisions = decisions_new();
        status = wait_until_ready(service, check_redis, error);
    }
    return status == STATUS_OK ? make_loop(service, error) : status;
}

/* Reverse order: the source leaves the group while the loop still listens. */
static void
service_fini(struct service *service)
{
    if (service->source != NULL) {
        service->source->ops->destroy(service->source);
    }
    if (service->publisher != NULL) {
        service->publisher->ops->destroy(service->publisher);
    }
    if (service->feed != NULL) {
        service->feed->ops->destroy(service->feed);
    }
    if (service->readback != NULL) {
        service->readback->ops->destroy(service->readback);
    }
    loop_destroy(service->loop);
    if (service->store != NULL) {
        service->store->ops->destroy(service->store);
    }
    decisions_destroy(service->decisions);
    decoder_destroy(service->decoder);
    registry_destroy(service->registry);
    free(service->writer_schema);
}

static enum status
serve(struct service *service, struct error *error)
{
    enum status status = start(service, error);

    if (status == STATUS_OK && !stop_signal_came()) {
        log_info("start", "group=%s topic=%s partitions=%" PRId32 " config_version=%s",
                service->config->group, service->config->topics.outcomes,
                service->facts.partition_count, service->config->version);
        while (!stop_signal_came() && status == STATUS_OK) {
            status = loop_turn(service->loop, error);
        }
        if (status == STATUS_OK) {
            loop_drain(service->loop);
        }
    }
    if (stop_signal_came() && status_disposition(status) == DISPOSE_RETRY) {
        status = STATUS_OK; /* told to stop while it waited for Kafka or Redis */
    }
    return status;
}

/* A core would hold events and secrets. The limit alone is not enough: where core_pattern is a
 * pipe, the kernel does not ask for it. */
static void
forbid_core_dumps(void)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0) {
        log_warn("start", "error=\"core dumps cannot be forbidden: %m\"");
    }
}

/* What librdkafka fetched is freed by another thread than the one that asks for the next: by
 * default its memory goes back to the kernel and comes anew, page by page, for every fetch. */
static void
keep_freed_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, KEEP_BLOCK);
    mallopt(M_TRIM_THRESHOLD, KEEP_FREE);
    mallopt(M_TOP_PAD, KEEP_AHEAD);
}

int
command_run(int argc, char **argv)
{
    struct service service = {0};
    const struct cli_option options[] = {
            {"--create-topics", NULL, "make the topics that are missing, with sensible settings",
                    CLI_FLAG, &service.create_topics, 0, 0},
    };
    struct cli cli = {
            .name = "run",
            .summary = "Reads outcomes from Kafka, keeps counters in Redis, publishes reviews.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG,
    };
    struct error error = {0};
    int code;

    stop_signal_catch(); /* first: who stops it while it starts gets exit code 0, too */
    code = cli_parse(&cli, argc, argv);
    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &service.config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    if (!service.config->process.core_dumps) {
        forbid_core_dumps();
    }
    keep_freed_memory();

    const enum status status = serve(&service, &error);

    if (status != STATUS_OK) {
        log_error("stop", "status=\"%s\" error=\"%s\"", status_text(status), error.text);
    } else {
        log_info("stop", "events=%" PRIu64,
                service.loop != NULL ? loop_metrics(service.loop)->events : 0);
    }
    service_fini(&service);
    config_destroy(service.config);
    return status_exit_code(status);
}
