/* claim.c - one partition that this instance holds: what an EXEC stores and a transaction holds.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/claim.h"

#include "codec/decoder.h"
#include "codec/review_codec.h"
#include "consumer/decimal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The changes of one EXEC; everything they point to is in the arena. */
struct change_list {
    struct arena arena;
    struct change *items;
    size_t count, capacity;
};

static void exec_destroy(struct exec *exec);

struct claim *
claim_new(int32_t partition)
{
    struct claim *claim = memory_new(1, sizeof(*claim));

    claim->partition = partition;
    claim->committed = -1;
    return claim;
}

static void
records_drop_first(struct claim_records *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(records->items[i].bytes);
    }
    records->count -= count;
    if (count != 0) {
        memmove(records->items, records->items + count, records->count * sizeof(records->items[0]));
    }
}

void
records_clear(struct claim_records *records)
{
    records_drop_first(records, records->count);
}

static void
records_fini(struct claim_records *records)
{
    records_clear(records);
    free(records->items);
    *records = (struct claim_records){0};
}

void
records_add(struct claim_records *records, struct claim_record record)
{
    records->items =
            memory_grow(records->items, records->count, &records->capacity, sizeof(record));
    records->items[records->count++] = record;
}

void
claim_destroy(struct claim *claim)
{
    if (claim == NULL) {
        return;
    }
    exec_destroy(claim->exec);
    exec_destroy(claim->spare);
    partition_destroy(claim->fold);
    buffer_fini(&claim->applied_bytes);
    records_fini(&claim->pending);
    records_fini(&claim->verdicts);
    records_fini(&claim->rejected);
    free(claim->passed);
    free(claim);
}

void
claim_reload(struct claim *claim, int64_t now_ms, int64_t ms)
{
    const int64_t backoff_max_ms = 5000;

    claim->state = CLAIM_LOADING;
    claim->last = NULL;
    if (ms < 0) {
        ms = claim->backoff_ms > 0 ? claim->backoff_ms : 50;
        claim->backoff_ms = ms * 2 < backoff_max_ms ? ms * 2 : backoff_max_ms;
    }
    claim->retry_at_ms = now_ms + ms;
}

void
record_own(struct claim_record *record, struct span key, struct span value, struct span headers)
{
    uint8_t *bytes = memory_new(key.size + value.size + headers.size + 1, 1);
    uint8_t *at = bytes;
    const struct span parts[] = {key, value, headers};
    struct span *owned[] = {&record->out.key, &record->out.value, &record->out.headers};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        *owned[i] = parts[i].data != NULL ? (struct span){at, parts[i].size} : SPAN_NULL;
        if (parts[i].size != 0) {
            memcpy(at, parts[i].data, parts[i].size);
            at += parts[i].size;
        }
    }
    record->bytes = bytes;
}

void
claim_reject(struct claim *claim, const struct claim_context *context, const struct record *record,
        enum status reason, const char *detail, int64_t schema_id)
{
    /* Only a schema id that stays unknown is decided by time; all else is read off the record. */
    const bool is_verdict = reason == STATUS_UNKNOWN_SCHEMA;
    struct claim_records *records = is_verdict ? &claim->verdicts : &claim->rejected;
    const uint64_t serial = is_verdict ? claim->applied.serial + claim->verdicts.count + 1 : 0;
    const struct rejection rejection = {
            reason, detail, &context->origin, record, schema_id, serial};
    struct claim_record rejected = {
            .serial = serial,
            .kind = PENDING_REJECTED,
            .offset = record->offset,
            .out.topic = OUT_REJECTED,
    };
    struct buffer headers = {0};

    if (context->rebuild == REBUILD_COUNTERS || (context->rebuild != REBUILD_NONE && !is_verdict)) {
        return; /* rejected long ago, or to be rejected by the service */
    }
    rejection_headers(&headers, &rejection, context->digest);
    record_own(&rejected, SPAN_NULL, SPAN_NULL, buffer_span(&headers));
    records_add(records, rejected);
    buffer_fini(&headers);
}

