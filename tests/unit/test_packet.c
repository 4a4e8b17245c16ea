/* test_packet.c - each field of the packet, row by row of the table of docs/reviews.md.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/packet.h"

#include "tests/support/default_rule.h"
#include "tests/support/rows.h"

#include <stdlib.h>

#define GROUP_BY (1U << DIM_OWNER | 1U << DIM_ENVIRONMENT | 1U << DIM_BUCKET)
#define NOW (100 * DAY + 90 * SECOND)
#define SERIES_MAX 8

/* A group whose packet is complete, so that each test breaks one thing. */
struct scene {
    struct rule rule;
    struct windows windows;
    struct review review;
    struct decision decision; /* adopted by the tests that want one */
    struct evidence evidence;
    struct span dimensions[DIM_COUNT];
    struct configured_evidence configured[4];
    size_t configured_count;
    struct span series_dimensions[SERIES_MAX][DIM_COUNT];
    struct series_retries series[SERIES_MAX];
    size_t series_count;
    uint32_t group_by;
    enum review_status status;
    struct arena arena;
    struct packet packet;
};

static void
remember(struct scene *scene, const char *metric, const char *url, int64_t checked_at)
{
    struct outcome outcome;

    outcome_init(&outcome);
    if (metric != NULL) {
        outcome.unit_metric = span_of(metric);
    }
    if (url != NULL) {
        outcome.source_urls[0] = span_of(url);
        outcome.source_url_count = 1;
    }
    outcome.pricing_source_checked_at_ms = checked_at;
    evidence_remember(&scene->evidence, &outcome, evidence_hash(&outcome), NOW, NOW);
}

static void
add_series(struct scene *scene, const char *class, const char *workload, uint64_t retries)
{
    const size_t i = scene->series_count++;
    struct span *dimensions = scene->series_dimensions[i];

    assert_true(i < SERIES_MAX);
    dimensions[DIM_OWNER] = span_of("ana");
    dimensions[DIM_WORKLOAD] = span_of(workload);
    dimensions[DIM_ENVIRONMENT] = span_of("prod");
    dimensions[DIM_CLASS] = span_of(class);
    dimensions[DIM_BUCKET] = span_of("chat");
    scene->series[i] = (struct series_retries){dimensions, retries};
}

static void
count(struct scene *scene, size_t index, uint64_t value)
{
    scene->windows.l.n[index] = value;
}

static void
forget_evidence(struct scene *scene)
{
    evidence_fini(&scene->evidence);
}

static int
scene_begin(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    scene->rule = default_rule();
    scene->group_by = GROUP_BY;
    scene->windows.minute = NOW / MINUTE;
    count(scene, COUNT_ATTEMPTS, 100);
    count(scene, COUNT_RETRIES, 20);
    count(scene, COUNT_CAUSE + CAUSE_SCHEDULED_MAINTENANCE, 20);
    review_init(&scene->review);
    evidence_init(&scene->evidence);
    remember(scene, "tokens", "https://a", NOW - DAY);
    scene->dimensions[DIM_OWNER] = span_of("ana");
    scene->dimensions[DIM_ENVIRONMENT] = span_of("prod");
    scene->dimensions[DIM_BUCKET] = span_of("chat");
    scene->decision = (struct decision){
            .decision_id = span_of("d1"),
            .pricing_source_checked_at_ms = TIME_NULL,
            .access_date = DATE_NULL,
            .action = ACTION_REVISE_RETRIES,
    };
    arena_init(&scene->arena);
    *state = scene;
    return 0;
}

static int
scene_end(void **state)
{
    struct scene *scene = *state;

    scene->review.adopted = NULL; /* it is the scene's own */
    review_fini(&scene->review);
    evidence_fini(&scene->evidence);
    arena_fini(&scene->arena);
    free(scene);
    return 0;
}

