/* frame.c - Confluent and single-object frames.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/frame.h"

static struct span
after(struct span value, size_t size)
{
    return (struct span){value.data + size, value.size - size};
}

enum status
frame_split_confluent(
        struct span value, uint32_t *schema_id, struct span *body, struct error *error)
{
    if (value.size < FRAME_CONFLUENT_SIZE) {
        return error_set(error, STATUS_MALFORMED,
                "frame: %zu bytes, a Confluent frame has at least %d", value.size,
                FRAME_CONFLUENT_SIZE);
    }
    if (value.data[0] != 0) {
        return error_set(error, STATUS_MALFORMED,
                "frame: first byte is 0x%02x, a Confluent frame has 0x00; see input.format",
                value.data[0]);
    }
    *schema_id = (uint32_t)value.data[1] << 24 | (uint32_t)value.data[2] << 16 |
                 (uint32_t)value.data[3] << 8 | value.data[4];
    *body = after(value, FRAME_CONFLUENT_SIZE);
    return STATUS_OK;
}

enum status
frame_split_single(struct span value, uint64_t *fingerprint, struct span *body, struct error *error)
{
    if (value.size < FRAME_SINGLE_SIZE) {
        return error_set(error, STATUS_MALFORMED,
                "frame: %zu bytes, a single object has at least %d", value.size, FRAME_SINGLE_SIZE);
    }
    if (value.data[0] != 0xc3 || value.data[1] != 0x01) {
        return error_set(error, STATUS_MALFORMED,
                "frame: first bytes are 0x%02x%02x, a single object has 0xc301; see input.format",
                value.data[0], value.data[1]);
    }

    uint64_t number = 0;

    for (int i = 9; i >= 2; i--) {
        number = number << 8 | value.data[i];
    }
    *fingerprint = number;
    *body = after(value, FRAME_SINGLE_SIZE);
    return STATUS_OK;
}
