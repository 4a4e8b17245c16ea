/* config.c - reads the configuration: defaults, the file, the environment, --set.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_list.h"
#include "consumer/config_table.h"
#include "consumer/file.h"

#include "aggregator/memory.h"
#include "consumer/nearest.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)1024 * 1024)
#define SECRET_SIZE_MAX ((size_t)64 * 1024)
#define PROBLEMS_SHOWN 100
#define NAME_SIZE 256

/* What one load works on. */
struct config_reader {
    struct config *config;
    struct config_origin set_by[CONFIG_KEYS_MAX]; /* by key; source NULL: the default */
    struct config_problems *problems;
};

/* ---- what is wrong -------------------------------------------------------------------------- */

void
config_problem(struct config_problems *problems, struct config_origin origin, const char *key,
        const char *format, ...)
{
    va_list args;

    if (problems->count++ >= PROBLEMS_SHOWN || problems->out == NULL) {
        return;
    }
    if (origin.source != NULL) {
        fputs(origin.source, problems->out);
        if (origin.line > 0) {
            fprintf(problems->out, ":%d", origin.line);
        }
        fputs(": ", problems->out);
    }
    if (key != NULL) {
        fprintf(problems->out, "%s: ", key);
    }
    va_start(args, format);
    vfprintf(problems->out, format, args);
    va_end(args);
    fputc('\n', problems->out);
}

