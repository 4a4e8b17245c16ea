/* redis_error.c - what the errors of Redis mean, and what to do about them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/redis_link.h"

#include <stdio.h>

#define ABORTED "EXECABORT Transaction discarded because of: "

/* The first row whose text begins the error. Source: Redis, src/server.c createSharedObjects(). */
static const struct {
    const char *begins;
    enum status status;
    const char *fix;
} meanings[] = {
        {"NOAUTH", STATUS_AUTH, "it wants a password: set redis.password"},
        {"WRONGPASS", STATUS_AUTH, "wrong redis.username or redis.password"},
        {"ERR invalid password", STATUS_AUTH, "wrong redis.password"},
        {"ERR AUTH", STATUS_AUTH, "it has no password: leave redis.password empty"},
        {"ERR Client sent AUTH", STATUS_AUTH, "it has no password: leave redis.password empty"},
        {"NOPERM", STATUS_AUTH, "its user may not do this: give it the rights in docs/redis.md"},
        {"DENIED", STATUS_AUTH, "protected mode: give it a password, or bind it to one address"},
        {"LOADING", STATUS_STORE_DOWN, "it is still loading its data"},
        {"BUSY", STATUS_STORE_DOWN, "it is busy with a script"},
        {"MASTERDOWN", STATUS_STORE_DOWN, "it is a replica without its primary"},
        {"NOREPLICAS", STATUS_STORE_DOWN, "it has too few replicas to accept writes"},
        {"TRYAGAIN", STATUS_STORE_DOWN, "it is moving keys"},
        {"CLUSTERDOWN", STATUS_STORE_DOWN, "its cluster is down"},
        {"ERR max number of clients", STATUS_STORE_DOWN,
                "it has too many clients: raise maxclients"},
        {"READONLY", STATUS_STORE_DOWN,
                "it is a read-only replica: point redis.url at the primary"},
        {"OOM", STATUS_STORE_DOWN, "it is out of memory: raise its maxmemory"},
        {"MISCONF", STATUS_STORE_DOWN,
                "it cannot save to disk and so refuses writes: see its log, free the disk"},
        {"WRONGTYPE", STATUS_REFUSED,
                "a key of ours holds another type: is redis.prefix used by something else?"},
        {"MOVED", STATUS_REFUSED, "it is a node of a Redis Cluster: use a standalone Redis"},
        {"ASK", STATUS_REFUSED, "it is a node of a Redis Cluster: use a standalone Redis"},
};

#define MEANINGS (sizeof(meanings) / sizeof(*meanings))

static bool
begins_with(struct span text, const char *begin)
{
    const size_t size = strlen(begin);

    return text.size >= size && memcmp(text.data, begin, size) == 0;
}

/* How much of an error may be shown: some quote the arguments of the command, which are data. */
static int
safe_size(struct span text)
{
    size_t size = 0;

    while (size < text.size && size < 120 && text.data[size] >= ' ' && text.data[size] < 0x7f &&
            text.data[size] != '\'' && text.data[size] != '`') {
        size++;
    }
    return (int)size;
}

enum status
redis_reply_status(const struct redis_link *link, const struct redis_reply *reply, const char *what,
        struct error *error)
{
    if (reply->kind != REDIS_REPLY_IS_ERROR) {
        return STATUS_OK;
    }
    const char *address = redis_link_address(link);
    struct span text = reply->text;

    if (begins_with(text, ABORTED)) {
        text.data += strlen(ABORTED);
        text.size -= strlen(ABORTED);
    }
    for (size_t i = 0; i < MEANINGS; i++) {
        if (begins_with(text, meanings[i].begins)) {
            return error_set(error, meanings[i].status, "Redis at %s refused %s: %s", address, what,
                    meanings[i].fix);
        }
    }
    return error_set(error, STATUS_REFUSED, "Redis at %s refused %s: %.*s", address, what,
            safe_size(text), (const char *)text.data);
}

bool
redis_reply_is(const struct redis_reply *reply, const char *text)
{
    return (reply->kind == REDIS_REPLY_IS_STATUS || reply->kind == REDIS_REPLY_IS_STRING) &&
           span_equal(reply->text, span_of(text));
}

bool
redis_reply_begins(const struct redis_reply *reply, const char *text)
{
    const size_t size = strlen(text);

    return reply->kind == REDIS_REPLY_IS_ERROR && reply->text.size >= size &&
           memcmp(reply->text.data, text, size) == 0;
}
