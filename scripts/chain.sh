#!/usr/bin/env bash
# Prints the figures of docs/benchmarks.md.
#
#   scripts/chain.sh nets FOLDER     every .blif of a folder: functions, sites, levels and seconds, beside ABC's
#                                    `sweep; strash; if -K 6 -a`, each result proved by ABC (`cec`)
#   scripts/chain.sh mnist FOLDER    trains on a folder of MNIST's four files, compiles for xc7, simulates the test images
#   scripts/chain.sh language        a million lookup tables through printer, parser and verifier
#   scripts/chain.sh simulator       random networks through the portable engine, one thread
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cargo build --release --quiet --manifest-path "$root/Cargo.toml" -p blc
blc=$root/target/release/blc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

field() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }

# Tables of two or more inputs in a BLIF file.
functions() {
  python3 -c 'import sys; t = open(sys.argv[1]).read().replace("\\\n", " ")
print(sum(l.startswith(".names") and len(l.split()) > 3 for l in t.splitlines()))' "$1"
}

case "${1:-}" in
nets)
  printf '%-16s %9s %6s %7s %8s %9s %s\n' file functions sites levels seconds ABC cec
  for file in "$2"/*.blif; do
    name=$(basename "$file" .blif)
    out=$work/$name
    start=$(date +%s.%N)
    "$blc" -q compile "$file" --target xc7 -o "$out"
    seconds=$(python3 -c 'import sys; print(f"{float(sys.argv[2]) - float(sys.argv[1]):.2f}")' "$start" "$(date +%s.%N)")
    ours=$(ls "$out"/*.blif)
    berkeley-abc -q "read $file; sweep; strash; if -K 6 -a; write_blif $work/abc.blif" >/dev/null
    abc=$(functions "$work/abc.blif")
    verdict=$(timeout 300 berkeley-abc -q "cec $file $ours" | grep -oE 'Networks are equivalent|NOT EQUIVALENT|UNDECIDED' || echo none)
    printf '%-16s %9s %6s %7s %8s %9s %s\n' "$name" "$(field "$out/report.json" lut_functions)" \
      "$(field "$out/report.json" luts)" "$(field "$out/report.json" levels)" "$seconds" "$abc" "$verdict"
  done
  ;;
mnist)
  "$blc" train --data "$2" --preset mnist -o "$work/mnist.safetensors"
  "$blc" compile "$work/mnist.safetensors" --target xc7 -o "$work/out"
  python3 - "$2" "$work" <<'PY'
import gzip, sys, pathlib
folder, work = map(pathlib.Path, sys.argv[1:])
def idx(stem, skip):
    path = next(folder.glob(stem + "*"))
    raw = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    return raw[skip:]
def save(name, raw, shape):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    (work / name).write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + raw)
images, labels = idx("t10k-images", 16), idx("t10k-labels", 8)
save("x.npy", images, (len(labels), 784))
save("y.npy", labels, (len(labels),))
PY
  "$blc" sim "$work/out" --input "$work/x.npy" --labels "$work/y.npy" --output "$work/pred.npy"
  ;;
language) cargo run --release --quiet --manifest-path "$root/Cargo.toml" -p blc-ir --example million ;;
simulator) RAYON_NUM_THREADS=1 cargo run --release --quiet --manifest-path "$root/Cargo.toml" -p blc-backends --example sim_speed -- portable ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
