/* schema.c - Avro-C's view of a writer schema, laid out flat for the plan.
 *
 * Avro-C gets the canonical form of a text that was checked before (schema_text.h): on hostile
 * text of its own it leaks and overflows the stack.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/schema.h"
#include "codec/schema_text.h"

#include <assert.h>
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>

/* A named type that has a node already; links to it become that node. */
struct known {
    avro_schema_t type;
    uint32_t node;
};

struct layout {
    struct schema *schema;
    const struct schema_text *text;
    struct known *known;
    size_t known_count, known_capacity;
};

static bool layout_type(struct layout *layout, avro_schema_t type, uint32_t *node);

static enum schema_kind
kind_of(avro_schema_t type)
{
    switch (avro_typeof(type)) {
    case AVRO_STRING:
        return SCHEMA_STRING;
    case AVRO_BYTES:
        return SCHEMA_BYTES;
    case AVRO_INT32:
        return SCHEMA_INT;
    case AVRO_INT64:
        return SCHEMA_LONG;
    case AVRO_FLOAT:
        return SCHEMA_FLOAT;
    case AVRO_DOUBLE:
        return SCHEMA_DOUBLE;
    case AVRO_BOOLEAN:
        return SCHEMA_BOOLEAN;
    case AVRO_RECORD:
        return SCHEMA_RECORD;
    case AVRO_ENUM:
        return SCHEMA_ENUM;
    case AVRO_FIXED:
        return SCHEMA_FIXED;
    case AVRO_MAP:
        return SCHEMA_MAP;
    case AVRO_ARRAY:
        return SCHEMA_ARRAY;
    case AVRO_UNION:
        return SCHEMA_UNION;
    default:
        return SCHEMA_NULL;
    }
}

static char *
copy_text(const char *text)
{
    const size_t size = strlen(text) + 1;

    return memcpy(memory_new(size, 1), text, size);
}

static int32_t
time_divisor(const struct layout *layout, avro_schema_t record, size_t field)
{
    const char *space = avro_schema_namespace(record);
    char full[1024];

    snprintf(full, sizeof(full), "%s%s%s", space != NULL ? space : "", space != NULL ? "." : "",
            avro_schema_name(record));
    for (size_t i = 0; i < layout->text->time_count; i++) {
        const struct time_field *time = &layout->text->times[i];

        if (time->field == field && strcmp(time->record, full) == 0) {
            return time->divisor;
        }
    }
    return 1;
}

static bool
layout_record(struct layout *layout, avro_schema_t record, uint32_t node)
{
    struct schema *schema = layout->schema;
    const size_t count = avro_schema_record_size(record);
    const size_t first = schema->field_count;

    /* All fields first, so that those of the records inside do not come between them. */
    for (size_t i = 0; i < count; i++) {
        schema->fields = memory_grow(schema->fields, schema->field_count, &schema->field_capacity,
                sizeof(*schema->fields));
        schema->fields[schema->field_count++] =
                (struct schema_field){copy_text(avro_schema_record_field_name(record, (int)i)), 0,
                        time_divisor(layout, record, i)};
    }
    schema->nodes[node].first = (uint32_t)first;
    schema->nodes[node].count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        uint32_t type = 0;

        if (!layout_type(layout, avro_schema_record_field_get_by_index(record, (int)i), &type)) {
            return false;
        }
        schema->fields[first + i].node = type;
    }
    return true;
}

static bool
layout_union(struct layout *layout, avro_schema_t type, uint32_t node)
{
    struct schema *schema = layout->schema;
    const size_t count = avro_schema_union_size(type);
    const size_t first = schema->branch_count;

    for (size_t i = 0; i < count; i++) {
        schema->branches = memory_grow(schema->branches, schema->branch_count,
                &schema->branch_capacity, sizeof(*schema->branches));
        schema->branches[schema->branch_count++] = 0;
    }
    schema->nodes[node].first = (uint32_t)first;
    schema->nodes[node].count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        uint32_t branch = 0;

        if (!layout_type(layout, avro_schema_union_branch(type, (int)i), &branch)) {
            return false;
        }
        schema->branches[first + i] = branch;
    }
    return true;
}

static void
layout_enum(struct schema *schema, avro_schema_t type, uint32_t node)
{
    const int count = avro_schema_enum_number_of_symbols(type);

    schema->nodes[node].first = (uint32_t)schema->symbol_count;
    schema->nodes[node].count = (uint32_t)count;
    for (int i = 0; i < count; i++) {
        schema->symbols = memory_grow(schema->symbols, schema->symbol_count,
                &schema->symbol_capacity, sizeof(*schema->symbols));
        schema->symbols[schema->symbol_count++] = copy_text(avro_schema_enum_get(type, i));
    }
}

