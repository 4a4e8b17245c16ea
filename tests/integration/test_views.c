/* test_views.c - what dashboards find in a real Redis after views were written.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/review_codec.h"
#include "consumer/redis_scan.h"
#include "consumer/store_redis.h"
#include "consumer/views.h"

#include "tests/support/redis_server.h"
#include "tests/support/rows.h"

#define AS_OF INT64_C(1790000000000)
#define FIRST_MINUTE INT64_C(29833274)
#define MONTH_MS INT64_C(2592000000)
#define REVIEW_ID "0123456789abcdef0123456789abcdef"

struct fixture {
    struct redis_server server;
    struct config config;
    struct store *store;
    struct views *views;
};

static char topic[] = "outcomes", prefix[] = "rw", nothing[] = "";

static int
set_up(void **state)
{
    struct fixture *fixture = memory_new(1, sizeof(*fixture));

    redis_server_open(&fixture->server, NULL);
    fixture->config = (struct config){.topics.outcomes = topic,
            .redis = {.url = fixture->server.url,
                    .prefix = prefix,
                    .username = nothing,
                    .password = nothing,
                    .timeout_ms = 5000}};
    fixture->store = store_redis_new(&fixture->config);
    fixture->views = views_new(prefix);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    views_destroy(fixture->views);
    fixture->store->ops->destroy(fixture->store);
    redis_server_close(&fixture->server);
    free(fixture);
    return 0;
}

/* Send what was put; the number of commands must be that of the replies. */
static void
write_out(struct fixture *fixture)
{
    struct error error = {0};
    size_t count = 0;
    const struct span commands = views_commands(fixture->views, &count);

    if (fixture->store->ops->write_views(fixture->store, commands, count, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    views_clear(fixture->views);
    /* Were there more replies, this would read one of them. */
    assert_true(redis_reply_is(redis_server_ask(&fixture->server, "PING"), "PONG"));
}

static void
assert_field(struct fixture *fixture, const char *key, const char *field, const char *want)
{
    const struct redis_reply *reply = redis_server_ask(&fixture->server, "HGET", key, field);

    if (want == NULL) {
        assert_int_equal(reply->kind, REDIS_REPLY_IS_NIL);
    } else if (!redis_reply_is(reply, want)) {
        fail_msg("%s %s is %.*s, not %s", key, field, (int)reply->text.size,
                (const char *)reply->text.data, want);
    }
}

static int64_t
number(struct fixture *fixture, const char *command, const char *key)
{
    return redis_server_ask(&fixture->server, command, key)->integer;
}

static struct owner_view
view_of(const char *owner)
{
    struct owner_view view = {.owner = span_of(owner),
            .as_of_ms = AS_OF,
            .last_event_ms = AS_OF - 5,
            .first_minute = FIRST_MINUTE,
            .open_reviews = 2};

    view.totals[VIEW_5M][COUNT_ATTEMPTS] = 3;
    view.totals[VIEW_5M][COUNT_RETRIES] = 1;
    view.totals[VIEW_60M][COUNT_ATTEMPTS] = 300;
    view.totals[VIEW_60M][COUNT_RETRIES] = 60;
    view.totals[VIEW_60M][COUNT_FAILURES] = 7;
    view.totals[VIEW_60M][COUNT_FIRST_UNITS] = UINT64_MAX;
    view.totals[VIEW_60M][COUNT_RETRY_UNITS] = 11;
    view.totals[VIEW_60M][COUNT_USAGE_UNAVAILABLE] = 12;
    view.totals[VIEW_60M][COUNT_LATE] = 13;
    view.totals[VIEW_24H][COUNT_TOO_LATE] = 14;
    return view;
}

static void
put(struct fixture *fixture, int32_t partition, const struct owner_view *view)
{
    views_put_owner(fixture->views, partition, view);
    write_out(fixture);
}

static void
test_owner_fields(void **state)
{
    static const struct {
        const char *field, *value;
    } want[] = {
            {"5m:attempts", "3"},
            {"5m:first_attempts", "2"},
            {"5m:retries", "1"},
            {"5m:retry_share_bps", "3333"},
            {"60m:attempts", "300"},
            {"60m:first_attempts", "240"},
            {"60m:retries", "60"},
            {"60m:retry_share_bps", "2000"},
            {"60m:failures", "7"},
            {"60m:first_attempt_units", "18446744073709551615"},
            {"60m:retry_units", "11"},
            {"60m:usage_unavailable", "12"},
            {"60m:late", "13"},
            {"24h:attempts", "0"},
            {"24h:retry_share_bps", "0"},
            {"open_reviews", "2"},
            {"too_late", "14"},
            {"as_of", "1790000000000"},
            {"partition", "3"},
    };
    struct fixture *fixture = *state;
    const struct owner_view view = view_of("team: blue\n");

    put(fixture, 3, &view);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        assert_field(fixture, "rw:view:owner:team: blue\n", want[i].field, want[i].value);
    }
    assert_int_equal(number(fixture, "HLEN", "rw:view:owner:team: blue\n"), 31);
}

static void
test_owners_that_live_everywhere_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    const struct owner_view missing = view_of(DIM_MISSING), other = view_of(DIM_OTHER);

    put(fixture, 3, &missing);
    put(fixture, 11, &other);
    assert_field(fixture, "rw:view:owner:_MISSING@3", "60m:retries", "60");
    assert_field(fixture, "rw:view:owner:_OTHER@11", "60m:retries", "60");
    assert_int_equal(number(fixture, "EXISTS", "rw:view:owner:_MISSING"), 0);
    assert_true(redis_reply_is(
            redis_server_ask(&fixture->server, "ZSCORE", "rw:view:owners", "_MISSING@3"),
            "1789999999995"));
}