static const struct packet *
fill(struct scene *scene)
{
    const struct review_inputs evaluation = {
            .rule = &scene->rule,
            .windows = &scene->windows,
            .dimensions = scene->dimensions,
            .group_by = scene->group_by,
            .topic = "outcomes",
            .partition = 3,
            .stream_ms = NOW,
    };
    const struct packet_inputs inputs = {
            .review = &scene->review,
            .evaluation = &evaluation,
            .status = scene->status,
            .reason = REASON_RISE,
            .evidence = &scene->evidence,
            .configured = scene->configured,
            .configured_count = scene->configured_count,
            .series = scene->series,
            .series_count = scene->series_count,
            .config_version = "v1",
    };

    packet_fill(&scene->packet, &scene->arena, &inputs);
    return &scene->packet;
}

static void
adopt(struct scene *scene)
{
    scene->review.adopted = &scene->decision;
}

/** A configured entry for the tests to complete. */
static struct configured_evidence *
configure(struct scene *scene, const char *owner, const char *bucket)
{
    struct configured_evidence *entry = &scene->configured[scene->configured_count++];

    entry->pricing_source_checked_at_ms = TIME_NULL;
    entry->access_date = DATE_NULL;
    entry->owner = owner != NULL ? span_of(owner) : SPAN_NULL;
    entry->bucket = bucket != NULL ? span_of(bucket) : SPAN_NULL;
    return entry;
}

/* ---- what is complete, and what is copied -------------------------------------------------------
 */

static void
test_complete(void **state)
{
    struct scene *scene = *state;

    memset(scene->review.id, 'a', REVIEW_ID_SIZE);
    scene->review.generation = 2;
    scene->review.sequence = 5;
    scene->review.starts_at_ms = NOW - HOUR;
    scene->review.ends_at_ms = NOW - 1;
    scene->windows.b_attempts = 1000;
    scene->windows.b_retries = 80;

    const struct packet *packet = fill(scene);

    assert_int_equal(packet->missing_fields, 0);
    assert_int_equal(packet->pause_reasons, 0);
    assert_true(packet->ready_for_decision);
    assert_string_equal(packet->review_id, scene->review.id);
    assert_int_equal(packet->generation, 2);
    assert_int_equal(packet->sequence, 5);
    assert_int_equal(packet->starts_at_ms, NOW - HOUR);
    assert_int_equal(packet->ends_at_ms, TIME_NULL); /* it is not resolved */
    assert_int_equal(packet->window_start_ms, (NOW / MINUTE - 59) * MINUTE);
    assert_int_equal(packet->window_end_ms, NOW);
    assert_int_equal(packet->review_date, 100);
    assert_int_equal(packet->retry_share_bps, 2000);
    assert_int_equal(packet->baseline_share_bps, 800);
    assert_int_equal(packet->threshold_bps, 1200);
    assert_int_equal(packet->l.n[COUNT_RETRIES], 20);
    assert_true(packet->first_attempt_recorded);
    assert_true(packet->pricing_source_checked);
    assert_false(packet->allocation_rule_checked);
    assert_int_equal(packet->cost_owner_action, SYMBOL_NULL);
    assert_null(packet->last_decision.data);
    assert_string_equal(packet->config_version, "v1");
    assert_true(span_equal(packet->topic, span_of("outcomes")));
    assert_int_equal(packet->partition, 3);
    assert_true(span_equal(packet->scope[DIM_OWNER], span_of("ana")));
    assert_null(packet->scope[DIM_WORKLOAD].data);
}

static void
test_resolved_has_an_end(void **state)
{
    struct scene *scene = *state;

    scene->status = REVIEW_STATUS_RESOLVED;
    scene->review.ends_at_ms = NOW - 1;
    assert_int_equal(fill(scene)->ends_at_ms, NOW - 1);
}

static void
test_empty_window(void **state)
{
    struct scene *scene = *state;

    memset(&scene->windows.l, 0, sizeof(scene->windows.l));

    const struct packet *packet = fill(scene);

    assert_int_equal(packet->retry_share_bps, 0);
    assert_false(packet->first_attempt_recorded);
    assert_int_equal(packet->missing_fields, 0); /* no retry lacks anything */
    assert_int_equal(packet->pause_reasons, 1U << PAUSE_SAMPLE_MISSING);
    assert_false(packet->ready_for_decision);
}

