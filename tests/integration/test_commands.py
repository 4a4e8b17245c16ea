"""What the commands show is what Redis holds.

SPDX-License-Identifier: Apache-2.0
"""
from harness import Bed, check, equal, outcome, now_ms, rise, run, wait_until


def commands_show_what_redis_holds():
    bed = Bed("commands", partitions=2)
    calm = [outcome("calm", number, time_ms=now_ms()) for number in range(20)]
    bed.produce_outcomes(calm + rise("rising"))
    service = bed.service()
    bed.wait_owner("calm", "24h:attempts", 20)
    bed.wait_owner("rising", "24h:attempts", 120)
    review_id = wait_until(lambda: bed.redis.zrange(f"{bed.prefix}:view:reviews", 0, -1), 30,
                           "an open review")[0]
    view = bed.redis.hgetall(f"{bed.prefix}:view:review:{review_id}")

    text = bed.command("owners", "--config", bed.path).stdout
    check("rising" in text and "calm" in text, f"owners:\n{text}")
    for name, retries in (("rising", 60), ("calm", 0)):
        shown = str(bed.json("owner", name))
        check(name in shown and str(retries) in shown, f"owner {name}: {shown}")
    check("rising" in str(bed.json("owners")), "owners --output json")
    check("120" in bed.command("owner", "rising", "--config", bed.path).stdout, "owner rising")

    check(review_id[:8] in bed.command("reviews", "--config", bed.path).stdout, "reviews")
    check(review_id in str(bed.json("reviews")), "reviews --output json")
    review = bed.json("review", review_id)
    equal((review["review_id"], review["status"], str(review["sequence"])),
          (review_id, view["status"], view["sequence"]), "review --output json")
    text = bed.command("review", review_id[:8], "--config", bed.path).stdout
    for word in ("rising", "production", "search"):
        check(word in text, f"review shows no {word}:\n{text}")
    service.stop()


def what_is_not_there_is_said():
    bed = Bed("nothing", partitions=1)
    for arguments in (["owner", "nobody"], ["review", "0123456789abcdef"]):
        done = bed.command(*arguments, "--config", bed.path, want=None)
        check(done.returncode == 1 and arguments[1] in done.stderr, arguments, done.stderr)
    bed.command("owners", "--config", bed.path)
    bed.command("reviews", "--config", bed.path)


run([commands_show_what_redis_holds, what_is_not_there_is_said])
