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

import rows
from harness import BINARY, Bed, Server, check, die_with_parent, result as run_result
from rows import median

CPU = ("service_cpu_s", "redis_cpu_s", "broker_cpu_s")


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


def start_instances(bed, number, instances):
    """A fresh group and prefix: the whole topic is to be read."""
    bed.prefix = f"rw-{uuid.uuid4().hex[:8]}"
    config = {**bed.config, "group": f"bench-{uuid.uuid4().hex[:8]}",
              "redis": {"url": bed.redis_url, "prefix": bed.prefix}}
    path = bed.write_config(config, f"run-{number}.yaml")
    return [bed.service(config=path) for _ in range(instances)]


def follow(bed, servers, services, count):
    """What the instances take for the whole topic; the clock starts when something is counted."""
    client, begin, end = redis.Redis.from_url(bed.redis_url), None, time.monotonic() + 600
    meter = rows.Meter(services, *servers)
    rows.watch_longest(client)
    while True:
        seen = applied(client, bed)
        now, used = time.monotonic(), meter.since()
        if begin is None and seen > 0:
            begin, seen_first = now, seen
            meter.start()
        if seen >= count:
            break
        for service in services:
            service.check_alive()
        check(now < end, f"only {seen} of {count} events after 600 s")
        time.sleep(0.01)
    check(count > seen_first, "all events came in one batch: take more of them")
    peak = sum(rows.memory_mib(service.process.pid) for service in services)
    longest = rows.longest_command(client)
    for service in services:
        service.stop()
    client.flushdb()
    events = count - seen_first
    return {"events_per_second": events / (now - begin),
            "events_per_cpu_second": events / max(used["service_cpu_s"], 1 / rows.TICKS),
            "seconds": now - begin, "peak_mib": peak, "longest_ms": longest[0], **used}


def measure_service(bed, servers, count, number):
    return follow(bed, servers, start_instances(bed, number, 1), count)


def measure_null(program, bed, servers, count):
    broker = rows.server_pid(servers[1])
    used = rows.cpu_seconds(broker)
    done = subprocess.run([program, bed.kafka, bed.topics["outcomes"], str(count)], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=600,
                          preexec_fn=die_with_parent)
    return {**json.loads(done.stdout), "broker_cpu_s": rows.cpu_seconds(broker) - used}


def add_rows(result):
    """What the one table of run.sh shows of this."""
    codec, null, ours = result["compression"], result["counting_consumer"], result["retrywatch"]
    fields = (("events_per_second", "events/s", "", 0.85),
              ("events_per_cpu_second", "events/CPU s", " a CPU second", 0.6))
    for field, unit, words, share in fields:
        rows.add("pipeline", f"{codec}, counting consumer{words}", null[field], unit,
                 service_cpu_s=null["cpu_seconds"], broker_cpu_s=null["broker_cpu_s"],
                 peak_mib=null["peak_mib"])
        rows.add("pipeline", f"{codec}, retrywatch{words}", ours[field], unit,
                 peak_mib=ours["peak_mib"], **{name: ours[name] for name in CPU})
        rows.add("pipeline", f"{codec}, share of the counting consumer{words}",
                 100 * result["ratio"][field], "%", at_least=100 * share)
    rows.add("pipeline", f"{codec}, longest command in Redis", ours["longest_ms"], "ms",
             at_most=10)


def bench(arguments, servers, compression):
    bed = Bed(f"bench-{compression}", bootstrap=servers[1].address, redis_url=servers[0].address)
    print(f"# {compression}: generating {arguments.events} events", file=sys.stderr)
    rows.backlog(bed, arguments.events, arguments.owners, arguments.span, compression)
    pairs = []
    for number in range(arguments.pairs):
        null = measure_null(arguments.null_consumer, bed, servers, arguments.events)
        ours = measure_service(bed, servers, arguments.events, number)
        pairs.append((null, ours))
        print(f"# pair {number + 1}: counting {null['events_per_second']:,.0f}/s, "
              f"retrywatch {ours['events_per_second']:,.0f}/s, "
              f"CPU s {', '.join(f'{ours[name]:.2f}' for name in CPU)}", file=sys.stderr)
    nulls, ours = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    fields = ("events_per_second", "events_per_cpu_second")
    result = {
        "compression": compression, "events": arguments.events, "owners": arguments.owners,
        "span": arguments.span,
        "pairs": arguments.pairs,
        "counting_consumer": {**{field: round(median(nulls, field)) for field in fields},
                              **{field: round(median(nulls, field), 3)
                                 for field in ("cpu_seconds", "broker_cpu_s", "peak_mib")}},
        "retrywatch": {**{field: round(median(ours, field)) for field in fields},
                       "peak_mib": round(median(ours, "peak_mib")),
                       **{field: round(median(ours, field), 3) for field in (*CPU, "longest_ms")}},
        "ratio": {field: round(statistics.median(o[field] / n[field] for n, o in pairs), 3)
                  for field in fields},
    }
    add_rows(result)
    return result


def table(results):
    lines = [("", "events/s", "events/CPU s", "share", "share/CPU s", "CPU s", "Redis", "broker",
              "peak MiB")]
    for result in results:
        null, ours, ratio = result["counting_consumer"], result["retrywatch"], result["ratio"]
        lines.append((f"counting consumer, {result['compression']}",
                      f"{null['events_per_second']:,}", f"{null['events_per_cpu_second']:,}", "",
                      "", f"{null['cpu_seconds']:.2f}", "", f"{null['broker_cpu_s']:.2f}",
                      f"{null['peak_mib']:.0f}"))
        lines.append((f"retrywatch, {result['compression']}", f"{ours['events_per_second']:,}",
                      f"{ours['events_per_cpu_second']:,}", f"{ratio['events_per_second']:.0%}",
                      f"{ratio['events_per_cpu_second']:.0%}",
                      *(f"{ours[name]:.2f}" for name in CPU), str(ours["peak_mib"])))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join([line[0].ljust(widths[0])]
                        + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]).rstrip())


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
    servers = Server("redis"), Server("kafka")
    results = [bench(arguments, servers, codec) for codec in arguments.compression]
    table(results)
    print(json.dumps({"bench": "pipeline", "results": results}))
    run_result["passed"] = True


if __name__ == "__main__":
    main()
