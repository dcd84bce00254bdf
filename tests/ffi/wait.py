"""Waits for data that never come, or dials a port that never answers.

usage: wait.py BINDING-DIRECTORY SECONDS [handler [PORT]]; 0 seconds are for ever
"""

import signal
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import sock

near, far = socket.socketpair()
waiting = sock.Socket(near)
waiting.settimeout(float(sys.argv[2]) or None)
handled = []
if "handler" in sys.argv:
    signal.signal(signal.SIGINT, lambda number, frame: handled.append(time.monotonic()))
print("waiting", flush=True)
start = time.monotonic()
try:
    if len(sys.argv) > 4:
        sock.dial("127.0.0.1", sys.argv[4], float(sys.argv[2]))
    else:
        waiting.recv(1)
except TimeoutError:
    print("timed out", time.monotonic() - start, len(handled), handled[-1] - start if handled else 0)
