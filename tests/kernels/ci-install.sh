#!/bin/bash
# Installs what the suite kernels needs, on Debian for amd64, as root; with LIBSOCK_LONG=1 what its long form needs too.
# Debian's kernels are only unpacked, each to a folder of LIBSOCK_KERNELS: this machine's own kernel is left alone. The long form
# compiles some more, for half an hour on two processors. What is there already is kept.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernels=${LIBSOCK_KERNELS:-/opt/debian-kernels}
long=${LIBSOCK_LONG:-0}

tools=(qemu-system-x86)
[ "$long" = 0 ] || tools+=(qemu-system-arm iproute2 nftables bc bison flex gcc libelf-dev make)
apt-get install -y -qq -o DPkg::Lock::Timeout=900 --no-install-recommends "${tools[@]}"

# folder                release            architecture  package
debian() {
    printf '%s\n' 'bullseye-cloud bullseye amd64 linux-image-cloud-amd64'
    [ "$long" = 0 ] || printf '%s\n' \
        'bullseye-i386   bullseye           i386   linux-image-686-pae' \
        'bookworm-cloud  bookworm           amd64  linux-image-cloud-amd64' \
        'bookworm-rt     bookworm           amd64  linux-image-rt-amd64' \
        'bookworm-arm64  bookworm           arm64  linux-image-arm64' \
        'trixie          trixie             amd64  linux-image-amd64' \
        'backports       trixie-backports   amd64  linux-image-amd64'
}

# An apt of its own, with the machine's mirror, that knows the other releases and architectures.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/etc/apt/{apt.conf.d,preferences.d} "$root"/var/{lib/apt/lists,cache/apt/archives}/partial "$root"/debs
touch "$root/status"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
missing() {
    while read -r folder release architecture package; do
        [ -e "$kernels/$folder/complete" ] || echo "$folder $release $architecture $package"
    done < <(debian)
}
missing | while read -r _ release architecture _; do
    echo "deb [arch=$architecture signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main"
done > "$root/etc/apt/sources.list"
if [ "$long" != 0 ] && [ ! -e "$kernels/source/complete" ]; then
    echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >> "$root/etc/apt/sources.list"
fi
own() {
    "$1" -qq -o Dir="$root" -o Dir::State::status="$root/status" -o Acquire::Languages=none -o APT::Sandbox::User=root \
        -o APT::Architectures=amd64,i386,arm64 "${@:2}"
}
[ ! -s "$root/etc/apt/sources.list" ] || own apt-get update

# The packages of a kernel that begin as said, which another package depends on.
depends() {
    own apt-cache show "$1" | sed -n 's/^Depends: //p' | head -n 1 | tr ',' '\n' | sed -nE "s/^ *($2[^ ]*).*/\1/p"
}

# Downloads packages and unpacks them to a folder.
unpack() {
    local folder=$1 package
    shift
    rm -rf "$kernels/$folder" "$root"/debs/*
    mkdir -p "$kernels/$folder"
    (cd "$root/debs" && own apt-get download "$@")
    for package in "$root"/debs/*.deb; do
        dpkg -x "$package" "$kernels/$folder"
    done
}

missing | while read -r folder release architecture package; do
    image=$(depends "$package:$architecture/$release" 'linux-image-[0-9]')
    # Newer kernels come in parts.
    mapfile -t parts < <(depends "$image:$architecture" 'linux-(binary|modules)-[0-9]')
    unpack "$folder" "$image:$architecture" "${parts[@]/%/:$architecture}"
    # Of its modules those of the network, and what they need.
    find "$kernels/$folder" -name '*.ko*' ! -path '*/net/*' ! -path '*/lib/*' ! -path '*/crypto/*' -delete
    touch "$kernels/$folder/complete"
done

[ "$long" != 0 ] || exit 0
if [ ! -e "$kernels/source/complete" ]; then
    unpack source "$(depends linux-source/bookworm linux-source-)"
    touch "$kernels/source/complete"
fi
"$here/build" "$kernels" "$kernels"/source/usr/src/linux-source-*.tar.xz