bool
claim_has_verdict(const struct claim *claim, int64_t offset)
{
    for (size_t i = 0; i < claim->pending.count; i++) {
        const struct claim_record *record = &claim->pending.items[i];

        if (record->kind == PENDING_REJECTED && record->offset == offset) {
            return true;
        }
    }
    for (size_t i = 0; i < claim->passed_count; i++) {
        if (claim->passed[i] == offset) {
            return true;
        }
    }
    return false;
}

/* ---- EXEC ---------------------------------------------------------------------------------- */

static struct change *
list_add(struct change_list *list, enum change_kind kind, struct span map)
{
    list->items = memory_grow(list->items, list->count, &list->capacity, sizeof(*list->items));
    list->items[list->count] = (struct change){.kind = kind, .map = map};
    return &list->items[list->count++];
}

static struct span
list_number(struct change_list *list, uint64_t number)
{
    char digits[DECIMAL_MAX];

    return arena_copy(
            &list->arena, (struct span){(const uint8_t *)digits, decimal_write(number, digits)});
}

static struct span
list_slot_map(struct change_list *list, char kind, int64_t slot)
{
    char text[32];

    snprintf(text, sizeof(text), "%c:%" PRId64, kind, slot);
    return arena_copy(&list->arena, span_of(text));
}

static void
list_set(
        struct change_list *list, struct span map, uint64_t number, struct span value, bool expires)
{
    struct change *change = list_add(list, CHANGE_SET, map);

    change->field = list_number(list, number);
    change->value = value;
    change->expires = expires;
}

static void
list_slots(struct change_list *list, char kind, const struct slot_change *slots, size_t count)
{
    struct span map = SPAN_NULL;

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || slots[i].slot != slots[i - 1].slot) {
            map = list_slot_map(list, kind, slots[i].slot);
        }
        list_set(list, map, slots[i].number, slots[i].packed, true);
    }
}

static void
list_dropped(struct change_list *list, char kind, int64_t from, int64_t to)
{
    for (int64_t slot = from; slot < to; slot++) {
        list_add(list, CHANGE_UNLINK, list_slot_map(list, kind, slot));
    }
}

static void
list_names(struct change_list *list, const char *map, const struct name_change *names, size_t count)
{
    struct buffer packed = {0};

    for (size_t i = 0; i < count; i++) {
        buffer_clear(&packed);
        dimensions_encode(names[i].dimensions, &packed);
        list_set(list, span_of(map), names[i].number,
                arena_copy(&list->arena, buffer_span(&packed)), true);
    }
    buffer_fini(&packed);
}

static void
list_deletes(struct change_list *list, const char *map, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        list_add(list, CHANGE_DELETE, span_of(map))->field = list_number(list, numbers[i]);
    }
}

static void
list_reviews(struct change_list *list, const struct review_change *reviews, size_t count)
{
    struct buffer packed = {0};

    for (size_t i = 0; i < count; i++) {
        buffer_clear(&packed);
        review_state_encode(reviews[i].review, reviews[i].evidence, &packed);
        list_set(list, span_of("reviews"), reviews[i].number,
                arena_copy(&list->arena, buffer_span(&packed)), false);
    }
    buffer_fini(&packed);
}

static void
list_pending(struct change_list *list, const struct claim_records *records, size_t from)
{
    struct buffer packed = {0};

    for (size_t i = from; i < records->count; i++) {
        const struct claim_record *record = &records->items[i];
        const struct pending pending = {
                .token = record->token,
                .kind = record->kind,
                .offset = record->offset,
                .key = record->out.key,
                .value = record->out.value,
                .headers = record->out.headers,
        };

        buffer_clear(&packed);
        pending_encode(&pending, &packed);
        list_set(list, span_of("pending"), record->serial,
                arena_copy(&list->arena, buffer_span(&packed)), false);
    }
    buffer_fini(&packed);
}

/* Remove from Redis what Kafka is known to hold. Returns how many of the first pending those are.
 * What is to be adopted may be pending as another history: it is taken over as a whole. */
static size_t
list_prune(struct change_list *list, const struct claim *claim)
{
    size_t count = 0;

    while (count < claim->pending.count && !claim->adopts &&
            claim->pending.items[count].serial <= claim->cursor.serial) {
        list_add(list, CHANGE_DELETE, span_of("pending"))->field =
                list_number(list, claim->pending.items[count].serial);
        count += 1;
    }
    return count;
}

