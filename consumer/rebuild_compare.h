/* rebuild_compare.h - the counters of two states of the same log, owner by owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REBUILD_COMPARE_H
#define RETRYWATCH_CONSUMER_REBUILD_COMPARE_H

#include "aggregator/partition.h"

#include <jansson.h>

struct rebuild_compare;

struct rebuild_compare *rebuild_compare_new(void);
void rebuild_compare_destroy(struct rebuild_compare *compare);

/**
 * Add what the old and the new state say of a partition, as of the later T of the two. Neither may
 * be stored or counted into afterwards: both are as if they had come so far.
 */
void rebuild_compare_add(struct rebuild_compare *compare, int32_t partition,
        struct partition *old_state, struct partition *new_state);

/**
 * How many owners there are and how many differ, and each counter that does, by owner:
 * {"owners": 2, "owners_different": 1, "differences": [{"owner": "ana", "counter": "60m:attempts",
 * "old": 13, "new": 12}]}. Owners that several partitions have (_MISSING@3) are shown as views
 * show them. Returns owned.
 */
json_t *rebuild_compare_report(struct rebuild_compare *compare);

/** Visit each owner that the old state alone knows. */
void rebuild_compare_gone(struct rebuild_compare *compare,
        void (*visit)(void *context, int32_t partition, struct span owner), void *context);

#endif
