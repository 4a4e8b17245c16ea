/* kafka_property.h - whether librdkafka knows a property and takes its value.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_KAFKA_PROPERTY_H
#define RETRYWATCH_CONSUMER_KAFKA_PROPERTY_H

#include "aggregator/status.h"

/**
 * Try one property on a configuration that is thrown away.
 *
 * secret: the text of an error must not repeat the value.
 * Errors: STATUS_BAD_CONFIG with what librdkafka says.
 */
enum status kafka_property_check(
        const char *name, const char *value, bool secret, struct error *error) MUST_CHECK;

/** Write the nearest known name to found; false when none is near. */
#define KAFKA_PROPERTY_NAME_SIZE 96
bool kafka_property_nearest(const char *name, char found[KAFKA_PROPERTY_NAME_SIZE]);

#endif
