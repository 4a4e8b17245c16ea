/* review_table.h - several reviews, a line each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REVIEW_TABLE_H
#define RETRYWATCH_CONSUMER_REVIEW_TABLE_H

#include <jansson.h>
#include <stdio.h>

/** reviews: as view_reader_reviews() gives them. Ids are cut to what tells them apart. */
void review_table_print(const json_t *reviews, FILE *out);

#endif
