/* store_redis.c - the state of partitions in Redis.
 *
 * An EXEC takes two round trips. The first watches and reads `applied`, and looks at the type of
 * every key to be written: Redis does not roll back, so whatever could fail inside EXEC is found
 * before MULTI. The second is MULTI, all changes and EXEC in one buffer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/redis_scan.h"
#include "consumer/redis_space.h"
#include "consumer/resp.h"
#include "consumer/store_redis_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define FIELDS_MAX 5000 /* of one HSET or HDEL: 20,000 new fields hold Redis for 19 ms */
#define VALUES_AHEAD 8

static const struct span applied_map = {(const uint8_t *)"applied", sizeof("applied") - 1};

enum status
store_redis_open(struct store_redis *redis, struct error *error)
{
    if (redis->link == NULL) {
        return error_set(error, redis->url_error.status, "%s", redis->url_error.text);
    }
    return redis_link_connect(redis->link, error);
}

/* Begin a call for one partition. */
static enum status
begin(struct store *store, int32_t partition, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);

    buffer_clear(&redis->commands);
    buffer_clear(&redis->key_prefix);
    redis_space_put(&redis->key_prefix, redis->config->redis.prefix, redis->config->topics.outcomes,
            partition, redis->space);
    return store_redis_open(redis, error);
}

static void
put_key(struct store_redis *redis, struct span map)
{
    resp_put_pair(&redis->commands, buffer_span(&redis->key_prefix), map);
}

/* A command of one word and a key. */
static void
put_command(struct store_redis *redis, const char *name, struct span map)
{
    resp_begin(&redis->commands, 2);
    resp_put_text(&redis->commands, name);
    put_key(redis, map);
}

static enum status
send_commands(struct store_redis *redis, size_t *sent, struct error *error)
{
    const enum status status =
            redis_link_send(redis->link, buffer_span(&redis->commands), sent, error);

    buffer_clear(&redis->commands);
    return status;
}

static enum status
read_reply(struct store_redis *redis, const char *what, const struct redis_reply **reply,
        struct error *error)
{
    enum status status = redis_link_read(redis->link, reply, error);

    if (status == STATUS_OK) {
        status = redis_reply_status(redis->link, *reply, what, error);
    }
    return status;
}

