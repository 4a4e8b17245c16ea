/* redis_space.c - the namespaces of the state under one prefix, and which of them is in use.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/redis_space.h"

#include "consumer/decimal.h"
#include "consumer/resp.h"

#include <inttypes.h>
#include <string.h>

/* Behind the hash tag, so that a partition stays in one slot of a cluster in every namespace. */
static void
put_number(struct buffer *out, uint64_t space)
{
    if (space != REDIS_SPACE_FIRST) {
        buffer_printf(out, "@%" PRIu64, space);
    }
    buffer_put_byte(out, ':');
}

void
redis_space_put(struct buffer *out, const char *prefix, const char *topic, int32_t partition,
        uint64_t space)
{
    buffer_printf(out, "%s:{%s:%" PRId32 "}", prefix, topic, partition);
    put_number(out, space);
}

/* With what a pattern would read otherwise escaped. */
static void
put_escaped(struct buffer *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr("*?[]\\^", *at) != NULL) {
            buffer_put_byte(out, '\\');
        }
        buffer_put_byte(out, (uint8_t)*at);
    }
}

void
redis_space_put_pattern(struct buffer *out, const char *prefix, const char *topic, uint64_t space)
{
    put_escaped(out, prefix);
    buffer_put_text(out, ":{");
    put_escaped(out, topic);
    buffer_put_text(out, ":*}");
    put_number(out, space);
    buffer_put_byte(out, '*');
}

void
redis_space_ask(struct buffer *commands, const char *prefix)
{
    resp_begin(commands, 3);
    resp_put_text(commands, "HGET");
    resp_put_pair(commands, span_of(prefix), span_of(":meta"));
    resp_put_text(commands, "namespace");
}

enum status
redis_space_answer(const struct redis_link *link, const struct redis_reply *reply, uint64_t *space,
        struct error *error)
{
    const enum status status = redis_reply_status(link, reply, "HGET of meta", error);
    uint64_t number = 0;

    if (status != STATUS_OK) {
        return status;
    }
    if (reply->kind == REDIS_REPLY_IS_NIL) {
        *space = REDIS_SPACE_FIRST;
        return STATUS_OK;
    }
    for (size_t i = 0; i < reply->text.size; i++) {
        const uint8_t digit = reply->text.data[i];

        if (digit < '0' || digit > '9' || reply->text.size > DECIMAL_MAX - 2) {
            number = 0;
            break;
        }
        number = number * 10 + (uint64_t)(digit - '0');
    }
    if (number == 0) {
        return error_set(error, STATUS_REFUSED,
                "Redis at %s: the field namespace of the key meta is no number",
                redis_link_address(link));
    }
    *space = number;
    return STATUS_OK;
}
