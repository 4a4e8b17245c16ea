#!/usr/bin/env bash
# demo.sh - build retrywatch and watch it find the one owner whose retries rise.
# SPDX-License-Identifier: Apache-2.0
#
#   deploy/demo.sh             on the embedded development broker (at least once)
#   deploy/demo.sh --kafka     on a real Apache Kafka from Maven (exactly once)
#   deploy/demo.sh --keep      leave everything running, and say how to look around
#
# Debian 12 or 13. Redis and the broker are private, on free ports, and gone at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kafka= keep=
for option in "$@"; do
    case $option in
    --kafka) kafka=1 ;;
    --keep) keep=1 ;;
    *)
        sed -n '4,8s/^# \{0,1\}//p' "$0"
        [ "$option" = --help ] && exit 0 || exit 2
        ;;
    esac
done

bold= plain=
[ ! -t 1 ] || { bold=$'\e[1m' plain=$'\e[0m'; }
say() {
    printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
}
show() { # a command as one would type it, and what it prints
    printf '%s$ retrywatch %s%s\n' "$bold" "$*" "$plain"
    "$retrywatch" "$@"
}

say "Packages and build"
deploy/packages.sh run build ${kafka:+kafka}
options=()
if command -v ccache >/dev/null; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake --preset release -B build/demo -DBUILD_TESTING=OFF "${options[@]}" >/dev/null
cmake --build build/demo -- --quiet
retrywatch=$PWD/build/demo/consumer/retrywatch

dir=$(mktemp -d)
config=$dir/retrywatch.yaml
export RETRYWATCH_CONFIG=$config
service= broker=
end() { # a child of this script, by its id
    [ -z "$1" ] || ! kill -0 "$1" 2>/dev/null || { kill "$1" && wait "$1"; } || true
}
finish() {
    end "$service"
    end "$broker"
    [ -z "$kafka" ] || tests/support/kafka.sh stop "$dir/kafka"
    tests/support/redis.sh stop "$dir/redis"
    rm -rf "$dir"
}
trap finish EXIT
wait_for() { # what, then a command that succeeds in the end
    local what=$1 _
    shift
    for _ in $(seq 200); do
        ! "$@" >/dev/null 2>&1 || return 0
        [ -z "$service" ] || kill -0 "$service" 2>/dev/null || break
        sleep 0.1
    done
    echo "demo.sh: no $what; the log of the service ends with" >&2
    tail -20 "$dir/service.log" >&2
    exit 1
}

began=$(date +%s)
say "A private Redis and a broker"
redis=$(tests/support/redis.sh start "$dir/redis")
if [ -n "$kafka" ]; then
    bootstrap=$(tests/support/kafka.sh start "$dir/kafka")
    delivery=exactly_once
else
    "$retrywatch" broker --listen-file "$dir/broker" >"$dir/broker.log" 2>&1 &
    broker=$!
    wait_for "broker" test -e "$dir/broker"
    bootstrap=$(cat "$dir/broker")
    delivery=at_least_once
fi
cat >"$config" <<YAML
kafka:
  bootstrap.servers: $bootstrap
delivery: $delivery
redis:
  url: $redis
YAML
echo "Kafka at $bootstrap, Redis at $redis, delivery $delivery"

say "Five hours of attempts of twelve owners; the retries of one rise near the end"
show generate --create-topics --events 20000 --owners 12 --scenario rise --seed 7

say "The service"
printf '%s$ retrywatch run%s\n' "$bold" "$plain"
"$retrywatch" run --create-topics >"$dir/service.log" 2>&1 &
service=$!
open_reviews() {
    [ "$(redis-cli -u "$redis" zcard rw:view:reviews)" -ge 1 ]
}
wait_for "open review" open_reviews
sleep 1.5 # views are written once a second

say "Owners, as Redis has them"
show owners
say "Reviews that wait for a decision"
show reviews
review=$(redis-cli -u "$redis" zrange rw:view:reviews 0 0)
owner=$(redis-cli -u "$redis" hget "rw:view:review:$review" json | sed 's/.*"owner_tag": *"\([^"]*\)".*/\1/')
say "The review-required event, as a budget owner sees it"
show review "$review"
say "The same for programs: Redis keys that a dashboard reads"
redis-cli -u "$redis" --scan --pattern 'rw:view:*' | grep -E "reviews|review:|owners|:$owner\$" | sort
echo "$ redis-cli hmget rw:view:owner:$owner 60m:attempts 60m:retries 60m:retry_share_bps open_reviews"
redis-cli -u "$redis" hmget "rw:view:owner:$owner" 60m:attempts 60m:retries 60m:retry_share_bps open_reviews
took=$(($(date +%s) - began))

if [ -n "$keep" ]; then
    trap - EXIT
    say "Left running"
    cat <<TEXT
Look around:
  export RETRYWATCH_CONFIG=$config
  $retrywatch owner $owner
  $retrywatch generate --help
  redis-cli -u $redis
  tail -f $dir/service.log
End it:
  kill $service && sleep 3 && kill ${broker:-\$(cat $dir/kafka/pid)} \$(cat $dir/redis/pid); rm -r $dir
TEXT
    exit 0
fi
say "Done, in $took s of running; \`deploy/demo.sh --keep\` leaves it to look around"
kill "$service"
wait "$service" # exit 0: it has stored and committed all that it read
service=
