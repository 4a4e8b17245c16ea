/* store.h - where the state of partitions is kept: Redis in production, a map in tests.
 *
 * The state of a partition is a string `applied` and maps of field to value: "series", "groups",
 * "reviews", "pending", "m:<minute>", "h:<half-hour>" (docs/redis.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_STORE_H
#define RETRYWATCH_CONSUMER_STORE_H

#include "aggregator/memory.h"
#include "aggregator/status.h"
#include "codec/buffer.h"

/* One change of the state. */
enum change_kind {
    CHANGE_SET,    /* map[field] = value */
    CHANGE_DELETE, /* remove map[field] */
    CHANGE_UNLINK  /* remove the whole map */
};

struct change {
    enum change_kind kind;
    struct span map;   /* "m:29741280" */
    struct span field; /* CHANGE_SET, CHANGE_DELETE */
    struct span value; /* CHANGE_SET */
    bool expires;      /* CHANGE_SET: the map gets redis.state_ttl (slots, series, groups) */
};

/* Changes of one partition in one EXEC; changes of the same map stand next to each other. */
struct changes {
    int32_t partition;
    struct span expected; /* `applied` must hold exactly this; null: must not exist */
    struct span applied;  /* its new value */
    const struct change *changes;
    size_t count;
};

struct store;

struct store_ops {
    /**
     * Read `applied`; *applied is cleared and filled, *exists tells a missing one.
     * Errors: STATUS_STORE_DOWN, STATUS_AUTH, STATUS_REFUSED.
     */
    enum status (*read_applied)(struct store *store, int32_t partition, struct buffer *applied,
            bool *exists, struct error *error);

    /**
     * Visit every field of maps[map_count], in any order; a missing map has none. A field may be
     * visited twice (HSCAN). visit() answers STATUS_OK to go on. Errors: as above, and visit()'s.
     */
    enum status (*read_maps)(struct store *store, int32_t partition, const struct span *maps,
            size_t map_count,
            enum status (*visit)(void *context, size_t map, struct span field, struct span value,
                    struct error *error),
            void *context, struct error *error);

    /**
     * WATCH, compare, and send MULTI, all changes, EXEC. What changes points to must live until
     * exec_end(), the next call of this store whatever it is.
     * Errors: STATUS_FENCED: `applied` was another, nothing was done; STATUS_STORE_DOWN: nothing
     * was done; STATUS_UNKNOWN_OUTCOME: the connection was lost while EXEC was sent;
     * STATUS_REFUSED. There is nothing to end then.
     */
    enum status (*exec_begin)(
            struct store *store, const struct changes *changes, struct error *error);

    /**
     * The answer to what was begun. Errors: STATUS_FENCED: nothing was done; STATUS_STORE_DOWN:
     * Redis refuses writes for now (out of memory, read only, loading), nothing was done;
     * STATUS_UNKNOWN_OUTCOME: the connection was lost before EXEC was answered; STATUS_REFUSED: a
     * key holds another type.
     */
    enum status (*exec_end)(struct store *store, struct error *error);

    /**
     * Write views: command_count commands in RESP, in one pipeline, without a transaction.
     * Errors: STATUS_STORE_DOWN, STATUS_REFUSED; views are derived, so nothing is lost.
     */
    enum status (*write_views)(
            struct store *store, struct span commands, size_t command_count, struct error *error);

    void (*destroy)(struct store *store);
};

struct store {
    const struct store_ops *ops;
};

#endif
