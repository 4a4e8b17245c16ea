/* redis_server.h - a redis-server of the test's own, on a unix socket in a directory of its own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_REDIS_SERVER_H
#define RETRYWATCH_TESTS_REDIS_SERVER_H

#include "consumer/redis_link.h"
#include "consumer/resp.h"

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
    char directory[64];
    char url[128];
    pid_t pid;
    struct redis_link *link; /* the test's own eyes */
};

/* Start redis-server with these further options: "--name", "value", ..., NULL. */
static inline void
redis_server_start(struct redis_server *server, const char *const *options)
{
    char socket_path[96];
    const char *arguments[40] = {"redis-server", "--port", "0", "--unixsocket", socket_path,
            "--dir", server->directory, "--appendonly", "yes", "--appendfsync", "everysec",
            "--save", "", "--logfile", "redis.log"};
    size_t count = 15;

    snprintf(socket_path, sizeof(socket_path), "%s/redis.sock", server->directory);
    snprintf(server->url, sizeof(server->url), "unix://%s", socket_path);
    for (; options != NULL && *options != NULL; options++) {
        arguments[count++] = *options;
    }
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that aborts leaves nothing behind */
        execvp("redis-server", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    assert(server->pid > 0);
}

/* Wait until it serves (or asks for a password). */
static inline void
redis_server_wait(struct redis_server *server)
{
    struct buffer ping = {0};
    enum status status = STATUS_STORE_DOWN;

    resp_command(&ping, "PING", NULL);
    for (int i = 0; i < 1000 && status != STATUS_OK && status != STATUS_AUTH; i++) {
        const struct redis_reply *reply = NULL;

        usleep(10000);
        status = redis_link_call(server->link, buffer_span(&ping), &reply, NULL);
    }
    assert(status == STATUS_OK || status == STATUS_AUTH);
    buffer_fini(&ping);
}

static inline void
redis_server_open(struct redis_server *server, const char *const *options)
{
    struct redis_link_options link = {.url = server->url, .timeout_ms = 5000};
    enum status status;

    *server = (struct redis_server){.directory = "/tmp/retrywatch-redis-XXXXXX"};
    assert(mkdtemp(server->directory) != NULL);
    redis_server_start(server, options);
    status = redis_link_new(&link, &server->link, NULL);
    assert(status == STATUS_OK);
    redis_server_wait(server);
}

/* SIGKILL, as a crash does. */
static inline void
redis_server_kill(struct redis_server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

static inline void
redis_server_close(struct redis_server *server)
{
    char command[96];

    redis_link_destroy(server->link);
    redis_server_kill(server);
    snprintf(command, sizeof(command), "rm -r %s", server->directory);
    assert(system(command) == 0);
}

/* The reply to one command of text words; lives until the next. */
#define redis_server_ask(server, ...) redis_server_ask_(server, __VA_ARGS__, NULL)

static inline const struct redis_reply *
redis_server_ask_(struct redis_server *server, ...)
{
    const struct redis_reply *reply = NULL;
    struct buffer command = {0};
    struct error error = {0};
    const char *words[64];
    size_t count = 0;
    va_list list;

    va_start(list, server);
    while (count < 64 && (words[count] = va_arg(list, const char *)) != NULL) {
        count++;
    }
    va_end(list);
    resp_begin(&command, count);
    for (size_t i = 0; i < count; i++) {
        resp_put_text(&command, words[i]);
    }
    if (redis_link_call(server->link, buffer_span(&command), &reply, &error) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", words[0], error.text);
        abort();
    }
    buffer_fini(&command);
    return reply;
}

#endif
