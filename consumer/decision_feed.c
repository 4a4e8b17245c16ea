/* decision_feed.c - one record of the decisions topic, decoded and checked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/decision_feed.h"

#include "codec/decision_codec.h"

enum status
decision_accept(struct decisions *decisions, const struct rule *rule,
        const struct decision_record *record, struct arena *arena, struct error *error)
{
    struct decision decision;
    enum status status = decision_decode(record->value, arena, &decision, error);

    if (status == STATUS_EMPTY) {
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        decision.record_ms = record->timestamp_ms;
        status = decision_check(&decision, rule, error);
    }
    if (status == STATUS_OK) {
        decisions_put(decisions, &decision);
    }
    return status;
}
