/* test_generator.c - generated events: what they hold, and that the account of them is right.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decoder.h"
#include "codec/outcome_encode.h"
#include "consumer/generator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_MS INT64_C(1790000000000)
#define HOUR_MS INT64_C(3600000)
#define EVENTS 20000
#define OWNERS 12

static const struct generator_options rise = {
        .owners = OWNERS,
        .events = EVENTS,
        .seed = 7,
        .zipf = 1.1,
        .scenario = SCENARIO_RISE,
        .start_ms = START_MS,
        .span_ms = 5 * HOUR_MS,
};

static void
assert_span_equal(struct span got, struct span want)
{
    assert_int_equal(got.data == NULL, want.data == NULL);
    assert_true(span_equal(got, want));
}

static void
assert_outcome_equal(const struct outcome *got, const struct outcome *want)
{
    assert_int_equal(got->event_time_ms, want->event_time_ms);
    for (enum dimension i = 0; i < DIM_COUNT; i++) {
        assert_span_equal(got->dimensions[i], want->dimensions[i]);
    }
    assert_span_equal(got->operation_id, want->operation_id);
    assert_span_equal(got->event_id, want->event_id);
    assert_span_equal(got->source, want->source);
    assert_span_equal(got->unit_metric, want->unit_metric);
    assert_span_equal(got->allocation_rule_id, want->allocation_rule_id);
    assert_int_equal(got->source_url_count, want->source_url_count);
    for (size_t i = 0; i < want->source_url_count; i++) {
        assert_span_equal(got->source_urls[i], want->source_urls[i]);
    }
    assert_int_equal(got->pricing_source_checked_at_ms, want->pricing_source_checked_at_ms);
    assert_int_equal(got->has_units, want->has_units);
    assert_int_equal(got->units, want->units);
    assert_int_equal(got->has_input_tokens, want->has_input_tokens);
    assert_int_equal(got->input_tokens, want->input_tokens);
    assert_int_equal(got->has_output_tokens, want->has_output_tokens);
    assert_int_equal(got->output_tokens, want->output_tokens);
    assert_int_equal(got->attempt_number, want->attempt_number);
    assert_int_equal(got->retry_layer, want->retry_layer);
    assert_int_equal(got->result, want->result);
    assert_int_equal(got->error_category, want->error_category);
    assert_int_equal(got->retry_cause, want->retry_cause);
    assert_int_equal(got->retry_decision, want->retry_decision);
    assert_int_equal(got->usage_source, want->usage_source);
}

/* Encode it and decode it again; the size of the encoded value. */
static size_t
check_round_trip(struct decoder *decoder, const struct outcome *outcome, bool json)
{
    struct buffer value = {0};
    struct arena arena;
    struct outcome decoded;
    struct error error = {0};
    int64_t schema_id = 0;

    arena_init(&arena);
    if (json) {
        outcome_encode_json(outcome, &value);
    } else {
        outcome_encode(outcome, 258, &value);
    }

    const enum status status =
            decoder_decode(decoder, buffer_span(&value), &arena, &decoded, &schema_id, &error);

    if (status != STATUS_OK) {
        fail_msg("%s: %s", status_text(status), error.text);
    }
    assert_int_equal(schema_id, json ? SCHEMA_ID_NONE : 258);
    assert_outcome_equal(&decoded, outcome);

    const size_t size = value.size;

    arena_fini(&arena);
    buffer_fini(&value);
    return size;
}

