/* nearest.c - which known word somebody meant.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/nearest.h"

#include <string.h>

#define WORD_MAX 64

static size_t
min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein (optimal string alignment) by three rows. */
static size_t
distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    const size_t a_size = strlen(a);
    const size_t b_size = strlen(b);

    if (a_size > WORD_MAX || b_size > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_size; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3];
        const size_t *last = rows[(i - 1) % 3];
        const size_t *before = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            row[j] = min_of(min_of(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = min_of(row[j], before[j - 2] + 1);
            }
        }
    }
    return rows[a_size % 3][b_size];
}

void
nearest_offer(struct nearest *nearest, const char *known)
{
    const size_t far = distance(nearest->word, known);

    /* Half of the letters wrong is another word, not a slip. */
    if (far * 2 > strlen(known)) {
        return;
    }
    if (nearest->found == NULL || far < nearest->distance) {
        nearest->found = known;
        nearest->distance = far;
    }
}
