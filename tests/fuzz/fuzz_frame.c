/* fuzz_frame.c - any bytes as a frame: never a body outside the input.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/frame.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(enum status status, struct span value, struct span body, size_t header,
        const struct error *error)
{
    if (status == STATUS_OK) {
        assert(body.data == value.data + header);
        assert(body.size + header == value.size);
    } else {
        assert(status == STATUS_MALFORMED);
        assert(error->status == STATUS_MALFORMED && error->text[0] != '\0');
        assert(body.data == NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span value = {data, size};
    struct span body = SPAN_NULL;
    struct error error = {0};
    uint32_t id = 0;
    uint64_t fingerprint = 0;
    enum status status = frame_split_confluent(value, &id, &body, &error);

    check(status, value, body, FRAME_CONFLUENT_SIZE, &error);
    body = SPAN_NULL;
    status = frame_split_single(value, &fingerprint, &body, &error);
    check(status, value, body, FRAME_SINGLE_SIZE, &error);
    return 0;
}
