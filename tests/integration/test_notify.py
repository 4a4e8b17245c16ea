"""retrywatch notify: reviews reach Alertmanager and webhooks, in order, at least once.

Reviews are written here as any client would write them, Alertmanager is Debian's own, and the
webhooks are servers of this test.
SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import hmac
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from confluent_kafka.admin import AdminClient, NewTopic

from harness import (Bed, avro, check, die_with_parent, equal, headers, now_ms, run, schema, skip,
                     temporary, wait_until)

HOUR_MS = 3600 * 1000
SECRET = "signing-key-7f1d"
CANARY = "canary-of-a-payload"
WORDS = ("status", "generation", "sequence", "window_end", "starts_at")

if shutil.which("prometheus-alertmanager") is None:
    skip("needs prometheus-alertmanager (packages of section [test])")


def review(owner, status="open", sequence=1, generation=1, review_id=None, **more):
    """One event of a review, every field filled."""
    end_ms = more.pop("window_end", now_ms())
    day = datetime.fromtimestamp(end_ms / 1000, timezone.utc).date()
    scope = {"owner_tag": owner, "workload_tag": None, "environment": "production",
             "request_class": None, "budget_bucket": "search"}
    return {
        "review_id": review_id or hashlib.md5(owner.encode()).hexdigest(),
        "generation": generation, "sequence": sequence, "status": status, "reason": "rise",
        "scope": {**scope, **more.pop("scope", {})}, "window_start": end_ms - HOUR_MS,
        "window_end": end_ms, "starts_at": more.pop("starts_at", end_ms - 60000), "ends_at": None,
        "first_attempts": 80, "attempts": 120, "retries": 40, "retry_share_bps": 3333,
        "baseline_share_bps": 200, "threshold_bps": 1000, "rule_id": "retry-share",
        "config_version": "0123", "retries_by_cause": {"platform_response": 40},
        "errors_by_category": {"rate_limited": 40}, "retries_by_layer": {"gateway": 40},
        "retry_decisions": {"retry": 40},
        "top_request_classes": [{"value": CANARY, "retries": 40}],
        "top_workloads": [], "top_environments": [], "first_attempt_units": 1, "retry_units": 2,
        "unit_metric": "tokens", "usage_unavailable_count": 0, "late_count": 0,
        "review_date": day, "source_urls": [f"https://example.com/{CANARY}"],
        "first_attempt_recorded": True, "retry_count_recorded": 40,
        "pricing_source_checked": False, "allocation_rule_checked": False, "result": "fail",
        "missing_fields": ["access_date"], "pause_reasons": ["pricing_source_unchecked"],
        "ready_for_decision": False, "proposed_action": "revise_retry_behavior",
        "cost_owner_action": None, "last_decision": None,
        "evidence": {"topic": "t", "partition": 0, "first_offset": 1, "last_offset": 9}, **more,
    }


def event_id(record):
    return hashlib.sha256("\0".join(str(record[name]) for name in (
        "review_id", "generation", "sequence", "status")).encode()).hexdigest()[:32]


class NotifyBed(Bed):
    def __init__(self, name, partitions=1, **notify):
        super().__init__(f"notify-{name}", redis_url="redis://127.0.0.1:1/0", create=False)
        self.topics["undelivered"] = f"review-required-undelivered-{self.suffix}"
        self.config["notify"] = {"timeout": "2s", **notify}
        self.config["topics"] = self.topics
        self.path = self.write_config(self.config)
        admin = AdminClient({"bootstrap.servers": self.kafka})
        for future in admin.create_topics([NewTopic(self.topics["reviews"], partitions,
                                                    1)]).values():
            future.result(30)

    def write(self, *records, value=None):
        """Reviews, as the service writes them: keyed by owner, with the headers of CloudEvents."""
        parsed = schema("review_required")
        producer = self.producer(partitioner="murmur2_random")
        for record in records:
            producer.produce(self.topics["reviews"], key=record["scope"]["owner_tag"] or "",
                             value=avro(record, parsed) if value is None else value,
                             headers={"ce_id": event_id(record)})
        equal(producer.flush(30), 0, "messages left in the producer")

    def notify(self, *arguments):
        return self.service("--create-topics", *arguments, command="notify")

    def once(self, want=0, **config):
        """Delivers what is there; returns the log."""
        path = self.path
        if config:
            path = self.write_config(
                {**self.config, "notify": {**self.config["notify"], **config}}, "once.yaml")
        done = self.command("notify", "--once", "--create-topics", "--config", path, want=want,
                            timeout=90)
        check(CANARY not in done.stderr, "a payload is in the log")
        check(SECRET not in done.stderr, "the secret is in the log")
        return done.stderr

    def letters(self):
        return [(message, headers(message)) for message in self.read("undelivered")]


class Webhook:
    """Answers with the codes it was told, one a request, then with 200; keeps what it got."""

    def __init__(self, *codes, context=None):
        self.codes, self.got, self.gate = list(codes), [], threading.Event()
        self.hold_at = None  # after so many requests the next one hangs
        self.gate.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.hold_at is not None and len(hook.got) >= hook.hold_at:
                    hook.gate.clear()
                hook.gate.wait(60)
                code = hook.codes.pop(0) if hook.codes else 200
                hook.got.append((code, self.headers, body))
                self.send_response(code)
                if code in (301, 302, 307):
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", str(len(CANARY)))
                self.end_headers()
                self.wfile.write(CANARY.encode())

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}/hook/token-55"
        self.server.handle_error = lambda *_: None  # who asks may be killed before the answer
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def keys(self, code=200):
        return [head["Idempotency-Key"] for got, head, _ in self.got if got == code]

    def sequences(self):
        """(owner, sequence) of what was accepted, without repeats."""
        seen = [(record["scope"]["owner_tag"], record["sequence"])
                for record in (json.loads(body) for code, _, body in self.got if code == 200)]
        return list(dict.fromkeys(seen))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Alertmanager:
    """tells: a URL that gets its notifications."""

    def __init__(self, tells=None):
        folder, port = temporary("alertmanager"), free_port()
        self.url = f"http://127.0.0.1:{port}"
        hooks = [{"url": tells, "send_resolved": True}] if tells else []
        (folder / "alertmanager.yml").write_text(json.dumps({
            "route": {"receiver": "people", "group_by": ["owner"], "group_wait": "1s",
                      "group_interval": "6s", "repeat_interval": "4h"},
            "receivers": [{"name": "people", "webhook_configs": hooks}]}))
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            ["prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}",
             f"--storage.path={folder}", f"--web.listen-address=127.0.0.1:{port}",
             "--cluster.listen-address="],
            stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)
        wait_until(self.is_ready, 30, "Alertmanager answers")

    def is_ready(self):
        try:
            return urllib.request.urlopen(f"{self.url}/-/ready", timeout=2).status == 200
        except OSError:
            return False

    def alerts(self):
        """What fires now."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            return json.load(answer)

    def one(self):
        alerts = self.alerts()
        equal(len(alerts), 1, f"alerts that fire: {alerts}")
        return alerts[0]


