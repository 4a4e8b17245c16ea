/* reviews.c - the command reviews: what waits for a decision.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/commands/commands.h"
#include "consumer/review_table.h"
#include "consumer/view_reader.h"

static enum status
print_reviews(const struct config *config, bool all, bool json, struct error *error)
{
    struct view_reader *reader = NULL;
    json_t *reviews = NULL;
    enum status status = view_reader_new(config, &reader, error);

    if (status == STATUS_OK) {
        status = view_reader_reviews(reader, all, &reviews, error);
    }
    if (status == STATUS_OK && json) {
        json_dumpf(reviews, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (status == STATUS_OK && json_array_size(reviews) == 0) {
        printf("No %sreview in Redis at %s under %s:view:review%s.\n", all ? "" : "open ",
                view_reader_address(reader), config->redis.prefix, all ? ":*" : "s");
    } else if (status == STATUS_OK) {
        review_table_print(reviews, stdout);
    }
    json_decref(reviews);
    view_reader_destroy(reader);
    return status;
}

int
command_reviews(int argc, char **argv)
{
    bool all = false;
    const struct cli_option options[] = {
            {"--all", NULL, "Also those that are resolved; they are kept for 30 days", CLI_FLAG,
                    &all, 0, 0},
    };
    struct cli cli = {.name = "reviews",
            .summary = "Shows the reviews that are open, the oldest first.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG | CLI_OUTPUT};
    struct config *config = NULL;
    struct error error = {0};
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    code = 0;
    if (print_reviews(config, all, cli.json, &error) != STATUS_OK) {
        code = cli_fail(&error);
    }
    config_destroy(config);
    return code;
}
