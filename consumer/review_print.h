/* review_print.h - a review packet laid out for a person who decides about money, not about Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_REVIEW_PRINT_H
#define RETRYWATCH_CONSUMER_REVIEW_PRINT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum review_style {
    REVIEW_PLAIN,
    REVIEW_COLOUR,  /* the same on a terminal */
    REVIEW_MARKDOWN /* to paste into a ticket */
};

/** REVIEW_COLOUR on a terminal, else REVIEW_PLAIN. */
enum review_style review_style_for(FILE *out);

/**
 * Print the packet. It never states a price.
 *
 * review: as view_reader_review() or review_decode() gives it; what is missing is left out.
 * now_ms: wall clock, to say how long ago something was.
 */
void review_print(const json_t *review, int64_t now_ms, FILE *out, enum review_style style);

#endif