/* Closing ends WATCH and MULTI, and drops replies still to come. */
static enum status
close_unless_ok(struct store_redis *redis, enum status status)
{
    if (status != STATUS_OK && redis->link != NULL) {
        redis_link_close(redis->link);
    }
    return status;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Which namespace is in use, and `applied` in that of the call before: nearly always the same. */
static enum status
ask_applied(struct store_redis *redis, uint64_t *space, const struct redis_reply **reply,
        struct error *error)
{
    enum status status;

    redis_space_ask(&redis->commands, redis->config->redis.prefix);
    put_command(redis, "GET", applied_map);
    status = send_commands(redis, NULL, error);
    if (status == STATUS_OK) {
        status = redis_link_read(redis->link, reply, error);
    }
    if (status == STATUS_OK) {
        status = redis_space_answer(redis->link, *reply, space, error);
    }
    return status == STATUS_OK ? read_reply(redis, "GET of applied", reply, error) : status;
}

/* After a switch the next look finds `applied` of the other namespace, which is not what this
 * instance last wrote: it loads its partitions again, from there. */
static enum status
store_redis_read_applied(struct store *store, int32_t partition, struct buffer *applied,
        bool *exists, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    const struct redis_reply *reply = NULL;
    uint64_t space = redis->space;
    enum status status = STATUS_OK;

    do {
        redis->space = redis->pinned ? redis->space : space;
        status = begin(store, partition, error);
        if (status == STATUS_OK) {
            status = close_unless_ok(redis, ask_applied(redis, &space, &reply, error));
        }
    } while (status == STATUS_OK && space != redis->space && !redis->pinned);
    if (status == STATUS_OK) {
        buffer_clear(applied);
        buffer_put(applied, reply->text.data, reply->text.size);
        *exists = reply->kind == REDIS_REPLY_IS_STRING;
    }
    return status;
}

static enum status
store_redis_read_maps(struct store *store, int32_t partition, const struct span *maps,
        size_t map_count, redis_scan_visit *visit, void *context, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    enum status status = begin(store, partition, error);
    struct arena arena;

    if (status != STATUS_OK) {
        return status;
    }
    arena_init(&arena);

    const struct span prefix = buffer_span(&redis->key_prefix);
    struct span *keys = arena_new(&arena, map_count, sizeof(*keys));

    for (size_t i = 0; i < map_count; i++) {
        uint8_t *key = arena_new(&arena, prefix.size + maps[i].size, 1);

        memcpy(key, prefix.data, prefix.size);
        memcpy(key + prefix.size, maps[i].data, maps[i].size);
        keys[i] = (struct span){key, prefix.size + maps[i].size};
    }
    status = redis_scan(redis->link, keys, map_count, visit, context, error);
    arena_fini(&arena);
    return status;
}

/* ---- EXEC: the first round trip ------------------------------------------------------------ */

/* The end of the changes that begin at first and are of the same map. */
static size_t
same_map(const struct changes *changes, size_t first)
{
    size_t end = first + 1;

    while (end < changes->count &&
            span_equal(changes->changes[end].map, changes->changes[first].map)) {
        end++;
    }
    return end;
}

static void
put_looks(struct store_redis *redis, const struct changes *changes)
{
    put_command(redis, "WATCH", applied_map);
    put_command(redis, "GET", applied_map);
    for (size_t i = 0; i < changes->count; i = same_map(changes, i)) {
        put_command(redis, "TYPE", changes->changes[i].map);
    }
}

static enum status
check_types(struct store_redis *redis, const struct changes *changes, struct error *error)
{
    for (size_t i = 0; i < changes->count; i = same_map(changes, i)) {
        const struct span map = changes->changes[i].map;
        const struct redis_reply *reply = NULL;
        const enum status status = read_reply(redis, "TYPE", &reply, error);

        if (status != STATUS_OK) {
            return status;
        }
        if (!redis_reply_is(reply, "hash") && !redis_reply_is(reply, "none")) {
            return error_set(error, STATUS_REFUSED,
                    "Redis at %s: the key %.*s%.*s is no hash; something else writes keys that "
                    "begin "
                    "with redis.prefix: give it another prefix, or remove that key",
                    redis_link_address(redis->link), (int)redis->key_prefix.size,
                    (const char *)redis->key_prefix.data, (int)map.size, (const char *)map.data);
        }
    }
    return STATUS_OK;
}

/* WATCH and compare. The caller closes the link on failure, which ends the WATCH too. */
static enum status
watch(struct store_redis *redis, const struct changes *changes, struct error *error)
{
    const struct redis_reply *reply = NULL;
    enum status status;
    bool same = false;

    put_looks(redis, changes);
    status = send_commands(redis, NULL, error);
    if (status == STATUS_OK) {
        status = read_reply(redis, "WATCH", &reply, error);
    }
    if (status == STATUS_OK) {
        status = read_reply(redis, "GET of applied", &reply, error);
    }
    if (status == STATUS_OK) {
        const bool exists = reply->kind == REDIS_REPLY_IS_STRING;

        same = exists == (changes->expected.data != NULL) &&
               (!exists || span_equal(reply->text, changes->expected));
        status = check_types(redis, changes, error);
    }
    if (status == STATUS_OK && !same) {
        status = error_set(error, STATUS_FENCED,
                "partition %" PRId32 ": another instance wrote its state", changes->partition);
    }
    return status;
}

/* ---- EXEC: the second round trip ----------------------------------------------------------- */

/* Remember whose reply comes next, for messages. */
static void
add_subject(struct store_redis *redis, struct span map)
{
    redis->subjects = memory_grow(redis->subjects, redis->subject_count, &redis->subject_capacity,
            sizeof(*redis->subjects));
    redis->subjects[redis->subject_count++] = map;
}

static void
put_hset(struct store_redis *redis, const struct change *changes, size_t count)
{
    resp_begin(&redis->commands, 2 + 2 * count);
    resp_put_text(&redis->commands, "HSET");
    put_key(redis, changes[0].map);
    for (size_t i = 0; i < count; i++) {
        if (i + VALUES_AHEAD < count) {
            /* Packed counters lie with their series: each is somewhere else in memory. */
            __builtin_prefetch(changes[i + VALUES_AHEAD].value.data);
        }
        resp_put(&redis->commands, changes[i].field);
        resp_put(&redis->commands, changes[i].value);
    }
}

static void
put_hdel(struct store_redis *redis, const struct change *changes, size_t count)
{
    resp_begin(&redis->commands, 2 + count);
    resp_put_text(&redis->commands, "HDEL");
    put_key(redis, changes[0].map);
    for (size_t i = 0; i < count; i++) {
        resp_put(&redis->commands, changes[i].field);
    }
}

/* One command for changes of the same map and kind. */
static void
put_run(struct store_redis *redis, const struct change *changes, size_t count)
{
    add_subject(redis, changes[0].map);
    switch (changes[0].kind) {
    case CHANGE_SET:
        put_hset(redis, changes, count);
        break;
    case CHANGE_DELETE:
        put_hdel(redis, changes, count);
        break;
    case CHANGE_UNLINK:
        put_command(redis, "UNLINK", changes[0].map);
        break;
    }
}

static void
put_map(struct store_redis *redis, const struct change *changes, size_t count)
{
    bool expires = false;

    for (size_t i = 0, end; i < count; i = end) {
        end = i + 1;
        while (end < count && end - i < FIELDS_MAX && changes[end].kind == changes[i].kind) {
            end++;
        }
        put_run(redis, changes + i, end - i);
    }
    for (size_t i = 0; i < count; i++) {
        expires = expires || (changes[i].kind == CHANGE_SET && changes[i].expires);
    }
    if (expires) {
        add_subject(redis, changes[0].map);
        resp_begin(&redis->commands, 3);
        resp_put_text(&redis->commands, "PEXPIRE");
        put_key(redis, changes[0].map);
        resp_put_signed(&redis->commands, redis->config->redis.state_ttl_ms);
    }
}

static void
put_transaction(struct store_redis *redis, const struct changes *changes)
{
    redis->subject_count = 0;
    resp_command(&redis->commands, "MULTI", NULL);
    for (size_t i = 0, end; i < changes->count; i = end) {
        end = same_map(changes, i);
        put_map(redis, changes->changes + i, end - i);
    }
    add_subject(redis, applied_map);
    resp_begin(&redis->commands, 3);
    resp_put_text(&redis->commands, "SET");
    put_key(redis, applied_map);
    resp_put(&redis->commands, changes->applied);
    redis->exec_at = redis->commands.size;
    resp_command(&redis->commands, "EXEC", NULL);
}

/* Whatever is lost from here on, EXEC may have been done. */
static enum status
read_or_unknown(struct store_redis *redis, const struct redis_reply **reply, struct error *error)
{
    struct error cause = {0};

    if (redis_link_read(redis->link, reply, &cause) == STATUS_OK) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_UNKNOWN_OUTCOME, "EXEC was sent, its answer is missing: %.400s",
            cause.text);
}

