"""recount.py - one partition, counted by filtering a list of all its events.

Nothing is kept that could be counted again: no sums, no rings. What a window holds is found by
looking at every event. So it is slow, and there is little in it that could be wrong.
SPDX-License-Identifier: Apache-2.0
"""
from dataclasses import dataclass, field

from decisions import Decisions
from life import Review, evaluate
from packet import Evidence, make_packet
from words import (BUCKET, COUNT_MAX, DIMENSIONS, HALF_HOUR_MS, MINUTE_MS,
                   MISSING, OTHER, OWNER)

BASE = ["attempts", "retries", "failures", "first_units", "retry_units", "usage_unavailable",
        "late", "too_late"]


@dataclass
class Event:
    """One accepted event, as it was counted."""
    offset: int
    t: int
    series: tuple           # the five dimensions, folded
    value: dict
    late: bool
    in_l: bool              # its minute was in L of the log time
    too_late_at: int | None  # the log time, when it is in no slot but that one
    without: set            # dimensions that it did not name

    @property
    def minute(self):
        return self.t // MINUTE_MS

    @property
    def half_hour(self):
        return (self.t if self.too_late_at is None else self.too_late_at) // HALF_HOUR_MS

    @property
    def retry(self):
        return self.value["attempt_number"] >= 2


@dataclass(eq=False)
class Group:
    key: tuple              # None outside group_by
    events: list = field(default_factory=list)
    review: Review = field(default_factory=Review)
    evidence: Evidence = field(default_factory=Evidence)

    def in_minutes(self, first, last):
        return [e for e in self.events if e.in_l and first <= e.minute <= last]

    def in_half_hours(self, first, last):
        return [e for e in self.events if first <= e.half_hour <= last]


def units_of(value):
    """What the event used, or None when that is not known."""
    if value.get("usage_source") == "unavailable":
        return None
    parts = [value.get("units")]
    if parts[0] is None:
        parts = [value.get("input_tokens"), value.get("output_tokens")]
    parts = [part for part in parts if part is not None]
    return None if not parts or min(parts) < 0 else sum(parts)


def total(events):
    """The base counters of a list of events."""
    sums = dict.fromkeys(BASE, 0)
    for event in events:
        if event.too_late_at is not None:
            sums["too_late"] += 1
            continue
        units = units_of(event.value)
        sums["attempts"] += 1
        sums["retries"] += event.retry
        sums["failures"] += event.value.get("result_category") == "failure"
        sums["retry_units" if event.retry else "first_units"] += units or 0
        sums["usage_unavailable"] += units is None
        sums["late"] += event.late
    return {name: min(value, COUNT_MAX) for name, value in sums.items()}


def tally(symbols):
    counts = {}
    for symbol in symbols:
        if symbol is not None:
            counts[symbol] = counts.get(symbol, 0) + 1
    return counts


def detail(events):
    """What a minute slot counts beside the base counters."""
    retries = [e for e in events if e.retry]

    def error(value):
        if value.get("error_category") is not None:
            return value["error_category"]
        return "other" if value.get("result_category") == "failure" else None

    return {
        "causes": tally(e.value.get("retry_cause") or MISSING for e in retries),
        "errors": tally(error(e.value) for e in events),
        "layers": tally(e.value.get("retry_layer") or "unknown" for e in retries),
        "decisions": tally(e.value.get("retry_decision") for e in events),
        "without": {d: sum(d in e.without for e in retries) for d in range(5)},
        "first_offset": min((e.offset for e in events), default=None),
        "last_offset": max((e.offset for e in events), default=None),
    }


class Windows:
    """S, L and B of a group, as of the minute M."""

    def __init__(self, group, minute):
        self.minute = minute
        self.l_events = group.in_minutes(minute - 59, minute)
        self.l = total(self.l_events)
        self.s = total(group.in_minutes(minute - 4, minute))
        last = (minute - 59) // 30 - 1
        self.b = total(group.in_half_hours(last - 47, last))
        self.l.update(detail(self.l_events))


