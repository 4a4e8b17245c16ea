/* config_table.h - what the files of the configuration share: the table of keys, the tree of a
 * YAML text, and the list of what is wrong.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_CONFIG_TABLE_H
#define RETRYWATCH_CONSUMER_CONFIG_TABLE_H

#include "consumer/config.h"

enum config_type {
    TYPE_TEXT,     /* char * */
    TYPE_PATH,     /* char * */
    TYPE_URL,      /* char *; a password in it is never printed */
    TYPE_INTEGER,  /* int64_t */
    TYPE_SIZE,     /* int64_t, bytes */
    TYPE_DURATION, /* int64_t, ms */
    TYPE_SHARE,    /* int64_t, basis points; written in percent */
    TYPE_FACTOR,   /* int64_t, basis points; written as a decimal number */
    TYPE_BOOL,     /* bool */
    TYPE_ENUM,     /* an enum */
    TYPE_SET,      /* uint32_t, a bit for each symbol */
    TYPE_KAFKA,    /* config.kafka: a map of librdkafka properties */
    TYPE_LIST      /* a list of maps, as key->list says */
};

enum config_flag {
    KEY_SECRET = 1,   /* never printed */
    KEY_RULE = 2,     /* part of config.version */
    KEY_LAYOUT = 4,   /* part of config.layout, and so of config.version */
    KEY_REQUIRED = 8, /* must not be empty */
};

struct config_list; /* consumer/config_list.h */

struct config_key {
    const char *name;     /* batch.max_events */
    const char *fallback; /* the default, as it stands in a file; of a list without brackets */
    const char *help;
    const char *const *symbols; /* TYPE_ENUM, TYPE_SET; ends with NULL */
    int64_t min, max;           /* of numbers, in the unit of the type */
    size_t offset;              /* of the member of struct config */
    enum config_type type;
    unsigned flags;                 /* enum config_flag */
    const struct config_list *list; /* TYPE_LIST */
};

#define CONFIG_KEYS_MAX 96

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/** The key with that name, or NULL. */
const struct config_key *config_key_find(const char *name);

/** The known name nearest to this one, or NULL when none is near. */
const char *config_key_nearest(const char *name);

/** Whether some key's name begins with name and a dot. */
bool config_is_section(const char *name);

/** RETRYWATCH_BATCH_MAX_EVENTS of batch.max_events. */
#define CONFIG_VARIABLE_MAX 128
void config_variable(const char *name, char variable[CONFIG_VARIABLE_MAX]);

static inline void *
config_member(const struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

/** Whether the member is an owned string. */
static inline bool
config_key_is_text(const struct config_key *key)
{
    return key->type == TYPE_TEXT || key->type == TYPE_PATH || key->type == TYPE_URL;
}

/* ---- values (config_value.c) ---------------------------------------------------------------- */

/**
 * Read one text into the member of key.
 *
 * Errors: STATUS_BAD_CONFIG with what is wrong and what is allowed; config untouched. The text of a
 * secret or a URL is never repeated.
 */
enum status config_value_set(struct config *config, const struct config_key *key, const char *text,
        struct error *error) MUST_CHECK;

/** The same for a list of symbols. */
enum status config_value_set_list(struct config *config, const struct config_key *key,
        char *const *texts, size_t count, struct error *error) MUST_CHECK;

/** The value as it stands in a file; a list in brackets, a URL without its password. */
void config_value_write(const struct config *config, const struct config_key *key, FILE *out);

/** 500ms, 5s, 3m, 4h or 8d to milliseconds; false when it is something else. */
bool config_duration_parse(const char *text, int64_t *ms);

/** What may stand there: `50ms, 5s, 3m, 4h or 8d; 1ms to 10s`. */
void config_allowed_write(const struct config_key *key, FILE *out);

/** "YYYY-MM-DD" to days since the epoch. */
enum status config_date_parse(const char *text, int32_t *days, struct error *error) MUST_CHECK;
/** The same or RFC 3339, to milliseconds since the epoch. */
enum status config_time_parse(const char *text, int64_t *ms, struct error *error) MUST_CHECK;
void config_date_write(int32_t days, FILE *out);
void config_time_write(int64_t ms, FILE *out);

/** Text as a YAML scalar, in double quotes where it needs them. */
void config_scalar_write(const char *text, FILE *out);

/** A URL with *** in place of the password of its user info. Returns owned (free()). */
char *config_url_masked(const char *url);

/** Whether it is http:// or https:// and something without blanks. */
bool config_url_is_http(const char *url);

/** Owned copies. */
char *config_text_copy(const char *text);
char *config_text_copy_size(const void *text, size_t size);

/* ---- the tree of a YAML text (config_yaml.c) ------------------------------------------------ */

enum yaml_kind { YAML_NODE_SCALAR, YAML_NODE_LIST, YAML_NODE_MAP };

struct yaml_node {
    enum yaml_kind kind;
    int line;       /* from 1 */
    int first_line; /* of the same key before in this map; 0: there is none */
    char *key;      /* owned; of a member of a map, else NULL */
    char *text;     /* owned; of a scalar: never NULL */
    bool quoted;    /* a scalar that is text whatever it looks like */
    struct yaml_node *children;
    size_t child_count, child_capacity;
};

/**
 * Read one document; an empty one is an empty map.
 *
 * Errors: STATUS_BAD_CONFIG, *line tells where: not YAML, aliases and anchors, more than one
 * document, too deep, too large.
 */
enum status yaml_tree_read(const char *text, size_t size, struct yaml_node *root, int *line,
        struct error *error) MUST_CHECK;
void yaml_node_fini(struct yaml_node *node);

/* ---- what is wrong (config.c) --------------------------------------------------------------- */

/* Where a value comes from: `retrywatch.yaml:12`, `RETRYWATCH_GROUP`, `--set`. */
struct config_origin {
    const char *source;
    int line; /* 0: none */
};

struct config_problems {
    FILE *out;    /* a line each; NULL: nothing is written */
    size_t count; /* all of them, also those beyond what is written */
};

void config_problem(struct config_problems *problems, struct config_origin origin, const char *key,
        const char *format, ...) PRINTF_LIKE(4, 5);

/** The text of a file that holds a secret, without its last newline. Returns owned in *out. */
enum status config_secret_read(const char *path, char **out, struct error *error) MUST_CHECK;

/* ---- a key with a form of its own (config_kafka.c); lists are in config_list.h -------------- */

/** `kafka:` of a file. */
void config_kafka_read(struct config *config, const struct yaml_node *node, const char *source,
        struct config_problems *problems);

/** One property; name without `kafka.`, but with `consumer.` or `producer.`. */
void config_kafka_set(struct config *config, const char *name, const char *value,
        struct config_origin origin, struct config_problems *problems);

/** Whether the value of this librdkafka property is a secret. */
bool config_kafka_is_secret(const char *name);

void config_kafka_write(const struct config *config, FILE *out);

/** Relations between keys. set_by[config_key_count]: where each came from. */
void config_check(const struct config *config, const struct config_origin *set_by,
        struct config_problems *problems);

/** Fill config.version and config.layout. */
void config_hash(struct config *config);

/* ---- all of it, for tests and fuzzing ------------------------------------------------------- */

struct config_input {
    const char *name; /* of the file, as errors name it */
    const char *text; /* text[size]; NULL: no file */
    size_t size;
    const char *const *environment; /* NAME=value, ends with NULL; NULL: none */
    const char *const *sets;
    size_t set_count;
};

/** config_load() over texts. Returns owned in *out, also when there were problems. */
void config_read(
        const struct config_input *input, struct config **out, struct config_problems *problems);

#endif
