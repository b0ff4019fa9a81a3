#!/usr/bin/env bash
# Makes a release of the version in Cargo.toml: an archive for this machine in target/release-VERSION with the program, manual
# pages, completions, licence and changelog, its SHA-256, and the crates as they would be published. Publishes nothing.
#   scripts/release.sh          needs a clean tree and a section of the version in CHANGELOG.md
#   scripts/release.sh --draft  needs neither
set -euo pipefail
cd "$(dirname "$0")/.."
draft=${1:-}
version=$(cargo metadata --format-version 1 --no-deps --locked | python3 -c '
import json, sys
print(next(p["version"] for p in json.load(sys.stdin)["packages"] if p["name"] == "blc"))')
if [ "$draft" != --draft ]; then
  [ -z "$(git status --porcelain)" ] || { echo "the tree is not clean" >&2; exit 1; }
  grep -q "^## $version" CHANGELOG.md || { echo "CHANGELOG.md has no section $version" >&2; exit 1; }
fi
host=$(rustc -vV | sed -n 's/^host: //p')
name=blc-$version-$host
out=target/release-$version
rm -rf "$out"
mkdir -p "$out/$name/man" "$out/$name/completions"

cargo build --release --locked -p blc
blc=${CARGO_TARGET_DIR:-target}/release/blc
"$blc" --version
cp "$blc" LICENSE README.md CHANGELOG.md "$out/$name"
cp -r editors "$out/$name"
"$blc" man "$out/$name/man" --quiet
for shell in bash zsh fish powershell elvish; do "$blc" completions $shell >"$out/$name/completions/blc.$shell"; done
tar -C "$out" --sort=name --owner=0 --group=0 --mtime="@$(git log -1 --format=%ct)" -czf "$out/$name.tar.gz" "$name"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")

# In order of their dependencies, each with all files it needs to build elsewhere.
cargo package --workspace --exclude blc-tests --locked --no-verify --allow-dirty --quiet
echo "made $out/$name.tar.gz; tag v$version, then publish with: cargo publish --workspace --exclude blc-tests"
