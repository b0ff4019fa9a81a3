#!/usr/bin/env bash
# Trains what docs/benchmarks/training.md lists, and prints its rows: training.sh WHAT DATA [OUT]
#
#   mnist DATA     presets mnist-tiny and mnist, scripts/training/mnist-700.toml and mnist-30k.toml; DATA: a folder of MNIST's four files
#   fashion DATA   preset fashion, and scripts/training/fashion-31k.toml; DATA: a folder of Fashion-MNIST's four files
#   cifar10 DATA   scripts/training/cifar10-8k.toml and preset cifar10; DATA: a folder of CIFAR-10's six .bin files
#   prune DATA     preset mnist-tiny and scripts/training/mnist-8k.toml, pruned; DATA as for mnist
#   uci DATA       letter, magic and satimage beside gradient-boosted trees; DATA: an .npz with NAME_x and NAME_y for each
#
# Validation samples choose the epoch; test samples are read once, at the end. OUT (default target/training) keeps models,
# metrics and plots; a run that was interrupted goes on from its checkpoint there. SEED names the seed (default 1).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
what=${1:?what?} data=$(realpath "${2:?which data?}")
out=${3:-$root/target/training}
seed=${SEED:-1}
mkdir -p "$out"
target=${CARGO_TARGET_DIR:-$root/target}
[ -n "${BLC:-}" ] || cargo build --release --quiet --locked --manifest-path "$root/Cargo.toml" -p blc
blc=${BLC:-$target/release/blc}
export CANDLE_NUM_THREADS=1

# A row: trains, compiles whole and combinational for xc7, and reads metrics and report.
row() { # NAME DATA OPTIONS...
  local name=$1 data=$2
  shift 2
  local to=$out/$name-$seed resume=
  mkdir -p "$to"
  [ ! -e "$to/run.safetensors" ] || resume=--resume
  if [ ! -e "$to/model.safetensors" ]; then
    python3 - "$to/cpu" "$blc" train --data "$data" "$@" --seed "$seed" --checkpoint "$to/run.safetensors" $resume \
      --metrics "$to/metrics.jsonl" --plot "$to/curves.svg" -q -o "$to/model.safetensors" <<'PY'
import resource, subprocess, sys
subprocess.run(sys.argv[2:], check=True)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
# Parts of an interrupted run add up.
with open(sys.argv[1], "a") as f:
    print(use.ru_utime + use.ru_stime, file=f)
PY
    rm -f "$to/run.safetensors"
  fi
  "$blc" -q compile "$to/model.safetensors" --target xc7 --stages 0 -o "$to/xc7"
  python3 - "$name" "$seed" "$to" <<'PY'
import json, pathlib, sys
name, seed, to = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
run = json.loads((to / "metrics.jsonl").read_text().splitlines()[-1])
report = json.loads((to / "xc7/report.json").read_text())
percent = lambda a: f"{100 * a['correct'] / a['samples']:.2f}"
part = lambda p: report["by_part"][p]["luts"]
minutes = sum(map(float, (to / "cpu").read_text().split())) / 60
print(f"| {name} | {seed} | {run['nodes']} | {percent(run['validation'])} | {percent(run['test_hard'])} | "
      f"{report['luts']} = {part('encoder')} + {part('logic')} + {part('head')} | {report['latency_ns']:.1f} | {minutes:.1f} |")
PY
}

head() {
  echo '| net | seed | tables | validation % | test % | sites: encoder + logic + head | ns | CPU minutes |'
  echo '|---|---:|---:|---:|---:|---|---:|---:|'
}

case $what in
mnist)
  head
  row mnist-tiny "$data" --preset mnist-tiny
  row mnist "$data" --preset mnist
  row mnist-700 "$data" --config "$root/scripts/training/mnist-700.toml"
  row mnist-30k "$data" --config "$root/scripts/training/mnist-30k.toml"
  ;;
fashion)
  head
  row fashion "$data" --preset fashion
  row fashion-31k "$data" --config "$root/scripts/training/fashion-31k.toml"
  ;;
cifar10)
  head
  row cifar10-8k "$data" --config "$root/scripts/training/cifar10-8k.toml"
  row cifar10 "$data" --preset cifar10
  ;;
prune)
  head
  row mnist-tiny "$data" --preset mnist-tiny
  row mnist-8k "$data" --config "$root/scripts/training/mnist-8k.toml"
  echo '| net | budget | sites: encoder + logic + head | test %, before and after | changed | CPU minutes |'
  echo '|---|---:|---|---|---:|---:|'
  for net in mnist-tiny mnist-8k; do
    for budget in ${BUDGETS:-0 0.1 0.3}; do
      python3 - "$net" "$budget" "$out/pruned-$net-$seed" "$blc" -q compile "$out/$net-$seed/model.safetensors" \
        --target xc7 --stages 0 --prune "$data" --accuracy-budget "$budget" -o "$out/pruned-$net-$seed" <<'PY'
import json, resource, subprocess, sys
net, budget, to = sys.argv[1:4]
subprocess.run(sys.argv[4:], check=True)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
report = json.load(open(to + "/report.json"))
part = lambda p: report["by_part"][p]["luts"]
done = report["approximate"][0]
print(f"| {net} | {budget} | {report['luts']} = {part('encoder')} + {part('logic')} + {part('head')} | "
      f"{100 * done['accuracy_before']:.2f}, {100 * done['accuracy_after']:.2f} | {done['predictions_changed']} | "
      f"{(use.ru_utime + use.ru_stime) / 60:.1f} |")
PY
    done
  done
  ;;
uci)
  venv=$out/venv
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.7.2
  echo '| set | gradient-boosted trees, test % | seconds |'
  echo '|---|---:|---:|'
  for name in letter magic satimage; do
    "$venv/bin/python" "$root/scripts/training_trees.py" "$data" $name "$out/$name.npz"
  done
  head
  for name in letter magic satimage; do row "$name" "$out/$name.npz" --preset tabular; done
  ;;
*)
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
