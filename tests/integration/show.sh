#!/usr/bin/env bash
# show.sh - what owners, owner, reviews and review print, and with which exit code.
# SPDX-License-Identifier: Apache-2.0
#
#   show.sh BINARY
set -euo pipefail
binary=$1
support=$(cd "$(dirname "${BASH_SOURCE[0]}")/../support" && pwd)
folder=$(mktemp -d)
trap '"$support/redis.sh" stop "$folder/redis"; rm -rf "$folder"' EXIT
url=$("$support/redis.sh" start "$folder/redis")
failed=0

# expect CODE TEXT ARGUMENTS...: the exit code, and a part of what is printed.
expect() {
    local want=$1 text=$2 code=0 said
    shift 2
    said=$("$binary" "$@" --set "redis.url=$url" 2>&1) || code=$?
    if [ "$code" != "$want" ] || [[ $said != *"$text"* ]]; then
        printf 'retrywatch %s: exit %s, wanted %s and "%s":\n%s\n' "$*" "$code" "$want" "$text" \
            "$said" >&2
        failed=1
    fi
    if [[ $said == *$'\e'* ]]; then
        printf 'retrywatch %s: colour without a terminal\n' "$*" >&2
        failed=1
    fi
}
redis() {
    redis-cli -u "$url" "$@" >/dev/null
}

expect 0 "No owner yet in Redis at $url under rw:view:owners" owners
expect 0 "[]" owners --output json
expect 0 "No open review in Redis at $url under rw:view:reviews" reviews
expect 0 "No review in Redis at $url" reviews --all
expect 1 "Redis at $url has no owner ana under rw:view:owners" owner ana
expect 1 "has no review abc" review abc

id=0123456789abcdef0123456789abcdef
redis zadd rw:view:owners 1790000000000 ana
redis hset rw:view:owner:ana 60m:attempts 1200 60m:retries 300 60m:retry_share_bps 2500 \
    open_reviews 1 as_of 1790000000000
redis hset rw:view:buckets:ana chat:60m:attempts 1200
redis hset rw:view:minutes:ana 29833333:attempts 12 29833333:retries 3
redis zadd rw:view:reviews 1 $id
redis hset rw:view:review:$id json '{"review_id": "'$id'", "status": "open", "reason": "rise",
    "scope": {"owner_tag": "ana", "budget_bucket": "chat"}, "retry_share_bps": 2500}'

expect 0 "1,200      300  25.0 %" owners
expect 0 "1,200      300  25.0 %" owners --sort retries --limit 1
expect 0 '"retry_share_bps": 2500' owners --output json
expect 0 "ana as of 2026-09-21 14:13 UTC" owner ana
expect 0 "Attempts a minute (12 at most)" owner ana
expect 0 "chat" owner ana
expect 0 '"minute": 1789999980000' owner ana --output json
expect 0 "01234567  ana    chat" reviews
expect 0 "01234567  ana    chat" reviews --all
expect 0 '"review_id": "'$id reviews --output json
expect 0 "Review $id: open" review 0123
expect 0 "## Review $id: open" review 0123 --output markdown
expect 0 '"review_id": "'$id review 0123 --output json
expect 1 "did you mean ana?" owner anna

expect 2 "--sort: \"size\" is not allowed; allowed: last, retries" owners --sort size
expect 2 "--limit: \"-1\" is not allowed" owners --limit -1
expect 2 "--output: \"xml\" is not allowed" review 0123 --output xml
expect 2 "--output: \"xml\" is not allowed" reviews --output xml
expect 2 "needs NAME" owner
expect 2 "needs ID" review
expect 2 "one word too many" owners ana
expect 2 "\"xyz\" is no review" review xyz
expect 2 "did you mean --limit?" owners --limt 1

redis config set requirepass secret
expect 3 "$url" owners
expect 3 "$url" owner ana
expect 3 "$url" reviews
expect 3 "$url" review 0123
export RETRYWATCH_REDIS_PASSWORD=wrong
expect 3 "$url" owners
export RETRYWATCH_REDIS_PASSWORD=secret
expect 0 "ana" owners

"$support/redis.sh" kill "$folder/redis"
expect 1 "Redis at $url cannot be reached" owners
expect 1 "Redis at $url cannot be reached" owner ana
expect 1 "Redis at $url cannot be reached" reviews
expect 1 "Redis at $url cannot be reached" review 0123
exit "$failed"
