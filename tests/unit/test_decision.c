/* test_decision.c - when a decision starts, ends, covers and wins, and the set of all of them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/decision.h"

#include "tests/support/default_rule.h"
#include "tests/support/rows.h"

#include <stdlib.h>

#define GROUP_BY (1U << DIM_OWNER | 1U << DIM_ENVIRONMENT | 1U << DIM_BUCKET)

static struct decision
valid_decision(void)
{
    return (struct decision){
            .decision_id = span_of("d1"),
            .decision_owner = span_of("finops"),
            .scope[DIM_OWNER] = span_of("ana"),
            .reason = span_of("known migration"),
            .decided_at_ms = DAY,
            .effective_from_ms = TIME_NULL,
            .expires_at_ms = TIME_NULL,
            .pricing_source_checked_at_ms = TIME_NULL,
            .access_date = DATE_NULL,
            .max_retry_share_bps = -1,
            .action = ACTION_KEEP_BUDGET,
    };
}

/* ---- start and end ----------------------------------------------------------------------------
 */

static const struct span_row {
    const char *name;
    int64_t decided, from, expires;
    bool revoked;
    int64_t record;
    int64_t want_start, want_end;
} span_rows[] = {
        {"span: 24 h when nothing is said", DAY, TIME_NULL, TIME_NULL, false, 0, DAY, 2 * DAY},
        {"span: to expires_at", DAY, TIME_NULL, DAY + HOUR, false, 0, DAY, DAY + HOUR},
        {"span: from effective_from, if later", DAY, 2 * DAY, TIME_NULL, false, 0, 2 * DAY,
                3 * DAY},
        {"span: never before it was decided", DAY, HOUR, TIME_NULL, false, 0, DAY, 2 * DAY},
        {"span: 30 days to the millisecond", DAY, TIME_NULL, 31 * DAY, false, 0, DAY, 31 * DAY},
        {"span: 30 days at most", DAY, TIME_NULL, 31 * DAY + 1, false, 0, DAY, 31 * DAY},
        {"span: to the record that revoked it", DAY, TIME_NULL, TIME_NULL, true, DAY + 5, DAY,
                DAY + 5},
        {"span: revoked after its end", DAY, TIME_NULL, TIME_NULL, true, 3 * DAY, DAY, 2 * DAY},
        {"span: a record that does not revoke ends nothing", DAY, TIME_NULL, TIME_NULL, false,
                DAY + 5, DAY, 2 * DAY},
        {"span: the end of time", INT64_MAX, TIME_NULL, TIME_NULL, false, 0, INT64_MAX, INT64_MAX},
};

static void
test_span(void **state)
{
    const struct span_row *row = *state;
    const struct rule rule = default_rule();
    struct decision decision = valid_decision();

    decision.decided_at_ms = row->decided;
    decision.effective_from_ms = row->from;
    decision.expires_at_ms = row->expires;
    decision.revoked = row->revoked;
    decision.record_ms = row->record;
    assert_int_equal(decision_start(&decision), row->want_start);
    assert_int_equal(decision_end(&decision, &rule), row->want_end);
}

/* ---- validity ---------------------------------------------------------------------------------
 */

static void
assert_invalid(const struct decision *decision, const char *why)
{
    const struct rule rule = default_rule();
    struct error error = {0};

    assert_int_equal(decision_check(decision, &rule, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, why));
}

static void
test_check(void **state)
{
    (void)state;

    const struct rule rule = default_rule();
    struct decision decision = valid_decision();

    assert_int_equal(decision_check(&decision, &rule, NULL), STATUS_OK);
    decision.decision_owner = span_of(" ");
    assert_invalid(&decision, "decision_owner");
    decision = valid_decision();
    decision.decision_id = SPAN_NULL;
    assert_invalid(&decision, "decision_id");
    decision = valid_decision();
    decision.action = ACTION_COUNT;
    assert_invalid(&decision, "none of the five");
    decision.action = ACTION_OPEN_EXCEPTION;
    assert_int_equal(decision_check(&decision, &rule, NULL), STATUS_OK);
    decision.reason = span_of(" \t\n");
    assert_invalid(&decision, "blank reason");
    decision.reason = span_of(" !");
    assert_int_equal(decision_check(&decision, &rule, NULL), STATUS_OK);
}

