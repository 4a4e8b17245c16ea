"""words.py - the symbols of the schemas, in their order, and small arithmetic.

SPDX-License-Identifier: Apache-2.0
"""

DIMENSIONS = ["owner_tag", "workload_tag", "environment", "request_class", "budget_bucket"]
OWNER, WORKLOAD, ENVIRONMENT, CLASS, BUCKET = range(5)
MISSING, OTHER, MIXED = "_MISSING", "_OTHER", "_MIXED"

LAYERS = ["client", "sdk", "gateway", "agent", "unknown"]
RESULTS = ["success", "failure", "unknown"]
ERRORS = ["invalid_request", "auth", "rate_limited", "quota_exhausted", "timeout", "server_error",
          "network", "content_filter", "cancelled", "other"]
CAUSES = ["client_handling", "platform_response", "timeout", "scheduled_maintenance",
          "unfamiliar_request_source", "unknown"]
RETRY_DECISIONS = ["retry", "stop", "hold_for_owner"]
ACTIONS = ["keep_budget_unchanged", "adjust_request_classification", "revise_retry_behavior",
           "update_cost_allocation_tags", "open_cost_exception_review"]
STATUSES = ["open", "repeated", "escalated", "decided", "reopened", "resolved"]
REASONS = ["rise", "rise_again", "decision", "unanswered", "decision_expired", "decision_revoked",
           "share_exceeded", "new_cause", "calm", "no_traffic"]
MISSING_FIELDS = ["owner_tag", "workload_tag", "environment", "request_class", "budget_bucket",
                  "unit_metric", "source_urls", "access_date", "pricing_source_checked_at",
                  "retry_cause"]
PAUSES = ["sample_missing", "owner_unidentified", "pricing_source_unchecked",
          "pricing_source_stale", "unit_metric_undefined", "retry_cause_unknown"]

MINUTE_MS = 60_000
HALF_HOUR_MS = 30 * MINUTE_MS
DAY_MS = 48 * HALF_HOUR_MS
BPS = 10_000
COUNT_MAX = 2**64 - 1
LONG_MAX = 2**63 - 1


def at_least(retries, attempts, bps):
    """Whether a share is at or above so many basis points; an empty one never is."""
    return attempts > 0 and retries * BPS >= bps * attempts


def bps_down(part, whole):
    return part * BPS // whole if whole else 0


def bps_up(part, whole):
    return -(-part * BPS // whole) if whole else 0
