/* test_registry.c - writer schemas from a registry: what it answers, and when it is asked.
 *
 * A thread of the test is the registry: it answers each connection with the text it was told.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/registry.h"
#include "consumer/config_table.h"
#include "tests/support/rows.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SCHEMA "{\"schema\":\"\\\"string\\\"\"}"
#define REQUEST_SIZE 4096

/* A registry on a free port. */
struct server {
    int fd;
    int port;
    pthread_t thread;
    pthread_mutex_t lock;
    const char *head;   /* status line */
    const char *body;   /* NULL: never answers */
    size_t body_repeat; /* how often body is sent */
    int asked;
    bool stopped;
    char request[REQUEST_SIZE]; /* the last one */
};

static void
answer(struct server *server, int fd)
{
    char head[256];
    size_t size = 0;

    while (size < REQUEST_SIZE - 1 && strstr(server->request, "\r\n\r\n") == NULL) {
        const ssize_t got = read(fd, server->request + size, REQUEST_SIZE - 1 - size);

        if (got <= 0) {
            return;
        }
        size += (size_t)got;
        server->request[size] = '\0';
    }
    server->asked++;
    if (server->body == NULL) {
        sleep(3);
        return;
    }
    snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
            server->head, strlen(server->body) * server->body_repeat);
    if (write(fd, head, strlen(head)) < 0) {
        return;
    }
    for (size_t i = 0; i < server->body_repeat; i++) {
        if (send(fd, server->body, strlen(server->body), MSG_NOSIGNAL) < 0) {
            return;
        }
    }
}

static void *
serve(void *context)
{
    struct server *server = context;

    for (;;) {
        const int fd = accept(server->fd, NULL, NULL);

        if (fd < 0) {
            return NULL;
        }
        pthread_mutex_lock(&server->lock);
        server->request[0] = '\0';
        const bool stopped = server->stopped;

        if (!stopped) {
            answer(server, fd);
        }
        pthread_mutex_unlock(&server->lock);
        close(fd);
        if (stopped) {
            return NULL;
        }
    }
}

static void
server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);

    *server = (struct server){.head = "200 OK", .body = SCHEMA, .body_repeat = 1};
    pthread_mutex_init(&server->lock, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void
server_tell(struct server *server, const char *head, const char *body)
{
    pthread_mutex_lock(&server->lock);
    server->head = head;
    server->body = body;
    pthread_mutex_unlock(&server->lock);
}

static void
server_stop(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pthread_mutex_lock(&server->lock);
    server->stopped = true;
    pthread_mutex_unlock(&server->lock);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    pthread_join(server->thread, NULL);
    close(fd);
    close(server->fd);
}

/* ---- a clock that is turned by hand --------------------------------------------------------- */

static int64_t now_ms;

static int64_t
hand_ms(const struct clock *clock)
{
    (void)clock;
    return now_ms;
}

static const struct clock hand = {.wall_ms = hand_ms, .monotonic_ms = hand_ms};

struct fixture {
    struct server server;
    struct registry *registry;
    struct error error;
    char *json;
};

static void
open_registry(struct fixture *fixture, const char *more)
{
    char url[128];
    char user[128];
    const char *sets[] = {url, "schema.unknown_wait=60s", user};
    struct config_problems problems = {.out = stderr};
    struct config_input input = {.sets = sets, .set_count = 3};
    struct config *config = NULL;

    snprintf(
            url, sizeof(url), "schema.registry=http://%s127.0.0.1:%d/", more, fixture->server.port);
    snprintf(user, sizeof(user), "schema.username=%s", more[0] == '\0' ? "rw" : "");
    config_read(&input, &config, &problems);
    assert_int_equal(problems.count, 0);
    free(config->schema.password);
    config->schema.password = config_text_copy("hush");
    fixture->registry = registry_new(config, &hand);
    config_destroy(config);
}

static int
begin(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    now_ms = 1000000;
    server_start(&fixture->server);
    open_registry(fixture, "");
    *state = fixture;
    return 0;
}

static int
end(void **state)
{
    struct fixture *fixture = *state;

    registry_destroy(fixture->registry);
    server_stop(&fixture->server);
    free(fixture->json);
    free(fixture);
    return 0;
}

static enum status
fetch(struct fixture *fixture, int64_t id)
{
    fixture->error = (struct error){0};
    free(fixture->json);
    fixture->json = NULL;
    return registry_fetch(fixture->registry, id, &fixture->json, &fixture->error);
}

#define assert_text(fixture, part) assert_non_null(strstr((fixture)->error.text, part))

/* ---- tests ---------------------------------------------------------------------------------- */

static void
test_found(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fetch(fixture, 7), STATUS_OK);
    assert_string_equal(fixture->json, "\"string\"");
    assert_non_null(strstr(fixture->server.request, "GET /schemas/ids/7 HTTP/1.1\r\n"));
    assert_non_null(strstr(fixture->server.request, "Authorization: Basic cnc6aHVzaA==\r\n"));
}

