#!/usr/bin/env bash
# run.sh - faults on a real Kafka and Redis, then the counters and reviews against what was sent.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/chaos/run.sh                          30 faults, about three minutes
#   tests/chaos/run.sh --kills 250 --seed 7     as many as one likes; the seed chooses them
#
# RETRYWATCH names another binary than that of the preset release, which is built otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

deploy/packages.sh run build test kafka
if [ -z "${RETRYWATCH:-}" ]; then
    cmake --preset release >/dev/null
    cmake --build --preset release --target retrywatch >/dev/null
    export RETRYWATCH=build/release/consumer/retrywatch
fi
tests/support/venv.sh build/venv
PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1 exec build/venv/bin/python \
    tests/chaos/chaos.py "$@"
