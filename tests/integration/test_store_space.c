/* test_store_space.c - namespaces of the state in a Redis of the test's own: begun, switched to,
 * followed, deleted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/store_redis.h"

#include "tests/support/redis_server.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct redis_server server;
    struct config config;
    struct store *store;  /* of the service: follows what is in use */
    struct store *pinned; /* of a rebuild */
};

static char topic[] = "outcomes", prefix[] = "rw", nothing[] = "";

static const struct store_meta our_meta = {.cluster_id = "lkc-1",
        .topic = "outcomes",
        .partition_count = 4,
        .group = "retrywatch",
        .layout = "0123456789abcdef"};

static int
set_up(void **state)
{
    struct fixture *fixture = memory_new(1, sizeof(*fixture));
    struct error error;

    redis_server_open(&fixture->server, NULL);
    fixture->config = (struct config){.topics.outcomes = topic,
            .redis = {.url = fixture->server.url,
                    .prefix = prefix,
                    .username = nothing,
                    .password = nothing,
                    .state_ttl_ms = 100000,
                    .timeout_ms = 3000}};
    fixture->store = store_redis_new(&fixture->config);
    fixture->pinned = store_redis_new(&fixture->config);
    assert_int_equal(store_redis_check(fixture->store, &our_meta, &error), STATUS_OK);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    fixture->store->ops->destroy(fixture->store);
    fixture->pinned->ops->destroy(fixture->pinned);
    redis_server_close(&fixture->server);
    free(fixture);
    return 0;
}

static void
write_state(struct store *store, const char *expected, const char *applied)
{
    const struct change change = {CHANGE_SET, span_of("m:1"), span_of("1"), span_of(applied), true};
    const struct changes changes = {.partition = 3,
            .expected = expected != NULL ? span_of(expected) : SPAN_NULL,
            .applied = span_of(applied),
            .changes = &change,
            .count = 1};
    struct error error = {0};

    assert_int_equal(store->ops->exec_begin(store, &changes, &error), STATUS_OK);
    assert_int_equal(store->ops->exec_end(store, &error), STATUS_OK);
}

/* What a look at `applied` finds; want NULL: nothing. */
static void
assert_applied(struct store *store, const char *want)
{
    struct buffer applied = {0};
    struct error error = {0};
    bool exists = false;

    assert_int_equal(store->ops->read_applied(store, 3, &applied, &exists, &error), STATUS_OK);
    assert_int_equal(exists, want != NULL);
    assert_true(want == NULL || span_equal(buffer_span(&applied), span_of(want)));
    buffer_fini(&applied);
}

static struct store_spaces
spaces_of(struct fixture *fixture, const struct store_meta *meta)
{
    struct store_spaces spaces = {0};
    struct error error = {0};

    assert_int_equal(store_redis_spaces(fixture->pinned, meta, &spaces, &error), STATUS_OK);
    return spaces;
}

static struct store_spaces
begun(struct fixture *fixture, const struct store_meta *meta)
{
    struct store_spaces spaces = {0};
    struct error error = {0};

    assert_int_equal(store_redis_space_begin(fixture->pinned, meta, &spaces, &error), STATUS_OK);
    store_redis_pin(fixture->pinned, spaces.other);
    return spaces;
}

static int64_t
exists(struct fixture *fixture, const char *key)
{
    return redis_server_ask(&fixture->server, "EXISTS", key)->integer;
}

static void
test_beside_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct store_spaces spaces = spaces_of(fixture, &our_meta);

    assert_int_equal(spaces.used, 1);
    assert_int_equal(spaces.other_is, STORE_OTHER_NONE);
    write_state(fixture->store, NULL, "old");
    spaces = begun(fixture, &our_meta);
    assert_int_equal(spaces.other, 2);
    assert_applied(fixture->pinned, NULL);
    write_state(fixture->pinned, NULL, "new");
    assert_int_equal(exists(fixture, "rw:{outcomes:3}@2:applied"), 1);
    assert_int_equal(exists(fixture, "rw:{outcomes:3}@2:m:1"), 1);
    assert_applied(fixture->store, "old");
    spaces = begun(fixture, &our_meta); /* it goes on with the same one */
    assert_int_equal(spaces.other, 2);
}

/* A store that follows sees the other state at its next look, and its own EXEC is fenced there. */
static void
test_switch_is_followed(void **state)
{
    struct fixture *fixture = *state;
    struct store_spaces spaces;
    struct error error = {0};

    write_state(fixture->store, NULL, "old");
    spaces = begun(fixture, &our_meta);
    write_state(fixture->pinned, NULL, "new");
    assert_int_equal(
            store_redis_space_switch(fixture->pinned, &our_meta, &spaces, &error), STATUS_OK);
    assert_applied(fixture->store, "new");
    assert_applied(fixture->pinned, "new");
    write_state(fixture->store, "new", "newer");
    spaces = spaces_of(fixture, &our_meta);
    assert_int_equal(spaces.used, 2);
    assert_int_equal(spaces.other, 1);
    assert_int_equal(spaces.other_is, STORE_OTHER_OLD);

    assert_int_equal(
            store_redis_space_switch(fixture->pinned, &our_meta, &spaces, &error), STATUS_OK);
    assert_applied(fixture->store, "old"); /* and back */
}

