/* smoke_io.h - how the smoke test writes events, and looks at what became of them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_SMOKE_IO_H
#define RETRYWATCH_CONSUMER_SMOKE_IO_H

#include "consumer/smoke.h"

/* The events that it writes. */
enum smoke_event {
    SMOKE_SUCCESS,         /* a first attempt with complete metadata */
    SMOKE_INVALID_REQUEST, /* a first attempt that no retry can help */
    SMOKE_FIRST,           /* a first attempt that is retried */
    SMOKE_RETRY
};

/** Whether events can be written that the service will read. Errors: STATUS_REFUSED and why not. */
enum status smoke_check_format(const struct smoke *smoke, struct error *error) MUST_CHECK;

/** Write one now; attempt_number is of SMOKE_RETRY. smoke_flush() waits until Kafka has it. */
enum status smoke_send(struct smoke *smoke, enum smoke_event event, int64_t operation,
        int32_t attempt_number, struct error *error) MUST_CHECK;
enum status smoke_flush(struct smoke *smoke, struct error *error) MUST_CHECK;

/**
 * Wait until Redis shows this many attempts, retries and failures of the last hour.
 *
 * Errors: STATUS_FAILED after the timeout, saying what to look at.
 */
enum status smoke_await_counts(
        struct smoke *smoke, int64_t failures, struct error *error) MUST_CHECK;

/** Whether what Redis shows of the owner is numbers alone. Errors: STATUS_FAILED. */
enum status smoke_check_content(struct smoke *smoke, struct error *error) MUST_CHECK;

/** Read reviews of its owner into smoke->packets for so long, or until there are so many. */
enum status smoke_read_reviews(
        struct smoke *smoke, int64_t wait_ms, size_t count, struct error *error) MUST_CHECK;

/** Why the last event written is not in Redis, as an error that says what to look at. */
enum status smoke_explain(struct smoke *smoke, struct error *error) MUST_CHECK;

#endif
