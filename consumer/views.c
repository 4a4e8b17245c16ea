/* views.c - what dashboards read: plain keys in Redis, decimal numbers and text (docs/redis.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/views.h"

#include "aggregator/hash.h"
#include "aggregator/table.h"
#include "codec/review_codec.h"
#include "consumer/resp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RESOLVED_KEPT_SECONDS "2592000" /* 30 days */
#define NAME_SIZE 48                    /* of a field: window and counter, or minute */
#define FIELDS_MAX 5000                 /* of one HSET, so that it holds Redis for milliseconds */
#define RECENT_MINUTES (WINDOW_S_MINUTES + 1) /* where events are counted that are not late */
#define OWNERS_MAX 1000000                    /* whose minutes are remembered */

/* The keys: <prefix>:view:<name><of>. */
#define VIEW_KEY_MAP(X)            \
    X(KEY_OWNERS, "owners")        \
    X(KEY_OWNER, "owner:")         \
    X(KEY_BUCKETS, "buckets:")     \
    X(KEY_NEW_BUCKETS, "buckets+") \
    X(KEY_MINUTES, "minutes:")     \
    X(KEY_REVIEWS, "reviews")      \
    X(KEY_REVIEW, "review:")

#define VIEW_KEY_ENUM(name, text) name,
enum view_key { VIEW_KEY_MAP(VIEW_KEY_ENUM) VIEW_KEYS };
#undef VIEW_KEY_ENUM

#define VIEW_KEY_NAME(name, text) text,
static const char *const key_names[VIEW_KEYS] = {VIEW_KEY_MAP(VIEW_KEY_NAME)};
#undef VIEW_KEY_NAME

static const char *const window_names[VIEW_WINDOWS] = {"5m", "60m", "24h"};

/* What is shown of one window: counters of the core, and what follows from them. */
enum derived { FIRST_ATTEMPTS = -1, RETRY_SHARE_BPS = -2 };

static const struct {
    const char *name;
    int count; /* enum count or enum derived */
} shown[] = {
        {"attempts", COUNT_ATTEMPTS},
        {"first_attempts", FIRST_ATTEMPTS},
        {"retries", COUNT_RETRIES},
        {"retry_share_bps", RETRY_SHARE_BPS},
        {"failures", COUNT_FAILURES},
        {"first_attempt_units", COUNT_FIRST_UNITS},
        {"retry_units", COUNT_RETRY_UNITS},
        {"usage_unavailable", COUNT_USAGE_UNAVAILABLE},
        {"late", COUNT_LATE},
};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))
#define WINDOW_FIELDS (VIEW_WINDOWS * SHOWN)

/* What rw:view:minutes:<owner> holds. Within one minute of T counters only grow, retries only
 * with attempts: so while the sum of the minutes before the recent ones is the same, they are. */
struct shown_minutes {
    uint64_t owner_hash;
    int32_t partition;
    int64_t first_minute;
    uint64_t attempts; /* of the minutes before the recent ones */
};

struct views {
    struct table minutes;                        /* of struct shown_minutes */
    struct buffer keys[VIEW_KEYS];               /* how each key begins */
    char fields[VIEW_WINDOWS][SHOWN][NAME_SIZE]; /* <window>:<counter> */
    struct buffer commands;
    size_t count;
    struct buffer owner; /* of the view under way: with @partition where several have it */
    struct buffer field;
};

/* Names are made once: thousands of views a second are written from them. */
struct views *
views_new(const char *prefix)
{
    struct views *views = memory_new(1, sizeof(*views));

    for (size_t i = 0; i < VIEW_KEYS; i++) {
        buffer_printf(&views->keys[i], "%s:view:%s", prefix, key_names[i]);
    }
    for (size_t window = 0; window < VIEW_WINDOWS; window++) {
        for (size_t i = 0; i < SHOWN; i++) {
            snprintf(views->fields[window][i], NAME_SIZE, "%s:%s", window_names[window],
                    shown[i].name);
        }
    }
    return views;
}

static void
forget_minutes(struct views *views)
{
    for (size_t i = 0; i < views->minutes.capacity; i++) {
        free(views->minutes.cells[i].item);
    }
    table_fini(&views->minutes);
    views->minutes = (struct table){0};
}

void
views_destroy(struct views *views)
{
    if (views == NULL) {
        return;
    }
    forget_minutes(views);
    for (size_t i = 0; i < VIEW_KEYS; i++) {
        buffer_fini(&views->keys[i]);
    }
    buffer_fini(&views->commands);
    buffer_fini(&views->owner);
    buffer_fini(&views->field);
    free(views);
}