/* Verdicts that were read back are kept until their records have been passed. */
static void
list_passed(struct change_list *list, struct claim *claim, const struct applied *applied)
{
    size_t kept = 0;

    for (size_t i = 0; i < claim->passed_count; i++) {
        if (claim->passed[i] >= applied->offset) {
            claim->passed[kept++] = claim->passed[i];
        } else {
            list_add(list, CHANGE_DELETE, span_of("passed"))->field =
                    list_number(list, (uint64_t)claim->passed[i]);
        }
    }
    claim->passed_count = kept;
}

/* Give reviews their serials, after those of the verdicts, and append them to pending. */
static void
pending_add(struct claim *claim, struct claim_context *context, struct applied *applied,
        const struct partition_changes *changes)
{
    struct buffer value = {0};
    struct buffer headers = {0};

    for (size_t i = 0; i < claim->verdicts.count; i++) {
        claim->verdicts.items[i].token = applied->token;
        records_add(&claim->pending, claim->verdicts.items[i]);
        applied->serial += 1;
    }
    claim->verdicts.count = 0; /* pending owns them now */
    for (size_t i = 0; i < changes->publication_count; i++) {
        const struct publication *publication = &changes->publications[i];
        struct claim_record record = {
                .serial = ++applied->serial,
                .token = applied->token,
                .kind = PENDING_REVIEW,
                .offset = applied->offset,
                .out.topic = OUT_REVIEWS,
        };

        buffer_clear(&value);
        buffer_clear(&headers);
        review_encode(&publication->packet, context->review_schema_id, &value);
        review_headers(&headers, publication, &context->origin, claim->partition, record.serial,
                applied->offset, applied->times.stream_ms, context->digest);
        record_own(&record, publication->dimensions[DIM_OWNER], buffer_span(&value),
                buffer_span(&headers));
        records_add(&claim->pending, record);
    }
    buffer_fini(&headers);
    buffer_fini(&value);
}

static struct token
next_token(struct claim_context *context)
{
    return (struct token){context->process, ++context->exec_count};
}

/* What `applied` will say once this EXEC is done, but for the serial. */
static struct applied
next_applied(const struct claim *claim, struct claim_context *context, int64_t wall_ms,
        const struct partition_changes *changes)
{
    struct applied applied = claim->applied;

    applied.offset = claim->next > applied.offset ? claim->next : applied.offset;
    applied.quiet = partition_quiet(claim->fold);
    applied.token = next_token(context);
    applied.wall_ms = wall_ms;
    applied.times = partition_times(claim->fold);
    applied.next_series = changes->next_series;
    applied.next_group = changes->next_group;
    applied.next_active = changes->next_active;
    if (claim->last != NULL) {
        applied.last_record_ms = claim->last->timestamp_ms;
        applied.last_checksum = XXH3_64bits(claim->last->value.data, claim->last->value.size);
    }
    return applied;
}

static void
list_counters(struct change_list *list, const struct partition_changes *changes)
{
    list_names(list, "groups", changes->groups, changes->group_count);
    list_deletes(list, "groups", changes->forgotten_groups, changes->forgotten_group_count);
    list_names(list, "series", changes->series, changes->series_count);
    list_deletes(list, "series", changes->forgotten_series, changes->forgotten_series_count);
    list_slots(list, 'm', changes->minutes, changes->minute_count);
    list_dropped(list, 'm', changes->minutes_dropped_from, changes->minutes_dropped_to);
    list_slots(list, 'h', changes->half_hours, changes->half_hour_count);
    list_dropped(list, 'h', changes->half_hours_dropped_from, changes->half_hours_dropped_to);
    list_reviews(list, changes->reviews, changes->review_count);
    list_deletes(list, "reviews", changes->forgotten_groups, changes->forgotten_group_count);
}

bool
claim_is_dirty(struct claim *claim)
{
    if (claim->next > claim->applied.offset || claim->verdicts.count != 0 ||
            (claim->pending.count != 0 && !claim->adopts &&
                    claim->pending.items[0].serial <= claim->cursor.serial)) {
        return true;
    }

    const struct partition_changes *changes = partition_changes(claim->fold);

    return changes->publication_count != 0 || changes->review_count != 0;
}

