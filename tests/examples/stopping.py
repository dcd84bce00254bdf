"""A token stops what waits: a server of a thousand threads at once, and a receive that a handler cancels."""

import contextlib
import os
import resource
import signal
import socket
import time

from programs import Outcome, background, matches, program, same
from suite import SOURCE, Skip, compile_c, test

CLIENTS = 1000
TRIES = 5  # for a time that a busy machine may make longer once


def room_for(descriptors):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < descriptors:
        raise Skip(f"only {hard} descriptors are allowed")
    if soft != resource.RLIM_INFINITY and soft < descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))


def connect(address):
    client = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
    client.settimeout(60)
    client.connect(address)
    return client


def take(client, count):
    taken = bytearray()
    while len(taken) < count:
        piece = client.recv(count - len(taken))
        assert piece, "cut short"
        taken += piece
    return bytes(taken)


def waits_to_receive(client, number):
    """It has got back all that it sent. Gives how many bytes that were, and what is still to come: nothing."""
    given = os.urandom(1 + number * 7)
    client.sendall(given)
    assert take(client, len(given)) == given, "not what was sent"
    return len(given), b""


def waits_to_send(client, number):
    """It reads nothing, so that the server's thread waits for room. Gives what it got back so far, and what may come."""
    given = os.urandom(1 << 20)
    client.setblocking(False)
    sent, quiet = 0, time.monotonic() + 30
    while sent < len(given) and time.monotonic() < quiet:
        try:
            sent += client.send(given[sent:sent + 65536])
            quiet = time.monotonic() + 0.05
        except BlockingIOError:
            time.sleep(0.001)
    client.settimeout(60)
    return 0, given[:sent]


def rest(client):
    """All that comes until the end. A server that goes with bytes unread says so by a reset, after what it had sent."""
    taken = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(1 << 20):
            taken += piece
    return bytes(taken)


def stops(where, address, begin, count):
    """SIGTERM to a server that so many threads serve: how long it took to end, with all bytes accounted for."""
    with contextlib.ExitStack() as stack:
        server, line = stack.enter_context(background(program("echo-server"), where))
        address = address or ("127.0.0.1", int(matches(r"listening on .*:(\d+)\n", line)[1]))
        clients = [stack.enter_context(connect(address)) for _ in range(count)]
        begun = [begin(client, number) for number, client in enumerate(clients)]
        same(len(os.listdir(f"/proc/{server.pid}/task")), count + 1)
        start = time.monotonic()
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
        took = time.monotonic() - start
        printed, said = server.communicate()
        same((code, said), (0, ""))
        received, sent = map(int, matches(rf"clients served: {count}, bytes received: (\d+), sent: (\d+)\n", printed).groups())
        got = 0
        for client, (back, may_come) in zip(clients, begun):
            came = rest(client)
            assert may_come.startswith(came), "not what was sent"
            got += back + len(came)
        same(sent, got)
        if begin is waits_to_receive:
            same(received, got)
    return took


def stops_at_once(directory, where, begin, count):
    room_for(2 * count + 100)
    path = os.path.join(directory, "echo.sock") if where == "unix" else None
    times = []
    while len(times) < TRIES and (not times or times[-1] >= 0.1):
        times.append(stops(path or "0", path, begin, count))
        if path:
            os.unlink(path)
    assert times[-1] < 0.1, f"took {', '.join(f'{took:.3f}' for took in times)} s"
    return f"in {times[-1]:.3f} s"


def handler(directory):
    """Within 50 ms, but that the machine may be busy: then again."""
    interrupts = compile_c(os.path.join(directory, "interrupts"), os.path.join(SOURCE, "tests/examples/interrupts.c"))
    for _ in range(TRIES):
        outcome = Outcome(interrupts)
        if outcome.code != 3:
            break
    return outcome.text().strip()


def tests(directory):
    test("a handler's cancel ends a receive", handler, directory)
    test("echo-server ends 1,000 threads that wait to receive", stops_at_once, directory, "tcp", waits_to_receive, CLIENTS)
    test("echo-server ends 200 threads that wait to send", stops_at_once, directory, "unix", waits_to_send, 200)