static void
test_last_event_never_goes_back(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view = view_of("ana");

    put(fixture, 0, &view);
    view.last_event_ms = AS_OF - 1000;
    put(fixture, 0, &view);
    view.last_event_ms = TIME_NULL;
    put(fixture, 0, &view);
    assert_true(
            redis_reply_is(redis_server_ask(&fixture->server, "ZSCORE", "rw:view:owners", "ana"),
                    "1789999999995"));
}

static void
test_minutes_are_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view = view_of("ana");

    view.minute_attempts[0] = 5;
    view.minute_retries[0] = 2;
    view.minute_attempts[59] = 6;
    put(fixture, 0, &view);
    assert_field(fixture, "rw:view:minutes:ana", "29833274:attempts", "5");
    assert_field(fixture, "rw:view:minutes:ana", "29833274:retries", "2");
    assert_field(fixture, "rw:view:minutes:ana", "29833333:retries", "0");
    assert_int_equal(number(fixture, "HLEN", "rw:view:minutes:ana"), 4);
    view.first_minute += 1;
    view.minute_attempts[0] = 0;
    put(fixture, 0, &view);
    assert_field(fixture, "rw:view:minutes:ana", "29833274:attempts", NULL);
    assert_field(fixture, "rw:view:minutes:ana", "29833334:attempts", "6");
    view.first_minute += 60;
    view.minute_attempts[59] = 0;
    put(fixture, 0, &view);
    assert_int_equal(number(fixture, "EXISTS", "rw:view:minutes:ana"), 0);
}

/* While a minute lasts only the recent minutes are written, but whatever happens the hash holds
 * what the view holds. */
