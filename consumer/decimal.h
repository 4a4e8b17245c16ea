/* decimal.h - whole numbers as decimal text, without printf().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_DECIMAL_H
#define RETRYWATCH_CONSUMER_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_MAX                                                              \
    20 /* digits of a 64-bit number; the longest signed one has its sign instead \
        */

/**
 * The digits of a number; not ended by NUL. An EXEC has thousands of numbers, and printf() costs
 * more than all the rest of them.
 *
 * Returns how many.
 */
static inline size_t
decimal_write(uint64_t number, char digits[DECIMAL_MAX])
{
    char reversed[DECIMAL_MAX];
    size_t size = 0;

    do {
        reversed[size++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    for (size_t i = 0; i < size; i++) {
        digits[i] = reversed[size - 1 - i];
    }
    return size;
}

#endif
