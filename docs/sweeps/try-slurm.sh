#!/usr/bin/env bash
# Tries slurm.sh for real: sets up a Slurm of one node in a temporary folder, submits an array of
# four shards, kills one task, holds that merge names it, resubmits it, and holds that the merged
# report is that of a sweep without shards. It fails with a status that is not 0 where anything of
# it is not so, and ends what it started.
#
# Needs slurmctld, slurmd, munged and the client commands (Debian: slurm-wlm, munge), and a built
# midput: MIDPUT, or target/release/midput.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="$PATH:/usr/sbin"
export MIDPUT=${MIDPUT:-$PWD/target/release/midput}
cases=${CASES:-40000}
scenario=kill-mid-put/large-200kB-two-producers
sweep=("$scenario" --world sim --cases "$cases" --max-fail 0)
shards=4
killed=2

for tool in munged slurmctld slurmd sbatch squeue scancel sinfo "$MIDPUT"; do
    command -v "$tool" >/dev/null || { echo "$tool is missing" >&2; exit 2; }
done

folder=$(mktemp -d)
daemons=()
# By their own process ids, last started first.
end() {
    local status=$? index
    for ((index = ${#daemons[@]} - 1; index >= 0; index--)); do
        kill "${daemons[index]}" 2>/dev/null || true
        wait "${daemons[index]}" 2>/dev/null || true
    done
    if [ "$status" -ne 0 ]; then
        tail -n 20 "$folder"/*.log >&2 || true
    fi
    rm -rf "$folder"
    exit "$status"
}
trap end EXIT

fail() {
    echo "try-slurm: $*" >&2
    exit 1
}

# until_true SECONDS COMMAND…
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "waited too long for: $*"
        sleep 0.05
    done
}

set_up() {
    local host user
    host=$(hostname -s)
    user=$(id -un)
    mkdir -m 755 "$folder"/{munge,state,spool,reports}
    chmod 755 "$folder"
    dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
    chmod 600 "$folder/munge.key"
    munged --foreground --force --key-file="$folder/munge.key" \
        --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munge/seed" \
        >"$folder/munged.out.log" 2>&1 &
    daemons+=($!)
    until_true 20 test -S "$folder/munge/socket"

    cat >"$folder/slurm.conf" <<END
ClusterName=trial
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$((20000 + RANDOM % 10000))
SlurmdPort=$((30000 + RANDOM % 10000))
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2
KillWait=2
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=trial Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
    export SLURM_CONF=$folder/slurm.conf
    slurmctld -D -i -f "$SLURM_CONF" >"$folder/slurmctld.out.log" 2>&1 &
    daemons+=($!)
    slurmd -D -f "$SLURM_CONF" >"$folder/slurmd.out.log" 2>&1 &
    daemons+=($!)
    until_true 60 is_idle
}

is_idle() { [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; }
is_over() { [ -z "$(squeue --noheader --job "$1" 2>/dev/null)" ]; }

submit() { sbatch --parsable --output="$folder/task-%a.log" "$@"; }

# All but the times, which come last.
timeless() { sed '/^  "times": \[/,$d' "$1"; }

set_up
echo "slurm is up: $(sinfo --version), $(nproc) processors"
export REPORTS=$folder/reports
whole=$folder/whole.json
"$MIDPUT" check "${sweep[@]}" --report "$whole" | tail -n 2

job=$(submit --array="1-$shards" docs/sweeps/slurm.sh "${sweep[@]}")
echo "submitted array $job of $shards shards"
# The file is there while the task is at work, and is gone when it has written its report.
until_true 120 test -e "$REPORTS/$killed.json.unfinished"
scancel --signal=KILL --full "${job}_$killed"
until_true 300 is_over "$job"
[ ! -e "$REPORTS/$killed.json" ] || fail "task $killed had ended before it was killed"
echo "killed task $killed; reports: $(cd "$REPORTS" && echo *.json)"

status=0
told=$("$MIDPUT" merge "$REPORTS"/*.json 2>&1) || status=$?
echo "$told"
[ "$status" -eq 2 ] || fail "merge without a shard ended with $status"
[[ $told == *"shard $killed/$shards missing"* ]] || fail "merge did not name shard $killed"

job=$(SHARDS=$shards submit --array="$killed" docs/sweeps/slurm.sh "${sweep[@]}")
echo "resubmitted task $killed as $job"
until_true 300 is_over "$job"
"$MIDPUT" merge "$REPORTS"/*.json --report "$folder/merged.json" | tail -n 2
diff <(timeless "$folder/merged.json") <(timeless "$whole") ||
    fail "the merged report is not that of a sweep without shards"
[ "$(timeless "$whole" | wc -l)" -gt 100 ] || fail "there is nothing to compare"
echo "the merged report of $shards shards is that of a sweep without shards ($SECONDS s)"
