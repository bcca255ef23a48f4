#!/usr/bin/env bash
# Fetches a distribution's kernel, unpacks it without installing it, and makes the initramfs that
# boots this machine's own files under it. Arguments: a kernel package (an empty one is the
# distribution's default), a directory to work in. Prints the directory of the kernel: `vmlinuz`,
# `initramfs.gz` and `lib/modules`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$2

# What the initramfs needs to mount this machine's files; everything else is loaded from them.
modules="virtio_pci virtio_blk 9pnet_virtio 9p overlay ext4"

default_package() {
    . /etc/os-release
    # shellcheck disable=SC2153
    if [ "$ID" = ubuntu ]; then echo linux-image-virtual; else echo linux-image-amd64; fi
}

# A meta package names the package that holds the kernel.
holder() {
    case $1 in
    *[0-9].[0-9]*.[0-9]*) echo "$1" ;;
    *) apt-cache depends "$1" | sed -n 's/^  Depends: \(linux-image-[^ ]*\)$/\1/p' | head -1 ;;
    esac
}

wanted=${1:-$(default_package)}
package=$(holder "$wanted")
if [ -z "$package" ]; then
    # A fresh machine has no lists of packages.
    apt-get update -qq >&2
    package=$(holder "$wanted")
fi
[ -n "$package" ] || { echo "there is no kernel package $wanted: name another with KERNEL=" >&2; exit 1; }
out=$work/$package
if [ ! -e "$out/complete" ]; then
    echo "==> fetching $package (not installed, only unpacked)" >&2
    rm -rf "$out"
    mkdir -p "$out/download"
    names="$package"
    # Ubuntu keeps modules apart.
    for extra in "${package/linux-image-/linux-modules-}" "${package/linux-image-/linux-modules-extra-}"; do
        [ "$extra" = "$package" ] || ! apt-cache show "$extra" >/dev/null 2>&1 || names="$names $extra"
    done
    # shellcheck disable=SC2086
    (cd "$out/download" && apt-get download -qq $names >download.log 2>&1) || { cat "$out/download/download.log" >&2; exit 1; }
    for deb in "$out"/download/*.deb; do dpkg-deb -x "$deb" "$out"; done
    rm -r "$out/download"
    [ -d "$out/lib/modules" ] || { mkdir -p "$out/lib" && mv "$out/usr/lib/modules" "$out/lib/modules"; }
    version=$(ls "$out/lib/modules")
    mv "$out/boot/vmlinuz-$version" "$out/vmlinuz"
    rm -rf "$out/boot" "$out/usr"
    /sbin/depmod -b "$out" "$version"
    touch "$out/complete"
fi

version=$(ls "$out/lib/modules")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,proc,sys,host,modules,new,upper}
cp /bin/busybox "$root/bin/busybox"
cp "$here/init" "$root/init"
for module in $modules; do
    # Built in: nothing to load.
    /sbin/modprobe -d "$out" -S "$version" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
    cp "$file" "$root/modules/"
    name=$(basename "$file")
    case $name in
    *.xz) xz -d "$root/modules/$name" ;;
    *.zst) zstd -q -d --rm "$root/modules/$name" ;;
    esac
    name=${name%.xz}
    echo "${name%.zst}" >>"$root/modules/order"
done
(cd "$root" && find . | /bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$out/initramfs.gz"
echo "$out"
