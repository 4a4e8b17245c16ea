/* load_config.h - reads a configuration from texts, and keeps what was said about it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_LOAD_CONFIG_H
#define RETRYWATCH_TESTS_LOAD_CONFIG_H

#include "consumer/config_table.h"

#include <stdlib.h>

#define MORE 4

struct loaded {
    struct config *config;
    char *problems; /* what was written */
    size_t problem_count;
};

/* Reads one text, with up to MORE variables and --sets. */
static inline struct loaded
load(const char *text, const char *const *environment, const char *const *sets)
{
    struct loaded loaded = {0};
    size_t size = 0;
    struct config_problems problems = {.out = open_memstream(&loaded.problems, &size)};
    struct config_input input = {.name = "t.yaml",
            .text = text,
            .size = text != NULL ? strlen(text) : 0,
            .environment = environment,
            .sets = sets};

    while (sets != NULL && sets[input.set_count] != NULL) {
        input.set_count++;
    }
    config_read(&input, &loaded.config, &problems);
    fclose(problems.out);
    loaded.problem_count = problems.count;
    return loaded;
}

static inline void
unload(struct loaded *loaded)
{
    config_destroy(loaded->config);
    free(loaded->problems);
}

#endif
