/* decoder.c - the value of one Kafka record to one outcome, whatever its format.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decoder.h"
#include "codec/frame.h"
#include "codec/outcome_json.h"
#include "codec/plan.h"
#include "codec/review_codec.h"
#include "codec/schema.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KNOWN_MAX 4096 /* schemas that are remembered; beyond it all are forgotten */

/* What a schema id stands for: a plan, or why there can be none. */
struct known {
    int64_t id;
    struct plan *plan; /* NULL: never an outcome */
    char *why;
};

struct decoder {
    struct decoder_options options; /* writer_schema is not kept */
    struct decoder_metrics metrics;
    struct outcome_json *json;
    struct plan *configured; /* of writer_schema, or of the built-in one */
    struct known *known;     /* sorted by id */
    size_t known_count, known_capacity;
    size_t last; /* in known: the one that was asked for last */
};

static enum status
compile_text(const char *json, struct plan **plan, struct error *error)
{
    struct schema *schema = NULL;
    enum status status = schema_new(span_of(json), &schema, error);

    if (status != STATUS_OK) {
        return status;
    }
    status = plan_new(schema, plan, error);
    if (status != STATUS_OK) {
        schema_destroy(schema);
    }
    return status;
}

enum status
decoder_new(const struct decoder_options *options, struct decoder **out, struct error *error)
{
    struct decoder *decoder = memory_new(1, sizeof(*decoder));
    enum status status = STATUS_OK;

    decoder->options = *options;
    decoder->options.writer_schema = NULL;
    if (options->format == FORMAT_JSON) {
        decoder->json = outcome_json_new();
    } else {
        status = compile_text(
                options->writer_schema != NULL ? options->writer_schema : schema_request_outcome,
                &decoder->configured, error);
        decoder->metrics.schemas += status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        decoder_destroy(decoder);
        return status;
    }
    *out = decoder;
    return STATUS_OK;
}

static void
forget_all(struct decoder *decoder)
{
    for (size_t i = 0; i < decoder->known_count; i++) {
        plan_destroy(decoder->known[i].plan);
        free(decoder->known[i].why);
    }
    decoder->known_count = 0;
}

void
decoder_destroy(struct decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    forget_all(decoder);
    free(decoder->known);
    plan_destroy(decoder->configured);
    outcome_json_destroy(decoder->json);
    free(decoder);
}

