#!/usr/bin/env bash
# run.sh - all benches, from decoding one event to the whole service; prints one table.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/bench/run.sh                              all; the table as JSON goes to build/bench.json
#   tests/bench/run.sh --quick                      little of everything, a few minutes
#   tests/bench/run.sh --only apply latency         some; each says in its first lines what it is
#   tests/bench/run.sh --output FILE                the JSON elsewhere
#   tests/bench/run.sh --events 1000000 --pairs 3   fewer events and pairs for the pipeline
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

deploy/packages.sh run build test kafka >&2
options=()
if command -v ccache >/dev/null; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake --preset release "${options[@]}" >/dev/null
cmake --build --preset release >&2
tests/support/venv.sh build/venv

RETRYWATCH=build/release/consumer/retrywatch PYTHONDONTWRITEBYTECODE=1 \
    build/venv/bin/python tests/bench/table.py "$@"
