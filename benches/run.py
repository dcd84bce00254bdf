#!/usr/bin/env python3
"""Runs the benchmarks: every peer found, every measure, in turn and again; a table and results.json.

usage: run.py [--quick] DIRECTORY          BENCH is the harness's C program

Peers take turns within each round, in an order that rotates, and each sample is a process of its own. A
ratio is that of two samples of the same round, so that what slows the machine for a while slows both.
"""

import concurrent.futures
import datetime
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from statistics import median, quantiles

import report

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.environ["BENCH"]
FLOOR, US = report.FLOOR, report.US
MONOTONIC_COARSE = 6  # Its resolution is a tick of the kernel. The time module has no name for it.
CORE = str(max(os.sched_getaffinity(0)))
SCRIPTS = {
    "cpython": [sys.executable, "-B", os.path.join(HERE, "peers", "cpython.py")],
    "luasocket": ["luajit", os.path.join(HERE, "peers", "luajit.lua")],
    # Its threads are its own to make: all of them are kept on the one core.
    "go": ["taskset", "-c", CORE, os.path.join(os.path.dirname(BENCH), "go")],
}
ORDER = ["blocking", "libsock", "libsock-steps", "rcvtimeo", "poll", "apr", "glib", "nspr", "rust", "cpython", "luasocket", "go"]
# Only in rows that name them.
PARTIAL = {"libsock-steps", "go"}
INSTALL = {
    "apr": "apt-get install libapr1-dev",
    "glib": "apt-get install libglib2.0-dev",
    "nspr": "apt-get install libnspr4-dev",
    "cpython": "apt-get install python3",
    "luasocket": "apt-get install luajit lua-socket",
    "go": "apt-get install golang-go",
    "strace": "apt-get install strace",
}
# What the harness itself needs around the operation that is counted.
AROUND = {
    "accept-ready": {"close"},
    "accept-waiting": {"close"},
    "accept-unix": {"close"},
    "connect": {"socket", "close", "setsockopt"},  # Rust's makes the socket, and sets its timeouts.
}
EVERYWHERE = {"brk", "mmap", "munmap", "madvise", "futex"}


class Failed(Exception):
    pass


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, text=True)
    if done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return done


def numbers(output):
    lines = output.split("\n")[:-1]
    failures = [line[5:] for line in lines if line.startswith("fail ")]
    if failures or not lines:
        raise Failed(failures[0] if failures else "no output")
    return [float(line) for line in lines]


def version(name):
    try:
        return run(SCRIPTS[name] + ["version"]).stdout.split()[1]
    except (OSError, Failed, IndexError):
        return None


def find_peers():
    found = dict(line.split(" ", 1) for line in run([BENCH, "peers"]).stdout.splitlines())
    found.update({name: version(name) for name in SCRIPTS})
    found["libsock-steps"] = "by sock_settimeout"
    return {name: found[name] for name in ORDER if found.get(name)}


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"^(?:model name|Model|cpu model)\s*: (.*)$", file.read(), re.M)
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal: *(\d+)", file.read())[1]) / 2**20
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {re.match('[0-9.]*', platform.release())[0]} {platform.machine()}",
        "timer": f"{round(1 / time.clock_getres(MONOTONIC_COARSE))} Hz",
        "libc": " ".join(platform.libc_ver()),
        "load": round(os.getloadavg()[0], 1),
    }


def command(peer, *arguments):
    return [*SCRIPTS.get(peer, [BENCH, peer]), *map(str, arguments)]


def measure(*arguments):
    """What takes one sample of a peer."""
    return lambda peer: numbers(run(command(peer, *arguments)).stdout)