static void
test_switch_is_one_of_two(void **state)
{
    struct fixture *fixture = *state;
    struct store_spaces spaces = begun(fixture, &our_meta);
    struct store_spaces stale = spaces;
    struct error error = {0};

    assert_int_equal(
            store_redis_space_switch(fixture->pinned, &our_meta, &spaces, &error), STATUS_OK);
    assert_int_equal(
            store_redis_space_switch(fixture->pinned, &our_meta, &stale, &error), STATUS_FENCED);
    assert_int_equal(spaces_of(fixture, &our_meta).used, 2);
    assert_int_equal(store_redis_space_begin(fixture->pinned, &our_meta, &stale, &error),
            STATUS_REFUSED); /* the old one is kept */
    assert_non_null(strstr(error.text, "--drop-old"));
}

/* Another layout goes with the state that was counted in it. */
static void
test_layout_is_switched_too(void **state)
{
    struct fixture *fixture = *state;
    struct store_meta other = our_meta;
    struct store_spaces spaces;
    struct error error = {0};

    other.layout = "ffff";
    other.partition_count = 8;
    assert_int_equal(store_redis_check(fixture->store, &other, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "retrywatch rebuild"));
    spaces = spaces_of(fixture, &other);
    assert_false(spaces.used_fits);
    spaces = begun(fixture, &other);
    assert_true(spaces.other_fits);
    assert_int_equal(store_redis_space_begin(fixture->pinned, &our_meta, &spaces, &error),
            STATUS_REFUSED); /* begun with another layout */
    assert_non_null(strstr(error.text, "--drop-new"));
    spaces = spaces_of(fixture, &other);
    assert_int_equal(store_redis_space_switch(fixture->pinned, &other, &spaces, &error), STATUS_OK);
    assert_int_equal(store_redis_check(fixture->store, &other, &error), STATUS_OK);
    assert_int_equal(store_redis_check(fixture->store, &our_meta, &error), STATUS_REFUSED);
    assert_int_equal(store_redis_space_switch(fixture->pinned, &other, &spaces, &error), STATUS_OK);
    assert_int_equal(store_redis_check(fixture->store, &our_meta, &error), STATUS_OK);
}

static void
test_of_something_else(void **state)
{
    struct fixture *fixture = *state;
    struct store_meta theirs = our_meta;
    struct store_spaces spaces;
    struct error error = {0};

    theirs.group = "another";
    assert_int_equal(store_redis_spaces(fixture->pinned, &theirs, &spaces, &error), STATUS_REFUSED);
    assert_int_equal(
            store_redis_space_begin(fixture->pinned, &theirs, &spaces, &error), STATUS_REFUSED);
}

static void
test_drop(void **state)
{
    struct fixture *fixture = *state;
    struct store_spaces spaces;
    struct error error = {0};
    uint64_t keys = 0;

    write_state(fixture->store, NULL, "old");
    redis_server_ask(&fixture->server, "SET", "rw:view:owners", "a view");
    spaces = begun(fixture, &our_meta);
    write_state(fixture->pinned, NULL, "new");
    assert_int_equal(
            store_redis_space_drop(fixture->pinned, &our_meta, &spaces, &keys, &error), STATUS_OK);
    assert_int_equal(keys, 2);
    assert_int_equal(exists(fixture, "rw:{outcomes:3}@2:applied"), 0);
    assert_applied(fixture->store, "old");
    assert_int_equal(exists(fixture, "rw:view:owners"), 1);

    spaces = begun(fixture, &our_meta);
    assert_int_equal(spaces.other, 3); /* a number is never given out twice */
    write_state(fixture->pinned, NULL, "newest");
    assert_int_equal(
            store_redis_space_switch(fixture->pinned, &our_meta, &spaces, &error), STATUS_OK);
    /* Crashed in the middle: nobody can switch back to it, and deleting goes on. */
    redis_server_ask(&fixture->server, "HSET", "rw:meta", "other_is", "gone");
    assert_int_equal(
            store_redis_space_begin(fixture->pinned, &our_meta, &spaces, &error), STATUS_REFUSED);
    spaces = spaces_of(fixture, &our_meta);
    assert_int_equal(
            store_redis_space_drop(fixture->pinned, &our_meta, &spaces, &keys, &error), STATUS_OK);
    assert_int_equal(exists(fixture, "rw:{outcomes:3}:applied"), 0);
    assert_applied(fixture->store, "newest");
    assert_int_equal(spaces_of(fixture, &our_meta).other_is, STORE_OTHER_NONE);
}

int
main(void)
{
#define WITH_REDIS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
            WITH_REDIS(test_beside_each_other),
            WITH_REDIS(test_switch_is_followed),
            WITH_REDIS(test_switch_is_one_of_two),
            WITH_REDIS(test_layout_is_switched_too),
            WITH_REDIS(test_of_something_else),
            WITH_REDIS(test_drop),
    };

    return cmocka_run_group_tests_name("store_space", tests, NULL, NULL);
}
