/* schema_text.c - the JSON text of a schema, checked and put into its canonical form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/schema_text.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#define NAME_SIZE_MAX 512 /* bytes of a full name */

struct full_name {
    char text[NAME_SIZE_MAX];
    size_t namespace_size; /* of the part before the last dot; 0: none */
};

/* What a type is inside of. */
struct place {
    const struct full_name *record; /* whose namespace is inherited; NULL at the top */
    size_t field;                   /* number of the field in it */
    int depth;
};

struct walk {
    struct schema_text *out;
    json_t *names; /* the full names that are defined so far, as keys */
    struct error *error;
};

static enum status walk_type(struct walk *walk, json_t *json, struct place place);

static enum status
bad(struct walk *walk, const char *what, const char *name)
{
    return error_set(walk->error, STATUS_BAD_SCHEMA, "schema: %s%s%.100s", what,
            name[0] != '\0' ? " " : "", name);
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name(const char *name)
{
    if (name == NULL || !is_letter(name[0])) {
        return false;
    }
    while (is_letter(*name) || is_digit(*name)) {
        name++;
    }
    return *name == '\0';
}

/* Looser than the specification: namespaces with a dash are seen, and do no harm. */
static bool
is_namespace(const char *name)
{
    for (; *name != '\0'; name++) {
        if (!is_letter(*name) && !is_digit(*name) && *name != '.' && *name != '-') {
            return false;
        }
    }
    return true;
}

static bool
is_primitive(const char *type)
{
    static const char *const names[] = {
            "null", "boolean", "int", "long", "float", "double", "bytes", "string", NULL};

    for (const char *const *name = names; *name != NULL; name++) {
        if (strcmp(type, *name) == 0) {
            return true;
        }
    }
    return false;
}

static void
put_quoted(struct walk *walk, const char *text)
{
    buffer_put_byte(&walk->out->canonical, '"');
    buffer_put_text(&walk->out->canonical, text);
    buffer_put_byte(&walk->out->canonical, '"');
}

/* The full name of a name as it is written inside of place. space: of the attribute, or NULL. */
static enum status
resolve_name(struct walk *walk, const char *name, const char *space, struct place place,
        struct full_name *full)
{
    const char *dot = name != NULL ? strrchr(name, '.') : NULL;
    int size = 0;

    if (name == NULL || !is_name(dot != NULL ? dot + 1 : name) || !is_namespace(name) ||
            (space != NULL && !is_namespace(space))) {
        return bad(walk, "not a name:", name != NULL ? name : "(none)");
    }
    if (dot != NULL) {
        size = snprintf(full->text, sizeof(full->text), "%s", name);
    } else if (space != NULL) {
        size = snprintf(full->text, sizeof(full->text), "%s%s%s", space, *space ? "." : "", name);
    } else if (place.record != NULL && place.record->namespace_size > 0) {
        size = snprintf(full->text, sizeof(full->text), "%.*s.%s",
                (int)place.record->namespace_size, place.record->text, name);
    } else {
        size = snprintf(full->text, sizeof(full->text), "%s", name);
    }
    if (size < 0 || (size_t)size >= sizeof(full->text)) {
        return bad(walk, "name is too long:", name);
    }
    dot = strrchr(full->text, '.');
    full->namespace_size = dot != NULL ? (size_t)(dot - full->text) : 0;
    if (full->namespace_size == 0 && place.record != NULL && place.record->namespace_size > 0) {
        /* The canonical form cannot tell it from a name in the namespace around it. */
        return bad(walk, "a name without namespace inside a namespace:", name);
    }
    return STATUS_OK;
}

static enum status
walk_reference(struct walk *walk, const char *name, struct place place)
{
    struct full_name full;

    if (is_primitive(name)) {
        put_quoted(walk, name);
        return STATUS_OK;
    }

    const enum status status = resolve_name(walk, name, NULL, place, &full);

    if (status != STATUS_OK) {
        return status;
    }
    if (json_object_get(walk->names, full.text) == NULL) {
        return bad(walk, "unknown type", full.text);
    }
    put_quoted(walk, full.text);
    return STATUS_OK;
}

static enum status
walk_union(struct walk *walk, json_t *json, struct place place)
{
    struct buffer *out = &walk->out->canonical;

    if (json_array_size(json) == 0) {
        return bad(walk, "a union without branches", "");
    }
    buffer_put_byte(out, '[');
    for (size_t i = 0; i < json_array_size(json); i++) {
        json_t *branch = json_array_get(json, i);

        if (json_is_array(branch)) {
            return bad(walk, "a union inside a union", "");
        }
        if (i > 0) {
            buffer_put_byte(out, ',');
        }

        const enum status status = walk_type(walk, branch, place);

        if (status != STATUS_OK) {
            return status;
        }
    }
    buffer_put_byte(out, ']');
    return STATUS_OK;
}

/* Put the beginning of a named type, up to its kind, and remember the name. */
static enum status
define(struct walk *walk, json_t *json, const char *kind, struct place place,
        struct full_name *full)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *space = json_string_value(json_object_get(json, "namespace"));
    const enum status status = resolve_name(walk, name, space, place, full);

    if (status != STATUS_OK) {
        return status;
    }
    if (is_primitive(full->text) || json_object_get(walk->names, full->text) != NULL) {
        return bad(walk, "name is defined twice:", full->text);
    }
    json_object_set_new(walk->names, full->text, json_true());
    buffer_printf(&walk->out->canonical, "{\"name\":\"%s\",\"type\":\"%s\"", full->text, kind);
    return STATUS_OK;
}

