"""What Python alone has the notion of. usage: python.py BINDING-DIRECTORY HOW-OFTEN SECONDS [CHECK]; instant.c is preloaded"""

import array
import contextlib
import ctypes
import errno
import fcntl
import gc
import math
import os
import random
import resource
import signal
import socket
import ssl
import subprocess
import sys
import termios
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import sock

OFTEN, SOON = int(sys.argv[2]), float(sys.argv[3])
instant = ctypes.CDLL(None)
instant.instant_moment.restype = ctypes.c_double


class Interruption(Exception):
    pass


def interrupt(*_):
    raise Interruption


def pair():
    near, far = socket.socketpair()
    return sock.Socket(near), sock.Socket(far)


def raises(kind, call, *arguments, **named):
    try:
        result = call(*arguments, **named)
    except kind as error:
        return error
    except BaseException as error:
        raise AssertionError(f"{error!r}, not {kind}") from error
    raise AssertionError(f"{result!r}, not {kind}")


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def ctrl_c():
    """Every signal ends its wait, the one that comes in the instant before the system call too."""
    near, far = pair()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    slowest = 0
    near.settimeout(5)
    for i in range(OFTEN):
        try:
            if i % 2:
                instant.instant_after(random.randrange(2000))
            else:
                instant.instant_before(1 + i // 2 % 3)  # The attempt, the one after it, and the wait.
            near.recv(1)
            raise AssertionError("nothing was to be received")
        except KeyboardInterrupt:
            slowest = max(slowest, time.monotonic() - instant.instant_moment())
        except TimeoutError:
            raise AssertionError(f"the signal of wait {i} did not end it") from None
    far.send(b"x")
    assert near.recv(1) == b"x"
    assert slowest < SOON, f"only after {slowest:.3f} s"
    return f"{OFTEN} of {OFTEN}, the slowest after {slowest * 1e3:.1f} ms"


def handler_returns():
    near, _far = pair()
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(time.monotonic()))
    for before in 1, 2, 3:
        near.settimeout(0.2)
        instant.instant_before(before)
        start = time.monotonic()
        raises(TimeoutError, near.recv, 1)
        assert time.monotonic() - start >= 0.2
        assert len(seen) == before and seen[-1] - start < 0.1, "it ran only after the wait"


def counts():
    """A handler that raises, in the middle of a whole buffer: what was moved is told."""
    near, far = pair()
    signal.signal(signal.SIGINT, interrupt)
    instant.instant_after(100_000)
    error = raises(Interruption, near.sendall, bytes(8 << 20))
    far.settimeout(0)
    came = 0
    while came < error.transferred:
        came += len(far.recv(1 << 20))
    raises(BlockingIOError, far.recv, 1)
    far.settimeout(None)
    near.sendall(b"begin")
    buffer = bytearray(10)
    instant.instant_after(100_000)
    assert raises(Interruption, far.recvall_into, buffer).transferred == 5 and buffer[:5] == b"begin"
    near.sendall(b"begin")
    instant.instant_after(100_000)
    assert raises(Interruption, far.recvall, 10).data == b"begin"


def closing_handler():
    near, far = pair()
    signal.signal(signal.SIGINT, lambda *_: near.close())
    near.settimeout(5)
    far.sendall(b"begin")
    instant.instant_after(100_000)
    error = raises(OSError, near.recvall, 10)
    assert error.errno == errno.EBADF and error.transferred == 5 and error.data == b"begin", error


