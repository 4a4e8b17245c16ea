/* review_print.c - a review packet laid out for a person who decides about money, not about Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/review_print.h"

#include "aggregator/decision.h"
#include "aggregator/packet.h"
#include "consumer/human.h"

#include <inttypes.h>
#include <stdlib.h>

#define BAR_WIDTH 30
#define ROWS_MAX 16
#define LABEL_WIDTH 16
#define PLAIN_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/"

struct printer {
    struct buffer out;
    enum review_style style;
    const json_t *review;
    int64_t now_ms;
};

enum review_style
review_style_for(FILE *out)
{
    return human_colour(out) ? REVIEW_COLOUR : REVIEW_PLAIN;
}

/* ---- words ----------------------------------------------------------------------------------- */

struct word {
    const char *name;
    const char *says;
};

static const struct word reasons[] = {
        {"rise", "Retries have risen, and no cost owner has recorded a decision about it."},
        {"rise_again", "Retries have risen again, soon after they had calmed down."},
        {"decision", "A cost owner has decided."},
        {"unanswered", "Retries are still up, and nobody has decided yet."},
        {"decision_expired", "The decision about it has ended, and retries are still up."},
        {"decision_revoked", "The decision about it was revoked, and retries are still up."},
        {"share_exceeded", "Retries have passed the limit of the decision about it."},
        {"new_cause", "Retries have another main cause now than when it was decided."},
        {"calm", "Retries are down again."},
        {"no_traffic", "There has been no traffic for an hour."},
};

static const struct word missing_fields[] = {
        {"owner_tag", "who answers for the spend"},
        {"workload_tag", "which service or job asked"},
        {"environment", "whether it is production, staging or another"},
        {"request_class", "what kind of requests these are"},
        {"budget_bucket", "which budget they count towards"},
        {"unit_metric", "what the units count"},
        {"source_urls", "which documentation pages were checked"},
        {"access_date", "when they were read"},
        {"pricing_source_checked_at", "when a pricing page was last checked"},
        {"retry_cause", "why requests were retried"},
};

static const struct word pause_reasons[] = {
        {"sample_missing", "too few attempts, or no first attempt, to judge by"},
        {"owner_unidentified", "nobody is named who could answer for the spend"},
        {"pricing_source_unchecked", "nobody has said when a pricing page was checked"},
        {"pricing_source_stale", "the pricing page was checked too long ago"},
        {"unit_metric_undefined", "what the units count is not known, or has changed"},
        {"retry_cause_unknown", "too many retries do not say why"},
};

static const struct word actions[] = {
        {"keep_budget_unchanged", "leave the budget as it is"},
        {"adjust_request_classification", "say what kind of requests these are"},
        {"revise_retry_behavior", "change when, and how often, requests are retried"},
        {"update_cost_allocation_tags", "complete the tags that say who pays"},
        {"open_cost_exception_review", "have an exception to the budget reviewed"},
};
#define WORDS(words) words, sizeof(words) / sizeof((words)[0])

static const char *
word_says(const struct word *words, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].name, name) == 0) {
            return words[i].says;
        }
    }
    return NULL;
}

/* ---- fields of the packet -------------------------------------------------------------------- */

static const json_t *
field(const struct printer *printer, const char *name)
{
    return json_object_get(printer->review, name);
}

static int64_t
number(const struct printer *printer, const char *name)
{
    return json_integer_value(field(printer, name));
}

/* "" when it is null or missing. */
static const char *
text(const struct printer *printer, const char *name)
{
    const char *value = json_string_value(field(printer, name));

    return value != NULL ? value : "";
}

static bool
is_markdown(const struct printer *printer)
{
    return printer->style == REVIEW_MARKDOWN;
}

/* ---- layout ---------------------------------------------------------------------------------- */

static void
say(struct printer *printer, const char *words)
{
    buffer_put_text(&printer->out, words);
}

/* Text of others. In Markdown as code, so that nothing in it is a link, a mention or HTML. */
static void
put_value(struct printer *printer, const char *value)
{
    struct buffer harmless = {0};

    if (!is_markdown(printer)) {
        human_put_text(&printer->out, span_of(value));
        return;
    }
    human_put_text(&harmless, span_of(value));
    buffer_put_byte(&printer->out, '`');
    for (size_t i = 0; i < harmless.size; i++) {
        /* Neither of the two can be escaped within code in a table everywhere. */
        const uint8_t byte = harmless.data[i];

        buffer_put_byte(&printer->out, byte == '`' ? '\'' : byte == '|' ? '/' : byte);
    }
    buffer_put_byte(&printer->out, '`');
    buffer_fini(&harmless);
}

