#!/usr/bin/env bash
# Installs what the test guest needs on this machine. Does nothing, quickly, where everything is there.
set -euo pipefail
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
missing=()
for pair in qemu-system-x86_64:qemu-system-x86 mkfs.ext4:e2fsprogs depmod:kmod strip:binutils gzip:gzip unshare:util-linux apparmor_parser:apparmor; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair#*:}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0
printf '\033[1m==> installing packages: %s\033[0m\n' "${missing[*]}"
$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
