#!/usr/bin/env python3
"""All benches one after the other, and of what they measured one table, as text and as JSON.

    table.py [--quick] [--only BENCH...] [--output FILE] [options of pipeline.py]

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
PROGRAMS = Path("build/release/tests")

# bench → the command and what --quick adds to or takes instead of its defaults.
BENCHES = {
    "decode": ([PROGRAMS / "bench_decode"], []),
    "apply": ([PROGRAMS / "bench_apply"], ["200000"]),
    "store": ([PROGRAMS / "bench_store"], ["0.1"]),
    "pipeline": (["pipeline.py", "--null-consumer", PROGRAMS / "null_consumer"],
                 ["--events", "300000", "--pairs", "1"]),
    "latency": (["latency.py"], ["--rounds", "1", "--seconds", "10"]),
    "restart": (["restart.py", "--fill", PROGRAMS / "fill"],
                ["--series", "50000", "--starts", "1"]),
    "takeover": (["takeover.py", "--fill", PROGRAMS / "fill"],
                 ["--series", "20000", "--kills", "1"]),
    "scale": (["scale.py"], ["--events", "200000", "--rounds", "1"]),
}
PIPELINE = ["--events", "4000000", "--pairs", "5"]


def first_line(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return "none"


def machine():
    """What must be known to compare figures of two runs."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
            "load": os.getloadavg()[0], "redis": first_line("redis-server", "--version"),
            "java": first_line("java", "-version"),
            "commit": first_line("git", "describe", "--always", "--dirty"),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def run(name, quick, options, path):
    """The bench's own text goes to standard error: standard output is for the table."""
    command, fewer = BENCHES[name]
    if str(command[0]).endswith(".py"):
        command = [sys.executable, HERE / command[0], *command[1:]]
    defaults = PIPELINE if name == "pipeline" and not quick else []
    environment = {**os.environ, "BENCH_ROWS": path, "PYTHONPATH": str(SUPPORT),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    print(f"# {name}", file=sys.stderr, flush=True)
    return subprocess.run([*command, *(fewer if quick else defaults), *options],
                          env=environment, stdout=sys.stderr).returncode == 0


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def target(row):
    if "at_most" in row:
        reached = row["value"] <= row["at_most"]
        return f"<= {number(row['at_most'])} {'yes' if reached else 'NO'}"
    if "at_least" in row:
        reached = row["value"] >= row["at_least"]
        return f">= {number(row['at_least'])} {'yes' if reached else 'NO'}"
    return ""


def table(rows):
    lines = [("bench", "what", "value", "unit", "to reach", "CPU s", "Redis", "broker",
              "peak MiB")]
    for row in rows:
        lines.append((row["bench"], row["what"], number(row["value"]), row["unit"], target(row),
                      *(number(row.get(name)) for name in
                        ("service_cpu_s", "redis_cpu_s", "broker_cpu_s", "peak_mib"))))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.rjust(width) if column in (2, 5, 6, 7, 8) else cell.ljust(width)
                        for column, (cell, width) in enumerate(zip(line, widths))).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little of everything: it works")
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--output", default="build/bench.json", help="the table as JSON")
    arguments, options = parser.parse_known_args()
    about, failed = machine(), []
    with tempfile.NamedTemporaryFile("r") as file:
        for name in arguments.only:
            if not run(name, arguments.quick, options if name == "pipeline" else [], file.name):
                failed.append(name)
        rows = [json.loads(line) for line in open(file.name)]
    Path(arguments.output).parent.mkdir(parents=True, exist_ok=True)
    Path(arguments.output).write_text(json.dumps(
        {"machine": about, "quick": arguments.quick, "failed": failed, "rows": rows}, indent=1))
    print(f"{about['cpu']}, {about['cores']} cores, {about['memory_mib']:,} MiB, Linux "
          f"{about['kernel']}, load {about['load']:.1f} before, commit {about['commit']}")
    table(rows)
    print(f"JSON: {arguments.output}" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
