/* avro_random.c - random writer schemas near ours, values in them, and bytes gone wrong.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/avro_random.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static bool
percent(struct random *random, unsigned chance)
{
    return random_below(random, 100) < chance;
}

static void
shuffle(struct random *random, json_t *array)
{
    for (size_t i = json_array_size(array); i > 1; i--) {
        const size_t k = random_below(random, i);
        json_t *a = json_incref(json_array_get(array, i - 1));
        json_t *b = json_incref(json_array_get(array, k));

        json_array_set_new(array, i - 1, b);
        json_array_set_new(array, k, a);
    }
}

/* A name for a type that no other has. */
static json_t *
fresh_name(json_t *names)
{
    char name[32];

    snprintf(name, sizeof(name), "type_%zu", json_object_size(names));
    json_object_set_new(names, name, json_true());
    return json_string(name);
}

static json_t *
random_primitive(struct random *random)
{
    static const char *const names[] = {
            "null", "boolean", "int", "long", "float", "double", "bytes", "string"};

    return json_string(names[random_below(random, 8)]);
}

static json_t *random_type(struct random *random, json_t *names, int depth);

static json_t *
random_record(struct random *random, json_t *names, int depth)
{
    json_t *record =
            json_pack("{s:s, s:o, s:[]}", "type", "record", "name", fresh_name(names), "fields");
    json_t *fields = json_object_get(record, "fields");
    const size_t count = random_below(random, 4);

    for (size_t i = 0; i < count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "f%zu", i);
        json_array_append_new(fields, json_pack("{s:s, s:o}", "name", name, "type",
                                              random_type(random, names, depth + 1)));
    }
    if (percent(random, 20)) { /* a list of itself */
        json_array_append_new(fields, json_pack("{s:s, s:[s, O]}", "name", "next", "type", "null",
                                              json_object_get(record, "name")));
    }
    return record;
}

static json_t *
random_union(struct random *random, json_t *names, int depth)
{
    json_t *branches = json_array();

    if (percent(random, 70)) {
        json_array_append_new(branches, json_string("null"));
    }
    if (percent(random, 50)) {
        json_array_append_new(branches, json_string("string"));
    }
    if (percent(random, 30)) {
        json_array_append_new(branches, json_string("long"));
    }
    if (percent(random, 30) || json_array_size(branches) == 0) {
        json_array_append_new(branches, random_record(random, names, depth + 1));
    }
    shuffle(random, branches);
    return branches;
}

static json_t *
random_enum(struct random *random, json_t *names)
{
    json_t *type = json_pack(
            "{s:s, s:o, s:[s]}", "type", "enum", "name", fresh_name(names), "symbols", "a");

    if (percent(random, 50)) {
        json_array_append_new(json_object_get(type, "symbols"), json_string("b"));
    }
    return type;
}

/* Any type. */
static json_t *
random_type(struct random *random, json_t *names, int depth)
{
    if (depth > 3) {
        return random_primitive(random);
    }
    switch (random_below(random, 10)) {
    case 0:
        return random_record(random, names, depth);
    case 1:
        return random_union(random, names, depth);
    case 2:
        return json_pack(
                "{s:s, s:o}", "type", "array", "items", random_type(random, names, depth + 1));
    case 3:
        return json_pack(
                "{s:s, s:o}", "type", "map", "values", random_type(random, names, depth + 1));
    case 4:
        return json_pack("{s:s, s:o, s:I}", "type", "fixed", "name", fresh_name(names), "size",
                (json_int_t)random_below(random, 20) + 1);
    case 5:
        return random_enum(random, names);
    default:
        return random_primitive(random);
    }
}

/* Some of our symbols and some others, in any order, under our name. */
static json_t *
near_enum(struct random *random, json_t *ours)
{
    json_t *symbols = json_array();
    json_t *symbol = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(ours, "symbols"), i, symbol)
    {
        if (percent(random, 80)) {
            json_array_append(symbols, symbol);
        }
    }
    if (json_array_size(symbols) == 0 || percent(random, 30)) {
        json_array_append_new(symbols, json_string("of_another_version"));
    }
    shuffle(random, symbols);
    return json_pack("{s:s, s:O, s:o}", "type", "enum", "name", json_object_get(ours, "name"),
            "symbols", symbols);
}

