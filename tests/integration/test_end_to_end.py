"""A client of others' libraries writes events, and reads the counters and the review.

What it counts itself, by filtering its own list of events, is what the service must have counted.
SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import random
import re

from harness import (Bed, as_ms, check, equal, now_ms, outcome, run, schema, unavro,
                     wait_until)

MINUTE = 60_000
SEED = 20240817


def history(now):
    """Three hours: calm owners with a retry in twenty, and one that begins to retry at the end."""
    rng, events = random.Random(SEED), []
    for second in range(3 * 3600, 180, -6):
        time_ms = now - second * 1000 + rng.randrange(1000)
        owner = rng.choice(["ana", "bo", "cleo"])
        events.append(outcome(owner, second, 1, time_ms))
        if rng.random() < 0.05:
            events.append(outcome(owner, second, 2, time_ms))
        if second % 12 == 0:
            events.append(outcome("rising", second, 1, time_ms))
            if second < 600:
                events.append(outcome("rising", second, 2, time_ms))
                events.append(outcome("rising", second, 3, time_ms))
    return events


def expect(events, owner, as_of):
    """The owner's view as a filter over the events gives it."""
    minute, half_hour = as_of // MINUTE, as_of // (30 * MINUTE)
    windows = {
        "5m": lambda t: minute - 4 <= t // MINUTE <= minute,
        "60m": lambda t: minute - 59 <= t // MINUTE <= minute,
        "24h": lambda t: half_hour - 47 <= t // (30 * MINUTE) <= half_hour,
    }
    want = {}
    for name, inside in windows.items():
        seen = [e for e in events if e["owner_tag"] == owner and inside(e["event_time"])]
        retries = [e for e in seen if e["attempt_number"] > 1]
        units = {kind: sum(e["input_tokens"] + e["output_tokens"] for e in seen
                           if (e["attempt_number"] > 1) == kind) for kind in (False, True)}
        want.update({
            f"{name}:attempts": len(seen),
            f"{name}:first_attempts": len(seen) - len(retries),
            f"{name}:retries": len(retries),
            f"{name}:retry_share_bps": len(retries) * 10000 // len(seen) if seen else 0,
            f"{name}:failures": sum(e["result_category"] == "failure" for e in seen),
            f"{name}:first_attempt_units": units[False],
            f"{name}:retry_units": units[True],
            f"{name}:usage_unavailable": 0,
        })
    return want


def read_views(bed, events):
    for owner in ("ana", "bo", "cleo", "rising"):
        def complete():
            view = bed.owner(owner)
            total = sum(e["owner_tag"] == owner for e in events)
            return view if view.get("24h:attempts") == total else None
        view = wait_until(complete, 30, f"the view of {owner} is complete")
        want = expect(events, owner, view["as_of"])
        equal({field: view.get(field) for field in want}, want, f"view of {owner}")
        equal(view["open_reviews"], 1 if owner == "rising" else 0, f"open reviews of {owner}")
        equal(view["too_late"], 0, f"too late of {owner}")
        last = max(e["event_time"] for e in events if e["owner_tag"] == owner)
        equal(bed.redis.zscore(f"{bed.prefix}:view:owners", owner), last, f"score of {owner}")
        buckets = bed.redis.hgetall(f"{bed.prefix}:view:buckets:{owner}")
        equal(int(buckets["search:24h:retries"]), want["24h:retries"], f"bucket of {owner}")
        minutes = bed.redis.hgetall(f"{bed.prefix}:view:minutes:{owner}")
        by_minute = sum(int(value) for field, value in minutes.items()
                        if field.endswith(":attempts")
                        and int(field.split(":")[0]) > view["as_of"] // MINUTE - 60)
        check(by_minute <= total_of(events, owner), f"minutes of {owner}: {by_minute}")


def total_of(events, owner):
    return sum(e["owner_tag"] == owner for e in events)


def read_review(bed, events):
    reviews = bed.reviews()
    equal([r["status"] for _, _, r in reviews], ["open"], "published reviews")
    message, header, review = reviews[0]
    equal(message.key(), b"rising", "key")
    equal(review["scope"]["owner_tag"], "rising", "scope")
    equal(review["scope"]["environment"], "production", "scope")
    equal(review["scope"]["budget_bucket"], "search", "scope")
    equal(review["scope"]["workload_tag"], None, "scope outside group_by")
    equal((review["generation"], review["sequence"], review["reason"]), (1, 1, "rise"), "identity")
    check(review["retries"] >= 10 and review["attempts"] >= 50, "too early:", review)
    equal(review["attempts"], review["first_attempts"] + review["retries"], "attempts")
    equal(review["retry_share_bps"], review["retries"] * 10000 // review["attempts"], "share")
    equal(review["retries_by_cause"].get("platform_response"), review["retries"], "causes")
    equal(review["retries_by_layer"].get("gateway"), review["retries"], "layers")
    equal(review["unit_metric"], "tokens", "unit metric")
    equal(review["top_workloads"], [{"value": "summaries", "retries": review["retries"]}], "top")
    check(review["proposed_action"], "a proposed action")
    equal(review["evidence"]["topic"], bed.topics["outcomes"], "evidence")

    # The counts of the packet are those of its own window, up to the offset it was raised by.
    end = as_ms(review["window_end"]) // MINUTE
    read = sorted((m for m in bed.read("outcomes")
                   if m.partition() == review["evidence"]["partition"]), key=lambda m: m.offset())
    position = header["rw-position"].split()
    equal(position[:3], [bed.topics["outcomes"], str(review["evidence"]["partition"]), "1"],
          "rw-position")
    check(review["evidence"]["last_offset"] < int(position[3]) <= len(read), "offset:", position)
    upto = {m.offset(): m for m in read if m.offset() <= review["evidence"]["last_offset"]}
    parsed = schema("outcome")
    seen = [e for e in (unavro(m.value(), parsed) for m in upto.values())
            if e["owner_tag"] == "rising" and end - 59 <= as_ms(e["event_time"]) // MINUTE <= end]
    equal(review["attempts"], len(seen), "attempts of the window")

    identity = "\0".join([review["review_id"], "1", "1", "open"])
    equal(header["ce_id"], hashlib.sha256(identity.encode()).hexdigest()[:32], "ce_id")
    equal(header["ce_specversion"], "1.0", "ce_specversion")
    for name in ("ce_type", "ce_source", "ce_time"):
        check(header.get(name), f"{name} is missing")
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", header["ce_time"]), header["ce_time"])

    view = bed.redis.hgetall(f"{bed.prefix}:view:review:{review['review_id']}")
    equal((view["status"], view["sequence"]), ("open", "1"), "view of the review")
    equal(bed.redis.zrange(f"{bed.prefix}:view:reviews", 0, -1), [review["review_id"]], "open ones")


def counters_and_review_are_what_the_client_counted():
    print("seed", SEED)
    bed = Bed("e2e")
    events = history(now_ms())
    bed.produce_outcomes(events)
    service = bed.service()
    bed.wait_committed()
    read_views(bed, events)
    read_review(bed, events)
    service.stop()
    ends = bed.ends()
    equal({p: offset for p, offset in bed.committed().items() if ends[p]},
          {p: end for p, end in ends.items() if end}, "committed after the end")


run([counters_and_review_are_what_the_client_counted])
