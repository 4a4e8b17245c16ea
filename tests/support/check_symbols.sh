#!/usr/bin/env bash
# check_symbols.sh - fail if an archive asks for a symbol beside the allowed ones.
# SPDX-License-Identifier: Apache-2.0
#
#   check_symbols.sh ARCHIVE SYMBOL...
#
# Symbols of the compiler itself (sanitizers, coverage, 128-bit arithmetic) are always allowed.
set -euo pipefail

archive=$1
shift
defined=$(nm --defined-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
foreign=$(nm --undefined-only "$archive" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u |
    grep -vxF -e "$defined" $(printf -- '-e %s ' "$@") |
    grep -vE '^(__(asan|ubsan|tsan|sanitizer|gcov|stack_chk)_|__(u?div|u?mod|mul)ti[34]$|_GLOBAL_OFFSET_TABLE_$)' || true)
[ -z "$foreign" ] || {
    echo "$(basename "$archive") asks for:" $foreign
    exit 1
}
echo "$(basename "$archive") asks for nothing but:" "$@"
