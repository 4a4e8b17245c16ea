/* test_decision_write.c - what decide refuses, what it writes, what people type.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/decision_input.h"
#include "consumer/decision_print.h"
#include "consumer/decision_write.h"
#include "tests/support/load_config.h"
#include "tests/support/rows.h"

#include <stdlib.h>

#define NOW INT64_C(1790084000000) /* 2026-09-22T13:33:20Z */
#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define REVIEW "0123456789abcdef0123456789abcdef"

static const struct row {
    const char *name;
    enum dimension dimension; /* that is named beside the owner; DIM_OWNER: none */
    const char *value;
    const char *review;
    const char *reason;
    const char *url;
    int64_t expires_ms; /* after NOW; 0: not given */
    const char *want;   /* part of the refusal; NULL: accepted */
} rows[] = {
        {"an owner", DIM_OWNER, NULL, NULL, "because", NULL, 0, NULL},
        {"an environment", DIM_ENVIRONMENT, "dev", NULL, "because", NULL, 0, NULL},
        {"_MISSING", DIM_BUCKET, "_MISSING", NULL, "because", NULL, 0, NULL},
        {"a review", DIM_OWNER, NULL, REVIEW, "because", NULL, 0, NULL},
        {"30 days", DIM_OWNER, NULL, NULL, "because", NULL, 30 * DAY, NULL},
        {"a workload", DIM_WORKLOAD, "web", NULL, "because", NULL, 0,
                "names workload_tag can cover nothing: reviews are grouped by owner_tag, "
                "environment, budget_bucket"},
        {"a class", DIM_CLASS, "chat", NULL, "because", NULL, 0, "names request_class"},
        {"an empty value", DIM_BUCKET, "", NULL, "because", NULL, 0, "_MISSING"},
        {"a short review id", DIM_OWNER, NULL, "0123", "because", NULL, 0, "32 hex digits"},
        {"a review id in capitals", DIM_OWNER, NULL, "0123456789ABCDEF0123456789abcdef", "because",
                NULL, 0, "32 hex digits"},
        {"a blank reason", DIM_OWNER, NULL, NULL, " \t", NULL, 0, "blank"},
        {"a reason of control characters", DIM_OWNER, NULL, NULL, "\x01\x02", NULL, 0, "blank"},
        {"a reason that is not UTF-8", DIM_OWNER, NULL, NULL, "\xff", NULL, 0, "UTF-8"},
        {"a credential", DIM_OWNER, NULL, NULL, "password=hunter2", NULL, 0, "reason looks like"},
        {"a URL without a host", DIM_OWNER, NULL, NULL, "because", "me:pass", 0,
                "no address of a page"},
        {"a URL of half a password", DIM_OWNER, NULL, NULL, "because", "https://me:pass", 0,
                "no address of a page"},
        {"31 days", DIM_OWNER, NULL, NULL, "because", NULL, 31 * DAY, "30 days"},
        {"an end before the start", DIM_OWNER, NULL, NULL, "because", NULL, -HOUR,
                "before it starts"},
};

static struct config *
load_config(const char *text)
{
    struct loaded loaded = load(text, NULL, NULL);

    assert_int_equal(loaded.problem_count, 0);
    free(loaded.problems);
    return loaded.config;
}

static struct decision
wanted_by(const struct row *row)
{
    struct decision wanted;

    decision_blank(&wanted);
    wanted.decision_id = span_of("d");
    wanted.decision_owner = span_of("ana");
    wanted.decided_at_ms = NOW;
    wanted.action = ACTION_REVISE_RETRIES;
    wanted.scope[DIM_OWNER] = span_of("ana");
    wanted.reason = span_of(row->reason);
    if (row->value != NULL) {
        wanted.scope[row->dimension] = span_of(row->value);
    }
    if (row->review != NULL) {
        wanted.review_id = span_of(row->review);
    }
    if (row->url != NULL) {
        wanted.source_urls[wanted.source_url_count++] = span_of(row->url);
    }
    if (row->expires_ms != 0) {
        wanted.expires_at_ms = NOW + row->expires_ms;
    }
    return wanted;
}

