"""Redis and Kafka that are not there, go away, refuse, or hold the state of something else.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import socket

from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions

from harness import (Bed, Server, check, equal, now_ms, outcome, rise, run, stay,
                     wait_until)
from proxy import REQUEST, Proxy


def closed_port():
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def some(owner, count):
    return [outcome(owner, number, time_ms=now_ms()) for number in range(count)]


def redis_goes_away_and_comes_back():
    """Nothing is committed past what is stored; afterwards it goes on by itself."""
    server = Server("redis", "--appendfsync", "always")
    bed = Bed("redisgone", redis_url=server.address, partitions=1)
    bed.produce_outcomes(some("ana", 100))
    service = bed.service()
    bed.wait_owner("ana", "24h:attempts", 100)
    bed.wait_committed()
    server.stop()
    bed.produce_outcomes(some("ana", 50) + rise("rising"))
    stay(lambda: service.process.poll() is None and bed.committed()[0] <= 100, 5,
         "alive, and nothing committed while Redis is away")
    server.start()
    bed.wait_owner("ana", "24h:attempts", 150, timeout=60)
    bed.wait_owner("rising", "24h:attempts", 120)
    bed.wait_committed()
    service.stop()
    equal([r["status"] for _, _, r in bed.reviews()], ["open"], "reviews")


def views_that_were_lost_are_shown_again():
    """The connection ends while views are written: they come at once, not when their owner has
    another event or its windows move on."""
    server = Server("redis")
    proxy = Proxy(int((server.dir / "port").read_text()))
    bed = Bed("viewslost", redis_url=server.address, partitions=1)
    bed.produce_outcomes(some("ana", 100) + some("ben", 10))
    service = bed.service("--set", f"redis.url=redis://127.0.0.1:{proxy.port}/0")
    bed.wait_owner("ana", "24h:attempts", 100)
    bed.wait_committed()

    def cut(_, way, frame):
        if way == REQUEST and b":view:owner:ana" in frame:
            proxy.wanted = None
            proxy.cut()
        return False
    proxy.hold(cut)
    bed.produce_outcomes(some("ana", 50))
    bed.wait_owner("ana", "24h:attempts", 150, timeout=20)
    check(proxy.wanted is None, "the connection was not cut")
    service.stop()


def kafka_goes_away_and_comes_back():
    server = Server("kafka")
    bed = Bed("kafkagone", bootstrap=server.address, partitions=1)
    bed.produce_outcomes(some("ana", 100))
    service = bed.service()
    bed.wait_owner("ana", "24h:attempts", 100)
    server.stop()
    stay(lambda: service.process.poll() is None, 5, "alive while Kafka is away")
    told = len(re.findall(r"level=warn at=poll ", service.log()))
    check(1 <= told <= 4, "lines about a Kafka that is away:", told)
    server.start()
    service.wait_log("level=info at=poll status=ok after_ms=")
    bed.produce_outcomes(some("ana", 50) + rise("rising"))
    bed.wait_owner("ana", "24h:attempts", 150, timeout=90)
    bed.wait_owner("rising", "24h:attempts", 120)
    bed.wait_committed()
    service.stop()
    equal([r["status"] for _, _, r in bed.reviews()], ["open"], "reviews")


def it_waits_for_what_is_not_there_at_start():
    """Says which address, tries again, and begins once it is there."""
    port = closed_port()
    bed = Bed("absent", redis_url=f"redis://127.0.0.1:{port}/0", partitions=1)
    bed.produce_outcomes(some("ana", 10))
    service = bed.service()
    service.wait_log(rf"127\.0\.0\.1:{port}")
    said = bed.command("check-config", "--connect", "--config", bed.path, timeout=60, want=None)
    check(said.returncode not in (0, 2), "check-config --connect:", said.returncode)
    check(f"127.0.0.1:{port}" in said.stdout + said.stderr, "the address of Redis", said.stderr)
    late = Server("redis", port=port)
    equal(late.address, bed.redis_url, "address")
    bed.wait_owner("ana", "24h:attempts", 10, timeout=60)
    service.stop()

    port = closed_port()
    config = {**bed.config, "kafka": {"bootstrap.servers": f"127.0.0.1:{port}"}}
    path = bed.write_config(config, "nokafka.yaml")
    service = bed.service(config=path)
    service.wait_log(rf"127\.0\.0\.1:{port}")
    said = bed.command("check-config", "--connect", "--config", path, timeout=60, want=None)
    check(said.returncode not in (0, 2), "check-config --connect:", said.returncode)
    check(f"127.0.0.1:{port}" in said.stdout + said.stderr, "the address of Kafka", said.stderr)
    stay(lambda: service.process.poll() is None, 2, "alive, and waiting for Kafka")
    service.stop()


def check_config_tells_what_run_would_refuse():
    """State of something else is told before the service is started, and nothing is written."""
    bed = Bed("look", partitions=1)
    before = bed.command("check-config", "--connect", "--config", bed.path)
    check("redis" in before.stdout, before.stdout)
    equal(bed.redis.keys(f"{bed.prefix}:*"), [], "keys")
    service = bed.service()
    wait_until(lambda: bed.redis.exists(f"{bed.prefix}:meta"), 30, "rw:meta")
    service.stop()
    bed.command("check-config", "--connect", "--config", bed.path)
    path = bed.write_config({**bed.config, "group": "another"}, "another.yaml")
    said = bed.command("check-config", "--connect", "--config", path, want=1)
    check("the state is of another setup: group is" in said.stderr, said.stderr)
    equal(bed.redis.hget(f"{bed.prefix}:meta", "group"), bed.config["group"], "group")


def passwords_are_used_and_never_shown():
    secret = "not-a-secret-91b3"
    server = Server("redis", "--requirepass", secret)
    bed = Bed("auth", redis_url=server.address, partitions=1)
    bed.produce_outcomes(some("ana", 10))
    service = bed.service()
    service.wait(3)
    check(re.search(r"127\.0\.0\.1", service.log()), "the log names the server")

    os.environ["RETRYWATCH_REDIS_PASSWORD"] = secret
    try:
        service = bed.service()
        shown = bed.command("check-config", "--print-config", "--config", bed.path)
    finally:
        del os.environ["RETRYWATCH_REDIS_PASSWORD"]
    bed.redis.connection_pool.connection_kwargs["password"] = secret
    bed.wait_owner("ana", "24h:attempts", 10)
    service.stop()
    for text in (service.log(), shown.stdout, shown.stderr):
        check(secret not in text, "the password is shown:", text)


def a_redis_that_may_drop_state_is_refused():
    server = Server("redis", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    bed = Bed("evict", redis_url=server.address)
    bed.service().wait_refusal("noeviction", "allkeys-lru", "maxmemory-policy")


def state_of_something_else_is_refused():
    bed = Bed("foreign", partitions=2)
    bed.produce_outcomes(some("ana", 20))
    service = bed.service()
    bed.wait_owner("ana", "24h:attempts", 20)
    service.stop()

    other = {**bed.config, "group": bed.config["group"] + "-other"}
    bed.service(config=bed.write_config(other, "group.yaml")).wait_refusal(
        re.escape(other["group"]), re.escape(bed.config["group"]))

    topic = Bed("foreigntopic", partitions=2)
    moved = {**bed.config, "topics": topic.topics}
    bed.service(config=bed.write_config(moved, "topic.yaml")).wait_refusal(
        re.escape(topic.topics["outcomes"]))

    layout = {**bed.config, "review": {"group_by": ["owner_tag"]}}
    bed.service(config=bed.write_config(layout, "layout.yaml")).wait_refusal("layout", "group_by")
    service = bed.service()  # none of them has spoilt anything
    service.wait_log("at=load")
    service.stop()
    equal(bed.owner("ana")["24h:attempts"], 20, "attempts")


def partitions_that_are_added_while_it_runs_stop_it():
    """Owners have moved: what is counted in the new ones began in the old ones."""
    bed = Bed("added", partitions=1)
    bed.config["kafka"]["topic.metadata.refresh.interval.ms"] = 1000
    bed.write_config(bed.config)
    bed.produce_outcomes(some("ana", 20))
    service = bed.service()
    bed.wait_owner("ana", "24h:attempts", 20)
    admin = AdminClient({"bootstrap.servers": bed.kafka})
    for future in admin.create_partitions([NewPartitions(bed.topics["outcomes"], 2)]).values():
        future.result(30)
    service.wait_refusal("partitions were added", "retrywatch rebuild")


def state_and_offsets_that_do_not_belong_together_are_refused():
    bed = Bed("apart", partitions=1)
    bed.produce_outcomes(some("ana", 20))
    service = bed.service()
    bed.wait_owner("ana", "24h:attempts", 20)
    bed.wait_committed()
    service.stop()
    admin = AdminClient({"bootstrap.servers": bed.kafka})
    for future in admin.delete_consumer_groups([bed.config["group"]]).values():
        future.result(20)
    bed.service().wait_refusal("no committed offset", "retrywatch rebuild")

    empty = Bed("emptied", partitions=1)
    empty.produce_outcomes(some("ana", 20))
    service = empty.service()
    empty.wait_owner("ana", "24h:attempts", 20)
    empty.wait_committed()
    service.stop()
    for key in list(empty.redis.scan_iter(f"{empty.prefix}:*")):
        empty.redis.delete(key)
    empty.service().wait_refusal("redis", "retrywatch rebuild")


def topics_that_are_missing_are_named_or_created():
    bed = Bed("topics", create=False)
    service = bed.service()
    service.wait_refusal("--create-topics", *map(re.escape, bed.topics.values()))
    service = bed.service("--create-topics")
    admin = AdminClient({"bootstrap.servers": bed.kafka})
    wait_until(lambda: set(bed.topics.values()) <= set(admin.list_topics(timeout=10).topics), 30,
               "the topics are there")

    def setting(topic, name):
        resource = ConfigResource(ConfigResource.Type.TOPIC, bed.topics[topic])
        return admin.describe_configs([resource])[resource].result(20)[name].value
    equal(setting("decisions", "cleanup.policy"), "compact", "decisions")
    equal(setting("reviews", "cleanup.policy"), "delete", "reviews")
    equal(setting("reviews", "retention.ms"), str(30 * 86_400_000), "reviews")
    equal(setting("outcomes", "message.timestamp.after.max.ms"), "300000", "outcomes")
    bed.partitions = len(admin.list_topics(bed.topics["outcomes"],
                                           timeout=10).topics[bed.topics["outcomes"]].partitions)
    bed.produce_outcomes(some("ana", 10))
    bed.wait_owner("ana", "24h:attempts", 10)
    service.stop()


TESTS = [
    redis_goes_away_and_comes_back,
    views_that_were_lost_are_shown_again,
    kafka_goes_away_and_comes_back,
    it_waits_for_what_is_not_there_at_start,
     check_config_tells_what_run_would_refuse,
    passwords_are_used_and_never_shown,
    a_redis_that_may_drop_state_is_refused,
    state_of_something_else_is_refused,
    partitions_that_are_added_while_it_runs_stop_it,
    state_and_offsets_that_do_not_belong_together_are_refused,
    topics_that_are_missing_are_named_or_created,
]
run(TESTS, 280)