static void
test_check_end(void **state)
{
    (void)state;

    const struct rule rule = default_rule();
    struct decision decision = valid_decision();

    decision.expires_at_ms = DAY;
    assert_invalid(&decision, "ends before");
    decision.expires_at_ms = DAY + 1;
    assert_int_equal(decision_check(&decision, &rule, NULL), STATUS_OK);
    decision.effective_from_ms = DAY + 1;
    assert_invalid(&decision, "ends before");

    /* Revoked before it started: a valid record, which never applies. */
    decision = valid_decision();
    decision.revoked = true;
    decision.record_ms = 0;
    assert_int_equal(decision_check(&decision, &rule, NULL), STATUS_OK);
}

/* ---- scope ------------------------------------------------------------------------------------
 */

static const struct covers_row {
    const char *name;
    const char *owner, *workload, *environment, *bucket, *review_id; /* named by the decision */
    const char *group_owner;
    bool want;
} covers_rows[] = {
        {"scope: owner", "ana", NULL, NULL, NULL, NULL, "ana", true},
        {"scope: another owner", "bob", NULL, NULL, NULL, NULL, "ana", false},
        {"scope: nothing named is any", NULL, NULL, NULL, NULL, NULL, "ana", true},
        {"scope: all that the group has", "ana", NULL, "prod", "chat", NULL, "ana", true},
        {"scope: another environment", "ana", NULL, "dev", NULL, NULL, "ana", false},
        {"scope: another bucket", "ana", NULL, NULL, "batch", NULL, "ana", false},
        {"scope: a workload covers nothing here", "ana", "web", NULL, NULL, NULL, "ana", false},
        {"scope: an empty value is a value", "ana", NULL, "", NULL, NULL, "ana", false},
        {"scope: this review", "ana", NULL, NULL, NULL, "r1", "ana", true},
        {"scope: another review", "ana", NULL, NULL, NULL, "r2", "ana", false},
        {"scope: _MISSING is not any owner", NULL, NULL, NULL, NULL, NULL, DIM_MISSING, false},
        {"scope: _OTHER is not any owner", NULL, NULL, NULL, NULL, NULL, DIM_OTHER, false},
        {"scope: _MISSING by name", DIM_MISSING, NULL, NULL, NULL, NULL, DIM_MISSING, true},
        {"scope: _OTHER by name", DIM_OTHER, NULL, NULL, NULL, NULL, DIM_OTHER, true},
};

static struct span
span_or_null(const char *text)
{
    return text != NULL ? span_of(text) : SPAN_NULL;
}

static void
test_covers(void **state)
{
    const struct covers_row *row = *state;
    struct decision decision = valid_decision();
    const struct span group[DIM_COUNT] = {[DIM_OWNER] = span_of(row->group_owner),
            [DIM_ENVIRONMENT] = span_of("prod"),
            [DIM_BUCKET] = span_of("chat")};

    decision.scope[DIM_OWNER] = span_or_null(row->owner);
    decision.scope[DIM_WORKLOAD] = span_or_null(row->workload);
    decision.scope[DIM_ENVIRONMENT] = span_or_null(row->environment);
    decision.scope[DIM_BUCKET] = span_or_null(row->bucket);
    decision.review_id = span_or_null(row->review_id);
    assert_int_equal(decision_covers(&decision, GROUP_BY, group, span_of("r1")), row->want);
}

/** What is outside group_by never matches, whatever the dimensions hold. */
static void
test_covers_outside_group_by(void **state)
{
    (void)state;

    struct decision decision = valid_decision();
    const struct span group[DIM_COUNT] = {
            [DIM_OWNER] = span_of("ana"), [DIM_WORKLOAD] = span_of("web")};

    decision.scope[DIM_WORKLOAD] = span_of("web");
    assert_false(decision_covers(&decision, 1U << DIM_OWNER, group, SPAN_NULL));
    assert_true(decision_covers(&decision, 1U << DIM_OWNER | 1U << DIM_WORKLOAD, group, SPAN_NULL));
}