class Partition:
    def __init__(self, config):
        self.config = config
        self.decisions = Decisions(config["rule"])
        self.groups = {}
        self.active = []        # groups whose review is not clear, in the order of becoming so
        self.T = self.log = self.record_max = None
        self.last_event = {}    # owner -> largest t counted
        self.published = []
        self.counts = dict.fromkeys(["counted", "late", "too_late", "suppressed",
                                     "over_limit"], 0)

    # ---- time --------------------------------------------------------------------------------

    def advance(self, target, by_record):
        if self.T is not None:
            for minute in range(self.T // MINUTE_MS, target // MINUTE_MS):
                if not self.active:
                    break
                for group in list(self.active):
                    self.judge(group, minute, (minute + 1) * MINUTE_MS, None)
        self.T = target if self.T is None else max(self.T, target)
        if by_record:
            self.log = target if self.log is None else max(self.log, target)
            self.forget()

    def follow(self, now, by_record):
        idle = self.config["limits"]["idle_ms"]
        if self.record_max is not None and now - self.record_max > idle:
            self.advance(now - idle, by_record)

    def tick(self, now):
        self.follow(now, False)

    def forget(self):
        """A clear group without a slot among the 51 half-hours is as if it had never been."""
        now = self.log // HALF_HOUR_MS
        for group in list(self.groups.values()):
            if group.review.state == "clear" and not group.in_half_hours(now - 50, now):
                del self.groups[group.key]
        for owner in set(self.last_event) - {key[OWNER] for key in self.groups}:
            del self.last_event[owner]

    # ---- records -----------------------------------------------------------------------------

    def record(self, offset, record_ms, value):
        """One record; value is None if it was rejected before. Returns why it is rejected now."""
        self.follow(record_ms, True)
        self.record_max = max(record_ms, self.record_max or 0)
        if value is None:
            return None
        if not 1 <= value["attempt_number"] <= 1000 or value["event_time"] < 0:
            return "invalid"
        if value["event_time"] - record_ms > self.config["limits"]["future_ms"]:
            return "future"
        t = min(value["event_time"], record_ms)
        self.advance(t, True)
        self.count(offset, t, value)
        return None

    def count(self, offset, t, value):
        named = [value.get(name) for name in DIMENSIONS]
        without = {d for d in range(5) if named[d] in (None, "", MISSING)}
        too_late = self.log - t > self.config["limits"]["too_late_ms"]
        series, beyond = self.place(named)
        self.counts["over_limit"] += beyond
        minute, log_minute = t // MINUTE_MS, self.log // MINUTE_MS
        event = Event(offset, t, series, value, minute < log_minute - 4,
                      not too_late and log_minute - 59 <= minute, self.log if too_late else None,
                      without)
        # Nothing counts what has no bucket but the series that it is counted in.
        without -= {BUCKET} if series[BUCKET] != MISSING else set()
        key = self.key_of(series)
        group = self.groups.setdefault(key, Group(key))
        group.events.append(event)
        if too_late:
            self.counts["too_late"] += 1
            return
        self.counts["counted"] += 1
        self.counts["late"] += event.late
        owner = series[OWNER]
        self.last_event[owner] = max(t, self.last_event.get(owner, t))
        group.evidence.remember(value, t, self.T)
        if event.in_l:
            self.judge(group, self.T // MINUTE_MS, self.T, event)

    def key_of(self, series):
        return tuple(series[d] if d in self.config["group_by"] else None for d in range(5))

    def place(self, named):
        """The series that counts it, and whether a limit had a say in that."""
        limits, half_hour = self.config["limits"], self.log // HALF_HOUR_MS
        log_minute = self.log // MINUTE_MS

        def dimension(value):
            if not value:
                return MISSING
            return OTHER if len(value.encode()) > limits["string_bytes"] else value

        series = tuple(dimension(value) for value in named)
        beyond = any(len((value or "").encode()) > limits["string_bytes"] for value in named)
        live_groups = {g.key for g in self.groups.values()
                       if g.in_half_hours(half_hour - 50, half_hour)}
        owners = {key[OWNER] for key in live_groups}
        if series[OWNER] not in owners and len(owners) >= limits["owners_per_partition"]:
            series, beyond = (OTHER,) * 5, True
        owner = series[OWNER]
        live = {e.series for g in self.groups.values() if g.key[OWNER] == owner
                for e in g.in_minutes(log_minute - 59, log_minute)}
        if series in live or len(live) < limits["series_per_owner"]:
            return series, beyond
        keep = self.config["group_by"] if self.key_of(series) in live_groups else [OWNER]
        return tuple(series[d] if d in keep else OTHER for d in range(5)), True

    # ---- reviews -----------------------------------------------------------------------------

    def judge(self, group, minute, now, event):
        """One evaluation; event is None when a minute closes."""
        windows = Windows(group, minute)
        before = group.review.state
        effect = evaluate(group.review, self.config, self.decisions, windows, group.key, now, event)
        if before == "clear" and group.review.state != "clear":
            self.active.append(group)
        elif before != "clear" and group.review.state == "clear":
            self.active.remove(group)
        self.counts["suppressed"] += effect == "suppressed"
        if isinstance(effect, tuple) and not self.config["rule"]["shadow"]:
            self.published.append(make_packet(self.config, group, windows, now, *effect))

    # ---- what can be looked at ---------------------------------------------------------------

    def slots(self):
        """(series, minute) and (group, half-hour) to counters, for all that is live."""
        minutes, half_hours = {}, {}
        if self.log is None:
            return minutes, half_hours
        minute, half_hour = self.log // MINUTE_MS, self.log // HALF_HOUR_MS
        for group in self.groups.values():
            for event in group.in_minutes(minute - 59, minute):
                minutes.setdefault((event.series, event.minute), []).append(event)
            for event in group.in_half_hours(half_hour - 50, half_hour):
                half_hours.setdefault((group.key, event.half_hour), []).append(event)
        return ({key: total(events) | detail(events) for key, events in minutes.items()},
                {key: total(events) for key, events in half_hours.items()})

    def view(self, owner):
        """What dashboards see of one owner: the sums of its groups, as of T."""
        groups = [g for g in self.groups.values() if g.key[OWNER] == owner]
        minute, half_hour = self.T // MINUTE_MS, self.T // HALF_HOUR_MS

        def windows(some):
            return {
                "5m": total(e for g in some for e in g.in_minutes(minute - 4, minute)),
                "60m": total(e for g in some for e in g.in_minutes(minute - 59, minute)),
                "24h": total(e for g in some for e in g.in_half_hours(half_hour - 47, half_hour)),
            }

        buckets = {g.key[BUCKET] for g in groups} - {None}
        per_minute = {}
        for group in groups:
            for event in group.in_minutes(minute - 59, minute):
                row = per_minute.setdefault(event.minute, [0, 0])
                row[0] += 1
                row[1] += event.retry
        return {
            "totals": windows(groups),
            "buckets": {b: windows([g for g in groups if g.key[BUCKET] == b]) for b in buckets},
            "minutes": per_minute,
            "open_reviews": sum(g.review.state in ("open", "decided") for g in groups),
            "last_event": self.last_event.get(owner),
        }
