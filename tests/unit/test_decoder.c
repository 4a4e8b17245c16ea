/* test_decoder.c - frames, schema ids and limits, around the decode plan.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decoder.h"
#include "tests/support/outcome_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define RECORD(fields)                                 \
    "{\"type\":\"record\",\"name\":\"w\",\"fields\":[" \
    "{\"name\":\"event_time\",\"type\":\"long\"},"     \
    "{\"name\":\"attempt_number\",\"type\":\"int\"}" fields "]}"

/* The fingerprint of RECORD(""), as fastavro computes it too. */
#define FINGERPRINT "111641fb23dee18d"

/* A registry with a script: what it answers, and how often it was asked. */
struct registry {
    enum status status;
    const char *json;
    int asked;
    int64_t asked_id;
};

static enum status
fetch(void *context, int64_t id, char **json, struct error *error)
{
    struct registry *registry = context;

    registry->asked += 1;
    registry->asked_id = id;
    if (registry->status != STATUS_OK) {
        return error_set(error, registry->status, "scripted");
    }
    *json = strdup(registry->json);
    return STATUS_OK;
}

static struct decoder *
new_decoder(enum input_format format, const char *writer_schema, struct registry *registry)
{
    const struct decoder_options options = {
            .format = format,
            .writer_schema = writer_schema,
            .fetch = registry != NULL ? fetch : NULL,
            .fetch_context = registry,
            .record_bytes_max = 64,
    };
    struct decoder *decoder = NULL;
    struct error error = {0};

    assert_int_equal(decoder_new(&options, &decoder, &error), STATUS_OK);
    return decoder;
}

static enum status
decode(struct decoder *decoder, const char *hex, int64_t *id, struct outcome *outcome,
        struct error *error)
{
    uint8_t bytes[256];
    struct arena arena;

    arena_init(&arena);

    const size_t size = hex_read(hex, bytes, sizeof(bytes));
    const enum status status =
            decoder_decode(decoder, (struct span){bytes, size}, &arena, outcome, id, error);

    arena_fini(&arena);
    return status;
}

static void
expect(struct decoder *decoder, const char *hex, enum status want, int64_t want_id)
{
    struct outcome outcome = {0};
    struct error error = {0};
    int64_t id = 0;

    assert_int_equal(decode(decoder, hex, &id, &outcome, &error), want);
    assert_int_equal(id, want_id);
    if (want == STATUS_OK) {
        assert_int_equal(outcome.attempt_number, 1);
    } else {
        assert_int_equal(outcome.attempt_number, 0);
        assert_int_equal(error.status, want);
    }
}

static void
test_without_registry_every_id_is_the_schema(void **state)
{
    struct decoder *decoder = new_decoder(FORMAT_AVRO, RECORD(""), NULL);

    (void)state;
    expect(decoder, "00 00000001 02 02", STATUS_OK, 1);
    expect(decoder, "00 ffffffff 02 02", STATUS_OK, INT64_C(0xffffffff));
    expect(decoder, "00 00000007 02", STATUS_MALFORMED, 7);
    expect(decoder, "7b 00000007 02", STATUS_MALFORMED, SCHEMA_ID_NONE);
    assert_int_equal(decoder_metrics(decoder)->decoded, 2);
    assert_int_equal(decoder_metrics(decoder)->schemas, 1);
    decoder_destroy(decoder);
}

static void
test_limits(void **state)
{
    struct decoder *decoder = new_decoder(FORMAT_AVRO, NULL, NULL);
    struct outcome outcome = {0};
    struct error error = {0};
    uint8_t bytes[65] = {0};
    int64_t id = 0;

    (void)state;
    assert_int_equal(decoder_decode(decoder, SPAN_NULL, NULL, &outcome, &id, &error), STATUS_EMPTY);
    assert_int_equal(id, SCHEMA_ID_NONE);
    assert_int_equal(decoder_decode(decoder, (struct span){bytes, 65}, NULL, &outcome, &id, &error),
            STATUS_TOO_LARGE);
    assert_int_equal(decoder_decode(decoder, (struct span){bytes, 64}, NULL, &outcome, &id, &error),
            STATUS_MALFORMED);
    assert_int_equal(decoder_decode(decoder, (struct span){bytes, 0}, NULL, &outcome, &id, &error),
            STATUS_MALFORMED);
    decoder_destroy(decoder);
}

