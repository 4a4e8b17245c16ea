/* fuzz_state.c - any bytes as a packed value of the state: refused, or read, and what is read
 * packs into the same value again. The first byte says which kind it is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/state.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decode bytes and pack what was read into out; false when they are refused. */
typedef bool repack(struct span bytes, struct buffer *out);

static bool
repack_applied(struct span bytes, struct buffer *out)
{
    struct applied applied;

    if (applied_decode(bytes, &applied, NULL) != STATUS_OK) {
        return false;
    }
    applied_encode(&applied, out);
    return true;
}

static bool
repack_dimensions(struct span bytes, struct buffer *out)
{
    struct span dimensions[DIM_COUNT];

    if (dimensions_decode(bytes, dimensions, NULL) != STATUS_OK) {
        return false;
    }
    dimensions_encode(dimensions, out);
    return true;
}

static bool
repack_review(struct span bytes, struct buffer *out)
{
    struct review review;
    struct evidence evidence;

    if (review_state_decode(bytes, &review, &evidence, NULL) != STATUS_OK) {
        return false;
    }
    review_state_encode(&review, &evidence, out);
    review_fini(&review);
    evidence_fini(&evidence);
    return true;
}

static bool
repack_pending(struct span bytes, struct buffer *out)
{
    struct pending pending;

    if (pending_decode(bytes, &pending, NULL) != STATUS_OK) {
        return false;
    }
    pending_encode(&pending, out);
    return true;
}

static bool
repack_cursor(struct span bytes, struct buffer *out)
{
    char text[CURSOR_TEXT_SIZE];
    char *copy = strndup((const char *)bytes.data, bytes.size);
    struct cursor cursor;
    const bool read = cursor_parse(copy, &cursor, NULL) == STATUS_OK;

    if (read) {
        cursor_format(&cursor, text);
        assert(strcmp(copy, text) == 0);
        buffer_put_text(out, text);
    }
    free(copy);
    return read;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static repack *const kinds[] = {
            repack_applied, repack_dimensions, repack_review, repack_pending, repack_cursor};
    struct buffer first = {0};
    struct buffer second = {0};

    if (size < 1) {
        return 0;
    }

    repack *const kind = kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))];

    /* A number may be written longer than need be; what we write is the shortest. */
    if (kind((struct span){data + 1, size - 1}, &first)) {
        assert(kind(buffer_span(&first), &second));
        assert(span_equal(buffer_span(&first), buffer_span(&second)));
    }
    buffer_fini(&first);
    buffer_fini(&second);
    return 0;
}
