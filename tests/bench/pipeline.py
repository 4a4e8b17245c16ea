#!/usr/bin/env python3
"""The whole pipeline on a real Kafka and Redis, beside a consumer that only counts messages.

Both read the same topic in the same run, one after the other, several times; what is compared are
the medians of the pairs. The clock runs from the first events seen to the last, so that starting
and joining the group is in neither.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import uuid

import redis

from harness import BINARY, Bed, Server, check, die_with_parent, result as run_result

TICKS = os.sysconf("SC_CLK_TCK")


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def applied(client, bed):
    """How many records the state has got over: the first number of each `applied`."""
    keys = [f"{bed.prefix}:{{{bed.topics['outcomes']}:{p}}}:applied" for p in range(bed.partitions)]
    total = 0
    for value in client.mget(keys):
        if value is not None:
            number, _ = varint(value, 1)
            total += (number >> 1) ^ -(number & 1)
    return total


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def measure_service(bed, count, number):
    """One fresh group and prefix over the whole topic."""
    bed.prefix = f"rw-{uuid.uuid4().hex[:8]}"
    config = {**bed.config, "group": f"bench-{uuid.uuid4().hex[:8]}",
              "redis": {"url": bed.redis_url, "prefix": bed.prefix}}
    service = bed.service(config=bed.write_config(config, f"run-{number}.yaml"))
    client, begin, end = redis.Redis.from_url(bed.redis_url), None, time.monotonic() + 600
    while True:
        seen = applied(client, bed)
        now, used = time.monotonic(), cpu_seconds(service.process.pid)
        if begin is None and seen > 0:
            begin = (now, used, seen)
        if seen >= count:
            break
        service.check_alive()
        check(now < end, f"only {seen} of {count} events after 600 s")
        time.sleep(0.01)
    peak = peak_mib(service.process.pid)
    service.stop()
    client.flushdb()
    events = count - begin[2]
    check(events > 0, "all events came in one batch: take more of them")
    return {"events_per_second": events / (now - begin[0]),
            "events_per_cpu_second": events / max(used - begin[1], 1 / TICKS),
            "cpu_seconds": used - begin[1], "seconds": now - begin[0], "peak_mib": peak}


def measure_null(program, bed, count):
    done = subprocess.run([program, bed.kafka, bed.topics["outcomes"], str(count)], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=600,
                          preexec_fn=die_with_parent)
    return json.loads(done.stdout)


def median(rows, field):
    return statistics.median(row[field] for row in rows)


def bench(arguments, kafka, redis_url, compression):
    bed = Bed(f"bench-{compression}", bootstrap=kafka, redis_url=redis_url)
    print(f"# {compression}: generating {arguments.events} events", file=sys.stderr)
    bed.command("generate", "--config", bed.path, "--events", str(arguments.events),
                "--owners", str(arguments.owners), "--zipf", "1.1", "--seed", "1",
                "--scenario", "calm", "--span", arguments.span, "--set",
                f"kafka.producer.compression.codec={compression}", timeout=900)
    pairs = []
    for number in range(arguments.pairs):
        null = measure_null(arguments.null_consumer, bed, arguments.events)
        ours = measure_service(bed, arguments.events, number)
        pairs.append((null, ours))
        print(f"# pair {number + 1}: counting {null['events_per_second']:,.0f}/s, "
              f"retrywatch {ours['events_per_second']:,.0f}/s", file=sys.stderr)
    nulls, ours = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    fields = ("events_per_second", "events_per_cpu_second")
    return {
        "compression": compression, "events": arguments.events, "owners": arguments.owners,
        "span": arguments.span,
        "pairs": arguments.pairs,
        "counting_consumer": {field: round(median(nulls, field)) for field in fields},
        "retrywatch": {**{field: round(median(ours, field)) for field in fields},
                       "peak_mib": round(median(ours, "peak_mib"))},
        "ratio": {field: round(statistics.median(o[field] / n[field] for n, o in pairs), 3)
                  for field in fields},
    }


def table(results):
    rows = [("", "events/s", "events/CPU s", "share", "share/CPU s", "peak MiB")]
    for result in results:
        null, ours, ratio = result["counting_consumer"], result["retrywatch"], result["ratio"]
        rows.append((f"counting consumer, {result['compression']}",
                     f"{null['events_per_second']:,}", f"{null['events_per_cpu_second']:,}", "", "",
                     ""))
        rows.append((f"retrywatch, {result['compression']}", f"{ours['events_per_second']:,}",
                     f"{ours['events_per_cpu_second']:,}", f"{ratio['events_per_second']:.0%}",
                     f"{ratio['events_per_cpu_second']:.0%}", str(ours["peak_mib"])))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0])]
                        + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--null-consumer", required=True, help="path of the counting consumer")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--span", default="10m", help="of event time: how long the backlog grew")
    parser.add_argument("--owners", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--compression", nargs="+", default=["none", "lz4"])
    arguments = parser.parse_args()
    check(os.access(BINARY, os.X_OK), f"no binary at {BINARY}")
    kafka, redis_url = Server("kafka").address, Server("redis").address
    results = [bench(arguments, kafka, redis_url, codec) for codec in arguments.compression]
    table(results)
    print(json.dumps({"bench": "pipeline", "results": results}))
    run_result["passed"] = True


main()
