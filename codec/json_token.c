/* json_token.c - the numbers and strings of JSON, by their grammar.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/json_token.h"

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool
is_hex_digit(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/** The place after the digits that begin at this one; the same when there is none. */
static size_t
skip_digits(struct span token, size_t at)
{
    while (at < token.size && is_digit(token.data[at])) {
        at++;
    }
    return at;
}

static bool
is_at(struct span token, size_t at, uint8_t one, uint8_t other)
{
    return at < token.size && (token.data[at] == one || token.data[at] == other);
}

bool
json_number_is_sound(struct span token)
{
    size_t from = is_at(token, 0, '-', '-') ? 1 : 0;
    size_t at = skip_digits(token, from);

    if (at == from || (token.data[from] == '0' && at - from > 1)) {
        return false;
    }
    if (is_at(token, at, '.', '.')) {
        from = at + 1;
        at = skip_digits(token, from);
        if (at == from) {
            return false;
        }
    }
    if (is_at(token, at, 'e', 'E')) {
        from = at + 1;
        from += is_at(token, from, '+', '-');
        at = skip_digits(token, from);
        if (at == from) {
            return false;
        }
    }
    return at == token.size;
}

bool
json_integer_parse(struct span token, int64_t *number)
{
    const bool negative = is_at(token, 0, '-', '-');
    const size_t from = negative ? 1 : 0;
    int64_t value = 0;

    if (from == token.size || (token.data[from] == '0' && token.size - from > 1)) {
        return false;
    }
    for (size_t i = from; i < token.size; i++) {
        const int digit = token.data[i] - '0';

        if (!is_digit(token.data[i]) || __builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, negative ? -digit : digit, &value)) {
            return false;
        }
    }
    *number = value;
    return true;
}

static const uint8_t *
next_escape(const uint8_t *at, const uint8_t *end)
{
    return at < end ? memchr(at, '\\', (size_t)(end - at)) : NULL;
}

bool
json_escapes_are_sound(struct span text)
{
    const uint8_t *end = text.data + text.size;

    for (const uint8_t *at = next_escape(text.data, end); at != NULL; at = next_escape(at, end)) {
        at++;
        if (at == end || *at == '\0' || strchr("\"\\/bfnrtu", *at) == NULL) {
            return false;
        }
        if (*at++ != 'u') {
            continue;
        }
        for (int digits = 0; digits < 4; digits++, at++) {
            if (at == end || !is_hex_digit(*at)) {
                return false;
            }
        }
    }
    return true;
}
