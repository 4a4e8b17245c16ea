/* config_yaml.c - the tree of a YAML text, by libyaml.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_table.h"

#include "aggregator/memory.h"

#include <stdlib.h>
#include <yaml.h>

#define DEPTH_MAX 8
#define SIZE_MAX_BYTES ((size_t)1024 * 1024)
#define NODES_MAX 20000

struct tree_reader {
    yaml_parser_t parser;
    size_t node_count;
    int *line;
    struct error *error;
};

void
yaml_node_fini(struct yaml_node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        yaml_node_fini(&node->children[i]);
    }
    free(node->children);
    free(node->key);
    free(node->text);
    *node = (struct yaml_node){0};
}

static enum status
fail_at(struct tree_reader *reader, const yaml_mark_t *mark, const char *text)
{
    *reader->line = (int)mark->line + 1;
    return error_set(reader->error, STATUS_BAD_CONFIG, "%s", text);
}

static enum status
next_event(struct tree_reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event) != 1) {
        const yaml_parser_t *parser = &reader->parser;

        *reader->line = (int)parser->problem_mark.line + 1;
        return error_set(reader->error, STATUS_BAD_CONFIG, "not YAML: %s%s%s",
                parser->problem != NULL ? parser->problem : "cannot be read",
                parser->context != NULL ? " " : "", parser->context != NULL ? parser->context : "");
    }
    return STATUS_OK;
}

static enum status
add_child(struct tree_reader *reader, struct yaml_node *parent, const yaml_mark_t *mark,
        struct yaml_node **child)
{
    if (++reader->node_count > NODES_MAX) {
        return fail_at(reader, mark, "more values than a configuration can have");
    }
    parent->children = memory_grow(parent->children, parent->child_count, &parent->child_capacity,
            sizeof(*parent->children));
    *child = &parent->children[parent->child_count++];
    **child = (struct yaml_node){.line = (int)mark->line + 1};
    return STATUS_OK;
}

static enum status
take_scalar(struct tree_reader *reader, const yaml_event_t *event, char **text)
{
    const unsigned char *value = event->data.scalar.value;

    if (memchr(value, '\0', event->data.scalar.length) != NULL) {
        return fail_at(reader, &event->start_mark, "holds a zero byte");
    }
    *text = config_text_copy_size(value, event->data.scalar.length);
    return STATUS_OK;
}

static enum status
check_event(struct tree_reader *reader, const yaml_event_t *event)
{
    const bool anchored =
            (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
            (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor) ||
            (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor);

    if (anchored || event->type == YAML_ALIAS_EVENT) {
        return fail_at(reader, &event->start_mark, "anchors and aliases are not read here");
    }
    return STATUS_OK;
}

static enum status read_children(struct tree_reader *reader, struct yaml_node *node, int depth);

/* The node that begins with this event. */
static enum status
read_node(struct tree_reader *reader, const yaml_event_t *event, struct yaml_node *node, int depth)
{
    enum status status = check_event(reader, event);

    if (status != STATUS_OK) {
        return status;
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        node->kind = YAML_NODE_SCALAR;
        node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        return take_scalar(reader, event, &node->text);
    case YAML_SEQUENCE_START_EVENT:
        node->kind = YAML_NODE_LIST;
        break;
    default:
        node->kind = YAML_NODE_MAP;
    }
    if (depth >= DEPTH_MAX) {
        return fail_at(reader, &event->start_mark, "nested too deeply");
    }
    return read_children(reader, node, depth + 1);
}

static enum status
read_key(struct tree_reader *reader, const yaml_event_t *event, const struct yaml_node *map,
        struct yaml_node *child)
{
    enum status status = check_event(reader, event);

    if (status == STATUS_OK && event->type != YAML_SCALAR_EVENT) {
        status = fail_at(reader, &event->start_mark, "a key must be a word");
    }
    if (status == STATUS_OK) {
        status = take_scalar(reader, event, &child->key);
    }
    for (size_t i = 0; status == STATUS_OK && i + 1 < map->child_count; i++) {
        if (strcmp(map->children[i].key, child->key) == 0 && child->first_line == 0) {
            child->first_line = map->children[i].line;
        }
    }
    return status;
}

/* Members of a map or of a list, up to its end. */
static enum status
read_children(struct tree_reader *reader, struct yaml_node *node, int depth)
{
    for (;;) {
        yaml_event_t event = {0};
        struct yaml_node *child = NULL;
        enum status status = next_event(reader, &event);

        if (status != STATUS_OK) {
            return status;
        }
        if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return STATUS_OK;
        }
        status = add_child(reader, node, &event.start_mark, &child);
        if (status == STATUS_OK && node->kind == YAML_NODE_MAP) {
            status = read_key(reader, &event, node, child);
            yaml_event_delete(&event);
            if (status == STATUS_OK) {
                status = next_event(reader, &event);
            }
        }
        if (status == STATUS_OK) {
            status = read_node(reader, &event, child, depth);
        }
        yaml_event_delete(&event);
        if (status != STATUS_OK) {
            return status;
        }
    }
}

/* From the start of the stream to its end; the document in between goes to root. */
static enum status
read_stream(struct tree_reader *reader, struct yaml_node *root)
{
    size_t document_count = 0;
    yaml_event_type_t type = YAML_NO_EVENT;

    while (type != YAML_STREAM_END_EVENT) {
        yaml_event_t event = {0};
        enum status status = next_event(reader, &event);

        if (status != STATUS_OK) {
            return status;
        }
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && ++document_count > 1) {
            status = fail_at(reader, &event.start_mark, "only one document is read");
        } else if (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                   type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT) {
            root->line = (int)event.start_mark.line + 1;
            status = read_node(reader, &event, root, 0);
        }
        yaml_event_delete(&event);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status
yaml_tree_read(
        const char *text, size_t size, struct yaml_node *root, int *line, struct error *error)
{
    struct tree_reader reader = {.line = line, .error = error};
    struct yaml_node read = {.kind = YAML_NODE_MAP, .line = 1};

    *line = 0;
    if (size > SIZE_MAX_BYTES) {
        return error_set(error, STATUS_BAD_CONFIG, "is larger than 1 MiB");
    }
    if (yaml_parser_initialize(&reader.parser) != 1) {
        abort();
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);

    const enum status status = read_stream(&reader, &read);

    yaml_parser_delete(&reader.parser);
    if (status != STATUS_OK) {
        yaml_node_fini(&read);
        return status;
    }
    *root = read;
    return STATUS_OK;
}
