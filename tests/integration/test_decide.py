"""Decisions on a real Kafka: rise, decide, expiry, revocation; what is refused; what is rejected.

Each wait is the limit that users are promised: two seconds after the event that matters.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pty
import re
import select
import subprocess
import time
import uuid

from confluent_kafka import Consumer, TopicPartition

from harness import BINARY, Bed, as_ms, as_time, check, die_with_parent, equal, headers, \
    now_ms, outcome, rise, run, schema, unavro, wait_until

SOON = 2.0  # seconds from the event to the review


class Reviews:
    """Follows the reviews topic from its beginning."""

    def __init__(self, bed):
        self.parsed = schema("review_required")
        self.consumer = Consumer({"bootstrap.servers": bed.kafka, "group.id": uuid.uuid4().hex,
                                  "isolation.level": "read_committed", "fetch.wait.max.ms": 50,
                                  "enable.auto.commit": False})
        name = bed.topics["reviews"]
        parts = self.consumer.list_topics(name, timeout=20).topics[name].partitions
        self.consumer.assign([TopicPartition(name, number, 0) for number in parts])
        self.consumer.poll(1)

    def next(self, seconds):
        """The next review and how long it took; None, if none comes in time."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            message = self.consumer.poll(0.05)
            if message is not None and not message.error():
                check("ce_id" in headers(message), "headers")
                return unavro(message.value(), self.parsed), time.monotonic() - start
        return None, seconds

    def want(self, status, reason, seconds=SOON):
        review, took = self.next(seconds)
        check(review is not None, f"no {status} within {seconds} s")
        equal((review["status"], review["reason"]), (status, reason), "review")
        print(f"  {status} ({reason}) after {took * 1000:.0f} ms")
        return review

    def none(self, seconds):
        review, _ = self.next(seconds)
        check(review is None, "a review where none was due:", review)


def started(name, **config):
    bed = Bed(name, partitions=1, **config)
    service = bed.service()
    service.wait_log("at=load partition=0")
    return bed, service, Reviews(bed)


def retry(bed, number):
    """One more retry; the event at which the service looks. Two fetches bring it and the decision,
    so one that comes at the same instant may be ahead of the decision."""
    time.sleep(0.3)
    bed.produce_outcomes([outcome("ana", 1000 + number, 2)])


def open_review(bed, reviews):
    """All but the event that crosses the line first, so that the wait is that of one event."""
    events = rise("ana")
    firsts = [e for e in events if e["attempt_number"] == 1]
    retries = [e for e in events if e["attempt_number"] == 2]
    bed.produce_outcomes(firsts + retries[:9])
    bed.wait_owner("ana", "60m:attempts", 69)
    reviews.none(0.5)
    bed.produce_outcomes(retries[9:10])
    return reviews.want("open", "rise")


def decide(bed, *flags, want=0):
    done = bed.command("decide", "--config", bed.path, "--output", "json", *flags, want=want)
    return json.loads(done.stdout) if want == 0 else done


def recorded(bed, decision_id):
    return bed.command("decisions", "show", decision_id, "--config", bed.path)


def a_review_is_decided_and_reopens_when_the_decision_ends():
    bed, service, reviews = started("decide")
    opened = open_review(bed, reviews)
    made = decide(bed, opened["review_id"], "--action", "revise_retry_behavior",
                  "--reason", "the new client backs off", "--expires", "8s",
                  "--max-retry-share", "100%", "--decision-owner", "ana")
    equal(made["review_id"], opened["review_id"], "restricted to the review")
    equal(made["scope"]["owner_tag"], "ana", "scope")
    equal(made["scope"]["environment"], "production", "scope")
    equal(made["owner_known"], True, "owner_known")
    retry(bed, 0)
    decided = reviews.want("decided", "decision")
    equal(decided["last_decision"], made["decision_id"], "last_decision")
    equal(decided["cost_owner_action"], "revise_retry_behavior", "cost_owner_action")
    retry(bed, 1)
    reviews.none(1)
    end = decided_end(made)
    time.sleep(max(0, (end - now_ms()) / 1000 + 0.01))
    retry(bed, 2)
    reopened = reviews.want("reopened", "decision_expired")
    equal((reopened["review_id"], reopened["generation"]), (opened["review_id"], 2), "identity")
    service.stop()


