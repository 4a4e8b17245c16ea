/* review.c - the life of one review: clear, open, covered, decided.
 *
 * review_evaluate() is the table of docs/reviews.md: each line is a function that says whether it
 * applied, and they are asked in the table's order.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/review.h"

#include "aggregator/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *const review_state_names[REVIEW_STATES] = {"clear", "open", "covered", "decided"};

#define REVIEW_NAME(name, text) text,
const char *const review_status_names[REVIEW_STATUS_COUNT] = {REVIEW_STATUS_MAP(REVIEW_NAME)};
const char *const review_reason_names[REASON_COUNT] = {REVIEW_REASON_MAP(REVIEW_NAME)};

/* One evaluation under way. */
struct evaluation {
    struct review *review;
    const struct review_inputs *inputs;
    struct review_effect effect;
};

void
review_init(struct review *review)
{
    *review = (struct review){
            .starts_at_ms = TIME_NULL,
            .ends_at_ms = TIME_NULL,
            .cleared_at_ms = TIME_NULL,
            .adopted_cause = SYMBOL_NULL,
            .used_up_decided_at_ms = TIME_NULL,
    };
}

void
review_fini(struct review *review)
{
    free(review->adopted);
    free((void *)(uintptr_t)review->used_up_id.data);
    review_init(review);
}

/* ---- what is published, and the identity of a review ------------------------------------------
 */

static void
publish(struct evaluation *evaluation, enum review_status status, enum review_reason reason)
{
    evaluation->review->sequence += 1;
    evaluation->effect.changed = true;
    evaluation->effect.publishes = true;
    evaluation->effect.status = status;
    evaluation->effect.reason = reason;
}

static void
enter(struct evaluation *evaluation, enum review_state state)
{
    evaluation->review->state = state;
    evaluation->effect.changed = true;
}

/** A new generation begins: `open` when nothing was ever published about it, else `reopened`. */
static void
open_generation(struct evaluation *evaluation, enum review_reason reason)
{
    struct review *review = evaluation->review;
    const bool first = review->sequence == 0;

    enter(evaluation, REVIEW_OPEN);
    review->generation += 1;
    review->starts_at_ms = evaluation->inputs->stream_ms;
    review->repeats = 0;
    publish(evaluation, first ? REVIEW_STATUS_OPEN : REVIEW_STATUS_REOPENED, reason);
}

/** Append the bytes and a NUL; returns the new size. */
static size_t
join(uint8_t *text, size_t size, struct span part)
{
    if (part.size != 0) {
        memcpy(text + size, part.data, part.size);
    }
    text[size + part.size] = 0;
    return size + part.size + 1;
}

static size_t
join_number(uint8_t *text, size_t size, int64_t number)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRId64, number);
    return join(text, size, span_of(digits));
}

/** The same event gives the same id, in every replay. */
static void
make_id(const struct review_inputs *inputs, char id[REVIEW_ID_SIZE + 1])
{
    size_t room = strlen(inputs->topic) + 1 + (3 * 24);

    for (uint32_t i = 0; i < DIM_COUNT; i++) {
        room += inputs->dimensions[i].size + 1;
    }

    uint8_t *text = memory_new(1, room);
    size_t size = join(text, 0, span_of(inputs->topic));

    size = join_number(text, size, inputs->partition);
    for (uint32_t i = 0; i < DIM_COUNT; i++) {
        if ((inputs->group_by & 1U << i) != 0) {
            size = join(text, size, inputs->dimensions[i]);
        }
    }
    size = join_number(text, size, inputs->event_offset);
    size = join_number(text, size, inputs->event_ms);
    assert(size <= room);

    uint8_t digest[32];

    inputs->digest(text, size - 1, digest); /* joined, not ended, by NUL */
    free(text);
    for (size_t i = 0; i < REVIEW_ID_SIZE / 2; i++) {
        snprintf(id + (2 * i), 3, "%02x", digest[i]);
    }
}

static bool
continues(const struct evaluation *evaluation)
{
    const struct review *review = evaluation->review;

    return review->cleared_at_ms != TIME_NULL &&
           evaluation->inputs->stream_ms - review->cleared_at_ms <=
                   evaluation->inputs->rule->continue_ms;
}