static void
unknown_key(struct config_reader *reader, const char *name, struct config_origin origin)
{
    const char *nearest = config_key_nearest(name);

    if (nearest != NULL) {
        config_problem(reader->problems, origin, name, "unknown key, did you mean %s?", nearest);
    } else {
        config_problem(reader->problems, origin, name,
                "unknown key; `retrywatch docs config` lists them all");
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

enum status
config_secret_read(const char *path, char **out, struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    const enum status status = file_read(path, SECRET_SIZE_MAX, &text, &size, error);

    if (status != STATUS_OK) {
        return status;
    }
    /* Editors and `echo` end a file with a newline that is no part of the secret. */
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        text[--size] = '\0';
    }
    if (size == 0 || strlen(text) != size) {
        free(text);
        return error_set(error, STATUS_BAD_CONFIG, "%s is empty or no text", path);
    }
    *out = text;
    return STATUS_OK;
}

/* ---- one key -------------------------------------------------------------------------------- */

static void
mark_set(struct config_reader *reader, const struct config_key *key, struct config_origin origin)
{
    reader->set_by[key - config_keys] = origin;
}

static void
tell(struct config_reader *reader, const struct config_key *key, struct config_origin origin,
        const struct error *error)
{
    const bool secret = key->type == TYPE_URL || (key->flags & KEY_SECRET) != 0;

    config_problem(
            reader->problems, origin, key->name, "%s%s", secret ? "the value " : "", error->text);
}

static void
set_scalar(struct config_reader *reader, const struct config_key *key, const char *text,
        struct config_origin origin)
{
    struct error error = {0};

    mark_set(reader, key, origin);
    if (config_value_set(reader->config, key, text, &error) != STATUS_OK) {
        tell(reader, key, origin, &error);
    }
}

static void
set_list(struct config_reader *reader, const struct config_key *key, const struct yaml_node *node,
        struct config_origin origin)
{
    char *texts[64];
    struct error error = {0};
    const size_t count = node->child_count;

    mark_set(reader, key, origin);
    for (size_t i = 0; i < count; i++) {
        if (count > 64 || node->children[i].kind != YAML_NODE_SCALAR) {
            config_problem(reader->problems, origin, key->name, "must be a list of words");
            return;
        }
        texts[i] = node->children[i].text;
    }
    if (config_value_set_list(reader->config, key, texts, count, &error) != STATUS_OK) {
        tell(reader, key, origin, &error);
    }
}

static void
set_node(struct config_reader *reader, const struct config_key *key, const struct yaml_node *node,
        const char *source)
{
    const struct config_origin origin = {source, node->line};
    const bool null = node->kind == YAML_NODE_SCALAR && !node->quoted &&
                      (strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0);

    if (key->type == TYPE_KAFKA) {
        config_kafka_read(reader->config, node, source, reader->problems);
    } else if (key->type == TYPE_LIST) {
        mark_set(reader, key, origin);
        config_list_read(reader->config, key->list, node, source, reader->problems);
    } else if (key->type == TYPE_SET && node->kind == YAML_NODE_LIST) {
        set_list(reader, key, node, origin);
    } else if (node->kind != YAML_NODE_SCALAR) {
        config_problem(reader->problems, origin, key->name, "is one value, not a %s",
                node->kind == YAML_NODE_LIST ? "list" : "map");
    } else {
        set_scalar(reader, key, null ? "" : node->text, origin);
    }
}

/* ---- the file ------------------------------------------------------------------------------- */

static void
read_section(struct config_reader *reader, const struct yaml_node *map, const char *prefix,
        const char *source)
{
    for (size_t i = 0; i < map->child_count; i++) {
        const struct yaml_node *child = &map->children[i];
        const struct config_origin origin = {source, child->line};
        char name[NAME_SIZE];

        snprintf(name, sizeof(name), "%s%.100s", prefix, child->key);

        const struct config_key *key = config_key_find(name);

        if (key != NULL) {
            set_node(reader, key, child, source);
        } else if (!config_is_section(name)) {
            unknown_key(reader, name, origin);
        } else if (child->kind == YAML_NODE_MAP) {
            strcat(name, ".");
            read_section(reader, child, name, source);
        } else if (child->kind != YAML_NODE_SCALAR || child->text[0] != '\0') {
            config_problem(reader->problems, origin, name, "is a section; keys stand below it");
        }
    }
}

/* The values of both are read all the same, so that everything wrong is told at once. */
static void
tell_twice(struct config_reader *reader, const struct yaml_node *node, const char *source)
{
    for (size_t i = 0; i < node->child_count; i++) {
        const struct yaml_node *child = &node->children[i];

        if (child->first_line != 0) {
            config_problem(reader->problems, (struct config_origin){source, child->line}, NULL,
                    "%.60s stands here twice; the first is in line %d", child->key,
                    child->first_line);
        }
        tell_twice(reader, child, source);
    }
}

static void
read_tree(struct config_reader *reader, const struct config_input *input)
{
    struct yaml_node root = {0};
    struct error error = {0};
    int line = 0;

    if (yaml_tree_read(input->text, input->size, &root, &line, &error) != STATUS_OK) {
        config_problem(reader->problems, (struct config_origin){input->name, line}, NULL, "%s",
                error.text);
        return;
    }
    tell_twice(reader, &root, input->name);
    if (root.kind == YAML_NODE_MAP) {
        read_section(reader, &root, "", input->name);
    } else if (root.kind == YAML_NODE_LIST || root.text[0] != '\0') {
        config_problem(reader->problems, (struct config_origin){input->name, root.line}, NULL,
                "must be a map of keys, such as `group: retrywatch`");
    }
    yaml_node_fini(&root);
}

/* ---- environment and --set ------------------------------------------------------------------ */

/* Lists of maps come as YAML, everything else as it stands. */
static void
set_text(struct config_reader *reader, const struct config_key *key, const char *text,
        struct config_origin origin)
{
    struct yaml_node node = {0};
    struct error error = {0};
    int line = 0;

    if (key->type != TYPE_LIST && key->type != TYPE_KAFKA) {
        set_scalar(reader, key, text, origin);
        return;
    }
    if (yaml_tree_read(text, strlen(text), &node, &line, &error) != STATUS_OK) {
        config_problem(reader->problems, origin, key->name, "%s", error.text);
        return;
    }
    tell_twice(reader, &node, origin.source);
    set_node(reader, key, &node, origin.source);
    yaml_node_fini(&node);
}

/* A Service named retrywatch makes Kubernetes set RETRYWATCH_PORT=tcp://..., ..._SERVICE_HOST. */
static bool
is_kubernetes(const char *name, const char *value)
{
    return strstr(name, "_SERVICE_HOST") != NULL || strstr(name, "_SERVICE_PORT") != NULL ||
           strstr(name, "_PORT_") != NULL || strncmp(value, "tcp://", 6) == 0 ||
           strncmp(value, "udp://", 6) == 0;
}

/* BOOTSTRAP_SERVERS to bootstrap.servers; a file's suffix keeps its underscore. */
static void
kafka_name(const char *variable, char name[NAME_SIZE])
{
    size_t size = 0;

    for (; *variable != '\0' && size < NAME_SIZE - 1; variable++) {
        const char c = *variable;

        name[size++] = c == '_' ? '.' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    name[size] = '\0';
    if (size > 5 && strcmp(name + size - 5, ".file") == 0) {
        name[size - 5] = '_';
    }
}

static const struct config_key *
key_of_variable(const char *variable, const char **nearest_variable)
{
    static _Thread_local char known[CONFIG_KEYS_MAX][CONFIG_VARIABLE_MAX];
    const size_t prefix = strlen("RETRYWATCH_");
    struct nearest nearest = {.word = variable + prefix};

    for (size_t i = 0; i < config_key_count; i++) {
        config_variable(config_keys[i].name, known[i]);
        if (strcmp(known[i], variable) == 0) {
            return &config_keys[i];
        }
        nearest_offer(&nearest, known[i] + prefix);
    }
    *nearest_variable = nearest.found != NULL ? nearest.found - prefix : NULL;
    return NULL;
}

/* RETRYWATCH_REDIS_HOST means a key, if one that does not exist; RETRYWATCH_HOME is not ours. */
static bool
names_section(const char *variable)
{
    for (size_t i = 0; i < config_key_count; i++) {
        char known[CONFIG_VARIABLE_MAX];
        const char *dot = strchr(config_keys[i].name, '.');

        config_variable(config_keys[i].name, known);
        if (dot != NULL &&
                strncmp(known, variable,
                        strlen("RETRYWATCH_") + 1 + (size_t)(dot - config_keys[i].name)) == 0) {
            return true;
        }
    }
    return false;
}

static void
read_variable(struct config_reader *reader, const char *variable, const char *value)
{
    static const char kafka[] = "RETRYWATCH_KAFKA_";
    const struct config_origin origin = {variable, 0};
    const char *nearest = NULL;
    const struct config_key *key = key_of_variable(variable, &nearest);

    /* Compose files and charts write an empty one for what nobody set. */
    if (value[0] == '\0' || strcmp(variable, CONFIG_PATH_VARIABLE) == 0) {
        return;
    }
    if (key != NULL) {
        set_text(reader, key, value, origin);
    } else if (is_kubernetes(variable, value)) {
        return;
    } else if (strncmp(variable, kafka, sizeof(kafka) - 1) == 0) {
        char name[NAME_SIZE];

        kafka_name(variable + sizeof(kafka) - 1, name);
        config_kafka_set(reader->config, name, value, origin, reader->problems);
    } else if (nearest != NULL || names_section(variable)) {
        config_problem(reader->problems, origin, NULL, "no key has this variable%s%s%s",
                nearest != NULL ? ", did you mean " : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "?" : "");
    }
}

static void
read_environment(struct config_reader *reader, const char *const *environment)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');

        if (strncmp(*environment, "RETRYWATCH_", 11) != 0 || equals == NULL) {
            continue;
        }
        char *variable = config_text_copy_size(*environment, (size_t)(equals - *environment));

        read_variable(reader, variable, equals + 1);
        free(variable);
    }
}

