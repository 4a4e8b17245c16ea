/* claim_load.c - one partition that this instance holds: from what is stored to a running claim.
 *
 * The steps and their order are those of docs/delivery.md; the loop calls them for all partitions
 * that are to be loaded, so that one transaction serves step 3 of all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define QUIET_ALL INT64_MAX /* until a rebuild has counted what is judged */

static bool
token_equal(struct token a, struct token b)
{
    return a.process == b.process && a.count == b.count;
}

/* `applied` is still what this claim last read or wrote. */
static enum status
check_still_ours(const struct claim *claim, struct store *store, struct error *error)
{
    struct buffer bytes = {0};
    bool exists = false;
    enum status status = store->ops->read_applied(store, claim->partition, &bytes, &exists, error);

    if (status == STATUS_OK &&
            (exists != claim->stored || (exists && !span_equal(buffer_span(&bytes),
                                                           buffer_span(&claim->applied_bytes))))) {
        status = error_set(error, STATUS_FENCED,
                "partition %" PRId32 ": another instance wrote while its state was read",
                claim->partition);
    }
    buffer_fini(&bytes);
    return status;
}

/* State that cannot be read says what is wrong with it, not what to do. */
static void
add_way_out(const struct claim *claim, struct error *error)
{
    const struct error cause = *error;

    if (strchr(cause.text, '`') == NULL) {
        error_set(error, cause.status, "partition %" PRId32 ": %.300s: " COUNT_ANEW,
                claim->partition, cause.text);
    }
}

/* Several reads make no consistent picture while somebody else still writes. So nothing is refused
 * before `applied` was seen not to have changed since. */
static enum status
refuse_if_still_ours(
        const struct claim *claim, struct store *store, enum status refused, struct error *error)
{
    struct error newer = {0};
    const enum status status = check_still_ours(claim, store, &newer);

    if (status == STATUS_OK) {
        add_way_out(claim, error);
        return refused;
    }
    *error = newer;
    return status;
}

static enum status
parse_number(struct span text, uint64_t *number, struct error *error)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 20) {
        return error_set(
                error, STATUS_REFUSED, "a state field of %zu bytes is not a number", text.size);
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return error_set(error, STATUS_REFUSED, "a state field is not a number");
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *number = value;
    return STATUS_OK;
}

/* ---- step 1: what Redis holds ---------------------------------------------------------------- */

