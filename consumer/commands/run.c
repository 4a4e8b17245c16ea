/* run.c - the command run: the service.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/log.h"
#include "consumer/service.h"
#include "consumer/stop_signal.h"

#include <inttypes.h>

#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000

static enum status
check_redis(struct service *service, struct error *error)
{
    const struct store_meta meta = service_meta(service);

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
make_loop(struct service *service, struct error *error)
{
    enum status status = service_make_loop(service, false, error);

    if (status == STATUS_OK) {
        status = service_make_clients(service, loop_listener(service->loop), error);
    }
    if (status == STATUS_OK) {
        loop_connect(service->loop, service->source, service->store, service->publisher,
                service->feed, service->readback);
    }
    return status;
}

static enum status
start(struct service *service, struct error *error)
{
    enum status status = service_make_decoder(service, error);

    if (status == STATUS_OK) {
        status = wait_until_ready(service, service_check_kafka, error);
    }
    if (status == STATUS_OK) {
        service->store = store_redis_new(service->config);
        status = wait_until_ready(service, check_redis, error);
    }
    return status == STATUS_OK ? make_loop(service, error) : status;
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
        service_forbid_core_dumps();
    }
    service_keep_freed_memory();

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
