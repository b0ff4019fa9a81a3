#!/usr/bin/env bash
# Hostile bytes, guided by coverage: scripts/fuzz.sh GROUP|all CPU_MINUTES
# libFuzzer (clang or g++ builds it) over the readers of one kind, on the stable toolchain. What each run measured is
# appended to docs/benchmarks/fuzz.log; new inputs stay in target/fuzz/corpus, findings in target/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=${1:?GROUP or all} minutes=${2:-30}
targets() {
  case $1 in
    language) echo blir opt ;;
    weights) echo model checkpoint ;;
    netlist) echo blif aiger verilog ;;
    data) echo npy npz idx csv cifar ;;
    chain) echo chain_of_seed ;;
    options) echo pipeline rules device liberty ;;
    *) echo "no group $1" >&2; return 1 ;;
  esac
}
groups=$wanted
[ "$wanted" != all ] || groups="language weights netlist data chain options"
host=$(rustc -vV | sed -n 's/^host: //p')
llvm() { printf -- ' -Cllvm-args=-sanitizer-coverage-%s' "$@"; }
flags="--cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions=yes -Cpasses=sancov-module$(
  llvm level=4 inline-8bit-counters pc-table trace-compares)"
# The sources that are fuzzed; the log itself, which grows meanwhile, is none of them.
version=$(git describe --always)
git diff --quiet HEAD -- . ':!docs/benchmarks/fuzz.log' || version+=-dirty
export RAYON_NUM_THREADS=1 TIMEFORMAT="%U %S"
# What was measured of `group` is kept, however it ends.
note() {
  [ -n "${group:-}" ] && [ "$inputs" -gt 0 ] || return 0
  printf '%s: %.1f CPU minutes, %d inputs, coverage %s, %s inputs kept, slowest %s s, %d findings (at %s)\n' "$group" \
    "$(bc <<<"scale=2; $cpu / 60")" "$inputs" "$coverage" "$kept" "$slowest" "$found" "$version" |
    tee -a docs/benchmarks/fuzz.log
  group=
}
trap note EXIT
trap 'exit 1' INT TERM
for group in $groups; do
  cpu=0 inputs=0 coverage=0 kept=0 slowest=0 found=0
  folders=$(targets "$group" | xargs -n 1 | sed 's|^|tests/corpus/|')
  RUSTFLAGS=$flags cargo build -q --release --manifest-path fuzz/Cargo.toml --target "$host" \
    --target-dir target/fuzz/build --bin "$group"
  new=target/fuzz/corpus/$group words=target/fuzz/$group.words log=target/fuzz/$group.log
  mkdir -p "$new" target/fuzz/found
  # shellcheck disable=SC2086
  { echo blc; grep -raohE '[A-Za-z_.]{3,24}' $folders || true; } | sort -u | sed 's/.*/"&"/' > "$words"
  # In slices of a minute or five, until so much processor time is spent, whatever else the machine does.
  while [ "$(bc <<<"$cpu < $minutes * 60")" = 1 ] && [ "$found" = 0 ]; do
    # A reader may take 4 GiB: a lie about sizes must not fill the machine.
    # shellcheck disable=SC2086
    spent=$({ time (
      ulimit -v $((4 << 20)) -c 0
      "target/fuzz/build/$host/release/$group" "$new" $folders -dict="$words" -max_len=65536 \
        -max_total_time=$((minutes < 5 ? minutes * 60 : 300)) -timeout=120 -rss_limit_mb=4096 -print_final_stats=1 \
        -artifact_prefix="target/fuzz/found/$group-" >"$log" 2>&1 || exit 1
    ); } 2>&1) || found=1
    cpu=$(bc <<<"$cpu + ${spent/ / + }")
    stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -1; }
    last=$(grep -aoE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -1)
    read -r _ coverage _ _ _ kept <<<"${last:-cov: 0 ft: 0 corp: 0}"
    this=$(stat number_of_executed_units) slow=$(stat slowest_unit_time_sec)
    inputs=$((inputs + ${this:-0})) slowest=$((${slow:-0} > slowest ? ${slow:-0} : slowest))
  done
  [ "$found" = 0 ] || cp "$log" "target/fuzz/found/$group.log"
  note
done
