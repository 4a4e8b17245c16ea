/* http_client.h - one HTTP request at a time, bounded in time and size.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_HTTP_CLIENT_H
#define RETRYWATCH_CONSUMER_HTTP_CLIENT_H

#include "aggregator/span.h"

struct http_client;

struct http_request {
    const char *url;             /* http:// or https://, perhaps with user info */
    const char *const *headers;  /* "Name: value", ends with NULL; NULL: none */
    struct span body;            /* null: GET, else POST */
    const char *user, *password; /* basic authentication; NULL or "": none */
    const char *ca_file;         /* PEM; NULL or "": the system's certificates */
    int64_t timeout_ms;          /* for all of it */
    size_t answer_max;           /* bytes of the answer's body */
};

enum http_result {
    HTTP_ANSWERED,
    HTTP_TOO_LARGE,  /* there is a code, but the body was over answer_max */
    HTTP_UNREACHABLE /* there is a reason */
};

struct http_answer {
    long code;          /* 200, 404, ... */
    const char *reason; /* why there is no answer; static */
    char *text;         /* owned: free(); ends with NUL; NULL when the body is empty */
    size_t size;
};

/** Keeps its connections for the next request. Returns owned. */
struct http_client *http_client_new(void);
void http_client_destroy(struct http_client *client);

/**
 * Send request and wait for the answer. Redirects are not followed: a destination is the one that
 * was configured, and no credentials go to another.
 *
 * Cost: at most timeout_ms.
 */
enum http_result http_perform(
        struct http_client *client, const struct http_request *request, struct http_answer *answer);

#endif
