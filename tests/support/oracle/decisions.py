"""decisions.py - which recorded decision applies to a group.

SPDX-License-Identifier: Apache-2.0
"""
from dataclasses import dataclass

from words import ACTIONS, DIMENSIONS, MISSING, OTHER, OWNER


@dataclass
class Decision:
    value: dict         # as in the topic
    record_ms: int
    rule: dict

    def __getattr__(self, name):
        """A field of the record; absent is null."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self.value.get(name)

    @property
    def start(self):
        return max(self.decided_at, self.decided_at if self.effective_from is None
                   else self.effective_from)

    @property
    def expiry(self):
        longest = self.start + self.rule["decision_max_ms"]
        if self.expires_at is None:
            return min(self.start + self.rule["decision_default_ms"], longest)
        return min(self.expires_at, longest)

    @property
    def end(self):
        return min(self.expiry, self.record_ms) if self.revoked else self.expiry

    @property
    def ended_by(self):
        revoked = self.revoked and self.record_ms <= self.expiry
        return "decision_revoked" if revoked else "decision_expired"

    @property
    def age(self):
        """Orders decisions from older to newer."""
        return (self.decided_at, self.decision_id.encode())

    @property
    def named(self):
        """The dimensions that its scope names."""
        scope = self.scope or {}
        return {d: scope[name] for d, name in enumerate(DIMENSIONS) if scope.get(name) is not None}

    @property
    def rank(self):
        return (len(self.named) + (self.review_id is not None),) + self.age

    def covers(self, key, review_id):
        named = self.named
        if key[OWNER] in (MISSING, OTHER) and OWNER not in named:
            return False
        if self.review_id is not None and self.review_id != review_id:
            return False
        return all(key[d] == value for d, value in named.items())


def is_valid(decision):
    value = decision.value
    if not value.get("decision_id") or value.get("decided_at") is None:
        return False
    if not value.get("decision_owner") or value.get("action") not in ACTIONS:
        return False
    if not (value.get("reason") or "").strip():
        return False
    return decision.expiry > decision.start


class Decisions:
    """The newest valid record of each id."""

    def __init__(self, rule):
        self.rule = rule
        self.known = {}

    def put(self, value, record_ms):
        """Returns whether the record is a valid decision."""
        decision = Decision(value, record_ms, self.rule)
        if not is_valid(decision):
            return False
        self.known[decision.decision_id] = decision
        return True
