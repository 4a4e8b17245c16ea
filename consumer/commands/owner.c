/* owner.c - the command owner: one owner's windows, buckets, last hour and open reviews.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/human.h"
#include "consumer/review_table.h"
#include "consumer/table_print.h"
#include "consumer/view_reader.h"

#include <inttypes.h>

#define CHART_HEIGHT 4
#define CHART_INDENT 2

static const char *const windows[] = {"5m", "60m", "24h"};
#define WINDOWS (sizeof(windows) / sizeof(windows[0]))

static int64_t
number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void
print_heading(const char *text)
{
    const bool colour = human_colour(stdout);

    printf("\n%s%s%s\n", colour ? "\033[1m" : "", text, colour ? "\033[0m" : "");
}

static void
print_title(const json_t *owner, int64_t now_ms)
{
    const int64_t as_of_ms = number_of(owner, "as_of");
    struct buffer name = {0};

    human_put_text(&name, span_of(json_string_value(json_object_get(owner, "owner"))));
    printf("%.*s as of %s (%s ago), partition %" PRId64 "\n", (int)name.size,
            (const char *)name.data, human_time(as_of_ms).text,
            human_duration(now_ms - as_of_ms).text, number_of(owner, "partition"));
    if (number_of(owner, "too_late") > 0) {
        printf("%s events came more than 24 h late and are in no counter.\n",
                human_count(number_of(owner, "too_late")).text);
    }
    buffer_fini(&name);
}

static void
print_windows(const json_t *owner)
{
    static const struct table_print_column columns[] = {
            {"WINDOW", false},
            {"ATTEMPTS", true},
            {"FIRST", true},
            {"RETRIES", true},
            {"SHARE", true},
            {"FAILURES", true},
            {"FIRST UNITS", true},
            {"RETRY UNITS", true},
            {"UNITS UNKNOWN", true},
            {"LATE", true},
    };
    static const char *const counters[] = {"attempts", "first_attempts", "retries",
            "retry_share_bps", "failures", "first_attempt_units", "retry_units",
            "usage_unavailable", "late"};
    const size_t count = sizeof(counters) / sizeof(counters[0]);
    struct table_print *table = table_print_new(columns, count + 1);

    for (size_t i = 0; i < WINDOWS; i++) {
        const json_t *window = json_object_get(json_object_get(owner, "windows"), windows[i]);

        table_print_text(table, span_of(windows[i]));
        for (size_t j = 0; j < count; j++) {
            const int64_t value = number_of(window, counters[j]);
            const bool is_share = strcmp(counters[j], "retry_share_bps") == 0;

            table_print_format(
                    table, "%s", (is_share ? human_share(value) : human_count(value)).text);
        }
    }
    print_heading("Windows");
    table_print_to(table, false, stdout);
    table_print_destroy(table);
}

static void
print_buckets(const json_t *buckets)
{
    static const struct table_print_column columns[] = {
            {"BUCKET", false},
            {"5m ATTEMPTS", true},
            {"RETRIES", true},
            {"SHARE", true},
            {"60m ATTEMPTS", true},
            {"RETRIES", true},
            {"SHARE", true},
            {"24h ATTEMPTS", true},
            {"RETRIES", true},
            {"SHARE", true},
    };
    struct table_print *table = table_print_new(columns, sizeof(columns) / sizeof(columns[0]));

    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *bucket = json_array_get(buckets, i);

        table_print_text(table, span_of(json_string_value(json_object_get(bucket, "bucket"))));
        for (size_t j = 0; j < WINDOWS; j++) {
            const json_t *window = json_object_get(json_object_get(bucket, "windows"), windows[j]);

            table_print_format(table, "%s", human_count(number_of(window, "attempts")).text);
            table_print_format(table, "%s", human_count(number_of(window, "retries")).text);
            table_print_format(table, "%s", human_share(number_of(window, "retry_share_bps")).text);
        }
    }
    print_heading("Budget buckets");
    table_print_to(table, false, stdout);
    table_print_destroy(table);
}

/* One counter of the last hour, a column a minute. */
static void
print_chart(const json_t *minutes, const char *counter, const char *title)
{
    int64_t values[WINDOW_L_MINUTES] = {0};
    const size_t count = json_array_size(minutes);
    struct buffer chart = {0};
    int64_t most = 0;
    char heading[128];

    for (size_t i = 0; i < count && i < WINDOW_L_MINUTES; i++) {
        values[i] = number_of(json_array_get(minutes, i), counter);
        most = values[i] > most ? values[i] : most;
    }
    snprintf(heading, sizeof(heading), "%s (%s at most)", title, human_count(most).text);
    print_heading(heading);
    human_put_chart(&chart, values, WINDOW_L_MINUTES, CHART_HEIGHT, CHART_INDENT);
    fwrite(chart.data, 1, chart.size, stdout);
    buffer_fini(&chart);

    const int64_t first_ms = number_of(json_array_get(minutes, 0), "minute");
    const int64_t last_ms = number_of(json_array_get(minutes, count - 1), "minute");

    printf("%*s%-*s%s UTC\n", CHART_INDENT, "", WINDOW_L_MINUTES - 5, human_hour(first_ms).text,
            human_hour(last_ms).text);
}

static void
print_for_people(const json_t *owner, int64_t now_ms)
{
    const json_t *minutes = json_object_get(owner, "minutes");
    const json_t *reviews = json_object_get(owner, "reviews");

    print_title(owner, now_ms);
    print_windows(owner);
    print_buckets(json_object_get(owner, "buckets"));
    print_chart(minutes, "attempts", "Attempts a minute");
    print_chart(minutes, "retries", "Retries a minute");
    print_heading("Open reviews");
    if (json_array_size(reviews) == 0) {
        puts("none");
    } else {
        review_table_print(reviews, stdout);
    }
}

static enum status
print_owner(const struct config *config, const char *name, bool json, struct error *error)
{
    struct view_reader *reader = NULL;
    json_t *owner = NULL;
    enum status status = view_reader_new(config, &reader, error);

    if (status == STATUS_OK) {
        status = view_reader_owner(reader, name, &owner, error);
    }
    if (status == STATUS_OK && json) {
        json_dumpf(owner, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (status == STATUS_OK) {
        print_for_people(owner, clock_system.wall_ms(&clock_system));
    }
    json_decref(owner);
    view_reader_destroy(reader);
    return status;
}

int
command_owner(int argc, char **argv)
{
    struct cli cli = {.name = "owner",
            .words = "NAME",
            .summary = "Shows one owner: its windows, its budget buckets, the last hour minute by "
                       "minute, its open\nreviews. Events without an owner have one in each "
                       "partition: _MISSING@3.",
            .common = CLI_CONFIG | CLI_OUTPUT,
            .words_min = 1,
            .words_max = 1};
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
    if (print_owner(config, cli.word[0], cli.json, &error) != STATUS_OK) {
        code = cli_fail(&error);
    }
    config_destroy(config);
    return code;
}
