"""What examples-ffi/SCENARIO.md describes. usage: python3 scenario.py HOST PORT"""

import signal
import socket
import sys
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
    try:
        sock.dial("127.0.0.1\0.example", 7, 5)
    except ValueError:
        print(f"lookups that fail: {host}, {service}")


if __name__ == "__main__":
    not_ready()
    echo((sys.argv[1], int(sys.argv[2])))
    early_close()
    interrupted()
    by_name()
    lookups()
