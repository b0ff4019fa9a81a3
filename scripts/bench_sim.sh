#!/usr/bin/env bash
# Figures of docs/benchmarks/simulation.md: the engines on generated nets, one thread, processor time.
# Usage: scripts/bench_sim.sh [SAMPLES]
set -euo pipefail
cd "$(dirname "$0")/.."
samples=${1:-10240}
export RAYON_NUM_THREADS=1
cargo build --release --quiet -p blc-backends --example sim_speed
target=${CARGO_TARGET_DIR:-target}
grep -m1 'model name' /proc/cpuinfo || true
for engine in jit portable; do
    echo "== $engine"
    "$target/release/examples/sim_speed" "$engine" "$samples"
done
