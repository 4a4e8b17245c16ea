/* test_view_reader.c - what views.c writes into a real Redis is read back the same.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/view_reader.h"

#include "codec/review_codec.h"
#include "codec/state.h"
#include "consumer/views.h"

#include "tests/support/redis_server.h"
#include "tests/support/rows.h"

#define AS_OF INT64_C(1790000000000)
#define AS_OF_MINUTE (AS_OF / 60000)
#define ID_A "aaaa0000000000000000000000000000"
#define ID_B "aaab0000000000000000000000000000"
#define ID_C "cccc0000000000000000000000000000"

struct fixture {
    struct redis_server server;
    struct config config;
    struct views *views;
    struct view_reader *reader;
};

/* What a pattern would read otherwise. */
static char topic[] = "outcomes", prefix[] = "rw[1]*", nothing[] = "";

static struct config
config_for(char *url)
{
    return (struct config){.topics.outcomes = topic,
            .redis = {.url = url,
                    .prefix = prefix,
                    .username = nothing,
                    .password = nothing,
                    .timeout_ms = 5000}};
}

static int
set_up(void **state)
{
    struct fixture *fixture = memory_new(1, sizeof(*fixture));

    redis_server_open(&fixture->server, NULL);
    fixture->config = config_for(fixture->server.url);
    fixture->views = views_new(prefix);
    assert_int_equal(view_reader_new(&fixture->config, &fixture->reader, NULL), STATUS_OK);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    views_destroy(fixture->views);
    view_reader_destroy(fixture->reader);
    redis_server_close(&fixture->server);
    free(fixture);
    return 0;
}

static void
write_out(struct fixture *fixture)
{
    size_t count = 0;
    const struct span commands = views_commands(fixture->views, &count);

    assert_int_equal(redis_link_send(fixture->server.link, commands, NULL, NULL), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        const struct redis_reply *reply = NULL;

        assert_int_equal(redis_link_read(fixture->server.link, &reply, NULL), STATUS_OK);
        assert_int_not_equal(reply->kind, REDIS_REPLY_IS_ERROR);
    }
    views_clear(fixture->views);
}

static struct owner_view
owner_view(const char *name, int64_t last_event_ms, uint64_t attempts, uint64_t retries)
{
    struct owner_view view = {.owner = span_of(name),
            .as_of_ms = AS_OF,
            .last_event_ms = last_event_ms,
            .first_minute = AS_OF_MINUTE - 59};

    view.totals[VIEW_60M][COUNT_ATTEMPTS] = attempts;
    view.totals[VIEW_60M][COUNT_RETRIES] = retries;
    return view;
}

static void
put_owner(struct fixture *fixture, const char *name, int64_t last_event_ms, uint64_t attempts,
        uint64_t retries)
{
    const struct owner_view view = owner_view(name, last_event_ms, attempts, retries);

    views_put_owner(fixture->views, 0, &view);
}

static struct packet
packet_of(const char *id, const char *owner, int64_t starts_at_ms)
{
    struct packet packet = {
            .sequence = 1,
            .status = REVIEW_STATUS_OPEN,
            .scope[DIM_OWNER] = span_of(owner),
            .starts_at_ms = starts_at_ms,
            .ends_at_ms = TIME_NULL,
            .config_version = "v",
            .topic = span_of(topic),
            .partition = 3,
            .cost_owner_action = SYMBOL_NULL,
    };

    snprintf(packet.review_id, sizeof(packet.review_id), "%s", id);
    counts_init(&packet.l);
    return packet;
}

static void
put_packet(struct fixture *fixture, const struct packet *packet)
{
    struct buffer record = {0};

    review_encode(packet, 1, &record);
    assert_int_equal(views_put_review(fixture->views, buffer_span(&record), NULL), STATUS_OK);
    buffer_fini(&record);
}

