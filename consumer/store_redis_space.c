/* store_redis_space.c - a second namespace of the state: begun, switched to, deleted.
 *
 * All of it is fields of the one hash rw:meta, so that a switch is one write: `namespace` is in
 * use; `other` is the second one, `other_is` what it is, and the rest what the state in it depends
 * on.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/decimal.h"
#include "consumer/redis_space.h"
#include "consumer/resp.h"
#include "consumer/store_redis_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_SIZE 24
#define VALUE_SIZE 32
#define DEPENDS 3 /* fields that state depends on, and that a rebuild may change */
#define SCAN_COUNT "1000"

static const char *const others_words[] = {"none", "new", "old", "gone"};
#define OTHERS (sizeof(others_words) / sizeof(others_words[0]))

static const char *const depends[DEPENDS] = {"layout_version", "partition_count", "layout"};
static const char *const other_depends[DEPENDS] = {
        "other_layout_version", "other_partition_count", "other_layout"};

/* rw:meta as it was read. */
struct meta_read {
    struct store_spaces spaces;
    char used[DEPENDS][VALUE_SIZE], other[DEPENDS][VALUE_SIZE];
};

static void
copy_value(char *out, size_t size, const struct redis_reply *stored, const char *name)
{
    const struct span value = store_redis_meta_value(stored, name);

    snprintf(out, size, "%.*s", (int)value.size, (const char *)value.data);
}

/* What the fields of a rebuild should be now. */
static const char *
wanted(const struct meta_field *fields, const char *name)
{
    const char *value = "";

    for (size_t i = 0; i < META_FIELDS; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            value = fields[i].value;
        }
    }
    return value;
}

static void
take_meta(const struct redis_reply *stored, const struct meta_field *fields, struct meta_read *read)
{
    char text[VALUE_SIZE];

    *read = (struct meta_read){.spaces = {.used_fits = true, .other_fits = true}};
    copy_value(text, sizeof(text), stored, "namespace");
    read->spaces.used = strtoull(text, NULL, 10); /* "(nothing)" gives 0 */
    if (read->spaces.used == 0) {
        read->spaces.used = REDIS_SPACE_FIRST;
    }
    copy_value(text, sizeof(text), stored, "other");
    read->spaces.other = strtoull(text, NULL, 10);
    copy_value(text, sizeof(text), stored, "other_is");
    for (size_t i = 0; i < OTHERS; i++) {
        if (strcmp(text, others_words[i]) == 0) {
            read->spaces.other_is = (enum store_other)i;
        }
    }
    for (size_t i = 0; i < DEPENDS; i++) {
        copy_value(read->used[i], VALUE_SIZE, stored, depends[i]);
        copy_value(read->other[i], VALUE_SIZE, stored, other_depends[i]);
        read->spaces.used_fits &= strcmp(read->used[i], wanted(fields, depends[i])) == 0;
        read->spaces.other_fits &= strcmp(read->other[i], wanted(fields, depends[i])) == 0;
    }
}

/* Leaves rw:meta watched. */
static enum status
read_all(struct store_redis *redis, const struct meta_field *fields, struct meta_read *read,
        struct error *error)
{
    const struct redis_reply *stored = NULL;
    enum status status = store_redis_read_meta(redis, &stored, error);

    if (status == STATUS_OK) {
        status = store_redis_compare_meta(redis, fields, stored, true, error);
    }
    if (status == STATUS_OK) {
        take_meta(stored, fields, read);
    }
    return status;
}

/* ---- what there is --------------------------------------------------------------------------- */

static enum status
missing(struct store_redis *redis, bool *is_missing, struct error *error)
{
    const struct redis_reply *stored = NULL;
    const enum status status = store_redis_read_meta(redis, &stored, error);

    *is_missing = status == STATUS_OK && stored->item_count == 0;
    redis_link_close(redis->link); /* ends the WATCH */
    return status;
}

enum status
store_redis_spaces(struct store *store, const struct store_meta *meta, struct store_spaces *spaces,
        struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    struct meta_field fields[META_FIELDS];
    struct meta_text text;
    struct meta_read read;
    bool is_missing = false;
    enum status status = store_redis_reach(store, error);

    store_redis_meta_fields(meta, &text, fields);
    if (status == STATUS_OK) {
        status = missing(redis, &is_missing, error);
    }
    if (status == STATUS_OK && is_missing) {
        status = store_redis_check(store, meta, error); /* writes it */
    }
    if (status == STATUS_OK) {
        status = store_redis_open(redis, error);
    }
    if (status == STATUS_OK) {
        status = read_all(redis, fields, &read, error);
    }
    if (status == STATUS_OK) {
        *spaces = read.spaces;
    }
    if (redis->link != NULL) {
        redis_link_close(redis->link);
    }
    return status;
}

