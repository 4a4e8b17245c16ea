/* adopt.c - reviews that were published before the store lost its last writes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/partition_internal.h"

/* Groups are closed in the order in which they became active. */
static void
insert_active(struct partition *partition, struct group *group)
{
    struct link *before = &partition->active;

    while (before->previous != &partition->active &&
            LINK_ITEM(before->previous, struct group, in_active)->review.active_order >
                    group->review.active_order) {
        before = before->previous;
    }
    link_append(before, &group->in_active);
}

void
partition_adopt_review(
        struct partition *partition, const struct span dimensions[DIM_COUNT], struct review *review)
{
    struct group *group = come_up_group(partition, dimensions);

    link_remove(&group->in_active);
    review_fini(&group->review);
    group->review = *review;
    review_init(review);
    if (group->review.state != REVIEW_CLEAR) {
        insert_active(partition, group);
    }
    if (group->review.active_order >= partition->next_active) {
        partition->next_active = group->review.active_order + 1;
    }
    mark_review(partition, group);
    view_touch(partition, group->owner);
}

void
partition_adopt_time(struct partition *partition, int64_t stream_ms)
{
    partition->times.stream_ms = max_i64(partition->times.stream_ms, stream_ms);
}