static void
section(struct printer *printer, const char *title)
{
    switch (printer->style) {
    case REVIEW_MARKDOWN:
        buffer_printf(&printer->out, "\n### %s\n\n", title);
        break;
    case REVIEW_COLOUR:
        buffer_printf(&printer->out, "\n\033[1m%s\033[0m\n", title);
        break;
    case REVIEW_PLAIN:
        buffer_printf(&printer->out, "\n%s\n", title);
    }
}

/* The beginning of a line that says one thing; its value and "\n" follow. */
static void
label(struct printer *printer, const char *name)
{
    if (is_markdown(printer)) {
        buffer_printf(&printer->out, "- **%s:** ", name);
    } else {
        buffer_printf(&printer->out, "  %-*s  ", LABEL_WIDTH, name);
    }
}

static void
fact(struct printer *printer, const char *name, const char *value)
{
    label(printer, name);
    put_value(printer, value);
    say(printer, "\n");
}

/* Words of ours: no code in Markdown. */
static void
note(struct printer *printer, const char *name, const char *words)
{
    label(printer, name);
    say(printer, words);
    say(printer, "\n");
}

/* "2026-11-22 10:14 UTC (2 h ago)" */
static void
put_time(struct printer *printer, int64_t time_ms)
{
    const int64_t ago_ms = printer->now_ms - time_ms;

    say(printer, human_time(time_ms).text);
    if (ago_ms >= 0) {
        buffer_printf(&printer->out, " (%s ago)", human_duration(ago_ms).text);
    } else {
        buffer_printf(&printer->out, " (in %s)", human_duration(-ago_ms).text);
    }
}

/* A list of names and what they mean. */
static void
put_words(struct printer *printer, const json_t *names, const struct word *words, size_t count)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *says = name != NULL ? word_says(words, count, name) : NULL;

        say(printer, is_markdown(printer) ? "- " : "  - ");
        put_value(printer, name != NULL ? name : "");
        buffer_printf(&printer->out, "%s%s\n", says != NULL ? ": " : "", says != NULL ? says : "");
    }
}

/* ---- bars ------------------------------------------------------------------------------------ */

struct row {
    const char *name;
    int64_t value;
    char shown[2 * HUMAN_SIZE + 4];
};

static size_t
widest(const struct row *rows, size_t count, bool names)
{
    size_t width = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t one = human_width(span_of(names ? rows[i].name : rows[i].shown));

        width = one > width ? one : width;
    }
    return width;
}

static void
put_padding(struct printer *printer, size_t width, size_t used)
{
    buffer_printf(&printer->out, "%*s", width > used ? (int)(width - used) : 0, "");
}

static void
put_row(struct printer *printer, const struct row *row, int64_t max, size_t name_width,
        size_t shown_width)
{
    const size_t shown = human_width(span_of(row->shown));

    if (is_markdown(printer)) {
        say(printer, "| ");
        put_value(printer, row->name);
        buffer_printf(&printer->out, " | %s | ", row->shown);
        human_put_bar(&printer->out, row->value, max, BAR_WIDTH);
        say(printer, " |\n");
        return;
    }
    say(printer, "  ");
    put_value(printer, row->name);
    put_padding(printer, name_width, human_width(span_of(row->name)));
    say(printer, "  ");
    put_padding(printer, shown_width, shown);
    say(printer, row->shown);
    say(printer, "  ");
    human_put_bar(&printer->out, row->value, max, BAR_WIDTH);
    say(printer, "\n");
}

static void
put_rows(struct printer *printer, const struct row *rows, size_t count, int64_t max)
{
    size_t name_width = widest(rows, count, true);

    name_width = name_width > LABEL_WIDTH ? name_width : LABEL_WIDTH;
    if (is_markdown(printer)) {
        say(printer, "| | | |\n|---|--:|---|\n");
    }
    for (size_t i = 0; i < count; i++) {
        put_row(printer, &rows[i], max, name_width, widest(rows, count, false));
    }
}

