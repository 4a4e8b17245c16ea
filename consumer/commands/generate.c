/* generate.c - the command generate: writes realistic events to the input topic.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/outcome_encode.h"
#include "codec/times.h"
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/config_table.h"
#include "consumer/generator.h"
#include "consumer/kafka.h"
#include "consumer/kafka_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_MS 60000
#define CHECK_MS 15000
#define PROGRESS_MS 200
#define LOOK_EVERY 256 /* events between two looks at the clock */

/* What the command line says. */
struct wish {
    struct generator_options options;
    int64_t rate, seed; /* events a second, 0: as fast as it goes */
    double zipf;
    const char *scenario, *start, *format, *report;
    bool json_events, create_topics;
};

/* ---- options ------------------------------------------------------------------------------- */

static enum status
read_scenario(const char *text, enum scenario *scenario, struct error *error)
{
    static const char *const names[] = {"rise", "chronic", "calm"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *scenario = (enum scenario)i;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_BAD_CONFIG,
            "--scenario %s is not known; allowed: rise, chronic, calm", text);
}

/* An RFC 3339 time, now, or now-5h. */
static enum status
read_start(const char *text, int64_t now_ms, int64_t *start_ms, struct error *error)
{
    int64_t back_ms = 0;

    if (time_parse(span_of(text), start_ms)) {
        return STATUS_OK;
    }
    if (strcmp(text, "now") == 0 ||
            (strncmp(text, "now-", 4) == 0 && config_duration_parse(text + 4, &back_ms))) {
        *start_ms = now_ms - back_ms;
        return STATUS_OK;
    }
    return error_set(error, STATUS_BAD_CONFIG,
            "--start %s is no time; allowed: 2026-03-01T12:00:00Z, now, now-5h", text);
}

static enum status
read_wish(struct wish *wish, struct error *error)
{
    const int64_t now_ms = clock_system.wall_ms(&clock_system);
    enum status status = read_scenario(wish->scenario, &wish->options.scenario, error);

    wish->options.seed = (uint64_t)wish->seed;
    wish->options.zipf = wish->zipf;
    wish->options.start_ms = now_ms - wish->options.span_ms;
    if (status == STATUS_OK && wish->start[0] != '\0') {
        status = read_start(wish->start, now_ms, &wish->options.start_ms, error);
    }
    if (status == STATUS_OK && (wish->zipf < 0 || wish->zipf > 10)) {
        status = error_set(error, STATUS_BAD_CONFIG, "--zipf is out of range; allowed: 0 to 10");
    }
    wish->json_events = strcmp(wish->format, "json") == 0;
    if (status == STATUS_OK && !wish->json_events && strcmp(wish->format, "avro") != 0) {
        status = error_set(error, STATUS_BAD_CONFIG,
                "--format %s is not known; allowed: avro, json", wish->format);
    }
    return status;
}

/* ---- writing ------------------------------------------------------------------------------- */

struct progress {
    int64_t begun_ms, shown_ms;
    bool terminal;
};

static void
show_progress(struct progress *progress, int64_t made, int64_t events, bool last)
{
    const int64_t now_ms = clock_system.monotonic_ms(&clock_system);

    if (progress->terminal && (last || now_ms - progress->shown_ms >= PROGRESS_MS)) {
        fprintf(stderr, "\r%" PRId64 " of %" PRId64 " events, %.0f/s%s", made, events,
                (double)made * 1000 / (double)(now_ms - progress->begun_ms + 1),
                last ? "\n" : "   ");
        progress->shown_ms = now_ms;
    }
}

/* Wait until event number made may be sent at this rate. */
static void
keep_rate(const struct progress *progress, int64_t made, int64_t rate)
{
    if (rate > 0) {
        const int64_t due_ms = progress->begun_ms + made * 1000 / rate;

        clock_system.sleep_ms(&clock_system, due_ms - clock_system.monotonic_ms(&clock_system));
    }
}

