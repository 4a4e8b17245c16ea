/* config_print.c - the configuration as YAML and as documentation.
 *
 * SPDX-License-Identifier: Apache-2.0 */
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
    } else if (key->type == TYPE_KAFKA || key->type == TYPE_EVIDENCE) {
        fputs(key->fallback, out);
    } else {
        config_scalar_write(key->fallback, out);
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

static void
write_row(const struct config *defaults, const struct config_key *key, FILE *out)
{
    char variable[CONFIG_VARIABLE_MAX];

    config_variable(key->name, variable);
    fprintf(out, "### `%s`\n\n%s.\n\n- Default: `", key->name, key->help);
    write_default(defaults, key, out);
    fputs("`\n- Allowed: ", out);
    config_allowed_write(key, out);
    if ((key->flags & KEY_SECRET) != 0) {
        fputs("; never printed", out);
    }
    fprintf(out, "\n- Environment: `%s`\n", variable);
    if ((key->flags & KEY_LAYOUT) != 0) {
        fputs("- The stored state depends on it: with another value the service refuses to go on "
              "from it\n",
                out);
    }
    fputc('\n', out);
}

void
config_print_docs(FILE *out)
{
    struct config *defaults = read_nothing();

    for (size_t i = 0; i < config_key_count; i++) {
        write_row(defaults, &config_keys[i], out);
    }
    config_destroy(defaults);
}
