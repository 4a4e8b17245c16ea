/* smoke.c - the steps of the smoke test.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/smoke.h"

#include "consumer/human.h"
#include "consumer/kafka_admin.h"
#include "consumer/kafka_writer.h"
#include "consumer/smoke_io.h"
#include "consumer/store_redis.h"
#include "consumer/topic_reader.h"
#include "consumer/view_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#define CHECK_MS 10000
#define HOLD_MS 15000    /* how long its first decision holds */
#define STAY_MS 2000     /* that long nothing more may be published */
#define NUDGE_MS 500     /* between two retries, while something is waited for */
#define EVENTS_MAX 50000 /* a rule that needs more is not tested so */
#define SPARE_RETRIES 5

#define SMOKE_TEXT(name, text) text,
const char *const smoke_step_names[SMOKE_STEPS] = {SMOKE_STEP_MAP(SMOKE_TEXT)};

const json_t *
smoke_packet(const struct smoke *smoke)
{
    const size_t count = json_array_size(smoke->packets);

    return count > 0 ? json_array_get(smoke->packets, count - 1) : NULL;
}

static const char *
packet_text(const json_t *packet, const char *name)
{
    const char *text = json_string_value(json_object_get(packet, name));

    return text != NULL ? text : "";
}

/* What was seen, for a person. */
static void say(struct smoke *smoke, enum smoke_step step, const char *format, ...)
        PRINTF_LIKE(3, 4);

static void
say(struct smoke *smoke, enum smoke_step step, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(smoke->steps[step].text, sizeof(smoke->steps[step].text), format, args);
    va_end(args);
}

/* ---- reach --------------------------------------------------------------------------------- */

static enum status
check_rule(const struct smoke *smoke, struct error *error)
{
    const struct rule *rule = &smoke->config->rule;

    if (rule->shadow) {
        return error_set(error, STATUS_REFUSED,
                "review.shadow is on: the service publishes nothing, so there is nothing to test");
    }
    if (rule->attempts_min + rule->retries_min > EVENTS_MAX || rule->share_min_bps > 9000) {
        return error_set(error, STATUS_REFUSED,
                "the rule needs more than %d events or a share above 90 %% to see a rise "
                "(review.attempts_min, retries_min, share_min)",
                EVENTS_MAX);
    }
    return STATUS_OK;
}

static enum status
check_compacted(const struct smoke *smoke, struct error *error)
{
    const char *topic = smoke->config->topics.decisions;
    char policy[KAFKA_SETTING_SIZE];
    const enum status status =
            kafka_topic_setting(smoke->config, topic, "cleanup.policy", policy, error);

    if (status == STATUS_OK && strstr(policy, "compact") == NULL) {
        return error_set(error, STATUS_REFUSED,
                "the decisions topic is not compacted (%s has cleanup.policy=%s): decisions would "
                "be forgotten while they hold; kafka-configs.sh --alter --entity-type topics "
                "--entity-name %s --add-config cleanup.policy=compact",
                topic, policy, topic);
    }
    return status;
}

static enum status
check_redis(const struct smoke *smoke, struct error *error)
{
    struct store *store = store_redis_new(smoke->config);
    const enum status status = store_redis_reach(store, error);

    store->ops->destroy(store);
    return status;
}

static enum status
reach(struct smoke *smoke, struct error *error)
{
    const struct config *config = smoke->config;
    enum status status = check_rule(smoke, error);

    if (status == STATUS_OK) {
        status = smoke_check_format(smoke, error);
    }
    if (status == STATUS_OK) {
        status = kafka_check(config, false, CHECK_MS, &smoke->facts, error);
    }
    if (status == STATUS_OK) {
        status = check_compacted(smoke, error);
    }
    if (status == STATUS_OK) {
        status = check_redis(smoke, error);
    }
    if (status == STATUS_OK) {
        status = view_reader_new(config, &smoke->views, error);
    }
    if (status == STATUS_OK) {
        status = kafka_writer_new(config, config->topics.outcomes, &smoke->events, error);
    }
    if (status == STATUS_OK) {
        status = smoke_read_reviews(smoke, 0, 0, error); /* from here on */
    }
    say(smoke, SMOKE_REACH, "Kafka and its topics are there, %s is compacted, Redis is there",
            config->topics.decisions);
    return status;
}

/* ---- one event each ------------------------------------------------------------------------ */

static enum status
happy_path(struct smoke *smoke, struct error *error)
{
    enum status status = smoke_send(smoke, SMOKE_SUCCESS, smoke->operations++, 1, error);

    if (status == STATUS_OK) {
        status = smoke_flush(smoke, error);
    }
    if (status == STATUS_OK) {
        status = smoke_await_counts(smoke, 0, error);
    }
    if (status == STATUS_OK) {
        status = smoke_check_content(smoke, error);
    }
    say(smoke, SMOKE_HAPPY_PATH,
            "1 attempt is counted under its owner and bucket; Redis holds numbers alone");
    return status;
}

