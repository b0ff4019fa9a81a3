#!/usr/bin/env bash
# The figures of examples/README.md: builds each example whose data is there. Needs python3.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release -q -p blc
blc=$PWD/target/release/blc
export CANDLE_NUM_THREADS=1
for example in examples/*/; do
  [ -e "$example/data" ] || { echo "$example: no data"; continue; }
  "$blc" build "$example" --json --quiet | python3 -c '
import json, sys
d = json.load(sys.stdin)
r, s = d["report"], d["simulation"]
print(sys.argv[1], r["target"], "%.2f %% of %d" % (100 * s["accuracy"], s["samples"]), r["luts"], "LUTs", r["ffs"], "FFs",
      r["latency_cycles"], "cycles", "%.0f MHz" % r["fmax_mhz"], "%.1f ns" % r["latency_ns"], "confusion", s["confusion"])' "$example"
done
