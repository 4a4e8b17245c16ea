#!/usr/bin/env bash
# docs.sh - the documents that the program and the schemas write.
# SPDX-License-Identifier: Apache-2.0
#
#   docs.sh write BINARY         write them
#   docs.sh check BINARY         fail where one differs from what the binary writes
set -euo pipefail
binary=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

status=0
document() {
    local path=$1 fresh
    shift
    fresh=$("$binary" "$@")
    case $mode in
    write) printf '%s\n' "$fresh" >"$path" ;;
    check)
        printf '%s\n' "$fresh" | diff -u "$path" - || {
            echo "$path is not fresh: build the target docs" >&2
            status=1
        }
        ;;
    esac
}

mode=$1
document docs/config.md docs config
document deploy/retrywatch.example.yaml docs example
tests/support/topics_doc.py "$mode" codec/schema docs/topics.md || status=1
exit "$status"
