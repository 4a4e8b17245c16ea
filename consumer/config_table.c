/* config_table.c - every key that can be configured: name, type, default, range, help.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_table.h"

#include "aggregator/packet.h"
#include "consumer/config_list.h"
#include "consumer/nearest.h"

#include <ctype.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

static const char *const delivery_symbols[] = {"exactly_once", "at_least_once", NULL};
static const char *const format_symbols[] = {
        "avro", "avro-single-object", "avro-bare", "json", NULL};
static const char *const start_symbols[] = {"earliest", "latest", NULL};
static const char *const level_symbols[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_format_symbols[] = {"logfmt", "json", NULL};
static const char *const dimension_symbols[] = {
        "owner_tag", "workload_tag", "environment", "request_class", "budget_bucket", NULL};
#define MISSING_SYMBOL(name, text) text,
static const char *const missing_symbols[] = {MISSING_FIELD_MAP(MISSING_SYMBOL) NULL};

/* The default of review.required: all of them. */
#define MISSING_COMMA(name, text) text ","
#define MISSING_ALL MISSING_FIELD_MAP(MISSING_COMMA)

#define AT(member) .offset = offsetof(struct config, member)
#define TEXT(n, d, m, h)                                                    \
    {                                                                       \
        .name = (n), .type = TYPE_TEXT, .fallback = (d), AT(m), .help = (h) \
    }
#define NAME(n, d, m, h)                                                                           \
    {                                                                                              \
        .name = (n), .type = TYPE_TEXT, .flags = KEY_REQUIRED, .fallback = (d), AT(m), .help = (h) \
    }
#define SECRET(n, m, h)                                                                         \
    {                                                                                           \
        .name = (n), .type = TYPE_TEXT, .flags = KEY_SECRET, .fallback = "", AT(m), .help = (h) \
    }
#define PATH(n, m, h)                                                      \
    {                                                                      \
        .name = (n), .type = TYPE_PATH, .fallback = "", AT(m), .help = (h) \
    }
#define URL(n, d, m, h)                                                    \
    {                                                                      \
        .name = (n), .type = TYPE_URL, .fallback = (d), AT(m), .help = (h) \
    }
#define NUMBER(t, n, d, lo, hi, f, m, h)                                                          \
    {                                                                                             \
        .name = (n), .type = (t), .fallback = (d), .min = (lo), .max = (hi), .flags = (f), AT(m), \
        .help = (h)                                                                               \
    }
#define SYMBOLS(t, n, d, s, f, m, h)                                                    \
    {                                                                                   \
        .name = (n), .type = (t), .fallback = (d), .symbols = (s), .flags = (f), AT(m), \
        .help = (h)                                                                     \
    }

