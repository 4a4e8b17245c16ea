/* config_evidence.c - the key `evidence`: what is known where events are silent.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_table.h"

#include "aggregator/decision.h"
#include "aggregator/memory.h"
#include "codec/url.h"
#include "consumer/nearest.h"

#include <stdlib.h>

#define EVIDENCE_MAX 10000

static void
free_span(struct span *span)
{
    free((void *)span->data);
    *span = SPAN_NULL;
}

static void
entry_fini(struct configured_evidence *entry)
{
    free_span(&entry->owner);
    free_span(&entry->bucket);
    free_span(&entry->unit_metric);
    for (size_t i = 0; i < entry->source_url_count; i++) {
        free_span(&entry->source_urls[i]);
    }
}

void
config_evidence_fini(struct config *config)
{
    for (size_t i = 0; i < config->evidence_count; i++) {
        entry_fini(&config->evidence[i]);
    }
    free(config->evidence);
    config->evidence = NULL;
    config->evidence_count = 0;
}

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
read_text(const struct yaml_node *node, struct span *span, struct error *error)
{
    const char *text = NULL;
    const enum status status = scalar_of(node, &text, error);

    if (status == STATUS_OK) {
        free_span(span);
        *span = span_of(config_text_copy(text));
    }
    return status;
}

static enum status
read_urls(const struct yaml_node *node, struct configured_evidence *entry, struct error *error)
{
    if (node->kind != YAML_NODE_LIST || node->child_count > OUTCOME_URLS_MAX) {
        return error_set(
                error, STATUS_BAD_CONFIG, "must be a list of at most %d URLs", OUTCOME_URLS_MAX);
    }
    enum status status = STATUS_OK;
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; status == STATUS_OK && i < node->child_count; i++) {
        const char *text = NULL;
        struct span url = SPAN_NULL;

        status = scalar_of(&node->children[i], &text, error);
        if (status == STATUS_OK) {
            url = url_strip(span_of(text), &arena);
        }
        if (url.data != NULL) {
            entry->source_urls[entry->source_url_count++] =
                    span_of(config_text_copy_size(url.data, url.size));
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
unknown_member(const char *name, struct error *error)
{
    static const char *const known[] = {"owner_tag", "budget_bucket", "unit_metric", "source_urls",
            "access_date", "pricing_source_checked_at", "allocation_rule_checked"};
    struct nearest nearest = {.word = name};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        nearest_offer(&nearest, known[i]);
    }
    return error_set(error, STATUS_BAD_CONFIG,
            "unknown key%s%s; allowed: owner_tag, budget_bucket, unit_metric, source_urls, "
            "access_date, pricing_source_checked_at, allocation_rule_checked",
            nearest.found != NULL ? ", did you mean " : "",
            nearest.found != NULL ? nearest.found : "");
}

static enum status
read_member(const struct yaml_node *node, struct configured_evidence *entry, struct error *error)
{
    const char *text = NULL;

    if (strcmp(node->key, "owner_tag") == 0) {
        return read_text(node, &entry->owner, error);
    }
    if (strcmp(node->key, "budget_bucket") == 0) {
        return read_text(node, &entry->bucket, error);
    }
    if (strcmp(node->key, "unit_metric") == 0) {
        return read_text(node, &entry->unit_metric, error);
    }
    if (strcmp(node->key, "source_urls") == 0) {
        return read_urls(node, entry, error);
    }
    if (strcmp(node->key, "allocation_rule_checked") == 0) {
        return read_bool(node, &entry->allocation_rule_checked, error);
    }
    if (strcmp(node->key, "access_date") == 0) {
        const enum status status = scalar_of(node, &text, error);

        return status != STATUS_OK ? status : config_date_parse(text, &entry->access_date, error);
    }
    if (strcmp(node->key, "pricing_source_checked_at") == 0) {
        const enum status status = scalar_of(node, &text, error);

        return status != STATUS_OK
                       ? status
                       : config_time_parse(text, &entry->pricing_source_checked_at_ms, error);
    }
    return unknown_member(node->key, error);
}

static void
read_entry(struct configured_evidence *entry, const struct yaml_node *map, const char *source,
        struct config_problems *problems)
{
    for (size_t i = 0; i < map->child_count; i++) {
        const struct yaml_node *child = &map->children[i];
        struct error error = {0};

        if (read_member(child, entry, &error) != STATUS_OK) {
            char name[128];

            snprintf(name, sizeof(name), "evidence.%s", child->key);
            config_problem(
                    problems, (struct config_origin){source, child->line}, name, "%s", error.text);
        }
    }
}

void
config_evidence_read(struct config *config, const struct yaml_node *node, const char *source,
        struct config_problems *problems)
{
    const struct config_origin origin = {source, node->line};

    config_evidence_fini(config);
    if (node->kind != YAML_NODE_LIST || node->child_count > EVIDENCE_MAX) {
        config_problem(
                problems, origin, "evidence", "must be a list of at most %d maps", EVIDENCE_MAX);
        return;
    }
    config->evidence = memory_new(node->child_count, sizeof(*config->evidence));
    for (size_t i = 0; i < node->child_count; i++) {
        const struct yaml_node *child = &node->children[i];
        struct configured_evidence *entry = &config->evidence[config->evidence_count++];

        *entry = (struct configured_evidence){
                .pricing_source_checked_at_ms = TIME_NULL, .access_date = DATE_NULL};
        if (child->kind != YAML_NODE_MAP) {
            config_problem(problems, (struct config_origin){source, child->line}, "evidence",
                    "must be a list of maps, such as `- owner_tag: team`");
            continue;
        }
        read_entry(entry, child, source, problems);
    }
}

static void
write_text(const char *name, struct span span, const char **comma, FILE *out)
{
    if (span.data != NULL) {
        fprintf(out, "%s%s: ", *comma, name);
        config_scalar_write((const char *)span.data, out); /* our copy ends with NUL */
        *comma = ", ";
    }
}

static void
write_entry(const struct configured_evidence *entry, FILE *out)
{
    const char *comma = "";

    fputc('{', out);
    write_text("owner_tag", entry->owner, &comma, out);
    write_text("budget_bucket", entry->bucket, &comma, out);
    write_text("unit_metric", entry->unit_metric, &comma, out);
    for (size_t i = 0; i < entry->source_url_count; i++) {
        fprintf(out, "%s%s", comma, i == 0 ? "source_urls: [" : "");
        config_scalar_write((const char *)entry->source_urls[i].data, out);
        comma = ", ";
        fputs(i + 1 == entry->source_url_count ? "]" : "", out);
    }
    if (entry->access_date != DATE_NULL) {
        fprintf(out, "%saccess_date: ", comma);
        config_date_write(entry->access_date, out);
        comma = ", ";
    }
    if (entry->pricing_source_checked_at_ms != TIME_NULL) {
        fprintf(out, "%spricing_source_checked_at: \"", comma);
        config_time_write(entry->pricing_source_checked_at_ms, out);
        fputc('"', out);
        comma = ", ";
    }
    if (entry->allocation_rule_checked) {
        fprintf(out, "%sallocation_rule_checked: true", comma);
    }
    fputc('}', out);
}

void
config_evidence_write(const struct config *config, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < config->evidence_count; i++) {
        fputs(i == 0 ? "" : ", ", out);
        write_entry(&config->evidence[i], out);
    }
    fputc(']', out);
}
