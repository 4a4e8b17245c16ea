/* redis_scan.c - read whole hashes, however large, without holding up Redis.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/redis_scan.h"

#include "consumer/resp.h"

#define SCAN_COUNT "2000" /* fields of one HSCAN: holds Redis for less than a millisecond */

/* HSCANs under way, each in another hash. Two of large hashes: while the fields of one are visited
 * Redis reads the other. With more, Redis takes half as long again (docs/performance.md): it goes
 * back and forth between more hashes than a core's cache holds the tables of. Of small hashes,
 * whose first HSCAN is the last, more are under way, so that not each of them waits for a round
 * trip. */
#define WINDOW_LARGE 2
#define WINDOW_SMALL 8

struct asked {
    size_t hash;
    bool first; /* of this hash */
};

struct scan {
    struct redis_link *link;
    const struct span *keys;
    size_t key_count;
    size_t next;                          /* the first hash that was not begun */
    struct asked under_way[WINDOW_SMALL]; /* a ring: whose replies are to come, in order */
    size_t first, count;
    size_t window; /* WINDOW_LARGE..WINDOW_SMALL: begin a hash while fewer are under way */
    struct buffer command;
    redis_scan_visit *visit;
    void *context;
};

static void
ask(struct scan *scan, struct asked asked, struct span cursor)
{
    resp_begin(&scan->command, 5);
    resp_put_text(&scan->command, "HSCAN");
    resp_put(&scan->command, scan->keys[asked.hash]);
    resp_put(&scan->command, cursor);
    resp_put_text(&scan->command, "COUNT");
    resp_put_text(&scan->command, SCAN_COUNT);
    scan->under_way[(scan->first + scan->count) % WINDOW_SMALL] = asked;
    scan->count += 1;
}

static void
begin_hashes(struct scan *scan)
{
    while (scan->next < scan->key_count && scan->count < scan->window) {
        ask(scan, (struct asked){scan->next++, true}, span_of("0"));
    }
}

/* Ask for what follows a reply: the rest of its hash, and others. */
static void
ask_on(struct scan *scan, struct asked asked, const struct redis_reply *cursor)
{
    if (!redis_reply_is(cursor, "0")) {
        scan->window = WINDOW_LARGE;
        ask(scan, (struct asked){asked.hash, false}, cursor->text);
    } else if (asked.first && scan->window < WINDOW_SMALL) {
        scan->window += 1;
    }
    begin_hashes(scan);
}

static enum status
send_asked(struct scan *scan, struct error *error)
{
    enum status status = STATUS_OK;

    if (scan->command.size != 0) {
        status = redis_link_send(scan->link, buffer_span(&scan->command), NULL, error);
        buffer_clear(&scan->command);
    }
    return status;
}

/* A cursor and a list of field, value, field, value, ... */
static bool
is_scan_reply(const struct redis_reply *reply)
{
    if (reply->kind != REDIS_REPLY_IS_ARRAY || reply->item_count != 2 ||
            reply->items[0]->kind != REDIS_REPLY_IS_STRING ||
            reply->items[1]->kind != REDIS_REPLY_IS_ARRAY || reply->items[1]->item_count % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < reply->items[1]->item_count; i++) {
        if (reply->items[1]->items[i]->kind != REDIS_REPLY_IS_STRING) {
            return false;
        }
    }
    return true;
}

/* The next reply: ask for what follows first, so that Redis works while we visit. */
static enum status
take(struct scan *scan, struct error *error)
{
    const struct asked asked = scan->under_way[scan->first];
    const struct redis_reply *reply = NULL;
    enum status status = redis_link_read(scan->link, &reply, error);

    if (status == STATUS_OK) {
        status = redis_reply_status(scan->link, reply, "HSCAN", error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!is_scan_reply(reply)) {
        return error_set(error, STATUS_REFUSED, "Redis at %s: HSCAN gave no list of fields",
                redis_link_address(scan->link));
    }
    scan->first = (scan->first + 1) % WINDOW_SMALL;
    scan->count -= 1;
    ask_on(scan, asked, reply->items[0]);
    status = send_asked(scan, error);

    const struct redis_reply *fields = reply->items[1];

    for (size_t i = 0; i < fields->item_count && status == STATUS_OK; i += 2) {
        status = scan->visit(scan->context, asked.hash, fields->items[i]->text,
                fields->items[i + 1]->text, error);
    }
    return status;
}

enum status
redis_scan(struct redis_link *link, const struct span *keys, size_t key_count,
        redis_scan_visit *visit, void *context, struct error *error)
{
    struct scan scan = {.link = link,
            .keys = keys,
            .key_count = key_count,
            .window = WINDOW_LARGE,
            .visit = visit,
            .context = context};
    enum status status = redis_link_connect(link, error);

    if (status == STATUS_OK) {
        begin_hashes(&scan);
        status = send_asked(&scan, error);
    }
    while (status == STATUS_OK && scan.count != 0) {
        status = take(&scan, error);
    }
    if (status != STATUS_OK) {
        redis_link_close(link); /* replies are still to come that nobody waits for */
    }
    buffer_fini(&scan.command);
    return status;
}
