/* log.h - one line an event, logfmt or JSON, rate limited per site, never a payload.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_LOG_H
#define RETRYWATCH_CONSUMER_LOG_H

#include "aggregator/status.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Kept by each call site, so that a storm of one event leaves room for the others. */
struct log_site {
    int64_t second;      /* the second that count belongs to */
    uint32_t count;      /* lines in it */
    uint64_t suppressed; /* lines not written since the last one */
};

void log_init(enum log_level level, enum log_format format);

/** Write to another file descriptor, by another clock; NULL: the wall clock. For tests. */
void log_divert(int fd, int64_t (*now_ms)(void));

/**
 * Write `time=... level=... at=<at> <key>=<value>...` to standard error.
 *
 * at:     the place in the flow: start, load, decode, exec, publish, ...
 * fields: printf format of logfmt pairs, `partition=%d offset=%" PRId64 " error=\"%s\"`. What a
 *         conversion gives is quoted and escaped as it needs; a value whose literal text holds
 *         blanks stands in double quotes. No `*` but one in %.*s.
 */
void log_write(struct log_site *site, enum log_level level, const char *at, const char *fields, ...)
        PRINTF_LIKE(4, 5);

/* At most 10 lines a second of one site; what was left out is told in suppressed=N of the next. */
#define log_at(level, at, ...)                         \
    do {                                               \
        static struct log_site log_site_;              \
        log_write(&log_site_, level, at, __VA_ARGS__); \
    } while (0)

#define log_debug(at, ...) log_at(LOG_DEBUG, at, __VA_ARGS__)
#define log_info(at, ...) log_at(LOG_INFO, at, __VA_ARGS__)
#define log_warn(at, ...) log_at(LOG_WARN, at, __VA_ARGS__)
#define log_error(at, ...) log_at(LOG_ERROR, at, __VA_ARGS__)

#endif