static void
test_row(void **state)
{
    const struct row *row = *state;
    const struct decision wanted = wanted_by(row);
    struct config *config = load_config("");
    struct decision decision = {.record_ms = 77};
    struct error error = {0};
    struct arena arena;

    arena_init(&arena);
    const enum status status = decision_prepare(config, &wanted, &arena, &decision, &error);

    if (row->want == NULL) {
        assert_int_equal(status, STATUS_OK);
        assert_true(decision.expires_at_ms == NOW + (row->expires_ms != 0 ? row->expires_ms : DAY));
        assert_true(span_equal(decision.reason, wanted.reason));
    } else {
        assert_int_not_equal(status, STATUS_OK);
        assert_non_null(strstr(error.text, row->want));
        assert_int_equal(decision.record_ms, 77); /* untouched */
    }
    arena_fini(&arena);
    config_destroy(config);
}

/* What can be covered depends on what is grouped by. */
static void
test_other_groups(void **state)
{
    struct decision wanted = wanted_by(&rows[5]);
    struct config *config = load_config("review: {group_by: [owner_tag, workload_tag]}");
    struct error error;

    (void)state;
    assert_int_equal(decision_check_scope(config, &wanted, &error), STATUS_OK);
    wanted.scope[DIM_ENVIRONMENT] = span_of("dev");
    assert_int_equal(decision_check_scope(config, &wanted, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "grouped by owner_tag, workload_tag ("));
    config_destroy(config);
}

static void
test_texts_are_cleaned(void **state)
{
    struct decision wanted = wanted_by(&rows[0]);
    struct config *config = load_config("");
    struct decision decision;
    struct error error;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    wanted.reason = span_of("one\x07 two\x1b");
    wanted.source_urls[wanted.source_url_count++] = span_of("https://me:x@example.com/a?b#c");
    assert_int_equal(decision_prepare(config, &wanted, &arena, &decision, &error), STATUS_OK);
    assert_true(span_equal(decision.reason, span_of("one two")));
    assert_true(span_equal(decision.source_urls[0], span_of("https://example.com/a")));
    arena_fini(&arena);
    config_destroy(config);
}

static void
test_ids(void **state)
{
    char a[DECISION_ID_TEXT_SIZE];
    char b[DECISION_ID_TEXT_SIZE];
    struct error error;

    (void)state;
    assert_int_equal(decision_id_make(NOW + 1, a, &error), STATUS_OK);
    assert_int_equal(decision_id_make(NOW + 1, b, &error), STATUS_OK);
    assert_int_equal(strlen(a), strlen("20260922-133320-0123456789ab"));
    assert_memory_equal(a, "20260922-133320-", 16);
    assert_string_not_equal(a, b);
}

/* ---- states --------------------------------------------------------------------------------- */

static const struct state_row {
    const char *name;
    int64_t from_ms, expires_ms, record_ms; /* after NOW */
    bool revoked;
    enum decision_state want;
} states[] = {
        {"active", 0, HOUR, 0, false, DECISION_ACTIVE},
        {"its first moment", 0, HOUR, 0, false, DECISION_ACTIVE},
        {"future", 1, HOUR, 0, false, DECISION_FUTURE},
        {"over", -DAY, -1, 0, false, DECISION_EXPIRED},
        {"its end", -DAY, 0, 0, false, DECISION_EXPIRED},
        {"revoked", -HOUR, HOUR, -1, true, DECISION_REVOKED},
        {"revoked after its end", -DAY, -HOUR, -1, true, DECISION_EXPIRED},
        {"revoked before its start", HOUR, DAY, 0, true, DECISION_REVOKED},
};

static void
test_state(void **state)
{
    const struct state_row *row = *state;
    struct decision decision = wanted_by(&rows[0]);
    struct config *config = load_config("");

    decision.decided_at_ms = NOW - DAY;
    decision.effective_from_ms = NOW + row->from_ms;
    decision.expires_at_ms = NOW + row->expires_ms;
    decision.record_ms = NOW + row->record_ms;
    decision.revoked = row->revoked;
    assert_int_equal(decision_state_at(&decision, &config->rule, NOW), row->want);
    config_destroy(config);
}

static void
test_scope_in_words(void **state)
{
    struct decision decision = wanted_by(&rows[3]);
    struct buffer text = {0};

    (void)state;
    decision.scope[DIM_BUCKET] = span_of("a\x1b[2J");
    decision_put_scope(&text, &decision);
    assert_true(span_equal(buffer_span(&text), span_of("owner ana, bucket a?[2J, review " REVIEW)));
    buffer_clear(&text);
    decision.scope[DIM_OWNER] = SPAN_NULL;
    decision.review_id = SPAN_NULL;
    decision_put_scope(&text, &decision);
    assert_true(span_equal(buffer_span(&text), span_of("every owner, bucket a?[2J")));
    buffer_fini(&text);
}

/* ---- what people type ------------------------------------------------------------------------ */

