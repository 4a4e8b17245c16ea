/* child.h - other programs, started by a command and ended with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_CHILD_H
#define RETRYWATCH_CONSUMER_CHILD_H

#include "aggregator/status.h"

#include <stdint.h>
#include <sys/types.h>

/* All zero is no child. */
struct child {
    pid_t pid; /* 0: none, or it has ended */
    int code;  /* once it has ended: its exit code, or 128 and the signal that ended it */
};

/* Borrowed while child_start() runs. */
struct child_options {
    const char *program;     /* a path, or a name that is looked for in PATH */
    const char *const *argv; /* ended by NULL; argv[0] is what it is called */
    const char *log_path;    /* takes its output and errors; NULL: they go where ours go */
    bool stays;              /* lives on when we end; else it is killed then, however we end */
};

/**
 * Start it, in a session of its own: Ctrl-C is for us, and we say when it ends.
 *
 * Errors: STATUS_FAILED: it is not there, or cannot be started; child untouched.
 */
enum status child_start(
        const struct child_options *options, struct child *child, struct error *error) MUST_CHECK;

/** Whether it has ended (or never begun); child->code says how. Does not wait. */
bool child_ended(struct child *child);

/** SIGTERM, and SIGKILL when that has not helped after timeout_ms. Returns child->code. */
int child_end(struct child *child, int64_t timeout_ms);

#endif