static enum status
error_path(struct smoke *smoke, struct error *error)
{
    enum status status = smoke_send(smoke, SMOKE_INVALID_REQUEST, smoke->operations++, 1, error);

    if (status == STATUS_OK) {
        status = smoke_flush(smoke, error);
    }
    if (status == STATUS_OK) {
        status = smoke_await_counts(smoke, 1, error);
    }
    if (status == STATUS_OK) {
        status = smoke_read_reviews(smoke, 0, 1, error);
    }
    if (status == STATUS_OK && json_array_size(smoke->packets) > 0) {
        status = error_set(error, STATUS_FAILED,
                "a review was published for two first attempts: see review.* of the service");
    }
    say(smoke, SMOKE_ERROR_PATH,
            "1 invalid request is counted as a failure of its owner, decision stop; no budget "
            "owner must act");
    return status;
}

/* ---- the rise ------------------------------------------------------------------------------ */

/* What the packet must say of the events that were written. */
static enum status
check_packet(const struct smoke *smoke, const json_t *packet, struct error *error)
{
    const json_t *scope = json_object_get(packet, "scope");
    const json_t *errors = json_object_get(packet, "errors_by_category");
    const json_t *decisions = json_object_get(packet, "retry_decisions");
    const json_t *class = json_array_get(json_object_get(packet, "top_request_classes"), 0);
    const json_t *place = json_array_get(json_object_get(packet, "top_environments"), 0);
    const json_t *workload = json_array_get(json_object_get(packet, "top_workloads"), 0);
    const char *bucket = packet_text(scope, "budget_bucket");
    const struct {
        const char *what;
        bool holds;
    } claims[] = {
            {"owner_tag", strcmp(packet_text(scope, "owner_tag"), smoke->owner) == 0},
            {"budget_bucket", bucket[0] == '\0' || strcmp(bucket, SMOKE_NAME) == 0},
            {"environment", strcmp(packet_text(place, "value"), smoke->options.environment) == 0},
            {"request_class", strcmp(packet_text(class, "value"), SMOKE_NAME) == 0},
            {"workload_tag", strcmp(packet_text(workload, "value"), SMOKE_NAME) == 0},
            {"unit_metric", strcmp(packet_text(packet, "unit_metric"), SMOKE_UNIT_METRIC) == 0},
            {"errors_by_category",
                    json_integer_value(json_object_get(errors, "invalid_request")) == 1},
            {"retry_decisions", json_integer_value(json_object_get(decisions, "stop")) == 2},
            {"first_attempt_recorded",
                    json_is_true(json_object_get(packet, "first_attempt_recorded"))},
            {"missing_fields", json_array_size(json_object_get(packet, "missing_fields")) == 0},
    };

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        if (!claims[i].holds) {
            return error_set(error, STATUS_FAILED,
                    "the review was published, but its %s is not that of the events: compare "
                    "`retrywatch review %s`",
                    claims[i].what, packet_text(packet, "review_id"));
        }
    }
    return STATUS_OK;
}

/* First attempts, then as many retries as the rule asks for. */
static enum status
send_rise(struct smoke *smoke, struct error *error)
{
    const struct rule *rule = &smoke->config->rule;
    const int64_t first = smoke->operations;
    const int64_t count = 5 + (rule->attempts_min + rule->retries_min) / 500;
    const int64_t firsts = smoke->attempts + count;
    int64_t retries = firsts * rule->share_min_bps / (BPS - rule->share_min_bps) + 1;
    enum status status = STATUS_OK;

    retries = retries < rule->retries_min ? rule->retries_min : retries;
    retries = firsts + retries < rule->attempts_min ? rule->attempts_min - firsts : retries;
    retries += SPARE_RETRIES;
    for (int64_t i = 0; i < count && status == STATUS_OK; i++) {
        status = smoke_send(smoke, SMOKE_FIRST, smoke->operations++, 1, error);
    }
    for (int64_t i = 0; i < retries && status == STATUS_OK; i++) {
        status = smoke_send(smoke, SMOKE_RETRY, first + i % count, (int32_t)(2 + i / count), error);
    }
    return status == STATUS_OK ? smoke_flush(smoke, error) : status;
}

static enum status
check_alone(struct smoke *smoke, size_t count, int64_t for_ms, struct error *error)
{
    const enum status status = smoke_read_reviews(smoke, for_ms, count + 1, error);

    if (status == STATUS_OK && json_array_size(smoke->packets) > count) {
        return error_set(error, STATUS_FAILED,
                "`%s` was published too (%s), where nothing was to be said",
                packet_text(smoke_packet(smoke), "status"),
                packet_text(smoke_packet(smoke), "reason"));
    }
    return status;
}

