/* rebuild_compare.c - the counters of two states of the same log, owner by owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/rebuild_compare.h"

#include "codec/buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum side { SIDE_OLD, SIDE_NEW, SIDES };

/* One owner of one partition; afterwards, of all that show it under the same name. */
struct row {
    struct buffer name;  /* as views show it */
    struct buffer owner; /* as it is counted */
    int32_t partition;
    bool is_there[SIDES];
    uint64_t totals[SIDES][VIEW_WINDOWS][COUNT_BASE];
    uint64_t open_reviews[SIDES];
};

struct rebuild_compare {
    struct row *rows;
    size_t count, capacity;
    bool is_merged;
};

static const char *const window_names[VIEW_WINDOWS] = {"5m", "60m", "24h"};

static const struct {
    enum count count;
    const char *name;
} compared[] = {
        {COUNT_ATTEMPTS, "attempts"},
        {COUNT_RETRIES, "retries"},
        {COUNT_FAILURES, "failures"},
        {COUNT_FIRST_UNITS, "first_attempt_units"},
        {COUNT_RETRY_UNITS, "retry_units"},
        {COUNT_USAGE_UNAVAILABLE, "usage_unavailable"},
        {COUNT_LATE, "late"},
};

struct rebuild_compare *
rebuild_compare_new(void)
{
    return memory_new(1, sizeof(struct rebuild_compare));
}

static void
row_fini(struct row *row)
{
    buffer_fini(&row->name);
    buffer_fini(&row->owner);
}

void
rebuild_compare_destroy(struct rebuild_compare *compare)
{
    if (compare == NULL) {
        return;
    }
    for (size_t i = 0; i < compare->count; i++) {
        row_fini(&compare->rows[i]);
    }
    free(compare->rows);
    free(compare);
}

/* ---- collecting ------------------------------------------------------------------------------ */

static void
add_row(struct rebuild_compare *compare, enum side side, int32_t partition,
        const struct owner_view *view)
{
    const bool is_shared = span_equal(view->owner, span_of(DIM_MISSING)) ||
                           span_equal(view->owner, span_of(DIM_OTHER));
    struct row *row;

    compare->rows = memory_grow(compare->rows, compare->count, &compare->capacity, sizeof(*row));
    row = &compare->rows[compare->count++];
    *row = (struct row){.partition = partition};
    buffer_put(&row->name, view->owner.data, view->owner.size);
    buffer_put(&row->owner, view->owner.data, view->owner.size);
    if (is_shared) {
        buffer_printf(&row->name, "@%" PRId32, partition);
    }
    row->is_there[side] = true;
    row->open_reviews[side] = view->open_reviews;
    memcpy(row->totals[side], view->totals, sizeof(row->totals[side]));
}

static void
add_side(struct rebuild_compare *compare, enum side side, int32_t partition, struct partition *fold)
{
    struct arena arena;
    struct owner_view view;
    bool forgotten = false;

    arena_init(&arena);
    while (partition_next_view(fold, &arena, &view, &forgotten)) {
        if (!forgotten) {
            add_row(compare, side, partition, &view);
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

void
rebuild_compare_add(struct rebuild_compare *compare, int32_t partition, struct partition *old_state,
        struct partition *new_state)
{
    struct partition *const states[SIDES] = {old_state, new_state};

    for (size_t i = 0; i < SIDES; i++) {
        partition_adopt_time(states[i], partition_times(states[1 - i]).stream_ms);
    }
    for (size_t i = 0; i < SIDES; i++) {
        add_side(compare, (enum side)i, partition, states[i]);
    }
    compare->is_merged = false;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static int
compare_rows(const void *a, const void *b)
{
    const struct span x = buffer_span(&((const struct row *)a)->name);
    const struct span y = buffer_span(&((const struct row *)b)->name);
    const int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);

    return order != 0 ? order : (x.size > y.size) - (x.size < y.size);
}

static void
add_totals(struct row *to, const struct row *from)
{
    for (size_t side = 0; side < SIDES; side++) {
        to->is_there[side] = to->is_there[side] || from->is_there[side];
        to->open_reviews[side] += from->open_reviews[side];
        for (size_t window = 0; window < VIEW_WINDOWS; window++) {
            for (size_t i = 0; i < COUNT_BASE; i++) {
                to->totals[side][window][i] =
                        count_sum(to->totals[side][window][i], from->totals[side][window][i]);
            }
        }
    }
}

/* Rows of one name become one. */
static void
merge(struct rebuild_compare *compare)
{
    size_t kept = 0;

    if (compare->is_merged || compare->count == 0) {
        return;
    }
    qsort(compare->rows, compare->count, sizeof(compare->rows[0]), compare_rows);
    for (size_t i = 1; i < compare->count; i++) {
        if (compare_rows(&compare->rows[kept], &compare->rows[i]) == 0) {
            add_totals(&compare->rows[kept], &compare->rows[i]);
            row_fini(&compare->rows[i]);
        } else {
            compare->rows[++kept] = compare->rows[i];
        }
    }
    compare->count = kept + 1;
    compare->is_merged = true;
}

static void
put_difference(json_t *differences, const struct row *row, const char *counter, uint64_t old_value,
        uint64_t new_value)
{
    if (old_value != new_value) {
        json_t *one = json_object();

        json_object_set_new(one, "owner",
                json_stringn_nocheck((const char *)row->name.data, row->name.size)); /* is UTF-8 */
        json_object_set_new(one, "counter", json_string(counter));
        json_object_set_new(one, "old", json_integer((json_int_t)old_value));
        json_object_set_new(one, "new", json_integer((json_int_t)new_value));
        json_array_append_new(differences, one);
    }
}

static void
put_differences(json_t *differences, const struct row *row)
{
    for (size_t window = 0; window < VIEW_WINDOWS; window++) {
        for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
            char counter[48];

            snprintf(counter, sizeof(counter), "%s:%s", window_names[window], compared[i].name);
            put_difference(differences, row, counter,
                    row->totals[SIDE_OLD][window][compared[i].count],
                    row->totals[SIDE_NEW][window][compared[i].count]);
        }
    }
    put_difference(differences, row, "too_late", row->totals[SIDE_OLD][VIEW_24H][COUNT_TOO_LATE],
            row->totals[SIDE_NEW][VIEW_24H][COUNT_TOO_LATE]);
    put_difference(differences, row, "open_reviews", row->open_reviews[SIDE_OLD],
            row->open_reviews[SIDE_NEW]);
}

json_t *
rebuild_compare_report(struct rebuild_compare *compare)
{
    json_t *report = json_object();
    json_t *differences = json_array();
    size_t different = 0;

    merge(compare);
    for (size_t i = 0; i < compare->count; i++) {
        const size_t before = json_array_size(differences);

        put_differences(differences, &compare->rows[i]);
        different += json_array_size(differences) != before;
    }
    json_object_set_new(report, "owners", json_integer((json_int_t)compare->count));
    json_object_set_new(report, "owners_different", json_integer((json_int_t)different));
    json_object_set_new(report, "differences", differences);
    return report;
}

void
rebuild_compare_gone(struct rebuild_compare *compare,
        void (*visit)(void *context, int32_t partition, struct span owner), void *context)
{
    merge(compare);
    for (size_t i = 0; i < compare->count; i++) {
        if (!compare->rows[i].is_there[SIDE_NEW]) {
            visit(context, compare->rows[i].partition, buffer_span(&compare->rows[i].owner));
        }
    }
}
