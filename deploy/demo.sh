#!/usr/bin/env bash
# demo.sh - build retrywatch and watch it find the one owner whose retries rise.
# SPDX-License-Identifier: Apache-2.0
#
#   deploy/demo.sh             on the embedded development broker (at least once)
#   deploy/demo.sh --kafka     on a real Apache Kafka from Maven (exactly once)
#   deploy/demo.sh --keep      leave everything running, and say how to look around
#
# Debian 12 or 13. Redis and the broker are private, and gone at the end. What is shown comes from
# the command `retrywatch demo`; this brings what it needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kafka= keep=
for option in "$@"; do
    case $option in
    --kafka) kafka=1 ;;
    --keep) keep=--keep ;;
    *)
        sed -n '4,8s/^# \{0,1\}//p' "$0"
        [ "$option" = --help ] && exit 0 || exit 2
        ;;
    esac
done

say() {
    local bold= plain=
    [ ! -t 1 ] || { bold=$'\e[1m' plain=$'\e[0m'; }
    printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
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
[ -n "$kafka" ] || exec "$retrywatch" demo $keep

dir=$(mktemp -d)
demo=
finish() {
    [ -z "$demo" ] || { kill "$demo" 2>/dev/null && wait "$demo"; } || true
    tests/support/kafka.sh stop "$dir"
    rm -rf "$dir"
}
trap finish EXIT
say "Apache Kafka"
bootstrap=$(tests/support/kafka.sh start "$dir")
# In the background, so that a signal to this script reaches finish() at once.
"$retrywatch" demo --bootstrap "$bootstrap" $keep &
demo=$!
wait "$demo" # its exit code is ours
demo=
if [ -n "$keep" ]; then
    trap - EXIT
    printf 'And Apache Kafka, after it:\n  %s stop %s; rm -rf %s\n' \
        "$PWD/tests/support/kafka.sh" "$dir" "$dir"
fi
