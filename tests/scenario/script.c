/* script.c - the lines of a scenario file: a mark, a word, and key=value pairs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/script.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#define LINE_MAX 1024

void
script_fail(const struct script_line *line, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: ", line->path, line->number);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static char *
skip_blanks(char *at)
{
    return at + strspn(at, " \t,");
}

/** Cut the word at `at`; a value may be "in quotes". Returns what comes after it. */
static char *
cut_word(const struct script_line *line, char *at, char **word)
{
    char *end = NULL;

    if (*at == '"') {
        *word = at + 1;
        end = strchr(at + 1, '"');
        if (end == NULL) {
            script_fail(line, "a quote without end");
        }
    } else {
        *word = at;
        end = at + strcspn(at, " \t");
    }
    if (*end != '\0') {
        *end++ = '\0';
    }
    return end;
}

static void
read_pairs(struct script_line *line, char *at)
{
    for (at = skip_blanks(at); *at != '\0'; at = skip_blanks(at)) {
        const size_t key_size = strcspn(at, "= \t");
        char *value = NULL;

        if (at[key_size] != '=') {
            script_fail(line, "'%s' is not key=value", at);
        }
        if (line->pair_count == SCRIPT_PAIRS_MAX) {
            script_fail(line, "more than %d pairs", SCRIPT_PAIRS_MAX);
        }
        at[key_size] = '\0';
        line->pairs[line->pair_count].key = at;
        at = cut_word(line, at + key_size + 1, &value);
        line->pairs[line->pair_count++].value = value;
    }
}

/** `+++ metric +1, metric +2` as pairs. */
static void
read_metrics(struct script_line *line, char *at)
{
    for (at = skip_blanks(at); *at != '\0'; at = skip_blanks(at)) {
        char *key = NULL;
        char *value = NULL;

        at = skip_blanks(cut_word(line, at, &key));
        if (*at != '+' || line->pair_count == SCRIPT_PAIRS_MAX) {
            script_fail(line, "'%s' is not followed by +n", key);
        }
        at = cut_word(line, at + 1, &value);
        value[strcspn(value, ",")] = '\0';
        line->pairs[line->pair_count].key = key;
        line->pairs[line->pair_count++].value = value;
    }
}

static void
read_line(struct script_line *line, char *text)
{
    static const char *const marks[] = {">>>", "<<<", "===", "+++"};
    size_t mark = 0;

    while (mark < sizeof(marks) / sizeof(marks[0]) && strncmp(text, marks[mark], 3) != 0) {
        mark++;
    }
    if (mark == sizeof(marks) / sizeof(marks[0])) {
        script_fail(line, "a line begins with >>>, <<<, ===, +++ or #");
    }
    line->mark = (enum script_mark)mark;
    if (line->mark == SCRIPT_METRICS) {
        read_metrics(line, text + 3);
    } else {
        char *verb = NULL;
        char *rest = cut_word(line, skip_blanks(text + 3), &verb);

        line->verb = verb;
        read_pairs(line, rest);
    }
}

bool
script_next(FILE *file, const char *path, struct arena *arena, struct script_line *line)
{
    char text[LINE_MAX];
    int number = line->number;

    while (fgets(text, sizeof(text), file) != NULL) {
        *line = (struct script_line){.path = path, .number = ++number};
        text[strcspn(text, "\n")] = '\0';
        if (text[0] != '#' && text[0] != '\0') {
            char *copy = arena_new(arena, strlen(text) + 1, 1);

            memcpy(copy, text, strlen(text));
            read_line(line, copy);
            return true;
        }
    }
    return false;
}

/* ---- values -----------------------------------------------------------------------------------
 */

const char *
script_take(struct script_line *line, const char *key)
{
    for (size_t i = 0; i < line->pair_count; i++) {
        if (strcmp(line->pairs[i].key, key) == 0) {
            line->pairs[i].taken = true;
            return line->pairs[i].value;
        }
    }
    return NULL;
}

void
script_end(const struct script_line *line)
{
    for (size_t i = 0; i < line->pair_count; i++) {
        if (!line->pairs[i].taken) {
            script_fail(line, "'%s' means nothing here", line->pairs[i].key);
        }
    }
}

struct span
script_span(struct script_line *line, const char *key)
{
    const char *value = script_take(line, key);

    return value != NULL ? span_of(value) : SPAN_NULL;
}

int64_t
script_number(struct script_line *line, const char *key, int64_t fallback)
{
    const char *value = script_take(line, key);
    char *end = NULL;

    if (value == NULL) {
        return fallback;
    }

    const int64_t number = strtoll(value, &end, 10);

    if (end == value || *end != '\0') {
        script_fail(line, "%s=%s is not a number", key, value);
    }
    return number;
}

bool
script_flag(struct script_line *line, const char *key)
{
    const char *value = script_take(line, key);

    if (value != NULL && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        script_fail(line, "%s is yes or no", key);
    }
    return value != NULL && strcmp(value, "yes") == 0;
}

uint8_t
script_symbol(struct script_line *line, const char *key, const char *const *names, size_t count,
        uint8_t fallback)
{
    const char *value = script_take(line, key);

    for (size_t i = 0; value != NULL && i < count; i++) {
        if (strcmp(value, names[i]) == 0) {
            return (uint8_t)i;
        }
    }
    if (value != NULL) {
        script_fail(line, "%s=%s is none of its symbols", key, value);
    }
    return fallback;
}

/** Milliseconds of a unit; 0 when it is none. */
static int64_t
unit_ms(const char *unit, size_t size)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == size && strncmp(unit, units[i].name, size) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

int64_t
script_parse_time(const struct script_line *line, const char *text)
{
    const bool before = *text == '-';
    const char *at = text + before;
    int64_t sum = 0;

    do {
        char *unit = NULL;
        const int64_t number = strtoll(at, &unit, 10);
        const size_t size = strspn(unit, "mshd");
        const int64_t ms = unit_ms(unit, size);

        if (unit == at || ms == 0) {
            script_fail(line, "'%s' is not a time such as 1h30m or -2d", text);
        }
        sum += number * ms;
        at = unit + size;
    } while (*at != '\0');
    return SCRIPT_START + (before ? -sum : sum);
}

int64_t
script_time(struct script_line *line, const char *key, int64_t fallback)
{
    const char *value = script_take(line, key);

    return value != NULL ? script_parse_time(line, value) : fallback;
}
