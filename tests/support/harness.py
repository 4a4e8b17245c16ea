"""What integration tests share: brokers, topics, the service as a child, and clients of others.

The clients are fastavro, confluent-kafka and redis alone, so that what they see is what any client
would see. Every child dies with the test, and no test waits without a limit.
SPDX-License-Identifier: Apache-2.0
"""
import atexit
import ctypes
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import datetime
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
ROOT = SUPPORT.parent.parent
BINARY = os.environ.get("RETRYWATCH", str(ROOT / "build/dev/consumer/retrywatch"))
FIXTURES = Path(os.environ.get("RETRYWATCH_FIXTURES", ROOT / "build/dev/tests/fixtures"))
SKIPPED = 77
result = {"passed": False}  # set at the end; what failed shows the service's log


def skip(reason):
    """Ends the test as skipped; with CI=true that is a failure."""
    print("skipped:", reason)
    sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)


if subprocess.run([SUPPORT / "kafka.sh", "have"]).returncode != 0:
    skip("needs Java and Maven for Apache Kafka (packages of section [kafka])")

import fastavro  # noqa: E402
import redis  # noqa: E402
from confluent_kafka import (  # noqa: E402
    Consumer, KafkaError, KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

NOT_YET = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE,
           KafkaError.COORDINATOR_LOAD_IN_PROGRESS)


def die_with_parent():
    """In a child, before exec: SIGKILL when the test ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def check(condition, *what):
    """An assertion that says what it saw, and that no flag switches off."""
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


def equal(got, want, what):
    check(got == want, f"{what}: got {got!r}, want {want!r}")


def wait_until(condition, timeout, what):
    """The first true value of condition(), polled; fails after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"not within {timeout} s: {what}")
        time.sleep(0.1)


def stay(condition, seconds, what):
    """Fails if condition() turns false within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(condition(), f"did not stay so for {seconds} s: {what}")
        time.sleep(0.1)


def temporary(name):
    path = Path(tempfile.mkdtemp(prefix=f"retrywatch-{name}-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def schema(part):
    """The parsed .avsc whose record's name contains part."""
    for path in sorted((ROOT / "codec/schema").glob("*.avsc")):
        text = json.loads(path.read_text())
        if part in text["name"]:
            return fastavro.parse_schema(text)
    raise AssertionError(f"no schema for {part}")


def avro(record, parsed, schema_id=1):
    """A record in the Confluent frame."""
    out = io.BytesIO(struct.pack(">bI", 0, schema_id))
    out.seek(5)
    fastavro.schemaless_writer(out, parsed, record)
    return out.getvalue()


def unavro(value, parsed):
    check(value[:1] == b"\0", "no Confluent frame:", value[:8])
    body = io.BytesIO(value[5:])
    record = fastavro.schemaless_reader(body, parsed, None)
    equal(body.read(), b"", "bytes after the record")
    return record


def outcome(owner, number=0, attempt=1, time_ms=None, **more):
    """One attempt, with every field that a careful gateway fills."""
    failed = attempt % 2 == 0
    return {
        "event_id": f"event-{owner}-{number}-{attempt}", "source": "gateway/test",
        "event_time": now_ms() if time_ms is None else time_ms,
        "operation_id": f"operation-{owner}-{number}",
        "attempt_number": attempt, "retry_layer": "gateway", "owner_tag": owner,
        "workload_tag": "summaries", "environment": "production",
        "request_class": "interactive", "budget_bucket": "search", "unit_metric": "tokens",
        "project_tag": None, "product_tag": None, "allocation_rule_id": "rule-7",
        "result_category": "failure" if failed else "success",
        "error_category": "rate_limited" if failed else None,
        "retry_cause": "platform_response" if attempt > 1 else None,
        "retry_decision": "retry" if failed else "stop",
        "input_tokens": 100 * attempt, "output_tokens": 7, "cached_input_tokens": 50,
        "units": None, "usage_source": "reported",
        "source_urls": ["https://example.com/limits"], "pricing_source_checked_at": None,
        **more,
    }


def now_ms():
    return int(time.time() * 1000)


def as_ms(when):
    """fastavro gives logical timestamps as datetimes."""
    return when if isinstance(when, int) else round(when.timestamp() * 1000)


def as_time(when):
    """Epoch milliseconds of a JSON event's time, which may be RFC 3339."""
    return when if isinstance(when, int) else as_ms(datetime.fromisoformat(when))


def rise(owner, operations=60, end_ms=None, **more):
    """Attempts that open a review of this owner: one operation a second, each tried twice."""
    end_ms = now_ms() if end_ms is None else end_ms
    return [outcome(owner, number, attempt, end_ms - 1000 * (operations - number), **more)
            for number in range(operations) for attempt in (1, 2)]