/* The next review, which must be this; another retry every now and then makes the service look. */
static enum status
await_review(struct smoke *smoke, const char *wanted, const char *reason, bool nudge,
        struct error *error)
{
    const size_t count = json_array_size(smoke->packets) + 1;
    const int64_t until_ms = clock_system.monotonic_ms(&clock_system) + smoke->options.timeout_ms;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && json_array_size(smoke->packets) < count) {
        if (clock_system.monotonic_ms(&clock_system) >= until_ms) {
            return error_set(error, STATUS_FAILED,
                    "no `%s` in %s after %" PRId64
                    " s: are topics.* and review.* those of the service? Its log tells why it does "
                    "not publish",
                    wanted, smoke->config->topics.reviews, smoke->options.timeout_ms / 1000);
        }
        if (nudge) {
            status = smoke_send(smoke, SMOKE_RETRY, smoke->operations++, 2, error);
            status = status == STATUS_OK ? smoke_flush(smoke, error) : status;
        }
        if (status == STATUS_OK) {
            status = smoke_read_reviews(smoke, NUDGE_MS, count, error);
        }
    }
    if (status == STATUS_OK &&
            (strcmp(packet_text(smoke_packet(smoke), "status"), wanted) != 0 ||
                    strcmp(packet_text(smoke_packet(smoke), "reason"), reason) != 0)) {
        return error_set(error, STATUS_FAILED, "`%s` (%s) was published instead of `%s` (%s)",
                packet_text(smoke_packet(smoke), "status"),
                packet_text(smoke_packet(smoke), "reason"), wanted, reason);
    }
    return status;
}

static enum status
rise(struct smoke *smoke, struct error *error)
{
    enum status status = send_rise(smoke, error);

    if (status == STATUS_OK) {
        status = await_review(smoke, "open", "rise", false, error);
    }
    if (status == STATUS_OK) {
        status = check_packet(smoke, smoke_packet(smoke), error);
    }
    if (status == STATUS_OK) {
        /* All but the first attempt of the happy path have failed. */
        status = smoke_await_counts(smoke, smoke->attempts - 1, error);
    }
    if (status == STATUS_OK) {
        status = check_alone(smoke, 1, STAY_MS, error);
    }
    say(smoke, SMOKE_RISE,
            "%" PRId64 " retries of %" PRId64
            " attempts: one review, %s; environment, class, bucket, unit metric, error category "
            "and retry decision are in it",
            smoke->retries, smoke->attempts, packet_text(smoke_packet(smoke), "review_id"));
    return status;
}

/* ---- decisions ----------------------------------------------------------------------------- */

static enum status
decide(struct smoke *smoke, size_t number, int64_t hold_ms, const char *reason, struct error *error)
{
    const int64_t now_ms = clock_system.wall_ms(&clock_system);
    struct decision wanted;
    struct decision decision;
    struct arena arena;
    enum status status = decision_id_make(now_ms, smoke->decision_ids[number], error);

    if (status != STATUS_OK) {
        return status;
    }
    arena_init(&arena);
    decision_blank(&wanted);
    wanted.decision_id = span_of(smoke->decision_ids[number]);
    wanted.decided_at_ms = now_ms;
    wanted.expires_at_ms = now_ms + hold_ms;
    wanted.decision_owner = span_of("retrywatch smoke-test");
    wanted.scope[DIM_OWNER] = span_of(smoke->owner);
    wanted.action = ACTION_KEEP_BUDGET;
    wanted.reason = span_of(reason);
    wanted.max_retry_share_bps = BPS;
    status = decision_prepare(smoke->config, &wanted, &arena, &decision, error);
    if (status == STATUS_OK) {
        status = decision_write(smoke->config, &decision, DECISION_AVRO, error);
    }
    if (status == STATUS_OK) {
        smoke->decision_ends_ms[number] = decision.expires_at_ms;
    } else {
        smoke->decision_ids[number][0] = '\0';
    }
    arena_fini(&arena);
    return status;
}

static enum status
check_adopted(const struct smoke *smoke, size_t number, struct error *error)
{
    const json_t *packet = smoke_packet(smoke);

    if (strcmp(packet_text(packet, "last_decision"), smoke->decision_ids[number]) != 0 ||
            strcmp(packet_text(packet, "cost_owner_action"), action_names[ACTION_KEEP_BUDGET]) !=
                    0) {
        return error_set(error, STATUS_FAILED, "the review rests on another decision: %s",
                packet_text(packet, "last_decision"));
    }
    return STATUS_OK;
}

