/* view_reader_reviews.c - reads from Redis what views.c writes there, as JSON: reviews.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/view_reader_internal.h"

#include "codec/state.h"
#include "consumer/human.h"
#include "consumer/redis_scan.h"
#include "consumer/redis_space.h"
#include "consumer/resp.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#define AMBIGUOUS_SHOWN 4

/* ---- which ----------------------------------------------------------------------------------- */

static bool
begins(struct span text, struct span beginning)
{
    return text.size >= beginning.size && memcmp(text.data, beginning.data, beginning.size) == 0;
}

/* The ids of open reviews that begin so. */
static enum status
list_open(struct view_reader *reader, struct span beginning, struct view_names *ids,
        struct error *error)
{
    const struct redis_reply *reply = NULL;

    resp_begin(&reader->commands, 4);
    resp_put_text(&reader->commands, "ZRANGE");
    view_reader_put_key(reader, "reviews", SPAN_NULL);
    resp_put_text(&reader->commands, "0");
    resp_put_text(&reader->commands, "-1");

    const enum status status = view_reader_ask(reader, "ZRANGE view:reviews", &reply, error);

    for (size_t i = 0; status == STATUS_OK && i < reply->item_count; i++) {
        if (begins(reply->items[i]->text, beginning)) {
            view_names_add(ids, reply->items[i]->text, 0);
        }
    }
    return status;
}

/* <prefix>:view:review:<beginning>*, with what a pattern would read otherwise escaped. */
static void
put_pattern(struct view_reader *reader, struct span beginning)
{
    struct buffer pattern = {0};

    for (const char *at = reader->config->redis.prefix; *at != '\0'; at++) {
        if (strchr("*?[]\\^", *at) != NULL) {
            buffer_put_byte(&pattern, '\\');
        }
        buffer_put_byte(&pattern, (uint8_t)*at);
    }
    buffer_put_text(&pattern, ":view:review:");
    buffer_put(&pattern, beginning.data, beginning.size);
    buffer_put_byte(&pattern, '*');
    resp_put(&reader->commands, buffer_span(&pattern));
    buffer_fini(&pattern);
}

/* One step of SCAN over all keys: adds what it finds; cursor becomes the next, "0" at the end. */
static enum status
scan_kept(struct view_reader *reader, struct buffer *cursor, struct span beginning,
        struct view_names *ids, struct error *error)
{
    const struct redis_reply *reply = NULL;
    const size_t before = strlen(reader->config->redis.prefix) + strlen(":view:review:");

    resp_begin(&reader->commands, 6);
    resp_put_text(&reader->commands, "SCAN");
    resp_put(&reader->commands, buffer_span(cursor));
    resp_put_text(&reader->commands, "MATCH");
    put_pattern(reader, beginning);
    resp_put_text(&reader->commands, "COUNT");
    resp_put_text(&reader->commands, "1000");

    const enum status status = view_reader_ask(reader, "SCAN", &reply, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (reply->item_count != 2) {
        return error_set(error, STATUS_REFUSED, "Redis at %s: SCAN gave no list of keys",
                view_reader_address(reader));
    }
    buffer_clear(cursor);
    buffer_put(cursor, reply->items[0]->text.data, reply->items[0]->text.size);
    for (size_t i = 0; i < reply->items[1]->item_count; i++) {
        const struct span key = reply->items[1]->items[i]->text;

        view_names_add(ids, (struct span){key.data + before, key.size - before}, 0);
    }
    return STATUS_OK;
}

/* The ids of all reviews that begin so, resolved ones too. */
static enum status
list_kept(struct view_reader *reader, struct span beginning, struct view_names *ids,
        struct error *error)
{
    struct buffer cursor = {0};
    enum status status;

    buffer_put_text(&cursor, "0");
    do {
        status = scan_kept(reader, &cursor, beginning, ids, error);
    } while (status == STATUS_OK && !span_equal(buffer_span(&cursor), span_of("0")));
    buffer_fini(&cursor);
    view_names_sort(ids);
    return status;
}

/* ---- what they say --------------------------------------------------------------------------- */

/* The field json of one review; a missing one was deleted meanwhile. */
static enum status
take_packet(struct view_reader *reader, json_t *packets, struct error *error)
{
    const struct redis_reply *reply = NULL;
    const enum status status = view_reader_reply(reader, "HGET view:review", &reply, error);

    if (status != STATUS_OK || reply->kind != REDIS_REPLY_IS_STRING) {
        return status;
    }

    json_t *packet = json_loadb((const char *)reply->text.data, reply->text.size, 0, NULL);

    if (!json_is_object(packet)) {
        json_decref(packet);
        redis_link_close(reader->link);
        return error_set(error, STATUS_REFUSED,
                "Redis at %s: the field json of a key %s:view:review:* is no review",
                view_reader_address(reader), reader->config->redis.prefix);
    }
    json_array_append_new(packets, packet);
    return STATUS_OK;
}

static enum status
read_page(struct view_reader *reader, const struct view_name *ids, size_t count, json_t *packets,
        struct error *error)
{
    enum status status;

