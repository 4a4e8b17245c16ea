/* loop_ahead.c - records that are stamped ahead of this machine's clock: told, and counted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/loop_internal.h"

#include "consumer/log.h"

#include <inttypes.h>

/* The log decides all time, so such a record is counted like any other, and the time of its
 * partition runs ahead with it: reviews close early, and what others write then is late. */
void
loop_note_ahead(struct loop *loop, const struct batch *batch)
{
    const int64_t wall_ms = loop_wall(loop);
    const int64_t most_ms = wall_ms + loop->options.config->limits.future_ms;
    const struct record *furthest = NULL;

    for (size_t i = 0; i < batch->count; i++) {
        const struct record *record = &batch->records[i];

        if (record->timestamp_ms > most_ms) {
            loop->metrics.ahead += 1;
            if (furthest == NULL || record->timestamp_ms > furthest->timestamp_ms) {
                furthest = record;
            }
        }
    }
    if (furthest != NULL) {
        log_warn("ahead",
                "partition=%" PRId32 " offset=%" PRId64 " ahead_ms=%" PRId64
                " text=\"the record's timestamp is ahead of the clock here, and the time of its "
                "partition with it; message.timestamp.after.max.ms of the topic prevents that\"",
                furthest->partition, furthest->offset, furthest->timestamp_ms - wall_ms);
    }
}
