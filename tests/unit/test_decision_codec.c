/* test_decision_codec.c - which decisions are read, as what, and which are refused and why.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decision_codec.h"

#include "codec/review_codec.h"
#include "tests/support/rows.h"

#include <avro.h>
#include <stdlib.h>

/* What a decision needs to be read. */
#define NEEDED "\"decision_id\":\"d-1\",\"decided_at\":1790000000000"
#define DECISION(fields) "{" NEEDED "," fields "}"

static struct arena arena;

/* Decode a copy of just this size, so that the sanitizer sees each byte too far. */
static enum status
decode(struct span value, struct decision *decision, struct error *error)
{
    uint8_t *copy = memory_new(value.size, 1);

    memcpy(copy, value.data, value.size);

    const enum status status =
            decision_decode((struct span){copy, value.size}, &arena, decision, error);

    if (status == STATUS_OK && copy[0] != '{') {
        /* Spans may point into the value: keep it as long as the arena. */
        const struct span kept = arena_copy(&arena, (struct span){copy, value.size});

        free(copy);
        return decision_decode(kept, &arena, decision, error);
    }
    free(copy);
    return status;
}

static const char whole[] =
        "{\"decision_id\":\"d-1\",\"review_id\":\"r-1\",\"decided_at\":\"2026-09-22T13:33:20Z\","
        "\"decision_owner\":\"ana\",\"scope\":{\"owner_tag\":\"team-a\",\"environment\":null,"
        "\"budget_bucket\":\"chat\"},\"action\":\"revise_retry_behavior\","
        "\"accepts_spend_risk\":true,\"reason\":\"the new client backs off\","
        "\"effective_from\":1790084000001,\"expires_at\":\"2026-09-23T13:33:20+00:00\","
        "\"max_retry_share_bps\":2500,\"revoked\":false,"
        "\"source_urls\":[\"https://u:p@docs.example.com/limits?key=s\"],"
        "\"access_date\":\"2026-09-21\",\"pricing_source_checked_at\":1790000000000,"
        "\"allocation_rule_checked\":true,\"unit_metric\":\"tokens\","
        "\"changed_setting\":\"max_retries 5 to 2\",\"changed_assumption\":\"none\","
        "\"remaining_uncertainty\":\"load at month end\",\"foreign\":{\"x\":[1]}}";

static void
check_whole(const struct decision *decision)
{
    assert_true(span_equal(decision->decision_id, span_of("d-1")));
    assert_true(span_equal(decision->review_id, span_of("r-1")));
    assert_true(span_equal(decision->decision_owner, span_of("ana")));
    assert_true(span_equal(decision->scope[DIM_OWNER], span_of("team-a")));
    assert_null(decision->scope[DIM_WORKLOAD].data);
    assert_null(decision->scope[DIM_ENVIRONMENT].data);
    assert_true(span_equal(decision->scope[DIM_BUCKET], span_of("chat")));
    assert_true(span_equal(decision->reason, span_of("the new client backs off")));
    assert_true(span_equal(decision->unit_metric, span_of("tokens")));
    assert_int_equal(decision->source_url_count, 1);
    assert_true(span_equal(decision->source_urls[0], span_of("https://docs.example.com/limits")));
    assert_true(span_equal(decision->changed_setting, span_of("max_retries 5 to 2")));
    assert_true(span_equal(decision->changed_assumption, span_of("none")));
    assert_true(span_equal(decision->remaining_uncertainty, span_of("load at month end")));
    assert_true(decision->decided_at_ms == INT64_C(1790084000000));
    assert_true(decision->effective_from_ms == INT64_C(1790084000001));
    assert_true(decision->expires_at_ms == INT64_C(1790170400000));
    assert_true(decision->record_ms == 0);
    assert_true(decision->pricing_source_checked_at_ms == INT64_C(1790000000000));
    assert_int_equal(decision->access_date, 20717);
    assert_int_equal(decision->max_retry_share_bps, 2500);
    assert_int_equal(decision->action, ACTION_REVISE_RETRIES);
    assert_true(decision->accepts_spend_risk && decision->allocation_rule_checked);
    assert_false(decision->revoked);
}

static void
test_json(void **state)
{
    struct decision decision;

    (void)state;
    assert_int_equal(decode(span_of(whole), &decision, NULL), STATUS_OK);
    check_whole(&decision);
}

