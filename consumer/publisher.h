/* publisher.h - where reviews and rejected records go, together with the input offsets.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_PUBLISHER_H
#define RETRYWATCH_CONSUMER_PUBLISHER_H

#include "aggregator/status.h"
#include "consumer/record.h"

#include <stddef.h>

struct publisher;

struct publisher_ops {
    /**
     * Publish records[record_count] and commit positions[position_count], all or nothing (with
     * at_least_once: records first, acknowledged, then the offsets). Synchronous.
     *
     * Errors: STATUS_BROKER_DOWN: nothing was done, the same call may be repeated;
     *         STATUS_FENCED: nothing was done, another instance has the partitions or the
     *         transactional id: drop everything and join again;
     *         STATUS_UNKNOWN_OUTCOME: it may have been done: load every partition;
     *         STATUS_AUTH, STATUS_REFUSED.
     */
    enum status (*publish)(struct publisher *publisher, const struct out_record *records,
            size_t record_count, const struct position *positions, size_t position_count,
            struct error *error);

    void (*destroy)(struct publisher *publisher);
};

struct publisher {
    const struct publisher_ops *ops;
};

#endif
