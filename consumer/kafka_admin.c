/* kafka_admin.c - what an operator's command asks a Kafka cluster about topics and groups.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/kafka_admin.h"

#include "consumer/kafka_internal.h"

#include <stdio.h>

#define ASK_MS 5000

struct asking {
    struct kafka_trouble trouble;
    rd_kafka_t *rk;
};

static enum status
asking_init(struct asking *asking, const struct config *config, struct error *error)
{
    static const struct kafka_setting ours[] = {
            {"isolation.level", "read_committed", "it is read_committed"},
            {"group.instance.id", NULL, "use `instance`"},
            {NULL, NULL, NULL},
    };
    rd_kafka_conf_t *conf = NULL;
    enum status status;

    *asking = (struct asking){0};
    status = kafka_conf_new(config, KAFKA_CONSUMER, NULL, ours, &asking->trouble, &conf, error);
    if (status == STATUS_OK) {
        kafka_conf_set(conf, "group.id", config->group); /* asked about, never joined */
        status = kafka_client_new(RD_KAFKA_CONSUMER, conf, &asking->rk, error);
    }
    return status;
}

static void
asking_fini(struct asking *asking)
{
    if (asking->rk != NULL) {
        rd_kafka_destroy(asking->rk);
    }
}

/* ---- settings of a topic ------------------------------------------------------------------- */

static enum status
read_setting(const struct asking *asking, const rd_kafka_ConfigResource_t *resource,
        const char *name, char value[KAFKA_SETTING_SIZE], struct error *error)
{
    const rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resource);
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failed(&asking->trouble, code, "describe a topic",
                rd_kafka_ConfigResource_error_string(resource), error);
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = rd_kafka_ConfigEntry_value(entries[i]);

        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0 && text != NULL) {
            snprintf(value, KAFKA_SETTING_SIZE, "%s", text);
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_REFUSED, "kafka %s: the broker does not tell %s of a topic",
            kafka_address(asking->trouble.config), name);
}

static enum status
describe(struct asking *asking, const char *topic, const char *name, char value[KAFKA_SETTING_SIZE],
        struct error *error)
{
    rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *answers = rd_kafka_queue_new(asking->rk);
    size_t count = 0;
    enum status status;

    rd_kafka_DescribeConfigs(asking->rk, &wanted, 1, NULL, answers);

    rd_kafka_event_t *event = rd_kafka_queue_poll(answers, ASK_MS);
    const rd_kafka_DescribeConfigs_result_t *result =
            event != NULL ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    const rd_kafka_ConfigResource_t **resources =
            result != NULL ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;

    if (count == 1) {
        status = read_setting(asking, resources[0], name, value, error);
    } else {
        status = kafka_failed(&asking->trouble,
                event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT,
                "describe a topic", NULL, error);
    }
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answers);
    rd_kafka_ConfigResource_destroy(wanted);
    return status;
}

enum status
kafka_topic_setting(const struct config *config, const char *topic, const char *name,
        char value[KAFKA_SETTING_SIZE], struct error *error)
{
    struct asking asking;
    enum status status = asking_init(&asking, config, error);

    if (status == STATUS_OK) {
        status = describe(&asking, topic, name, value, error);
    }
    asking_fini(&asking);
    return status;
}

/* ---- the group ----------------------------------------------------------------------------- */

static enum status
ask_committed(struct asking *asking, const struct config *config, int32_t partition,
        int64_t *committed, struct error *error)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *entry =
            rd_kafka_topic_partition_list_add(list, config->topics.outcomes, partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(asking->rk, list, ASK_MS);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = entry->err;
    }
    *committed = entry->offset >= 0 ? entry->offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? STATUS_OK
                                              : kafka_failed(&asking->trouble, code,
                                                        "ask for the group's offset", NULL, error);
}

static enum status
ask_members(struct asking *asking, const struct config *config, int *members, struct error *error)
{
    const struct rd_kafka_group_list *groups = NULL;
    const rd_kafka_resp_err_t code =
            rd_kafka_list_groups(asking->rk, config->group, &groups, ASK_MS);

    *members = 0;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failed(
                &asking->trouble, code, "ask for the members of the group", NULL, error);
    }
    for (int i = 0; i < groups->group_cnt; i++) {
        *members += groups->groups[i].member_cnt;
    }
    rd_kafka_group_list_destroy(groups);
    return STATUS_OK;
}

enum status
kafka_group_progress(const struct config *config, int32_t partition,
        struct kafka_progress *progress, struct error *error)
{
    struct kafka_progress found = {0};
    struct asking asking;
    enum status status = asking_init(&asking, config, error);

    if (status == STATUS_OK) {
        status = ask_committed(&asking, config, partition, &found.committed, error);
    }
    if (status == STATUS_OK) {
        status = ask_members(&asking, config, &found.members, error);
    }
    asking_fini(&asking);
    if (status == STATUS_OK) {
        *progress = found;
    }
    return status;
}