static int
compare_rows(const void *a, const void *b)
{
    const struct row *first = a;
    const struct row *second = b;

    return first->value != second->value
                   ? (first->value < second->value) - (first->value > second->value)
                   : strcmp(first->name, second->name);
}

/* Counts beside their sum: "300  71.1 %"; largest first. */
static void
put_counts(struct printer *printer, const char *title, struct row *rows, size_t count, int64_t sum)
{
    if (count == 0) {
        return;
    }
    qsort(rows, count, sizeof(*rows), compare_rows);
    for (size_t i = 0; i < count; i++) {
        const int64_t bps = sum > 0 ? (int64_t)((double)rows[i].value * 10000 / (double)sum) : 0;

        snprintf(rows[i].shown, sizeof(rows[i].shown), "%s  %7s", human_count(rows[i].value).text,
                human_share(bps).text);
    }
    section(printer, title);
    put_rows(printer, rows, count, rows[0].value);
}

/* A map of name to count. of: their sum, or -1 to add them up. */
static void
put_map(struct printer *printer, const char *title, const char *name, int64_t of)
{
    json_t *map = json_object_get(printer->review, name);
    struct row rows[ROWS_MAX];
    const char *key = NULL;
    json_t *value = NULL;
    size_t count = 0;
    int64_t sum = 0;

    json_object_foreach(map, key, value)
    {
        sum += json_integer_value(value);
        if (count < ROWS_MAX) {
            rows[count++] = (struct row){.name = key, .value = json_integer_value(value)};
        }
    }
    put_counts(printer, title, rows, count, of >= 0 ? of : sum);
}

/* The values of a dimension with the most retries; of one that all share there is nothing to say.
 */
static void
put_top(struct printer *printer, const char *title, const char *name, const char *dimension)
{
    const json_t *list = field(printer, name);
    struct row rows[ROWS_MAX];
    size_t count = 0;

    if (json_is_string(json_object_get(field(printer, "scope"), dimension))) {
        return;
    }
    for (size_t i = 0; i < json_array_size(list) && count < ROWS_MAX; i++) {
        const json_t *top = json_array_get(list, i);
        const char *value = json_string_value(json_object_get(top, "value"));

        rows[count++] = (struct row){.name = value != NULL ? value : "",
                .value = json_integer_value(json_object_get(top, "retries"))};
    }
    put_counts(printer, title, rows, count, number(printer, "retries"));
}

/* ---- the parts ------------------------------------------------------------------------------- */

static void
print_title(struct printer *printer)
{
    const char *status = text(printer, "status");
    const bool ended = strcmp(status, "decided") == 0 || strcmp(status, "resolved") == 0;

    switch (printer->style) {
    case REVIEW_MARKDOWN:
        buffer_printf(&printer->out, "## Review %s: %s\n\n", text(printer, "review_id"), status);
        break;
    case REVIEW_COLOUR:
        buffer_printf(&printer->out, "\033[1mReview %s: \033[%sm%s\033[0m\n",
                text(printer, "review_id"), ended ? "32" : "31", status);
        break;
    case REVIEW_PLAIN:
        buffer_printf(&printer->out, "Review %s: %s\n", text(printer, "review_id"), status);
    }
}

static void
print_scope(struct printer *printer)
{
    static const struct word dimensions[] = {
            {"owner_tag", "Owner"},
            {"environment", "Environment"},
            {"budget_bucket", "Budget bucket"},
            {"workload_tag", "Workload"},
            {"request_class", "Request class"},
    };

    for (size_t i = 0; i < sizeof(dimensions) / sizeof(dimensions[0]); i++) {
        const char *value =
                json_string_value(json_object_get(field(printer, "scope"), dimensions[i].name));

        if (value != NULL) {
            fact(printer, dimensions[i].says, value);
        }
    }
}

static void
print_what(struct printer *printer)
{
    const char *says = word_says(WORDS(reasons), text(printer, "reason"));

    if (says != NULL) {
        buffer_printf(&printer->out, "%s\n\n", says);
    }
    print_scope(printer);
    label(printer, "Since");
    put_time(printer, number(printer, "starts_at"));
    say(printer, "\n");
    if (json_is_integer(field(printer, "ends_at"))) {
        label(printer, "Over since");
        put_time(printer, number(printer, "ends_at"));
        say(printer, "\n");
    }
    label(printer, "Last said");
    put_time(printer, number(printer, "window_end"));
    buffer_printf(&printer->out, ", event %" PRId64 " of this review", number(printer, "sequence"));
    if (number(printer, "generation") > 1) {
        buffer_printf(&printer->out, ", its rise number %" PRId64, number(printer, "generation"));
    }
    say(printer, "\n");
}