/* Answers as Apicurio 2.6 and Karapace give them. */
static void
test_other_registries(void **state)
{
    struct fixture *fixture = *state;

    server_tell(&fixture->server, "200 OK", "{\"schema\":\"\\\"int\\\"\",\"references\":[]}");
    assert_int_equal(fetch(fixture, 1), STATUS_OK);
    assert_string_equal(fixture->json, "\"int\"");
    server_tell(&fixture->server, "200 OK",
            "{\"schemaType\":\"AVRO\",\"schema\":\"\\\"int\\\"\",\"id\":2}");
    assert_int_equal(fetch(fixture, 2), STATUS_OK);
}

static void
test_never_an_outcome(void **state)
{
    struct fixture *fixture = *state;

    server_tell(&fixture->server, "200 OK", "{\"schemaType\":\"PROTOBUF\",\"schema\":\"x\"}");
    assert_int_equal(fetch(fixture, 1), STATUS_UNKNOWN_SCHEMA);
    assert_text(fixture, "schema 1 is no Avro");
    server_tell(&fixture->server, "200 OK",
            "{\"schema\":\"x\",\"references\":[{\"name\":\"a\",\"subject\":\"b\"}]}");
    assert_int_equal(fetch(fixture, 2), STATUS_UNKNOWN_SCHEMA);
    assert_text(fixture, "schema 2 refers to other schemas");
}

static void
test_unknown_is_waited_for(void **state)
{
    struct fixture *fixture = *state;

    server_tell(&fixture->server, "404 Not Found", "{\"error_code\":40403}");
    for (int second = 0; second < 60; second++) {
        assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
        now_ms += 1000;
    }
    assert_text(fixture, "does not know schema 7");
    now_ms -= 1;
    assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
    now_ms += 1;
    assert_int_equal(fetch(fixture, 7), STATUS_UNKNOWN_SCHEMA);
    assert_text(fixture, "schema 7 for 60 s");

    /* The next record with this id does not wait again. */
    assert_int_equal(fetch(fixture, 7), STATUS_UNKNOWN_SCHEMA);
    now_ms += 5000;
    assert_int_equal(fetch(fixture, 7), STATUS_UNKNOWN_SCHEMA);

    server_tell(&fixture->server, "200 OK", SCHEMA);
    now_ms += 1000;
    assert_int_equal(fetch(fixture, 7), STATUS_OK);
}

static void
test_once_a_second_and_id(void **state)
{
    struct fixture *fixture = *state;

    server_tell(&fixture->server, "404 Not Found", "");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
        assert_int_equal(fetch(fixture, 8), STATUS_SCHEMA_WAIT);
        now_ms += 99; /* 9.9 s in all */
    }
    assert_text(fixture, "schema 8");
    assert_int_equal(fixture->server.asked, 2 * 10);
}

static void
test_down_is_waited_for_for_ever(void **state)
{
    struct fixture *fixture = *state;

    server_tell(&fixture->server, "503 Service Unavailable", "");
    for (int minute = 0; minute < 60; minute++) {
        assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
        assert_text(fixture, "HTTP 503");
        now_ms += 60000;
    }
    /* The time it was down is not time in which the id was missing. */
    server_tell(&fixture->server, "404 Not Found", "");
    assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
    server_tell(&fixture->server, "500 Internal Server Error", "");
    now_ms += 60000;
    assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
}

static const struct refusal {
    const char *name;
    const char *head;
    const char *body;
    enum status want;
    const char *text;
} refusals[] = {
        {"401", "401 Unauthorized", "", STATUS_AUTH, "schema.username"},
        {"403", "403 Forbidden", "", STATUS_AUTH, "HTTP 403"},
        {"429", "429 Too Many Requests", "", STATUS_SCHEMA_WAIT, "HTTP 429"},
        {"400", "400 Bad Request", "", STATUS_SCHEMA_WAIT, "HTTP 400"},
        {"302", "302 Found", "", STATUS_SCHEMA_WAIT, "HTTP 302"},
        {"no JSON", "200 OK", "<html>", STATUS_SCHEMA_WAIT, "holds none"},
        {"empty", "200 OK", "", STATUS_SCHEMA_WAIT, "holds none"},
        {"a list", "200 OK", "[1]", STATUS_SCHEMA_WAIT, "holds none"},
        {"schema is no text", "200 OK", "{\"schema\":{}}", STATUS_SCHEMA_WAIT, "holds none"},
};

