/* bench_decode.c - how long it takes to decode one event, beside Avro-C's generic reader.
 *
 * CPU time, the median of the rounds. Build it with preset release.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/buffer.h"
#include "codec/decoder.h"
#include "codec/outcome_encode.h"
#include "codec/review_codec.h"
#include "consumer/generator.h"

#include "tests/bench/rows.h"

#include <avro.h>
#include <inttypes.h>

#define ROUNDS 9
#define EVENTS 512 /* different ones, so that no branch is learnt by heart */
#define ROUND_EVENTS 200000
#define FOREIGN_FIELDS 40
#define AVRO_SIZE 220 /* bytes of the event, with its frame */
#define JSON_SIZE 576

struct events {
    struct buffer bytes;
    size_t starts[EVENTS + 1];
};

static void
put_text(struct buffer *out, const char *text)
{
    buffer_put_zigzag(out, (int64_t)strlen(text));
    buffer_put_text(out, text);
}

static void
put_maybe_text(struct buffer *out, const char *text)
{
    buffer_put_zigzag(out, text != NULL);
    if (text != NULL) {
        put_text(out, text);
    }
}

static void
put_maybe_number(struct buffer *out, bool present, int64_t value)
{
    buffer_put_zigzag(out, present);
    if (present) {
        buffer_put_zigzag(out, value);
    }
}

/* The body of an event in the built-in schema; source is as long as the size asks for. */
static void
put_body(struct buffer *out, unsigned i, size_t source_size)
{
    const bool failed = i % 4 == 0;
    char text[128];

    snprintf(text, sizeof(text), "%08x-7d1c-4a5e-9b1f-%012x", i * 2654435761U, i * 40503U);
    put_text(out, text);
    memset(text, 'g', source_size);
    text[source_size] = '\0';
    put_maybe_text(out, text);
    buffer_put_zigzag(out, INT64_C(1790000000000) + i * 977);
    snprintf(text, sizeof(text), "op-%016x", i * 2246822519U);
    put_text(out, text);
    buffer_put_zigzag(out, 1 + i % 3);
    buffer_put_zigzag(out, i % 4);
    snprintf(text, sizeof(text), "team-%05u", i * 7919 % 10000);
    put_maybe_text(out, text);
    put_maybe_text(out, i % 2 ? "checkout-assistant" : "support-summariser");
    put_maybe_text(out, i % 8 ? "production" : "staging-eu");
    put_maybe_text(out, i % 3 ? "interactive" : "batch-large");
    put_maybe_text(out, "chat-2026q4");
    put_maybe_text(out, "tokens");
    put_maybe_text(out, NULL);
    put_maybe_text(out, NULL);
    put_maybe_text(out, "alloc-eu-12");
    buffer_put_zigzag(out, failed);
    put_maybe_number(out, failed, 2);
    put_maybe_number(out, failed, 1);
    put_maybe_number(out, failed, 0);
    put_maybe_number(out, true, 1000 + i);
    put_maybe_number(out, true, 200 + i % 100);
    put_maybe_number(out, false, 0);
    put_maybe_number(out, false, 0);
    buffer_put_zigzag(out, 0);
    buffer_put_zigzag(out, 0);
    put_maybe_number(out, false, 0);
}

static void
put_foreign(struct buffer *out, unsigned i)
{
    char text[32];

    for (unsigned k = 0; k < FOREIGN_FIELDS; k++) {
        switch (k % 4) {
        case 0:
            snprintf(text, sizeof(text), "value-%u", i * k % 1000);
            put_text(out, text);
            break;
        case 1:
            put_maybe_number(out, (i + k) % 3 != 0, (int64_t)i * k);
            break;
        case 2:
            buffer_put(out, &k, sizeof(double) / 2);
            buffer_put(out, &i, sizeof(double) / 2);
            break;
        default:
            put_maybe_text(out, (i + k) % 2 != 0 ? "europe-west1" : NULL);
            break;
        }
    }
}

static void
make_event(struct buffer *out, unsigned i, bool foreign)
{
    static const uint8_t frame[] = {0, 0, 0, 0, 1};
    const size_t start = out->size;
    size_t source_size = 0;

    /* Twice: how long it is without source tells how long source must be. */
    buffer_put(out, frame, sizeof(frame));
    put_body(out, i, 0);
    if (out->size - start < AVRO_SIZE) {
        source_size = AVRO_SIZE - (out->size - start);
    }
    out->size = start;
    buffer_put(out, frame, sizeof(frame));
    put_body(out, i, source_size);
    if (foreign) {
        put_foreign(out, i);
    }
}

