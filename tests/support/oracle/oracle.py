#!/usr/bin/env python3
"""oracle.py - random streams, through the service's own code and through a model that recounts.

    oracle.py [--streams N] [--seed S] [--events N] [--jobs N] DRIVER

DRIVER is the program tests/stream_driver of a build. Each stream is made from its own seed; what
was published and all counters must be the same, field by field. At the first difference the stream
is made as short as it goes, and printed with its seed.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import collections
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import time

from recount import HALF_HOUR_MS, Partition
from stream import Generator, play_line
from words import (ACTIONS, MISSING_FIELDS, OWNER, PAUSES, REASONS, STATUSES)

def text_of(line):
    if line[0] in ("event", "decision"):
        value = "" if line[-1] is None else json.dumps(line[-1], ensure_ascii=False)
        return " ".join([line[0], *map(str, line[1:-1]), value]).rstrip()
    return " ".join(map(str, line))


def run_driver(driver, config, lines):
    """What the driver prints: a list of (name, value)."""
    text = "\n".join(["config " + json.dumps(config), *map(text_of, lines)]) + "\n"
    done = subprocess.run([driver], input=text.encode(), capture_output=True, timeout=300)
    if done.returncode != 0:
        return [("crash", done.stderr.decode(errors="replace")[-3000:])]
    return [next(iter(json.loads(row).items())) for row in done.stdout.decode().splitlines()]


# ---- comparing -----------------------------------------------------------------------------------


def numbers(counters):
    """Counters as the driver prints them: decimal text, without zeros."""
    shown = {}
    for name, value in counters.items():
        if isinstance(value, dict) and name != "without":
            shown[name] = {key: str(count) for key, count in value.items() if count}
        elif name == "without":
            for dimension, key in ((1, "no_workload"), (2, "no_environment"), (3, "no_class")):
                if value[dimension]:
                    shown[key] = str(value[dimension])
        elif name in ("first_offset", "last_offset"):
            shown[name] = value
        elif value:
            shown[name] = str(value)
    return shown


def windows(totals):
    return {name: numbers({key: count for key, count in total.items()
                           if key != "too_late" or name == "24h"})
            for name, total in totals.items()}


def view_of(model, owner):
    view = model.view(owner)
    return {
        "totals": windows(view["totals"]), "open_reviews": view["open_reviews"],
        "buckets": {bucket: windows(totals) for bucket, totals in view["buckets"].items()},
        "minutes": {str(minute): row for minute, row in view["minutes"].items()},
    }


NOTHING = {"totals": {"5m": {}, "60m": {}, "24h": {}}, "open_reviews": 0, "minutes": {}}


class Views:
    """What dashboards would hold: each owner's view as it was shown last."""

    def __init__(self):
        self.shown = {}

    def differences(self, model, check, restarted):
        for owner in check["forgotten"]:
            self.shown.pop(owner, None)
        for view in check["views"]:
            owner = view.pop("owner")
            as_of, last_event = view.pop("as_of"), view.pop("last_event")
            if as_of != model.T:
                yield f"as_of of {owner}", as_of, model.T
            if not restarted and last_event != (model.last_event.get(owner) or -2**63):
                yield f"last event of {owner}", last_event, model.last_event.get(owner)
            self.shown[owner] = view
        for owner in {key[OWNER] for key in model.groups} | set(self.shown):
            want = view_of(model, owner)
            got = self.shown.get(owner, NOTHING)
            if restarted and not any(key[OWNER] == owner for key in model.groups):
                continue  # forgotten before the restart, with nobody left to say so
            empty = not any(want["totals"].values()) and want["open_reviews"] == 0
            keys = NOTHING if empty else want
            for key in keys:
                if got.get(key) != want[key]:
                    yield f"{key} in the view of {owner}", got.get(key), want[key]


def slot_differences(kind, got, want):
    for key in got.keys() | want.keys():
        expected = numbers(want[key]) if key in want else None
        if got.get(key) != expected:
            yield f"{kind} {key}", got.get(key), expected


def without_young(half_hours, newest, too_late):
    """Of the two newest half-hours nothing but too_late has to be stored: their minutes are."""
    return {key: {"too_late": too_late(counters)} if key[1] >= newest - 1 else counters
            for key, counters in half_hours.items()
            if key[1] < newest - 1 or too_late(counters)}


def check_differences(model, check, views, restarted):
    times = [-2**63 if time is None else time for time in (model.T, model.log, model.record_max)]
    if check["times"] != times:
        yield "times", check["times"], times
    if check["metrics"] != model.counts:
        yield "metrics", check["metrics"], model.counts
    minutes, half_hours = model.slots()
    got_minutes, got_half_hours = (
        {(tuple(row[0]), row[1]): row[2] for row in check[kind]} for kind in ("minutes", "half_hours"))
    yield from slot_differences("minute", got_minutes, minutes)
    newest = 0 if model.log is None else model.log // HALF_HOUR_MS
    yield from slot_differences(
        "half-hour", without_young(got_half_hours, newest, lambda counters: counters.get("too_late")),
        without_young(half_hours, newest, lambda counters: counters["too_late"]))
    yield from views.differences(model, check, restarted)


def packet_differences(number, got, want):
    if got is None or want is None:
        yield f"review {number}", got, want
        return
    for key in got.keys() | want.keys():
        if got.get(key) != want.get(key):
            what = f"{key} of review {number} ({want.get('status')}, {want.get('reason')})"
            yield what, got.get(key), want.get(key)


