/* decisions.c - the command decisions: what is recorded, what is not valid, and revoking one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/decision_feed.h"
#include "consumer/decision_print.h"
#include "consumer/decision_write.h"
#include "consumer/human.h"
#include "consumer/table_print.h"
#include "consumer/topic_reader.h"

#include <inttypes.h>
#include <stdlib.h>

enum task { TASK_LIST, TASK_SHOW, TASK_REVOKE, TASK_REJECTED };

struct wish {
    enum task task;
    const char *id, *reason;
    bool rejected, json;
};

/* A record of the topic that is no decision. Owned. */
struct rejected {
    struct rejected *next;
    int32_t partition;
    int64_t offset, timestamp_ms;
    struct error error;
};

/* The whole topic. */
struct recorded {
    const struct config *config;
    struct decisions *decisions;
    struct rejected *rejected; /* as they were read */
    struct rejected **last;
    size_t rejected_count;
    struct arena arena;
    int64_t now_ms;
};

/* ---- reading ------------------------------------------------------------------------------- */

static enum status
take_record(void *context, const struct topic_record *record, struct error *error)
{
    struct recorded *recorded = context;
    const struct decision_record decision = {.topic = record->topic,
            .partition = record->partition,
            .offset = record->offset,
            .timestamp_ms = record->timestamp_ms,
            .value = record->value};
    struct error why = {0};

    (void)error; /* what is wrong with a record does not end the reading */
    if (decision_accept(recorded->decisions, &recorded->config->rule, &decision, &recorded->arena,
                &why) != STATUS_OK) {
        struct rejected *rejected = memory_new(1, sizeof(*rejected));

        *rejected = (struct rejected){.partition = record->partition,
                .offset = record->offset,
                .timestamp_ms = record->timestamp_ms,
                .error = why};
        *recorded->last = rejected;
        recorded->last = &rejected->next;
        recorded->rejected_count += 1;
    }
    arena_reset(&recorded->arena);
    return STATUS_OK;
}

static enum status
read_topic(struct recorded *recorded, struct error *error)
{
    struct topic_reader *reader = NULL;
    enum status status = topic_reader_new(
            recorded->config, &clock_system, recorded->config->topics.decisions, &reader, error);

    if (status == STATUS_OK) {
        status = topic_reader_to_end(reader, take_record, recorded, error);
    }
    topic_reader_destroy(reader);
    return status;
}

static enum status
find(const struct recorded *recorded, const char *id, const struct decision **decision,
        struct error *error)
{
    *decision = decisions_find(recorded->decisions, span_of(id));
    return *decision != NULL ? STATUS_OK
                             : error_set(error, STATUS_FAILED,
                                       "no such decision in %s; `retrywatch decisions` shows them",
                                       recorded->config->topics.decisions);
}

/* ---- the list ------------------------------------------------------------------------------ */

