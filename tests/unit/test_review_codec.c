/* test_review_codec.c - the bytes of a review are those of its schema, field by field.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/review_codec.h"

#include "tests/support/random_codec.h"
#include "tests/support/rows.h"

#include <avro.h>
#include <stdlib.h>

#define FRAME_SIZE 5

static struct arena arena;

static struct packet
example(void)
{
    struct packet packet = {
            .review_id = "0123456789abcdef0123456789abcdef",
            .generation = 2,
            .sequence = 5,
            .status = REVIEW_STATUS_REOPENED,
            .reason = REASON_SHARE_EXCEEDED,
            .scope = {span_of("ana"), SPAN_NULL, span_of("prod"), SPAN_NULL, span_of("chat")},
            .window_start_ms = INT64_C(1790000000000),
            .window_end_ms = INT64_C(1790003600000),
            .starts_at_ms = INT64_C(1790003500000),
            .ends_at_ms = TIME_NULL,
            .retry_share_bps = 2345,
            .baseline_share_bps = 612,
            .threshold_bps = 1000,
            .config_version = "abc",
            .top_classes = {{span_of("batch"), 30}, {span_of("_MISSING"), 10}},
            .top_class_count = 2,
            .unit_metric = span_of("tokens"),
            .source_urls = {span_of("https://docs.example.com/limits")},
            .source_url_count = 1,
            .review_date = 20718, /* 2026-09-22 */
            .first_attempt_recorded = true,
            .missing_fields = 1U << MISSING_WORKLOAD | 1U << MISSING_RETRY_CAUSE,
            .pause_reasons = 1U << PAUSE_CAUSE_UNKNOWN,
            .proposed_action = ACTION_UPDATE_TAGS,
            .cost_owner_action = SYMBOL_NULL,
            .topic = span_of("request-outcomes"),
            .partition = 3,
    };

    counts_init(&packet.l);
    packet.l.n[COUNT_ATTEMPTS] = 200;
    packet.l.n[COUNT_RETRIES] = 40;
    packet.l.n[COUNT_FIRST_UNITS] = UINT64_MAX; /* stopped at its maximum */
    packet.l.n[COUNT_RETRY_UNITS] = 4000;
    packet.l.n[COUNT_USAGE_UNAVAILABLE] = 6;
    packet.l.n[COUNT_LATE] = 7;
    packet.l.n[COUNT_CAUSE + CAUSE_TIMEOUT] = 25;
    packet.l.n[COUNT_CAUSE_NULL] = 15;
    packet.l.n[COUNT_ERROR + ERROR_OTHER] = 9;
    packet.l.n[COUNT_LAYER + LAYER_SDK] = 40;
    packet.l.n[COUNT_DECISION + RETRY_DECISION_STOP] = 2;
    packet.l.first_offset = 100;
    packet.l.last_offset = 4711;
    return packet;
}

/* What example() is in JSON. */
static const char example_json[] =
        "{\"review_id\":\"0123456789abcdef0123456789abcdef\",\"generation\":2,\"sequence\":5,"
        "\"status\":\"reopened\",\"reason\":\"share_exceeded\","
        "\"scope\":{\"owner_tag\":\"ana\",\"workload_tag\":null,\"environment\":\"prod\","
        "\"request_class\":null,\"budget_bucket\":\"chat\"},"
        "\"window_start\":1790000000000,\"window_end\":1790003600000,"
        "\"starts_at\":1790003500000,\"ends_at\":null,"
        "\"first_attempts\":160,\"attempts\":200,\"retries\":40,\"retry_share_bps\":2345,"
        "\"baseline_share_bps\":612,\"threshold_bps\":1000,"
        "\"rule_id\":\"" RULE_ID "\",\"config_version\":\"abc\","
        "\"retries_by_cause\":{\"timeout\":25,\"_MISSING\":15},"
        "\"errors_by_category\":{\"other\":9},\"retries_by_layer\":{\"sdk\":40},"
        "\"retry_decisions\":{\"stop\":2},"
        "\"top_request_classes\":[{\"value\":\"batch\",\"retries\":30},"
        "{\"value\":\"_MISSING\",\"retries\":10}],\"top_workloads\":[],\"top_environments\":[],"
        "\"first_attempt_units\":9223372036854775807,\"retry_units\":4000,"
        "\"unit_metric\":\"tokens\",\"usage_unavailable_count\":6,\"late_count\":7,"
        "\"review_date\":\"2026-09-22\",\"source_urls\":[\"https://docs.example.com/limits\"],"
        "\"first_attempt_recorded\":true,\"retry_count_recorded\":40,"
        "\"pricing_source_checked\":false,\"allocation_rule_checked\":false,\"result\":\"fail\","
        "\"missing_fields\":[\"workload_tag\",\"retry_cause\"],"
        "\"pause_reasons\":[\"retry_cause_unknown\"],\"ready_for_decision\":false,"
        "\"proposed_action\":\"update_cost_allocation_tags\",\"cost_owner_action\":null,"
        "\"last_decision\":null,"
        "\"evidence\":{\"topic\":\"request-outcomes\",\"partition\":3,\"first_offset\":100,"
        "\"last_offset\":4711}}";

