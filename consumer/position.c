/* position.c - the headers of what is published: CloudEvents, and where in the log it came from.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/position.h"

#include "codec/decoder.h"
#include "codec/review_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

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

/* `topic partition serial offset T group state`, the last two packed and in hex. */
static void
put_review_position(struct buffer *headers, const struct publication *publication,
        const char *topic, int32_t partition, uint64_t serial, int64_t offset, int64_t stream_ms)
{
    struct buffer text = {0};
    struct buffer packed = {0};
    struct evidence none;

    evidence_init(&none);
    buffer_printf(&text, "%s %" PRId32 " %" PRIu64 " %" PRId64 " %" PRId64 " ", topic, partition,
            serial, offset, stream_ms);
    dimensions_encode(publication->dimensions, &packed);
    put_hex(&text, buffer_span(&packed));
    buffer_put_byte(&text, ' ');
    buffer_clear(&packed);
    review_state_encode(&publication->review, &none, &packed);
    put_hex(&text, buffer_span(&packed));
    headers_put(headers, "rw-position", buffer_span(&text));
    buffer_fini(&packed);
    buffer_fini(&text);
}

void
review_headers(struct buffer *headers, const struct publication *publication, const char *topic,
        int32_t partition, uint64_t serial, int64_t offset, int64_t stream_ms,
        digest_function *digest)
{
    const struct packet *packet = &publication->packet;
    char id[33];
    char type[64];
    struct buffer source = {0};

    review_event_id(packet, digest, id);
    snprintf(type, sizeof(type), "dev.retrywatch.review.%s", review_status_names[packet->status]);
    buffer_printf(&source, "/retrywatch/%s/%" PRId32, topic, partition);

    put_text_header(headers, "ce_specversion", "1.0");
    put_text_header(headers, "ce_id", id);
    put_text_header(headers, "ce_type", type);
    headers_put(headers, "ce_source", buffer_span(&source));
    put_time_header(headers, "ce_time", packet->window_end_ms);
    put_review_position(headers, publication, topic, partition, serial, offset, stream_ms);
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
    put_text_header(headers, "topic", rejection->topic);
    put_number_header(headers, "partition", record->partition);
    put_number_header(headers, "offset", record->offset);
    put_number_header(headers, "size", (int64_t)record->value.size);
    headers_put(headers, "sha256", buffer_span(&text));
    if (rejection->schema_id != SCHEMA_ID_NONE) {
        put_number_header(headers, "schema_id", rejection->schema_id);
    }
    if (rejection->serial > 0) {
        buffer_clear(&text);
        buffer_printf(&text, "%s %" PRId32 " %" PRIu64 " %" PRId64, rejection->topic,
                record->partition, rejection->serial, record->offset);
        headers_put(headers, "rw-position", buffer_span(&text));
    }
    buffer_fini(&text);
}
