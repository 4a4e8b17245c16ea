/* rebuild_readback.c - what was published, read once for all partitions of a rebuild.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/rebuild.h"

#include <stdlib.h>

/* rw-position headers and values lie in one buffer, one after the other. */
struct record_sizes {
    size_t position, value;
};

struct rebuild_readback {
    struct readback base;
    struct readback *inner;
    struct position_origin origin;
    bool is_read;
    struct buffer texts;
    struct record_sizes *sizes; /* sizes[count] */
    size_t count, capacity;
};

static enum status
keep(void *context, struct span position, struct span value, struct error *error)
{
    struct rebuild_readback *readback = context;

    (void)error;
    readback->sizes = memory_grow(
            readback->sizes, readback->count, &readback->capacity, sizeof(*readback->sizes));
    readback->sizes[readback->count++] = (struct record_sizes){position.size, value.size};
    buffer_put(&readback->texts, position.data, position.size);
    buffer_put(&readback->texts, value.data, value.size);
    return STATUS_OK;
}

static enum status
read_once(struct rebuild_readback *readback, struct error *error)
{
    if (readback->is_read) {
        return STATUS_OK;
    }
    readback->count = 0;
    buffer_clear(&readback->texts);

    const enum status status =
            readback->inner->ops->read(readback->inner, TIME_NULL, keep, readback, error);

    readback->is_read = status == STATUS_OK;
    return status;
}

static enum status
rebuild_read(struct readback *base, int64_t from_ms,
        enum status (*visit)(
                void *context, struct span position, struct span value, struct error *error),
        void *context, struct error *error)
{
    struct rebuild_readback *readback = (struct rebuild_readback *)base;
    enum status status = read_once(readback, error);
    size_t at = 0;

    (void)from_ms; /* whatever it is, all that is there may be wanted */
    for (size_t i = 0; i < readback->count && status == STATUS_OK; i++) {
        const struct record_sizes *sizes = &readback->sizes[i];
        const uint8_t *bytes = readback->texts.data + at;

        status = visit(context, (struct span){bytes, sizes->position},
                (struct span){bytes + sizes->position, sizes->value}, error);
        at += sizes->position + sizes->value;
    }
    return status;
}

static void
rebuild_readback_destroy(struct readback *base)
{
    struct rebuild_readback *readback = (struct rebuild_readback *)base;

    buffer_fini(&readback->texts);
    free(readback->sizes);
    free(readback);
}

static const struct readback_ops rebuild_readback_ops = {
        .read = rebuild_read, .destroy = rebuild_readback_destroy};

struct readback *
rebuild_readback_new(struct readback *inner, const struct position_origin *origin)
{
    struct rebuild_readback *readback = memory_new(1, sizeof(*readback));

    readback->base.ops = &rebuild_readback_ops;
    readback->inner = inner;
    readback->origin = *origin;
    return &readback->base;
}

/* ---- the last of a partition ----------------------------------------------------------------- */

struct last {
    const struct position_origin *origin;
    int32_t partition;
    uint64_t most, serial;
    int64_t offset;
};

static enum status
visit_last(void *context, struct span position, struct span value, struct error *error)
{
    struct last *last = context;
    struct position_header header = {0};
    bool ours = false;
    const enum status status = position_parse(position, last->origin, &header, &ours, error);

    (void)value;
    if (status == STATUS_OK && ours) {
        if (header.partition == last->partition && header.serial <= last->most &&
                header.serial >= last->serial) {
            last->serial = header.serial;
            last->offset = header.is_review ? header.offset : header.offset + 1;
        }
        position_header_fini(&header);
    }
    return status;
}

enum status
rebuild_readback_last(struct readback *readback, int32_t partition, uint64_t most, uint64_t *serial,
        int64_t *offset, struct error *error)
{
    const struct rebuild_readback *kept = (const struct rebuild_readback *)readback;
    struct last last = {.origin = &kept->origin, .partition = partition, .most = most};
    const enum status status = rebuild_read(readback, TIME_NULL, visit_last, &last, error);

    if (status == STATUS_OK) {
        *serial = last.serial;
        *offset = last.offset;
    }
    return status;
}
