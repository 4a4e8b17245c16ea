/* decide.c - the command decide: records a cost owner's decision.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/times.h"
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/config_table.h"
#include "consumer/decision_input.h"
#include "consumer/decision_print.h"
#include "consumer/decision_write.h"
#include "consumer/human.h"
#include "consumer/review_print.h"
#include "consumer/view_reader.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

/* What the command line says; NULL: nothing. */
struct wish {
    const char *dimensions[DIM_COUNT];
    const char *review, *action, *reason, *expires, *from, *share, *person, *id;
    const char *access_date, *pricing_checked, *unit_metric;
    const char *changed_setting, *changed_assumption, *remaining_uncertainty, *format;
    struct cli_texts urls;
    bool risk, rule_checked, yes;
};

/* All that belongs to one run of the command. */
struct deciding {
    const struct wish *wish;
    const struct config *config;
    const char *review_word; /* REVIEW_ID; NULL: by scope */
    bool json, terminal;
    enum decision_format format;
    int64_t now_ms;
    struct decision wanted;
    struct arena arena;
    struct decision_questions questions;
    json_t *review;      /* the packet, when there is one */
    const char *note;    /* about the owner, or the review; NULL: none */
    json_t *owner_known; /* true, false or null */
    char id[DECISION_ID_TEXT_SIZE];
};

static struct span
span_or_null(const char *text)
{
    return text != NULL ? span_of(text) : SPAN_NULL;
}

/* ---- the command line ---------------------------------------------------------------------- */

static enum status
bad_option(const char *name, const struct error *cause, struct error *error)
{
    return error_set(error, STATUS_BAD_CONFIG, "decide: %s: %s", name, cause->text);
}

static enum status
read_format(const char *text, enum decision_format *format, struct error *error)
{
    if (text != NULL && strcmp(text, "avro") != 0 && strcmp(text, "json") != 0) {
        return error_set(error, STATUS_BAD_CONFIG, "no such format; allowed: avro or json");
    }
    *format = text != NULL && strcmp(text, "json") == 0 ? DECISION_JSON : DECISION_AVRO;
    return STATUS_OK;
}

static enum status
read_date(const char *text, int32_t *days, struct error *error)
{
    return date_parse(span_of(text), days)
                   ? STATUS_OK
                   : error_set(error, STATUS_BAD_CONFIG, "no date; allowed: YYYY-MM-DD");
}

/* The values that are more than text. */
static enum status
read_values(struct deciding *deciding, struct error *error)
{
    const struct wish *wish = deciding->wish;
    struct decision *wanted = &deciding->wanted;
    struct error cause = {0};

    if (read_format(wish->format, &deciding->format, &cause) != STATUS_OK) {
        return bad_option("--format", &cause, error);
    }
    if (wish->action != NULL &&
            decision_read_action(wish->action, &wanted->action, &cause) != STATUS_OK) {
        return bad_option("--action", &cause, error);
    }
    if (wish->from != NULL &&
            config_time_parse(wish->from, &wanted->effective_from_ms, &cause) != STATUS_OK) {
        return bad_option("--effective-from", &cause, error);
    }
    if (wish->expires != NULL && decision_read_end(wish->expires, decision_start(wanted),
                                         &wanted->expires_at_ms, &cause) != STATUS_OK) {
        return bad_option("--expires", &cause, error);
    }
    if (wish->share != NULL &&
            decision_read_share(wish->share, &wanted->max_retry_share_bps, &cause) != STATUS_OK) {
        return bad_option("--max-retry-share", &cause, error);
    }
    if (wish->access_date != NULL &&
            read_date(wish->access_date, &wanted->access_date, &cause) != STATUS_OK) {
        return bad_option("--access-date", &cause, error);
    }
    if (wish->pricing_checked != NULL &&
            config_time_parse(wish->pricing_checked, &wanted->pricing_source_checked_at_ms,
                    &cause) != STATUS_OK) {
        return bad_option("--pricing-checked", &cause, error);
    }
    return STATUS_OK;
}

