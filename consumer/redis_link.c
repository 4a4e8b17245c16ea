/* redis_link.c - one connection to Redis: RESP over our own transport.
 *
 * Whatever the transport is, it passes through transport_open(), transport_send() and
 * transport_receive() alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/redis_link.h"

#include "aggregator/memory.h"
#include "consumer/clock.h"
#include "consumer/redis_address.h"
#include "consumer/resp.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_BYTES (4 << 20) /* of an EXEC of some 60,000 updates */
#define RECEIVE_SIZE ((size_t)64 * 1024)
#define REPLY_BYTES_MAX ((size_t)256 * 1024 * 1024) /* of one reply, on the wire and in memory */
#define REPLY_ITEMS_MAX ((size_t)1024 * 1024)       /* of one array */

struct redis_link {
    struct redis_address address;
    const char *username, *password; /* in address or own_...; NULL: none */
    char *own_username, *own_password;
    int64_t timeout_ms;
    int fd; /* -1: not connected */
    redisReader *reader;
    struct arena arena;    /* holds the reply */
    size_t reply_memory;   /* bytes of it */
    size_t bytes_received; /* since the last whole reply */
    uint8_t *receive;      /* receive[RECEIVE_SIZE] */
};

/* ---- replies: hiredis calls these while it reads ----------------------------------------- */

static struct redis_reply *
reply_new(const redisReadTask *task, enum redis_reply_kind kind, size_t extra)
{
    struct redis_link *link = task->privdata;

    link->reply_memory += sizeof(struct redis_reply) + extra;
    if (link->reply_memory > REPLY_BYTES_MAX) {
        return NULL; /* hiredis stops with an error */
    }
    struct redis_reply *reply = arena_new(&link->arena, 1, sizeof(*reply));

    reply->kind = kind;
    if (task->parent != NULL) {
        const struct redis_reply *parent = task->parent->obj;

        parent->items[task->idx] = reply;
    }
    return reply;
}

static void *
create_string(const redisReadTask *task, char *text, size_t size)
{
    const enum redis_reply_kind kind = task->type == REDIS_REPLY_ERROR    ? REDIS_REPLY_IS_ERROR
                                       : task->type == REDIS_REPLY_STATUS ? REDIS_REPLY_IS_STATUS
                                                                          : REDIS_REPLY_IS_STRING;
    struct redis_reply *reply = reply_new(task, kind, size);

    if (reply != NULL) {
        struct redis_link *link = task->privdata;

        reply->text = arena_copy(&link->arena, (struct span){(const uint8_t *)text, size});
    }
    return reply;
}

/* hiredis 1.0 made the count a size_t. */
#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

static void *
create_array(const redisReadTask *task, element_count elements)
{
    const size_t count = (size_t)elements;

    if (count > REPLY_ITEMS_MAX) {
        return NULL;
    }
    struct redis_reply *reply =
            reply_new(task, REDIS_REPLY_IS_ARRAY, count * sizeof(*reply->items));

    if (reply != NULL) {
        struct redis_link *link = task->privdata;

        reply->items = arena_new(&link->arena, count, sizeof(*reply->items));
        reply->item_count = count;
    }
    return reply;
}

static void *
create_integer(const redisReadTask *task, long long integer)
{
    struct redis_reply *reply = reply_new(task, REDIS_REPLY_IS_INTEGER, 0);

    if (reply != NULL) {
        reply->integer = integer;
    }
    return reply;
}

static void *
create_nil(const redisReadTask *task)
{
    return reply_new(task, REDIS_REPLY_IS_NIL, 0);
}

#if HIREDIS_MAJOR >= 1
/* Types of RESP3, which we never ask for: hiredis stops with an error. */
static void *
create_double(const redisReadTask *task, double number, char *text, size_t size)
{
    (void)task, (void)number, (void)text, (void)size;
    return NULL;
}

static void *
create_bool(const redisReadTask *task, int value)
{
    (void)task, (void)value;
    return NULL;
}
#endif

static void
free_object(void *object)
{
    (void)object; /* it is in the arena */
}