static const struct table_print_column columns[] = {
        {"DECISION", false},
        {"STATE", false},
        {"COVERS", false},
        {"ACTION", false},
        {"FROM", false},
        {"UNTIL", false},
        {"BY", false},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static int
compare_starts(const void *left, const void *right)
{
    const struct decision *a = *(const struct decision *const *)left;
    const struct decision *b = *(const struct decision *const *)right;
    const int64_t a_ms = decision_start(a), b_ms = decision_start(b);

    if (a_ms != b_ms) {
        return a_ms > b_ms ? -1 : 1;
    }
    return span_compare(a->decision_id, b->decision_id);
}

/* The latest first. Returns owned; *count of them. */
static const struct decision **
sorted(const struct recorded *recorded, size_t *count)
{
    const struct decision **list = NULL;

    *count = decisions_count(recorded->decisions);
    list = memory_new(*count + 1, sizeof(*list));
    decisions_list(recorded->decisions, list);
    qsort(list, *count, sizeof(*list), compare_starts);
    return list;
}

static void
add_line(
        struct table_print *table, const struct recorded *recorded, const struct decision *decision)
{
    const struct rule *rule = &recorded->config->rule;
    struct buffer scope = {0};

    decision_put_scope(&scope, decision);
    table_print_text(table, decision->decision_id);
    table_print_format(
            table, "%s", decision_state_names[decision_state_at(decision, rule, recorded->now_ms)]);
    table_print_text(table, buffer_span(&scope));
    table_print_format(table, "%s", action_names[decision->action]);
    table_print_format(table, "%s", human_time(decision_start(decision)).text);
    table_print_format(table, "%s", human_time(decision_end(decision, rule)).text);
    table_print_text(table, decision->decision_owner);
    buffer_fini(&scope);
}

static void
print_list(const struct recorded *recorded, bool json)
{
    struct table_print *table = table_print_new(columns, COLUMNS);
    json_t *array = json_array();
    size_t count = 0;
    const struct decision **list = sorted(recorded, &count);

    for (size_t i = 0; i < count; i++) {
        add_line(table, recorded, list[i]);
        json_array_append_new(
                array, decision_describe(list[i], &recorded->config->rule, recorded->now_ms));
    }
    if (json) {
        json_dumpf(array, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (count == 0) {
        printf("No decision in %s yet; `retrywatch decide` records one.\n",
                recorded->config->topics.decisions);
    } else {
        table_print_to(table, human_colour(stdout), stdout);
    }
    if (!json && recorded->rejected_count > 0) {
        printf("%zu records of the topic are no valid decisions: `retrywatch decisions "
               "--rejected`\n",
                recorded->rejected_count);
    }
    free(list);
    json_decref(array);
    table_print_destroy(table);
}

/* ---- what is not valid --------------------------------------------------------------------- */

static const struct table_print_column rejected_columns[] = {
        {"PARTITION", true}, {"OFFSET", true}, {"WRITTEN", false}, {"REASON", false}};

static json_t *
rejected_json(const struct rejected *rejected)
{
    json_t *json = json_object();

    json_object_set_new(json, "partition", json_integer(rejected->partition));
    json_object_set_new(json, "offset", json_integer(rejected->offset));
    json_object_set_new(json, "timestamp", json_integer(rejected->timestamp_ms));
    json_object_set_new(json, "reason", json_string(status_text(rejected->error.status)));
    json_object_set_new(json, "detail", json_string(rejected->error.text));
    return json;
}

static void
print_rejected(const struct recorded *recorded, bool json)
{
    struct table_print *table = table_print_new(rejected_columns, 4);
    json_t *array = json_array();

    for (const struct rejected *one = recorded->rejected; one != NULL; one = one->next) {
        json_array_append_new(array, rejected_json(one));
        table_print_format(table, "%" PRId32, one->partition);
        table_print_format(table, "%" PRId64, one->offset);
        table_print_format(table, "%s", human_time(one->timestamp_ms).text);
        table_print_format(table, "%s", one->error.text);
    }
    if (json) {
        json_dumpf(array, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (recorded->rejected_count == 0) {
        printf("Every record of %s is a valid decision.\n", recorded->config->topics.decisions);
    } else {
        table_print_to(table, human_colour(stdout), stdout);
    }
    json_decref(array);
    table_print_destroy(table);
}

/* ---- one of them --------------------------------------------------------------------------- */

static void
print_one(const struct recorded *recorded, const struct decision *decision, bool json)
{
    if (json) {
        json_t *object = decision_describe(decision, &recorded->config->rule, recorded->now_ms);

        json_dumpf(object, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(object);
    } else {
        decision_print(decision, &recorded->config->rule, recorded->now_ms, stdout);
    }
}

/* The whole record again, revoked: it must stand alone when compaction has removed the first. */
static enum status
revoke(struct recorded *recorded, const struct wish *wish, struct error *error)
{
    const struct rule *rule = &recorded->config->rule;
    const struct decision *found = NULL;
    struct decision decision;
    enum status status = find(recorded, wish->id, &found, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (found->revoked || recorded->now_ms >= decision_end(found, rule)) {
        if (!wish->json) {
            printf("It has ended already; nothing was written.\n");
        }
        print_one(recorded, found, wish->json);
        return STATUS_OK;
    }
    decision = *found;
    decision.revoked = true;
    decision.record_ms = recorded->now_ms;
    if (wish->reason != NULL) {
        decision.reason = span_of(wish->reason);
        status = decision_check_texts(&decision, error);
    }
    if (status == STATUS_OK) {
        status = decision_rewrite(recorded->config, &decision, error);
    }
    if (status == STATUS_OK) {
        print_one(recorded, &decision, wish->json);
    }
    return status;
}

/* ---- the command --------------------------------------------------------------------------- */

static enum status
run(struct recorded *recorded, const struct wish *wish, struct error *error)
{
    const struct decision *decision = NULL;
    enum status status = read_topic(recorded, error);

    if (status != STATUS_OK) {
        return status;
    }
    switch (wish->task) {
    case TASK_LIST:
        print_list(recorded, wish->json);
        break;
    case TASK_REJECTED:
        print_rejected(recorded, wish->json);
        break;
    case TASK_SHOW:
        status = find(recorded, wish->id, &decision, error);
        if (status == STATUS_OK) {
            print_one(recorded, decision, wish->json);
        }
        break;
    case TASK_REVOKE:
        status = revoke(recorded, wish, error);
        break;
    }
    return status;
}

static enum status
read_words(const struct cli *cli, struct wish *wish, struct error *error)
{
    const char *word = cli->word_count > 0 ? cli->word[0] : "";

    wish->id = cli->word_count > 1 ? cli->word[1] : NULL;
    wish->json = cli->json;
    wish->task = wish->rejected                ? TASK_REJECTED
                 : strcmp(word, "show") == 0   ? TASK_SHOW
                 : strcmp(word, "revoke") == 0 ? TASK_REVOKE
                                               : TASK_LIST;
    if (wish->task == TASK_SHOW || wish->task == TASK_REVOKE) {
        if (wish->id == NULL) {
            return error_set(
                    error, STATUS_BAD_CONFIG, "decisions %s: which one? It needs an ID", word);
        }
    } else if (word[0] != '\0') {
        return error_set(error, STATUS_BAD_CONFIG,
                "decisions: %s is not known here; allowed: show ID, revoke ID, --rejected", word);
    }
    if (wish->reason != NULL && wish->task != TASK_REVOKE) {
        return error_set(error, STATUS_BAD_CONFIG, "decisions: --reason is for revoke");
    }
    return STATUS_OK;
}

static void
recorded_fini(struct recorded *recorded)
{
    while (recorded->rejected != NULL) {
        struct rejected *next = recorded->rejected->next;

        free(recorded->rejected);
        recorded->rejected = next;
    }
    decisions_destroy(recorded->decisions);
    arena_fini(&recorded->arena);
}

int
command_decisions(int argc, char **argv)
{
    struct wish wish = {0};
    const struct cli_option options[] = {
            {"--rejected", NULL,
                    "Show the records of the topic that are no valid decisions, and why", CLI_FLAG,
                    &wish.rejected, 0, 0},
            {"--reason", "TEXT", "Of revoke: why; takes the place of the decision's reason",
                    CLI_TEXT, &wish.reason, 0, 0},
    };
    struct cli cli = {.name = "decisions",
            .words = "[show ID | revoke ID]",
            .summary =
                    "Shows the decisions in the topic, the latest first, or one of them; revokes "
                    "one.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG | CLI_OUTPUT,
            .words_max = 2};
    struct recorded recorded = {.now_ms = clock_system.wall_ms(&clock_system)};
    struct config *config = NULL;
    struct error error = {0};
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON && read_words(&cli, &wish, &error) != STATUS_OK) {
        code = cli_fail(&error);
    }
    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    recorded.config = config;
    recorded.decisions = decisions_new();
    recorded.last = &recorded.rejected;
    arena_init(&recorded.arena);
    code = 0;
    if (run(&recorded, &wish, &error) != STATUS_OK) {
        code = cli_fail(&error);
    }
    recorded_fini(&recorded);
    config_destroy(config);
    return code;
}
