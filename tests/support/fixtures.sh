#!/usr/bin/env bash
# fixtures.sh - the Kafka and Redis that all integration tests of one CTest run share.
# SPDX-License-Identifier: Apache-2.0
#
#   fixtures.sh start DIR VENV      a fresh Kafka and Redis in DIR, the Python clients in VENV
#   fixtures.sh stop DIR VENV
set -euo pipefail

support=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command=$1 dir=$2 venv=$3

stop() {
    [ ! -d "$dir" ] || { "$support/kafka.sh" stop "$dir/kafka"; "$support/redis.sh" stop "$dir/redis"; }
    rm -rf "$dir"
}

case $command in
start)
    stop # what an interrupted run may have left
    if ! "$support/kafka.sh" have; then
        echo "Java and Maven are missing: the integration tests will be skipped"
        exit 0
    fi
    "$support/venv.sh" "$venv"
    "$support/kafka.sh" start "$dir/kafka"
    "$support/redis.sh" start "$dir/redis"
    ;;
stop) stop ;;
esac
