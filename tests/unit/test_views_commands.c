/* test_views_commands.c - the commands that write the views: which keys, which fields, which
 * values.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/views.h"

#include "codec/review_codec.h"
#include "tests/support/random_codec.h"
#include "tests/support/rows.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#define COMMANDS_MAX 32
#define SHOWN 9 /* counters of a window */

/* The commands, as Redis would read them. */
struct seen {
    redisReply *commands[COMMANDS_MAX];
    size_t count;
};

/* Reads what is in views, and clears it. */
static struct seen
see(struct views *views)
{
    struct seen seen = {.count = 0};
    redisReader *reader = redisReaderCreate();
    size_t count = 0;
    const struct span commands = views_commands(views, &count);
    void *reply = NULL;

    assert_int_equal(redisReaderFeed(reader, (const char *)commands.data, commands.size), REDIS_OK);
    while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        assert_true(seen.count < COMMANDS_MAX);
        seen.commands[seen.count++] = reply;
    }
    assert_int_equal(seen.count, count); /* as many as it says, and nothing is left over */
    redisReaderFree(reader);
    views_clear(views);
    return seen;
}

static void
forget(struct seen *seen)
{
    for (size_t i = 0; i < seen->count; i++) {
        freeReplyObject(seen->commands[i]);
    }
}

static const char *
word(const struct seen *seen, size_t command, size_t index)
{
    assert_true(command < seen->count);
    assert_true(index < seen->commands[command]->elements);
    return seen->commands[command]->element[index]->str;
}

/* The command with this name and key; fails when there is none. */
static const redisReply *
find(const struct seen *seen, const char *name, const char *key)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (strcmp(word(seen, i, 0), name) == 0 && seen->commands[i]->elements > 1 &&
                strcmp(word(seen, i, 1), key) == 0) {
            return seen->commands[i];
        }
    }
    fail_msg("no %s %s", name, key);
    return NULL;
}

static void
assert_field(const redisReply *hset, const char *field, const char *want)
{
    for (size_t i = 2; i + 1 < hset->elements; i += 2) {
        if (strcmp(hset->element[i]->str, field) == 0) {
            assert_string_equal(hset->element[i + 1]->str, want);
            return;
        }
    }
    fail_msg("no field %s", field);
}

static struct owner_view
example(const char *owner)
{
    struct owner_view view = {
            .owner = span_of(owner),
            .as_of_ms = INT64_C(1790003600000),
            .last_event_ms = INT64_C(1790003500000),
            .open_reviews = 2,
            .first_minute = 29833334,
    };

    view.totals[VIEW_5M][COUNT_ATTEMPTS] = 30;
    view.totals[VIEW_5M][COUNT_RETRIES] = 10;
    view.totals[VIEW_60M][COUNT_ATTEMPTS] = 500;
    view.totals[VIEW_60M][COUNT_FIRST_UNITS] = UINT64_MAX; /* stopped at its maximum */
    view.totals[VIEW_24H][COUNT_TOO_LATE] = 4;
    view.totals[VIEW_24H][COUNT_LATE] = 5;
    return view;
}

/* ---- owners ---------------------------------------------------------------------------------- */

static void
test_owner(void **state)
{
    struct views *views = views_new("rw");
    const struct owner_view view = example("ana");

    (void)state;
    views_put_owner(views, 3, &view);

    struct seen seen = see(views);
    const redisReply *hash = find(&seen, "HSET", "rw:view:owner:ana");

    assert_int_equal(hash->elements, 2 + 2 * (VIEW_WINDOWS * SHOWN + 4));
    assert_field(hash, "5m:attempts", "30");
    assert_field(hash, "5m:first_attempts", "20");
    assert_field(hash, "5m:retries", "10");
    assert_field(hash, "5m:retry_share_bps", "3333"); /* rounded down */
    assert_field(hash, "60m:retry_share_bps", "0");
    assert_field(hash, "60m:first_attempt_units", "18446744073709551615");
    assert_field(hash, "24h:attempts", "0");
    assert_field(hash, "24h:retry_share_bps", "0"); /* of nothing */
    assert_field(hash, "24h:late", "5");
    assert_field(hash, "24h:failures", "0");
    assert_field(hash, "24h:retry_units", "0");
    assert_field(hash, "24h:usage_unavailable", "0");
    assert_field(hash, "open_reviews", "2");
    assert_field(hash, "too_late", "4");
    assert_field(hash, "as_of", "1790003600000");
    assert_field(hash, "partition", "3");
    forget(&seen);
    views_destroy(views);
}

