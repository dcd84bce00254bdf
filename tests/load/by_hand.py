"""The servers and the client among the examples, and the same programs by poll(2): how many system calls each makes under load."""

import collections
import concurrent.futures
import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

from suite import BUILD, LONG, SOURCE, compile_c, need_strace

CONNECTIONS = 1000 if LONG else 20
PIECES = 3
PAGE = b"x" * 4000
# Calls of other kinds are what the mode costs that a socket keeps. sock_accept_until makes the listener one that does not wait, once
# for each thread that meets it (and more than once where several set it at once); looks before each attempt whether it still is; and clears what a connection inherits of it.
# sock_dial_until asks how the attempt ended, sees to it that it is not connected to itself, and leaves blocking mode.
FOR_THE_MODE = {"fcntl", "setsockopt", "getsockopt", "ioctl", "getsockname", "getpeername"}
EACH_THREAD, EACH_ATTEMPT, EACH_CONNECTION, EACH_DIAL = 50, 1, 2, 4
STRACE = ["strace", "-f", "-qq", "-s", "32", "-e", "trace=%network,poll,ppoll,fcntl,ioctl,write"]


class Counts:
    """Of system calls in a trace, between its marks."""

    def __init__(self, path, begin, end="--- SIGTERM"):
        self.calls = collections.Counter()
        self.attempts = self.accepted = self.waits = 0
        self.accepting, self.at_first = set(), collections.Counter()
        self.unfinished = {}
        waiting, begun = set(), False
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if end in line and begun:
                    break
                if not begun:
                    begun = begin in line
                    continue
                self.take(line, waiting)
        # What had not returned when the signal came may have been a wait.
        self.calls.subtract(name for name in self.unfinished.values() if name != "poll")

    def take(self, line, waiting):
        thread, text = line.split(None, 1)
        call = re.match(r"(\w+)\(|<\.\.\. (\w+) resumed>", text)
        if not call:
            return
        name = call[1] or call[2]
        if call[1] and name != "write":
            if "<unfinished ...>" in text:
                self.unfinished[thread] = name.replace("ppoll", "poll")
            # A wait is an attempt in vain and a poll, however often the moment has it so: those two are not counted.
            if name in ("poll", "ppoll") and thread in waiting:
                waiting.discard(thread)
            else:
                self.calls[name.replace("ppoll", "poll")] += 1
            if name in FOR_THE_MODE and thread not in self.accepting:
                self.at_first[thread] += 1
            if name == "accept4":
                self.accepting.add(thread)
                self.attempts += 1
        elif not call[1]:
            self.unfinished.pop(thread, None)
        result = re.search(r"\) += (-?\d+)(?: (E\w+))?", text)
        if result and result[2] == "EAGAIN":
            self.calls[name] -= 1
            self.waits += 1
            waiting.add(thread)
        if result and name == "accept4":
            self.accepted += int(result[1]) >= 0

    def of_the_mode(self):
        return sum(self.calls[name] for name in FOR_THE_MODE)

    def without_the_mode(self):
        return {name: count for name, count in self.calls.items() if name not in FOR_THE_MODE and count}


def allow_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 200
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


