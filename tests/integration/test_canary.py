"""Foreign fields that may hold content, credentials or prices come out nowhere.

Every such field carries a canary. Afterwards all that came out is searched: topics, Redis, the
log, and what the commands print.
SPDX-License-Identifier: Apache-2.0
"""
import json

import fastavro
import redis

from harness import ROOT, Bed, avro, check, equal, now_ms, outcome, rise, run, wait_until

CANARY = "CANARY-5d7e"
FOREIGN = ["prompt", "messages", "response", "completion", "authorization", "api_key", "password",
           "cost", "price", "balance", "model", "error_message", "headers", "exception"]


def canary(name):
    return f"{CANARY}-{name}"


def writer_schema():
    """Ours, with foreign fields of several shapes between its own."""
    path = next(p for p in (ROOT / "codec/schema").glob("*.avsc")
                if "outcome" in json.loads(p.read_text())["name"])
    text = json.loads(path.read_text())
    fields = []
    for number, field in enumerate(text["fields"]):
        fields.append(field)
        if number < len(FOREIGN):
            shapes = ["string", {"type": "array", "items": "string"},
                      {"type": "map", "values": "string"}, ["null", "string"]]
            fields.append({"name": FOREIGN[number], "type": shapes[number % 4]})
    return {**text, "fields": fields}


def foreign_value(number, name):
    text = canary(name)
    return [text, [text, text], {text: text}, text][number % 4]


def with_foreign(event):
    return {**event, **{name: foreign_value(number, name)
                        for number, name in enumerate(FOREIGN)}}


def redis_bytes(bed):
    """Every key of this test and all that it holds, as bytes."""
    client = redis.Redis.from_url(bed.redis_url)
    for key in client.scan_iter(f"{bed.prefix}:*"):
        yield key
        kind = client.type(key)
        if kind == b"hash":
            for field, value in client.hgetall(key).items():
                yield field
                yield value
        elif kind == b"zset":
            yield from client.zrange(key, 0, -1)
        elif kind == b"string":
            yield client.get(key)
        else:
            raise AssertionError(f"unexpected type {kind} of {key}")


def everything(bed, service):
    for topic in ("reviews", "rejected", "decisions"):
        for message in bed.read(topic):
            yield topic, repr((message.key(), message.value(), message.headers())).encode()
    for data in redis_bytes(bed):
        yield "redis", data
    yield "log", service.log().encode()
    review_id = bed.redis.zrange(f"{bed.prefix}:view:reviews", 0, -1)[0]
    for command in (["owners"], ["owner", "rising"], ["reviews"], ["review", review_id]):
        for more in ([], ["--output", "json"]):
            done = bed.command(*command, "--config", bed.path, *more)
            yield " ".join(command), (done.stdout + done.stderr).encode()


def search(bed, service):
    wait_until(lambda: bed.redis.zcard(f"{bed.prefix}:view:reviews"), 30, "an open review")
    searched = 0
    for where, data in everything(bed, service):
        searched += len(data)
        check(CANARY.encode() not in data, f"a canary came out in {where}:", data[:400])
    check(searched > 1000, "nothing was searched")


def avro_with_foreign_fields():
    text = writer_schema()
    bed = Bed("canary", partitions=2)
    writer = bed.dir / "writer.avsc"
    writer.write_text(json.dumps(text))
    bed.path = bed.write_config({**bed.config, "schema": {"outcome": str(writer)},
                                 "log": {"level": "debug"}})
    parsed = fastavro.parse_schema(text)
    events = [with_foreign(e) for e in rise("rising")]
    values = [(e["owner_tag"], avro(e, parsed), e["event_time"], None) for e in events]
    whole = values[0][1]
    broken = [(b"k", whole[:cut], now_ms(), 0) for cut in range(5, len(whole), 37)]
    bed.produce(values + broken)
    service = bed.service()
    bed.wait_committed()
    bed.wait_owner("rising", "24h:attempts", 120)
    search(bed, service)
    service.stop()
    equal(len(bed.read("rejected")), len(broken), "rejected")


def json_with_foreign_fields():
    bed = Bed("canaryjson", partitions=2, input={"format": "json"}, log={"level": "debug"})
    bed.produce_json([with_foreign(e) for e in rise("rising")])
    foreign = with_foreign(outcome("rising"))
    whole = json.dumps(foreign).encode()
    broken = [(b"k", whole[:cut], now_ms(), 0) for cut in range(1, len(whole), 37)]
    broken += [(b"k", json.dumps({**foreign, field: canary(field)}).encode(), now_ms(), 0)
               for field in ("attempt_number", "event_time", "input_tokens")]
    bed.produce(broken)
    service = bed.service()
    bed.wait_committed()
    bed.wait_owner("rising", "24h:attempts", 120)
    search(bed, service)
    service.stop()
    equal(len(bed.read("rejected")), len(broken), "rejected")


run([avro_with_foreign_fields, json_with_foreign_fields])