static enum status
write_events(const struct wish *wish, struct generator *generator, struct kafka_writer *writer,
        struct error *error)
{
    const int64_t now_ms = clock_system.monotonic_ms(&clock_system);
    struct progress progress = {now_ms, now_ms, isatty(STDERR_FILENO) != 0};
    struct buffer value = {0};
    enum status status = STATUS_OK;
    int64_t made = 0;

    for (; made < wish->options.events && status == STATUS_OK; made++) {
        struct outcome outcome;

        keep_rate(&progress, made, wish->rate);
        generator_next(generator, clock_system.wall_ms(&clock_system), &outcome);
        buffer_clear(&value);
        if (wish->json_events) {
            outcome_encode_json(&outcome, &value);
        } else {
            outcome_encode(&outcome, OUTCOME_SCHEMA_ID_DEFAULT, &value);
        }
        status = kafka_writer_send(writer, outcome.dimensions[DIM_OWNER], buffer_span(&value),
                outcome.event_time_ms, error);
        if (made % LOOK_EVERY == 0) {
            show_progress(&progress, made, wish->options.events, false);
        }
    }
    if (status == STATUS_OK) {
        status = kafka_writer_flush(writer, FLUSH_MS, error);
    }
    show_progress(&progress, made, wish->options.events, true);
    buffer_fini(&value);
    return status;
}

/* ---- the account --------------------------------------------------------------------------- */

static void
print_account(FILE *file, const struct owner_account *account)
{
    fprintf(file,
            "{\"owner\":\"%s\",\"attempts\":%" PRIu64 ",\"first_attempts\":%" PRIu64
            ",\"retries\":%" PRIu64 ",\"failures\":%" PRIu64 ",\"first_attempt_units\":%" PRIu64
            ",\"retry_units\":%" PRIu64 ",\"usage_unavailable\":%" PRIu64 "}",
            account->owner, account->attempts, account->attempts - account->retries,
            account->retries, account->failures, account->first_units, account->retry_units,
            account->usage_unavailable);
}

/* Every owner that has events, between them separator. */
static size_t
print_accounts(FILE *file, const struct wish *wish, const struct generator *generator,
        const char *separator)
{
    const struct owner_account *accounts = generator_accounts(generator);
    size_t count = 0;

    for (int64_t i = 0; i < wish->options.owners; i++) {
        if (accounts[i].attempts > 0) {
            fputs(count++ > 0 ? separator : "", file);
            print_account(file, &accounts[i]);
        }
    }
    return count;
}

static enum status
write_report(const struct wish *wish, const struct generator *generator, struct error *error)
{
    if (wish->report[0] == '\0') {
        return STATUS_OK;
    }

    FILE *file = fopen(wish->report, "w");

    if (file == NULL) {
        return error_set(error, STATUS_FAILED, "cannot write %s: %m", wish->report);
    }
    print_accounts(file, wish, generator, "\n");
    fputs("\n", file);
    if (fclose(file) != 0) {
        return error_set(error, STATUS_FAILED, "cannot write %s: %m", wish->report);
    }
    return STATUS_OK;
}

static void
print_time(const char *before, int64_t time_ms)
{
    const time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char text[32];

    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
    printf("%s%s", before, text);
}

static void
tell(const struct wish *wish, const char *topic, const struct generator *generator, int64_t took_ms)
{
    static const char *const what[] = {
            "rise from 3 % to 35 % of its attempts", "are 15 % of its attempts all the time", ""};
    const struct owner_account *accounts = generator_accounts(generator);
    int64_t from_ms = 0;
    size_t owners = 0;
    const char *suspect = generator_suspect(generator, &from_ms);

    for (int64_t i = 0; i < wish->options.owners; i++) {
        owners += accounts[i].attempts > 0 ? 1 : 0;
    }
    printf("%" PRId64 " events of %zu owners written to %s in %.1f s", wish->options.events, owners,
            topic, (double)took_ms / 1000);
    if (wish->options.span_ms > 0) {
        print_time(", from ", wish->options.start_ms);
        print_time(" to ", wish->options.start_ms + wish->options.span_ms);
    }
    if (suspect != NULL) {
        printf("\nthe retries of %s %s", suspect, what[wish->options.scenario]);
        if (from_ms > 0) {
            print_time(", from ", from_ms);
        }
    }
    printf("\n");
}

