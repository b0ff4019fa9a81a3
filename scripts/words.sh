#!/usr/bin/env bash
# What the e-graph of a head's words brings (docs/benchmarks/area.md): sites of whole designs at -O2 without it and with it,
# combinational and with registers, seconds of CPU time in brackets. Each result is proved equal to what it was made of, as far
# as that takes no more than PROOF seconds (30); an asterisk where it takes more, and patterns showed no difference.
#
#   scripts/words.sh [FILE.npz | MODEL.safetensors ...]
#
# Heads whose groups share bits, and heads of weighted sums (scripts/head_design.py); then networks of tables under ten group
# sums, and models, with scores and without.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
blc=${BLC:-$root/target/debug/blc}
[ -x "$blc" ] || cargo build --quiet --manifest-path "$root/Cargo.toml" -p blc
TIMEFORMAT='%U %S'

# The Verilog of the design.
module() {
  basename "$(ls "$work"/out/*_tb.v)" _tb.v | sed 's/$/.v/'
}

# sites FILE ARGUMENT...: sites (seconds)
sites() {
  local file=$1 seconds luts
  shift
  rm -rf "$work/out"
  seconds=$( { time "$blc" -q compile "$file" --target xc7 -O2 "$@" -o "$work/out" >/dev/null; } 2>&1 | tail -1 | awk '{printf "%.1f", $1 + $2}')
  local proof=0
  luts=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["luts"])' "$work/out/report.json")
  timeout "${PROOF:-30}" "$blc" -q equiv "$file" "$work/out/$(module)" ${NO_SCORES:+--no-scores} >"$work/proof" 2>&1 || proof=$?
  case $proof in
  0) printf '%s (%ss)' "$luts" "$seconds" ;;
  124) printf '%s* (%ss)' "$luts" "$seconds" ;;
  *) cat "$work/proof" >&2; exit 1 ;;
  esac
}

row() {
  local name=$1 file=$2
  shift 2
  printf '| %s |' "$name"
  for stages in "--stages 0" ""; do
    # shellcheck disable=SC2086
    printf ' %s | %s |' "$(sites "$file" --forbid words $stages "$@")" "$(sites "$file" $stages "$@")"
  done
  echo
}

echo "| head | combinational without | with | pipelined without | with |"
echo "|---|---|---|---|---|"
asked() {
  [ -n "$1" ] && echo "with scores" || echo "class only"
}
design() {
  python3 "$root/scripts/head_design.py" "$@" >"$work/design.blir"
}
for shared in "20 20" "80 20" "95 5"; do
  read -r own all <<<"$shared"
  for scores in "" 1; do
    # shellcheck disable=SC2086
    design shared 10 $shared $scores
    row "10 of $own bits and $all that all have, $(asked "$scores")" "$work/design.blir"
  done
done
for scores in "" 1; do
  # shellcheck disable=SC2086
  design weighted 10 10 15 $scores
  row "10 of 10 sums of 15 bits weighed by 0 to 15, $(asked "$scores")" "$work/design.blir"
done
for file in "$@"; do
  for scores in "" 1; do
    label="$(basename "${file%.*}"), $(asked "$scores")"
    case $file in
    *.npz)
      # shellcheck disable=SC2086
      design net "$file" $scores
      row "$label" "$work/design.blir"
      ;;
    *)
      no_scores=$([ -n "$scores" ] || echo --no-scores)
      # shellcheck disable=SC2086
      NO_SCORES=$no_scores row "$label" "$file" $no_scores
      ;;
    esac
  done
done
