#!/usr/bin/env python3
"""Dials as CPython does, and prints what dial.c prints: usage: dial.py HOST SERVICE SECONDS"""

import errno
import json
import socket
import sys
import time

host, service, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
outcome, peer = "connected", None
start = time.monotonic()
try:
    connection = socket.create_connection((host, service), None if seconds == float("inf") else seconds)
    peer = connection.getpeername()[0]
except socket.gaierror as error:
    outcome = next(name for name in dir(socket) if name.startswith("EAI_") and getattr(socket, name) == error.errno)
except TimeoutError:
    outcome = "ETIMEDOUT"
except OSError as error:
    outcome = errno.errorcode.get(error.errno, str(error))
print(json.dumps({"outcome": outcome, "seconds": time.monotonic() - start, "peer": peer}))