static void
put_review(struct fixture *fixture, const char *id, const char *owner, int64_t starts_at_ms)
{
    const struct packet packet = packet_of(id, owner, starts_at_ms);

    put_packet(fixture, &packet);
}

static const char *
text_at(const json_t *array, size_t index, const char *name)
{
    return json_string_value(json_object_get(json_array_get(array, index), name));
}

static int64_t
number_at(const json_t *object, const char *first, const char *second, const char *third)
{
    const json_t *value = json_object_get(object, first);

    value = second != NULL ? json_object_get(value, second) : value;
    value = third != NULL ? json_object_get(value, third) : value;
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* ---- owners ---------------------------------------------------------------------------------- */

static void
test_no_owners(void **state)
{
    struct fixture *fixture = *state;

    for (int sort = VIEW_SORT_LAST; sort <= VIEW_SORT_REVIEWS; sort++) {
        json_t *owners = NULL;

        assert_int_equal(
                view_reader_owners(fixture->reader, (enum view_sort)sort, 10, &owners, NULL),
                STATUS_OK);
        assert_int_equal(json_array_size(owners), 0);
        json_decref(owners);
    }
}

static void
assert_order(struct fixture *fixture, enum view_sort sort, size_t limit, const char *want)
{
    struct buffer got = {0};
    json_t *owners = NULL;

    assert_int_equal(view_reader_owners(fixture->reader, sort, limit, &owners, NULL), STATUS_OK);
    for (size_t i = 0; i < json_array_size(owners); i++) {
        buffer_printf(&got, "%s ", text_at(owners, i, "owner"));
    }
    buffer_put_byte(&got, '\0');
    assert_string_equal((const char *)got.data, want);
    json_decref(owners);
    buffer_fini(&got);
}

static void
test_owners_sorted(void **state)
{
    struct fixture *fixture = *state;

    put_owner(fixture, "ana", AS_OF - 3, 100, 50);
    put_owner(fixture, "bob", AS_OF - 1, 1000, 90);
    put_owner(fixture, "cid", AS_OF - 2, 10, 0);
    write_out(fixture);
    assert_order(fixture, VIEW_SORT_LAST, 0, "bob cid ana ");
    assert_order(fixture, VIEW_SORT_RETRIES, 0, "bob ana cid ");
    assert_order(fixture, VIEW_SORT_SHARE, 0, "ana bob cid ");
    assert_order(fixture, VIEW_SORT_SHARE, 2, "ana bob ");
    assert_order(fixture, VIEW_SORT_LAST, 1, "bob ");
}

/* More than one page of each pipeline and scan. */
static void
test_many_owners(void **state)
{
    struct fixture *fixture = *state;
    json_t *owners = NULL;

    for (int i = 0; i < 3000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "team-%d", i);
        put_owner(fixture, name, AS_OF + i, 10000, (uint64_t)(i * 7919 % 3000));
    }
    write_out(fixture);
    assert_int_equal(
            view_reader_owners(fixture->reader, VIEW_SORT_RETRIES, 0, &owners, NULL), STATUS_OK);
    assert_int_equal(json_array_size(owners), 3000);
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(
                number_at(json_array_get(owners, i), "windows", "60m", "retries"), 2999 - i);
    }
    json_decref(owners);
}

