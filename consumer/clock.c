/* clock.c - the clock of this machine.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/clock.h"

#include <time.h>

static int64_t
read_ms(clockid_t id)
{
    struct timespec now = {0};

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t
system_wall_ms(const struct clock *clock)
{
    (void)clock;
    return read_ms(CLOCK_REALTIME);
}

static int64_t
system_monotonic_ms(const struct clock *clock)
{
    (void)clock;
    return read_ms(CLOCK_MONOTONIC);
}

static void
system_sleep_ms(const struct clock *clock, int64_t ms)
{
    (void)clock;
    if (ms > 0) {
        const struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

        /* Not repeated after EINTR: a signal wants to be noticed now. */
        nanosleep(&wait, NULL);
    }
}

const struct clock clock_system = {
        .wall_ms = system_wall_ms,
        .monotonic_ms = system_monotonic_ms,
        .sleep_ms = system_sleep_ms,
};
