"""Redis comes back from an older snapshot: the service counts again what is gone, publishes nothing
twice, and shows what it showed before.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import shutil
import time

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from harness import Bed, Server, check, equal, headers, now_ms, outcome, rise, run, wait_until
from proxy import REQUEST, Proxy

MINUTE, HOUR = 60_000, 3_600_000
BROKEN = b"\0\0\0\0\1"  # a frame without a body


def some(owner, count, attempt=1, end_ms=None, step_ms=10):
    end_ms = now_ms() if end_ms is None else end_ms
    return [outcome(owner, number, attempt, end_ms - step_ms * (count - number))
            for number in range(count)]


class Restored:
    """A service on a Redis of its own, of which snapshots are taken and put back."""

    def __init__(self, name, **config):
        self.store = Server("redis")
        self.bed = Bed(name, partitions=1, redis_url=self.store.address, **config)
        self.sent, self.broken = [], 0

    def send(self, events):
        self.bed.produce_outcomes(events)
        self.sent += events

    def send_broken(self):
        self.bed.produce([("broken", BROKEN, now_ms(), None)])
        self.broken += 1

    def decide(self, name, owner, **more):
        producer = self.bed.producer()
        producer.produce(self.bed.topics["decisions"], key=name, value=json.dumps({
            "decision_id": name, "decided_at": now_ms(), "decision_owner": "ana",
            "scope": {"owner_tag": owner}, "action": "keep_budget_unchanged", "reason": "because",
            **more}))
        equal(producer.flush(20), 0, "decisions that were not delivered")

    def take_snapshot(self):
        """A copy of what Redis appends to, as a backup of its volume has it."""
        self.snapshot = self.store.dir / "snapshot"
        shutil.copytree(self.store.dir / "appendonlydir", self.snapshot)

    def put_back(self):
        self.store.run("kill")
        shutil.rmtree(self.store.dir / "appendonlydir")
        shutil.copytree(self.snapshot, self.store.dir / "appendonlydir")
        self.store.start()

    def reviews(self):
        """(owner, status, reason) in order of serial; serials and sequences are seen to be whole."""
        found = sorted(((int(header["rw-position"].split(" ")[2]), record)
                        for _, header, record in self.bed.reviews()), key=lambda one: one[0])
        equal([serial for serial, _ in found], list(range(1, len(found) + 1)), "serials")
        ids = [header["ce_id"] for _, header, _ in self.bed.reviews()]
        equal(len(set(ids)), len(ids), "reviews, each once")
        return [(record["scope"]["owner_tag"], record["status"], record["reason"])
                for _, record in found]

    def wait_reviews(self, want):
        wait_until(lambda: len(self.reviews()) >= len(want), 60,
                   f"{len(want)} reviews: {self.reviews()}")
        equal(self.reviews(), want, "reviews")

    def check_counters(self):
        """Every owner's totals are those of the events that were sent."""
        want = {}
        for event in self.sent:
            count = want.setdefault(event["owner_tag"], [0, 0])
            count[0] += 1
            count[1] += event["attempt_number"] > 1

        def got():
            views = {owner: self.bed.owner(owner) for owner in want}
            return {owner: [view.get("24h:attempts"), view.get("24h:retries")]
                    for owner, view in views.items()}
        wait_until(lambda: got() == want, 60, f"counters {got()} are {want}")

    def check_rejected(self):
        rejected = [headers(message)["offset"] for message in self.bed.read("rejected")]
        equal(len(set(rejected)), self.broken, "rejected records")
        equal(len(rejected), self.broken, "rejected records, each once")

    def shown(self):
        """What dashboards see of reviews: id → status, those that are not resolved, and the number
        that each owner has."""
        prefix = f"{self.bed.prefix}:view"
        return ({key.rsplit(":", 1)[1]: self.bed.redis.hget(key, "status")
                 for key in self.bed.redis.scan_iter(f"{prefix}:review:*")},
                sorted(self.bed.redis.zrange(f"{prefix}:reviews", 0, -1)),
                {owner: self.bed.owner(owner).get("open_reviews")
                 for owner in {event["owner_tag"] for event in self.sent}})


def until_decided(restored, owner, count):
    """A decision acts at the next event past its start: sends some until it has."""
    def decided():
        restored.send(some(owner, 1))
        time.sleep(0.2)
        return len(restored.reviews()) >= count
    wait_until(decided, 30, f"review {count} is published")


def a_snapshot_older_than_several_reviews():
    """The service runs on while Redis goes back to before reviews were opened and decided."""
    restored = Restored("older")
    service = restored.bed.service()
    restored.send(some("ana", 100) + rise("early"))
    want = [("early", "open", "rise")]
    restored.wait_reviews(want)
    restored.send_broken()
    restored.bed.wait_committed()
    restored.take_snapshot()

    restored.send(some("ana", 50) + rise("bob") + rise("eve"))
    restored.send_broken()
    want += [("bob", "open", "rise"), ("eve", "open", "rise")]
    restored.wait_reviews(want)
    restored.decide("d-bob", "bob")
    want += [("bob", "decided", "decision")]
    until_decided(restored, "bob", 4)
    restored.decide("d-early", "early", accepts_spend_risk=True)
    want += [("early", "decided", "decision")]
    until_decided(restored, "early", 5)
    # More than a tenth over the share that was decided about.
    restored.send(some("bob", 80, attempt=3))
    want += [("bob", "reopened", "share_exceeded")]
    restored.wait_reviews(want)
    restored.bed.wait_committed()
    restored.check_counters()
    shown = wait_until(lambda: restored.shown() if restored.shown()[2]["eve"] == 1 else None, 30,
                       "the view of the last owner")

    restored.put_back()
    service.wait_log(r"at=adopt partition=0 from_serial=2 to_serial=6")
    restored.bed.wait_committed()
    restored.check_counters()
    restored.wait_reviews(want)
    wait_until(lambda: restored.shown() == shown, 30,
               f"the views of reviews {restored.shown()} are {shown}")

    # It goes on from there: a decision that was adopted still holds, new reviews come.
    restored.send(some("early", 20) + rise("late") + some("ana", 10))
    want += [("late", "open", "rise")]
    restored.wait_reviews(want)
    restored.check_counters()
    restored.check_rejected()
    service.stop()
    equal(restored.reviews(), want, "reviews at the end")


