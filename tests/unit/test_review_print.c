/* test_review_print.c - a review packet as a person reads it: what must stand there, and what not.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/review_print.h"

#include "tests/support/rows.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(1790007200000) /* 2026-09-21 16:13:20 UTC */

static const char packet[] =
        "{\"review_id\":\"0123456789abcdef0123456789abcdef\",\"generation\":1,\"sequence\":1,"
        "\"status\":\"open\",\"reason\":\"rise\","
        "\"scope\":{\"owner_tag\":\"ana\",\"workload_tag\":null,\"environment\":\"prod\","
        "\"request_class\":null,\"budget_bucket\":\"chat\"},"
        "\"window_start\":1790000040000,\"window_end\":1790003600000,"
        "\"starts_at\":1790000000000,\"ends_at\":null,"
        "\"first_attempts\":1600,\"attempts\":2000,\"retries\":400,\"retry_share_bps\":2000,"
        "\"baseline_share_bps\":500,\"threshold_bps\":1000,"
        "\"rule_id\":\"rule-1\",\"config_version\":\"abc\","
        "\"retries_by_cause\":{\"timeout\":100,\"client_handling\":300},"
        "\"errors_by_category\":{\"timeout\":3,\"other\":1},\"retries_by_layer\":{\"sdk\":400},"
        "\"retry_decisions\":{\"stop\":2},"
        "\"top_request_classes\":[{\"value\":\"batch\",\"retries\":300}],"
        "\"top_workloads\":[{\"value\":\"web\",\"retries\":200}],"
        "\"top_environments\":[{\"value\":\"prod\",\"retries\":400}],"
        "\"first_attempt_units\":1000000,\"retry_units\":250000,"
        "\"unit_metric\":\"tokens\",\"usage_unavailable_count\":0,\"late_count\":0,"
        "\"review_date\":\"2026-09-21\",\"source_urls\":[\"https://docs.example.com/limits\"],"
        "\"first_attempt_recorded\":true,\"retry_count_recorded\":400,"
        "\"pricing_source_checked\":true,\"allocation_rule_checked\":false,\"result\":\"pass\","
        "\"missing_fields\":[],\"pause_reasons\":[],\"ready_for_decision\":true,"
        "\"proposed_action\":\"revise_retry_behavior\",\"cost_owner_action\":null,"
        "\"last_decision\":null,"
        "\"evidence\":{\"topic\":\"calls\",\"partition\":3,\"first_offset\":100,"
        "\"last_offset\":4711}}";

/* A decision as view_reader adds it. */
#define DECIDED                                                                               \
    "{\"status\":\"decided\",\"reason\":\"decision\",\"last_decision\":\"d-1\","              \
    "\"cost_owner_action\":\"keep_budget_unchanged\",\"decision\":{\"decision_id\":\"d-1\","  \
    "\"decision_owner\":\"finops\",\"action\":\"keep_budget_unchanged\",\"reason\":\"quarter" \
    " end\",\"accepts_spend_risk\":true,\"ends_at\":1790018000000,\"limit_bps\":3000,"        \
    "\"holds\":%s}}"

struct row {
    const char *name;
    enum review_style style;
    const char *changes; /* JSON laid over the packet */
    const char *want;
    const char *never; /* NULL: nothing is forbidden */
};