/* A type, no union, that can be read as ours. Not bytes as text: Avro-C does not do that. */
static json_t *
near_type(struct random *random, json_t *ours)
{
    const char *name = json_string_value(ours);

    if (name == NULL) {
        name = json_string_value(json_object_get(ours, "type"));
    }
    if (strcmp(name, "string") == 0) {
        return json_string("string");
    }
    if (strcmp(name, "long") == 0) {
        return json_string(percent(random, 75) ? "long" : "int");
    }
    if (strcmp(name, "enum") == 0) {
        return near_enum(random, ours);
    }
    if (strcmp(name, "array") == 0) {
        json_t *items = json_string("string");

        if (percent(random, 5)) {
            items = json_pack("[s, o]", "null", items);
        }
        return json_pack("{s:s, s:o}", "type", "array", "items", items);
    }
    return json_string(name);
}

/* Bytes and enums of any name fit where Avro-C does not see it. */
static bool
may_fit_unseen(json_t *type)
{
    char *text = json_dumps(type, JSON_ENCODE_ANY);
    const bool holds = strstr(text, "\"bytes\"") != NULL || strstr(text, "\"enum\"") != NULL;

    free(text);
    return holds;
}

static json_t *
near_field_type(struct random *random, json_t *ours, json_t *names)
{
    const bool nullable = json_is_array(ours);
    json_t *type = near_type(random, nullable ? json_array_get(ours, 1) : ours);

    if (random_below(random, 200) == 0) { /* hardly ever fits */
        do {
            json_decref(type);
            type = random_type(random, names, 1);
        } while (may_fit_unseen(type));
        return type;
    }
    if (percent(random, nullable ? 25 : 96)) {
        return type;
    }

    json_t *branches = json_array();

    json_array_append_new(branches, type);
    if (percent(random, 90)) {
        json_array_append_new(branches, json_string("null"));
    }
    if (percent(random, 2)) {
        json_array_append_new(branches, json_string("boolean"));
    }
    shuffle(random, branches);
    return branches;
}

json_t *
random_writer_schema(struct random *random, json_t *ours)
{
    json_t *fields = json_array();
    json_t *names = json_object();
    json_t *field = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(ours, "fields"), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        const bool needed = strcmp(name, "event_time") == 0 || strcmp(name, "attempt_number") == 0;

        if (percent(random, needed ? 99 : 80)) {
            json_array_append_new(fields,
                    json_pack("{s:s, s:o}", "name", name, "type",
                            near_field_type(random, json_object_get(field, "type"), names)));
        }
    }
    for (size_t extra = random_below(random, 6); extra > 0; extra--) {
        char name[32];

        snprintf(name, sizeof(name), "foreign_%zu", extra);
        json_array_append_new(fields,
                json_pack("{s:s, s:o}", "name", name, "type", random_type(random, names, 0)));
    }
    shuffle(random, fields);
    json_decref(names);
    return json_pack("{s:s, s:s, s:s, s:o}", "type", "record", "name", "request_outcome",
            "namespace", "dev.retrywatch", "fields", fields);
}

/* Values */

struct writer {
    struct random *random;
    json_t *records; /* by name, for lists of themselves */
    struct buffer *out;
    int depth;
};

static void write_value(struct writer *w, json_t *type);

static void
write_text(struct writer *w, bool as_url)
{
    const size_t size = random_below(w->random, percent(w->random, 90) ? 40 : 200);
    char text[1024] = "";
    size_t at = 0;

    if (as_url) {
        at = (size_t)snprintf(text, sizeof(text), "https://docs.example.com/p%zu", size);
    }
    while (!as_url && at < size) {
        if (percent(w->random, 2)) {
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%s",
                    percent(w->random, 50) ? "é" : (percent(w->random, 50) ? "模" : "😀"));
        } else {
            text[at++] = (char)(' ' + random_below(w->random, 95));
        }
    }
    buffer_put_zigzag(w->out, (int64_t)at);
    buffer_put(w->out, text, at);
}

static void
write_bytes(struct writer *w, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        buffer_put_byte(w->out, (uint8_t)random_below(w->random, 256));
    }
}

/* Small ones mostly, and the ends of the range. */
static int64_t
some_number(struct random *random, int64_t low, int64_t high)
{
    switch (random_below(random, 8)) {
    case 0:
        return low;
    case 1:
        return high;
    case 2:
        return -(int64_t)random_below(random, 1000);
    case 3:
        return (int64_t)random_below(random, (uint64_t)high);
    default:
        return (int64_t)random_below(random, 5000);
    }
}

