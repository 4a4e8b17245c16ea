/* run_scenario.c - plays a scenario file against one partition (tests/scenario/README.md).
 *
 * Each file is played twice: in one process, and with a restart from what is stored after each
 * line. Both must give the same reviews.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/expect.h"
#include "tests/scenario/script.h"
#include "tests/support/fold.h"
#include "tests/support/fold_store.h"

#include "codec/review_codec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define DAY_MS INT64_C(86400000)
#define CONFIGURED_MAX 8

/* One play of one file. */
struct play {
    bool restarts; /* after each line that acts */
    struct arena arena;
    struct rule rule;
    struct limits limits;
    uint32_t group_by;
    struct configured_evidence configured[CONFIGURED_MAX];
    size_t configured_count;
    struct decisions *decisions;
    struct partition *partition; /* NULL before the first line that needs it */
    struct fold_store store;
    struct partition_metrics before; /* of the last line that acted */
    uint64_t rejected, rejected_before;
    int64_t offset;      /* of the next record */
    json_t *reviews;     /* published by the last line that acted */
    size_t review_index; /* the next one that is expected */
    char last_id[REVIEW_ID_SIZE + 1];
    struct script_line acted; /* the last line that did */
};

/* ---- the partition ------------------------------------------------------------------------------
 */

static void
start_partition(struct play *play)
{
    struct partition_options options = fold_options(&play->rule, &play->limits, play->decisions);

    options.group_by = play->group_by;
    options.configured = play->configured;
    options.configured_count = play->configured_count;
    play->partition = partition_new(&options);
}

static void
restart_partition(struct play *play)
{
    partition_destroy(play->partition);
    start_partition(play);
    fold_store_restore(&play->store, play->partition);
    fold_store_apply(&play->store, play->partition); /* what loading itself found to forget */
    partition_settle(play->partition);
    play->before = *partition_metrics(play->partition);
}

static struct partition *
need_partition(struct play *play)
{
    if (play->partition == NULL) {
        start_partition(play);
    }
    return play->partition;
}

/** Publish and store what the line did, as one batch of the service would. */
static void
settle(struct play *play)
{
    const struct partition_changes *changes = partition_changes(play->partition);
    struct buffer record = {0};

    for (size_t i = 0; i < changes->publication_count; i++) {
        struct error error;
        json_t *review = NULL;

        buffer_clear(&record);
        review_encode(&changes->publications[i].packet, REVIEW_SCHEMA_ID_DEFAULT, &record);
        if (review_decode(buffer_span(&record), &review, &error) != STATUS_OK) {
            script_fail(&play->acted, "%s", error.text);
        }
        json_array_append_new(play->reviews, review);
    }
    buffer_fini(&record);
    fold_store_apply(&play->store, play->partition);
    partition_settle(play->partition);
}

/* ---- acting -------------------------------------------------------------------------------------
 */

static void
act_rule(struct play *play, struct script_line *line)
{
    struct rule *rule = &play->rule;

    rule->attempts_min = script_number(line, "attempts_min", rule->attempts_min);
    rule->retries_min = script_number(line, "retries_min", rule->retries_min);
    rule->calm_closes = script_number(line, "calm_closes", rule->calm_closes);
    rule->repeats = script_number(line, "repeats", rule->repeats);
    rule->repeat_ms =
            script_time(line, "repeat_after", SCRIPT_START + rule->repeat_ms) - SCRIPT_START;
    rule->continue_ms =
            script_time(line, "continue_within", SCRIPT_START + rule->continue_ms) - SCRIPT_START;
    rule->shadow = script_flag(line, "shadow");

    const uint8_t dropped =
            script_symbol(line, "not_required", missing_field_names, MISSING_COUNT, MISSING_COUNT);

    if (dropped != MISSING_COUNT) {
        rule->required &= ~(1U << dropped);
    }
}

static void
act_group_by(struct play *play, struct script_line *line)
{
    play->group_by = 0;
    for (enum dimension i = 0; i < DIM_COUNT; i++) {
        play->group_by |= (uint32_t)script_flag(line, dimension_name(i)) << i;
    }
}

/** Absent: the fallback; `none`: null. */
static struct span
text_or(struct script_line *line, const char *key, const char *fallback)
{
    const char *value = script_take(line, key);

    value = value != NULL ? value : fallback;
    return value == NULL || strcmp(value, "none") == 0 ? SPAN_NULL : span_of(value);
}

/** A date in days since the epoch, from a time of the scenario. */
static int32_t
date_of(struct script_line *line, const char *key)
{
    const int64_t time_ms = script_time(line, key, TIME_NULL);

    return time_ms == TIME_NULL ? DATE_NULL : (int32_t)(time_ms / DAY_MS);
}

