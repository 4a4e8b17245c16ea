#!/usr/bin/env python3
"""What an event costs as partitions, instances and owners grow: CPU time, in one run side by side.

On two cores more instances cannot be faster; what shows is that CPU time an event stays the same.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import signal
import sys
import time

import rows
from harness import BINARY, Bed, Server, check, result as run_result
from pipeline import CPU, follow, start_instances

SETTLE_S = 2  # after every instance has loaded something: the group is balanced
GROWTH = 2  # an event of 1,000,000 owners may cost so many times what one of 10,000 does


def measure_once(arguments, servers, partitions, instances, owners):
    """The instances share the partitions first; then they stand still until there is a backlog."""
    bed = Bed(f"scale-{partitions}-{instances}", redis_url=servers[0].address,
              bootstrap=servers[1].address, partitions=partitions)
    services = start_instances(bed, 0, instances)
    for service in services:
        service.wait_log(" at=load ", 60)
    time.sleep(SETTLE_S)
    for service in services:
        service.process.send_signal(signal.SIGSTOP)
    rows.backlog(bed, arguments.events, owners, arguments.span)
    for service in services:
        service.process.send_signal(signal.SIGCONT)
    return follow(bed, servers, services, arguments.events)


def measure(arguments, servers, cases):
    """The median of the rounds of each case, taken in turns."""
    taken = {case: [] for case in cases}
    for _ in range(arguments.rounds):
        for case in cases:
            taken[case].append(measure_once(arguments, servers, *case))
    return {case: {field: rows.median(each, field) for field in each[0]}
            for case, each in taken.items()}


def add_rows(what, one):
    cost_us = 1e6 / one["events_per_cpu_second"]
    extras = {"peak_mib": one["peak_mib"], **{name: one[name] for name in CPU}}
    rows.add("scale", what, one["events_per_second"], "events/s", **extras)
    rows.add("scale", f"{what}, CPU of the service", cost_us, "us/event", **extras)
    print(f"scale: {what}: {one['events_per_second']:,.0f} events/s, {cost_us:.2f} us an event; "
          "CPU s: " + ", ".join(f"{name.split('_')[0]} {one[name]:.2f}" for name in CPU)
          + f"; {one['peak_mib']:.0f} MiB", flush=True)
    return cost_us


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--span", default="10m", help="of event time: how long the backlog grew")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--partitions", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--owners", type=int, nargs="+", default=[1_000, 10_000, 1_000_000])
    arguments = parser.parse_args()
    check(os.access(BINARY, os.X_OK), f"no binary at {BINARY}")
    servers, costs = (Server("redis"), Server("kafka")), {}
    cases = [(partitions, instances, 10_000) for partitions in arguments.partitions
             for instances in arguments.partitions if instances <= partitions]
    print(f"# scale: {len(cases)} cases of partitions and instances", file=sys.stderr)
    for (partitions, instances, _), one in measure(arguments, servers, cases).items():
        add_rows(f"{partitions} partitions, {instances} instances", one)
    print(f"# scale: owners {arguments.owners}", file=sys.stderr)
    grown = measure(arguments, servers, [(4, 1, owners) for owners in arguments.owners])
    for (_, _, owners), one in grown.items():
        costs[owners] = add_rows(f"4 partitions, {owners:,} owners", one)
    if {10_000, 1_000_000} <= costs.keys():
        times = costs[1_000_000] / costs[10_000]
        rows.add("scale", "1,000,000 owners against 10,000", times, "times", at_most=GROWTH)
        print(f"scale: an event of 1,000,000 owners costs {times:.2f} times one of 10,000")
    run_result["passed"] = True


if __name__ == "__main__":
    main()
