"""What the benches in Python share: rows of the one table, CPU time and memory of processes.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import statistics

TICKS = os.sysconf("SC_CLK_TCK")
EXTRAS = ("service_cpu_s", "redis_cpu_s", "broker_cpu_s", "peak_mib")


def add(bench, what, value, unit, at_most=None, at_least=None, **extras):
    """One figure; extras: what it took, by the names of EXTRAS. BENCH_ROWS names the file."""
    row = {"bench": bench, "what": what, "unit": unit, "value": float(f"{value:.6g}")}
    row.update({"at_most": at_most} if at_most is not None else {})
    row.update({"at_least": at_least} if at_least is not None else {})
    row.update({name: round(extras[name], 3) for name in EXTRAS if extras.get(name) is not None})
    if "BENCH_ROWS" in os.environ:
        with open(os.environ["BENCH_ROWS"], "a") as file:
            file.write(json.dumps(row) + "\n")
    return row


def median(rows, field):
    return statistics.median(row[field] for row in rows)


def percentile(sorted_values, share):
    """Of what was measured, no interpolation: the least value that so many do not exceed."""
    at = -(-len(sorted_values) * share // 1) - 1
    return sorted_values[max(0, min(len(sorted_values) - 1, int(at)))]


def cpu_seconds(pid):
    """User and system time of a process and its threads."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid, field="VmHWM"):
    """VmHWM: the peak; VmRSS: now."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


def server_pid(server):
    return int((server.dir / "pid").read_text())


class Meter:
    """CPU seconds of the service's instances, of Redis and of the broker apart, since start()."""

    def __init__(self, services, redis, broker):
        self.pids = {"service_cpu_s": [service.process.pid for service in services],
                     "redis_cpu_s": [server_pid(redis)], "broker_cpu_s": [server_pid(broker)]}
        self.begun = self.now()

    def now(self):
        return {name: sum(cpu_seconds(pid) for pid in pids) for name, pids in self.pids.items()}

    def start(self):
        self.begun = self.now()

    def since(self):
        return {name: used - self.begun[name] for name, used in self.now().items()}


def watch_longest(client):
    """From now on, Redis keeps how long the longest call of each command held it."""
    client.config_set("latency-tracking-info-percentiles", "100")
    client.config_resetstat()


def longest_command(client):
    """(milliseconds, name) of the longest call since watch_longest()."""
    calls = client.info("latencystats")
    return max(((float(value["p100"]) / 1000, name.removeprefix("latency_percentiles_usec_"))
                for name, value in calls.items()), default=(0, ""))


def backlog(bed, events, owners, span, compression="none"):
    """Fills the input topic before anybody reads it."""
    bed.command("generate", "--config", bed.path, "--events", str(events), "--owners", str(owners),
                "--zipf", "1.1", "--seed", "1", "--scenario", "calm", "--span", span, "--set",
                f"kafka.producer.compression.codec={compression}", timeout=900)
