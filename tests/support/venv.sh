#!/usr/bin/env bash
# venv.sh - a Python environment for the integration tests: venv.sh DIR.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

wanted=$(dirname "${BASH_SOURCE[0]}")/requirements.txt
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock" # two presets may build it at once
flock 9
cmp -s "$wanted" "$1/requirements.txt" && exit
rm -rf "$1"
python3 -m venv "$1"
"$1/bin/pip" install --quiet --retries 5 -r "$wanted"
cp "$wanted" "$1/requirements.txt"
