/* test_store_redis.c - the state of partitions in a real Redis, and what goes wrong there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/store_redis.h"

#include "tests/support/redis_server.h"
#include "tests/support/rows.h"

#include <sys/socket.h>
#include <sys/un.h>

#define TTL_MS 691200000 /* 8 days */

struct fixture {
    struct redis_server server;
    struct config config;
    struct store *store;
};

static char topic[] = "outcomes", prefix[] = "rw", nothing[] = "";

static struct config
config_for(char *url)
{
    return (struct config){.topics.outcomes = topic,
            .redis = {.url = url,
                    .prefix = prefix,
                    .username = nothing,
                    .password = nothing,
                    .state_ttl_ms = TTL_MS,
                    .timeout_ms = 3000}};
}

static int
open_with(void **state, const char *const *options)
{
    struct fixture *fixture = memory_new(1, sizeof(*fixture));

    redis_server_open(&fixture->server, options);
    fixture->config = config_for(fixture->server.url);
    fixture->store = store_redis_new(&fixture->config);
    *state = fixture;
    return 0;
}

static int
set_up(void **state)
{
    return open_with(state, NULL);
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    fixture->store->ops->destroy(fixture->store);
    redis_server_close(&fixture->server);
    free(fixture);
    return 0;
}

static struct span
text(const char *bytes)
{
    return span_of(bytes);
}

static enum status
exec_with(struct store *store, const char *expected, const char *applied,
        const struct change *changes, size_t count, struct error *error)
{
    const struct changes all = {.partition = 3,
            .expected = expected != NULL ? text(expected) : SPAN_NULL,
            .applied = text(applied),
            .changes = changes,
            .count = count};

    const enum status status = store->ops->exec_begin(store, &all, error);

    return status == STATUS_OK ? store->ops->exec_end(store, error) : status;
}

static void
assert_applied(struct fixture *fixture, const char *want)
{
    const struct redis_reply *reply =
            redis_server_ask(&fixture->server, "GET", "rw:{outcomes:3}:applied");

    if (want == NULL) {
        assert_int_equal(reply->kind, REDIS_REPLY_IS_NIL);
    } else {
        assert_true(redis_reply_is(reply, want));
    }
}

static void
assert_field(struct fixture *fixture, const char *key, const char *field, const char *want)
{
    const struct redis_reply *reply = redis_server_ask(&fixture->server, "HGET", key, field);

    if (want == NULL) {
        assert_int_equal(reply->kind, REDIS_REPLY_IS_NIL);
    } else {
        assert_true(redis_reply_is(reply, want));
    }
}

static int64_t
ttl_of(struct fixture *fixture, const char *key)
{
    return redis_server_ask(&fixture->server, "PTTL", key)->integer;
}

static void
test_changes_are_stored(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    const struct change first[] = {
            {CHANGE_SET, text("m:1"), text("1"), text("a"), true},
            {CHANGE_SET, text("m:1"), text("2"), text("b"), true},
            {CHANGE_SET, text("reviews"), text("7"), text("r"), false},
            {CHANGE_SET, text("h:9"), text("1"), text("x"), true},
    };
    const struct change second[] = {
            {CHANGE_SET, text("m:1"), text("3"), text(""), true},
            {CHANGE_DELETE, text("m:1"), text("1"), SPAN_NULL, false},
            {CHANGE_DELETE, text("m:1"), text("2"), SPAN_NULL, false},
            {CHANGE_SET, text("m:1"), text("2"), text("c"), true},
            {CHANGE_UNLINK, text("h:9"), SPAN_NULL, SPAN_NULL, false},
    };

    assert_int_equal(exec_with(fixture->store, NULL, "one", first, 4, &error), STATUS_OK);
    assert_applied(fixture, "one");
    assert_field(fixture, "rw:{outcomes:3}:m:1", "2", "b");
    assert_int_equal(exec_with(fixture->store, "one", "two", second, 5, &error), STATUS_OK);
    assert_applied(fixture, "two");
    assert_field(fixture, "rw:{outcomes:3}:m:1", "1", NULL);
    assert_field(fixture, "rw:{outcomes:3}:m:1", "2", "c");
    assert_field(fixture, "rw:{outcomes:3}:m:1", "3", "");
    assert_field(fixture, "rw:{outcomes:3}:h:9", "1", NULL);
    assert_true(ttl_of(fixture, "rw:{outcomes:3}:m:1") > TTL_MS - 60000);
    assert_int_equal(ttl_of(fixture, "rw:{outcomes:3}:reviews"), -1);
    assert_int_equal(ttl_of(fixture, "rw:{outcomes:3}:applied"), -1);
}

