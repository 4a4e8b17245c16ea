#!/usr/bin/env bash
# run.sh - install what is needed, build, run all tests under ASan and UBSan, print the totals.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/run.sh                 everything
#   tests/run.sh -L unit         only what CTest's own options choose
#   tests/run.sh --no-kafka      without Apache Kafka: the integration tests are skipped
#
# Without Java the integration tests are skipped by name; with CI=true that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deploy/packages.sh run build test
if [ "${1:-}" = --no-kafka ]; then
    shift
else
    deploy/packages.sh kafka || echo "No Java: the integration tests will be skipped." >&2
fi

options=()
if command -v ccache >/dev/null; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake --preset asan "${options[@]}"
cmake --build --preset asan

report=$PWD/build/asan/tests.xml
rm -f "$report"
status=0
ctest --test-dir build/asan --output-on-failure -j "$(nproc)" \
    --output-junit "$report" "$@" || status=$?

# The totals once more, on one plain line.
count() {
    sed -n "/<testsuite /,/>/s/.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" "$report"
}
if [ ! -e "$report" ]; then
    echo "no test was run"
    exit 1
fi
failed=$(count failures)
skipped=$(($(count skipped) + $(count disabled)))
if [ "$skipped" != 0 ]; then
    echo "Skipped:" "$(grep -B1 '<skipped' "$report" | sed -n 's/.*testcase name="\([^"]*\)".*/\1/p' | xargs)"
fi
echo "$(($(count tests) - failed - skipped)) passed, $failed failed$(
    [ "$skipped" = 0 ] || echo ", $skipped skipped")"
exit "$status"
