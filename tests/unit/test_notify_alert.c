/* test_notify_alert.c - what people are told: alerts, routes, signatures.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/notify_alert.h"
#include "consumer/notify_http.h"
#include "consumer/notify_route.h"
#include "tests/support/load_config.h"
#include "tests/support/review_json.h"
#include "tests/support/rows.h"

#include <stdlib.h>
#include <string.h>

#define REPEAT_MS (INT64_C(4) * 3600 * 1000)
#define NOW_MS (REVIEW_WINDOW_END_MS + 5000)

/* The one alert of packet. Returns owned. */
static json_t *
alert_of(const struct packet *packet, int64_t now_ms)
{
    json_t *review = review_json(packet);
    json_t *alerts = notify_alert(review, REPEAT_MS, now_ms);
    json_t *alert = json_incref(json_array_get(alerts, 0));

    assert_int_equal(json_array_size(alerts), 1);
    json_decref(alerts);
    json_decref(review);
    return alert;
}

static const char *
text(const json_t *alert, const char *part, const char *name)
{
    const json_t *object = part != NULL ? json_object_get(alert, part) : alert;
    const char *value = json_string_value(json_object_get(object, name));

    return value != NULL ? value : "(none)";
}

/* ---- every status --------------------------------------------------------------------------- */

static const struct status_row {
    const char *name;
    enum review_status status;
    const char *ends_at;
    const char *summary;
    bool over;
} statuses[] = {
        {"open fires", REVIEW_STATUS_OPEN, "2026-09-22T18:33:20Z",
                "Retries have risen: ana, 40 of 120 attempts (33.33%)", false},
        {"repeated extends", REVIEW_STATUS_REPEATED, "2026-09-22T18:33:20Z",
                "Still no decision on the rise of retries: ana, 40 of 120 attempts (33.33%)",
                false},
        {"escalated extends", REVIEW_STATUS_ESCALATED, "2026-09-22T18:33:20Z",
                "Nobody decides on the rise of retries: ana, 40 of 120 attempts (33.33%)", false},
        {"decided ends", REVIEW_STATUS_DECIDED, "2026-09-22T13:33:20Z",
                "A cost owner has decided on the rise of retries: ana, 40 of 120 attempts "
                "(33.33%)",
                true},
        {"reopened fires", REVIEW_STATUS_REOPENED, "2026-09-22T18:33:20Z",
                "Retries need a decision again: ana, 40 of 120 attempts (33.33%)", false},
        {"resolved ends", REVIEW_STATUS_RESOLVED, "2026-09-22T13:33:20Z",
                "The rise of retries is over: ana, 40 of 120 attempts (33.33%)", true},
};

static void
test_status(void **state)
{
    const struct status_row *row = *state;
    const struct packet packet = review_packet("ana", row->status, 1);
    json_t *alert = alert_of(&packet, NOW_MS);

    assert_string_equal(text(alert, NULL, "startsAt"), "2026-09-22T13:32:20Z");
    assert_string_equal(text(alert, NULL, "endsAt"), row->ends_at);
    assert_string_equal(text(alert, "annotations", "summary"), row->summary);
    assert_string_equal(text(alert, "annotations", "status"), review_status_names[row->status]);
    assert_string_equal(text(alert, "annotations", "decide"),
            row->over ? "(none)" : "retrywatch decide 00000061000000000000000000000007");
    json_decref(alert);
}

static void
test_labels(void **state)
{
    static const char *const dimensions[] = {[DIM_OWNER] = "owner",
            [DIM_WORKLOAD] = "workload",
            [DIM_ENVIRONMENT] = "environment",
            [DIM_CLASS] = "request_class",
            [DIM_BUCKET] = "bucket"};
    struct packet packet = review_packet("ana", REVIEW_STATUS_OPEN, 1);
    json_t *alert = alert_of(&packet, NOW_MS);

    (void)state;
    /* alertname, severity, review_id, generation, and the three of the scope. */
    assert_int_equal(json_object_size(json_object_get(alert, "labels")), 7);
    assert_string_equal(text(alert, "labels", "alertname"), "RetryReviewRequired");
    assert_string_equal(text(alert, "labels", "owner"), "ana");
    assert_string_equal(text(alert, "labels", "environment"), "production");
    assert_string_equal(text(alert, "labels", "bucket"), "search");
    assert_string_equal(text(alert, "labels", "generation"), "1");
    json_decref(alert);

    for (int d = 0; d < DIM_COUNT; d++) {
        packet.scope[d] = span_of(dimensions[d]);
    }
    alert = alert_of(&packet, NOW_MS);
    for (int d = 0; d < DIM_COUNT; d++) {
        assert_string_equal(text(alert, "labels", dimensions[d]), dimensions[d]);
    }
    json_decref(alert);
}