static void
test_applied_alone_can_change(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(exec_with(fixture->store, NULL, "", NULL, 0, NULL), STATUS_OK);
    assert_applied(fixture, "");
    assert_int_equal(exec_with(fixture->store, "", "x", NULL, 0, NULL), STATUS_OK);
    assert_applied(fixture, "x");
}

static void
test_applied_is_read_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct buffer applied = {0};
    bool exists = true;
    const uint8_t bytes[] = {0, '\r', '\n', 0xff, 0};
    const struct changes changes = {
            .partition = 3, .expected = SPAN_NULL, .applied = {bytes, sizeof(bytes)}};

    buffer_put_text(&applied, "left over");
    assert_int_equal(fixture->store->ops->read_applied(fixture->store, 3, &applied, &exists, NULL),
            STATUS_OK);
    assert_false(exists);
    assert_int_equal(applied.size, 0);
    assert_int_equal(fixture->store->ops->exec_begin(fixture->store, &changes, NULL), STATUS_OK);
    assert_int_equal(fixture->store->ops->exec_end(fixture->store, NULL), STATUS_OK);
    assert_int_equal(fixture->store->ops->read_applied(fixture->store, 3, &applied, &exists, NULL),
            STATUS_OK);
    assert_true(exists);
    assert_true(span_equal(buffer_span(&applied), changes.applied));
    buffer_fini(&applied);
}

static const struct change a_change[] = {
        {CHANGE_SET, {(const uint8_t *)"m:1", 3}, {(const uint8_t *)"1", 1},
                {(const uint8_t *)"a", 1}, true},
};

static void
test_another_applied_fences(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    redis_server_ask(&fixture->server, "SET", "rw:{outcomes:3}:applied", "theirs");
    assert_int_equal(exec_with(fixture->store, "ours", "next", a_change, 1, &error), STATUS_FENCED);
    assert_int_equal(error.status, STATUS_FENCED);
    assert_int_equal(exec_with(fixture->store, NULL, "next", a_change, 1, &error), STATUS_FENCED);
    assert_applied(fixture, "theirs");
    assert_field(fixture, "rw:{outcomes:3}:m:1", "1", NULL);
    /* Nothing is left of the WATCH: the next one with the right value passes. */
    assert_int_equal(exec_with(fixture->store, "theirs", "next", a_change, 1, &error), STATUS_OK);
}

static void
test_missing_applied_fences(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(exec_with(fixture->store, "ours", "next", NULL, 0, NULL), STATUS_FENCED);
    assert_int_equal(exec_with(fixture->store, "", "next", NULL, 0, NULL), STATUS_FENCED);
    assert_applied(fixture, NULL);
}

/* Two writers take turns at random; each applied is the successor of the one its writer saw. */
static void
test_second_writer_is_never_overwritten(void **state)
{
    struct fixture *fixture = *state;
    struct store *stores[2] = {fixture->store, store_redis_new(&fixture->config)};
    char known[2][16] = {"0", "0"};
    unsigned seed = 4;
    int stored = 0;

    print_message("seed %u\n", seed);
    redis_server_ask(&fixture->server, "SET", "rw:{outcomes:3}:applied", "0");
    for (int i = 0; i < 200; i++) {
        const int writer = rand_r(&seed) % 2;
        char next[16];

        snprintf(next, sizeof(next), "%d", atoi(known[writer]) + 1);
        if (exec_with(stores[writer], known[writer], next, a_change, 1, NULL) == STATUS_OK) {
            memcpy(known[writer], next, sizeof(next));
            stored++;
        } else {
            struct buffer applied = {0};
            bool exists = false;

            assert_int_equal(
                    stores[writer]->ops->read_applied(stores[writer], 3, &applied, &exists, NULL),
                    STATUS_OK);
            snprintf(known[writer], sizeof(known[writer]), "%.*s", (int)applied.size,
                    (const char *)applied.data);
            buffer_fini(&applied);
        }
    }
    snprintf(known[0], sizeof(known[0]), "%d", stored);
    assert_applied(fixture, known[0]);
    stores[1]->ops->destroy(stores[1]);
}

