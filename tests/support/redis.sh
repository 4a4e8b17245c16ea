#!/usr/bin/env bash
# redis.sh - a private Redis on a free port, for tests and the demo.
# SPDX-License-Identifier: Apache-2.0
#
#   redis.sh start DIR [--option value]...   start it on DIR (again: same port, same data), with
#                                            any option of redis-server; prints redis://host:port/0
#   redis.sh stop DIR                        stop it, saving nothing that is not saved yet
#   redis.sh address DIR                     print the URL of the one that runs on DIR; else exit 1
#   redis.sh kill DIR                        kill it at once (SIGKILL)
set -euo pipefail

alive() {
    [ -e "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null
}

# Below the ports that outgoing connections take.
free_port() {
    local port
    while :; do
        port=$((10000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

start() {
    [ -e "$dir/port" ] || free_port >"$dir/port"
    local port
    port=$(cat "$dir/port")
    if ! alive; then
        redis-server --port "$port" --bind 127.0.0.1 --dir "$dir" --save "" --appendonly yes \
            --appendfsync everysec "$@" </dev/null >>"$dir/redis.log" 2>&1 &
        echo $! >"$dir/pid"
    fi
    for _ in $(seq 100); do
        if redis-cli -p "$port" ping 2>/dev/null | grep -qE 'PONG|NOAUTH'; then
            echo "redis://127.0.0.1:$port/0"
            return
        fi
        alive || break
        sleep 0.1
    done
    echo "redis.sh: Redis did not start:" >&2
    tail -20 "$dir/redis.log" >&2
    exit 1
}

stop() {
    alive || return 0
    kill "$(cat "$dir/pid")"
    for _ in $(seq 50); do
        alive || return 0
        sleep 0.1
    done
    kill -9 "$(cat "$dir/pid")" 2>/dev/null || true
}

command=${1:-}
dir=${2:-}
if [ -z "$dir" ]; then
    sed -n '5,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
shift 2
case $command in
start) start "$@" ;;
stop) stop ;;
address) alive && echo "redis://127.0.0.1:$(cat "$dir/port")/0" ;;
kill)
    alive && kill -9 "$(cat "$dir/pid")"
    while alive; do sleep 0.05; done # its port is free then
    ;;
*) echo "redis.sh: start, stop, address or kill" >&2; exit 2 ;;
esac