/** The group leaves clear: its review goes on, or a new one begins, which remembers nothing. */
static void
leave_clear(struct evaluation *evaluation)
{
    struct review *review = evaluation->review;

    if (!continues(evaluation)) {
        const uint64_t active_order = review->active_order;

        review_fini(review);
        review->active_order = active_order;
        make_id(evaluation->inputs, review->id);
    }
    review->ends_at_ms = TIME_NULL;
    review->calm_closes = 0;
    evaluation->effect.changed = true;
}

/* ---- decisions --------------------------------------------------------------------------------
 */

static bool
is_used_up(const struct review *review, const struct decision *decision)
{
    if (review->used_up_decided_at_ms == TIME_NULL) {
        return false;
    }
    if (decision->decided_at_ms != review->used_up_decided_at_ms) {
        return decision->decided_at_ms < review->used_up_decided_at_ms;
    }
    return span_compare(decision->decision_id, review->used_up_id) <= 0;
}

/** The adopted decision still answers for this review; else it is only the last that did. */
static bool
holds_adopted(const struct review *review)
{
    return review->adopted != NULL && !is_used_up(review, review->adopted);
}

static bool
is_adopted(const struct review *review, const struct decision *decision)
{
    return holds_adopted(review) && span_equal(decision->decision_id, review->adopted->decision_id);
}

/** The newest record of the adopted decision; NULL when it has gone, or can no longer be read. */
static const struct decision *
newest_of_adopted(const struct evaluation *evaluation)
{
    const struct decision *newest =
            decisions_find(evaluation->inputs->decisions, evaluation->review->adopted->decision_id);

    return newest != NULL && decision_check(newest, evaluation->inputs->rule, NULL) == STATUS_OK
                   ? newest
                   : NULL;
}

/** Take over what a newer record of the adopted decision says: its end, its limit, its evidence. */
static void
refresh_adopted(struct evaluation *evaluation)
{
    struct review *review = evaluation->review;

    if (!holds_adopted(review)) {
        return;
    }

    const struct decision *newest = newest_of_adopted(evaluation);

    if (newest == NULL) {
        return;
    }

    const int64_t end_ms = decision_end(newest, evaluation->inputs->rule);

    if (decision_equal(newest, review->adopted) && end_ms == review->adopted_end_ms) {
        return;
    }
    free(review->adopted);
    review->adopted = decision_copy(newest);
    review->adopted_end_ms = end_ms;
    if (newest->max_retry_share_bps >= 0) {
        review->adopted_limit_bps = newest->max_retry_share_bps;
    }
    evaluation->effect.changed = true;
}

static bool
applies(const struct evaluation *evaluation, const struct decision *decision, int64_t end_ms)
{
    const struct review_inputs *inputs = evaluation->inputs;
    const struct review *review = evaluation->review;

    return decision_start(decision) <= inputs->stream_ms && inputs->stream_ms < end_ms &&
           decision_covers(decision, inputs->group_by, inputs->dimensions, span_of(review->id)) &&
           !is_used_up(review, decision);
}

/** Of the decisions that apply the one that wins, or NULL. */
static const struct decision *
find_applying(const struct evaluation *evaluation)
{
    const struct review_inputs *inputs = evaluation->inputs;
    const struct review *review = evaluation->review;
    const struct decision *best = NULL;
    const struct decision *decision = NULL;

    for (size_t i = 0; (decision = decisions_for_owner(
                                inputs->decisions, inputs->dimensions[DIM_OWNER], i)) != NULL;
            i++) {
        if (decision_check(decision, inputs->rule, NULL) == STATUS_OK &&
                applies(evaluation, decision, decision_end(decision, inputs->rule)) &&
                (best == NULL || decision_compare(decision, best) > 0)) {
            best = decision;
        }
    }
    /* The adopted one holds as it was kept when it has gone from the topic. */
    if (holds_adopted(review) && newest_of_adopted(evaluation) == NULL &&
            applies(evaluation, review->adopted, review->adopted_end_ms) &&
            (best == NULL || decision_compare(review->adopted, best) > 0)) {
        best = review->adopted;
    }
    return best;
}

static bool
answers(const struct evaluation *evaluation, const struct decision *decision)
{
    const uint64_t *l = evaluation->inputs->windows->l.n;
    int32_t limit_bps = decision->max_retry_share_bps;

    if (is_adopted(evaluation->review, decision)) {
        limit_bps = evaluation->review->adopted_limit_bps;
    }
    /* Without a limit of its own it answers any share; one is fixed when it is adopted. */
    return limit_bps < 0 || share_at_most(l[COUNT_RETRIES], l[COUNT_ATTEMPTS], limit_bps);
}

