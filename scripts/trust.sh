#!/usr/bin/env bash
# Proofs side by side: `blc equiv` and ABC's `cec` on the same two files, before and after `-O2`, one after the other in one
# run. Prints the tables of docs/benchmarks/trust.md. Circuits and nets are taken from ../shared/bench where they are.
# scripts/trust.sh [SECONDS that each may take, 60]
set -euo pipefail
cd "$(dirname "$0")/.."
limit=${1:-60}
bench=../shared/bench
cargo build --release -q -p blc --no-default-features --locked
blc=${CARGO_TARGET_DIR:-target}/release/blc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

now() { date +%s.%N; }
# Runs a command; sets `seconds`, `code` and `said`.
timed() {
  local start
  start=$(now)
  code=0
  said=$(timeout "$limit" "$@" 2>&1) || code=$?
  seconds=$(echo "$(now) - $start" | bc)
}
cec() {
  timed berkeley-abc -q "cec $1 $2"
  case $said in
    *"NOT EQUIVALENT"*) cec_says=different ;;
    *"are equivalent"*) cec_says=equal ;;
    *) cec_says="no verdict" ;;
  esac
  cec_seconds=$seconds
}
equiv() {
  timed "$blc" equiv "$1" "$2" --counterexample "$work/c.npy"
  case $code in
    0) says=equal ;;
    3) says=different ;;
    *) says="no verdict ($code)" ;;
  esac
}
row() {
  cec "$2" "$3"
  equiv "$2" "$3"
  printf '| %s | %s | %.2f | %s | %.2f |\n' "$1" "$cec_says" "$cec_seconds" "$says" "$seconds"
}
# A copy of a BLIF in which one line of one truth table in the middle says something else.
mutate() {
  awk -v half="$(($(grep -c '^\.names' "$1") / 2))" '
    /^\.names/ { gate++; first = 1; print; next }
    first && gate >= half && !done && /^[01-]+ [01]$/ { sub(/^[01-]/, substr($0, 1, 1) == "0" ? "1" : "0"); done = 1 }
    { first = 0; print }' "$1" > "$2"
}

echo "| design | cec says | s | blc equiv says | s |"
echo "|---|---|--:|---|--:|"
for file in "$bench"/nets/*.blif "$bench"/epfl/*.blif; do
  [ -f "$file" ] || continue
  name=$(basename "$file" .blif)
  timeout 600 "$blc" compile -q "$file" --target lut6 -O2 --emit blif -o "$work/$name" >/dev/null ||
    { echo "| $name, -O2 | not compiled in 600 s | | | |"; continue; }
  row "$name, -O2" "$file" "$work/$name/"*.blif
done
for file in "$bench"/nets/*.blif "$bench"/epfl/*.blif; do
  [ -f "$file" ] || continue
  name=$(basename "$file" .blif)
  mutate "$file" "$work/mutant.blif"
  row "$name, one line of a table changed" "$file" "$work/mutant.blif"
done
# The whole model, bytes to class; for ABC as the tables that its layers, encoder and head are made of.
model=tests/golden/digits.safetensors
steps="quantize,expand,lower-encoder,lower-head,dce"
"$blc" compile -q "$model" --target lut6 --passes "$steps" --emit blif -o "$work/plain" >/dev/null
for stages in 0 3; do
  "$blc" compile -q "$model" --target lut6 -O2 --stages "$stages" --emit blif -o "$work/digits$stages" >/dev/null
done
row "digits, lowered and -O2" "$work/plain/digits.blif" "$work/digits0/digits.blif"

echo
echo "| whole model | blc equiv says | s |"
echo "|---|---|--:|"
whole() {
  local name=$1 options=$2 model=tests/golden/$1.safetensors
  # shellcheck disable=SC2086
  "$blc" compile -q "$model" $options --emit verilog,blif -o "$work/whole" >/dev/null
  for design in "$work/whole" "$work/whole/$name.v"; do
    equiv "$model" "$design"
    what=$([ -d "$design" ] && echo design || echo Verilog)
    printf '| %s against its %s, `%s` | %s | %.2f |\n' "$name" "$what" "$options" "$says" "$seconds"
  done
}
for options in "--target lut6 --stages 0" "--target lut6" "--target xc7 --stages 0" "--target xc7" "--target xc7 -O2" \
  "--target xc7 --stages 0 --head fast"; do
  whole digits "$options"
done
for options in "--target xc7" "--target xc7 --stages 0 --head fast" "--target lut6 --stages 0 --head fast"; do
  whole mnist "$options"
done
