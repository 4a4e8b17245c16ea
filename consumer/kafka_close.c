/* kafka_close.c - how a consumer leaves its group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka_internal.h"
#include "consumer/log.h"

#define FIRST_ASSIGNMENT_WAIT_MS 3000
#define CLOSE_WAIT_MS 10000
#define POLL_MS 100
#define FIXED_VERSION 0x02030000 /* of librdkafka */

static int64_t
now_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock);
}

/*
 * Before 2.3.0 rd_kafka_destroy() aborts for a member of a cooperative group that has not had its
 * first assignment yet. So wait for it a little; without it the client stays until the process
 * ends, which is next.
 *
 * Source: librdkafka issue 4312.
 */
static bool
may_destroy(rd_kafka_t *rk, const struct clock *clock, const bool *joined, bool waits)
{
    const int64_t until = now_ms(clock) + FIRST_ASSIGNMENT_WAIT_MS;

    while (waits && rd_kafka_version() < FIXED_VERSION && !*joined && now_ms(clock) < until) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, POLL_MS);

        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
    return rd_kafka_version() >= FIXED_VERSION || *joined;
}

/* What rd_kafka_consumer_close() does, with a limit of time. */
static bool
leave_group(rd_kafka_t *rk, const struct clock *clock)
{
    const int64_t until = now_ms(clock) + CLOSE_WAIT_MS;
    rd_kafka_queue_t *events = rd_kafka_queue_new(rk);

    rd_kafka_error_destroy(rd_kafka_consumer_close_queue(rk, events));
    while (rd_kafka_consumer_closed(rk) == 0 && now_ms(clock) < until) {
        rd_kafka_message_t *message = NULL;

        /* Not rd_kafka_queue_poll_callback(): it aborts over a record that is still queued. */
        if (rd_kafka_consume_batch_queue(events, POLL_MS, &message, 1) == 1) {
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_queue_destroy(events);
    return rd_kafka_consumer_closed(rk) != 0;
}

void
kafka_consumer_close(rd_kafka_t *rk, const struct clock *clock, const bool *joined, bool waits)
{
    const bool destroy = may_destroy(rk, clock, joined, waits);
    const bool left = leave_group(rk, clock);

    if (destroy && left) {
        rd_kafka_destroy(rk);
    } else {
        log_debug(
                "close", "joined=%s left=%s", destroy ? "true" : "false", left ? "true" : "false");
    }
}