static void
test_refusals(void **state)
{
    const struct refusal *row = *state;
    struct fixture *fixture = NULL;

    assert_int_equal(begin((void **)&fixture), 0);
    server_tell(&fixture->server, row->head, row->body);
    assert_int_equal(fetch(fixture, 7), row->want);
    assert_text(fixture, row->text);
    assert_null(fixture->json);
    end((void **)&fixture);
}

static void
test_too_large(void **state)
{
    struct fixture *fixture = *state;

    static char blanks[1025];

    memset(blanks, ' ', sizeof(blanks) - 1);
    fixture->server.body_repeat = 1025;
    server_tell(&fixture->server, "200 OK", blanks);
    assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
    assert_text(fixture, "larger than 1 MiB");
}

static int64_t
real_ms(void)
{
    return clock_system.monotonic_ms(&clock_system);
}

static void
test_a_silent_registry_holds_for_two_seconds(void **state)
{
    struct fixture *fixture = *state;
    const int64_t before = real_ms();

    server_tell(&fixture->server, "", NULL);
    assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
    assert_text(fixture, "cannot be reached");
    assert_in_range(real_ms() - before, 1500, 2500);
}

/* Texts hold no password, whether it stands in the URL or beside it. */
static void
test_texts_hold_no_password(void **state)
{
    struct fixture *fixture = *state;

    registry_destroy(fixture->registry);
    open_registry(fixture, "rw:hush@");
    server_tell(&fixture->server, "503 Service Unavailable", "");
    assert_int_equal(fetch(fixture, 7), STATUS_SCHEMA_WAIT);
    assert_text(fixture, "http://rw:***@127.0.0.1");
    assert_null(strstr(fixture->error.text, "hush"));
    assert_non_null(strstr(fixture->server.request, "Authorization: Basic cnc6aHVzaA==\r\n"));
}

/* Hostile ids cannot fill the memory: the one asked for longest ago gives way. */
static void
test_many_ids(void **state)
{
    struct fixture *fixture = *state;

    server_tell(&fixture->server, "404 Not Found", "");
    for (int64_t id = 0; id < 300; id++) {
        assert_int_equal(fetch(fixture, id), STATUS_SCHEMA_WAIT);
        now_ms += 10;
    }
    now_ms += 60000;
    assert_int_equal(fetch(fixture, 299), STATUS_UNKNOWN_SCHEMA);
    assert_int_equal(fetch(fixture, 0), STATUS_SCHEMA_WAIT);
}

static void
test_check(void **state)
{
    struct fixture *fixture = *state;

    server_tell(&fixture->server, "200 OK", "[\"JSON\",\"PROTOBUF\",\"AVRO\"]");
    assert_int_equal(registry_check(fixture->registry, &fixture->error), STATUS_OK);
    assert_non_null(strstr(fixture->server.request, "GET /schemas/types HTTP/1.1\r\n"));
    server_tell(&fixture->server, "404 Not Found", "{\"error_code\":0}");
    assert_int_equal(registry_check(fixture->registry, &fixture->error), STATUS_SCHEMA_WAIT);
    assert_text(fixture, "no schema registry answers there");
    server_tell(&fixture->server, "401 Unauthorized", "");
    assert_int_equal(registry_check(fixture->registry, &fixture->error), STATUS_AUTH);
}

int
main(void)
{
    const struct CMUnitTest fixed[] = {
            cmocka_unit_test_setup_teardown(test_found, begin, end),
            cmocka_unit_test_setup_teardown(test_other_registries, begin, end),
            cmocka_unit_test_setup_teardown(test_never_an_outcome, begin, end),
            cmocka_unit_test_setup_teardown(test_unknown_is_waited_for, begin, end),
            cmocka_unit_test_setup_teardown(test_once_a_second_and_id, begin, end),
            cmocka_unit_test_setup_teardown(test_down_is_waited_for_for_ever, begin, end),
            cmocka_unit_test_setup_teardown(test_too_large, begin, end),
            cmocka_unit_test_setup_teardown(
                    test_a_silent_registry_holds_for_two_seconds, begin, end),
            cmocka_unit_test_setup_teardown(test_texts_hold_no_password, begin, end),
            cmocka_unit_test_setup_teardown(test_many_ids, begin, end),
            cmocka_unit_test_setup_teardown(test_check, begin, end),
    };
    struct CMUnitTest tests[64];
    size_t count = COUNT_OF(fixed);

    memcpy(tests, fixed, sizeof(fixed));
    ADD_ROWS(tests, count, refusals, test_refusals);
    return _cmocka_run_group_tests("registry", tests, count, NULL, NULL);
}