static enum status
read_wish(struct deciding *deciding, struct error *error)
{
    const struct wish *wish = deciding->wish;
    struct decision *wanted = &deciding->wanted;

    decision_blank(wanted);
    wanted->decided_at_ms = deciding->now_ms;
    for (int d = 0; d < DIM_COUNT; d++) {
        wanted->scope[d] = span_or_null(wish->dimensions[d]);
    }
    wanted->review_id = span_or_null(wish->review);
    wanted->reason = span_or_null(wish->reason);
    wanted->decision_owner = span_or_null(wish->person);
    wanted->unit_metric = span_or_null(wish->unit_metric);
    wanted->changed_setting = span_or_null(wish->changed_setting);
    wanted->changed_assumption = span_or_null(wish->changed_assumption);
    wanted->remaining_uncertainty = span_or_null(wish->remaining_uncertainty);
    wanted->accepts_spend_risk = wish->risk;
    wanted->allocation_rule_checked = wish->rule_checked;
    if (wish->urls.count > OUTCOME_URLS_MAX) {
        return error_set(error, STATUS_BAD_CONFIG, "decide: --source-url: at most %d are kept",
                OUTCOME_URLS_MAX);
    }
    for (size_t i = 0; i < wish->urls.count; i++) {
        wanted->source_urls[wanted->source_url_count++] = span_of(wish->urls.items[i]);
    }
    if (wish->id == NULL) {
        const enum status status = decision_id_make(deciding->now_ms, deciding->id, error);

        if (status != STATUS_OK) {
            return status;
        }
    }
    wanted->decision_id = span_of(wish->id != NULL ? wish->id : deciding->id);
    return read_values(deciding, error);
}

/* ---- what it is about ---------------------------------------------------------------------- */

/* The review restricts the decision, and gives what the command line does not name. */
static enum status
take_review(struct deciding *deciding, struct error *error)
{
    const json_t *scope = json_object_get(deciding->review, "scope");
    const char *status = json_string_value(json_object_get(deciding->review, "status"));
    struct decision *wanted = &deciding->wanted;

    wanted->review_id =
            span_or_null(json_string_value(json_object_get(deciding->review, "review_id")));
    for (int d = 0; d < DIM_COUNT; d++) {
        const char *name = dimension_name((enum dimension)d);
        const char *value = json_string_value(json_object_get(scope, name));

        if (wanted->scope[d].data == NULL) {
            wanted->scope[d] = span_or_null(value);
        } else if (value != NULL && !span_equal(wanted->scope[d], span_of(value))) {
            return error_set(error, STATUS_REFUSED,
                    "review %s is of another %s: with this one the decision can cover nothing; "
                    "leave it out",
                    json_string_value(json_object_get(deciding->review, "review_id")), name);
        }
    }
    if (status != NULL && strcmp(status, "resolved") == 0) {
        deciding->note = "The review is resolved: the decision acts only if the same rise goes on.";
    }
    return STATUS_OK;
}

static bool
is_reserved(struct span owner)
{
    return span_equal(owner, span_of(DIM_MISSING)) || span_equal(owner, span_of(DIM_OTHER));
}

/* A decision for an owner that nobody has seen stands as any other; it is only said. */
static void
look_for_owner(struct deciding *deciding, struct view_reader *reader)
{
    const struct span owner = deciding->wanted.scope[DIM_OWNER];
    json_t *view = NULL;
    struct error error = {0};

    if (deciding->review != NULL || is_reserved(owner)) {
        deciding->owner_known = json_true();
        return;
    }
    switch (view_reader_owner(reader, (const char *)owner.data, &view, &error)) {
    case STATUS_OK:
        deciding->owner_known = json_true();
        break;
    case STATUS_FAILED:
        deciding->owner_known = json_false();
        deciding->note = "Redis knows no such owner: the decision waits for its first events. Is "
                         "the name right?";
        break;
    default:
        deciding->note = "Redis does not answer, so it is not known whether there is such an "
                         "owner.";
        break;
    }
    json_decref(view);
}

/* A decision can be written without Redis; only a review that is to be looked up needs it. */
static enum status
look_around(struct deciding *deciding, struct error *error)
{
    const char *wanted =
            deciding->review_word != NULL ? deciding->review_word : deciding->wish->review;
    struct view_reader *reader = NULL;
    enum status status = view_reader_new(deciding->config, &reader, error);

    if (status == STATUS_OK && wanted != NULL) {
        status = view_reader_review(reader, wanted, &deciding->review, error);
        if (status == STATUS_OK) {
            status = take_review(deciding, error);
        } else if (deciding->review_word == NULL && status != STATUS_REFUSED) {
            deciding->note = "The review is not in Redis, so its scope was not compared.";
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK && deciding->wanted.scope[DIM_OWNER].data != NULL) {
        look_for_owner(deciding, reader);
    }
    view_reader_destroy(reader);
    return status;
}

static enum status
check_named(const struct deciding *deciding, struct error *error)
{
    for (int d = 0; d < DIM_COUNT; d++) {
        if (deciding->wanted.scope[d].data != NULL) {
            return STATUS_OK;
        }
    }
    if (deciding->wanted.review_id.data != NULL || deciding->review_word != NULL) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_BAD_CONFIG,
            "decide: for what? Name a review (`retrywatch reviews` shows them), or --owner, "
            "--environment, --bucket");
}