/* An EXEC that was begun. What the store reads until its end is here. */
struct exec {
    struct change_list list;
    struct applied applied;
    struct buffer bytes; /* of applied */
    size_t pruned;       /* of the first pending */
};

/* The memory of the EXEC before is used again: there are many a second, and each would grow it, and
 * have its pages given to it, anew. */
static struct exec *
exec_new(struct claim *claim, const struct applied *applied)
{
    struct exec *exec = claim->spare;

    claim->spare = NULL;
    if (exec == NULL) {
        exec = memory_new(1, sizeof(*exec));
        arena_init(&exec->list.arena);
    }
    exec->applied = *applied;
    return exec;
}

static void
exec_done(struct claim *claim, struct exec *exec)
{
    arena_reset(&exec->list.arena);
    exec->list.count = 0;
    exec->pruned = 0;
    buffer_clear(&exec->bytes);
    claim->spare = exec;
}

static void
exec_destroy(struct exec *exec)
{
    if (exec != NULL) {
        arena_fini(&exec->list.arena);
        buffer_fini(&exec->bytes);
        free(exec->list.items);
        free(exec);
    }
}

/* Takes exec. */
static enum status
exec_begin(
        struct claim *claim, struct claim_context *context, struct exec *exec, struct error *error)
{
    applied_encode(&exec->applied, &exec->bytes);
    claim->attempted = exec->applied.token;

    const struct changes changes = {
            .partition = claim->partition,
            .expected = claim->stored ? buffer_span(&claim->applied_bytes) : SPAN_NULL,
            .applied = buffer_span(&exec->bytes),
            .changes = exec->list.items,
            .count = exec->list.count,
    };
    const enum status status = context->store->ops->exec_begin(context->store, &changes, error);

    if (status == STATUS_OK) {
        claim->exec = exec;
    } else {
        exec_done(claim, exec);
    }
    return status;
}

/* `applied` becomes what the EXEC holds, once it is done. */
static enum status
exec_end(struct claim *claim, struct claim_context *context, struct error *error)
{
    struct exec *exec = claim->exec;
    const enum status status = context->store->ops->exec_end(context->store, error);

    if (status == STATUS_OK) {
        const struct buffer bytes = exec->bytes;

        exec->bytes = claim->applied_bytes; /* the claim owns the new ones now */
        claim->applied_bytes = bytes;
        claim->applied = exec->applied;
        claim->attempted = (struct token){0}; /* its outcome is known */
        claim->stored = true;
        records_drop_first(&claim->pending, exec->pruned);
    }
    exec_done(claim, exec);
    claim->exec = NULL;
    return status;
}

enum status
claim_exec_begin(
        struct claim *claim, struct claim_context *context, int64_t wall_ms, struct error *error)
{
    assert(claim->state != CLAIM_LOADING && claim->fold != NULL && claim->exec == NULL);

    const struct partition_changes *changes = partition_changes(claim->fold);
    const struct applied applied = next_applied(claim, context, wall_ms, changes);
    const size_t pending_before = claim->pending.count;
    struct exec *exec = exec_new(claim, &applied);

    list_counters(&exec->list, changes);
    exec->pruned = list_prune(&exec->list, claim);
    list_passed(&exec->list, claim, &applied);
    pending_add(claim, context, &exec->applied, changes);
    list_pending(&exec->list, &claim->pending, pending_before);
    return exec_begin(claim, context, exec, error);
}

enum status
claim_exec_end(struct claim *claim, struct claim_context *context, struct error *error)
{
    const enum status status = exec_end(claim, context, error);

    if (status == STATUS_OK) {
        partition_settle(claim->fold);
        claim->last = NULL;
    }
    return status;
}

enum status
claim_exec_token(
        struct claim *claim, struct claim_context *context, int64_t wall_ms, struct error *error)
{
    struct exec *exec = exec_new(claim, &claim->applied);

    exec->applied.token = next_token(context);
    exec->applied.wall_ms = wall_ms;
    exec->pruned = list_prune(&exec->list, claim);

    const enum status status = exec_begin(claim, context, exec, error);