static void
act_evidence(struct play *play, struct script_line *line)
{
    if (play->configured_count == CONFIGURED_MAX) {
        script_fail(line, "more than %d entries", CONFIGURED_MAX);
    }

    struct configured_evidence *entry = &play->configured[play->configured_count++];

    entry->owner = script_span(line, "owner");
    entry->bucket = script_span(line, "bucket");
    entry->unit_metric = script_span(line, "metric");
    entry->source_urls[0] = script_span(line, "url");
    entry->source_url_count = entry->source_urls[0].data != NULL;
    entry->pricing_source_checked_at_ms = script_time(line, "pricing", TIME_NULL);
    entry->access_date = date_of(line, "access");
    entry->allocation_rule_checked = script_flag(line, "allocation");
}

/* What is not said is complete, so that a scenario names only what it is about. */
static void
read_outcome(struct script_line *line, struct outcome *outcome)
{
    outcome_init(outcome);
    outcome->dimensions[DIM_OWNER] = text_or(line, "owner", NULL);
    outcome->dimensions[DIM_WORKLOAD] = text_or(line, "workload", "web");
    outcome->dimensions[DIM_ENVIRONMENT] = text_or(line, "environment", "prod");
    outcome->dimensions[DIM_CLASS] = text_or(line, "class", "chat");
    outcome->dimensions[DIM_BUCKET] = text_or(line, "bucket", "main");
    outcome->operation_id = span_of("op");
    outcome->attempt_number = (int32_t)script_number(line, "attempt", 1);
    outcome->unit_metric = text_or(line, "metric", "tokens");
    outcome->source_urls[0] = text_or(line, "url", "https://docs.example/pricing");
    outcome->source_url_count = outcome->source_urls[0].data != NULL;
    outcome->allocation_rule_id = script_span(line, "allocation");
    outcome->units = script_number(line, "units", -1);
    outcome->has_units = outcome->units >= 0;
    outcome->result = script_symbol(line, "result", result_names, RESULT_COUNT, RESULT_SUCCESS);
    outcome->error_category =
            script_symbol(line, "error", error_category_names, ERROR_COUNT, SYMBOL_NULL);
    outcome->retry_layer =
            script_symbol(line, "layer", retry_layer_names, LAYER_COUNT, LAYER_UNKNOWN);
    outcome->retry_decision = script_symbol(
            line, "retry_decision", retry_decision_names, RETRY_DECISION_COUNT, SYMBOL_NULL);
    outcome->retry_cause = SYMBOL_NULL;
    if (strcmp(script_take(line, "cause") != NULL ? script_take(line, "cause") : "", "none") != 0) {
        outcome->retry_cause = script_symbol(
                line, "cause", retry_cause_names, CAUSE_COUNT, CAUSE_SCHEDULED_MAINTENANCE);
    }
}

/** Dates of the outcome as the line says them; what it does not say is the event's own time. */
static void
count_one(struct play *play, struct script_line *line, struct outcome *outcome, int64_t record_ms)
{
    struct partition *partition = need_partition(play);
    const char *pricing = script_take(line, "pricing");
    struct error error;

    outcome->event_time_ms = script_time(line, "event", record_ms);
    outcome->pricing_source_checked_at_ms = outcome->event_time_ms;
    if (pricing != NULL) {
        outcome->pricing_source_checked_at_ms =
                strcmp(pricing, "none") == 0 ? TIME_NULL : script_parse_time(line, pricing);
    }
    partition_record(partition, play->offset++, record_ms);
    if (outcome_check(outcome, record_ms, play->limits.future_ms, &error) == STATUS_OK) {
        partition_count(partition, outcome);
    } else {
        play->rejected++;
    }
}

static void
act_outcome(struct play *play, struct script_line *line)
{
    struct outcome outcome;
    const int64_t times = script_number(line, "times", 1);
    const int64_t every_ms = script_time(line, "every", SCRIPT_START) - SCRIPT_START;
    const int64_t at_ms = script_time(line, "at", SCRIPT_START);

    read_outcome(line, &outcome);
    for (int64_t i = 0; i < times; i++) {
        count_one(play, line, &outcome, at_ms + i * every_ms);
    }
}

/** Minute after minute so many first attempts and retries. */
static void
act_traffic(struct play *play, struct script_line *line)
{
    struct outcome outcome;
    const int64_t minutes = script_number(line, "minutes", 1);
    const int64_t first = script_number(line, "first", 0);
    const int64_t retries = script_number(line, "retries", 0);
    const int64_t at_ms = script_time(line, "at", SCRIPT_START);

    read_outcome(line, &outcome);
    for (int64_t minute = 0; minute < minutes; minute++) {
        for (int64_t i = 0; i < first + retries; i++) {
            outcome.attempt_number = i < first ? 1 : 2;
            count_one(play, line, &outcome, at_ms + minute * MINUTE_MS);
        }
    }
}

