/* decision_input.h - what a person types of a decision, on the command line or when asked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_DECISION_INPUT_H
#define RETRYWATCH_CONSUMER_DECISION_INPUT_H

#include "aggregator/decision.h"

#include <stdio.h>

/* All of them: Errors: STATUS_BAD_CONFIG with what is allowed; the output is untouched. */

/** One of the five names, or its number from 1 to 5. */
enum status decision_read_action(const char *text, uint8_t *action, struct error *error) MUST_CHECK;

/** 24h or 3d after start_ms, or an RFC 3339 time, or the date on whose midnight (UTC) it ends. */
enum status decision_read_end(
        const char *text, int64_t start_ms, int64_t *end_ms, struct error *error) MUST_CHECK;

/** 25%, 12.5% or 25: percent, to basis points. */
enum status decision_read_share(const char *text, int32_t *bps, struct error *error) MUST_CHECK;

/* What is asked on a terminal, and what is known before. */
struct decision_questions {
    FILE *in, *out;
    const struct rule *rule;
    int64_t start_ms;
    const char *proposed; /* action of the packet; NULL: none */
    const char *person;   /* who probably decides; NULL: not known */
    bool ask_end, ask_risk;
    char *reason, *decision_owner; /* owned by the caller: free(); set when they were asked */
};

/**
 * Ask for what is still null in the decision (action, reason, expiry, risk, who), again and again
 * until the answer can be used.
 *
 * Errors: STATUS_FAILED at the end of input: nothing is to be written.
 */
enum status decision_ask(struct decision_questions *questions, struct decision *decision,
        struct error *error) MUST_CHECK;

/** A question that is answered by y or n; false at the end of input. */
bool decision_ask_yes(FILE *in, FILE *out, const char *question);

#endif
