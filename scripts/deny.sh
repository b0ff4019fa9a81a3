#!/usr/bin/env bash
# `cargo deny`: licences, sources and duplicates of all dependencies as deny.toml allows them. cargo-deny is installed into
# target/deny the first time (some minutes).
#   scripts/deny.sh              what needs no network
#   scripts/deny.sh advisories   and known vulnerabilities, of which it fetches the database from GitHub
set -euo pipefail
cd "$(dirname "$0")/.."
deny=$(command -v cargo-deny || echo "$PWD/target/deny/bin/cargo-deny")
[ -x "$deny" ] || CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
  cargo install --quiet cargo-deny --version 0.20.2 --locked --root target/deny
"$deny" --all-features check licenses bans sources "$@"
