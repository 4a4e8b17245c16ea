#!/usr/bin/env python3
"""Three instances, a producer, and a killer; then every counter and review against what was sent.

The killer strikes every 1 to 5 s without waiting for recovery: kill -9 an instance, stop one for
longer than its session (a zombie when it goes on), kill and restart Redis, restart Kafka, cut all
connections to Redis, let Redis run out of memory, make the group rebalance.

Afterwards the counters in Redis equal what was produced, per owner; each review is there once and in
order; and a fresh instance that reads the same topic undisturbed gives the very same reviews.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import random
import signal
import subprocess
import threading
import time

import redis

from harness import (Bed, Server, avro, check, equal, limit_seconds, now_ms, outcome, schema,
                     wait_until)

INSTANCES = 3
OWNERS = [f"owner-{number:02}" for number in range(40)]
SESSION_MS, TRANSACTION_MS = 6000, 5000


class Generator(threading.Thread):
    """Live traffic; what it has produced is known exactly, for the producer is idempotent."""

    def __init__(self, bed, seed):
        super().__init__(daemon=True)
        self.bed, self.random, self.over = bed, random.Random(seed), False
        self.produced = {}  # owner → [attempts, retries]
        self.failed = []

    def event(self, number):
        owner = self.random.choice(OWNERS)
        risen = OWNERS.index(owner) % 4 == 0
        retry = self.random.random() < (0.3 if risen else 0.03)
        return outcome(owner, number, 2 if retry else 1,
                       now_ms() - self.random.choice((0, 0, 0, 2000, 70000)),
                       budget_bucket=self.random.choice(("search", "chat")))

    def run(self):
        producer = self.bed.producer(**{
            "enable.idempotence": True, "log_level": 0, "partitioner": "murmur2_random", "linger.ms": 5,
            "message.timeout.ms": 600000, "acks": "all"})
        parsed, number = schema("outcome"), 0
        while not self.over:
            event = self.event(number)
            producer.produce(self.bed.topics["outcomes"], key=event["owner_tag"],
                             value=avro(event, parsed),
                             on_delivery=lambda e, _: self.failed.append(e) if e else None)
            count = self.produced.setdefault(event["owner_tag"], [0, 0])
            count[0] += 1
            count[1] += event["attempt_number"] > 1
            number += 1
            producer.poll(0)
            time.sleep(0.002)
        equal(producer.flush(180), 0, "events that were never delivered")


class Killer:
    """Faults, chosen by a seed; each returns at once, its undoing runs by the clock."""

    def __init__(self, bed, kafka, store, seed, kafka_restarts):
        self.bed, self.kafka, self.store = bed, kafka, store
        self.random, self.kafka_restarts = random.Random(seed), kafka_restarts
        self.instances = [self.start(number) for number in range(INSTANCES)]
        self.later = []  # (when, what)
        self.counts = {}

    def start(self, number):
        # The first has a name, so that it takes its partitions back at once.
        return self.bed.service(*(("--set", "instance=first") if number == 0 else ()))

    def running(self):
        return [number for number, one in enumerate(self.instances)
                if not one.over and not getattr(one, "stopped", False)]

    def kill_instance(self):
        number = self.random.choice(self.running())
        self.instances[number].kill()
        self.instances[number] = self.start(number)

    def stop_instance(self):
        one = self.instances[self.random.choice(self.running())]
        one.process.send_signal(signal.SIGSTOP)
        one.stopped = True

        def go_on():
            one.process.send_signal(signal.SIGCONT)
            one.stopped = False
        self.later.append((time.monotonic() + SESSION_MS / 1000 + 2, go_on))

    def rebalance(self):
        """One leaves as it should, and comes back."""
        number = self.random.choice(self.running())
        self.instances[number].process.send_signal(signal.SIGTERM)
        self.instances[number].over = True
        self.instances[number] = self.start(number)

    @staticmethod
    def restart(server):
        """Killed at once, and started again on the same port and data."""
        subprocess.run([server.script, "kill", server.dir], timeout=30)
        for attempt in range(5):
            time.sleep(0.3)  # until the old process has gone
            try:
                server.start()
                return
            except subprocess.CalledProcessError:
                check(attempt < 4, "the server does not start again")

    def restart_redis(self):
        self.restart(self.store)

    def cut_redis(self):
        redis.Redis.from_url(self.store.address).client_kill_filter(_type="normal")

    def fill_redis(self):
        client = redis.Redis.from_url(self.store.address)
        client.config_set("maxmemory", "1mb")
        self.later.append((time.monotonic() + 2, lambda: redis.Redis.from_url(
            self.store.address).config_set("maxmemory", "0")))

    def restart_kafka(self):
        self.restart(self.kafka)

    def choose(self):
        faults = [self.kill_instance] * 5 + [self.stop_instance] * 2 + [
            self.rebalance, self.restart_redis, self.cut_redis, self.fill_redis]
        if self.kafka_restarts > 0:
            faults.append(self.restart_kafka)
        return self.random.choice(faults)

    def settle_due(self, all_of_them=False):
        due = [what for when, what in self.later if all_of_them or when <= time.monotonic()]
        self.later = [one for one in self.later
                      if not all_of_them and one[0] > time.monotonic()]
        for what in due:
            what()

    def strike(self):
        fault = self.choose()
        if fault in (self.kill_instance, self.stop_instance, self.rebalance) and \
                len(self.running()) < 2:
            fault = self.cut_redis
        self.kafka_restarts -= fault == self.restart_kafka
        self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1
        fault()

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.settle_due()
            time.sleep(0.05)
        for one in self.instances:
            one.check_alive()


def totals(bed):
    return {owner: [int(value or 0) for value in bed.redis.hmget(
        f"{bed.prefix}:view:owner:{owner}", "24h:attempts", "24h:retries")] for owner in OWNERS}


def published(bed):
    """input partition → its reviews in order, as (id, generation, sequence, status, reason)."""
    found = {}
    for _, header, record in bed.reviews():
        _, partition, serial, *_ = header["rw-position"].split(" ")
        found.setdefault(int(partition), []).append((int(serial), tuple(
            record[name] for name in ("review_id", "generation", "sequence", "status", "reason"))))
    return {partition: sorted(rows) for partition, rows in found.items()}


def check_once(reviews):
    for partition, rows in reviews.items():
        equal([serial for serial, _ in rows], list(range(1, len(rows) + 1)),
              f"serials of partition {partition}")
        last = {}
        for _, (review, _, sequence, *_) in rows:
            equal(sequence, last.get(review, 0) + 1, f"sequence of review {review}")
            last[review] = sequence


def same_reviews(bed, twin):
    """The undisturbed instance has said the same; both go on by the clock, so it may take a
    minute until they have closed the same ones."""
    def same():
        ours, theirs = published(bed), published(twin)
        return ours if {p: [row for _, row in rows] for p, rows in ours.items()} == {
            p: [row for _, row in rows] for p, rows in theirs.items()} else None
    return wait_until(same, 120, f"the same reviews: {published(bed)} and {published(twin)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kafka-restarts", type=int, default=2)
    arguments = parser.parse_args()
    limit_seconds(600 + 8 * arguments.kills)
    print(f"seed {arguments.seed}, {arguments.kills} faults", flush=True)

    kafka, store = Server("kafka"), Server("redis")
    bed = Bed("chaos", bootstrap=kafka.address, redis_url=store.address, kafka={
        "consumer": {"session.timeout.ms": str(SESSION_MS)},
        "producer": {"transaction.timeout.ms": str(TRANSACTION_MS)}})
    generator = Generator(bed, arguments.seed)
    killer = Killer(bed, kafka, store, arguments.seed, arguments.kafka_restarts)
    generator.start()
    started = time.monotonic()
    for number in range(arguments.kills):
        killer.wait(killer.random.uniform(1, 5))
        killer.strike()
    killer.settle_due(all_of_them=True)
    generator.over = True
    generator.join(200)
    equal(generator.failed, [], "events that were not delivered")
    print(f"{time.monotonic() - started:.0f} s of faults: {killer.counts}", flush=True)

    bed.children = [one for one in killer.instances if not one.over]
    bed.wait_committed(120)
    wait_until(lambda: totals(bed) == generator.produced, 90,
               f"counters: {totals(bed)} and {generator.produced}")
    reviews = published(bed)
    check_once(reviews)
    check(reviews, "no review was published")

    twin = Bed("twin", bootstrap=kafka.address, redis_url=store.address)
    twin.topics = {**twin.topics, "outcomes": bed.topics["outcomes"]}
    twin.path = twin.write_config({**twin.config, "topics": twin.topics})
    twin.service()
    twin.wait_committed(120)
    reviews = same_reviews(bed, twin)
    for child in bed.children + twin.children:
        child.stop()
    events = sum(attempts for attempts, _ in generator.produced.values())
    print(f"{arguments.kills} faults, {events} events: 0 lost, 0 counted twice; "
          f"{sum(map(len, reviews.values()))} reviews: 0 missing, 0 repeated")
    print("1 passed, 0 failed")


main()
