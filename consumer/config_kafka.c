/* config_kafka.c - the key `kafka`: any librdkafka property, for every client or for one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_table.h"

#include "aggregator/memory.h"
#include "consumer/kafka_property.h"

#include <stdlib.h>

#define NAME_MAX_BYTES 256

/* Properties that delivery rests on are not the user's to set; what to say instead. */
static const struct {
    const char *name, *instead;
} ours[] = {
        {"group.id", "is the key `group`"},
        {"group.instance.id", "is the key `instance`"},
        {"transactional.id", "is made of the key `group`"},
        {"enable.auto.commit", "is always false: offsets are committed with what was published"},
        {"enable.auto.offset.store", "is always false: offsets are committed with what was "
                                     "published"},
        {"isolation.level", "is always read_committed"},
        {"auto.offset.reset", "is chosen by retrywatch: a fresh group starts at the earliest "
                              "offset, and a lost offset is an error"},
        {"enable.partition.eof", "is always true"},
        {"partition.assignment.strategy", "is always cooperative-sticky"},
        {"enable.idempotence", "is always true"},
        {"acks", "is always all"},
        {"request.required.acks", "is always all"},
};

bool
config_kafka_is_secret(const char *name)
{
    static const char *const parts[] = {
            "password", "secret", "key.pem", "oauthbearer.config", "jaas", "token"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(name, parts[i]) != NULL) {
            return strstr(name, ".url") == NULL; /* sasl.oauthbearer.token.endpoint.url */
        }
    }
    return false;
}

static enum kafka_scope
split_scope(const char **name)
{
    if (strncmp(*name, "consumer.", 9) == 0) {
        *name += 9;
        return KAFKA_CONSUMER;
    }
    if (strncmp(*name, "producer.", 9) == 0) {
        *name += 9;
        return KAFKA_PRODUCER;
    }
    return KAFKA_ALL;
}

/* The property with this name, made when it is not there yet. */
static struct kafka_property *
property_of(struct config *config, enum kafka_scope scope, const char *name)
{
    for (size_t i = 0; i < config->kafka_count; i++) {
        struct kafka_property *property = &config->kafka[i];

        if (property->scope == scope && strcmp(property->name, name) == 0) {
            return property;
        }
    }
    config->kafka = memory_resize(config->kafka, config->kafka_count + 1, sizeof(*config->kafka));

    struct kafka_property *property = &config->kafka[config->kafka_count++];

    *property = (struct kafka_property){.scope = scope, .name = config_text_copy(name)};
    return property;
}

/* `sasl.password_file: /run/secrets/kafka` gives sasl.password. */
static bool
ends_with_file(const char *name)
{
    const size_t size = strlen(name);

    return size > 5 && strcmp(name + size - 5, "_file") == 0;
}

/* Whether librdkafka takes it; else a problem has been told. */
static bool
is_known(const char *name, const char *value, struct config_origin origin, const char *full,
        struct config_problems *problems)
{
    const bool secret = config_kafka_is_secret(name);
    char nearest[KAFKA_PROPERTY_NAME_SIZE];
    struct error error = {0};

    if (kafka_property_check(name, value, secret, &error) == STATUS_OK) {
        return true;
    }
    const bool slip = kafka_property_nearest(name, nearest) && strcmp(nearest, name) != 0;

    config_problem(problems, origin, full, "%s%s%s%s", error.text, slip ? ", did you mean " : "",
            slip ? nearest : "", slip ? "?" : "");
    return false;
}

void
config_kafka_set(struct config *config, const char *name, const char *value,
        struct config_origin origin, struct config_problems *problems)
{
    char full[NAME_MAX_BYTES];
    char base[NAME_MAX_BYTES];
    char *text = NULL;
    const char *file = NULL;
    struct error error = {0};

    snprintf(full, sizeof(full), "kafka.%s", name);
    const enum kafka_scope scope = split_scope(&name);

    snprintf(base, sizeof(base), "%s", name);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(ours[i].name, name) == 0) {
            config_problem(problems, origin, full, "%s", ours[i].instead);
            return;
        }
    }
    if (ends_with_file(name)) {
        base[strlen(base) - 5] = '\0';
        file = value;
        if (config_secret_read(file, &text, &error) != STATUS_OK) {
            config_problem(problems, origin, full, "%s", error.text);
            return;
        }
    } else {
        text = config_text_copy(value);
    }
    if (!is_known(base, text, origin, full, problems)) {
        free(text);
        return;
    }

    struct kafka_property *property = property_of(config, scope, base);

    free(property->value);
    free(property->file);
    property->value = text;
    property->file = file != NULL ? config_text_copy(file) : NULL;
}

