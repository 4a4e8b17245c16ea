/* test_config.c - the configuration: what is read, and what is printed of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_table.h"
#include "tests/support/load_config.h"
#include "tests/support/rows.h"

#include "aggregator/decision.h"
#include "aggregator/packet.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The value of a key as it is printed. Returns owned. */
static char *
shown(const struct config *config, const char *name)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    config_value_write(config, config_key_find(name), out);
    fclose(out);
    return text;
}

static char *
printed(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    config_print(config, out);
    fclose(out);
    return text;
}

/* ---- good input ----------------------------------------------------------------------------- */

static const struct good {
    const char *name;
    const char *text;
    const char *environment[MORE];
    const char *sets[MORE];
    const char *key;
    const char *want; /* as it is printed */
} good[] = {
        {.name = "nothing at all", .key = "group", .want = "retrywatch"},
        {.name = "an empty file", .text = "", .key = "redis.timeout", .want = "2s"},
        {.name = "comments alone", .text = "# a\n", .key = "batch.linger", .want = "50ms"},
        {.name = "a section without keys",
                .text = "batch:\n",
                .key = "group",
                .want = "retrywatch"},
        {.name = "block map",
                .text = "batch:\n  linger: 20ms\n",
                .key = "batch.linger",
                .want = "20ms"},
        {.name = "flow map",
                .text = "batch: {max_events: 7}",
                .key = "batch.max_events",
                .want = "7"},
        {.name = "dotted key at the top",
                .text = "batch.max_events: 7",
                .key = "batch.max_events",
                .want = "7"},
        {.name = "JSON is YAML",
                .text = "{\"batch\": {\"max_events\": 7}}",
                .key = "batch.max_events",
                .want = "7"},
        {.name = "a quoted word", .text = "group: \"a b\"", .key = "group", .want = "a b"},
        {.name = "a quoted null is a word",
                .text = "group: 'null'",
                .key = "group",
                .want = "\"null\""},
        {.name = "null is empty", .text = "instance: null", .key = "instance", .want = "\"\""},
        {.name = "duration in ms",
                .text = "batch: {linger: 5ms}",
                .key = "batch.linger",
                .want = "5ms"},
        {.name = "duration in s",
                .text = "schema: {unknown_wait: 90s}",
                .key = "schema.unknown_wait",
                .want = "90s"},
        {.name = "duration in h",
                .text = "limits: {too_late: 23h}",
                .key = "limits.too_late",
                .want = "23h"},
        {.name = "duration in d",
                .text = "redis: {state_ttl: 30d}",
                .key = "redis.state_ttl",
                .want = "30d"},
        {.name = "duration zero",
                .text = "batch: {linger: 0ms}",
                .key = "batch.linger",
                .want = "0ms"},
        {.name = "duration with a blank",
                .text = "batch: {linger: 5 s}",
                .key = "batch.linger",
                .want = "5s"},
        {.name = "size in bytes",
                .text = "limits: {record_bytes: 1000}",
                .key = "limits.record_bytes",
                .want = "1000"},
        {.name = "size in MiB",
                .text = "limits: {record_bytes: 1MiB}",
                .key = "limits.record_bytes",
                .want = "1MiB"},
        {.name = "share in percent",
                .text = "review: {share_min: 12%}",
                .key = "review.share_min",
                .want = "12%"},
        {.name = "share with places",
                .text = "review: {share_min: 12.25%}",
                .key = "review.share_min",
                .want = "12.25%"},
        {.name = "share in basis points",
                .text = "review: {share_min: 1225bps}",
                .key = "review.share_min",
                .want = "12.25%"},
        {.name = "share with a zero inside",
                .text = "review: {share_min: 12.05%}",
                .key = "review.share_min",
                .want = "12.05%"},
        {.name = "factor",
                .text = "review: {baseline_factor: 2.75}",
                .key = "review.baseline_factor",
                .want = "2.75"},
        {.name = "factor, whole",
                .text = "review: {baseline_factor: 2}",
                .key = "review.baseline_factor",
                .want = "2"},
        {.name = "bool", .text = "review: {shadow: true}", .key = "review.shadow", .want = "true"},
        {.name = "enum",
                .text = "delivery: at_least_once",
                .key = "delivery",
                .want = "at_least_once"},
        {.name = "list",
                .text = "review: {group_by: [request_class, owner_tag]}",
                .key = "review.group_by",
                .want = "[owner_tag, request_class]"},
        {.name = "empty list",
                .text = "review: {required: []}",
                .key = "review.required",
                .want = "[]"},
        {.name = "list by --set",
                .sets = {"review.group_by=owner_tag,environment"},
                .key = "review.group_by",
                .want = "[owner_tag, environment]"},
        {.name = "list in brackets by --set",
                .sets = {"review.group_by=[owner_tag, environment]"},
                .key = "review.group_by",
                .want = "[owner_tag, environment]"},
        {.name = "environment",
                .environment = {"RETRYWATCH_REDIS_PREFIX=x"},
                .key = "redis.prefix",
                .want = "x"},
        {.name = "environment over file",
                .text = "group: a",
                .environment = {"RETRYWATCH_GROUP=b"},
                .key = "group",
                .want = "b"},
        {.name = "--set over environment",
                .environment = {"RETRYWATCH_GROUP=b"},
                .sets = {"group=c"},
                .key = "group",
                .want = "c"},
        {.name = "the last --set stands",
                .sets = {"group=c", "group=d"},
                .key = "group",
                .want = "d"},
        {.name = "--set to empty",
                .text = "instance: a",
                .sets = {"instance="},
                .key = "instance",
                .want = "\"\""},
        {.name = "--set holds an equals sign",
                .sets = {"group=a=b"},
                .key = "group",
                .want = "a=b"},
        {.name = "an empty variable is none",
                .text = "group: a",
                .environment = {"RETRYWATCH_GROUP="},
                .key = "group",
                .want = "a"},
        {.name = "the variable of the file is no key",
                .environment = {"RETRYWATCH_CONFIG=/x"},
                .key = "group",
                .want = "retrywatch"},
        {.name = "variables of Kubernetes",
                .environment = {"RETRYWATCH_PORT=tcp://10.0.0.1:80",
                        "RETRYWATCH_REDIS_SERVICE_HOST=10.0.0.2",
                        "RETRYWATCH_KAFKA_PORT_9092_TCP=tcp://10.0.0.3:9092"},
                .key = "group",
                .want = "retrywatch"},
        {.name = "variables of others",
                .environment = {"RETRYWATCH_HOME=/srv", "HOME=/"},
                .key = "group",
                .want = "retrywatch"},
        {.name = "a password in a URL is masked",
                .text = "redis: {url: \"redis://u:se:c@ret@h:1/0\"}",
                .key = "redis.url",
                .want = "redis://u:***@h:1/0"},
        {.name = "a password alone in a URL is masked",
                .text = "redis: {url: \"redis://:secret@h:1/0\"}",
                .key = "redis.url",
                .want = "redis://:***@h:1/0"},
        {.name = "an at sign in the path is no user",
                .text = "schema: {registry: \"http://h:1/a@b\"}",
                .key = "schema.registry",
                .want = "http://h:1/a@b"},
        {.name = "evidence",
                .text = "evidence:\n  - owner_tag: a\n    unit_metric: tokens\n    access_date: "
                        "2026-03-01\n    source_urls: [\"https://u:p@e.org/x?t=1#f\"]\n",
                .key = "evidence",
                .want = "[{owner_tag: a, unit_metric: tokens, source_urls: [https://e.org/x], "
                        "access_date: 2026-03-01}]"},
        {.name = "routes",
                .text = "notify: {routes: [{owner_tag: a, environment: e, budget_bucket: b, "
                        "alertmanager: 'http://u:p@h:9093', webhook: https://h/x}, "
                        "{silent: true}]}",
                .key = "notify.routes",
                .want = "[{owner_tag: a, environment: e, budget_bucket: b, alertmanager: "
                        "http://u:***@h:9093, webhook: https://h/x}, {silent: true}]"},
        {.name = "routes of the environment",
                .environment = {"RETRYWATCH_NOTIFY_ROUTES=[{webhook: http://h}]"},
                .key = "notify.routes",
                .want = "[{webhook: http://h}]"},
        {.name = "evidence by --set",
                .sets = {"evidence=[{budget_bucket: b, allocation_rule_checked: true}]"},
                .key = "evidence",
                .want = "[{budget_bucket: b, allocation_rule_checked: true}]"},
        {.name = "pricing date with a zone",
                .text = "evidence: [{pricing_source_checked_at: "
                        "\"2026-03-01T01:30:00.250+02:00\"}]",
                .key = "evidence",
                .want = "[{pricing_source_checked_at: \"2026-02-28T23:30:00.250Z\"}]"},
        {.name = "pricing date without time",
                .text = "evidence: [{pricing_source_checked_at: 2026-03-01}]",
                .key = "evidence",
                .want = "[{pricing_source_checked_at: \"2026-03-01T00:00:00.000Z\"}]"},
        {.name = "calm share equal to the least share",
                .text = "review: {calm_share: 10%}",
                .key = "review.calm_share",
                .want = "10%"},
        {.name = "no HTTP server",
                .text = "http: {listen: \"\"}",
                .key = "http.listen",
                .want = "\"\""},
        {.name = "HTTP on IPv6",
                .text = "http: {listen: \"[::1]:9464\"}",
                .key = "http.listen",
                .want = "\"[::1]:9464\""},
};

