/* clock.h - the time, so that tests can turn it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_CLOCK_H
#define RETRYWATCH_CONSUMER_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(const struct clock *clock);           /* ms since the epoch */
    int64_t (*monotonic_ms)(const struct clock *clock);      /* never goes back */
    void (*sleep_ms)(const struct clock *clock, int64_t ms); /* ends early on a signal */
};

/** The clock of this machine. */
extern const struct clock clock_system;

#endif
