#!/usr/bin/env python3
"""How long nothing is counted after kill -9: from the start of the next process to its first commit.

With a large state in Redis and live traffic, with the timeouts that are the defaults. With a name
(`instance`) it takes its own partitions back; without, the group has to miss the old member first,
and its last transaction may have to time out.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import random
import statistics
import sys
import threading
import time

from confluent_kafka import Consumer, TopicPartition

import rows
from harness import BINARY, Bed, Server, avro, check, outcome, schema, wait_until, \
    result as run_result
from restart import count_all, fill, log_time

NAMED_SECONDS = 5
UNNAMED_SECONDS = 15 + 10 + 5  # session.timeout.ms and transaction.timeout.ms as the service has them


class Traffic(threading.Thread):
    """A hundred events a second, to every partition in turn."""

    def __init__(self, bed):
        super().__init__(daemon=True)
        self.bed, self.over = bed, threading.Event()

    def run(self):
        producer, parsed, number = self.bed.producer(), schema("outcome"), 0
        while not self.over.wait(0.01):
            partition = number % self.bed.partitions
            producer.produce(self.bed.topics["outcomes"], partition=partition,
                             value=avro(outcome(f"live-{partition}", number), parsed))
            producer.poll(0)
            number += 1
        producer.flush(20)


class Watch:
    """Committed offsets, asked again and again on one connection."""

    def __init__(self, bed):
        self.partitions = [TopicPartition(bed.topics["outcomes"], number)
                           for number in range(bed.partitions)]
        self.consumer = Consumer({"bootstrap.servers": bed.kafka, "group.id": bed.config["group"],
                                  "enable.auto.commit": False})

    def committed(self):
        # As they are, also while a transaction is open: what counts is what has been committed.
        return [one.offset for one in self.consumer.committed(self.partitions, timeout=30)]

    def wait_beyond(self, offsets, how_many, timeout):
        def beyond():
            return sum(a > b for a, b in zip(self.committed(), offsets)) >= how_many
        wait_until(beyond, timeout, f"{how_many} partitions have new commits")


def kill_and_start(bed, servers, watch, service, options, timeout):
    """The seconds to the first and to the last partition's commit, and where they went."""
    watch.wait_beyond(watch.committed(), bed.partitions, 60)  # it runs
    time.sleep(random.uniform(0, 3))
    service.kill()
    before = watch.committed()
    began = time.time()
    service = bed.service(*options)
    meter = rows.Meter([service], *servers)
    meter.begun = {**meter.begun, "service_cpu_s": 0}
    watch.wait_beyond(before, 1, timeout)
    first, used = time.time() - began, meter.since()
    watch.wait_beyond(before, bed.partitions, timeout)
    return service, {
        "first": first, "last": time.time() - began,
        "start": log_time(service, "start", 0) - began,
        "join": log_time(service, "assigned", -1) - log_time(service, "start", 0),
        "load": log_time(service, "load", -1) - log_time(service, "assigned", -1), **used}


def measure(arguments, bed, servers, watch, name, options, at_most):
    service, found = bed.service(*options), []
    for _ in range(arguments.kills):
        service, took = kill_and_start(bed, servers, watch, service, options, at_most + 60)
        found.append(took)
        print(f"takeover: {name}: " + ", ".join(f"{key} {value:.2f}"
                                                for key, value in took.items()), flush=True)
    service.stop(120)
    what = f"{arguments.series:,} series, kill -9, {name}: until the first commit"
    rows.add("takeover", f"{what}, median of {arguments.kills}",
             statistics.median(one["first"] for one in found), "s",
             **{key: statistics.median(one[key] for one in found)
                for key in ("service_cpu_s", "redis_cpu_s", "broker_cpu_s")})
    rows.add("takeover", f"{what}, longest of {arguments.kills}",
             max(one["first"] for one in found), "s", at_most=at_most)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fill", required=True, help="path of the program that fills the topic")
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    check(os.access(BINARY, os.X_OK), f"no binary at {BINARY}")
    random.seed(arguments.seed)
    servers = Server("redis"), Server("kafka")
    bed = Bed("takeover", redis_url=servers[0].address, bootstrap=servers[1].address)
    print(f"# takeover: writing events of {arguments.series:,} series", file=sys.stderr)
    service = bed.service()
    count_all(bed, service, fill(arguments, bed))
    bed.wait_committed()
    service.stop(120)
    traffic, watch = Traffic(bed), Watch(bed)
    traffic.start()
    measure(arguments, bed, servers, watch, "with a name", ("--set", "instance=first"), NAMED_SECONDS)
    measure(arguments, bed, servers, watch, "without a name", (), UNNAMED_SECONDS)
    traffic.over.set()
    traffic.join(30)
    run_result["passed"] = True


if __name__ == "__main__":
    main()
