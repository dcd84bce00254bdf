"""CPython's socket module, put to the harness's measures. usage: cpython.py MEASURE [ARGUMENT...]"""

import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import time

MESSAGE = bytes(64)
TIMEOUT = 10.0
LARGE = 8 << 20
CORES = sorted(os.sched_getaffinity(0), reverse=True)


def pin(core):
    if core >= len(CORES):
        raise RuntimeError("a second core to run on")
    os.sched_setaffinity(0, {CORES[core]})


def listener():
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def pair(domain):
    if domain == "unix":
        ends = socket.socketpair()
    else:
        with listener() as listening:
            client = socket.create_connection(listening.getsockname())
            ends = client, listening.accept()[0]
        for end in ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for end in ends:
        end.settimeout(TIMEOUT)
    return ends


def print_median(times, each):
    print(sorted(times)[len(times) // 2] / each)


def in_child(work):
    """Threads would share the interpreter's lock; the other end is a process."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid


def recvall(end, view):
    done = 0
    while done < len(view):
        more = end.recv_into(view[done:])
        if more == 0:
            raise EOFError
        done += more


def ready(domain, batches, receiving):
    pin(0)
    end, other = pair(domain)
    times = []
    for batch in range(batches + 2):
        if receiving:
            for _ in range(64):
                other.send(MESSAGE)
        start = time.thread_time_ns()
        if receiving:
            for _ in range(64):
                end.recv(64)
        else:
            for _ in range(64):
                end.send(MESSAGE)
        times.append(time.thread_time_ns() - start)
        if not receiving:
            for _ in range(64):
                other.recv(64)
    print_median(times[2:], 64)


def recv(domain, batches):
    ready(domain, int(batches), True)


def send(domain, batches):
    ready(domain, int(batches), False)


def pingpong(domain, cores, batches):
    pin(int(cores) - 1)
    pin(0)
    end, other = pair(domain)
    count = int(batches) + 1

    def echo():
        pin(int(cores) - 1)
        for _ in range(count * 100):
            other.send(other.recv(64))

    in_child(echo)
    times = []
    for _ in range(count):
        start = time.monotonic_ns()
        for _ in range(100):
            end.send(MESSAGE)
            end.recv(64)
        times.append(time.monotonic_ns() - start)
    print_median(times[1:], 100)


def bulk(domain, step, mebibytes, _cores, _buffer):
    step, mebibytes = int(step), int(mebibytes)
    count = (mebibytes << 20) // step
    pin(0)
    end, other = pair(domain)

    def read():
        pin(1)
        view = memoryview(bytearray(step))
        for _ in range(count):
            recvall(other, view)

    data = bytes(step)
    start = time.monotonic_ns()
    child = in_child(read)
    for _ in range(count):
        end.sendall(data)
    os.waitpid(child, 0)
    print((time.monotonic_ns() - start) / mebibytes)


def connect(batches):
    pin(0)
    listening = listener()
    listening.settimeout(TIMEOUT)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    times = []
    for _ in range(int(batches) + 1):
        start = time.thread_time_ns()
        for _ in range(20):
            client = socket.socket()
            client.settimeout(TIMEOUT)
            client.connect(listening.getsockname())
            server, _ = listening.accept()
            server.close()
            client.close()
        times.append(time.thread_time_ns() - start)
    print_median(times[1:], 20)


def exchange(end, view):
    deadline = time.monotonic() + TIMEOUT
    end.settimeout(deadline - time.monotonic())
    end.sendall(MESSAGE)
    done = 0
    while done < len(view):
        end.settimeout(deadline - time.monotonic())
        done += end.recv_into(view[done:])


def request(length, batches):
    pin(0)
    view = memoryview(bytearray(int(length)))
    with subprocess.Popen([os.environ["BENCH"], "server", length], stdout=subprocess.PIPE) as server:
        times = []
        with socket.create_connection(("127.0.0.1", int(server.stdout.readline()))) as end:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(int(batches) + 1):
                start = time.monotonic_ns()
                for _ in range(20):
                    exchange(end, view)
                times.append(time.monotonic_ns() - start)
    print_median(times[1:], 20)


def settimeout(batches):
    pin(0)
    end, _ = pair("unix")
    times = []
    for _ in range(int(batches) + 1):
        start = time.thread_time_ns()
        for _ in range(50):
            end.settimeout(TIMEOUT / 2)
            end.settimeout(TIMEOUT)
        times.append(time.thread_time_ns() - start)
    print_median(times[1:], 100)


def expire(seconds, count):
    end, _other = pair("unix")
    end.settimeout(float(seconds))
    for _ in range(int(count)):
        start = time.monotonic_ns()
        try:
            end.recv(64)
        except TimeoutError:
            print(time.monotonic_ns() - start - round(float(seconds) * 1e9))


lateness = expire


def storm(seconds):
    signal.signal(signal.SIGUSR1, lambda *_: None)
    with subprocess.Popen([os.environ["BENCH"], "signals", str(os.getpid())]) as process:
        expire(seconds, 1)
        process.kill()


def calls(operation, count):
    count = int(count)
    end, other = pair("tcp" if operation.endswith("tcp") else "unix")
    other.settimeout(None)
    listening = listener()
    listening.settimeout(TIMEOUT)

    def repeat(work, pause=0.0):
        def run():
            for _ in range(count):
                time.sleep(pause)
                work()
            time.sleep(0.005)  # Its end is a signal, which is better not among what is counted.
        return run

    def slowly(work):
        def run():
            for at in range(0, LARGE, 128 << 10):
                time.sleep(0.002)
                work(view[at:at + (128 << 10)])
        return run

    def connect_plainly():
        kept.append(socket.create_connection(listening.getsockname()))

    def expire():
        try:
            end.recv(64)
        except TimeoutError:
            pass

    def answer():
        other.recv(64)
        time.sleep(0.005)
        other.send(MESSAGE)

    kept, address = [], listening.getsockname()
    unconnected = [socket.socket() for _ in range(25)]  # As many, however few are connected.
    for client in unconnected:
        client.settimeout(TIMEOUT)
    view = memoryview(bytearray(LARGE))
    large = bytes(LARGE)
    child, work = {
        "recv-ready": (lambda: other.send(MESSAGE), lambda: end.recv(64)),
        "recv-waiting": (lambda: other.send(MESSAGE), lambda: end.recv(64)),
        "recv-expiring": (None, expire),
        "send": (None, lambda: end.send(MESSAGE)),
        "sendall-unix": (slowly(lambda part: recvall(other, part)), lambda: end.sendall(large)),
        "sendall-tcp": (slowly(lambda part: recvall(other, part)), lambda: end.sendall(large)),
        "recvall": (slowly(other.sendall), lambda: recvall(end, view)),
        "accept-ready": (connect_plainly, lambda: listening.accept()[0].close()),
        "accept-waiting": (connect_plainly, lambda: listening.accept()[0].close()),
        "connect": (None, lambda: unconnected.pop().connect(address)),
        "settimeout": (None, lambda: end.settimeout(TIMEOUT)),
        "settimeout-same": (None, lambda: end.settimeout(TIMEOUT)),
        "request-ready": (lambda: other.send(MESSAGE), lambda: exchange(end, view[:64])),
        "request-waiting": (answer, lambda: exchange(end, view[:64])),
    }[operation]
    if operation == "recv-expiring":
        end.settimeout(0.05)
    if child:
        pid = in_child(repeat(child, 0.005 if operation.endswith("waiting") else 0))
        if operation.endswith("ready"):
            os.waitpid(pid, 0)
    for _ in range(count):
        work()


def version():
    print("cpython", platform.python_version())


if __name__ == "__main__":
    try:
        globals()[sys.argv[1]](*sys.argv[2:])
    except (OSError, RuntimeError) as error:
        print("fail", error)
