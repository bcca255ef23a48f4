#!/usr/bin/env bash
# Puts together what the test guest runs: the test executables of the crates that meet the kernel,
# stripped (they are read through an emulated disk), the static executables, the binary itself.
# Argument: the binary. Writes to target/guest/bin.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=target/guest/bin
rm -rf "$out"
mkdir -p "$out/embedded"
cargo test --package runtime --package netdev --no-run --message-format=json --quiet |
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["profile"]["test"] and message["target"]["kind"] == ["test"]:
        crate = message["manifest_path"].split("/")[-2]
        print(crate, message["target"]["name"], message["executable"])
' | while read -r crate name executable; do
    strip --strip-debug -o "$out/$crate-$name" "$executable"
done
RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static" cargo build --quiet --package runtime \
    --profile embedded --no-default-features --target x86_64-unknown-linux-gnu --target-dir target/embedded \
    --bin longshore-shim --bin longshore-probe
cp target/embedded/x86_64-unknown-linux-gnu/embedded/longshore-{shim,probe} "$out/embedded/"
strip --strip-debug -o "$out/longshore" "$1"