static void
test_owner_with_everything(void **state)
{
    struct fixture *fixture = *state;
    struct owner_view view = owner_view("a:b c", AS_OF - 1, 100, 50);
    __typeof__(*view.buckets) buckets[2] = {
            {.bucket = span_of("chat")}, {.bucket = span_of("tier:1")}};
    json_t *owner = NULL;
    const json_t *list;

    buckets[1].totals[VIEW_60M][COUNT_ATTEMPTS] = 8;
    buckets[1].totals[VIEW_60M][COUNT_RETRIES] = 7;
    buckets[1].totals[VIEW_60M][COUNT_RETRY_UNITS] = UINT64_MAX; /* stopped at its maximum */
    view.buckets = (void *)buckets;
    view.bucket_count = 2;
    view.open_reviews = 1;
    view.minute_attempts[0] = 5;
    view.minute_attempts[59] = 6;
    view.minute_retries[59] = 2;
    views_put_owner(fixture->views, 9, &view);
    put_review(fixture, ID_A, "a:b c", AS_OF - 5);
    put_review(fixture, ID_C, "another", AS_OF - 5);
    write_out(fixture);
    assert_int_equal(view_reader_owner(fixture->reader, "a:b c", &owner, NULL), STATUS_OK);

    assert_int_equal(number_at(owner, "as_of", NULL, NULL), AS_OF);
    assert_int_equal(number_at(owner, "partition", NULL, NULL), 9);
    assert_int_equal(number_at(owner, "open_reviews", NULL, NULL), 1);
    assert_int_equal(number_at(owner, "windows", "60m", "retry_share_bps"), 5000);

    list = json_object_get(owner, "buckets");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text_at(list, 0, "bucket"), "tier:1"); /* most retries first */
    assert_int_equal(number_at(json_array_get(list, 0), "windows", "60m", "retries"), 7);
    assert_int_equal(
            number_at(json_array_get(list, 0), "windows", "60m", "retry_units"), INT64_MAX);
    assert_string_equal(text_at(list, 1, "bucket"), "chat");

    list = json_object_get(owner, "minutes");
    assert_int_equal(json_array_size(list), 60);
    assert_int_equal(
            number_at(json_array_get(list, 0), "minute", NULL, NULL), (AS_OF_MINUTE - 59) * 60000);
    assert_int_equal(number_at(json_array_get(list, 0), "attempts", NULL, NULL), 5);
    assert_int_equal(number_at(json_array_get(list, 30), "attempts", NULL, NULL), 0);
    assert_int_equal(number_at(json_array_get(list, 59), "retries", NULL, NULL), 2);

    list = json_object_get(owner, "reviews");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(text_at(list, 0, "review_id"), ID_A);
    json_decref(owner);
}

/* Each partition has its own; their reviews are told apart by the partition. */
static void
test_missing_owner_of_one_partition(void **state)
{
    struct fixture *fixture = *state;
    const struct owner_view view = owner_view(DIM_MISSING, AS_OF, 1, 0);
    json_t *owner = NULL;

    views_put_owner(fixture->views, 3, &view);
    views_put_owner(fixture->views, 4, &view);
    put_review(fixture, ID_A, DIM_MISSING, AS_OF); /* partition 3 */
    write_out(fixture);
    assert_int_equal(view_reader_owner(fixture->reader, "_MISSING@3", &owner, NULL), STATUS_OK);
    assert_int_equal(json_array_size(json_object_get(owner, "reviews")), 1);
    json_decref(owner);
    assert_int_equal(view_reader_owner(fixture->reader, "_MISSING@4", &owner, NULL), STATUS_OK);
    assert_int_equal(json_array_size(json_object_get(owner, "reviews")), 0);
    json_decref(owner);
}

static void
test_unknown_owner_names_a_near_one(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    json_t *owner = NULL;

    put_owner(fixture, "checkout", AS_OF, 1, 0);
    write_out(fixture);
    assert_int_equal(view_reader_owner(fixture->reader, "chekout", &owner, &error), STATUS_FAILED);
    assert_non_null(strstr(error.text, "has no owner chekout"));
    assert_non_null(strstr(error.text, "did you mean checkout?"));
    assert_non_null(strstr(error.text, view_reader_address(fixture->reader)));
}

/* ---- reviews --------------------------------------------------------------------------------- */

static void
put_resolved(struct fixture *fixture, const char *id)
{
    struct packet packet = packet_of(id, "ana", AS_OF - 9);

    packet.sequence = 2;
    packet.status = REVIEW_STATUS_RESOLVED;
    packet.ends_at_ms = AS_OF;
    put_packet(fixture, &packet);
}

