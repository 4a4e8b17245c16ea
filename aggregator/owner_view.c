/* owner_view.c - what dashboards show of an owner, and whose turn it is.
 *
 * Three lists take turns, so that none waits for another to become empty: owners that were touched
 * since they were shown; owners at rest, the one shown longest ago first, whose windows move on
 * with T; and owners that are forgotten, whose views are to be deleted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/hash.h"
#include "aggregator/partition_internal.h"

void
view_touch(struct partition *partition, struct owner *owner)
{
    if (owner->view_state != VIEW_TOUCHED) {
        owner->view_state = VIEW_TOUCHED;
        link_append(&partition->owners_touched, &owner->in_views);
    }
}

static void
view_rest(struct partition *partition, struct owner *owner, int64_t shown_minute)
{
    owner->view_state = VIEW_RESTING;
    owner->shown_minute = shown_minute;
    link_append(&partition->owners_resting, &owner->in_views);
}

void
view_restored(struct partition *partition, struct owner *owner)
{
    view_rest(partition, owner, SLOT_NONE); /* nobody knows what was shown last: it is due */
}

void
view_forget(struct partition *partition, struct owner *owner)
{
    link_append(&partition->owners_forgotten, &owner->in_views);
}

/* ---- one view -------------------------------------------------------------------------------- */

typedef uint64_t view_totals[COUNT_BASE];

static void
add_totals(view_totals *totals, enum view_window window, const struct counts *counts)
{
    for (size_t i = 0; i < COUNT_BASE; i++) {
        totals[window][i] = count_sum(totals[window][i], counts->n[i]);
    }
}

/* S, L and D of one group. */
struct group_sums {
    struct counts s, l, d;
};

/* In one walk, the sums and the minutes. */
static void
sum_group(struct owner_view *view, struct group *group, int64_t half_hour, struct group_sums *sums)
{
    const int64_t s_from = WINDOW_L_MINUTES - WINDOW_S_MINUTES;
    struct span packed;
    int64_t minute = 0;
    size_t at = 0;

    counts_init(&sums->s);
    counts_init(&sums->l);
    counts_init(&sums->d);
    slots_pack(&group->minutes, &group->minute_tally);
    slots_pack(&group->half_hours, &group->half_hour_tally);
    while (slots_next(&group->minutes, &at, &minute, &packed)) {
        const int64_t i = minute - view->first_minute;

        if (i >= 0 && i < WINDOW_L_MINUTES) {
            counts_add_packed(&sums->l, packed);
            if (i >= s_from) {
                counts_add_packed(&sums->s, packed);
            }
            counts_add_packed_attempts(packed, &view->minute_attempts[i], &view->minute_retries[i]);
        }
    }
    slots_sum(&group->half_hours, half_hour - (WINDOW_D_HALF_HOURS - 1), half_hour, &sums->d);
}

static void
add_group_totals(const struct group_sums *sums, view_totals *totals)
{
    add_totals(totals, VIEW_5M, &sums->s);
    add_totals(totals, VIEW_60M, &sums->l);
    add_totals(totals, VIEW_24H, &sums->d);
}

/* The buckets of a view while it is filled. */
struct bucket_index {
    uint32_t *cells; /* index of a bucket + 1; 0: free */
    size_t mask;
};

static void
buckets_init(struct owner_view *view, struct bucket_index *index, struct arena *arena,
        const struct owner *owner)
{
    size_t groups = 0;
    size_t capacity = 4;

    for (struct link *link = owner->groups.next; link != &owner->groups; link = link->next) {
        groups++;
    }
    while (capacity < groups * 2) {
        capacity *= 2;
    }
    view->buckets = arena_new(arena, groups, sizeof(*view->buckets));
    index->cells = arena_new(arena, capacity, sizeof(*index->cells));
    index->mask = capacity - 1;
}

static view_totals *
bucket_totals(struct owner_view *view, struct bucket_index *index, struct span bucket)
{
    size_t i = hash_spans(&bucket, 1) & index->mask;

    while (index->cells[i] != 0) {
        const size_t known = index->cells[i] - 1;

        if (span_equal(view->buckets[known].bucket, bucket)) {
            return view->buckets[known].totals;
        }
        i = (i + 1) & index->mask;
    }
    view->buckets[view->bucket_count].bucket = bucket;
    index->cells[i] = (uint32_t)++view->bucket_count;
    return view->buckets[view->bucket_count - 1].totals;
}

