/* script.h - the lines of a scenario file: a mark, a word, and key=value pairs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_SCRIPT_H
#define RETRYWATCH_TESTS_SCRIPT_H

#include "aggregator/memory.h"

#include <stdio.h>

#define SCRIPT_PAIRS_MAX 32

/* What a line does: `>>>` acts, `<<<` expects a review, `===` a stored state, `+++` metrics. */
enum script_mark { SCRIPT_ACT, SCRIPT_REVIEW, SCRIPT_STATE, SCRIPT_METRICS };

/* One line. Strings live as long as the arena it was read into. */
struct script_line {
    const char *path;
    int number; /* from 1 */
    enum script_mark mark;
    const char *verb; /* the word after the mark; NULL for metrics */
    size_t pair_count;
    struct {
        const char *key, *value;
        bool taken;
    } pairs[SCRIPT_PAIRS_MAX];
};

/** The next line that says something; false at the end. Ends the process on a line it cannot read.
 */
bool script_next(FILE *file, const char *path, struct arena *arena, struct script_line *line);

/** Say what is wrong with this line and end the process. */
_Noreturn void script_fail(const struct script_line *line, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/** The value of a key, or NULL. A key that nobody took is an error of script_end(). */
const char *script_take(struct script_line *line, const char *key);
void script_end(const struct script_line *line);

/** Null when the key is absent. */
struct span script_span(struct script_line *line, const char *key);
int64_t script_number(struct script_line *line, const char *key, int64_t fallback);
bool script_flag(struct script_line *line, const char *key);

/** The index of the value among the names, or fallback when the key is absent. */
uint8_t script_symbol(struct script_line *line, const char *key, const char *const *names,
        size_t count, uint8_t fallback);

/** A time as in 1h30m, -2d, 90s or 5ms after the start; fallback when the key is absent. */
int64_t script_time(struct script_line *line, const char *key, int64_t fallback);

/** The same of a text; ends the process when it is none. */
int64_t script_parse_time(const struct script_line *line, const char *text);

/* Time 0 of every scenario: Monday, 2026-01-05, midnight UTC. */
#define SCRIPT_START INT64_C(1767571200000)

#endif
