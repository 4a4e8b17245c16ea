"""Writer schemas from a registry: found, unknown, useless, and a registry that is down.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fastavro

from harness import Bed, avro, check, equal, headers, now_ms, outcome, run, stay, wait_until

PASSWORD = "registry-password-44"

# What another team might write: an alias, other types, another order, fields of its own.
FOREIGN = {
    "type": "record", "name": "gateway_call", "fields": [
        {"name": "trace", "type": {"type": "array", "items": "bytes"}},
        {"name": "attempt_number", "type": "int"},
        {"name": "owner_group", "type": "string"},
        {"name": "event_time", "type": "long"},
        {"name": "outcome", "type": {"type": "enum", "name": "outcomes",
                                     "symbols": ["success", "failure", "melted"]}},
        {"name": "input_tokens", "type": "int"},
    ],
}
USELESS = {"type": "record", "name": "heartbeat", "fields": [{"name": "at", "type": "long"}]}


class Registry:
    """A fake with the one call that is needed; answers[id] is a schema or an HTTP status."""

    def __init__(self):
        self.answers, self.asked, self.user = {}, [], None
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                registry.answer(self)

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        self.asked.append(request.path.split("?")[0])
        self.user = request.headers.get("Authorization")
        found = self.answers.get(self.asked[-1].removeprefix("/schemas/ids/"), 404)
        status, body = (found, {"error_code": 40403, "message": "Schema not found"}) \
            if isinstance(found, int) else (200, {"schema": json.dumps(found)})
        body = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def event(owner, attempt):
    return {"trace": [b"\0" * 9], "attempt_number": attempt, "owner_group": owner,
            "event_time": now_ms(), "outcome": "melted", "input_tokens": 5}


def bed_with(registry, **schema):
    return Bed("registry", partitions=1, schema={
        "registry": registry.url, "username": "rw", "password": PASSWORD, **schema})


def a_foreign_schema_is_resolved():
    registry = Registry()
    registry.answers["7"] = FOREIGN
    bed, parsed = bed_with(registry), fastavro.parse_schema(FOREIGN)
    bed.produce((b"ana", avro(event("ana", n % 2 + 1), parsed, 7), now_ms(), 0)
                for n in range(100))
    service = bed.service()
    view = bed.wait_owner("ana", "24h:attempts", 100)
    equal((view["24h:retries"], view["24h:failures"], view["24h:retry_units"]), (50, 0, 250),
          "counters")
    bed.wait_committed()
    service.stop()
    equal(registry.asked, ["/schemas/ids/7"], "requests")
    equal(registry.user, "Basic " + base64.b64encode(f"rw:{PASSWORD}".encode()).decode(), "login")
    check(PASSWORD not in service.log(), "the password is in the log")


def unknown_and_useless_schemas_are_rejected():
    """One bad record does not stop the partition; those behind it wait no longer than it does."""
    registry = Registry()
    registry.answers.update({"7": FOREIGN, "9": USELESS})
    bed, parsed = bed_with(registry, unknown_wait="3s"), fastavro.parse_schema(FOREIGN)
    good = avro(event("ana", 1), parsed, 7)
    useless = avro({"at": 1}, fastavro.parse_schema(USELESS), 9)
    unknown = avro(event("ana", 1), parsed, 404)
    bed.produce((b"ana", value, now_ms(), 0) for value in (good, unknown, good, useless, good))
    service = bed.service()
    bed.wait_owner("ana", "24h:attempts", 3, timeout=30)
    bed.wait_committed()
    service.stop()
    rejected = {header["offset"]: header for header in map(headers, bed.read("rejected"))}
    equal(sorted(rejected), ["1", "3"], "rejected offsets")
    equal((rejected["1"]["reason"], rejected["1"]["schema_id"]), ("unknown_schema", "404"), "404")
    equal((rejected["3"]["reason"], rejected["3"]["schema_id"]), ("unknown_schema", "9"), "9")
    check(len(registry.asked) < 12, "it asks once a second at most:", registry.asked)


def a_registry_that_is_down_is_waited_for():
    registry = Registry()
    registry.answers["7"] = 503
    bed, parsed = bed_with(registry, unknown_wait="1s"), fastavro.parse_schema(FOREIGN)
    bed.produce([(b"ana", avro(event("ana", 1), parsed, 7), now_ms(), 0)])
    service = bed.service()
    wait_until(lambda: registry.asked, 30, "the registry is asked")
    stay(lambda: service.process.poll() is None and bed.committed()[0] <= 0, 4,
         "alive, and nothing committed while the registry is down")
    service.wait_log("registry|schema")
    registry.answers["7"] = FOREIGN
    bed.wait_owner("ana", "24h:attempts", 1)
    service.stop()
    equal(bed.read("rejected"), [], "rejected")


def sigterm_ends_the_wait():
    registry = Registry()
    registry.answers["7"] = 500
    bed, parsed = bed_with(registry), fastavro.parse_schema(FOREIGN)
    bed.produce([(b"ana", avro(event("ana", 1), parsed, 7), now_ms(), 0)])
    service = bed.service()
    wait_until(lambda: registry.asked, 30, "the registry is asked")
    service.stop(15)
    registry.answers["7"] = FOREIGN
    service = bed.service()
    bed.wait_owner("ana", "24h:attempts", 1)
    service.stop()


run([a_foreign_schema_is_resolved, unknown_and_useless_schemas_are_rejected,
     a_registry_that_is_down_is_waited_for, sigterm_ends_the_wait])
