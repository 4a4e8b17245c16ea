/* stream_driver.c - plays a stream of records, ticks and decisions, and prints what comes out.
 *
 * Reads lines from stdin and writes one line of JSON for each thing that came out; the model in
 * tests/support/oracle computes the same in its own way. A line is a verb and its arguments:
 *
 *   config JSON                 first, once
 *   event OFFSET RECORD_MS JSON one record of the input topic
 *   reject OFFSET RECORD_MS     one that is rejected whatever is in it
 *   tick NOW_MS                 the log has ended here, and the wall clock says so
 *   decision RECORD_MS JSON     one record of the decisions topic; nothing for a tombstone
 *   batch                       publish and store
 *   restart FORGET              from what is stored; 1: the decisions topic is empty from now on
 *   check                       print the counters
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fold.h"
#include "tests/support/fold_store.h"

#include "codec/decision_codec.h"
#include "codec/decoder.h"
#include "codec/outcome_encode.h"
#include "codec/review_codec.h"
#include "codec/state.h"
#include "consumer/decision_feed.h"
#include "consumer/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORD_BYTES_MAX 65536
#define CONFIGURED_MAX 8

struct driver {
    json_t *config; /* owns the strings below */
    struct rule rule;
    struct limits limits;
    struct partition_options options;
    struct configured_evidence configured[CONFIGURED_MAX];
    bool avro; /* records go through their Avro form */
    struct decoder *json_decoder, *avro_decoder;
    struct decisions *decisions;
    struct partition *partition;
    struct fold_store store;
    struct arena arena;
    struct buffer buffer;
    struct partition_metrics before; /* of the partitions before the last restart */
};

static void
fail(const char *what)
{
    fprintf(stderr, "stream_driver: %s\n", what);
    exit(2);
}

static void
require(enum status status, const struct error *error)
{
    if (status != STATUS_OK) {
        fail(error->text);
    }
}

/** Takes value. */
static void
print(const char *name, json_t *value)
{
    json_t *line = json_pack("{s:o}", name, value);

    if (line == NULL || json_dumpf(line, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF) {
        fail("cannot print");
    }
    json_decref(line);
}

/* ---- config ------------------------------------------------------------------------------------
 */

static int64_t
number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) && !json_is_boolean(value)) {
        fail(key);
    }
    return json_is_integer(value) ? json_integer_value(value) : json_is_true(value);
}

static int64_t
number_or(const json_t *object, const char *key, int64_t otherwise)
{
    return json_is_integer(json_object_get(object, key)) ? number_of(object, key) : otherwise;
}

static struct span
span_or_null(const json_t *value)
{
    return json_is_string(value) ? span_of(json_string_value(value)) : SPAN_NULL;
}

static void
read_rule(struct driver *driver)
{
    const json_t *json = json_object_get(driver->config, "rule");
    struct rule *rule = &driver->rule;
    size_t index;
    const json_t *name;

    rule->attempts_min = number_of(json, "attempts_min");
    rule->retries_min = number_of(json, "retries_min");
    rule->share_min_bps = number_of(json, "share_min_bps");
    rule->share_max_bps = number_of(json, "share_max_bps");
    rule->baseline_factor_bps = number_of(json, "baseline_factor_bps");
    rule->baseline_attempts_min = number_of(json, "baseline_attempts_min");
    rule->calm_share_bps = number_of(json, "calm_share_bps");
    rule->calm_closes = number_of(json, "calm_closes");
    rule->continue_ms = number_of(json, "continue_ms");
    rule->repeat_ms = number_of(json, "repeat_ms");
    rule->repeats = number_of(json, "repeats");
    rule->decision_default_ms = number_of(json, "decision_default_ms");
    rule->decision_max_ms = number_of(json, "decision_max_ms");
    rule->limit_factor_bps = number_of(json, "limit_factor_bps");
    rule->limit_risk_factor_bps = number_of(json, "limit_risk_factor_bps");
    rule->missing_share_bps = number_of(json, "missing_share_bps");
    rule->pricing_stale_ms = number_of(json, "pricing_stale_ms");
    rule->shadow = number_of(json, "shadow") != 0;
    json_array_foreach(json_object_get(driver->config, "required"), index, name)
    {
        for (size_t i = 0; i < MISSING_COUNT; i++) {
            if (strcmp(json_string_value(name), missing_field_names[i]) == 0) {
                rule->required |= 1U << i;
            }
        }
    }
}

