/* redis_space.h - the namespaces of the state under one prefix, and which of them is in use.
 *
 * `retrywatch rebuild` counts the log into another namespace; the field `namespace` of rw:meta says
 * which one the service uses. The first has no number in its keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REDIS_SPACE_H
#define RETRYWATCH_CONSUMER_REDIS_SPACE_H

#include "codec/buffer.h"
#include "consumer/redis_link.h"

#define REDIS_SPACE_FIRST 1

/** How the keys of a partition's state begin: "rw:{topic:3}:", or "rw:{topic:3}@2:". */
void redis_space_put(struct buffer *out, const char *prefix, const char *topic, int32_t partition,
        uint64_t space);

/** The same for all partitions, as a pattern of SCAN. */
void redis_space_put_pattern(
        struct buffer *out, const char *prefix, const char *topic, uint64_t space);

/** The command that asks which namespace is in use. */
void redis_space_ask(struct buffer *commands, const char *prefix);

/** Its answer. Errors: those of the reply; STATUS_REFUSED when it is no number. */
enum status redis_space_answer(const struct redis_link *link, const struct redis_reply *reply,
        uint64_t *space, struct error *error) MUST_CHECK;

#endif
