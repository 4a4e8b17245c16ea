/* decisions_kafka.c - the decisions topic, read whole and then followed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/decision_feed.h"
#include "consumer/kafka.h"
#include "consumer/log.h"
#include "consumer/topic_reader.h"

#include <inttypes.h>
#include <stdlib.h>

struct decisions_kafka {
    struct decision_feed base;
    const struct config *config;
    struct topic_reader *reader;
    struct decisions *decisions; /* where records go while they are read */
    struct arena arena;
};

/* A record that is no decision is told here, once for each instance, and nothing else is done. */
static enum status
visit(void *context, const struct topic_record *record, struct error *error)
{
    struct decisions_kafka *feed = context;
    const struct decision_record decision = {
            .topic = record->topic,
            .partition = record->partition,
            .offset = record->offset,
            .timestamp_ms = record->timestamp_ms,
            .value = record->value,
    };

    if (decision_accept(feed->decisions, &feed->config->rule, &decision, &feed->arena, error) !=
            STATUS_OK) {
        log_warn("decision", "topic=%s partition=%" PRId32 " offset=%" PRId64 " error=\"%s\"",
                record->topic, record->partition, record->offset, error->text);
    }
    arena_reset(&feed->arena);
    return STATUS_OK;
}

static enum status
read_to_end(struct decision_feed *base, struct decisions *decisions, struct error *error)
{
    struct decisions_kafka *feed = (struct decisions_kafka *)base;

    feed->decisions = decisions;
    return topic_reader_to_end(feed->reader, visit, feed, error);
}

/* What is missed while the broker is away is read when it is back. */
static enum status
read_new(struct decision_feed *base, struct decisions *decisions, struct error *error)
{
    struct decisions_kafka *feed = (struct decisions_kafka *)base;

    feed->decisions = decisions;
    return topic_reader_new_records(feed->reader, 0, visit, feed, error);
}

static void
feed_destroy(struct decision_feed *base)
{
    struct decisions_kafka *feed = (struct decisions_kafka *)base;

    topic_reader_destroy(feed->reader);
    arena_fini(&feed->arena);
    free(feed);
}

static const struct decision_feed_ops feed_ops = {
        .read_to_end = read_to_end, .read_new = read_new, .destroy = feed_destroy};

enum status
decisions_kafka_new(const struct config *config, const struct clock *clock,
        struct decision_feed **out, struct error *error)
{
    struct decisions_kafka *feed = memory_new(1, sizeof(*feed));
    enum status status;

    feed->base.ops = &feed_ops;
    feed->config = config;
    arena_init(&feed->arena);
    status = topic_reader_new(config, clock, config->topics.decisions, &feed->reader, error);
    if (status == STATUS_OK) {
        *out = &feed->base;
    } else {
        feed_destroy(&feed->base);
    }
    return status;
}
