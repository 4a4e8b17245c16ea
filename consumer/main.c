/* main.c - the command line: finds the command and runs it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/commands/commands.h"
#include "consumer/nearest.h"

#include <stdio.h>
#include <string.h>

#define EXIT_USAGE 2

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* NULL: not shown */
};

/* In the order in which a newcomer needs them. */
static const struct command commands[] = {
        {"demo", command_demo, "Show what it does, on a private broker and Redis"},
        {"run", command_run, "Run the service"},
        {"check-config", command_check_config, "Say what is wrong with the configuration"},
        {"owners", command_owners, "Show who retries"},
        {"owner", command_owner, "Show one owner: counters, buckets, the last hour, reviews"},
        {"reviews", command_reviews, "Show what waits for a decision"},
        {"review", command_review, "Show one review: what rose, why, what can be decided"},
        {"decide", command_decide, "Record a cost owner's decision"},
        {"decisions", command_decisions, "Show, revoke and check recorded decisions"},
        {"smoke-test", command_smoke_test, "Try the running service in this environment"},
        {"generate", command_generate, "Write realistic events to the input topic"},
        {"notify", command_notify, "Tell people of reviews: Alertmanager, webhooks"},
        {"rebuild", command_rebuild, "Count the log anew beside the state, compare, switch"},
        {"broker", command_broker, "Run a development broker"},
        {"docs", command_docs, NULL},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
print_help(FILE *out)
{
    fputs("Usage: retrywatch COMMAND [options]\n\nWatches AI API retries in Kafka and asks cost "
          "owners for a decision.\n\nCommands:\n",
            out);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (commands[i].summary != NULL) {
            fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].summary);
        }
    }
    fputs("\n`retrywatch COMMAND --help` shows the options of a command.\n"
          "Exit codes: 0 done, 1 failed or refused, 2 usage or configuration, 3 authentication.\n",
            out);
}

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int
unknown_command(const char *name)
{
    struct nearest nearest = {.word = name};

    for (size_t i = 0; i < COMMANDS; i++) {
        nearest_offer(&nearest, commands[i].name);
    }
    fprintf(stderr, "retrywatch: unknown command %s", name);
    if (nearest.found != NULL) {
        fprintf(stderr, ", did you mean %s?", nearest.found);
    }
    fputs("\nTry `retrywatch help`.\n", stderr);
    return EXIT_USAGE;
}

/* `help run` is `run --help`. */
static int
help(int argc, char **argv)
{
    static char option[] = "--help";
    const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;

    if (argc > 1 && command == NULL) {
        return unknown_command(argv[1]);
    }
    if (command == NULL) {
        print_help(stdout);
        return 0;
    }
    return command->run(2, (char *[]){argv[1], option, NULL});
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
            strcmp(argv[1], "-h") == 0) {
        return help(argc - 1, argv + 1);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("retrywatch " RETRYWATCH_VERSION);
        return 0;
    }
    const struct command *command = find_command(argv[1]);

    return command != NULL ? command->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}