static void
read_limits(struct driver *driver)
{
    const json_t *json = json_object_get(driver->config, "limits");

    driver->limits = (struct limits){
            .series_per_owner = number_of(json, "series_per_owner"),
            .owners_per_partition = number_of(json, "owners_per_partition"),
            .string_bytes = number_of(json, "string_bytes"),
            .future_ms = number_of(json, "future_ms"),
            .idle_ms = number_of(json, "idle_ms"),
            .too_late_ms = number_of(json, "too_late_ms"),
    };
}

static void
read_configured(struct driver *driver)
{
    size_t index;
    size_t at;
    const json_t *json;
    const json_t *url;

    json_array_foreach(json_object_get(driver->config, "evidence"), index, json)
    {
        struct configured_evidence *entry = &driver->configured[index];

        if (index == CONFIGURED_MAX) {
            fail("too many entries of evidence");
        }
        entry->owner = span_or_null(json_object_get(json, "owner"));
        entry->bucket = span_or_null(json_object_get(json, "bucket"));
        entry->unit_metric = span_or_null(json_object_get(json, "unit_metric"));
        entry->pricing_source_checked_at_ms = number_or(json, "pricing", TIME_NULL);
        entry->access_date = (int32_t)number_or(json, "access_date", DATE_NULL);
        entry->allocation_rule_checked = json_is_true(json_object_get(json, "allocation"));
        json_array_foreach(json_object_get(json, "urls"), at, url)
        {
            entry->source_urls[entry->source_url_count++] = span_or_null(url);
        }
        driver->options.configured_count = index + 1;
    }
}

static void
configure(struct driver *driver, const char *text)
{
    struct error error;
    struct decoder_options decoder = {.format = FORMAT_JSON, .record_bytes_max = RECORD_BYTES_MAX};
    size_t index;
    const json_t *dimension;

    driver->config = json_loads(text, 0, NULL);
    if (driver->config == NULL || driver->partition != NULL) {
        fail("config");
    }
    require(decoder_new(&decoder, &driver->json_decoder, &error), &error);
    decoder.format = FORMAT_AVRO;
    require(decoder_new(&decoder, &driver->avro_decoder, &error), &error);
    read_rule(driver);
    read_limits(driver);
    read_configured(driver);
    driver->avro = number_of(driver->config, "avro") != 0;
    driver->decisions = decisions_new();
    driver->options.topic = json_string_value(json_object_get(driver->config, "topic"));
    driver->options.config_version =
            json_string_value(json_object_get(driver->config, "config_version"));
    driver->options.partition = (int32_t)number_of(driver->config, "partition");
    driver->options.rule = &driver->rule;
    driver->options.limits = &driver->limits;
    driver->options.decisions = driver->decisions;
    driver->options.configured = driver->configured;
    driver->options.digest = digest_sha256;
    json_array_foreach(json_object_get(driver->config, "group_by"), index, dimension)
    {
        driver->options.group_by |= 1U << json_integer_value(dimension);
    }
    driver->partition = partition_new(&driver->options);
}

/* ---- records -----------------------------------------------------------------------------------
 */

static enum status
decode(struct driver *driver, struct span value, struct outcome *outcome, struct error *error)
{
    int64_t schema_id = SCHEMA_ID_NONE;
    enum status status =
            decoder_decode(driver->json_decoder, value, &driver->arena, outcome, &schema_id, error);

    if (status == STATUS_OK && driver->avro) {
        buffer_clear(&driver->buffer);
        outcome_encode(outcome, OUTCOME_SCHEMA_ID_DEFAULT, &driver->buffer);
        status = decoder_decode(driver->avro_decoder, buffer_span(&driver->buffer), &driver->arena,
                outcome, &schema_id, error);
    }
    return status;
}