/** The limit of a decision without its own: what the share is now, and some room. */
static int32_t
limit_from_now(const struct evaluation *evaluation, const struct decision *decision)
{
    const struct rule *rule = evaluation->inputs->rule;
    const uint64_t *l = evaluation->inputs->windows->l.n;
    const uint64_t *s = evaluation->inputs->windows->s.n;
    int64_t base_bps = share_bps_up(l[COUNT_RETRIES], l[COUNT_ATTEMPTS]);

    /* S shows where L is going: after a step, L climbs for an hour without getting worse. */
    if (s[COUNT_RETRIES] >= (uint64_t)rule->retries_min) {
        const int64_t now_bps = share_bps_up(s[COUNT_RETRIES], s[COUNT_ATTEMPTS]);

        base_bps = now_bps > base_bps ? now_bps : base_bps;
    }

    const int64_t factor_bps =
            decision->accepts_spend_risk ? rule->limit_risk_factor_bps : rule->limit_factor_bps;
    const int64_t limit_bps = base_bps * factor_bps / BPS;

    return limit_bps < BPS ? (int32_t)limit_bps : BPS;
}

/** From now on the review rests on this decision. Its limit and cause are fixed here, once. */
static void
adopt(struct evaluation *evaluation, const struct decision *decision)
{
    struct review *review = evaluation->review;

    if (is_adopted(review, decision)) {
        return; /* a review that goes on keeps what was fixed */
    }

    const int32_t limit_bps = decision->max_retry_share_bps >= 0
                                      ? decision->max_retry_share_bps
                                      : limit_from_now(evaluation, decision);

    struct decision *copy = decision_copy(decision); /* before what it may come from is freed */

    free(review->adopted);
    review->adopted = copy;
    review->adopted_end_ms = decision_end(copy, evaluation->inputs->rule);
    review->adopted_limit_bps = limit_bps;
    review->adopted_cause = rule_leading_cause(&evaluation->inputs->windows->l);
    evaluation->effect.changed = true;
}

/** The adopted decision and all older ones answer this review no more. */
static void
use_up_adopted(struct review *review)
{
    if (is_used_up(review, review->adopted)) {
        return;
    }

    const struct span id = review->adopted->decision_id;
    uint8_t *copy = memory_new(1, id.size + 1);

    memcpy(copy, id.data, id.size);
    free((void *)(uintptr_t)review->used_up_id.data);
    review->used_up_id = (struct span){copy, id.size};
    review->used_up_decided_at_ms = review->adopted->decided_at_ms;
}

/* ---- the lines of the table -------------------------------------------------------------------
 */

/** How often in a row S was calm; a close without traffic in S neither counts nor resets. */
static void
count_calm_close(struct evaluation *evaluation)
{
    const struct review_inputs *inputs = evaluation->inputs;
    struct review *review = evaluation->review;
    const uint64_t *s = inputs->windows->s.n;
    const uint32_t before = review->calm_closes;

    if (s[COUNT_ATTEMPTS] != 0) {
        review->calm_closes =
                share_at_least(s[COUNT_RETRIES], s[COUNT_ATTEMPTS], inputs->rule->calm_share_bps)
                        ? 0
                        : before + 1;
    }
    evaluation->effect.changed |= review->calm_closes != before;
}

/** Not clear, at a close: calm for long enough, or no traffic at all. */
static bool
line_resolved(struct evaluation *evaluation)
{
    const struct review_inputs *inputs = evaluation->inputs;
    struct review *review = evaluation->review;

    if (!inputs->at_close) {
        return false;
    }
    count_calm_close(evaluation);

    const bool calm = review->calm_closes >= inputs->rule->calm_closes;

    if (!calm && inputs->windows->l.n[COUNT_ATTEMPTS] != 0) {
        return false;
    }

    const bool silent = review->state == REVIEW_COVERED; /* nobody was told that it began */

    enter(evaluation, REVIEW_CLEAR);
    review->cleared_at_ms = inputs->stream_ms;
    review->calm_closes = 0;
    if (!silent) {
        review->ends_at_ms = inputs->stream_ms;
        publish(evaluation, REVIEW_STATUS_RESOLVED, calm ? REASON_CALM : REASON_NO_TRAFFIC);
    }
    return true;
}

static bool
is_rise(const struct evaluation *evaluation)
{
    const struct attempts attempts = windows_attempts(evaluation->inputs->windows);

    return rule_is_rise(evaluation->inputs->rule, &attempts);
}