/* ---- missing fields -----------------------------------------------------------------------------
 */

/* What is missing on retries of the window: at 20 % of them. */
static const struct share_row {
    const char *name;
    size_t counter;
    enum missing_field field;
} share_rows[] = {
        {"missing: workload", COUNT_NO_WORKLOAD, MISSING_WORKLOAD},
        {"missing: request class", COUNT_NO_CLASS, MISSING_CLASS},
        {"missing: retry cause", COUNT_CAUSE_NULL, MISSING_RETRY_CAUSE},
};

static void
test_missing_share(void **state)
{
    const struct share_row *row = *state;
    void *memory = NULL;

    scene_begin(&memory);

    struct scene *scene = memory;

    count(scene, row->counter, 3);
    assert_int_equal(fill(scene)->missing_fields, 0);
    count(scene, row->counter, 4);
    assert_int_equal(fill(scene)->missing_fields, 1U << row->field);
    assert_false(fill(scene)->ready_for_decision);
    scene->rule.required = ~(1U << row->field);
    assert_int_equal(fill(scene)->missing_fields, 0);
    scene_end(&memory);
}

/* A dimension of the group is missing by its value alone. */
static const struct dimension_row {
    const char *name;
    enum dimension dimension;
    enum missing_field field;
} dimension_rows[] = {
        {"missing: owner of the group", DIM_OWNER, MISSING_OWNER},
        {"missing: workload of the group", DIM_WORKLOAD, MISSING_WORKLOAD},
        {"missing: environment of the group", DIM_ENVIRONMENT, MISSING_ENVIRONMENT},
        {"missing: class of the group", DIM_CLASS, MISSING_CLASS},
        {"missing: bucket of the group", DIM_BUCKET, MISSING_BUCKET},
};

static void
test_missing_dimension(void **state)
{
    const struct dimension_row *row = *state;
    void *memory = NULL;

    scene_begin(&memory);

    struct scene *scene = memory;

    scene->group_by = (1U << DIM_COUNT) - 1;
    scene->dimensions[DIM_WORKLOAD] = span_of("web");
    scene->dimensions[DIM_CLASS] = span_of("chat");
    count(scene, COUNT_NO_WORKLOAD, 20);
    count(scene, COUNT_NO_CLASS, 20);
    count(scene, COUNT_NO_ENVIRONMENT, 20);
    assert_int_equal(fill(scene)->missing_fields, 0);
    scene->dimensions[row->dimension] = span_of(DIM_OTHER);
    assert_int_equal(fill(scene)->missing_fields, 0);
    scene->dimensions[row->dimension] = span_of(DIM_MISSING);
    assert_int_equal(fill(scene)->missing_fields, 1U << row->field);
    scene_end(&memory);
}

static void
test_missing_outside_the_group(void **state)
{
    struct scene *scene = *state;

    scene->group_by = 1U << DIM_OWNER;
    add_series(scene, "c", "w", 16);
    add_series(scene, "c", "v", 4);
    count(scene, COUNT_NO_ENVIRONMENT, 3);
    assert_int_equal(fill(scene)->missing_fields, 0);
    count(scene, COUNT_NO_ENVIRONMENT, 4);
    assert_int_equal(fill(scene)->missing_fields, 1U << MISSING_ENVIRONMENT);
    scene->series_dimensions[1][DIM_BUCKET] = span_of(DIM_MISSING);
    assert_int_equal(fill(scene)->missing_fields, 1U << MISSING_ENVIRONMENT | 1U << MISSING_BUCKET);
    scene->series[1].retries = 3;
    assert_int_equal(fill(scene)->missing_fields, 1U << MISSING_ENVIRONMENT);
}

#define SOURCES                                                                          \
    (1U << MISSING_UNIT_METRIC | 1U << MISSING_SOURCE_URLS | 1U << MISSING_ACCESS_DATE | \
            1U << MISSING_PRICING_DATE)

