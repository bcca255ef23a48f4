#!/usr/bin/env bash
# Installs what a build and a run need, and says what it does. Argument: `run` or `test`.
# Does nothing, quickly, where everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-run}
say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"

# command:package pairs; a command that is there needs no package
run_tools="cc:gcc ld:binutils make:make curl:curl nft:nftables ip:iproute2 mkfs.ext4:e2fsprogs"
test_tools="runc:runc skopeo:skopeo docker-registry:docker-registry openssl:openssl python3:python3 conntrack:conntrack"
test_files="/bin/busybox:busybox-static /usr/include/seccomp.h:libseccomp-dev /usr/lib/python3/dist-packages/awscli:awscli"

missing=()
want() { # pairs of command:package
    local pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair#*:}")
    done
}
# shellcheck disable=SC2086
want $run_tools
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
[ -d /etc/ssl/certs ] || missing+=(ca-certificates)
if [ "$what" = test ]; then
    # shellcheck disable=SC2086
    want $test_tools
    for pair in $test_files; do [ -e "${pair%%:*}" ] || missing+=("${pair#*:}"); done
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
fi
if [ "${#missing[@]}" -gt 0 ]; then
    say "installing Debian packages: ${missing[*]}"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

toolchain=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
if ! command -v cargo >/dev/null 2>&1 && [ -x "$HOME/.cargo/bin/cargo" ]; then
    export PATH="$HOME/.cargo/bin:$PATH"
fi
if ! command -v cargo >/dev/null 2>&1; then
    say "installing Rust $toolchain by rustup"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain "$toolchain" --component rustfmt --component clippy
elif ! cargo --version >/dev/null 2>&1; then
    say "installing Rust $toolchain"
    rustup toolchain install "$toolchain" --profile minimal --component rustfmt --component clippy
fi

if [ "$what" = test ] && ! { [ -x .venv/bin/pytest ] && cmp -s tests/requirements.txt .venv/requirements.txt; }; then
    say "making a Python environment for the end-to-end tests"
    python3 -m venv .venv
    .venv/bin/pip install --quiet --requirement tests/requirements.txt
    cp tests/requirements.txt .venv/requirements.txt
fi
