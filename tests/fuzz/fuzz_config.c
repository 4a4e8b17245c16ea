/* fuzz_config.c - any bytes as a configuration: refused or read, and what is read reads back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_table.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
printed(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert(out != NULL);
    config_print(config, out);
    fclose(out);
    return text;
}

/* Secrets are not printed, so what they change may differ. */
static bool
has_secret(const struct config *config)
{
    bool secret = config->redis.password[0] != '\0' || config->schema.password[0] != '\0' ||
                  strstr(config->redis.url, "***") != NULL;

    for (size_t i = 0; i < config->kafka_count; i++) {
        secret = secret || config_kafka_is_secret(config->kafka[i].name) ||
                 config->kafka[i].file != NULL;
    }
    return secret;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_problems problems = {0};
    struct config *config = NULL;

    config_read(&(struct config_input){.name = "fuzz", .text = (const char *)data, .size = size},
            &config, &problems);
    if (problems.count == 0 && !has_secret(config)) {
        char *first = printed(config);
        struct config *again = NULL;

        config_read(&(struct config_input){.name = "again", .text = first, .size = strlen(first)},
                &again, &problems);
        char *second = printed(again);

        assert(problems.count == 0);
        assert(strcmp(first, second) == 0);
        config_destroy(again);
        free(first);
        free(second);
    }
    config_destroy(config);
    return 0;
}