def story(start):
    """Ten hours of four owners, in order of time: the ways in which a review goes on and ends."""
    events = []

    def traffic(owner, from_minute, to_minute, attempts=10, retries=0, step=5):
        for minute in range(from_minute, to_minute, step):
            events.extend(outcome(owner, 10 * minute + number, 2 if number < retries else 1,
                                  start + minute * MINUTE + 1000 * number)
                          for number in range(attempts))

    def rises(owner, minute):
        events.extend(rise(owner, end_ms=start + minute * MINUTE + 59_000))
    for owner in ("ann", "ben", "cid", "dot"):
        rises(owner, 1)
        traffic(owner, 5, 250, retries=2)  # neither calm nor silent until it is repeated
    traffic("ann", 250, 500, retries=2)  # a decision is made about it, and expires
    traffic("ben", 250, 285, attempts=2, step=1)  # calm, and a new rise soon after
    rises("ben", 285)
    rises("cid", 400)  # silent, and a new rise much later
    traffic("dot", 250, 300, retries=9)
    return sorted(events, key=lambda event: event["event_time"])


STORY = [
    ("ann", "open", "rise"), ("ben", "open", "rise"), ("cid", "open", "rise"),
    ("dot", "open", "rise"),
    ("ann", "repeated", "unanswered"), ("ben", "repeated", "unanswered"),
    ("cid", "repeated", "unanswered"), ("dot", "repeated", "unanswered"),
    ("ben", "resolved", "calm"), ("ben", "reopened", "rise_again"), ("ann", "decided", "decision"),
    ("cid", "resolved", "no_traffic"), ("ben", "resolved", "no_traffic"),
    ("dot", "resolved", "no_traffic"), ("ann", "reopened", "decision_expired"),
    ("cid", "open", "rise"), ("cid", "resolved", "no_traffic"), ("ann", "resolved", "no_traffic"),
]


def snapshot_at(exec_number):
    """Taken just before the service's n-th EXEC with reviews; it is killed together with Redis."""
    restored = Restored(f"story{exec_number}", batch={"max_events": 50})
    bed, start = restored.bed, now_ms() - 10 * HOUR
    proxy = Proxy(int((restored.store.dir / "port").read_text()))
    path = bed.write_config({**bed.config, "redis": {
        **bed.config["redis"], "url": f"redis://127.0.0.1:{proxy.port}/0"}}, "proxied.yaml")
    restored.send(story(start))
    restored.send_broken()
    restored.decide("d-ann", "ann", decided_at=start + 300 * MINUTE,
                    expires_at=start + 400 * MINUTE)
    execs = []

    def stores_reviews(_, way, frame):
        if way == REQUEST and b":pending" in frame and frame.endswith(b"EXEC\r\n"):
            execs.append(frame)
        return len(execs) == exec_number
    proxy.hold(stores_reviews)
    service = bed.service(config=path)
    check(proxy.held.wait(60), f"there are {exec_number} EXECs with reviews")
    restored.take_snapshot()
    proxy.release()
    bed.wait_committed()
    restored.wait_reviews(STORY)
    restored.check_counters()
    shown = restored.shown()

    service.kill()
    restored.put_back()
    service = bed.service(config=path)
    said = service.wait_log(r"at=adopt partition=0 from_serial=(\d+) to_serial=(\d+)").groups()
    print(f"serials {said[0]} to {said[1]} were read back")
    bed.wait_committed()
    restored.check_counters()
    wait_until(lambda: restored.shown() == shown, 30,
               f"the views of reviews {restored.shown()} are {shown}")
    restored.send(rise("ann") + some("ben", 20))
    restored.wait_reviews(STORY + [("ann", "open", "rise")])
    restored.check_counters()
    restored.check_rejected()
    service.stop()


def a_snapshot_from_the_beginning_of_a_story():
    snapshot_at(1)


def a_snapshot_from_the_middle_of_a_story():
    snapshot_at(5)


def a_snapshot_older_than_what_kafka_keeps_is_refused():
    """First a review, then an event that only Kafka could still tell."""
    for topic, said in (("reviews", "of the 1 records published since, 1 are no longer in"),
                        ("outcomes", "retention was shorter than the pause")):
        restored = Restored(f"refused-{topic}")
        bed = restored.bed
        service = bed.service()
        restored.send(some("ana", 100))
        bed.wait_owner("ana", "24h:attempts", 100)
        bed.wait_committed()
        restored.take_snapshot()
        restored.send(rise("bob"))
        restored.wait_reviews([("bob", "open", "rise")])
        bed.wait_committed()
        admin = AdminClient({"bootstrap.servers": bed.kafka})
        everything = [TopicPartition(bed.topics[topic], number, -1)
                      for number in range(2 if topic == "reviews" else 1)]
        for future in admin.delete_records(everything).values():
            future.result(20)
        restored.put_back()
        service.wait_refusal(re.escape(said), "rebuild|redis.prefix")


run([a_snapshot_older_than_several_reviews, a_snapshot_from_the_beginning_of_a_story,
     a_snapshot_from_the_middle_of_a_story,
     a_snapshot_older_than_what_kafka_keeps_is_refused], 400)
