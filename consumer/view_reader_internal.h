/* view_reader_internal.h - what the files of view_reader share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_VIEW_READER_INTERNAL_H
#define RETRYWATCH_CONSUMER_VIEW_READER_INTERNAL_H

#include "codec/buffer.h"
#include "consumer/redis_link.h"
#include "consumer/view_reader.h"

#define VIEW_PAGE 500 /* commands in one pipeline, members of one scan */
#define VIEW_PAGE_TEXT "500"

struct view_reader {
    const struct config *config;
    struct redis_link *link;
    struct buffer commands; /* to be sent */
};

/* Names in the order in which they were read; the bytes are in an arena. */
struct view_names {
    struct view_name {
        struct span name;
        int64_t score; /* in the set that it was read from; 0 when it was read from none */
        int64_t rank;  /* to be sorted by */
    } * items;
    size_t count, capacity;
    struct arena arena;
};

void view_names_fini(struct view_names *names);
void view_names_add(struct view_names *names, struct span name, int64_t score);

/** Sort by rank, the largest first, then by name; each name once. */
void view_names_sort(struct view_names *names);

/** <prefix>:view:<kind><of>, a word of a command. */
void view_reader_put_key(struct view_reader *reader, const char *kind, struct span of);

/** Connect when necessary, and send what is in commands. */
enum status view_reader_send(struct view_reader *reader, struct error *error) MUST_CHECK;

/** The next reply; what: said when it is an error. The link is closed on failure. */
enum status view_reader_reply(struct view_reader *reader, const char *what,
        const struct redis_reply **reply, struct error *error) MUST_CHECK;

/** Both, for one command. */
enum status view_reader_ask(struct view_reader *reader, const char *what,
        const struct redis_reply **reply, struct error *error) MUST_CHECK;

/** A decimal number; false for any other text. What is beyond 64 bits is the largest of them. */
bool view_number(struct span text, int64_t *number);

/** Text as JSON; what is not UTF-8, as nothing that we write is, becomes a `?`. */
json_t *view_text(struct span text);

/** Sort an array; compare gets two json_t **. Returns owned. Takes array. */
json_t *view_sorted(json_t *array, int (*compare)(const void *a, const void *b));

#endif
