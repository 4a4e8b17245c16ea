/* kafka_internal.h - what the librdkafka clients of this folder share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_KAFKA_INTERNAL_H
#define RETRYWATCH_CONSUMER_KAFKA_INTERNAL_H

#include "consumer/clock.h"
#include "consumer/config.h"
#include "consumer/source.h"

#include <librdkafka/rdkafka.h>

/* A property that a client sets before (default) or after (ours) those of the user. */
struct kafka_setting {
    const char *name, *value;
    const char *instead; /* what the user sets in its place; NULL for a default */
};

/* What the background threads of a client have reported and nothing has disproved since. */
struct kafka_trouble {
    const struct config *config; /* for the address in the text */
    struct error error;          /* status STATUS_OK: none */
    char reason[256];            /* why the last connection failed; "" when none did */
    bool connected;              /* a broker has answered once */
    bool fatal;                  /* librdkafka will do nothing more with this client */
    void *owner;                 /* the client's own struct, for its callbacks */
};

/**
 * The configuration of one client: defaults, what `kafka:` says for scope, ours.
 *
 * defaults, ours: ended by a NULL name; may be NULL.
 * trouble:        becomes the opaque of the client, and is told of its errors and logs.
 * Errors:         STATUS_BAD_CONFIG: unknown property, wrong value, or one that is ours.
 */
enum status kafka_conf_new(const struct config *config, enum kafka_scope scope,
        const struct kafka_setting *defaults, const struct kafka_setting *ours,
        struct kafka_trouble *trouble, rd_kafka_conf_t **out, struct error *error) MUST_CHECK;

/** Set one more property, of ours. */
void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value);

/** Takes conf. Errors: STATUS_BAD_CONFIG. */
enum status kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out,
        struct error *error) MUST_CHECK;

/** A broker has answered: what was reported is over, unless it is fatal. */
void kafka_trouble_over(struct kafka_trouble *trouble);

/**
 * Write what went wrong, with the address and the way out, and return its status.
 *
 * what: what was being done, as in "read committed offsets".
 */
enum status kafka_failed(const struct kafka_trouble *trouble, rd_kafka_resp_err_t code,
        const char *what, const char *text, struct error *error);

/** The status of an error code, without regard to what was being done. */
enum status kafka_status(rd_kafka_resp_err_t code);

/** bootstrap.servers as configured. */
const char *kafka_address(const struct config *config);

/** A list of the input topic's partitions, with the offsets and metadata of positions. */
rd_kafka_topic_partition_list_t *kafka_positions(
        const char *topic, const struct position *positions, size_t count);

/* ---- questions, over connections on which no fetch waits (kafka_ask.c) --------------------- */

struct kafka_asker;

/** Returns owned in *out. Errors: STATUS_BAD_CONFIG. */
enum status kafka_asker_new(
        const struct config *config, struct kafka_asker **out, struct error *error) MUST_CHECK;
void kafka_asker_destroy(struct kafka_asker *asker);

/**
 * Where the logs in list end for a read_committed reader, in one call: offset and err of each
 * entry. Returns false when nothing was answered in time; then offsets mean nothing.
 */
bool kafka_ask_ends(
        struct kafka_asker *asker, rd_kafka_topic_partition_list_t *list, int timeout_ms);

/**
 * Make the fetchers of a consumer look at its queue: it has room now.
 *
 * A fetcher of librdkafka before 2.2 that has found the queue full sleeps for up to a second, and
 * the loop may empty it sooner. It wakes when it has a request to send, so one is made: for the
 * ends of the assigned partitions, whose answer nobody waits for. Later versions have
 * fetch.queue.backoff.ms.
 */
void kafka_wake_fetchers(rd_kafka_t *rk);

/** Offsets of the oldest record kept and after the newest. Errors: as of kafka_failed(). */
enum status kafka_ask_limits(struct kafka_asker *asker, const char *topic, int32_t partition,
        int64_t *low, int64_t *high, int timeout_ms, struct error *error) MUST_CHECK;

/** Whether any broker answers at all. */
bool kafka_ask_anything(struct kafka_asker *asker, int timeout_ms);

/**
 * Leave the group, within a limit of time, and destroy the client. Its rebalance callback runs
 * once more; handles of its queues and metadata are gone before.
 *
 * joined: whether it has had an assignment, as its rebalance callback keeps it.
 * waits:  for the first assignment, if there was none: the broker is there.
 */
void kafka_consumer_close(
        rd_kafka_t *rk, const struct clock *clock, const bool *joined, bool waits);

/** Headers that headers_put() (codec/state.h) wrote one after the other. Returns owned. */
rd_kafka_headers_t *kafka_headers(struct span packed);

/** The metadata remembered in the last rebalance callback; NULL before the first one. */
const rd_kafka_consumer_group_metadata_t *source_kafka_group(const struct source *source);

#endif
