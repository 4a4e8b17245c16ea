#!/usr/bin/env bash
# command_line.sh - what the program says to a wrong command line, and with which exit code.
# SPDX-License-Identifier: Apache-2.0
#
#   command_line.sh BINARY
set -euo pipefail
binary=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# expect CODE TEXT ARGUMENTS...: the exit code, and a part of what is printed.
expect() {
    local want=$1 text=$2 code=0 said
    shift 2
    said=$("$binary" "$@" 2>&1) || code=$?
    if [ "$code" != "$want" ] || [[ $said != *"$text"* ]]; then
        printf 'retrywatch %s: exit %s, wanted %s and "%s":\n%s\n' "$*" "$code" "$want" "$text" \
            "$said" >&2
        failed=1
    fi
}

cat >"$folder/good.yaml" <<'YAML'
kafka: {bootstrap.servers: "broker:9092"}
topics: {outcomes: calls}
YAML
echo 'gruop: a' >"$folder/bad.yaml"
echo '"no schema"' >"$folder/bad.avsc"

expect 2 "Usage: retrywatch COMMAND"
expect 0 "check-config" help
expect 0 "check-config" --help
expect 0 "--print-config" help check-config
expect 0 "--set KEY=VALUE" check-config --help
expect 0 "retrywatch " --version
expect 2 "did you mean check-config?" chek-config
expect 2 "unknown command frobnicate" frobnicate
expect 2 "unknown command frobnicate" help frobnicate
expect 2 "did you mean --config?" check-config --confg x
expect 2 "one word too many" check-config x
expect 0 "configuration ok, version" check-config
expect 0 "configuration ok, version" check-config --config "$folder/good.yaml"
expect 0 "outcomes: calls" check-config --config "$folder/good.yaml" --print-config
expect 0 "outcomes: other" check-config --config "$folder/good.yaml" --print-config \
    --set topics.outcomes=other
expect 2 "bad.yaml:1: gruop: unknown key, did you mean group?" check-config \
    --config "$folder/bad.yaml"
expect 2 "cannot read $folder/none.yaml" check-config --config "$folder/none.yaml"
expect 2 "cannot read $folder/none.avsc" check-config --set schema.outcome="$folder/none.avsc"
expect 2 "schema.outcome" check-config --set schema.outcome="$folder/bad.avsc"
expect 2 "for what?" decide
expect 2 "these are needed: --action --reason" decide --owner ana --set redis.url=redis://127.0.0.1:1/0
expect 2 "name the review once" decide abc --review abc
expect 2 "--max-retry-share: no share" decide --owner ana --max-retry-share much
expect 1 "names workload_tag can cover nothing" decide --owner ana --workload web
expect 2 "which one?" decisions show
expect 2 "is not known here" decisions frobnicate
expect 2 "--reason is for revoke" decisions --reason why
expect 2 "smoke-test: --timeout" smoke-test --timeout 0s

# The example file holds the defaults, and what is printed is read back as the same.
"$binary" docs example >"$folder/example.yaml"
"$binary" check-config --print-config >"$folder/defaults.yaml"
for file in example defaults; do
    "$binary" check-config --config "$folder/$file.yaml" --print-config |
        diff "$folder/defaults.yaml" - || failed=1
done

# SIGTERM while it starts: held at its configuration, it catches the signal already.
mkfifo "$folder/slow.yaml"
for command in run notify; do
    "$binary" $command --config "$folder/slow.yaml" 2>/dev/null &
    child=$!
    for _ in $(seq 100); do
        caught=$(sed -n 's/^SigCgt:[[:space:]]*/0x/p' "/proc/$child/status")
        ((caught >> 14 & 1)) && break
        sleep 0.1
    done
    if ! ((caught >> 14 & 1)); then
        echo "$command does not catch SIGTERM from its start" >&2
        failed=1
    fi
    kill -KILL "$child"
    wait "$child" 2>/dev/null || true
done

export RETRYWATCH_CONFIG=$folder/good.yaml RETRYWATCH_TOPICS_REVIEWS=reviews
expect 0 "outcomes: calls" check-config --print-config
expect 0 "reviews: reviews" check-config --print-config
exit "$failed"