static void
put_json_maybe(struct buffer *out, const char *name, bool present, const char *symbol)
{
    if (present) {
        buffer_printf(out, ",\"%s\":\"%s\"", name, symbol);
    } else {
        buffer_printf(out, ",\"%s\":null", name);
    }
}

static void
make_json(struct buffer *out, unsigned i)
{
    const bool failed = i % 4 == 0;
    const size_t start = out->size;

    buffer_printf(out,
            "{\"event_id\":\"%08x-7d1c-4a5e-9b1f-%012x\",\"source\":\"gateway-eu\","
            "\"event_time\":%" PRId64 ",\"operation_id\":\"op-%016x\",\"attempt_number\":%u,"
            "\"retry_layer\":\"%s\",\"owner_tag\":\"team-%05u\",\"workload_tag\":\"%s\","
            "\"environment\":\"%s\",\"request_class\":\"interactive\","
            "\"budget_bucket\":\"chat-2026q4\",\"unit_metric\":\"tokens\","
            "\"result_category\":\"%s\",\"input_tokens\":%u,\"output_tokens\":%u,"
            "\"usage_source\":\"reported\"",
            i * 2654435761U, i * 40503U, INT64_C(1790000000000) + i * 977, i * 2246822519U,
            1 + i % 3, i % 2 ? "gateway" : "sdk", i * 7919 % 10000,
            i % 2 ? "checkout-assistant" : "support-summariser",
            i % 8 ? "production" : "staging-eu", failed ? "failure" : "success", 1000 + i,
            200 + i % 100);
    put_json_maybe(out, "error_category", failed, "rate_limited");
    put_json_maybe(out, "retry_cause", failed, "platform_response");
    buffer_printf(out, ",\"x\":\"");
    while (out->size - start < JSON_SIZE - 2) {
        buffer_put_byte(out, 'x');
    }
    buffer_printf(out, "\"}");
}

static void
make_events(struct events *events, enum input_format format, bool foreign)
{
    *events = (struct events){0};
    for (unsigned i = 0; i < EVENTS; i++) {
        events->starts[i] = events->bytes.size;
        if (format == FORMAT_JSON) {
            make_json(&events->bytes, i);
        } else {
            make_event(&events->bytes, i, foreign);
        }
    }
    events->starts[EVENTS] = events->bytes.size;
}

/* What `retrywatch generate` writes, and one more source URL. */
static void
make_generated(struct events *events)
{
    const struct generator_options options = {
            .owners = 10000,
            .events = EVENTS,
            .seed = 1,
            .zipf = 1.1,
            .start_ms = INT64_C(1790000000000),
            .span_ms = 60000,
    };
    struct generator *generator = generator_new(&options);

    *events = (struct events){0};
    for (unsigned i = 0; i < EVENTS; i++) {
        struct outcome outcome;

        generator_next(generator, 0, &outcome);
        outcome.source_urls[outcome.source_url_count++] =
                span_of("https://docs.example.com/limits/retries");
        events->starts[i] = events->bytes.size;
        outcome_encode(&outcome, 1, &events->bytes);
    }
    events->starts[EVENTS] = events->bytes.size;
    generator_destroy(generator);
}

static struct span
event_at(const struct events *events, size_t i)
{
    const size_t start = events->starts[i % EVENTS];

    return (struct span){events->bytes.data + start, events->starts[i % EVENTS + 1] - start};
}

/* The built-in schema with foreign fields after ours. Owned. */
static char *
foreign_schema(void)
{
    static const char *const types[] = {
            "\"string\"", "[\"null\",\"long\"]", "\"double\"", "[\"null\",\"string\"]"};
    json_t *schema = json_loads(schema_request_outcome, 0, NULL);
    json_t *fields = json_object_get(schema, "fields");

    for (int k = 0; k < FOREIGN_FIELDS; k++) {
        char name[32];
        json_t *field = json_object();

        snprintf(name, sizeof(name), "foreign_%d", k);
        json_object_set_new(field, "name", json_string(name));
        json_object_set_new(field, "type", json_loads(types[k % 4], JSON_DECODE_ANY, NULL));
        json_array_append_new(fields, field);
    }

    char *text = json_dumps(schema, 0);

    json_decref(schema);
    return text;
}

