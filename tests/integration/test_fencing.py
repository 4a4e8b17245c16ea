"""Two instances that believe that they own the same partition: the old one changes nothing any more.

A proxy stands between the old instance and Redis or Kafka. It holds one message, so that SIGSTOP
meets the instance at an exact point, and it sees what the server answers to what comes late, after
another instance has taken over.
SPDX-License-Identifier: Apache-2.0
"""
import re
import signal
import struct
from functools import cache

from harness import Bed, Server, check, equal, now_ms, outcome, rise, run, wait_until
from proxy import REPLY, REQUEST, Proxy, kafka_frames

TIMES = {"consumer": {"session.timeout.ms": "6000"}, "producer": {"transaction.timeout.ms": "5000"}}
TAKE_OVER_SECONDS = 60  # session and transaction timeout, and the coordinator's own rounds

# Kafka's protocol: what is asked, and the errors that fence.
TXN_OFFSET_COMMIT, END_TXN = 28, 26
GROUP_MOVED_ON = {22: "ILLEGAL_GENERATION", 25: "UNKNOWN_MEMBER_ID"}
PRODUCER_FENCED = {47: "INVALID_PRODUCER_EPOCH", 90: "PRODUCER_FENCED"}


def some(owner, count):
    return [outcome(owner, number, time_ms=now_ms()) for number in range(count)]


def asks(frame, key):
    return struct.unpack(">h", frame[4:6])[0] == key


def kafka_errors(proxy, key):
    """The error codes of the answers to one kind of request about one partition, in order."""
    versions, codes = {}, []
    for connection, way, frame in list(proxy.seen):
        if way == REQUEST and asks(frame, key):
            _, version, correlation = struct.unpack(">hhi", frame[4:12])
            versions[connection, correlation] = version
        elif way == REPLY:
            version = versions.get((connection, struct.unpack(">i", frame[4:8])[0]))
            if version is not None:
                # The code is last; from version 3 on each level ends with its (no) tagged fields.
                check(version <= 3, f"version {version} of request {key} is not known here")
                tags = (3 if key == TXN_OFFSET_COMMIT else 1) if version == 3 else 0
                end = len(frame) - tags
                codes.append(struct.unpack(">h", frame[end - 2:end])[0])
    return codes


@cache
def servers():
    """A Kafka and a Redis for all tests here, each with a proxy to it."""
    kafka_proxy, redis_proxy = Proxy(split=kafka_frames), Proxy()
    kafka = Server("kafka", "--proxy", str(kafka_proxy.port))
    store = Server("redis")
    kafka_proxy.target = int((kafka.dir / "behind").read_text())
    redis_proxy.target = int((store.dir / "port").read_text())
    return kafka, store, kafka_proxy, redis_proxy


class Contest:
    """One partition, an old instance behind proxies, and a new one that takes over."""

    def __init__(self, name):
        kafka, store, self.kafka_proxy, self.redis_proxy = servers()
        self.bed = Bed(name, partitions=1, bootstrap=kafka.address, redis_url=store.address,
                       kafka=TIMES)
        self.bed.produce_outcomes(some("ana", 100))
        self.old = self.bed.service(config=self.bed.write_config({
            **self.bed.config,
            "kafka": {**self.bed.config["kafka"],
                      "bootstrap.servers": f"127.0.0.1:{self.kafka_proxy.port}"},
            # It must still wait for the answer that is held, however long taking over takes.
            "redis": {**self.bed.config["redis"], "timeout": "60s",
                      "url": f"redis://127.0.0.1:{self.redis_proxy.port}/0"}}, "old.yaml"))
        self.bed.wait_owner("ana", "24h:attempts", 100)
        self.bed.wait_committed()

    def stop_old_at(self, proxy, wanted):
        """Sends what opens a review, and stops the old instance when it has come to the point."""
        proxy.hold(wanted)
        self.bed.produce_outcomes(rise("rising"))
        check(proxy.held.wait(30), "the old instance never came to the point")
        self.old.process.send_signal(signal.SIGSTOP)

    def statuses(self):
        found = sorted(self.bed.reviews(), key=lambda one: int(one[1]["rw-position"].split(" ")[2]))
        return [(record["scope"]["owner_tag"], record["status"]) for _, _, record in found]

    def take_over(self):
        """A new instance counts and publishes what the old one left, and goes on."""
        self.new = self.bed.service()
        self.new.wait_log("level=info at=load partition=0", TAKE_OVER_SECONDS)
        self.bed.produce_outcomes(some("ana", 50))
        self.bed.wait_owner("ana", "24h:attempts", 150, TAKE_OVER_SECONDS)
        self.bed.wait_owner("rising", "24h:attempts", 120)
        wait_until(lambda: self.statuses() == [("rising", "open")], 30, "the review is published")
        self.stopped_log = self.old.log()
        check("at=revoked" not in self.stopped_log, "the old one knows that it was replaced")

    def go_on(self, pattern):
        """What the old one says first is what it was told, not that its partition was revoked."""
        self.old.process.send_signal(signal.SIGCONT)
        self.old.wait_log(pattern)
        said = self.old.log()[len(self.stopped_log):]
        print("\n".join(said.splitlines()[:3]))
        check(re.search(pattern, said.split("at=revoked")[0]), "it was fenced before it knew:", said)

    def check_exact(self):
        """Both go on; nothing was counted twice and nothing published twice."""
        self.bed.produce_outcomes(some("ana", 25) + rise("late"))
        self.bed.wait_owner("ana", "24h:attempts", 175, TAKE_OVER_SECONDS)
        self.bed.wait_owner("late", "24h:attempts", 120)
        self.bed.wait_owner("rising", "24h:attempts", 120)
        wait_until(lambda: len(self.bed.reviews()) > 1, 30, "the second review is published")
        self.bed.wait_committed()
        self.old.stop()
        self.new.stop()
        equal(self.statuses(), [("rising", "open"), ("late", "open")], "reviews")
        equal(sorted(header["rw-position"].split(" ")[2] for _, header, _ in self.bed.reviews()),
              ["1", "2"], "serials")
        equal(self.bed.read("rejected"), [], "rejected")