/* One row a key; sections stand together, as they are printed. */
const struct config_key config_keys[] = {
        {.name = "kafka",
                .type = TYPE_KAFKA,
                .fallback = "bootstrap.servers: localhost:9092",
                .help = "Any librdkafka property, for every client; under `consumer` and "
                        "`producer` for one"},
        NAME("group", "retrywatch", group, "Consumer group, and base of the transactional.id"),
        TEXT("instance", "", instance,
                "Name of this instance, a pod name for example: a restart under the same name "
                "takes its "
                "partitions over at once (group.instance.id). Empty: a fresh one each start"),
        SYMBOLS(TYPE_ENUM, "delivery", "exactly_once", delivery_symbols, 0, delivery,
                "at_least_once works without transactions; a review may then be published twice "
                "with the "
                "same ce_id"),
        NAME("topics.outcomes", "request-outcomes", topics.outcomes,
                "Input: one record is one attempt, keyed by owner"),
        NAME("topics.decisions", "cost-owner-decisions", topics.decisions,
                "Cost owners' recorded decisions; compacted, keyed by decision_id"),
        NAME("topics.reviews", "review-required", topics.reviews, "Output: the reviews"),
        NAME("topics.rejected", "request-outcomes-rejected", topics.rejected,
                "Output: what could not be counted, without its payload"),
        NAME("topics.undelivered", "review-required-undelivered", topics.undelivered,
                "Output of `retrywatch notify`: the reviews that it could tell nobody about"),
        {.name = "redis.url",
                .type = TYPE_URL,
                .flags = KEY_REQUIRED,
                .fallback = "redis://localhost:6379/0",
                AT(redis.url),
                .help = "redis://host:port/database, or unix:///path?db=0"},
        NAME("redis.prefix", "rw", redis.prefix,
                "First part of every key; two services may share a Redis under two prefixes"),
        TEXT("redis.username", "", redis.username, "ACL user; empty: the default user"),
        SECRET("redis.password", redis.password,
                "Password; better in redis.password_file or the environment"),
        PATH("redis.password_file", redis.password_file, "File that holds the password"),
        NUMBER(TYPE_DURATION, "redis.state_ttl", "8d", 2 * DAY, 3650 * DAY, 0, redis.state_ttl_ms,
                "Backstop for partitions that nobody reads any more; must be longer than the "
                "retention of "
                "the input topic"),
        NUMBER(TYPE_DURATION, "redis.timeout", "2s", 50, MINUTE, 0, redis.timeout_ms,
                "For connecting and for one answer"),
        URL("schema.registry", "", schema.registry,
                "Base URL of a schema registry (Confluent REST API). Empty: one writer schema for "
                "every id"),
        PATH("schema.outcome", schema.outcome,
                "File with the writer schema of the input when there is no registry. Empty: the "
                "built-in "
                "one"),
        TEXT("schema.username", "", schema.username, "Basic authentication at the registry"),
        SECRET("schema.password", schema.password,
                "Password; better in schema.password_file or the environment"),
        PATH("schema.password_file", schema.password_file, "File that holds the password"),
        PATH("schema.ca_file", schema.ca_file,
                "PEM certificates that the registry's is checked against. Empty: those of the "
                "system"),
        NUMBER(TYPE_DURATION, "schema.unknown_wait", "60s", 0, DAY, 0, schema.unknown_wait_ms,
                "A record whose schema id the registry has not known for so long is rejected"),
        SYMBOLS(TYPE_ENUM, "input.format", "avro", format_symbols, 0, input.format,
                "avro: Confluent frame; avro-single-object: C3 01 and a fingerprint; avro-bare: "
                "the body "
                "alone"),
        NUMBER(TYPE_INTEGER, "batch.max_events", "200000", 1, 10000000, 0, batch.max_events,
                "Events of one batch at most"),
        NUMBER(TYPE_INTEGER, "batch.max_updates", "5000", 1, 100000, 0, batch.max_updates,
                "Slots and names that one batch writes to Redis at most, but for what leaves with "
                "the "
                "minute or half-hour before; larger ones hold Redis up for longer"),
        NUMBER(TYPE_DURATION, "batch.linger", "50ms", 0, 10 * SECOND, 0, batch.linger_ms,
                "How long a batch waits for more after its first event"),
        NUMBER(TYPE_DURATION, "batch.commit_interval", "3s", 100, MINUTE, 0,
                batch.commit_interval_ms,
                "Offsets are committed so often when there is nothing to publish"),
        NUMBER(TYPE_DURATION, "batch.publish_interval", "100ms", 0, 10 * SECOND, 0,
                batch.publish_interval_ms, "Least time between two transactions under load"),
        SYMBOLS(TYPE_SET, "review.group_by", "owner_tag,environment,budget_bucket",
                dimension_symbols, KEY_LAYOUT, group_by,
                "The dimensions whose series are reviewed together; owner_tag is always one"),
        NUMBER(TYPE_INTEGER, "review.attempts_min", "50", 1, INT32_MAX, KEY_RULE, rule.attempts_min,
                "A rise needs so many attempts in the last hour"),
        NUMBER(TYPE_INTEGER, "review.retries_min", "10", 1, INT32_MAX, KEY_RULE, rule.retries_min,
                "... and so many retries"),
        NUMBER(TYPE_SHARE, "review.share_min", "10%", 1, BPS, KEY_RULE, rule.share_min_bps,
                "... and this share of retries in the last hour and in the last five minutes: the "
                "least "
                "threshold"),
        NUMBER(TYPE_SHARE, "review.share_max", "20%", 1, BPS, KEY_RULE, rule.share_max_bps,
                "At this share the last hour has risen whatever the day before was like"),
        NUMBER(TYPE_FACTOR, "review.baseline_factor", "1.5", BPS, 1000 * BPS, KEY_RULE,
                rule.baseline_factor_bps, "A rise is so many times the share of the day before"),
        NUMBER(TYPE_INTEGER, "review.baseline_attempts_min", "50", 1, INT32_MAX, KEY_RULE,
                rule.baseline_attempts_min, "With fewer attempts the day before counts as 0%"),
        NUMBER(TYPE_SHARE, "review.calm_share", "7%", 1, BPS, KEY_RULE, rule.calm_share_bps,
                "A minute is calm when the five minutes that end with it are below this share"),
        NUMBER(TYPE_INTEGER, "review.calm_closes", "15", 1, 1440, KEY_RULE, rule.calm_closes,
                "So many calm minutes in a row resolve a review"),
        NUMBER(TYPE_DURATION, "review.continue_within", "30m", 0, DAY, KEY_RULE, rule.continue_ms,
                "A rise at most so long after the end of a review continues it"),
        NUMBER(TYPE_DURATION, "review.repeat_every", "4h", MINUTE, 30 * DAY, KEY_RULE,
                rule.repeat_ms, "A review that nobody answers is published again so often"),
        NUMBER(TYPE_INTEGER, "review.repeats", "3", 0, 1000, KEY_RULE, rule.repeats,
                "... so many times as repeated, from then on as escalated"),
        NUMBER(TYPE_DURATION, "review.decision_default", "24h", MINUTE, 366 * DAY, KEY_RULE,
                rule.decision_default_ms, "How long a decision without expires_at holds"),
        NUMBER(TYPE_DURATION, "review.decision_max", "30d", MINUTE, 366 * DAY, KEY_RULE,
                rule.decision_max_ms, "No decision holds longer"),
        NUMBER(TYPE_FACTOR, "review.limit_factor", "1.1", BPS, 1000 * BPS, KEY_RULE,
                rule.limit_factor_bps,
                "A decision without max_retry_share_bps holds up to the share at its adoption "
                "times this"),
        NUMBER(TYPE_FACTOR, "review.limit_risk_factor", "1.5", BPS, 1000 * BPS, KEY_RULE,
                rule.limit_risk_factor_bps, "... or times this when it accepts the spend risk"),
        NUMBER(TYPE_SHARE, "review.missing_share", "20%", 1, BPS, KEY_RULE, rule.missing_share_bps,
                "A field is missing when so many of the retries lack it"),
        NUMBER(TYPE_DURATION, "review.pricing_stale_after", "30d", HOUR, 3650 * DAY, KEY_RULE,
                rule.pricing_stale_ms, "An older check of the pricing source is stale"),
        SYMBOLS(TYPE_SET, "review.required", MISSING_ALL, missing_symbols, KEY_RULE, rule.required,
                "The fields that missing_fields may name; leave out what your telemetry never has"),
        {.name = "review.shadow",
                .type = TYPE_BOOL,
                .fallback = "false",
                .flags = KEY_RULE,
                AT(rule.shadow),
                .help = "Judge, but publish nothing: to try other numbers"},
        {.name = "evidence",
                .type = TYPE_LIST,
                .list = &config_evidence,
                .fallback = "[]",
                .flags = KEY_RULE,
                .help = "What telemetry rarely carries, for an owner_tag or budget_bucket "
                        "(neither: for "
                        "all); used where events are silent"},
        NUMBER(TYPE_SIZE, "limits.record_bytes", "65536", 64, 16 * MIB, 0, record_bytes,
                "A larger record is rejected (too_large)"),
        NUMBER(TYPE_SIZE, "limits.string_bytes", "256", 8, 4 * KIB, KEY_RULE, limits.string_bytes,
                "A longer value of a dimension is counted under _OTHER"),
        NUMBER(TYPE_INTEGER, "limits.series_per_owner", "1000", 1, 1000000, KEY_RULE,
                limits.series_per_owner,
                "Live series of an owner; what is beyond is counted under _OTHER"),
        NUMBER(TYPE_INTEGER, "limits.owners_per_partition", "1000000", 1, 100000000, KEY_RULE,
                limits.owners_per_partition,
                "Live owners of a partition; what is beyond is counted under _OTHER"),
        NUMBER(TYPE_DURATION, "limits.future", "5m", SECOND, DAY, KEY_RULE, limits.future_ms,
                "An event further ahead of its record's timestamp is rejected (future)"),
        NUMBER(TYPE_DURATION, "limits.idle", "2m", SECOND, HOUR, KEY_RULE, limits.idle_ms,
                "How far the time of an idle partition stays behind the clock"),
        NUMBER(TYPE_DURATION, "limits.too_late", "24h", MINUTE, DAY, KEY_RULE, limits.too_late_ms,
                "An older event is in no window; 51 half-hours are kept, so 24h at most"),
        NUMBER(TYPE_INTEGER, "views.max_per_second", "5000", 1, 1000000, 0, views.max_per_second,
                "Views of owners written to Redis in a second, at most"),
        TEXT("notify.group", "", notify.group,
                "Consumer group of `retrywatch notify`. Empty: the key `group` and `-notify`"),
        SYMBOLS(TYPE_ENUM, "notify.start", "earliest", start_symbols, 0, notify.start,
                "Where a group without a position begins; latest tells nothing of the past"),
        URL("notify.alertmanager", "", notify.alertmanager,
                "Base URL of the Alertmanager that is told when no route matches. Empty: none"),
        SECRET("notify.webhook", notify.webhook,
                "URL that is told when no route matches; it may hold a token. Empty: none"),
        PATH("notify.webhook_file", notify.webhook_file, "File that holds the URL"),
        SECRET("notify.secret", notify.secret,
                "Key of the signature that webhooks get (HMAC-SHA256). Empty: none is sent"),
        PATH("notify.secret_file", notify.secret_file, "File that holds the key"),
        PATH("notify.ca_file", notify.ca_file,
                "PEM certificates that those of Alertmanager and webhooks are checked against. "
                "Empty: those of the system"),
        NUMBER(TYPE_DURATION, "notify.timeout", "3s", 100, 30 * SECOND, 0, notify.timeout_ms,
                "For one request"),
        NUMBER(TYPE_DURATION, "notify.give_up", "1h", SECOND, 30 * DAY, 0, notify.give_up_ms,
                "A review that cannot be delivered for so long goes to `topics.undelivered`"),
        {.name = "notify.routes",
                .type = TYPE_LIST,
                .list = &config_routes,
                .fallback = "[]",
                .help = "Who is told about the reviews of which owner"},
        TEXT("http.listen", "127.0.0.1:9464", http.listen,
                "Address and port for metrics and health; this version does not open it yet. "
                "Empty: none"),
        SYMBOLS(TYPE_ENUM, "log.level", "info", level_symbols, 0, log.level, "Least level written"),
        SYMBOLS(TYPE_ENUM, "log.format", "logfmt", log_format_symbols, 0, log.format,
                "One line an event, on standard error"),
        {.name = "process.core_dumps",
                .type = TYPE_BOOL,
                .fallback = "false",
                AT(process.core_dumps),
                .help = "Let `run` leave a core dump when it crashes. A core holds what the "
                        "process holds: the names of owners, and the secrets of its connections"},
};

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);
_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX, "raise it");