class Benchmark:
    def __init__(self, quick):
        self.quick = quick
        self.peers = find_peers()
        self.missing = {name: how for name, how in INSTALL.items() if name not in self.peers and not shutil.which(name)}
        self.rows = []
        self.start = time.monotonic()

    def rounds(self, full):
        return 2 if self.quick else full

    def say(self, text):
        print(f"{time.monotonic() - self.start:4.0f} s  {text}", file=sys.stderr, flush=True)

    def among(self, scripts=True, floor=True):
        return [peer for peer in self.peers
                if (scripts or peer not in SCRIPTS) and (floor or peer != FLOOR) and peer not in PARTIAL]

    def only(self, *names):
        return [peer for peer in self.peers if peer in names]

    def sample(self, peers, rounds, take, together=False):
        """Takes `rounds` samples of each peer: lists of lists of numbers, and the peers that failed."""
        samples, failed = {peer: [] for peer in peers}, {}

        def one(peer, delay=0.0):
            time.sleep(delay)
            try:
                samples[peer].append(take(peer))
            except (Failed, subprocess.TimeoutExpired) as error:
                failed[peer] = str(error)

        for turn in range(rounds):
            order = peers[turn % len(peers):] + peers[:turn % len(peers)]
            order = [peer for peer in order if peer not in failed]
            if together:
                with concurrent.futures.ThreadPoolExecutor(len(peers)) as pool:
                    list(pool.map(one, order, [0.013 * i for i in range(len(order))]))
            else:
                for peer in order:
                    one(peer)
        return samples, failed

    def add(self, group, name, unit, samples, failed, floor=None, goals=(), **more):
        results = {}
        for peer, values in samples.items():
            if peer in failed or not values:
                results[peer] = {"failed": failed.get(peer, "no samples")}
                continue
            results[peer] = summary([value for turn in values for value in turn])
            if floor and floor not in failed:
                results[peer]["ratio"] = summary([mine[0] / theirs[0] for mine, theirs in zip(values, samples[floor])])
            if unit in ("ns", "bytes") and peer != US and US not in failed and samples.get(US):
                results[peer]["libsock"] = summary([ours[0] / theirs[0] for ours, theirs in zip(samples[US], values)])
        self.rows.append({"group": group, "name": name, "unit": unit, "floor": floor, "goals": list(goals),
                          "results": results, **more})

    def timed(self, group, name, arguments, rounds, goals=(), floor=FLOOR, peers=None):
        self.say(f"{group}: {name}")
        samples, failed = self.sample(peers or self.among(), rounds, measure(*arguments))
        self.add(group, name, "ns", samples, failed, floor, goals)

    def lateness(self, group, name, seconds, rounds, *arguments, together):
        self.say(f"{group}: {name}")
        samples, failed = self.sample(self.among(floor=False), rounds, measure(*arguments), together)
        # The goal in time is for waits up to half a second.
        goals = ["never early", "first"] + (["late 0.2 ms"] if seconds <= 0.5 else [])
        self.add(group, name, "ns late", samples, failed, goals=goals, seconds=seconds)

    def calls(self, operation, counts, goals, rounds=1, peers=None):
        def traced(peer, count):
            with tempfile.NamedTemporaryFile("r") as log:
                output = run(["strace", "-qq", "-o", log.name, *command(peer, "calls", operation, count)]).stdout
                if output.startswith("fail"):
                    raise Failed(output.strip()[5:])
                return Counter(re.findall(r"^(\w+)\(", log.read(), re.M))

        def each(peer):
            few, many = (traced(peer, count) for count in counts)
            many.subtract(few)
            kinds = {name: many[name] / (counts[1] - counts[0]) for name in many
                     if name not in EVERYWHERE | AROUND.get(operation, set())}
            details[peer] = {name: round(number, 2) for name, number in kinds.items() if number}
            return [sum(kinds.values())]

        self.say(f"system calls: {operation}")
        details = {}
        samples, failed = self.sample(peers or self.among(floor=operation != "recv-expiring"), rounds, each, together=True)
        self.add("system calls", operation, "calls", samples, failed, goals=goals, calls=details)

    def instructions(self, operation):
        self.say(f"instructions: {operation}")
        samples, failed = self.sample(self.among(scripts=False), 1, measure("instructions", operation))
        if samples[FLOOR]:
            floor = samples[FLOOR][0][0]
            samples = {peer: [[value[0][0] - floor]] for peer, value in samples.items() if value}
        self.add("instructions", f"{operation}, ready", "more", samples, failed, goals=["at most 60"])

    def scale(self, count, seconds, rounds):
        for domain in ("unix", "tcp"):
            name = f"{domain}, {count:,}"
            self.say(f"many sockets: {name}")
            samples, failed = self.sample(self.among(scripts=False), rounds, measure("scale", domain, count, seconds))
            for at, what, unit in ((0, "memory of each", "bytes"), (1, "time a message", "ns")):
                part = {peer: [[turn[at]] for turn in values] for peer, values in samples.items()}
                if domain == "unix" or at == 1:
                    self.add("many sockets", f"{name}, {what}", unit, part, failed, FLOOR, count=count)

    def run(self):
        quick, rounds = self.quick, self.rounds
        batches = 20 if quick else 150
        for operation, domain, goal in (("recv", "unix", 1.02), ("recv", "tcp", 1.03), ("send", "unix", 1.03), ("send", "tcp", 1.03)):
            self.timed("ready", f"{operation} of 64 bytes, {domain}", [operation, domain, batches], rounds(41), [f"ratio {goal}"])
        for domain in ("unix", "tcp"):
            for cores in (1, 2):
                where = "one core" if cores == 1 else "two cores"
                self.timed("ping-pong", f"{domain}, {where}", ["pingpong", domain, cores, 5 if quick else 60 // cores**2],
                           rounds(41), ["ratio 1.05", "first"])
        for domain in ("unix", "tcp"):
            for step, name in ((1 << 20, "1 MiB"), (4096, "4 KiB")):
                self.timed("bulk", f"{domain}, calls of {name}", ["bulk", domain, step, 16 if quick or step == 4096 else 256, 2, 0],
                           rounds(41 if step > 4096 else 21), ["throughput 0.98"])
        for domain, step, name, buffer, goal in (("tcp", 1 << 20, "1 MiB, small buffers", 16 << 10, 1.05),
                                                 ("unix", 1 << 20, "1 MiB, small buffers", 16 << 10, 1.15),
                                                 ("unix", 4096, "4 KiB", 0, 1.03)):
            self.timed("bulk on one core", f"{domain}, calls of {name}", ["bulk", domain, step, 8 if quick else 64, 1, buffer],
                       rounds(41), [f"ratio {goal}"], peers=self.among(scripts=False))
        for size, name in ((64, "64 bytes"), (64 << 10, "64 KiB")):
            self.timed("one deadline", f"an answer of {name}", ["request", size, 10 if quick else 50], rounds(41),
                       peers=list(self.peers))
        for domain in ("unix", "tcp"):
            self.timed("lines", f"lines of 64 bytes, {domain}", ["lines", domain, 10 if quick else 50], rounds(21), ["ratio 1.00"],
                       peers=self.only("blocking", "libsock", "apr", "glib", "nspr", "luasocket"))
        # NSPR looks once in five seconds.
        self.timed("cancelling", "a receive that waits", ["cancel", 40], rounds(6),
                   peers=self.only("blocking", "libsock", "poll", "glib", "go", *(["nspr"] if not quick else [])))
        self.timed("connections", "connect, accept, close", ["connect", 5 if quick else 25], rounds(25))
        self.timed("settimeout", "change of timeout", ["settimeout", 10 if quick else 50], rounds(15),
                   floor="rcvtimeo", peers=self.among(floor=False))
        values = (1e-4, 1e-2, 0.1) if quick else (1e-4, 1e-3, 1e-2, 0.1, 0.5, 1.0, 2.0)
        for seconds in values:
            count = 3 if quick else 15 if seconds < 0.5 else 3
            self.lateness("lateness", f"of {seconds:g} s", seconds, rounds(3), "lateness", seconds, count,
                          together=seconds >= 0.05)
        self.lateness("signal storm", "of 0.3 s", 0.3, rounds(7), "storm", 0.3, together=True)
        if "strace" not in self.missing:
            for operation, goals in (("recv-ready", ["exactly 1"]), ("recv-waiting", ["exactly 1"]),
                                     ("accept-ready", ["exactly 1"]), ("accept-waiting", ["exactly 1"]),
                                     ("accept-unix", ["exactly 1"]), ("connect", ["exactly 1"]), ("send", ["exactly 1"]),
                                     ("sendall-unix", []), ("sendall-tcp", ["at most 8"]), ("recvall", []), ("recv-expiring", []),
                                     ("settimeout", ["at most 6"]), ("settimeout-same", ["at most 3"]),
                                     ("request-ready", ["exactly 2"]), ("request-waiting", ["at most 4"]), ("lines", [])):
                large = operation.startswith(("sendall", "recvall"))
                peers = {"accept-unix": self.only("blocking", "libsock"),
                         "request-ready": [peer for peer in self.peers if peer != "go"],
                         "request-waiting": [peer for peer in self.peers if peer != "go"],
                         "lines": self.only("blocking", "libsock", "apr", "glib", "nspr", "luasocket")}.get(operation)
                self.calls(operation, (1, 3) if quick or large else (5, 25), goals, rounds(5) if large else 1, peers)
        for operation in ("recv", "send"):
            self.instructions(operation)
        for count in (10, 100) if quick else (100, 1000, 10000):
            self.scale(count, 0.05 if quick else 0.3, rounds(5))


def interval(values):
    """Where the median of ever more samples would be, at 95 %, whatever their distribution: between two of these, by rank."""
    count, below, rank = len(values), 0.0, 0
    while (below := below + math.comb(count, rank) / 2**count) <= 0.025:
        rank += 1
    ordered = sorted(values)
    rank = max(rank - 1, 0)
    return [ordered[rank], ordered[-1 - rank]]


def summary(values):
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": median(values), "interval": interval(values), "quartiles": [low, high], "min": min(values),
            "max": max(values), "samples": len(values)}


def main():
    quick = "--quick" in sys.argv[1:]
    directory = sys.argv[-1]
    benchmark = Benchmark(quick)
    for name, how in benchmark.missing.items():
        benchmark.say(f"{name} is missing: {how}")
    machine_now = machine()
    benchmark.run()
    results = {
        "command": "make bench" + (" QUICK=1" if quick else ""),
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - benchmark.start),
        "machine": machine_now,
        "peers": benchmark.peers,
        "missing": benchmark.missing,
        "rows": benchmark.rows,
    }
    with open(os.path.join(HERE, "reasons.json")) as file:
        report.judge(results, json.load(file))
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "results.json")
    if os.path.exists(path):
        with open(path) as file:
            report.compare(results, json.load(file))
    with open(path, "w") as file:
        json.dump(rounded(results), file, indent=1)
        file.write("\n")
    report.write(results, os.path.join(directory, "README.md"))
    report.show(results)


def rounded(value):
    """Four digits are more than any of these numbers mean."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return value


if __name__ == "__main__":
    main()
