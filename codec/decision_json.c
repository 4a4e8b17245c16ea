/* decision_json.c - a decision as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decision_json.h"

#include "codec/times.h"

static json_t *
text_json(struct span text)
{
    return text.data == NULL ? json_null() : json_stringn((const char *)text.data, text.size);
}

static json_t *
time_json(int64_t time_ms)
{
    char text[TIME_TEXT_SIZE];

    if (time_ms == TIME_NULL) {
        return json_null();
    }
    time_format(time_ms, text);
    return json_string(text);
}

static json_t *
date_json(int32_t days)
{
    char text[DATE_TEXT_SIZE];

    if (days == DATE_NULL) {
        return json_null();
    }
    date_format(days, text);
    return json_string(text);
}

static json_t *
scope_json(const struct decision *decision)
{
    json_t *scope = json_object();

    for (int d = 0; d < DIM_COUNT; d++) {
        json_object_set_new(
                scope, dimension_name((enum dimension)d), text_json(decision->scope[d]));
    }
    return scope;
}

static json_t *
urls_json(const struct decision *decision)
{
    json_t *urls = json_array();

    for (size_t i = 0; i < decision->source_url_count; i++) {
        json_array_append_new(urls, text_json(decision->source_urls[i]));
    }
    return urls;
}

json_t *
decision_json(const struct decision *decision)
{
    const char *action =
            decision->action < ACTION_COUNT ? action_names[decision->action] : "unknown";
    json_t *bps = decision->max_retry_share_bps < 0 ? json_null()
                                                    : json_integer(decision->max_retry_share_bps);
    const struct {
        const char *name;
        json_t *value; /* taken over */
    } fields[] = {
            {"decision_id", text_json(decision->decision_id)},
            {"review_id", text_json(decision->review_id)},
            {"decided_at", time_json(decision->decided_at_ms)},
            {"decision_owner", text_json(decision->decision_owner)},
            {"scope", scope_json(decision)},
            {"action", json_string(action)},
            {"accepts_spend_risk", json_boolean(decision->accepts_spend_risk)},
            {"reason", text_json(decision->reason)},
            {"effective_from", time_json(decision->effective_from_ms)},
            {"expires_at", time_json(decision->expires_at_ms)},
            {"max_retry_share_bps", bps},
            {"revoked", json_boolean(decision->revoked)},
            {"source_urls", urls_json(decision)},
            {"access_date", date_json(decision->access_date)},
            {"pricing_source_checked_at", time_json(decision->pricing_source_checked_at_ms)},
            {"allocation_rule_checked", json_boolean(decision->allocation_rule_checked)},
            {"unit_metric", text_json(decision->unit_metric)},
            {"changed_setting", text_json(decision->changed_setting)},
            {"changed_assumption", text_json(decision->changed_assumption)},
            {"remaining_uncertainty", text_json(decision->remaining_uncertainty)},
    };
    json_t *object = json_object();

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        json_object_set_new(object, fields[i].name, fields[i].value);
    }
    return object;
}