/* Types were looked at before MULTI, so this means that somebody else writes our keys. What is
 * stored is no whole EXEC any more: never to be tried again. */
static enum status
inside_exec(struct store_redis *redis, struct span map, const struct redis_reply *reply,
        struct error *error)
{
    struct error cause = {0};
    const enum status status = redis_reply_status(redis->link, reply, "it", &cause);

    return error_set(error, STATUS_REFUSED,
            "a command on the key %.*s%.*s failed inside EXEC, the state is not whole (%s): %.200s",
            (int)redis->key_prefix.size, (const char *)redis->key_prefix.data, (int)map.size,
            (const char *)map.data, status_text(status), cause.text);
}

/* The array that EXEC gave. */
static enum status
check_executed(struct store_redis *redis, const struct redis_reply *reply, struct error *error)
{
    if (reply->kind != REDIS_REPLY_IS_ARRAY || reply->item_count != redis->subject_count) {
        return error_set(error, STATUS_REFUSED, "Redis at %s: EXEC gave no list of %zu results",
                redis_link_address(redis->link), redis->subject_count);
    }
    for (size_t i = 0; i < reply->item_count; i++) {
        if (reply->items[i]->kind == REDIS_REPLY_IS_ERROR) {
            return inside_exec(redis, redis->subjects[i], reply->items[i], error);
        }
    }
    return STATUS_OK;
}

