#!/usr/bin/env bash
# Prints the figures of docs/benchmarks/heads.md.
#
#   scripts/heads.sh                 heads alone: sites, carry chains, registers, and 20,000 vectors each in Icarus
#   scripts/heads.sh nets MODEL...   whole designs: sites with registers and without
#   scripts/heads.sh seeds N         LUT6 networks of 2 x 300 trained on the digits from N seeds: exact, --calibrate, --prune
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# -gt 0 ]; then
  blc=${BLC:-$root/target/release/blc}
  [ -x "$blc" ] || cargo build --release --quiet --manifest-path "$root/Cargo.toml" -p blc
fi

figures() {
  python3 - "$1/report.json" "$2" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
p = r["by_part"]
print(f'{sys.argv[2]:<34} sites {r["luts"]:>5} (encoder {p["encoder"]["luts"]}, logic {p["logic"]["luts"]}, head {p["head"]["luts"]})'
      f'  FFs {r["ffs"]}  CARRY4 {r["carry4"]}  latency {r["latency_cycles"]}  levels {r["levels"]}')
for a in r.get("approximate") or []:
    print(f'{"":<34} held-out accuracy {100 * a["accuracy_before"]:.2f} -> {100 * a["accuracy_after"]:.2f} %, '
          f'{a["predictions_changed"]} of {a["held_out_samples"]} predictions changed')
PY
}

case "${1:-heads}" in
heads)
  BLC_VECTORS=20000 cargo test --release --quiet --manifest-path "$root/Cargo.toml" -p blc-tests --test heads -- --nocapture
  ;;
nets)
  for model in "${@:2}"; do
    for stages in "" "--stages 0"; do
      # shellcheck disable=SC2086
      "$blc" -q compile "$model" --target xc7 $stages -o "$work/out"
      figures "$work/out" "$(basename "$model" .safetensors) ${stages:-pipelined}"
    done
  done
  ;;
seeds)
  cat >"$work/model.toml" <<'TOML'
[encoder]
bits = 3
[[layers]]
nodes = 300
[[layers]]
nodes = 300
TOML
  for seed in $(seq 1 "${2:-5}"); do
    "$blc" -q train --data digits --config "$work/model.toml" --seed "$seed" -o "$work/m.safetensors"
    for way in "" "--calibrate digits" "--prune digits"; do
      # shellcheck disable=SC2086
      "$blc" -q compile "$work/m.safetensors" --target xc7 $way -o "$work/out"
      figures "$work/out" "seed $seed ${way:-exact}"
    done
  done
  ;;
*) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