/* ---- which one wins ---------------------------------------------------------------------------
 */

static const struct wins_row {
    const char *name;
    const char *environment, *review_id, *id;
    int64_t decided;
    int want; /* sign, against d1 of ana at DAY */
} wins_rows[] = {
        {"wins: more dimensions named", "prod", NULL, "d0", DAY - 1, 1},
        {"wins: a review named counts as one", NULL, "r1", "d0", DAY - 1, 1},
        {"wins: then the latest decided", NULL, NULL, "d0", DAY + 1, 1},
        {"wins: earlier decided loses", NULL, NULL, "d2", DAY - 1, -1},
        {"wins: then the larger id", NULL, NULL, "d2", DAY, 1},
        {"wins: the smaller id loses", NULL, NULL, "d0", DAY, -1},
        {"wins: itself", NULL, NULL, "d1", DAY, 0},
};

static int
sign(int value)
{
    return (value > 0) - (value < 0);
}

static void
test_wins(void **state)
{
    const struct wins_row *row = *state;
    const struct decision other = valid_decision();
    struct decision decision = valid_decision();

    decision.scope[DIM_ENVIRONMENT] = span_or_null(row->environment);
    decision.review_id = span_or_null(row->review_id);
    decision.decision_id = span_of(row->id);
    decision.decided_at_ms = row->decided;
    assert_int_equal(sign(decision_compare(&decision, &other)), row->want);
    assert_int_equal(sign(decision_compare(&other, &decision)), -row->want);
}

/* ---- the copy ---------------------------------------------------------------------------------
 */

static void
test_copy(void **state)
{
    (void)state;

    char text[] = "https://a";
    struct decision decision = valid_decision();

    decision.source_urls[0] = span_of(text);
    decision.source_url_count = 1;
    decision.scope[DIM_CLASS] = (struct span){(const uint8_t *)"", 0};
    decision.remaining_uncertainty = span_of("some");

    struct decision *copy = decision_copy(&decision);

    text[0] = 'X'; /* the copy owns its bytes */
    assert_true(span_equal(copy->source_urls[0], span_of("https://a")));
    assert_true(span_equal(copy->decision_id, span_of("d1")));
    assert_true(span_equal(copy->remaining_uncertainty, span_of("some")));
    assert_true(span_equal(copy->scope[DIM_OWNER], span_of("ana")));
    assert_non_null(copy->scope[DIM_CLASS].data);
    assert_null(copy->scope[DIM_BUCKET].data);
    assert_int_equal(copy->decided_at_ms, DAY);
    free(copy);
}

/** As many source URLs as there is room for. */
static void
test_copy_eight_urls(void **state)
{
    (void)state;

    struct decision decision = valid_decision();

    for (size_t i = 0; i < OUTCOME_URLS_MAX; i++) {
        decision.source_urls[i] = span_of("https://a");
    }
    decision.source_url_count = OUTCOME_URLS_MAX;

    struct decision *copy = decision_copy(&decision);

    assert_true(span_equal(copy->source_urls[7], span_of("https://a")));
    assert_ptr_not_equal(copy->source_urls[7].data, decision.source_urls[7].data);
    free(copy);
}

/** Equal is what says the same: a copy does, and nothing that differs in one field. */
static void
test_equal(void **state)
{
    (void)state;

    struct decision decision = valid_decision();

    decision.source_urls[0] = span_of("https://a");
    decision.source_url_count = 1;

    struct decision *copy = decision_copy(&decision);

    assert_true(decision_equal(&decision, copy));
    copy->action = copy->action == ACTION_KEEP_BUDGET ? ACTION_UPDATE_TAGS : ACTION_KEEP_BUDGET;
    assert_false(decision_equal(&decision, copy));
    copy->action = decision.action;
    copy->source_urls[0] = span_of("https://b");
    assert_false(decision_equal(&decision, copy));
    copy->source_url_count = 0;
    assert_false(decision_equal(&decision, copy));
    copy->source_url_count = 1;
    copy->source_urls[0] = decision.source_urls[0];
    copy->unit_metric = (struct span){(const uint8_t *)"", 0}; /* empty is not null */
    assert_false(decision_equal(&decision, copy));
    free(copy);
}

