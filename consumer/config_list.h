/* config_list.h - keys that hold a list of maps, such as `evidence` and `notify.routes`.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_CONFIG_LIST_H
#define RETRYWATCH_CONSUMER_CONFIG_LIST_H

#include "consumer/config_table.h"

enum config_member_type {
    MEMBER_TEXT,  /* struct span, owned, ends with NUL; null when not given */
    MEMBER_URL,   /* the same; http or https, a password in it is never printed */
    MEMBER_URLS,  /* struct span [OUTCOME_URLS_MAX]; source URLs, stripped */
    MEMBER_BOOL,  /* bool */
    MEMBER_DATE,  /* int32_t, days; DATE_NULL when not given */
    MEMBER_TIME,  /* int64_t, ms; TIME_NULL when not given */
    MEMBER_LOADED /* a text that is no key: read from a file that another member names */
};

struct config_member {
    const char *name;
    enum config_member_type type;
    size_t offset;       /* in the entry */
    size_t count_offset; /* MEMBER_URLS: of their number, uint8_t */
};

struct config_list {
    const char *name; /* of the key */
    size_t max;       /* entries */
    size_t entry_size;
    size_t entries_offset, count_offset; /* of the array and its size_t in struct config */
    const void *initial;                 /* an entry before it is read */
    const struct config_member *members; /* members[member_count], in the order of printing */
    size_t member_count;
    const char *docs; /* what stands below the table of keys in docs/config.md */
};

extern const struct config_list config_evidence; /* config_evidence.c */
extern const struct config_list config_routes;   /* config_routes.c */

void config_list_read(struct config *config, const struct config_list *list,
        const struct yaml_node *node, const char *source, struct config_problems *problems);
void config_list_fini(struct config *config, const struct config_list *list);
void config_list_write(const struct config *config, const struct config_list *list, FILE *out);

/** The files that routes name, and what a route must hold. */
void config_routes_load(
        struct config *config, struct config_origin origin, struct config_problems *problems);

#endif