static struct decoder *
new_decoder(enum input_format format)
{
    const struct decoder_options options = {.format = format, .record_bytes_max = 65536};
    struct decoder *decoder = NULL;
    struct error error = {0};

    if (decoder_new(&options, &decoder, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    return decoder;
}

static void
test_events_come_back_from_avro_and_json(void **state)
{
    struct generator *generator = generator_new(&rise);
    struct decoder *avro = new_decoder(FORMAT_AVRO);
    struct decoder *json = new_decoder(FORMAT_JSON);
    size_t bytes = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct outcome outcome;

        generator_next(generator, 0, &outcome);
        bytes += check_round_trip(avro, &outcome, false);
        check_round_trip(json, &outcome, true);
    }
    print_message("%zu bytes an event\n", bytes / 2000);
    assert_in_range(bytes / 2000, 200, 240);
    decoder_destroy(avro);
    decoder_destroy(json);
    generator_destroy(generator);
}

/* What the generator never makes: nulls, and text that JSON must escape. */
static void
test_sparse_and_odd_events_come_back(void **state)
{
    struct decoder *avro = new_decoder(FORMAT_AVRO);
    struct decoder *json = new_decoder(FORMAT_JSON);
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    outcome.event_time_ms = START_MS;
    outcome.attempt_number = 1000;
    outcome.event_id = span_of("");
    outcome.operation_id = span_of("");
    check_round_trip(avro, &outcome, false);
    outcome.dimensions[DIM_OWNER] = span_of("a \"quoted\" \\ name\twith\nlines");
    outcome.dimensions[DIM_CLASS] = span_of("");
    outcome.has_units = true;
    outcome.units = INT64_MAX;
    outcome.source_url_count = OUTCOME_URLS_MAX;
    for (size_t i = 0; i < OUTCOME_URLS_MAX; i++) {
        outcome.source_urls[i] = span_of("https://example.com/page");
    }
    check_round_trip(avro, &outcome, false);
    check_round_trip(json, &outcome, true);
    decoder_destroy(avro);
    decoder_destroy(json);
}

/* Recount what came out, and compare it with the generator's own account. */
static void
test_the_account_is_right(void **state)
{
    struct generator *generator = generator_new(&rise);
    struct owner_account recount[OWNERS] = {0};
    const struct owner_account *accounts = generator_accounts(generator);
    int64_t last_ms = START_MS;

    (void)state;
    for (int i = 0; i < EVENTS; i++) {
        struct outcome outcome;
        size_t owner = 0;

        generator_next(generator, 0, &outcome);
        assert_true(outcome.event_time_ms >= last_ms);
        last_ms = outcome.event_time_ms;
        while (!span_equal(outcome.dimensions[DIM_OWNER], span_of(accounts[owner].owner))) {
            owner++;
            assert_true(owner < OWNERS);
        }
        recount[owner].attempts += 1;
        recount[owner].retries += outcome.attempt_number >= 2;
        recount[owner].failures += outcome.result == RESULT_FAILURE;
        recount[owner].usage_unavailable += outcome.usage_source == USAGE_UNAVAILABLE;
    }
    assert_true(last_ms < START_MS + rise.span_ms);
    for (size_t i = 0; i < OWNERS; i++) {
        assert_true(accounts[i].attempts > 0);
        assert_int_equal(recount[i].attempts, accounts[i].attempts);
        assert_int_equal(recount[i].retries, accounts[i].retries);
        assert_int_equal(recount[i].failures, accounts[i].failures);
        assert_int_equal(recount[i].usage_unavailable, accounts[i].usage_unavailable);
    }
    generator_destroy(generator);
}

/* Retries of the owner, in percent of its attempts, between two times after the start. */
static double
share_between(
        const struct generator_options *options, const char *owner, int64_t from_ms, int64_t to_ms)
{
    struct generator *generator = generator_new(options);
    double attempts = 0;
    double retries = 0;

    for (int64_t i = 0; i < options->events; i++) {
        struct outcome outcome;

        generator_next(generator, 0, &outcome);
        if (span_equal(outcome.dimensions[DIM_OWNER], span_of(owner)) &&
                outcome.event_time_ms >= START_MS + from_ms &&
                outcome.event_time_ms < START_MS + to_ms) {
            attempts += 1;
            retries += outcome.attempt_number >= 2;
        }
    }
    generator_destroy(generator);
    return 100 * retries / attempts;
}

static void
test_shares_are_those_of_the_scenario(void **state)
{
    struct generator_options options = rise;
    int64_t from_ms = 0;

    (void)state;
    options.events = 200000;

    struct generator *generator = generator_new(&options);

    assert_string_equal(generator_suspect(generator, &from_ms), "checkout");
    from_ms -= START_MS;
    generator_destroy(generator);
    assert_in_range(from_ms, 4 * HOUR_MS, 5 * HOUR_MS);
    assert_in_range((long)share_between(&options, "checkout", 0, from_ms), 2, 4);
    assert_in_range(
            (long)share_between(&options, "checkout", 5 * HOUR_MS - 600000, 5 * HOUR_MS), 31, 38);
    assert_in_range((long)share_between(&options, "search", 0, 5 * HOUR_MS), 2, 4);
    options.scenario = SCENARIO_CHRONIC;
    assert_in_range((long)share_between(&options, "checkout", 0, HOUR_MS), 13, 17);
    options.scenario = SCENARIO_CALM;
    assert_in_range((long)share_between(&options, "checkout", 4 * HOUR_MS, 5 * HOUR_MS), 2, 4);
}

static void
test_zipf_and_uniform(void **state)
{
    struct generator_options options = rise;
    struct outcome outcome;

    (void)state;
    options.events = 100000;
    options.scenario = SCENARIO_CALM;

    struct generator *zipf = generator_new(&options);

    options.zipf = 0;

    struct generator *uniform = generator_new(&options);

    for (int64_t i = 0; i < options.events; i++) {
        generator_next(zipf, 0, &outcome);
        generator_next(uniform, 0, &outcome);
    }
    /* 1 / sum of i^-1.1 for i = 1 .. 12 is 0.356, and 12^-1.1 of it 0.0231. */
    assert_in_range(generator_accounts(zipf)[0].attempts, 34600, 36600);
    assert_in_range(generator_accounts(zipf)[OWNERS - 1].attempts, 2110, 2510);
    assert_in_range(generator_accounts(uniform)[0].attempts, 7900, 8800);
    assert_in_range(generator_accounts(uniform)[OWNERS - 1].attempts, 7900, 8800);
    generator_destroy(zipf);
    generator_destroy(uniform);
}

static void
test_live_events_have_the_time_they_are_made(void **state)
{
    struct generator_options options = rise;
    struct outcome outcome;

    (void)state;
    options.span_ms = 0;

    struct generator *generator = generator_new(&options);

    generator_next(generator, 123456789, &outcome);
    assert_int_equal(outcome.event_time_ms, 123456789);
    generator_destroy(generator);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_events_come_back_from_avro_and_json),
            cmocka_unit_test(test_sparse_and_odd_events_come_back),
            cmocka_unit_test(test_the_account_is_right),
            cmocka_unit_test(test_shares_are_those_of_the_scenario),
            cmocka_unit_test(test_zipf_and_uniform),
            cmocka_unit_test(test_live_events_have_the_time_they_are_made),
    };

    return cmocka_run_group_tests_name("generator", tests, NULL, NULL);
}