/* A decision answers the review: nothing more is published while it holds. */
static enum status
decision(struct smoke *smoke, struct error *error)
{
    enum status status =
            decide(smoke, 0, HOLD_MS, "Smoke test: a decision that ends in a few seconds", error);
    int64_t left_ms = 0;

    if (status == STATUS_OK) {
        status = await_review(smoke, "decided", "decision", true, error);
    }
    if (status == STATUS_OK) {
        status = check_adopted(smoke, 0, error);
    }
    if (status == STATUS_OK) {
        status = smoke_send(smoke, SMOKE_RETRY, smoke->operations++, 2, error);
    }
    if (status == STATUS_OK) {
        status = smoke_flush(smoke, error);
    }
    left_ms = smoke->decision_ends_ms[0] - clock_system.wall_ms(&clock_system);
    if (status == STATUS_OK && left_ms > 0) {
        status = check_alone(smoke, 2, left_ms < STAY_MS ? left_ms : STAY_MS, error);
    }
    if (status == STATUS_OK) {
        say(smoke, SMOKE_DECISION, "%s was adopted, and more retries publish nothing",
                smoke->decision_ids[0]);
    }
    return status;
}

static enum status
expiry(struct smoke *smoke, struct error *error)
{
    const int64_t left_ms = smoke->decision_ends_ms[0] - clock_system.wall_ms(&clock_system);
    const json_t *packet = NULL;
    enum status status;

    if (left_ms > 0) {
        clock_system.sleep_ms(&clock_system, left_ms + 1);
    }
    status = await_review(smoke, "reopened", "decision_expired", true, error);
    packet = smoke_packet(smoke);
    if (status == STATUS_OK && json_integer_value(json_object_get(packet, "generation")) != 2) {
        status = error_set(error, STATUS_FAILED, "the reopened review is not generation 2");
    }
    say(smoke, SMOKE_EXPIRY, "the decision ended, and the same review is reopened");
    return status;
}

/* Last of all, also after a failure: nobody is to be asked about this owner again. */
static enum status
cover(struct smoke *smoke, struct error *error)
{
    enum status status = decide(smoke, 1, smoke->config->rule.decision_default_ms,
            "Smoke test: covers its owner, whose events were made up", error);
    struct error ignored = {0};

    if (status == STATUS_OK && smoke->steps[SMOKE_EXPIRY].result == SMOKE_PASS) {
        status = await_review(smoke, "decided", "decision", true, error);
        if (status == STATUS_OK) {
            status = check_adopted(smoke, 1, error);
        }
    } else if (status == STATUS_OK &&
               smoke_send(smoke, SMOKE_RETRY, smoke->operations++, 2, &ignored) == STATUS_OK) {
        status = smoke_flush(smoke, error);
    }
    if (status == STATUS_OK) {
        say(smoke, SMOKE_COVER, "%s covers %s until %s", smoke->decision_ids[1], smoke->owner,
                human_time(smoke->decision_ends_ms[1]).text);
    }
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static bool
run_step(struct smoke *smoke, enum smoke_step step,
        enum status (*function)(struct smoke *smoke, struct error *error))
{
    struct error error = {0};

    if (smoke->options.progress != NULL) {
        fprintf(smoke->options.progress, "%s ...\n", smoke_step_names[step]);
    }

    const bool passed = function(smoke, &error) == STATUS_OK;

    smoke->steps[step].result = passed ? SMOKE_PASS : SMOKE_FAIL;
    if (!passed) {
        say(smoke, step, "%s", error.text);
    }
    return passed;
}

void
smoke_run(struct smoke *smoke, const struct config *config, const struct smoke_options *options)
{
    enum status (*const steps[])(struct smoke * smoke, struct error * error) = {
            reach, happy_path, error_path, rise, decision, expiry};
    uint32_t random = 0;
    bool passed = getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random);

    smoke->config = config;
    smoke->options = *options;
    smoke->packets = json_array();
    smoke->started_ms = clock_system.wall_ms(&clock_system);
    snprintf(smoke->owner, sizeof(smoke->owner), SMOKE_OWNER_PREFIX "%08" PRIx32, random);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && passed; i++) {
        passed = run_step(smoke, (enum smoke_step)i, steps[i]);
    }
    if (smoke->retries > 0) {
        (void)run_step(smoke, SMOKE_COVER, cover);
    }
}

void
smoke_fini(struct smoke *smoke)
{
    kafka_writer_destroy(smoke->events);
    topic_reader_destroy(smoke->reviews);
    view_reader_destroy(smoke->views);
    json_decref(smoke->packets);
}

bool
smoke_passed(const struct smoke *smoke)
{
    for (size_t i = 0; i < SMOKE_STEPS; i++) {
        if (smoke->steps[i].result != SMOKE_PASS) {
            return false;
        }
    }
    return true;
}