static void
assert_reviews(struct fixture *fixture, bool all, const char *want)
{
    struct buffer got = {0};
    json_t *reviews = NULL;

    assert_int_equal(view_reader_reviews(fixture->reader, all, &reviews, NULL), STATUS_OK);
    for (size_t i = 0; i < json_array_size(reviews); i++) {
        buffer_printf(&got, "%s ", text_at(reviews, i, "review_id"));
    }
    buffer_put_byte(&got, '\0');
    assert_string_equal((const char *)got.data, want);
    json_decref(reviews);
    buffer_fini(&got);
}

static void
test_reviews_oldest_first(void **state)
{
    struct fixture *fixture = *state;

    assert_reviews(fixture, false, "");
    assert_reviews(fixture, true, "");
    put_review(fixture, ID_A, "ana", AS_OF - 1);
    put_review(fixture, ID_C, "ana", AS_OF - 5);
    put_resolved(fixture, ID_B);
    write_out(fixture);
    assert_reviews(fixture, false, ID_C " " ID_A " ");
    assert_reviews(fixture, true, ID_B " " ID_C " " ID_A " ");
}

static const struct {
    const char *name;
    const char *id;
    enum status status;
    const char *want; /* review_id, or a part of the error */
} lookups[] = {
        {"whole id", ID_A, STATUS_OK, ID_A},
        {"beginning", "cc", STATUS_OK, ID_C},
        {"upper case", "CCCC", STATUS_OK, ID_C},
        {"an open one goes before a resolved one", "aaa", STATUS_OK, ID_A},
        {"resolved", "aaab", STATUS_OK, ID_B},
        {"nothing", "", STATUS_BAD_CONFIG, "is no review"},
        {"none begins so", "aab", STATUS_FAILED, "has no review aab"},
        {"a pattern is no id", "*", STATUS_BAD_CONFIG, "\"*\" is no review"},
        {"too long", ID_A "0", STATUS_BAD_CONFIG, "is no review"},
};

static void
test_lookups(void **state)
{
    struct fixture *fixture = *state;

    put_review(fixture, ID_A, "ana", AS_OF - 1);
    put_review(fixture, ID_C, "ana", AS_OF - 1);
    put_resolved(fixture, ID_B);
    write_out(fixture);
    for (size_t i = 0; i < COUNT_OF(lookups); i++) {
        struct error error = {0};
        json_t *review = NULL;

        print_message("lookup: %s\n", lookups[i].name);
        assert_int_equal(view_reader_review(fixture->reader, lookups[i].id, &review, &error),
                lookups[i].status);
        if (review != NULL) {
            assert_string_equal(
                    json_string_value(json_object_get(review, "review_id")), lookups[i].want);
        } else {
            assert_non_null(strstr(error.text, lookups[i].want));
        }
        json_decref(review);
    }
}

static void
test_ambiguous_beginning_lists_them(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    json_t *review = NULL;

    put_review(fixture, ID_A, "ana", AS_OF);
    put_review(fixture, ID_B, "ana", AS_OF);
    write_out(fixture);
    assert_int_equal(view_reader_review(fixture->reader, "aaa", &review, &error), STATUS_FAILED);
    assert_non_null(strstr(error.text, "2 reviews begin with aaa: " ID_A ", " ID_B));
}

static void
test_older_event_does_not_replace_a_newer_one(void **state)
{
    struct fixture *fixture = *state;

    put_resolved(fixture, ID_A);
    put_review(fixture, ID_A, "ana", AS_OF); /* sequence 1, shown again after a crash */
    write_out(fixture);
    assert_reviews(fixture, false, "");
    assert_reviews(fixture, true, ID_A " ");
}

/* ---- the decision behind a review ------------------------------------------------------------ */

