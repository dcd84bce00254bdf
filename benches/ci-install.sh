#!/bin/sh
# What the benchmarks compare libsock with, and count with.
set -eu
apt-get install -y --no-install-recommends \
    golang-go libapr1-dev libglib2.0-dev libnspr4-dev luajit lua-socket pkg-config python3 strace
