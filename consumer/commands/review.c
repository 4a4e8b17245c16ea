/* review.c - the command review: one review packet, for a person, a program or a ticket.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/review_print.h"
#include "consumer/view_reader.h"

static enum status
print_review(const struct config *config, const char *id, const char *output, struct error *error)
{
    struct view_reader *reader = NULL;
    json_t *review = NULL;
    enum status status = view_reader_new(config, &reader, error);

    if (status == STATUS_OK) {
        status = view_reader_review(reader, id, &review, error);
    }
    if (status == STATUS_OK && strcmp(output, "json") == 0) {
        json_dumpf(review, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (status == STATUS_OK) {
        review_print(review, clock_system.wall_ms(&clock_system), stdout,
                strcmp(output, "markdown") == 0 ? REVIEW_MARKDOWN : review_style_for(stdout));
    }
    json_decref(review);
    view_reader_destroy(reader);
    return status;
}

static bool
is_output(const char *text)
{
    return strcmp(text, "text") == 0 || strcmp(text, "table") == 0 || strcmp(text, "json") == 0 ||
           strcmp(text, "markdown") == 0;
}

int
command_review(int argc, char **argv)
{
    const char *output = "text";
    const struct cli_option options[] = {
            {"--output", "text|json|markdown", "For people, for programs, for a ticket", CLI_TEXT,
                    &output, 0, 0},
    };
    struct cli cli = {.name = "review",
            .words = "ID",
            .summary = "Shows one review: what rose, why, what is missing, what can be decided. "
                       "The beginning of\nan id is enough.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG,
            .words_min = 1,
            .words_max = 1};
    struct config *config = NULL;
    struct error error = {0};
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON && !is_output(output)) {
        error_set(&error, STATUS_BAD_CONFIG,
                "review: --output: \"%s\" is not allowed; allowed: text, json or markdown", output);
        code = cli_fail(&error);
    }
    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    code = 0;
    if (print_review(config, cli.word[0], output, &error) != STATUS_OK) {
        code = cli_fail(&error);
    }
    config_destroy(config);
    return code;
}
