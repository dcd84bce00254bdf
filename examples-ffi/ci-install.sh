#!/bin/bash
# Installs what every language here needs, on Debian 12, as root. BUILD is the build directory.
set -euo pipefail

build=${BUILD:-$(cd "$(dirname "$0")/.." && pwd)/build}
install() { apt-get install -y --no-install-recommends "$@"; }

# Python: ctypes is a part of it.
install python3 python3-pip
python3 -m pip install --break-system-packages ruff==0.17.6

# Node.js
command -v npm >/dev/null || install nodejs npm
npm install --no-audit --no-fund --prefix "$build/ffi-node" koffi@3.3.4 \
    eslint@9.39.5 @eslint/js@9.39.5 typescript@5.9.3 @types/node@20.19.43

# Ruby: fiddle is a part of it.
install ruby rubocop

# Lua
install luajit lua-check

# PHP: its FFI and pcntl extensions are a part of php-cli.
install php-cli php-codesniffer

# Perl
install perl libffi-platypus-perl libperl-critic-perl

# Go, with cgo; x/net has the test of what a net.Conn is.
install golang-go gcc libc6-dev pkg-config golang-golang-x-net-dev

# Java
install default-jdk-headless libjna-java

# C++
install g++ clang cppcheck

# Rust: rustc is there to build the library with.

# Zig: its standard library changes with each release.
python3 -m pip install --break-system-packages ziglang==0.16.0
