"""life.py - the rule, and the life of a review: one evaluation is the first line that applies.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
from dataclasses import dataclass

from words import BPS, CAUSES, at_least, bps_up


@dataclass
class Review:
    state: str = "clear"
    id: str = ""
    generation: int = 0
    sequence: int = 0
    starts_at: int | None = None
    ends_at: int | None = None
    cleared_at: int | None = None
    calm: int = 0
    repeats: int = 0
    adopted: object = None
    adopted_limit: int | None = None
    adopted_cause: str | None = None
    used_up: tuple | None = None


def is_rise(rule, w):
    l, s = w.l, w.s
    if l["attempts"] < rule["attempts_min"] or l["retries"] < rule["retries_min"]:
        return False
    if not at_least(s["retries"], s["attempts"], rule["share_min_bps"]):
        return False
    if not at_least(l["retries"], l["attempts"], rule["share_min_bps"]):
        return False
    if at_least(l["retries"], l["attempts"], rule["share_max_bps"]):
        return True
    if w.b["attempts"] < rule["baseline_attempts_min"]:
        return True
    return (l["retries"] * w.b["attempts"] * BPS >=
            rule["baseline_factor_bps"] * w.b["retries"] * l["attempts"])


def dominant_cause(l):
    for cause in CAUSES:
        if cause != "unknown" and 2 * l["causes"].get(cause, 0) > l["retries"]:
            return cause
    return None


def leading_cause(l):
    counts = [(l["causes"].get(cause, 0), -order, cause) for order, cause in enumerate(CAUSES)]
    most = max(counts)
    return most[2] if most[0] else None


def new_id(config, key, event):
    values = [key[d] for d in sorted(config["group_by"])]
    parts = [config["topic"], str(config["partition"]), *values, str(event.offset), str(event.t)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def limit_of(review, decision):
    """In basis points; None: any share."""
    if is_adopted(review, decision):
        return review.adopted_limit
    return decision.max_retry_share_bps


def holds_adopted(review):
    """The adopted decision is not used up; else it is only the last that was adopted."""
    return review.adopted is not None and not is_used_up(review, review.adopted)


def is_used_up(review, decision):
    return review.used_up is not None and decision.age <= review.used_up


def is_adopted(review, decision):
    """A newer record of the same id is the same decision."""
    return holds_adopted(review) and decision.decision_id == review.adopted.decision_id


def refresh(review, decisions):
    """The newest record of the adopted decision stands; a limit that was fixed stays fixed."""
    newest = decisions.known.get(review.adopted.decision_id) if holds_adopted(review) else None
    if newest is not None:
        review.adopted = newest
        if newest.max_retry_share_bps is not None:
            review.adopted_limit = newest.max_retry_share_bps


def winner_of(review, decisions, key, now):
    """Of the decisions that apply the one that is preferred, or None."""
    candidates = list(decisions.known.values())
    if holds_adopted(review) and review.adopted.decision_id not in decisions.known:
        candidates.append(review.adopted)  # gone from the topic, but it holds
    applying = [d for d in candidates if d.start <= now < d.end and d.covers(key, review.id) and
                not is_used_up(review, d)]
    return max(applying, key=lambda d: d.rank, default=None)


def answers(review, decision, w):
    if decision is None:
        return False
    limit = limit_of(review, decision)
    return limit is None or w.l["retries"] * BPS <= limit * w.l["attempts"]


def adopt(review, rule, decision, w):
    if is_adopted(review, decision):
        return
    limit = decision.max_retry_share_bps
    if limit is None:
        base = bps_up(w.l["retries"], w.l["attempts"])
        if w.s["retries"] >= rule["retries_min"]:
            base = max(base, bps_up(w.s["retries"], w.s["attempts"]))
        risk = decision.accepts_spend_risk
        factor = rule["limit_risk_factor_bps" if risk else "limit_factor_bps"]
        limit = min(base * factor // BPS, BPS)
    review.adopted, review.adopted_limit = decision, limit
    review.adopted_cause = leading_cause(w.l)


def say(review, status, reason):
    review.sequence += 1
    return (status, reason)


def begin_generation(review, now, status, reason):
    review.state = "open"
    review.generation += 1
    review.starts_at, review.ends_at, review.repeats = now, None, 0
    return say(review, status, reason)


def evaluate(review, config, decisions, w, key, now, event):
    """Returns None, "suppressed", or (status, reason) of what is published."""
    rule = config["rule"]
    if event is None and review.state != "clear":
        reason = ended(review, rule, w)
        if reason is not None:
            covered = review.state == "covered"
            review.state, review.cleared_at, review.ends_at = "clear", now, now
            return None if covered else say(review, "resolved", reason)
    if review.state == "clear":
        return rise(review, config, decisions, w, key, now, event) if is_rise(rule, w) else None
    refresh(review, decisions)
    winner = winner_of(review, decisions, key, now)
    if review.state == "open":
        if answers(review, winner, w):
            adopt(review, rule, winner, w)
            review.state = "decided"
            return say(review, "decided", "decision")
        return repeat(review, rule, now) if event is None else None
    return covered_or_decided(review, rule, winner, w, now)


def ended(review, rule, w):
    if w.l["attempts"] == 0:
        return "no_traffic"
    if w.s["attempts"] > 0:
        calm = not at_least(w.s["retries"], w.s["attempts"], rule["calm_share_bps"])
        review.calm = review.calm + 1 if calm else 0
    return "calm" if review.calm >= rule["calm_closes"] else None


def rise(review, config, decisions, w, key, now, event):
    if review.cleared_at is None or now - review.cleared_at > config["rule"]["continue_ms"]:
        review.__init__(id=new_id(config, key, event))
    review.calm = 0
    refresh(review, decisions)
    winner = winner_of(review, decisions, key, now)
    if answers(review, winner, w):
        adopt(review, config["rule"], winner, w)
        review.state, review.ends_at = "covered", None
        return "suppressed"
    again = review.sequence > 0
    return begin_generation(review, now, *(("reopened", "rise_again") if again else
                                           ("open", "rise")))


def repeat(review, rule, now):
    due = (now - review.starts_at) // rule["repeat_ms"]
    if due <= review.repeats:
        return None
    review.repeats = due
    return say(review, "repeated" if due <= rule["repeats"] else "escalated", "unanswered")


def covered_or_decided(review, rule, winner, w, now):
    if winner is not None and not is_adopted(review, winner) and answers(review, winner, w):
        adopt(review, rule, winner, w)
        return say(review, "decided", "decision") if review.state == "decided" else None
    if not is_rise(rule, w):
        return None
    if winner is None:
        reason = review.adopted.ended_by
    elif not answers(review, winner, w):
        reason = "share_exceeded"
    elif dominant_cause(w.l) not in (None, review.adopted_cause):
        reason = "new_cause"
    else:
        return None
    review.used_up = review.adopted.age
    return begin_generation(review, now, "reopened" if review.sequence else "open", reason)
