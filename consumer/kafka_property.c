/* kafka_property.c - whether librdkafka knows a property and takes its value.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka_property.h"

#include "consumer/nearest.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

enum status
kafka_property_check(const char *name, const char *value, bool secret, struct error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256] = "";
    const rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof(text));

    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        return error_set(error, STATUS_BAD_CONFIG, "librdkafka %s has no such property",
                rd_kafka_version_str());
    }
    if (result != RD_KAFKA_CONF_OK) {
        return error_set(error, STATUS_BAD_CONFIG, "%s",
                secret ? "librdkafka does not take this value" : text);
    }
    return STATUS_OK;
}

bool
kafka_property_nearest(const char *name, char found[KAFKA_PROPERTY_NAME_SIZE])
{
    /* librdkafka lists only those that have a value. */
    static const char *const unset[] = {"bootstrap.servers", "sasl.username", "sasl.password",
            "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.key.password"};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct nearest nearest = {.word = name};
    size_t count = 0;
    const char **pairs = rd_kafka_conf_dump(conf, &count);

    for (size_t i = 0; i + 1 < count; i += 2) {
        nearest_offer(&nearest, pairs[i]);
    }
    for (size_t i = 0; i < sizeof(unset) / sizeof(unset[0]); i++) {
        nearest_offer(&nearest, unset[i]);
    }
    snprintf(found, KAFKA_PROPERTY_NAME_SIZE, "%s", nearest.found != NULL ? nearest.found : "");
    rd_kafka_conf_dump_free(pairs, count);
    rd_kafka_conf_destroy(conf);
    return found[0] != '\0';
}
