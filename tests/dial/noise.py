"""How late this machine wakes a sleeper, until the input ends: prints the most and the 99.9th percentile, in ms."""

import select
import sys
import time

late = []
while True:
    due = time.monotonic() + 0.002
    if select.select([sys.stdin], [], [], 0.002)[0]:
        break
    late.append(time.monotonic() - due)
late.sort()
print(f"{late[-1] * 1e3:.1f} {late[-1 - len(late) // 1000] * 1e3:.1f}" if late else "0 0")