static void
test_wrong_type_is_refused_and_nothing_done(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    const struct change changes[] = {
            {CHANGE_SET, text("m:1"), text("1"), text("a"), true},
            {CHANGE_SET, text("groups"), text("1"), text("a"), true},
    };

    redis_server_ask(&fixture->server, "SET", "rw:{outcomes:3}:groups", "not a hash");
    assert_int_equal(exec_with(fixture->store, NULL, "one", changes, 2, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "rw:{outcomes:3}:groups"));
    assert_null(strstr(error.text, "not a hash"));
    assert_applied(fixture, NULL);
    assert_field(fixture, "rw:{outcomes:3}:m:1", "1", NULL);
}

static void
test_wrong_type_of_applied_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    redis_server_ask(&fixture->server, "HSET", "rw:{outcomes:3}:applied", "a", "b");
    assert_int_equal(exec_with(fixture->store, NULL, "one", NULL, 0, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "redis.prefix"));
}

static void
test_out_of_memory_is_waited_for_and_nothing_done(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    redis_server_ask(&fixture->server, "CONFIG", "SET", "maxmemory", "1");
    assert_int_equal(
            exec_with(fixture->store, NULL, "one", a_change, 1, &error), STATUS_STORE_DOWN);
    assert_non_null(strstr(error.text, "maxmemory"));
    redis_server_ask(&fixture->server, "CONFIG", "SET", "maxmemory", "0");
    assert_applied(fixture, NULL);
    assert_int_equal(exec_with(fixture->store, NULL, "one", a_change, 1, &error), STATUS_OK);
}

static void
test_replica_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    redis_server_ask(&fixture->server, "REPLICAOF", "127.0.0.1", "1");
    const enum status status = exec_with(fixture->store, NULL, "one", a_change, 1, &error);

    assert_int_equal(status, STATUS_STORE_DOWN);
    assert_non_null(strstr(error.text, "primary"));
    redis_server_ask(&fixture->server, "REPLICAOF", "NO", "ONE");
    assert_int_equal(exec_with(fixture->store, NULL, "one", a_change, 1, &error), STATUS_OK);
}

static void
test_restart_is_down_then_up(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    struct buffer applied = {0};
    bool exists = false;

    assert_int_equal(exec_with(fixture->store, NULL, "one", a_change, 1, &error), STATUS_OK);
    redis_server_kill(&fixture->server);
    assert_int_equal(
            exec_with(fixture->store, "one", "two", a_change, 1, &error), STATUS_STORE_DOWN);
    assert_int_equal(
            fixture->store->ops->read_applied(fixture->store, 3, &applied, &exists, &error),
            STATUS_STORE_DOWN);
    assert_non_null(strstr(error.text, fixture->server.url));
    redis_server_start(&fixture->server, NULL);
    redis_server_wait(&fixture->server);
    assert_int_equal(exec_with(fixture->store, "one", "two", a_change, 1, &error), STATUS_OK);
    buffer_fini(&applied);
}

/* A Redis that answers nothing: stopped, its socket still open. */
static void
test_silence_ends_at_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    struct buffer applied = {0};
    bool exists = false;

    fixture->config.redis.timeout_ms = 100;
    struct store *store = store_redis_new(&fixture->config);

    assert_int_equal(store->ops->read_applied(store, 3, &applied, &exists, NULL), STATUS_OK);
    kill(fixture->server.pid, SIGSTOP);
    assert_int_equal(exec_with(store, NULL, "one", a_change, 1, NULL), STATUS_STORE_DOWN);
    kill(fixture->server.pid, SIGCONT);
    assert_int_equal(exec_with(store, NULL, "one", a_change, 1, NULL), STATUS_OK);
    store->ops->destroy(store);
    buffer_fini(&applied);
}

