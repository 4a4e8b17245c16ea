/* decision_write.c - make a decision that the service will take, and write it to its topic.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/decision_write.h"

#include "codec/credential.h"
#include "codec/decision_codec.h"
#include "codec/decision_json.h"
#include "codec/times.h"
#include "codec/url.h"
#include "codec/utf8.h"
#include "consumer/kafka_writer.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define SCHEMA_ID 1 /* in the frame: readers of decisions know the schema without it */
#define ACKNOWLEDGE_MS 15000
#define NAMES_SIZE 160

void
decision_blank(struct decision *decision)
{
    *decision = (struct decision){
            .decided_at_ms = TIME_NULL,
            .effective_from_ms = TIME_NULL,
            .expires_at_ms = TIME_NULL,
            .pricing_source_checked_at_ms = TIME_NULL,
            .access_date = DATE_NULL,
            .max_retry_share_bps = -1,
            .action = ACTION_COUNT,
    };
}

enum status
decision_id_make(int64_t now_ms, char id[DECISION_ID_TEXT_SIZE], struct error *error)
{
    uint64_t random = 0;
    char time[TIME_TEXT_SIZE];

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return error_set(error, STATUS_FAILED, "the kernel gives no random numbers");
    }
    time_format(now_ms - now_ms % 1000, time); /* YYYY-MM-DDTHH:MM:SSZ */
    snprintf(id, DECISION_ID_TEXT_SIZE, "%.4s%.2s%.2s-%.2s%.2s%.2s-%012" PRIx64, time, time + 5,
            time + 8, time + 11, time + 14, time + 17, random >> 16);
    return STATUS_OK;
}

/* ---- the scope ----------------------------------------------------------------------------- */

static void
name_dimensions(uint32_t dimensions, char names[NAMES_SIZE])
{
    size_t used = 0;

    names[0] = '\0';
    for (int d = 0; d < DIM_COUNT; d++) {
        if ((dimensions & 1U << d) != 0 && used < NAMES_SIZE) {
            used += (size_t)snprintf(names + used, NAMES_SIZE - used, "%s%s", used > 0 ? ", " : "",
                    dimension_name((enum dimension)d));
        }
    }
}

static enum status
check_dimensions(const struct config *config, const struct decision *decision, struct error *error)
{
    char outside[NAMES_SIZE];
    char grouped[NAMES_SIZE];
    uint32_t named = 0;

    for (int d = 0; d < DIM_COUNT; d++) {
        named |= decision->scope[d].data != NULL ? 1U << d : 0;
    }
    if ((named & ~config->group_by) == 0) {
        return STATUS_OK;
    }
    name_dimensions(named & ~config->group_by, outside);
    name_dimensions(config->group_by, grouped);
    return error_set(error, STATUS_REFUSED,
            "a decision that names %s can cover nothing: reviews are grouped by %s "
            "(review.group_by); name only these",
            outside, grouped);
}

static enum status
check_values(const struct config *config, const struct decision *decision, struct error *error)
{
    for (int d = 0; d < DIM_COUNT; d++) {
        const struct span value = decision->scope[d];
        const char *name = dimension_name((enum dimension)d);

        if (value.data != NULL && value.size == 0) {
            return error_set(error, STATUS_REFUSED,
                    "an empty %s can cover nothing: events without one are counted "
                    "under " DIM_MISSING "; name that, or leave it out for any",
                    name);
        }
        if (value.size > (size_t)config->limits.string_bytes) {
            return error_set(error, STATUS_REFUSED,
                    "a %s of %zu bytes can cover nothing: what is longer than %" PRId64
                    " (limits.string_bytes) is counted under " DIM_OTHER,
                    name, value.size, (int64_t)config->limits.string_bytes);
        }
    }
    return STATUS_OK;
}

static bool
is_review_id(struct span id)
{
    for (size_t i = 0; i < id.size; i++) {
        if (!isxdigit(id.data[i]) || isupper(id.data[i])) {
            return false;
        }
    }
    return id.size == 32;
}

enum status
decision_check_scope(
        const struct config *config, const struct decision *decision, struct error *error)
{
    enum status status = check_dimensions(config, decision, error);

    if (status == STATUS_OK) {
        status = check_values(config, decision, error);
    }
    if (status == STATUS_OK && decision->review_id.data != NULL &&
            !is_review_id(decision->review_id)) {
        status = error_set(error, STATUS_REFUSED,
                "no review has such an id, so the decision can cover nothing: it is 32 hex digits, "
                "as `retrywatch reviews --output json` shows it");
    }
    return status;
}

/* ---- texts --------------------------------------------------------------------------------- */

