#!/usr/bin/env bash
# kafka.sh - one Apache Kafka broker (KRaft) on a free port, from Maven, for tests and the demo.
# SPDX-License-Identifier: Apache-2.0
#
#   kafka.sh fetch          download the broker into the cache, if it is not there
#   kafka.sh start DIR      start it on DIR (again, if DIR was used before: same port, same data);
#                           prints host:port once it takes requests
#   kafka.sh start DIR --proxy PORT   the same, and whoever connects to the port that DIR/behind
#                           names is told to go on with PORT, where a proxy to it listens
#   kafka.sh stop DIR       stop it (SIGTERM, then SIGKILL)
#   kafka.sh kill DIR       kill it at once (SIGKILL)
#   kafka.sh address DIR    print host:port of the one that runs on DIR; exit 1 if none does
#   kafka.sh have           exit 0 if Java and Maven are here
#
# DIR/server.log says what went wrong. KAFKA_HEAP sets the broker's memory.
set -euo pipefail

version=4.1.1
support=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/retrywatch/kafka-$version

have() {
    command -v java >/dev/null && command -v mvn >/dev/null
}

fetch() {
    [ -e "$cache/complete" ] && return
    have || { echo "kafka.sh: java and mvn are needed (default-jdk-headless, maven)" >&2; exit 1; }
    mkdir -p "$cache"
    (
        flock 9 # two test runs may start at once
        [ -e "$cache/complete" ] && exit
        # Registries answer slowly at times: a second try finds what the first one cached.
        for _ in 1 2 3; do
            if mvn -B -q -Dstyle.color=never -f "$support/kafka-pom.xml" dependency:copy-dependencies \
                -DoutputDirectory="$cache/jars" >&2; then
                touch "$cache/complete"
                exit 0
            fi
            sleep 5
        done
        echo "kafka.sh: Apache Kafka $version could not be fetched through Maven" >&2
        exit 1
    ) 9>"$cache/lock"
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

java_run() {
    exec java "-Xmx${KAFKA_HEAP:-512m}" -Dlog4j2.configurationFile="$dir/log4j2.properties" \
        -cp "$cache/jars/*" "$@"
}

configure() {
    local port controller cluster behind proxy=$1 listeners told map
    port=$(free_port)
    controller=$(free_port)
    listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
    told=PLAINTEXT://127.0.0.1:$port
    map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
    if [ -n "$proxy" ]; then
        behind=$(free_port)
        echo "$behind" >"$dir/behind"
        listeners+=,PROXIED://127.0.0.1:$behind
        told+=,PROXIED://127.0.0.1:$proxy
        map+=,PROXIED:PLAINTEXT
    fi
    cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' '_A' | tr -d =)
    echo "127.0.0.1:$port" >"$dir/address"
    cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=$listeners
advertised.listeners=$told
controller.listener.names=CONTROLLER
listener.security.protocol.map=$map
log.dirs=$dir/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.segment.delete.delay.ms=1000
PROPERTIES
    cat >"$dir/log4j2.properties" <<LOG
status = error
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = OUT
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
LOG
    (java_run kafka.tools.StorageTool format -t "$cluster" \
        -c "$dir/server.properties") >"$dir/format.log" 2>&1 || {
        cat "$dir/format.log" >&2
        exit 1
    }
}

start() {
    fetch
    mkdir -p "$dir"
    if alive; then
        cat "$dir/address"
        return
    fi
    [ -e "$dir/data/meta.properties" ] || configure "$1"
    : >"$dir/server.log"
    (java_run kafka.Kafka "$dir/server.properties") </dev/null >>"$dir/server.log" 2>&1 &
    echo $! >"$dir/pid"
    for _ in $(seq 600); do
        if grep -q 'Kafka Server started' "$dir/server.log"; then
            cat "$dir/address"
            return
        fi
        alive || break
        sleep 0.1
    done
    echo "kafka.sh: the broker did not start:" >&2
    tail -20 "$dir/server.log" >&2
    stop
    exit 1
}

alive() {
    [ -e "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null
}

stop() {
    alive || return 0
    kill "$(cat "$dir/pid")"
    for _ in $(seq 100); do
        alive || return 0
        sleep 0.1
    done
    kill -9 "$(cat "$dir/pid")" 2>/dev/null || true
}

command=${1:-}
dir=${2:-}
case $command in
start | stop | kill | address)
    [ -n "$dir" ] || { echo "usage: kafka.sh $command DIR" >&2; exit 2; }
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    ;;
esac
case $command in
have) have ;;
fetch) fetch ;;
start)
    [ "${3:-}" = --proxy ] && proxy=$4 || proxy=
    start "$proxy"
    ;;
stop) stop ;;
address) alive && cat "$dir/address" ;;
kill)
    alive && kill -9 "$(cat "$dir/pid")"
    while alive; do sleep 0.05; done # its ports are free then
    ;;
*)
    sed -n '4,15s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
