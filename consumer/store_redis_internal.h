/* store_redis_internal.h - what the files of store_redis share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_STORE_REDIS_INTERNAL_H
#define RETRYWATCH_CONSUMER_STORE_REDIS_INTERNAL_H

#include "consumer/redis_link.h"
#include "consumer/store_redis.h"

struct store_redis {
    struct store store; /* first: a struct store * is one of these */
    const struct config *config;
    struct redis_link *link; /* NULL: redis.url cannot be read */
    struct error url_error;  /* why */
    uint64_t space;          /* of the state: as rw:meta said last, or pinned */
    bool pinned;
    struct buffer key_prefix; /* redis_space_put() of the call under way */
    struct buffer commands;   /* of the call under way */
    struct span *subjects;    /* subjects[subject_count]: the map of each queued command */
    size_t subject_count, subject_capacity;
    size_t exec_at;    /* where EXEC begins in commands */
    int32_t partition; /* of the EXEC under way */
};

static inline struct store_redis *
store_redis_of(struct store *store)
{
    return (struct store_redis *)store;
}

/** Connect when necessary. Errors: those of redis_link_connect(), and of redis.url. */
enum status store_redis_open(struct store_redis *redis, struct error *error) MUST_CHECK;

/* What rw:meta says, or should say: each field has a value. */
struct meta_field {
    const char *name;
    const char *value;
    const char *way_out; /* when Redis holds another */
    bool rebuilds;       /* the way out is a rebuild */
};

#define META_FIELDS 6
#define META_TRIES 5 /* instances that start at the same moment race for the first write */

/* The numbers among the values, as text. */
struct meta_text {
    char layout_version[16], partition_count[16];
};

/** What rw:meta should say; text lives as long as the fields. */
void store_redis_meta_fields(
        const struct store_meta *meta, struct meta_text *text, struct meta_field *fields);

/** WATCH and HGETALL: fields and values in *reply. */
enum status store_redis_read_meta(struct store_redis *redis, const struct redis_reply **reply,
        struct error *error) MUST_CHECK;

/** The value of a field; "(nothing)" when it is not there. */
struct span store_redis_meta_value(const struct redis_reply *stored, const char *name);

/** MULTI, HSET of pairs[pair_count] (names and values in turn), EXEC. *written: false when somebody
 * else was faster. */
enum status store_redis_write_meta(struct store_redis *redis, const char *const *pairs,
        size_t pair_count, bool *written, struct error *error) MUST_CHECK;

/** What is stored against what it should be; with rebuilds, but for what a rebuild mends. */
enum status store_redis_compare_meta(struct store_redis *redis, const struct meta_field *fields,
        const struct redis_reply *stored, bool rebuilds, struct error *error) MUST_CHECK;

#endif
