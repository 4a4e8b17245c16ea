/* redis_scan.h - read whole hashes, however large, without holding up Redis.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REDIS_SCAN_H
#define RETRYWATCH_CONSUMER_REDIS_SCAN_H

#include "consumer/redis_link.h"

/* hash: index into keys. STATUS_OK to go on. field and value live during the call. */
typedef enum status redis_scan_visit(
        void *context, size_t hash, struct span field, struct span value, struct error *error);

/**
 * Visit every field of the hashes keys[key_count], in any order; a missing hash has none. A field
 * may be visited twice. A few HSCANs of 2,000 fields are under way at a time, so that Redis serves
 * others in between. Memory: the reply being visited; Redis holds those that follow.
 *
 * Errors: STATUS_STORE_DOWN, STATUS_AUTH, STATUS_REFUSED, and those of visit().
 */
enum status redis_scan(struct redis_link *link, const struct span *keys, size_t key_count,
        redis_scan_visit *visit, void *context, struct error *error) MUST_CHECK;

#endif