static const struct row rows[] = {
        {"title", REVIEW_PLAIN, "{}", "Review 0123456789abcdef0123456789abcdef: open\n", "\033"},
        {"title in colour", REVIEW_COLOUR, "{}", "\033[31mopen\033[0m", NULL},
        {"an end is green", REVIEW_COLOUR, "{\"status\":\"resolved\",\"reason\":\"calm\"}",
                "\033[32mresolved\033[0m", "\033[31m"},
        {"what happened", REVIEW_PLAIN, "{}",
                "Retries have risen, and no cost owner has recorded a decision about it.", NULL},
        {"who", REVIEW_PLAIN, "{}", "  Owner             ana\n", "Workload  "},
        {"since when", REVIEW_PLAIN, "{}", "2026-09-21 14:13 UTC (2 h ago)\n", NULL},
        {"the hour", REVIEW_PLAIN, "{}",
                "  the last hour     20.0 %  ██████████████████████████████\n", NULL},
        {"beside the day before", REVIEW_PLAIN, "{}", "  the day before     5.0 %  ███████▌\n",
                NULL},
        {"the counts", REVIEW_PLAIN, "{}",
                "2,000 attempts between 14:14 and 15:13 UTC: 1,600 first attempts and 400 retries.",
                "counted after their time"},
        {"late ones are told", REVIEW_PLAIN, "{\"late_count\":7}",
                "7 of them were counted after their time.", NULL},
        {"largest cause first", REVIEW_PLAIN, "{}",
                "client_handling   300   75.0 %  ██████████████████████████████\n"
                "  timeout           100   25.0 %  ██████████\n",
                NULL},
        {"errors of all errors", REVIEW_PLAIN, "{}", "timeout           3   75.0 %", NULL},
        {"no heading without rows", REVIEW_PLAIN, "{\"errors_by_category\":{}}",
                "Why they were retried", "What failed"},
        {"workloads of all retries", REVIEW_PLAIN, "{}", "web               200   50.0 %", NULL},
        {"a shared dimension is not repeated", REVIEW_PLAIN, "{}", "Workloads with the most",
                "Environments with the most"},
        {"units", REVIEW_PLAIN, "{}",
                "Counted in        tokens\n  First attempts    1,000,000\n  Retries           "
                "250,000\n",
                "Not known"},
        {"units nobody named", REVIEW_PLAIN, "{\"unit_metric\":null}", "nobody has said", NULL},
        {"units that changed", REVIEW_PLAIN, "{\"unit_metric\":\"_MIXED\"}",
                "changed within the hour", NULL},
        {"usage not known", REVIEW_PLAIN, "{\"usage_unavailable_count\":1200}",
                "for 1,200 attempts", NULL},
        {"ready", REVIEW_PLAIN, "{}", "Nothing is missing: it can be decided", "What is missing"},
        {"missing", REVIEW_PLAIN,
                "{\"missing_fields\":[\"workload_tag\"],\"ready_for_decision\":false}",
                "What is missing\n  - workload_tag: which service or job asked\n",
                "Nothing is missing"},
        {"why to wait", REVIEW_PLAIN,
                "{\"pause_reasons\":[\"pricing_source_stale\"],\"ready_for_decision\":false}",
                "  - pricing_source_stale: the pricing page was checked too long ago\n", NULL},
        {"what is proposed", REVIEW_PLAIN, "{}",
                "  > revise_retry_behavior: change when, and how often, requests are retried "
                "(proposed)\n",
                NULL},
        {"no choice after the end", REVIEW_PLAIN,
                "{\"status\":\"resolved\",\"ends_at\":1790003600000}",
                "Over since        2026-09-21 15:13 UTC", "What can be decided"},
        {"no decision", REVIEW_PLAIN, "{}", "Decided           nothing yet", NULL},
        {"evidence", REVIEW_PLAIN, "{}", "calls, partition 3, offsets 100 to 4711\n", NULL},
        {"evidence of nothing", REVIEW_PLAIN,
                "{\"evidence\":{\"topic\":\"calls\",\"partition\":3,\"first_offset\":null,"
                "\"last_offset\":null}}",
                "calls, partition 3\n", "offsets"},
        {"what to type", REVIEW_PLAIN, "{}", "retrywatch decide 0123456789abcdef0123456789abcdef\n",
                NULL},
        {"no command with an odd owner", REVIEW_PLAIN,
                "{\"scope\":{\"owner_tag\":\"a; rm -r\",\"environment\":\"prod\"}}",
                "Owner             a; rm -r\n", "retrywatch owner"},
        {"a terminal's escape is harmless", REVIEW_PLAIN,
                "{\"scope\":{\"owner_tag\":\"a\\u001b[31m\"}}", "a?[31m", "\033"},
        {"markdown title", REVIEW_MARKDOWN, "{}",
                "## Review 0123456789abcdef0123456789abcdef: open\n", "\033"},
        {"markdown table", REVIEW_MARKDOWN, "{}",
                "| | | |\n|---|--:|---|\n| `client_handling` | 300   75.0 % | █", NULL},
        {"markdown proposed", REVIEW_MARKDOWN, "{}", "are retried **(proposed)**\n", NULL},
        {"markdown: others' text is code", REVIEW_MARKDOWN,
                "{\"top_workloads\":[{\"value\":\"<b>@all|`x\",\"retries\":1}]}",
                "| `<b>@all/'x` |", NULL},
        {"an older event lacks fields", REVIEW_PLAIN,
                "{\"scope\":null,\"evidence\":null,\"retries_by_cause\":null,\"source_urls\":null,"
                "\"top_workloads\":null,\"reason\":\"unheard\"}",
                "Review 0123456789abcdef0123456789abcdef: open\n", "Why they were retried"},
};

