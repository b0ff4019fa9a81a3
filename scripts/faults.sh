#!/usr/bin/env bash
# Every fault so many times; prints the fault table of docs/benchmarks/trust.md. scripts/faults.sh [TRIES, 50]
set -euo pipefail
cd "$(dirname "$0")/.."
echo "| fault | tries | ended early | lost or corrupt outputs | folders part old, part new | parts left beside |"
echo "|---|--:|--:|--:|--:|--:|"
BLC_FAULT_TRIES=${1:-50} cargo test -q -p blc --locked --test faults -- --nocapture --test-threads 1 | grep -o '| .*|$'
