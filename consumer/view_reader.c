/* view_reader.c - reads from Redis what views.c writes there, as JSON: names, replies, owners.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/view_reader_internal.h"

#include "consumer/human.h"
#include "consumer/nearest.h"
#include "consumer/redis_scan.h"
#include "consumer/resp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define MINUTE_MS INT64_C(60000)
#define NUMBER_SIZE 24
#define SUGGESTED 1000 /* owners that a wrong name is compared with */

enum status
view_reader_new(const struct config *config, struct view_reader **out, struct error *error)
{
    const struct redis_link_options options = {.url = config->redis.url,
            .username = config->redis.username,
            .password = config->redis.password,
            .timeout_ms = config->redis.timeout_ms};
    struct redis_link *link = NULL;
    const enum status status = redis_link_new(&options, &link, error);

    if (status == STATUS_OK) {
        struct view_reader *reader = memory_new(1, sizeof(*reader));

        reader->config = config;
        reader->link = link;
        *out = reader;
    }
    return status;
}

void
view_reader_destroy(struct view_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    redis_link_destroy(reader->link);
    buffer_fini(&reader->commands);
    free(reader);
}

const char *
view_reader_address(const struct view_reader *reader)
{
    return redis_link_address(reader->link);
}

/* ---- commands and replies -------------------------------------------------------------------- */

static void
put_key_of(const struct config *config, struct buffer *out, const char *kind, struct span of)
{
    buffer_printf(out, "%s:view:%s", config->redis.prefix, kind);
    buffer_put(out, of.data, of.size);
}

void
view_reader_put_key(struct view_reader *reader, const char *kind, struct span of)
{
    struct buffer key = {0};

    put_key_of(reader->config, &key, kind, of);
    resp_put(&reader->commands, buffer_span(&key));
    buffer_fini(&key);
}

enum status
view_reader_send(struct view_reader *reader, struct error *error)
{
    enum status status = redis_link_connect(reader->link, error);

    if (status == STATUS_OK) {
        status = redis_link_send(reader->link, buffer_span(&reader->commands), NULL, error);
    }
    buffer_clear(&reader->commands);
    return status;
}

enum status
view_reader_reply(struct view_reader *reader, const char *what, const struct redis_reply **reply,
        struct error *error)
{
    enum status status = redis_link_read(reader->link, reply, error);

    if (status == STATUS_OK) {
        status = redis_reply_status(reader->link, *reply, what, error);
    }
    if (status != STATUS_OK) {
        redis_link_close(reader->link); /* the replies of a pipeline are still to come */
    }
    return status;
}

enum status
view_reader_ask(struct view_reader *reader, const char *what, const struct redis_reply **reply,
        struct error *error)
{
    const enum status status = view_reader_send(reader, error);

    return status == STATUS_OK ? view_reader_reply(reader, what, reply, error) : status;
}