static double
time_decoder(const struct events *events, enum input_format format, const char *schema)
{
    const struct decoder_options options = {
            .format = format, .writer_schema = schema, .record_bytes_max = 65536};
    struct decoder *decoder = NULL;
    struct error error = {0};
    struct arena arena;
    double rounds[ROUNDS];
    uint64_t sum = 0;

    arena_init(&arena);
    if (decoder_new(&options, &decoder, &error) != STATUS_OK) {
        fprintf(stderr, "bench_decode: %s\n", error.text);
        exit(1);
    }
    for (int round = 0; round < ROUNDS; round++) {
        const double start = rows_seconds(CLOCK_PROCESS_CPUTIME_ID);

        for (size_t i = 0; i < ROUND_EVENTS; i++) {
            struct outcome outcome;
            int64_t id = 0;

            if (decoder_decode(decoder, event_at(events, i), &arena, &outcome, &id, &error) !=
                    STATUS_OK) {
                fprintf(stderr, "bench_decode: %s\n", error.text);
                exit(1);
            }
            sum += outcome.dimensions[DIM_OWNER].size + (uint64_t)outcome.event_time_ms;
        }
        rounds[round] =
                (rows_seconds(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e9 / (double)ROUND_EVENTS;
        arena_reset(&arena);
    }
    decoder_destroy(decoder);
    arena_fini(&arena);
    return sum != 0 ? rows_median(rounds, ROUNDS) : 0;
}

static double
time_avro_c(const struct events *events, const char *schema_text)
{
    avro_schema_t schema = NULL;
    avro_reader_t reader = avro_reader_memory(NULL, 0);
    avro_value_t value;
    double rounds[ROUNDS];

    if (avro_schema_from_json_length(schema_text, strlen(schema_text), &schema) != 0) {
        fprintf(stderr, "bench_decode: %s\n", avro_strerror());
        exit(1);
    }

    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);

    avro_generic_value_new(iface, &value);
    for (int round = 0; round < ROUNDS; round++) {
        const size_t count = ROUND_EVENTS / 10; /* it is slow */
        const double start = rows_seconds(CLOCK_PROCESS_CPUTIME_ID);

        for (size_t i = 0; i < count; i++) {
            const struct span event = event_at(events, i);

            avro_reader_memory_set_source(
                    reader, (const char *)event.data + 5, (int64_t)event.size - 5);
            if (avro_value_read(reader, &value) != 0) {
                fprintf(stderr, "bench_decode: %s\n", avro_strerror());
                exit(1);
            }
        }
        rounds[round] = (rows_seconds(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e9 / (double)count;
    }
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(schema);
    avro_reader_free(reader);
    return rows_median(rounds, ROUNDS);
}

static void
add_row(const char *what, double value, const char *unit, double at_most, double at_least)
{
    rows_add(&(struct row){.bench = "decode",
            .what = what,
            .unit = unit,
            .value = value,
            .at_most = at_most,
            .at_least = at_least});
}

/* at_most_ns: the number to reach, or 0. */
static void
bench_avro(const char *name, const struct events *events, const char *schema, double at_most_ns)
{
    const double ours = time_decoder(events, FORMAT_AVRO, schema);
    const double theirs = time_avro_c(events, schema != NULL ? schema : schema_request_outcome);
    char what[96];

    printf("%-28s %4zu bytes %7.0f ns   Avro-C's generic reader %6.0f ns   ratio %.1f\n", name,
            events->bytes.size / EVENTS, ours, theirs, theirs / ours);
    add_row(name, ours, "ns/event", at_most_ns, 0);
    snprintf(what, sizeof(what), "%s, times as fast as Avro-C", name);
    add_row(what, theirs / ours, "times", 0, at_most_ns != 0 ? 20 : 0);
}

static void
bench_json(const char *name, const struct events *events)
{
    const double ours = time_decoder(events, FORMAT_JSON, NULL);

    printf("%-28s %4zu bytes %7.0f ns\n", name, events->bytes.size / EVENTS, ours);
    add_row(name, ours, "ns/event", 500, 0);
}

int
main(void)
{
    struct events events;
    char *schema = foreign_schema();

    make_events(&events, FORMAT_AVRO, false);
    bench_avro("Avro, 220 bytes", &events, NULL, 100);
    buffer_fini(&events.bytes);
    make_events(&events, FORMAT_AVRO, true);
    bench_avro("Avro, 40 foreign fields", &events, schema, 0);
    buffer_fini(&events.bytes);
    make_generated(&events);
    bench_avro("Avro, generated, 2 URLs", &events, NULL, 0);
    buffer_fini(&events.bytes);
    make_events(&events, FORMAT_JSON, false);
    bench_json("JSON, 576 bytes", &events);
    buffer_fini(&events.bytes);
    free(schema);
    return 0;
}
