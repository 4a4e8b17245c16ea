/* default_rule.h - the rule with the numbers that the documentation names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_DEFAULT_RULE_H
#define RETRYWATCH_TESTS_DEFAULT_RULE_H

#include "aggregator/rule.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static inline struct rule
default_rule(void)
{
    return (struct rule){
            .attempts_min = 50,
            .retries_min = 10,
            .share_min_bps = 1000,
            .share_max_bps = 2000,
            .baseline_factor_bps = 15000,
            .baseline_attempts_min = 50,
            .calm_share_bps = 700,
            .calm_closes = 15,
            .continue_ms = 30 * MINUTE,
            .repeat_ms = 4 * HOUR,
            .repeats = 3,
            .decision_default_ms = 24 * HOUR,
            .decision_max_ms = 30 * DAY,
            .limit_factor_bps = 11000,
            .limit_risk_factor_bps = 15000,
            .missing_share_bps = 2000,
            .pricing_stale_ms = 30 * DAY,
            .required = UINT32_MAX,
    };
}

#endif