static void
act_decision(struct play *play, struct script_line *line)
{
    struct decision decision = {
            .decision_id = script_span(line, "id"),
            .decision_owner = text_or(line, "by", "finops"),
            .scope[DIM_OWNER] = script_span(line, "owner"),
            .scope[DIM_WORKLOAD] = script_span(line, "workload"),
            .scope[DIM_ENVIRONMENT] = script_span(line, "environment"),
            .scope[DIM_CLASS] = script_span(line, "class"),
            .scope[DIM_BUCKET] = script_span(line, "bucket"),
            .reason = text_or(line, "reason", "known"),
            .unit_metric = script_span(line, "metric"),
            .source_urls[0] = script_span(line, "url"),
            .decided_at_ms = script_time(line, "decided", SCRIPT_START),
            .effective_from_ms = script_time(line, "from", TIME_NULL),
            .expires_at_ms = script_time(line, "expires", TIME_NULL),
            .pricing_source_checked_at_ms = script_time(line, "pricing", TIME_NULL),
            .access_date = date_of(line, "access"),
            .max_retry_share_bps = (int32_t)script_number(line, "limit_bps", -1),
            .action = script_symbol(line, "action", action_names, ACTION_COUNT, ACTION_KEEP_BUDGET),
            .accepts_spend_risk = script_flag(line, "risk"),
            .allocation_rule_checked = script_flag(line, "allocation"),
            .revoked = script_flag(line, "revoked"),
    };
    const char *review = script_take(line, "review");

    if (review != NULL) { /* `last`: the review that was published last */
        decision.review_id = arena_copy(
                &play->arena, span_of(strcmp(review, "last") == 0 ? play->last_id : review));
    }
    decision.source_url_count = decision.source_urls[0].data != NULL;
    decision.record_ms = script_time(line, "record", decision.decided_at_ms);
    decisions_put(play->decisions, &decision);
}

static void
act_tick(struct play *play, struct script_line *line)
{
    partition_tick(need_partition(play), script_time(line, "at", SCRIPT_START));
}

/** With decisions=forgotten the topic has compacted them all away. */
static void
act_restart(struct play *play, struct script_line *line)
{
    if (script_take(line, "decisions") != NULL) {
        decisions_destroy(play->decisions);
        play->decisions = decisions_new();
    }
    restart_partition(play);
}

static const struct {
    const char *verb;
    void (*act)(struct play *play, struct script_line *line);
} acts[] = {
        {"rule", act_rule},
        {"group_by", act_group_by},
        {"evidence", act_evidence},
        {"outcome", act_outcome},
        {"traffic", act_traffic},
        {"decision", act_decision},
        {"tick", act_tick},
        {"restart", act_restart},
};

/* ---- expecting
 * ----------------------------------------------------------------------------------- */

/** Everything published must have been expected before the next line acts. */
static void
expect_no_more(const struct play *play)
{
    if (play->review_index < json_array_size(play->reviews)) {
        const json_t *review = json_array_get(play->reviews, play->review_index);

        script_fail(&play->acted, "published %s (%s) of %s, which was not expected",
                json_string_value(json_object_get(review, "status")),
                json_string_value(json_object_get(review, "reason")),
                json_string_value(json_object_get(json_object_get(review, "scope"), "owner_tag")));
    }
}

static void
act(struct play *play, struct script_line *line)
{
    size_t i = 0;

    expect_no_more(play);
    json_array_clear(play->reviews);
    play->review_index = 0;
    play->acted = *line;
    if (play->partition != NULL) {
        play->before = *partition_metrics(play->partition);
    }
    play->rejected_before = play->rejected;
    while (i < sizeof(acts) / sizeof(acts[0]) && strcmp(acts[i].verb, line->verb) != 0) {
        i++;
    }
    if (i == sizeof(acts) / sizeof(acts[0])) {
        script_fail(line, "nobody knows how to '%s'", line->verb);
    }
    acts[i].act(play, line);
    script_end(line);
    if (play->partition != NULL) {
        settle(play);
    }
}

static void
expect_published(struct play *play, struct script_line *line)
{
    const json_t *review = json_array_get(play->reviews, play->review_index);

    if (strcmp(line->verb, "review") != 0) {
        script_fail(line, "only a review can be expected");
    }
    if (review == NULL) {
        script_fail(line, "no review was published");
    }
    play->review_index += 1;
    expect_review(line, review, play->last_id);
    snprintf(play->last_id, sizeof(play->last_id), "%s",
            json_string_value(json_object_get(review, "review_id")));
}

