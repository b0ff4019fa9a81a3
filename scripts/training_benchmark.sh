#!/bin/sh
# CPU time of a training step here and in PyTorch (torchlogix 0.2.2), model after model in turn: training_benchmark.sh [VENV]
# Installs torchlogix, which needs Python 3.12, into VENV (default .venv; PYTHON names the interpreter) if it is not there.
# Writes a table to standard output.
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -c 'import torchlogix' 2>/dev/null || "$venv/bin/pip" install -q torchlogix==0.2.2
# Together, so that both are built with the same features, and nothing twice.
cargo build --release -q -p blc -p blc-frontend --bin blc --example step_time --locked
ours=${CARGO_TARGET_DIR:-target}/release/examples/step_time
field() { sed -n "s/.*\"$1\": \"\{0,1\}\([0-9.]*\).*/\1/p"; }
echo '| model | PyTorch ms | MB | blc ms | MB | times faster |'
echo '|---|---|---|---|---|---|'
for model in 'difflogic LUT2 2x8000' 'light LUT4 2x4000' 'light LUT4 2x4000 of 8' 'light LUT6 2x8000' 'dwn LUT6 2000+1000' 'dwn LUT6 2x8000'; do
    theirs=$(OMP_NUM_THREADS=1 "$venv/bin/python" scripts/training_benchmark.py "$model")
    own=$(RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 "$ours" "$model")
    a=$(echo "$theirs" | field cpu_ms) && b=$(echo "$own" | field cpu_ms)
    m=$(echo "$theirs" | field peak_memory) && n=$(echo "$own" | field peak_memory)
    echo "| $model | $a | $((m / 1024)) | $b | $((n / 1024)) | $(awk "BEGIN { printf \"%.1f\", $a / $b }") |"
done