static void
read_set(struct config_reader *reader, const char *set)
{
    const struct config_origin origin = {"--set", 0};
    const char *equals = strchr(set, '=');
    char name[NAME_SIZE];

    if (equals == NULL || equals == set || equals - set >= NAME_SIZE) {
        config_problem(reader->problems, origin, NULL, "allowed: --set key=value");
        return;
    }
    snprintf(name, sizeof(name), "%.*s", (int)(equals - set), set);

    const struct config_key *key = config_key_find(name);

    if (key != NULL) {
        set_text(reader, key, equals + 1, origin);
    } else if (strncmp(name, "kafka.", 6) == 0 && name[6] != '\0') {
        config_kafka_set(reader->config, name + 6, equals + 1, origin, reader->problems);
    } else {
        unknown_key(reader, name, origin);
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

static struct config *
config_defaults(void)
{
    struct config *config = memory_new(1, sizeof(*config));
    struct config_problems problems = {0};

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        struct error error = {0};
        enum status status = STATUS_OK;

        if (key->type != TYPE_KAFKA && key->type != TYPE_LIST) {
            status = config_value_set(config, key, key->fallback, &error);
        }
        assert(status == STATUS_OK); /* a default is allowed */
    }
    config_kafka_set(
            config, "bootstrap.servers", "localhost:9092", (struct config_origin){0}, &problems);
    assert(problems.count == 0);
    return config;
}

/* redis.password from redis.password_file, and so on. */
static void
read_secrets(struct config_reader *reader)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *secret = &config_keys[i];
        char name[NAME_SIZE];
        struct error error = {0};

        snprintf(name, sizeof(name), "%s_file", secret->name);
        const struct config_key *file = config_key_find(name);

        if ((secret->flags & KEY_SECRET) == 0 || file == NULL) {
            continue;
        }
        const char *path = *(char **)config_member(reader->config, file);
        char **member = config_member(reader->config, secret);
        char *text = NULL;

        if (path[0] == '\0') {
            continue;
        }
        if ((*member)[0] != '\0') {
            config_problem(reader->problems, reader->set_by[file - config_keys], file->name,
                    "%s is set too; leave one of them out", secret->name);
        } else if (config_secret_read(path, &text, &error) != STATUS_OK) {
            config_problem(reader->problems, reader->set_by[file - config_keys], file->name, "%s",
                    error.text);
        } else {
            free(*member);
            *member = text;
        }
    }
}

