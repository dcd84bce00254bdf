"""What the suites in Python share: how a test is run, reported and skipped, and how commands are."""

import os
import re
import shutil
import subprocess
import traceback

SOURCE, BUILD = os.environ["LIBSOCK_SOURCE"], os.environ["LIBSOCK_BUILD"]
CC = os.environ.get("CC", "cc")
CARGO = os.environ.get("CARGO", "cargo")
CARGOFLAGS = os.environ.get("CARGOFLAGS", "").split()

# What programs in C share, and where it and sock.h are found.
HARNESS = os.path.join(SOURCE, "tests/support/harness.c")
INCLUDES = ["-I", os.path.join(SOURCE, "include"), "-I", os.path.join(SOURCE, "tests/support")]

# The form of a campaign: 0 is short, 1 is long, and a greater number is for how many seconds it runs.
LONG = int(os.environ.get("LIBSOCK_LONG") or 0)

# The names in symbols and relocations that show a panic.
PANIC = re.compile(r"panic|unwind|rust_begin|rust_eh_personality|core\.\.fmt|4core3fmt")


class Skip(Exception):
    """The test cannot run here, and why."""


def test(name, body, *arguments):
    """Runs a test: it passes unless it raises something, and may return what it found. LIBSOCK_ONLY is a pattern for names."""
    if not re.search(os.environ.get("LIBSOCK_ONLY", ""), name):
        return
    try:
        found = body(*arguments)
        print(f"ok {name}" + (f": {found}" if found else ""), flush=True)
    except Skip as why:
        print(f"skip {name}: {why}", flush=True)
    except AssertionError as why:
        first, *rest = str(why).splitlines() or ["failed"]
        print("\n".join([f"not ok {name}: {first}", *("    " + line for line in rest)]), flush=True)
    except Exception as error:
        print(f"not ok {name}: {error!r}\n{traceback.format_exc()}", flush=True)


def need(*tools):
    """Skips the test unless the tools are there."""
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f"{tool} is missing")


def need_strace():
    need("strace")
    traced = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if traced.returncode != 0:
        raise Skip(f"strace is not permitted here ({traced.stdout.decode(errors='replace').strip()})")


def run(*command, **options):
    """Runs a command and gives what it printed. If the command fails, the test fails."""
    process = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             errors="replace", **options)
    if process.returncode != 0:
        raise AssertionError(f"{' '.join(command)} failed with exit code {process.returncode}\n{process.stdout}")
    return process.stdout


def for_make(path):
    """A path for make, relative to the source: make runs there, and the path of the source may have a space."""
    return os.path.relpath(path, SOURCE) if path.startswith(SOURCE + os.sep) else path


def seconds(short, long):
    """For how many seconds a campaign without an end runs."""
    return LONG if LONG > 1 else long if LONG else short


def compile_c(program, *sources):
    """A program in C, with the shared library that was built."""
    run(CC, "-std=c11", "-O2", "-pedantic", "-Wall", "-Wextra", "-Werror", *INCLUDES, "-o", program, *sources, HARNESS, "-pthread",
        "-L", BUILD, "-lsock", "-Wl,-rpath," + BUILD)
    return program


def same(found, expected):
    """Two sets of names are the same."""
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    assert not missing and not extra, f"missing {missing}, unexpected {extra}"


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def promised():
    """The names of the functions, of which abi/symbols.txt is the one list."""
    return sorted(re.findall(r"^(sock_\w+) ", read(SOURCE, "abi/symbols.txt"), re.M))


def exemptions():
    """The functions that each place may do without."""
    exempt = {}
    for line in read(SOURCE, "tests/functions/exemptions.txt").splitlines():
        if not line.startswith("#"):
            place, names = re.fullmatch(r"(\w+): ([\w ]+) \(.+\)", line).groups()
            exempt.setdefault(place, set()).update(names.split())
    return exempt


def wanted(place):
    """The functions that a place must know."""
    return sorted(set(promised()) - exemptions().get(place, set()))


def copy_source(to):
    """Copies the source without what was built."""
    shutil.copytree(SOURCE, to, ignore=lambda directory, names: [".git", "build", "target"] if directory == SOURCE else [])
    return to
