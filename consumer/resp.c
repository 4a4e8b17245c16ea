/* resp.c - Redis commands as RESP bytes, written straight into one buffer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/resp.h"

#include "consumer/decimal.h"

#include <stdarg.h>

static uint8_t *
put_end(uint8_t *at)
{
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

void
resp_begin(struct buffer *out, size_t word_count)
{
    char digits[DECIMAL_MAX];
    const size_t digit_count = decimal_write(word_count, digits);

    buffer_put_byte(out, '*');
    buffer_put(out, digits, digit_count);
    buffer_put(out, "\r\n", 2);
}

void
resp_put_pair(struct buffer *out, struct span first, struct span second)
{
    const size_t size = first.size + second.size;
    char digits[DECIMAL_MAX];
    const size_t digit_count = decimal_write(size, digits);
    uint8_t *at = buffer_reserve(out, 1 + digit_count + 2 + size + 2);

    *at++ = '$';
    memcpy(at, digits, digit_count);
    at = put_end(at + digit_count);
    if (first.size != 0) {
        memcpy(at, first.data, first.size);
    }
    if (second.size != 0) {
        memcpy(at + first.size, second.data, second.size);
    }
    put_end(at + size);
    out->size += 1 + digit_count + 2 + size + 2;
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

    resp_put(out, (struct span){(const uint8_t *)digits, decimal_write(number, digits)});
}

void
resp_put_signed(struct buffer *out, int64_t number)
{
    char digits[DECIMAL_MAX];
    const uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;
    const size_t size = decimal_write(magnitude, digits);

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