def the_exec_of_the_old_one_answers_nil():
    """Stopped after WATCH, before MULTI: Redis itself refuses what comes late."""
    contest = Contest("nil")
    proxy = contest.redis_proxy
    contest.stop_old_at(proxy, lambda _, way, frame: way == REQUEST and b"MULTI\r\n" in frame)
    connection, _, held = proxy.seen[0]
    check(b":pending" in held and held.endswith(b"EXEC\r\n"), "the EXEC stores a review")
    contest.take_over()

    # MULTI reaches Redis only now, on the connection that watches.
    proxy.release()

    def answer():
        return b"".join(frame for whose, way, frame in list(proxy.seen)
                        if whose == connection and way == REPLY)
    wait_until(lambda: answer().endswith(b"\r\n*-1\r\n"), 30, "EXEC is answered with nil")
    check(answer().startswith(b"+OK\r\n+QUEUED\r\n"), "MULTI was taken:", answer()[:40])
    contest.go_on(r"level=warn at=exec partition=0 status=\S+ .*another instance")
    contest.check_exact()


def the_offsets_of_the_old_one_are_refused():
    """Stopped after EXEC, before its transaction: the group has moved on."""
    contest = Contest("generation")
    stored = set()

    def exec_done(connection, way, frame):
        if way == REQUEST and b":pending" in frame and frame.endswith(b"EXEC\r\n"):
            stored.add(connection)
        return way == REPLY and connection in stored
    contest.stop_old_at(contest.redis_proxy, exec_done)
    answer = contest.redis_proxy.seen[0][2]
    check(b"*-1\r\n" not in answer, "Redis has done the EXEC:", answer)
    contest.take_over()

    contest.kafka_proxy.keep()
    contest.redis_proxy.release()
    contest.go_on(r"level=warn at=publish status=\S+ ")
    codes = kafka_errors(contest.kafka_proxy, TXN_OFFSET_COMMIT)
    equal([code in GROUP_MOVED_ON for code in codes], [True], f"the broker's answers {codes}")
    equal(kafka_errors(contest.kafka_proxy, END_TXN), [0], "it ended its transaction (an abort)")
    contest.check_exact()


def the_transaction_of_the_old_one_is_fenced():
    """Stopped with everything in its transaction but the commit: the coordinator has aborted it."""
    contest = Contest("epoch")
    proxy = contest.kafka_proxy
    contest.stop_old_at(proxy, lambda _, way, frame: way == REQUEST and asks(frame, END_TXN))
    contest.take_over()

    proxy.release()
    wait_until(lambda: kafka_errors(proxy, END_TXN), 30, "an answer to the commit")
    code = kafka_errors(proxy, END_TXN)[0]
    check(code in PRODUCER_FENCED, "the broker's answer to the commit:", code)
    contest.go_on(r"level=warn at=publish status=\S+ ")
    contest.check_exact()
    copies = [message for message in contest.bed.read("reviews", "read_uncommitted")
              if b"rising" == message.key()]
    equal(len(copies), 2, "copies of the review, one of them in an aborted transaction")


run([the_exec_of_the_old_one_answers_nil, the_offsets_of_the_old_one_are_refused,
     the_transaction_of_the_old_one_is_fenced], 280)
