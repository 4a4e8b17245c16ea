/* check_config.c - the command check-config: says what is wrong with the configuration, and with
 * --connect also what cannot be reached with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/commands/commands.h"
#include "consumer/config_table.h"
#include "consumer/file.h"
#include "consumer/kafka.h"
#include "consumer/registry.h"
#include "consumer/store_redis.h"

#include "codec/decoder.h"

#include <stdlib.h>

#define CONNECT_TIMEOUT_MS 3000
#define SCHEMA_SIZE_MAX ((size_t)1 << 20)

/* The worst of several checks decides: refused credentials before everything else. */
static int
worse(int a, int b)
{
    return a > b ? a : b;
}

/* `schema.outcome` must be a schema that events can be read with. */
static int
check_schema(const struct config *config)
{
    struct decoder_options options = {
            .format = config->input.format, .record_bytes_max = (size_t)config->record_bytes};
    struct decoder *decoder = NULL;
    struct error error = {0};
    char *text = NULL;
    size_t size = 0;
    int code = 0;

    if (config->schema.outcome[0] == '\0') {
        return 0;
    }
    enum status status = file_read(config->schema.outcome, SCHEMA_SIZE_MAX, &text, &size, &error);

    if (status == STATUS_OK) {
        options.writer_schema = text;
        status = decoder_new(&options, &decoder, &error);
    }
    if (status != STATUS_OK) {
        fprintf(stderr, "schema.outcome: ");
        cli_fail(&error);
        code = status_exit_code(STATUS_BAD_CONFIG);
    }
    decoder_destroy(decoder);
    free(text);
    return code;
}

static int
check_kafka(const struct config *config, struct kafka_facts *facts)
{
    struct error error = {0};

    if (kafka_check(config, false, CONNECT_TIMEOUT_MS, facts, &error) != STATUS_OK) {
        return cli_fail(&error);
    }
    printf("kafka %s: ok, cluster %s, %d partitions of %s\n",
            config_kafka(config, KAFKA_ALL, "bootstrap.servers"),
            facts->cluster_id[0] != '\0' ? facts->cluster_id : "without an id",
            (int)facts->partition_count, config->topics.outcomes);
    return 0;
}

/* Whether the state in Redis is that of this topic can be told only when Kafka has answered. */
static int
check_redis(const struct config *config, const struct kafka_facts *facts)
{
    const struct store_meta meta = {
            .cluster_id = facts->cluster_id,
            .topic = config->topics.outcomes,
            .partition_count = facts->partition_count,
            .group = config->group,
            .layout = config->layout,
    };
    struct store *store = store_redis_new(config);
    struct error error = {0};
    int code = 0;

    if ((facts->partition_count != 0 ? store_redis_look(store, &meta, &error)
                                     : store_redis_reach(store, &error)) != STATUS_OK) {
        code = cli_fail(&error);
    } else {
        char *url = config_url_masked(config->redis.url);

        printf("redis %s: ok\n", url);
        free(url);
    }
    store->ops->destroy(store);
    return code;
}

static int
check_registry(const struct config *config)
{
    struct registry *registry = NULL;
    struct error error = {0};
    int code = 0;

    if (config->schema.registry[0] == '\0') {
        return 0;
    }
    registry = registry_new(config, &clock_system);
    if (registry_check(registry, &error) != STATUS_OK) {
        code = cli_fail(&error);
    } else {
        char *url = config_url_masked(config->schema.registry);

        printf("registry %s: ok\n", url);
        free(url);
    }
    registry_destroy(registry);
    return code;
}

int
command_check_config(int argc, char **argv)
{
    bool connect = false;
    const struct cli_option options[] = {{.name = "--connect",
            .type = CLI_FLAG,
            .value = &connect,
            .help = "Also ask Kafka, Redis and the schema registry; changes nothing there"}};
    struct cli cli = {.name = "check-config",
            .summary = "Reads the configuration as `run` would, and says all that is wrong with "
                       "it.",
            .options = options,
            .option_count = 1,
            .common = CLI_CONFIG};
    struct kafka_facts facts = {0};
    struct config *config = NULL;
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    code = check_schema(config);
    if (code == 0) {
        printf("configuration ok, version %s\n", config->version);
    }
    if (code == 0 && connect) {
        log_init(LOG_ERROR, config->log.format); /* what matters is told in the end */
        code = worse(code, check_kafka(config, &facts));
        code = worse(code, check_redis(config, &facts));
        code = worse(code, check_registry(config));
    }
    config_destroy(config);
    return code;
}
