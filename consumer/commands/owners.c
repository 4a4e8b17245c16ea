/* owners.c - the command owners: who retries, in the last five minutes, hour and day.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/human.h"
#include "consumer/table_print.h"
#include "consumer/view_reader.h"

#include <inttypes.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 1000000

static const struct table_print_column columns[] = {
        {"OWNER", false},
        {"5m ATTEMPTS", true},
        {"RETRIES", true},
        {"SHARE", true},
        {"60m ATTEMPTS", true},
        {"RETRIES", true},
        {"SHARE", true},
        {"24h ATTEMPTS", true},
        {"RETRIES", true},
        {"SHARE", true},
        {"OPEN REVIEWS", true},
        {"AS OF", true},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void
add_window(struct table_print *table, const json_t *window)
{
    table_print_format(
            table, "%s", human_count(json_integer_value(json_object_get(window, "attempts"))).text);
    table_print_format(
            table, "%s", human_count(json_integer_value(json_object_get(window, "retries"))).text);
    table_print_format(table, "%s",
            human_share(json_integer_value(json_object_get(window, "retry_share_bps"))).text);
}

static void
add_owner(struct table_print *table, const json_t *owner, int64_t now_ms)
{
    static const char *const windows[] = {"5m", "60m", "24h"};
    const json_t *as_of = json_object_get(owner, "as_of");

    table_print_text(table, span_of(json_string_value(json_object_get(owner, "owner"))));
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        add_window(table, json_object_get(json_object_get(owner, "windows"), windows[i]));
    }
    table_print_format(
            table, "%" PRId64, (int64_t)json_integer_value(json_object_get(owner, "open_reviews")));
    if (as_of != NULL) {
        table_print_format(
                table, "%s ago", human_duration(now_ms - json_integer_value(as_of)).text);
    } else {
        table_print_text(table, span_of("-"));
    }
}

static void
print_table(const json_t *owners, int64_t now_ms)
{
    struct table_print *table = table_print_new(columns, COLUMNS);

    for (size_t i = 0; i < json_array_size(owners); i++) {
        add_owner(table, json_array_get(owners, i), now_ms);
    }
    table_print_to(table, human_colour(stdout), stdout);
    table_print_destroy(table);
}

static enum status
print_owners(const struct config *config, enum view_sort sort, int64_t limit, bool json,
        struct error *error)
{
    struct view_reader *reader = NULL;
    json_t *owners = NULL;
    enum status status = view_reader_new(config, &reader, error);

    if (status == STATUS_OK) {
        status = view_reader_owners(reader, sort, (size_t)limit, &owners, error);
    }
    if (status == STATUS_OK && json) {
        json_dumpf(owners, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (status == STATUS_OK && json_array_size(owners) == 0) {
        printf("No owner yet in Redis at %s under %s:view:owners; `retrywatch run` fills it.\n",
                view_reader_address(reader), config->redis.prefix);
    } else if (status == STATUS_OK) {
        print_table(owners, clock_system.wall_ms(&clock_system));
    }
    json_decref(owners);
    view_reader_destroy(reader);
    return status;
}

static bool
sort_of(const char *text, enum view_sort *sort)
{
    static const char *const names[] = {[VIEW_SORT_LAST] = "last",
            [VIEW_SORT_RETRIES] = "retries",
            [VIEW_SORT_SHARE] = "share",
            [VIEW_SORT_REVIEWS] = "reviews"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            *sort = (enum view_sort)i;
            return true;
        }
    }
    return false;
}

int
command_owners(int argc, char **argv)
{
    const char *sort_text = "last";
    int64_t limit = LIMIT_DEFAULT;
    const struct cli_option options[] = {
            {"--sort", "last|retries|share|reviews",
                    "By the last event (default), retries or share of the hour, open reviews",
                    CLI_TEXT, &sort_text, 0, 0},
            {"--limit", "N", "How many at most (50); 0: all", CLI_INTEGER, &limit, 0, LIMIT_MAX},
    };
    struct cli cli = {.name = "owners",
            .summary = "Shows who retries, in the last five minutes, hour and day, as Redis has "
                       "it.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG | CLI_OUTPUT};
    enum view_sort sort = VIEW_SORT_LAST;
    struct config *config = NULL;
    struct error error = {0};
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON && !sort_of(sort_text, &sort)) {
        error_set(&error, STATUS_BAD_CONFIG,
                "owners: --sort: \"%s\" is not allowed; allowed: last, retries, share or reviews",
                sort_text);
        code = cli_fail(&error);
    }
    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    code = 0;
    if (print_owners(config, sort, limit, cli.json, &error) != STATUS_OK) {
        code = cli_fail(&error);
    }
    config_destroy(config);
    return code;
}