@contextlib.contextmanager
def traced(log, *command):
    """A server under strace: its own process, and the first line that it printed."""
    with subprocess.Popen([*STRACE, "-o", log, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="utf-8") as file:
                server = int(file.read().split()[0])
            yield server, line
            os.kill(server, signal.SIGTERM)
            process.communicate(timeout=60)
        finally:
            process.kill()


def connect_all(port):
    return [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(CONNECTIONS)]


def receive_all(end, length):
    data = b""
    while len(data) < length:
        part = end.recv(65536)
        assert part, "closed in the middle"
        data += part
    return data


def talk_to_echo_server(server, port):
    ends = connect_all(port)
    for _ in range(PIECES):
        for end in ends:
            end.sendall(PAGE)
        for end in ends:
            assert receive_all(end, len(PAGE)) == PAGE, "another echo"
    for end in ends:
        end.close()
    deadline = time.monotonic() + 60
    while len(os.listdir(f"/proc/{server}/task")) > 1:
        assert time.monotonic() < deadline, "a client is still served"
        time.sleep(0.01)


def talk_to_serve(_, port):
    ends = connect_all(port)
    for end in ends:
        end.sendall(b"GET / HTTP/1.0\r\n\r\n")
    for end in ends:
        assert receive_all(end, 19 + len(PAGE)).endswith(PAGE), "another page"
        assert end.recv(1) == b""
        end.close()


def of_server(directory, program, talk, *arguments):
    log = os.path.join(directory, "trace")
    with traced(log, program, *arguments) as (server, line):
        talk(server, int(re.search(r":(\d+)", line)[1]))
    return Counts(log, "write(1, \"")


def of_fetch(directory, program, _):
    """All that many of them make."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def answer():
        with contextlib.suppress(OSError):
            while True:
                end, _ = listener.accept()
                with end:
                    end.settimeout(60)
                    request = b""
                    while not request.endswith(b"\r\n\r\n"):
                        request += end.recv(65536)
                    end.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + PAGE)

    def fetch(number):
        log = os.path.join(directory, f"trace-{number}")
        command = [*STRACE, "-o", log, program, f"http://127.0.0.1:{listener.getsockname()[1]}/"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 0 and done.stdout == PAGE, done.stderr.decode()
        counts = Counts(log, "socket(", "+++")
        os.unlink(log)
        return counts

    threads = [threading.Thread(target=answer, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    with listener, concurrent.futures.ThreadPoolExecutor(8) as pool:
        each = list(pool.map(fetch, range(CONNECTIONS)))
        listener.shutdown(socket.SHUT_RDWR)
    total = each[0]
    for counts in each[1:]:
        total.calls.update(counts.calls)
        total.waits += counts.waits
    return total


def compare(directory, name):
    """The program makes the calls of the one by hand, and for the modes no more than is known."""
    need_strace()
    allow_descriptors()
    page = os.path.join(directory, "page")
    with open(page, "wb") as file:
        file.write(PAGE)
    measure, talk = {"echo-server": (of_server, talk_to_echo_server), "serve": (of_server, talk_to_serve), "fetch": (of_fetch, None)}[name]
    arguments = [talk, page] if name == "serve" else [talk]
    by_hand = compile_c(os.path.join(directory, name), os.path.join(SOURCE, f"tests/load/by-poll/{name}.c"))
    ours = measure(directory, os.path.join(BUILD, "examples-c", name), *arguments)
    theirs = measure(directory, by_hand, *arguments)
    mine, hand = ours.without_the_mode(), theirs.without_the_mode()
    more = {each: (count, hand.get(each, 0)) for each, count in mine.items() if count > hand.get(each, 0)}
    assert not more, f"more than by hand (ours, by hand): {more}"
    begun = sum(ours.at_first[thread] for thread in ours.accepting)
    known = EACH_DIAL * CONNECTIONS if name == "fetch" else EACH_ATTEMPT * ours.attempts + EACH_CONNECTION * ours.accepted
    known += sum(hand.values()) - sum(mine.values())  # Where by hand there is a poll, sock_wait_until may look only at the socket.
    assert begun <= EACH_THREAD * len(ours.accepting), f"{begun} calls to begin to accept, of {len(ours.accepting)} threads"
    assert ours.of_the_mode() - begun <= known, f"{ours.of_the_mode()} calls for modes where {begun} + {known} are known: {dict(ours.calls)}"
    return (f"{CONNECTIONS} connections, {sum(mine.values())} calls, by hand {sum(hand.values())}, and {ours.waits} and {theirs.waits} waits; "
            f"for modes {ours.of_the_mode()}, by hand {theirs.of_the_mode()}")
