/* loop_views.c - the service loop's views: off the critical path, and never waited for twice.
 *
 * Views are derived. When they cannot be written, the store is down, the partitions are loaded
 * again, and everything that is out of date is shown after that.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/loop_internal.h"

#include "consumer/log.h"

#include <inttypes.h>

#define VIEWS_PER_TURN 500 /* owners in one pipeline, so that Redis answers others in between */

/* A view costs Redis about 50 us, as much as the state of a hundred events, and the records that
 * come meanwhile wait. So the more there are, the fewer owners are shown in a turn: under load a
 * few, in turn, and the rest when who is catching up has caught up; as_of tells the age. */
#define VIEWS_PER_LOADED_TURN 100
#define LOADED_RECORDS 1000 /* in one batch */
#define VIEWS_PER_BUSY_TURN 20
#define BUSY_RECORDS 10000

void
loop_views_lost(struct loop *loop, struct claim *claim)
{
    views_failed(loop->views);
    if (claim->fold != NULL) {
        partition_views_lost(claim->fold);
    }
}

static void
views_send(struct loop *loop)
{
    struct error error = {0};
    size_t count = 0;
    const struct span commands = views_commands(loop->views, &count);

    if (count != 0 &&
            loop->store->ops->write_views(loop->store, commands, count, &error) != STATUS_OK) {
        log_warn("views", "error=\"%s\"", error.text);
        for (size_t i = 0; i < loop->claim_count; i++) {
            loop_views_lost(loop, loop->claims[i]);
        }
        loop_reload_all(loop, -1);
    }
    views_clear(loop->views);
}

/* Owners that may still be shown in this second. */
static int64_t
views_budget(struct loop *loop)
{
    const int64_t now_ms = loop_now(loop);
    int64_t left;

    if (now_ms - loop->views_ms >= 1000) {
        loop->views_ms = now_ms;
        loop->views_count = 0;
    }
    left = loop->options.config->views.max_per_second - loop->views_count;
    const int64_t most = loop->batch_count >= BUSY_RECORDS     ? VIEWS_PER_BUSY_TURN
                         : loop->batch_count >= LOADED_RECORDS ? VIEWS_PER_LOADED_TURN
                                                               : VIEWS_PER_TURN;

    return left < most ? left : most;
}

/* Groups, reviews and views belong to a partition, so an owner in two is judged by its parts. */
static void
note_split_owner(struct loop *loop, const struct claim *claim, struct span owner)
{
    const int32_t other = views_other_partition(loop->views, claim->partition, owner);

    if (other >= 0) {
        loop->metrics.owners_split += 1;
        log_warn("owner",
                "owner=%.*s partition=%" PRId32 " other=%" PRId32
                " text=\"the owner is in two partitions and is counted apart in each: records must "
                "be keyed by owner\"",
                (int)owner.size, (const char *)owner.data, claim->partition, other);
    }
}

static void
show_owners_of(struct loop *loop, struct claim *claim, int64_t *budget)
{
    struct owner_view view;
    bool forgotten = false;

    while (*budget > 0 && partition_next_view(claim->fold, &loop->arena, &view, &forgotten)) {
        if (forgotten) {
            views_forget_owner(loop->views, claim->partition, view.owner);
        } else {
            note_split_owner(loop, claim, view.owner);
            views_put_owner(loop->views, claim->partition, &view);
        }
        *budget -= 1;
        loop->views_count += 1;
    }
}

void
loop_show_owners(struct loop *loop)
{
    int64_t budget = loop->options.rebuilds ? 0 : views_budget(loop);

    for (size_t i = 0; i < loop->claim_count && budget > 0; i++) {
        struct claim *claim = loop->claims[i];

        if (claim->state != CLAIM_LOADING && loop_now(loop) - claim->viewed_ms >= 1000) {
            show_owners_of(loop, claim, &budget);
            if (budget > 0) {
                claim->viewed_ms = loop_now(loop); /* all are up to date */
            }
        }
    }
    views_send(loop);
}

static void
put_review(struct loop *loop, struct span record)
{
    struct error error = {0};

    if (views_put_review(loop->views, record, &error) != STATUS_OK) {
        log_error("views", "error=\"%s\"", error.text);
    }
}

void
loop_show_review(void *context, struct span record)
{
    struct loop *loop = context;

    put_review(loop, record);
    views_send(loop);
}

void
loop_show_reviews(struct loop *loop, const struct claim *claim, size_t first)
{
    for (size_t i = first; i < claim->pending.count && !loop->options.rebuilds; i++) {
        const struct claim_record *record = &claim->pending.items[i];

        if (record->kind == PENDING_REVIEW) {
            put_review(loop, record->out.value);
        }
    }
    views_send(loop);
}