static void
test_minutes_are_those_of_the_view_after_any_change(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view = view_of("ana");
    unsigned seed = 7;

    print_message("seed %u\n", seed);
    for (int i = 0; i < 300; i++) {
        const int what = rand_r(&seed) % 20;
        const int minute = what == 0 ? rand_r(&seed) % 60 : 54 + rand_r(&seed) % 6;

        if (what == 1) { /* T moves on */
            memmove(view.minute_attempts, view.minute_attempts + 1,
                    59 * sizeof(*view.minute_attempts));
            view.minute_attempts[59] = 0;
            view.first_minute += 1;
        } else if (what == 2) { /* Redis lost it all, and a round failed */
            redis_server_ask(&fixture->server, "DEL", "rw:view:minutes:ana");
            views_failed(fixture->views);
        } else if (what == 3) { /* forgotten, and back */
            views_forget_owner(fixture->views, 0, view.owner);
        } else {
            view.minute_attempts[minute] += 1;
        }
        put(fixture, 0, &view);

        int64_t fields = 0;

        for (int64_t m = 0; m < 60; m++) {
            char field[48], want[24];

            fields += view.minute_attempts[m] != 0 ? 2 : 0;
            snprintf(field, sizeof(field), "%d:attempts", (int)(view.first_minute + m));
            snprintf(want, sizeof(want), "%d", (int)view.minute_attempts[m]);
            assert_field(fixture, "rw:view:minutes:ana", field,
                    view.minute_attempts[m] != 0 ? want : NULL);
        }
        assert_int_equal(number(fixture, "HLEN", "rw:view:minutes:ana"), fields);
    }
}

/* Buckets with these names; the n-th has n retries in the hour. */
static void
set_buckets(struct owner_view *view, char names[][16], size_t count)
{
    view->buckets = memory_new(count, sizeof(*view->buckets));
    view->bucket_count = count;
    for (size_t i = 0; i < count; i++) {
        view->buckets[i].bucket = span_of(names[i]);
        view->buckets[i].totals[VIEW_60M][COUNT_ATTEMPTS] = 2 * i;
        view->buckets[i].totals[VIEW_60M][COUNT_RETRIES] = i;
    }
}

static void
test_buckets_that_vanish_are_gone(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view = view_of("ana");
    char names[][16] = {"chat", "a:b"};

    set_buckets(&view, names, 2);
    put(fixture, 0, &view);
    assert_field(fixture, "rw:view:buckets:ana", "chat:60m:retries", "0");
    assert_field(fixture, "rw:view:buckets:ana", "a:b:60m:retries", "1");
    view.bucket_count = 1;
    put(fixture, 0, &view);
    assert_field(fixture, "rw:view:buckets:ana", "a:b:60m:retries", NULL);
    assert_int_equal(number(fixture, "HLEN", "rw:view:buckets:ana"), 27);
    view.bucket_count = 0;
    put(fixture, 0, &view);
    assert_int_equal(number(fixture, "EXISTS", "rw:view:buckets:ana"), 0);
    free(view.buckets);
}

static void
test_many_buckets_come_in_parts(void **state)
{
    enum { BUCKETS = 1000 };
    struct fixture *fixture = *state;
    struct owner_view view = view_of("ana");
    char(*names)[16] = memory_new(BUCKETS, sizeof(*names));

    for (size_t i = 0; i < BUCKETS; i++) {
        snprintf(names[i], sizeof(names[i]), "bucket-%zu", i);
    }
    set_buckets(&view, names, BUCKETS);
    put(fixture, 0, &view);
    put(fixture, 0, &view);
    assert_int_equal(number(fixture, "HLEN", "rw:view:buckets:ana"), 27 * BUCKETS);
    assert_field(fixture, "rw:view:buckets:ana", "bucket-0:60m:retries", "0");
    assert_field(fixture, "rw:view:buckets:ana", "bucket-999:60m:retries", "999");
    assert_int_equal(number(fixture, "EXISTS", "rw:view:buckets+ana"), 0);
    view.bucket_count = 2;
    put(fixture, 0, &view);
    assert_int_equal(number(fixture, "HLEN", "rw:view:buckets:ana"), 27 * 2);
    free(view.buckets);
    free(names);
}

