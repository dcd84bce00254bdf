#!/bin/bash
# Installs what the suites build, install, manual, abi, packages and dist need, on Debian and its descendants. Run as root.
set -eu
apt-get install -y -o DPkg::Lock::Timeout=900 --no-install-recommends \
    cmake pkg-config g++ mandoc man-db groff clang lld tcc abigail-tools debhelper lintian dpkg-dev fakeroot rpm rpmlint cpio
# The newest cargo-c that Rust 1.95 builds.
command -v cargo-cinstall > /dev/null || cargo install cargo-c --locked --version 0.10.24
