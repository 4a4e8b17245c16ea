/* resp.c - Redis commands as RESP bytes, written straight into one buffer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/resp.h"

#include <stdarg.h>

#define DECIMAL_MAX                                                              \
    20 /* digits of a 64-bit number; the longest signed one has its sign instead \
        */

/* printf() costs more than all the rest of a command; so digits are written by hand. */
static size_t
decimal(uint64_t number, char digits[DECIMAL_MAX])
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

static void
put_header(struct buffer *out, char type, size_t number)
{
    char digits[DECIMAL_MAX];
    const size_t size = decimal(number, digits);
    uint8_t *at = buffer_reserve(out, size + 3);

    at[0] = (uint8_t)type;
    memcpy(at + 1, digits, size);
    at[size + 1] = '\r';
    at[size + 2] = '\n';
    out->size += size + 3;
}

void
resp_begin(struct buffer *out, size_t word_count)
{
    put_header(out, '*', word_count);
}

void
resp_put_pair(struct buffer *out, struct span first, struct span second)
{
    put_header(out, '$', first.size + second.size);
    buffer_put(out, first.data, first.size);
    buffer_put(out, second.data, second.size);
    buffer_put(out, "\r\n", 2);
}

void
resp_put(struct buffer *out, struct span word)
{
    resp_put_pair(out, word, SPAN_NULL);
}

void
resp_put_text(struct buffer *out, const char *word)
{
    resp_put(out, span_of(word));
}

void
resp_put_unsigned(struct buffer *out, uint64_t number)
{
    char digits[DECIMAL_MAX];

    resp_put(out, (struct span){(const uint8_t *)digits, decimal(number, digits)});
}

void
resp_put_signed(struct buffer *out, int64_t number)
{
    char digits[DECIMAL_MAX];
    const uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;
    const size_t size = decimal(magnitude, digits);

    resp_put_pair(
            out, span_of(number < 0 ? "-" : ""), (struct span){(const uint8_t *)digits, size});
}

void
resp_command(struct buffer *out, ...)
{
    va_list words;
    size_t count = 0;

    va_start(words, out);
    while (va_arg(words, const char *) != NULL) {
        count++;
    }
    va_end(words);
    resp_begin(out, count);
    va_start(words, out);
    for (const char *word; (word = va_arg(words, const char *)) != NULL;) {
        resp_put_text(out, word);
    }
    va_end(words);
}
