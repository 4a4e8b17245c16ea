/* redis_address.h - where a Redis is, from its URL.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REDIS_ADDRESS_H
#define RETRYWATCH_CONSUMER_REDIS_ADDRESS_H

#include "aggregator/status.h"

#define REDIS_ADDRESS_TEXT_SIZE 256

/* Owned strings; all zero is empty. */
struct redis_address {
    char *host;     /* name, IPv4 or IPv6 without brackets; NULL: a unix socket */
    char *port;     /* decimal */
    char *path;     /* of a unix socket; NULL: TCP */
    char *username; /* NULL: none in the URL */
    char *password; /* NULL: none in the URL */
    int database;
    char text[REDIS_ADDRESS_TEXT_SIZE]; /* the URL for messages: without user and password */
};

/**
 * Read redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path[?db=N].
 * Percent escapes are decoded in user, password and path. The password is never in error.
 *
 * Errors: STATUS_BAD_CONFIG; address untouched.
 */
enum status redis_address_parse(
        const char *url, struct redis_address *address, struct error *error) MUST_CHECK;
void redis_address_fini(struct redis_address *address);

#endif
