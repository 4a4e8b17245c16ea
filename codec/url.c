/* url.c - source URLs without user info, query and fragment.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/url.h"

static bool
is_slash(uint8_t byte)
{
    return byte == '/' || byte == '\\'; /* browsers read both as one */
}

/* Bytes before query and fragment. */
static size_t
size_without_query(struct span url)
{
    size_t size = 0;

    while (size < url.size && url.data[size] != '?' && url.data[size] != '#') {
        size++;
    }
    return size;
}

/* Where the authority begins: past `scheme:` and slashes. 0 when the text has no scheme. */
static size_t
authority_start(struct span url)
{
    size_t at = 0;

    while (at < url.size && url.data[at] != ':' && url.data[at] != '@' && !is_slash(url.data[at])) {
        at++;
    }
    at += at < url.size && url.data[at] == ':';

    const size_t scheme = at;

    while (at < url.size && is_slash(url.data[at])) {
        at++;
    }
    return at != scheme ? at : 0;
}

/* Digits after the last colon, unless that is inside the brackets of an IPv6 address. */
static bool
port_is_number(const uint8_t *host, size_t size)
{
    size_t at = size;

    while (at > 0 && host[at - 1] >= '0' && host[at - 1] <= '9') {
        at--;
    }
    if (at > 0 && host[at - 1] == ':') {
        return host[0] == '[' || memchr(host, ':', at - 1) == NULL;
    }
    return host[0] == '[' || memchr(host, ':', size) == NULL;
}

static struct span
cut(struct span url, size_t from, size_t to, struct arena *arena)
{
    uint8_t *copy = arena_new(arena, from + url.size - to, 1);

    memcpy(copy, url.data, from);
    memcpy(copy + from, url.data + to, url.size - to);
    return (struct span){copy, from + url.size - to};
}

/* 16 bytes that are compared at once. GCC and clang know such types on every machine. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bool
is_plain_16(const uint8_t *at)
{
    bytes16 bytes;
    uint64_t found[2];

    memcpy(&bytes, at, sizeof(bytes));

    const bytes16 odd = (bytes16)((bytes == '?') | (bytes == '#') | (bytes == '@') |
                                  (bytes == ':') | (bytes == '\\'));

    memcpy(found, &odd, sizeof(found));
    return (found[0] | found[1]) == 0;
}

/* Whether it is one of those without port, user info, query and fragment that nearly all are: what
 * url_strip() would return whole, found out without a look at every byte in turn. */
static bool
is_plain(struct span url)
{
    static const uint8_t scheme[8] = "https://";

    if (url.size < 8 + 16 || load64(url.data) != load64(scheme) || url.data[8] == '/') {
        return false;
    }

    const uint8_t *last = url.data + url.size - 16;
    bool plain = is_plain_16(last); /* overlaps the others, which spares a loop over the rest */

    for (const uint8_t *at = url.data + 8; at < last; at += 16) {
        plain = plain && is_plain_16(at);
    }
    return plain;
}

struct span
url_strip(struct span url, struct arena *arena)
{
    if (url.data != NULL && is_plain(url)) {
        return url;
    }
    url.size = url.data != NULL ? size_without_query(url) : 0;

    const size_t start = authority_start(url);
    size_t host = start; /* past the last @ of the authority */
    size_t end = start;  /* of the authority */

    for (; end < url.size && !is_slash(url.data[end]); end++) {
        if (url.data[end] == '@') {
            host = end + 1;
        }
    }
    if (host == url.size) {
        return SPAN_NULL;
    }
    if (start > 0 && host < end && !port_is_number(url.data + host, end - host)) {
        return SPAN_NULL;
    }
    if (host == start) {
        return url;
    }
    if (start == 0) {
        return (struct span){url.data + host, url.size - host};
    }
    return cut(url, start, host, arena);
}