static void
expect_text(const struct script_line *line, const char *key, const char *want, const char *text)
{
    if (want != NULL && strcmp(want, text) != 0) {
        script_fail(line, "%s is %s, expected %s", key, text, want);
    }
}

static void
expect_integer(struct script_line *line, const char *key, int64_t number)
{
    const int64_t want = script_number(line, key, number);

    if (want != number) {
        script_fail(line, "%s is %" PRId64 ", expected %" PRId64, key, number, want);
    }
}

/** What is stored of a group's review, for what nobody publishes. */
static void
expect_state(struct play *play, struct script_line *line)
{
    const struct span dimensions[DIM_COUNT] = {[DIM_OWNER] = script_span(line, "owner"),
            [DIM_ENVIRONMENT] = script_span(line, "environment"),
            [DIM_BUCKET] = script_span(line, "bucket")};
    struct review review;
    struct evidence evidence;
    char adopted[64] = "none";

    if (!fold_store_review(&play->store, dimensions, &review, &evidence)) {
        script_fail(line, "no such group is stored");
    }
    if (review.adopted != NULL) {
        snprintf(adopted, sizeof(adopted), "%.*s", (int)review.adopted->decision_id.size,
                (const char *)review.adopted->decision_id.data);
    }
    expect_text(line, "state", script_take(line, "state"), review_state_names[review.state]);
    expect_text(line, "adopted", script_take(line, "adopted"), adopted);
    expect_integer(line, "limit_bps", review.adopted_limit_bps);
    expect_integer(line, "calm_closes", review.calm_closes);
    expect_integer(line, "generation", review.generation);
    expect_integer(line, "sequence", review.sequence);
    script_end(line);
    review_fini(&review);
    evidence_fini(&evidence);
}

static uint64_t
sum_published(const struct partition_metrics *metrics)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < REVIEW_STATUS_COUNT; i++) {
        sum += metrics->published[i];
    }
    return sum;
}

/** Only the metrics that are named are looked at. */
static void
expect_metrics(struct play *play, struct script_line *line)
{
    const struct partition_metrics *before = &play->before;
    const struct partition_metrics *now = partition_metrics(need_partition(play));
    const struct {
        const char *name;
        uint64_t delta;
    } metrics[] = {
            {"events_counted", now->counted - before->counted},
            {"events_late", now->late - before->late},
            {"events_too_late", now->too_late - before->too_late},
            {"events_rejected", play->rejected - play->rejected_before},
            {"reviews_published", sum_published(now) - sum_published(before)},
            {"reviews_suppressed", now->suppressed - before->suppressed},
            {"minutes_closed", now->closes - before->closes},
            {"evaluations", now->evaluations - before->evaluations},
    };

    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        expect_integer(line, metrics[i].name, (int64_t)metrics[i].delta);
    }
    script_end(line);
}

/* ---- one file
 * ------------------------------------------------------------------------------------ */

/** A restart comes before the next line that acts, after all looked at what the last one did. */
static void
play_line(struct play *play, struct script_line *line)
{
    switch (line->mark) {
    case SCRIPT_ACT:
        if (play->restarts && play->partition != NULL) {
            restart_partition(play);
        }
        act(play, line);
        break;
    case SCRIPT_REVIEW:
        expect_published(play, line);
        break;
    case SCRIPT_STATE:
        expect_state(play, line);
        break;
    case SCRIPT_METRICS:
        expect_metrics(play, line);
        break;
    }
}

static void
play_file(const char *path, bool restarts)
{
    FILE *file = fopen(path, "r");
    struct script_line line = {.path = path};
    struct play play = {
            .restarts = restarts,
            .rule = default_rule(),
            .limits = fold_limits,
            .group_by = 1U << DIM_OWNER | 1U << DIM_ENVIRONMENT | 1U << DIM_BUCKET,
            .decisions = decisions_new(),
            .reviews = json_array(),
            .acted = {.path = path},
    };

    if (file == NULL) {
        script_fail(&line, "cannot be opened");
    }
    arena_init(&play.arena);
    while (script_next(file, path, &play.arena, &line)) {
        play_line(&play, &line);
    }
    expect_no_more(&play);
    fclose(file);
    partition_destroy(play.partition);
    fold_store_fini(&play.store);
    decisions_destroy(play.decisions);
    json_decref(play.reviews);
    arena_fini(&play.arena);
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        play_file(argv[i], false);
        printf("%s: plays\n", argv[i]);
        play_file(argv[i], true);
        printf("%s: plays with a restart after each line\n", argv[i]);
    }
    return argc > 1 ? 0 : 2;
}