/* The state of a group whose review ID_A rests on a decision, and one that is not readable. */
static void
store_decision(struct fixture *fixture)
{
    struct decision decision = {
            .decision_id = span_of("d-1"),
            .decision_owner = span_of("finops"),
            .reason = span_of("quarter end"),
            .action = ACTION_KEEP_BUDGET,
            .decided_at_ms = AS_OF - 100,
            .effective_from_ms = TIME_NULL,
            .expires_at_ms = AS_OF + 1000,
            .record_ms = AS_OF - 99,
            .pricing_source_checked_at_ms = TIME_NULL,
            .access_date = DATE_NULL,
            .max_retry_share_bps = -1,
            .accepts_spend_risk = true,
    };
    struct evidence evidence = {.pricing_source_checked_at_ms = TIME_NULL};
    struct review review;
    struct buffer key = {0};
    struct buffer command = {0};
    struct buffer packed = {0};
    const struct redis_reply *reply = NULL;

    review_init(&review);
    review.state = REVIEW_DECIDED;
    snprintf(review.id, sizeof(review.id), "%s", ID_A);
    review.adopted = decision_copy(&decision);
    review.adopted_end_ms = AS_OF + 1000;
    review.adopted_limit_bps = 3000;
    review_state_encode(&review, &evidence, &packed);
    buffer_printf(&key, "%s:{%s:3}:reviews", prefix, topic);
    resp_begin(&command, 6);
    resp_put_text(&command, "HSET");
    resp_put(&command, buffer_span(&key));
    resp_put_text(&command, "1");
    resp_put_text(&command, "of another version");
    resp_put_text(&command, "2");
    resp_put(&command, buffer_span(&packed));
    assert_int_equal(
            redis_link_call(fixture->server.link, buffer_span(&command), &reply, NULL), STATUS_OK);
    review_fini(&review);
    buffer_fini(&key);
    buffer_fini(&command);
    buffer_fini(&packed);
}

static void
put_decided(struct fixture *fixture)
{
    struct packet packet = packet_of(ID_A, "ana", AS_OF - 1);

    packet.status = REVIEW_STATUS_DECIDED;
    packet.last_decision = span_of("d-1");
    packet.cost_owner_action = ACTION_KEEP_BUDGET;
    put_packet(fixture, &packet);
    write_out(fixture);
}

static void
test_decision_of_the_groups_state(void **state)
{
    struct fixture *fixture = *state;
    json_t *review = NULL;
    const json_t *decision;

    store_decision(fixture);
    put_decided(fixture);
    assert_int_equal(view_reader_review(fixture->reader, ID_A, &review, NULL), STATUS_OK);
    decision = json_object_get(review, "decision");
    assert_string_equal(json_string_value(json_object_get(decision, "decision_id")), "d-1");
    assert_string_equal(json_string_value(json_object_get(decision, "decision_owner")), "finops");
    assert_string_equal(json_string_value(json_object_get(decision, "reason")), "quarter end");
    assert_string_equal(
            json_string_value(json_object_get(decision, "action")), "keep_budget_unchanged");
    assert_int_equal(number_at(decision, "ends_at", NULL, NULL), AS_OF + 1000);
    assert_int_equal(number_at(decision, "starts_at", NULL, NULL), AS_OF - 100);
    assert_int_equal(number_at(decision, "limit_bps", NULL, NULL), 3000);
    assert_true(json_is_true(json_object_get(decision, "holds")));
    assert_true(json_is_true(json_object_get(decision, "accepts_spend_risk")));
    json_decref(review);
}

static void
test_decision_that_the_state_does_not_know(void **state)
{
    struct fixture *fixture = *state;
    json_t *review = NULL;

    put_decided(fixture);
    assert_int_equal(view_reader_review(fixture->reader, ID_A, &review, NULL), STATUS_OK);
    assert_null(json_object_get(review, "decision"));
    json_decref(review);
}

/* ---- trouble --------------------------------------------------------------------------------- */