/* ---- asking and telling -------------------------------------------------------------------- */

/* Who probably decides: the one who is logged in. */
static const char *
person(void)
{
    const struct passwd *entry = getpwuid(geteuid());

    return entry != NULL ? entry->pw_name : NULL;
}

static enum status
ask_rest(struct deciding *deciding, struct error *error)
{
    deciding->questions = (struct decision_questions){
            .in = stdin,
            .out = stdout,
            .rule = &deciding->config->rule,
            .start_ms = decision_start(&deciding->wanted),
            .proposed = json_string_value(json_object_get(deciding->review, "proposed_action")),
            .person = person(),
            .ask_end = deciding->wish->expires == NULL,
            .ask_risk = !deciding->wish->risk && deciding->wish->share == NULL,
    };
    if (deciding->review != NULL) {
        review_print(deciding->review, deciding->now_ms, stdout, review_style_for(stdout));
    }
    return decision_ask(&deciding->questions, &deciding->wanted, error);
}

/* A script is told what it forgot, all of it. */
static enum status
check_rest(struct deciding *deciding, struct error *error)
{
    struct decision *wanted = &deciding->wanted;

    if (wanted->decision_owner.data == NULL) {
        wanted->decision_owner = span_or_null(person());
    }
    if (wanted->action < ACTION_COUNT && wanted->reason.data != NULL &&
            wanted->decision_owner.data != NULL) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_BAD_CONFIG,
            "decide: there is no terminal to ask on, so these are needed:%s%s%s",
            wanted->action >= ACTION_COUNT ? " --action" : "",
            wanted->reason.data == NULL ? " --reason" : "",
            wanted->decision_owner.data == NULL ? " --decision-owner" : "");
}

static void
tell_json(const struct deciding *deciding, const struct decision *decision)
{
    json_t *json = decision_describe(decision, &deciding->config->rule, deciding->now_ms);

    json_object_set_new(json, "topic", json_string(deciding->config->topics.decisions));
    json_object_set(json, "owner_known", deciding->owner_known);
    json_object_set_new(
            json, "note", deciding->note != NULL ? json_string(deciding->note) : json_null());
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
}

static void
tell(const struct deciding *deciding, const struct decision *decision)
{
    struct buffer scope = {0};

    decision_put_scope(&scope, decision);
    printf("Decision %.*s is in %s.\nIt covers %.*s, until %s.\n", (int)decision->decision_id.size,
            (const char *)decision->decision_id.data, deciding->config->topics.decisions,
            (int)scope.size, (const char *)scope.data,
            human_time(decision_end(decision, &deciding->config->rule)).text);
    if (decision->review_id.data != NULL) {
        printf("It ends with that review. To cover the next rise too, decide by --owner.\n");
    }
    if (deciding->note != NULL) {
        printf("%s\n", deciding->note);
    }
    buffer_fini(&scope);
}

/* ---- the command --------------------------------------------------------------------------- */

/* Shows what will be written. It is decided when it is confirmed: a later replay of the log must
 * find it where the service met it. */
static enum status
confirm(const struct deciding *deciding, struct decision *decision, struct error *error)
{
    if (!deciding->wish->yes) {
        putchar('\n');
        decision_print(decision, &deciding->config->rule, deciding->now_ms, stdout);
        if (deciding->note != NULL) {
            printf("%s\n", deciding->note);
        }
        if (!decision_ask_yes(stdin, stdout, "Write it?")) {
            return error_set(error, STATUS_FAILED, "nothing was written");
        }
    }
    decision->decided_at_ms = clock_system.wall_ms(&clock_system);
    return decision_check(decision, &deciding->config->rule, error);
}

static enum status
decide(struct deciding *deciding, struct error *error)
{
    struct decision decision;
    enum status status = read_wish(deciding, error);

    if (status == STATUS_OK) {
        status = check_named(deciding, error);
    }
    /* What cannot be written is refused before anybody is asked anything. */
    if (status == STATUS_OK) {
        status = decision_check_scope(deciding->config, &deciding->wanted, error);
    }
    if (status == STATUS_OK) {
        status = decision_check_texts(&deciding->wanted, error);
    }
    if (status == STATUS_OK) {
        status = look_around(deciding, error);
    }
    if (status == STATUS_OK) {
        status = deciding->terminal ? ask_rest(deciding, error) : check_rest(deciding, error);
    }
    if (status == STATUS_OK) {
        status = decision_prepare(
                deciding->config, &deciding->wanted, &deciding->arena, &decision, error);
    }
    if (status == STATUS_OK && deciding->terminal) {
        status = confirm(deciding, &decision, error);
    }
    if (status == STATUS_OK) {
        status = decision_write(deciding->config, &decision, deciding->format, error);
    }
    if (status == STATUS_OK && deciding->json) {
        tell_json(deciding, &decision);
    } else if (status == STATUS_OK) {
        tell(deciding, &decision);
    }
    return status;
}

