/* cli.c - the options of a command: parsing, errors and --help.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"

#include "consumer/config_table.h"
#include "consumer/nearest.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define EXIT_USAGE 2
#define HELP_COLUMN 26

static const struct cli_option config_options[] = {
        {.name = "--config", .argument = "FILE", .help = "Configuration file (YAML)"},
        {.name = "--set", .argument = "KEY=VALUE", .help = "Set one key; may be repeated"},
        {.name = "--print-config", .help = "Print the effective configuration and end"},
};
static const struct cli_option output_options[] = {
        {.name = "--output", .argument = "table|json", .help = "For people or for programs"},
};
static const struct cli_option help_options[] = {{.name = "--help", .help = "Print this and end"}};

struct option_list {
    const struct cli_option *options;
    size_t count;
};

/* All options of a command: its own, the common ones, --help. */
static size_t
option_lists(const struct cli *cli, struct option_list lists[4])
{
    size_t count = 0;

    lists[count++] = (struct option_list){cli->options, cli->option_count};
    if ((cli->common & CLI_CONFIG) != 0) {
        lists[count++] = (struct option_list){config_options, 3};
    }
    if ((cli->common & CLI_OUTPUT) != 0) {
        lists[count++] = (struct option_list){output_options, 1};
    }
    lists[count++] = (struct option_list){help_options, 1};
    return count;
}

static void
print_option(const struct cli_option *option)
{
    const int size = printf("  %s%s%s", option->name, option->argument != NULL ? " " : "",
            option->argument != NULL ? option->argument : "");

    printf("%*s%s\n", size < HELP_COLUMN - 1 ? HELP_COLUMN - size : 2, "", option->help);
}

static void
print_help(const struct cli *cli)
{
    struct option_list lists[4];
    const size_t count = option_lists(cli, lists);

    printf("Usage: retrywatch %s [options]%s%s\n\n%s\n\nOptions:\n", cli->name,
            cli->words != NULL ? " " : "", cli->words != NULL ? cli->words : "", cli->summary);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < lists[i].count; j++) {
            print_option(&lists[i].options[j]);
        }
    }
    if ((cli->common & CLI_CONFIG) != 0) {
        printf("\nAny key can also be set in the environment, as RETRYWATCH_REDIS_URL for "
               "redis.url;\nRETRYWATCH_CONFIG names the file. `retrywatch docs config` lists the "
               "keys.\n");
    }
}

static int
usage_hint(const struct cli *cli)
{
    fprintf(stderr, "Try `retrywatch %s --help`.\n", cli->name);
    return EXIT_USAGE;
}

static int
unknown_option(const struct cli *cli, const char *name)
{
    struct option_list lists[4];
    const size_t count = option_lists(cli, lists);
    struct nearest nearest = {.word = name};

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < lists[i].count; j++) {
            nearest_offer(&nearest, lists[i].options[j].name);
        }
    }
    fprintf(stderr, "retrywatch %s: unknown option %s%s%s%s\n", cli->name, name,
            nearest.found != NULL ? ", did you mean " : "",
            nearest.found != NULL ? nearest.found : "", nearest.found != NULL ? "?" : "");
    return usage_hint(cli);
}

static bool
read_whole(const struct cli_option *option, const char *text, int64_t *value)
{
    char *end = NULL;

    errno = 0;
    const long long number = strtoll(text, &end, 10);

    if (errno != 0 || end == text || *end != '\0') {
        return false;
    }
    *value = number;
    return (option->min == 0 && option->max == 0) ||
           (number >= option->min && number <= option->max);
}

static bool
read_decimal(const char *text, double *value)
{
    char *end = NULL;

    errno = 0;
    *value = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *value >= 0 && *value < 1e18;
}

static bool
read_duration(const struct cli_option *option, const char *text, int64_t *value)
{
    int64_t ms = 0;
    const int64_t max = option->max != 0 ? option->max : INT64_MAX;

    if (!config_duration_parse(text, &ms) || ms < option->min || ms > max) {
        return false;
    }
    *value = ms;
    return true;
}

/* Store what was given; false when it is not allowed. */
static bool
take_value(const struct cli_option *option, const char *text)
{
    struct cli_texts *texts = option->value;
    double decimal = 0;

    switch (option->type) {
    case CLI_FLAG:
        *(bool *)option->value = true;
        return true;
    case CLI_TEXT:
        *(const char **)option->value = text;
        return true;
    case CLI_TEXTS:
        if (texts->count == CLI_TEXTS_MAX) {
            return false;
        }
        texts->items[texts->count++] = text;
        return true;
    case CLI_INTEGER:
        return read_whole(option, text, option->value);
    case CLI_DURATION:
        return read_duration(option, text, option->value);
    case CLI_DECIMAL:
        if (!read_decimal(text, &decimal)) {
            return false;
        }
        *(double *)option->value = decimal;
        return true;
    }
    return false;
}