struct span
views_commands(const struct views *views, size_t *command_count)
{
    *command_count = views->count;
    return buffer_span(&views->commands);
}

void
views_clear(struct views *views)
{
    buffer_clear(&views->commands);
    views->count = 0;
}

void
views_failed(struct views *views)
{
    views_clear(views);
    forget_minutes(views);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void
begin(struct views *views, const char *command, size_t word_count)
{
    resp_begin(&views->commands, word_count);
    resp_put_text(&views->commands, command);
    views->count += 1;
}

/* A key, and behind it what it is for. */
static void
put_key(struct views *views, enum view_key key, struct span of)
{
    resp_put_pair(&views->commands, buffer_span(&views->keys[key]), of);
}

static void
put_field(struct views *views, const char *name, uint64_t value)
{
    resp_put_text(&views->commands, name);
    resp_put_unsigned(&views->commands, value);
}

/* Owners that live in several partitions have a view in each. */
static struct span
owner_name(struct views *views, int32_t partition, struct span owner)
{
    buffer_clear(&views->owner);
    buffer_put(&views->owner, owner.data, owner.size);
    if (span_equal(owner, span_of(DIM_MISSING)) || span_equal(owner, span_of(DIM_OTHER))) {
        buffer_printf(&views->owner, "@%" PRId32, partition);
    }
    return buffer_span(&views->owner);
}

/* ---- owners ---------------------------------------------------------------------------------- */

static uint64_t
shown_value(const uint64_t totals[COUNT_BASE], int count)
{
    const uint64_t attempts = totals[COUNT_ATTEMPTS];
    const uint64_t retries = totals[COUNT_RETRIES];

    switch (count) {
    case FIRST_ATTEMPTS:
        return attempts >= retries ? attempts - retries : 0;
    case RETRY_SHARE_BPS:
        return (uint64_t)share_bps(retries, attempts);
    default:
        return totals[count];
    }
}

/* Fields <before><window>:<counter>; before is empty, or a bucket and a colon. */
static void
put_windows(
        struct views *views, struct span before, const uint64_t totals[VIEW_WINDOWS][COUNT_BASE])
{
    for (size_t window = 0; window < VIEW_WINDOWS; window++) {
        for (size_t i = 0; i < SHOWN; i++) {
            resp_put_pair(&views->commands, before, span_of(views->fields[window][i]));
            resp_put_unsigned(&views->commands, shown_value(totals[window], shown[i].count));
        }
    }
}

static void
put_owner_hash(
        struct views *views, int32_t partition, const struct owner_view *view, struct span owner)
{
    begin(views, "HSET", 2 + 2 * (WINDOW_FIELDS + 4));
    put_key(views, KEY_OWNER, owner);
    put_windows(views, SPAN_NULL, view->totals);
    put_field(views, "open_reviews", view->open_reviews);
    put_field(views, "too_late", view->totals[VIEW_24H][COUNT_TOO_LATE]);
    put_field(views, "as_of", (uint64_t)view->as_of_ms);
    put_field(views, "partition", (uint64_t)partition);
}

/* The buckets from first on, as many as one HSET may hold; returns the next one. */
static size_t
put_some_buckets(struct views *views, enum view_key key, const struct owner_view *view,
        struct span owner, size_t first)
{
    const size_t left = view->bucket_count - first;
    const size_t count = left < FIELDS_MAX / WINDOW_FIELDS ? left : FIELDS_MAX / WINDOW_FIELDS;

    begin(views, "HSET", 2 + 2 * count * WINDOW_FIELDS);
    put_key(views, key, owner);
    for (size_t i = first; i < first + count; i++) {
        buffer_clear(&views->field);
        buffer_put(&views->field, view->buckets[i].bucket.data, view->buckets[i].bucket.size);
        buffer_put_byte(&views->field, ':');
        put_windows(views, buffer_span(&views->field), view->buckets[i].totals);
    }
    return first + count;
}

/* More buckets than one HSET may hold: written aside, command after command, and put in their
 * place by put_buckets(). */
static void
put_many_buckets(struct views *views, const struct owner_view *view, struct span owner)
{
    begin(views, "UNLINK", 2);
    put_key(views, KEY_NEW_BUCKETS, owner);
    for (size_t i = 0; i < view->bucket_count;) {
        i = put_some_buckets(views, KEY_NEW_BUCKETS, view, owner, i);
    }
}

static bool
are_many_buckets(const struct owner_view *view)
{
    return view->bucket_count > FIELDS_MAX / WINDOW_FIELDS;
}

/* Buckets that vanished vanish here too: the hash is written anew. */
static void
put_buckets(struct views *views, const struct owner_view *view, struct span owner)
{
    begin(views, "UNLINK", 2);
    put_key(views, KEY_BUCKETS, owner);
    if (are_many_buckets(view)) {
        begin(views, "RENAME", 3);
        put_key(views, KEY_NEW_BUCKETS, owner);
        put_key(views, KEY_BUCKETS, owner);
    } else if (view->bucket_count != 0) {
        put_some_buckets(views, KEY_BUCKETS, view, owner, 0);
    }
}

/* What is remembered of an owner whose minutes are shown by this partition, or NULL. */
static struct shown_minutes *
find_minutes(const struct views *views, int32_t partition, uint64_t owner_hash)
{
    size_t at = 0;

    for (struct shown_minutes *shown_minutes;
            (shown_minutes = table_next(&views->minutes, owner_hash, &at)) != NULL;) {
        if (shown_minutes->partition == partition) {
            return shown_minutes;
        }
    }
    return NULL;
}

static void
remember_minutes(struct views *views, const struct shown_minutes *minutes)
{
    struct shown_minutes *known = find_minutes(views, minutes->partition, minutes->owner_hash);

    if (known == NULL && views->minutes.count >= OWNERS_MAX) {
        forget_minutes(views);
    }
    if (known == NULL) {
        known = memory_new(1, sizeof(*known));
        table_add(&views->minutes, minutes->owner_hash, known);
    }
    *known = *minutes;
}

/* Minutes with traffic only; a chart fills the gaps. */
static void
put_minutes_from(
        struct views *views, const struct owner_view *view, struct span owner, size_t first)
{
    size_t count = 0;

    for (size_t i = first; i < WINDOW_L_MINUTES; i++) {
        count += view->minute_attempts[i] != 0;
    }
    if (count == 0) {
        return;
    }
    begin(views, "HSET", 2 + 4 * count);
    put_key(views, KEY_MINUTES, owner);
    for (size_t i = first; i < WINDOW_L_MINUTES; i++) {
        char name[NAME_SIZE];

        if (view->minute_attempts[i] != 0) {
            snprintf(name, sizeof(name), "%" PRId64 ":attempts", view->first_minute + (int64_t)i);
            put_field(views, name, view->minute_attempts[i]);
            snprintf(name, sizeof(name), "%" PRId64 ":retries", view->first_minute + (int64_t)i);
            put_field(views, name, view->minute_retries[i]);
        }
    }
}

/* A hash of an hour of minutes costs Redis more than all other views of an owner together, and most
 * of it is as it was a second ago: written anew, without the minutes that left, once a minute and
 * when a late event came; else the recent minutes alone. */
static void
put_minutes(
        struct views *views, int32_t partition, const struct owner_view *view, struct span owner)
{
    const size_t recent = WINDOW_L_MINUTES - RECENT_MINUTES;
    struct shown_minutes now = {.owner_hash = hash_spans(&owner, 1),
            .partition = partition,
            .first_minute = view->first_minute};

    for (size_t i = 0; i < recent; i++) {
        now.attempts += view->minute_attempts[i];
    }
    const struct shown_minutes *known = find_minutes(views, partition, now.owner_hash);

    if (known != NULL && known->first_minute == now.first_minute &&
            known->attempts == now.attempts) {
        put_minutes_from(views, view, owner, recent);
        return;
    }
    begin(views, "UNLINK", 2);
    put_key(views, KEY_MINUTES, owner);
    put_minutes_from(views, view, owner, 0);
    remember_minutes(views, &now);
}

int32_t
views_other_partition(struct views *views, int32_t partition, struct span owner)
{
    const struct span name = owner_name(views, partition, owner);
    const uint64_t hash = hash_spans(&name, 1);
    const struct shown_minutes *known;
    size_t at = 0;

    while ((known = table_next(&views->minutes, hash, &at)) != NULL) {
        if (known->partition != partition) {
            return known->partition;
        }
    }
    return -1;
}

void
views_put_owner(struct views *views, int32_t partition, const struct owner_view *view)
{
    const struct span owner = owner_name(views, partition, view->owner);

    if (are_many_buckets(view)) {
        put_many_buckets(views, view, owner);
    }
    /* In one MULTI, so that no reader sees a hash between its UNLINK and its HSET. */
    begin(views, "MULTI", 1);
    if (view->last_event_ms != TIME_NULL) {
        begin(views, "ZADD", 5);
        put_key(views, KEY_OWNERS, SPAN_NULL);
        resp_put_text(&views->commands, "GT"); /* after a restart it may be known less exactly */
        resp_put_signed(&views->commands, view->last_event_ms);
        resp_put(&views->commands, owner);
    }
    put_owner_hash(views, partition, view, owner);
    put_buckets(views, view, owner);
    put_minutes(views, partition, view, owner);
    begin(views, "EXEC", 1);
}

static void
forget_minutes_of(struct views *views, int32_t partition, struct span owner)
{
    const uint64_t hash = hash_spans(&owner, 1);
    struct shown_minutes *known = find_minutes(views, partition, hash);

    if (known != NULL) {
        table_remove(&views->minutes, hash, known);
        free(known);
    }
}

void
views_forget_owner(struct views *views, int32_t partition, struct span owner)
{
    static const enum view_key keys[] = {KEY_OWNER, KEY_BUCKETS, KEY_NEW_BUCKETS, KEY_MINUTES};
    const struct span name = owner_name(views, partition, owner);

    begin(views, "ZREM", 3);
    put_key(views, KEY_OWNERS, SPAN_NULL);
    resp_put(&views->commands, name);
    begin(views, "UNLINK", 1 + sizeof(keys) / sizeof(keys[0]));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        put_key(views, keys[i], name);
    }
    forget_minutes_of(views, partition, name);
}