static void
test_example(void **state)
{
    const struct packet packet = example();
    struct buffer bytes = {0};
    json_t *got = NULL;
    json_t *want = json_loads(example_json, 0, NULL);

    (void)state;
    assert_non_null(want);
    review_encode(&packet, 258, &bytes);
    assert_memory_equal(bytes.data, "\0\0\0\1\2", FRAME_SIZE);
    assert_int_equal(review_decode(buffer_span(&bytes), &got, NULL), STATUS_OK);
    if (!json_equal(want, got)) {
        fail_msg("got %s", json_dumps(got, JSON_COMPACT));
    }
    json_decref(want);
    json_decref(got);
    buffer_fini(&bytes);
}

static void
test_empty_window(void **state)
{
    struct packet packet = example();
    struct buffer bytes = {0};
    json_t *got = NULL;

    (void)state;
    counts_init(&packet.l);
    packet.ends_at_ms = 5;
    review_encode(&packet, REVIEW_SCHEMA_ID_DEFAULT, &bytes);
    assert_int_equal(review_decode(buffer_span(&bytes), &got, NULL), STATUS_OK);

    const json_t *evidence = json_object_get(got, "evidence");

    assert_true(json_is_null(json_object_get(evidence, "first_offset")));
    assert_true(json_is_null(json_object_get(evidence, "last_offset")));
    assert_int_equal(json_object_size(json_object_get(got, "retries_by_cause")), 0);
    assert_int_equal(json_integer_value(json_object_get(got, "ends_at")), 5);
    json_decref(got);
    buffer_fini(&bytes);
}

/* ---- Avro-C as the oracle -------------------------------------------------------------------- */

/* A value of Avro-C as review_decode() should show it: unions are their branch, enums their
 * symbol. Dates are left as days. */
static json_t *json_of_avro(const avro_value_t *value);

static json_t *
json_of_avro_record(const avro_value_t *value)
{
    json_t *object = json_object();
    size_t count = 0;

    avro_value_get_size(value, &count);
    for (size_t i = 0; i < count; i++) {
        avro_value_t field;
        const char *name = NULL;

        avro_value_get_by_index(value, i, &field, &name);
        json_object_set_new(object, name, json_of_avro(&field));
    }
    return object;
}

static json_t *
json_of_avro_array(const avro_value_t *value)
{
    json_t *array = json_array();
    size_t count = 0;

    avro_value_get_size(value, &count);
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;

        avro_value_get_by_index(value, i, &item, NULL);
        json_array_append_new(array, json_of_avro(&item));
    }
    return array;
}

static json_t *
json_of_avro_scalar(const avro_value_t *value)
{
    const char *text = NULL;
    size_t size = 0;
    int32_t number = 0;
    int64_t large = 0;
    int flag = 0;

    switch (avro_value_get_type(value)) {
    case AVRO_STRING:
        avro_value_get_string(value, &text, &size);
        return json_stringn(text, size - 1);
    case AVRO_INT32:
        avro_value_get_int(value, &number);
        return json_integer(number);
    case AVRO_INT64:
        avro_value_get_long(value, &large);
        return json_integer(large);
    case AVRO_BOOLEAN:
        avro_value_get_boolean(value, &flag);
        return json_boolean(flag);
    case AVRO_ENUM:
        avro_value_get_enum(value, &number);
        return json_string(avro_schema_enum_get(avro_value_get_schema(value), number));
    default:
        return json_null();
    }
}