const struct config_key *
config_key_find(const char *name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].name, name) == 0) {
            return &config_keys[i];
        }
    }
    return NULL;
}

bool
config_is_section(const char *name)
{
    const size_t size = strlen(name);

    for (size_t i = 0; i < config_key_count; i++) {
        if (strncmp(config_keys[i].name, name, size) == 0 && config_keys[i].name[size] == '.') {
            return true;
        }
    }
    return false;
}

void
config_variable(const char *name, char variable[CONFIG_VARIABLE_MAX])
{
    int at = snprintf(variable, CONFIG_VARIABLE_MAX, "RETRYWATCH_");

    for (; *name != '\0' && at < CONFIG_VARIABLE_MAX - 1; name++) {
        variable[at++] = *name == '.' ? '_' : (char)toupper((unsigned char)*name);
    }
    variable[at] = '\0';
}

/* Compares the last part too, so that `max_event` at the top finds `batch.max_events`. */
const char *
config_key_nearest(const char *name)
{
    struct nearest whole = {.word = name};
    struct nearest last = {.word = strrchr(name, '.') != NULL ? strrchr(name, '.') + 1 : name};

    for (size_t i = 0; i < config_key_count; i++) {
        nearest_offer(&whole, config_keys[i].name);
    }
    if (whole.found != NULL) {
        return whole.found;
    }
    for (size_t i = 0; i < config_key_count; i++) {
        const char *dot = strrchr(config_keys[i].name, '.');
        const char *part = dot != NULL ? dot + 1 : config_keys[i].name;

        nearest_offer(&last, part);
        if (last.found == part) {
            whole.found = config_keys[i].name;
        }
    }
    return whole.found;
}
