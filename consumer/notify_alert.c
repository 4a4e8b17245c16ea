/* notify_alert.c - a review as an alert of Alertmanager.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/notify_alert.h"

#include "aggregator/outcome.h"
#include "codec/buffer.h"
#include "codec/times.h"

#include <inttypes.h>
#include <stdlib.h>

#define YEAR_9999_MS INT64_C(253370764800000)

/* ---- reading the review --------------------------------------------------------------------- */

static const char *
text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int64_t
number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static bool
has_status(const json_t *review, const char *status)
{
    return strcmp(text_of(review, "status"), status) == 0;
}

/* Within the years that RFC 3339 can write, so that sums of it stay numbers. */
static int64_t
time_of(const json_t *object, const char *name)
{
    const int64_t time_ms = number_of(object, name);

    return time_ms < 0 ? 0 : time_ms > YEAR_9999_MS ? YEAR_9999_MS : time_ms;
}

/* ---- labels --------------------------------------------------------------------------------- */

static void
set_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        json_object_set_new(object, name, json_string(text));
    }
}

static json_t *
make_labels(const json_t *review)
{
    static const struct {
        const char *label, *field;
    } scope_labels[] = {
            {"owner", "owner_tag"},
            {"workload", "workload_tag"},
            {"environment", "environment"},
            {"request_class", "request_class"},
            {"bucket", "budget_bucket"},
    };
    const json_t *scope = json_object_get(review, "scope");
    json_t *labels = json_object();
    char generation[24];

    set_text(labels, "alertname", ALERT_NAME);
    set_text(labels, "severity", "warning");
    for (size_t i = 0; i < sizeof(scope_labels) / sizeof(scope_labels[0]); i++) {
        set_text(labels, scope_labels[i].label, text_of(scope, scope_labels[i].field));
    }
    /* Two reviews can have one scope: `_MISSING` owners have a review in each partition. And
     * Alertmanager takes an alert that ends and fires again within its group_interval for one
     * that never ended: a reopened review would be told to nobody. */
    set_text(labels, "review_id", text_of(review, "review_id"));
    snprintf(generation, sizeof(generation), "%" PRId64, number_of(review, "generation"));
    set_text(labels, "generation", generation);
    return labels;
}

/* ---- annotations ---------------------------------------------------------------------------- */

static void
set_count(json_t *object, const char *name, int64_t count)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, count);
    set_text(object, name, text);
}

/* 1234 basis points are 12.34%. */
static void
format_share(int64_t bps, char text[32])
{
    snprintf(text, 32, "%" PRId64 ".%02d%%", bps / 100, (int)(bps < 0 ? 0 : bps % 100));
}

static void
set_share(json_t *object, const char *name, int64_t bps)
{
    char text[32];

    format_share(bps, text);
    set_text(object, name, text);
}

/* A list of words as `a, b`; `none` when it is empty. */
static void
put_words(struct buffer *out, const json_t *words)
{
    size_t index = 0;
    const json_t *word = NULL;

    if (json_array_size(words) == 0) {
        buffer_put_text(out, "none");
    }
    json_array_foreach(words, index, word)
    {
        buffer_printf(out, "%s%s", index > 0 ? ", " : "",
                json_is_string(word) ? json_string_value(word) : "?");
    }
}

/* The text that was gathered, which this frees. */
static void
set_buffer(json_t *object, const char *name, struct buffer *text)
{
    if (text->size > 0) {
        json_object_set_new(object, name, json_stringn((const char *)text->data, text->size));
    }
    buffer_fini(text);
}

static void
set_words(json_t *object, const char *name, const json_t *words)
{
    struct buffer text = {0};

    put_words(&text, words);
    set_buffer(object, name, &text);
}

/* `platform_response 30, timeout 2`, as the map has them. */
static void
set_counts(json_t *object, const char *name, const json_t *counts)
{
    struct buffer text = {0};
    const char *key = NULL;
    const json_t *value = NULL;

    json_object_foreach((json_t *)counts, key, value)
    {
        buffer_printf(&text, "%s%s %" JSON_INTEGER_FORMAT, text.size > 0 ? ", " : "", key,
                json_integer_value(value));
    }
    set_buffer(object, name, &text);
}

static const char *
headline(const json_t *review)
{
    static const struct {
        const char *status, *text;
    } headlines[] = {
            {"open", "Retries have risen"},
            {"repeated", "Still no decision on the rise of retries"},
            {"escalated", "Nobody decides on the rise of retries"},
            {"decided", "A cost owner has decided on the rise of retries"},
            {"reopened", "Retries need a decision again"},
            {"resolved", "The rise of retries is over"},
    };

    for (size_t i = 0; i < sizeof(headlines) / sizeof(headlines[0]); i++) {
        if (has_status(review, headlines[i].status)) {
            return headlines[i].text;
        }
    }
    return "Retries";
}

