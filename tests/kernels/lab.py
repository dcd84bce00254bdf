"""Kinds of socket that this machine's kernel does not have, in the suite plain, and what is no cell of it.

The cells are those of tests/plain, one in so many. In a machine whose clock counts instructions they come about at the same
moments each time, however busy the real machine is.
"""

import glob
import os
import re

from suite import SOURCE

MODULES = ["crc32c_generic", "crc32c_cryptoapi", "sctp", "vsock_loopback", "tipc", "tls", "gcm", "ctr", "ghash_generic", "ecb", "algif_skcipher"]
VSOCK, SCTP, TLS = ["vsock", "vsock-seqpacket"], ["sctp4", "sctp6"], ["ktls"]
TIPC = ["tipc-stream", "tipc-seqpacket", "tipc-rdm", "tipc-dgram"]


class Kinds:
    """One cell in `every` of the kinds, each of which the kernel must have."""
    name = "kinds of socket"
    # More at once, and one processor does not come to what they wait for. Plain sleeps cost time where nothing else is awake.
    ARGUMENTS = ["--at-once", "64", "--nap", "0.1"]

    def __init__(self, every, kinds):
        self.every, self.kinds = every, kinds

    def prepare(self, machine, tools):
        for module in MODULES:
            machine.load(module)
        sources = [path for folder in ["cells", "common"] for path in sorted(glob.glob(f"{SOURCE}/tests/plain/{folder}/*.c"))]
        cells = machine.program(tools.program(*sources, name="cells"))
        machine.run(self.name, cells, "--every", str(self.every), "--only", f" on ({'|'.join(self.kinds)})$", *self.ARGUMENTS, seconds=7200)

    def judge(self, report):
        said = report.of(self.name)
        assert not re.search("^not ok", said, re.M), said
        counts = dict.fromkeys(self.kinds, 0)
        for kind, count in re.findall(r"^ok .* on (\S+): (\d+) cells", said, re.M):
            counts[kind] += int(count)
        missing = [kind for kind, count in counts.items() if count == 0]
        assert not missing, f"no cells on {', '.join(missing)}\n{said}"
        report.kinds |= set(counts)
        report.checks += sum(counts.values())
        return f"{sum(counts.values())} cells, " + ", ".join(f"{kind} {count}" for kind, count in counts.items())


class Transfers:
    """What is no cell: whole transfers that timeouts cut, records of TLS, a cipher."""
    name = "transfers on kinds of socket"

    def __init__(self, kinds):
        self.kinds = kinds

    def prepare(self, machine, tools):
        for module in MODULES:
            machine.load(module)
        lab = machine.program(tools.program("kernels/lab.c", "plain/common/kinds.c", "plain/common/clock.c"))
        machine.run(self.name, lab, *self.kinds, seconds=1200)

    def judge(self, report):
        said = report.of(self.name)
        checks = int(re.search(r"^(\d+) checks", said, re.M)[1])
        timeouts = sum(map(int, re.findall(r"(?:with|and) (\d+)", said)))
        report.checks += checks
        return f"{checks} checks, {timeouts} timeouts in the middle of transfers"
