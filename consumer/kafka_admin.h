/* kafka_admin.h - what an operator's command asks a Kafka cluster about topics and groups.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_KAFKA_ADMIN_H
#define RETRYWATCH_CONSUMER_KAFKA_ADMIN_H

#include "consumer/config.h"

#define KAFKA_SETTING_SIZE 128

/**
 * One setting of a topic, such as cleanup.policy, as the broker applies it.
 *
 * Errors: STATUS_BROKER_DOWN, STATUS_AUTH (no DescribeConfigs), STATUS_REFUSED (no such topic, no
 * such setting, a broker that does not tell).
 */
enum status kafka_topic_setting(const struct config *config, const char *topic, const char *name,
        char value[KAFKA_SETTING_SIZE], struct error *error) MUST_CHECK;

/* How far the service has got in one partition of the input. */
struct kafka_progress {
    int64_t committed; /* the next record to count; -1: nothing was ever committed */
    int members;       /* instances in the group now */
};

/** Errors: STATUS_BROKER_DOWN, STATUS_AUTH, STATUS_REFUSED. */
enum status kafka_group_progress(const struct config *config, int32_t partition,
        struct kafka_progress *progress, struct error *error) MUST_CHECK;

#endif
