/* cli.h - the options of a command, from one table: parsing, errors and --help.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_CLI_H
#define RETRYWATCH_CONSUMER_CLI_H

#include "consumer/config.h"

enum cli_type {
    CLI_FLAG,    /* bool *: true when given */
    CLI_TEXT,    /* const char ** */
    CLI_TEXTS,   /* struct cli_texts *: may be given several times */
    CLI_INTEGER, /* int64_t * */
    CLI_DECIMAL, /* double * */
    CLI_DURATION /* int64_t *, milliseconds: 500ms, 5s, 3m, 4h, 8d */
};

struct cli_option {
    const char *name;     /* "--owners" */
    const char *argument; /* "N", as --help shows it; NULL for a flag */
    const char *help;
    enum cli_type type;
    void *value;      /* holds the default before, and what was given after */
    int64_t min, max; /* of CLI_INTEGER (both 0: any) and CLI_DURATION */
};

#define CLI_TEXTS_MAX 16

/* What a CLI_TEXTS option got; all zero is nothing. */
struct cli_texts {
    const char *items[CLI_TEXTS_MAX];
    size_t count;
};

/* Options that many commands have. */
enum cli_common {
    CLI_CONFIG = 1, /* --config FILE, --set KEY=VALUE, --print-config */
    CLI_OUTPUT = 2  /* --output table|json */
};

#define CLI_SETS_MAX 64
#define CLI_WORDS_MAX 16

/* The upper part is filled by the command, the lower one by cli_parse(). */
struct cli {
    const char *name;                 /* "owner" */
    const char *words;                /* "NAME", as --help shows them; NULL: none */
    const char *summary;              /* one sentence or more for --help */
    const struct cli_option *options; /* options[option_count] of its own */
    size_t option_count;
    unsigned common;          /* enum cli_common */
    int words_min, words_max; /* how many words beside the options */

    const char *word[CLI_WORDS_MAX];
    int word_count;
    struct config_sources sources; /* for config_load(); points into this struct and argv */
    bool json;                     /* --output json */
    bool print_config;
    const char *sets[CLI_SETS_MAX];
};

/* What to do after cli_parse() and cli_config(): go on, or end with this exit code. */
#define CLI_GO_ON (-1)

/** Returns CLI_GO_ON, or an exit code: 0 after --help, 2 after an error, told on stderr. */
int cli_parse(struct cli *cli, int argc, char **argv) MUST_CHECK;

/**
 * config_load() from what the options say; answers --print-config; sets the log up.
 *
 * Returns CLI_GO_ON with *out owned (config_destroy()), or an exit code after telling why.
 */
int cli_config(struct cli *cli, struct config **out) MUST_CHECK;

/** Tell the error on stderr; returns the exit code that belongs to it. */
int cli_fail(const struct error *error);

#endif