/* ---- changes of rw:meta ---------------------------------------------------------------------- */

/* What one change writes; every value lives until it is written. */
struct meta_change {
    const char *pairs[2 * (2 + 2 + 2 * DEPENDS)];
    size_t count;
    char used[NUMBER_SIZE], other[NUMBER_SIZE];
};

static void
change_add(struct meta_change *change, const char *name, const char *value)
{
    change->pairs[2 * change->count] = name;
    change->pairs[2 * change->count + 1] = value;
    change->count += 1;
}

static void
change_other(struct meta_change *change, uint64_t other, enum store_other other_is)
{
    snprintf(change->other, sizeof(change->other), "%" PRIu64, other);
    change_add(change, "other", change->other);
    change_add(change, "other_is", others_words[other_is]);
}

/* Read, let plan() say what to write, write; all under one WATCH. */
static enum status
change_meta(struct store *store, const struct store_meta *meta, struct store_spaces *spaces,
        enum status (*plan)(struct meta_read *read, const struct meta_field *fields,
                const struct store_spaces *spaces, struct meta_change *change, struct error *error),
        struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    struct meta_field fields[META_FIELDS];
    struct meta_text text;
    struct meta_read read;
    struct meta_change change = {.count = 0};
    bool written = true;
    enum status status = store_redis_open(redis, error);

    store_redis_meta_fields(meta, &text, fields);
    if (status == STATUS_OK) {
        status = read_all(redis, fields, &read, error);
    }
    if (status == STATUS_OK) {
        status = plan(&read, fields, spaces, &change, error);
    }
    if (status == STATUS_OK && change.count != 0) {
        status = store_redis_write_meta(redis, change.pairs, change.count, &written, error);
    }
    if (status == STATUS_OK && !written) {
        status = error_set(error, STATUS_FENCED,
                "Redis at %s: somebody else changed %s:meta at the same moment: run it again",
                redis_link_address(redis->link), redis->config->redis.prefix);
    }
    if (status == STATUS_OK) {
        *spaces = read.spaces;
    }
    if (redis->link != NULL) {
        redis_link_close(redis->link); /* ends the WATCH */
    }
    return status;
}

static enum status
plan_begin(struct meta_read *read, const struct meta_field *fields,
        const struct store_spaces *spaces, struct meta_change *change, struct error *error)
{
    struct store_spaces *now = &read->spaces;

    (void)spaces;
    switch (now->other_is) {
    case STORE_OTHER_OLD:
        return error_set(error, STATUS_REFUSED,
                "the state that was in use before the last rebuild is still kept: "
                "`retrywatch rebuild --drop-old` deletes it, --switch-back returns to it");
    case STORE_OTHER_GONE:
        return error_set(error, STATUS_REFUSED,
                "a namespace is half deleted: finish that with `retrywatch rebuild --drop-old`");
    case STORE_OTHER_NEW:
        return now->other_fits ? STATUS_OK
                               : error_set(error, STATUS_REFUSED,
                                         "a rebuild was begun with another layout or partition "
                                         "count: `retrywatch rebuild --drop-new`, then again");
    case STORE_OTHER_NONE:
        break;
    }
    now->other = (now->used > now->other ? now->used : now->other) + 1; /* never used before */
    now->other_is = STORE_OTHER_NEW;
    now->other_fits = true;
    change_other(change, now->other, now->other_is);
    for (size_t i = 0; i < DEPENDS; i++) {
        change_add(change, other_depends[i], wanted(fields, depends[i]));
    }
    return STATUS_OK;
}

enum status
store_redis_space_begin(struct store *store, const struct store_meta *meta,
        struct store_spaces *spaces, struct error *error)
{
    return change_meta(store, meta, spaces, plan_begin, error);
}

static enum status
same_spaces(const struct meta_read *read, const struct store_spaces *spaces, struct error *error)
{
    const struct store_spaces *now = &read->spaces;

    return now->used == spaces->used && now->other == spaces->other &&
                           now->other_is == spaces->other_is
                   ? STATUS_OK
                   : error_set(error, STATUS_FENCED,
                             "the namespaces in Redis are not what they were: somebody else has "
                             "switched or deleted one meanwhile");
}

/* What the one depends on becomes what the other does, and the other way round. */
static enum status
plan_switch(struct meta_read *read, const struct meta_field *fields,
        const struct store_spaces *spaces, struct meta_change *change, struct error *error)
{
    struct store_spaces *now = &read->spaces;
    const enum status status = same_spaces(read, spaces, error);

    (void)fields;
    if (status != STATUS_OK) {
        return status;
    }
    snprintf(change->used, sizeof(change->used), "%" PRIu64, now->other);
    change_add(change, "namespace", change->used);
    change_other(change, now->used, STORE_OTHER_OLD);
    for (size_t i = 0; i < DEPENDS; i++) {
        change_add(change, depends[i], read->other[i]);
        change_add(change, other_depends[i], read->used[i]);
    }
    *now = (struct store_spaces){
            now->other, now->used, STORE_OTHER_OLD, now->other_fits, now->used_fits};
    return STATUS_OK;
}

