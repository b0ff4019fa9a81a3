#!/bin/sh
# Accuracy against sites of networks trained with a penalty for area, and without: area_training.sh [SWEEP] [OUT]
#
# SWEEP (default scripts/training/area-digits.toml) is a sweep whose last keys are regularizer.area and seed; OUT (default
# target/area-training) keeps its runs, results.csv and results.svg. Prints means over the seeds. Test samples are not read.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
sweep=${1:-$root/scripts/training/area-digits.toml}
out=${2:-$root/target/area-training}
[ -n "${BLC:-}" ] || cargo build --release --quiet --locked --manifest-path "$root/Cargo.toml" -p blc
export CANDLE_NUM_THREADS=1
"${BLC:-${CARGO_TARGET_DIR:-$root/target}/release/blc}" -q sweep "$sweep" -o "$out"
echo '| nodes | `regularizer.area` | runs | validation % | sites: encoder + logic + head |'
echo '|---:|---:|---:|---:|---|'
awk -F, '
NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
{
    key = sprintf("%6d | %g", $column["nodes"], $column["regularizer.area"])
    runs[key]++
    right[key] += $column["validation_percent"]
    all[key] += $column["luts"]; encoder[key] += $column["luts_encoder"]
    logic[key] += $column["luts_logic"]; head[key] += $column["luts_head"]
}
END {
    for (key in runs) {
        n = runs[key]
        printf "| %s | %d | %.2f | %.0f = %.0f + %.0f + %.0f |\n", key, n, right[key] / n, all[key] / n,
            encoder[key] / n, logic[key] / n, head[key] / n
    }
}' "$out/results.csv" | sort | sed 's/^|  */| /'