static void
test_good(void **state)
{
    const struct good *row = *state;
    struct loaded loaded = load(row->text, row->environment, row->sets);

    assert_string_equal(loaded.problems, "");
    char *text = shown(loaded.config, row->key);

    assert_string_equal(text, row->want);
    free(text);

    /* What is printed is read back as the same. */
    char *first = printed(loaded.config);
    struct loaded again = load(first, NULL, NULL);
    char *second = printed(again.config);

    assert_string_equal(again.problems, "");
    assert_string_equal(second, first);
    free(first);
    free(second);
    unload(&again);
    unload(&loaded);
}

/* ---- tests of their own --------------------------------------------------------------------- */

static void
test_defaults_fill_every_member(void **state)
{
    struct loaded loaded = load(NULL, NULL, NULL);
    const struct config *config = loaded.config;
    const struct rule *rule = &config->rule;

    (void)state;
    assert_string_equal(config_kafka(config, KAFKA_ALL, "bootstrap.servers"), "localhost:9092");
    assert_string_equal(config->topics.rejected, "request-outcomes-rejected");
    assert_int_equal(config->redis.state_ttl_ms, INT64_C(8) * 24 * 3600 * 1000);
    assert_int_equal(config->batch.max_events, 200000);
    assert_int_equal(config->batch.max_updates, 5000);
    assert_int_equal(config->batch.linger_ms, 50);
    assert_int_equal(config->batch.commit_interval_ms, 3000);
    assert_int_equal(config->batch.publish_interval_ms, 100);
    assert_int_equal(config->group_by, 1 << DIM_OWNER | 1 << DIM_ENVIRONMENT | 1 << DIM_BUCKET);
    assert_int_equal(rule->attempts_min, 50);
    assert_int_equal(rule->retries_min, 10);
    assert_int_equal(rule->share_min_bps, 1000);
    assert_int_equal(rule->share_max_bps, 2000);
    assert_int_equal(rule->baseline_factor_bps, 15000);
    assert_int_equal(rule->baseline_attempts_min, 50);
    assert_int_equal(rule->calm_share_bps, 700);
    assert_int_equal(rule->calm_closes, 15);
    assert_int_equal(rule->continue_ms, 30 * 60000);
    assert_int_equal(rule->repeat_ms, 4 * 3600000);
    assert_int_equal(rule->repeats, 3);
    assert_int_equal(rule->decision_default_ms, 24 * 3600000);
    assert_int_equal(rule->decision_max_ms, INT64_C(30) * 24 * 3600000);
    assert_int_equal(rule->limit_factor_bps, 11000);
    assert_int_equal(rule->limit_risk_factor_bps, 15000);
    assert_int_equal(rule->missing_share_bps, 2000);
    assert_int_equal(rule->pricing_stale_ms, INT64_C(30) * 24 * 3600000);
    assert_int_equal(rule->required, (1 << MISSING_COUNT) - 1);
    assert_false(rule->shadow);
    assert_int_equal(config->record_bytes, 65536);
    assert_int_equal(config->limits.series_per_owner, 1000);
    assert_int_equal(config->limits.owners_per_partition, 1000000);
    assert_int_equal(config->limits.string_bytes, 256);
    assert_int_equal(config->limits.future_ms, 5 * 60000);
    assert_int_equal(config->limits.idle_ms, 2 * 60000);
    assert_int_equal(config->limits.too_late_ms, 24 * 3600000);
    assert_int_equal(config->views.max_per_second, 5000);
    assert_int_equal(config->log.level, LOG_INFO);
    assert_int_equal(strlen(config->version), 16);
    assert_int_equal(strlen(config->layout), 16);
    unload(&loaded);
}

