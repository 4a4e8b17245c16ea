/* test_cli.c - the options of a command.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "tests/support/rows.h"

#include <string.h>

struct values {
    bool flag;
    const char *text;
    int64_t count;
    int64_t wait_ms;
    double rate;
    struct cli_texts names;
};

/* Parses the words after the command's name. */
static int
parse(struct cli *cli, struct values *values, const char *const *words)
{
    const struct cli_option options[] = {
            {.name = "--flag", .type = CLI_FLAG, .value = &values->flag, .help = "f"},
            {.name = "--text", .argument = "T", .type = CLI_TEXT, .value = &values->text},
            {.name = "--count",
                    .argument = "N",
                    .type = CLI_INTEGER,
                    .value = &values->count,
                    .min = 1,
                    .max = 10,
                    .help = "n"},
            {.name = "--wait",
                    .argument = "D",
                    .type = CLI_DURATION,
                    .value = &values->wait_ms,
                    .help = "d"},
            {.name = "--rate", .argument = "R", .type = CLI_DECIMAL, .value = &values->rate},
            {.name = "--name", .argument = "N", .type = CLI_TEXTS, .value = &values->names},
    };
    char *argv[16] = {(char *)(uintptr_t) "test"};
    int argc = 1;

    *values = (struct values){.count = 3};
    *cli = (struct cli){.name = "test",
            .words = "NAME",
            .summary = "A command.",
            .options = options,
            .option_count = COUNT_OF(options),
            .common = CLI_CONFIG | CLI_OUTPUT,
            .words_max = 1};
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    const int code = cli_parse(cli, argc, argv);

    cli->options = NULL;
    return code;
}

static const struct row {
    const char *name;
    const char *words[8];
    int want; /* exit code or CLI_GO_ON */
} rows[] = {
        {"nothing", {NULL}, CLI_GO_ON},
        {"--help ends", {"--help"}, 0},
        {"-h ends", {"-h"}, 0},
        {"unknown option", {"--flga"}, 2},
        {"unknown option with a value", {"--flga=1"}, 2},
        {"a flag takes no value", {"--flag=1"}, 2},
        {"a value is missing", {"--text"}, 2},
        {"too small", {"--count", "0"}, 2},
        {"too large", {"--count=11"}, 2},
        {"no number", {"--count", "3x"}, 2},
        {"empty number", {"--count="}, 2},
        {"no duration", {"--wait", "5"}, 2},
        {"negative duration", {"--wait", "-5s"}, 2},
        {"no decimal", {"--rate", "nan"}, 2},
        {"negative decimal", {"--rate", "-1"}, 2},
        {"unknown output", {"--output", "xml"}, 2},
        {"a word too many", {"a", "b"}, 2},
        {"words after --", {"--", "--flag"}, CLI_GO_ON},
        {"a dash is a word", {"-"}, CLI_GO_ON},
};

static void
test_codes(void **state)
{
    const struct row *row = *state;
    struct values values;
    struct cli cli;

    assert_int_equal(parse(&cli, &values, row->words), row->want);
}

static void
test_values(void **state)
{
    static const char *const words[] = {
            "--flag", "--text=a=b", "--count", "7", "--wait", "5s", "--rate", "2.5", NULL};
    struct values values;
    struct cli cli;

    (void)state;
    assert_int_equal(parse(&cli, &values, words), CLI_GO_ON);
    assert_true(values.flag);
    assert_string_equal(values.text, "a=b");
    assert_int_equal(values.count, 7);
    assert_int_equal(values.wait_ms, 5000);
    assert_true(values.rate > 2.49 && values.rate < 2.51);
}

static void
test_an_option_given_again(void **state)
{
    static const char *const words[] = {"--name", "a", "--name=b", NULL};
    struct values values;
    struct cli cli;

    (void)state;
    assert_int_equal(parse(&cli, &values, words), CLI_GO_ON);
    assert_int_equal(values.names.count, 2);
    assert_string_equal(values.names.items[0], "a");
    assert_string_equal(values.names.items[1], "b");
}

static void
test_common(void **state)
{
    static const char *const words[] = {"name", "--config=c.yaml", "--set", "a=b", "--set=c=d",
            "--output", "json", "--print-config", NULL};
    struct values values;
    struct cli cli;

    (void)state;
    assert_int_equal(parse(&cli, &values, words), CLI_GO_ON);
    assert_int_equal(values.count, 3); /* the default stays */
    assert_int_equal(cli.word_count, 1);
    assert_string_equal(cli.word[0], "name");
    assert_string_equal(cli.sources.path, "c.yaml");
    assert_int_equal(cli.sources.set_count, 2);
    assert_string_equal(cli.sources.sets[1], "c=d");
    assert_true(cli.json);
    assert_true(cli.print_config);
}

int
main(void)
{
    struct CMUnitTest tests[64];
    size_t count = 0;

    ADD_ROWS(tests, count, rows, test_codes);
    ADD_TEST(tests, count, test_values);
    ADD_TEST(tests, count, test_an_option_given_again);
    ADD_TEST(tests, count, test_common);
    return _cmocka_run_group_tests("cli", tests, count, NULL, NULL);
}
