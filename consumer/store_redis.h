/* store_redis.h - the state of partitions in Redis.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_STORE_REDIS_H
#define RETRYWATCH_CONSUMER_STORE_REDIS_H

#include "consumer/config.h"
#include "consumer/store.h"

/* What the state in Redis belongs to: rw:meta. */
struct store_meta {
    const char *cluster_id;
    const char *topic;
    int32_t partition_count;
    const char *group;
    const char *layout; /* config.layout */
};

/** Does not connect yet; every call connects when it must. Returns owned. */
struct store *store_redis_new(const struct config *config);

/**
 * Connect, and check that Redis can keep the state (maxmemory-policy noeviction). Writes nothing.
 *
 * Errors: STATUS_STORE_DOWN, STATUS_AUTH, STATUS_REFUSED with the way out.
 */
enum status store_redis_reach(struct store *store, struct error *error) MUST_CHECK;

/**
 * Connect, and check that Redis can keep the state (maxmemory-policy noeviction) and that it is
 * ours (rw:meta, written when missing).
 *
 * Errors: STATUS_STORE_DOWN, STATUS_AUTH, STATUS_REFUSED with what differs and the way out.
 */
enum status store_redis_check(
        struct store *store, const struct store_meta *meta, struct error *error) MUST_CHECK;

/** As store_redis_check(), but writes nothing: state that is not there yet is all right. */
enum status store_redis_look(
        struct store *store, const struct store_meta *meta, struct error *error) MUST_CHECK;

/* ---- namespaces: what `retrywatch rebuild` needs ------------------------------------------------
 */

/* What the namespace is that the service does not use. */
enum store_other {
    STORE_OTHER_NONE,
    STORE_OTHER_NEW, /* a rebuild counts into it, or has */
    STORE_OTHER_OLD, /* was in use before the last switch */
    STORE_OTHER_GONE /* is being deleted */
};

struct store_spaces {
    uint64_t used, other; /* other: 0 when there is none */
    enum store_other other_is;
    bool used_fits, other_fits; /* layout and partition count are those of the configuration */
};

/** Use this namespace, whatever rw:meta says. */
void store_redis_pin(struct store *store, uint64_t space);

/**
 * As store_redis_check(), but the state in use may have another layout or partition count; and
 * which namespaces there are. rw:meta is written when missing.
 */
enum status store_redis_spaces(struct store *store, const struct store_meta *meta,
        struct store_spaces *spaces, struct error *error) MUST_CHECK;

/** A namespace to count into, unless there is one; *spaces says which. Errors: STATUS_REFUSED when
 * an old one is kept, or the one there is was begun with another layout. */
enum status store_redis_space_begin(struct store *store, const struct store_meta *meta,
        struct store_spaces *spaces, struct error *error) MUST_CHECK;

/** The other namespace is the one in use from now on, and the used one is kept: one write.
 * Errors: STATUS_FENCED when rw:meta is not what spaces says. */
enum status store_redis_space_switch(struct store *store, const struct store_meta *meta,
        struct store_spaces *spaces, struct error *error) MUST_CHECK;

/** Delete the other namespace; *keys: how many keys it had. May be done again after a crash. */
enum status store_redis_space_drop(struct store *store, const struct store_meta *meta,
        struct store_spaces *spaces, uint64_t *keys, struct error *error) MUST_CHECK;

#endif