static void
print_share(struct printer *printer)
{
    struct row rows[] = {
            {"the last hour", number(printer, "retry_share_bps"), ""},
            {"the day before", number(printer, "baseline_share_bps"), ""},
            {"a rise from", number(printer, "threshold_bps"), ""},
    };
    const size_t count = sizeof(rows) / sizeof(rows[0]);
    int64_t max = 1;

    for (size_t i = 0; i < count; i++) {
        snprintf(rows[i].shown, sizeof(rows[i].shown), "%s", human_share(rows[i].value).text);
        max = rows[i].value > max ? rows[i].value : max;
    }
    section(printer, "Share of attempts that were retries");
    put_rows(printer, rows, count, max);
    buffer_printf(&printer->out,
            "%s%s attempts between %s and %s UTC: %s first attempts and %s retries.\n",
            is_markdown(printer) ? "\n" : "  ", human_count(number(printer, "attempts")).text,
            human_hour(number(printer, "window_start")).text,
            human_hour(number(printer, "window_end")).text,
            human_count(number(printer, "first_attempts")).text,
            human_count(number(printer, "retries")).text);
    if (number(printer, "late_count") > 0) {
        buffer_printf(&printer->out, "%s%s of them were counted after their time.\n",
                is_markdown(printer) ? "" : "  ", human_count(number(printer, "late_count")).text);
    }
}

static void
print_units(struct printer *printer)
{
    const char *metric = text(printer, "unit_metric");

    section(printer, "Units, which are no price");
    if (strcmp(metric, "_MIXED") == 0) {
        note(printer, "Counted in", "changed within the hour");
    } else if (metric[0] == '\0') {
        note(printer, "Counted in", "nobody has said");
    } else {
        fact(printer, "Counted in", metric);
    }
    note(printer, "First attempts", human_count(number(printer, "first_attempt_units")).text);
    note(printer, "Retries", human_count(number(printer, "retry_units")).text);
    if (number(printer, "usage_unavailable_count") > 0) {
        label(printer, "Not known");
        buffer_printf(&printer->out, "for %s attempts\n",
                human_count(number(printer, "usage_unavailable_count")).text);
    }
}

static void
print_gaps(struct printer *printer)
{
    const json_t *missing = field(printer, "missing_fields");
    const json_t *pauses = field(printer, "pause_reasons");

    if (json_array_size(missing) != 0) {
        section(printer, "What is missing");
        put_words(printer, missing, WORDS(missing_fields));
    }
    if (json_array_size(pauses) != 0) {
        section(printer, "Why to wait with a decision");
        put_words(printer, pauses, WORDS(pause_reasons));
    }
    if (json_is_true(field(printer, "ready_for_decision"))) {
        section(printer, "Nothing is missing: it can be decided");
    }
}

/* The decision as the state of the group knows it. */
static void
print_decision_details(struct printer *printer, const json_t *decision)
{
    const bool holds = json_is_true(json_object_get(decision, "holds"));
    const char *owner = json_string_value(json_object_get(decision, "decision_owner"));
    const char *reason = json_string_value(json_object_get(decision, "reason"));

    fact(printer, "By", owner != NULL ? owner : "");
    fact(printer, "Reason", reason != NULL ? reason : "");
    label(printer, holds ? "Holds until" : "Was to hold until");
    put_time(printer, json_integer_value(json_object_get(decision, "ends_at")));
    buffer_printf(&printer->out, ", up to %s retries\n",
            human_share(json_integer_value(json_object_get(decision, "limit_bps"))).text);
    note(printer, "Spend risk",
            json_is_true(json_object_get(decision, "accepts_spend_risk")) ? "accepted"
                                                                          : "not accepted");
    if (!holds) {
        note(printer, "Now", "it answers this review no more");
    }
}

