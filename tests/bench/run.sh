#!/usr/bin/env bash
# run.sh - the benches: decode, apply, store, and the whole pipeline on a real Kafka and Redis.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/bench/run.sh                              all, about three minutes
#   tests/bench/run.sh --events 4000000 --pairs 5   more events and pairs for the pipeline
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

deploy/packages.sh run build test kafka
options=()
if command -v ccache >/dev/null; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake --preset release "${options[@]}" >/dev/null
cmake --build --preset release
tests/support/venv.sh build/venv

build/release/tests/bench_decode
build/release/tests/bench_apply
build/release/tests/bench_store
RETRYWATCH=build/release/consumer/retrywatch PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1 \
    build/venv/bin/python tests/bench/pipeline.py \
    --null-consumer build/release/tests/null_consumer "$@"