static void
test_owner_in_two_partitions(void **state)
{
    struct views *views = views_new("rw");
    const struct owner_view ana = example("ana");
    const struct owner_view nobody = example("_MISSING");

    (void)state;
    assert_int_equal(views_other_partition(views, 3, ana.owner), -1);
    views_put_owner(views, 3, &ana);
    views_put_owner(views, 3, &nobody);
    assert_int_equal(views_other_partition(views, 3, ana.owner), -1);
    assert_int_equal(views_other_partition(views, 5, ana.owner), 3);
    assert_int_equal(views_other_partition(views, 5, nobody.owner), -1);
    views_forget_owner(views, 3, ana.owner);
    assert_int_equal(views_other_partition(views, 5, ana.owner), -1);
    views_destroy(views);
}

/* No reader sees an owner between the UNLINK and the HSET of its buckets. */
static void
test_owner_changes_at_once(void **state)
{
    struct views *views = views_new("rw");
    const struct owner_view view = example("ana");

    (void)state;
    views_put_owner(views, 0, &view);

    struct seen seen = see(views);

    assert_string_equal(word(&seen, 0, 0), "MULTI");
    assert_string_equal(word(&seen, seen.count - 1, 0), "EXEC");
    forget(&seen);
    views_destroy(views);
}

static void
test_last_event_never_goes_back(void **state)
{
    struct views *views = views_new("rw");
    const struct owner_view view = example("ana");

    (void)state;
    views_put_owner(views, 0, &view);

    struct seen seen = see(views);
    const redisReply *zadd = find(&seen, "ZADD", "rw:view:owners");

    assert_int_equal(zadd->elements, 5);
    assert_string_equal(zadd->element[2]->str, "GT");
    assert_string_equal(zadd->element[3]->str, "1790003500000");
    assert_string_equal(zadd->element[4]->str, "ana");
    forget(&seen);
    views_destroy(views);
}

static void
test_unknown_last_event_is_left_alone(void **state)
{
    struct views *views = views_new("rw");
    struct owner_view view = example("ana");

    (void)state;
    view.last_event_ms = TIME_NULL;
    views_put_owner(views, 0, &view);

    struct seen seen = see(views);

    for (size_t i = 0; i < seen.count; i++) {
        assert_string_not_equal(word(&seen, i, 0), "ZADD");
    }
    forget(&seen);
    views_destroy(views);
}

/* They live in several partitions. */
static void
test_missing_and_other_have_a_view_a_partition(void **state)
{
    static const char *const owners[] = {DIM_MISSING, DIM_OTHER};
    static const char *const keys[] = {"rw:view:owner:_MISSING@12", "rw:view:owner:_OTHER@12"};
    struct views *views = views_new("rw");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(owners); i++) {
        const struct owner_view view = example(owners[i]);

        views_put_owner(views, 12, &view);

        struct seen seen = see(views);

        find(&seen, "HSET", keys[i]);
        assert_string_equal(find(&seen, "ZADD", "rw:view:owners")->element[4]->str,
                keys[i] + strlen("rw:view:owner:"));
        forget(&seen);
    }
    views_destroy(views);
}

static void
test_buckets(void **state)
{
    struct views *views = views_new("rw");
    struct owner_view view = example("a:b");
    __typeof__(*view.buckets) buckets[2] = {
            {.bucket = span_of("chat")}, {.bucket = span_of("tier:1")}};

    (void)state;
    buckets[1].totals[VIEW_60M][COUNT_RETRIES] = 7;
    buckets[1].totals[VIEW_60M][COUNT_ATTEMPTS] = 8;
    view.buckets = (void *)buckets;
    view.bucket_count = 2;
    views_put_owner(views, 0, &view);

    struct seen seen = see(views);
    const redisReply *hset = find(&seen, "HSET", "rw:view:buckets:a:b");

    find(&seen, "UNLINK", "rw:view:buckets:a:b"); /* those that are gone */
    assert_int_equal(hset->elements, 2 + 2 * 2 * VIEW_WINDOWS * SHOWN);
    assert_field(hset, "chat:60m:retries", "0");
    assert_field(hset, "tier:1:60m:retries", "7");
    assert_field(hset, "tier:1:60m:retry_share_bps", "8750");
    forget(&seen);
    views_destroy(views);
}

