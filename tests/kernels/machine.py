"""A virtual machine: a kernel, the files that it finds, the programs that it runs, and what they said.

QEMU emulates the processor, so that no KVM is needed. The machine's clock counts the instructions of its one processor and
jumps ahead while that one sleeps (-icount with sleep=off): a nanosecond for each instruction. So a timeout of a minute takes no
time, and how late it comes is the same each time, however busy the real machine is.
"""

import lzma
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from suite import LONG, Skip

INSTALL = f"{'LIBSOCK_LONG=1 ' if LONG else ''}tests/kernels/ci-install.sh installs it"
VIRTUAL_TIME = ["-icount", "shift=0,sleep=off"]
REAL_TIME = []
COMMON = ["-accel", "tcg", "-m", "512", "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio"]
QEMU = {
    "amd64": ["qemu-system-x86_64", "-cpu", "max"],
    "i386": ["qemu-system-x86_64", "-cpu", "max"],
    "arm64": ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a57"],
}
CONSOLE = {"amd64": "ttyS0", "i386": "ttyS0", "arm64": "ttyAMA0"}
# A kernel that panics restarts at once, which ends QEMU.
PARAMETERS = "panic=-1 mitigations=off nokaslr random.trust_cpu=on"
# For a kernel that hangs. What a program may take is told in the machine's own time.
PATIENCE = 1800
DIRECTORY, FILE, PROGRAM = 0o040755, 0o100644, 0o100755


def archive(entries):
    """Files as a kernel unpacks them when it boots: cpio's newer format without checksums. An entry is a path, a mode and the content."""
    out = bytearray()
    for number, (path, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def content(path):
    with open(path, "rb") as file:
        return file.read()


class Kernel:
    """A kernel in a folder, as Debian's packages unpack, and the modules beside it."""

    def __init__(self, name, folder, architecture):
        self.name, self.folder, self.architecture = name, folder, architecture

    def need(self):
        if not shutil.which(QEMU[self.architecture][0]):
            raise Skip(f"{QEMU[self.architecture][0]} is missing; {INSTALL}")
        if not os.path.exists(os.path.join(self.folder, "complete")):
            raise Skip(f"{self.folder} is missing; {INSTALL}")

    def image(self):
        return next(path for name, path in self.files() if name.startswith("vmlinuz"))

    def modules(self):
        """Where each module is, by its name."""
        return {re.sub(r"\.ko.*", "", name).replace("-", "_"): path for name, path in self.files() if ".ko" in name}

    def files(self):
        return ((name, os.path.join(directory, name)) for directory, _, names in os.walk(self.folder) for name in names)


class Machine:
    """What a kernel is given, and what came of it."""

    def __init__(self, kernel, directory):
        self.kernel, self.directory = kernel, directory
        self.entries, self.plan, self.loaded = {}, [], set()
        self.log = os.path.join(directory, kernel.name.replace(" ", "-") + ".log")

    def add(self, path, data, mode=FILE):
        """A file, and the folders that it is in."""
        folder = os.path.dirname(path)
        if folder.strip("/") and folder not in self.entries:
            self.add(folder, b"", DIRECTORY)
        self.entries[path] = (path.lstrip("/"), mode, data)
        return path

    def add_file(self, path, source):
        return self.add(path, content(source), PROGRAM)

    def program(self, source):
        """A program of this machine and the libraries that it needs, at the places where it looks for them."""
        said = subprocess.run(["ldd", source], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", said):
            self.add_file(library, library)
        return self.add_file("/bin/" + os.path.basename(source), source)

    def load(self, name, parameters="", modules=None):
        """A module, after those that it needs. One that is no file is a part of the kernel, or missing."""
        modules = modules or self.kernel.modules()
        if name in self.loaded or name not in modules:
            return
        self.loaded.add(name)
        data = content(modules[name])
        if modules[name].endswith(".xz"):
            data = lzma.decompress(data)
        needed = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in needed[1].decode().replace("-", "_").split(",") if needed else []:
            self.load(other, modules=modules)
        self.plan.append(f"load\t{self.add(f'/modules/{name}.ko', data)}\t{parameters}")

    def run(self, name, *command, seconds=60):
        self.plan.append("\t".join(["run", str(seconds), name, *command]))

    def boot(self, clock=VIRTUAL_TIME):
        """Runs the plan, and gives what came of it. A program that says "@ pause" has the machine stopped for a while."""
        self.kernel.need()
        self.add("/plan", "".join(line + "\n" for line in self.plan).encode())
        initrd = self.log.replace(".log", ".cpio")
        with open(initrd, "wb") as file:
            file.write(archive(self.entries.values()))
        console = CONSOLE[self.kernel.architecture]
        command = ["nice", *QEMU[self.kernel.architecture], *COMMON, *clock, "-kernel", self.kernel.image(), "-initrd", initrd,
                   "-append", f"console={console} {PARAMETERS}"]
        moments = []
        with tempfile.TemporaryDirectory() as directory:
            monitor = os.path.join(directory, "monitor")
            command += ["-monitor", f"unix:{monitor},server=on,wait=off"]
            start = time.monotonic()
            with open(self.log, "w", encoding="utf-8", buffering=1) as log, subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                    errors="replace") as process:
                watchdog = threading.Timer(PATIENCE, process.kill)
                watchdog.start()
                for line in process.stdout:
                    log.write(line)
                    if line.startswith("@ "):
                        moments.append((line.strip(), time.monotonic()))
                        if moments[-1][0] == "@ pause":
                            pause(monitor)
                watchdog.cancel()
        os.remove(initrd)
        return Report(self.kernel, self.log, time.monotonic() - start, moments)


PAUSE = 2


def pause(monitor):
    """Stops a machine in the middle of what it does, and lets it go on."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(monitor)
        for delay, word in [(1, b"stop\n"), (PAUSE, b"cont\n")]:
            time.sleep(delay)
            control.send(word)
        time.sleep(0.1)


class Report:
    """What a machine said on its console."""

    def __init__(self, kernel, log, took, moments):
        self.architecture = kernel.architecture
        self.checks, self.kinds, self.median = 0, set(), None
        self.said = content(log).decode(errors="replace").replace("\r", "")
        self.took, self.moments = took, moments
        self.tail = "\n".join(self.said.splitlines()[-40:])
        booted = re.search(r"^@ kernel (\S+) \S+ (\d+) (\d+)$", self.said, re.M)
        assert booted, f"it did not boot:\n{self.tail}"
        assert re.search(r"^@ done$", self.said, re.M), f"it did not come to the end:\n{self.tail}"
        self.release, self.hertz, self.precise = booted[1], round(1e9 / int(booted[2])), booted[3] == "1"
        self.troubles = re.findall(r"^@ trouble (.*)$", self.said, re.M)
        runs = re.findall(r"^@ begin (.*)\n((?:.*\n)*?)@ end \1 (-?\d+)$", self.said, re.M)
        self.runs = {name: (text, int(status)) for name, text, status in runs}

    def of(self, name):
        """What a program said, if it ended well."""
        assert name in self.runs, f"it was not run:\n{self.tail}"
        text, status = self.runs[name]
        assert status == 0, f"it ended with {status}\n{text}"
        return text
