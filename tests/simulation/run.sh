#!/usr/bin/env bash
# run.sh - random histories of the service loop, as many as one likes, in an optimised build.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/simulation/run.sh [SEEDS [FIRST [PROCESSES]]]     2,000 from seed 1, one process a core
#   tests/simulation/run.sh --pairs                          options of simulate itself
#
# A seed that fails is printed; build/release/tests/simulate --seed N --shrink cuts it down, --trace
# tells what happened.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

launcher=()
if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
{
    cmake --preset release "${launcher[@]}"
    cmake --build --preset release --target simulate
} >/dev/null

ulimit -v 4000000 # what grows without end is to fail by itself

case ${1:-} in
--*) exec build/release/tests/simulate "$@" ;;
esac

seeds=${1:-2000}
first=${2:-1}
processes=${3:-$(nproc)}
share=$(((seeds + processes - 1) / processes))
pids=()
for ((i = 0; i < processes; i++)); do
    build/release/tests/simulate --seed $((first + i * share)) --seeds "$share" &
    pids+=($!)
done
status=0
for pid in "${pids[@]}"; do
    wait "$pid" || status=1
done
exit "$status"
