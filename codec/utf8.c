/* utf8.c - whether bytes are UTF-8.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/utf8.h"

/** Size of the character at the start of size bytes; 0 when there is none. */
static size_t
character_size(const uint8_t *at, size_t size)
{
    const uint8_t first = at[0];
    uint8_t low = 0x80;  /* the range of the second byte excludes overlong forms, surrogates ... */
    uint8_t high = 0xbf; /* ... and what is beyond U+10FFFF */
    size_t length = 0;

    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    }
    if (length == 0 || length > size || at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool
utf8_valid(struct span text)
{
    for (size_t at = 0; at < text.size;) {
        const size_t size = character_size(text.data + at, text.size - at);

        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}