class Server:
    """A private Kafka or Redis of one test, to stop and start at will."""

    def __init__(self, kind, *options, port=None):
        self.script, self.options = SUPPORT / f"{kind}.sh", options
        self.dir = temporary(kind)
        if port is not None:
            (self.dir / "port").write_text(str(port))
        self.address = self.start()
        atexit.register(self.run, "stop")

    def run(self, command, *options):
        return subprocess.run([self.script, command, self.dir, *options], check=True,
                              stdout=subprocess.PIPE, text=True, timeout=120).stdout.strip()

    def start(self):
        return self.run("start", *self.options)

    def stop(self):
        self.run("stop")


def shared(kind):
    """The address of the Kafka or Redis that the CTest fixture started, else of a fresh one."""
    folder = FIXTURES / kind
    try:
        address = subprocess.run([SUPPORT / f"{kind}.sh", "address", folder], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout.strip()
    except subprocess.CalledProcessError:
        return Server(kind).address
    return address


class Bed:
    """One test's topics, keys and files, apart from those of any other test."""

    def __init__(self, name, bootstrap=None, redis_url=None, partitions=4, create=True, **config):
        self.suffix = f"{name}-{uuid.uuid4().hex[:8]}"
        self.dir = temporary(name)
        self.kafka = bootstrap or shared("kafka")
        self.redis_url = redis_url or shared("redis")
        self.redis = redis.Redis.from_url(self.redis_url, decode_responses=True)
        self.partitions = partitions
        self.prefix = f"rw-{self.suffix}"
        self.topics = {key: f"{topic}-{self.suffix}" for key, topic in {
            "outcomes": "request-outcomes", "decisions": "cost-owner-decisions",
            "reviews": "review-required", "rejected": "request-outcomes-rejected"}.items()}
        self.config = {
            "kafka": {"bootstrap.servers": self.kafka},
            "group": f"retrywatch-{self.suffix}",
            "topics": self.topics,
            "redis": {"url": self.redis_url, "prefix": self.prefix},
            "http": {"listen": ""},
        }
        for key, value in config.items():
            self.config[key] = {**self.config[key], **value} \
                if isinstance(self.config.get(key), dict) else value
        self.path = self.write_config(self.config)
        self.children = []
        if create:
            self.create_topics()

    def write_config(self, config, name="retrywatch.yaml"):
        """JSON is YAML."""
        path = self.dir / name
        path.write_text(json.dumps(config, indent=2))
        return path

    def create_topics(self):
        admin = AdminClient({"bootstrap.servers": self.kafka})
        topics = [
            NewTopic(self.topics["outcomes"], self.partitions, 1),
            NewTopic(self.topics["decisions"], 1, 1, config={"cleanup.policy": "compact"}),
            NewTopic(self.topics["reviews"], 2, 1),
            NewTopic(self.topics["rejected"], 2, 1),
        ]
        for future in admin.create_topics(topics).values():
            future.result(30)

    def command(self, *arguments, timeout=60, want=0):
        """Runs a command to its end; returns what it printed. want: its exit code, None: any."""
        done = subprocess.run([BINARY, *arguments], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, timeout=timeout,
                              preexec_fn=die_with_parent)
        check(want in (None, done.returncode),
              f"exit code of {arguments} is {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def json(self, *arguments):
        return json.loads(self.command(*arguments, "--config", self.path,
                                       "--output", "json").stdout)

    def service(self, *arguments, config=None, command="run"):
        child = Service(self, config or self.path, arguments, command)
        self.children.append(child)
        return child

    def producer(self, **config):
        # Idempotent, so that a batch that is tried again does not come behind later ones.
        return Producer({"bootstrap.servers": self.kafka, "linger.ms": 20, "enable.idempotence": True,
                         "queue.buffering.max.messages": 500000, **config})

    def produce(self, records):
        """Produces (key, value, timestamp_ms, partition or None), keyed as Kafka's Java client."""
        producer, failed = self.producer(partitioner="murmur2_random"), []
        for key, value, timestamp_ms, partition in records:
            where = {} if partition is None else {"partition": partition}
            while True:
                try:
                    producer.produce(self.topics["outcomes"], key=key, value=value,
                                     timestamp=timestamp_ms, **where,
                                     on_delivery=lambda e, _: failed.append(e) if e else None)
                    break
                except BufferError:
                    producer.poll(0.1)
        equal(producer.flush(60), 0, "messages left in the producer")
        equal(failed, [], "delivery errors")

    def produce_outcomes(self, events, partition=None):
        """Avro by the project's own schema, the record's timestamp equal to the event time."""
        parsed = schema("outcome")
        self.produce((e["owner_tag"], avro(e, parsed), e["event_time"], partition)
                     for e in events)

    def produce_json(self, events, partition=None):
        self.produce((e["owner_tag"], json.dumps(e).encode(), as_time(e["event_time"]), partition)
                     for e in events)

    def read(self, topic, isolation="read_committed"):
        """Every committed record of a topic, to its end."""
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": uuid.uuid4().hex,
                             "isolation.level": isolation, "enable.auto.commit": False,
                             "enable.partition.eof": True})
        name = self.topics[topic]
        partitions = list(consumer.list_topics(name, timeout=20).topics[name].partitions)
        consumer.assign([TopicPartition(name, number, 0) for number in partitions])
        records, ended, limit = [], set(), time.monotonic() + 60
        while len(ended) < len(partitions):
            check(time.monotonic() < limit, f"the end of {name} was not reached")
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                ended.add(message.partition())
            else:
                records.append(message)
        consumer.close()
        return records

    def reviews(self):
        """(message, headers, record) of each published review."""
        parsed = schema("review_required")
        return [(message, headers(message), unavro(message.value(), parsed))
                for message in self.read("reviews")]

    def committed(self):
        """partition → committed offset of the service's group. (The client's metadata cannot be
        looked at: it reads beyond its end.)"""
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": self.config["group"],
                             "enable.auto.commit": False, "isolation.level": "read_committed"})
        wanted = [TopicPartition(self.topics["outcomes"], number)
                  for number in range(self.partitions)]

        def ask():
            try:
                return consumer.committed(wanted, timeout=30)
            except KafkaException as problem:
                # A broker that has just started has no coordinator for a moment.
                check(problem.args[0].code() in NOT_YET, problem)
                return None
        found = wait_until(ask, 30, "an answer about committed offsets")
        consumer.close()
        return {one.partition: one.offset for one in found}

    def ends(self):
        """partition → the offset after its last record."""
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": uuid.uuid4().hex})
        found = {number: consumer.get_watermark_offsets(
            TopicPartition(self.topics["outcomes"], number), timeout=20)[1]
            for number in range(self.partitions)}
        consumer.close()
        return found

    def wait_committed(self, timeout=60):
        """Until the group has committed the whole input; the marks of transactions do not count."""
        ends = self.ends()

        def caught_up():
            for child in self.children:
                child.check_alive()
            done = self.committed()
            return all(done[number] >= end for number, end in ends.items() if end > 0)
        wait_until(caught_up, timeout, "the group committed the whole input")

    def wait_owner(self, name, field, value, timeout=30):
        """Until a field of an owner's view has this value; returns the view."""
        def there():
            for child in self.children:
                child.check_alive()
            view = self.owner(name)
            return view if view.get(field) == value else None
        return wait_until(there, timeout, f"{field} of {name} is {value}: {self.owner(name)}")

    def owner(self, name):
        """The owner's view; numbers as numbers."""
        return {field: int(value) if re.fullmatch(r"-?\d+", value) else value
                for field, value in self.redis.hgetall(f"{self.prefix}:view:owner:{name}").items()}


