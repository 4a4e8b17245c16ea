/* outcome_print.h - an outcome as JSON, for tests that compare it with what others read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_OUTCOME_PRINT_H
#define RETRYWATCH_TESTS_OUTCOME_PRINT_H

#include "aggregator/outcome.h"

#include <jansson.h>

/** Every field that struct outcome holds, under its name in the schema; null is null. Owned. */
json_t *outcome_print(const struct outcome *outcome);

/** The bytes of hexadecimal text, blanks ignored; returns how many. Aborts on anything else. */
size_t hex_read(const char *text, uint8_t *bytes, size_t size_max);

#endif