static enum status
generate(const struct wish *wish, const struct config *config, bool json, struct error *error)
{
    const int64_t begun_ms = clock_system.monotonic_ms(&clock_system);
    struct generator *generator = generator_new(&wish->options);
    struct kafka_writer *writer = NULL;
    struct kafka_facts facts;
    enum status status = STATUS_OK;

    if (wish->create_topics) {
        status = kafka_check(config, true, CHECK_MS, &facts, error);
    }
    if (status == STATUS_OK) {
        status = kafka_writer_new(config, config->topics.outcomes, &writer, error);
    }
    if (status == STATUS_OK) {
        status = write_events(wish, generator, writer, error);
    }
    kafka_writer_destroy(writer);
    if (status == STATUS_OK) {
        status = write_report(wish, generator, error);
    }
    if (status == STATUS_OK && json) {
        printf("{\"events\":%" PRId64 ",\"owners\":[", wish->options.events);
        print_accounts(stdout, wish, generator, ",");
        printf("]}\n");
    } else if (status == STATUS_OK) {
        tell(wish, config->topics.outcomes, generator,
                clock_system.monotonic_ms(&clock_system) - begun_ms);
    }
    generator_destroy(generator);
    return status;
}

int
command_generate(int argc, char **argv)
{
    struct wish wish = {
            .options = {.owners = 100, .events = 100000, .span_ms = INT64_C(5) * 3600 * 1000},
            .seed = 1,
            .zipf = 1.1,
            .scenario = "rise",
            .start = "",
            .format = "avro",
            .report = "",
    };
    const struct cli_option options[] = {
            {"--events", "N", "How many (100000)", CLI_INTEGER, &wish.options.events, 1,
                    INT64_C(1000000000000)},
            {"--owners", "N", "Owners among whom they are spread (100)", CLI_INTEGER,
                    &wish.options.owners, 1, 10000000},
            {"--scenario", "NAME", "rise, chronic or calm (rise)", CLI_TEXT, &wish.scenario, 0, 0},
            {"--span", "TIME",
                    "Event times are spread over it; 0s: each is sent as it happens (5h)",
                    CLI_DURATION, &wish.options.span_ms, 0, INT64_C(366) * 86400000},
            {"--start", "TIME", "Time of the first: RFC 3339, now, now-5h (now - span)", CLI_TEXT,
                    &wish.start, 0, 0},
            {"--rate", "N", "Events a second; 0: as fast as it goes (0)", CLI_INTEGER, &wish.rate,
                    0, 100000000},
            {"--zipf", "X", "How much busier the first owners are; 0: all alike (1.1)", CLI_DECIMAL,
                    &wish.zipf, 0, 0},
            {"--seed", "N", "The same seed gives the same events (1)", CLI_INTEGER, &wish.seed, 0,
                    INT64_MAX},
            {"--format", "NAME", "avro (Confluent frame) or json (avro)", CLI_TEXT, &wish.format, 0,
                    0},
            {"--report", "FILE", "Write what each owner got, as JSON lines", CLI_TEXT, &wish.report,
                    0, 0},
            {"--create-topics", NULL, "Create topics that are missing", CLI_FLAG,
                    &wish.create_topics, 0, 0},
    };
    struct cli cli = {.name = "generate",
            .summary = "Writes realistic request outcomes, keyed by owner, to the input topic "
                       "(topics.outcomes).\nThe time of each record is that of its event.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG | CLI_OUTPUT};
    struct config *config = NULL;
    struct error error;
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    code = 0;
    if (read_wish(&wish, &error) != STATUS_OK ||
            generate(&wish, config, cli.json, &error) != STATUS_OK) {
        code = cli_fail(&error);
    }
    config_destroy(config);
    return code;
}
