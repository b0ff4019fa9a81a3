#!/usr/bin/env bash
# Time and memory of blc beside ABC and Yosys on large networks, all made, run and measured here.
#
#   scripts/scale.sh                     prints a Markdown table
#
# BLC is the program (default: target/release/blc), ABC the program (default: berkeley-abc), YOSYS the program (default:
# yosys), LIMIT the seconds after which a program is ended (default: 300), NETS what is made: `K:LAYERS:WIDTH:INPUTS` of
# scripts/layers.py (default: 48,000 gates of two inputs, and 300,000 tables of six).
set -euo pipefail
here=$(dirname "$0")
blc=${BLC:-target/release/blc}
abc=${ABC:-berkeley-abc}
yosys=${YOSYS:-yosys}
limit=${LIMIT:-300}
nets=${NETS:-"2:6:8000:784 6:3:100000:4000"}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs a command; prints wall and CPU seconds and MB at most, or that it did not end.
measure() { # COMMAND...
    local status=0
    /usr/bin/time -q -o "$work/time" -f '%e %U %S %M' timeout "$limit" "$@" >"$work/log" 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        [ "$status" = 124 ] && echo "not in $limit s" || echo "ends with $status"
        return
    fi
    awk '{ printf "%.1f s, %.1f s CPU, %d MB", $1, $2 + $3, $4 / 1024 }' "$work/time"
}

figure() { python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); print(r["lut_functions"], "/", r["luts"])' "$1/report.json"; }

row() { printf '| %s | %s | %s | %s |\n' "$@"; }

# Functions and sites of what ABC wrote: it maps LUTs one by one, its sites are those of our pairing of them.
paired() { # NAME
    [ -f "$work/$1.blif" ] || { echo '–'; return; }
    "$blc" -q compile "$work/$1.blif" --target xc7 --emit blif -o "$work/$1" --passes 'fold,pipeline{stages=0},to-xc7,dce' >/dev/null
    figure "$work/$1"
}

area='sweep; strash; if -K 6 -a'
again='strash; dch; if -K 6 -a -C 12; mfs2 -a -e'
resyn='balance; rewrite; refactor; balance; rewrite; rewrite -z; balance; refactor -z; rewrite -z; balance'
strong="sweep; strash; $resyn; $resyn; dch; if -K 6 -a -C 12; mfs2 -a -e; $again; $again; strash; dc2; dch; if -K 6 -a -C 12; mfs2 -a -e"

printf '| network | program | functions / sites | time and memory |\n|---|---|---|---|\n'
for net in $nets; do
    IFS=: read -r k layers width inputs <<<"$net"
    file=$work/net.blif
    python3 "$here/layers.py" "$k" "$layers" "$width" "$inputs" >"$file"
    name="$((layers * width)) tables of $k inputs"
    for level in 1 2; do
        rm -rf "$work/out"
        cost=$(measure "$blc" -q compile "$file" --target xc7 --emit blif -o "$work/out" -O "$level")
        row "$name" "blc -O$level" "$(figure "$work/out" 2>/dev/null || echo –)" "$cost"
    done
    for script in area strong; do
        rm -f "$work/$script.blif"
        cost=$(measure "$abc" -q "read $file; ${!script}; write_blif $work/$script.blif")
        row "$name" "ABC $script" "$(paired "$script")" "$cost"
    done
    rm -f "$work/stat"
    cost=$(measure "$yosys" -q -p "read_blif $file; synth_xilinx -family xc7 -flatten -noiopad -noclkbuf; tee -o $work/stat stat")
    luts=$(awk '$1 ~ /^LUT[2-6]$/ { n += $2 } END { print n ? n : "–" }' "$work/stat" 2>/dev/null || echo –)
    row "$name" Yosys "$luts" "$cost"
done
