/* config_print.c - the configuration as YAML and as documentation.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_list.h"
#include "consumer/config_table.h"

#include <stdlib.h>

/* The length of the section that name is in: 5 of redis.url, 0 of group. */
static int
section_size(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot != NULL ? (int)(dot - name) : 0;
}

/* `redis:` before the first key of a section; returns the part of the name that follows it. */
static const char *
write_section(const struct config_key *key, FILE *out)
{
    const int size = section_size(key->name);
    const struct config_key *before = key > config_keys ? key - 1 : NULL;

    if (size == 0) {
        return key->name;
    }
    if (before == NULL || section_size(before->name) != size ||
            strncmp(before->name, key->name, (size_t)size) != 0) {
        fprintf(out, "%.*s:\n", size, key->name);
    }
    fputs("  ", out);
    return key->name + size + 1;
}

static bool
has_text(const struct config *config, const char *name)
{
    const struct config_key *key = config_key_find(name);

    return key != NULL && (*(char **)config_member(config, key))[0] != '\0';
}

/* A secret is told to be there, as a comment, so that what is printed can be read back. */
static void
write_secret(const struct config *config, const struct config_key *key, const char *name, FILE *out)
{
    char file[128];

    snprintf(file, sizeof(file), "%s_file", key->name);
    if (has_text(config, file)) {
        fprintf(out, "# %s: from the file below\n", name);
    } else if (has_text(config, key->name)) {
        fprintf(out, "# %s: set, not shown\n", name);
    } else {
        fprintf(out, "%s: \"\"\n", name);
    }
}

void
config_print(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const char *name = write_section(key, out);

        if ((key->flags & KEY_SECRET) != 0) {
            write_secret(config, key, name, out);
            continue;
        }
        fprintf(out, key->type == TYPE_KAFKA ? "%s:\n" : "%s: ", name);
        config_value_write(config, key, out);
        fputs(key->type == TYPE_KAFKA ? "" : "\n", out);
    }
    fprintf(out, "# config version %s, layout %s\n", config->version, config->layout);
}

/* The default of key, as it stands in a file. */
static void
write_default(const struct config *defaults, const struct config_key *key, FILE *out)
{
    if (key->type == TYPE_SET) {
        config_value_write(defaults, key, out);
    } else if (config_key_is_text(key)) {
        config_scalar_write(key->fallback, out);
    } else {
        fputs(key->fallback, out);
    }
}

/* Help as comment lines of at most 100 columns. */
static void
write_comment(const char *text, const char *indent, FILE *out)
{
    size_t column = 0;

    while (*text != '\0') {
        const size_t size = strcspn(text, " ");

        if (column == 0 || column + 1 + size > 98) {
            column = (size_t)fprintf(out, "%s%s#", column == 0 ? "" : "\n", indent);
        }
        column += (size_t)fprintf(out, " %.*s", (int)size, text);
        text += size + strspn(text + size, " ");
    }
    fputc('\n', out);
}

static struct config *
read_nothing(void)
{
    struct config_problems problems = {0};
    struct config *config = NULL;

    config_read(&(struct config_input){0}, &config, &problems);
    return config;
}

void
config_print_example(FILE *out)
{
    struct config *defaults = read_nothing();

    fputs("# retrywatch: every key, with its default. docs/config.md tells more.\n"
          "# Written by `retrywatch docs example`: do not edit.\n",
            out);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const int size = section_size(key->name);
        const bool first = size == 0 || i == 0 ||
                           strncmp(config_keys[i - 1].name, key->name, (size_t)size + 1) != 0;
        const char *indent = size != 0 ? "  " : "";

        fputs(first ? "\n" : "", out);
        if (first && size != 0) {
            fprintf(out, "%.*s:\n", size, key->name);
        }
        write_comment(key->help, indent, out);
        if (key->type == TYPE_KAFKA) {
            fprintf(out, "%s:\n  %s\n", key->name, key->fallback);
            continue;
        }
        /* A secret's place is shown, but a file is no place for it. */
        fprintf(out, "%s%s%s: ", indent, (key->flags & KEY_SECRET) != 0 ? "# " : "",
                key->name + (size != 0 ? size + 1 : 0));
        write_default(defaults, key, out);
        fputc('\n', out);
    }
    config_destroy(defaults);
}

/* ---- docs/config.md ------------------------------------------------------------------------- */