static void
test_registry_is_asked_once(void **state)
{
    struct registry registry = {.status = STATUS_OK, .json = RECORD("")};
    struct decoder *decoder = new_decoder(FORMAT_AVRO, NULL, &registry);

    (void)state;
    for (int i = 0; i < 3; i++) {
        expect(decoder, "00 00000009 02 02", STATUS_OK, 9);
        expect(decoder, "00 00000004 02 02", STATUS_OK, 4);
    }
    assert_int_equal(registry.asked, 2);
    assert_int_equal(registry.asked_id, 4);
    decoder_destroy(decoder);
}

static void
test_registry_that_does_not_know_is_asked_again(void **state)
{
    struct registry registry = {.status = STATUS_SCHEMA_WAIT, .json = RECORD("")};
    struct decoder *decoder = new_decoder(FORMAT_AVRO, NULL, &registry);

    (void)state;
    expect(decoder, "00 00000009 02 02", STATUS_SCHEMA_WAIT, 9);
    registry.status = STATUS_UNKNOWN_SCHEMA;
    expect(decoder, "00 00000009 02 02", STATUS_UNKNOWN_SCHEMA, 9);
    registry.status = STATUS_OK;
    expect(decoder, "00 00000009 02 02", STATUS_OK, 9);
    assert_int_equal(registry.asked, 3);
    decoder_destroy(decoder);
}

static void
test_schema_that_is_no_outcome_is_named(void **state)
{
    struct registry registry = {.status = STATUS_OK, .json = "\"string\""};
    struct decoder *decoder = new_decoder(FORMAT_AVRO, NULL, &registry);
    struct outcome outcome;
    struct error error = {0};
    int64_t id = 0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        error = (struct error){0};
        assert_int_equal(
                decode(decoder, "00 00000123 02 02", &id, &outcome, &error), STATUS_UNKNOWN_SCHEMA);
        assert_int_equal(error.status, STATUS_UNKNOWN_SCHEMA);
        assert_non_null(strstr(error.text, "schema 291 cannot be an outcome"));
    }
    assert_int_equal(registry.asked, 1);
    decoder_destroy(decoder);
}

static void
test_many_schemas_are_bounded(void **state)
{
    struct registry registry = {.status = STATUS_OK, .json = RECORD("")};
    struct decoder *decoder = new_decoder(FORMAT_AVRO, NULL, &registry);
    char hex[64];

    (void)state;
    for (int i = 0; i < 5000; i++) {
        /* In a scattered order, each id once. */
        snprintf(hex, sizeof(hex), "00 %08x 02 02", (unsigned)(i * 2654435761U));
        expect(decoder, hex, STATUS_OK, (int64_t)(unsigned)(i * 2654435761U));
    }
    assert_int_equal(registry.asked, 5000);
    expect(decoder, hex, STATUS_OK, registry.asked_id);
    assert_int_equal(registry.asked, 5000);
    decoder_destroy(decoder);
}

static void
test_single_object(void **state)
{
    struct decoder *decoder = new_decoder(FORMAT_AVRO_SINGLE, RECORD(""), NULL);
    const int64_t fingerprint = (int64_t)strtoull(FINGERPRINT, NULL, 16);

    (void)state;
    expect(decoder, "c301 8de1de23fb411611 02 02", STATUS_OK, fingerprint);
    expect(decoder, "c301 0000000000000000 02 02", STATUS_UNKNOWN_SCHEMA, 0);
    expect(decoder, "00 00000001 02 02", STATUS_MALFORMED, SCHEMA_ID_NONE);
    decoder_destroy(decoder);
}