static void
write_items(struct writer *w, json_t *type, bool is_map)
{
    json_t *items = json_object_get(type, is_map ? "values" : "items");

    for (size_t blocks = random_below(w->random, 3); blocks > 0; blocks--) {
        const int64_t count = 1 + (int64_t)random_below(w->random, 4);
        const bool sized = percent(w->random, 30);
        struct buffer inside = {0};
        struct writer writer = {w->random, w->records, &inside, w->depth};

        for (int64_t i = 0; i < count; i++) {
            if (is_map) {
                write_text(&writer, false);
            }
            write_value(&writer, items);
        }
        buffer_put_zigzag(w->out, sized ? -count : count);
        if (sized) {
            buffer_put_zigzag(w->out, (int64_t)inside.size);
        }
        buffer_put(w->out, inside.data, inside.size);
        buffer_fini(&inside);
    }
    buffer_put_zigzag(w->out, 0);
}

static void
write_union(struct writer *w, json_t *type)
{
    size_t branch = random_below(w->random, json_array_size(type));

    for (size_t i = 0; w->depth > 12 && i < json_array_size(type); i++) {
        const char *name = json_string_value(json_array_get(type, i));

        branch = name != NULL && strcmp(name, "null") == 0 ? i : branch;
    }
    buffer_put_zigzag(w->out, (int64_t)branch);
    write_value(w, json_array_get(type, branch));
}

static void
write_record(struct writer *w, json_t *type)
{
    json_t *field = NULL;
    size_t i = 0;

    json_object_set(w->records, json_string_value(json_object_get(type, "name")), type);
    json_array_foreach(json_object_get(type, "fields"), i, field)
    {
        write_value(w, json_object_get(field, "type"));
    }
}

static void
write_named(struct writer *w, json_t *type, const char *name)
{
    if (strcmp(name, "record") == 0) {
        write_record(w, type);
    } else if (strcmp(name, "enum") == 0) {
        buffer_put_zigzag(w->out, (int64_t)random_below(w->random,
                                          json_array_size(json_object_get(type, "symbols"))));
    } else if (strcmp(name, "fixed") == 0) {
        write_bytes(w, (size_t)json_integer_value(json_object_get(type, "size")));
    } else if (strcmp(name, "array") == 0 || strcmp(name, "map") == 0) {
        write_items(w, type, name[0] == 'm');
    } else {
        write_value(w, json_object_get(w->records, name));
    }
}

static void
write_value(struct writer *w, json_t *type)
{
    assert(type != NULL);
    if (json_is_array(type)) {
        write_union(w, type);
        return;
    }

    const char *name =
            json_string_value(json_is_object(type) ? json_object_get(type, "type") : type);

    w->depth += 1;
    if (strcmp(name, "boolean") == 0) {
        buffer_put_byte(w->out, (uint8_t)random_below(w->random, 2));
    } else if (strcmp(name, "int") == 0) {
        buffer_put_zigzag(w->out, some_number(w->random, INT32_MIN, INT32_MAX));
    } else if (strcmp(name, "long") == 0) {
        buffer_put_zigzag(w->out, some_number(w->random, INT64_MIN, INT64_MAX));
    } else if (strcmp(name, "float") == 0) {
        write_bytes(w, 4);
    } else if (strcmp(name, "double") == 0) {
        write_bytes(w, 8);
    } else if (strcmp(name, "bytes") == 0 || strcmp(name, "string") == 0) {
        write_text(w, percent(w->random, 10));
    } else if (strcmp(name, "null") != 0) {
        write_named(w, type, name);
    }
    w->depth -= 1;
}

void
random_value(struct random *random, json_t *schema, struct buffer *out)
{
    struct writer writer = {random, json_object(), out, 0};

    write_value(&writer, schema);
    json_decref(writer.records);
}

void
random_damage(struct random *random, struct buffer *bytes)
{
    for (size_t times = 1 + random_below(random, 3); times > 0; times--) {
        const size_t at = random_below(random, bytes->size + 1);

        switch (random_below(random, 5)) {
        case 0: /* cut */
            bytes->size = at;
            break;
        case 1: /* a byte more */
            buffer_put_byte(bytes, (uint8_t)random_below(random, 256));
            break;
        case 2: /* a bit */
            if (at < bytes->size) {
                bytes->data[at] ^= (uint8_t)(1U << random_below(random, 8));
            }
            break;
        case 3: /* a small number, which may be an index, a size or a count */
            if (at < bytes->size) {
                bytes->data[at] = (uint8_t)random_below(random, 12);
            }
            break;
        default: /* any byte */
            if (at < bytes->size) {
                bytes->data[at] = (uint8_t)random_below(random, 256);
            }
            break;
        }
    }
}
