/* child.c - other programs, started by a command and ended with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/child.h"

#include "consumer/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_EVERY_MS 20
#define EXIT_NOT_STARTED 127

/* Between fork and exec: only what is safe after a signal. False: errno says why. */
static bool
prepare(const struct child_options *options, pid_t parent)
{
    const int input = open("/dev/null", O_RDONLY);
    const int output = options->log_path != NULL
                               ? open(options->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600)
                               : STDOUT_FILENO;

    if (input < 0 || output < 0 || dup2(input, STDIN_FILENO) < 0) {
        return false;
    }
    if (options->log_path != NULL &&
            (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)) {
        return false;
    }
    setsid();
    if (!options->stays) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(EXIT_NOT_STARTED); /* the parent ended before it could be seen ending */
        }
    }
    /* Our connections are not its. An older kernel leaves them open, which hurts nobody. */
    close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    return true;
}

static void become(const struct child_options *options, pid_t parent, int tell)
        __attribute__((noreturn));

static void
become(const struct child_options *options, pid_t parent, int tell)
{
    int problem = 0;

    if (prepare(options, parent)) {
        /* exec takes what it does not change as char *const *. */
        execvp(options->program, (char *const *)(uintptr_t)options->argv);
    }
    problem = errno;
    if (write(tell, &problem, sizeof(problem)) < 0) {
        _exit(EXIT_NOT_STARTED); /* nobody listens any more */
    }
    _exit(EXIT_NOT_STARTED);
}

enum status
child_start(const struct child_options *options, struct child *child, struct error *error)
{
    const pid_t parent = getpid();
    int problem = 0;
    int ends[2];

    /* A successful exec closes the pipe; else what went wrong comes through it. */
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set(error, STATUS_FAILED, "cannot start %s: %m", options->program);
    }
    const pid_t pid = fork();

    if (pid == 0) {
        become(options, parent, ends[1]);
    }
    problem = pid < 0 ? errno : 0;
    close(ends[1]);
    while (pid > 0 && read(ends[0], &problem, sizeof(problem)) < 0 && errno == EINTR) {
    }
    close(ends[0]);
    if (problem == 0) {
        *child = (struct child){.pid = pid};
        return STATUS_OK;
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return error_set(error, STATUS_FAILED, "cannot start %s: %s", options->program,
            problem == ENOENT ? "it is not in PATH" : strerror(problem));
}

bool
child_ended(struct child *child)
{
    int how = 0;

    if (child->pid != 0 && waitpid(child->pid, &how, WNOHANG) == child->pid) {
        child->code = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
        child->pid = 0;
    }
    return child->pid == 0;
}

int
child_end(struct child *child, int64_t timeout_ms)
{
    const int64_t limit_ms = clock_system.monotonic_ms(&clock_system) + timeout_ms;
    bool killed = false;

    if (!child_ended(child)) {
        kill(child->pid, SIGTERM);
    }
    while (!child_ended(child)) {
        if (!killed && clock_system.monotonic_ms(&clock_system) >= limit_ms) {
            killed = kill(child->pid, SIGKILL) == 0;
        }
        clock_system.sleep_ms(&clock_system, LOOK_EVERY_MS);
    }
    return child->code;
}
