/* smoke_test.c - the command smoke-test: tries the running service, and prints a record of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/times.h"
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/config_table.h"
#include "consumer/human.h"
#include "consumer/kafka_admin.h"
#include "consumer/smoke.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define TIMEOUT_MS 30000
#define TEXT_SIZE 512

static const char not_asserted[] =
        "It asserts nothing about prices, quotas, latency or model availability.";
static const char mismatch[] =
        "Environment mismatch: it tells of the environment that it ran in, and is no proof for "
        "another one. Run it there too.";

static json_t *json_printf(const char *format, ...) PRINTF_LIKE(1, 2);

static json_t *
json_printf(const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return json_string(text);
}

static json_t *
text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

/* ---- where it ran -------------------------------------------------------------------------- */

static json_t *
environment_json(const struct smoke *smoke)
{
    const struct config *config = smoke->config;
    json_t *json = json_object();
    json_t *topics = json_object();
    char started[TIME_TEXT_SIZE];
    char host[128] = "";
    char *redis = config_url_masked(config->redis.url);

    time_format(smoke->started_ms, started);
    gethostname(host, sizeof(host) - 1);
    json_object_set_new(topics, "outcomes", json_string(config->topics.outcomes));
    json_object_set_new(topics, "decisions", json_string(config->topics.decisions));
    json_object_set_new(topics, "reviews", json_string(config->topics.reviews));
    json_object_set_new(json, "name", json_string(smoke->options.environment));
    json_object_set_new(
            json, "kafka", text_or_null(config_kafka(config, KAFKA_ALL, "bootstrap.servers")));
    json_object_set_new(json, "kafka_cluster_id", json_string(smoke->facts.cluster_id));
    json_object_set_new(json, "topics", topics);
    json_object_set_new(json, "group", json_string(config->group));
    json_object_set_new(json, "redis", json_string(redis));
    json_object_set_new(json, "redis_prefix", json_string(config->redis.prefix));
    json_object_set_new(json, "config_version", json_string(config->version));
    json_object_set_new(json, "host", json_string(host));
    json_object_set_new(json, "started_at", json_string(started));
    free(redis);
    return json;
}

/* ---- the log: one line a path -------------------------------------------------------------- */

static json_t *
log_line(const struct smoke *smoke, enum smoke_step step, const char *result_category,
        const char *error_category, const char *retry_decision, const char *action,
        const char *notes)
{
    const enum smoke_result result = smoke->steps[step].result;
    json_t *line = json_object();
    char date[DATE_TEXT_SIZE];

    date_format((int32_t)(smoke->started_ms / 86400000), date);
    json_object_set_new(line, "path", json_string(smoke_step_names[step]));
    json_object_set_new(line, "review_date", json_string(date));
    json_object_set_new(line, "request_class", json_string(SMOKE_NAME));
    json_object_set_new(line, "owner_group", json_string(smoke->owner));
    json_object_set_new(line, "budget_bucket", json_string(SMOKE_NAME));
    json_object_set_new(line, "source_urls_checked", json_pack("[s]", smoke->options.source_url));
    json_object_set_new(line, "result_category", json_string(result_category));
    json_object_set_new(line, "error_category", text_or_null(error_category));
    json_object_set_new(line, "retry_decision", text_or_null(retry_decision));
    json_object_set_new(line, "cost_owner_action", text_or_null(action));
    json_object_set_new(line, "notes",
            json_printf("%s: %s",
                    result == SMOKE_PASS   ? "pass"
                    : result == SMOKE_FAIL ? "fail"
                                           : "not run",
                    result == SMOKE_FAIL ? smoke->steps[step].text : notes));
    return line;
}

static json_t *
log_json(const struct smoke *smoke)
{
    const char *keep = action_names[ACTION_KEEP_BUDGET];
    json_t *log = json_array();

    json_array_append_new(log, log_line(smoke, SMOKE_HAPPY_PATH, "success", NULL, "stop", NULL,
                                       "one event with complete metadata; no content is stored"));
    json_array_append_new(
            log, log_line(smoke, SMOKE_ERROR_PATH, "failure", "invalid_request", "stop", NULL,
                         "one controlled invalid request; no budget owner must act"));
    json_array_append_new(
            log, log_line(smoke, SMOKE_RISE, "failure", "rate_limited", "retry", NULL,
                         "a rise without a decision: one review; a budget owner must act"));
    json_array_append_new(log, log_line(smoke, SMOKE_DECISION, "failure", "rate_limited", "retry",
                                       keep, "a decision answers it: no further review"));
    json_array_append_new(
            log, log_line(smoke, SMOKE_EXPIRY, "failure", "rate_limited", "retry", NULL,
                         "the decision has ended: reopened; a budget owner must act"));
    json_array_append_new(
            log, log_line(smoke, SMOKE_COVER, "failure", "rate_limited", "retry", keep,
                         "a decision covers the owner, so that nobody is asked about it"));
    return log;
}