/* ---- the set ----------------------------------------------------------------------------------
 */

static void
put(struct decisions *decisions, const char *id, const char *owner, int64_t decided)
{
    struct decision decision = valid_decision();

    decision.decision_id = span_of(id);
    decision.scope[DIM_OWNER] = span_or_null(owner);
    decision.decided_at_ms = decided;
    decisions_put(decisions, &decision);
}

static size_t
count_for(const struct decisions *decisions, const char *owner)
{
    size_t count = 0;

    while (decisions_for_owner(decisions, span_of(owner), count) != NULL) {
        count++;
    }
    return count;
}

static void
test_set(void **state)
{
    (void)state;

    struct decisions *decisions = decisions_new();

    assert_null(decisions_find(decisions, span_of("d1")));
    assert_int_equal(count_for(decisions, "ana"), 0);
    put(decisions, "d1", "ana", 1);
    put(decisions, "d2", NULL, 2);
    put(decisions, "d3", "bob", 3);
    assert_int_equal(decisions_count(decisions), 3);
    assert_int_equal(count_for(decisions, "ana"), 2); /* its own, and the one for all */
    assert_int_equal(count_for(decisions, "bob"), 2);
    assert_int_equal(count_for(decisions, "eve"), 1);

    /* The newest record of an id stands, also when it names another owner. */
    put(decisions, "d1", "bob", 9);
    assert_int_equal(decisions_count(decisions), 3);
    assert_int_equal(decisions_find(decisions, span_of("d1"))->decided_at_ms, 9);
    assert_int_equal(count_for(decisions, "ana"), 1);
    assert_int_equal(count_for(decisions, "bob"), 3);
    decisions_destroy(decisions);
    decisions_destroy(NULL);
}

static void
test_set_grows(void **state)
{
    (void)state;

    enum { DECISIONS = 1000, OWNERS = 300 };
    struct decisions *decisions = decisions_new();
    char id[24];
    char owner[24];

    for (int i = 0; i < DECISIONS; i++) {
        snprintf(id, sizeof(id), "d%d", i);
        snprintf(owner, sizeof(owner), "o%d", i % OWNERS);
        put(decisions, id, owner, i);
    }
    for (int i = 0; i < DECISIONS; i++) {
        snprintf(id, sizeof(id), "d%d", i);
        assert_int_equal(decisions_find(decisions, span_of(id))->decided_at_ms, i);
    }
    assert_int_equal(count_for(decisions, "o0"), 4);
    assert_int_equal(count_for(decisions, "o299"), 3);
    decisions_destroy(decisions);
}

int
main(void)
{
    struct CMUnitTest tests[COUNT_OF(span_rows) + COUNT_OF(covers_rows) + COUNT_OF(wins_rows) + 8];
    size_t count = 0;

    ADD_ROWS(tests, count, span_rows, test_span)
    ADD_ROWS(tests, count, covers_rows, test_covers)
    ADD_ROWS(tests, count, wins_rows, test_wins)
    ADD_TEST(tests, count, test_check);
    ADD_TEST(tests, count, test_check_end);
    ADD_TEST(tests, count, test_covers_outside_group_by);
    ADD_TEST(tests, count, test_copy);
    ADD_TEST(tests, count, test_copy_eight_urls);
    ADD_TEST(tests, count, test_equal);
    ADD_TEST(tests, count, test_set);
    ADD_TEST(tests, count, test_set_grows);
    return cmocka_run_group_tests_name("decision", tests, NULL, NULL);
}
