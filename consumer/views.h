/* views.h - what dashboards read: plain keys in Redis, derived from the state at any time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_VIEWS_H
#define RETRYWATCH_CONSUMER_VIEWS_H

#include "aggregator/partition.h"
#include "codec/buffer.h"

/* Collects the commands of one round; store_redis sends them in one pipeline (docs/redis.md). */
struct views;

struct views *views_new(const char *prefix);
void views_destroy(struct views *views);

/**
 * Another partition whose view of this owner was written here, -1 if none: both write the same
 * keys, so each shows its own part only. Never of `_MISSING` and `_OTHER`, which have a view in
 * each.
 */
int32_t views_other_partition(struct views *views, int32_t partition, struct span owner);

/** rw:view:owners, :owner:, :buckets:, :minutes: of one owner. partition_shown: this partition. */
void views_put_owner(struct views *views, int32_t partition, const struct owner_view *view);

/** Delete the views of a forgotten owner. */
void views_forget_owner(struct views *views, int32_t partition, struct span owner);

/** rw:view:reviews and rw:view:review:<id> from the published record (framed Avro). */
enum status views_put_review(
        struct views *views, struct span record, struct error *error) MUST_CHECK;

/** The commands so far, in RESP, and how many; views_clear() starts the next round. */
struct span views_commands(const struct views *views, size_t *command_count);
void views_clear(struct views *views);

/** The commands could not be written: clear them, and count on nothing that was shown before. */
void views_failed(struct views *views);

#endif