static void
test_avro(void **state)
{
    struct decision decision;
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(decode(span_of(whole), &decision, NULL), STATUS_OK);
    decision_encode(&decision, 9, &bytes);
    assert_memory_equal(bytes.data, "\0\0\0\0\x09", 5);
    memset(&decision, 0xff, sizeof(decision));
    assert_int_equal(decode(buffer_span(&bytes), &decision, NULL), STATUS_OK);
    check_whole(&decision);
    buffer_fini(&bytes);
}

static void
test_least(void **state)
{
    struct decision decision;

    (void)state;
    assert_int_equal(decode(span_of("{" NEEDED "}"), &decision, NULL), STATUS_OK);
    assert_null(decision.review_id.data);
    assert_null(decision.decision_owner.data);
    assert_null(decision.reason.data);
    assert_true(decision.effective_from_ms == TIME_NULL && decision.expires_at_ms == TIME_NULL);
    assert_true(decision.pricing_source_checked_at_ms == TIME_NULL);
    assert_int_equal(decision.access_date, DATE_NULL);
    assert_int_equal(decision.max_retry_share_bps, -1);
    assert_int_equal(decision.action, ACTION_COUNT);
    assert_false(decision.accepts_spend_risk || decision.revoked);
    assert_int_equal(decision.source_url_count, 0);
}

static void
test_control_characters(void **state)
{
    struct decision decision;

    (void)state;
    assert_int_equal(decode(span_of(DECISION("\"reason\":\"a\\nb\\u001b[31mc\\u007fd\\u0085e\\u00a0"
                                             "\"")),
                             &decision, NULL),
            STATUS_OK);
    assert_true(span_equal(decision.reason, span_of("ab[31mcde\xc2\xa0")));
}

/* 200 characters are allowed, however many bytes they take; one more is too many. */
static void
test_reason_limit(void **state)
{
    static const char *const characters[] = {"x", "\xc3\xa4", "\xf0\x9f\x9a\x80"};
    struct decision decision;
    struct error error;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        for (int count = 199; count <= 201; count++) {
            struct buffer json = {0};

            buffer_put_text(&json, "{" NEEDED ",\"reason\":\"");
            for (int k = 0; k < count; k++) {
                buffer_put_text(&json, characters[i]);
            }
            buffer_put_text(&json, "\"}");
            assert_int_equal(decode(buffer_span(&json), &decision, &error),
                    count <= DECISION_REASON_MAX ? STATUS_OK : STATUS_INVALID);
            buffer_fini(&json);
        }
        assert_non_null(strstr(error.text, "201 characters, at most 200"));
    }
}

static void
test_value_limit(void **state)
{
    char json[512];
    struct decision decision;

    (void)state;
    for (int size = 255; size <= 257; size++) {
        snprintf(json, sizeof(json), "{" NEEDED ",\"scope\":{\"owner_tag\":\"%0*d\"}}", size, 0);
        assert_int_equal(
                decode(span_of(json), &decision, NULL), size <= 256 ? STATUS_OK : STATUS_INVALID);
    }
}