/* Where the id is in known, or belongs. */
static size_t
find(const struct decoder *decoder, int64_t id)
{
    size_t low = 0;
    size_t high = decoder->known_count;

    if (decoder->last < high && decoder->known[decoder->last].id == id) {
        return decoder->last;
    }
    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (decoder->known[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct known *
insert(struct decoder *decoder, size_t at, struct known known)
{
    if (decoder->known_count == KNOWN_MAX) {
        forget_all(decoder); /* they are fetched again when they are needed */
        at = 0;
    }
    decoder->known = memory_grow(decoder->known, decoder->known_count, &decoder->known_capacity,
            sizeof(*decoder->known));
    memmove(decoder->known + at + 1, decoder->known + at,
            (decoder->known_count - at) * sizeof(*decoder->known));
    decoder->known[at] = known;
    decoder->known_count += 1;
    return &decoder->known[at];
}

static void
format_id(const struct decoder *decoder, int64_t id, char text[32])
{
    if (decoder->options.format == FORMAT_AVRO_SINGLE) {
        snprintf(text, 32, "%016" PRIx64, (uint64_t)id);
    } else {
        snprintf(text, 32, "%" PRId64, id);
    }
}

/* Fetch and compile a schema that was not asked for before. A schema never changes under its id,
 * so a verdict holds for good; that it is not found may change, so that is not remembered. */
static enum status
learn(struct decoder *decoder, int64_t id, size_t at, struct known **known, struct error *error)
{
    struct error why = {0};
    struct known found = {.id = id};
    char *json = NULL;
    char name[32];
    enum status status = decoder->options.fetch(decoder->options.fetch_context, id, &json, error);

    if (status != STATUS_OK) {
        return status;
    }
    format_id(decoder, id, name);
    status = compile_text(json, &found.plan, &why);
    free(json);
    if (status == STATUS_OK && decoder->options.format == FORMAT_AVRO_SINGLE &&
            plan_fingerprint(found.plan) != (uint64_t)id) {
        plan_destroy(found.plan);
        return error_set(error, STATUS_UNKNOWN_SCHEMA,
                "schema %s: what was fetched has another fingerprint", name);
    }
    if (status != STATUS_OK) {
        found.why = memory_new(sizeof(why.text) + 64, 1);
        snprintf(found.why, sizeof(why.text) + 64, "schema %s cannot be an outcome: %s", name,
                why.text);
    }
    decoder->metrics.schemas += status == STATUS_OK;
    *known = insert(decoder, at, found);
    return STATUS_OK;
}

static enum status
plan_for(struct decoder *decoder, int64_t id, const struct plan **plan, struct error *error)
{
    const size_t at = find(decoder, id);
    struct known *known = at < decoder->known_count ? &decoder->known[at] : NULL;

    if (known == NULL || known->id != id) {
        const enum status status = learn(decoder, id, at, &known, error);

        if (status != STATUS_OK) {
            return status;
        }
    }
    decoder->last = (size_t)(known - decoder->known);
    if (known->plan == NULL) {
        return error_set(error, STATUS_UNKNOWN_SCHEMA, "%s", known->why);
    }
    *plan = known->plan;
    return STATUS_OK;
}

/* Confluent frame. */
static enum status
split_framed(struct decoder *decoder, struct span value, struct span *body,
        const struct plan **plan, int64_t *schema_id, struct error *error)
{
    uint32_t id = 0;
    const enum status status = frame_split_confluent(value, &id, body, error);

    if (status != STATUS_OK) {
        return status;
    }
    *schema_id = id;
    return decoder->options.fetch != NULL ? plan_for(decoder, id, plan, error) : STATUS_OK;
}

/* Single object: the fingerprint says whether it is the configured schema. */
static enum status
split_single(struct decoder *decoder, struct span value, struct span *body,
        const struct plan **plan, int64_t *schema_id, struct error *error)
{
    uint64_t fingerprint = 0;
    const enum status status = frame_split_single(value, &fingerprint, body, error);

    if (status != STATUS_OK) {
        return status;
    }
    *schema_id = (int64_t)fingerprint;
    if (fingerprint == plan_fingerprint(decoder->configured)) {
        return STATUS_OK;
    }
    if (decoder->options.fetch == NULL) {
        return error_set(error, STATUS_UNKNOWN_SCHEMA,
                "schema %016" PRIx64 " is not the configured one, %016" PRIx64, fingerprint,
                plan_fingerprint(decoder->configured));
    }
    return plan_for(decoder, *schema_id, plan, error);
}

static enum status
decode_avro(struct decoder *decoder, struct span value, struct arena *arena,
        struct outcome *outcome, int64_t *schema_id, unsigned *forbidden, struct error *error)
{
    const struct plan *plan = decoder->configured;
    struct span body = value;
    enum status status = STATUS_OK;

    if (decoder->options.format == FORMAT_AVRO) {
        status = split_framed(decoder, value, &body, &plan, schema_id, error);
    } else if (decoder->options.format == FORMAT_AVRO_SINGLE) {
        status = split_single(decoder, value, &body, &plan, schema_id, error);
    }
    if (status == STATUS_OK) {
        status = plan_decode(plan, body, arena, outcome, forbidden, error);
    }
    return status;
}

static void
count_decoded(struct decoder_metrics *metrics, unsigned forbidden)
{
    metrics->decoded += 1;
    if (forbidden != 0) {
        for (int kind = 0; kind < FORBIDDEN_COUNT; kind++) {
            metrics->skipped_forbidden[kind] += forbidden >> kind & 1;
        }
    }
}

enum status
decoder_decode(struct decoder *decoder, struct span value, struct arena *arena,
        struct outcome *outcome, int64_t *schema_id, struct error *error)
{
    enum status status = STATUS_OK;
    unsigned forbidden = 0;

    *schema_id = SCHEMA_ID_NONE;
    if (value.data == NULL) {
        return error_set(error, STATUS_EMPTY, "record has no value");
    }
    if (value.size > decoder->options.record_bytes_max) {
        return error_set(error, STATUS_TOO_LARGE,
                "record has %zu bytes, limits.record_bytes is %zu", value.size,
                decoder->options.record_bytes_max);
    }
    if (decoder->options.format == FORMAT_JSON) {
        status = outcome_json_decode(decoder->json, value, arena, outcome, &forbidden, error);
    } else {
        status = decode_avro(decoder, value, arena, outcome, schema_id, &forbidden, error);
    }
    if (status == STATUS_OK) {
        count_decoded(&decoder->metrics, forbidden);
    }
    return status;
}

const struct decoder_metrics *
decoder_metrics(const struct decoder *decoder)
{
    return &decoder->metrics;
}