static enum status
walk_field(struct walk *walk, json_t *field, json_t *seen, struct place place)
{
    const char *name = json_string_value(json_object_get(field, "name"));
    json_t *type = json_object_get(field, "type");

    if (!is_name(name)) {
        return bad(walk, "not a field name:", name != NULL ? name : "(none)");
    }
    if (json_object_get(seen, name) != NULL) {
        return bad(walk, "field is defined twice:", name);
    }
    json_object_set_new(seen, name, json_true());
    if (type == NULL) {
        return bad(walk, "field has no type:", name);
    }
    buffer_printf(&walk->out->canonical, "{\"name\":\"%s\",\"type\":", name);

    const enum status status = walk_type(walk, type, place);

    buffer_put_byte(&walk->out->canonical, '}');
    return status;
}

static enum status
walk_record(struct walk *walk, json_t *json, struct place place)
{
    struct full_name full;
    json_t *fields = json_object_get(json, "fields");
    enum status status = define(walk, json, "record", place, &full);

    if (status == STATUS_OK && !json_is_array(fields)) {
        status = bad(walk, "a record without fields:", full.text);
    }
    if (status != STATUS_OK) {
        return status;
    }
    buffer_put_text(&walk->out->canonical, ",\"fields\":[");

    json_t *seen = json_object();

    for (size_t i = 0; i < json_array_size(fields) && status == STATUS_OK; i++) {
        if (i > 0) {
            buffer_put_byte(&walk->out->canonical, ',');
        }
        status = walk_field(
                walk, json_array_get(fields, i), seen, (struct place){&full, i, place.depth});
    }
    json_decref(seen);
    buffer_put_text(&walk->out->canonical, "]}");
    return status;
}

static enum status
walk_enum(struct walk *walk, json_t *json, struct place place)
{
    struct full_name full;
    json_t *symbols = json_object_get(json, "symbols");
    enum status status = define(walk, json, "enum", place, &full);

    if (status == STATUS_OK && json_array_size(symbols) == 0) {
        status = bad(walk, "an enum without symbols:", full.text);
    }
    if (status != STATUS_OK) {
        return status;
    }
    buffer_put_text(&walk->out->canonical, ",\"symbols\":[");

    json_t *seen = json_object();

    for (size_t i = 0; i < json_array_size(symbols) && status == STATUS_OK; i++) {
        const char *symbol = json_string_value(json_array_get(symbols, i));

        if (!is_name(symbol) || json_object_get(seen, symbol) != NULL) {
            status = bad(walk, "an enum symbol that is no name, or is there twice:", full.text);
            break;
        }
        json_object_set_new(seen, symbol, json_true());
        if (i > 0) {
            buffer_put_byte(&walk->out->canonical, ',');
        }
        put_quoted(walk, symbol);
    }
    json_decref(seen);
    buffer_put_text(&walk->out->canonical, "]}");
    return status;
}

static enum status
walk_fixed(struct walk *walk, json_t *json, struct place place)
{
    struct full_name full;
    json_t *size = json_object_get(json, "size");
    const enum status status = define(walk, json, "fixed", place, &full);

    if (status != STATUS_OK) {
        return status;
    }
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
            json_integer_value(size) > INT32_MAX) {
        return bad(walk, "a fixed without a size from 0 to 2147483647:", full.text);
    }
    buffer_printf(&walk->out->canonical, ",\"size\":%d}", (int)json_integer_value(size));
    return STATUS_OK;
}

/* An array or a map. */
static enum status
walk_container(
        struct walk *walk, json_t *json, const char *kind, const char *key, struct place place)
{
    json_t *items = json_object_get(json, key);

