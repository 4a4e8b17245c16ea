/* rule.c - when retries have risen: the numbers, and the comparisons in 128 bits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/rule.h"

#include <assert.h>

/* C17 has no integer of 128 bits; GCC and Clang do. */
__extension__ typedef unsigned __int128 wide;

/* The cross products have up to 192 bits: two counters of 64 bits, and a factor. Counters that
 * stopped at their maximum must compare as exactly as small ones. */
struct product {
    wide high; /* what is above the low 64 bits */
    uint64_t low;
};

static struct product
multiply(uint64_t a, uint64_t b, uint64_t factor)
{
    const wide product = (wide)a * b;
    const wide low = (wide)(uint64_t)product * factor;

    return (struct product){(product >> 64) * factor + (low >> 64), (uint64_t)low};
}

static bool
product_at_least(struct product left, struct product right)
{
    return left.high != right.high ? left.high > right.high : left.low >= right.low;
}

bool
share_at_least(uint64_t retries, uint64_t attempts, int64_t share_bps)
{
    assert(share_bps >= 0);
    return attempts > 0 &&
           product_at_least(multiply(retries, 1, BPS), multiply(attempts, 1, (uint64_t)share_bps));
}

bool
share_at_most(uint64_t retries, uint64_t attempts, int64_t share_bps)
{
    assert(share_bps >= 0);
    return product_at_least(multiply(attempts, 1, (uint64_t)share_bps), multiply(retries, 1, BPS));
}

int32_t
share_bps(uint64_t retries, uint64_t attempts)
{
    assert(retries <= attempts);
    return attempts == 0 ? 0 : (int32_t)((wide)retries * BPS / attempts);
}

int32_t
share_bps_up(uint64_t retries, uint64_t attempts)
{
    assert(retries <= attempts);
    return attempts == 0 ? 0 : (int32_t)(((wide)retries * BPS + attempts - 1) / attempts);
}

bool
more_than_half(uint64_t part, uint64_t whole)
{
    return part > whole / 2; /* the same for whole numbers, and never too large */
}

/** A baseline of few attempts says nothing: its share is then taken as 0. */
static bool
baseline_is_known(const struct rule *rule, const struct attempts *attempts)
{
    return attempts->b_attempts > 0 &&
           attempts->b_attempts >= (uint64_t)rule->baseline_attempts_min;
}

static bool
is_above_baseline(const struct rule *rule, const struct attempts *attempts)
{
    assert(rule->baseline_factor_bps >= 0);
    return !baseline_is_known(rule, attempts) ||
           product_at_least(multiply(attempts->l_retries, attempts->b_attempts, BPS),
                   multiply(attempts->b_retries, attempts->l_attempts,
                           (uint64_t)rule->baseline_factor_bps));
}

bool
rule_is_rise(const struct rule *rule, const struct attempts *attempts)
{
    return attempts->l_retries >= (uint64_t)rule->retries_min &&
           attempts->l_attempts >= (uint64_t)rule->attempts_min &&
           share_at_least(attempts->s_retries, attempts->s_attempts, rule->share_min_bps) &&
           share_at_least(attempts->l_retries, attempts->l_attempts, rule->share_min_bps) &&
           (is_above_baseline(rule, attempts) ||
                   share_at_least(attempts->l_retries, attempts->l_attempts, rule->share_max_bps));
}

int32_t
rule_baseline_bps(const struct rule *rule, const struct attempts *attempts)
{
    return baseline_is_known(rule, attempts) ? share_bps(attempts->b_retries, attempts->b_attempts)
                                             : 0;
}

int32_t
rule_threshold_bps(const struct rule *rule, const struct attempts *attempts)
{
    wide threshold = 0;

    if (baseline_is_known(rule, attempts)) {
        threshold = (wide)attempts->b_retries * (uint64_t)rule->baseline_factor_bps /
                    attempts->b_attempts;
    }
    if (threshold > (wide)rule->share_max_bps) {
        threshold = (wide)rule->share_max_bps;
    }
    if (threshold < (wide)rule->share_min_bps) {
        threshold = (wide)rule->share_min_bps;
    }
    return (int32_t)threshold;
}

uint8_t
rule_leading_cause(const struct counts *l)
{
    const uint64_t *causes = &l->n[COUNT_CAUSE];
    uint8_t leading = 0;

    for (uint8_t cause = 1; cause < CAUSE_COUNT; cause++) {
        if (causes[cause] > causes[leading]) {
            leading = cause;
        }
    }
    return causes[leading] > 0 ? leading : SYMBOL_NULL;
}

uint8_t
rule_dominant_cause(const struct counts *l)
{
    const uint8_t leading = rule_leading_cause(l); /* more than half is more than any other */

    if (leading == SYMBOL_NULL || leading == CAUSE_UNKNOWN) {
        return SYMBOL_NULL;
    }
    return more_than_half(l->n[COUNT_CAUSE + leading], l->n[COUNT_RETRIES]) ? leading : SYMBOL_NULL;
}