/* Stands between a store and Redis: passes everything until the cut. */
struct proxy {
    int listener;
    char url[128];
    pid_t pid;
};

enum cut { CUT_IN_MULTI, CUT_BEFORE_EXEC, CUT_AFTER_EXEC };

/* Bytes of one connection, both ways; ends the process at the cut. */
static void
relay(int client, int server, enum cut cut)
{
    char seen[65536];

    for (;;) {
        const ssize_t size = recv(client, seen, sizeof(seen), 0);
        const bool is_exec = size > 0 && memmem(seen, (size_t)size, "\nEXEC\r", 6) != NULL;
        const bool is_multi = size > 0 && memmem(seen, (size_t)size, "\nMULTI\r", 7) != NULL;

        if (size <= 0 || (is_exec && cut == CUT_BEFORE_EXEC) || (is_multi && cut == CUT_IN_MULTI)) {
            _exit(0);
        }
        assert(send(server, seen, (size_t)size, 0) == size);
        const ssize_t answer = recv(server, seen, sizeof(seen), 0);

        if (answer <= 0 || is_exec) {
            _exit(0); /* done by Redis, and the answer is lost */
        }
        assert(send(client, seen, (size_t)answer, 0) == answer);
    }
}

static void
proxy_open(struct proxy *proxy, const struct redis_server *server, enum cut cut)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX}, to = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/proxy.sock", server->directory);
    snprintf(to.sun_path, sizeof(to.sun_path), "%s/redis.sock", server->directory);
    snprintf(proxy->url, sizeof(proxy->url), "unix://%s", at.sun_path);
    unlink(at.sun_path);
    proxy->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(proxy->listener, 1), 0);
    proxy->pid = fork();
    if (proxy->pid == 0) {
        const int client = accept(proxy->listener, NULL, NULL);
        const int redis = socket(AF_UNIX, SOCK_STREAM, 0);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (client < 0 || connect(redis, (struct sockaddr *)&to, sizeof(to)) != 0) {
            _exit(1);
        }
        relay(client, redis, cut);
    }
}

static void
proxy_close(struct proxy *proxy)
{
    kill(proxy->pid, SIGKILL);
    waitpid(proxy->pid, NULL, 0);
    close(proxy->listener);
}

static enum status
exec_through(struct fixture *fixture, enum cut cut, struct span value)
{
    const struct change changes[] = {{CHANGE_SET, text("m:1"), text("1"), value, true}};
    struct proxy proxy;
    enum status status;

    proxy_open(&proxy, &fixture->server, cut);
    struct config config = config_for(proxy.url);
    struct store *store = store_redis_new(&config);

    status = exec_with(store, NULL, "one", changes, 1, NULL);
    store->ops->destroy(store);
    proxy_close(&proxy);
    return status;
}

static void
test_lost_answer_is_unknown_and_was_done(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(exec_through(fixture, CUT_AFTER_EXEC, text("a")), STATUS_UNKNOWN_OUTCOME);
    assert_applied(fixture, "one");
}

static void
test_lost_exec_is_unknown_and_was_not_done(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(exec_through(fixture, CUT_BEFORE_EXEC, text("a")), STATUS_UNKNOWN_OUTCOME);
    assert_applied(fixture, NULL);
}

/* Lost in the middle of a large MULTI: no byte of EXEC has left. */
static void
test_half_a_transaction_is_down_and_was_not_done(void **state)
{
    struct fixture *fixture = *state;
    const size_t size = (size_t)32 * 1024 * 1024; /* more than a socket buffers */
    uint8_t *value = memory_new(size, 1);

    assert_int_equal(
            exec_through(fixture, CUT_IN_MULTI, (struct span){value, size}), STATUS_STORE_DOWN);
    assert_applied(fixture, NULL);
    free(value);
}

struct tally {
    size_t maps;
    size_t *counts; /* counts[maps] */
    uint8_t *seen;  /* of map 0, by field */
    size_t fields;
};