def closed_elsewhere():
    """A close by another thread ends every kind of wait, and the descriptor lives as long as somebody has it."""
    near, far = pair()
    outcomes = []
    waiting = [threading.Thread(target=lambda: outcomes.append(raises(OSError, near.recv, 1).errno)) for _ in range(10)]
    for thread in waiting:
        thread.start()
    time.sleep(0.1)
    near.close()
    for thread in waiting:
        thread.join(20)
    assert outcomes == [errno.EBADF] * 10, outcomes
    near, far = pair()
    far.sendall(b"begin")
    closing = threading.Thread(target=close_when_taken, args=[near])
    closing.start()
    error = raises(OSError, near.recvall, 10)
    assert error.errno == errno.EBADF and error.data == b"begin", error
    closing.join()
    near, far = pair()
    threading.Timer(0.1, near.close).start()
    error = raises(OSError, near.sendall, bytes(8 << 20))
    assert error.errno == errno.EBADF and raises(BrokenPipeError, far.recvall, 8 << 20).transferred == error.transferred
    listener = sock.listen("127.0.0.1", 0)
    waiting = threading.Thread(target=raises, args=[OSError, listener.accept])
    waiting.start()
    time.sleep(0.1)
    number, child = listener.fileno(), os.fork()
    if child == 0:  # Which has not the thread that waits, but may close all the same.
        listener.close()
        os._exit(os.path.exists(f"/proc/self/fd/{number}"))
    assert os.waitpid(child, 0)[1] == 0
    assert waiting.is_alive()
    listener.close()
    waiting.join(20)
    assert not waiting.is_alive() and not os.path.exists(f"/proc/self/fd/{number}")


def close_when_taken(connection):
    unread = array.array("i", [1])
    while unread[0]:
        time.sleep(0.01)
        fcntl.ioctl(connection, termios.FIONREAD, unread)
    connection.close()


def closed_and_used_again():
    """Others' data stay theirs, however often descriptors are closed while somebody waits with them."""
    stop, astray = time.monotonic() + 0.5, []

    def others():
        while time.monotonic() < stop:
            one, other = socket.socketpair()
            other.send(b"theirs")
            one.settimeout(5)
            time.sleep(random.random() * 0.001)
            got = one.recv(10)
            if got != b"theirs":
                astray.append(got)

    def receives(connection):
        with contextlib.suppress(OSError):
            while connection.fileno() >= 0:
                with contextlib.suppress(TimeoutError):
                    astray.append(connection.recv(10))

    beside = [threading.Thread(target=others) for _ in range(2)]
    for thread in beside:
        thread.start()
    while time.monotonic() < stop:
        near, _far = pair()
        near.settimeout(0.0005)
        thread = threading.Thread(target=receives, args=[near])
        thread.start()
        time.sleep(random.random() * 0.002)
        near.close()
        thread.join()
    for thread in beside:
        thread.join()
    assert astray == [], astray


def dial_interrupted():
    """A dial that a handler ends leaves no descriptor; one that it does not, goes on."""
    listener = sock.listen("127.0.0.1", 0)
    port = listener.local_address[1]
    signal.signal(signal.SIGINT, lambda *_: None)
    for _ in range(20):
        last = instant.instant_moment()
        instant.instant_after(random.randrange(500))
        sock.dial("localhost", port, 5).close()
        listener.accept().close()
        while instant.instant_moment() == last:
            time.sleep(0.001)
    with sock.listen("127.0.0.1", 0, 1) as full:
        address = full.local_address
        ahead = [socket.create_connection(address) for _ in range(2)]  # The queue is full: it answers nobody.
        gc.collect()
        gc.disable()
        open_before = descriptors()
        signal.signal(signal.SIGINT, interrupt)
        for _ in range(5):
            instant.instant_after(50_000)
            raises(Interruption, sock.dial, *address, 20)
        assert descriptors() == open_before, f"{descriptors()} descriptors, not {open_before}"
        gc.enable()
        for one in ahead:
            one.close()


