/* view_reader.h - reads from Redis what views.c writes there, as JSON (docs/redis.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_VIEW_READER_H
#define RETRYWATCH_CONSUMER_VIEW_READER_H

#include "consumer/config.h"

#include <jansson.h>

struct view_reader;

/** Does not connect yet. config is borrowed. Errors: STATUS_BAD_CONFIG. Returns owned in *out. */
enum status view_reader_new(
        const struct config *config, struct view_reader **out, struct error *error) MUST_CHECK;
void view_reader_destroy(struct view_reader *reader);

/** The address of Redis, for messages; borrowed. */
const char *view_reader_address(const struct view_reader *reader);

/* What owners are sorted by, the largest first. */
enum view_sort { VIEW_SORT_LAST, VIEW_SORT_RETRIES, VIEW_SORT_SHARE, VIEW_SORT_REVIEWS };

/**
 * An array of owners, `limit` at most (0: all): {"owner", "last_event", "as_of", "open_reviews",
 * "too_late", "partition", "windows": {"5m": {"attempts", ...}, "60m", "24h"}}.
 *
 * Errors of this and the others: STATUS_STORE_DOWN, STATUS_AUTH, STATUS_REFUSED; STATUS_FAILED when
 * there is no such owner or review. Returns owned in *out (json_decref()).
 */
enum status view_reader_owners(struct view_reader *reader, enum view_sort sort, size_t limit,
        json_t **out, struct error *error) MUST_CHECK;

/**
 * One owner: the same, and "buckets": [{"bucket", "windows"}], those with most retries in the last
 * hour first; "minutes": [{"minute", "attempts", "retries"}], 60 of them, the last one that of
 * as_of, each as the time at which it begins; "reviews": what is open, as of view_reader_reviews().
 */
enum status view_reader_owner(struct view_reader *reader, const char *owner, json_t **out,
        struct error *error) MUST_CHECK;

/**
 * An array of review packets (docs/topics.md), the oldest first: what is open, and with `all` also
 * what is resolved and still kept.
 */
enum status view_reader_reviews(
        struct view_reader *reader, bool all, json_t **out, struct error *error) MUST_CHECK;

/**
 * One review packet by its id or the beginning of it, and, if its group still knows the decision
 * that it rests on, "decision": {"decision_id", "decision_owner", "action", "reason",
 * "accepts_spend_risk", "decided_at", "starts_at", "ends_at", "limit_bps", "holds"}.
 */
enum status view_reader_review(
        struct view_reader *reader, const char *id, json_t **out, struct error *error) MUST_CHECK;

#endif