    for (size_t i = 0; i < count; i++) {
        resp_begin(&reader->commands, 3);
        resp_put_text(&reader->commands, "HGET");
        view_reader_put_key(reader, "review:", ids[i].name);
        resp_put_text(&reader->commands, "json");
    }
    status = view_reader_send(reader, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = take_packet(reader, packets, error);
    }
    return status;
}

static enum status
read_packets(struct view_reader *reader, const struct view_names *ids, json_t *packets,
        struct error *error)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < ids->count && status == STATUS_OK; i += VIEW_PAGE) {
        const size_t left = ids->count - i;

        status = read_page(
                reader, &ids->items[i], left < VIEW_PAGE ? left : VIEW_PAGE, packets, error);
    }
    return status;
}

static int
compare_reviews(const void *a, const void *b)
{
    const json_t *first = *(json_t *const *)a;
    const json_t *second = *(json_t *const *)b;
    const json_int_t x = json_integer_value(json_object_get(first, "starts_at"));
    const json_int_t y = json_integer_value(json_object_get(second, "starts_at"));

    return (x > y) - (x < y);
}

enum status
view_reader_reviews(struct view_reader *reader, bool all, json_t **out, struct error *error)
{
    struct view_names ids = {0};
    json_t *packets = json_array();
    enum status status = all ? list_kept(reader, span_of(""), &ids, error)
                             : list_open(reader, span_of(""), &ids, error);

    if (status == STATUS_OK) {
        status = read_packets(reader, &ids, packets, error);
    }
    packets = view_sorted(packets, compare_reviews);
    if (status == STATUS_OK) {
        *out = json_incref(packets);
    }
    json_decref(packets);
    view_names_fini(&ids);
    return status;
}

/* ---- one review, and the decision that it rests on ------------------------------------------- */

struct wanted {
    const char *review_id;
    json_t *decision; /* NULL until it is found */
};

static json_t *
decision_object(const struct review *review)
{
    const struct decision *decision = review->adopted;
    const bool holds = review->state == REVIEW_COVERED || review->state == REVIEW_DECIDED;

    return json_pack("{s:o, s:o, s:s, s:o, s:b, s:I, s:I, s:I, s:i, s:b}", "decision_id",
            view_text(decision->decision_id), "decision_owner", view_text(decision->decision_owner),
            "action", decision->action < ACTION_COUNT ? action_names[decision->action] : "unknown",
            "reason", view_text(decision->reason), "accepts_spend_risk",
            decision->accepts_spend_risk, "decided_at", (json_int_t)decision->decided_at_ms,
            "starts_at", (json_int_t)decision_start(decision), "ends_at",
            (json_int_t)review->adopted_end_ms, "limit_bps", (int)review->adopted_limit_bps,
            "holds", holds);
}

/* One group's state; what cannot be read is another version's, and no reason to show nothing. */
static enum status
visit_state(void *context, size_t hash, struct span field, struct span value, struct error *error)
{
    struct wanted *wanted = context;
    struct evidence evidence;
    struct review review;

    (void)hash;
    (void)field;
    (void)error;
    if (review_state_decode(value, &review, &evidence, NULL) != STATUS_OK) {
        return STATUS_OK;
    }
    if (wanted->decision == NULL && strcmp(review.id, wanted->review_id) == 0 &&
            review.adopted != NULL) {
        wanted->decision = decision_object(&review);
    }
    review_fini(&review);
    evidence_fini(&evidence);
    return STATUS_OK;
}

/* A user that may read the views alone is not told: then it is the first, which it cannot read. */
static uint64_t
space_in_use(struct view_reader *reader)
{
    const struct redis_reply *reply = NULL;
    struct error error;
    uint64_t space = REDIS_SPACE_FIRST;

    buffer_clear(&reader->commands);
    redis_space_ask(&reader->commands, reader->config->redis.prefix);
    if (redis_link_call(reader->link, buffer_span(&reader->commands), &reply, &error) ==
            STATUS_OK) {
        (void)!redis_space_answer(reader->link, reply, &space, &error);
    }
    buffer_clear(&reader->commands);
    return space;
}

