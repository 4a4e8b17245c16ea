"""stream.py - random streams: a configuration, and lines for tests/support/stream_driver.c.

A stream is a list of tuples, a verb and its arguments, made from one seed. The generator plays them
to a model as it goes, so that decisions can meet reviews that are open.
SPDX-License-Identifier: Apache-2.0
"""
import random

from recount import Partition
from words import (ACTIONS, CAUSES, DAY_MS, DIMENSIONS, ERRORS, LAYERS, MINUTE_MS, MISSING,
                   MISSING_FIELDS, OTHER, OWNER, RESULTS, RETRY_DECISIONS)

SECOND_MS = 1000
HOUR_MS = 60 * MINUTE_MS
START_MS = 1_767_571_200_000  # Monday, 2026-01-05, midnight UTC

DEFAULT_RULE = {
    "attempts_min": 50, "retries_min": 10, "share_min_bps": 1000, "share_max_bps": 2000,
    "baseline_factor_bps": 15000, "baseline_attempts_min": 50, "calm_share_bps": 700,
    "calm_closes": 15, "continue_ms": 30 * MINUTE_MS, "repeat_ms": 4 * HOUR_MS, "repeats": 3,
    "decision_default_ms": 24 * HOUR_MS, "decision_max_ms": 30 * DAY_MS, "limit_factor_bps": 11000,
    "limit_risk_factor_bps": 15000, "missing_share_bps": 2000, "pricing_stale_ms": 30 * DAY_MS,
    "shadow": False,
}

PAGES = [f"https://docs{i % 4}.example/p/{i}" for i in range(12)]


def choose_config(rng):
    rule = dict(DEFAULT_RULE)
    if rng.random() < 0.85:  # small numbers, so that a short stream reaches every state
        rule |= {
            "attempts_min": rng.randint(1, 12), "retries_min": rng.randint(1, 4),
            "share_min_bps": rng.choice([500, 1000, 1000, 2500]),
            "share_max_bps": rng.choice([2000, 2000, 3333, 6000]),
            "baseline_factor_bps": rng.choice([10000, 12345, 15000, 30000]),
            "baseline_attempts_min": rng.randint(1, 30),
            "calm_share_bps": rng.choice([400, 700, 1000, 2500]),
            "calm_closes": rng.randint(1, 6),
            "continue_ms": rng.choice([0, 1, 10, 30, 120]) * MINUTE_MS,
            "repeat_ms": rng.choice([60_000, 90_500, 7 * MINUTE_MS, 25 * MINUTE_MS, 4 * HOUR_MS]),
            "repeats": rng.choice([0, 1, 2, 3]),
            "decision_default_ms": rng.choice([3, 10, 45]) * MINUTE_MS,
            "decision_max_ms": rng.choice([5, 30, 600]) * MINUTE_MS,
            "limit_factor_bps": rng.choice([10000, 10333, 11000]),
            "limit_risk_factor_bps": rng.choice([12000, 15000, 15555]),
            "missing_share_bps": rng.choice([2000, 1, 3333]),
            "pricing_stale_ms": rng.choice([HOUR_MS, DAY_MS, 30 * DAY_MS]),
        }
    rule["shadow"] = rng.random() < 0.03
    required = MISSING_FIELDS
    if rng.random() < 0.3:
        required = [name for name in MISSING_FIELDS if rng.random() < 0.6]
    group_by = rng.choice([[0, 2, 4]] * 4 + [[0], [0, 1], [0, 1, 2, 3, 4], [0, 4], [0, 2, 3]])
    return {
        "topic": rng.choice(["request-outcomes", "t"]), "partition": rng.choice([0, 3, 11]),
        "rule_id": "retry-share-two-windows-1", "config_version": f"v{rng.randint(1, 99)}",
        "rule": rule, "required": required, "group_by": group_by,
        "avro": rng.random() < 0.5,
        "limits": {
            "series_per_owner": rng.choice([1000, 1000, 1000, 1, 2, 3, 6]),
            "owners_per_partition": rng.choice([1_000_000, 1_000_000, 1, 2, 3]),
            "string_bytes": rng.choice([256, 12]),
            "future_ms": 5 * MINUTE_MS, "idle_ms": rng.choice([120, 120, 30]) * SECOND_MS,
            "too_late_ms": rng.choice([24 * HOUR_MS] * 3 + [2 * HOUR_MS, 20 * MINUTE_MS]),
        },
        "evidence": [choose_evidence(rng) for _ in range(rng.choice([0, 0, 1, 2, 4]))],
    }