static void
play_event(struct driver *driver, int64_t offset, int64_t record_ms, const char *text)
{
    struct error error;
    struct outcome outcome;
    enum status status = decode(driver, span_of(text), &outcome, &error);

    if (status == STATUS_OK) {
        status = outcome_check(&outcome, record_ms, driver->limits.future_ms, &error);
    }
    partition_record(driver->partition, offset, record_ms);
    if (status == STATUS_OK) {
        partition_count(driver->partition, &outcome);
    } else {
        print("rejected", json_pack("{s:I,s:s}", "offset", (json_int_t)offset, "reason",
                                  status_text(status)));
    }
}

static void
play_decision(struct driver *driver, int64_t record_ms, const char *text)
{
    struct error error;
    struct decision decision;
    struct span value = text[0] != '\0' ? span_of(text) : SPAN_NULL;

    if (driver->avro && decision_decode(value, &driver->arena, &decision, &error) == STATUS_OK) {
        buffer_clear(&driver->buffer);
        decision_encode(&decision, 1, &driver->buffer);
        value = buffer_span(&driver->buffer);
    }

    const struct decision_record record = {.value = value, .timestamp_ms = record_ms};
    const enum status status =
            decision_accept(driver->decisions, &driver->rule, &record, &driver->arena, &error);

    print("decision", json_boolean(status == STATUS_OK));
}

/* ---- batches -----------------------------------------------------------------------------------
 */

static void
play_batch(struct driver *driver)
{
    const struct partition_changes *changes = partition_changes(driver->partition);

    print("batch", json_integer((json_int_t)changes->publication_count));
    for (size_t i = 0; i < changes->publication_count; i++) {
        struct error error;
        json_t *review = NULL;

        buffer_clear(&driver->buffer);
        review_encode(&changes->publications[i].packet, REVIEW_SCHEMA_ID_DEFAULT, &driver->buffer);
        require(review_decode(buffer_span(&driver->buffer), &review, &error), &error);
        print("review", review);
    }
    fold_store_apply(&driver->store, driver->partition);
    partition_settle(driver->partition);
    arena_reset(&driver->arena);
}

static void
keep_metrics(struct driver *driver)
{
    const struct partition_metrics *now = partition_metrics(driver->partition);

    driver->before.counted += now->counted;
    driver->before.late += now->late;
    driver->before.too_late += now->too_late;
    driver->before.suppressed += now->suppressed;
    driver->before.over_limit += now->over_limit;
}

static void
play_restart(struct driver *driver, bool forget)
{
    keep_metrics(driver);
    partition_destroy(driver->partition);
    if (forget) {
        decisions_destroy(driver->decisions);
        driver->decisions = decisions_new();
        driver->options.decisions = driver->decisions;
    }
    driver->partition = partition_new(&driver->options);
    fold_store_restore(&driver->store, driver->partition);
    play_batch(driver); /* what loading itself found to forget */
}

/* ---- counters ----------------------------------------------------------------------------------
 */

static void
put_count(json_t *object, const char *name, uint64_t count)
{
    if (count != 0) {
        json_object_set_new(object, name, json_sprintf("%" PRIu64, count));
    }
}

static const char *const base_names[COUNT_BASE] = {"attempts", "retries", "failures", "first_units",
        "retry_units", "usage_unavailable", "late", "too_late"};

static json_t *
base_json(const uint64_t counters[COUNT_BASE])
{
    json_t *object = json_object();

    for (size_t i = 0; i < COUNT_BASE; i++) {
        put_count(object, base_names[i], counters[i]);
    }
    return object;
}

static json_t *
symbols_json(const uint64_t *counters, const char *const *names, size_t count)
{
    json_t *object = json_object();

    for (size_t i = 0; i < count; i++) {
        put_count(object, names[i], counters[i]);
    }
    return object;
}

