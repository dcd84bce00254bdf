#!/bin/bash
# Installs what the examples talk to, and build with, on Debian, as root.
set -euo pipefail

apt-get install -y -qq -o DPkg::Lock::Timeout=900 --no-install-recommends libssl-dev openssl redis-server