/* Alertmanager takes alerts with the same labels for one. */
static void
test_identity(void **state)
{
    struct packet packet = review_packet("ana", REVIEW_STATUS_OPEN, 1);
    json_t *open = alert_of(&packet, NOW_MS);

    (void)state;
    packet.status = REVIEW_STATUS_DECIDED;
    packet.sequence = 2;
    packet.window_end_ms += 1000;
    packet.l.n[COUNT_RETRIES] += 1;
    json_t *decided = alert_of(&packet, NOW_MS);

    assert_true(json_equal(json_object_get(open, "labels"), json_object_get(decided, "labels")));
    packet.status = REVIEW_STATUS_REOPENED;
    packet.generation = 2;
    json_t *reopened = alert_of(&packet, NOW_MS);

    assert_false(json_equal(json_object_get(open, "labels"), json_object_get(reopened, "labels")));
    json_decref(open);
    json_decref(decided);
    json_decref(reopened);
}

static void
test_annotations(void **state)
{
    struct packet packet = review_packet("ana", REVIEW_STATUS_OPEN, 1);
    json_t *alert = alert_of(&packet, NOW_MS);

    (void)state;
    assert_string_equal(text(alert, "annotations", "description"),
            "In the hour to 2026-09-22T13:33:20Z 40 of 120 attempts were retries: 33.33%, the day "
            "before 2.05%, threshold 10.00%. Proposed action: revise_retry_behavior. Missing: "
            "workload_tag, access_date. Reasons to wait: pricing_source_unchecked. A cost owner is "
            "asked to decide.");
    assert_string_equal(text(alert, "annotations", "missing_fields"), "workload_tag, access_date");
    assert_string_equal(
            text(alert, "annotations", "retries_by_cause"), "platform_response 38, timeout 2");
    assert_string_equal(text(alert, "annotations", "first_attempts"), "80");
    assert_string_equal(text(alert, "annotations", "ready_for_decision"), "false");
    json_decref(alert);

    packet.missing_fields = 0;
    packet.pause_reasons = 0;
    packet.ready_for_decision = true;
    packet.last_decision = span_of("2026-09-chat");
    alert = alert_of(&packet, NOW_MS);
    assert_string_equal(text(alert, "annotations", "missing_fields"), "none");
    assert_string_equal(text(alert, "annotations", "pause_reasons"), "none");
    assert_string_equal(text(alert, "annotations", "ready_for_decision"), "true");
    assert_string_equal(text(alert, "annotations", "last_decision"), "2026-09-chat");
    json_decref(alert);
}

/* The log may be ahead of the clock: what is over ends now, and never before it started. */
static void
test_log_ahead_of_the_clock(void **state)
{
    const struct packet packet = review_packet("ana", REVIEW_STATUS_RESOLVED, 2);
    json_t *alert = alert_of(&packet, REVIEW_WINDOW_END_MS - 30000);

    (void)state;
    assert_string_equal(text(alert, NULL, "endsAt"), "2026-09-22T13:32:50Z");
    json_decref(alert);
    alert = alert_of(&packet, REVIEW_STARTS_AT_MS - 20000);
    assert_string_equal(text(alert, NULL, "endsAt"), "2026-09-22T13:32:00Z");
    assert_string_equal(text(alert, NULL, "startsAt"), "2026-09-22T13:32:00Z");
    json_decref(alert);
}

static void
test_times_out_of_range(void **state)
{
    struct packet packet = review_packet("ana", REVIEW_STATUS_OPEN, 1);

    (void)state;
    packet.window_end_ms = INT64_MAX;
    packet.starts_at_ms = INT64_MIN;
    json_t *alert = alert_of(&packet, NOW_MS);

    assert_string_equal(text(alert, NULL, "endsAt"), "9999-01-01T05:00:00Z");
    assert_string_equal(text(alert, NULL, "startsAt"), "1970-01-01T00:00:00Z");
    json_decref(alert);
}

/* Anybody who may write to the topic chooses the id; people paste the command. */
static void
test_no_command_from_a_strange_id(void **state)
{
    struct packet packet = review_packet("ana", REVIEW_STATUS_OPEN, 1);

    (void)state;
    strcpy(packet.review_id, "1; rm -r /");
    json_t *alert = alert_of(&packet, NOW_MS);

    assert_string_equal(text(alert, "annotations", "decide"), "(none)");
    assert_string_equal(text(alert, "annotations", "show"), "(none)");
    assert_string_equal(text(alert, "labels", "review_id"), "1; rm -r /");
    json_decref(alert);
}

/* ---- routes --------------------------------------------------------------------------------- */

static const char routes_text[] =
        "notify:\n"
        "  alertmanager: http://default:9093\n"
        "  webhook: http://default/hook\n"
        "  secret: key\n"
        "  routes:\n"
        "    - {owner_tag: quiet, silent: true}\n"
        "    - {owner_tag: ana, environment: staging, webhook: 'http://staging'}\n"
        "    - {owner_tag: ana, alertmanager: 'http://ana:9093'}\n"
        "    - {budget_bucket: chat, webhook: 'http://chat'}\n"
        "    - {owner_tag: smoke-test-1, webhook: 'http://never'}\n";

