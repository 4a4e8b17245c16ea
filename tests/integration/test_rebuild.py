"""`retrywatch rebuild`: the log counted anew beside the state, compared, switched to, and kept apart.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re

import redis
from confluent_kafka.admin import AdminClient, NewPartitions

from harness import (Bed, check, equal, now_ms, outcome, rise, run, wait_until)

MINUTE = 60_000
OWNERS = ("ana", "bo", "cy")


def a_bed(name, **config):
    return Bed(name, partitions=config.pop("partitions", 2),
               kafka={"consumer": {"session.timeout.ms": "6000"}}, **config)


def some_traffic(bed):
    """Three owners, one of whom rises half an hour ago; and one record that is no event."""
    at = now_ms() - 40 * MINUTE
    bed.produce_outcomes(
        [outcome(owner, number, time_ms=at + number * 1000)
         for number in range(300) for owner in OWNERS[:1 + number % 3]])
    bed.produce_outcomes(rise("rising", end_ms=now_ms() - 30 * MINUTE))
    bed.produce([("broken", b"\0\0\0\0\1\xff", now_ms() - 29 * MINUTE, 0)])


def counted(bed):
    """owner → what its view says, but for when."""
    return {owner: {field: value for field, value in bed.owner(owner).items()
                    if field.startswith("24h:") or field == "open_reviews"}
            for owner in (*OWNERS, "rising")}


def serve(bed, *arguments):
    """The service until all is committed and shown; then it is stopped."""
    service = bed.service(*arguments)
    service.wait_log("at=load")
    bed.wait_committed()
    bed.wait_owner("rising", "24h:attempts", 120)
    service.stop()
    return service


def rebuild(bed, *arguments, want=0, config=None):
    done = bed.command("rebuild", "--config", config or bed.path, *arguments, timeout=120,
                       want=want)
    return done


def rebuilt(bed, *arguments, config=None):
    return json.loads(rebuild(bed, "--output", "json", *arguments, config=config).stdout)


def state_keys(bed, space):
    """Keys of a namespace of the state."""
    mark = ":" if space == 1 else f"@{space}:"
    return [key for key in bed.redis.scan_iter(f"{bed.prefix}:{{*")
            if re.search(r"\}" + mark, key)]


def each_once(bed, statuses):
    """Every review event once, in this order of statuses, without gap."""
    reviews = bed.reviews()
    ids = [header["ce_id"] for _, header, _ in reviews]
    equal(len(ids), len(set(ids)), "reviews, each once")
    found = [(r["status"], r["sequence"]) for _, _, r in reviews if
             r["scope"]["owner_tag"] == "rising"]
    equal(found, [(status, n + 1) for n, status in enumerate(statuses)], "statuses")
    equal(len({r["review_id"] for _, _, r in reviews}), 1, "one review")


def calm_down(bed):
    """So many first attempts that the rise is over."""
    at = now_ms() - 28 * MINUTE
    bed.produce_outcomes([outcome("rising", 1000 + number, time_ms=at + number * 1000)
                          for number in range(0, 1600, 4)])


def equal_counters_and_a_switch():
    """The same counters; nothing is published; after the switch the review goes on, each event once;
    the old state is kept until it is dropped, while the service runs."""
    bed = a_bed("rebuild")
    some_traffic(bed)
    serve(bed)
    before = counted(bed)
    each_once(bed, ["open"])

    report = rebuilt(bed)
    equal((report["owners"], report["owners_different"], report["switched"], report["namespace"]),
          (4, 0, False, 1), "report")
    check(all(p["from"] == 0 and p["old"] == p["to"] and p["reviews_lost"] == 0
              for p in report["partitions"]), report["partitions"])
    equal(len(bed.reviews()), 1, "nothing was published")
    serve(bed)  # on the old state: a rebuild alone changes nothing
    equal(bed.redis.hget(f"{bed.prefix}:meta", "namespace"), None, "namespace")

    said = rebuild(bed, "--switch").stdout
    check(re.search(r"4 owners compared, 0 differ", said), said)
    check("--drop-old" in said, said)
    equal(bed.redis.hget(f"{bed.prefix}:meta", "namespace"), "2", "namespace")
    check(state_keys(bed, 1) and state_keys(bed, 2), "both are kept")
    check("--drop-old" in rebuild(bed, want=1).stderr, "a third one is refused")

    calm_down(bed)  # before the service is at the end of the log, where the clock moves T on
    service = bed.service()
    bed.wait_owner("rising", "24h:attempts", 520)
    wait_until(lambda: len(bed.reviews()) == 2, 30, "the review is resolved")
    check(re.search("Deleted [1-9]", rebuild(bed, "--drop-old").stdout), "keys are deleted")
    equal(state_keys(bed, 1), [], "the old state")
    bed.produce_outcomes([outcome("ana", 2000)])
    bed.wait_owner("ana", "24h:attempts", before["ana"]["24h:attempts"] + 1)
    service.stop()
    each_once(bed, ["open", "resolved"])
    equal({owner: view for owner, view in counted(bed).items() if owner in ("bo", "cy")},
          {owner: view for owner, view in before.items() if owner in ("bo", "cy")}, "counters")
    equal(len(bed.read("rejected")), 1, "rejected")
    equal(rebuilt(bed, "--switch")["namespace"], 3, "and again")
    serve_again(bed)


def serve_again(bed):
    service = bed.service()
    service.wait_log("at=load")
    bed.wait_committed()
    service.stop()


def tampered_counters_are_found_and_mended():
    bed = a_bed("tampered", partitions=1)
    some_traffic(bed)
    serve(bed)
    before = counted(bed)
    binary = redis.Redis.from_url(bed.redis_url)
    first, second = sorted(binary.hkeys(f"{bed.prefix}:{{{bed.topics['outcomes']}:0}}:series"))[:2]
    for key in [key for key in state_keys(bed, 1) if ":m:" in key]:
        fields = binary.hgetall(key)
        if first in fields and second in fields:  # two series change places
            binary.hset(key, mapping={first: fields[second], second: fields[first]})
    report = rebuilt(bed)
    check(report["owners_different"] == 2, report)
    check({"owner", "counter", "old", "new"} == set(report["differences"][0]), report)
    check(any(one["counter"] == "24h:attempts" for one in report["differences"]), report)
    said = rebuild(bed, "--switch").stdout
    check(re.search(r"24h:attempts +\d+ +\d+", said), said)
    service = bed.service()
    service.wait_log("at=load")
    wait_until(lambda: counted(bed) == before, 30, "the counters are right again")
    service.stop()
    each_once(bed, ["open"])
    rebuild(bed, "--switch-back")
    equal(bed.redis.hget(f"{bed.prefix}:meta", "namespace"), "1", "namespace")
    rebuild(bed, "--drop-new", want=1)
    rebuild(bed, "--drop-old")
    equal(state_keys(bed, 2), [], "what was rebuilt")


def killed_in_the_middle_and_disturbed():
    """kill -9 while it counts, then again; a second one and a running service are refused."""
    bed = a_bed("killed")
    some_traffic(bed)
    bed.command("generate", "--config", bed.path, "--events", "40000", "--owners", "50", "--seed",
                "7", "--span", "20m")
    service = bed.service()
    bed.wait_committed(120)
    refused = rebuild(bed, want=1)
    check(re.search("the service is running.*stop it first", refused.stderr), refused.stderr)
    service.stop()
    equal(len(state_keys(bed, 2)), 0, "a refused one leaves nothing")

    slow = ("--set", "batch.max_events=200", "--set", "batch.max_updates=100")
    for _ in range(2):
        child = bed.service(*slow, command="rebuild")
        child.wait_log("at=load")
        wait_until(lambda: bed.redis.exists(*applied(bed, 2)) == 2, 60, "it counts")
        other = rebuild(bed, want=1)
        check("stop it first" in other.stderr, other.stderr)
        child.kill()
        wait_until(lambda: "stop it first" not in rebuild(bed, "--switch-back", want=1).stderr,
                   30, "the killed one is forgotten")
    equal(bed.redis.hget(f"{bed.prefix}:meta", "namespace"), None, "no half switch")
    published = len(bed.reviews())

    rebuild(bed, "--drop-new")  # from the beginning, and slow enough: hearing of it takes seconds
    child = bed.service("--set", "batch.max_events=2", command="rebuild")
    child.wait_log("at=load")
    service = bed.service()
    child.wait(1)
    check("another member has joined" in child.log(), child.log())
    service.wait_log("at=load")
    service.stop()

    report = rebuilt(bed, "--switch")
    equal((report["owners_different"], report["switched"], report["namespace"]), (0, True, 3),
          "report")
    serve_again(bed)
    reviews = bed.reviews()
    equal(len(reviews), published, "reviews")
    equal(len({header["ce_id"] for _, header, _ in reviews}), published, "each once")


def applied(bed, space):
    mark = "" if space == 1 else f"@{space}"
    return [f"{bed.prefix}:{{{bed.topics['outcomes']}:{p}}}{mark}:applied"
            for p in range(bed.partitions)]


def what_is_refused_is_mended():
    """Redis is emptied; then the group's offsets are deleted; then partitions are added; then the
    groups are others. Each time `run` refuses and names the way out, which leads on."""
    bed = a_bed("mended")
    some_traffic(bed)
    serve(bed)
    before = counted(bed)

    for key in list(bed.redis.scan_iter(f"{bed.prefix}:*")):
        bed.redis.delete(key)
    bed.service().wait_refusal("retrywatch rebuild")
    report = rebuilt(bed, "--switch")
    check(all(p["old"] is None for p in report["partitions"]), report)
    serve(bed)
    equal(counted(bed), before, "counters after Redis was emptied")
    each_once(bed, ["open"])
    equal(len(bed.read("rejected")), 1, "rejected")
    rebuild(bed, "--drop-old")

    admin = AdminClient({"bootstrap.servers": bed.kafka})
    for future in admin.delete_consumer_groups([bed.config["group"]]).values():
        future.result(20)
    bed.service().wait_refusal("no committed offset", "retrywatch rebuild")
    report = rebuilt(bed, "--switch")
    equal(report["owners_different"], 0, report)
    check(any(p["position_from_reviews"] for p in report["partitions"]), report)
    serve(bed)
    equal(counted(bed), before, "counters after the offsets were deleted")
    each_once(bed, ["open"])
    rebuild(bed, "--drop-old")

    for future in admin.create_partitions([NewPartitions(bed.topics["outcomes"], 3)]).values():
        future.result(20)
    bed.partitions = 3
    bed.service().wait_refusal("partition_count", "retrywatch rebuild")
    report = rebuilt(bed, "--switch")
    equal((report["owners_different"], len(report["partitions"])), (0, 3), report)
    serve(bed)
    equal(counted(bed), before, "counters after partitions were added")
    each_once(bed, ["open"])
    rebuild(bed, "--drop-old")

    other = bed.write_config({**bed.config, "review": {"group_by": ["owner_tag"]}}, "other.yaml")
    bed.service(config=other).wait_refusal("layout", "retrywatch rebuild")
    said = rebuild(bed, "--switch", config=other).stdout
    check("cannot be read" in said, said)
    service = bed.service(config=other)
    service.wait_log("at=load")
    wait_until(lambda: {owner: view["24h:attempts"] for owner, view in counted(bed).items()} ==
               {owner: view["24h:attempts"] for owner, view in before.items()}, 30, "counters")
    service.stop()
    each_once(bed, ["open"])


TESTS = [
    equal_counters_and_a_switch,
    tampered_counters_are_found_and_mended,
    killed_in_the_middle_and_disturbed,
    what_is_refused_is_mended,
]
run(TESTS, 400)
