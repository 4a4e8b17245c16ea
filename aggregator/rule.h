/* rule.h - when retries have risen: the numbers, and the comparisons in 128 bits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_RULE_H
#define RETRYWATCH_AGGREGATOR_RULE_H

#include "aggregator/counts.h"

#define BPS 10000 /* basis points in a whole */

#define RULE_ID "retry-share-two-windows-1"

/* Every number of the rule; the defaults are in consumer/config.c. */
struct rule {
    int64_t attempts_min;          /* 50: A_L at least */
    int64_t retries_min;           /* 10: R_L at least */
    int64_t share_min_bps;         /* 1000: share of S and L at least; the least threshold */
    int64_t share_max_bps;         /* 2000: at or above it, L has risen whatever B says */
    int64_t baseline_factor_bps;   /* 15000: L at least this multiple of B */
    int64_t baseline_attempts_min; /* 50: fewer attempts in B, and its share is taken as 0 */
    int64_t calm_share_bps;        /* 700: a close is calm when S is below */
    int64_t calm_closes;           /* 15: calm closes in a row that resolve */
    int64_t continue_ms;           /* 30 min: a rise so soon after clear continues the review */
    int64_t repeat_ms;             /* 4 h: unanswered for so long is said again */
    int64_t repeats;               /* 3: as `repeated`; from then on `escalated` */
    int64_t decision_default_ms;   /* 24 h: a decision without expires_at */
    int64_t decision_max_ms;       /* 30 d: no decision holds longer */
    int64_t limit_factor_bps;      /* 11000: limit of a decision without its own ... */
    int64_t limit_risk_factor_bps; /* 15000: ... and when it accepts the spend risk */
    int64_t missing_share_bps;     /* 2000: a field is missing when so many retries lack it */
    int64_t pricing_stale_ms;      /* 30 d: an older pricing check is stale */
    uint32_t required;             /* bits of enum missing_field that missing_fields may name */
    bool shadow;                   /* live the same life, publish nothing */
};

/* The sums of one group that tell a rise. */
struct attempts {
    uint64_t l_attempts, l_retries; /* M and the 59 minutes before */
    uint64_t s_attempts, s_retries; /* M and the 4 minutes before */
    uint64_t b_attempts, b_retries; /* baseline: the 48 half-hours before L */
};

/* The sums of one group that the rest of its evaluation needs. */
struct windows {
    int64_t minute;  /* the minute M that S and L end in */
    struct counts l; /* M and the 59 minutes before */
    struct counts s; /* M and the 4 minutes before: base counters only */
    uint64_t b_attempts, b_retries;
};

static inline struct attempts
windows_attempts(const struct windows *windows)
{
    return (struct attempts){
            windows->l.n[COUNT_ATTEMPTS],
            windows->l.n[COUNT_RETRIES],
            windows->s.n[COUNT_ATTEMPTS],
            windows->s.n[COUNT_RETRIES],
            windows->b_attempts,
            windows->b_retries,
    };
}

/** retries / attempts >= share_bps / BPS; false when attempts is 0. */
bool share_at_least(uint64_t retries, uint64_t attempts, int64_t share_bps);

/** retries / attempts <= share_bps / BPS; true when attempts is 0. */
bool share_at_most(uint64_t retries, uint64_t attempts, int64_t share_bps);

/** retries / attempts in basis points, rounded down; 0 when attempts is 0. */
int32_t share_bps(uint64_t retries, uint64_t attempts);

/** The same, rounded up. */
int32_t share_bps_up(uint64_t retries, uint64_t attempts);

/** 2 x part > whole. */
bool more_than_half(uint64_t part, uint64_t whole);

/** RISE: A_L and R_L large enough, S and L at the least share, and L at the threshold. */
bool rule_is_rise(const struct rule *rule, const struct attempts *attempts);

/** Share of the baseline in basis points, rounded down; 0 with too few attempts in it. */
int32_t rule_baseline_bps(const struct rule *rule, const struct attempts *attempts);

/** max(share_min, min(factor x baseline, share_max)), rounded down. */
int32_t rule_threshold_bps(const struct rule *rule, const struct attempts *attempts);

/** The cause, other than unknown, with more than half of R_L; SYMBOL_NULL when there is none. */
uint8_t rule_dominant_cause(const struct counts *l);

/** The cause with the most retries in L, ties by enum order; SYMBOL_NULL when R_L has none. */
uint8_t rule_leading_cause(const struct counts *l);

#endif
