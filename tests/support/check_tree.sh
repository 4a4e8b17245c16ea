#!/usr/bin/env bash
# check_tree.sh - what the layout promises: dependencies point one way, links lead somewhere.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

status=0
none() { # what it would be, then a command that should print nothing
    local what=$1 found
    shift
    found=$("$@" || true)
    [ -z "$found" ] || {
        printf '%s:\n%s\n' "$what" "$found"
        status=1
    }
}

none "aggregator/ looks up" grep -nE '#include "(codec|consumer)/' -r aggregator
none "codec/ looks up" grep -nE '#include "consumer/' -r codec
none "a first line that does not say what the file is for" awk '
    FNR == 1 { n = split(FILENAME, path, "/"); if (index($0, path[n]) == 0) print FILENAME ": " $0 }
    ' $(find aggregator codec consumer tests -name '*.[ch]' -o -name '*.cpp')
none "no SPDX line" grep -L 'SPDX-License-Identifier: Apache-2.0' \
    $(find aggregator codec consumer tests deploy -name '*.[ch]' -o -name '*.cpp' -o -name '*.sh' \
        -o -name '*.py')
none "over 800 lines" awk 'FNR == 801 { print FILENAME }' \
    $(find aggregator codec consumer tests -name '*.[ch]' -o -name '*.cpp')
for page in README.md docs/*.md; do
    for link in $(grep -oE '\]\([^)#:]+' "$page" | cut -c3-); do
        none "a link of $page that leads nowhere" \
            bash -c "[ -e '$(dirname "$page")/$link' ] || echo '$link'"
    done
done
exit "$status"
