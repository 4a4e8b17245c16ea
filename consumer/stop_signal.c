/* stop_signal.c - SIGTERM and SIGINT end a command after what it is doing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/stop_signal.h"

#include <signal.h>
#include <stddef.h>

/* A handler can reach nothing but what is static. */
static volatile sig_atomic_t came;

static void
on_signal(int number)
{
    (void)number;
    came = 1;
}

void
stop_signal_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool
stop_signal_came(void)
{
    return came != 0;
}