static enum status
visit_pending(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    struct claim *claim = context;
    struct pending pending = {0};
    struct claim_record record = {0};
    enum status status = parse_number(field, &record.serial, error);

    (void)map;
    if (status == STATUS_OK) {
        status = pending_decode(value, &pending, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < claim->pending.count; i++) {
        if (claim->pending.items[i].serial == record.serial) {
            return STATUS_OK; /* HSCAN may show a field twice */
        }
    }
    record.token = pending.token;
    record.kind = pending.kind;
    record.offset = pending.offset;
    record.out.topic = pending.kind == PENDING_REVIEW ? OUT_REVIEWS : OUT_REJECTED;
    record_own(&record, pending.key, pending.value, pending.headers);
    records_add(&claim->pending, record);
    return STATUS_OK;
}

static enum status
visit_passed(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    struct claim *claim = context;
    uint64_t offset = 0;
    const enum status status = parse_number(field, &offset, error);

    (void)map;
    (void)value;
    if (status == STATUS_OK) {
        claim->passed = memory_grow(claim->passed, claim->passed_count, &claim->passed_capacity,
                sizeof(*claim->passed));
        claim->passed[claim->passed_count++] = (int64_t)offset;
    }
    return status;
}

static int
compare_serials(const void *a, const void *b)
{
    const uint64_t x = ((const struct claim_record *)a)->serial;
    const uint64_t y = ((const struct claim_record *)b)->serial;

    return (x > y) - (x < y);
}

/* Serials are stored without gaps up to the last one given. */
static enum status
check_pending(const struct claim *claim, struct error *error)
{
    const size_t count = claim->pending.count;

    for (size_t i = 0; i < count; i++) {
        if (claim->pending.items[i].serial != claim->applied.serial - (count - 1 - i)) {
            return error_set(error, STATUS_REFUSED,
                    "partition %" PRId32 ": pending reviews in Redis have a gap before serial "
                    "%" PRIu64 ": somebody else changed the state: " COUNT_ANEW,
                    claim->partition, claim->pending.items[i].serial);
        }
    }
    return STATUS_OK;
}

static enum status
read_stored(struct claim *claim, struct store *store, struct error *error)
{
    const struct span pending = span_of("pending");
    const struct span passed = span_of("passed");

    claim->adopts = false;
    claim->lost_count = 0;
    claim->passed_count = 0;
    records_clear(&claim->pending);
    records_clear(&claim->verdicts);
    records_clear(&claim->rejected);

    enum status status = store->ops->read_applied(
            store, claim->partition, &claim->applied_bytes, &claim->stored, error);

    if (status == STATUS_OK && !claim->stored) {
        partition_destroy(claim->fold);
        claim->fold = NULL;
    }
    if (status != STATUS_OK || !claim->stored) {
        return status;
    }

    struct applied applied;

    status = applied_decode(buffer_span(&claim->applied_bytes), &applied, error);
    if (status != STATUS_OK) {
        return status;
    }
    /* Memory is worth keeping when it is exactly what is stored: either nothing was counted since
     * the last EXEC, or the EXEC whose answer was lost has been done. */
    if (claim->fold != NULL && claim->attempted.count != 0 &&
            token_equal(applied.token, claim->attempted)) {
        partition_settle(claim->fold);
    } else if (claim->fold != NULL &&
               (!token_equal(applied.token, claim->applied.token) || claim_is_dirty(claim))) {
        partition_destroy(claim->fold);
        claim->fold = NULL;
    }
    claim->applied = applied;
    status = store->ops->read_maps(
            store, claim->partition, &pending, 1, visit_pending, claim, error);
    if (status == STATUS_OK) {
        status = store->ops->read_maps(
                store, claim->partition, &passed, 1, visit_passed, claim, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (claim->pending.count > 1) {
        qsort(claim->pending.items, claim->pending.count, sizeof(claim->pending.items[0]),
                compare_serials);
    }
    return check_pending(claim, error);
}

enum status
claim_read_stored(struct claim *claim, struct claim_context *context, struct error *error)
{
    const enum status status = read_stored(claim, context->store, error);

    return status == STATUS_REFUSED ? refuse_if_still_ours(claim, context->store, status, error)
                                    : status;
}

/* ---- steps 2 and 4: what Kafka holds, against it -----------------------------------------------
 */

static enum status
compare_without_state(struct claim *claim, const struct claim_context *context,
        const struct position *position, int64_t low, struct error *error)
{
    if (position->offset >= 0 && !claim->cursor.fresh) {
        return error_set(error, STATUS_REFUSED,
                "partition %" PRId32 ": Redis holds no state, but the group has committed offset "
                "%" PRId64 " of %s: this is another Redis, or it was emptied. Point redis.url at "
                "the right one; else " COUNT_ANEW,
                claim->partition, position->offset, context->origin.topic);
    }
    claim->committed = position->offset >= 0 ? position->offset : low;
    claim->cursor = (struct cursor){.fresh = true};
    claim->applied = (struct applied){
            .offset = claim->committed,
            .quiet = -1,
            .last_record_ms = TIME_NULL,
            .times = {TIME_NULL, TIME_NULL, TIME_NULL},
    };
    return STATUS_OK;
}

/* A rebuild begins with the oldest record that is still there. What was committed before that is
 * judged, and gone. */
static enum status
compare_for_rebuild(struct claim *claim, const struct claim_context *context,
        const struct position *position, int64_t low, int64_t high, struct error *error)
{
    if (position->offset > high) {
        return error_set(error, STATUS_REFUSED,
                "partition %" PRId32 ": the group has committed offset %" PRId64
                ", but %s ends at %" PRId64 ": the topic was made anew: " START_AFRESH,
                claim->partition, position->offset, context->origin.topic, high);
    }
    claim->committed = position->offset > low ? position->offset : low;
    claim->cursor.fresh = claim->cursor.fresh || position->offset < 0;
    claim->adopts = claim->cursor.serial > 0;
    claim->applied = (struct applied){
            .offset = low,
            .quiet = -1,
            .last_record_ms = TIME_NULL,
            .times = {TIME_NULL, TIME_NULL, TIME_NULL},
    };
    return STATUS_OK;
}

static enum status
compare_cursor(struct claim *claim, struct error *error)
{
    const struct cursor *cursor = &claim->cursor;
    const struct claim_record *first = claim->pending.count != 0 ? &claim->pending.items[0] : NULL;
    const uint64_t known = first != NULL ? first->serial - 1 : claim->applied.serial;

    if (cursor->serial < known) {
        return error_set(error, STATUS_REFUSED,
                "partition %" PRId32 ": the committed position is of serial %" PRIu64
                ", Redis has already forgotten up to %" PRIu64
                ": the group's offsets were reset to an older place: " COUNT_ANEW,
                claim->partition, cursor->serial, known);
    }
    /* Kafka holds more than Redis, or another history than Redis: Redis has lost its last writes.
     */
    claim->adopts = cursor->serial > claim->applied.serial ||
                    (cursor->serial > known &&
                            !token_equal(claim->pending.items[cursor->serial - first->serial].token,
                                    cursor->token));
    return STATUS_OK;
}

static enum status
compare_with_state(struct claim *claim, const struct claim_context *context,
        const struct position *position, int64_t low, int64_t high, struct error *error)
{
    const int64_t from =
            claim->applied.offset < position->offset ? claim->applied.offset : position->offset;

    if (position->offset < 0) {
        return error_set(error, STATUS_REFUSED,
                "partition %" PRId32 ": Redis holds state up to offset %" PRId64
                ", but the group has no committed offset for %s: it expired or was "
                "deleted: " COUNT_ANEW,
                claim->partition, claim->applied.offset, context->origin.topic);
    }
    if (from < low) {
        return error_set(error, STATUS_REFUSED,
                "partition %" PRId32 ": the next record to read is %" PRId64
                ", but %s begins at %" PRId64 ": retention was shorter than the pause: " COUNT_ANEW,
                claim->partition, from, context->origin.topic, low);
    }
    if (high < claim->applied.offset) {
        return error_set(error, STATUS_REFUSED,
                "partition %" PRId32 ": the state has counted up to offset %" PRId64
                ", but %s ends at %" PRId64 ": the topic was made anew: " START_AFRESH,
                claim->partition, claim->applied.offset, context->origin.topic, high);
    }
    return compare_cursor(claim, error);
}

/* What a rebuild counts first is judged, all of it; what comes then is not. */
static void
set_quiet(struct claim *claim, int64_t quiet)
{
    claim->applied.quiet = quiet;
    if (claim->fold != NULL) {
        partition_set_quiet(claim->fold, quiet);
    }
}

enum status
claim_compare(struct claim *claim, struct claim_context *context, const struct position *position,
        int64_t low, int64_t high, struct error *error)
{
    claim->cursor = (struct cursor){0};
    claim->committed = position->offset;
    if (position->offset >= 0) {
        const enum status status = cursor_parse(position->metadata, &claim->cursor, error);

        if (status != STATUS_OK) {
            return error_set(error, STATUS_REFUSED,
                    "partition %" PRId32 ": the committed offset %" PRId64
                    " of %s was not written by retrywatch (no cursor in its metadata): use a "
                    "`group` of its own",
                    claim->partition, position->offset, context->origin.topic);
        }
    }

    const enum status status =
            claim->stored ? compare_with_state(claim, context, position, low, high, error)
            : context->rebuild != REBUILD_NONE
                    ? compare_for_rebuild(claim, context, position, low, high, error)
                    : compare_without_state(claim, context, position, low, error);

    if (status == STATUS_OK && context->rebuild == REBUILD_COUNTERS) {
        set_quiet(claim, QUIET_ALL);
    } else if (status == STATUS_OK && claim->applied.quiet == QUIET_ALL) {
        set_quiet(claim, -1);
    }
    return status == STATUS_REFUSED ? refuse_if_still_ours(claim, context->store, status, error)
                                    : status;
}

/* ---- steps 5 and 6: claim and read -------------------------------------------------------------
 */

/* The slots of one round of reading: minutes, then half-hours. */
struct slot_list {
    struct arena arena;
    struct span *names;
    int64_t *slots;
    size_t count;
    size_t minute_count; /* the first so many are minutes */
    struct claim *claim;
};

/* A number and the dimensions that it stands for. */
static enum status
visit_name(struct span field, struct span value, uint64_t *number,
        struct span dimensions[DIM_COUNT], struct error *error)
{
    const enum status status = parse_number(field, number, error);

    return status == STATUS_OK ? dimensions_decode(value, dimensions, error) : status;
}

static enum status
visit_group(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    const struct claim *claim = context;
    struct span dimensions[DIM_COUNT];
    uint64_t number = 0;
    const enum status status = visit_name(field, value, &number, dimensions, error);

    (void)map;
    return status == STATUS_OK ? partition_restore_group(claim->fold, number, dimensions, error)
                               : status;
}

static enum status
visit_series(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    const struct claim *claim = context;
    struct span dimensions[DIM_COUNT];
    uint64_t number = 0;
    const enum status status = visit_name(field, value, &number, dimensions, error);

    (void)map;
    return status == STATUS_OK ? partition_restore_series(claim->fold, number, dimensions, error)
                               : status;
}

static enum status
visit_review(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    struct claim *claim = context;
    struct review review;
    struct evidence evidence;
    uint64_t group = 0;
    enum status status = parse_number(field, &group, error);

    (void)map;
    if (status == STATUS_OK) {
        status = review_state_decode(value, &review, &evidence, error);
    }
    if (status == STATUS_OK) {
        status = partition_restore_review(claim->fold, group, &review, &evidence, error);
        review_fini(&review);
        evidence_fini(&evidence);
    }
    return status;
}

static enum status
visit_slot(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    const struct slot_list *list = context;
    struct partition *fold = list->claim->fold;
    uint64_t number = 0;
    const enum status status = parse_number(field, &number, error);

    if (status != STATUS_OK) {
        return status;
    }
    return map < list->minute_count
                   ? partition_restore_minute(fold, list->slots[map], number, value, error)
                   : partition_restore_half_hour(fold, list->slots[map], number, value, error);
}

static void
slot_list_add(struct slot_list *list, char kind, int64_t from, int64_t to)
{
    char name[32];

    for (int64_t slot = from; slot <= to; slot++) {
        snprintf(name, sizeof(name), "%c:%" PRId64, kind, slot);
        list->names[list->count] = arena_copy(&list->arena, span_of(name));
        list->slots[list->count] = slot;
        list->count += 1;
    }
}

/* The minutes and half-hours that can still matter: about 110 hashes. */
static void
slot_list_init(struct slot_list *list, struct claim *claim)
{
    int64_t minute_from = 0, minute_to = -1, half_from = 0, half_to = -1;

    *list = (struct slot_list){.claim = claim};
    arena_init(&list->arena);
    if (claim->applied.times.log_ms != TIME_NULL) {
        partition_live_slots(claim->applied.times, &minute_from, &minute_to, &half_from, &half_to);
    }

    const size_t most = (size_t)(minute_to - minute_from + half_to - half_from + 2);

    list->names = arena_new(&list->arena, most, sizeof(*list->names));
    list->slots = arena_new(&list->arena, most, sizeof(*list->slots));
    slot_list_add(list, 'm', minute_from, minute_to);
    list->minute_count = list->count;
    slot_list_add(list, 'h', half_from, half_to);
}

static enum status
read_slots(struct claim *claim, struct store *store, struct error *error)
{
    struct slot_list list;
    enum status status;

    slot_list_init(&list, claim);
    status = store->ops->read_maps(
            store, claim->partition, list.names, list.count, visit_slot, &list, error);
    arena_fini(&list.arena);
    return status;
}

/* Names before counters, counters before reviews. */
static enum status
read_state(struct claim *claim, struct store *store, struct error *error)
{
    const struct span groups = span_of("groups");
    const struct span series = span_of("series");
    const struct span reviews = span_of("reviews");
    const int32_t partition = claim->partition;
    enum status status =
            store->ops->read_maps(store, partition, &groups, 1, visit_group, claim, error);

    if (status == STATUS_OK) {
        status = store->ops->read_maps(store, partition, &series, 1, visit_series, claim, error);
    }
    if (status == STATUS_OK) {
        status = read_slots(claim, store, error);
    }
    if (status == STATUS_OK) {
        status = store->ops->read_maps(store, partition, &reviews, 1, visit_review, claim, error);
    }
    return status;
}

/* Memory from what is stored. */
static enum status
restore_fold(struct claim *claim, struct claim_context *context, struct error *error)
{
    claim->options = *context->fold_options;
    claim->options.partition = claim->partition;
    claim->fold = partition_new(&claim->options);
    partition_restore_times(claim->fold, claim->applied.times, claim->applied.next_series,
            claim->applied.next_group, claim->applied.next_active);
    partition_set_quiet(claim->fold, claim->applied.quiet);

    enum status status = read_state(claim, context->store, error);

    if (status == STATUS_OK) {
        status = partition_restore_end(claim->fold, error);
    }
    if (status != STATUS_OK) {
        partition_destroy(claim->fold);
        claim->fold = NULL;
    }
    return status;
}

enum status
claim_take(struct claim *claim, struct claim_context *context, int64_t wall_ms, struct error *error)
{
    enum status status = claim_exec_token(claim, context, wall_ms, error);

    if (status == STATUS_OK && claim->fold == NULL) {
        status = restore_fold(claim, context, error);
        if (status == STATUS_REFUSED) {
            status = refuse_if_still_ours(claim, context->store, status, error);
        }
    }
    if (status == STATUS_OK) {
        status = check_still_ours(claim, context->store, error);
    }
    if (status == STATUS_OK && context->rebuild == REBUILD_COUNTERS) {
        status = claim_skip_verdicts(claim, context, error);
    } else if (status == STATUS_OK && claim->adopts) {
        status = claim_adopt(claim, context, wall_ms, error);
    }
    if (status == STATUS_OK) {
        claim->state = CLAIM_RUNNING;
        claim->backoff_ms = 0;
    }
    return status;
}

enum status
claim_look(struct claim *claim, struct claim_context *context, struct error *error)
{
    const enum status status = read_stored(claim, context->store, error);

    return status == STATUS_OK && claim->stored ? restore_fold(claim, context, error) : status;
}

int64_t
claim_start(const struct claim *claim, int64_t low)
{
    int64_t start =
            claim->applied.offset < claim->committed ? claim->applied.offset : claim->committed;

    if (start == claim->applied.offset && claim->applied.last_record_ms != TIME_NULL) {
        start -= 1; /* the last record counted: is the log still the same? */
    }
    return start > low ? start : low;
}