static int
bad_value(const struct cli *cli, const struct cli_option *option, const char *text)
{
    fprintf(stderr, "retrywatch %s: %s: \"%s\" is not allowed", cli->name, option->name, text);
    if (option->type == CLI_INTEGER && option->max != 0) {
        fprintf(stderr, "; allowed: %" PRId64 " to %" PRId64, option->min, option->max);
    } else if (option->type == CLI_DURATION) {
        fprintf(stderr, "; allowed: a number with ms, s, m, h or d");
    } else if (option->type == CLI_TEXTS) {
        fprintf(stderr, "; at most %d times", CLI_TEXTS_MAX);
    }
    fputc('\n', stderr);
    return usage_hint(cli);
}

static int
take_common(struct cli *cli, const struct cli_option *option, const char *text)
{
    if (strcmp(option->name, "--config") == 0) {
        cli->sources.path = text;
    } else if (strcmp(option->name, "--set") == 0) {
        if (cli->sources.set_count == CLI_SETS_MAX) {
            fprintf(stderr, "retrywatch %s: --set: at most %d\n", cli->name, CLI_SETS_MAX);
            return usage_hint(cli);
        }
        cli->sets[cli->sources.set_count++] = text;
    } else if (strcmp(option->name, "--print-config") == 0) {
        cli->print_config = true;
    } else if (strcmp(option->name, "--output") == 0) {
        cli->json = strcmp(text, "json") == 0;
        if (!cli->json && strcmp(text, "table") != 0) {
            fprintf(stderr,
                    "retrywatch %s: --output: \"%s\" is not allowed; allowed: table or "
                    "json\n",
                    cli->name, text);
            return usage_hint(cli);
        }
    } else {
        print_help(cli);
        return 0;
    }
    return CLI_GO_ON;
}

static const struct cli_option *
find_option(const struct cli *cli, const char *name, size_t size)
{
    struct option_list lists[4];
    const size_t count = option_lists(cli, lists);

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < lists[i].count; j++) {
            const struct cli_option *option = &lists[i].options[j];

            if (strlen(option->name) == size && memcmp(option->name, name, size) == 0) {
                return option;
            }
        }
    }
    return NULL;
}

/* One option at argv[*at], `--name value` or `--name=value`; moves *at to its last word. */
static int
take_option(struct cli *cli, int argc, char **argv, int *at)
{
    const char *name = strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at];
    const size_t size = strcspn(name, "=");
    const struct cli_option *option = find_option(cli, name, size);
    const char *text = name[size] == '=' ? name + size + 1 : NULL;

    if (option == NULL) {
        return unknown_option(cli, name);
    }
    if (option->argument == NULL && text != NULL) {
        fprintf(stderr, "retrywatch %s: %s takes no value\n", cli->name, option->name);
        return usage_hint(cli);
    }
    if (option->argument != NULL && text == NULL) {
        if (*at + 1 == argc) {
            fprintf(stderr, "retrywatch %s: %s needs %s\n", cli->name, option->name,
                    option->argument);
            return usage_hint(cli);
        }
        text = argv[++*at];
    }
    if (option->value == NULL) {
        return take_common(cli, option, text);
    }
    return take_value(option, text) ? CLI_GO_ON : bad_value(cli, option, text);
}

int
cli_parse(struct cli *cli, int argc, char **argv)
{
    bool options_end = false;

    assert(cli->words_max <= CLI_WORDS_MAX);
    cli->sources = (struct config_sources){.path = getenv(CONFIG_PATH_VARIABLE)};
    cli->sources.sets = cli->sets;
    for (int at = 1; at < argc; at++) {
        int code = CLI_GO_ON;

        if (!options_end && strcmp(argv[at], "--") == 0) {
            options_end = true;
        } else if (!options_end && argv[at][0] == '-' && argv[at][1] != '\0') {
            code = take_option(cli, argc, argv, &at);
        } else if (cli->word_count < cli->words_max) {
            cli->word[cli->word_count++] = argv[at];
        } else {
            fprintf(stderr, "retrywatch %s: %s is one word too many\n", cli->name, argv[at]);
            code = usage_hint(cli);
        }
        if (code != CLI_GO_ON) {
            return code;
        }
    }
    if (cli->word_count < cli->words_min) {
        fprintf(stderr, "retrywatch %s: needs %s\n", cli->name, cli->words);
        return usage_hint(cli);
    }
    return CLI_GO_ON;
}

int
cli_config(struct cli *cli, struct config **out)
{
    struct config *config = NULL;
    struct error error = {0};

    if (cli->sources.path != NULL && cli->sources.path[0] == '\0') {
        cli->sources.path = NULL; /* RETRYWATCH_CONFIG= */
    }
    if (config_load(&cli->sources, &config, &error) != STATUS_OK) {
        return cli_fail(&error);
    }
    if (cli->print_config) {
        config_print(config, stdout);
        config_destroy(config);
        return 0;
    }
    log_init(config->log.level, config->log.format);
    *out = config;
    return CLI_GO_ON;
}

int
cli_fail(const struct error *error)
{
    fprintf(stderr, "retrywatch: %s\n", error->text);
    return status_exit_code(error->status);
}