static void
test_single_object_with_registry(void **state)
{
    struct registry registry = {.status = STATUS_OK, .json = RECORD("")};
    struct decoder *decoder = new_decoder(FORMAT_AVRO_SINGLE, NULL, &registry);
    const int64_t fingerprint = (int64_t)strtoull(FINGERPRINT, NULL, 16);

    (void)state;
    expect(decoder, "c301 8de1de23fb411611 02 02", STATUS_OK, fingerprint);
    assert_int_equal(registry.asked_id, fingerprint);
    /* The registry gives a schema whose fingerprint is not the one that was asked for. */
    expect(decoder, "c301 0100000000000000 02 02", STATUS_UNKNOWN_SCHEMA, 1);
    decoder_destroy(decoder);
}

static void
test_bare(void **state)
{
    struct decoder *decoder = new_decoder(FORMAT_AVRO_BARE, RECORD(""), NULL);

    (void)state;
    expect(decoder, "02 02", STATUS_OK, SCHEMA_ID_NONE);
    expect(decoder, "02 02 02", STATUS_MALFORMED, SCHEMA_ID_NONE);
    decoder_destroy(decoder);
}

static void
test_configured_schema_that_is_no_outcome(void **state)
{
    const struct decoder_options options = {
            .format = FORMAT_AVRO, .writer_schema = "\"string\"", .record_bytes_max = 64};
    struct decoder *decoder = NULL;
    struct error error = {0};

    (void)state;
    assert_int_equal(decoder_new(&options, &decoder, &error), STATUS_BAD_SCHEMA);
    assert_null(decoder);
    assert_non_null(strstr(error.text, "event_time"));
}

/* A record counts once for each kind that it carries, and not at all where the field is null. */
static void
test_forbidden_fields_are_counted(void **state)
{
    struct decoder *decoder = new_decoder(FORMAT_AVRO_BARE,
            RECORD(",{\"name\":\"prompt\",\"type\":[\"null\",\"string\"]}"
                   ",{\"name\":\"completion\",\"type\":\"string\"}"
                   ",{\"name\":\"call\",\"type\":{\"type\":\"record\",\"name\":\"c\",\"fields\":["
                   "{\"name\":\"apiKey\",\"type\":[\"null\",\"string\"]},"
                   "{\"name\":\"cost\",\"type\":[\"double\",\"null\"]}]}}"
                   ",{\"name\":\"budget_bucket\",\"type\":\"string\"}"),
            NULL);
    const struct decoder_metrics *metrics = decoder_metrics(decoder);

    (void)state;
    expect(decoder, "02 02 00 0261 00 02 0261", STATUS_OK, SCHEMA_ID_NONE);
    assert_int_equal(metrics->skipped_forbidden[FORBIDDEN_CONTENT], 1);
    assert_int_equal(metrics->skipped_forbidden[FORBIDDEN_CREDENTIAL], 0);
    assert_int_equal(metrics->skipped_forbidden[FORBIDDEN_PRICE], 0);
    expect(decoder, "02 02 02 0261 0261 02 0261 00 0000000000000000 0261", STATUS_OK,
            SCHEMA_ID_NONE);
    assert_int_equal(metrics->skipped_forbidden[FORBIDDEN_CONTENT], 2);
    assert_int_equal(metrics->skipped_forbidden[FORBIDDEN_CREDENTIAL], 1);
    assert_int_equal(metrics->skipped_forbidden[FORBIDDEN_PRICE], 1);
    decoder_destroy(decoder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_without_registry_every_id_is_the_schema),
            cmocka_unit_test(test_limits),
            cmocka_unit_test(test_registry_is_asked_once),
            cmocka_unit_test(test_registry_that_does_not_know_is_asked_again),
            cmocka_unit_test(test_schema_that_is_no_outcome_is_named),
            cmocka_unit_test(test_many_schemas_are_bounded),
            cmocka_unit_test(test_single_object),
            cmocka_unit_test(test_single_object_with_registry),
            cmocka_unit_test(test_bare),
            cmocka_unit_test(test_configured_schema_that_is_no_outcome),
            cmocka_unit_test(test_forbidden_fields_are_counted),
    };

    return cmocka_run_group_tests_name("decoder", tests, NULL, NULL);
}