def headers(message):
    return {name: value.decode() for name, value in message.headers() or []}


class Service:
    """`retrywatch run`, or another command that runs until it is told to stop, as a child, its log
    in a file."""

    def __init__(self, bed, config, arguments, command="run"):
        self.log_path = bed.dir / f"{command}-{len(bed.children)}.log"
        self.log_file = self.log_path.open("w")
        self.process = subprocess.Popen([BINARY, command, "--config", config, *arguments],
                                        stdout=self.log_file, stderr=subprocess.STDOUT,
                                        preexec_fn=die_with_parent)
        self.over = False
        atexit.register(self.show_log)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def show_log(self):
        """At the end of a test that failed: the log's last lines."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not result["passed"]:
            lines = self.log().splitlines()
            print(f"--- {self.log_path.name}: {len(lines)} lines, the last of them:")
            print("\n".join(lines[-40:]))

    def check_alive(self):
        if not self.over:
            check(self.process.poll() is None,
                  f"the service ended with {self.process.returncode}")

    def wait_log(self, pattern, timeout=30):
        return wait_until(lambda: re.search(pattern, self.log()), timeout, f"log has {pattern}")

    def kill(self):
        self.over = True
        self.process.kill()
        self.process.wait(10)

    def wait(self, want, timeout=60):
        """Its own end, with this exit code."""
        self.over = True
        equal(self.process.wait(timeout), want, "exit code of the service")

    def wait_refusal(self, *patterns, timeout=60):
        """Its own end, neither 0 nor a crash, with each pattern in the log."""
        self.over = True
        code = self.process.wait(timeout)
        check(0 < code < 64, f"exit code of a refusal: {code}")
        for pattern in patterns:
            check(re.search(pattern, self.log(), re.IGNORECASE), f"the log lacks {pattern}")
        return code

    def stop(self, timeout=60):
        """SIGTERM: it drains, and says that all was well."""
        self.check_alive()
        self.process.send_signal(signal.SIGTERM)
        self.wait(0, timeout)


def limit_seconds(seconds):
    """A hard end, below that of CTest, so that children go and the log is shown."""
    def over(_signal, _frame):
        raise TimeoutError(f"the test took more than {seconds} s")
    signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)


def run(tests, seconds=150):
    """Runs test functions one by one, or those that the command line names; the first failure
    ends it."""
    limit_seconds(seconds)
    for test in [one for one in tests if one.__name__ in sys.argv[1:]] or tests:
        start = time.monotonic()
        print(f"[ RUN      ] {test.__name__}", flush=True)
        test()
        print(f"[       OK ] {test.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
    result["passed"] = True
