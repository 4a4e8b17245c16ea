"""packet.py - the review packet, field by field.

SPDX-License-Identifier: Apache-2.0
"""
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from words import (BUCKET, CLASS, DAY_MS, DIMENSIONS, ENVIRONMENT, LONG_MAX, MINUTE_MS,
                   MISSING, MISSING_FIELDS, MIXED, OTHER, OWNER, PAUSES, WORKLOAD, at_least,
                   bps_down)

URLS_MAX = 8


def strip_url(url):
    """Without user info, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def stripped(urls):
    return [strip_url(url) for url in (urls or [])[:URLS_MAX]]


@dataclass
class Evidence:
    """What a group remembers, in offset order."""
    unit_metric: str | None = None
    changed_ms: int | None = None
    urls: list = field(default_factory=list)
    pricing: int | None = None
    allocation: bool = False

    def remember(self, value, t, now):
        metric = value.get("unit_metric")
        if metric:
            if self.unit_metric is not None and metric != self.unit_metric:
                self.changed_ms = now
            self.unit_metric = metric
        for url in stripped(value.get("source_urls")):
            if url not in self.urls and len(self.urls) < URLS_MAX:
                self.urls.append(url)
        pricing = value.get("pricing_source_checked_at")
        if pricing is not None:
            self.pricing = max(min(pricing, t), self.pricing if self.pricing is not None else 0)
        self.allocation = self.allocation or bool(value.get("allocation_rule_id"))

    def metric_at(self, minute):
        if self.changed_ms is not None and minute - 59 <= self.changed_ms // MINUTE_MS:
            return MIXED
        return self.unit_metric


class Configured:
    """The entries of the configuration's `evidence` for a group, most specific first."""

    def __init__(self, config, key):
        entries = [e for e in config["evidence"]
                   if e.get("owner") in (None, key[OWNER]) and
                   e.get("bucket") in (None, key[BUCKET])]
        self.entries = sorted(entries, key=lambda e: (e.get("owner") is None,
                                                      e.get("bucket") is None))

    def get(self, name):
        return next((e[name] for e in self.entries if e.get(name)), None)


