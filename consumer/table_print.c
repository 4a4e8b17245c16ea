/* table_print.c - tables for people: columns as wide as what they hold.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/table_print.h"

#include "consumer/human.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#define CELL_WIDTH_MAX 60 /* characters; so that one odd name leaves the others readable */
#define BETWEEN "  "

struct cell {
    size_t at, size; /* in text */
    size_t width;
};

struct table_print {
    const struct table_print_column *columns;
    size_t column_count;
    struct buffer text; /* of all cells */
    struct cell *cells;
    size_t cell_count, cell_capacity;
};

struct table_print *
table_print_new(const struct table_print_column *columns, size_t column_count)
{
    struct table_print *table = memory_new(1, sizeof(*table));

    table->columns = columns;
    table->column_count = column_count;
    buffer_reserve(&table->text, 1); /* so that an empty cell has an address, too */
    return table;
}

void
table_print_destroy(struct table_print *table)
{
    if (table == NULL) {
        return;
    }
    buffer_fini(&table->text);
    free(table->cells);
    free(table);
}

/* What was put into text since `at` is a cell. */
static void
end_cell(struct table_print *table, size_t at)
{
    struct cell cell = {.at = at, .size = table->text.size - at};

    cell.width = human_width((struct span){table->text.data + at, cell.size});
    table->cells = memory_grow(
            table->cells, table->cell_count, &table->cell_capacity, sizeof(*table->cells));
    table->cells[table->cell_count++] = cell;
}

/* Back to the first `width` characters of what begins at `at`. */
static void
cut(struct buffer *text, size_t at, size_t width)
{
    size_t end = at;

    while (end < text->size && ((text->data[end] & 0xc0) == 0x80 || width-- > 0)) {
        end++;
    }
    text->size = end;
}

void
table_print_text(struct table_print *table, struct span text)
{
    const size_t at = table->text.size;

    human_put_text(&table->text, text);
    if (human_width((struct span){table->text.data + at, table->text.size - at}) > CELL_WIDTH_MAX) {
        cut(&table->text, at, CELL_WIDTH_MAX - 1);
        buffer_put_text(&table->text, "…");
    }
    end_cell(table, at);
}

void
table_print_format(struct table_print *table, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    table_print_text(table, span_of(text));
}

static size_t
column_width(const struct table_print *table, size_t column)
{
    size_t width = human_width(span_of(table->columns[column].title));

    for (size_t i = column; i < table->cell_count; i += table->column_count) {
        width = table->cells[i].width > width ? table->cells[i].width : width;
    }
    return width;
}

static void
put_padded(struct buffer *out, struct span text, size_t width, bool right, bool last)
{
    const int blanks = (int)(width - human_width(text));

    buffer_printf(out, "%*s", right ? blanks : 0, "");
    buffer_put(out, text.data, text.size);
    if (!last) {
        buffer_printf(out, "%*s" BETWEEN, right ? 0 : blanks, "");
    }
}

/* cells: of one line; NULL: the titles. */
static void
put_line(struct buffer *out, const struct table_print *table, const struct cell *cells,
        const size_t *widths)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct span text =
                cells == NULL ? span_of(table->columns[i].title)
                              : (struct span){table->text.data + cells[i].at, cells[i].size};

        put_padded(out, text, widths[i], table->columns[i].right, i + 1 == table->column_count);
    }
}

void
table_print_to(const struct table_print *table, bool colour, FILE *out)
{
    size_t *widths = memory_new(table->column_count, sizeof(*widths));
    struct buffer text = {0};

    assert(table->cell_count % table->column_count == 0);
    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = column_width(table, i);
    }
    buffer_put_text(&text, colour ? "\033[1m" : "");
    put_line(&text, table, NULL, widths);
    buffer_put_text(&text, colour ? "\033[0m\n" : "\n");
    for (size_t i = 0; i < table->cell_count; i += table->column_count) {
        put_line(&text, table, &table->cells[i], widths);
        buffer_put_byte(&text, '\n');
    }
    fwrite(text.data, 1, text.size, out);
    buffer_fini(&text);
    free(widths);
}
