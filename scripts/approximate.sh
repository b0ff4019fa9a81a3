#!/usr/bin/env bash
# Area and accuracy of `--calibrate` and `--prune` over networks trained on the digits from several seeds.
#
#   scripts/approximate.sh [SEEDS]       prints Markdown rows; 5 seeds where nothing is said
#
# BLC is the program with the trainer (default: target/release/blc), NETS what is trained: `FAN_IN:NODES,NODES,...` (default:
# two layers of 300 LUT6, and four of 1,000 gates of two inputs), BUDGET the points of accuracy that `--prune` may take
# (default: 0.2). Sites are those of the layers, without encoder and head; accuracies are those of the test samples, which neither
# training nor a pass learns from.
set -euo pipefail
blc=${BLC:-target/release/blc}
nets=${NETS:-"6:300,300 2:1000,1000,1000,1000"}
seeds=${1:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Sites, accuracy before and after, predictions changed.
figures() {
    python3 - "$work/out/report.json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
sites = r["by_part"]["logic"]["luts"]
a = (r.get("approximate") or [None])[0]
print(sites, *((100 * a["accuracy_before"], 100 * a["accuracy_after"], a["predictions_changed"]) if a else ()))
PY
}

printf '| network | seed | exact | `--calibrate`: sites, accuracy, changed | `--prune`: sites, accuracy, changed |\n|---|---|---|---|---|\n'
for net in $nets; do
    IFS=: read -r fan_in nodes <<<"$net"
    name="${nodes//,/ + } of $fan_in inputs"
    printf '[encoder]\nbits = 3\n' >"$work/model.toml"
    for n in ${nodes//,/ }; do printf '[[layers]]\nnodes = %s\nfan_in = %s\n' "$n" "$fan_in" >>"$work/model.toml"; done
    : >"$work/rows"
    for seed in $(seq 1 "$seeds"); do
        "$blc" -q train --data digits --config "$work/model.toml" --seed "$seed" -o "$work/m.safetensors"
        row=$seed
        for way in "" "--calibrate digits" "--prune digits --accuracy-budget ${BUDGET:-0.2}"; do
            # shellcheck disable=SC2086
            "$blc" -q compile "$work/m.safetensors" --target xc7 --stages 0 $way -o "$work/out"
            row="$row $(figures)"
        done
        echo "$row" | tee -a "$work/rows" | awk -v name="$name" '{
            printf "| %s | %s | %d | %d, %.2f to %.2f %%, %d | %d, %.2f to %.2f %%, %d |\n", name, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 }'
    done
    awk -v name="$name" '{ for (i = 2; i <= 10; i++) sum[i] += $i }
        END { for (i in sum) sum[i] /= NR
              printf "| %s | mean | %.0f | %.0f, %.2f to %.2f %%, %.1f | %.0f, %.2f to %.2f %%, %.1f |\n",
                     name, sum[2], sum[3], sum[4], sum[5], sum[6], sum[7], sum[8], sum[9], sum[10] }' "$work/rows"
done
