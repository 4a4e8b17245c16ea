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
    struct redis_link *link;  /* NULL: redis.url cannot be read */
    struct error url_error;   /* why */
    struct buffer key_prefix; /* "<prefix>:{<topic>:<partition>}:" of the call under way */
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

#endif
