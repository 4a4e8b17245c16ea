#!/usr/bin/env bash
# debian13.sh - build and run the unit tests on Debian 13, in a folder made by debootstrap.
# SPDX-License-Identifier: Apache-2.0
#
# Needs root. MIRROR names another Debian mirror than debootstrap's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ "$(id -u)" = 0 ] || { echo "debian13.sh: debootstrap and chroot need root" >&2; exit 1; }
deploy/packages.sh debian13

root=$(mktemp -d)
finish() {
    ! mountpoint -q "$root/proc" || umount "$root/proc"
    mountpoint -q "$root/proc" || rm -rf --one-file-system "$root"
}
trap finish EXIT

inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        ${http_proxy:+http_proxy="$http_proxy"} chroot "$root" "$@"
}

echo "Setting up Debian 13"
debootstrap --variant=minbase trixie "$root" ${MIRROR:+"$MIRROR"} >"$root.log" 2>&1 || {
    tail -20 "$root.log" >&2
    exit 1
}
rm -f "$root.log"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# Some container runtimes forbid it; only a few programs miss it.
mount -t proc proc "$root/proc" 2>/dev/null || echo "Without /proc."
# shellcheck disable=SC2046 # one word a package
inside apt-get install -qq -y --no-install-recommends $(deploy/packages.sh --list build test) >/dev/null

mkdir "$root/src"
tar -c --exclude=./build --exclude=./.git --exclude=./.cache . | tar -x -C "$root/src"
inside sh -c "cd /src && cmake --preset release &&
    cmake --build --preset release -j $(nproc) &&
    ctest --test-dir build/release -L 'unit|property|scenario' --output-on-failure -j $(nproc)"
