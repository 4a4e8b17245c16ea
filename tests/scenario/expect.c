/* expect.c - what a scenario expects of a published review, field by field.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/expect.h"

#include <inttypes.h>

#define TEXT_MAX 1024

static const char *
long_name(const char *key)
{
    static const char *const names[][2] = {
            {"owner", "scope.owner_tag"},
            {"workload", "scope.workload_tag"},
            {"environment", "scope.environment"},
            {"class", "scope.request_class"},
            {"bucket", "scope.budget_bucket"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(key, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    return key;
}

/** The field at a path with dots; NULL when there is none. */
static const json_t *
field_at(const struct script_line *line, const json_t *review, const char *path)
{
    const char *dot = strchr(path, '.');
    char name[64];

    snprintf(
            name, sizeof(name), "%.*s", (int)(dot != NULL ? dot - path : (long)strlen(path)), path);

    const json_t *field = json_object_get(review, name);

    if (field == NULL) {
        script_fail(line, "a review has no field '%s'", name);
    }
    return dot == NULL ? field : json_object_get(field, dot + 1);
}

static void write_value(const json_t *value, char *text, size_t size);

static void
write_list(const json_t *list, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < json_array_size(list) && used < size; i++) {
        char item[TEXT_MAX / 4];

        write_value(json_array_get(list, i), item, sizeof(item));
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? "," : "", item);
    }
    if (used == 0) {
        snprintf(text, size, "none");
    }
}

/** A value as scenarios spell it. */
static void
write_value(const json_t *value, char *text, size_t size)
{
    if (value == NULL || json_is_null(value)) {
        snprintf(text, size, "none");
    } else if (json_is_string(value)) {
        snprintf(text, size, "%s", json_string_value(value));
    } else if (json_is_integer(value)) {
        snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_boolean(value)) {
        snprintf(text, size, "%s", json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value)) {
        write_list(value, text, size);
    } else { /* of a top list */
        snprintf(text, size, "%s:%" JSON_INTEGER_FORMAT,
                json_string_value(json_object_get(value, "value")),
                json_integer_value(json_object_get(value, "retries")));
    }
}

static bool
is_time(const char *key)
{
    static const char *const times[] = {"window_start", "window_end", "starts_at", "ends_at"};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (strcmp(key, times[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void
expect_field(
        const struct script_line *line, const json_t *review, const char *key, const char *want)
{
    const json_t *field = field_at(line, review, long_name(key));
    char text[TEXT_MAX];
    char time[32];

    if (is_time(key) && json_is_integer(field)) {
        snprintf(time, sizeof(time), "%" PRId64, script_parse_time(line, want));
        want = time;
    }
    write_value(field, text, sizeof(text));
    if (strcmp(text, want) != 0) {
        script_fail(line, "%s is %s, expected %s", key, text, want);
    }
}

static void
expect_id(
        const struct script_line *line, const json_t *review, const char *last_id, const char *want)
{
    const char *id = json_string_value(json_object_get(review, "review_id"));
    const bool same = strcmp(id, last_id) == 0;

    if (strcmp(want, "new") != 0 && strcmp(want, "same") != 0) {
        script_fail(line, "review_id is new or same");
    }
    if (same != (strcmp(want, "same") == 0)) {
        script_fail(line, "review_id is %s, the one before was %s", id, last_id);
    }
}

void
expect_review(struct script_line *line, const json_t *review, const char *last_id)
{
    for (size_t i = 0; i < line->pair_count; i++) {
        if (strcmp(line->pairs[i].key, "review_id") == 0) {
            expect_id(line, review, last_id, line->pairs[i].value);
        } else {
            expect_field(line, review, line->pairs[i].key, line->pairs[i].value);
        }
    }
}
