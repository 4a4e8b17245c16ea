#!/usr/bin/env python3
"""Three instances, a producer, and a killer; then every counter and review against what was sent.

The killer strikes every 1 to 5 s without waiting for recovery: kill -9 an instance, stop one for
longer than its session (a zombie when it goes on), kill and restart Redis, take the last seconds of
its log away, restart Kafka, cut all connections to Redis or to Kafka, let Redis run out of memory,
make the group rebalance. Meanwhile reviews open about twice a second, a minute later many are
decided, and some records are broken.

Afterwards the counters in Redis equal what was produced, per owner; each review is there once and in
order, and so is each broken record among the rejected ones; and a fresh instance that reads the same
topic undisturbed gives the very same reviews.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import redis

from harness import (ROOT, Bed, Server, avro, check, equal, headers, limit_seconds, now_ms, outcome,
                     result, schema, wait_until)
from proxy import Proxy

INSTANCES = 3
OWNERS = [f"owner-{number:02}" for number in range(40)]
RISING_EVENTS = 150  # half of so many events in a row are of one owner, whose review opens
BROKEN_EVERY = 97
DECIDE_AFTER_MS = 60000  # by then every instance knows the decision, so that it acts at one place
SESSION_MS, TRANSACTION_MS = 6000, 5000


class Generator(threading.Thread):
    """Live traffic; what it has produced is known exactly, for the producer is idempotent."""

    def __init__(self, bed, seed):
        super().__init__(daemon=True)
        self.bed, self.random, self.over = bed, random.Random(seed), False
        self.produced = {}  # owner → [attempts, retries]
        self.broken = 0
        self.failed = []
        self.schema = schema("outcome")
        self.producer = bed.producer(**{
            "enable.idempotence": True, "log_level": 0, "partitioner": "murmur2_random", "linger.ms": 5,
            "message.timeout.ms": 600000, "acks": "all"})

    def event(self, number):
        rising = number % 2 == 0
        owner = f"rising-{number // RISING_EVENTS}" if rising else self.random.choice(OWNERS)
        risen = rising or OWNERS.index(owner) % 4 == 0
        retry = self.random.random() < (0.4 if risen else 0.03)
        return outcome(owner, number, 2 if retry else 1,
                       now_ms() - self.random.choice((0, 0, 0, 2000, 70000)),
                       budget_bucket="search" if rising else self.random.choice(("search", "chat")))

    def send(self, topic, key, value):
        self.producer.produce(self.bed.topics[topic], key=key, value=value,
                              on_delivery=lambda e, _: self.failed.append(e) if e else None)

    def decide(self, owner):
        self.send("decisions", owner, json.dumps({
            "decision_id": owner, "decided_at": now_ms(), "effective_from": now_ms() + DECIDE_AFTER_MS,
            "decision_owner": "chaos", "scope": {"owner_tag": owner},
            "action": "keep_budget_unchanged", "reason": "because"}))

    def step(self, number):
        if number % BROKEN_EVERY == 0:
            self.send("outcomes", f"broken-{number}", b"\0\0\0\0\1" + bytes(number % 7))
            self.broken += 1
        if number % (2 * RISING_EVENTS) == 0:
            self.decide(f"rising-{number // RISING_EVENTS}")
        event = self.event(number)
        self.send("outcomes", event["owner_tag"], avro(event, self.schema))
        count = self.produced.setdefault(event["owner_tag"], [0, 0])
        count[0] += 1
        count[1] += event["attempt_number"] > 1

    def run(self):
        number = 0
        while not self.over:
            number += 1
            self.step(number)
            self.producer.poll(0)
            time.sleep(0.002)
        equal(self.producer.flush(180), 0, "events that were never delivered")


class Killer:
    """Faults, chosen by a seed; each returns at once, its undoing runs by the clock."""

    def __init__(self, bed, servers, seed, kafka_restarts):
        self.bed, self.servers = bed, servers
        self.random, self.kafka_restarts = random.Random(seed), kafka_restarts
        proxied = f"127.0.0.1:{servers.behind}"
        self.proxied = bed.write_config({**bed.config, "kafka": {
            **bed.config["kafka"], "bootstrap.servers": proxied}}, "proxied.yaml")
        self.instances = [self.start(number) for number in range(INSTANCES)]
        self.later = []  # (when, what)
        self.counts = {}
        self.log_sizes = []  # (when, file, size) of Redis' log

    def start(self, number):
        # The first has a name, so that it takes its partitions back at once.
        if number == 0:
            return self.bed.service("--set", "instance=first")
        return self.bed.service(config=self.proxied)

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
    def restart(server, meanwhile=lambda: None):
        """Killed at once, and started again on the same port and data."""
        server.run("kill")
        meanwhile()
        server.start()

    def restart_redis(self):
        self.restart(self.servers.redis)

    def redis_log(self):
        """What Redis appends to."""
        return max((self.servers.redis.dir / "appendonlydir").glob("*.incr.aof"),
                   key=lambda path: int(re.search(r"aof\.(\d+)\.", path.name).group(1)))

    def note_redis_log(self):
        path = self.redis_log()
        self.log_sizes = self.log_sizes[-200:] + [(time.monotonic(), path, path.stat().st_size)]

    def rewind_redis(self):
        """As after a power cut: what was written in the last seconds is gone."""
        since = time.monotonic() - self.random.uniform(0, 5)

        def cut_log():
            path = self.redis_log()
            sizes = [size for when, of, size in self.log_sizes if of == path and when >= since]
            if sizes:
                with path.open("r+b") as file:
                    file.truncate(sizes[0])
            self.log_sizes = []
        self.restart(self.servers.redis, cut_log)

    def cut_redis(self):
        redis.Redis.from_url(self.bed.redis_url).client_kill_filter(_type="normal")

    def cut_kafka(self):
        self.servers.proxy.cut()

    def fill_redis(self):
        client = redis.Redis.from_url(self.bed.redis_url)
        client.config_set("maxmemory", "1mb")
        self.later.append((time.monotonic() + 2, lambda: redis.Redis.from_url(
            self.bed.redis_url).config_set("maxmemory", "0")))

    def restart_kafka(self):
        self.restart(self.servers.kafka)

    def choose(self):
        faults = [self.kill_instance] * 5 + [self.stop_instance] * 2 + [
            self.rebalance, self.restart_redis, self.rewind_redis, self.cut_redis, self.cut_kafka,
            self.fill_redis]
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
            self.note_redis_log()
            time.sleep(0.05)
        for one in self.instances:
            one.check_alive()


class Servers:
    """A Kafka, a proxy to it that some instances go through, and a Redis."""

    def __init__(self):
        self.proxy = Proxy()
        self.kafka = Server("kafka", "--proxy", str(self.proxy.port))
        self.behind = self.proxy.target = int((self.kafka.dir / "behind").read_text())
        self.redis = Server("redis")


def totals(bed, owners):
    pipe = bed.redis.pipeline(transaction=False)
    for owner in owners:
        pipe.hmget(f"{bed.prefix}:view:owner:{owner}", "24h:attempts", "24h:retries")
    return {owner: [int(value or 0) for value in values]
            for owner, values in zip(owners, pipe.execute())}


def differences(got, want):
    return {key: (got.get(key), want.get(key)) for key in got.keys() | want.keys()
            if got.get(key) != want.get(key)}


def published(bed):
    """input partition → its reviews in order of serial, as (serial, (id, generation, …))."""
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
        for review, steps in by_review({partition: rows}).items():
            equal([step[1] for step in steps], list(range(1, len(steps) + 1)),
                  f"sequence of review {review}")


def by_review(reviews):
    """review → (generation, sequence, status, reason) of its events, in order of serial."""
    found = {}
    for rows in reviews.values():
        for _, (review, *step) in rows:
            found.setdefault(review, []).append(tuple(step))
    return found


def check_rejected(bed, count):
    places = [(header["partition"], header["offset"])
              for header in map(headers, bed.read("rejected"))]
    equal(len(set(places)), len(places), "rejected records, each once")
    equal(len(places), count, "rejected records")


def same_reviews(bed, twin):
    """The undisturbed instance has said the same; both go on by the clock, so it may take a
    minute until they have closed the same ones."""
    seen = {}

    def same():
        ours = published(bed)
        seen["differences"] = differences(by_review(ours), by_review(published(twin)))
        return None if seen["differences"] else ours
    try:
        return wait_until(same, 150, "the same reviews")
    finally:
        if seen["differences"]:
            print(f"reviews that differ from the undisturbed ones: {seen['differences']}")


def keep(bed, killer, seed):
    """What a failure left, to look into it."""
    target = ROOT / "build" / f"chaos-{seed}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(bed.dir, target)
    shutil.copytree(killer.servers.redis.dir, target / "redis", ignore_dangling_symlinks=True)
    (target / "reviews.json").write_text(json.dumps(published(bed), indent=1))
    print(f"logs, Redis and reviews are kept in {target}")


def what_it_met(bed):
    """How often the instances' logs tell of what the faults are for."""
    logs = "".join(path.read_text(errors="replace") for path in bed.dir.glob("*.log"))
    return ", ".join(f"{name} {len(re.findall(pattern, logs))}" for name, pattern in (
        ("partitions loaded", "level=info at=load "),
        ("fenced", 'status="another instance owns'),
        ("outcome unknown", 'status="it is not known whether'),
        ("Redis' losses adopted", " at=adopt "),
        ("left the group without being asked", " at=revoked .* lost=1")))


