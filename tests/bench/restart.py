#!/usr/bin/env python3
"""What a large state costs: memory of the service and of Redis, and the time to start with it.

Series that are each seen in 8 minutes of the hour, ten to a group, groups with a day of half-hours.
The service counts them, is stopped, and is started again several times; memory is what the kernel
says of the whole process, with librdkafka's queues and all.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from datetime import datetime

import rows
from harness import BINARY, Bed, Server, check, die_with_parent, wait_until, \
    result as run_result
from pipeline import applied

SERIES, MIB, SECONDS = 1_000_000, 1024, 10  # the numbers to reach, for so many series


def fill(arguments, bed):
    done = subprocess.run([arguments.fill, bed.kafka, bed.topics["outcomes"], str(bed.partitions),
                           str(arguments.series)], check=True, stdout=subprocess.PIPE, text=True,
                          timeout=900, preexec_fn=die_with_parent)
    return int(done.stdout)


def count_all(bed, service, events):
    client = bed.redis.__class__.from_url(bed.redis_url)

    def counted():
        service.check_alive()
        return applied(client, bed) >= events
    wait_until(counted, 900, f"{events} events are counted")


def log_time(service, pattern, which):
    """When the log said so for the first or the last time, in seconds since the epoch."""
    times = re.findall(rf"^time=(\S+) .* at={pattern} ", service.log(), re.MULTILINE)
    return datetime.fromisoformat(times[which]).timestamp()


def start_again(bed, servers):
    """The seconds from exec to the last partition's first poll, and where they went."""
    began, mono = time.time(), time.monotonic()
    service = bed.service()
    meter = rows.Meter([service], *servers)
    meter.begun = {**meter.begun, "service_cpu_s": 0}
    wait_until(lambda: len(re.findall(" at=load ", service.log())) == bed.partitions, 120,
               "all partitions are loaded")
    used = meter.since()
    steps = {"start": log_time(service, "start", 0) - began,
             "join": log_time(service, "assigned", -1) - log_time(service, "start", 0),
             "load": log_time(service, "load", -1) - log_time(service, "assigned", -1)}
    seconds = log_time(service, "load", -1) - began
    check(seconds <= time.monotonic() - mono + 1, "the clock was set")
    memory = rows.memory_mib(service.process.pid, "VmRSS")
    service.stop(120)
    return {"seconds": seconds, "rss_mib": memory, **steps, **used}


def add_rows(arguments, counted_mib, redis_mib, starts):
    series = f"{arguments.series:,} series"
    seconds, rss = (statistics.median(one[name] for one in starts)
                    for name in ("seconds", "rss_mib"))
    at_most, at_most_s = (MIB, SECONDS) if arguments.series == SERIES else (None, None)
    rows.add("memory", f"{series}, service after counting them", counted_mib, "MiB",
             at_most=at_most)
    rows.add("memory", f"{series}, service after loading them", rss, "MiB", at_most=at_most)
    rows.add("memory", f"{series}, Redis", redis_mib, "MiB")
    rows.add("restart", f"{series}, until all are loaded", seconds, "s",
             at_most=at_most_s,
             **{name: statistics.median(one[name] for one in starts)
                for name in ("service_cpu_s", "redis_cpu_s", "broker_cpu_s")})
    for name in ("start", "join", "load"):
        rows.add("restart", f"{series}, of it: {name}", statistics.median(
            one[name] for one in starts), "s")
    print(f"memory: {series}: service {counted_mib:,.0f} MiB after counting, {rss:,.0f} MiB after "
          f"loading, Redis {redis_mib:,.0f} MiB")
    print(f"restart: {series}: {seconds:.1f} s; " + "; ".join(
        ", ".join(f"{name} {one[name]:.2f}" for name in
                  ("start", "join", "load", "service_cpu_s", "redis_cpu_s")) for one in starts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fill", required=True, help="path of the program that fills the topic")
    parser.add_argument("--series", type=int, default=SERIES)
    parser.add_argument("--starts", type=int, default=5)
    arguments = parser.parse_args()
    check(os.access(BINARY, os.X_OK), f"no binary at {BINARY}")
    servers = Server("redis"), Server("kafka")
    bed = Bed("restart", redis_url=servers[0].address, bootstrap=servers[1].address)
    print(f"# restart: writing events of {arguments.series:,} series", file=sys.stderr)
    service = bed.service()
    events = fill(arguments, bed)
    count_all(bed, service, events)
    counted_mib = rows.memory_mib(service.process.pid, "VmRSS")
    peak_mib = rows.memory_mib(service.process.pid)
    bed.wait_committed()
    service.stop(120)
    redis_mib = bed.redis.info("memory")["used_memory"] / 2**20
    print(f"# restart: {events:,} events counted, peak {peak_mib:,.0f} MiB", file=sys.stderr)
    add_rows(arguments, counted_mib, redis_mib,
             [start_again(bed, servers) for _ in range(arguments.starts)])
    run_result["passed"] = True


if __name__ == "__main__":
    main()
