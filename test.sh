#!/usr/bin/env bash
# Installs what the tests need (Debian or Ubuntu, by name) and runs every check. Options go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")"

need=()
for pair in iverilog:iverilog verilator:verilator yosys:yosys berkeley-abc:berkeley-abc; do
  command -v "${pair%%:*}" >/dev/null || need+=("${pair##*:}")
done
if [ ${#need[@]} -gt 0 ]; then
  echo "installing ${need[*]}"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${need[@]}"
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo build -p blc --no-default-features --locked
cargo test --workspace --locked "$@"
