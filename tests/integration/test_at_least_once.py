"""delivery: at_least_once, on the embedded development broker: plain commits, no transactions.

SPDX-License-Identifier: Apache-2.0
"""
import atexit
import subprocess

from harness import (BINARY, Bed, check, die_with_parent, equal, now_ms, outcome, rise, run,
                     temporary, wait_until)


def broker():
    """`retrywatch broker` as a child; its address."""
    path = temporary("broker") / "address"
    child = subprocess.Popen([BINARY, "broker", "--listen-file", path],
                             stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)
    atexit.register(child.wait)
    atexit.register(child.terminate)
    wait_until(path.exists, 20, "the broker tells its address")
    return path.read_text().strip()


def counted_once_and_published_at_least_once():
    bed = Bed("alo", bootstrap=broker(), create=False, delivery="at_least_once",
              kafka={"consumer": {"session.timeout.ms": "6000"}})
    service = bed.service("--create-topics")
    bed.produce_outcomes(rise("rising"))
    bed.wait_owner("rising", "24h:attempts", 120)
    wait_until(lambda: bed.reviews(), 30, "a review is published")

    service.kill()
    service = bed.service()
    bed.produce_outcomes(outcome("ana", number, time_ms=now_ms()) for number in range(50))
    bed.wait_owner("ana", "24h:attempts", 50, timeout=90)
    bed.wait_committed(90)
    service.stop()
    view = bed.owner("rising")
    equal((view["24h:attempts"], view["24h:retries"]), (120, 60), "counters after the kill")

    reviews = bed.reviews()
    equal({(header["ce_id"], review["status"]) for _, header, review in reviews},
          {(reviews[0][1]["ce_id"], "open")}, "a repeat has the same ce_id")
    check(len(reviews) <= 2, f"{len(reviews)} reviews")
    equal(reviews[0][0].key(), b"rising", "key")


run([counted_once_and_published_at_least_once])
