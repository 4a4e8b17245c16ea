/* restore.c - what is stored becomes a partition again: names, reviews, beginning and end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/restore_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

void
restore_destroy(struct restore *restore)
{
    if (restore != NULL) {
        table_fini(&restore->series);
        table_fini(&restore->groups);
        free(restore->active);
        free(restore);
    }
}

struct series *
series_numbered(const struct restore *restore, uint64_t number)
{
    struct series *series = NULL;
    size_t at = 0;

    while ((series = table_next(&restore->series, hash_number(number), &at)) != NULL) {
        if (series->number == number) {
            break;
        }
    }
    return series;
}

struct group *
group_numbered(const struct restore *restore, uint64_t number)
{
    struct group *group = NULL;
    size_t at = 0;

    while ((group = table_next(&restore->groups, hash_number(number), &at)) != NULL) {
        if (group->number == number) {
            break;
        }
    }
    return group;
}

void
partition_live_slots(struct partition_times times, int64_t *minute_from, int64_t *minute_to,
        int64_t *half_hour_from, int64_t *half_hour_to)
{
    *minute_from = *half_hour_from = 0;
    *minute_to = *half_hour_to = -1;
    if (times.log_ms != TIME_NULL) {
        *minute_to = minute_of(times.log_ms);
        *minute_from = max_i64(0, *minute_to - (WINDOW_L_MINUTES - 1));
        *half_hour_to = half_hour_of(times.log_ms);
        *half_hour_from = max_i64(0, *half_hour_to - (LIVE_HALF_HOURS - 1));
    }
}

void
partition_restore_times(struct partition *partition, struct partition_times times,
        uint64_t next_series, uint64_t next_group, uint64_t next_active)
{
    assert(partition->restore == NULL && partition->owners.count == 0);
    partition->times = times;
    partition->settled = times;
    partition->next_series = next_series;
    partition->next_group = next_group;
    partition->next_active = next_active;
    partition->restore = memory_new(1, sizeof(*partition->restore));
}

/* ---- names ----------------------------------------------------------------------------------- */

static enum status
check_dimensions(const struct span dimensions[DIM_COUNT], uint32_t bits, const char *what,
        uint64_t number, struct error *error)
{
    for (size_t i = 0; i < DIM_COUNT; i++) {
        const bool named = (bits & DIM_BIT(i)) != 0;
        const size_t size = dimensions[i].size;

        if (named ? size == 0 || size > UINT16_MAX : size != 0) {
            return error_set(error, STATUS_REFUSED,
                    "stored %s %" PRIu64 " does not fit review.group_by in %s", what, number,
                    dimension_name((enum dimension)i));
        }
    }
    return STATUS_OK;
}

enum status
partition_restore_group(struct partition *partition, uint64_t number,
        const struct span dimensions[DIM_COUNT], struct error *error)
{
    struct restore *restore = partition->restore;
    const enum status status =
            check_dimensions(dimensions, partition->options.group_by, "group", number, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (group_numbered(restore, number) != NULL) {
        return STATUS_OK; /* a scan may visit a field twice */
    }
    if (number >= partition->next_group) {
        return error_set(
                error, STATUS_REFUSED, "stored group %" PRIu64 " was never given out", number);
    }
    if (find_group(partition, dimensions) != NULL) {
        return error_set(error, STATUS_REFUSED, "stored group %" PRIu64 " is there twice", number);
    }

    struct group *group = add_group(partition, dimensions, number);

    group->stored = true;
    table_add(&restore->groups, hash_number(number), group);
    return STATUS_OK;
}

enum status
partition_restore_series(struct partition *partition, uint64_t number,
        const struct span dimensions[DIM_COUNT], struct error *error)
{
    struct restore *restore = partition->restore;
    const enum status status = check_dimensions(dimensions, DIM_ALL, "series", number, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (series_numbered(restore, number) != NULL) {
        return STATUS_OK;
    }
    if (number >= partition->next_series) {
        return error_set(
                error, STATUS_REFUSED, "stored series %" PRIu64 " was never given out", number);
    }

    const struct key key = key_of(dimensions, DIM_ALL);
    struct group *group = find_group(partition, dimensions);

    if (group == NULL) {
        return error_set(
                error, STATUS_REFUSED, "stored series %" PRIu64 " is in no stored group", number);
    }
    if (entry_find(&partition->series, &key) != NULL) {
        return error_set(error, STATUS_REFUSED, "stored series %" PRIu64 " is there twice", number);
    }

    struct series *series = add_series(partition, &key, number, group);

    series->stored = true;
    table_add(&restore->series, hash_number(number), series);
    return STATUS_OK;
}

/* ---- reviews --------------------------------------------------------------------------------- */

enum status
partition_restore_review(struct partition *partition, uint64_t number, struct review *review,
        struct evidence *evidence, struct error *error)
{
    struct group *group = group_numbered(partition->restore, number);

    if (group == NULL) {
        return error_set(error, STATUS_REFUSED,
                "stored review names group %" PRIu64 ", which is not stored", number);
    }
    review_fini(&group->review);
    evidence_fini(&group->evidence);
    group->review = *review;
    group->evidence = *evidence;
    review_init(review);
    evidence_init(evidence);
    return STATUS_OK;
}

static int
compare_active(const void *a, const void *b)
{
    const uint64_t first = (*(struct group *const *)a)->review.active_order;
    const uint64_t second = (*(struct group *const *)b)->review.active_order;

    return (first > second) - (first < second);
}

static void
restore_active(struct partition *partition)
{
    struct restore *restore = partition->restore;

    for (size_t i = 0; i < partition->groups.capacity; i++) {
        struct group *group = partition->groups.cells[i].item;

        if (group != NULL && group->review.state != REVIEW_CLEAR) {
            restore->active = memory_grow(restore->active, restore->active_count,
                    &restore->active_capacity, sizeof(struct group *));
            restore->active[restore->active_count++] = group;
        }
    }
    if (restore->active_count != 0) {
        qsort(restore->active, restore->active_count, sizeof(struct group *), compare_active);
    }
    for (size_t i = 0; i < restore->active_count; i++) {
        link_append(&partition->active, &restore->active[i]->in_active);
    }
}

/* What is stored but has no slot any more would never be visited again: forget it now. Its deletion
 * is stored with the next batch. */
static void
forget_without_slots(struct partition *partition)
{
    struct restore *restore = partition->restore;

    for (size_t i = 0; i < restore->series.capacity; i++) {
        struct series *series = restore->series.cells[i].item;

        if (series != NULL && slots_newest(&series->minutes) == SLOT_NONE) {
            forget_series(partition, series);
        }
    }
    for (size_t i = 0; i < restore->groups.capacity; i++) {
        struct group *group = restore->groups.cells[i].item;

        if (group != NULL && !group->live && group->review.state == REVIEW_CLEAR &&
                link_is_alone(&group->series)) {
            forget_group(partition, group);
        }
    }
}

enum status
partition_restore_end(struct partition *partition, struct error *error)
{
    const enum status status = restore_waiting(partition, error);

    if (status != STATUS_OK) {
        return status;
    }
    restore_sums(partition);
    restore_active(partition);
    forget_without_slots(partition);
    for (size_t i = 0; i < partition->owners.capacity; i++) {
        if (partition->owners.cells[i].item != NULL) {
            view_restored(partition, partition->owners.cells[i].item);
        }
    }
    restore_destroy(partition->restore);
    partition->restore = NULL;
    return STATUS_OK;
}