/* The user of docs/redis.md: views only. */
static void
test_user_that_reads_views_only(void **state)
{
    struct fixture *fixture = *state;
    char user[] = "dashboard", password[] = "secret";
    struct view_reader *reader = NULL;
    struct error error = {0};
    json_t *got = NULL;

    store_decision(fixture);
    put_owner(fixture, "ana", AS_OF, 10, 1);
    put_decided(fixture);
    redis_server_ask(&fixture->server, "ACL", "SETUSER", user, "on", ">secret",
            "~rw\\[1\\]\\*:view:*", "+@read", "+@connection");
    fixture->config.redis.username = user;
    fixture->config.redis.password = password;
    assert_int_equal(view_reader_new(&fixture->config, &reader, &error), STATUS_OK);
    assert_int_equal(view_reader_owners(reader, VIEW_SORT_RETRIES, 0, &got, &error), STATUS_OK);
    assert_int_equal(json_array_size(got), 1);
    json_decref(got);
    assert_int_equal(view_reader_owner(reader, "ana", &got, &error), STATUS_OK);
    json_decref(got);
    assert_int_equal(view_reader_reviews(reader, true, &got, &error), STATUS_OK);
    json_decref(got);
    assert_int_equal(view_reader_review(reader, ID_A, &got, &error), STATUS_OK);
    assert_null(json_object_get(got, "decision"));
    json_decref(got);
    view_reader_destroy(reader);
}

static void
test_values_of_others(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    json_t *got = NULL;

    redis_server_ask(&fixture->server, "ZADD", "rw[1]*:view:owners", "1.5", "odd\xff");
    redis_server_ask(&fixture->server, "HSET", "rw[1]*:view:owner:odd\xff", "60m:retries", "many",
            "as_of", "12", "\xff:attempts", "1", "note", "");
    assert_int_equal(
            view_reader_owners(fixture->reader, VIEW_SORT_LAST, 0, &got, &error), STATUS_OK);
    assert_string_equal(text_at(got, 0, "owner"), "odd?");
    assert_int_equal(number_at(json_array_get(got, 0), "as_of", NULL, NULL), 12);
    json_decref(got);

    redis_server_ask(&fixture->server, "ZADD", "rw[1]*:view:reviews", "1", ID_A);
    redis_server_ask(&fixture->server, "HSET", "rw[1]*:view:review:" ID_A, "json", "{");
    assert_int_equal(view_reader_reviews(fixture->reader, false, &got, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "is no review"));
    redis_server_ask(&fixture->server, "DEL", "rw[1]*:view:review:" ID_A); /* expired meanwhile */
    assert_int_equal(view_reader_reviews(fixture->reader, false, &got, &error), STATUS_OK);
    assert_int_equal(json_array_size(got), 0);
    json_decref(got);
    assert_int_equal(view_reader_review(fixture->reader, ID_A, &got, &error), STATUS_FAILED);

    redis_server_ask(&fixture->server, "SET", "rw[1]*:view:owner:text", "x");
    assert_int_equal(view_reader_owner(fixture->reader, "text", &got, &error), STATUS_REFUSED);
}

int
main(void)
{
#define WITH_REDIS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
            WITH_REDIS(test_no_owners),
            WITH_REDIS(test_owners_sorted),
            WITH_REDIS(test_many_owners),
            WITH_REDIS(test_owner_with_everything),
            WITH_REDIS(test_missing_owner_of_one_partition),
            WITH_REDIS(test_unknown_owner_names_a_near_one),
            WITH_REDIS(test_reviews_oldest_first),
            WITH_REDIS(test_lookups),
            WITH_REDIS(test_ambiguous_beginning_lists_them),
            WITH_REDIS(test_older_event_does_not_replace_a_newer_one),
            WITH_REDIS(test_decision_of_the_groups_state),
            WITH_REDIS(test_decision_that_the_state_does_not_know),
            WITH_REDIS(test_user_that_reads_views_only),
            WITH_REDIS(test_values_of_others),
    };

    return cmocka_run_group_tests_name("view_reader", tests, NULL, NULL);
}