def interrupted_anywhere():
    """A handler that raises at any moment leaves neither a descriptor nor a buffer that somebody has."""
    listener = sock.listen("127.0.0.1", 0, 1000)
    address = listener.local_address
    near, far = pair()
    at_random(lambda: (near.settimeout(0.001), near.recv(1)))
    gc.disable()
    before = descriptors()
    for _ in range(OFTEN):
        at_random(lambda: sock.dial(*address, 5))
    for _ in range(OFTEN):
        near, far = pair()
        buffer = bytearray(10)
        at_random(lambda near=near, buffer=buffer: (near.settimeout(0.001), near.recv_into(buffer)))
        buffer.append(0)
        near.close()
        assert far.recv(1) == b""
    del near, far
    gc.enable()
    end = time.monotonic() + 20
    while descriptors() > before:  # A dial that was abandoned ends in its thread.
        assert time.monotonic() < end, f"{descriptors()} descriptors, not {before}"
        time.sleep(0.01)


def at_random(call):
    """Calls, while a handler raises at some moment."""
    armed = True

    def raises_once(*_):
        nonlocal armed
        if armed:
            armed = False
            raise Interruption

    signal.signal(signal.SIGINT, raises_once)
    try:
        instant.instant_after(random.randrange(1000))
        with contextlib.suppress(OSError):
            call()
        while armed:
            time.sleep(0.001)
    except Interruption:
        pass


def asyncio_hears():
    """Who else listens for signals is told of those that came meanwhile, and listens on afterwards."""
    near, _far = pair()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.set_wakeup_fd(writer.fileno())
    try:
        near.settimeout(0.2)
        instant.instant_after(50_000)
        raises(TimeoutError, near.recv, 1)
        heard = reader.recv(10)
        assert heard == bytes([signal.SIGINT]), heard
    finally:
        assert signal.set_wakeup_fd(-1) == writer.fileno()


def dropped():
    """Sockets that are made and dropped: descriptors and memory flat."""
    listener = sock.listen("127.0.0.1", 0)
    port = listener.local_address[1]
    gc.disable()
    start = memory = None
    for i in range(OFTEN * 10):
        if i == 500:
            start, memory = descriptors(), resident()
        near = sock.dial("127.0.0.1", port, 5)
        near.sendall(b"x")
        near.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far = listener.accept()
        del near, far
    assert descriptors() == start, f"{descriptors()} descriptors, not {start}"
    gc.enable()
    grown = resident() - memory
    assert grown < 4 << 20, f"{grown} bytes more"


def errors_let_go():
    """An error keeps no buffer: neither its own traceback, nor a cycle."""
    near, _far = pair()
    near.settimeout(0)
    buffer = bytearray(100)
    gc.disable()
    try:
        near.recv_into(buffer)
    except BlockingIOError as error:
        kept = error
    buffer.append(1)
    del kept
    memory = resident()
    data = bytes(4 << 20)
    for _ in range(60):
        raises(OSError, near.sendall, bytearray(data))
    grown = resident() - memory
    gc.enable()
    assert grown < 30 << 20, f"{grown} bytes more"


def bad_arguments():
    near, far = pair()
    near.settimeout(5)
    for bad, kind in ((-1, ValueError), (math.nan, ValueError), (1e300, OverflowError), ("1", TypeError)):
        raises(kind, near.settimeout, bad)
    for call in near.recv, near.recvall:
        raises(ValueError, call, -1)
        raises(TypeError, call, "1")
        raises((OverflowError, MemoryError), call, 1 << 63)
        assert call(0) == b""
    assert near.recv_into(bytearray()) == 0
    for call in near.recv_into, near.recvall_into:
        raises(TypeError, call, b"12345")
        raises(TypeError, call, "12345")
        raises(BufferError, call, memoryview(bytearray(10))[::2])
    raises(TypeError, near.send, "text")
    raises(OverflowError, near.recv, 1, 1 << 32)
    raises(OverflowError, sock.listen, "127.0.0.1", 0, 1 << 32)
    for host in "127.0.0.1\0.example", b"127.0.0.1\0":
        raises(ValueError, sock.dial, host, 7, 1)
        raises(ValueError, sock.listen, host, 0)
    raises(TypeError, sock.dial, 127, 7)
    raises(TypeError, sock.dial, "127.0.0.1", 7.5)
    listener = sock.listen(b"localhost", 0)
    sock.dial(b"127.0.0.1", listener.local_address[1], 5).close()
    near.close()
    near.close()
    assert raises(OSError, near.recv, 1).errno == errno.EBADF
    assert repr(near) == "<sock.Socket closed>" and repr(far) == f"<sock.Socket fd={far.fileno()}>"
    raises((OverflowError, OSError), sock.Socket, (1 << 32) + far.fileno())
    raises(OSError, sock.Socket, os.open("/dev/null", os.O_RDONLY))
    raises(TypeError, sock.Socket, None)