/* ---- the record ---------------------------------------------------------------------------- */

/* As the service says it in the last review; what it did not say is null. */
static json_t *
record_json(const struct smoke *smoke)
{
    static const char *const fields[] = {"first_attempt_recorded", "retry_count_recorded",
            "pricing_source_checked", "allocation_rule_checked"};
    const json_t *packet = smoke_packet(smoke);
    json_t *urls = json_object_get(packet, "source_urls");
    json_t *record = json_object();

    if (urls != NULL) {
        json_object_set(record, "source_urls", urls);
    } else {
        json_object_set_new(record, "source_urls", json_array());
    }
    json_object_set_new(record, "owner_tag", json_string(smoke->owner));
    json_object_set_new(record, "workload_tag", json_string(SMOKE_NAME));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        json_t *value = json_object_get(packet, fields[i]);

        json_object_set_new(record, fields[i], value != NULL ? json_incref(value) : json_null());
    }
    json_object_set_new(record, "result", json_string(smoke_passed(smoke) ? "pass" : "fail"));
    return record;
}

/* ---- what stays ---------------------------------------------------------------------------- */

static void
add_remains(json_t *remains, json_t *what, json_t *until)
{
    json_t *entry = json_object();

    json_object_set_new(entry, "what", what);
    json_object_set_new(entry, "until", until);
    json_array_append_new(remains, entry);
}

/* "7 d after it was written (retention.ms)". */
static json_t *
retention_json(const struct smoke *smoke, const char *topic)
{
    char value[KAFKA_SETTING_SIZE];
    struct error error;

    if (kafka_topic_setting(smoke->config, topic, "retention.ms", value, &error) != STATUS_OK) {
        return json_string("the topic's retention ends");
    }

    const int64_t ms = strtoll(value, NULL, 10);

    return ms < 0 ? json_string("for good: the topic has no retention.ms")
                  : json_printf("%s after it was written (retention.ms of the topic)",
                            human_duration(ms).text);
}

static json_t *
remains_json(const struct smoke *smoke)
{
    const struct config *config = smoke->config;
    const char *prefix = config->redis.prefix;
    const json_t *packet = smoke_packet(smoke);
    json_t *remains = json_array();

    if (smoke->attempts > 0) {
        add_remains(remains,
                json_printf("%" PRId64 " events in %s, partition %" PRId32 ", offsets %" PRId64
                            " to %" PRId64 ", key %s",
                        smoke->attempts, config->topics.outcomes, smoke->partition,
                        smoke->first_offset, smoke->last_offset, smoke->owner),
                retention_json(smoke, config->topics.outcomes));
        add_remains(remains,
                json_printf("%s:view:owner:%s, view:buckets:, view:minutes:, its member of "
                            "view:owners, and its counters in the state",
                        prefix, smoke->owner),
                json_string("about 26 h after its last event"));
    }
    if (packet != NULL) {
        add_remains(remains,
                json_printf("%zu events of its review in %s, and `resolved` in about an hour",
                        json_array_size(smoke->packets), config->topics.reviews),
                retention_json(smoke, config->topics.reviews));
        add_remains(remains,
                json_printf("%s:view:review:%s", prefix,
                        json_string_value(json_object_get(packet, "review_id"))),
                json_string("30 d after it is resolved, which is about an hour from now"));
    }
    for (size_t i = 0; i < SMOKE_DECISIONS; i++) {
        if (smoke->decision_ids[i][0] != '\0') {
            add_remains(remains,
                    json_printf("decision %s in %s, for this owner alone; it holds until %s",
                            smoke->decision_ids[i], config->topics.decisions,
                            human_time(smoke->decision_ends_ms[i]).text),
                    json_string("for good, as the topic is compacted; a tombstone under its id "
                                "removes it"));
        }
    }
    return remains;
}

/* ---- the report ---------------------------------------------------------------------------- */

static const char *
result_name(enum smoke_result result)
{
    return result == SMOKE_PASS ? "pass" : result == SMOKE_FAIL ? "fail" : "not run";
}

static json_t *
steps_json(const struct smoke *smoke)
{
    json_t *steps = json_array();

    for (size_t i = 0; i < SMOKE_STEPS; i++) {
        json_t *step = json_object();

        json_object_set_new(step, "step", json_string(smoke_step_names[i]));
        json_object_set_new(step, "result", json_string(result_name(smoke->steps[i].result)));
        json_object_set_new(step, "text",
                smoke->steps[i].result != SMOKE_NOT_RUN ? json_string(smoke->steps[i].text)
                                                        : json_null());
        json_array_append_new(steps, step);
    }
    return steps;
}