/* ---- reviews --------------------------------------------------------------------------------- */

/* After a crash the same reviews are shown again, and a former owner may still show old ones: what
 * is older than what is there is left out. KEYS: the review, the set of open ones. ARGV: sequence,
 * id, score ("" when it is resolved), seconds to keep it, then fields and values. */
static const char show_review[] = "local s = redis.call('HGET', KEYS[1], 'sequence') "
                                  "if s and tonumber(s) > tonumber(ARGV[1]) then return 0 end "
                                  "redis.call('DEL', KEYS[1]) "
                                  "redis.call('HSET', KEYS[1], unpack(ARGV, 5)) "
                                  "if ARGV[3] == '' then redis.call('ZREM', KEYS[2], ARGV[2]) "
                                  "redis.call('EXPIRE', KEYS[1], ARGV[4]) "
                                  "else redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2]) end return 1";

/* Text as it is; numbers and booleans as text; lists, records and maps as JSON; null is empty. */
static void
put_json_value(struct views *views, const json_t *value)
{
    char *text = NULL;

    switch (json_typeof(value)) {
    case JSON_STRING:
        resp_put(&views->commands, (struct span){(const uint8_t *)json_string_value(value),
                                           json_string_length(value)});
        return;
    case JSON_INTEGER:
        resp_put_signed(&views->commands, json_integer_value(value));
        return;
    case JSON_NULL:
        resp_put_text(&views->commands, "");
        return;
    default:
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        resp_put_text(&views->commands, text != NULL ? text : "");
        free(text);
    }
}

