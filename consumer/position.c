/* position.c - the headers of what is published: CloudEvents, and where in the log it came from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/position.h"

#include "codec/decoder.h"
#include "codec/review_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define DIGEST_SIZE 32

static void
put_hex(struct buffer *out, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        buffer_put_byte(out, (uint8_t)digits[bytes.data[i] >> 4]);
        buffer_put_byte(out, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

static void
put_text_header(struct buffer *headers, const char *name, const char *text)
{
    headers_put(headers, name, span_of(text));
}

static void
put_number_header(struct buffer *headers, const char *name, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    put_text_header(headers, name, text);
}

/* RFC 3339 in UTC with milliseconds, as CloudEvents asks of `time`. */
static void
put_time_header(struct buffer *headers, const char *name, int64_t time_ms)
{
    const time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    char date[32];
    char text[48];

    gmtime_r(&seconds, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, sizeof(text), "%s.%03dZ", date, (int)(time_ms % 1000));
    put_text_header(headers, name, text);
}

/* The last word tells the group, whatever its name is made of. */
static void
put_group(struct buffer *text, const char *group)
{
    buffer_printf(text, " %016" PRIx64, (uint64_t)XXH3_64bits(group, strlen(group)));
}

void
position_put(struct buffer *headers, const struct position_origin *origin,
        const struct position_header *header)
{
    struct buffer text = {0};

    buffer_printf(&text, "%s %" PRId32 " %" PRIu64 " %" PRId64, origin->topic, header->partition,
            header->serial, header->offset);
    if (header->is_review) {
        buffer_printf(&text, " %" PRId64 " ", header->stream_ms);
        put_hex(&text, buffer_span(&header->dimensions));
        buffer_put_byte(&text, ' ');
        put_hex(&text, buffer_span(&header->review));
    }
    put_group(&text, origin->group);
    headers_put(headers, "rw-position", buffer_span(&text));
    buffer_fini(&text);
}

void
position_header_fini(struct position_header *header)
{
    buffer_fini(&header->dimensions);
    buffer_fini(&header->review);
}

/* The next word of what is left; empty at the end. */
static struct span
next_word(struct span *rest)
{
    const uint8_t *blank = rest->size != 0 ? memchr(rest->data, ' ', rest->size) : NULL;
    const size_t size = blank != NULL ? (size_t)(blank - rest->data) : rest->size;
    const struct span word = {rest->data, size};
    const size_t skip = blank != NULL ? size + 1 : size;

    *rest = (struct span){rest->data + skip, rest->size - skip};
    return word;
}

static bool
parse_number(struct span word, int64_t *number)
{
    char text[24];
    char *end = NULL;

    if (word.size == 0 || word.size >= sizeof(text)) {
        return false;
    }
    memcpy(text, word.data, word.size);
    text[word.size] = '\0';
    *number = strtoll(text, &end, 10);
    return *end == '\0';
}

static int
hex_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9'   ? byte - '0'
           : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                                        : -1;
}

static bool
parse_hex(struct span word, struct buffer *bytes)
{
    if (word.size == 0 || word.size % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < word.size; i += 2) {
        const int high = hex_digit(word.data[i]);
        const int low = hex_digit(word.data[i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        buffer_put_byte(bytes, (uint8_t)(high * 16 + low));
    }
    return true;
}

/* Whether it begins with the topic and ends with the group; *rest is what lies between. */
static bool
is_of(struct span text, const struct position_origin *origin, struct span *rest)
{
    struct buffer group = {0};
    bool same;

    *rest = text;
    same = span_equal(next_word(rest), span_of(origin->topic));
    put_group(&group, origin->group);
    same = same && rest->size >= group.size &&
           memcmp(rest->data + rest->size - group.size, group.data, group.size) == 0;
    rest->size -= same ? group.size : 0;
    buffer_fini(&group);
    return same;
}

enum status
position_parse(struct span text, const struct position_origin *origin,
        struct position_header *header, bool *ours, struct error *error)
{
    struct position_header parsed = {0};
    struct span rest;
    int64_t partition = 0;
    int64_t serial = 0;

    *ours = is_of(text, origin, &rest);
    if (!*ours) {
        return STATUS_OK;
    }

    bool good = parse_number(next_word(&rest), &partition) &&
                parse_number(next_word(&rest), &serial) &&
                parse_number(next_word(&rest), &parsed.offset) && partition >= 0 &&
                partition <= INT32_MAX && serial > 0;

    if (good && rest.size != 0) {
        parsed.is_review = true;
        good = parse_number(next_word(&rest), &parsed.stream_ms) &&
               parse_hex(next_word(&rest), &parsed.dimensions) &&
               parse_hex(next_word(&rest), &parsed.review) && rest.size == 0;
    }
    if (!good) {
        position_header_fini(&parsed);
        return error_set(error, STATUS_REFUSED,
                "a published record has an rw-position that this version never wrote");
    }
    parsed.partition = (int32_t)partition;
    parsed.serial = (uint64_t)serial;
    *header = parsed;
    return STATUS_OK;
}

void
review_headers(struct buffer *headers, const struct publication *publication,
        const struct position_origin *origin, int32_t partition, uint64_t serial, int64_t offset,
        int64_t stream_ms, digest_function *digest)
{
    const struct packet *packet = &publication->packet;
    char id[33];
    char type[64];
    struct buffer source = {0};
    struct evidence none; /* evidence is not read back: it is remembered again */
    struct position_header position = {
            .partition = partition,
            .serial = serial,
            .offset = offset,
            .is_review = true,
            .stream_ms = stream_ms,
    };

    review_event_id(packet, digest, id);
    snprintf(type, sizeof(type), "dev.retrywatch.review.%s", review_status_names[packet->status]);
    buffer_printf(&source, "/retrywatch/%s/%" PRId32, origin->topic, partition);

    put_text_header(headers, "ce_specversion", "1.0");
    put_text_header(headers, "ce_id", id);
    put_text_header(headers, "ce_type", type);
    headers_put(headers, "ce_source", buffer_span(&source));
    put_time_header(headers, "ce_time", packet->window_end_ms);
    evidence_init(&none);
    dimensions_encode(publication->dimensions, &position.dimensions);
    review_state_encode(&publication->review, &none, &position.review);
    position_put(headers, origin, &position);
    position_header_fini(&position);
    buffer_fini(&source);
}

void
rejection_headers(
        struct buffer *headers, const struct rejection *rejection, digest_function *digest)
{
    const struct record *record = rejection->record;
    uint8_t sum[DIGEST_SIZE];
    struct buffer text = {0};

    digest(record->value.data, record->value.size, sum);
    put_hex(&text, (struct span){sum, sizeof(sum)});

    put_text_header(headers, "reason", status_text(rejection->reason));
    put_text_header(headers, "detail", rejection->detail);
    put_text_header(headers, "topic", rejection->origin->topic);
    put_number_header(headers, "partition", record->partition);
    put_number_header(headers, "offset", record->offset);
    put_number_header(headers, "size", (int64_t)record->value.size);
    headers_put(headers, "sha256", buffer_span(&text));
    if (rejection->schema_id != SCHEMA_ID_NONE) {
        put_number_header(headers, "schema_id", rejection->schema_id);
    }
    if (rejection->serial > 0) {
        const struct position_header position = {
                .partition = record->partition,
                .serial = rejection->serial,
                .offset = record->offset,
        };

        position_put(headers, rejection->origin, &position);
    }
    buffer_fini(&text);
}