static void
test_minutes_with_traffic_only(void **state)
{
    struct views *views = views_new("rw");
    struct owner_view view = example("ana");

    (void)state;
    view.minute_attempts[0] = 5;
    view.minute_attempts[59] = 6;
    view.minute_retries[59] = 2;
    views_put_owner(views, 0, &view);

    struct seen seen = see(views);
    const redisReply *minutes = find(&seen, "HSET", "rw:view:minutes:ana");

    find(&seen, "UNLINK", "rw:view:minutes:ana");
    assert_int_equal(minutes->elements, 2 + 2 * 4);
    assert_field(minutes, "29833334:attempts", "5");
    assert_field(minutes, "29833334:retries", "0");
    assert_field(minutes, "29833393:attempts", "6");
    assert_field(minutes, "29833393:retries", "2");
    forget(&seen);
    views_destroy(views);
}

static void
test_no_minutes(void **state)
{
    struct views *views = views_new("rw");
    const struct owner_view view = example("ana");

    (void)state;
    views_put_owner(views, 0, &view);

    struct seen seen = see(views);

    find(&seen, "UNLINK", "rw:view:minutes:ana");
    for (size_t i = 0; i < seen.count; i++) {
        assert_true(strcmp(word(&seen, i, 0), "HSET") != 0 ||
                    strcmp(word(&seen, i, 1), "rw:view:minutes:ana") != 0);
    }
    forget(&seen);
    views_destroy(views);
}

static void
test_forgotten_owner(void **state)
{
    struct views *views = views_new("team");

    (void)state;
    views_forget_owner(views, 4, span_of(DIM_MISSING));

    struct seen seen = see(views);
    const redisReply *unlink_command = find(&seen, "UNLINK", "team:view:owner:_MISSING@4");

    assert_int_equal(seen.count, 2);
    assert_string_equal(find(&seen, "ZREM", "team:view:owners")->element[2]->str, "_MISSING@4");
    assert_int_equal(unlink_command->elements, 5);
    assert_string_equal(unlink_command->element[2]->str, "team:view:buckets:_MISSING@4");
    assert_string_equal(unlink_command->element[3]->str, "team:view:buckets+_MISSING@4");
    assert_string_equal(unlink_command->element[4]->str, "team:view:minutes:_MISSING@4");
    forget(&seen);
    views_destroy(views);
}

/* ---- reviews --------------------------------------------------------------------------------- */

/* EVAL script 2 review reviews sequence id score seconds, then fields: words before the fields. */
enum { EVAL_SEQUENCE = 5, EVAL_ID, EVAL_SCORE, EVAL_SECONDS, EVAL_FIELDS };

static struct packet
packet_of(enum review_status status)
{
    struct packet packet = {
            .review_id = "0123456789abcdef0123456789abcdef",
            .generation = 1,
            .sequence = 5,
            .status = status,
            .reason = REASON_CALM,
            .scope = {span_of("ana"), SPAN_NULL, span_of("prod"), SPAN_NULL, span_of("chat")},
            .starts_at_ms = INT64_C(1790003500000),
            .ends_at_ms = status == REVIEW_STATUS_RESOLVED ? INT64_C(1790003600000) : TIME_NULL,
            .config_version = "abc",
            .topic = span_of("outcomes"),
            .cost_owner_action = SYMBOL_NULL,
            .first_attempt_recorded = true,
    };

    counts_init(&packet.l);
    packet.l.n[COUNT_ATTEMPTS] = 200;
    packet.l.n[COUNT_CAUSE + CAUSE_TIMEOUT] = 25;
    return packet;
}

static struct seen
see_review(struct views *views, enum review_status status)
{
    const struct packet packet = packet_of(status);
    struct buffer record = {0};
    struct error error = {0};

    review_encode(&packet, 1, &record);
    assert_int_equal(views_put_review(views, buffer_span(&record), &error), STATUS_OK);
    buffer_fini(&record);
    return see(views);
}

static const char *
review_field(const struct seen *seen, const char *name)
{
    const redisReply *eval = seen->commands[0];

    for (size_t i = EVAL_FIELDS; i + 1 < eval->elements; i += 2) {
        if (strcmp(eval->element[i]->str, name) == 0) {
            return eval->element[i + 1]->str;
        }
    }
    fail_msg("no field %s", name);
    return "";
}

