#!/usr/bin/env bash
# demo.sh - the command demo: what it shows, and that it leaves nothing behind.
# SPDX-License-Identifier: Apache-2.0
#
#   demo.sh BINARY
set -euo pipefail
binary=$1
folder=$(mktemp -d /tmp/retrywatch-test-XXXXXX)
kept=
finish() {
    [ -z "$kept" ] || kill -KILL $kept 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
export TMPDIR=$folder/stage
mkdir "$TMPDIR" "$folder/empty"
# What a real service is told must not reach the demo.
export RETRYWATCH_REDIS_URL=redis://127.0.0.1:1/0 RETRYWATCH_CONFIG=$folder/none.yaml
failed=0

complain() {
    echo "$1" >&2
    failed=1
}
children() { # processes that have the demo's directory in their command line or environment
    grep -laz "$TMPDIR/retrywatch-dem[o]" /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null ||
        true
}
nothing_left() { # after what
    local _
    for _ in $(seq 50); do
        [ -n "$(children)" ] || break
        sleep 0.1
    done
    [ -z "$(children)" ] || complain "after $1 there runs still: $(children)"
}
no_directory() {
    [ -z "$(ls "$TMPDIR")" ] || complain "after $1 there is still: $(ls "$TMPDIR")"
}
# expect CODE TEXT ARGUMENTS...: the exit code, and a part of what is printed.
expect() {
    local want=$1 text=$2 code=0
    shift 2
    said=$("$binary" demo "$@" 2>&1) || code=$?
    if [ "$code" != "$want" ] || [[ $said != *"$text"* ]]; then
        complain "demo $*: exit $code, wanted $want and \"$text\":
$said"
    fi
}

expect 0 "the retries of checkout rise"
for text in "Owner             checkout" "rw:view:owner:checkout" "$ retrywatch owners"; do
    [[ $said == *"$text"* ]] || complain "the demo says nothing of $text"
done
nothing_left "the demo"
no_directory "the demo"

PATH=$folder/empty expect 1 "apt-get install redis-server"
no_directory "a demo without Redis"
expect 2 "needs --bootstrap" --delivery exactly_once
expect 2 "allowed: exactly_once or at_least_once" --delivery twice
expect 2 "no HOST:PORT" --bootstrap 'a"b'
TMPDIR="$folder/a b" expect 1 "strange characters"

# A signal while the service runs, and the end that nobody can catch.
for signal in TERM KILL; do
    "$binary" demo >"$folder/out" 2>&1 &
    child=$!
    for _ in $(seq 200); do
        ! grep -q "== The service" "$folder/out" || break
        sleep 0.1
    done
    kill -$signal $child
    wait $child 2>/dev/null && complain "demo: exit 0 after SIG$signal"
    nothing_left "SIG$signal"
    [ $signal = KILL ] || no_directory "SIG$signal"
    rm -rf "$TMPDIR"/*
done

# What --keep prints works.
expect 0 "Left running" --keep
kept=$(grep -oE 'kill [0-9 ]+' <<<"$said" | cut -c6-)
config=$(sed -n 's/.*export RETRYWATCH_CONFIG=//p' <<<"$said")
env -u RETRYWATCH_REDIS_URL "$binary" owner checkout --config "$config" |
    grep -q "checkout as of" || complain "nothing runs after --keep"
[ "$(children | cut -d/ -f3 | sort -u | wc -l)" = 3 ] ||
    complain "not Redis, broker and service after --keep: $(children)"
bash -c "$(grep -A1 '^End it:' <<<"$said" | tail -1)"
nothing_left "the end of --keep"
no_directory "the end of --keep"
exit "$failed"
