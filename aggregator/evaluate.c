/* evaluate.c - when a group is evaluated, and what that publishes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/partition_internal.h"

bool
partition_evaluates(const struct partition *partition)
{
    return partition->quiet < 0;
}

void
mark_review(struct partition *partition, struct group *group)
{
    struct batch *batch = &partition->batch;

    if (!group->review_dirty) {
        group->review_dirty = true;
        batch->reviews = memory_grow(batch->reviews, batch->review_count, &batch->review_capacity,
                sizeof(struct group *));
        batch->reviews[batch->review_count++] = group;
    }
}

/* ---- publications ---------------------------------------------------------------------------- */

/* The retries in L of the group's series. Publications are rare, so no sums are kept for this. */
static struct series_retries *
retries_by_series(
        struct partition *partition, const struct group *group, int64_t minute, size_t *count)
{
    struct arena *arena = &partition->batch.arena;
    struct series_retries *retries = NULL;
    size_t size = 0;

    for (struct link *link = group->series.next; link != &group->series; link = link->next) {
        size++;
    }
    retries = arena_new(arena, size, sizeof(*retries));
    *count = 0;
    for (struct link *link = group->series.next; link != &group->series; link = link->next) {
        const struct series *series = LINK_ITEM(link, struct series, in_group);
        struct counts l;

        counts_init(&l);
        slots_sum(&series->minutes, minute - (WINDOW_L_MINUTES - 1), minute, &l);
        if (l.n[COUNT_RETRIES] > 0) {
            struct span *dimensions = arena_new(arena, DIM_COUNT, sizeof(*dimensions));

            entry_values(&series->entry, dimensions);
            retries[(*count)++] = (struct series_retries){dimensions, l.n[COUNT_RETRIES]};
        }
    }
    return retries;
}

static void
publish(struct partition *partition, const struct group *group, const struct review_inputs *inputs,
        const struct review_effect *effect)
{
    struct batch *batch = &partition->batch;
    struct arena *arena = &batch->arena;
    struct packet_inputs packet = {
            .review = &group->review,
            .evaluation = inputs,
            .status = effect->status,
            .reason = effect->reason,
            .evidence = &group->evidence,
            .configured = partition->options.configured,
            .configured_count = partition->options.configured_count,
            .config_version = partition->options.config_version,
    };

    packet.series =
            retries_by_series(partition, group, inputs->windows->minute, &packet.series_count);
    batch->publications = memory_grow(batch->publications, batch->publication_count,
            &batch->publication_capacity, sizeof(*batch->publications));

    struct publication *publication = &batch->publications[batch->publication_count++];

    *publication = (struct publication){.review = group->review};
    packet_fill(&publication->packet, arena, &packet);
    for (size_t i = 0; i < DIM_COUNT; i++) {
        publication->dimensions[i] = arena_copy(arena, inputs->dimensions[i]);
    }
    publication->review.used_up_id = arena_copy(arena, group->review.used_up_id);
    if (group->review.adopted != NULL) {
        publication->review.adopted = decision_copy(group->review.adopted); /* freed at settle */
    }
    partition->metrics.published[effect->status]++;
}

/* ---- evaluations ----------------------------------------------------------------------------- */

/* The list of active groups follows the state. */
static void
follow_state(struct partition *partition, struct group *group, enum review_state was)
{
    const enum review_state state = group->review.state;

    if (was == REVIEW_CLEAR && state != REVIEW_CLEAR) {
        group->review.active_order = partition->next_active++;
        link_append(&partition->active, &group->in_active);
    } else if (was != REVIEW_CLEAR && state == REVIEW_CLEAR) {
        link_remove(&group->in_active);
    }
}

static void
evaluate(struct partition *partition, struct group *group, struct review_inputs *inputs,
        int64_t minute)
{
    const enum review_state was = group->review.state;
    struct span dimensions[DIM_COUNT];

    entry_values(&group->entry, dimensions);
    inputs->rule = partition->options.rule;
    inputs->decisions = partition->options.decisions;
    inputs->windows = group_windows(group, minute);
    inputs->dimensions = dimensions;
    inputs->group_by = partition->options.group_by;
    inputs->topic = partition->options.topic;
    inputs->partition = partition->options.partition;
    inputs->digest = partition->options.digest;

    const struct review_effect effect = review_evaluate(&group->review, inputs);

    partition->metrics.evaluations++;
    partition->metrics.suppressed += effect.suppressed;
    follow_state(partition, group, was);
    if (effect.changed) {
        mark_review(partition, group);
        view_touch(partition, group->owner);
    }
    if (effect.publishes && !partition->options.rule->shadow) {
        publish(partition, group, inputs, &effect);
    }
    if (group->review.state == REVIEW_CLEAR) {
        group_drop_windows(group);
        if (was != REVIEW_CLEAR && !group->live) {
            forget_group(partition, group); /* only the review had kept it */
        }
    }
}

void
evaluate_event(struct partition *partition, struct group *group, int64_t event_ms)
{
    const int64_t minute = minute_of(partition->times.stream_ms);

    /* Nearly all events: a clear group has one line, the rise, and the rest of an evaluation is not
     * even begun without one. */
    if (group->review.state == REVIEW_CLEAR) {
        group_roll(group, minute);
        if (!rule_is_rise(partition->options.rule, &group->attempts)) {
            partition->metrics.evaluations++;
            return;
        }
    }

    struct review_inputs inputs = {
            .stream_ms = partition->times.stream_ms,
            .event_offset = partition->offset,
            .event_ms = event_ms,
    };

    evaluate(partition, group, &inputs, minute);
}

static void
close_minute(struct partition *partition, int64_t minute)
{
    struct link *next = NULL;

    partition->metrics.closes++;
    for (struct link *link = partition->active.next; link != &partition->active; link = next) {
        struct review_inputs inputs = {
                .stream_ms = (minute + 1) * MINUTE_MS,
                .at_close = true,
                .event_offset = -1,
                .event_ms = TIME_NULL,
        };

        next = link->next; /* the group may become clear and leave the list */
        evaluate(partition, LINK_ITEM(link, struct group, in_active), &inputs, minute);
    }
}

/* Nobody is active: nothing to close, so that a long silence costs nothing. And a group that stays
 * active has traffic, so that the loop is as long as the time that is really in the log. */
void
close_minutes(struct partition *partition, int64_t to_ms)
{
    const int64_t end = minute_of(to_ms);

    if (!partition_evaluates(partition)) {
        return;
    }
    for (int64_t minute = minute_of(partition->times.stream_ms);
            minute < end && !link_is_alone(&partition->active); minute++) {
        close_minute(partition, minute);
    }
}
