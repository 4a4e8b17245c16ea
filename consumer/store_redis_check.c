/* store_redis_check.c - can this Redis keep the state, and is the state in it ours?
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/state.h"
#include "consumer/log.h"
#include "consumer/resp.h"
#include "consumer/store_redis_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- eviction and persistence -------------------------------------------------------------- */

/* The value of "name:value\r\n" in the text of INFO; null when it is not there. */
static struct span
info_value(struct span info, const char *name)
{
    const size_t name_size = strlen(name);
    const char *at = (const char *)info.data;
    const char *end = at + info.size;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((line_end != NULL ? line_end : end) - at);

        size -= size != 0 && at[size - 1] == '\r';
        if (size > name_size && at[name_size] == ':' && memcmp(at, name, name_size) == 0) {
            return (struct span){(const uint8_t *)at + name_size + 1, size - name_size - 1};
        }
        at = line_end != NULL ? line_end + 1 : end;
    }
    return SPAN_NULL;
}

/* A copy of what INFO says in a section; STATUS_OK and false when Redis does not tell. */
static enum status
read_info(struct store_redis *redis, const char *section, const char *name, struct buffer *value,
        bool *told, struct error *error)
{
    const struct redis_reply *reply = NULL;
    enum status status;

    *told = false;
    buffer_clear(&redis->commands);
    resp_command(&redis->commands, "INFO", section, NULL);
    status = redis_link_send(redis->link, buffer_span(&redis->commands), NULL, error);
    if (status == STATUS_OK) {
        status = redis_link_read(redis->link, &reply, error);
    }
    if (status == STATUS_OK && reply->kind == REDIS_REPLY_IS_STRING) {
        const struct span found = info_value(reply->text, name);

        *told = found.data != NULL;
        buffer_clear(value);
        buffer_put(value, found.data, found.size);
    } else if (status == STATUS_OK) {
        const bool forbidden = redis_reply_begins(reply, "NOPERM");

        status = redis_reply_status(redis->link, reply, "INFO", error);
        if (status == STATUS_REFUSED || (status == STATUS_AUTH && forbidden)) {
            status = STATUS_OK; /* forbidden or renamed: the caller says what that means */
        }
    }
    return status;
}