static const struct bad_row {
    const char *name;
    const char *json;
    enum status status;
    const char *why; /* part of the error */
} bad[] = {
        {"tombstone", "", STATUS_EMPTY, "no value"},
        {"text", "hello", STATUS_MALFORMED, "begins with byte 0x68"},
        {"array", "[]", STATUS_MALFORMED, "begins with byte"},
        {"object that is cut", "{" NEEDED, STATUS_MALFORMED, "no JSON object"},
        {"something behind", "{" NEEDED "} x", STATUS_MALFORMED, "no JSON object"},
        {"field given twice", DECISION("\"revoked\":false,\"revoked\":true"), STATUS_MALFORMED,
                "duplicate"},
        {"not UTF-8", DECISION("\"reason\":\"\xff\""), STATUS_MALFORMED, "no JSON object"},
        {"no decided_at", "{\"decision_id\":\"d-1\"}", STATUS_INVALID, "decided_at is missing"},
        {"decided_at before 1970", "{\"decided_at\":-1}", STATUS_INVALID,
                "decided_at is before 1970"},
        {"decided_at that stands for null", "{\"decided_at\":-9223372036854775808}", STATUS_INVALID,
                "decided_at is before 1970"},
        {"expires_at before 1970", DECISION("\"expires_at\":\"1969-12-31T00:00:00Z\""),
                STATUS_INVALID, "expires_at is before 1970"},
        {"expires_at as a date", DECISION("\"expires_at\":\"2026-09-22\""), STATUS_MALFORMED,
                "expires_at must be epoch milliseconds or an RFC 3339 time"},
        {"effective_from with fraction", DECISION("\"effective_from\":1.5"), STATUS_MALFORMED,
                "effective_from must be epoch"},
        {"access_date that is none", DECISION("\"access_date\":\"2026-02-30\""), STATUS_MALFORMED,
                "access_date must be a date"},
        {"access_date of 65 bits", DECISION("\"access_date\":4294967296"), STATUS_MALFORMED,
                "access_date must be a date"},
        {"share above 100 %", DECISION("\"max_retry_share_bps\":10001"), STATUS_INVALID,
                "max_retry_share_bps is outside 0..10000"},
        {"share below 0", DECISION("\"max_retry_share_bps\":-1"), STATUS_INVALID,
                "max_retry_share_bps is outside 0..10000"},
        {"share as text", DECISION("\"max_retry_share_bps\":\"5\""), STATUS_MALFORMED,
                "max_retry_share_bps must be an integer"},
        {"scope as text", DECISION("\"scope\":\"ana\""), STATUS_MALFORMED,
                "scope must be an object"},
        {"owner as a number", DECISION("\"scope\":{\"owner_tag\":7}"), STATUS_MALFORMED,
                "owner_tag must be a string"},
        {"control character in the scope", DECISION("\"scope\":{\"owner_tag\":\"a\\u0001\"}"),
                STATUS_INVALID, "owner_tag holds control characters"},
        {"control character in the id", "{\"decision_id\":\"d\\n1\",\"decided_at\":1790000000000}",
                STATUS_INVALID, "decision_id holds control characters"},
        {"reason as a number", DECISION("\"reason\":7"), STATUS_MALFORMED,
                "reason must be a string"},
        {"action as a number", DECISION("\"action\":0"), STATUS_MALFORMED,
                "action must be a string"},
        {"revoked as text", DECISION("\"revoked\":\"true\""), STATUS_MALFORMED,
                "revoked must be true or false"},
        {"revoked as a number", DECISION("\"revoked\":1"), STATUS_MALFORMED,
                "revoked must be true or false"},
        {"source URL alone", DECISION("\"source_urls\":\"https://h/\""), STATUS_MALFORMED,
                "source_urls must be an array of strings"},
        {"source URL that is null", DECISION("\"source_urls\":[null]"), STATUS_MALFORMED,
                "source_urls must be an array of strings"},
};

static void
test_bad(void **state)
{
    const struct bad_row *row = *state;
    struct decision decision = {.max_retry_share_bps = 77};
    struct error error = {0};

    assert_int_equal(decode(span_of(row->json), &decision, &error), row->status);
    assert_int_equal(error.status, row->status);
    if (strstr(error.text, row->why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.text, row->why);
    }
    assert_int_equal(decision.max_retry_share_bps, 77); /* untouched */
}

static void
test_unknown_action(void **state)
{
    struct decision decision;
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(
            decode(span_of(DECISION("\"action\":\"keep_budget\"")), &decision, NULL), STATUS_OK);
    assert_int_equal(decision.action, ACTION_COUNT); /* decision_check() refuses it */
    decision_encode(&decision, 1, &bytes);
    assert_int_equal(decode(buffer_span(&bytes), &decision, NULL), STATUS_OK);
    assert_int_equal(decision.action, ACTION_COUNT);
    buffer_fini(&bytes);
}

static void
test_nine_urls(void **state)
{
    struct decision decision;

    (void)state;
    assert_int_equal(decode(span_of(DECISION("\"source_urls\":[\"h/1\",\"https://u:p@\",\"h/2\","
                                             "\"h/3\",\"h/4\",\"h/5\",\"h/6\",\"h/7\",\"h/8\","
                                             "\"h/9\"]")),
                             &decision, NULL),
            STATUS_OK);
    assert_int_equal(decision.source_url_count, OUTCOME_URLS_MAX);
    assert_true(span_equal(decision.source_urls[7], span_of("h/8")));
}

static void
test_error_does_not_quote(void **state)
{
    struct decision decision;
    struct error error;

    (void)state;
    assert_int_equal(decode(span_of("{\"canary\" canary"), &decision, &error), STATUS_MALFORMED);
    assert_null(strstr(error.text, "canary"));
}

static void
test_avro_cut_and_longer(void **state)
{
    struct decision decision;
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(decode(span_of(whole), &decision, NULL), STATUS_OK);
    decision_encode(&decision, 9, &bytes);
    for (size_t size = 1; size < bytes.size; size++) {
        assert_int_equal(
                decode((struct span){bytes.data, size}, &decision, NULL), STATUS_MALFORMED);
    }
    buffer_put_byte(&bytes, 0);
    assert_int_equal(decode(buffer_span(&bytes), &decision, NULL), STATUS_MALFORMED);
    buffer_fini(&bytes);
}