def a_decision_that_comes_while_a_batch_waits_for_more_holds_for_it():
    """What the batch ends with is known, not only what was known before its first record."""
    bed, service, reviews = started("decide-batch", batch={"linger": "1s"})
    opened = open_review(bed, reviews)
    retry(bed, 0)
    time.sleep(0.3)
    decided_at = opened["window_end"].timestamp() * 1000 - 1000
    producer = bed.producer()
    producer.produce(bed.topics["decisions"], key="early", value=json.dumps({
        "decision_id": "early", "decided_at": int(decided_at), "decision_owner": "ana",
        "scope": {"owner_tag": "ana"}, "action": "revise_retry_behavior", "reason": "as agreed"}))
    producer.flush(10)
    reviews.want("decided", "decision", 2 * SOON)
    service.stop()


def decided_end(made):
    return as_time(made["ends_at"].replace("Z", "+00:00"))


def a_revoked_decision_ends_at_once():
    bed, service, reviews = started("revoke")
    open_review(bed, reviews)
    made = decide(bed, "--owner", "ana", "--action", "1", "--reason", "wait and see",
                  "--expires", "4h", "--accept-spend-risk", "--format", "json")
    retry(bed, 0)
    reviews.want("decided", "decision")
    listed = {d["decision_id"]: d for d in bed.json("decisions")}
    equal(listed[made["decision_id"]]["state"], "active", "state")
    check(made["decision_id"] in bed.command("decisions", "--config", bed.path).stdout, "table")

    gone = json.loads(bed.command("decisions", "revoke", made["decision_id"], "--reason",
                                  "it got worse", "--config", bed.path, "--output", "json").stdout)
    equal((gone["state"], gone["revoked"], gone["reason"]), ("revoked", True, "it got worse"),
          "revoked")
    retry(bed, 1)
    reviews.want("reopened", "decision_revoked")
    last = bed.read("decisions")[-1]
    equal(last.key().decode(), made["decision_id"], "key")
    full = unavro(last.value(), schema("decision"))
    equal((full["scope"]["owner_tag"], full["accepts_spend_risk"], full["revoked"]),
          ("ana", True, True), "a full copy")
    equal(as_ms(full["expires_at"]), decided_end(made), "expires_at is as it was")
    count = len(bed.read("decisions"))
    done = bed.command("decisions", "revoke", made["decision_id"], "--config", bed.path)
    check("ended already" in done.stdout, done.stdout)
    equal(len(bed.read("decisions")), count, "a second revocation writes nothing")
    bed.command("decisions", "revoke", "nobody", "--config", bed.path, want=1)
    service.stop()


def decisions_that_are_not_valid_are_shown():
    bed = Bed("rejected", partitions=1)
    whole = {"decision_id": "a", "decided_at": now_ms(), "decision_owner": "ana",
             "scope": {"owner_tag": "ana"}, "action": "keep_budget_unchanged", "reason": "because"}
    records = [("good", whole), ("blank", {**whole, "reason": " "}),
               ("action", {**whole, "action": "sue"}),
               ("end", {**whole, "expires_at": now_ms() - 1000}),
               ("nobody", {**whole, "decision_owner": None})]
    producer = bed.producer()
    for key, record in records:
        producer.produce(bed.topics["decisions"], key=key, value=json.dumps(record).encode())
    producer.produce(bed.topics["decisions"], key="text", value=b"hello CANARY")
    producer.produce(bed.topics["decisions"], key="gone", value=None)  # a tombstone is no error
    producer.flush(20)
    rejected = bed.json("decisions", "--rejected")
    equal([r["offset"] for r in rejected], [1, 2, 3, 4, 5], "offsets")
    for found, word in zip(rejected, ["blank", "none of the five", "before it starts",
                                      "decision_owner", "0x68"]):
        check(word in found["detail"], f"{word} is not in {found}")
    text = bed.command("decisions", "--rejected", "--config", bed.path).stdout
    check("none of the five" in text and "CANARY" not in text, text)
    listing = bed.command("decisions", "--config", bed.path).stdout
    check("5 records of the topic are no valid decisions" in listing, listing)


