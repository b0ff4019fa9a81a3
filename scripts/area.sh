#!/usr/bin/env bash
# Area of blc beside ABC on BLIF netlists: LUT6 functions and LUT6_2 sites, each result proved by `cec`.
#
#   scripts/area.sh FILE.blif ...        prints a Markdown table
#
# BLC is the program (default: target/release/blc), LEVELS the levels of work (default: "0 1 2 3"), ABC the program
# (default: berkeley-abc). ABC's sites are those of blc's pairing of ABC's LUTs. A level that takes more sites than the one before
# ends the script.
set -euo pipefail
blc=${BLC:-target/release/blc}
levels=${LEVELS:-"0 1 2 3"}
abc=${ABC:-berkeley-abc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

figure() { python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); print(r["lut_functions"], r["luts"])' "$1/report.json"; }

# Functions, sites and user seconds of `blc compile`, or of pairing alone.
ours() { # FILE DIR OPTIONS...
    local file=$1 dir=$2; shift 2
    { TIMEFORMAT=%U; time "$blc" -q compile "$file" --target xc7 --emit blif -o "$dir" "$@" >/dev/null; } 2>"$dir.time"
    "$abc" -q "cec $file $(ls "$dir"/*.blif)" | grep -q 'Networks are equivalent' || { echo "$file: not equal" >&2; exit 3; }
    echo "$(figure "$dir") $(tail -n 1 "$dir.time")"
}

# The script of `abc`, its LUTs paired.
theirs() { # FILE NAME SCRIPT
    { TIMEFORMAT=%U; time "$abc" -q "read $1; $3; write_blif $work/$2.blif" >/dev/null; } 2>"$work/$2.time"
    "$abc" -q "cec $1 $work/$2.blif" | grep -q 'Networks are equivalent' || { echo "$1: $2 not equal" >&2; exit 3; }
    "$blc" -q compile "$work/$2.blif" --target xc7 --emit blif -o "$work/$2" --passes 'fold,pipeline{stages=0},to-xc7,dce' >/dev/null
    echo "$(figure "$work/$2") $(tail -n 1 "$work/$2.time")"
}

area='sweep; strash; if -K 6 -a'
again='strash; dch; if -K 6 -a -C 12; mfs2 -a -e'
resyn='balance; rewrite; refactor; balance; rewrite; rewrite -z; balance; refactor -z; rewrite -z; balance'
strong="sweep; strash; $resyn; $resyn; dch; if -K 6 -a -C 12; mfs2 -a -e; $again; $again; strash; dc2; dch; if -K 6 -a -C 12; mfs2 -a -e"

printf '| file | ABC `if -K 6 -a` | ABC strong |'
for level in $levels; do printf ' blc -O%s |' "$level"; done
printf '\n|---|---|---|'
for _ in $levels; do printf -- '---|'; done
printf '\n'
for file in "$@"; do
    name=$(basename "$file" .blif)
    printf '| %s ' "$name"
    row=$(theirs "$file" area "$area"); read -r f s t <<<"$row"; printf '| %s / %s (%ss) ' "$f" "$s" "$t"
    row=$(theirs "$file" strong "$strong"); read -r f s t <<<"$row"; printf '| %s / %s (%ss) ' "$f" "$s" "$t"
    least=
    for level in $levels; do
        row=$(ours "$file" "$work/$name-$level" -O "$level"); read -r f s t <<<"$row"; printf '| %s / %s (%ss) ' "$f" "$s" "$t"
        [ "$s" -le "${least:-$s}" ] || { echo "$name: -O$level takes more sites than the level before" >&2; exit 4; }
        least=$s
    done
    printf '|\n'
done
