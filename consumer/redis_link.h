/* redis_link.h - one connection to Redis: RESP over our own transport.
 *
 * hiredis reads the replies; connecting, sending and waiting are ours, so that every wait has a
 * deadline and it is always known how much has left. A link that fails closes itself; the next
 * redis_link_connect() opens it again. One thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REDIS_LINK_H
#define RETRYWATCH_CONSUMER_REDIS_LINK_H

#include "aggregator/span.h"
#include "aggregator/status.h"

struct redis_link;

/* Borrowed while redis_link_new() runs. */
struct redis_link_options {
    const char *url;      /* redis_address_parse() */
    const char *username; /* "" or NULL: that of the URL, if any */
    const char *password; /* the same */
    int64_t timeout_ms;   /* to connect; to send one buffer; to wait for one reply */
};

enum redis_reply_kind {
    REDIS_REPLY_IS_NIL,
    REDIS_REPLY_IS_STATUS, /* +OK */
    REDIS_REPLY_IS_ERROR,
    REDIS_REPLY_IS_INTEGER,
    REDIS_REPLY_IS_STRING,
    REDIS_REPLY_IS_ARRAY
};

/* Lives until the next read of its link. */
struct redis_reply {
    enum redis_reply_kind kind;
    struct span text;                 /* STATUS, ERROR, STRING */
    int64_t integer;                  /* INTEGER */
    const struct redis_reply **items; /* ARRAY: items[item_count] */
    size_t item_count;
};

/** Does not connect yet. Errors: STATUS_BAD_CONFIG for the URL. Returns owned in *out. */
enum status redis_link_new(const struct redis_link_options *options, struct redis_link **out,
        struct error *error) MUST_CHECK;
void redis_link_destroy(struct redis_link *link);

/** The URL without user and password, for messages; borrowed. */
const char *redis_link_address(const struct redis_link *link);

/**
 * Connect, authenticate, select the database; nothing when connected already.
 *
 * Errors: STATUS_STORE_DOWN, STATUS_AUTH, STATUS_BAD_CONFIG (no such database), STATUS_REFUSED.
 */
enum status redis_link_connect(struct redis_link *link, struct error *error) MUST_CHECK;

/** Close; replies that are still under way are lost, and so is a MULTI without its EXEC. */
void redis_link_close(struct redis_link *link);

/**
 * Send the bytes of commands. *sent: how many may have left, also on failure; NULL: do not tell.
 * Errors: STATUS_STORE_DOWN; the link is closed.
 */
enum status redis_link_send(struct redis_link *link, struct span commands, size_t *sent,
        struct error *error) MUST_CHECK;

/**
 * The next reply, errors of Redis too (redis_reply_status()); at most 256 MiB.
 * Errors: STATUS_STORE_DOWN; the link is closed, *reply untouched.
 */
enum status redis_link_read(
        struct redis_link *link, const struct redis_reply **reply, struct error *error) MUST_CHECK;

/**
 * Connect if necessary, send one command, read its reply.
 * Errors: those of connecting, and of the reply if it is an error.
 */
enum status redis_link_call(struct redis_link *link, struct span command,
        const struct redis_reply **reply, struct error *error) MUST_CHECK;

/**
 * What an error of Redis means; STATUS_OK for any other reply.
 *
 * what:   said in the message, "HSET rw:view:owners"; never a value.
 * Errors: STATUS_AUTH (no or wrong password, no permission), STATUS_STORE_DOWN (loading, busy:
 * try again), STATUS_REFUSED with the fix (read only, out of memory, wrong type, ...).
 */
enum status redis_reply_status(const struct redis_link *link, const struct redis_reply *reply,
        const char *what, struct error *error) MUST_CHECK;

/** The reply is a status or string with this text. */
bool redis_reply_is(const struct redis_reply *reply, const char *text);

/** The reply is an error whose text begins so: NOAUTH, NOPERM, ... */
bool redis_reply_begins(const struct redis_reply *reply, const char *text);

#endif