static void
test_kafka_scopes(void **state)
{
    static const char *const environment[] = {"RETRYWATCH_KAFKA_BOOTSTRAP_SERVERS=b:1,c:1",
            "RETRYWATCH_KAFKA_CONSUMER_FETCH_WAIT_MAX_MS=7", NULL};
    struct loaded loaded = load("kafka:\n"
                                "  bootstrap: {servers: a:1}\n"
                                "  client.id: all\n"
                                "  consumer: {client.id: reader}\n"
                                "  producer:\n"
                                "    linger.ms: 3\n",
            environment, NULL);
    const struct config *config = loaded.config;

    (void)state;
    assert_string_equal(loaded.problems, "");
    assert_string_equal(config_kafka(config, KAFKA_PRODUCER, "bootstrap.servers"), "b:1,c:1");
    assert_string_equal(config_kafka(config, KAFKA_ALL, "client.id"), "all");
    assert_string_equal(config_kafka(config, KAFKA_PRODUCER, "client.id"), "all");
    assert_string_equal(config_kafka(config, KAFKA_CONSUMER, "client.id"), "reader");
    assert_string_equal(config_kafka(config, KAFKA_PRODUCER, "linger.ms"), "3");
    assert_null(config_kafka(config, KAFKA_CONSUMER, "linger.ms"));
    assert_null(config_kafka(config, KAFKA_ALL, "linger.ms"));
    assert_string_equal(config_kafka(config, KAFKA_CONSUMER, "fetch.wait.max.ms"), "7");
    unload(&loaded);
}