static void
test_missing_sources(void **state)
{
    struct scene *scene = *state;

    forget_evidence(scene);
    assert_int_equal(fill(scene)->missing_fields, SOURCES);
    remember(scene, "tokens", NULL, TIME_NULL);
    assert_int_equal(fill(scene)->missing_fields, SOURCES & ~(1U << MISSING_UNIT_METRIC));
    remember(scene, NULL, "https://a", TIME_NULL);
    assert_int_equal(
            fill(scene)->missing_fields, 1U << MISSING_ACCESS_DATE | 1U << MISSING_PRICING_DATE);
    remember(scene, NULL, NULL, NOW);
    assert_int_equal(fill(scene)->missing_fields, 0); /* a pricing date is an access date */
}

/* ---- evidence: the group, then the adopted decision, then the configuration
 * ----------------------- */

static void
test_evidence_of_the_decision(void **state)
{
    struct scene *scene = *state;

    forget_evidence(scene);
    adopt(scene);
    assert_int_equal(fill(scene)->missing_fields, SOURCES);
    assert_int_equal(fill(scene)->cost_owner_action, ACTION_REVISE_RETRIES);
    assert_true(span_equal(fill(scene)->last_decision, span_of("d1")));
    assert_false(fill(scene)->allocation_rule_checked);

    scene->decision.unit_metric = span_of("images");
    scene->decision.source_urls[0] = span_of("https://d");
    scene->decision.source_url_count = 1;
    scene->decision.access_date = 90;
    scene->decision.allocation_rule_checked = true;
    assert_int_equal(fill(scene)->missing_fields, 1U << MISSING_PRICING_DATE);
    assert_true(span_equal(fill(scene)->unit_metric, span_of("images")));
    assert_true(span_equal(fill(scene)->source_urls[0], span_of("https://d")));
    assert_true(fill(scene)->allocation_rule_checked);

    scene->decision.access_date = DATE_NULL;
    scene->decision.pricing_source_checked_at_ms = NOW;
    assert_int_equal(fill(scene)->missing_fields, 0);
    assert_true(fill(scene)->ready_for_decision);
}

static void
test_the_group_comes_first(void **state)
{
    struct scene *scene = *state;

    adopt(scene);
    scene->decision.unit_metric = span_of("images");
    scene->decision.source_urls[0] = span_of("https://d");
    scene->decision.source_url_count = 1;
    assert_true(span_equal(fill(scene)->unit_metric, span_of("tokens")));
    assert_int_equal(fill(scene)->source_url_count, 1);
    assert_true(span_equal(fill(scene)->source_urls[0], span_of("https://a")));
}

static void
test_evidence_of_the_configuration(void **state)
{
    struct scene *scene = *state;

    forget_evidence(scene);
    configure(scene, "bob", NULL)->unit_metric = span_of("bob's");
    configure(scene, NULL, "batch")->unit_metric = span_of("batch's");
    assert_int_equal(fill(scene)->missing_fields, SOURCES);

    struct configured_evidence *any = configure(scene, NULL, NULL);

    any->unit_metric = span_of("tokens");
    any->source_urls[0] = span_of("https://c");
    any->source_url_count = 1;
    any->access_date = 90;
    assert_int_equal(fill(scene)->missing_fields, 1U << MISSING_PRICING_DATE);
    assert_false(fill(scene)->allocation_rule_checked);
    any->access_date = DATE_NULL;
    any->pricing_source_checked_at_ms = NOW;
    any->allocation_rule_checked = true;
    assert_int_equal(fill(scene)->missing_fields, 0);
    assert_true(fill(scene)->allocation_rule_checked);
    assert_true(span_equal(fill(scene)->source_urls[0], span_of("https://c")));

    /* The entry that fits better wins, field by field. */
    configure(scene, "ana", NULL)->unit_metric = span_of("ana's");
    assert_true(span_equal(fill(scene)->unit_metric, span_of("ana's")));
    assert_int_equal(fill(scene)->missing_fields, 0);
}