def as_ms(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def an_alert_fires_extends_and_ends():
    alertmanager = Alertmanager()
    bed = NotifyBed("alerts", alertmanager=alertmanager.url + "/")
    opened = review("ana")
    bed.write(opened)
    bed.once()
    alert = alertmanager.one()
    equal(alert["labels"], {
        "alertname": "RetryReviewRequired", "severity": "warning", "owner": "ana",
        "environment": "production", "bucket": "search", "review_id": opened["review_id"],
        "generation": "1"}, "labels")
    equal(as_ms(alert["endsAt"]), opened["window_end"] + 5 * HOUR_MS, "endsAt")
    equal(as_ms(alert["startsAt"]), opened["starts_at"], "startsAt")
    equal(alert["annotations"]["proposed_action"], "revise_retry_behavior", "proposed_action")
    equal(alert["annotations"]["retry_share"], "33.33%", "retry_share")

    for sequence, status in ((2, "repeated"), (3, "escalated")):
        later = review("ana", status, sequence, starts_at=opened["starts_at"],
                       window_end=opened["window_end"] + (sequence - 1) * 60000)
        bed.write(later)
        bed.once()
        alert = alertmanager.one()
        equal(as_ms(alert["endsAt"]), later["window_end"] + 5 * HOUR_MS, f"endsAt {status}")
        equal(alert["annotations"]["status"], status, "status")

    bed.write(review("ana", "decided", 4, starts_at=opened["starts_at"]))
    bed.once()
    equal(alertmanager.alerts(), [], "after decided")
    bed.write(review("ana", "reopened", 5, 2))
    bed.once()
    equal(alertmanager.one()["labels"]["generation"], "2", "generation")
    bed.write(review("ana", "resolved", 6, 2, window_end=now_ms() + 200000))
    bed.once()
    equal(alertmanager.alerts(), [], "after resolved, by a log ahead of the clock")
    equal(bed.letters(), [], "undelivered")


def a_review_that_reopens_at_once_is_told():
    """Alertmanager tells nobody of an alert that ends and fires again within group_interval."""
    people = Webhook()
    alertmanager = Alertmanager(people.url)
    bed = NotifyBed("reopened", alertmanager=alertmanager.url)
    service = bed.notify()
    bed.write(review("ana"))

    def told():
        return [(alert["status"], alert["labels"]["generation"])
                for _, _, body in people.got for alert in json.loads(body)["alerts"]]
    wait_until(told, 30, "people are told")
    bed.write(review("ana", "decided", 2), review("ana", "reopened", 3, 2))
    wait_until(lambda: ("firing", "2") in told(), 30, "people are told again")
    check(("resolved", "1") in told(), told())
    service.stop()


def all_of_it_in_one_run_ends_alike():
    """A replay of a whole story leaves nothing that fires."""
    alertmanager = Alertmanager()
    bed = NotifyBed("replay", alertmanager=alertmanager.url)
    start = now_ms() - 60000
    bed.write(*(review("ana", status, number + 1, starts_at=start, window_end=start + number * 1000)
                for number, status in enumerate(("open", "repeated", "decided"))),
              review("bo"))
    bed.once()
    equal(alertmanager.one()["labels"]["owner"], "bo", "owner")


def a_webhook_gets_it_signed_and_once_it_works():
    hook = Webhook(503, 500)
    bed = NotifyBed("webhook", webhook=hook.url, secret=SECRET)
    record = review("ana")
    bed.write(record)
    log = bed.once()
    equal([code for code, _, _ in hook.got], [503, 500, 200], "answers")
    for _, head, body in hook.got:
        equal(head["Idempotency-Key"], event_id(record), "Idempotency-Key")
        want = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        equal(head["X-Retrywatch-Signature"], f"sha256={want}", "signature")
        equal(head["Content-Type"], "application/json", "type")
    body = json.loads(hook.got[-1][2])
    equal({name: body[name] for name in WORDS}, {name: record[name] for name in WORDS}, "body")
    equal(sorted(body), sorted(record), "fields")
    check("token-55" not in log, "the path of a webhook may be a secret:", log)
    bed.once()
    equal(len(hook.got), 3, "requests after a second run")


def routes_by_owner():
    first, second, other, alertmanager = Webhook(), Webhook(), Webhook(), Alertmanager()
    secret_file = temporary("secret") / "key"
    secret_file.write_text(SECRET + "\n")
    bed = NotifyBed("routes", partitions=2, webhook=other.url, routes=[
        {"owner_tag": "ana", "environment": "staging", "silent": True},
        {"owner_tag": "ana", "webhook": first.url, "secret_file": str(secret_file),
         "alertmanager": alertmanager.url},
        {"budget_bucket": "chat", "webhook": second.url}])
    bed.write(review("ana"), review("ana", scope={"environment": "staging"}), review("bo"),
              review("cy", scope={"budget_bucket": "chat"}),
              review("smoke-test-8d1f"), review("smoke-test-8d1f", "escalated", 2))
    bed.once()
    equal([hook.sequences() for hook in (first, second, other)],
          [[("ana", 1)], [("cy", 1)], [("bo", 1)]], "who was told")
    equal(alertmanager.one()["labels"]["owner"], "ana", "alert")
    check(first.got[0][1]["X-Retrywatch-Signature"], "signed")
    equal(other.got[0][1]["X-Retrywatch-Signature"], None, "not signed")


def what_cannot_be_delivered_is_kept_apart():
    hook = Webhook(400)
    bed = NotifyBed("letters", give_up="2s", webhook=hook.url, routes=[
        {"owner_tag": "down", "webhook": f"http://127.0.0.1:{free_port()}/hook/token-55"}])
    bed.write(review("ana"), review("down"), review("ana", "repeated", 2))
    bed.write(review("bo"), value=b"\0\0\0\0\1no review " + CANARY.encode())
    bed.once(want=1)
    equal(hook.sequences(), [("ana", 2)], "what the webhook accepted")
    letters = {header["offset"]: (message, header) for message, header in bed.letters()}
    equal(sorted(letters), ["0", "1", "3"], "offsets")
    equal({offset: header["reason"] for offset, (_, header) in letters.items()},
          {"0": "refused", "1": "gave_up", "3": "malformed"}, "reasons")
    for message, header in letters.values():
        equal(message.value(), None, "value")
        equal((header["topic"], header["partition"]), (bed.topics["reviews"], "0"), "where")
        check("token" not in str(header) and CANARY not in str(header), "a secret in", header)
    equal(letters["0"][1]["ce_id"], event_id(review("ana")), "ce_id")
    equal(letters["0"][1]["detail"], "HTTP 400", "detail")
    equal(letters["1"][0].key(), b"down", "key")
    check(int(letters["1"][1]["attempts"]) >= 2, letters["1"][1])
    bed.once()
    equal(len(bed.letters()), 3, "letters after a second run")


def redirects_are_not_followed():
    hook = Webhook(302, 307)
    bed = NotifyBed("redirect", webhook=hook.url)
    bed.write(review("ana"))
    bed.once()
    equal([code for code, _, _ in hook.got], [302, 307, 200], "answers")


def a_destination_that_hangs_holds_up_no_other():
    slow, fast = Webhook(), Webhook()
    slow.gate.clear()
    bed = NotifyBed("slow", webhook=fast.url, timeout="500ms",
                    routes=[{"owner_tag": "slow", "webhook": slow.url}])
    bed.write(*(review("slow", sequence=number + 1) for number in range(5)),
              *(review("ana", sequence=number + 1) for number in range(20)))
    service = bed.notify()
    wait_until(lambda: len(fast.sequences()) == 20, 30, "the fast one got all")
    equal(slow.sequences(), [], "the slow one")
    slow.gate.set()
    wait_until(lambda: len(slow.sequences()) == 5, 60, "the slow one got all")
    equal(slow.sequences(), [("slow", number + 1) for number in range(5)], "order")
    service.stop()


def a_kill_repeats_but_never_loses():
    """Each time while a request is under way."""
    hook = Webhook()
    bed = NotifyBed("kill", partitions=2, webhook=hook.url, timeout="30s")
    bed.config["kafka"]["consumer"] = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
    bed.path = bed.write_config(bed.config)
    owners, count = [f"team-{number}" for number in range(4)], 30
    bed.write(*(review(owner, "open" if number == 0 else "repeated", number + 1)
                for number in range(count) for owner in owners))
    for hook.hold_at in (10, 60, 110):
        service = bed.notify()
        wait_until(lambda: not hook.gate.is_set(), 60, f"request {hook.hold_at} is under way")
        service.kill()
        hook.hold_at = None
        hook.gate.set()
    bed.once()
    for owner in owners:
        equal([number for name, number in hook.sequences() if name == owner],
              list(range(1, count + 1)), f"{owner} in order")
    accepted, different = hook.keys(), len(set(hook.keys()))
    equal(different, count * len(owners), "ids")
    check(len(accepted) > different, "nothing was repeated: the kills came too late")
    print(f"{len(accepted)} deliveries of {different} events")


def two_share_the_partitions():
    """One comes, one goes, while reviews are written."""
    hook = Webhook()
    bed = NotifyBed("share", partitions=4, webhook=hook.url)
    owners, written = [f"team-{number}" for number in range(8)], 0

    def write_more(count):
        nonlocal written
        bed.write(*(review(owner, "repeated", written + number + 1)
                    for number in range(count) for owner in owners))
        written += count
    first = bed.notify()
    write_more(5)
    wait_until(lambda: len(hook.sequences()) == 5 * len(owners), 30, "the first part")
    second = bed.notify()
    write_more(5)
    second.wait_log("step=assigned partitions=2")
    write_more(5)
    first.stop()
    write_more(5)
    wait_until(lambda: len(hook.sequences()) == 20 * len(owners), 30, "all of it")
    second.stop()
    for owner in owners:
        equal([number for name, number in hook.sequences() if name == owner],
              list(range(1, 21)), f"{owner} in order")


def sigterm_ends_it_while_a_destination_is_down():
    port = free_port()
    bed = NotifyBed("sigterm", webhook=f"http://127.0.0.1:{port}/")
    bed.write(review("ana"))
    service = bed.notify()
    service.wait_log("step=retry")
    service.stop(15)
    hook = Webhook()
    bed.once(webhook=hook.url)
    equal(hook.keys(), [event_id(review("ana"))], "delivered after the restart")


def latest_tells_nothing_of_the_past():
    hook = Webhook()
    bed = NotifyBed("latest", webhook=hook.url, start="latest")
    bed.write(review("old"))
    bed.once()
    service = bed.notify()
    service.wait_log("step=assigned")
    time.sleep(1)
    bed.write(review("new"))
    wait_until(lambda: hook.got, 30, "the new one came")
    service.stop()
    equal(hook.sequences(), [("new", 1)], "who was told")


def tls_is_checked():
    folder = temporary("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj",
                    "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    hook = Webhook(context=context)
    bed = NotifyBed("tls", webhook=hook.url, give_up="1s")
    bed.write(review("ana"))
    bed.once(want=1)
    equal(hook.got, [], "without the certificate")
    bed.write(review("ana", "repeated", 2))
    bed.once(ca_file=str(folder / "cert.pem"))
    equal(hook.sequences(), [("ana", 2)], "with it")


run([an_alert_fires_extends_and_ends, a_review_that_reopens_at_once_is_told,
     all_of_it_in_one_run_ends_alike, a_webhook_gets_it_signed_and_once_it_works, routes_by_owner,
     what_cannot_be_delivered_is_kept_apart, redirects_are_not_followed,
     a_destination_that_hangs_holds_up_no_other, a_kill_repeats_but_never_loses,
     two_share_the_partitions, sigterm_ends_it_while_a_destination_is_down,
     latest_tells_nothing_of_the_past, tls_is_checked], seconds=280)
