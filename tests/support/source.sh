#!/usr/bin/env bash
# source.sh - checks of the C and C++ source.
# SPDX-License-Identifier: Apache-2.0
#
#   source.sh format             rewrite it in the repository's style
#   source.sh format-check       fail where it differs from that
#   source.sh tidy BUILD_DIR     clang-tidy by the compile commands of a build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

files() {
    find aggregator codec consumer tests -name "*.[ch]" -o -name "*.cpp" | sort
}

case ${1:-} in
format) files | xargs clang-format -i ;;
format-check) files | xargs clang-format --dry-run --Werror ;;
tidy)
    # What the product is made of, and C alone: the one C++ file is mostly simdjson's headers.
    sed -n "s|^ *\"file\": \"$PWD/\(.*\.c\)\".*|\1|p" "$2/compile_commands.json" | grep -vE '^(build|tests)/' |
        sort -u | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$2"
    ;;
*)
    sed -n '5,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
