/* table_print.h - tables for people: columns as wide as what they hold.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_TABLE_PRINT_H
#define RETRYWATCH_CONSUMER_TABLE_PRINT_H

#include "codec/buffer.h"

#include <stdio.h>

struct table_print_column {
    const char *title;
    bool right; /* numbers stand on the right */
};

struct table_print;

/** columns[column_count] is borrowed until the table is destroyed. */
struct table_print *table_print_new(const struct table_print_column *columns, size_t column_count);
void table_print_destroy(struct table_print *table);

/** The next cell, from left to right, line after line; text of others is made harmless and cut. */
void table_print_text(struct table_print *table, struct span text);
void table_print_format(struct table_print *table, const char *format, ...) PRINTF_LIKE(2, 3);

/** Every line is whole. Prints the titles, bold if asked for, and the lines. */
void table_print_to(const struct table_print *table, bool colour, FILE *out);

#endif
