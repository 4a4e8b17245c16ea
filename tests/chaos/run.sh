#!/usr/bin/env bash
# run.sh - faults on a real Kafka and Redis, then the counters and reviews against what was sent.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/chaos/run.sh                          30 faults, about three minutes
#   tests/chaos/run.sh --kills 250 --seed 7     as many as one likes; the seed chooses them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

deploy/packages.sh run build test kafka
cmake --preset release >/dev/null
cmake --build --preset release --target retrywatch
tests/support/venv.sh build/venv
RETRYWATCH=${RETRYWATCH:-build/release/consumer/retrywatch} PYTHONPATH=tests/support \
    PYTHONDONTWRITEBYTECODE=1 exec build/venv/bin/python tests/chaos/chaos.py "$@"