    return status == STATUS_OK ? exec_end(claim, context, error) : status;
}

/* All that was pending is another history; what is kept of it comes after the cursor. */
static void
list_adopted(struct change_list *list, struct claim *claim, struct claim_records *kept,
        struct applied *applied)
{
    for (size_t i = 0; i < claim->pending.count; i++) {
        list_add(list, CHANGE_DELETE, span_of("pending"))->field =
                list_number(list, claim->pending.items[i].serial);
    }
    applied->serial = claim->cursor.serial + kept->count;
    for (size_t i = 0; i < kept->count; i++) {
        kept->items[i].token = applied->token;
    }
    list_pending(list, kept, 0);
    for (size_t i = 0; i < claim->passed_count; i++) {
        list_set(list, span_of("passed"), (uint64_t)claim->passed[i], span_of(""), false);
    }
}

enum status
claim_exec_adopted(struct claim *claim, struct claim_context *context, int64_t wall_ms,
        struct claim_records *kept, struct error *error)
{
    const struct partition_changes *changes = partition_changes(claim->fold);
    struct applied applied = next_applied(claim, context, wall_ms, changes);
    struct exec *exec;
    enum status status;

    applied.offset = claim->applied.offset; /* nothing was counted */
    exec = exec_new(claim, &applied);
    list_counters(&exec->list, changes);
    list_adopted(&exec->list, claim, kept, &exec->applied);
    status = exec_begin(claim, context, exec, error);
    if (status == STATUS_OK) {
        status = exec_end(claim, context, error);
    }
    if (status == STATUS_OK) {
        partition_settle(claim->fold);
        records_fini(&claim->pending);
        claim->pending = *kept; /* the claim owns them now */
        claim->adopts = false;
        *kept = (struct claim_records){0};
    }
    records_fini(kept);
    return status;
}

/* ---- transaction ----------------------------------------------------------------------------- */

/* The offset that a transaction commits. While records below `applied` are read again for their
 * rejections, no further than that; and never back. */
static int64_t
claim_reached(const struct claim *claim)
{
    const int64_t reached =
            claim->next < claim->applied.offset ? claim->next : claim->applied.offset;

    return reached > claim->committed ? reached : claim->committed;
}

static size_t
claim_rejected_count(const struct claim *claim)
{
    const int64_t reached = claim_reached(claim);
    size_t count = 0;

    while (count < claim->rejected.count && claim->rejected.items[count].offset < reached) {
        count += 1;
    }
    return count;
}

size_t
claim_collect(const struct claim *claim, struct out_record *out)
{
    size_t count = 0;

    for (size_t i = 0; i < claim->pending.count; i++) {
        if (claim->pending.items[i].serial > claim->cursor.serial) {
            if (out != NULL) {
                out[count] = claim->pending.items[i].out;
            }
            count += 1;
        }
    }
    for (size_t i = 0; i < claim_rejected_count(claim); i++) {
        if (out != NULL) {
            out[count] = claim->rejected.items[i].out;
        }
        count += 1;
    }
    return count;
}

/* The cursor after everything that is pending has been published. */
static struct cursor
claim_next_cursor(const struct claim *claim)
{
    struct cursor cursor = claim->cursor;

    if (claim->pending.count != 0) {
        const struct claim_record *last = &claim->pending.items[claim->pending.count - 1];

        if (last->serial > cursor.serial) {
            cursor.serial = last->serial;
            cursor.token = last->token;
        }
    }
    /* Only a position before which nothing was counted may stand without any state in Redis. */
    cursor.fresh = cursor.fresh && claim->applied.offset == claim->committed && cursor.serial == 0;
    return cursor;
}

struct position
claim_position(const struct claim *claim, char metadata[CURSOR_TEXT_SIZE])
{
    const struct cursor cursor = claim_next_cursor(claim);

    cursor_format(&cursor, metadata);
    return (struct position){
            .partition = claim->partition,
            .offset = claim_reached(claim),
            .metadata = metadata,
    };
}

void
claim_published(struct claim *claim)
{
    records_drop_first(&claim->rejected, claim_rejected_count(claim));
    claim->cursor = claim_next_cursor(claim);
    claim->committed = claim_reached(claim);
}
