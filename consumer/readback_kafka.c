/* readback_kafka.c - the reviews and rejected topics, with their rw-position headers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka.h"
#include "consumer/topic_reader.h"

#include <stdlib.h>

struct readback_kafka {
    struct readback base;
    const struct config *config;
    const struct clock *clock;
};

struct visitor {
    enum status (*visit)(
            void *context, struct span position, struct span value, struct error *error);
    void *context;
};

static enum status
visit_record(void *context, const struct topic_record *record, struct error *error)
{
    const struct visitor *visitor = context;
    const struct span position = topic_record_header(record, "rw-position");

    return position.data == NULL ? STATUS_OK
                                 : visitor->visit(visitor->context, position, record->value, error);
}

static enum status
read_topic(struct readback_kafka *readback, const char *topic, int64_t from_ms,
        struct visitor *visitor, struct error *error)
{
    struct topic_reader *reader = NULL;
    enum status status = topic_reader_new(readback->config, readback->clock, topic, &reader, error);

    if (status == STATUS_OK) {
        status = topic_reader_rewind(reader, from_ms, error);
    }
    if (status == STATUS_OK) {
        status = topic_reader_to_end(reader, visit_record, visitor, error);
    }
    topic_reader_destroy(reader);
    return status;
}

static enum status
readback_read(struct readback *base, int64_t from_ms,
        enum status (*visit)(
                void *context, struct span position, struct span value, struct error *error),
        void *context, struct error *error)
{
    struct readback_kafka *readback = (struct readback_kafka *)base;
    struct visitor visitor = {visit, context};
    enum status status =
            read_topic(readback, readback->config->topics.reviews, from_ms, &visitor, error);

    if (status == STATUS_OK) {
        status = read_topic(readback, readback->config->topics.rejected, from_ms, &visitor, error);
    }
    return status;
}

static void
readback_destroy(struct readback *base)
{
    free(base);
}

static const struct readback_ops readback_ops = {
        .read = readback_read, .destroy = readback_destroy};

struct readback *
readback_kafka_new(const struct config *config, const struct clock *clock)
{
    struct readback_kafka *readback = memory_new(1, sizeof(*readback));

    *readback = (struct readback_kafka){{&readback_ops}, config, clock};
    return &readback->base;
}