static json_t *
counts_json(const struct counts *counts, bool detail)
{
    json_t *object = base_json(counts->n);

    if (!detail) {
        return object;
    }

    json_t *causes = symbols_json(&counts->n[COUNT_CAUSE], retry_cause_names, CAUSE_COUNT);

    put_count(causes, DIM_MISSING, counts->n[COUNT_CAUSE_NULL]);
    json_object_set_new(object, "causes", causes);
    json_object_set_new(object, "errors",
            symbols_json(&counts->n[COUNT_ERROR], error_category_names, ERROR_COUNT));
    json_object_set_new(object, "layers",
            symbols_json(&counts->n[COUNT_LAYER], retry_layer_names, LAYER_COUNT));
    json_object_set_new(object, "decisions",
            symbols_json(&counts->n[COUNT_DECISION], retry_decision_names, RETRY_DECISION_COUNT));
    put_count(object, "no_workload", counts->n[COUNT_NO_WORKLOAD]);
    put_count(object, "no_environment", counts->n[COUNT_NO_ENVIRONMENT]);
    put_count(object, "no_class", counts->n[COUNT_NO_CLASS]);
    json_object_set_new(object, "first_offset", json_integer(counts->first_offset));
    json_object_set_new(object, "last_offset", json_integer(counts->last_offset));
    return object;
}

static json_t *
dimensions_json(const struct driver *driver, enum fold_kind kind, uint64_t number)
{
    for (size_t i = 0; i < driver->store.count; i++) {
        const struct fold_item *item = &driver->store.items[i];

        if (item->kind == kind && item->number == number) {
            struct error error;
            struct span dimensions[DIM_COUNT];
            json_t *array = json_array();

            require(dimensions_decode((struct span){item->value, item->size}, dimensions, &error),
                    &error);
            for (size_t d = 0; d < DIM_COUNT; d++) {
                json_array_append_new(array,
                        dimensions[d].data == NULL ? json_null()
                                                   : json_stringn((const char *)dimensions[d].data,
                                                             dimensions[d].size));
            }
            return array;
        }
    }
    fail("a slot of what has no name");
    return NULL;
}

/** Every stored slot of that kind. */
static json_t *
slots_json(const struct driver *driver, enum fold_kind kind)
{
    json_t *array = json_array();

    for (size_t i = 0; i < driver->store.count; i++) {
        const struct fold_item *item = &driver->store.items[i];

        if (item->kind == kind) {
            struct counts counts;

            if (counts_unpack((struct span){item->value, item->size}, &counts) != STATUS_OK) {
                fail("a slot that cannot be unpacked");
            }
            json_array_append_new(array,
                    json_pack("[o,I,o]",
                            dimensions_json(driver, kind == FOLD_MINUTE ? FOLD_SERIES : FOLD_GROUP,
                                    item->number),
                            (json_int_t)item->slot, counts_json(&counts, kind == FOLD_MINUTE)));
        }
    }
    return array;
}

static json_t *
windows_json(const uint64_t totals[VIEW_WINDOWS][COUNT_BASE])
{
    return json_pack("{s:o,s:o,s:o}", "5m", base_json(totals[VIEW_5M]), "60m",
            base_json(totals[VIEW_60M]), "24h", base_json(totals[VIEW_24H]));
}

static json_t *
minutes_json(const struct owner_view *view)
{
    json_t *object = json_object();

    for (size_t i = 0; i < WINDOW_L_MINUTES; i++) {
        if (view->minute_attempts[i] != 0) {
            char minute[24];

            snprintf(minute, sizeof(minute), "%" PRId64, view->first_minute + (int64_t)i);
            json_object_set_new(object, minute,
                    json_pack("[I,I]", (json_int_t)view->minute_attempts[i],
                            (json_int_t)view->minute_retries[i]));
        }
    }
    return object;
}

static json_t *
view_json(const struct owner_view *view)
{
    json_t *buckets = json_object();

    for (size_t i = 0; i < view->bucket_count; i++) {
        json_object_setn_new_nocheck(buckets, (const char *)view->buckets[i].bucket.data,
                view->buckets[i].bucket.size, windows_json(view->buckets[i].totals));
    }
    return json_pack("{s:s%,s:I,s:I,s:o,s:I,s:o,s:o}", "owner", (const char *)view->owner.data,
            view->owner.size, "as_of", (json_int_t)view->as_of_ms, "last_event",
            (json_int_t)view->last_event_ms, "totals", windows_json(view->totals), "open_reviews",
            (json_int_t)view->open_reviews, "buckets", buckets, "minutes", minutes_json(view));
}

