/* status.h - what can go wrong, and what the service loop does about it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_STATUS_H
#define RETRYWATCH_AGGREGATOR_STATUS_H

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_arg, first_arg) __attribute__((format(printf, format_arg, first_arg)))

/* What the service loop does next. Only the loop acts on it. */
enum disposition {
    DISPOSE_NEXT,   /* go on */
    DISPOSE_REJECT, /* a record for the rejected topic; the offset moves on */
    DISPOSE_RETRY,  /* nothing was done: try again later */
    DISPOSE_RELOAD, /* memory may differ from what is stored: load the partition again */
    DISPOSE_EXIT    /* end the process with the code of status_exit_code() */
};

/* The names of the reasons for rejection are on the wire: the header "reason" of the rejected
 * topic (docs/topics.md). */
/*    name                    disposition     text */
#define STATUS_MAP(X)                                                                \
    X(STATUS_OK, DISPOSE_NEXT, "ok")                                                 \
    X(STATUS_EMPTY, DISPOSE_REJECT, "empty")                                         \
    X(STATUS_MALFORMED, DISPOSE_REJECT, "malformed")                                 \
    X(STATUS_TOO_LARGE, DISPOSE_REJECT, "too_large")                                 \
    X(STATUS_UNKNOWN_SCHEMA, DISPOSE_REJECT, "unknown_schema")                       \
    X(STATUS_INVALID, DISPOSE_REJECT, "invalid")                                     \
    X(STATUS_FUTURE, DISPOSE_REJECT, "future")                                       \
    X(STATUS_SCHEMA_WAIT, DISPOSE_RETRY, "schema not known yet")                     \
    X(STATUS_STORE_DOWN, DISPOSE_RETRY, "store cannot be reached")                   \
    X(STATUS_BROKER_DOWN, DISPOSE_RETRY, "broker cannot be reached")                 \
    X(STATUS_FENCED, DISPOSE_RELOAD, "another instance owns the partition")          \
    X(STATUS_UNKNOWN_OUTCOME, DISPOSE_RELOAD, "it is not known whether it was done") \
    X(STATUS_REFUSED, DISPOSE_EXIT, "cannot go on from what is stored")              \
    X(STATUS_BAD_CONFIG, DISPOSE_EXIT, "configuration is wrong")                     \
    X(STATUS_BAD_SCHEMA, DISPOSE_EXIT, "schema cannot be used")                      \
    X(STATUS_AUTH, DISPOSE_EXIT, "authentication refused")                           \
    X(STATUS_FAILED, DISPOSE_EXIT, "failed")

#define STATUS_ENUM(name, disposition, text) name,
enum status { STATUS_MAP(STATUS_ENUM) STATUS_COUNT };
#undef STATUS_ENUM

/** The status in words; for a reason of rejection, the word of the "reason" header. */
const char *status_text(enum status status);

enum disposition status_disposition(enum status status);

/** Exit code of the process: 0 ok, 1 failed or refused, 2 usage or configuration, 3 authentication.
 */
int status_exit_code(enum status status);

#define ERROR_TEXT_SIZE 512

/* Caller-owned. Written once, where the cause is known; says what to do. Never a payload. */
struct error {
    enum status status;
    char text[ERROR_TEXT_SIZE];
};

/** Write the text, cut to ERROR_TEXT_SIZE, and return status. error may be NULL. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
        PRINTF_LIKE(3, 4);

#endif