def buffers():
    near, far = pair()
    numbers = array.array("i", [1, 2, 3])
    near.sendall(numbers)
    near.sendall(memoryview(b"..sliced..")[2:8])
    got = array.array("i", [0, 0, 0])
    far.recvall_into(got)
    assert got == numbers
    whole = bytearray(10)
    far.recvall_into(memoryview(whole)[2:8])
    assert whole == b"\0\0sliced\0\0"
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.send(bytes(1000))
    assert sock.Socket(other).recv(8, socket.MSG_TRUNC) == bytes(8)


def tls():
    near, _far = socket.socketpair()
    secure = ssl.create_default_context().wrap_socket(near, server_hostname="localhost", do_handshake_on_connect=False)
    raises(TypeError, sock.Socket, secure)


def limits():
    near, far = pair()
    start = time.monotonic()
    with sock.within(0.2):
        far.send(b"1")
        assert near.recv(1) == b"1"
        with sock.within(10):
            raises(TimeoutError, near.recv, 1)
        raises(TimeoutError, far.sendall, b"too late")
    assert 0.2 <= time.monotonic() - start < 2
    assert near.gettimeout() is None
    far.send(b"2")
    assert near.recv(1) == b"2"
    near.settimeout(0.1)
    with sock.within(10):
        raises(TimeoutError, near.recv, 1)
    near.settimeout(None)
    with sock.Token() as token, sock.within(token=token):
        threading.Timer(0.1, token.cancel).start()
        far.send(b"3")
        assert raises(sock.Cancelled, near.recvall, 2).data == b"3"
        assert token.cancelled
        listener = sock.listen("127.0.0.1", 0)
        raises(sock.Cancelled, listener.accept)
        outcome = []
        context = threading.Thread(target=lambda: outcome.append(raises(sock.Cancelled, elsewhere, token)))
        context.start()
        context.join(5)
        assert outcome
    raises(ValueError, elsewhere, token)
    raises(ValueError, token.cancel)


def elsewhere(token):
    near, _far = pair()
    with sock.within(token=token):
        near.recv(1)


def lines():
    near, far = pair()
    far.sendall(b"one\ntwo\nthr")
    reader = near.lines(limit=16)
    assert next(reader) == b"one\n" and next(reader) == b"two\n" and reader.unread == b"thr"
    near.settimeout(0.05)
    raises(TimeoutError, reader.readline)
    far.sendall(b"ee\nrest")
    assert reader.readline() == b"three\n" and reader.unread in (b"", b"rest")
    far.close()
    raises(BrokenPipeError, reader.readline)
    near, far = pair()
    far.sendall(b"a head\r\n\r\nbody")
    far.close()
    assert next(near.lines(b"\r\n\r\n")) == b"a head\r\n\r\n"
    assert list(near.lines()) == []
    near, far = pair()
    far.sendall(b"x" * 20)
    assert raises(OSError, near.lines(limit=16).readline).errno == errno.EMSGSIZE


def datagrams():
    server = sock.listen("127.0.0.1", "0/udp")
    client = sock.dial("localhost", f"{server.local_address[1]}/udp", 5)
    client.send(b"question")
    data, address = server.recvfrom(100)
    assert data == b"question" and address == client.local_address
    server.sendto(b"answer", address)
    assert client.recv(100) == b"answer" and client.remote_address == server.local_address
    raises(ValueError, server.sendto, b"", ("localhost", 7))
    raises(ValueError, server.sendto, b"", ("127.0.0.1", 70000))