static void
play_check(struct driver *driver)
{
    const struct partition_metrics *metrics = partition_metrics(driver->partition);
    const struct partition_times times = partition_times(driver->partition);
    json_t *views = json_array();
    json_t *forgotten_owners = json_array();
    struct owner_view view;
    bool forgotten = false;

    while (partition_next_view(driver->partition, &driver->arena, &view, &forgotten)) {
        if (forgotten) {
            json_array_append_new(
                    forgotten_owners, json_stringn((const char *)view.owner.data, view.owner.size));
        } else {
            json_array_append_new(views, view_json(&view));
        }
    }
    print("check",
            json_pack("{s:[I,I,I],s:{s:I,s:I,s:I,s:I,s:I},s:o,s:o,s:o,s:o}", "times",
                    (json_int_t)times.stream_ms, (json_int_t)times.log_ms,
                    (json_int_t)times.record_max_ms, "metrics", "counted",
                    (json_int_t)(driver->before.counted + metrics->counted), "late",
                    (json_int_t)(driver->before.late + metrics->late), "too_late",
                    (json_int_t)(driver->before.too_late + metrics->too_late), "suppressed",
                    (json_int_t)(driver->before.suppressed + metrics->suppressed), "over_limit",
                    (json_int_t)(driver->before.over_limit + metrics->over_limit), "minutes",
                    slots_json(driver, FOLD_MINUTE), "half_hours",
                    slots_json(driver, FOLD_HALF_HOUR), "views", views, "forgotten",
                    forgotten_owners));
    arena_reset(&driver->arena);
}

/* ---- lines -------------------------------------------------------------------------------------
 */

static void
play(struct driver *driver, char *line)
{
    char *rest = strchr(line, ' ');
    const char *verb = line;

    if (rest != NULL) {
        *rest++ = '\0';
    } else {
        rest = line + strlen(line);
    }
    if (strcmp(verb, "config") == 0) {
        configure(driver, rest);
    } else if (driver->partition == NULL) {
        fail("no config");
    } else if (strcmp(verb, "event") == 0) {
        const int64_t offset = strtoll(rest, &rest, 10);
        const int64_t record_ms = strtoll(rest, &rest, 10);

        play_event(driver, offset, record_ms, rest + 1);
    } else if (strcmp(verb, "reject") == 0) {
        const int64_t offset = strtoll(rest, &rest, 10);

        partition_record(driver->partition, offset, strtoll(rest, NULL, 10));
    } else if (strcmp(verb, "tick") == 0) {
        partition_tick(driver->partition, strtoll(rest, NULL, 10));
    } else if (strcmp(verb, "decision") == 0) {
        const int64_t record_ms = strtoll(rest, &rest, 10);

        play_decision(driver, record_ms, rest[0] != '\0' ? rest + 1 : rest);
    } else if (strcmp(verb, "batch") == 0) {
        play_batch(driver);
    } else if (strcmp(verb, "restart") == 0) {
        play_restart(driver, strcmp(rest, "1") == 0);
    } else if (strcmp(verb, "check") == 0) {
        play_check(driver);
    } else {
        fail(verb);
    }
}

int
main(void)
{
    struct driver driver = {0};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size = 0;

    arena_init(&driver.arena);
    while ((size = getline(&line, &capacity, stdin)) > 0) {
        line[size - 1] = '\0';
        play(&driver, line);
    }
    free(line);
    partition_destroy(driver.partition);
    decisions_destroy(driver.decisions);
    decoder_destroy(driver.json_decoder);
    decoder_destroy(driver.avro_decoder);
    fold_store_fini(&driver.store);
    buffer_fini(&driver.buffer);
    arena_fini(&driver.arena);
    json_decref(driver.config);
    return 0;
}
