#!/usr/bin/env bash
# Tries shards on one machine: runs four, kills one, holds that merge names it, runs it again, and
# holds that the merged report is that of a sweep without shards. `try-shards.sh parallel` lets GNU
# parallel run them, else this shell does. Fails with a status that is not 0 where it is not so.
#
# Needs a built midput: MIDPUT, or target/release/midput.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
midput=${MIDPUT:-$PWD/target/release/midput}
sweep=(kill-mid-put canary --world sim --cases "${CASES:-20000}" --max-fail 0)
shards=4
killed=3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
    echo "try-shards: $*" >&2
    exit 1
}

# All but the times, which come last.
timeless() { sed '/^  "times": \[/,$d' "$1"; }

shard() {
    "$midput" check "${sweep[@]}" --jobs 1 --shard "$1/$shards" --report "$folder/$1.json" \
        >"$folder/$1.log" 2>&1
}

with_parallel() {
    parallel --jobs "$(nproc)" --joblog "$folder/joblog" \
        "$midput" check "${sweep[@]}" --jobs 1 --shard "{}/$shards" --report "$folder/{}.json" \
        ::: $(seq "$shards") >"$folder/parallel.log" 2>&1
}

# The process that is at work on the shard, found by its own arguments among the descendants of
# this shell.
pid_of_shard() {
    local child
    for child in $(descendants $$); do
        if tr '\0' ' ' 2>/dev/null <"/proc/$child/cmdline" | grep -q "^$midput .*--shard $1/"; then
            echo "$child"
            return
        fi
    done
    return 1
}

descendants() {
    local child
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        echo "$child"
        descendants "$child"
    done
}

# Kills the shard as soon as it is at work.
kill_one() {
    local _ pid
    for _ in {1..2000}; do
        if [ -e "$folder/$killed.json.unfinished" ] && pid=$(pid_of_shard "$killed"); then
            kill -KILL "$pid"
            return
        fi
        sleep 0.02
    done
    fail "shard $killed was never at work"
}

case "${1:-shell}" in
    parallel) with_parallel & ;;
    shell) (
        pids=()
        for number in $(seq "$shards"); do
            shard "$number" &
            pids+=($!)
        done
        for pid in "${pids[@]}"; do wait "$pid" || true; done
    ) & ;;
    *) fail "run it by 'shell' or by 'parallel'" ;;
esac
running=$!
kill_one
wait "$running" || true
[ ! -e "$folder/$killed.json" ] || fail "shard $killed had ended before it was killed"

status=0
told=$("$midput" merge "$folder"/?.json 2>&1) || status=$?
echo "$told"
[ "$status" -eq 2 ] || fail "merge without a shard ended with $status"
[[ $told == *"shard $killed/$shards missing"* ]] || fail "merge did not name shard $killed"

if [ "${1:-shell}" = parallel ]; then
    # It reads in its log which shard was killed, and runs that one again.
    parallel --retry-failed --joblog "$folder/joblog" >"$folder/retry.log" 2>&1
else
    shard "$killed"
fi
"$midput" check "${sweep[@]}" --report "$folder/whole" | tail -n 2
"$midput" merge "$folder"/?.json --report "$folder/merged" | tail -n 2
diff <(timeless "$folder/merged") <(timeless "$folder/whole") ||
    fail "the merged report is not that of a sweep without shards"
[ "$(timeless "$folder/whole" | wc -l)" -gt 100 ] || fail "there is nothing to compare"
echo "the merged report of $shards shards is that of a sweep without shards ($SECONDS s)"
