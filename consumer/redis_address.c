/* redis_address.c - where a Redis is, from its URL.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/redis_address.h"

#include "aggregator/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define FORMS "redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path[?db=N]"
#define PORT_DEFAULT "6379"

/* What is left of the URL: text[0..size). */
struct piece {
    const char *text;
    size_t size;
};

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);

    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static char *
copy_of(struct piece piece)
{
    char *copy = memory_new(piece.size + 1, 1);

    memcpy(copy, piece.text, piece.size);
    return copy;
}

/* An owned copy without percent escapes; NULL when an escape is broken or hides a NUL. */
static char *
decoded(struct piece piece)
{
    char *copy = memory_new(piece.size + 1, 1);
    size_t size = 0;

    for (size_t i = 0; i < piece.size; i++) {
        char c = piece.text[i];

        if (c == '%') {
            const int high = i + 2 < piece.size ? hex_digit(piece.text[i + 1]) : -1;
            const int low = i + 2 < piece.size ? hex_digit(piece.text[i + 2]) : -1;

            c = high < 0 || low < 0 ? '\0' : (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            free(copy);
            return NULL;
        }
        copy[size++] = c;
    }
    return copy;
}

/* A decimal number 0..max that fills the piece; -1 when it is none. */
static long
number_of(struct piece piece, long max)
{
    long number = 0;

    if (piece.size == 0 || piece.size > 9) {
        return -1;
    }
    for (size_t i = 0; i < piece.size; i++) {
        if (piece.text[i] < '0' || piece.text[i] > '9') {
            return -1;
        }
        number = number * 10 + (piece.text[i] - '0');
    }
    return number <= max ? number : -1;
}

/* Cut the piece at the first (or last) c: returns what is after it, text NULL when there is none.
 */
static struct piece
cut_at(struct piece *piece, char c, bool last)
{
    const char *at =
            last ? memrchr(piece->text, c, piece->size) : memchr(piece->text, c, piece->size);
    struct piece rest = {NULL, 0};

    if (at != NULL) {
        rest = (struct piece){at + 1, piece->size - (size_t)(at + 1 - piece->text)};
        piece->size = (size_t)(at - piece->text);
    }
    return rest;
}

/* [[user]:password@]: *rest becomes what is after the @. */
static enum status
parse_user(struct piece *rest, struct redis_address *address, struct error *error)
{
    struct piece user = *rest;
    const struct piece after = cut_at(&user, '@', true);

    if (after.text == NULL) {
        return STATUS_OK;
    }
    const struct piece password = cut_at(&user, ':', false);

    if (password.text == NULL) {
        return error_set(error, STATUS_BAD_CONFIG,
                "redis.url: a user without a password; write user:password@ or :password@");
    }
    address->password = decoded(password);
    address->username = user.size == 0 ? NULL : decoded(user);
    if (address->password == NULL || (user.size != 0 && address->username == NULL)) {
        return error_set(error, STATUS_BAD_CONFIG,
                "redis.url: a broken percent escape in user or password; write %% as %%25");
    }
    *rest = after;
    return STATUS_OK;
}

static enum status
parse_database(struct piece text, struct redis_address *address, struct error *error)
{
    if (text.text == NULL || text.size == 0) {
        return STATUS_OK;
    }
    const long database = number_of(text, 1000000);

    if (database < 0) {
        return error_set(error, STATUS_BAD_CONFIG, "redis.url: the database is no number: %.*s",
                (int)text.size, text.text);
    }
    address->database = (int)database;
    return STATUS_OK;
}

/* host[:port][/db]; the host may be an IPv6 address in brackets. */
static enum status
parse_tcp(struct piece rest, struct redis_address *address, struct error *error)
{
    const enum status status = parse_database(cut_at(&rest, '/', false), address, error);

    if (status != STATUS_OK) {
        return status;
    }
    struct piece host = rest;
    struct piece port = {PORT_DEFAULT, strlen(PORT_DEFAULT)};
    struct piece after = {NULL, 0};

    if (rest.size != 0 && rest.text[0] == '[') {
        host = (struct piece){rest.text + 1, rest.size - 1};
        struct piece tail = cut_at(&host, ']', false);

        if (tail.text == NULL || (tail.size != 0 && tail.text[0] != ':')) {
            return error_set(error, STATUS_BAD_CONFIG, "redis.url: expected %s", FORMS);
        }
        after = tail.size == 0 ? after : (struct piece){tail.text + 1, tail.size - 1};
    } else {
        after = cut_at(&host, ':', false);
    }
    port = after.text == NULL ? port : after;
    if (host.size == 0 || number_of(port, 65535) < 1) {
        return error_set(error, STATUS_BAD_CONFIG,
                "redis.url: no host, or a port that is not 1..65535; expected %s", FORMS);
    }
    address->host = copy_of(host);
    address->port = copy_of(port);
    snprintf(address->text, sizeof(address->text),
            strchr(address->host, ':') != NULL ? "redis://[%s]:%s/%d" : "redis://%s:%s/%d",
            address->host, address->port, address->database);
    return STATUS_OK;
}

/* /path[?db=N] */
static enum status
parse_unix(struct piece rest, struct redis_address *address, struct error *error)
{
    struct piece query = cut_at(&rest, '?', false);

    if (query.text != NULL) {
        if (query.size < 3 || memcmp(query.text, "db=", 3) != 0) {
            return error_set(error, STATUS_BAD_CONFIG, "redis.url: expected %s", FORMS);
        }
        query = (struct piece){query.text + 3, query.size - 3};
    }
    const enum status status = parse_database(query, address, error);

    if (status != STATUS_OK) {
        return status;
    }
    address->path = decoded(rest);
    if (address->path == NULL || address->path[0] != '/' ||
            strlen(address->path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        return error_set(error, STATUS_BAD_CONFIG,
                "redis.url: the path of a unix socket begins with / and has at most %zu bytes",
                sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    }
    snprintf(address->text, sizeof(address->text), "unix://%s?db=%d", address->path,
            address->database);
    return STATUS_OK;
}

static enum status
parse(const char *url, struct redis_address *address, struct error *error)
{
    static const char tcp[] = "redis://", local[] = "unix://", tls[] = "rediss://";
    const bool is_tcp = strncmp(url, tcp, strlen(tcp)) == 0;

    if (strncmp(url, tls, strlen(tls)) == 0) {
        return error_set(error, STATUS_BAD_CONFIG,
                "redis.url: this version speaks no TLS to Redis; use redis:// to a local proxy "
                "that does, or a unix socket");
    }
    if (!is_tcp && strncmp(url, local, strlen(local)) != 0) {
        return error_set(error, STATUS_BAD_CONFIG, "redis.url: expected %s", FORMS);
    }
    const char *after = url + (is_tcp ? strlen(tcp) : strlen(local));
    struct piece rest = {after, strlen(after)};
    const enum status status = parse_user(&rest, address, error);

    if (status != STATUS_OK) {
        return status;
    }
    return is_tcp ? parse_tcp(rest, address, error) : parse_unix(rest, address, error);
}

enum status
redis_address_parse(const char *url, struct redis_address *address, struct error *error)
{
    struct redis_address parsed = {0};
    const enum status status = parse(url, &parsed, error);

    if (status != STATUS_OK) {
        redis_address_fini(&parsed);
        return status;
    }
    *address = parsed;
    return STATUS_OK;
}

void
redis_address_fini(struct redis_address *address)
{
    free(address->host);
    free(address->port);
    free(address->path);
    free(address->username);
    free(address->password);
    *address = (struct redis_address){0};
}
