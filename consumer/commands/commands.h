/* commands.h - the commands of the program, a file each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_COMMANDS_COMMANDS_H
#define RETRYWATCH_CONSUMER_COMMANDS_COMMANDS_H

/* Each gets argv[0] = its own name and returns the exit code of the process: 0 done, 1 failed or
 * refused, 2 usage or configuration, 3 authentication. */
int command_run(int argc, char **argv);
int command_check_config(int argc, char **argv);
int command_smoke_test(int argc, char **argv);
int command_generate(int argc, char **argv);
int command_decide(int argc, char **argv);
int command_decisions(int argc, char **argv);
int command_owners(int argc, char **argv);
int command_owner(int argc, char **argv);
int command_reviews(int argc, char **argv);
int command_review(int argc, char **argv);
int command_rebuild(int argc, char **argv);
int command_broker(int argc, char **argv);
int command_notify(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_docs(int argc, char **argv);

#endif
