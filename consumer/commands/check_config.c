/* check_config.c - the command check-config: says what is wrong with the configuration.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/commands/commands.h"

int
command_check_config(int argc, char **argv)
{
    struct cli cli = {.name = "check-config",
            .summary = "Reads the configuration as `run` would, and says all that is wrong with "
                       "it.",
            .common = CLI_CONFIG};
    struct config *config = NULL;
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    printf("configuration ok, version %s\n", config->version);
    config_destroy(config);
    return 0;
}
