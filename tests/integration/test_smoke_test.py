"""The smoke test passes on a service that works, and says what is wrong with one that does not.

SPDX-License-Identifier: Apache-2.0
"""
import json

from confluent_kafka.admin import AdminClient, NewTopic

from harness import Bed, Server, check, equal, run, schema, unavro

LOG_FIELDS = ["review_date", "request_class", "owner_group", "budget_bucket",
              "source_urls_checked", "result_category", "error_category", "retry_decision",
              "cost_owner_action", "notes"]
RECORD_FIELDS = ["source_urls", "owner_tag", "workload_tag", "first_attempt_recorded",
                 "retry_count_recorded", "pricing_source_checked", "allocation_rule_checked",
                 "result"]


def smoke_test(bed, *more, path=None, want=0):
    done = bed.command("smoke-test", "--config", path or bed.path, "--output", "json", *more,
                       want=want, timeout=100)
    return json.loads(done.stdout)


def failed_at(report, step, *words):
    """The first step that is not passed, and its text."""
    steps = {one["step"]: one for one in report["steps"]}
    equal(report["result"], "fail", "result")
    equal(report["record"]["result"], "fail", "result of the record")
    first = next(one for one in report["steps"] if one["result"] != "pass")
    equal((first["step"], first["result"]), (step, "fail"), f"the step that fails: {first}")
    for word in words:
        check(word in first["text"], f"{word} is not in {first['text']}")
    return steps


def started(bed):
    """The service, with its partitions."""
    service = bed.service()
    service.wait_log("at=load")
    return service


def it_passes():
    for kind, config in (("avro", {}), ("json", {"input": {"format": "json"}})):
        bed = Bed(f"smoke{kind}", partitions=2, **config)
        service = started(bed)
        report = smoke_test(bed, "--environment", "staging")
        equal([one["result"] for one in report["steps"]], ["pass"] * 7, "steps")
        check_report(bed, report)
        service.stop()


def check_report(bed, report):
    owner = report["owner"]
    check(owner.startswith("smoke-test-"), owner)
    for line in report["log"]:
        equal([name for name in LOG_FIELDS if name not in line], [], "missing log fields")
    error = next(line for line in report["log"] if line["path"] == "error-path")
    equal((error["error_category"], error["retry_decision"], error["owner_group"]),
          ("invalid_request", "stop", owner), "error path")
    check("budget owner must act" in error["notes"], error["notes"])
    equal([name for name in RECORD_FIELDS if name not in report["record"]], [], "missing fields")
    record = report["record"]
    equal((record["result"], record["owner_tag"], record["first_attempt_recorded"]),
          ("pass", owner, True), "record")
    check(record["retry_count_recorded"] >= 10, record)
    equal(report["environment"]["name"], "staging", "environment")
    for word in ("prices, quotas, latency or model availability",):
        check(word in report["not_asserted"], report["not_asserted"])
    check("Environment mismatch" in report["environment_mismatch"], "environment mismatch")
    check(len(report["remains"]) >= 5 and all(r["until"] for r in report["remains"]), "remains")

    # What it says that it did is what an ordinary client sees.
    reviews = [record for message, _, record in bed.reviews() if message.key() == owner.encode()]
    equal([r["status"] for r in reviews], ["open", "decided", "reopened", "decided"], "reviews")
    decisions = [unavro(m.value(), schema("decision")) for m in bed.read("decisions")]
    equal({d["scope"]["owner_tag"] for d in decisions}, {owner}, "decisions are for it alone")
    view = bed.owner(owner)
    equal(view["60m:retries"], record["retry_count_recorded"], "retries in Redis")
    equal(len(bed.read("outcomes")), view["60m:attempts"], "events")


def nobody_runs():
    bed = Bed("smokenone", partitions=1)
    report = smoke_test(bed, "--timeout", "3s", want=1)
    steps = failed_at(report, "happy-path", "not running", "retrywatch run")
    equal(steps["rise"]["result"], "not run", "later steps")
    equal(steps["cover"]["result"], "not run", "nothing to cover")
    text = bed.command("smoke-test", "--config", bed.path, "--timeout", "2s", want=1).stdout
    check("FAIL at happy-path: the service is not running" in text, text)


def redis_is_another():
    bed = Bed("smokeredis", partitions=1)
    service = started(bed)
    other = {**bed.config, "redis": {"url": Server("redis").address, "prefix": bed.prefix}}
    path = bed.write_config(other, "other.yaml")
    report = smoke_test(bed, "--timeout", "6s", path=path, want=1)
    failed_at(report, "happy-path", "not in this Redis", "redis.url")
    equal(bed.redis.exists(f"{bed.prefix}:view:owner:{report['owner']}"), 1,
          "the service has counted it in its own")
    service.stop()


def decisions_are_not_compacted():
    bed = Bed("smokedelete", partitions=1, create=False)
    admin = AdminClient({"bootstrap.servers": bed.kafka})
    names = [NewTopic(name, 1, 1) for name in bed.topics.values()]
    for future in admin.create_topics(names).values():
        future.result(30)
    service = started(bed)
    report = smoke_test(bed, want=1)
    failed_at(report, "reach", "not compacted", "cleanup.policy=compact")
    equal(bed.read("outcomes"), [], "events written")
    service.stop()


def events_are_rejected():
    bed = Bed("smokejson", partitions=1)
    service = started(bed)
    other = bed.write_config({**bed.config, "input": {"format": "json"}}, "other.yaml")
    report = smoke_test(bed, "--timeout", "6s", path=other, want=1)
    failed_at(report, "happy-path", "rejected", "malformed", "input.format")
    service.stop()


run([it_passes, nobody_runs, redis_is_another, decisions_are_not_compacted, events_are_rejected],
    seconds=280)
