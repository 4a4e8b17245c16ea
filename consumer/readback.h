/* readback.h - what this service has published before, read back from its output topics.
 *
 * Needed only after Redis has lost its last writes (docs/delivery.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_READBACK_H
#define RETRYWATCH_CONSUMER_READBACK_H

#include "aggregator/span.h"
#include "aggregator/status.h"

struct readback;

struct readback_ops {
    /**
     * Visit every committed record of the reviews and rejected topics that has an rw-position
     * header, from from_ms (record timestamps; TIME_NULL: from their start) to their ends
     * now. In the order of each partition of theirs; records of other input partitions come too.
     *
     * Errors: STATUS_BROKER_DOWN, STATUS_AUTH, and those of visit().
     */
    enum status (*read)(struct readback *readback, int64_t from_ms,
            enum status (*visit)(
                    void *context, struct span position, struct span value, struct error *error),
            void *context, struct error *error);

    void (*destroy)(struct readback *readback);
};

struct readback {
    const struct readback_ops *ops;
};

#endif
