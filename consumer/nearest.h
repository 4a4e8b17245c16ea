/* nearest.h - which known word somebody meant.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_NEAREST_H
#define RETRYWATCH_CONSUMER_NEAREST_H

#include <stddef.h>

/* Finds the nearest of the words it is shown; all zero but word at first. */
struct nearest {
    const char *word;  /* what was written */
    const char *found; /* NULL: nothing is near */
    size_t distance;   /* of found: letters to insert, delete, replace or swap */
};

/** Show one known word. Cost: O(length of both). */
void nearest_offer(struct nearest *nearest, const char *known);

#endif
