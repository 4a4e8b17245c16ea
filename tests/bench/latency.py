#!/usr/bin/env python3
"""How long a review takes: from the event that crosses the line to a read_committed reader.

Each probe is an owner that lacks one retry of a review. While events of others stream in at a
rate, the probes' last retries are sent one by one at random moments, and a reader of the review
topic waits for each. The clock is that of this process: from produce() to the review's arrival. Of
p50 and p99 the median of the rounds counts, for other work on the machine; p99.9 is of all rounds.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import random
import statistics
import subprocess
import sys
import threading
import time

from confluent_kafka import Consumer, TopicPartition

import rows
from harness import (BINARY, Bed, Server, avro, check, die_with_parent, outcome, schema,
                     wait_until, result as run_result)

ATTEMPTS, RETRIES = 50, 10  # review.attempts_min, review.retries_min
TARGET_MS = 150
SETTLE_S = 5  # before the first round: the load has begun, and some probes have warmed the broker up


def almost(owner):
    """All but the last retry of a rise."""
    return [outcome(owner, number, 2 if number < RETRIES - 1 else 1)
            for number in range(ATTEMPTS - 1)]


class Reader(threading.Thread):
    """Notes when each owner's review was seen."""

    def __init__(self, bed):
        super().__init__(daemon=True)
        self.consumer = Consumer({"bootstrap.servers": bed.kafka, "group.id": "latency",
                                  "isolation.level": "read_committed",
                                  "enable.auto.commit": False, "log_level": 0})
        topic = bed.topics["reviews"]
        self.consumer.assign([TopicPartition(topic, number, 0) for number in range(2)])
        self.seen, self.over = {}, False
        self.start()

    def run(self):
        while not self.over:
            message = self.consumer.poll(0.1)
            now = time.monotonic()
            if message is not None and not message.error():
                self.seen.setdefault(message.key().decode(), now)
        self.consumer.close()


def start_load(bed, rate, seconds, owners):
    return subprocess.Popen(
        [BINARY, "generate", "--config", bed.path, "--span", "0s", "--rate", str(rate), "--events",
         str(rate * seconds), "--owners", str(owners), "--scenario", "calm"],
        stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)


def send_probes(bed, names, seconds):
    """owner → when its last retry was sent; spread evenly at random, so as to keep no step."""
    producer = bed.producer(**{"linger.ms": 0, "partitioner": "murmur2_random"})
    parsed, sent = schema("outcome"), {}
    start = time.monotonic()
    moments = sorted(random.uniform(0, seconds) for _ in names)
    for name, moment in zip(names, moments):
        producer.poll(0)
        time.sleep(max(0, start + moment - time.monotonic()))
        value = avro(outcome(name, ATTEMPTS, 2), parsed)
        sent[name] = time.monotonic()
        producer.produce(bed.topics["outcomes"], key=name, value=value)
    check(producer.flush(30) == 0, "probes were not delivered")
    return sent


def measure(arguments, servers, rate):
    """The delays of each round, sorted; what they took; peak memory."""
    bed = Bed(f"latency-{rate}", redis_url=servers[0].address, bootstrap=servers[1].address)
    each = arguments.seconds * arguments.probes
    rounds = [[f"probe-{number}-{probe:04}" for probe in range(each)]
              for number in range(arguments.rounds)]
    warm = [f"probe-warm-{probe:04}" for probe in range(SETTLE_S * arguments.probes)]
    service = bed.service(*(word for pair in arguments.set for word in ("--set", pair)))
    bed.produce_outcomes(event for names in [warm, *rounds] for name in names
                         for event in almost(name))
    bed.wait_committed(120)
    load = start_load(bed, rate, arguments.rounds * arguments.seconds + 2 * SETTLE_S,
                      arguments.owners)
    reader, sent = Reader(bed), {}
    send_probes(bed, warm, SETTLE_S)
    meter = rows.Meter([service], *servers)
    for names in rounds:
        sent.update(send_probes(bed, names, arguments.seconds))
    used = meter.since()
    wait_until(lambda: sent.keys() <= reader.seen.keys(), 60, f"{len(sent)} reviews came")
    peak = rows.memory_mib(service.process.pid)
    reader.over = True
    check(load.wait(60) == 0, "the load failed")
    service.stop()
    return ([sorted((reader.seen[name] - sent[name]) * 1000 for name in names)
             for names in rounds], used, peak)


def add_rows(rate, rounds, used, peak):
    every = sorted(delay for delays in rounds for delay in delays)
    figures = {"p50": statistics.median(rows.percentile(delays, 0.5) for delays in rounds),
               "p99": statistics.median(rows.percentile(delays, 0.99) for delays in rounds),
               "p99.9": rows.percentile(every, 0.999)}
    for name, value in figures.items():
        rows.add("latency", f"{rate:,} events/s, {name}", value, "ms",
                 at_most=TARGET_MS if name == "p99" else None, peak_mib=peak, **used)
    print(f"latency: {rate:,} events/s, {len(every)} reviews: "
          + ", ".join(f"{name} {value:.0f} ms" for name, value in figures.items())
          + f", most {every[-1]:.0f} ms; p99 of each round: "
          + ", ".join(f"{rows.percentile(delays, 0.99):.0f}" for delays in rounds) + "; CPU s: "
          + ", ".join(f"{name.split('_')[0]} {value:.2f}" for name, value in used.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20, help="of each round")
    parser.add_argument("--probes", type=int, default=10, help="reviews a second")
    parser.add_argument("--owners", type=int, default=10_000, help="of the load")
    parser.add_argument("--set", nargs="*", default=[], help="configuration of the service")
    arguments = parser.parse_args()
    check(os.access(BINARY, os.X_OK), f"no binary at {BINARY}")
    servers = Server("redis"), Server("kafka")
    for rate in arguments.rates:
        print(f"# latency: {rate:,} events/s", file=sys.stderr)
        add_rows(rate, *measure(arguments, servers, rate))
    run_result["passed"] = True


if __name__ == "__main__":
    main()