static enum status
visit_tally(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    struct tally *tally = context;
    uint32_t number = 0;

    assert_true(map < tally->maps);
    tally->counts[map] += 1;
    if (map == 0) {
        assert_int_equal(field.size, sizeof(number));
        memcpy(&number, field.data, sizeof(number));
        assert_true(number < tally->fields);
        tally->seen[number] = 1;
        assert_true(span_equal(field, value)); /* bytes of every kind came back */
    }
    (void)error;
    return STATUS_OK;
}

static void
test_large_maps_are_read_whole(void **state)
{
    enum { FIELDS = 100000, MAPS = 120, LATER = 60 }; /* two are large, the first and a later one */
    struct fixture *fixture = *state;
    uint32_t *numbers = memory_new(FIELDS, sizeof(*numbers));
    struct change *changes = memory_new(FIELDS + MAPS, sizeof(*changes));
    char names[MAPS][16];
    struct span maps[MAPS];
    struct tally tally = {.maps = MAPS,
            .counts = memory_new(MAPS, sizeof(size_t)),
            .seen = memory_new(FIELDS, 1),
            .fields = FIELDS};

    for (uint32_t i = 0; i < FIELDS; i++) {
        numbers[i] = i;
        const struct span bytes = {(const uint8_t *)&numbers[i], sizeof(numbers[i])};

        changes[i] = (struct change){CHANGE_SET, text("m:0"), bytes, bytes, true};
    }
    for (size_t i = 0; i < MAPS; i++) {
        snprintf(names[i], sizeof(names[i]), "m:%zu", i);
        maps[i] = text(names[i]);
        changes[FIELDS + i] = (struct change){CHANGE_SET, maps[i], text("abcd"), text("x"), true};
    }
    maps[MAPS - 1] = text("none");
    assert_int_equal(exec_with(fixture->store, NULL, "1", changes, FIELDS, NULL), STATUS_OK);
    assert_int_equal(
            exec_with(fixture->store, "1", "2", changes + FIELDS + 1, MAPS - 1, NULL), STATUS_OK);
    for (size_t i = 0; i < FIELDS; i++) {
        changes[i].map = maps[LATER];
    }
    assert_int_equal(exec_with(fixture->store, "2", "3", changes, FIELDS, NULL), STATUS_OK);
    assert_int_equal(fixture->store->ops->read_maps(
                             fixture->store, 3, maps, MAPS, visit_tally, &tally, NULL),
            STATUS_OK);
    assert_true(tally.counts[0] >= FIELDS);
    assert_null(memchr(tally.seen, 0, FIELDS));
    assert_true(tally.counts[LATER] > FIELDS);
    for (size_t i = 1; i < MAPS - 1; i++) {
        assert_true(tally.counts[i] == 1 || i == LATER);
    }
    assert_int_equal(tally.counts[MAPS - 1], 0);
    free(numbers);
    free(changes);
    free(tally.counts);
    free(tally.seen);
}

static enum status
visit_refuse(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    (void)context, (void)map, (void)field, (void)value;
    return error_set(error, STATUS_REFUSED, "enough");
}

static void
test_visitor_can_stop(void **state)
{
    struct fixture *fixture = *state;
    const struct span maps[] = {text("m:1"), text("m:2"), text("m:1")};
    struct error error = {0};

    assert_int_equal(exec_with(fixture->store, NULL, "1", a_change, 1, NULL), STATUS_OK);
    assert_int_equal(
            fixture->store->ops->read_maps(fixture->store, 3, maps, 3, visit_refuse, NULL, &error),
            STATUS_REFUSED);
    assert_string_equal(error.text, "enough");
    /* Replies that were under way do not answer the next question. */
    assert_int_equal(exec_with(fixture->store, "1", "2", a_change, 1, NULL), STATUS_OK);
}

static void
test_map_of_another_type_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct span maps[] = {text("groups")};
    struct tally tally = {0};

    redis_server_ask(&fixture->server, "SET", "rw:{outcomes:3}:groups", "x");
    assert_int_equal(
            fixture->store->ops->read_maps(fixture->store, 3, maps, 1, visit_tally, &tally, NULL),
            STATUS_REFUSED);
}

