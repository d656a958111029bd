#!/usr/bin/env bash
# One shard of a sweep as a task of a Slurm array, numbered from 1:
#
#     sbatch --array=1-8 docs/sweeps/slurm.sh kill-mid-put --cases 100000
#     midput merge shards/*.json
#
# A task that was killed has left no report, and merge says which shard is missing. Resubmit that
# index; Slurm would then count one task, so that the number of shards must be given:
#
#     SHARDS=8 sbatch --array=3 docs/sweeps/slurm.sh kill-mid-put --cases 100000
#
# MIDPUT is the program, REPORTS the folder for the reports, seen by all nodes.
#SBATCH --job-name=midput
#SBATCH --cpus-per-task=1
set -euo pipefail

shards=${SHARDS:-$SLURM_ARRAY_TASK_COUNT}
reports=${REPORTS:-shards}
exec "${MIDPUT:-midput}" check "$@" \
    --shard "$SLURM_ARRAY_TASK_ID/$shards" \
    --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --report "$reports/$SLURM_ARRAY_TASK_ID.json"