static const struct end_row {
    const char *name; /* the text */
    int64_t want_ms;  /* TIME_NULL: refused */
} ends[] = {
        {"4h", NOW + 4 * HOUR},
        {"3d", NOW + 3 * DAY},
        {"2026-09-26T18:00:00Z", INT64_C(1790445600000)},
        {"2026-09-26T20:00:00+02:00", INT64_C(1790445600000)},
        {"2026-09-26", INT64_C(1790380800000)},
        {"0h", TIME_NULL},
        {"4", TIME_NULL},
        {"soon", TIME_NULL},
        {"", TIME_NULL},
};

static void
test_end(void **state)
{
    const struct end_row *row = *state;
    struct error error = {0};
    int64_t end_ms = TIME_NULL;

    const enum status status = decision_read_end(row->name, NOW, &end_ms, &error);

    assert_int_equal(status, row->want_ms == TIME_NULL ? STATUS_BAD_CONFIG : STATUS_OK);
    assert_true(end_ms == row->want_ms);
}

static const struct share_row {
    const char *name; /* the text */
    int32_t want;     /* -1: refused */
} shares[] = {{"25%", 2500}, {"25", 2500}, {"12.5%", 1250}, {"0%", 0}, {"100%", 10000},
        {"0.29%", 29}, {"101%", -1}, {"-1%", -1}, {"%", -1}, {"25%%", -1}, {"nan", -1}, {"", -1}};

static void
test_share(void **state)
{
    const struct share_row *row = *state;
    struct error error = {0};
    int32_t bps = -1;

    const enum status status = decision_read_share(row->name, &bps, &error);

    assert_int_equal(status, row->want < 0 ? STATUS_BAD_CONFIG : STATUS_OK);
    assert_int_equal(bps, row->want);
}

/* Runs the questions over what a person types. */
static enum status
ask(const char *typed, struct decision_questions *questions, struct decision *decision)
{
    struct config *config = load_config("");
    struct error error = {0};
    char *shown = NULL;
    size_t size = 0;

    questions->in = fmemopen((void *)(uintptr_t)typed, strlen(typed), "r");
    questions->out = open_memstream(&shown, &size);
    questions->rule = &config->rule;
    questions->start_ms = NOW;

    const enum status status = decision_ask(questions, decision, &error);

    fclose(questions->in);
    fclose(questions->out);
    free(shown);
    config_destroy(config);
    return status;
}

static void
test_questions(void **state)
{
    struct decision_questions questions = {.proposed = "open_cost_exception_review",
            .person = "bo",
            .ask_end = true,
            .ask_risk = true};
    struct decision decision;

    (void)state;
    decision_blank(&decision);
    assert_int_equal(
            ask("9\n\n\n  a reason \n4x\n3h\nmaybe\nyes\n\n", &questions, &decision), STATUS_OK);
    assert_int_equal(decision.action, ACTION_OPEN_EXCEPTION); /* what was proposed */
    assert_true(span_equal(decision.reason, span_of("a reason")));
    assert_true(decision.expires_at_ms == NOW + 3 * HOUR);
    assert_true(decision.accepts_spend_risk);
    assert_true(span_equal(decision.decision_owner, span_of("bo")));
    free(questions.reason);
    free(questions.decision_owner);
}

static void
test_only_what_is_not_known_is_asked(void **state)
{
    struct decision_questions questions = {.person = NULL};
    struct decision decision = wanted_by(&rows[0]);

    (void)state;
    assert_int_equal(ask("\n", &questions, &decision), STATUS_OK);
    assert_null(questions.reason);
    decision.reason = SPAN_NULL;
    assert_int_equal(ask("token=abc\n", &questions, &decision), STATUS_FAILED); /* input ended */
    free(questions.reason);
}

int
main(void)
{
    struct CMUnitTest tests[80];
    size_t count = 0;

    ADD_ROWS(tests, count, rows, test_row);
    ADD_ROWS(tests, count, states, test_state);
    ADD_ROWS(tests, count, ends, test_end);
    ADD_ROWS(tests, count, shares, test_share);
    ADD_TEST(tests, count, test_other_groups);
    ADD_TEST(tests, count, test_texts_are_cleaned);
    ADD_TEST(tests, count, test_ids);
    ADD_TEST(tests, count, test_scope_in_words);
    ADD_TEST(tests, count, test_questions);
    ADD_TEST(tests, count, test_only_what_is_not_known_is_asked);
    return _cmocka_run_group_tests("decision_write", tests, count, NULL, NULL);
}