/** Owner and bucket, owner, bucket, any. */
static void
test_best_fitting_entry(void **state)
{
    struct scene *scene = *state;

    forget_evidence(scene);
    configure(scene, NULL, NULL)->unit_metric = span_of("any");
    assert_true(span_equal(fill(scene)->unit_metric, span_of("any")));
    configure(scene, NULL, "chat")->unit_metric = span_of("bucket");
    assert_true(span_equal(fill(scene)->unit_metric, span_of("bucket")));
    configure(scene, "ana", NULL)->unit_metric = span_of("owner");
    assert_true(span_equal(fill(scene)->unit_metric, span_of("owner")));
    configure(scene, "ana", "chat")->unit_metric = span_of("both");
    assert_true(span_equal(fill(scene)->unit_metric, span_of("both")));
    scene->dimensions[DIM_BUCKET] = SPAN_NULL; /* not a dimension of the group */
    scene->group_by &= ~(1U << DIM_BUCKET);
    assert_true(span_equal(fill(scene)->unit_metric, span_of("owner")));
}

/** The newest date of the three counts. */
static void
test_newest_pricing_date(void **state)
{
    struct scene *scene = *state;
    const int64_t stale = NOW - 30 * DAY - 1;

    forget_evidence(scene);
    remember(scene, "tokens", "https://a", stale);
    adopt(scene);
    scene->decision.pricing_source_checked_at_ms = stale;
    configure(scene, NULL, NULL)->pricing_source_checked_at_ms = stale;
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_PRICING_STALE);
    assert_false(fill(scene)->pricing_source_checked);
    scene->configured[0].pricing_source_checked_at_ms = stale + 1;
    assert_int_equal(fill(scene)->pause_reasons, 0);
    assert_true(fill(scene)->pricing_source_checked);
    scene->configured[0].pricing_source_checked_at_ms = stale - 1;
    scene->decision.pricing_source_checked_at_ms = stale + 1;
    assert_int_equal(fill(scene)->pause_reasons, 0);
    scene->decision.pricing_source_checked_at_ms = stale - 1;
    remember(scene, NULL, NULL, stale + 1);
    assert_int_equal(fill(scene)->pause_reasons, 0);
}

/* ---- pause reasons ------------------------------------------------------------------------------
 */

static void
test_pause_sample(void **state)
{
    struct scene *scene = *state;

    count(scene, COUNT_ATTEMPTS, 50);
    assert_int_equal(fill(scene)->pause_reasons, 0);
    count(scene, COUNT_ATTEMPTS, 49);
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_SAMPLE_MISSING);
    count(scene, COUNT_ATTEMPTS, 60);
    count(scene, COUNT_RETRIES, 60);
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_SAMPLE_MISSING);
    assert_false(fill(scene)->first_attempt_recorded);
    count(scene, COUNT_RETRIES, 59);
    assert_int_equal(fill(scene)->pause_reasons, 0);
}

static void
test_pause_owner(void **state)
{
    struct scene *scene = *state;

    scene->dimensions[DIM_OWNER] = span_of(DIM_MISSING);
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_OWNER_UNIDENTIFIED);
    scene->dimensions[DIM_OWNER] = span_of(DIM_OTHER);
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_OWNER_UNIDENTIFIED);
    assert_int_equal(fill(scene)->missing_fields, 0);
    assert_false(fill(scene)->ready_for_decision);
}

static void
test_pause_pricing_unchecked(void **state)
{
    struct scene *scene = *state;

    forget_evidence(scene);
    remember(scene, "tokens", "https://a", TIME_NULL);
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_PRICING_UNCHECKED);
    assert_false(fill(scene)->pricing_source_checked);
}

static void
test_pause_unit(void **state)
{
    struct scene *scene = *state;

    remember(scene, "images", NULL, TIME_NULL); /* a change in this very minute */
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_UNIT_UNDEFINED);
    assert_int_equal(fill(scene)->missing_fields, 0);
    assert_true(span_equal(fill(scene)->unit_metric, span_of(UNIT_METRIC_MIXED)));
    forget_evidence(scene);
    remember(scene, NULL, "https://a", NOW);
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_UNIT_UNDEFINED);
    assert_int_equal(fill(scene)->missing_fields, 1U << MISSING_UNIT_METRIC);
    assert_null(fill(scene)->unit_metric.data);
}

