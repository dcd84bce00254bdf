#!/bin/sh
# Installs what the suite dial needs, on Debian, as root.
set -eu
apt-get install -y --no-install-recommends python3 gcc libc6-dev iproute2 mount strace util-linux valgrind