def differences(config, lines, output):
    """(what, got, want) for each thing that differs, in the order of the stream."""
    if output and output[-1][0] == "crash":
        yield "driver", output[-1][1], "an end"
        return
    model, views, restarted = Partition(config), Views(), False
    queue = collections.deque(output + [("end", None)])
    compared = 0
    for index, line in enumerate(lines):
        want = play_line(model, line)
        if line[0] in ("batch", "restart"):
            want = ("batch", len(model.published) - compared)
            restarted = restarted or line[0] == "restart"
        if line[0] == "check":
            found = list(check_differences(model, queue.popleft()[1], views, restarted))
        else:
            got = queue.popleft() if want is not None else None
            reviews = []
            while queue[0][0] == "review":
                reviews.append(queue.popleft()[1])
            found = [] if got == want else [("", got, want)]
            for got, want in itertools.zip_longest(reviews, model.published[compared:] if
                                                   line[0] == "batch" else []):
                compared += want is not None
                found += packet_differences(compared, got, want)
        if found:
            yield from ((f"line {index}: {what}", *rest) for what, *rest in found)
            return


def first_difference(driver, config, lines):
    return next(differences(config, lines, run_driver(driver, config, lines)), None)


# ---- shrinking -----------------------------------------------------------------------------------


def is_whole(lines):
    """Only what is stored can be looked at, or survive a restart."""
    return all(before[0] in ("batch", "restart") or line[0] not in ("check", "restart")
               for before, line in zip([("none",)] + lines, lines))


def shrink(driver, config, lines, seconds):
    """Leave out lines, ever smaller runs of them, while it still differs."""
    deadline = time.monotonic() + seconds
    size = len(lines) // 2
    while size >= 1:
        start, shorter = 0, False
        while start < len(lines) and time.monotonic() < deadline:
            tried = lines[:start] + lines[start + size:]
            if tried[-1:] != [("check",)]:
                tried = tried + [("batch",), ("check",)]
            if len(tried) < len(lines) and is_whole(tried) and first_difference(
                    driver, config, tried) is not None:
                lines, shorter = tried, True
            else:
                start += size
        size = size if shorter and size == 1 else size // 2
        if time.monotonic() >= deadline:
            break
    return lines


def report(driver, seed, config, lines, seconds):
    lines = shrink(driver, config, lines, seconds)
    print(f"seed {seed} differs; {len(lines)} lines are left of it:")
    print("config", json.dumps(config))
    for index, line in enumerate(lines):
        print(f"{index:4} {text_of(line)}")
    for what, got, want in differences(config, lines, run_driver(driver, config, lines)):
        print(f"{what}\n  got  {got}\n  want {want}")


# ---- running -------------------------------------------------------------------------------------


def run_stream(job):
    """One stream: (seed, what differs first, what it reached)."""
    driver, seed, events = job
    made = Generator(seed).run(events)
    reached = collections.Counter()
    for packet in made.model.published:
        reached.update([("status", packet["status"]), ("reason", packet["reason"]),
                        ("action", packet["proposed_action"]), ("ready", packet["result"])])
        reached.update(("missing", name) for name in packet["missing_fields"])
        reached.update(("pause", name) for name in packet["pause_reasons"])
    reached.update((("events", name) for name in made.model.counts
                    for _ in range(made.model.counts[name])))
    reached.update(("lines", line[0]) for line in made.lines)
    return seed, first_difference(driver, made.config, made.lines), reached


EXPECTED = ([("status", name) for name in STATUSES] + [("reason", name) for name in REASONS] +
            [("action", name) for name in ACTIONS] + [("missing", name) for name in MISSING_FIELDS]
            + [("pause", name) for name in PAUSES] + [("ready", "pass"), ("ready", "fail")] +
            [("events", name) for name in ("counted", "late", "too_late", "suppressed")])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("driver")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first stream")
    parser.add_argument("--events", type=int, default=300, help="in a stream, about")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--shrink", type=int, default=120, metavar="SECONDS")
    parser.add_argument("--all", action="store_true", help="only name what differs, in each stream")
    options = parser.parse_args()
    jobs = [(options.driver, options.seed + i, options.events) for i in range(options.streams)]
    reached, differing = collections.Counter(), []
    print(f"seeds {options.seed} to {options.seed + options.streams - 1}, "
          f"{options.events} events each")
    with multiprocessing.Pool(options.jobs) as pool:
        for seed, difference, found in pool.imap(run_stream, jobs):
            if difference is not None and options.all:
                what, got, want = difference
                print(f"seed {seed}: {what}\n  got  {got}\n  want {want}")
                differing.append(seed)
            elif difference is not None:
                pool.terminate()
                made = Generator(seed).run(options.events)
                report(options.driver, seed, made.config, made.lines, options.shrink)
                return 1
            reached.update(found)
    for kind, name in sorted(reached):
        print(f"  {kind:8} {name:32} {reached[kind, name]}")
    never = [pair for pair in EXPECTED if not reached[pair]]
    if differing:
        print(f"{len(differing)} of {options.streams} streams differ")
        return 1
    if never and options.streams >= 200:
        print("never reached:", never)
        return 1
    print(f"{options.streams} streams agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