static void
test_pause_cause(void **state)
{
    struct scene *scene = *state;

    count(scene, COUNT_CAUSE_NULL, 1);
    count(scene, COUNT_CAUSE + CAUSE_UNKNOWN, 2);
    assert_int_equal(fill(scene)->pause_reasons, 0);
    count(scene, COUNT_CAUSE + CAUSE_UNKNOWN, 3);
    assert_int_equal(fill(scene)->pause_reasons, 1U << PAUSE_CAUSE_UNKNOWN);
    assert_int_equal(fill(scene)->missing_fields, 0);
    assert_false(fill(scene)->ready_for_decision);
}

/* ---- the proposed action ------------------------------------------------------------------------
 */

static void
test_propose_tags(void **state)
{
    struct scene *scene = *state;

    count(scene, COUNT_NO_CLASS, 20); /* comes later in the table */
    assert_int_equal(fill(scene)->proposed_action, ACTION_ADJUST_CLASSIFICATION);
    count(scene, COUNT_NO_WORKLOAD, 20);
    assert_int_equal(fill(scene)->proposed_action, ACTION_UPDATE_TAGS);
    count(scene, COUNT_NO_WORKLOAD, 0);
    scene->dimensions[DIM_BUCKET] = span_of(DIM_MISSING);
    assert_int_equal(fill(scene)->proposed_action, ACTION_UPDATE_TAGS);
    scene->dimensions[DIM_BUCKET] = span_of("chat");
    scene->dimensions[DIM_OWNER] = span_of(DIM_OTHER);
    assert_int_equal(fill(scene)->proposed_action, ACTION_UPDATE_TAGS);
    scene->dimensions[DIM_OWNER] = span_of("ana");
    scene->dimensions[DIM_ENVIRONMENT] = span_of(DIM_MISSING);
    assert_int_equal(fill(scene)->proposed_action, ACTION_ADJUST_CLASSIFICATION);
}

static void
test_propose_exception(void **state)
{
    struct scene *scene = *state;

    count(scene, COUNT_CAUSE + CAUSE_TIMEOUT, 20); /* comes later in the table */
    count(scene, COUNT_ERROR + ERROR_QUOTA_EXHAUSTED, 10);
    count(scene, COUNT_ERROR + ERROR_OTHER, 4);
    count(scene, COUNT_ERROR + ERROR_INVALID_REQUEST, 6);
    count(scene, COUNT_LAYER + LAYER_CLIENT, 20); /* no error */
    assert_int_equal(fill(scene)->proposed_action, ACTION_REVISE_RETRIES);
    count(scene, COUNT_ERROR + ERROR_QUOTA_EXHAUSTED, 11);
    assert_int_equal(fill(scene)->proposed_action, ACTION_OPEN_EXCEPTION);
    count(scene, COUNT_NO_CLASS, 20);
    assert_int_equal(fill(scene)->proposed_action, ACTION_ADJUST_CLASSIFICATION);
}

static void
test_propose_retries(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(fill(scene)->proposed_action, ACTION_KEEP_BUDGET);
    count(scene, COUNT_CAUSE + CAUSE_CLIENT_HANDLING, 4);
    count(scene, COUNT_CAUSE + CAUSE_TIMEOUT, 3);
    count(scene, COUNT_CAUSE + CAUSE_PLATFORM_RESPONSE, 3);
    assert_int_equal(fill(scene)->proposed_action, ACTION_KEEP_BUDGET); /* half of them */
    count(scene, COUNT_CAUSE + CAUSE_CLIENT_HANDLING, 5);
    assert_int_equal(fill(scene)->proposed_action, ACTION_REVISE_RETRIES);
}

/* ---- the top lists ------------------------------------------------------------------------------
 */

