#!/bin/bash
# Installs what the suite architectures needs, on Debian 12 for amd64, as root; with LIBSOCK_LONG=1 what its long form needs too.
# Rust 1.85, and its std for the other architectures, are only unpacked, to /opt: the machine's own Rust is left alone.
set -euo pipefail

foreign=(i386 s390x)
tools=(gcc-{i686,s390x}-linux-gnu qemu-user libcurl4 libhttp-parser2.9 libllvm19 libpcre3 libsqlite3-0 libssh2-1)
source=()
if [ "${LIBSOCK_LONG:-0}" != 0 ]; then
    foreign+=(arm64 armhf)
    tools+=(gcc-{aarch64-linux-gnu,arm-linux-gnueabihf} musl-tools)
    source=(rust-web-src)
fi
for architecture in "${foreign[@]}"; do
    tools+=("libc6-dev-$architecture-cross")
done
apt-get install -y -qq -o DPkg::Lock::Timeout=900 --no-install-recommends "${tools[@]}"

rust=/opt/debian-rust-1.85
complete="$rust/complete: ${foreign[*]}"
[ ! -e "$complete" ] || exit 0

# An apt of its own, with the machine's mirror, that knows the foreign architectures. It leaves out security updates, which bring a newer Rust.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/etc/apt/{apt.conf.d,preferences.d} "$root"/var/{lib/apt/lists,cache/apt/archives}/partial "$root"/debs
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Codename: bookworm' | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" > "$root/etc/apt/sources.list"
touch "$root/status"
own_apt() {
    apt-get -qq -o Dir="$root" -o Dir::State::status="$root/status" -o Acquire::Languages=none -o APT::Sandbox::User=root \
        -o APT::Architectures="$(IFS=,; echo "amd64,${foreign[*]}")" "$@"
}
own_apt update
cd "$root/debs"
own_apt download {rustc-web,cargo-web,libstd-rust-web-1.85,libstd-rust-web-dev}:amd64 "${foreign[@]/#/libstd-rust-web-dev:}" \
    "${source[@]}"
mkdir -p "$rust"
printf '%s\0' *.deb | xargs -0 -P "$(nproc)" -I PACKAGE dpkg -x PACKAGE "$rust"
touch "$complete"