static json_t *
json_of_avro(const avro_value_t *value)
{
    avro_value_t branch;

    switch (avro_value_get_type(value)) {
    case AVRO_RECORD:
    case AVRO_MAP:
        return json_of_avro_record(value);
    case AVRO_ARRAY:
        return json_of_avro_array(value);
    case AVRO_UNION:
        avro_value_get_current_branch(value, &branch);
        return json_of_avro(&branch);
    default:
        return json_of_avro_scalar(value);
    }
}

/** Read the body by Avro-C's generic reader; it must take every byte. */
static json_t *
read_by_avro(avro_value_iface_t *iface, struct span value)
{
    avro_value_t record;
    avro_reader_t reader = avro_reader_memory(
            (const char *)value.data + FRAME_SIZE, (int64_t)(value.size - FRAME_SIZE));
    char rest = 0;

    assert_int_equal(avro_generic_value_new(iface, &record), 0);
    assert_int_equal(avro_value_read(reader, &record), 0);
    assert_int_not_equal(avro_read(reader, &rest, 1), 0);

    json_t *json = json_of_avro(&record);

    avro_value_decref(&record);
    avro_reader_free(reader);
    return json;
}

static void
test_avro_reads_the_same(void **state)
{
    struct random numbers = random_new("review_codec");
    avro_schema_t schema = NULL;

    (void)state;
    assert_int_equal(avro_schema_from_json_length(
                             schema_review_required, strlen(schema_review_required), &schema),
            0);

    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);

    for (int i = 0; i < 500; i++) {
        struct packet packet;
        struct buffer bytes = {0};
        json_t *ours = NULL;

        random_packet(&numbers, &arena, &packet);
        review_encode(&packet, REVIEW_SCHEMA_ID_DEFAULT, &bytes);
        assert_int_equal(review_decode(buffer_span(&bytes), &ours, NULL), STATUS_OK);

        json_t *theirs = read_by_avro(iface, buffer_span(&bytes));

        assert_int_equal(
                json_integer_value(json_object_get(theirs, "review_date")), packet.review_date);
        json_object_set(theirs, "review_date", json_object_get(ours, "review_date"));
        assert_true(json_equal(ours, theirs));
        json_decref(ours);
        json_decref(theirs);
        buffer_fini(&bytes);
        arena_reset(&arena);
    }
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
}

/* ---- what is no review ----------------------------------------------------------------------- */

static void
test_cut_and_longer(void **state)
{
    const struct packet packet = example();
    struct buffer bytes = {0};
    struct error error;
    json_t *got = NULL;

    (void)state;
    review_encode(&packet, REVIEW_SCHEMA_ID_DEFAULT, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *copy = memory_new(size, 1);

        memcpy(copy, bytes.data, size);
        assert_int_equal(review_decode((struct span){copy, size}, &got, &error), STATUS_MALFORMED);
        free(copy);
    }
    buffer_put_byte(&bytes, 0);
    assert_int_equal(review_decode(buffer_span(&bytes), &got, &error), STATUS_MALFORMED);
    bytes.size -= 1;
    bytes.data[0] = 1;
    assert_int_equal(review_decode(buffer_span(&bytes), &got, &error), STATUS_MALFORMED);
    assert_null(got);
    buffer_fini(&bytes);
}

/* ---- identity -------------------------------------------------------------------------------- */

/* Not a digest: the text itself, to see what goes into it. */
static char digested[128];
static size_t digested_size;

static void
remember(const void *data, size_t size, uint8_t digest[32])
{
    memcpy(digested, data, size);
    digested_size = size;
    for (uint8_t i = 0; i < 32; i++) {
        digest[i] = (uint8_t)(i * 17);
    }
}

static void
test_event_id(void **state)
{
    static const char want[] = "0123456789abcdef0123456789abcdef\0002\0005\0reopened";
    const struct packet packet = example();
    char id[33];

    (void)state;
    review_event_id(&packet, remember, id);
    assert_int_equal(digested_size, sizeof(want) - 1);
    assert_memory_equal(digested, want, digested_size);
    assert_string_equal(id, "00112233445566778899aabbccddeeff");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_example),
            cmocka_unit_test(test_empty_window),
            cmocka_unit_test(test_avro_reads_the_same),
            cmocka_unit_test(test_cut_and_longer),
            cmocka_unit_test(test_event_id),
    };

    arena_init(&arena);

    const int failed = cmocka_run_group_tests_name("review_codec", tests, NULL, NULL);

    arena_fini(&arena);
    return failed;
}
