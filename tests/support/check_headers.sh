#!/usr/bin/env bash
# check_headers.sh - every header compiles alone: check_headers.sh ROOT COMPILER [FLAG...].
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$1"
shift

status=0
for header in aggregator/*.h codec/*.h consumer/*.h consumer/commands/*.h; do
    echo "#include \"$header\"" | "$@" -std=c17 -D_GNU_SOURCE -I. -Wall -Wextra -Werror \
        -fsyntax-only -x c - || {
        echo "$header does not compile alone"
        status=1
    }
done
exit "$status"