def unix():
    for name in f"@libsock-{os.getpid()}", f"/tmp/libsock-{os.getpid()}":
        listener = sock.listen(name)
        try:
            with sock.dial(name, None, 5) as near, listener.accept() as far:
                assert near.remote_address == listener.local_address == name and near.local_address == ""
                near.sendall(b"hello")
                assert far.recvall(5) == b"hello"
            own = sock.Socket(socket.socket(socket.AF_UNIX))
            own.connect(name)
        finally:
            if name[0] == "/":
                os.unlink(name)


def error_queue():
    """An entry in the error queue makes nothing spin, before a signal and after it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        address = closed.getsockname()
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    plain.connect(address)
    waiting = sock.Socket(plain)
    waiting.send(b"x")
    raises(ConnectionRefusedError, waiting.recv, 1)
    waiting.settimeout(1)
    signal.signal(signal.SIGINT, lambda *_: None)
    instant.instant_after(100_000)
    used = time.process_time()
    raises(TimeoutError, waiting.recv, 1)
    used = time.process_time() - used
    assert used < 0.3, f"{used:.2f} s of processor time in a wait of 1 s"


def exits():
    """A program ends while a thread of it waits."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); import sock, socket, threading\n" \
              "near, far = socket.socketpair()\n" \
              "threading.Thread(target=sock.Socket(near).recv, args=[1], daemon=True).start()"
    subprocess.run([sys.executable, "-B", "-c", program, sys.argv[1]], check=True, timeout=20)


def accept_taken():
    """A connection that another thread takes, after a signal too, makes an accept neither longer nor shorter."""
    signal.signal(signal.SIGINT, lambda *_: None)
    taken = 0
    for _ in range(10):
        listener = sock.listen("127.0.0.1", 0)
        other = threading.Thread(target=accepts, args=[sock.Socket(listener.sock.dup())], daemon=True)
        listener.settimeout(0.3)  # Theirs is one, for it is one socket.
        other.start()
        instant.instant_after(50_000)
        client = threading.Timer(0.1, socket.create_connection, args=[listener.local_address])
        client.start()
        start = time.monotonic()
        if not accepts(listener):
            taken += 1
            assert 0.3 <= time.monotonic() - start < 1.3, f"a timeout of 0.3 s took {time.monotonic() - start:.2f} s"
        client.join()
        other.join()
    return f"{taken} of 10 were taken"


def accepts(listener):
    try:
        return listener.accept()
    except TimeoutError:
        return None


def both_directions():
    near, far = pair()
    data = os.urandom(1 << 20) * 4
    out = [threading.Thread(target=one.sendall, args=[data]) for one in (near, far)]
    for thread in out:
        thread.start()
    got = []
    other = threading.Thread(target=lambda: got.append(near.recvall(len(data))))
    other.start()
    assert far.recvall(len(data)) == data
    for thread in (*out, other):
        thread.join(20)
    assert got == [data]


CHECKS = (ctrl_c, handler_returns, counts, closing_handler, closed_elsewhere, closed_and_used_again, dial_interrupted,
          interrupted_anywhere, asyncio_hears, dropped, errors_let_go, bad_arguments, buffers, tls, limits, lines, datagrams,
          unix, error_queue, exits, accept_taken, both_directions)
for check in CHECKS:
    if len(sys.argv) > 4 and check.__name__ != sys.argv[4]:
        continue
    try:
        found = check()
    except (Exception, KeyboardInterrupt) as why:
        print(f"not ok {check.__name__}: {why!r} in line {why.__traceback__.tb_next.tb_lineno}", flush=True)
    else:
        found = f": {found}" if found else ""
        print(f"ok {check.__name__}{found}", flush=True)