static void
test_views_are_written_and_errors_found(void **state)
{
    struct fixture *fixture = *state;
    struct buffer commands = {0};
    struct error error = {0};

    resp_command(&commands, "HSET", "rw:view:owner:ana", "60m:retries", "3", NULL);
    resp_command(&commands, "ZADD", "rw:view:owners", "5", "ana", NULL);
    assert_int_equal(
            fixture->store->ops->write_views(fixture->store, buffer_span(&commands), 2, &error),
            STATUS_OK);
    assert_field(fixture, "rw:view:owner:ana", "60m:retries", "3");
    buffer_clear(&commands);
    resp_command(&commands, "MULTI", NULL);
    resp_command(&commands, "HSET", "rw:view:owners", "a", "b", NULL);
    resp_command(&commands, "EXEC", NULL);
    resp_command(&commands, "SET", "rw:after", "x", NULL);
    assert_int_equal(
            fixture->store->ops->write_views(fixture->store, buffer_span(&commands), 4, &error),
            STATUS_REFUSED);
    assert_non_null(strstr(error.text, "another type"));
    assert_true(redis_reply_is(redis_server_ask(&fixture->server, "GET", "rw:after"), "x"));
    assert_int_equal(exec_with(fixture->store, NULL, "one", a_change, 1, NULL), STATUS_OK);
    buffer_fini(&commands);
}

static const struct store_meta our_meta = {.cluster_id = "lkc-1",
        .topic = "outcomes",
        .partition_count = 4,
        .group = "retrywatch",
        .layout = "0123456789abcdef"};

static void
test_meta_is_written_and_compared(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    struct store_meta theirs = our_meta;

    assert_int_equal(store_redis_check(fixture->store, &our_meta, &error), STATUS_OK);
    assert_field(fixture, "rw:meta", "partition_count", "4");
    assert_field(fixture, "rw:meta", "cluster_id", "lkc-1");
    assert_int_equal(store_redis_check(fixture->store, &our_meta, &error), STATUS_OK);
    theirs.partition_count = 8;
    theirs.layout = "ffff";
    assert_int_equal(store_redis_check(fixture->store, &theirs, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "partition_count is 4 there, 8 here"));
    assert_non_null(strstr(error.text, "layout is 0123456789abcdef there, ffff here"));
    assert_null(strstr(error.text, "topic is"));
    assert_field(fixture, "rw:meta", "partition_count", "4");
}

static void
test_eviction_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    redis_server_ask(&fixture->server, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl");
    assert_int_equal(store_redis_check(fixture->store, &our_meta, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "volatile-ttl"));
    assert_non_null(strstr(error.text, "CONFIG SET maxmemory-policy noeviction"));
    assert_int_equal(redis_server_ask(&fixture->server, "EXISTS", "rw:meta")->integer, 0);
}