static const char docs_head[] =
        "# Configuration\n"
        "\n"
        "Written by `retrywatch docs config` from the table in `consumer/config_table.c`: do not "
        "edit.\n"
        "`deploy/retrywatch.example.yaml` is the same as a file to start from.\n"
        "\n"
        "`retrywatch run --config FILE` reads a YAML file. What is in none of the places below has "
        "its\n"
        "default; a later place wins:\n"
        "\n"
        "1. the file (`--config FILE`, else the one that `RETRYWATCH_CONFIG` names, else none),\n"
        "2. the environment: `RETRYWATCH_REDIS_URL` is `redis.url`, "
        "`RETRYWATCH_KAFKA_BOOTSTRAP_SERVERS` is\n"
        "   `kafka.bootstrap.servers`; an empty variable is none,\n"
        "3. `--set redis.url=...`, which may be repeated.\n"
        "\n"
        "`retrywatch check-config` says all that is wrong at once, each with file, line, key and "
        "what is\n"
        "allowed, and ends with 2; with `--connect` it also asks Kafka, Redis and the schema "
        "registry.\n"
        "`--print-config` prints the effective configuration, which can be read back.\n"
        "\n"
        "**Secrets** belong in files or in the environment: `redis.password_file`, "
        "`schema.password_file`,\n"
        "and `_file` after any librdkafka property, as `sasl.password_file`. They are never "
        "printed and\n"
        "never logged; of a URL with a password only the user is shown.\n"
        "\n"
        "**Values.** Durations are a whole number with `ms`, `s`, `m`, `h` or `d`. Sizes are "
        "bytes, or a\n"
        "number with `KiB`, `MiB` or `GiB`. Shares are in percent with at most two places, or in "
        "`bps`.\n"
        "Lists stand in brackets.\n"
        "\n"
        "Keys marked **rule** are part of the `config_version` that each review carries. Keys "
        "marked\n"
        "**layout** decide what the stored counters mean: with another value the service refuses "
        "to go on\n"
        "from the state in Redis.\n";

static const char docs_kafka[] = "\n"
                                 "Refused are the properties that delivery rests on, such as "
                                 "`group.id` (the key `group`) and\n"
                                 "`enable.auto.commit`; the error says what to set instead.\n"
                                 "\n"
                                 "```yaml\n"
                                 "kafka:\n"
                                 "  bootstrap.servers: broker-1:9093,broker-2:9093\n"
                                 "  security.protocol: sasl_ssl\n"
                                 "  sasl.mechanism: SCRAM-SHA-512\n"
                                 "  sasl.username: retrywatch\n"
                                 "  sasl.password_file: /run/secrets/kafka\n"
                                 "  consumer: {fetch.wait.max.ms: 100}\n"
                                 "```\n";

static const char *
mark_of(const struct config_key *key)
{
    return (key->flags & KEY_LAYOUT) != 0 ? " **layout**"
           : (key->flags & KEY_RULE) != 0 ? " **rule**"
                                          : "";
}

static void
write_row(const struct config *defaults, const struct config_key *key, FILE *out)
{
    fprintf(out, "| `%s`%s | ", key->name, mark_of(key));
    if ((key->flags & KEY_SECRET) != 0) {
        fputs("none", out);
    } else {
        fputc('`', out);
        write_default(defaults, key, out);
        fputc('`', out);
    }
    fputs(" | ", out);
    config_allowed_write(key, out);
    fprintf(out, " | %s%s |\n", key->help, (key->flags & KEY_SECRET) != 0 ? "; never printed" : "");
}

/* Keys without a section form one, for as long as they stand together. */
static bool
begins_section(size_t index)
{
    const char *name = config_keys[index].name;
    const char *before = index > 0 ? config_keys[index - 1].name : "";
    const int size = section_size(name);

    return index == 0 || section_size(before) != size || strncmp(before, name, (size_t)size) != 0;
}

static void
write_heading(const struct config_key *key, FILE *out)
{
    const int size = section_size(key->name);

    if (key->type == TYPE_KAFKA) {
        fputs("\n## kafka, group, delivery\n", out);
    } else {
        fprintf(out, "\n## %.*s\n", size != 0 ? size : (int)strlen(key->name), key->name);
    }
    fputs("\n| key | default | allowed | meaning |\n|---|---|---|---|\n", out);
}

/* What stands below the table of a section. list: the one among its keys, or NULL. */
static void
write_note(const struct config_key *last, const struct config_list *list, FILE *out)
{
    if (list != NULL) {
        fputs(list->docs, out);
    } else if (section_size(last->name) == 0) {
        fputs(docs_kafka, out);
    }
}

void
config_print_docs(FILE *out)
{
    struct config *defaults = read_nothing();
    const struct config_list *list = NULL;

    fputs(docs_head, out);
    for (size_t i = 0; i < config_key_count; i++) {
        const bool last = i + 1 == config_key_count || begins_section(i + 1);

        if (begins_section(i)) {
            write_heading(&config_keys[i], out);
        }
        write_row(defaults, &config_keys[i], out);
        if (config_keys[i].list != NULL) {
            list = config_keys[i].list;
        }
        if (last) {
            write_note(&config_keys[i], list, out);
            list = NULL;
        }
    }
    config_destroy(defaults);
}