def choose_evidence(rng):
    entry = {"owner": rng.choice([None, "ana", "bo"]), "bucket": rng.choice([None, "chat", "bat"]),
             "unit_metric": rng.choice([None, "tokens", "images"]),
             "urls": rng.sample(PAGES, rng.choice([0, 0, 1, 3])),
             "pricing": rng.choice([None, START_MS - rng.randint(0, 40 * DAY_MS)]),
             "access_date": rng.choice([None, 20_450]), "allocation": rng.random() < 0.3}
    return {key: value for key, value in entry.items() if value is not None}


class Generator:
    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.config = choose_config(rng)
        self.model = Partition(self.config)
        self.lines = []
        self.now = START_MS + rng.randint(0, DAY_MS)
        self.offset = rng.choice([0, 1, 1000, 2**40])
        self.ids = 0
        self.decisions = []
        self.cut = rng.choice([0.02, 0.1, 0.5])  # how often a batch ends
        self.pools = [
            ["ana", "bo", "cy"][:rng.randint(1, 3)] + rng.choice([[], [None], [OTHER], ["x" * 20]]),
            ["web", "job", "etl"][:rng.randint(1, 3)] + rng.choice([[], [None, None], [MISSING]]),
            ["prod", "dev"][:rng.randint(1, 2)] + rng.choice([[], [], [None], ["é" * 7]]),
            ["chat", "embed", "b"][:rng.randint(1, 3)] + rng.choice([[], [None, ""]]),
            ["chat", "bat"][:rng.randint(1, 2)] + rng.choice([[], [], ["", "y" * 300]]),
        ]
        self.metrics = rng.choice([["tokens"], ["tokens", None], [None], ["tokens"] * 30 + ["img"]])
        self.urls = rng.choice([[], PAGES[:2], PAGES])
        self.pricing = rng.choice([None, None, HOUR_MS, 40 * DAY_MS, -HOUR_MS])
        self.allocation = rng.choice([None, None, "rule-7"])
        self.huge = rng.random() < 0.1
        self.errors = rng.choice([ERRORS, ["quota_exhausted"], ERRORS])
        self.change_traffic()

    def play(self, *line):
        self.lines.append(line)
        play_line(self.model, line)

    def change_traffic(self):
        """A phase: how many retries, why, and how regular."""
        rng = self.rng
        self.share = rng.choice([0.0, 0.02, 0.06, 0.12, 0.3, 0.6, 0.95])
        self.causes = rng.choice([[c] for c in CAUSES] + [[None], CAUSES + [None]] +
                                 [[c, c, c, None] for c in CAUSES[:3]])
        self.step = rng.choice([1, 3, 10, 20]) * SECOND_MS
        self.lateness = rng.choice([0, 0, 0, 0.1, 0.5])

    # ---- events ------------------------------------------------------------------------------

    def lag(self):
        rng = self.rng
        if rng.random() >= self.lateness:
            return rng.randint(0, 2000)
        limit = self.config["limits"]["too_late_ms"]
        return rng.choice([rng.randint(0, 10 * MINUTE_MS), rng.randint(0, 90 * MINUTE_MS),
                           rng.randint(0, DAY_MS), limit + rng.randint(-2, 3000),
                           rng.randint(0, 2 * DAY_MS), -rng.randint(0, 6 * MINUTE_MS)])

    def usage(self):
        rng = self.rng
        value = {}
        if rng.random() < 0.3:
            value["units"] = rng.choice([0, 1, 7, 500, -1, None])
        if rng.random() < 0.6:
            value["input_tokens"] = rng.choice([0, 10, 900, None, -3])
        if rng.random() < 0.6:
            value["output_tokens"] = rng.choice([0, 20, 400])
        if rng.random() < 0.1:
            value["usage_source"] = rng.choice(["reported", "estimated", "unavailable"])
        if self.huge and rng.random() < 0.1:
            value["units"] = rng.choice([2**63 - 1, 2**62, 2**62 + 7])
        if self.huge and rng.random() < 0.02:
            value |= {"units": None, "input_tokens": 2**63 - 1, "output_tokens": 2**63 - 1}
        return value

    def event(self):
        rng = self.rng
        record_ms = self.now + (rng.randint(-3 * MINUTE_MS, 0) if rng.random() < 0.05 else 0)
        retry = rng.random() < self.share
        value = {"event_time": record_ms - self.lag(), "operation_id": "o",
                 "attempt_number": rng.choice([2, 2, 3, 1000]) if retry else 1}
        if rng.random() < 0.004:
            value["attempt_number"] = rng.choice([0, -1, 1001])
        for dimension, name in enumerate(DIMENSIONS):
            chosen = rng.choice(self.pools[dimension])
            if chosen is not None or rng.random() < 0.5:
                value[name] = chosen
        value["result_category"] = rng.choice(RESULTS)
        if rng.random() < 0.5:
            value["error_category"] = rng.choice([None, rng.choice(self.errors)])
        value["retry_cause"] = rng.choice(self.causes) if retry or rng.random() < 0.1 else None
        if rng.random() < 0.7:
            value["retry_layer"] = rng.choice(LAYERS)
        if rng.random() < 0.5:
            value["retry_decision"] = rng.choice(RETRY_DECISIONS + [None])
        value |= self.usage()
        value |= self.sources(value["event_time"])
        self.offset += rng.choice([1, 1, 1, 1, 2, 50])
        self.play("event", self.offset, record_ms, value)

    def sources(self, event_time):
        rng = self.rng
        value = {"unit_metric": rng.choice(self.metrics)}
        if self.urls and rng.random() < 0.1:
            value["source_urls"] = [rng.choice([url, url.replace("//", "//me:pw@"), url + "?k=1#f"])
                                    for url in rng.sample(self.urls, rng.randint(1, 2))]
        if self.pricing is not None and rng.random() < 0.1:
            value["pricing_source_checked_at"] = event_time - self.pricing
        if self.allocation is not None and rng.random() < 0.1:
            value["allocation_rule_id"] = self.allocation
        return value

    def burst(self):
        for _ in range(self.rng.randint(1, 40)):
            self.now += self.rng.randint(0, self.step)
            self.event()
            self.maybe_cut()

    # ---- time --------------------------------------------------------------------------------

    def gap(self):
        """Nothing comes for a while; sometimes the clock is heard meanwhile."""
        rng = self.rng
        length = rng.choice([rng.randint(0, 5), rng.randint(0, 12), rng.randint(0, 70),
                             rng.choice([3, 30, 61, 65, 100, 24 * 60, 26 * 60 + 40, 49 * 60])])
        if length > 120 and rng.random() < 0.6:
            return
        end = self.now + length * MINUTE_MS + rng.randint(0, MINUTE_MS)
        if rng.random() < 0.5:
            step = rng.choice([20 * SECOND_MS, MINUTE_MS, 7 * MINUTE_MS, HOUR_MS])
            for now in range(self.now, end, max(step, (end - self.now) // 15)):
                self.play("tick", now + rng.randint(0, 999))
                self.maybe_cut()
        self.now = end
        if rng.random() < 0.1:
            self.offset += 1
            self.play("reject", self.offset, self.now)
        if rng.random() < 0.03:  # a clock that is ahead: records then come behind T
            self.play("tick", self.now + rng.choice([3, 10, 90]) * MINUTE_MS)

    def maybe_cut(self):
        rng = self.rng
        if rng.random() < self.cut:
            self.play("batch")
            if rng.random() < 0.15:
                self.play("restart", int(rng.random() < 0.15))
            if rng.random() < 0.15:
                self.play("check")

    # ---- decisions ---------------------------------------------------------------------------

    def decision(self):
        rng = self.rng
        self.ids += 1
        stream_ms = self.model.T or self.now
        decided = stream_ms + rng.choice([0, 0, -rng.randint(0, HOUR_MS), rng.randint(0, HOUR_MS)])
        value = {"decision_id": rng.choice([f"d{self.ids}", f"z{100 - self.ids}"]),
                 "decided_at": decided, "decision_owner": "fin", "action": rng.choice(ACTIONS),
                 "reason": "known", "scope": {}}
        self.aim(value)
        if rng.random() < 0.3:
            value["effective_from"] = decided + rng.randint(-HOUR_MS, 20 * MINUTE_MS)
        if rng.random() < 0.6:
            value["expires_at"] = decided + rng.choice([rng.randint(-2, 3) * MINUTE_MS,
                                                        rng.randint(0, HOUR_MS),
                                                        rng.randint(0, 40 * DAY_MS)])
        if rng.random() < 0.4:
            value["max_retry_share_bps"] = rng.choice([0, 1000, 3000, 6000, 9000, 10000,
                                                       rng.randint(0, 10000)])
        value["accepts_spend_risk"] = rng.random() < 0.3
        value |= self.decision_evidence(stream_ms)
        self.spoil(value)
        self.decide(self.now + rng.randint(0, 5000), value)

    def decide(self, record_ms, value):
        self.decisions.append((record_ms, value))
        self.play("decision", record_ms, value)

    def aim(self, value):
        """A scope, mostly one that covers a group whose review is not clear."""
        rng = self.rng
        groups = self.model.active if self.model.active and rng.random() < 0.9 else [
            *self.model.groups.values()]
        if not groups:
            value["scope"] = {"owner_tag": rng.choice(["ana", None])}
            return
        group = rng.choice(groups)
        for dimension, name in enumerate(DIMENSIONS):
            if rng.random() < (0.9 if dimension == OWNER else 0.3):
                value["scope"][name] = group.key[dimension]
            elif rng.random() < 0.04:
                value["scope"][name] = rng.choice(["ana", "web", "prod", "chat", ""])
        if rng.random() < 0.2:
            value["review_id"] = rng.choice([group.review.id or None, "0" * 32])

    def decision_evidence(self, stream_ms):
        rng = self.rng
        value = {}
        if rng.random() < 0.3:
            value["source_urls"] = rng.sample(PAGES, rng.randint(1, 3))
        if rng.random() < 0.3:
            value["pricing_source_checked_at"] = stream_ms - rng.choice([0, HOUR_MS, 50 * DAY_MS])
        if rng.random() < 0.3:
            value["unit_metric"] = rng.choice(["tokens", "images", ""])
        if rng.random() < 0.2:
            value["access_date"] = 20_000
        if rng.random() < 0.2:
            value["allocation_rule_checked"] = True
        return value

    def spoil(self, value):
        """Sometimes it is no valid decision."""
        if self.rng.random() < 0.08:
            value |= self.rng.choice([
                {"decision_owner": ""}, {"action": "buy_more"}, {"reason": "  "}, {"action": None},
                {"decision_id": ""}, {"decided_at": None}, {"expires_at": value["decided_at"]}])

    def change_decision(self):
        """The same id again: revoked, changed, or deleted."""
        rng = self.rng
        if not self.decisions:
            return
        before_ms, value = rng.choice(self.decisions[-rng.choice([1, 2, 6]):])
        value = dict(value)
        how = rng.random()
        if how < 0.5:
            value["revoked"] = True
        elif how < 0.6:
            self.play("decision", self.now, None)
            return
        elif how < 0.75:
            value["expires_at"] = self.now + rng.randint(-10, 60) * MINUTE_MS
        elif how < 0.85:
            value["decided_at"] = self.now
        elif how < 0.9:
            self.aim(value)
        else:
            value["max_retry_share_bps"] = rng.choice([None, 2000, 9000])
            value["action"] = rng.choice(ACTIONS)
            value |= self.decision_evidence(self.now)
        near_ms = self.now + rng.randint(-MINUTE_MS, MINUTE_MS)
        self.decide(rng.choice([before_ms, self.now, near_ms]), value)

    def answer(self):
        """A decision, and then what may end it."""
        rng = self.rng
        self.decision()
        if rng.random() < 0.5:
            self.now += rng.randint(0, 2 * MINUTE_MS)
            self.burst()
        if rng.random() < 0.4:
            self.change_decision()
        elif rng.random() < 0.5:
            self.share = rng.choice([self.share, 0.6, 0.95])
            self.causes = [rng.choice(CAUSES)]
        else:
            self.now += rng.randint(0, 12) * MINUTE_MS

    # ---- all of it ---------------------------------------------------------------------------

    def run(self, events):
        rng = self.rng
        while sum(line[0] == "event" for line in self.lines) < events:
            self.burst()
            if rng.random() < 0.4:
                self.change_traffic()
            if rng.random() < 0.5:
                self.gap()
            if rng.random() < 0.6:
                self.answer()
            if rng.random() < 0.1:
                self.change_decision()
        if rng.random() < 0.3:
            self.play("tick", self.now + rng.randint(0, 3 * DAY_MS))
        self.play("batch")
        self.play("check")
        return self


def play_line(model, line):
    """One line to the model; returns what the driver must print at once, as (name, value)."""
    verb = line[0]
    if verb in ("event", "reject"):
        reason = model.record(line[1], line[2], line[3] if verb == "event" else None)
        return ("rejected", {"offset": line[1], "reason": reason}) if reason else None
    if verb == "tick":
        model.tick(line[1])
    elif verb == "decision":
        return ("decision", line[2] is None or model.decisions.put(line[2], line[1]))
    elif verb == "restart" and line[1]:
        model.decisions.known.clear()
    return None