/** Clear, and a rise: covered when a decision answers, else open. */
static void
line_rise(struct evaluation *evaluation)
{
    if (!is_rise(evaluation)) {
        return;
    }
    leave_clear(evaluation);
    refresh_adopted(evaluation);

    const struct decision *decision = find_applying(evaluation);

    if (decision != NULL && answers(evaluation, decision)) {
        adopt(evaluation, decision);
        enter(evaluation, REVIEW_COVERED);
        evaluation->effect.suppressed = true;
    } else {
        open_generation(
                evaluation, evaluation->review->sequence == 0 ? REASON_RISE : REASON_RISE_AGAIN);
    }
}

/** Open, and a decision answers. */
static bool
line_decided(struct evaluation *evaluation)
{
    const struct decision *decision = find_applying(evaluation);

    if (decision == NULL || !answers(evaluation, decision)) {
        return false;
    }
    adopt(evaluation, decision);
    enter(evaluation, REVIEW_DECIDED);
    publish(evaluation, REVIEW_STATUS_DECIDED, REASON_DECISION);
    return true;
}

/** Open, at a close: nobody has answered for another repeat_ms. A skipped stretch says it once. */
static bool
line_unanswered(struct evaluation *evaluation)
{
    const struct review_inputs *inputs = evaluation->inputs;
    struct review *review = evaluation->review;

    if (!inputs->at_close) {
        return false;
    }

    const int64_t due = (inputs->stream_ms - review->starts_at_ms) / inputs->rule->repeat_ms;

    if (due <= review->repeats) {
        return false;
    }
    review->repeats = (uint32_t)due;
    publish(evaluation,
            due <= inputs->rule->repeats ? REVIEW_STATUS_REPEATED : REVIEW_STATUS_ESCALATED,
            REASON_UNANSWERED);
    return true;
}

/** Covered or decided, and another decision than the adopted one answers. */
static bool
line_other_decision(struct evaluation *evaluation, const struct decision *decision)
{
    if (decision == NULL || is_adopted(evaluation->review, decision) ||
            !answers(evaluation, decision)) {
        return false;
    }
    adopt(evaluation, decision);
    if (evaluation->review->state == REVIEW_DECIDED) {
        publish(evaluation, REVIEW_STATUS_DECIDED, REASON_DECISION);
    }
    return true;
}

/** What ended the adopted decision: the record that revoked it, or else its time. */
static enum review_reason
how_it_ended(const struct evaluation *evaluation)
{
    const struct decision *adopted = evaluation->review->adopted;

    return adopted->revoked && evaluation->review->adopted_end_ms == adopted->record_ms
                   ? REASON_DECISION_REVOKED
                   : REASON_DECISION_EXPIRED;
}

static bool
has_new_cause(const struct evaluation *evaluation)
{
    const uint8_t dominant = rule_dominant_cause(&evaluation->inputs->windows->l);

    return dominant != SYMBOL_NULL && dominant != evaluation->review->adopted_cause;
}

/** Covered or decided, and the rise is no longer what was decided about. */
static void
line_reopened(struct evaluation *evaluation, const struct decision *decision)
{
    enum review_reason reason = REASON_COUNT;

    if (!is_rise(evaluation)) {
        return;
    }
    if (decision == NULL) {
        reason = how_it_ended(evaluation);
    } else if (!answers(evaluation, decision)) {
        reason = REASON_SHARE_EXCEEDED;
    } else if (has_new_cause(evaluation)) {
        reason = REASON_NEW_CAUSE;
    } else {
        return;
    }
    use_up_adopted(evaluation->review);
    open_generation(evaluation, reason);
}

struct review_effect
review_evaluate(struct review *review, const struct review_inputs *inputs)
{
    struct evaluation evaluation = {.review = review, .inputs = inputs};

    if (review->state == REVIEW_CLEAR) {
        assert(!inputs->at_close); /* it is an event that begins a review */
        line_rise(&evaluation);
        return evaluation.effect;
    }
    if (line_resolved(&evaluation)) {
        return evaluation.effect;
    }
    refresh_adopted(&evaluation);
    if (review->state == REVIEW_OPEN) {
        if (!line_decided(&evaluation)) {
            line_unanswered(&evaluation);
        }
        return evaluation.effect;
    }

    const struct decision *decision = find_applying(&evaluation);

    if (!line_other_decision(&evaluation, decision)) {
        line_reopened(&evaluation, decision);
    }
    return evaluation.effect;
}