bool
view_number(struct span text, int64_t *number)
{
    char digits[NUMBER_SIZE];
    char *end = NULL;

    if (text.size == 0 || text.size >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    errno = 0;

    const long long value = strtoll(digits, &end, 10);

    if (*end != '\0') {
        return false;
    }
    *number = value;
    return true;
}

json_t *
view_text(struct span text)
{
    struct buffer harmless = {0};
    json_t *string = json_stringn((const char *)text.data, text.size);

    if (string == NULL) {
        human_put_text(&harmless, text);
        string = json_stringn((const char *)harmless.data, harmless.size);
        buffer_fini(&harmless);
    }
    return string;
}

json_t *
view_sorted(json_t *array, int (*compare)(const void *a, const void *b))
{
    const size_t count = json_array_size(array);
    json_t **items = memory_new(count + 1, sizeof(*items));
    json_t *sorted = json_array();

    for (size_t i = 0; i < count; i++) {
        items[i] = json_array_get(array, i);
    }
    qsort(items, count, sizeof(*items), compare);
    for (size_t i = 0; i < count; i++) {
        json_array_append(sorted, items[i]);
    }
    free(items);
    json_decref(array);
    return sorted;
}

/* ---- names ----------------------------------------------------------------------------------- */

void
view_names_fini(struct view_names *names)
{
    arena_fini(&names->arena);
    free(names->items);
}

void
view_names_add(struct view_names *names, struct span name, int64_t score)
{
    names->items = memory_grow(names->items, names->count, &names->capacity, sizeof(*names->items));
    names->items[names->count++] = (struct view_name){arena_copy(&names->arena, name), score, 0};
}

static int
compare_names(const void *a, const void *b)
{
    const struct view_name *first = a;
    const struct view_name *second = b;

    return span_compare(first->name, second->name);
}

static int
compare_ranks(const void *a, const void *b)
{
    const struct view_name *first = a;
    const struct view_name *second = b;
    const int order = (first->rank < second->rank) - (first->rank > second->rank);

    return order != 0 ? order : span_compare(first->name, second->name);
}

void
view_names_sort(struct view_names *names)
{
    size_t kept = 0;

    if (names->count == 0) {
        return;
    }
    qsort(names->items, names->count, sizeof(*names->items), compare_names);
    for (size_t i = 0; i < names->count; i++) {
        if (kept == 0 || !span_equal(names->items[kept - 1].name, names->items[i].name)) {
            names->items[kept++] = names->items[i];
        }
    }
    names->count = kept;
    qsort(names->items, names->count, sizeof(*names->items), compare_ranks);
}

/* ---- which owners ---------------------------------------------------------------------------- */

/* A list of member, score, member, score, ... */
static void
add_scored(struct view_names *names, const struct redis_reply *list)
{
    for (size_t i = 0; i + 1 < list->item_count; i += 2) {
        int64_t score = 0;

        (void)view_number(list->items[i + 1]->text, &score); /* not ours: 0 */
        view_names_add(names, list->items[i]->text, score);
    }
}

/* The most recent ones, from the set that is sorted so. */
static enum status
read_recent(struct view_reader *reader, size_t limit, struct view_names *names, struct error *error)
{
    const struct redis_reply *reply = NULL;

    resp_begin(&reader->commands, 5);
    resp_put_text(&reader->commands, "ZREVRANGE");
    view_reader_put_key(reader, "owners", SPAN_NULL);
    resp_put_text(&reader->commands, "0");
    resp_put_signed(&reader->commands, limit == 0 ? -1 : (int64_t)limit - 1);
    resp_put_text(&reader->commands, "WITHSCORES");

    const enum status status = view_reader_ask(reader, "ZREVRANGE view:owners", &reply, error);

    if (status == STATUS_OK) {
        add_scored(names, reply);
    }
    return status;
}

/* One step of ZSCAN: adds the names; cursor becomes the next one, "0" at the end. */
static enum status
scan_names(struct view_reader *reader, struct buffer *cursor, struct view_names *names,
        struct error *error)
{
    const struct redis_reply *reply = NULL;

    resp_begin(&reader->commands, 5);
    resp_put_text(&reader->commands, "ZSCAN");
    view_reader_put_key(reader, "owners", SPAN_NULL);
    resp_put(&reader->commands, buffer_span(cursor));
    resp_put_text(&reader->commands, "COUNT");
    resp_put_text(&reader->commands, VIEW_PAGE_TEXT);

    const enum status status = view_reader_ask(reader, "ZSCAN view:owners", &reply, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (reply->item_count != 2) {
        return error_set(error, STATUS_REFUSED, "Redis at %s: ZSCAN gave no list of owners",
                view_reader_address(reader));
    }
    buffer_clear(cursor);
    buffer_put(cursor, reply->items[0]->text.data, reply->items[0]->text.size);
    add_scored(names, reply->items[1]);
    return STATUS_OK;
}

/* names[first] and on get the value of that field as their rank. */
static enum status
rank_names(struct view_reader *reader, struct view_names *names, size_t first, const char *field,
        struct error *error)
{
    const struct redis_reply *reply = NULL;
    enum status status = STATUS_OK;

    for (size_t i = first; i < names->count; i++) {
        resp_begin(&reader->commands, 3);
        resp_put_text(&reader->commands, "HGET");
        view_reader_put_key(reader, "owner:", names->items[i].name);
        resp_put_text(&reader->commands, field);
    }
    if (first < names->count) {
        status = view_reader_send(reader, error);
    }
    for (size_t i = first; i < names->count && status == STATUS_OK; i++) {
        status = view_reader_reply(reader, "HGET view:owner", &reply, error);
        if (status == STATUS_OK && reply->kind == REDIS_REPLY_IS_STRING) {
            (void)view_number(reply->text, &names->items[i].rank); /* not ours: 0 */
        }
    }
    return status;
}

/* All of them by a field of their view: the whole set is walked, for it may change meanwhile. */
static enum status
read_ranked(struct view_reader *reader, const char *field, size_t limit, struct view_names *names,
        struct error *error)
{
    struct buffer cursor = {0};
    enum status status;

    buffer_put_text(&cursor, "0");
    do {
        const size_t first = names->count;

        status = scan_names(reader, &cursor, names, error);
        if (status == STATUS_OK) {
            status = rank_names(reader, names, first, field, error);
        }
    } while (status == STATUS_OK && !span_equal(buffer_span(&cursor), span_of("0")));
    buffer_fini(&cursor);
    view_names_sort(names);
    if (limit != 0 && names->count > limit) {
        names->count = limit;
    }
    return status;
}

/* ---- what is said of them -------------------------------------------------------------------- */

/* Split at the last colon: names may hold colons themselves. */
static bool
split_last(struct span text, struct span *before, struct span *after)
{
    for (size_t i = text.size; i > 0; i--) {
        if (text.data[i - 1] == ':') {
            *before = (struct span){text.data, i - 1};
            *after = (struct span){text.data + i, text.size - i};
            return true;
        }
    }
    return false;
}

/* object[name], an object itself; made when it is missing, NULL when the name is not UTF-8. */
static json_t *
inner_object(json_t *object, struct span name)
{
    json_t *inner = json_object_getn(object, (const char *)name.data, name.size);

    if (inner == NULL &&
            json_object_setn_new(object, (const char *)name.data, name.size, json_object()) == 0) {
        inner = json_object_getn(object, (const char *)name.data, name.size);
    }
    return inner;
}

static void
set_number(json_t *object, struct span name, struct span value)
{
    int64_t number = 0;

    if (view_number(value, &number)) {
        json_object_setn_new(object, (const char *)name.data, name.size, json_integer(number));
    }
}

/* A field of an owner's hash: <window>:<counter>, or something said once. */
static void
set_owner_field(json_t *owner, struct span field, struct span value)
{
    struct span window;
    struct span counter;

    if (split_last(field, &window, &counter)) {
        set_number(inner_object(json_object_get(owner, "windows"), window), counter, value);
    } else {
        set_number(owner, field, value);
    }
}

static json_t *
owner_object(struct span name)
{
    json_t *owner = json_object();

    json_object_set_new(owner, "owner", view_text(name));
    json_object_set_new(owner, "windows", json_object());
    return owner;
}

static enum status
visit_owner(void *context, size_t hash, struct span field, struct span value, struct error *error)
{
    (void)error;
    set_owner_field(json_array_get(context, hash), field, value);
    return STATUS_OK;
}

/* The hashes of all names, and so the array. */
static enum status
read_owner_hashes(struct view_reader *reader, const struct view_names *names, json_t *owners,
        struct error *error)
{
    struct span *keys = memory_new(names->count + 1, sizeof(*keys));
    struct arena arena;
    struct buffer key = {0};

    arena_init(&arena);
    for (size_t i = 0; i < names->count; i++) {
        json_t *owner = owner_object(names->items[i].name);

        json_object_set_new(owner, "last_event", json_integer(names->items[i].score));
        json_array_append_new(owners, owner);
        buffer_clear(&key);
        put_key_of(reader->config, &key, "owner:", names->items[i].name);
        keys[i] = arena_copy(&arena, buffer_span(&key));
    }

    const enum status status =
            redis_scan(reader->link, keys, names->count, visit_owner, owners, error);

    buffer_fini(&key);
    arena_fini(&arena);
    free(keys);
    return status;
}

enum status
view_reader_owners(struct view_reader *reader, enum view_sort sort, size_t limit, json_t **out,
        struct error *error)
{
    static const char *const fields[] = {
            [VIEW_SORT_RETRIES] = "60m:retries",
            [VIEW_SORT_SHARE] = "60m:retry_share_bps",
            [VIEW_SORT_REVIEWS] = "open_reviews",
    };
    struct view_names names = {0};
    json_t *owners = json_array();
    enum status status = sort == VIEW_SORT_LAST
                                 ? read_recent(reader, limit, &names, error)
                                 : read_ranked(reader, fields[sort], limit, &names, error);

    if (status == STATUS_OK) {
        status = read_owner_hashes(reader, &names, owners, error);
    }
    if (status == STATUS_OK) {
        *out = json_incref(owners);
    }
    json_decref(owners);
    view_names_fini(&names);
    return status;
}

/* ---- one owner ------------------------------------------------------------------------------- */

enum { HASH_OWNER, HASH_BUCKETS, HASH_MINUTES, HASHES };

struct one_owner {
    json_t *owner;
    json_t *buckets; /* bucket -> {"windows"} */
    json_t *minutes; /* epoch minute, decimal -> {"attempts", "retries"} */
};

static enum status
visit_one(void *context, size_t hash, struct span field, struct span value, struct error *error)
{
    struct one_owner *one = context;
    struct span before;
    struct span window;
    struct span counter;

    (void)error;
    if (hash == HASH_OWNER) {
        set_owner_field(one->owner, field, value);
    } else if (!split_last(field, &before, &counter)) {
        return STATUS_OK; /* not ours */
    } else if (hash == HASH_MINUTES) {
        set_number(inner_object(one->minutes, before), counter, value);
    } else if (split_last(before, &before, &window)) {
        json_t *bucket = inner_object(one->buckets, before);

        if (bucket != NULL) {
            set_number(
                    inner_object(inner_object(bucket, span_of("windows")), window), counter, value);
        }
    }
    return STATUS_OK;
}

static int64_t
hour_retries(const json_t *bucket)
{
    const json_t *hour = json_object_get(json_object_get(bucket, "windows"), "60m");

    return json_integer_value(json_object_get(hour, "retries"));
}

static int
compare_buckets(const void *a, const void *b)
{
    const json_t *first = *(json_t *const *)a;
    const json_t *second = *(json_t *const *)b;
    const int64_t x = hour_retries(first);
    const int64_t y = hour_retries(second);

    return x != y ? (x < y) - (x > y)
                  : strcmp(json_string_value(json_object_get(first, "bucket")),
                            json_string_value(json_object_get(second, "bucket")));
}

static json_t *
bucket_array(json_t *buckets)
{
    json_t *array = json_array();
    const char *name = NULL;
    json_t *bucket = NULL;

    json_object_foreach(buckets, name, bucket)
    {
        json_object_set_new(bucket, "bucket", json_string(name));
        json_array_append(array, bucket);
    }
    return view_sorted(array, compare_buckets);
}

/* The hour that ends with the minute of as_of, minutes without traffic too. */
static json_t *
minute_array(const json_t *minutes, int64_t as_of_ms)
{
    const int64_t last = as_of_ms / MINUTE_MS;
    json_t *array = json_array();

    for (int64_t minute = last - (WINDOW_L_MINUTES - 1); minute <= last; minute++) {
        char name[NUMBER_SIZE];

        snprintf(name, sizeof(name), "%" PRId64, minute);

        const json_t *counts = json_object_get(minutes, name);

        const json_int_t begins_ms = minute * MINUTE_MS;

        json_array_append_new(
                array, json_pack("{s:I, s:I, s:I}", "minute", begins_ms, "attempts",
                               json_integer_value(json_object_get(counts, "attempts")), "retries",
                               json_integer_value(json_object_get(counts, "retries"))));
    }
    return array;
}

static enum status
scan_one(struct view_reader *reader, struct span name, struct one_owner *one, struct error *error)
{
    static const char *const kinds[HASHES] = {"owner:", "buckets:", "minutes:"};
    struct buffer names[HASHES] = {0};
    struct span keys[HASHES];
    enum status status;

    for (size_t i = 0; i < HASHES; i++) {
        put_key_of(reader->config, &names[i], kinds[i], name);
        keys[i] = buffer_span(&names[i]);
    }
    status = redis_scan(reader->link, keys, HASHES, visit_one, one, error);
    for (size_t i = 0; i < HASHES; i++) {
        buffer_fini(&names[i]);
    }
    return status;
}

/* STATUS_FAILED, with the name that was probably meant. */
static enum status
no_such_owner(struct view_reader *reader, const char *owner, struct error *error)
{
    struct view_names names = {0};
    struct nearest nearest = {.word = owner};
    struct buffer name = {0};
    enum status status = read_recent(reader, SUGGESTED, &names, error);

    for (size_t i = 0; i < names.count; i++) {
        buffer_clear(&name);
        human_put_text(&name, names.items[i].name);
        buffer_put_byte(&name, '\0');
        nearest_offer(&nearest, (const char *)arena_copy(&names.arena, buffer_span(&name)).data);
    }
    if (status == STATUS_OK) {
        status = error_set(error, STATUS_FAILED,
                "Redis at %s has no owner %s under %s:view:owners%s%s%s",
                view_reader_address(reader), owner, reader->config->redis.prefix,
                nearest.found != NULL ? ", did you mean " : "",
                nearest.found != NULL ? nearest.found : "", nearest.found != NULL ? "?" : "");
    }
    buffer_fini(&name);
    view_names_fini(&names);
    return status;
}

static bool
is_review_of(const json_t *review, const char *owner)
{
    const char *tag =
            json_string_value(json_object_get(json_object_get(review, "scope"), "owner_tag"));
    const json_t *partition = json_object_get(json_object_get(review, "evidence"), "partition");
    char with_partition[NUMBER_SIZE + sizeof(DIM_MISSING)];

    if (tag == NULL || strcmp(tag, owner) == 0) {
        return tag != NULL;
    }
    if (strcmp(tag, DIM_MISSING) != 0 && strcmp(tag, DIM_OTHER) != 0) {
        return false;
    }
    snprintf(with_partition, sizeof(with_partition), "%s@%d", tag,
            (int)json_integer_value(partition));
    return strcmp(with_partition, owner) == 0;
}

static enum status
add_reviews(struct view_reader *reader, json_t *owner, const char *name, struct error *error)
{
    json_t *all = NULL;
    json_t *mine = json_array();
    const enum status status = view_reader_reviews(reader, false, &all, error);

    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *review = json_array_get(all, i);

        if (is_review_of(review, name)) {
            json_array_append(mine, review);
        }
    }
    json_object_set_new(owner, "reviews", mine);
    json_decref(all);
    return status;
}

enum status
view_reader_owner(struct view_reader *reader, const char *owner, json_t **out, struct error *error)
{
    struct one_owner one = {.owner = owner_object(span_of(owner)), json_object(), json_object()};
    enum status status = scan_one(reader, span_of(owner), &one, error);
    const json_t *as_of = json_object_get(one.owner, "as_of");

    if (status == STATUS_OK && as_of == NULL) {
        status = no_such_owner(reader, owner, error);
    }
    if (status == STATUS_OK) {
        json_object_set_new(one.owner, "buckets", bucket_array(one.buckets));
        json_object_set_new(
                one.owner, "minutes", minute_array(one.minutes, json_integer_value(as_of)));
        status = add_reviews(reader, one.owner, owner, error);
    }
    if (status == STATUS_OK) {
        *out = json_incref(one.owner);
    }
    json_decref(one.owner);
    json_decref(one.buckets);
    json_decref(one.minutes);
    return status;
}
