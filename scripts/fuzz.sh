#!/usr/bin/env bash
# Hostile bytes to one target, or to all of them: scripts/fuzz.sh TARGET|all MINUTES
# With cargo-fuzz and a nightly toolchain guided by coverage; otherwise (or with FUZZ=plain) by the driver in tests/src/bin.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?TARGET or all} minutes=${2:-30}
targets=$target
[ "$target" != all ] || targets=$(ls tests/corpus)
# Memory that a reader may take: a lie about sizes must not fill the machine.
ulimit -v $((4 << 20))
for t in $targets; do
  if [ "${FUZZ:-}" != plain ] && cargo fuzz --version >/dev/null 2>&1; then
    ulimit -v unlimited 2>/dev/null || true
    mkdir -p "target/fuzz/corpus/$t"
    cargo +nightly fuzz run "$t" "target/fuzz/corpus/$t" "tests/corpus/$t" -- \
      -max_total_time=$((minutes * 60)) -rss_limit_mb=4096 -timeout=20 -max_len=65536 -print_final_stats=1
  else
    cargo run --release -q -p blc-tests --bin fuzz --locked -- "$t" $((minutes * 60))
  fi
done
