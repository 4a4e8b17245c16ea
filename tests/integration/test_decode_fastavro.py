#!/usr/bin/env python3
# test_decode_fastavro.py - the decode plan reads what fastavro reads: defaults, aliases, enum
# defaults, promotions, logical types, on random writer schemas and values.
# SPDX-License-Identifier: Apache-2.0
import collections
import datetime
import io
import json
import os
import pathlib
import random
import subprocess
import sys

try:
    import fastavro
    from fastavro.schema import parse_schema
except ImportError:
    print("no fastavro: skipped")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

SCHEMAS = 2600
VALUES = 4
ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = json.loads((ROOT / "codec/schema/request_outcome.avsc").read_text())
READER = parse_schema(json.loads(json.dumps(OURS)))
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
NOT_KEPT = {"project_tag", "product_tag", "cached_input_tokens"}
PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]


def any_type(rng, names, depth=0):
    """A type of a foreign field."""
    kind = rng.choice(PRIMITIVES + ["record", "array", "map", "fixed", "enum", "union"])
    if depth > 2 or kind in PRIMITIVES:
        return rng.choice(PRIMITIVES)
    names.append(None)
    name = f"type_{len(names)}"
    if kind == "record":
        fields = [{"name": f"f{i}", "type": any_type(rng, names, depth + 1)}
                  for i in range(rng.randrange(4))]
        return {"type": "record", "name": name, "fields": fields}
    if kind == "array":
        return {"type": "array", "items": any_type(rng, names, depth + 1)}
    if kind == "map":
        return {"type": "map", "values": any_type(rng, names, depth + 1)}
    if kind == "fixed":
        return {"type": "fixed", "name": name, "size": rng.randrange(1, 20)}
    if kind == "enum":
        return {"type": "enum", "name": name, "symbols": ["a", "b"][:rng.randrange(1, 3)]}
    return rng.sample(["null", "string", "long", "boolean"], rng.randrange(1, 4))


def near_type(rng, ours):
    """A type that can be read as ours, which is no union."""
    kind = ours if isinstance(ours, str) else ours["type"]
    if kind == "string":
        return rng.choice(["string", "string", "bytes"])
    if kind == "long" and isinstance(ours, dict):
        logical = rng.choice(["timestamp-millis", "timestamp-micros", None])
        return {"type": "long", "logicalType": logical} if logical else rng.choice(["long", "int"])
    if kind == "long":
        return rng.choice(["long", "long", "int"])
    if kind == "enum":
        symbols = [s for s in ours["symbols"] if rng.random() < 0.8] + ["newer", "newest"]
        rng.shuffle(symbols)
        return {"type": "enum", "name": ours["name"], "symbols": symbols}
    if kind == "array":
        items = rng.choice(["string", "string", "bytes", ["null", "string"]])
        return {"type": "array", "items": items}
    return kind


def near_field(rng, field, names):
    ours = field["type"]
    nullable = isinstance(ours, list)
    type_ = near_type(rng, ours[1] if nullable else ours)
    if rng.random() < 0.01:
        type_ = rng.choice(["boolean", "double", {"type": "map", "values": "int"}])
    elif rng.random() < (0.7 if nullable else 0.04):
        type_ = [type_] + (["null"] if rng.random() < 0.9 else [])
        type_ += ["boolean"] if rng.random() < 0.03 else []
        rng.shuffle(type_)
    name = field["name"]
    if "aliases" in field and rng.random() < 0.4:
        name = field["aliases"][0]
    return {"name": name, "type": type_}


def writer_schema(rng):
    names = []
    needed = {"event_time", "attempt_number"}
    fields = [near_field(rng, f, names) for f in OURS["fields"]
              if f["name"] in needed or rng.random() < 0.75]
    fields += [{"name": f"foreign_{i}", "type": any_type(rng, names)}
               for i in range(rng.randrange(5))]
    rng.shuffle(fields)
    return {"type": "record", "name": "request_outcome", "namespace": "dev.retrywatch",
            "fields": fields}


def text(rng):
    return "".join(rng.choice("abcdefghij -_.é模😀") for _ in range(rng.randrange(20)))