static void
test_kafka_list(void **state)
{
    struct loaded loaded = load("kafka: {bootstrap.servers: [a:1, b:2]}", NULL, NULL);

    (void)state;
    assert_string_equal(loaded.problems, "");
    assert_string_equal(config_kafka(loaded.config, KAFKA_ALL, "bootstrap.servers"), "a:1,b:2");
    unload(&loaded);
}

static void
write_file(char path[32], const char *text)
{
    strcpy(path, "/tmp/rw-config-XXXXXX");
    const int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* From files, from the environment, in place: used, and in nothing that is printed. */
static void
test_secrets_are_not_printed(void **state)
{
    char path[32];
    char text[512];
    static const char *const environment[] = {"RETRYWATCH_SCHEMA_PASSWORD=hush-2", NULL};
    static const char *const sets[] = {"kafka.consumer.sasl.password=hush-3",
            "kafka.ssl.key.password=hush-4", "redis.url=redis://u:hush-5@h:1/0", NULL};

    (void)state;
    write_file(path, "hush-1\n");
    snprintf(text, sizeof(text),
            "redis: {password_file: %s}\nkafka: {producer: {sasl.password_file: %s}}\n", path,
            path);
    struct loaded loaded = load(text, environment, sets);

    assert_string_equal(loaded.problems, "");
    assert_string_equal(loaded.config->redis.password, "hush-1");
    assert_string_equal(loaded.config->schema.password, "hush-2");
    assert_string_equal(config_kafka(loaded.config, KAFKA_PRODUCER, "sasl.password"), "hush-1");
    assert_string_equal(config_kafka(loaded.config, KAFKA_CONSUMER, "sasl.password"), "hush-3");
    char *out = printed(loaded.config);

    assert_null(strstr(out, "hush"));
    assert_non_null(strstr(out, path));

    /* The output can be read back, and gives the same but for what was not shown. */
    struct loaded again = load(out, NULL, NULL);

    assert_string_equal(again.problems, "");
    assert_string_equal(again.config->redis.password, "hush-1");
    assert_string_equal(config_kafka(again.config, KAFKA_PRODUCER, "sasl.password"), "hush-1");
    assert_null(config_kafka(again.config, KAFKA_CONSUMER, "sasl.password"));
    free(out);
    unload(&again);
    unload(&loaded);
    unlink(path);
}

static void
test_versions(void **state)
{
    struct loaded base = load(NULL, NULL, NULL);
    struct loaded same = load("group: other\nlog: {level: debug}", NULL, NULL);
    struct loaded rule = load("review: {attempts_min: 51}", NULL, NULL);
    struct loaded evidence = load("evidence: [{owner_tag: a}]", NULL, NULL);
    struct loaded layout = load("review: {group_by: [owner_tag]}", NULL, NULL);

    (void)state;
    assert_string_equal(same.config->version, base.config->version);
    assert_string_equal(same.config->layout, base.config->layout);
    assert_string_not_equal(rule.config->version, base.config->version);
    assert_string_equal(rule.config->layout, base.config->layout);
    assert_string_not_equal(evidence.config->version, base.config->version);
    assert_string_equal(evidence.config->layout, base.config->layout);
    assert_string_not_equal(layout.config->version, base.config->version);
    assert_string_not_equal(layout.config->layout, base.config->layout);
    unload(&base);
    unload(&same);
    unload(&rule);
    unload(&evidence);
    unload(&layout);
}

static void
test_evidence_members(void **state)
{
    struct loaded loaded = load("evidence:\n"
                                "  - owner_tag: ana\n"
                                "    budget_bucket: b1\n"
                                "    access_date: 1970-01-02\n"
                                "    pricing_source_checked_at: 1970-01-01T00:00:01Z\n"
                                "  - unit_metric: tokens\n",
            NULL, NULL);
    const struct configured_evidence *entry = loaded.config->evidence;

    (void)state;
    assert_string_equal(loaded.problems, "");
    assert_int_equal(loaded.config->evidence_count, 2);
    assert_true(span_equal(entry[0].owner, span_of("ana")));
    assert_true(span_equal(entry[0].bucket, span_of("b1")));
    assert_int_equal(entry[0].access_date, 1);
    assert_int_equal(entry[0].pricing_source_checked_at_ms, 1000);
    assert_null(entry[1].owner.data);
    assert_int_equal(entry[1].access_date, DATE_NULL);
    assert_true(entry[1].pricing_source_checked_at_ms == TIME_NULL);
    assert_true(span_equal(entry[1].unit_metric, span_of("tokens")));
    unload(&loaded);
}

/* Each key has a help text, a default that is allowed, and a variable of its own. */
static void
test_table(void **state)
{
    char variables[CONFIG_KEYS_MAX][CONFIG_VARIABLE_MAX];

    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const char *help = config_keys[i].help;

        assert_true(help[0] != '\0' && help[strlen(help) - 1] != '.');
        config_variable(config_keys[i].name, variables[i]);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(config_keys[i].name, config_keys[j].name);
            assert_string_not_equal(variables[i], variables[j]);
        }
    }
}

int
main(void)
{
    struct CMUnitTest tests[256];
    size_t count = 0;

    ADD_ROWS(tests, count, good, test_good);
    ADD_TEST(tests, count, test_defaults_fill_every_member);
    ADD_TEST(tests, count, test_kafka_scopes);
    ADD_TEST(tests, count, test_kafka_list);
    ADD_TEST(tests, count, test_secrets_are_not_printed);
    ADD_TEST(tests, count, test_versions);
    ADD_TEST(tests, count, test_evidence_members);
    ADD_TEST(tests, count, test_table);
    return _cmocka_run_group_tests("config", tests, count, NULL, NULL);
}