static void
fill(const struct partition *partition, struct arena *arena, const struct owner *owner,
        struct owner_view *view)
{
    const int64_t minute = minute_of(partition->times.stream_ms);
    const int64_t half_hour = half_hour_of(partition->times.stream_ms);
    struct bucket_index index;

    *view = (struct owner_view){
            .owner = entry_value(&owner->entry, DIM_OWNER),
            .as_of_ms = partition->times.stream_ms,
            .last_event_ms = owner->last_event_ms,
            .first_minute = minute - (WINDOW_L_MINUTES - 1),
    };
    buckets_init(view, &index, arena, owner);
    for (struct link *link = owner->groups.next; link != &owner->groups; link = link->next) {
        struct group *group = LINK_ITEM(link, struct group, in_owner);
        const struct span bucket = entry_value(&group->entry, DIM_BUCKET);
        struct group_sums sums;

        sum_group(view, group, half_hour, &sums);
        add_group_totals(&sums, view->totals);
        if (bucket.size != 0) {
            add_group_totals(&sums, bucket_totals(view, &index, bucket));
        }
        view->open_reviews +=
                group->review.state == REVIEW_OPEN || group->review.state == REVIEW_DECIDED;
    }
}

/* A view that shows nothing stays as it is until the owner is touched. */
static bool
shows_something(const struct owner_view *view)
{
    bool something = view->open_reviews != 0;

    for (size_t window = 0; window < VIEW_WINDOWS; window++) {
        for (size_t i = 0; i < COUNT_BASE; i++) {
            something |= view->totals[window][i] != 0;
        }
    }
    return something;
}

static void
show(struct partition *partition, struct arena *arena, struct owner *owner, struct owner_view *view)
{
    fill(partition, arena, owner, view);
    if (shows_something(view)) {
        view_rest(partition, owner, minute_of(partition->times.stream_ms));
    } else {
        owner->view_state = VIEW_UP_TO_DATE;
        link_remove(&owner->in_views);
    }
}

/* ---- turns ----------------------------------------------------------------------------------- */

static bool
show_touched(struct partition *partition, struct arena *arena, struct owner_view *view)
{
    struct link *link = partition->owners_touched.next;

    if (link == &partition->owners_touched) {
        return false;
    }
    show(partition, arena, LINK_ITEM(link, struct owner, in_views), view);
    return true;
}

static bool
show_resting(struct partition *partition, struct arena *arena, struct owner_view *view)
{
    struct link *link = partition->owners_resting.next;

    if (link == &partition->owners_resting) {
        return false;
    }

    struct owner *owner = LINK_ITEM(link, struct owner, in_views);

    if (owner->shown_minute >= minute_of(partition->times.stream_ms)) {
        return false; /* and all the others were shown later */
    }
    show(partition, arena, owner, view);
    return true;
}

/* An owner that has come back since it was forgotten keeps its views. */
static bool
show_forgotten(struct partition *partition, struct arena *arena, struct owner_view *view)
{
    while (!link_is_alone(&partition->owners_forgotten)) {
        struct owner *owner = LINK_ITEM(partition->owners_forgotten.next, struct owner, in_views);
        struct span dimensions[DIM_COUNT];

        entry_values(&owner->entry, dimensions);

        const bool is_back = find_owner(partition, dimensions) != NULL;

        if (!is_back) {
            *view = (struct owner_view){.owner = arena_copy(arena, dimensions[DIM_OWNER])};
        }
        link_remove(&owner->in_views);
        owner_destroy(owner);
        if (!is_back) {
            return true;
        }
    }
    return false;
}

bool
partition_next_view(
        struct partition *partition, struct arena *arena, struct owner_view *view, bool *forgotten)
{
    static bool (*const turns[])(struct partition *, struct arena *, struct owner_view *) = {
            show_touched, show_resting, show_forgotten};
    const unsigned count = sizeof(turns) / sizeof(turns[0]);

    for (unsigned i = 0; i < count; i++) {
        const unsigned turn = (partition->view_turn + i) % count;

        if (turns[turn](partition, arena, view)) {
            *forgotten = turns[turn] == show_forgotten;
            partition->view_turn = turn + 1;
            return true;
        }
    }
    return false;
}

void
partition_views_lost(struct partition *partition)
{
    for (size_t i = 0; i < partition->owners.capacity; i++) {
        struct owner *owner = partition->owners.cells[i].item;

        if (owner != NULL && owner->view_state == VIEW_RESTING) {
            owner->shown_minute = SLOT_NONE;
        } else if (owner != NULL && owner->view_state == VIEW_UP_TO_DATE) {
            view_rest(partition, owner, SLOT_NONE);
        }
    }
}
