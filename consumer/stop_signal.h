/* stop_signal.h - SIGTERM and SIGINT end a command after what it is doing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_STOP_SIGNAL_H
#define RETRYWATCH_CONSUMER_STOP_SIGNAL_H

#include <stdbool.h>

/** Catch both, once; a peer that closes its connection is no signal any more (SIGPIPE). */
void stop_signal_catch(void);

/** Whether one has come. */
bool stop_signal_came(void);

#endif