/* What is printed; to be given to free(). */
static char *
printed(const char *changes, enum review_style style)
{
    json_t *review = json_loads(packet, 0, NULL);
    json_t *over = json_loads(changes, 0, NULL);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(review);
    assert_non_null(over);
    assert_non_null(out);
    json_object_update(review, over);
    review_print(review, NOW_MS, out, style);
    fclose(out);
    json_decref(review);
    json_decref(over);
    return text;
}

static void
test_row(void **state)
{
    const struct row *row = *state;
    char *text = printed(row->changes, row->style);

    if (strstr(text, row->want) == NULL) {
        fail_msg("wanted \"%s\" in:\n%s", row->want, text);
    }
    if (row->never != NULL && strstr(text, row->never) != NULL) {
        fail_msg("did not want \"%s\" in:\n%s", row->never, text);
    }
    free(text);
}

static void
test_decision(bool holds, const char *want, const char *never)
{
    char changes[1024];
    char *text;

    snprintf(changes, sizeof(changes), DECIDED, holds ? "true" : "false");
    text = printed(changes, REVIEW_PLAIN);
    assert_non_null(strstr(text, "Decided           keep_budget_unchanged: leave the budget"));
    assert_non_null(strstr(text, "By                finops\n"));
    assert_non_null(strstr(text, "Reason            quarter end\n"));
    assert_non_null(strstr(text, "Spend risk        accepted\n"));
    assert_non_null(strstr(text, want));
    assert_null(strstr(text, never));
    free(text);
}

static void
test_decision_that_holds(void **state)
{
    (void)state;
    test_decision(true, "Holds until       2026-09-21 19:13 UTC (in 3 h), up to 30.0 % retries\n",
            "answers this review no more");
}

static void
test_decision_that_is_used_up(void **state)
{
    (void)state;
    test_decision(false, "it answers this review no more", "  Holds until");
}

/* Counts and shares only: no currency, no amount of money, in any style. */
static void
test_never_a_price(void **state)
{
    static const char *const forbidden[] = {"$", "€", "£", "USD", "EUR", "cost of", "spent"};

    (void)state;
    for (int style = REVIEW_PLAIN; style <= REVIEW_MARKDOWN; style++) {
        char *text = printed("{}", (enum review_style)style);

        for (size_t i = 0; i < COUNT_OF(forbidden); i++) {
            assert_null(strstr(text, forbidden[i]));
        }
        free(text);
    }
}

int
main(void)
{
    struct CMUnitTest tests[COUNT_OF(rows) + 3];
    size_t count = 0;

    ADD_ROWS(tests, count, rows, test_row);
    ADD_TEST(tests, count, test_decision_that_holds);
    ADD_TEST(tests, count, test_decision_that_is_used_up);
    ADD_TEST(tests, count, test_never_a_price);
    return _cmocka_run_group_tests("review_print", tests, count, NULL, NULL);
}