static bool
layout_inside(struct layout *layout, avro_schema_t type, uint32_t node)
{
    uint32_t inside = 0;

    switch (layout->schema->nodes[node].kind) {
    case SCHEMA_RECORD:
        return layout_record(layout, type, node);
    case SCHEMA_UNION:
        return layout_union(layout, type, node);
    case SCHEMA_ENUM:
        layout_enum(layout->schema, type, node);
        return true;
    case SCHEMA_FIXED:
        layout->schema->nodes[node].size = (uint32_t)avro_schema_fixed_size(type);
        return true;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        if (!layout_type(layout,
                    avro_typeof(type) == AVRO_ARRAY ? avro_schema_array_items(type)
                                                    : avro_schema_map_values(type),
                    &inside)) {
            return false;
        }
        layout->schema->nodes[node].first = inside;
        return true;
    default:
        return true;
    }
}

static bool
find_known(const struct layout *layout, avro_schema_t type, uint32_t *node)
{
    for (size_t i = 0; i < layout->known_count; i++) {
        if (layout->known[i].type == type) {
            *node = layout->known[i].node;
            return true;
        }
    }
    return false;
}

static void
add_known(struct layout *layout, avro_schema_t type, uint32_t node)
{
    layout->known = memory_grow(
            layout->known, layout->known_count, &layout->known_capacity, sizeof(*layout->known));
    layout->known[layout->known_count++] = (struct known){type, node};
}

/* Give the type a node, or find the one that it has. False: there are too many. */
static bool
layout_type(struct layout *layout, avro_schema_t type, uint32_t *node)
{
    struct schema *schema = layout->schema;

    if (avro_typeof(type) == AVRO_LINK) {
        type = avro_schema_link_target(type);
    }

    const enum schema_kind kind = kind_of(type);
    const bool named = kind == SCHEMA_RECORD || kind == SCHEMA_ENUM || kind == SCHEMA_FIXED;

    if (named && find_known(layout, type, node)) {
        return true;
    }
    if (schema->node_count == SCHEMA_NODES_MAX) {
        return false;
    }
    schema->nodes = memory_grow(
            schema->nodes, schema->node_count, &schema->node_capacity, sizeof(*schema->nodes));
    *node = (uint32_t)schema->node_count++;
    schema->nodes[*node] = (struct schema_node){.kind = kind};
    if (named) {
        add_known(layout, type, *node);
    }
    return layout_inside(layout, type, *node);
}

static enum status
layout_all(const struct schema_text *text, struct schema *schema, struct error *error)
{
    const struct span canonical = buffer_span(&text->canonical);
    struct layout layout = {.schema = schema, .text = text};
    avro_schema_t parsed = NULL;
    enum status status = STATUS_OK;
    uint32_t root = 0;

    if (avro_schema_from_json_length((const char *)canonical.data, canonical.size, &parsed) != 0) {
        return error_set(error, STATUS_BAD_SCHEMA, "schema: %.200s", avro_strerror());
    }
    if (!layout_type(&layout, parsed, &root)) {
        status =
                error_set(error, STATUS_BAD_SCHEMA, "schema: more than %d types", SCHEMA_NODES_MAX);
    }
    free(layout.known);
    avro_schema_decref(parsed);
    return status;
}

enum status
schema_new(struct span json, struct schema **out, struct error *error)
{
    struct schema_text text;
    struct schema *schema = memory_new(1, sizeof(*schema));
    enum status status = schema_text_parse(json, &text, error);

    if (status == STATUS_OK) {
        status = layout_all(&text, schema, error);
    }
    if (status == STATUS_OK) {
        schema->fingerprint = text.fingerprint;
        *out = schema;
    } else {
        schema_destroy(schema);
    }
    schema_text_fini(&text);
    return status;
}

void
schema_destroy(struct schema *schema)
{
    if (schema == NULL) {
        return;
    }
    for (size_t i = 0; i < schema->field_count; i++) {
        free(schema->fields[i].name);
    }
    for (size_t i = 0; i < schema->symbol_count; i++) {
        free(schema->symbols[i]);
    }
    free(schema->nodes);
    free(schema->fields);
    free(schema->symbols);
    free(schema->branches);
    free(schema);
}

const char *
schema_kind_name(enum schema_kind kind)
{
    static const char *const names[] = {"null", "boolean", "int", "long", "float", "double",
            "bytes", "string", "fixed", "enum", "array", "map", "union", "record"};

    assert(kind <= SCHEMA_RECORD);
    return names[kind];
}