/* CONFIG is what may be forbidden; INFO tells the policy too. */
static enum status
read_policy(struct store_redis *redis, struct buffer *policy, bool *told, struct error *error)
{
    const struct redis_reply *reply = NULL;
    enum status status;

    buffer_clear(&redis->commands);
    resp_command(&redis->commands, "CONFIG", "GET", "maxmemory-policy", NULL);
    status = redis_link_send(redis->link, buffer_span(&redis->commands), NULL, error);
    if (status == STATUS_OK) {
        status = redis_link_read(redis->link, &reply, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (reply->kind == REDIS_REPLY_IS_ARRAY && reply->item_count == 2 &&
            reply->items[1]->kind == REDIS_REPLY_IS_STRING) {
        *told = true;
        buffer_clear(policy);
        buffer_put(policy, reply->items[1]->text.data, reply->items[1]->text.size);
        return STATUS_OK;
    }
    if (redis_reply_begins(reply, "NOAUTH")) {
        return redis_reply_status(redis->link, reply, "CONFIG GET", error);
    }
    status = redis_reply_status(redis->link, reply, "CONFIG GET", error);
    if (status == STATUS_STORE_DOWN) {
        return status;
    }
    return read_info(redis, "memory", "maxmemory_policy", policy, told, error);
}

static enum status
check_eviction(struct store_redis *redis, struct error *error)
{
    struct buffer policy = {0};
    const char *address = redis_link_address(redis->link);
    bool told = false;
    enum status status = read_policy(redis, &policy, &told, error);

    if (status == STATUS_OK && !told) {
        status = error_set(error, STATUS_REFUSED,
                "Redis at %s does not tell its maxmemory-policy: allow its user CONFIG GET or INFO",
                address);
    } else if (status == STATUS_OK && !span_equal(buffer_span(&policy), span_of("noeviction"))) {
        status = error_set(error, STATUS_REFUSED,
                "Redis at %s may drop state when memory is short: its maxmemory-policy is %.*s; "
                "run "
                "`redis-cli CONFIG SET maxmemory-policy noeviction`, and set it in redis.conf",
                address, (int)policy.size, (const char *)policy.data);
    }
    buffer_fini(&policy);
    return status;
}

/* Without the append-only file a crash of Redis loses minutes; that is found and refused later,
 * so here it is said, not refused. */
static enum status
note_persistence(struct store_redis *redis, struct error *error)
{
    struct buffer enabled = {0};
    bool told = false;
    const enum status status =
            read_info(redis, "persistence", "aof_enabled", &enabled, &told, error);

    if (status == STATUS_OK && told && span_equal(buffer_span(&enabled), span_of("0"))) {
        log_warn("redis",
                "redis=\"%s\" appendonly=no note=\"a crash of Redis loses what it had not saved: "
                "set appendonly yes, appendfsync everysec\"",
                redis_link_address(redis->link));
    }
    buffer_fini(&enabled);
    return status;
}

/* ---- rw:meta ------------------------------------------------------------------------------- */

static void
put_meta_key(struct store_redis *redis)
{
    resp_put_pair(&redis->commands, span_of(redis->config->redis.prefix), span_of(":meta"));
}

/* Send what is in commands and read `count` replies; the last one stays in *reply. */
static enum status
round_trip(struct store_redis *redis, size_t count, const struct redis_reply **reply,
        struct error *error)
{
    enum status status = redis_link_send(redis->link, buffer_span(&redis->commands), NULL, error);

    buffer_clear(&redis->commands);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = redis_link_read(redis->link, reply, error);
        if (status == STATUS_OK) {
            status = redis_reply_status(redis->link, *reply, "the key meta", error);
        }
    }
    return status;
}

enum status
store_redis_read_meta(
        struct store_redis *redis, const struct redis_reply **reply, struct error *error)
{
    buffer_clear(&redis->commands);
    resp_begin(&redis->commands, 2);
    resp_put_text(&redis->commands, "WATCH");
    put_meta_key(redis);
    resp_begin(&redis->commands, 2);
    resp_put_text(&redis->commands, "HGETALL");
    put_meta_key(redis);
    return round_trip(redis, 2, reply, error);
}

enum status
store_redis_write_meta(struct store_redis *redis, const char *const *pairs, size_t pair_count,
        bool *written, struct error *error)
{
    const struct redis_reply *reply = NULL;

    buffer_clear(&redis->commands);
    resp_command(&redis->commands, "MULTI", NULL);
    resp_begin(&redis->commands, 2 + 2 * pair_count);
    resp_put_text(&redis->commands, "HSET");
    put_meta_key(redis);
    for (size_t i = 0; i < 2 * pair_count; i++) {
        resp_put_text(&redis->commands, pairs[i]);
    }
    resp_command(&redis->commands, "EXEC", NULL);

    const enum status status = round_trip(redis, 3, &reply, error);

    if (status == STATUS_OK) {
        *written = reply->kind == REDIS_REPLY_IS_ARRAY;
    }
    return status;
}

struct span
store_redis_meta_value(const struct redis_reply *stored, const char *name)
{
    for (size_t i = 0; i + 1 < stored->item_count; i += 2) {
        if (redis_reply_is(stored->items[i], name)) {
            return stored->items[i + 1]->text;
        }
    }
    return span_of("(nothing)");
}

enum status
store_redis_compare_meta(struct store_redis *redis, const struct meta_field *fields,
        const struct redis_reply *stored, bool rebuilds, struct error *error)
{
    struct buffer text = {0};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < META_FIELDS; i++) {
        const struct span value = store_redis_meta_value(stored, fields[i].name);

        if (!(rebuilds && fields[i].rebuilds) && !span_equal(value, span_of(fields[i].value))) {
            buffer_printf(&text, "%s%s is %.*s there, %s here: %s", text.size == 0 ? "" : "; ",
                    fields[i].name, (int)value.size, (const char *)value.data, fields[i].value,
                    fields[i].way_out);
        }
    }
    if (text.size != 0) {
        status = error_set(error, STATUS_REFUSED,
                "Redis at %s, %s:meta: the state is of another setup: %.*s",
                redis_link_address(redis->link), redis->config->redis.prefix, (int)text.size,
                (const char *)text.data);
    }
    buffer_fini(&text);
    return status;
}

