#!/usr/bin/env bash
# Random designs through the whole chain with all checks: scripts/soak.sh [COUNT] [FIRST]
set -euo pipefail
cd "$(dirname "$0")/.."
export RAYON_NUM_THREADS=${RAYON_NUM_THREADS:-1} # Designs are small: threads would only wait for one another.
exec cargo run --release -q -p blc-tests --bin soak --locked -- "${1:-10000}" "${2:-0}"
