#!/usr/bin/env python3
"""Writes docs/dial.md, or what it is told to: sock_dial and CPython's create_connection in the same scenarios.

usage: lab.py table.py DIAL FILE, where DIAL is dial.c compiled
"""

import concurrent.futures
import json
import os
import platform
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from scenarios import SCENARIOS

PORT = "7777"
ROUNDS = 3
HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = """# Connecting by name under one deadline

`sock_dial` and CPython's `socket.create_connection(timeout=...)` meet the same names and addresses, and have the same
time. A name server on the loopback device answers for the names. The addresses are behind a TUN device, in a network
namespace of its own, and behave as the row says. The resolver gives up on a name server after 3 s
(`options timeout:3 attempts:1`). If one of two answers came, it asks once more.

Measured on {machine}; the median of {rounds} rounds. Time is in
seconds; **bold** is beyond the budget. To measure again, as root: `make dial-table`.

| scenario | budget | ideal | `sock_dial` | | CPython {python} | |
| --- | ---: | ---: | ---: | --- | ---: | --- |
"""
TAIL = """
The *ideal* is the time of the scenario itself: the lookup, the handshake, and the turn of the live address among the
others. (A turn is 250 ms after the turn before it, or less, so that all have their turn in the first half of the budget.)

- `sock_dial` spends one budget on the lookup, all addresses and the handshake, and tries addresses side by side.
- `create_connection` gives every address the whole budget, one after the other, and does not count the lookup.
- When several addresses fail, `create_connection` gives the error of the last, `sock_dial` the error that says most.
- When the budget ends while some address may still answer, `sock_dial` says `ETIMEDOUT`, even if others have refused.
- `sock_dial_until` meets the same as `sock_dial` and ends at a moment, or as soon as a token is readable: in the lookup, between
  attempts, and in the handshake.
"""


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return (f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), Linux {platform.release().split('-')[0]},"
            f" {' '.join(platform.libc_ver())}")


def measure(program, scenario):
    """The median of the rounds by time."""
    found = []
    for _ in range(ROUNDS):
        process = subprocess.run([*program, scenario.host, PORT, str(scenario.budget)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, check=True, text=True)
        found.append(json.loads(process.stdout))
    return sorted(found, key=lambda one: one["seconds"])[ROUNDS // 2]


def cells(scenario, found):
    seconds = f"{found['seconds']:.3f}"
    if found["seconds"] > scenario.budget + 0.05:
        seconds = f"**{seconds}**"
    outcome = "connected" if found["outcome"] == "connected" else f"`{found['outcome']}`"
    return f"{seconds} | {outcome}"


def main(dial, path):
    programs = [dial], [sys.executable, os.path.join(HERE, "dial.py")]
    compared = [scenario for scenario in SCENARIOS if scenario.compared]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = {(scenario, at): pool.submit(measure, program, scenario) for scenario in compared
                 for at, program in enumerate(programs)}
        rows = [f"| {scenario.what} | {scenario.budget:g} | {scenario.ideal:.2f} | "
                + " | ".join(cells(scenario, found[scenario, at].result()) for at in (0, 1)) + " |" for scenario in compared]
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD.format(machine=machine(), rounds=ROUNDS, python=platform.python_version()))
        file.write("\n".join(rows) + "\n" + TAIL)


main(*sys.argv[1:])