def utc_date(ms):
    return str((datetime.fromtimestamp(0, timezone.utc) + timedelta(days=ms // DAY_MS)).date())


def top(events, dimension):
    retries = {}
    for event in events:
        if event.retry:
            value = event.series[dimension]
            retries[value] = retries.get(value, 0) + 1
    ordered = sorted(retries.items(), key=lambda row: (-row[1], row[0].encode()))
    return [{"value": value, "retries": count} for value, count in ordered[:3]]


def missing_fields(config, key, l, known):
    retries, share = l["retries"], config["rule"]["missing_share_bps"]

    def missing(name):
        if name in DIMENSIONS:
            d = DIMENSIONS.index(name)
            if d in config["group_by"]:
                return key[d] == MISSING
            return at_least(l["without"][d], retries, share)
        if name == "retry_cause":
            return at_least(l["causes"].get(MISSING, 0), retries, share)
        return not known[name]

    return [name for name in MISSING_FIELDS if name in config["required"] and missing(name)]


def pause_reasons(config, key, l, known, now):
    rule, pricing = config["rule"], known["pricing_source_checked_at"]
    unknown = l["causes"].get(MISSING, 0) + l["causes"].get("unknown", 0)
    holds = {
        "sample_missing": l["attempts"] < rule["attempts_min"] or l["attempts"] == l["retries"],
        "owner_unidentified": key[OWNER] in (MISSING, OTHER),
        "pricing_source_unchecked": pricing is None,
        "pricing_source_stale": pricing is not None and now - pricing > rule["pricing_stale_ms"],
        "unit_metric_undefined": known["unit_metric"] in (None, MIXED),
        "retry_cause_unknown": at_least(unknown, l["retries"], rule["missing_share_bps"]),
    }
    return [name for name in PAUSES if holds[name]]


def proposed_action(l, missing, pauses):
    tags = {"owner_tag", "budget_bucket", "workload_tag"}
    if "owner_unidentified" in pauses or tags & {*missing}:
        return "update_cost_allocation_tags"
    if "request_class" in missing:
        return "adjust_request_classification"
    if 2 * l["errors"].get("quota_exhausted", 0) > sum(l["errors"].values()):
        return "open_cost_exception_review"
    ours = sum(l["causes"].get(c, 0) for c in ("client_handling", "timeout", "platform_response"))
    return "revise_retry_behavior" if 2 * ours > l["retries"] else "keep_budget_unchanged"


def known_evidence(config, group, minute):
    """Of the events, else of the adopted decision, else of the configuration."""
    evidence, configured = group.evidence, Configured(config, group.key)
    adopted = group.review.adopted.value if group.review.adopted is not None else {}
    dates = [evidence.pricing, adopted.get("pricing_source_checked_at"), configured.get("pricing")]
    dates = [date for date in dates if date is not None]
    return {
        "unit_metric": evidence.metric_at(minute) or adopted.get("unit_metric") or
        configured.get("unit_metric"),
        "source_urls": list(evidence.urls) or stripped(adopted.get("source_urls")) or
        stripped(configured.get("urls")),
        "access_date": bool(adopted.get("access_date") is not None or
                            configured.get("access_date") is not None or dates),
        "pricing_source_checked_at": max(dates, default=None),
        "allocation": evidence.allocation or bool(adopted.get("allocation_rule_checked")) or
        bool(configured.get("allocation")),
    }


def threshold(rule, w):
    expected = 0
    if w.b["attempts"] >= rule["baseline_attempts_min"]:
        expected = rule["baseline_factor_bps"] * w.b["retries"] // w.b["attempts"]
    return max(rule["share_min_bps"], min(expected, rule["share_max_bps"]))


def make_packet(config, group, w, now, status, reason):
    rule, review, l, key = config["rule"], group.review, w.l, group.key
    known = known_evidence(config, group, w.minute)
    missing = missing_fields(config, key, l, known)
    pauses = pause_reasons(config, key, l, known, now)
    ready = not missing and not pauses
    baseline = w.b if w.b["attempts"] >= rule["baseline_attempts_min"] else {"retries": 0,
                                                                            "attempts": 0}

    def long(value):
        return min(value, LONG_MAX)

    return {
        "review_id": review.id,
        "generation": review.generation,
        "sequence": review.sequence,
        "status": status,
        "reason": reason,
        "scope": dict(zip(DIMENSIONS, key)),
        "window_start": (w.minute - 59) * MINUTE_MS,
        "window_end": now,
        "starts_at": review.starts_at,
        "ends_at": now if status == "resolved" else None,
        "first_attempts": l["attempts"] - l["retries"],
        "attempts": l["attempts"],
        "retries": l["retries"],
        "retry_share_bps": bps_down(l["retries"], l["attempts"]),
        "baseline_share_bps": bps_down(baseline["retries"], baseline["attempts"]),
        "threshold_bps": threshold(rule, w),
        "rule_id": config["rule_id"],
        "config_version": config["config_version"],
        "retries_by_cause": l["causes"],
        "errors_by_category": l["errors"],
        "retries_by_layer": l["layers"],
        "retry_decisions": l["decisions"],
        "top_request_classes": top(w.l_events, CLASS),
        "top_workloads": top(w.l_events, WORKLOAD),
        "top_environments": top(w.l_events, ENVIRONMENT),
        "first_attempt_units": long(l["first_units"]),
        "retry_units": long(l["retry_units"]),
        "unit_metric": known["unit_metric"],
        "usage_unavailable_count": l["usage_unavailable"],
        "late_count": l["late"],
        "review_date": utc_date(now),
        "source_urls": known["source_urls"],
        "first_attempt_recorded": l["attempts"] > l["retries"],
        "retry_count_recorded": l["retries"],
        "pricing_source_checked": not {"pricing_source_unchecked",
                                       "pricing_source_stale"} & {*pauses},
        "allocation_rule_checked": known["allocation"],
        "result": "pass" if ready else "fail",
        "missing_fields": missing,
        "pause_reasons": pauses,
        "ready_for_decision": ready,
        "proposed_action": proposed_action(l, missing, pauses),
        "cost_owner_action": review.adopted.action if review.adopted is not None else None,
        "last_decision": review.adopted.decision_id if review.adopted is not None else None,
        "evidence": {"topic": config["topic"], "partition": config["partition"],
                     "first_offset": l["first_offset"], "last_offset": l["last_offset"]},
    }