def strike_all(arguments, killer, generator):
    started = time.monotonic()
    generator.start()
    for _ in range(arguments.kills):
        killer.wait(killer.random.uniform(1, 5))
        killer.strike()
    killer.settle_due(all_of_them=True)
    generator.over = True
    generator.join(200)
    equal(generator.failed, [], "events that were not delivered")
    print(f"{time.monotonic() - started:.0f} s of faults: {killer.counts}", flush=True)


def check_all(bed, killer, generator):
    """Returns the reviews, which an undisturbed instance has published just so."""
    bed.children = [one for one in killer.instances if not one.over]
    bed.wait_committed(120)
    try:
        wait_until(lambda: totals(bed, generator.produced) == generator.produced, 90, "counters")
    finally:
        wrong = differences(totals(bed, generator.produced), generator.produced)
        if wrong:
            print(f"counters that differ (got, produced): {wrong}")
    check_once(published(bed))
    check_rejected(bed, generator.broken)

    twin = Bed("twin", bootstrap=bed.kafka, redis_url=bed.redis_url)
    twin.topics = {**twin.topics, "outcomes": bed.topics["outcomes"],
                   "decisions": bed.topics["decisions"]}
    twin.path = twin.write_config({**twin.config, "topics": twin.topics})
    twin.service()
    twin.wait_committed(120)
    reviews = same_reviews(bed, twin)
    check(reviews, "no review was published")
    for child in bed.children + twin.children:
        child.stop()
    return reviews


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kafka-restarts", type=int, default=2)
    arguments = parser.parse_args()
    limit_seconds(600 + 8 * arguments.kills)
    print(f"seed {arguments.seed}, {arguments.kills} faults", flush=True)

    servers = Servers()
    bed = Bed("chaos", bootstrap=servers.kafka.address, redis_url=servers.redis.address, kafka={
        "consumer": {"session.timeout.ms": str(SESSION_MS)},
        "producer": {"transaction.timeout.ms": str(TRANSACTION_MS)}})
    generator = Generator(bed, arguments.seed)
    killer = Killer(bed, servers, arguments.seed, arguments.kafka_restarts)
    try:
        strike_all(arguments, killer, generator)
        reviews = check_all(bed, killer, generator)
    except BaseException:
        keep(bed, killer, arguments.seed)
        raise
    events = sum(attempts for attempts, _ in generator.produced.values())
    statuses = [row[3] for rows in reviews.values() for _, row in rows]
    print(f"{arguments.kills} faults, {events} events: 0 lost, 0 counted twice; "
          f"{len(statuses)} reviews ({statuses.count('decided')} of them decided): 0 missing, "
          f"0 repeated; {generator.broken} rejected records, each once")
    print(f"in the logs: {what_it_met(bed)}")
    print("1 passed, 0 failed")
    result["passed"] = True


main()