static json_t *
report_json(const struct smoke *smoke)
{
    json_t *report = json_object();

    json_object_set_new(report, "result", json_string(smoke_passed(smoke) ? "pass" : "fail"));
    json_object_set_new(report, "owner", json_string(smoke->owner));
    json_object_set_new(report, "environment", environment_json(smoke));
    json_object_set_new(report, "steps", steps_json(smoke));
    json_object_set_new(report, "log", log_json(smoke));
    json_object_set_new(report, "record", record_json(smoke));
    json_object_set_new(report, "not_asserted", json_string(not_asserted));
    json_object_set_new(report, "environment_mismatch", json_string(mismatch));
    json_object_set_new(report, "remains", remains_json(smoke));
    return report;
}

/* key=value, and so on; a text with blanks stands in quotes. */
static void
print_pairs(json_t *object, const char *between)
{
    const char *name = NULL;
    json_t *value = NULL;
    bool first = true;

    json_object_foreach(object, name, value)
    {
        const char *text = json_string_value(value);

        printf("%s%s=", first ? "" : between, name);
        first = false;
        if (text != NULL && strpbrk(text, " \"=") == NULL) {
            fputs(text, stdout);
        } else if (json_is_null(value)) {
            putchar('-');
        } else {
            json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
        }
    }
    putchar('\n');
}

static void
print_verdict(const struct smoke *smoke)
{
    for (size_t i = 0; i < SMOKE_STEPS; i++) {
        if (smoke->steps[i].result == SMOKE_FAIL) {
            printf("\nFAIL at %s: %s\n", smoke_step_names[i], smoke->steps[i].text);
            return;
        }
    }
    printf("\nPASS\n");
}

static void
print_report(const struct smoke *smoke, json_t *report)
{
    json_t *log = json_object_get(report, "log");
    json_t *remains = json_object_get(report, "remains");

    printf("Smoke test of %s, owner %s\n\n", smoke->options.environment, smoke->owner);
    for (size_t i = 0; i < SMOKE_STEPS; i++) {
        const struct smoke_step_result *step = &smoke->steps[i];

        printf("  %-8s %-11s %s\n", step->result == SMOKE_FAIL ? "FAIL" : result_name(step->result),
                smoke_step_names[i], step->result != SMOKE_NOT_RUN ? step->text : "");
    }
    printf("\nLog\n");
    for (size_t i = 0; i < json_array_size(log); i++) {
        printf("  ");
        print_pairs(json_array_get(log, i), " ");
    }
    printf("\nRecord\n  ");
    print_pairs(json_object_get(report, "record"), "\n  ");
    printf("\nEnvironment\n  ");
    print_pairs(json_object_get(report, "environment"), "\n  ");
    printf("\n%s\n%s\n", not_asserted, mismatch);
    if (json_array_size(remains) > 0) {
        printf("\nWhat stays, and until when\n");
    }
    for (size_t i = 0; i < json_array_size(remains); i++) {
        const json_t *entry = json_array_get(remains, i);

        printf("  %s\n    until: %s\n", json_string_value(json_object_get(entry, "what")),
                json_string_value(json_object_get(entry, "until")));
    }
    print_verdict(smoke);
}

int
command_smoke_test(int argc, char **argv)
{
    struct smoke_options smoke_options = {.environment = SMOKE_NAME,
            .source_url = "https://example.com/smoke-test",
            .schema_id = -1,
            .timeout_ms = TIMEOUT_MS};
    const struct cli_option options[] = {
            {"--environment", "NAME", "Of its events, and in the record (smoke-test)", CLI_TEXT,
                    &smoke_options.environment, 0, 0},
            {"--source-url", "URL", "The page that its events name; it is not opened", CLI_TEXT,
                    &smoke_options.source_url, 0, 0},
            {"--schema-id", "N", "Id of the built-in schema in your registry", CLI_INTEGER,
                    &smoke_options.schema_id, 0, INT32_MAX},
            {"--timeout", "TIME", "How long to wait for each answer (30s)", CLI_DURATION,
                    &smoke_options.timeout_ms, 1000, 3600000},
    };
    struct cli cli = {.name = "smoke-test",
            .summary = "Tries the service that runs with this configuration, through its Kafka and "
                       "Redis: an event, an\ninvalid request, a rise, a decision, its end. About "
                       "25 seconds, a hundred events, under an owner of\nits own "
                       "(" SMOKE_OWNER_PREFIX "...).",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG | CLI_OUTPUT};
    struct smoke smoke = {0};
    struct config *config = NULL;
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    smoke_options.progress = isatty(STDERR_FILENO) != 0 ? stderr : NULL;
    smoke_options.has_schema_id = smoke_options.schema_id >= 0;
    smoke_options.schema_id = smoke_options.has_schema_id ? smoke_options.schema_id : 1;
    smoke_run(&smoke, config, &smoke_options);

    json_t *report = report_json(&smoke);

    if (cli.json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_report(&smoke, report);
    }
    code = smoke_passed(&smoke) ? 0 : EXIT_FAILED;
    json_decref(report);
    smoke_fini(&smoke);
    config_destroy(config);
    return code;
}