enum status
store_redis_space_switch(struct store *store, const struct store_meta *meta,
        struct store_spaces *spaces, struct error *error)
{
    return change_meta(store, meta, spaces, plan_switch, error);
}

/* ---- deleting -------------------------------------------------------------------------------- */

static enum status
plan_gone(struct meta_read *read, const struct meta_field *fields,
        const struct store_spaces *spaces, struct meta_change *change, struct error *error)
{
    const enum status status = same_spaces(read, spaces, error);

    (void)fields;
    if (status == STATUS_OK) {
        read->spaces.other_is = STORE_OTHER_GONE; /* nobody can switch to what is half deleted */
        change_other(change, read->spaces.other, STORE_OTHER_GONE);
    }
    return status;
}

/* The number stays, so that it is not given out again. */
static enum status
plan_none(struct meta_read *read, const struct meta_field *fields,
        const struct store_spaces *spaces, struct meta_change *change, struct error *error)
{
    const enum status status = same_spaces(read, spaces, error);

    (void)fields;
    if (status == STATUS_OK) {
        read->spaces.other_is = STORE_OTHER_NONE;
        change_other(change, read->spaces.other, STORE_OTHER_NONE);
    }
    return status;
}

/* Keys that one step of SCAN found are deleted before the next. cursor becomes the next one. */
static enum status
drop_some(struct store_redis *redis, struct span pattern, struct buffer *cursor, uint64_t *keys,
        struct error *error)
{
    const struct redis_reply *reply = NULL;
    enum status status;

    buffer_clear(&redis->commands);
    resp_begin(&redis->commands, 6);
    resp_put_text(&redis->commands, "SCAN");
    resp_put(&redis->commands, buffer_span(cursor));
    resp_put_text(&redis->commands, "MATCH");
    resp_put(&redis->commands, pattern);
    resp_put_text(&redis->commands, "COUNT");
    resp_put_text(&redis->commands, SCAN_COUNT);
    status = redis_link_call(redis->link, buffer_span(&redis->commands), &reply, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (reply->kind != REDIS_REPLY_IS_ARRAY || reply->item_count != 2 ||
            reply->items[1]->kind != REDIS_REPLY_IS_ARRAY) {
        return error_set(error, STATUS_REFUSED, "Redis at %s: SCAN gave no cursor and list",
                redis_link_address(redis->link));
    }
    buffer_clear(cursor);
    buffer_put(cursor, reply->items[0]->text.data, reply->items[0]->text.size);

    const struct redis_reply *found = reply->items[1];

    if (found->item_count == 0) {
        return STATUS_OK;
    }
    buffer_clear(&redis->commands);
    resp_begin(&redis->commands, 1 + found->item_count);
    resp_put_text(&redis->commands, "UNLINK");
    for (size_t i = 0; i < found->item_count; i++) {
        resp_put(&redis->commands, found->items[i]->text);
    }
    status = redis_link_call(redis->link, buffer_span(&redis->commands), &reply, error);
    if (status == STATUS_OK && reply->kind == REDIS_REPLY_IS_INTEGER) {
        *keys += (uint64_t)reply->integer; /* SCAN may show a key twice */
    }
    return status;
}

static enum status
drop_keys(struct store_redis *redis, uint64_t space, uint64_t *keys, struct error *error)
{
    const struct config *config = redis->config;
    struct buffer pattern = {0};
    struct buffer cursor = {0};
    enum status status = STATUS_OK;

    redis_space_put_pattern(&pattern, config->redis.prefix, config->topics.outcomes, space);
    buffer_put_byte(&cursor, '0');
    do {
        status = drop_some(redis, buffer_span(&pattern), &cursor, keys, error);
    } while (status == STATUS_OK && !span_equal(buffer_span(&cursor), span_of("0")));
    buffer_fini(&cursor);
    buffer_fini(&pattern);
    return status;
}

enum status
store_redis_space_drop(struct store *store, const struct store_meta *meta,
        struct store_spaces *spaces, uint64_t *keys, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    enum status status = change_meta(store, meta, spaces, plan_gone, error);

    *keys = 0;
    if (status == STATUS_OK) {
        status = store_redis_open(redis, error);
    }
    if (status == STATUS_OK) {
        status = drop_keys(redis, spaces->other, keys, error);
    }
    return status == STATUS_OK ? change_meta(store, meta, spaces, plan_none, error) : status;
}
