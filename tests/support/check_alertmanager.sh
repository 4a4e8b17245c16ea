#!/usr/bin/env bash
# check_alertmanager.sh - Alertmanager's own checker reads this configuration: FILE.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

if ! command -v amtool >/dev/null; then
    echo "skipped: needs amtool (package prometheus-alertmanager)"
    [ "${CI:-}" = true ] && exit 1
    exit 77
fi
amtool check-config "$1"
