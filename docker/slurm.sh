#!/bin/bash
# Shards by a Slurm array, a share for each task; docker/README.md says how.
#SBATCH --job-name=synthgen
#SBATCH --array=0-49    # as --num-workers below; a lone task can be submitted again, such as --array=7
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --requeue

synthgen generate out/plan.json --out out/shards \
  --num-workers 50 --workers "$SLURM_CPUS_PER_TASK"
code=$?

# 75: it may succeed if it is tried again. What is finished is kept.
if [ "$code" = 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 3 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
