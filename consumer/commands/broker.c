/* broker.c - the command broker: librdkafka's development broker, kept running.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/commands/commands.h"
#include "consumer/kafka_mock.h"

#include <signal.h>
#include <stdio.h>

/* For scripts that wait for it: the file is there with its whole content, or not at all. */
static enum status
write_address(const char *path, const char *address, struct error *error)
{
    char temporary[4096];
    const int size = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    FILE *file = size < (int)sizeof(temporary) ? fopen(temporary, "w") : NULL;

    if (file == NULL) {
        return error_set(error, STATUS_FAILED, "cannot write %s: %m", path);
    }
    fprintf(file, "%s\n", address);
    if (fclose(file) != 0 || rename(temporary, path) != 0) {
        return error_set(error, STATUS_FAILED, "cannot write %s: %m", path);
    }
    return STATUS_OK;
}

static void
wait_for_end(const sigset_t *ends)
{
    int got = 0;

    while (sigwait(ends, &got) != 0) {
    }
}

int
command_broker(int argc, char **argv)
{
    const char *listen_file = "";
    const struct cli_option options[] = {
            {.name = "--listen-file",
                    .argument = "FILE",
                    .help = "Write host:port into this file once it listens",
                    .type = CLI_TEXT,
                    .value = &listen_file},
    };
    struct cli cli = {.name = "broker",
            .summary = "Runs librdkafka's development broker on a free port until SIGTERM. It is "
                       "for trying things\nout alone: it keeps a few MiB of each partition in "
                       "memory and has no working transactions,\nso the service needs `delivery: "
                       "at_least_once` with it.",
            .options = options,
            .option_count = 1};
    struct kafka_mock *mock = NULL;
    struct error error;
    sigset_t ends;
    int code = cli_parse(&cli, argc, argv);

    if (code != CLI_GO_ON) {
        return code;
    }
    /* Blocked before the broker's threads start, so that the signal is ours alone. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if (kafka_mock_new(&mock, &error) != STATUS_OK) {
        return cli_fail(&error);
    }
    printf("bootstrap.servers=%s\nFor development only: in memory, few MiB a partition, no "
           "transactions. Ends with Ctrl-C.\n",
            kafka_mock_address(mock));
    fflush(stdout);
    code = 0;
    if (listen_file[0] != '\0' &&
            write_address(listen_file, kafka_mock_address(mock), &error) != STATUS_OK) {
        code = cli_fail(&error);
    } else {
        wait_for_end(&ends);
    }
    kafka_mock_destroy(mock);
    return code;
}
