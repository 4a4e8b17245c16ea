#!/usr/bin/env bash
# packages.sh - install the Debian packages of the named sections of packages.txt that are missing.
# SPDX-License-Identifier: Apache-2.0
#
#   packages.sh run build        installs what is missing; exit 1 if that cannot be done
#   packages.sh --list build     prints the names
set -euo pipefail

policy=/usr/sbin/policy-rc.d
list=$(dirname "${BASH_SOURCE[0]}")/packages.txt
[ "${1:-}" = --list ] && only_list=1 && shift || only_list=

names() {
    awk -v wanted=" $* " '/^\[/ { on = index(wanted, " " substr($0, 2, length($0) - 2) " ") }
        on && /^[a-z]/ { print $1 }' "$list" | sort -u
}

missing() {
    local name
    for name in $(names "$@"); do
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed ||
            echo "$name"
    done
}

# The packages' own daemons (redis-server) stay off: what we need is started on a free port.
install() {
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
        $sudo chmod +x "$policy"
        trap '$sudo rm -f "$policy"' EXIT
    fi
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" \
        >/dev/null
}

if [ -n "$only_list" ]; then
    names "$@"
    exit
fi
wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || {
        echo "packages.sh: as root, first: apt-get install" $wanted >&2
        exit 1
    }
fi
echo "Installing" $wanted >&2
# shellcheck disable=SC2086 # one word a package
install $wanted || {
    echo "packages.sh: apt-get could not install" $wanted >&2
    exit 1
}