enum status
decision_check_texts(const struct decision *decision, struct error *error)
{
    const struct {
        const char *name;
        struct span text;
        bool may_be_random; /* an id or a tag */
    } texts[] = {
            {"reason", decision->reason, false},
            {"decision_owner", decision->decision_owner, false},
            {"changed_setting", decision->changed_setting, false},
            {"changed_assumption", decision->changed_assumption, false},
            {"remaining_uncertainty", decision->remaining_uncertainty, false},
            {"unit_metric", decision->unit_metric, false},
            {"decision_id", decision->decision_id, true},
            {"owner_tag", decision->scope[DIM_OWNER], true},
            {"workload_tag", decision->scope[DIM_WORKLOAD], true},
            {"environment", decision->scope[DIM_ENVIRONMENT], true},
            {"request_class", decision->scope[DIM_CLASS], true},
            {"budget_bucket", decision->scope[DIM_BUCKET], true},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *what = texts[i].may_be_random ? credential_find_known(texts[i].text)
                                                  : credential_find(texts[i].text);

        if (!utf8_valid(texts[i].text)) {
            return error_set(error, STATUS_REFUSED, "%s is not UTF-8", texts[i].name);
        }
        if (what != NULL) {
            return error_set(error, STATUS_REFUSED,
                    "%s looks like it holds %s; decisions are kept and shown to many: leave it "
                    "out, or write a link or a short id instead",
                    texts[i].name, what);
        }
    }
    return STATUS_OK;
}

static bool
is_page(struct span url)
{
    static const char *const schemes[] = {"https://", "http://"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        const size_t size = strlen(schemes[i]);

        if (url.size > size && memcmp(url.data, schemes[i], size) == 0) {
            return utf8_valid(url);
        }
    }
    return false;
}

/* What is left of them when every reader has taken out what may hold a secret. */
static enum status
check_urls(const struct decision *decision, struct arena *arena, struct error *error)
{
    for (size_t i = 0; i < decision->source_url_count; i++) {
        const struct span url = url_strip(decision->source_urls[i], arena);
        const char *what = credential_find_known(url);

        if (!is_page(url)) {
            return error_set(error, STATUS_REFUSED,
                    "source URL %zu is no address of a page: write it as https://host/path", i + 1);
        }
        if (what != NULL) {
            return error_set(
                    error, STATUS_REFUSED, "source URL %zu looks like it holds %s", i + 1, what);
        }
    }
    return STATUS_OK;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static enum status
settle_end(const struct config *config, struct decision *decision, struct error *error)
{
    const int64_t start_ms = decision_start(decision);

    if (decision->expires_at_ms == TIME_NULL) {
        const int64_t span_ms = config->rule.decision_default_ms < config->rule.decision_max_ms
                                        ? config->rule.decision_default_ms
                                        : config->rule.decision_max_ms;

        decision->expires_at_ms = start_ms + span_ms;
    }
    if (decision->expires_at_ms <= start_ms) {
        return error_set(error, STATUS_REFUSED, "the decision would end before it starts");
    }
    if (decision->expires_at_ms - start_ms > config->rule.decision_max_ms) {
        return error_set(error, STATUS_REFUSED,
                "no decision holds longer than %" PRId64 " days (review.decision_max): decide "
                "again then",
                config->rule.decision_max_ms / 86400000);
    }
    return STATUS_OK;
}

static void
encode(const struct decision *decision, enum decision_format format, struct buffer *out)
{
    if (format == DECISION_AVRO) {
        decision_encode(decision, SCHEMA_ID, out);
    } else {
        json_t *json = decision_json(decision);
        char *text = json_dumps(json, JSON_COMPACT);

        buffer_put_text(out, text);
        free(text);
        json_decref(json);
    }
}

/* As every reader of the topic will see it: bounded, without control characters, valid. */
static enum status
read_back(const struct config *config, const struct decision *decision, struct arena *arena,
        struct decision *out, struct error *error)
{
    struct buffer bytes = {0};
    struct decision read;
    enum status status;

    decision_encode(decision, SCHEMA_ID, &bytes);
    status = decision_decode(arena_copy(arena, buffer_span(&bytes)), arena, &read, error);
    buffer_fini(&bytes);
    if (status == STATUS_OK) {
        status = decision_check(&read, &config->rule, error);
    }
    if (status == STATUS_OK) {
        *out = read;
    }
    return status;
}

enum status
decision_prepare(const struct config *config, const struct decision *wanted, struct arena *arena,
        struct decision *out, struct error *error)
{
    struct decision decision = *wanted;
    enum status status = decision_check_texts(&decision, error);

    if (status == STATUS_OK) {
        status = decision_check_scope(config, &decision, error);
    }
    if (status == STATUS_OK) {
        status = check_urls(&decision, arena, error);
    }
    if (status == STATUS_OK) {
        status = settle_end(config, &decision, error);
    }
    return status == STATUS_OK ? read_back(config, &decision, arena, out, error) : status;
}

enum status
decision_write(const struct config *config, const struct decision *decision,
        enum decision_format format, struct error *error)
{
    struct buffer value = {0};
    struct kafka_writer *writer = NULL;
    enum status status = kafka_writer_new(config, config->topics.decisions, &writer, error);

    if (status == STATUS_OK) {
        encode(decision, format, &value);
        status = kafka_writer_send(writer, decision->decision_id, buffer_span(&value), 0, error);
    }
    if (status == STATUS_OK) {
        status = kafka_writer_flush(writer, ACKNOWLEDGE_MS, error);
    }
    kafka_writer_destroy(writer);
    buffer_fini(&value);
    return status;
}

enum status
decision_rewrite(const struct config *config, const struct decision *decision, struct error *error)
{
    struct arena arena;
    struct decision read;
    enum status status;

    arena_init(&arena);
    status = read_back(config, decision, &arena, &read, error);
    if (status == STATUS_OK) {
        status = decision_write(config, &read, DECISION_AVRO, error);
    }
    arena_fini(&arena);
    return status;
}