def what_decide_refuses():
    bed = Bed("refuse", partitions=1)
    good = ["--owner", "nobody", "--action", "1", "--reason", "because"]

    def refused(words, *flags, want=1):
        done = decide(bed, *flags, want=want)
        for word in words:
            check(word in done.stderr, f"{flags}: {word} is not in {done.stderr}")
        check("sk-" + "abc123def456" not in done.stderr, "the credential is repeated")

    refused(["workload_tag", "review.group_by", "owner_tag, environment, budget_bucket"],
            *good, "--workload", "web")
    refused(["request_class"], *good, "--class", "chat")
    refused(["_MISSING"], *good, "--environment", "")
    refused(["string_bytes"], *good, "--bucket", "b" * 300)
    refused(["32 hex digits"], *good, "--review", "4f0c")
    refused(["reason", "API key"], *good[:-1], "key sk-" + "abc123def456")
    refused(["reason", "bearer"], *good[:-1], "we send Bearer " + "abcdef0123456789")
    refused(["reason", "secret"], *good[:-1], "Authorization: Bearer " + "abcdef0123456789")
    refused(["reason", "random token"], *good[:-1], "x 0f3a9c1d7b2e4f60a1b2c3d4e5f60718")
    refused(["changed_setting", "AWS"], *good, "--changed-setting", "AK" + "IAIOSFODNN7EXAMPLE")
    refused(["200"], *good[:-1], "r" * 201)
    refused(["blank"], *good[:-1], "  ")
    refused(["30 days"], *good, "--expires", "31d")
    refused(["before it starts"], *good, "--expires", "2020-01-01T00:00:00Z")
    refused(["--expires", "4h"], *good, "--expires", "soon", want=2)
    refused(["--action", "keep_budget_unchanged"], "--owner", "x", "--action", "sue", want=2)
    refused(["--action", "--reason"], "--owner", "x", want=2)
    refused(["for what"], "--action", "1", "--reason", "because", want=2)
    refused(["no review"], "0" * 32, *good[2:])
    equal(bed.read("decisions"), [], "written decisions")

    made = decide(bed, *good, "--environment", "dev", "--source-url",
                  "https://me:secret@example.com/limits?token=1", "--remaining-uncertainty",
                  "one\x07two", "--decision-id", "mine", "--pricing-checked", "2026-01-02",
                  "--access-date", "2026-01-03", "--unit-metric", "tokens",
                  "--allocation-rule-checked")
    equal(made["owner_known"], False, "owner_known")
    check("no such owner" in made["note"], made["note"])
    message, = bed.read("decisions")
    written = unavro(message.value(), schema("decision"))
    equal(message.key(), b"mine", "key")
    equal(written["source_urls"], ["https://example.com/limits"], "source_urls")
    equal(written["remaining_uncertainty"], "onetwo", "control characters are removed")
    equal(written["allocation_rule_checked"], True, "allocation_rule_checked")
    equal(str(written["access_date"]), "2026-01-03", "access_date")
    check(as_ms(written["expires_at"]) - as_ms(written["decided_at"]) == 24 * 3600 * 1000, "end")
    # Without Redis a decision is written all the same.
    away = {**bed.config, "redis": {**bed.config["redis"], "url": "redis://127.0.0.1:1/0"}}
    done = bed.command("decide", "--config", bed.write_config(away, "away.yaml"), *good)
    check("Redis does not answer" in done.stdout, done.stdout)