static void
put_review(struct views *views, json_t *review)
{
    const char *id = json_string_value(json_object_get(review, "review_id"));
    const char *status = json_string_value(json_object_get(review, "status"));
    const bool resolved = strcmp(status, review_status_names[REVIEW_STATUS_RESOLVED]) == 0;
    char *whole = json_dumps(review, JSON_COMPACT);
    const char *name = NULL;
    json_t *value = NULL;

    begin(views, "EVAL", 9 + 2 * (json_object_size(review) + 1));
    resp_put_text(&views->commands, show_review);
    resp_put_text(&views->commands, "2");
    put_key(views, KEY_REVIEW, span_of(id));
    put_key(views, KEY_REVIEWS, SPAN_NULL);
    resp_put_signed(&views->commands, json_integer_value(json_object_get(review, "sequence")));
    resp_put_text(&views->commands, id);
    if (resolved) {
        resp_put_text(&views->commands, "");
    } else {
        resp_put_signed(&views->commands, json_integer_value(json_object_get(review, "starts_at")));
    }
    resp_put_text(&views->commands, RESOLVED_KEPT_SECONDS);
    json_object_foreach(review, name, value)
    {
        resp_put_text(&views->commands, name);
        put_json_value(views, value);
    }
    resp_put_text(&views->commands, "json");
    resp_put_text(&views->commands, whole != NULL ? whole : "");
    free(whole);
}

enum status
views_put_review(struct views *views, struct span record, struct error *error)
{
    json_t *review = NULL;
    const enum status status = review_decode(record, &review, error);

    if (status == STATUS_OK) {
        put_review(views, review);
        json_decref(review);
    }
    return status;
}
