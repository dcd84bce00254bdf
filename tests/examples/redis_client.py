"""redis-client: against Redis itself, and against servers that are slower, and its system calls counted."""

import contextlib
import os
import re
import socket
import struct
import subprocess
import threading
import time

from programs import LATE, Outcome, program, same
from suite import SOURCE, Skip, compile_c, need, read, test

COMMANDS = 200


@contextlib.contextmanager
def redis(directory):
    """A Redis of the test's own, on a Unix socket alone."""
    need("redis-server")
    path = os.path.join(directory, "redis.sock")
    with subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as server:
        try:
            printed = ""
            while "eady to accept connections" not in printed:
                line = server.stdout.readline()
                assert line, f"redis-server did not start:\n{printed}"
                printed += line
            yield path
        finally:
            server.kill()


@contextlib.contextmanager
def peer(directory, talk):
    """A server of the test's own, which talks to one client."""
    path = os.path.join(directory, "peer.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(60)

        def serve():
            with contextlib.suppress(ConnectionError, TimeoutError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(60)
                    talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        thread.join(60)
    os.unlink(path)
    assert not thread.is_alive(), "the connection was not closed"


def ask(path, *commands, seconds=(), under=()):
    return Outcome(*under, program("redis-client"), path, *seconds, given="".join(c + "\n" for c in commands).encode())


def answers(directory, *under):
    asked = {"SET greeting hello": "OK", "GET greeting": "hello", "GET nothing": "(nil)", "INCR n": "1", "INCRBY n -5": "-4",
             "RPUSH list a b c": "3", "LRANGE list 0 -1": "a b c", "LRANGE none 0 -1": "",
             "EVAL return{1,{'x',{2}},''} 0": "1 x 2 ", "SETRANGE long 60000 x": "60001", "GET long": "\0" * 60000 + "x",
             "PING": "PONG", "INCR greeting": "ERR value is not an integer or out of range"}
    with redis(directory) as path:
        outcome = ask(path, *asked, "", "  ", under=under)
        same(outcome.text(), "".join(answer + "\n" for answer in asked.values()))
        same(ask(path, "SETRANGE long 70000 x", "GET long").is_code(1).said, "redis-client: Message too long\n")


def is_short():
    lines = len(read(SOURCE, "examples-c/redis-client.c").splitlines())
    assert lines < 70, f"{lines} lines"
    return f"{lines} lines"


def hold(connection):
    while connection.recv(65536):
        pass


def piecewise(*pieces):
    def talk(connection):
        connection.recv(65536)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.1)
        hold(connection)
    return talk


def times_out(directory, talk):
    with peer(directory, talk) as path:
        outcome = ask(path, "GET x", seconds=["0.5"]).is_code(2)
    same(outcome.said, "redis-client: Timed out\n")
    assert 0.5 <= outcome.took < 0.5 + LATE, f"0.5 s took {outcome.took:.3f} s"


def in_pieces(directory):
    with peer(directory, piecewise(b"$1", b"2\r", b"\nhello", b" ", b"world\r\r", b"\n")) as path:
        same(ask(path, "GET x").text(), "hello world\r\n")


def cut_short(directory):
    with peer(directory, lambda connection: (connection.recv(65536), connection.sendall(b"$5\r\nhel"))) as path:
        same(ask(path, "GET x").is_code(1).said, "redis-client: Connection closed\n")


# System calls

POLLS = {"x86_64": (7, 271), "aarch64": (73,)}  # poll and ppoll


def answer_who_waits(count):
    """Answers each command, but not before the client has begun to wait: so what it does is the same on every machine."""
    def talk(connection):
        client = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        for _ in range(count):
            connection.recv(65536)
            deadline = time.monotonic() + 30
            while read(f"/proc/{client}/syscall").split()[0] not in map(str, POLLS[os.uname().machine]):
                assert time.monotonic() < deadline, "the client does not wait"
            connection.sendall(b"+OK\r\n")
    return talk


def calls(directory, count, *command):
    """How many system calls the program makes in all, when it has so many commands to send."""
    trace = os.path.join(directory, "trace")
    with peer(directory, answer_who_waits(count)) as path:
        outcome = Outcome("strace", "-qq", "-o", trace, *command, path, given=b"PING\n" * count)
        outcome.is_code(0)
    same(outcome.body.count(b"OK"), count)
    return len(re.findall(r"^\w+\(", read(trace), re.M))


def no_more_calls_than_poll(directory):
    need("strace")
    if os.uname().machine not in POLLS:
        raise Skip(f"the numbers of poll on {os.uname().machine} are not known here")
    try:
        read("/proc/self/syscall")
    except OSError as error:
        raise Skip(f"what a process waits in cannot be seen: {error}")
    by_poll = compile_c(os.path.join(directory, "redis-by-poll"), os.path.join(SOURCE, "tests/examples/redis-by-poll.c"))
    ours, theirs = (calls(directory, COMMANDS, command) - calls(directory, 0, command)
                    for command in [program("redis-client"), by_poll])
    assert ours <= theirs, f"{ours} for {COMMANDS} commands, and {theirs} by poll alone"
    # send, recv, ppoll, recv, and what reads and writes for stdio
    assert ours <= 4 * COMMANDS + 4, f"{ours} for {COMMANDS} commands"
    return f"{ours} for {COMMANDS} commands, {theirs} by poll alone"


def tests(directory):
    test("redis-client gets answers of Redis", answers, directory)
    test("redis-client is short", is_short)
    test("redis-client times out on silence", times_out, directory, hold)
    test("redis-client times out on a byte each 0.1 s", times_out, directory, piecewise(b"$9\r\n", *[b"x"] * 9))
    test("redis-client takes an answer in pieces", in_pieces, directory)
    test("redis-client sees an answer cut short", cut_short, directory)
    test("redis-client makes no more system calls than a poll program", no_more_calls_than_poll, directory)