static redisReplyObjectFunctions reply_functions = {
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_integer,
        .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
        .createDouble = create_double,
        .createBool = create_bool,
#endif
        .freeObject = free_object,
};

/* ---- transport --------------------------------------------------------------------------- */

static int64_t
now_ms(void)
{
    return clock_system.monotonic_ms(&clock_system);
}

/* Wait until the socket can be read or written, or has failed; 0, or the errno. */
static int
wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = events};
        const int64_t left_ms = deadline_ms - now_ms();
        const int ready = poll(&waiting, 1, left_ms > 0 ? (int)left_ms : 0);

        if (ready > 0) {
            return 0;
        }
        if (ready == 0 && left_ms <= 0) {
            return ETIMEDOUT;
        }
        if (ready < 0 && errno != EINTR) {
            return errno;
        }
    }
}

/* A connected socket in *fd; 0, or the errno. */
static int
open_socket(int family, const struct sockaddr *to, socklen_t size, int64_t deadline_ms, int *fd)
{
    const int opened = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int send_size = SEND_BYTES;
    const int on = 1;
    int failure = 0;

    if (opened < 0) {
        return errno;
    }
    if (connect(opened, to, size) != 0) {
        failure = errno;
    }
    if (failure == EINPROGRESS || failure == EINTR) {
        socklen_t failure_size = sizeof(failure);

        failure = wait_for(opened, POLLOUT, deadline_ms);
        if (failure == 0) {
            getsockopt(opened, SOL_SOCKET, SO_ERROR, &failure, &failure_size);
        }
    }
    if (failure != 0) {
        close(opened);
        return failure;
    }
    /* A whole EXEC goes to the kernel at once, and reaches Redis while the next one is counted. The
     * kernel gives less when net.core.wmem_max is less. */
    setsockopt(opened, SOL_SOCKET, SO_SNDBUF, &send_size, sizeof(send_size));
    if (family != AF_UNIX) {
        /* Commands leave at once; a peer that vanished is noticed some day. */
        setsockopt(opened, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(opened, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    *fd = opened;
    return 0;
}

static enum status
open_unix(struct redis_link *link, struct error *error)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    strcpy(to.sun_path, link->address.path); /* redis_address_parse() checked the size */
    const int failure = open_socket(AF_UNIX, (const struct sockaddr *)&to, sizeof(to),
            now_ms() + link->timeout_ms, &link->fd);

    if (failure != 0) {
        return error_set(error, STATUS_STORE_DOWN, "Redis at %s cannot be reached: %s",
                link->address.text, strerror(failure));
    }
    return STATUS_OK;
}

/* Every address of the host gets its turn until one answers; all share one deadline. Looking up
 * the name is the one wait whose end the resolver decides. */
static enum status
open_tcp(struct redis_link *link, struct error *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const int unknown = getaddrinfo(link->address.host, link->address.port, &hints, &found);
    const int64_t deadline_ms = now_ms() + link->timeout_ms;
    int failure = 0;

    if (unknown != 0) {
        return error_set(error, STATUS_STORE_DOWN, "Redis at %s cannot be reached: %s",
                link->address.text, gai_strerror(unknown));
    }
    for (const struct addrinfo *at = found; at != NULL && link->fd < 0; at = at->ai_next) {
        failure = open_socket(at->ai_family, at->ai_addr, at->ai_addrlen, deadline_ms, &link->fd);
    }
    freeaddrinfo(found);
    if (link->fd < 0) {
        return error_set(error, STATUS_STORE_DOWN, "Redis at %s cannot be reached: %s",
                link->address.text, strerror(failure));
    }
    return STATUS_OK;
}

static enum status
transport_open(struct redis_link *link, struct error *error)
{
    return link->address.path != NULL ? open_unix(link, error) : open_tcp(link, error);
}

static ssize_t
transport_send(struct redis_link *link, const uint8_t *data, size_t size)
{
    return send(link->fd, data, size, MSG_NOSIGNAL);
}

static ssize_t
transport_receive(struct redis_link *link, uint8_t *data, size_t size)
{
    return recv(link->fd, data, size, 0);
}

/* The connection is of no more use. */
static enum status
lost(struct redis_link *link, const char *doing, const char *why, struct error *error)
{
    redis_link_close(link);
    return error_set(error, STATUS_STORE_DOWN, "Redis at %s: connection lost while %s: %s",
            link->address.text, doing, why);
}

static bool
is_transient(int failure)
{
    return failure == EAGAIN || failure == EWOULDBLOCK || failure == EINTR;
}

/* ---- the link ---------------------------------------------------------------------------- */

static const char *
not_empty(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static char *
copy_of(const char *text)
{
    char *copy = memory_new(strlen(text) + 1, 1);

    return strcpy(copy, text);
}

enum status
redis_link_new(
        const struct redis_link_options *options, struct redis_link **out, struct error *error)
{
    struct redis_address address;
    const enum status status = redis_address_parse(options->url, &address, error);

    if (status != STATUS_OK) {
        return status;
    }
    struct redis_link *link = memory_new(1, sizeof(*link));

    link->address = address;
    link->own_username = not_empty(options->username) ? copy_of(options->username) : NULL;
    link->own_password = not_empty(options->password) ? copy_of(options->password) : NULL;
    link->username = link->own_username ? link->own_username : not_empty(address.username);
    link->password = link->own_password ? link->own_password : not_empty(address.password);
    link->timeout_ms = options->timeout_ms;
    link->fd = -1;
    link->receive = memory_new(RECEIVE_SIZE, 1);
    arena_init(&link->arena);
    *out = link;
    return STATUS_OK;
}

void
redis_link_destroy(struct redis_link *link)
{
    if (link == NULL) {
        return;
    }
    redis_link_close(link);
    redis_address_fini(&link->address);
    free(link->own_username);
    free(link->own_password);
    free(link->receive);
    arena_fini(&link->arena);
    free(link);
}

const char *
redis_link_address(const struct redis_link *link)
{
    return link->address.text;
}

void
redis_link_close(struct redis_link *link)
{
    if (link->reader != NULL) {
        redisReaderFree(link->reader);
        link->reader = NULL;
    }
    if (link->fd >= 0) {
        close(link->fd);
        link->fd = -1;
    }
}

/* One command on the open link; an error of Redis closes it: half a greeting is none. */
static enum status
greet(struct redis_link *link, struct buffer *command, const char *what, struct error *error)
{
    const struct redis_reply *reply = NULL;
    enum status status = redis_link_send(link, buffer_span(command), NULL, error);

    if (status == STATUS_OK) {
        status = redis_link_read(link, &reply, error);
    }
    if (status == STATUS_OK) {
        status = redis_reply_status(link, reply, what, error);
    }
    if (status != STATUS_OK) {
        redis_link_close(link);
    }
    buffer_clear(command);
    return status;
}

static enum status
authenticate(struct redis_link *link, struct error *error)
{
    struct buffer command = {0};
    char database[16];
    enum status status = STATUS_OK;

    if (link->password != NULL && link->username != NULL) {
        resp_command(&command, "AUTH", link->username, link->password, NULL);
    } else if (link->password != NULL) {
        resp_command(&command, "AUTH", link->password, NULL);
    }
    if (link->password != NULL) {
        status = greet(link, &command, "AUTH", error);
        if (status == STATUS_REFUSED) {
            status = STATUS_AUTH; /* whatever it says: it did not let us in */
        }
    }
    if (status == STATUS_OK && link->address.database != 0) {
        snprintf(database, sizeof(database), "%d", link->address.database);
        resp_command(&command, "SELECT", database, NULL);
        status = greet(link, &command, "SELECT", error);
        if (status == STATUS_REFUSED) {
            status = STATUS_BAD_CONFIG; /* no such database: redis.url is wrong */
        }
    }
    if (command.data != NULL) {
        explicit_bzero(command.data, command.capacity); /* it held the password */
    }
    buffer_fini(&command);
    if (status != STATUS_OK && error != NULL) {
        error->status = status;
    }
    return status;
}

enum status
redis_link_connect(struct redis_link *link, struct error *error)
{
    if (link->fd >= 0) {
        return STATUS_OK;
    }
    const enum status status = transport_open(link, error);

    if (status != STATUS_OK) {
        return status;
    }
    link->reader = redisReaderCreateWithFunctions(&reply_functions);
    if (link->reader == NULL) {
        abort(); /* out of memory, as everywhere */
    }
    redisReaderSetPrivdata(link->reader, link);
    link->bytes_received = 0;
    return authenticate(link, error);
}

enum status
redis_link_send(struct redis_link *link, struct span commands, size_t *sent, struct error *error)
{
    const int64_t deadline_ms = now_ms() + link->timeout_ms;
    size_t done = 0;
    enum status status = STATUS_OK;

    if (link->fd < 0) {
        status = error_set(
                error, STATUS_STORE_DOWN, "Redis at %s: not connected", link->address.text);
    }
    while (status == STATUS_OK && done < commands.size) {
        const ssize_t size = transport_send(link, commands.data + done, commands.size - done);

        if (size > 0) {
            done += (size_t)size;
        } else if (!is_transient(errno)) {
            status = lost(link, "sending", strerror(errno), error);
        } else {
            const int failure = wait_for(link->fd, POLLOUT, deadline_ms);

            if (failure != 0) {
                status = lost(link, "sending", strerror(failure), error);
            }
        }
    }
    if (sent != NULL) {
        *sent = done;
    }
    return status;
}

/* Wait for bytes and give them to the reader. */
static enum status
receive_more(struct redis_link *link, int64_t deadline_ms, struct error *error)
{
    const ssize_t size = transport_receive(link, link->receive, RECEIVE_SIZE);

    if (size == 0) {
        return lost(link, "reading", "closed by Redis", error);
    }
    if (size < 0 && !is_transient(errno)) {
        return lost(link, "reading", strerror(errno), error);
    }
    if (size < 0) {
        const int failure = wait_for(link->fd, POLLIN, deadline_ms);

        return failure == 0 ? STATUS_OK : lost(link, "reading", strerror(failure), error);
    }
    link->bytes_received += (size_t)size;
    if (link->bytes_received > REPLY_BYTES_MAX) {
        return lost(link, "reading", "a reply of more than 256 MiB", error);
    }
    if (redisReaderFeed(link->reader, (const char *)link->receive, (size_t)size) != REDIS_OK) {
        abort(); /* out of memory, as everywhere */
    }
    return STATUS_OK;
}

enum status
redis_link_read(struct redis_link *link, const struct redis_reply **reply, struct error *error)
{
    const int64_t deadline_ms = now_ms() + link->timeout_ms;

    if (link->fd < 0) {
        return error_set(
                error, STATUS_STORE_DOWN, "Redis at %s: not connected", link->address.text);
    }
    arena_reset(&link->arena);
    link->reply_memory = 0;
    for (;;) {
        void *whole = NULL;

        if (redisReaderGetReply(link->reader, &whole) != REDIS_OK) {
            return lost(link, "reading", "the answer is not RESP, or too large", error);
        }
        if (whole != NULL) {
            link->bytes_received = 0;
            *reply = whole;
            return STATUS_OK;
        }
        const enum status status = receive_more(link, deadline_ms, error);

        if (status != STATUS_OK) {
            return status;
        }
    }
}

enum status
redis_link_call(struct redis_link *link, struct span command, const struct redis_reply **reply,
        struct error *error)
{
    const struct redis_reply *answer = NULL;
    enum status status = redis_link_connect(link, error);

    if (status == STATUS_OK) {
        status = redis_link_send(link, command, NULL, error);
    }
    if (status == STATUS_OK) {
        status = redis_link_read(link, &answer, error);
    }
    if (status == STATUS_OK) {
        status = redis_reply_status(link, answer, "a command", error);
    }
    if (status == STATUS_OK) {
        *reply = answer;
    }
    return status;
}