static int
run(const struct wish *wish, const struct cli *cli, const struct config *config)
{
    struct deciding deciding = {.wish = wish,
            .config = config,
            .review_word = cli->word_count > 0 ? cli->word[0] : NULL,
            .json = cli->json,
            .terminal = !cli->json && isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0,
            .now_ms = clock_system.wall_ms(&clock_system),
            .owner_known = json_null()};
    struct error error = {0};
    int code = 0;

    arena_init(&deciding.arena);
    if (deciding.review_word != NULL && wish->review != NULL) {
        error_set(&error, STATUS_BAD_CONFIG, "decide: name the review once");
        code = cli_fail(&error);
    } else if (decide(&deciding, &error) != STATUS_OK) {
        code = cli_fail(&error);
    }
    free(deciding.questions.reason);
    free(deciding.questions.decision_owner);
    json_decref(deciding.review);
    arena_fini(&deciding.arena);
    return code;
}

#define TEXT(name, argument, help, member)                       \
    {                                                            \
        (name), (argument), (help), CLI_TEXT, &wish.member, 0, 0 \
    }
#define FLAG(name, help, member)                           \
    {                                                      \
        (name), NULL, (help), CLI_FLAG, &wish.member, 0, 0 \
    }

int
command_decide(int argc, char **argv)
{
    struct wish wish = {0};
    const struct cli_option options[] = {
            TEXT("--owner", "NAME", "Cover the reviews of this owner", dimensions[DIM_OWNER]),
            TEXT("--environment", "NAME", "... in this environment", dimensions[DIM_ENVIRONMENT]),
            TEXT("--bucket", "NAME", "... of this budget bucket", dimensions[DIM_BUCKET]),
            TEXT("--workload", "NAME", "... of this workload", dimensions[DIM_WORKLOAD]),
            TEXT("--class", "NAME", "... of this request class", dimensions[DIM_CLASS]),
            TEXT("--review", "ID", "... and this review only", review),
            TEXT("--action", "NAME", "One of the five actions", action),
            TEXT("--reason", "TEXT", "Why, in at most 200 characters", reason),
            TEXT("--expires", "TIME", "24h, 3d or 2026-09-26T18:00:00Z (review.decision_default)",
                    expires),
            TEXT("--effective-from", "TIME", "Start later than now", from),
            FLAG("--accept-spend-risk", "Accept that spend may rise further", risk),
            TEXT("--max-retry-share", "SHARE", "Hold up to this share: 25%", share),
            TEXT("--decision-owner", "NAME", "Who decides (who is logged in)", person),
            {"--source-url", "URL", "A page that was checked; may be repeated", CLI_TEXTS,
                    &wish.urls, 0, 0},
            TEXT("--access-date", "DATE", "When the pages were read", access_date),
            TEXT("--pricing-checked", "TIME", "When the pricing page was checked", pricing_checked),
            FLAG("--allocation-rule-checked", "The allocation rule was checked", rule_checked),
            TEXT("--unit-metric", "NAME", "What the units count", unit_metric),
            TEXT("--changed-setting", "TEXT", "A setting that was changed", changed_setting),
            TEXT("--changed-assumption", "TEXT", "An assumption that was changed",
                    changed_assumption),
            TEXT("--remaining-uncertainty", "TEXT", "What is still not known",
                    remaining_uncertainty),
            TEXT("--decision-id", "ID", "Its id (a new one); the same again replaces it", id),
            TEXT("--format", "NAME", "avro or json (avro)", format),
            FLAG("--yes", "Write it without asking", yes),
    };
    struct cli cli = {.name = "decide",
            .words = "[REVIEW_ID]",
            .summary =
                    "Records a cost owner's decision about a review, or about an owner. Asks for "
                    "what is not\ngiven when there is a terminal. The actions:\n"
                    "  keep_budget_unchanged, adjust_request_classification, "
                    "revise_retry_behavior,\n  update_cost_allocation_tags, "
                    "open_cost_exception_review",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG | CLI_OUTPUT,
            .words_max = 1};
    struct config *config = NULL;
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code == CLI_GO_ON) {
        code = run(&wish, &cli, config);
        config_destroy(config);
    }
    return code;
}