class Terminal:
    """A child on a terminal of its own."""

    def __init__(self, *arguments):
        master, slave = pty.openpty()
        self.fd = master
        self.process = subprocess.Popen([BINARY, *arguments], stdin=slave, stdout=slave,
                                        stderr=slave, preexec_fn=die_with_parent,
                                        env={**os.environ, "NO_COLOR": "1"})
        os.close(slave)
        self.text = ""

    def expect(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            check(time.monotonic() < end, f"no {pattern} on the terminal: {self.text}")
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode()
                except OSError:
                    break
        found = re.search(pattern, self.text)
        check(found, f"no {pattern} on the terminal: {self.text}")
        seen, self.text = self.text[:found.end()], self.text[found.end():]
        return seen

    def answer(self, pattern, text):
        seen = self.expect(pattern)
        os.write(self.fd, text.encode() + b"\n")
        return seen


def a_person_is_asked():
    bed, service, reviews = started("ask")
    opened = open_review(bed, reviews)
    key = f"{bed.prefix}:view:review:{opened['review_id']}"
    wait_until(lambda: bed.redis.exists(key), 10, "the view of the review")
    terminal = Terminal("decide", opened["review_id"][:10], "--config", str(bed.path))
    packet = terminal.answer(r"Action[^\n]*: ", "6")
    check("ana" in packet and "(proposed)" in packet, packet)
    terminal.expect("no such action")
    terminal.answer(r"Action[^\n]*: ", "3")
    terminal.answer(r"Why: ", "")
    terminal.answer(r"Why: ", "sk-" + "abc123def456")
    terminal.expect("looks like it holds an API key")
    terminal.answer(r"Why: ", "the rollout ends on Friday")
    terminal.answer(r"For how long[^\n]*: ", "400d")
    terminal.answer(r"For how long[^\n]*: ", "3h")
    terminal.answer(r"spend rises further\? \[y/N\] ", "y")
    terminal.answer(r"Who decides[^\n]*: ", "ana")
    shown = terminal.answer(r"Write it\? \[y/N\] ", "y")
    check("the rollout ends on Friday" in shown and "accepted" in shown, shown)
    terminal.expect(r"is in cost-owner-decisions")
    equal(terminal.process.wait(20), 0, "exit code")
    message, = bed.read("decisions")
    written = unavro(message.value(), schema("decision"))
    equal((written["action"], written["accepts_spend_risk"], written["decision_owner"]),
          ("revise_retry_behavior", True, "ana"), "decision")
    retry(bed, 0)
    reviews.want("decided", "decision")

    terminal = Terminal("decide", "--owner", "ana", "--config", str(bed.path), "--action", "1",
                        "--reason", "x", "--expires", "1h", "--decision-owner", "ana")
    terminal.answer(r"spend rises further\? \[y/N\] ", "n")
    terminal.answer(r"Write it\? \[y/N\] ", "n")
    terminal.expect("nothing was written")
    equal(terminal.process.wait(20), 1, "exit code")
    equal(len(bed.read("decisions")), 1, "written decisions")
    service.stop()


def no_core_dump_is_written():
    bed, service, _ = started("core")
    equal(core_limits(service), ("0", "0"), "core file size")
    service.stop()
    other = bed.service("--set", "process.core_dumps=true")
    other.wait_log("at=load partition=0")
    check(core_limits(other) == own_core_limits(), "limits are left alone:", core_limits(other))
    other.stop()


def core_limits(service):
    with open(f"/proc/{service.process.pid}/limits", encoding="ascii") as limits:
        return re.search(r"Max core file size +(\S+) +(\S+)", limits.read()).group(1, 2)


def own_core_limits():
    with open("/proc/self/limits", encoding="ascii") as limits:
        return re.search(r"Max core file size +(\S+) +(\S+)", limits.read()).group(1, 2)


run([a_review_is_decided_and_reopens_when_the_decision_ends, a_revoked_decision_ends_at_once,
     a_decision_that_comes_while_a_batch_waits_for_more_holds_for_it,
     decisions_that_are_not_valid_are_shown, what_decide_refuses, a_person_is_asked,
     no_core_dump_is_written], seconds=280)
