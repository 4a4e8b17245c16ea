/* docs.c - the command docs: prints the pages that are made from the table of keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/commands/commands.h"

#include <string.h>

int
command_docs(int argc, char **argv)
{
    struct cli cli = {.name = "docs",
            .words = "config|example",
            .summary = "Prints docs/config.md or the example configuration.",
            .words_min = 1,
            .words_max = 1};
    const int code = cli_parse(&cli, argc, argv);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (strcmp(cli.word[0], "config") == 0) {
        config_print_docs(stdout);
    } else if (strcmp(cli.word[0], "example") == 0) {
        config_print_example(stdout);
    } else {
        fprintf(stderr, "retrywatch docs: allowed: config or example\n");
        return 2;
    }
    return 0;
}
