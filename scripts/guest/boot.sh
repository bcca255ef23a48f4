#!/usr/bin/env bash
# Boots this machine's files under another kernel in QEMU, runs a program of this repository in there,
# shows what it prints and ends with its exit status.
# Arguments: a kernel package (see kernel.sh), then the program with its arguments (a path without spaces).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(cd "$here/../.." && pwd)/target/guest
# Emulated processors, as KVM is not everywhere; LONGSHORE_GUEST_ACCEL=kvm where it works.
accel=${LONGSHORE_GUEST_ACCEL:-tcg,thread=multi}
cpu=qemu64
[ "${accel%%,*}" = tcg ] || cpu=host
limit_s=${LONGSHORE_GUEST_LIMIT_S:-1800}

kernel_package=$1
program=$2
mkdir -p "$work"
kernel=$("$here/kernel.sh" "$kernel_package" "$work")

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
mkdir "$run/out"
truncate -s 6G "$run/disk"
/sbin/mkfs.ext4 -q "$run/disk"
printf '\033[1m==> booting %s (output of the guest follows)\033[0m\n' "$(ls "$kernel/lib/modules")"
share() { echo "-virtfs local,path=$2,mount_tag=$1,security_model=none,multidevs=remap$3"; }
# shellcheck disable=SC2046
timeout --signal=KILL "$limit_s" qemu-system-x86_64 -M pc -accel "$accel" -cpu "$cpu" -smp 2 -m 3072 \
    -nodefaults -no-user-config -display none -no-reboot \
    -kernel "$kernel/vmlinuz" -initrd "$kernel/initramfs.gz" \
    -append "console=ttyS0 quiet panic=-1 longshore.run=$program longshore.home=$HOME longshore.path=$PATH" \
    -serial "file:$run/console" -serial stdio \
    -drive "file=$run/disk,format=raw,if=virtio,cache=unsafe" \
    $(share host / ,readonly=on) $(share modules "$kernel/lib/modules" ,readonly=on) $(share out "$run/out" "") \
    </dev/null || echo "QEMU ended with $? (137: longer than $limit_s s)"
status=$(cat "$run/out/status" 2>/dev/null || true)
if [ -z "$status" ]; then
    echo "the guest did not end by itself; its console:"
    tail -40 "$run/console"
    exit 1
fi
exit "$status"
