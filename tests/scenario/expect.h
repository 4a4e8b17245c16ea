/* expect.h - what a scenario expects of a published review, field by field.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_EXPECT_H
#define RETRYWATCH_TESTS_EXPECT_H

#include "tests/scenario/script.h"

#include <jansson.h>

/**
 * Every pair of the line is a field of the review (a JSON object, as review_decode() gives it): by
 * its name in the schema, with a dot into what is nested; or owner, workload, environment, class,
 * bucket for short. Lists are joined by commas, and `none` is null or empty. review_id is `new` or
 * `same` as the one before. Ends the process when one differs.
 *
 * last_id: of the review before; "" when there is none.
 */
void expect_review(struct script_line *line, const json_t *review, const char *last_id);

#endif