static void
test_open_review(void **state)
{
    struct views *views = views_new("rw");
    struct seen seen = see_review(views, REVIEW_STATUS_OPEN);

    (void)state;
    assert_int_equal(seen.count, 1);
    assert_string_equal(word(&seen, 0, 0), "EVAL");
    assert_string_equal(word(&seen, 0, 2), "2");
    assert_string_equal(word(&seen, 0, 3), "rw:view:review:0123456789abcdef0123456789abcdef");
    assert_string_equal(word(&seen, 0, 4), "rw:view:reviews");
    assert_string_equal(word(&seen, 0, EVAL_SEQUENCE), "5");
    assert_string_equal(word(&seen, 0, EVAL_ID), "0123456789abcdef0123456789abcdef");
    assert_string_equal(word(&seen, 0, EVAL_SCORE), "1790003500000");
    forget(&seen);
    views_destroy(views);
}

static void
test_resolved_review_is_kept_for_a_while(void **state)
{
    struct views *views = views_new("rw");
    struct seen seen = see_review(views, REVIEW_STATUS_RESOLVED);

    (void)state;
    assert_string_equal(word(&seen, 0, EVAL_SCORE), "");
    assert_string_equal(word(&seen, 0, EVAL_SECONDS), "2592000");
    assert_string_equal(review_field(&seen, "ends_at"), "1790003600000");
    forget(&seen);
    views_destroy(views);
}

static void
test_review_fields_are_plain(void **state)
{
    struct views *views = views_new("rw");
    struct seen seen = see_review(views, REVIEW_STATUS_OPEN);
    json_t *whole = json_loads(review_field(&seen, "json"), 0, NULL);

    (void)state;
    assert_string_equal(review_field(&seen, "status"), "open");
    assert_string_equal(review_field(&seen, "attempts"), "200");
    assert_string_equal(review_field(&seen, "first_attempt_recorded"), "true");
    assert_string_equal(review_field(&seen, "ends_at"), ""); /* null */
    assert_string_equal(review_field(&seen, "retries_by_cause"), "{\"timeout\":25}");
    assert_string_equal(review_field(&seen, "missing_fields"), "[]");
    assert_non_null(whole);
    assert_true(json_is_null(json_object_get(whole, "ends_at")));
    /* A field of the hash for each of the event's, and json. */
    assert_int_equal(seen.commands[0]->elements, EVAL_FIELDS + 2 * (json_object_size(whole) + 1));
    json_decref(whole);
    forget(&seen);
    views_destroy(views);
}

static void
test_bad_record_writes_nothing(void **state)
{
    struct views *views = views_new("rw");
    struct error error = {0};
    size_t count = 0;

    (void)state;
    assert_int_equal(views_put_review(views, span_of("x"), &error), STATUS_MALFORMED);
    assert_int_equal(views_commands(views, &count).size, 0);
    assert_int_equal(count, 0);
    views_destroy(views);
}

/* Property: whatever packets hold, what is written can be read as commands. */
static void
test_random_reviews(void **state)
{
    struct random random = random_new("views_commands");
    struct views *views = views_new("rw");
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (int i = 0; i < 500; i++) {
        struct buffer record = {0};
        struct error error = {0};
        struct packet packet;

        random_packet(&random, &arena, &packet);
        review_encode(&packet, 1, &record);
        assert_int_equal(views_put_review(views, buffer_span(&record), &error), STATUS_OK);

        struct seen seen = see(views);

        assert_int_equal(seen.count, 1);
        forget(&seen);
        buffer_fini(&record);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    views_destroy(views);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_owner),
            cmocka_unit_test(test_owner_in_two_partitions),
            cmocka_unit_test(test_owner_changes_at_once),
            cmocka_unit_test(test_last_event_never_goes_back),
            cmocka_unit_test(test_unknown_last_event_is_left_alone),
            cmocka_unit_test(test_missing_and_other_have_a_view_a_partition),
            cmocka_unit_test(test_buckets),
            cmocka_unit_test(test_minutes_with_traffic_only),
            cmocka_unit_test(test_no_minutes),
            cmocka_unit_test(test_forgotten_owner),
            cmocka_unit_test(test_open_review),
            cmocka_unit_test(test_resolved_review_is_kept_for_a_while),
            cmocka_unit_test(test_review_fields_are_plain),
            cmocka_unit_test(test_bad_record_writes_nothing),
            cmocka_unit_test(test_random_reviews),
    };

    return cmocka_run_group_tests_name("views_commands", tests, NULL, NULL);
}