static enum status
write_first(struct store_redis *redis, const struct meta_field *fields, bool *written,
        struct error *error)
{
    const char *pairs[2 * META_FIELDS];

    for (size_t i = 0; i < META_FIELDS; i++) {
        pairs[2 * i] = fields[i].name;
        pairs[2 * i + 1] = fields[i].value;
    }
    return store_redis_write_meta(redis, pairs, META_FIELDS, written, error);
}

static enum status
check_meta(
        struct store_redis *redis, const struct meta_field *fields, bool write, struct error *error)
{
    for (int i = 0; i < META_TRIES; i++) {
        const struct redis_reply *stored = NULL;
        bool written = false;
        enum status status = store_redis_read_meta(redis, &stored, error);

        if (status == STATUS_OK && stored->kind == REDIS_REPLY_IS_ARRAY &&
                stored->item_count != 0) {
            status = store_redis_compare_meta(redis, fields, stored, false, error);
            redis_link_close(redis->link); /* ends the WATCH */
            return status;
        }
        if (status == STATUS_OK && !write) {
            redis_link_close(redis->link);
            return status;
        }
        if (status == STATUS_OK) {
            status = write_first(redis, fields, &written, error);
        }
        if (status != STATUS_OK || written) {
            return status;
        }
    }
    return error_set(error, STATUS_STORE_DOWN, "Redis at %s: %s:meta keeps changing",
            redis_link_address(redis->link), redis->config->redis.prefix);
}

void
store_redis_meta_fields(
        const struct store_meta *meta, struct meta_text *text, struct meta_field *fields)
{
    const struct meta_field all[META_FIELDS] = {
            {"layout_version", text->layout_version, "`retrywatch rebuild` counts the log anew",
                    true},
            {"cluster_id", meta->cluster_id, "another Kafka cluster needs another redis.prefix",
                    false},
            {"topic", meta->topic, "another topic needs another redis.prefix", false},
            {"partition_count", text->partition_count,
                    "owners moved to other partitions; `retrywatch rebuild` counts the log anew",
                    true},
            {"group", meta->group, "another group needs another redis.prefix", false},
            {"layout", meta->layout,
                    "put review.group_by back, or let `retrywatch rebuild` count the log anew",
                    true},
    };

    snprintf(text->layout_version, sizeof(text->layout_version), "%d", STATE_LAYOUT_VERSION);
    snprintf(text->partition_count, sizeof(text->partition_count), "%" PRId32,
            meta->partition_count);
    memcpy(fields, all, sizeof(all));
}

enum status
store_redis_reach(struct store *store, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    enum status status = store_redis_open(redis, error);

    if (status == STATUS_OK) {
        status = check_eviction(redis, error);
    }
    if (status == STATUS_OK) {
        status = note_persistence(redis, error);
    }
    if (status != STATUS_OK && redis->link != NULL) {
        redis_link_close(redis->link);
    }
    return status;
}

static enum status
check(struct store *store, const struct store_meta *meta, bool write, struct error *error)
{
    struct store_redis *redis = store_redis_of(store);
    struct meta_field fields[META_FIELDS];
    struct meta_text text;
    enum status status = store_redis_reach(store, error);

    store_redis_meta_fields(meta, &text, fields);
    if (status == STATUS_OK) {
        status = check_meta(redis, fields, write, error);
    }
    if (status != STATUS_OK && redis->link != NULL) {
        redis_link_close(redis->link);
    }
    return status;
}

enum status
store_redis_check(struct store *store, const struct store_meta *meta, struct error *error)
{
    return check(store, meta, true, error);
}

enum status
store_redis_look(struct store *store, const struct store_meta *meta, struct error *error)
{
    return check(store, meta, false, error);
}
