/* avro_random.h - random writer schemas near ours, values in them, and bytes gone wrong.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_AVRO_RANDOM_H
#define RETRYWATCH_TESTS_AVRO_RANDOM_H

#include "codec/buffer.h"
#include "tests/support/random.h"

#include <jansson.h>

/** A writer schema: our fields in some order, in types that mostly fit, and foreign ones. Owned. */
json_t *random_writer_schema(struct random *random, json_t *ours);

/** Append a value of the schema, encoded. */
void random_value(struct random *random, json_t *schema, struct buffer *out);

/** Change, cut, add or repeat some bytes. */
void random_damage(struct random *random, struct buffer *bytes);

#endif
