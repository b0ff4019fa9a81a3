#!/bin/sh
# Accuracy against sites of networks trained with a penalty for area, and without: area_training.sh [SWEEP] [OUT]
#
# SWEEP (default scripts/training/area-digits.toml) is a sweep; OUT (default target/ and its name) keeps its runs,
# results.csv and results.svg. Prints means over the key `seed`. Test samples are not read.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
sweep=${1:-$root/scripts/training/area-digits.toml}
out=${2:-$root/target/$(basename "$sweep" .toml)}
[ -n "${BLC:-}" ] || cargo build --release --quiet --locked --manifest-path "$root/Cargo.toml" -p blc
export CANDLE_NUM_THREADS=1
"${BLC:-${CARGO_TARGET_DIR:-$root/target}/release/blc}" -q sweep "$sweep" -o "$out"
awk -F, '
NR == 1 {
    for (i = 1; i <= NF; i++) column[$i] = i
    # What is varied stands between the run and its accuracy; seeds are averaged.
    for (i = 2; $i != "validation_percent"; i++) if ($i != "seed") { varied[++keys] = i; head = head "| `" $i "` "; line = line "|---:" }
    print head "| runs | validation % | sites: encoder + logic + head |"
    print line "|---:|---:|---|"
    next
}
{
    key = ""
    for (i = 1; i <= keys; i++) key = key "| " $varied[i] " "
    if (!(key in runs)) order[++rows] = key
    runs[key]++
    right[key] += $column["validation_percent"]
    all[key] += $column["luts"]; encoder[key] += $column["luts_encoder"]
    logic[key] += $column["luts_logic"]; part[key] += $column["luts_head"]
}
END {
    for (i = 1; i <= rows; i++) {
        key = order[i]; n = runs[key]
        printf "%s| %d | %.2f | %.0f = %.0f + %.0f + %.0f |\n", key, n, right[key] / n, all[key] / n,
            encoder[key] / n, logic[key] / n, part[key] / n
    }
}' "$out/results.csv"
