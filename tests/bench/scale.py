#!/usr/bin/env python3
"""What an event costs as partitions, instances and owners grow: CPU time, in one run side by side.

On two cores more instances cannot be faster; what shows is that CPU time an event stays the same.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import sys

import rows
from harness import BINARY, Bed, Server, check, result as run_result
from pipeline import CPU, measure_service

GROWTH = 2  # an event of 1,000,000 owners may cost so many times what one of 10,000 does


def measure(arguments, servers, partitions, instances, owners):
    """The median of the rounds for each number of instances, over one topic."""
    bed = Bed(f"scale-{partitions}-{owners}", redis_url=servers[0].address,
              bootstrap=servers[1].address, partitions=partitions)
    rows.backlog(bed, arguments.events, owners, arguments.span)
    taken = {count: [] for count in instances}
    for number in range(arguments.rounds):
        for count in instances:
            taken[count].append(measure_service(bed, servers, arguments.events, number, count))
    return {count: {field: rows.median(each, field) for field in each[0]}
            for count, each in taken.items()}


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
    for partitions in arguments.partitions:
        instances = [count for count in arguments.partitions if count <= partitions]
        print(f"# scale: {partitions} partitions, instances {instances}", file=sys.stderr)
        for count, one in measure(arguments, servers, partitions, instances, 10_000).items():
            add_rows(f"{partitions} partitions, {count} instances", one)
    for owners in arguments.owners:
        print(f"# scale: {owners:,} owners", file=sys.stderr)
        one = measure(arguments, servers, 4, [1], owners)[1]
        costs[owners] = add_rows(f"4 partitions, {owners:,} owners", one)
    if {10_000, 1_000_000} <= costs.keys():
        times = costs[1_000_000] / costs[10_000]
        rows.add("scale", "1,000,000 owners against 10,000", times, "times", at_most=GROWTH)
        print(f"scale: an event of 1,000,000 owners costs {times:.2f} times one of 10,000")
    run_result["passed"] = True


if __name__ == "__main__":
    main()