static void
test_forgotten_owner_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view = view_of(DIM_MISSING);
    char names[][16] = {"chat"};

    set_buckets(&view, names, 1);
    view.minute_attempts[3] = 1;
    put(fixture, 3, &view);
    assert_int_equal(number(fixture, "DBSIZE", NULL), 4);
    views_forget_owner(fixture->views, 4, view.owner);
    write_out(fixture);
    assert_int_equal(number(fixture, "DBSIZE", NULL), 4);
    views_forget_owner(fixture->views, 3, view.owner);
    write_out(fixture);
    assert_int_equal(number(fixture, "DBSIZE", NULL), 0);
    free(view.buckets);
}

static void
put_review(struct fixture *fixture, uint32_t sequence, enum review_status status)
{
    struct packet packet = {.review_id = REVIEW_ID,
            .generation = 1,
            .sequence = sequence,
            .status = status,
            .reason = REASON_RISE,
            .scope = {span_of("ana"), SPAN_NULL, span_of("prod"), SPAN_NULL, span_of("chat")},
            .window_end_ms = AS_OF,
            .starts_at_ms = AS_OF + sequence,
            .ends_at_ms = status == REVIEW_STATUS_RESOLVED ? AS_OF : TIME_NULL,
            .config_version = "abc",
            .missing_fields = 1U << MISSING_WORKLOAD,
            .cost_owner_action = SYMBOL_NULL,
            .topic = span_of(topic)};
    struct buffer record = {0};
    struct error error = {0};

    counts_init(&packet.l);
    packet.l.n[COUNT_CAUSE + CAUSE_TIMEOUT] = 25;
    review_encode(&packet, REVIEW_SCHEMA_ID_DEFAULT, &record);
    assert_int_equal(views_put_review(fixture->views, buffer_span(&record), &error), STATUS_OK);
    write_out(fixture);
    buffer_fini(&record);
}

static int64_t
open_reviews(struct fixture *fixture)
{
    return number(fixture, "ZCARD", "rw:view:reviews");
}

static const char review_key[] = "rw:view:review:" REVIEW_ID;

static void
test_review_fields(void **state)
{
    struct fixture *fixture = *state;

    put_review(fixture, 1, REVIEW_STATUS_OPEN);
    assert_field(fixture, review_key, "status", "open");
    assert_field(fixture, review_key, "sequence", "1");
    assert_field(fixture, review_key, "starts_at", "1790000000001");
    assert_field(fixture, review_key, "ends_at", "");
    assert_field(fixture, review_key, "ready_for_decision", "false");
    assert_field(fixture, review_key, "retries_by_cause", "{\"timeout\":25}");
    assert_field(fixture, review_key, "missing_fields", "[\"workload_tag\"]");
    const struct redis_reply *whole =
            redis_server_ask(&fixture->server, "HGET", review_key, "json");
    json_t *json = json_loadb((const char *)whole->text.data, whole->text.size, 0, NULL);

    assert_string_equal(
            json_string_value(json_object_get(json_object_get(json, "scope"), "owner_tag")), "ana");
    json_decref(json);
    assert_true(redis_reply_is(
            redis_server_ask(&fixture->server, "ZSCORE", "rw:view:reviews", REVIEW_ID),
            "1790000000001"));
    assert_int_equal(number(fixture, "PTTL", review_key), -1);
}

static void
test_review_never_goes_back(void **state)
{
    struct fixture *fixture = *state;

    put_review(fixture, 2, REVIEW_STATUS_REPEATED);
    put_review(fixture, 2, REVIEW_STATUS_REPEATED); /* shown again after a restart */
    assert_field(fixture, review_key, "status", "repeated");
    put_review(fixture, 10, REVIEW_STATUS_RESOLVED);
    put_review(fixture, 9, REVIEW_STATUS_REPEATED); /* a number, not a text */
    assert_field(fixture, review_key, "status", "resolved");
    assert_field(fixture, review_key, "sequence", "10");
    assert_int_equal(open_reviews(fixture), 0);
}

