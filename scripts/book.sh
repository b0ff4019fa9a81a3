#!/usr/bin/env bash
# Builds the book into target/book, with mdbook, which is installed into target/mdbook the first time (some minutes).
# A warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
mdbook=$(command -v mdbook || echo "$PWD/target/mdbook/bin/mdbook")
[ -x "$mdbook" ] || CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo install --quiet mdbook --version 0.5.4 --locked --no-default-features --root target/mdbook
said=$("$mdbook" build docs 2>&1) || { echo "$said" >&2; exit 1; }
echo "$said"
! grep -qE 'WARN|ERROR' <<<"$said"
