/* rebuild_print.h - what a rebuild has found, for people.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_COMMANDS_REBUILD_PRINT_H
#define RETRYWATCH_CONSUMER_COMMANDS_REBUILD_PRINT_H

#include <jansson.h>
#include <stdio.h>

/** The report of --output json, as tables and sentences. */
void rebuild_print(const json_t *report, FILE *out);

#endif