void
config_read(const struct config_input *input, struct config **out, struct config_problems *problems)
{
    struct config_reader reader = {.config = config_defaults(), .problems = problems};
    const size_t before = problems->count;

    if (input->text != NULL) {
        read_tree(&reader, input);
    }
    read_environment(&reader, input->environment);
    for (size_t i = 0; i < input->set_count; i++) {
        read_set(&reader, input->sets[i]);
    }
    read_secrets(&reader);
    config_routes_load(reader.config,
            reader.set_by[config_key_find(config_routes.name) - config_keys], problems);
    config_check(reader.config, reader.set_by, problems);
    if (problems->count == before) {
        config_hash(reader.config);
    }
    *out = reader.config;
}

void
config_destroy(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config_key_count; i++) {
        if (config_key_is_text(&config_keys[i])) {
            free(*(char **)config_member(config, &config_keys[i]));
        } else if (config_keys[i].type == TYPE_LIST) {
            config_list_fini(config, config_keys[i].list);
        }
    }
    for (size_t i = 0; i < config->kafka_count; i++) {
        free(config->kafka[i].name);
        free(config->kafka[i].value);
        free(config->kafka[i].file);
    }
    free(config->kafka);
    free(config);
}

enum status
config_load(const struct config_sources *sources, struct config **out, struct error *error)
{
    struct config_problems problems = {.out = stderr};
    struct config_input input = {.name = sources->path,
            .environment = (const char *const *)environ,
            .sets = sources->sets,
            .set_count = sources->set_count};
    struct config *config = NULL;
    char *text = NULL;

    if (sources->path != NULL) {
        const enum status status =
                file_read(sources->path, FILE_SIZE_MAX, &text, &input.size, error);

        if (status != STATUS_OK) {
            return status;
        }
        input.text = text;
    }
    config_read(&input, &config, &problems);
    free(text);
    if (problems.count != 0) {
        config_destroy(config);
        return error_set(error, STATUS_BAD_CONFIG, "the configuration has %zu error%s",
                problems.count, problems.count == 1 ? "" : "s");
    }
    *out = config;
    return STATUS_OK;
}
