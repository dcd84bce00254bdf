"""What examples-ffi/SCENARIO.md describes. usage: python3 scenario.py HOST PORT"""

import os
import signal
import socket
import sys
import tempfile
import threading
import time
import zlib

import sock


def pair():
    near, far = socket.socketpair()
    return sock.Socket(near), sock.Socket(far)


def times_out(connection, seconds):
    """Whether a receive that gets nothing ends on time."""
    connection.settimeout(seconds)
    start = time.monotonic()
    try:
        connection.recv(1)
    except TimeoutError:
        return seconds <= time.monotonic() - start < seconds + 1
    return False


def not_ready():
    near, far = pair()
    near.settimeout(0)
    try:
        near.recv(1)
    except BlockingIOError:
        print("non-blocking: not ready")
    on_time = times_out(near, 0.25)
    far.send(b"x")
    if on_time and near.recv(1) == b"x":
        print("timeout of 0.25 s: fired on time, and the socket is still good")


def echo(address):
    data = (bytes(range(251)) * 33421)[:8 << 20]
    received = bytearray(len(data))
    with socket.create_connection(address) as plain:
        connection = sock.Socket(plain)
        connection.settimeout(30)
        sender = threading.Thread(target=connection.sendall, args=[data])
        sender.start()
        connection.recvall_into(received)
        sender.join()
    if received == data:
        print(f"echo: {len(received)} bytes there and back, Adler-32 {zlib.adler32(received):08x}")


def early_close():
    near, far = pair()
    far.sendall(bytes(1000))
    far.close()
    try:
        near.recvall_into(bytearray(4096))
    except BrokenPipeError as error:
        received = error.transferred
    try:
        near.sendall(bytes(4096))
    except BrokenPipeError as error:
        print(f"early close: {received} of 4096 bytes received, then {error.transferred} of 4096 sent")


def interrupted():
    near, _far = pair()
    handled = []
    signal.signal(signal.SIGALRM, lambda number, frame: handled.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    if times_out(near, 0.5) and handled == [signal.SIGALRM]:
        print("signal during a timeout of 0.5 s: handled, and fired on time")


def by_name():
    listener = sock.listen("127.0.0.1", 0)
    near = sock.dial("localhost", listener.local_address[1], 5)
    far = listener.accept()
    near.sendall(b"hello")
    if near.gettimeout() == 5 and far.recv(5, socket.MSG_WAITALL) == b"hello":
        print("by name: dialed, with a timeout of 5 s, and hello went through")


def lookup_error(host, service, code):
    try:
        sock.dial(host, service, 5)
    except socket.gaierror as error:
        return error.strerror if error.errno == code else str(error)


def lookups():
    host = lookup_error("no such host", 7, socket.EAI_NONAME)
    service = lookup_error("127.0.0.1", "no-such-service", socket.EAI_SERVICE)
    print(f"lookups that fail: {host}, {service}")
    try:
        sock.dial("127.0.0.1\0.example", 7, 5)
    except ValueError:
        print("a host with a NUL: refused")


def sizes():
    near, _far = pair()
    near.settimeout(0.25)
    if near.recv(0) == b"":
        print("receive of 0 bytes: nothing, at once")
    refused = 0
    for size in -1, 1 << 63:
        try:
            near.recv(size)
        except (ValueError, OverflowError):
            refused += 1
    if refused == 2:
        print("sizes of -1 and 2^63: refused")


def deadline():
    near, far = pair()
    start = time.monotonic()
    try:
        with sock.within(0.3):
            for _ in range(100):
                far.sendall(b"x")
                near.recv(1)
                time.sleep(0.02)
    except TimeoutError:
        if time.monotonic() - start >= 0.3:
            print("deadline of 0.3 s over many calls: on time, though the peer went on sending")


def cancelled():
    near, far = pair()
    far.sendall(bytes(1000))
    with sock.Token() as token:
        threading.Timer(0.1, token.cancel).start()
        try:
            with sock.within(token=token):
                near.recvall(4096)
        except sock.Cancelled as error:
            received = error.transferred
    far.sendall(b"x")
    if near.recv(1) == b"x":
        print(f"cancelled: {received} of 4096 bytes received, and the socket is still good")


def lines():
    near, far = pair()
    far.sendall(b"first\nsec")
    reader = near.lines()
    first = reader.readline()
    start = time.monotonic()
    try:
        with sock.within(0.1):
            reader.readline()
    except TimeoutError:
        if time.monotonic() - start < 0.1:
            return
    far.sendall(b"ond\nrest")
    far.close()
    second = reader.readline()
    rest = reader.unread + near.recvall(4 - len(reader.unread))
    print(f"lines: {first.decode().strip()}, {second.decode().strip()}; then {rest.decode()}")


def addresses():
    listener = sock.listen("127.0.0.1", 0)
    near = sock.dial("127.0.0.1", listener.local_address[1], 5)
    far = listener.accept()
    if near.remote_address == listener.local_address and near.local_address == far.remote_address:
        print(f"addresses: {near.remote_address[0]}, and each end's is what the other sees")


def datagram():
    server, client = sock.listen("127.0.0.1", "0/udp"), sock.listen("127.0.0.1", "0/udp")
    client.sendto(b"question", server.local_address)
    question, sender = server.recvfrom(100)
    server.sendto(b"answer", sender)
    answer, server_seen = client.recvfrom(100)
    if sender == client.local_address and server_seen == server.local_address:
        print(f"datagrams: {question.decode()} and {answer.decode()}, each with its sender's address")


def unix():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "socket")
        listener = sock.listen(path)
        near = sock.dial(path, None, 5)
        far = listener.accept()
        near.sendall(b"hello")
        if near.remote_address == path and far.recvall(5) == b"hello":
            print("Unix socket: dialed by its path, and hello went through")


def use_after_close():
    closed, _far = pair()
    closed.close()
    near, far = pair()  # One of these has its number now.
    errors = 0
    for use in (lambda: closed.sendall(b"astray"), lambda: closed.recv(1), lambda: closed.settimeout(0)):
        try:
            use()
        except OSError:
            errors += 1
    closed.close()
    near.sendall(b"x")
    far.sendall(b"y")
    if errors == 3 and far.recv(10) == b"x" and near.recv(10) == b"y":
        print("use after close: an error, and what has its number by then is left alone; closing twice: harmless")


def close_while_waiting():
    near, _far = pair()
    near.settimeout(10)
    threading.Timer(0.1, near.close).start()
    try:
        near.recv(1)
    except OSError as error:
        if not isinstance(error, TimeoutError):
            print("close while a receive waits: an error at once, and not the end of the stream")


def dropped():
    pair()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(500):
        pair()
    if len(os.listdir("/proc/self/fd")) <= before:
        print("1000 sockets dropped: no descriptor is left")


if __name__ == "__main__":
    not_ready()
    echo((sys.argv[1], int(sys.argv[2])))
    early_close()
    interrupted()
    by_name()
    lookups()
    sizes()
    deadline()
    cancelled()
    lines()
    addresses()
    datagram()
    unix()
    use_after_close()
    close_while_waiting()
    dropped()
