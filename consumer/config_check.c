/* config_check.c - what keys must be to each other, and the hashes that name a configuration.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_table.h"

#include "codec/state.h"
#include "consumer/redis_address.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TOPIC_NAME_MAX 249

struct checker {
    const struct config *config;
    const struct config_origin *set_by;
    struct config_problems *problems;
};

/* Where key was set; nowhere when it has its default. */
static struct config_origin
origin_of(const struct checker *checker, const char *name)
{
    return checker->set_by[config_key_find(name) - config_keys];
}

/* The one of two keys that was set, for a default is never the culprit. */
static struct config_origin
origin_of_two(const struct checker *checker, const char *a, const char *b)
{
    const struct config_origin origin = origin_of(checker, a);

    return origin.source != NULL ? origin : origin_of(checker, b);
}

static void
check_order(const struct checker *checker, const char *low, const char *high)
{
    const struct config_key *low_key = config_key_find(low);
    const struct config_key *high_key = config_key_find(high);
    const int64_t *a = config_member(checker->config, low_key);
    const int64_t *b = config_member(checker->config, high_key);
    char *text = NULL;
    size_t size = 0;

    if (*a <= *b) {
        return;
    }
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    config_value_write(checker->config, low_key, out);
    fprintf(out, " is more than %s, which is ", high);
    config_value_write(checker->config, high_key, out);
    fclose(out);
    config_problem(checker->problems, origin_of_two(checker, low, high), low,
            "%s; allowed: at most that", text);
    free(text);
}

static bool
is_topic_name(const char *name)
{
    const size_t size = strlen(name);

    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL) {
            return false;
        }
    }
    return size <= TOPIC_NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void
check_topics(const struct checker *checker)
{
    static const char *const names[] = {"topics.outcomes", "topics.decisions", "topics.reviews",
            "topics.rejected", "topics.undelivered"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *topic = *(char **)config_member(checker->config, config_key_find(names[i]));

        if (!is_topic_name(topic)) {
            config_problem(checker->problems, origin_of(checker, names[i]), names[i],
                    "\"%.60s\" is no name of a topic; allowed: letters, digits, '.', '_', '-', at "
                    "most %d",
                    topic, TOPIC_NAME_MAX);
        }
        for (size_t j = 0; j < i; j++) {
            const char *other = *(char **)config_member(checker->config, config_key_find(names[j]));

            if (strcmp(topic, other) == 0) {
                config_problem(checker->problems, origin_of_two(checker, names[i], names[j]),
                        names[i], "is the topic of %s too; each needs its own", names[j]);
            }
        }
    }
}

static bool
begins_with_one_of(const char *text, const char *const *beginnings)
{
    for (; *beginnings != NULL; beginnings++) {
        const size_t size = strlen(*beginnings);

        if (strncmp(text, *beginnings, size) == 0 && text[size] != '\0') {
            return true;
        }
    }
    return false;
}

static void
check_urls(const struct checker *checker)
{
    static const char *const http[] = {"http://", "https://", NULL};
    const struct config *config = checker->config;
    struct redis_address address = {0};
    struct error error = {0};

    if (redis_address_parse(config->redis.url, &address, &error) != STATUS_OK) {
        /* The text names the key. */
        config_problem(checker->problems, origin_of(checker, "redis.url"), NULL, "%s", error.text);
    }
    redis_address_fini(&address);
    if (config->schema.registry[0] != '\0' && !begins_with_one_of(config->schema.registry, http)) {
        config_problem(checker->problems, origin_of(checker, "schema.registry"), "schema.registry",
                "allowed: a URL that begins with http:// or https://");
    }
    if (config->schema.registry[0] != '\0' && config->schema.outcome[0] != '\0') {
        config_problem(checker->problems, origin_of(checker, "schema.outcome"), "schema.outcome",
                "the registry gives the writer schemas (schema.registry); leave one of them out");
    }
    if (strpbrk(config->redis.prefix, "{} \t") != NULL) {
        config_problem(checker->problems, origin_of(checker, "redis.prefix"), "redis.prefix",
                "must be without blanks and braces: {topic:partition} is the key's hash tag");
    }
}

