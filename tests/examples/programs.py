"""What the tests of the examples share: the programs, what becomes of one, and peers for it to talk to."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

from suite import BUILD, SOURCE, Skip

LIBRARY = ["-I" + os.path.join(SOURCE, "include"), "-L" + BUILD, "-lsock", "-Wl,-rpath," + BUILD]
VALGRIND = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"]
LATE = 2  # seconds that a timeout may be late on a busy machine, with the start of the program


def program(name):
    return os.path.join(BUILD, "examples-c", name)


def same(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def matches(pattern, text):
    match = re.fullmatch(pattern, text)
    assert match, f"{text!r} does not match {pattern!r}"
    return match


class Outcome:
    """What became of a command: its exit code, what it printed, and how long it took."""

    def __init__(self, *command, given=b"", stdout=subprocess.PIPE):
        start = time.monotonic()
        process = subprocess.run(command, input=given, stdout=stdout, stderr=subprocess.PIPE, timeout=120)
        self.took = time.monotonic() - start
        self.code, self.body, self.said = process.returncode, process.stdout, process.stderr.decode()

    def is_code(self, code):
        assert self.code == code, f"exit code {self.code} and not {code}: {self.said}"
        return self

    def text(self):
        """The output of a program that has nothing to complain of."""
        self.is_code(0)
        same(self.said, "")
        return self.body.decode()


@contextlib.contextmanager
def background(*command):
    """A running server and the first line that it printed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def catches(process, number):
    """Whether it has a handler for the signal by now."""
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"^SigCgt:\s*(\w+)", status.read(), re.M)[1], 16) >> number - 1 & 1


def activity(process):
    """What it does, such as S for sleeping, and the processor time that it has used."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[11:13]


def await_sleep(process):
    """Waits until a program has nothing to do, also on a busy machine; but not for long, as there are some that always have."""
    for _ in range(20):
        before = activity(process)
        time.sleep(0.05)
        if before[0] == "S" and before == activity(process):
            break


def interrupt(command, given=None):
    """Ctrl-C for a program that nothing else ends: its exit code, what it said, and how long it took."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as process:
        try:
            if given:
                process.stdin.write(given)
                process.stdin.flush()
            while process.poll() is None and not catches(process, signal.SIGINT):
                time.sleep(0.01)
            time.sleep(0.5)
            await_sleep(process)
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]
            return process.returncode, said, time.monotonic() - start
        finally:
            process.kill()


def listen(host):
    try:
        return socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Skip(f"no {host} here: {error}")


@contextlib.contextmanager
def peer(talk, host="127.0.0.1"):
    """A server of the test's own, which talks to one client; gives its address and port."""
    listener = listen(host)

    def serve():
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(60)
                talk(connection)

    with listener:
        listener.settimeout(60)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield host, str(listener.getsockname()[1])
        thread.join(60)
        assert not thread.is_alive(), "the connection was not closed"


def refusing_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])
