#!/bin/sh
# What the suite needs beyond a C compiler and Rust, as root.
set -eu
apt-get install -y --no-install-recommends clang valgrind