static void
print_decision(struct printer *printer)
{
    const char *action = text(printer, "cost_owner_action");
    const char *says = word_says(WORDS(actions), action);
    const json_t *decision = field(printer, "decision");

    section(printer, "The decision");
    if (!json_is_string(field(printer, "last_decision"))) {
        note(printer, "Decided", "nothing yet");
        return;
    }
    label(printer, "Decided");
    put_value(printer, action);
    buffer_printf(&printer->out, "%s%s\n", says != NULL ? ": " : "", says != NULL ? says : "");
    fact(printer, "As", text(printer, "last_decision"));
    if (decision != NULL) {
        print_decision_details(printer, decision);
    }
}

static void
print_choice(struct printer *printer)
{
    const char *proposed = text(printer, "proposed_action");

    if (strcmp(text(printer, "status"), "resolved") == 0) {
        return;
    }
    section(printer, "What can be decided");
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        const bool is_proposed = strcmp(actions[i].name, proposed) == 0;

        say(printer, is_markdown(printer) ? "- " : is_proposed ? "  > " : "    ");
        put_value(printer, actions[i].name);
        buffer_printf(&printer->out, ": %s%s\n", actions[i].says,
                !is_proposed           ? ""
                : is_markdown(printer) ? " **(proposed)**"
                                       : " (proposed)");
    }
}

/* What to type next. Names that a shell would read otherwise are left out. */
static void
print_commands(struct printer *printer)
{
    const char *owner = json_string_value(json_object_get(field(printer, "scope"), "owner_tag"));
    char command[128];

    section(printer, "What to type");
    if (owner != NULL && owner[0] != '-' && owner[strspn(owner, PLAIN_LETTERS)] == '\0') {
        snprintf(command, sizeof(command), "retrywatch owner %.64s", owner);
        fact(printer, "How it is now", command);
    }
    if (strcmp(text(printer, "status"), "resolved") != 0) {
        snprintf(command, sizeof(command), "retrywatch decide %s", text(printer, "review_id"));
        fact(printer, "To decide", command);
    }
}

static void
print_evidence(struct printer *printer)
{
    const json_t *evidence = field(printer, "evidence");
    const json_t *first = json_object_get(evidence, "first_offset");
    const json_t *urls = field(printer, "source_urls");
    const char *topic = json_string_value(json_object_get(evidence, "topic"));

    section(printer, "Where it comes from");
    for (size_t i = 0; i < json_array_size(urls); i++) {
        fact(printer, "Page checked", json_string_value(json_array_get(urls, i)));
    }
    note(printer, "Pricing page",
            json_is_true(field(printer, "pricing_source_checked")) ? "checked" : "not checked");
    note(printer, "Allocation rule",
            json_is_true(field(printer, "allocation_rule_checked")) ? "checked" : "not checked");
    label(printer, "Counted events");
    put_value(printer, topic != NULL ? topic : "");
    buffer_printf(&printer->out, ", partition %" PRId64,
            (int64_t)json_integer_value(json_object_get(evidence, "partition")));
    if (json_is_integer(first)) {
        buffer_printf(&printer->out, ", offsets %" PRId64 " to %" PRId64,
                (int64_t)json_integer_value(first),
                (int64_t)json_integer_value(json_object_get(evidence, "last_offset")));
    }
    say(printer, "\n");
    label(printer, "Rule");
    buffer_printf(&printer->out, "%s, configuration %s\n", text(printer, "rule_id"),
            text(printer, "config_version"));
}

void
review_print(const json_t *review, int64_t now_ms, FILE *out, enum review_style style)
{
    struct printer printer = {.style = style, .review = review, .now_ms = now_ms};

    print_title(&printer);
    print_what(&printer);
    print_share(&printer);
    put_map(&printer, "Why they were retried", "retries_by_cause", number(&printer, "retries"));
    put_map(&printer, "What failed", "errors_by_category", -1);
    put_map(&printer, "Who retried", "retries_by_layer", number(&printer, "retries"));
    put_map(&printer, "What was decided about a retry", "retry_decisions", -1);
    put_top(&printer, "Workloads with the most retries", "top_workloads", "workload_tag");
    put_top(&printer, "Request classes with the most retries", "top_request_classes",
            "request_class");
    put_top(&printer, "Environments with the most retries", "top_environments", "environment");
    print_units(&printer);
    print_gaps(&printer);
    print_choice(&printer);
    print_decision(&printer);
    print_evidence(&printer);
    print_commands(&printer);
    fwrite(printer.out.data, 1, printer.out.size, out);
    buffer_fini(&printer.out);
}