    if (items == NULL) {
        return bad(walk, "a container without a type inside:", kind);
    }
    buffer_printf(&walk->out->canonical, "{\"type\":\"%s\",\"%s\":", kind, key);

    const enum status status = walk_type(walk, items, place);

    buffer_put_byte(&walk->out->canonical, '}');
    return status;
}

static void
note_time(struct walk *walk, json_t *json, struct place place)
{
    const char *type = json_string_value(json_object_get(json, "logicalType"));
    struct schema_text *out = walk->out;
    int32_t divisor = 1;

    if (type != NULL && strcmp(type, "timestamp-micros") == 0) {
        divisor = 1000;
    } else if (type != NULL && strcmp(type, "timestamp-nanos") == 0) {
        divisor = 1000 * 1000;
    }
    if (divisor == 1 || place.record == NULL) {
        return;
    }
    out->times = memory_grow(out->times, out->time_count, &out->time_capacity, sizeof(*out->times));

    const size_t size = strlen(place.record->text) + 1;
    char *record = memory_new(size, 1);

    memcpy(record, place.record->text, size);
    out->times[out->time_count++] = (struct time_field){record, place.field, divisor};
}

static enum status
walk_object(struct walk *walk, json_t *json, struct place place)
{
    json_t *type = json_object_get(json, "type");
    const char *kind = json_string_value(type);

    if (json_is_object(type) || json_is_array(type)) {
        return walk_type(walk, type, place); /* {"type": {"type": …}}: some writers do that */
    }
    if (kind == NULL) {
        return bad(walk, "a type that is neither text, object nor array", "");
    }
    if (strcmp(kind, "record") == 0) {
        return walk_record(walk, json, place);
    }
    if (strcmp(kind, "enum") == 0) {
        return walk_enum(walk, json, place);
    }
    if (strcmp(kind, "fixed") == 0) {
        return walk_fixed(walk, json, place);
    }
    if (strcmp(kind, "array") == 0) {
        return walk_container(walk, json, kind, "items", place);
    }
    if (strcmp(kind, "map") == 0) {
        return walk_container(walk, json, kind, "values", place);
    }
    if (strcmp(kind, "long") == 0) {
        note_time(walk, json, place);
    }
    return walk_reference(walk, kind, place);
}

static enum status
walk_type(struct walk *walk, json_t *json, struct place place)
{
    place.depth += 1;
    if (place.depth > SCHEMA_DEPTH_MAX) {
        return bad(walk, "types are nested more than 64 deep", "");
    }
    if (json_is_string(json)) {
        return walk_reference(walk, json_string_value(json), place);
    }
    if (json_is_array(json)) {
        return walk_union(walk, json, place);
    }
    if (json_is_object(json)) {
        return walk_object(walk, json, place);
    }
    return bad(walk, "a type that is neither text, object nor array", "");
}

/* Source: Apache Avro 1.11 specification, "Schema Fingerprints". */
static uint64_t
crc64_avro(struct span bytes)
{
    const uint64_t empty = UINT64_C(0xc15d213aa4d7a795);
    uint64_t crc = empty;

    for (size_t i = 0; i < bytes.size; i++) {
        uint64_t row = (crc ^ bytes.data[i]) & 0xff;

        for (int bit = 0; bit < 8; bit++) {
            row = (row >> 1) ^ (empty & -(row & 1));
        }
        crc = (crc >> 8) ^ row;
    }
    return crc;
}

enum status
schema_text_parse(struct span json, struct schema_text *text, struct error *error)
{
    *text = (struct schema_text){0};
    if (json.size > SCHEMA_TEXT_MAX) {
        return error_set(error, STATUS_BAD_SCHEMA, "schema: %zu bytes, at most %zu are allowed",
                json.size, SCHEMA_TEXT_MAX);
    }

    json_error_t json_error;
    json_t *root = json_loadb((const char *)json.data, json.size,
            JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &json_error);

    if (root == NULL) {
        return error_set(error, STATUS_BAD_SCHEMA, "schema: not JSON at line %d, column %d",
                json_error.line, json_error.column);
    }

    struct walk walk = {text, json_object(), error};
    const enum status status = walk_type(&walk, root, (struct place){0});

    json_decref(walk.names);
    json_decref(root);
    if (status == STATUS_OK) {
        text->fingerprint = crc64_avro(buffer_span(&text->canonical));
    }
    return status;
}

void
schema_text_fini(struct schema_text *text)
{
    for (size_t i = 0; i < text->time_count; i++) {
        free(text->times[i].record);
    }
    free(text->times);
    buffer_fini(&text->canonical);
    *text = (struct schema_text){0};
}