/* ---- Avro-C as the writer -------------------------------------------------------------------- */

static void
set_string(avro_value_t *record, const char *name, const char *text)
{
    avro_value_t field;

    assert_int_equal(avro_value_get_by_name(record, name, &field, NULL), 0);
    assert_int_equal(avro_value_set_string(&field, text), 0);
}

/** The branch of a nullable field: 0 is null. */
static avro_value_t
set_branch(avro_value_t *record, const char *name, int branch)
{
    avro_value_t field;
    avro_value_t value;

    assert_int_equal(avro_value_get_by_name(record, name, &field, NULL), 0);
    assert_int_equal(avro_value_set_branch(&field, branch, &value), 0);
    return value;
}

static void
fill(avro_value_t *record)
{
    static const char *const nulls[] = {"review_id", "effective_from", "expires_at",
            "max_retry_share_bps", "pricing_source_checked_at", "unit_metric", "changed_setting",
            "changed_assumption", "remaining_uncertainty"};
    avro_value_t field;
    avro_value_t value;

    set_string(record, "decision_id", "d-1");
    set_string(record, "decision_owner", "ana");
    set_string(record, "reason", "because");
    for (size_t i = 0; i < COUNT_OF(nulls); i++) {
        set_branch(record, nulls[i], 0);
    }
    avro_value_get_by_name(record, "decided_at", &field, NULL);
    avro_value_set_long(&field, 5);
    avro_value_get_by_name(record, "action", &field, NULL);
    avro_value_set_enum(&field, avro_schema_enum_get_by_name(avro_value_get_schema(&field),
                                        action_names[ACTION_OPEN_EXCEPTION]));
    avro_value_get_by_name(record, "scope", &field, NULL);
    for (int d = 0; d < DIM_BUCKET; d++) {
        set_branch(&field, dimension_name((enum dimension)d), 0);
    }
    value = set_branch(&field, "budget_bucket", 1);
    avro_value_set_string(&value, "chat");
    value = set_branch(record, "access_date", 1);
    avro_value_set_int(&value, 20717);
}

/* Avro-C writes a decision by the schema that clients get, and we read the same. */
static void
test_written_by_avro(void **state)
{
    avro_schema_t schema = NULL;
    avro_value_t record;
    char bytes[512] = {0};
    avro_writer_t writer = avro_writer_memory(bytes + 5, sizeof(bytes) - 5);
    struct decision decision;

    (void)state;
    assert_int_equal(avro_schema_from_json_length(schema_cost_owner_decision,
                             strlen(schema_cost_owner_decision), &schema),
            0);

    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);

    avro_generic_value_new(iface, &record);
    fill(&record);
    assert_int_equal(avro_value_write(writer, &record), 0);

    const struct span value = {(const uint8_t *)bytes, (size_t)avro_writer_tell(writer) + 5};

    assert_int_equal(decode(value, &decision, NULL), STATUS_OK);
    assert_true(span_equal(decision.decision_owner, span_of("ana")));
    assert_int_equal(decision.action, ACTION_OPEN_EXCEPTION);
    assert_null(decision.scope[DIM_OWNER].data);
    assert_true(span_equal(decision.scope[DIM_BUCKET], span_of("chat")));
    assert_int_equal(decision.access_date, 20717);
    assert_true(decision.expires_at_ms == TIME_NULL);
    avro_writer_free(writer);
    avro_value_decref(&record);
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
}

int
main(void)
{
    struct CMUnitTest tests[64] = {0}; /* rows without a function do not count */
    size_t count = 0;

    arena_init(&arena);
    ADD_TEST(tests, count, test_json);
    ADD_TEST(tests, count, test_avro);
    ADD_TEST(tests, count, test_least);
    ADD_TEST(tests, count, test_control_characters);
    ADD_TEST(tests, count, test_reason_limit);
    ADD_TEST(tests, count, test_value_limit);
    ADD_ROWS(tests, count, bad, test_bad);
    ADD_TEST(tests, count, test_unknown_action);
    ADD_TEST(tests, count, test_nine_urls);
    ADD_TEST(tests, count, test_error_does_not_quote);
    ADD_TEST(tests, count, test_avro_cut_and_longer);
    ADD_TEST(tests, count, test_written_by_avro);

    const int failed = cmocka_run_group_tests_name("decision_codec", tests, NULL, NULL);

    arena_fini(&arena);
    return failed;
}