static void
assert_top(const struct top_value *top, const char *value, uint64_t retries)
{
    assert_true(span_equal(top->value, span_of(value)));
    assert_int_equal(top->retries, retries);
}

static void
test_top(void **state)
{
    struct scene *scene = *state;

    add_series(scene, "d", "web", 3);
    add_series(scene, "b", "web", 2);
    add_series(scene, "c", "job", 5);
    add_series(scene, "b", "job", 1);
    add_series(scene, "a", "api", 3);
    add_series(scene, "e", "api", 0);

    const struct packet *packet = fill(scene);

    assert_int_equal(packet->top_class_count, 3);
    assert_top(&packet->top_classes[0], "c", 5);
    assert_top(&packet->top_classes[1], "a", 3); /* ties by bytes */
    assert_top(&packet->top_classes[2], "b", 3);
    assert_int_equal(packet->top_workload_count, 3);
    assert_top(&packet->top_workloads[0], "job", 6);
    assert_top(&packet->top_workloads[1], "web", 5);
    assert_top(&packet->top_workloads[2], "api", 3);
    assert_int_equal(packet->top_environment_count, 1);
    assert_top(&packet->top_environments[0], "prod", 14);
}

/** Groups by owner alone have many environments. */
static void
test_top_environments(void **state)
{
    struct scene *scene = *state;
    static const char *const environments[] = {"a", "b", "c", "d"};

    for (size_t i = 0; i < COUNT_OF(environments); i++) {
        add_series(scene, environments[i], environments[i], 4 - i);
        scene->series_dimensions[i][DIM_ENVIRONMENT] = span_of(environments[i]);
    }

    const struct packet *packet = fill(scene);

    assert_int_equal(packet->top_class_count, 3);
    assert_int_equal(packet->top_workload_count, 3);
    assert_int_equal(packet->top_environment_count, 3);
    assert_top(&packet->top_environments[2], "c", 2);
}

/** As many source URLs as a group remembers. */
static void
test_eight_urls(void **state)
{
    struct scene *scene = *state;
    static const char *const urls[] = {"b", "c", "d", "e", "f", "g", "h"};

    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        remember(scene, NULL, urls[i], TIME_NULL);
    }

    const struct packet *packet = fill(scene);

    assert_int_equal(packet->source_url_count, OUTCOME_URLS_MAX);
    assert_true(span_equal(packet->source_urls[7], span_of("h")));
}

static void
test_top_without_retries(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(fill(scene)->top_class_count, 0);
    add_series(scene, "a", "web", 0);
    assert_int_equal(fill(scene)->top_class_count, 0);
}

#define SCENE(function) cmocka_unit_test_setup_teardown(function, scene_begin, scene_end)

static const struct CMUnitTest scenes[] = {
        SCENE(test_complete),
        SCENE(test_resolved_has_an_end),
        SCENE(test_empty_window),
        SCENE(test_missing_outside_the_group),
        SCENE(test_missing_sources),
        SCENE(test_evidence_of_the_decision),
        SCENE(test_the_group_comes_first),
        SCENE(test_evidence_of_the_configuration),
        SCENE(test_best_fitting_entry),
        SCENE(test_newest_pricing_date),
        SCENE(test_pause_sample),
        SCENE(test_pause_owner),
        SCENE(test_pause_pricing_unchecked),
        SCENE(test_pause_unit),
        SCENE(test_pause_cause),
        SCENE(test_propose_tags),
        SCENE(test_propose_exception),
        SCENE(test_propose_retries),
        SCENE(test_top),
        SCENE(test_top_environments),
        SCENE(test_top_without_retries),
        SCENE(test_eight_urls),
};

int
main(void)
{
    struct CMUnitTest tests[COUNT_OF(scenes) + COUNT_OF(share_rows) + COUNT_OF(dimension_rows)];
    size_t tests_count = COUNT_OF(scenes);

    memcpy(tests, scenes, sizeof(scenes));
    ADD_ROWS(tests, tests_count, share_rows, test_missing_share)
    ADD_ROWS(tests, tests_count, dimension_rows, test_missing_dimension)
    return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