/* `host:port`, an IPv6 address in brackets, port 1 to 65535. */
static void
check_listen(const struct checker *checker)
{
    const char *listen = checker->config->http.listen;
    const char *colon = strrchr(listen, ':');
    char *end = NULL;

    if (listen[0] == '\0') {
        return;
    }
    const long port = colon != NULL ? strtol(colon + 1, &end, 10) : 0;

    if (colon == NULL || colon == listen || !isdigit((unsigned char)colon[1]) || *end != '\0' ||
            port < 1 || port > 65535) {
        config_problem(checker->problems, origin_of(checker, "http.listen"), "http.listen",
                "\"%.60s\" is not allowed; allowed: address:port, such as 127.0.0.1:9464", listen);
    }
}

static void
check_notify(const struct checker *checker)
{
    static const char *const names[] = {"notify.alertmanager", "notify.webhook"};
    const struct config *config = checker->config;

    for (size_t i = 0; i < 2; i++) {
        const char *url = *(char **)config_member(config, config_key_find(names[i]));

        if (url[0] != '\0' && !config_url_is_http(url)) {
            config_problem(checker->problems, origin_of(checker, names[i]), names[i],
                    "allowed: a URL that begins with http:// or https://");
        }
    }
    if (strcmp(config->notify.group, config->group) == 0) {
        config_problem(checker->problems, origin_of_two(checker, "notify.group", "group"),
                "notify.group", "is the group of the service too; each needs its own");
    }
}

void
config_check(const struct config *config, const struct config_origin *set_by,
        struct config_problems *problems)
{
    const struct checker checker = {config, set_by, problems};

    check_topics(&checker);
    check_urls(&checker);
    check_listen(&checker);
    check_notify(&checker);
    if ((config->group_by & UINT32_C(1) << DIM_OWNER) == 0) {
        config_problem(problems, origin_of(&checker, "review.group_by"), "review.group_by",
                "must hold owner_tag: a review is somebody's to answer");
    }
    check_order(&checker, "review.share_min", "review.share_max");
    check_order(&checker, "review.calm_share", "review.share_min");
    check_order(&checker, "review.decision_default", "review.decision_max");
    check_order(&checker, "review.limit_factor", "review.limit_risk_factor");
    check_order(&checker, "limits.future", "limits.too_late");
    if (config_kafka(config, KAFKA_ALL, "bootstrap.servers")[0] == '\0') {
        config_problem(problems, (struct config_origin){0}, "kafka.bootstrap.servers",
                "must not be empty");
    }
}

/* `name=value` of every key with one of these flags. */
static void
write_keys(const struct config *config, unsigned flags, FILE *out)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if ((config_keys[i].flags & flags) != 0) {
            fprintf(out, "%s=", config_keys[i].name);
            config_value_write(config, &config_keys[i], out);
            fputc('\n', out);
        }
    }
}

static void
hash_into(char hex[17], const struct config *config, unsigned flags, bool slots)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    if (slots) {
        fprintf(out,
                "layout=%d minute=%" PRId64 " half_hour=%" PRId64
                " s=%d l=%d live=%d young=%d %s %s\n",
                STATE_LAYOUT_VERSION, MINUTE_MS, HALF_HOUR_MS, WINDOW_S_MINUTES, WINDOW_L_MINUTES,
                LIVE_HALF_HOURS, YOUNG_HALF_HOURS, DIM_MISSING, DIM_OTHER);
    }
    write_keys(config, flags, out);
    fclose(out);
    snprintf(hex, 17, "%016" PRIx64, (uint64_t)XXH3_64bits(text, size));
    free(text);
}

void
config_hash(struct config *config)
{
    hash_into(config->version, config, KEY_RULE | KEY_LAYOUT, false);
    hash_into(config->layout, config, KEY_LAYOUT, true);
}
