"""Input as JSON: the same fields, times as numbers or RFC 3339, foreign fields skipped.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json

from harness import Bed, check, equal, headers, now_ms, outcome, rise, run


def rfc3339(time_ms):
    when = datetime.datetime.fromtimestamp(time_ms / 1000, datetime.timezone.utc)
    return when.isoformat(timespec="milliseconds")


def json_counts_as_avro_does():
    bed, now = Bed("json", partitions=2, input={"format": "json"}), now_ms()
    events = rise("rising", end_ms=now)
    for number, event in enumerate(events):
        if number % 2 == 0:
            event["event_time"] = rfc3339(event["event_time"])
        event["model"] = {"name": ["foreign", 1, None, {"deep": True}]}
    for field in ("source", "project_tag", "units", "pricing_source_checked_at"):
        for event in events[::3]:
            del event[field]  # absent equals null
    events.append(outcome("odd", time_ms=now, retry_layer="moon", owner_tag="caf\u00e9"))
    bed.produce_json(events)
    service = bed.service()
    bed.wait_committed()
    view = bed.wait_owner("rising", "24h:attempts", 120)
    equal((view["24h:retries"], view["24h:failures"], view["24h:first_attempt_units"],
           view["24h:retry_units"]), (60, 60, 60 * 107, 60 * 207), "counters")
    bed.wait_owner("caf\u00e9", "24h:attempts", 1)
    service.stop()
    equal([(r["status"], r["scope"]["owner_tag"]) for _, _, r in bed.reviews()],
          [("open", "rising")], "reviews")
    equal(bed.read("rejected"), [], "rejected")


def what_is_not_an_event_is_rejected():
    bed, now = Bed("badjson", partitions=1, input={"format": "json"}), now_ms()
    good = outcome("good", time_ms=now)
    bad = [
        (b"", {"empty", "malformed"}),
        (b"{", {"malformed"}),
        (b"[]", {"malformed"}),
        (b'"text"', {"malformed"}),
        (json.dumps(good).encode() + b"{}", {"malformed"}),
        (json.dumps({**good, "owner_tag": "X"}).encode().replace(b'"X"', b'"\xff"'),
         {"malformed"}),
        (json.dumps({**good, "attempt_number": "2"}).encode(), {"malformed", "invalid"}),
        (json.dumps({**good, "input_tokens": "12"}).encode(), {"malformed", "invalid"}),
        (json.dumps({**good, "attempt_number": 0}).encode(), {"invalid"}),
        (json.dumps({**good, "event_time": "yesterday"}).encode(), {"malformed", "invalid"}),
        (json.dumps({k: v for k, v in good.items() if k != "event_time"}).encode(),
         {"malformed", "invalid"}),
        (b"[" * 60000, {"malformed"}),
    ]
    bed.produce([(b"key", value, now, 0) for value, _ in bad])
    bed.produce_json([good], 0)
    service = bed.service()
    bed.wait_committed()
    bed.wait_owner("good", "24h:attempts", 1)
    service.stop()
    rejected = sorted((int(headers(m)["offset"]), headers(m)) for m in bed.read("rejected"))
    equal([offset for offset, _ in rejected], list(range(len(bad))), "rejected offsets")
    for (value, reasons), (_, header) in zip(bad, rejected):
        check(header["reason"] in reasons, value[:80], header)
    for number, field in ((6, "attempt_number"), (7, "input_tokens"), (9, "event_time")):
        check(field in rejected[number][1]["detail"], f"the detail names {field}:", rejected[number])


run([json_counts_as_avro_does, what_is_not_an_event_is_rejected])
