#!/usr/bin/env bash
# Area of blc beside ABC on BLIF netlists: LUT6 functions and LUT6_2 sites, each result proved by `cec`.
#
#   scripts/area.sh FILE.blif ...        prints a Markdown table
#
# BLC is the program (default: target/release/blc), LEVELS the levels of work (default: "0 1 2 3"), TARGET what is compiled
# for (default: xc7; of lut6 all functions count as sites), ABC the program (default: berkeley-abc), LIMIT the seconds after
# which a program is ended (default: 600). ABC's sites are those of blc's pairing of ABC's LUTs. A level that takes more
# sites than the one before ends the script. EGRAPH=1 adds two columns: one and the same short pipeline without `egraph` and
# with it. VECTORS=N also simulates each result of ours beside its file in Icarus (iverilog), on N random vectors.
#
# The last row is the geometric mean of functions over those of the best LUT6 circuits known, of files that have one.
set -euo pipefail
blc=${BLC:-target/release/blc}
levels=${LEVELS:-"0 1 2 3"}
target=${TARGET:-xc7}
limit=${LIMIT:-600}
vectors=${VECTORS:-0}
abc=${ABC:-berkeley-abc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

figure() { python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); print(r["lut_functions"], r["luts"])' "$1/report.json"; }

# Functions, sites and user seconds of `blc compile`, or of pairing alone.
ours() { # FILE DIR OPTIONS...
    local file=$1 dir=$2; shift 2
    { TIMEFORMAT=%U; time timeout "$limit" "$blc" -q compile "$file" --target "$target" --emit blif -o "$dir" "$@" >/dev/null; } 2>"$dir.time" || { echo "– – $limit"; return; }
    "$abc" -q "cec $file $(ls "$dir"/*.blif)" | grep -q 'Networks are equivalent' || { echo "$file: not equal" >&2; exit 3; }
    [ "$vectors" = 0 ] || simulated "$file" "$dir"/*.blif
    echo "$(figure "$dir") $(tail -n 1 "$dir.time")"
}

# Both netlists as Verilog (ABC writes it), side by side in Icarus.
simulated() { # FILE FILE
    local n=0 file
    for file in "$@"; do
        n=$((n + 1))
        "$abc" -q "read $file; strash; short_names; write_verilog $work/sim$n.v" >/dev/null
        sed -i "s/^module [^ (]*/module side$n/" "$work/sim$n.v"
    done
    python3 - "$work" "$vectors" <<'PY'
import re, sys
work, vectors = sys.argv[1:]
text = open(f"{work}/sim1.v").read()
names = lambda kind: re.findall(r"\w+", " ".join(re.findall(rf"^\s*{kind}\s([^;]*);", text, re.M)))
ins, outs = names("input"), names("output")
port = lambda names, wire: ", ".join(f".{name}({wire}[{i}])" for i, name in enumerate(names))
open(f"{work}/tb.v", "w").write(f"""module tb;
  reg [{len(ins) - 1}:0] x; wire [{len(outs) - 1}:0] y, z; integer i, j, density;
  side1 a({port(ins, 'x')}, {port(outs, 'y')});
  side2 b({port(ins, 'x')}, {port(outs, 'z')});
  initial begin
    for (i = 0; i < {vectors}; i = i + 1) begin
      density = $urandom % 9;
      for (j = 0; j < {len(ins)}; j = j + 1) x[j] = $urandom % 8 < density;
      #1 if (y !== z) begin $display("different at %b", x); $finish; end
    end
    $display("same");
  end
endmodule
""")
PY
    iverilog -o "$work/tb" "$work/tb.v" "$work/sim1.v" "$work/sim2.v" && vvp -n "$work/tb" | grep -q '^same' ||
        { echo "$1: differs in Icarus" >&2; exit 5; }
}

# The script of `abc`, its LUTs paired.
theirs() { # FILE NAME SCRIPT
    { TIMEFORMAT=%U; time timeout "$limit" "$abc" -q "read $1; $3; write_blif $work/$2.blif" >/dev/null; } 2>"$work/$2.time" || { echo "– – $limit"; return; }
    "$abc" -q "cec $1 $work/$2.blif" | grep -q 'Networks are equivalent' || { echo "$1: $2 not equal" >&2; exit 3; }
    "$blc" -q compile "$work/$2.blif" --target xc7 --emit blif -o "$work/$2" --passes 'fold,pipeline{stages=0},to-xc7,dce' >/dev/null
    echo "$(figure "$work/$2") $(tail -n 1 "$work/$2.time")"
}

area='sweep; strash; if -K 6 -a'
again='strash; dch; if -K 6 -a -C 12; mfs2 -a -e'
resyn='balance; rewrite; refactor; balance; rewrite; rewrite -z; balance; refactor -z; rewrite -z; balance'
strong="sweep; strash; $resyn; $resyn; dch; if -K 6 -a -C 12; mfs2 -a -e; $again; $again; strash; dc2; dch; if -K 6 -a -C 12; mfs2 -a -e"

# LUT6 functions of the best circuits known (EPFL combinational benchmarks, best results by size).
declare -A best=([int2float]=18 [ctrl]=26 [router]=45 [cavlc]=49 [adder]=129 [sin]=1046 [max]=511 [voter]=1166
    [square]=2937 [mem_ctrl]=2025)
cell() { # FUNCTIONS SITES SECONDS
    printf '| %s / %s (%ss) ' "$@"
    [ -z "${best[$name]:-}" ] || [ "$1" = – ] || echo "$column $1 ${best[$name]}" >>"$work/ratios"
    column=$((column + 1))
}
extra=()
[ -z "${EGRAPH:-}" ] || extra=("" "egraph,")
short() { echo "fold,cover{k=6,sites=true,slack=400},fold,try($1resub{slack=400},fold,cover{k=6,sites=true,slack=400}),pipeline{stages=0},to-xc7,dce"; }

printf '| file | ABC `if -K 6 -a` | ABC strong |'
for level in $levels; do printf ' blc -O%s |' "$level"; done
for with in "${extra[@]}"; do printf ' blc, short%s |' "${with:+, egraph}"; done
printf '\n|---|---|---|'
for _ in $levels "${extra[@]}"; do printf -- '---|'; done
printf '\n'
touch "$work/ratios"
for file in "$@"; do
    name=$(basename "$file" .blif)
    column=2
    printf '| %s ' "$name"
    row=$(theirs "$file" area "$area"); read -r f s t <<<"$row"; cell "$f" "$s" "$t"
    row=$(theirs "$file" strong "$strong"); read -r f s t <<<"$row"; cell "$f" "$s" "$t"
    least=
    for level in $levels; do
        row=$(ours "$file" "$work/$name-$level" -O "$level"); read -r f s t <<<"$row"; cell "$f" "$s" "$t"
        [ "$s" != – ] || continue
        [ "$s" -le "${least:-$s}" ] || { echo "$name: -O$level takes more sites than the level before" >&2; exit 4; }
        least=$s
    done
    for with in "${extra[@]}"; do
        row=$(ours "$file" "$work/$name-short$with" --passes "$(short "$with")"); read -r f s t <<<"$row"; cell "$f" "$s" "$t"
    done
    printf '|\n'
done
python3 - "$work/ratios" <<'PY'
import math, sys
ratios = {}
for line in open(sys.argv[1]):
    column, functions, best = map(int, line.split())
    ratios.setdefault(column, []).append(math.log(functions / best))
if ratios:
    print("| functions over the best known |", " | ".join(
        f"{math.exp(sum(r) / len(r)):.3f} of {len(r)}" for _, r in sorted(ratios.items())), "|")
PY
