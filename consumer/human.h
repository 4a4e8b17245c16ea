/* human.h - counts, shares, times and names as people read them, and small bars.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_HUMAN_H
#define RETRYWATCH_CONSUMER_HUMAN_H

#include "codec/buffer.h"

#include <stdio.h>

#define HUMAN_SIZE 32

/* A text that is returned by value, so that several fit into one printf(). */
struct human {
    char text[HUMAN_SIZE];
};

/** 1,234,567 */
struct human human_count(int64_t count);

/** 23.4 %, rounded down as shares are: 999 basis points have not reached 10 %. */
struct human human_share(int64_t bps);

/** 2026-11-22 10:14 UTC; a dash for TIME_NULL. */
struct human human_time(int64_t time_ms);

/** 10:14 */
struct human human_hour(int64_t time_ms);

/** The largest unit alone: 45 s, 12 min, 5 h, 3 d. Negative is as 0. */
struct human human_duration(int64_t ms);

/**
 * Text of others onto a terminal: control characters, line separators and what turns the direction
 * of writing become `?`; so does every byte beyond ASCII when the text is not UTF-8.
 */
void human_put_text(struct buffer *out, struct span text);

/** Characters, not bytes. */
size_t human_width(struct span text);

/** A bar of blocks, width characters at most when value is max; a value above 0 shows. */
void human_put_bar(struct buffer *out, int64_t value, int64_t max, int width);

/**
 * A chart of columns, height lines, each begun with indent blanks.
 *
 * values: values[count], one character each; the highest reaches the top.
 */
void human_put_chart(
        struct buffer *out, const int64_t *values, size_t count, int height, int indent);

/** Whether to use colour there: a terminal, and NO_COLOR is not set (https://no-color.org). */
bool human_colour(FILE *out);

#endif
