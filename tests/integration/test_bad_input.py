"""Whatever bytes arrive: a rejected record tells why, without the payload, and the input goes on.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import random

from harness import Bed, avro, check, equal, headers, now_ms, outcome, run, schema

CANARY = "CANARY-8c1f"
SEED = 77


def bad_values():
    """(what, value, reason, schema id as the frame shows it)."""
    parsed, now = schema("outcome"), now_ms()
    good = avro(outcome(CANARY, time_ms=now), parsed)
    late_enum = good.replace(CANARY.encode(), b"\xff" * len(CANARY))
    return [
        ("null value", None, "empty", None),
        ("one byte", b"\0", "malformed", None),
        ("no body", b"\0\0\0\0\1", "malformed", "1"),
        ("wrong magic byte", b"\7" + good[1:], "malformed", None),
        ("cut short", good[:-1], "malformed", "1"),
        ("bytes after the record", good + b"\0", "malformed", "1"),
        ("text that is not UTF-8", late_enum, "malformed", "1"),
        ("a length beyond the end", good[:5] + b"\xfe\xff\xff\xff\x0f" + good[6:], "malformed",
         "1"),
        ("a negative length", good[:5] + b"\x03" + good[6:], "malformed", "1"),
        ("over limits.record_bytes", good + b"x" * 65536, "too_large", None),
        ("attempt 0", avro(outcome(CANARY, attempt=0, time_ms=now), parsed), "invalid", "1"),
        ("attempt 1001", avro(outcome(CANARY, attempt=1001, time_ms=now), parsed), "invalid", "1"),
        ("attempt below 0", avro(outcome(CANARY, attempt=-3, time_ms=now), parsed), "invalid",
         "1"),
        ("ahead of its record", avro(outcome(CANARY, time_ms=now + 301_000), parsed), "future",
         "1"),
    ]


def each_kind_is_rejected_with_its_reason():
    bed, now = Bed("bad", partitions=1), now_ms()
    bad = bad_values()
    good = avro(outcome("good", time_ms=now), schema("outcome"))
    values = [value for _, value, _, _ in bad for value in (value, good)]
    bed.produce((b"key", value, now, 0) for value in values)
    service = bed.service()
    bed.wait_committed()
    bed.wait_owner("good", "24h:attempts", len(bad))
    service.stop()

    rejected = {int(headers(m)["offset"]): m for m in bed.read("rejected")}
    equal(sorted(rejected), [2 * n for n in range(len(bad))], "offsets of the rejected records")
    for number, (what, value, reason, schema_id) in enumerate(bad):
        message = rejected[2 * number]
        header = headers(message)
        bytes_ = value or b""
        equal(message.value(), None, f"{what}: value")
        equal(header["reason"], reason, f"{what}: reason ({header})")
        check(header["detail"], f"{what}: no detail")
        equal(header["topic"], bed.topics["outcomes"], f"{what}: topic")
        equal(header["partition"], "0", f"{what}: partition")
        equal(header["size"], str(len(bytes_)), f"{what}: size")
        if value is not None:
            equal(header["sha256"], hashlib.sha256(bytes_).hexdigest(), f"{what}: sha256")
        if schema_id is not None:
            equal(header.get("schema_id"), schema_id, f"{what}: schema id")
        check(CANARY not in str(header) and CANARY.encode() not in (message.key() or b""),
              f"{what}: the payload came out: {header}")
    check(CANARY not in service.log(), "the payload came out in the log")


def noise_neither_stops_nor_repeats():
    """Thousands of damaged records among good ones, and a restart: each is rejected once."""
    print("seed", SEED)
    rng, parsed, now = random.Random(SEED), schema("outcome"), now_ms()
    bed = Bed("noise", partitions=2)
    good, values = avro(outcome("good", time_ms=now), parsed), []
    damaged = avro(outcome("damaged", time_ms=now), parsed)
    for _ in range(4000):
        value = bytearray(damaged)
        for _ in range(rng.randrange(1, 4)):
            value[rng.randrange(len(value))] = rng.randrange(256)
        values.append(bytes(value[:rng.randrange(len(value) + 1)]) if rng.random() < 0.5
                      else b"\xff" + bytes(value))
        values.append(good)
    bed.produce((b"key", value, now, number % 2) for number, value in enumerate(values))
    service = bed.service()
    bed.wait_committed()
    bed.wait_owner("good", "24h:attempts", 4000)
    service.stop()
    first = [(int(headers(m)["partition"]), int(headers(m)["offset"]))
             for m in bed.read("rejected")]
    equal(len(first), len(set(first)), "rejected records, each once")
    # Some damage leaves another event that can be read.
    check(3900 <= len(first) <= 4000, f"rejected: {len(first)}")

    bed.produce([(b"key", b"", now, 1), (b"key", good, now, 1)])
    service = bed.service()
    bed.wait_committed()
    bed.wait_owner("good", "24h:attempts", 4001)
    service.stop()
    equal(len(bed.read("rejected")), len(first) + 1, "rejected records after a restart")


def a_record_that_is_stamped_ahead_is_counted_and_told():
    """Kafka takes a record up to an hour ahead, unless the topic says otherwise."""
    bed, ahead = Bed("ahead", partitions=1), now_ms() + 20 * 60_000
    value = avro(outcome("early", time_ms=ahead), schema("outcome"))
    bed.produce([(b"early", value, ahead, 0)])
    service = bed.service()
    bed.wait_owner("early", "60m:attempts", 1)
    service.wait_log(r"level=warn at=ahead partition=0 offset=0 ahead_ms=1\d{6}\b")
    service.stop()


run([each_kind_is_rejected_with_its_reason, noise_neither_stops_nor_repeats,
     a_record_that_is_stamped_ahead_is_counted_and_told])
