/* test_redis_address.c - every form of redis.url, and what is said about the wrong ones.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/redis_address.h"

#include "tests/support/rows.h"

#include <string.h>

static const struct row {
    const char *name;
    const char *url;
    const char *host, *port, *path, *username, *password;
    int database;
    const char *text; /* NULL: refused */
} rows[] = {
        {"host alone", "redis://cache", "cache", "6379", NULL, NULL, NULL, 0,
                "redis://cache:6379/0"},
        {"host, port, database", "redis://10.0.0.1:7000/3", "10.0.0.1", "7000", NULL, NULL, NULL, 3,
                "redis://10.0.0.1:7000/3"},
        {"slash without a database", "redis://cache/", "cache", "6379", NULL, NULL, NULL, 0,
                "redis://cache:6379/0"},
        {"password alone", "redis://:secret@cache", "cache", "6379", NULL, NULL, "secret", 0,
                "redis://cache:6379/0"},
        {"user and password", "redis://ana:s:e@cache:1", "cache", "1", NULL, "ana", "s:e", 0,
                "redis://cache:1/0"},
        {"escapes in user and password", "redis://a%3Ab:p%40%2f%25@cache", "cache", "6379", NULL,
                "a:b", "p@/%", 0, "redis://cache:6379/0"},
        {"at sign in the password", "redis://:p@q@cache", "cache", "6379", NULL, NULL, "p@q", 0,
                "redis://cache:6379/0"},
        {"IPv6", "redis://[::1]:6380/1", "::1", "6380", NULL, NULL, NULL, 1,
                "redis://[::1]:6380/1"},
        {"IPv6 without a port", "redis://[fe80::2]", "fe80::2", "6379", NULL, NULL, NULL, 0,
                "redis://[fe80::2]:6379/0"},
        {"unix socket", "unix:///run/redis.sock", NULL, NULL, "/run/redis.sock", NULL, NULL, 0,
                "unix:///run/redis.sock?db=0"},
        {"unix socket, database, password", "unix://:pw@/run/r%20s.sock?db=2", NULL, NULL,
                "/run/r s.sock", NULL, "pw", 2, "unix:///run/r s.sock?db=2"},
        {"no scheme", "cache:6379", .text = NULL},
        {"empty", "", .text = NULL},
        {"TLS", "rediss://cache", .text = NULL},
        {"no host", "redis://:6379", .text = NULL},
        {"port 0", "redis://cache:0", .text = NULL},
        {"port too large", "redis://cache:65536", .text = NULL},
        {"port of letters", "redis://cache:http", .text = NULL},
        {"empty port", "redis://cache:", .text = NULL},
        {"database of letters", "redis://cache/x", .text = NULL},
        {"database below 0", "redis://cache/-1", .text = NULL},
        {"user without a password", "redis://secret@cache", .text = NULL},
        {"broken escape", "redis://:secret%4@cache", .text = NULL},
        {"hidden NUL", "redis://:secret%00@cache", .text = NULL},
        {"bracket left open", "redis://[::1", .text = NULL},
        {"text after the bracket", "redis://[::1]x", .text = NULL},
        {"relative socket", "unix://run/redis.sock", .text = NULL},
        {"unknown query", "unix:///run/redis.sock?timeout=1", .text = NULL},
        {"socket path too long",
                "unix:///"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                .text = NULL},
};

static void
assert_text(const char *got, const char *want)
{
    if (want == NULL) {
        assert_null(got);
    } else {
        assert_non_null(got);
        assert_string_equal(got, want);
    }
}

static void
test_row(void **state)
{
    const struct row *row = *state;
    struct redis_address address = {.database = 77};
    struct error error = {0};
    const enum status status = redis_address_parse(row->url, &address, &error);

    if (row->text == NULL) {
        assert_int_equal(status, STATUS_BAD_CONFIG);
        assert_null(strstr(error.text, "secret"));
        assert_non_null(strstr(error.text, "redis.url"));
        assert_int_equal(address.database, 77);
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_text(address.host, row->host);
    assert_text(address.port, row->port);
    assert_text(address.path, row->path);
    assert_text(address.username, row->username);
    assert_text(address.password, row->password);
    assert_int_equal(address.database, row->database);
    assert_string_equal(address.text, row->text);
    redis_address_fini(&address);
}

int
main(void)
{
    struct CMUnitTest tests[COUNT_OF(rows)];
    size_t count = 0;

    ADD_ROWS(tests, count, rows, test_row);
    return cmocka_run_group_tests_name("redis_address", tests, NULL, NULL);
}
