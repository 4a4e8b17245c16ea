"""A million events, two instances, each killed and started again: nothing lost, nothing twice.

SPDX-License-Identifier: Apache-2.0
"""
import json

from harness import Bed, check, equal, run, wait_until

EVENTS = 1_000_000


def totals(bed):
    """owner → (attempts, retries) of the 24 h window, as Redis shows them."""
    owners = bed.redis.zrange(f"{bed.prefix}:view:owners", 0, -1)
    pipe = bed.redis.pipeline(transaction=False)
    for owner in owners:
        pipe.hmget(f"{bed.prefix}:view:owner:{owner}", "24h:attempts", "24h:retries")
    return {owner: tuple(int(value or 0) for value in values)
            for owner, values in zip(owners, pipe.execute())}


def counted(bed):
    return sum(attempts for attempts, _ in totals(bed).values())


def every_owner_is_counted_exactly():
    bed = Bed("million", kafka={"consumer": {"session.timeout.ms": "6000"}})
    said = bed.command("generate", "--config", bed.path, "--events", str(EVENTS), "--owners",
                       "2000", "--seed", "4711", "--scenario", "rise", "--span", "5h",
                       "--output", "json", timeout=200)
    report = json.loads(said.stdout)
    want = {one["owner"]: (one["attempts"], one["retries"]) for one in report["owners"]}
    equal(sum(attempts for attempts, _ in want.values()), EVENTS, "the generator's attempts")
    equal(sum(end for end in bed.ends().values()), EVENTS, "records")

    # The first has a name, so that it takes over at once; the second is missed after 6 s.
    first, second, kills = bed.service("--set", "instance=first"), bed.service(), 0
    for share in (0.15, 0.4, 0.6):
        wait_until(lambda: counted(bed) > EVENTS * share, 120, f"{share:.0%} are counted")
        if kills % 2 == 0:
            first.kill()
            first = bed.service("--set", "instance=first")
        else:
            second.kill()
            second = bed.service()
        kills += 1
    check(counted(bed) < EVENTS, "all was counted before the last kill: it proved nothing")
    bed.wait_committed(240)
    wait_until(lambda: counted(bed) >= EVENTS, 60, "the views are complete")
    got = totals(bed)
    different = {owner: (got.get(owner), want.get(owner)) for owner in got.keys() | want.keys()
                 if got.get(owner) != want.get(owner)}
    equal(len(different), 0, f"owners that differ, such as {sorted(different.items())[:5]}")
    first.stop()
    second.stop()

    ids = [header["ce_id"] for _, header, _ in bed.reviews()]
    equal(len(ids), len(set(ids)), "reviews, each once")
    check(ids, "no review was published")
    equal(bed.read("rejected"), [], "rejected")
    print(f"{EVENTS} events, {len(want)} owners, {kills} kills, {len(ids)} reviews")


run([every_owner_is_counted_exactly], 540)