static void
test_resolved_review_expires_unless_it_comes_back(void **state)
{
    struct fixture *fixture = *state;

    put_review(fixture, 1, REVIEW_STATUS_OPEN);
    assert_int_equal(open_reviews(fixture), 1);
    put_review(fixture, 2, REVIEW_STATUS_RESOLVED);
    assert_int_equal(open_reviews(fixture), 0);
    const int64_t left_ms = number(fixture, "PTTL", review_key);

    assert_true(left_ms > MONTH_MS - 60000 && left_ms <= MONTH_MS);
    put_review(fixture, 3, REVIEW_STATUS_REOPENED);
    assert_int_equal(open_reviews(fixture), 1);
    assert_int_equal(number(fixture, "PTTL", review_key), -1);
    assert_field(fixture, review_key, "ends_at", "");
}

static void
test_malformed_review_puts_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    size_t count = 1;

    assert_int_equal(
            views_put_review(fixture->views, span_of("no review"), &error), STATUS_MALFORMED);
    assert_int_equal(views_commands(fixture->views, &count).size, 0);
    assert_int_equal(count, 0);
}

/* The rights that docs/redis.md names are enough for all that the service does. */
static void
test_documented_rights_are_enough(void **state)
{
    static const struct store_meta meta = {.cluster_id = "a",
            .topic = "outcomes",
            .partition_count = 1,
            .group = "g",
            .layout = "l"};
    static char user[] = "retrywatch", password[] = "pw";
    struct fixture *fixture = *state;
    const struct change changes[] = {
            {CHANGE_SET, span_of("m:1"), span_of("1"), span_of("a"), true},
            {CHANGE_DELETE, span_of("m:1"), span_of("2"), SPAN_NULL, false},
            {CHANGE_UNLINK, span_of("m:0"), SPAN_NULL, SPAN_NULL, false},
    };
    const struct changes all = {
            .expected = SPAN_NULL, .applied = span_of("x"), .changes = changes, .count = 3};
    struct error error = {0};
    struct owner_view view = view_of("ana");

    redis_server_ask(&fixture->server, "ACL", "SETUSER", user, "on", ">pw", "~rw:*", "+@read",
            "+@write", "+@transaction", "+@connection", "+eval", "+info", "+config|get");
    fixture->config.redis.username = user;
    fixture->config.redis.password = password;
    fixture->store->ops->destroy(fixture->store);
    fixture->store = store_redis_new(&fixture->config);
    assert_int_equal(store_redis_check(fixture->store, &meta, &error), STATUS_OK);
    assert_int_equal(fixture->store->ops->exec_begin(fixture->store, &all, &error), STATUS_OK);
    assert_int_equal(fixture->store->ops->exec_end(fixture->store, &error), STATUS_OK);
    view.minute_attempts[0] = 1;
    put(fixture, 0, &view);
    put_review(fixture, 1, REVIEW_STATUS_OPEN);
    put_review(fixture, 2, REVIEW_STATUS_RESOLVED);
    views_forget_owner(fixture->views, 0, view.owner);
    write_out(fixture);
}

#define WITH_REDIS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
            WITH_REDIS(test_owner_fields),
            WITH_REDIS(test_owners_that_live_everywhere_are_told_apart),
            WITH_REDIS(test_last_event_never_goes_back),
            WITH_REDIS(test_minutes_are_replaced),
            WITH_REDIS(test_minutes_are_those_of_the_view_after_any_change),
            WITH_REDIS(test_buckets_that_vanish_are_gone),
            WITH_REDIS(test_many_buckets_come_in_parts),
            WITH_REDIS(test_forgotten_owner_leaves_nothing),
            WITH_REDIS(test_review_fields),
            WITH_REDIS(test_review_never_goes_back),
            WITH_REDIS(test_resolved_review_expires_unless_it_comes_back),
            WITH_REDIS(test_malformed_review_puts_nothing),
            WITH_REDIS(test_documented_rights_are_enough),
    };
    return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
