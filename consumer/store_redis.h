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

#endif