/* The packet names the decision; who made it and until when it holds is in the group's state. */
static enum status
add_decision(struct view_reader *reader, json_t *packet, struct error *error)
{
    const json_t *evidence = json_object_get(packet, "evidence");
    const char *topic = json_string_value(json_object_get(evidence, "topic"));
    struct wanted wanted = {json_string_value(json_object_get(packet, "review_id")), NULL};
    struct buffer key = {0};
    enum status status = STATUS_OK;

    if (topic == NULL || wanted.review_id == NULL ||
            !json_is_string(json_object_get(packet, "last_decision"))) {
        return STATUS_OK;
    }
    redis_space_put(&key, reader->config->redis.prefix, topic,
            (int32_t)json_integer_value(json_object_get(evidence, "partition")),
            space_in_use(reader));
    buffer_put_text(&key, "reviews");

    const struct span keys[] = {buffer_span(&key)};

    status = redis_scan(reader->link, keys, 1, visit_state, &wanted, error);
    if (status == STATUS_AUTH || status == STATUS_REFUSED) {
        status = STATUS_OK; /* a user that may read the views alone */
    }
    if (wanted.decision != NULL) {
        json_object_set_new(packet, "decision", wanted.decision);
    }
    buffer_fini(&key);
    return status;
}

/* Exactly one. */
static enum status
check_found(struct view_reader *reader, const char *id, const struct view_names *ids,
        struct error *error)
{
    struct buffer text = {0};

    if (ids->count == 1) {
        return STATUS_OK;
    }
    if (ids->count == 0) {
        return error_set(error, STATUS_FAILED,
                "Redis at %s has no review %s under %s:view:review:*; `retrywatch reviews --all` "
                "lists them",
                view_reader_address(reader), id, reader->config->redis.prefix);
    }
    for (size_t i = 0; i < ids->count && i < AMBIGUOUS_SHOWN; i++) {
        buffer_put_text(&text, i == 0 ? "" : ", ");
        human_put_text(&text, ids->items[i].name);
    }

    const enum status status = error_set(error, STATUS_FAILED, "%zu reviews begin with %s: %.*s%s",
            ids->count, id, (int)text.size, (const char *)text.data,
            ids->count > AMBIGUOUS_SHOWN ? ", ..." : "");

    buffer_fini(&text);
    return status;
}

/* Those that are open go before those that are resolved. */
static enum status
find_review(struct view_reader *reader, const char *id, json_t **packet, struct error *error)
{
    struct view_names ids = {0};
    json_t *packets = json_array();
    enum status status = list_open(reader, span_of(id), &ids, error);

    if (status == STATUS_OK && ids.count == 0) {
        status = list_kept(reader, span_of(id), &ids, error);
    }
    if (status == STATUS_OK) {
        status = check_found(reader, id, &ids, error);
    }
    if (status == STATUS_OK) {
        status = read_packets(reader, &ids, packets, error);
    }
    if (status == STATUS_OK && json_array_size(packets) == 0) {
        ids.count = 0; /* deleted meanwhile */
        status = check_found(reader, id, &ids, error);
    }
    if (status == STATUS_OK) {
        *packet = json_incref(json_array_get(packets, 0));
    }
    json_decref(packets);
    view_names_fini(&ids);
    return status;
}

enum status
view_reader_review(struct view_reader *reader, const char *id, json_t **out, struct error *error)
{
    char beginning[REVIEW_ID_SIZE + 1] = "";
    const size_t size = strlen(id);
    json_t *packet = NULL;
    enum status status;

    for (size_t i = 0; i < size && size <= REVIEW_ID_SIZE; i++) {
        beginning[i] = (char)tolower((unsigned char)id[i]);
    }
    if (size == 0 || size > REVIEW_ID_SIZE || strspn(beginning, "0123456789abcdef") != size) {
        return error_set(error, STATUS_BAD_CONFIG,
                "\"%s\" is no review: an id is %d hexadecimal digits, or the first few of them", id,
                REVIEW_ID_SIZE);
    }
    status = find_review(reader, beginning, &packet, error);
    if (status == STATUS_OK) {
        status = add_decision(reader, packet, error);
    }
    if (status == STATUS_OK) {
        *out = json_incref(packet);
    }
    json_decref(packet);
    return status;
}
