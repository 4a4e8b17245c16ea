/* notify.c - the command notify: tells people of reviews, through Alertmanager and webhooks.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/notify.h"
#include "codec/state.h"
#include "consumer/cli.h"
#include "consumer/commands/commands.h"
#include "consumer/kafka.h"
#include "consumer/kafka_writer.h"
#include "consumer/log.h"
#include "consumer/notify_http.h"
#include "consumer/stop_signal.h"

#include <inttypes.h>

#define CHECK_TIMEOUT_MS 5000
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000
#define FLUSH_TIMEOUT_MS 5000

/* Everything that the command is made of; all zero is nothing. */
struct stage {
    struct config *config;
    bool once;
    bool create_topics;
    struct notify_http *http;
    struct kafka_writer *writer; /* NULL: to be made for the next letter */
    struct notify *notify;
    struct review_feed *feed;
};

/* ---- letters -------------------------------------------------------------------------------- */

static void
put_number(struct buffer *headers, const char *name, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    headers_put(headers, name, span_of(text));
}

static void
put_headers(struct buffer *headers, const struct config *config, const struct notify_letter *letter)
{
    headers_put(headers, "reason", span_of(letter->reason));
    headers_put(headers, "detail", span_of(letter->detail));
    headers_put(headers, "kind", span_of(notify_kind_names[letter->destination->kind]));
    headers_put(headers, "destination", span_of(letter->destination->shown));
    put_number(headers, "attempts", letter->attempts);
    headers_put(headers, "topic", span_of(config->topics.reviews));
    put_number(headers, "partition", letter->event->partition);
    put_number(headers, "offset", letter->event->offset);
    headers_put(headers, "ce_id", span_of(letter->event->id));
}

/* A writer that has failed once is done with: the next letter gets a new one. */
static enum status
write_letter(void *context, const struct notify_letter *letter, struct error *error)
{
    struct stage *stage = context;
    struct buffer headers = {0};
    enum status status = STATUS_OK;

    if (stage->writer == NULL) {
        status = kafka_writer_new(
                stage->config, stage->config->topics.undelivered, &stage->writer, error);
    }
    if (status == STATUS_OK) {
        put_headers(&headers, stage->config, letter);
        status = kafka_writer_put(stage->writer,
                &(struct writer_record){.key = letter->key, .headers = buffer_span(&headers)},
                error);
        buffer_fini(&headers);
    }
    if (status == STATUS_OK) {
        status = kafka_writer_flush(stage->writer, FLUSH_TIMEOUT_MS, error);
    }
    if (status != STATUS_OK) {
        kafka_writer_destroy(stage->writer);
        stage->writer = NULL;
    }
    return status;
}

/* ---- from start to end ---------------------------------------------------------------------- */

static enum status
wait_for_kafka(struct stage *stage, struct error *error)
{
    int64_t backoff_ms = BACKOFF_MIN_MS;
    enum status status;

    for (;;) {
        status = kafka_check_notify(stage->config, stage->create_topics, CHECK_TIMEOUT_MS, error);
        if (stop_signal_came() || status_disposition(status) != DISPOSE_RETRY) {
            return status;
        }
        log_warn("start", "error=\"%s\" retry_ms=%" PRId64, error->text, backoff_ms);
        clock_system.sleep_ms(&clock_system, backoff_ms);
        backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
    }
}

static bool
has_destination(const struct config *config)
{
    return config->notify.alertmanager[0] != '\0' || config->notify.webhook[0] != '\0' ||
           config->notify.route_count > 0;
}

static enum status
start(struct stage *stage, struct error *error)
{
    if (!has_destination(stage->config)) {
        return error_set(error, STATUS_BAD_CONFIG,
                "there is nobody to tell: set notify.alertmanager, notify.webhook or "
                "notify.routes");
    }

    enum status status = wait_for_kafka(stage, error);

    if (status == STATUS_OK) {
        stage->http = notify_http_new(stage->config, &clock_system);
        stage->notify = notify_new(stage->config, &clock_system, notify_http_sender(stage->http),
                (struct notify_letters){.write = write_letter, .context = stage});

        const struct review_feed_listener listener = notify_listener(stage->notify);

        status = review_feed_kafka_new(stage->config, &listener, &stage->feed, error);
    }
    if (status == STATUS_OK) {
        notify_connect(stage->notify, stage->feed);
        log_info("start", "topic=%s routes=%zu once=%s", stage->config->topics.reviews,
                stage->config->notify.route_count, stage->once ? "true" : "false");
    }
    return status;
}

static enum status
serve(struct stage *stage, struct error *error)
{
    enum status status = start(stage, error);

    while (!stop_signal_came() && status == STATUS_OK &&
            !(stage->once && notify_is_done(stage->notify))) {
        status = notify_turn(stage->notify, error);
    }
    if (status == STATUS_OK && stage->notify != NULL) {
        notify_drain(stage->notify);
    }
    if (stop_signal_came() && status_disposition(status) == DISPOSE_RETRY) {
        status = STATUS_OK; /* told to stop while it waited for Kafka */
    }
    if (status == STATUS_OK && stage->once && stage->notify != NULL &&
            notify_metrics(stage->notify)->undelivered > 0) {
        status = error_set(error, STATUS_FAILED, "%" PRIu64 " reviews were not delivered: see %s",
                notify_metrics(stage->notify)->undelivered, stage->config->topics.undelivered);
    }
    return status;
}

static void
log_stop(const struct stage *stage, enum status status, const struct error *error)
{
    if (status != STATUS_OK) {
        log_error("stop", "status=\"%s\" error=\"%s\"", status_text(status), error->text);
    }
    if (stage->notify != NULL) {
        const struct notify_metrics *metrics = notify_metrics(stage->notify);

        log_info("stop",
                "events=%" PRIu64 " silent=%" PRIu64 " delivered=%" PRIu64
                " failed_attempts=%" PRIu64 " undelivered=%" PRIu64,
                metrics->events, metrics->silent, metrics->delivered, metrics->failed_attempts,
                metrics->undelivered);
    }
}

static void
stage_fini(struct stage *stage)
{
    if (stage->feed != NULL) {
        stage->feed->ops->destroy(stage->feed); /* it still tells notify of what it gives up */
    }
    notify_destroy(stage->notify);
    notify_http_destroy(stage->http);
    kafka_writer_destroy(stage->writer);
    config_destroy(stage->config);
}

int
command_notify(int argc, char **argv)
{
    struct stage stage = {0};
    const struct cli_option options[] = {
            {"--once", NULL, "deliver what is there and end; 1 when something was undeliverable",
                    CLI_FLAG, &stage.once, 0, 0},
            {"--create-topics", NULL, "make the topics that are missing, with sensible settings",
                    CLI_FLAG, &stage.create_topics, 0, 0},
    };
    struct cli cli = {
            .name = "notify",
            .summary = "Follows the reviews in Kafka and tells people: through Alertmanager, by "
                       "webhooks, or both.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG,
    };
    struct error error = {0};
    int code;

    stop_signal_catch(); /* first: who stops it while it starts gets exit code 0, too */
    code = cli_parse(&cli, argc, argv);
    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &stage.config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }

    const enum status status = serve(&stage, &error);

    log_stop(&stage, status, &error);
    stage_fini(&stage);
    return status_exit_code(status);
}
