/* registry.h - writer schemas from a Confluent-compatible schema registry, by HTTP.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REGISTRY_H
#define RETRYWATCH_CONSUMER_REGISTRY_H

#include "codec/decoder.h"
#include "consumer/clock.h"
#include "consumer/config.h"

struct registry;

/** Nothing is asked yet. Returns owned. */
struct registry *registry_new(const struct config *config, const struct clock *clock);
void registry_destroy(struct registry *registry);

/**
 * A schema_fetch (codec/decoder.h); context: the registry. GET /schemas/ids/<id>, at most one
 * request a second and id.
 * Unreachable or 5xx: STATUS_SCHEMA_WAIT for as long as it takes. Not found: STATUS_SCHEMA_WAIT,
 * and STATUS_UNKNOWN_SCHEMA once it has been so for schema.unknown_wait. A schema that is no Avro
 * or needs others (references): STATUS_UNKNOWN_SCHEMA. Credentials refused (401, 403): STATUS_AUTH,
 * for waiting would hide it. Cost: at most 2 s.
 */
enum status registry_fetch(void *context, int64_t id, char **json, struct error *error);

/**
 * Ask once whether a registry answers at schema.registry.
 *
 * Errors: STATUS_SCHEMA_WAIT when none can be reached or what answers is none, STATUS_AUTH.
 */
enum status registry_check(struct registry *registry, struct error *error) MUST_CHECK;

#endif