/* A list is what librdkafka takes with commas. Returns owned, NULL when it is no list of words. */
static char *
join(const struct yaml_node *list)
{
    char *text = NULL;
    size_t size = 0;
    bool words = true;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    for (size_t i = 0; i < list->child_count; i++) {
        words = words && list->children[i].kind == YAML_NODE_SCALAR;
        if (words) {
            fprintf(out, "%s%s", i == 0 ? "" : ",", list->children[i].text);
        }
    }
    fclose(out);
    if (!words) {
        free(text);
        return NULL;
    }
    return text;
}

static bool
is_empty(const struct yaml_node *node)
{
    return node->kind == YAML_NODE_SCALAR && !node->quoted && node->text[0] == '\0';
}

static void
read_members(struct config *config, const struct yaml_node *map, const char *prefix,
        const char *source, struct config_problems *problems)
{
    for (size_t i = 0; i < map->child_count; i++) {
        const struct yaml_node *child = &map->children[i];
        const struct config_origin origin = {source, child->line};
        char name[NAME_MAX_BYTES];
        char *text = NULL;

        if (snprintf(name, sizeof(name), "%s%s", prefix, child->key) >= NAME_MAX_BYTES - 8) {
            config_problem(problems, origin, "kafka", "a property has no name as long as this");
            continue;
        }
        if (is_empty(child) &&
                (strcmp(child->key, "consumer") == 0 || strcmp(child->key, "producer") == 0)) {
            continue; /* `consumer:` with comments alone below it */
        }
        switch (child->kind) {
        case YAML_NODE_SCALAR:
            config_kafka_set(config, name, child->text, origin, problems);
            break;
        case YAML_NODE_LIST:
            text = join(child);
            if (text == NULL) {
                config_problem(problems, origin, name, "must be one value or a list of words");
                break;
            }
            config_kafka_set(config, name, text, origin, problems);
            free(text);
            break;
        case YAML_NODE_MAP: /* kafka.consumer, and `bootstrap: {servers: ...}` */
            strcat(name, ".");
            read_members(config, child, name, source, problems);
        }
    }
}

void
config_kafka_read(struct config *config, const struct yaml_node *node, const char *source,
        struct config_problems *problems)
{
    if (is_empty(node)) {
        return;
    }
    if (node->kind != YAML_NODE_MAP) {
        config_problem(problems, (struct config_origin){source, node->line}, "kafka",
                "must be a map of librdkafka properties, such as `bootstrap.servers: host:9092`");
        return;
    }
    read_members(config, node, "", source, problems);
}

const char *
config_kafka(const struct config *config, enum kafka_scope scope, const char *name)
{
    const char *found = NULL;

    for (size_t i = 0; i < config->kafka_count; i++) {
        const struct kafka_property *property = &config->kafka[i];

        if (strcmp(property->name, name) != 0) {
            continue;
        }
        if (property->scope == scope) {
            return property->value; /* what is said for one client wins */
        }
        if (property->scope == KAFKA_ALL) {
            found = property->value;
        }
    }
    return found;
}

static void
write_property(const struct kafka_property *property, const char *indent, FILE *out)
{
    if (property->file != NULL) {
        fprintf(out, "%s%s_file: ", indent, property->name);
        config_scalar_write(property->file, out);
        fputc('\n', out);
        return;
    }
    if (config_kafka_is_secret(property->name)) {
        fprintf(out, "%s# %s: set, not shown\n", indent, property->name);
        return;
    }
    fprintf(out, "%s%s: ", indent, property->name);
    config_scalar_write(property->value, out);
    fputc('\n', out);
}

void
config_kafka_write(const struct config *config, FILE *out)
{
    static const char *const heads[] = {"", "  consumer:\n", "  producer:\n"};

    for (int scope = KAFKA_ALL; scope <= KAFKA_PRODUCER; scope++) {
        bool head = false;

        for (size_t i = 0; i < config->kafka_count; i++) {
            if ((int)config->kafka[i].scope != scope) {
                continue;
            }
            if (!head) {
                fputs(heads[scope], out);
                head = true;
            }
            write_property(&config->kafka[i], scope == KAFKA_ALL ? "  " : "    ", out);
        }
    }
}
