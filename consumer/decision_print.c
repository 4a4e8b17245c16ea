/* decision_print.c - decisions for people and programs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/decision_print.h"

#include "codec/decision_json.h"
#include "codec/times.h"
#include "consumer/human.h"

#define LABEL_WIDTH 22

const char *const decision_state_names[DECISION_STATES] = {
        [DECISION_ACTIVE] = "active",
        [DECISION_FUTURE] = "future",
        [DECISION_EXPIRED] = "expired",
        [DECISION_REVOKED] = "revoked",
};

enum decision_state
decision_state_at(const struct decision *decision, const struct rule *rule, int64_t now_ms)
{
    struct decision kept = *decision;

    kept.revoked = false;
    if (decision->revoked && decision_end(decision, rule) < decision_end(&kept, rule)) {
        return DECISION_REVOKED;
    }
    if (now_ms >= decision_end(decision, rule)) {
        return DECISION_EXPIRED;
    }
    return now_ms < decision_start(decision) ? DECISION_FUTURE : DECISION_ACTIVE;
}

static void
put_part(struct buffer *out, const char *name, struct span value)
{
    if (value.data != NULL) {
        buffer_printf(out, "%s%s ", out->size > 0 ? ", " : "", name);
        human_put_text(out, value);
    }
}

void
decision_put_scope(struct buffer *out, const struct decision *decision)
{
    static const char *const names[DIM_COUNT] = {[DIM_OWNER] = "owner",
            [DIM_WORKLOAD] = "workload",
            [DIM_ENVIRONMENT] = "environment",
            [DIM_CLASS] = "class",
            [DIM_BUCKET] = "bucket"};
    struct buffer parts = {0};

    if (decision->scope[DIM_OWNER].data == NULL) {
        put_part(&parts, "every", span_of("owner"));
    }
    for (int d = 0; d < DIM_COUNT; d++) {
        put_part(&parts, names[d], decision->scope[d]);
    }
    put_part(&parts, "review", decision->review_id);
    buffer_put(out, parts.data, parts.size);
    buffer_fini(&parts);
}

static json_t *
time_json(int64_t time_ms)
{
    char text[TIME_TEXT_SIZE];

    time_format(time_ms, text);
    return json_string(text);
}

json_t *
decision_describe(const struct decision *decision, const struct rule *rule, int64_t now_ms)
{
    json_t *json = decision_json(decision);

    json_object_set_new(json, "state",
            json_string(decision_state_names[decision_state_at(decision, rule, now_ms)]));
    json_object_set_new(json, "starts_at", time_json(decision_start(decision)));
    json_object_set_new(json, "ends_at", time_json(decision_end(decision, rule)));
    return json;
}

static void
put_label(struct buffer *out, const char *label)
{
    buffer_printf(out, "  %-*s", LABEL_WIDTH, label);
}

static void
put_line(struct buffer *out, const char *label, struct span text)
{
    if (text.data != NULL) {
        put_label(out, label);
        human_put_text(out, text);
        buffer_put_byte(out, '\n');
    }
}

static void
put_words(struct buffer *out, const char *label, const char *text)
{
    put_line(out, label, span_of(text));
}

static void
put_limit(struct buffer *out, const struct decision *decision, const struct rule *rule)
{
    const int64_t factor =
            decision->accepts_spend_risk ? rule->limit_risk_factor_bps : rule->limit_factor_bps;

    put_label(out, "holds up to");
    if (decision->max_retry_share_bps >= 0) {
        buffer_printf(
                out, "a retry share of %s\n", human_share(decision->max_retry_share_bps).text);
    } else {
        buffer_printf(out, "%.2f times the retry share at which it is first used\n",
                (double)factor / BPS);
    }
}

static void
put_evidence(struct buffer *out, const struct decision *decision)
{
    char date[DATE_TEXT_SIZE];

    for (size_t i = 0; i < decision->source_url_count; i++) {
        put_line(out, "source checked", decision->source_urls[i]);
    }
    if (decision->access_date != DATE_NULL) {
        date_format(decision->access_date, date);
        put_words(out, "sources read on", date);
    }
    if (decision->pricing_source_checked_at_ms != TIME_NULL) {
        put_words(out, "pricing page checked",
                human_time(decision->pricing_source_checked_at_ms).text);
    }
    if (decision->allocation_rule_checked) {
        put_words(out, "allocation rule", "checked");
    }
    put_line(out, "unit metric", decision->unit_metric);
    put_line(out, "changed setting", decision->changed_setting);
    put_line(out, "changed assumption", decision->changed_assumption);
    put_line(out, "still uncertain", decision->remaining_uncertainty);
}

void
decision_print(const struct decision *decision, const struct rule *rule, int64_t now_ms, FILE *out)
{
    const enum decision_state state = decision_state_at(decision, rule, now_ms);
    struct buffer text = {0};

    buffer_put_text(&text, "Decision ");
    human_put_text(&text, decision->decision_id);
    buffer_printf(&text, " (%s)\n", decision_state_names[state]);
    put_label(&text, "covers");
    decision_put_scope(&text, decision);
    buffer_put_byte(&text, '\n');
    put_words(&text, "action",
            decision->action < ACTION_COUNT ? action_names[decision->action] : "unknown");
    put_line(&text, "reason", decision->reason);
    put_line(&text, "decided by", decision->decision_owner);
    put_words(&text, "decided at", human_time(decision->decided_at_ms).text);
    put_words(&text, "from", human_time(decision_start(decision)).text);
    put_words(&text, state == DECISION_REVOKED ? "revoked at" : "until",
            human_time(decision_end(decision, rule)).text);
    put_limit(&text, decision, rule);
    put_words(&text, "spend risk", decision->accepts_spend_risk ? "accepted" : "not accepted");
    put_evidence(&text, decision);
    fwrite(text.data, 1, text.size, out);
    buffer_fini(&text);
}
