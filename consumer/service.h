/* service.h - the parts that the service is made of, and how they are put together.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_SERVICE_H
#define RETRYWATCH_CONSUMER_SERVICE_H

#include "consumer/kafka.h"
#include "consumer/loop.h"
#include "consumer/store_redis.h"

/* All zero is nothing. Owned, but for the config. */
struct service {
    struct config *config;
    bool create_topics;
    struct kafka_facts facts;
    char *writer_schema;
    struct registry *registry;
    struct decoder *decoder;
    struct decisions *decisions;
    struct loop *loop;
    struct source *source;
    struct store *store;
    struct publisher *publisher;
    struct decision_feed *feed;
    struct readback *readback;
};

/** What must be there before the first record is read: fills facts. Errors: as kafka_check(). */
enum status service_check_kafka(struct service *service, struct error *error) MUST_CHECK;

/** What the state in Redis belongs to; facts must be there. Borrows from the service. */
struct store_meta service_meta(const struct service *service);

/** Decoder and registry. Errors: those of the writer's schema. */
enum status service_make_decoder(struct service *service, struct error *error) MUST_CHECK;

/** The loop, with decoder and decisions; loop_connect() is left to the caller. */
enum status service_make_loop(
        struct service *service, bool rebuilds, struct error *error) MUST_CHECK;

/** Source, publisher, decisions and readback over Kafka. listener: borrowed for their life. */
enum status service_make_clients(struct service *service, const struct source_listener *listener,
        struct error *error) MUST_CHECK;

/** All of it, in reverse order: the source leaves the group while the loop still listens. */
void service_fini(struct service *service);

/** A core would hold events and secrets. */
void service_forbid_core_dumps(void);

/**
 * What librdkafka fetched is freed by another thread than the one that asks for the next: by
 * default its memory goes back to the kernel and comes anew, page by page, for every fetch.
 */
void service_keep_freed_memory(void);

#endif
