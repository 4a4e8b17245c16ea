/* config_list.c - keys that hold a list of maps, read and written by a table of their members.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_list.h"

#include "aggregator/decision.h"
#include "aggregator/memory.h"
#include "codec/url.h"
#include "consumer/nearest.h"

#include <stdlib.h>

#define TEXT_SIZE_MAX 4096

/* ---- where things are ----------------------------------------------------------------------- */

static void *
member_of(void *entry, const struct config_member *member)
{
    return (char *)entry + member->offset;
}

static uint8_t *
url_count_of(void *entry, const struct config_member *member)
{
    return (uint8_t *)entry + member->count_offset;
}

static char **
entries_of(const struct config *config, const struct config_list *list)
{
    return (char **)(void *)((char *)config + list->entries_offset);
}

static size_t *
count_of(const struct config *config, const struct config_list *list)
{
    return (size_t *)(void *)((char *)config + list->count_offset);
}

static bool
is_text(const struct config_member *member)
{
    return member->type == MEMBER_TEXT || member->type == MEMBER_URL ||
           member->type == MEMBER_LOADED;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void
free_span(struct span *span)
{
    free((void *)span->data);
    *span = SPAN_NULL;
}

static void
entry_fini(void *entry, const struct config_list *list)
{
    for (size_t i = 0; i < list->member_count; i++) {
        const struct config_member *member = &list->members[i];
        struct span *spans = member_of(entry, member);
        const size_t count = is_text(member)               ? 1
                             : member->type == MEMBER_URLS ? *url_count_of(entry, member)
                                                           : 0;

        for (size_t j = 0; j < count; j++) {
            free_span(&spans[j]);
        }
    }
}

void
config_list_fini(struct config *config, const struct config_list *list)
{
    char **entries = entries_of(config, list);

    for (size_t i = 0; i < *count_of(config, list); i++) {
        entry_fini(*entries + i * list->entry_size, list);
    }
    free(*entries);
    *entries = NULL;
    *count_of(config, list) = 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static enum status
scalar_of(const struct yaml_node *node, const char **text, struct error *error)
{
    if (node->kind != YAML_NODE_SCALAR || node->text[0] == '\0') {
        return error_set(error, STATUS_BAD_CONFIG, "must be one value, not empty");
    }
    *text = node->text;
    return STATUS_OK;
}

static enum status
read_text(const char *text, struct span *span, struct error *error)
{
    if (strlen(text) > TEXT_SIZE_MAX) {
        return error_set(error, STATUS_BAD_CONFIG, "is longer than %d bytes", TEXT_SIZE_MAX);
    }
    free_span(span);
    *span = span_of(config_text_copy(text));
    return STATUS_OK;
}

/* The text of a URL is never repeated: it may hold a password. */
static enum status
read_url(const char *text, struct span *span, struct error *error)
{
    if (!config_url_is_http(text)) {
        return error_set(
                error, STATUS_BAD_CONFIG, "allowed: a URL that begins with http:// or https://");
    }
    return read_text(text, span, error);
}

static enum status
read_urls(const struct yaml_node *node, void *entry, const struct config_member *member,
        struct error *error)
{
    struct span *urls = member_of(entry, member);
    uint8_t *count = url_count_of(entry, member);
    enum status status = STATUS_OK;
    struct arena arena;

    if (node->kind != YAML_NODE_LIST || node->child_count > OUTCOME_URLS_MAX) {
        return error_set(
                error, STATUS_BAD_CONFIG, "must be a list of at most %d URLs", OUTCOME_URLS_MAX);
    }
    arena_init(&arena);
    for (size_t i = 0; status == STATUS_OK && i < node->child_count; i++) {
        const char *text = NULL;
        struct span url = SPAN_NULL;

        status = scalar_of(&node->children[i], &text, error);
        if (status == STATUS_OK) {
            url = url_strip(span_of(text), &arena);
        }
        if (url.data != NULL) {
            urls[(*count)++] = span_of(config_text_copy_size(url.data, url.size));
        } else if (status == STATUS_OK) {
            status = error_set(error, STATUS_BAD_CONFIG, "holds something that is no URL");
        }
    }
    arena_fini(&arena);
    return status;
}

static enum status
read_bool(const struct yaml_node *node, bool *value, struct error *error)
{
    if (node->kind != YAML_NODE_SCALAR ||
            (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0)) {
        return error_set(error, STATUS_BAD_CONFIG, "allowed: true or false");
    }
    *value = node->text[0] == 't';
    return STATUS_OK;
}

static enum status
unknown_member(const char *name, const struct config_list *list, struct error *error)
{
    struct nearest nearest = {.word = name};
    char known[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < list->member_count; i++) {
        if (list->members[i].type != MEMBER_LOADED && used < sizeof(known)) {
            nearest_offer(&nearest, list->members[i].name);
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                    used > 0 ? ", " : "", list->members[i].name);
        }
    }
    return error_set(error, STATUS_BAD_CONFIG, "unknown key%s%s; allowed: %s",
            nearest.found != NULL ? ", did you mean " : "",
            nearest.found != NULL ? nearest.found : "", known);
}

static enum status
read_scalar(const struct yaml_node *node, void *entry, const struct config_member *member,
        struct error *error)
{
    void *value = member_of(entry, member);
    const char *text = NULL;
    const enum status status = scalar_of(node, &text, error);

    if (status != STATUS_OK) {
        return status;
    }
    switch (member->type) {
    case MEMBER_URL:
        return read_url(text, value, error);
    case MEMBER_DATE:
        return config_date_parse(text, value, error);
    case MEMBER_TIME:
        return config_time_parse(text, value, error);
    default:
        return read_text(text, value, error);
    }
}

static enum status
read_member(const struct yaml_node *node, void *entry, const struct config_list *list,
        struct error *error)
{
    const struct config_member *member = NULL;

    for (size_t i = 0; i < list->member_count; i++) {
        if (strcmp(list->members[i].name, node->key) == 0) {
            member = &list->members[i];
        }
    }
    if (member == NULL || member->type == MEMBER_LOADED) {
        return unknown_member(node->key, list, error);
    }
    if (member->type == MEMBER_URLS) {
        return read_urls(node, entry, member, error);
    }
    if (member->type == MEMBER_BOOL) {
        return read_bool(node, member_of(entry, member), error);
    }
    return read_scalar(node, entry, member, error);
}

static void
read_entry(void *entry, const struct config_list *list, const struct yaml_node *map,
        const char *source, struct config_problems *problems)
{
    for (size_t i = 0; i < map->child_count; i++) {
        const struct yaml_node *child = &map->children[i];
        struct error error = {0};

        if (read_member(child, entry, list, &error) != STATUS_OK) {
            char name[128];

            snprintf(name, sizeof(name), "%s.%s", list->name, child->key);
            config_problem(
                    problems, (struct config_origin){source, child->line}, name, "%s", error.text);
        }
    }
}

void
config_list_read(struct config *config, const struct config_list *list,
        const struct yaml_node *node, const char *source, struct config_problems *problems)
{
    const struct config_origin origin = {source, node->line};

    config_list_fini(config, list);
    if (node->kind != YAML_NODE_LIST || node->child_count > list->max) {
        config_problem(
                problems, origin, list->name, "must be a list of at most %zu maps", list->max);
        return;
    }
    *entries_of(config, list) = memory_new(node->child_count, list->entry_size);
    for (size_t i = 0; i < node->child_count; i++) {
        const struct yaml_node *child = &node->children[i];
        void *entry = *entries_of(config, list) + (*count_of(config, list))++ * list->entry_size;

        memcpy(entry, list->initial, list->entry_size);
        if (child->kind != YAML_NODE_MAP) {
            config_problem(problems, (struct config_origin){source, child->line}, list->name,
                    "must be a list of maps, such as `- owner_tag: team`");
            continue;
        }
        read_entry(entry, list, child, source, problems);
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static void
write_urls(const struct span *urls, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? "[" : ", ", out);
        config_scalar_write((const char *)urls[i].data, out);
    }
    fputc(']', out);
}

static void
write_masked(const struct span *url, FILE *out)
{
    char *masked = config_url_masked((const char *)url->data);

    config_scalar_write(masked, out);
    free(masked);
}

static bool
is_given(void *entry, const struct config_member *member)
{
    const void *value = member_of(entry, member);

    switch (member->type) {
    case MEMBER_TEXT:
    case MEMBER_URL:
        return ((const struct span *)value)->data != NULL;
    case MEMBER_URLS:
        return *url_count_of(entry, member) != 0;
    case MEMBER_BOOL:
        return *(const bool *)value;
    case MEMBER_DATE:
        return *(const int32_t *)value != DATE_NULL;
    case MEMBER_TIME:
        return *(const int64_t *)value != TIME_NULL;
    default:
        return false;
    }
}

static void
write_member(void *entry, const struct config_member *member, FILE *out)
{
    const void *value = member_of(entry, member);

    switch (member->type) {
    case MEMBER_URL:
        write_masked(value, out);
        break;
    case MEMBER_URLS:
        write_urls(value, *url_count_of(entry, member), out);
        break;
    case MEMBER_BOOL:
        fputs("true", out);
        break;
    case MEMBER_DATE:
        config_date_write(*(const int32_t *)value, out);
        break;
    case MEMBER_TIME:
        fputc('"', out);
        config_time_write(*(const int64_t *)value, out);
        fputc('"', out);
        break;
    default: /* our copy ends with NUL */
        config_scalar_write((const char *)((const struct span *)value)->data, out);
    }
}

void
config_list_write(const struct config *config, const struct config_list *list, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < *count_of(config, list); i++) {
        void *entry = *entries_of(config, list) + i * list->entry_size;
        const char *comma = "";

        fputs(i == 0 ? "{" : ", {", out);
        for (size_t j = 0; j < list->member_count; j++) {
            const struct config_member *member = &list->members[j];

            if (is_given(entry, member)) {
                fprintf(out, "%s%s: ", comma, member->name);
                write_member(entry, member, out);
                comma = ", ";
            }
        }
        fputc('}', out);
    }
    fputc(']', out);
}