/* MULTI, each queued command, EXEC. The first refusal says why EXEC was aborted. */
static enum status
read_results(struct store_redis *redis, struct error *error)
{
    const struct redis_reply *reply = NULL;
    enum status refused = STATUS_OK;
    enum status status;

    for (size_t i = 0; i < 1 + redis->subject_count; i++) {
        status = read_or_unknown(redis, &reply, error);
        if (status != STATUS_OK) {
            return status;
        }
        if (refused == STATUS_OK) {
            refused = redis_reply_status(redis->link, reply, i == 0 ? "MULTI" : "a write", error);
        }
    }
    status = read_or_unknown(redis, &reply, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (refused != STATUS_OK) {
        return refused;
    }
    if (reply->kind == REDIS_REPLY_IS_NIL) {
        return error_set(error, STATUS_FENCED,
                "partition %" PRId32 ": another instance wrote its state", redis->partition);
    }
    status = redis_reply_status(redis->link, reply, "EXEC", error);
    return status == STATUS_OK ? check_executed(redis, reply, error) : status;
}

static enum status
send_transaction(struct store_redis *redis, const struct changes *changes, struct error *error)
{
    size_t sent = 0;

    put_transaction(redis, changes);
    redis->partition = changes->partition;

    const enum status status = send_commands(redis, &sent, error);

    /* A MULTI without the whole of its EXEC is forgotten by Redis. */
    return status == STATUS_OK || sent <= redis->exec_at
                   ? status
                   : error_set(error, STATUS_UNKNOWN_OUTCOME,
                             "Redis at %s: connection lost while sending EXEC",
                             redis_link_address(redis->link));
}

static enum status
store_redis_exec_begin(struct store *store, const struct changes *changes, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    enum status status = begin(store, changes->partition, error);

    if (status == STATUS_OK) {
        status = watch(redis, changes, error);
    }
    if (status == STATUS_OK) {
        status = send_transaction(redis, changes, error);
    }
    return close_unless_ok(redis, status);
}

static enum status
store_redis_exec_end(struct store *store, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);

    return close_unless_ok(redis, read_results(redis, error));
}

/* ---- views, life --------------------------------------------------------------------------- */

/* An EXEC of the views gives a list, with the errors inside. */
static enum status
check_view(struct store_redis *redis, const struct redis_reply *reply, struct error *error)
{
    enum status status = redis_reply_status(redis->link, reply, "a view", error);

    if (reply->kind == REDIS_REPLY_IS_ARRAY) {
        for (size_t i = 0; i < reply->item_count && status == STATUS_OK; i++) {
            status = redis_reply_status(redis->link, reply->items[i], "a view", error);
        }
    }
    return status;
}

static enum status
store_redis_write_views(
        struct store *store, struct span commands, size_t command_count, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    enum status first = STATUS_OK;
    enum status status = store_redis_open(redis, error);

    if (status == STATUS_OK) {
        status = redis_link_send(redis->link, commands, NULL, error);
    }
    for (size_t i = 0; i < command_count && status == STATUS_OK; i++) {
        const struct redis_reply *reply = NULL;

        status = redis_link_read(redis->link, &reply, error);
        if (status == STATUS_OK && first == STATUS_OK) {
            first = check_view(redis, reply, error);
        }
    }
    return status != STATUS_OK ? status : first;
}

static void
store_redis_destroy(struct store *store)
{
    if (store == NULL) {
        return;
    }
    struct store_redis *redis = store_redis_of(store);

    redis_link_destroy(redis->link);
    buffer_fini(&redis->key_prefix);
    buffer_fini(&redis->commands);
    free(redis->subjects);
    free(redis);
}

static const struct store_ops store_redis_ops = {
        .read_applied = store_redis_read_applied,
        .read_maps = store_redis_read_maps,
        .exec_begin = store_redis_exec_begin,
        .exec_end = store_redis_exec_end,
        .write_views = store_redis_write_views,
        .destroy = store_redis_destroy,
};

struct store *
store_redis_new(const struct config *config)
{
    struct store_redis *redis = memory_new(1, sizeof(*redis));
    const struct redis_link_options options = {.url = config->redis.url,
            .username = config->redis.username,
            .password = config->redis.password,
            .timeout_ms = config->redis.timeout_ms};

    redis->store.ops = &store_redis_ops;
    redis->config = config;
    redis->space = REDIS_SPACE_FIRST; /* until rw:meta is read */
    /* A wrong URL is told by the first call: there is nobody to tell it to here. */
    if (redis_link_new(&options, &redis->link, &redis->url_error) != STATUS_OK) {
        redis->link = NULL;
    }
    return &redis->store;
}

void
store_redis_pin(struct store *store, uint64_t space)
{
    store_redis_of(store)->space = space;
    store_redis_of(store)->pinned = true;
}