static void
set_summary(json_t *annotations, const json_t *review)
{
    const char *owner = text_of(json_object_get(review, "scope"), "owner_tag");
    struct buffer text = {0};
    char share[32];

    format_share(number_of(review, "retry_share_bps"), share);
    buffer_printf(&text, "%s: %s, %" PRId64 " of %" PRId64 " attempts (%s)", headline(review),
            owner != NULL ? owner : "no owner", number_of(review, "retries"),
            number_of(review, "attempts"), share);
    set_buffer(annotations, "summary", &text);
}

static bool
is_over(const json_t *review)
{
    return has_status(review, "decided") || has_status(review, "resolved");
}

static void
set_description(json_t *annotations, const json_t *review)
{
    struct buffer text = {0};
    char share[32], baseline[32], threshold[32], end[TIME_TEXT_SIZE];

    format_share(number_of(review, "retry_share_bps"), share);
    format_share(number_of(review, "baseline_share_bps"), baseline);
    format_share(number_of(review, "threshold_bps"), threshold);
    time_format(time_of(review, "window_end"), end);
    buffer_printf(&text,
            "In the hour to %s %" PRId64 " of %" PRId64 " attempts were retries: %s, the day "
            "before %s, threshold %s. Proposed action: %s. Missing: ",
            end, number_of(review, "retries"), number_of(review, "attempts"), share, baseline,
            threshold, text_of(review, "proposed_action"));
    put_words(&text, json_object_get(review, "missing_fields"));
    buffer_put_text(&text, ". Reasons to wait: ");
    put_words(&text, json_object_get(review, "pause_reasons"));
    buffer_put_text(&text, is_over(review) ? "." : ". A cost owner is asked to decide.");
    set_buffer(annotations, "description", &text);
}

/* The id goes into a command that people paste. */
static bool
is_plain(const char *text)
{
    return strspn(text, "0123456789abcdefABCDEF-") == strlen(text);
}

static void
set_commands(json_t *annotations, const json_t *review)
{
    const char *id = text_of(review, "review_id");
    char text[128];

    if (!is_plain(id) || strlen(id) > 64) {
        return;
    }
    snprintf(text, sizeof(text), "retrywatch review %s", id);
    set_text(annotations, "show", text);
    if (!is_over(review)) {
        snprintf(text, sizeof(text), "retrywatch decide %s", id);
        set_text(annotations, "decide", text);
    }
}

static json_t *
make_annotations(const json_t *review)
{
    json_t *annotations = json_object();

    set_summary(annotations, review);
    set_description(annotations, review);
    set_text(annotations, "status", text_of(review, "status"));
    set_text(annotations, "reason", text_of(review, "reason"));
    set_text(annotations, "proposed_action", text_of(review, "proposed_action"));
    set_count(annotations, "first_attempts", number_of(review, "first_attempts"));
    set_count(annotations, "attempts", number_of(review, "attempts"));
    set_count(annotations, "retries", number_of(review, "retries"));
    set_share(annotations, "retry_share", number_of(review, "retry_share_bps"));
    set_share(annotations, "baseline_share", number_of(review, "baseline_share_bps"));
    set_share(annotations, "threshold", number_of(review, "threshold_bps"));
    set_counts(annotations, "retries_by_cause", json_object_get(review, "retries_by_cause"));
    set_words(annotations, "missing_fields", json_object_get(review, "missing_fields"));
    set_words(annotations, "pause_reasons", json_object_get(review, "pause_reasons"));
    set_text(annotations, "ready_for_decision",
            json_is_true(json_object_get(review, "ready_for_decision")) ? "true" : "false");
    set_text(annotations, "cost_owner_action", text_of(review, "cost_owner_action"));
    set_text(annotations, "last_decision", text_of(review, "last_decision"));
    set_commands(annotations, review);
    return annotations;
}

/* ---- the alert ------------------------------------------------------------------------------ */

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Times of the log may be ahead of the clock; what is over must be over for Alertmanager too, and
 * nothing may end before it starts. */
static void
set_times(json_t *alert, const json_t *review, int64_t repeat_ms, int64_t now_ms)
{
    const int64_t window_end_ms = time_of(review, "window_end");
    const int64_t ends_ms = is_over(review) ? least(window_end_ms, now_ms)
                                            : window_end_ms + repeat_ms + ALERT_GRACE_MS;
    char text[TIME_TEXT_SIZE];

    time_format(least(time_of(review, "starts_at"), ends_ms), text);
    set_text(alert, "startsAt", text);
    time_format(ends_ms, text);
    set_text(alert, "endsAt", text);
}

json_t *
notify_alert(const json_t *review, int64_t repeat_ms, int64_t now_ms)
{
    if (text_of(review, "review_id") == NULL || text_of(review, "status") == NULL ||
            text_of(review, "proposed_action") == NULL ||
            !json_is_object(json_object_get(review, "scope"))) {
        return NULL;
    }

    json_t *alert = json_object();
    json_t *alerts = json_array();

    json_object_set_new(alert, "labels", make_labels(review));
    json_object_set_new(alert, "annotations", make_annotations(review));
    set_times(alert, review, repeat_ms, now_ms);
    json_array_append_new(alerts, alert);
    return alerts;
}
