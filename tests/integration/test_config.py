"""A wrong configuration: every error at once, with its line, its key, and what is allowed.

SPDX-License-Identifier: Apache-2.0
"""
import subprocess

from harness import BINARY, check, equal, run, temporary

WRONG = """\
group: retrywatch
delivery: sometimes
redis:
  url: localhost
  prefx: rw
batch:
  max_events: many
  linger: 5 parsecs
review:
  group_by: [environment, colour]
colour: red
"""


def all_errors_at_once():
    path = temporary("config") / "wrong.yaml"
    path.write_text(WRONG)
    for command in ("check-config", "run"):
        done = subprocess.run([BINARY, command, "--config", path], stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, timeout=20)
        equal(done.returncode, 2, f"exit code of {command}: {done.stderr}")
        for line, word in ((2, "delivery"), (4, "redis.url"), (5, "prefx"), (7, "max_events"),
                           (8, "linger"), (10, "colour"), (11, "colour")):
            check(any(f":{line}" in said and word in said for said in done.stderr.splitlines()),
                  f"{command}: no error of line {line} that names {word}:\n{done.stderr}")
        check("at_least_once" in done.stderr, "what is allowed", done.stderr)


def a_file_that_is_not_there_or_not_yaml():
    folder = temporary("config")
    broken = folder / "broken.yaml"
    broken.write_text("group: [\n")
    for path in (folder / "missing.yaml", broken):
        done = subprocess.run([BINARY, "check-config", "--config", path], stderr=subprocess.PIPE,
                              text=True, timeout=20)
        equal(done.returncode, 2, f"exit code: {done.stderr}")
        check(path.name in done.stderr, "the file is named", done.stderr)


run([all_errors_at_once, a_file_that_is_not_there_or_not_yaml])