/* Hosted Redis forbids CONFIG; INFO tells the policy too. */
static void
test_policy_is_found_without_config(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    redis_server_ask(&fixture->server, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    redis_server_ask(
            &fixture->server, "ACL", "SETUSER", "ana", "on", ">pw", "~rw:*", "+@all", "-config");
    struct config config = fixture->config;
    char user[] = "ana", password[] = "pw";

    config.redis.username = user;
    config.redis.password = password;
    struct store *store = store_redis_new(&config);

    assert_int_equal(store_redis_check(store, &our_meta, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, "allkeys-lru"));
    redis_server_ask(&fixture->server, "CONFIG", "SET", "maxmemory-policy", "noeviction");
    assert_int_equal(store_redis_check(store, &our_meta, &error), STATUS_OK);
    store->ops->destroy(store);
}

static int
set_up_password(void **state)
{
    const char *const options[] = {"--requirepass", "open sesame", NULL};

    return open_with(state, options);
}

static enum status
check_as(struct fixture *fixture, char *username, char *password, struct error *error)
{
    struct config config = fixture->config;
    enum status status;

    config.redis.username = username;
    config.redis.password = password;
    struct store *store = store_redis_new(&config);

    status = store_redis_check(store, &our_meta, error);
    store->ops->destroy(store);
    return status;
}

static void
test_passwords(void **state)
{
    struct fixture *fixture = *state;
    char right[] = "open sesame", wrong[] = "wrong-secret", user[] = "default";
    char with_password[256];
    struct error error = {0};

    assert_int_equal(check_as(fixture, nothing, nothing, &error), STATUS_AUTH);
    assert_non_null(strstr(error.text, "redis.password"));
    assert_int_equal(check_as(fixture, nothing, wrong, &error), STATUS_AUTH);
    assert_null(strstr(error.text, wrong));
    assert_int_equal(check_as(fixture, nothing, right, &error), STATUS_OK);
    assert_int_equal(check_as(fixture, user, right, &error), STATUS_OK);
    snprintf(with_password, sizeof(with_password), "unix://:open%%20sesame@%s?db=2",
            fixture->server.url + strlen("unix://"));
    fixture->config.redis.url = with_password;
    assert_int_equal(check_as(fixture, nothing, nothing, &error), STATUS_OK);
}

static void
test_unknown_database_is_a_config_error(void **state)
{
    struct fixture *fixture = *state;
    char url[160];
    struct error error = {0};

    snprintf(url, sizeof(url), "%s?db=99", fixture->server.url);
    fixture->config.redis.url = url;
    assert_int_equal(check_as(fixture, nothing, nothing, &error), STATUS_BAD_CONFIG);
}

static void
test_wrong_url_is_a_config_error(void **state)
{
    char url[] = "localhost:6379";
    struct config config = config_for(url);
    struct store *store = store_redis_new(&config);
    struct error error = {0};

    (void)state;
    assert_int_equal(store_redis_check(store, &our_meta, &error), STATUS_BAD_CONFIG);
    assert_int_equal(exec_with(store, NULL, "1", NULL, 0, &error), STATUS_BAD_CONFIG);
    store->ops->destroy(store);
}

static void
test_nobody_listens(void **state)
{
    char url[] = "redis://127.0.0.1:1/0";
    struct config config = config_for(url);
    struct store *store = store_redis_new(&config);
    struct error error = {0};

    (void)state;
    assert_int_equal(store_redis_check(store, &our_meta, &error), STATUS_STORE_DOWN);
    assert_non_null(strstr(error.text, "redis://127.0.0.1:1/0"));
    store->ops->destroy(store);
}

#define WITH_REDIS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
            WITH_REDIS(test_changes_are_stored),
            WITH_REDIS(test_applied_alone_can_change),
            WITH_REDIS(test_applied_is_read_as_it_is),
            WITH_REDIS(test_another_applied_fences),
            WITH_REDIS(test_missing_applied_fences),
            WITH_REDIS(test_second_writer_is_never_overwritten),
            WITH_REDIS(test_wrong_type_is_refused_and_nothing_done),
            WITH_REDIS(test_wrong_type_of_applied_is_refused),
            WITH_REDIS(test_out_of_memory_is_waited_for_and_nothing_done),
            WITH_REDIS(test_replica_is_waited_for),
            WITH_REDIS(test_restart_is_down_then_up),
            WITH_REDIS(test_silence_ends_at_the_deadline),
            WITH_REDIS(test_lost_answer_is_unknown_and_was_done),
            WITH_REDIS(test_lost_exec_is_unknown_and_was_not_done),
            WITH_REDIS(test_half_a_transaction_is_down_and_was_not_done),
            WITH_REDIS(test_large_maps_are_read_whole),
            WITH_REDIS(test_visitor_can_stop),
            WITH_REDIS(test_map_of_another_type_is_refused),
            WITH_REDIS(test_views_are_written_and_errors_found),
            WITH_REDIS(test_meta_is_written_and_compared),
            WITH_REDIS(test_eviction_is_refused),
            WITH_REDIS(test_policy_is_found_without_config),
            cmocka_unit_test_setup_teardown(test_passwords, set_up_password, tear_down),
            WITH_REDIS(test_unknown_database_is_a_config_error),
            cmocka_unit_test(test_wrong_url_is_a_config_error),
            cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests_name("store_redis", tests, NULL, NULL);
}