static const struct route_row {
    const char *name;
    const char *owner, *environment, *bucket; /* NULL: not in the scope */
    const char *alertmanager, *webhook;       /* NULL: not told */
} routes[] = {
        {"owner", "ana", "production", "search", "http://ana:9093", NULL},
        {"the first match wins", "ana", "staging", "chat", NULL, "http://staging"},
        {"owner before bucket, by order", "ana", "production", "chat", "http://ana:9093", NULL},
        {"bucket", "bo", "production", "chat", NULL, "http://chat"},
        {"no match", "bo", "production", "search", "http://default:9093", "http://default/hook"},
        {"silent", "quiet", "production", "chat", NULL, NULL},
        {"an owner whose name begins alike", "anabel", "staging", "search", "http://default:9093",
                "http://default/hook"},
        {"a dimension that is not in the scope", "ana", NULL, NULL, "http://ana:9093", NULL},
        {"smoke tests never", "smoke-test-3f", "production", "search", NULL, NULL},
        {"smoke tests never, routed or not", "smoke-test-1", "production", "chat", NULL, NULL},
        {"nearly a smoke test", "smoke-tests", "production", "search", "http://default:9093",
                "http://default/hook"},
        {"no owner", NULL, "production", "search", "http://default:9093", "http://default/hook"},
};

static void
assert_text(const char *got, const char *want)
{
    assert_string_equal(got != NULL ? got : "(none)", want != NULL ? want : "(none)");
}

static void
test_route(void **state)
{
    const struct route_row *row = *state;
    struct loaded loaded = load(routes_text, NULL, NULL);
    struct packet packet = review_packet("x", REVIEW_STATUS_OPEN, 1);

    assert_string_equal(loaded.problems, "");
    packet.scope[DIM_OWNER] = row->owner != NULL ? span_of(row->owner) : SPAN_NULL;
    packet.scope[DIM_ENVIRONMENT] =
            row->environment != NULL ? span_of(row->environment) : SPAN_NULL;
    packet.scope[DIM_BUCKET] = row->bucket != NULL ? span_of(row->bucket) : SPAN_NULL;
    json_t *review = review_json(&packet);
    const struct notify_targets targets = notify_route(loaded.config, review);

    assert_text(targets.alertmanager, row->alertmanager);
    assert_text(targets.webhook, row->webhook);
    if (targets.webhook != NULL) {
        assert_text(targets.secret, "key");
    }
    json_decref(review);
    unload(&loaded);
}

/* ---- HTTP ----------------------------------------------------------------------------------- */

/* Source: RFC 4231, test case 2. */
static void
test_signature(void **state)
{
    char header[NOTIFY_SIGNATURE_SIZE];

    (void)state;
    notify_signature("Jefe", span_of("what do ya want for nothing?"), header);
    assert_string_equal(header, "X-Retrywatch-Signature: sha256="
                                "5bdcc146bf60754e6a042426089575c7"
                                "5a003f089d2739839dec58b964ec3843");
}

static const struct verdict_row {
    const char *name;
    long code;
    enum notify_verdict want;
} verdicts[] = {
        {"200", 200, NOTIFY_DELIVERED},
        {"202", 202, NOTIFY_DELIVERED},
        {"204", 204, NOTIFY_DELIVERED},
        {"302 is not followed", 302, NOTIFY_DOWN},
        {"400 will not get better", 400, NOTIFY_REFUSED},
        {"401 may be set right", 401, NOTIFY_DOWN},
        {"404 may be set right", 404, NOTIFY_DOWN},
        {"409", 409, NOTIFY_LATER},
        {"413", 413, NOTIFY_REFUSED},
        {"422", 422, NOTIFY_REFUSED},
        {"429", 429, NOTIFY_DOWN},
        {"500 may be this event's fault", 500, NOTIFY_LATER},
        {"502", 502, NOTIFY_DOWN},
        {"503", 503, NOTIFY_DOWN},
};

static void
test_verdict(void **state)
{
    const struct verdict_row *row = *state;

    assert_int_equal(notify_verdict_of(row->code), row->want);
}

int
main(void)
{
    struct CMUnitTest tests[64];
    size_t count = 0;

    ADD_ROWS(tests, count, statuses, test_status);
    ADD_TEST(tests, count, test_labels);
    ADD_TEST(tests, count, test_identity);
    ADD_TEST(tests, count, test_annotations);
    ADD_TEST(tests, count, test_log_ahead_of_the_clock);
    ADD_TEST(tests, count, test_times_out_of_range);
    ADD_TEST(tests, count, test_no_command_from_a_strange_id);
    ADD_ROWS(tests, count, routes, test_route);
    ADD_TEST(tests, count, test_signature);
    ADD_ROWS(tests, count, verdicts, test_verdict);
    return _cmocka_run_group_tests("notify_alert", tests, count, NULL, NULL);
}