def value(rng, type_):
    if isinstance(type_, list):
        return value(rng, rng.choice(type_))
    kind = type_ if isinstance(type_, str) else type_["type"]
    if isinstance(type_, dict) and "logicalType" in type_:
        return EPOCH + datetime.timedelta(microseconds=rng.randrange(4 * 10**15))
    if kind == "enum":
        return rng.choice(type_["symbols"])
    if kind == "array":
        return [value(rng, type_["items"]) for _ in range(rng.randrange(12))]
    if kind == "map":
        return {text(rng): value(rng, type_["values"]) for _ in range(rng.randrange(3))}
    if kind == "record":
        return {f["name"]: value(rng, f["type"]) for f in type_["fields"]}
    if kind == "fixed":
        return rng.randbytes(type_["size"])
    return {"null": lambda: None, "boolean": lambda: rng.random() < 0.5,
            "int": lambda: rng.choice([0, 1, -1, 2**31 - 1, -2**31, rng.randrange(10**6)]),
            "long": lambda: rng.choice([0, -1, 2**63 - 1, -2**62, rng.randrange(10**14)]),
            "float": lambda: 1.5, "double": lambda: -2.25,
            "bytes": lambda: text(rng).encode(), "string": lambda: text(rng)}[kind]()


def as_ours(name, got):
    """A field as fastavro reads it, the way that the driver prints it."""
    if isinstance(got, datetime.datetime):
        return (got - EPOCH) // datetime.timedelta(milliseconds=1)
    if name == "source_urls":
        return [url for url in got if url][:8]
    return got


def expected(writer, body):
    """The outcome as fastavro reads it, or None when it refuses."""
    try:
        record = fastavro.schemaless_reader(io.BytesIO(body), writer, READER)
    except Exception:  # it raises what its Cython code happens to meet
        return None
    return {name: as_ours(name, got) for name, got in record.items() if name not in NOT_KEPT}


def same(want, got):
    for name, one in want.items():
        # What the writer does not have is null with us, and "" by the default of the schema.
        if got[name] != one and not (name in ("event_id", "operation_id") and one == ""
                                     and got[name] is None):
            return name
    return None


def cases(rng):
    for _ in range(SCHEMAS):
        schema = writer_schema(rng)
        line = json.dumps(schema)
        writer = parse_schema(json.loads(line))
        for i in range(VALUES):
            out = io.BytesIO()
            fastavro.schemaless_writer(out, writer, value(rng, schema))
            body = out.getvalue()
            if i == VALUES - 1:  # cut, or a byte more; fastavro does not mind every cut
                body = body + b"\0" if rng.random() < 0.3 else body[:rng.randrange(len(body))]
            yield line, body, expected(writer, body) if i < VALUES - 1 else None


def main():
    seed = int(os.environ.get("RETRYWATCH_SEED", "1"))
    print(f"RETRYWATCH_SEED={seed}")
    driver = subprocess.Popen([os.environ["DECODE_DRIVER"]], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    tally = collections.Counter()
    for line, body, want in cases(random.Random(seed)):
        driver.stdin.write(f"{line}\t{body.hex()}\n")
        driver.stdin.flush()
        answer = json.loads(driver.stdout.readline())
        tally["pairs"] += 1
        unlike = None
        if want is not None and answer["status"] == "ok":
            unlike = same(want, answer["outcome"])
            tally["both accept"] += 1
        elif want is None and answer["status"] != "ok":
            tally["both reject"] += 1
        elif "more items than bytes" in answer.get("detail", ""):
            tally["stricter"] += 1  # items without bytes: we bound how many a block may claim
        else:
            unlike = "accepted by one alone"
        if unlike is not None:
            print(f"{unlike}\nwriter {line}\nbody {body.hex()}\nwe {answer}\nfastavro {want}")
            return 1
    driver.stdin.close()
    print(", ".join(f"{name} {count}" for name, count in tally.items()))
    enough = tally["pairs"] >= 10000 and tally["both accept"] >= 4000
    return 0 if enough and driver.wait() == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
