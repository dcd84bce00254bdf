"""libsock's socket modes for Python's sockets: blocking, non-blocking, or an exact timeout for every operation.

It needs libsock (`make install`) and Python 3.7 or later; ctypes comes with Python. Copy this file into your
project. The program beside it: `python3 scenario.py HOST PORT`, with the address of a running echo-server.

    connection = sock.dial("localhost", 7007, 5)
    connection.settimeout(0.25)
    data = connection.recv(4096)

What fails raises the OSError of its errno: BlockingIOError, TimeoutError (before Python 3.10 not the same as
socket.timeout), BrokenPipeError and so on. Its attribute `transferred` tells how many bytes moved all the same. A
lookup that fails raises socket.gaierror, whose errno is one of socket.EAI_NONAME, EAI_SERVICE and so on.

Other threads run while a call waits. Python's signal handlers run as soon as a signal comes. One that raises, as that
of Ctrl-C does, ends the wait; after one that returns, it goes on for the time that is left. Only dial and listen are
not interrupted: handlers run after them.

It does not send or receive datagrams with addresses. In asyncio a call would block the loop: use asyncio.to_thread.
"""

import ctypes
import errno
import math
import select
import socket
import time
from ctypes import POINTER, c_char_p, c_double, c_int, c_size_t, c_ssize_t, c_void_p

_lib = ctypes.CDLL("libsock.so.0")


def _function(name, result, *arguments):
    function = getattr(_lib, name)
    function.restype, function.argtypes = result, arguments
    return function


_settimeout = _function("sock_settimeout", c_int, c_int, c_double)
_gettimeout = _function("sock_gettimeout", c_int, c_int, POINTER(c_double))
_setinterrupt = _function("sock_setinterrupt", c_int, c_int, c_int)
_send = _function("sock_send", c_ssize_t, c_int, c_void_p, c_size_t, c_int)
_recv = _function("sock_recv", c_ssize_t, c_int, c_void_p, c_size_t, c_int)
_sendall = _function("sock_sendall", c_int, c_int, c_void_p, c_size_t, c_int, POINTER(c_size_t))
_recvall = _function("sock_recvall", c_int, c_int, c_void_p, c_size_t, c_int, POINTER(c_size_t))
_accept = _function("sock_accept", c_int, c_int, c_void_p, c_void_p)
_dial = _function("sock_dial", c_int, c_char_p, c_char_p, c_double)
_listen = _function("sock_listen", c_int, c_char_p, c_char_p, c_int)
_wait = _function("sock_wait", c_int, c_int, c_int, c_double)
_strerror = _function("sock_strerror", c_char_p, c_ssize_t)

# LIBSOCK_EAI_NONAME and so on.
_lookup_errors = {
    5002: socket.EAI_NONAME,
    5003: socket.EAI_AGAIN,
    5004: socket.EAI_FAIL,
    5005: socket.EAI_NODATA,
    5008: socket.EAI_SERVICE,
}


def dial(host, service, seconds=None):
    """Connects by TCP, lookup included, within so many seconds, which become the timeout."""
    fd = _check(_dial(_text(host, "idna"), _text(service), math.inf if seconds is None else seconds))
    connection = Socket(socket.socket(fileno=fd))
    connection.settimeout(seconds)
    return connection


def listen(host, service, backlog=0):
    """Gives a listening Socket in blocking mode. A host of None is all addresses, service 0 any port."""
    fd = _check(_listen(_text(host, "idna"), _text(service), backlog))
    return Socket(socket.socket(fileno=fd))


class Socket:
    """A socket in one of the modes. Any object with a fileno() will do, or a descriptor.

    It takes over the timeout that a socket of Python's has. Python's own would get in the way: use that socket's
    methods no longer for what waits. Its close() still closes it.
    """

    def __init__(self, sock):
        self.sock = sock
        _check(_setinterrupt(self.fileno(), 1))
        if isinstance(sock, socket.socket):
            timeout = sock.gettimeout()
            sock.settimeout(None)
            self.settimeout(timeout)

    def fileno(self):
        return self.sock if isinstance(self.sock, int) else self.sock.fileno()

    def settimeout(self, seconds):
        """As socket.settimeout: None is blocking mode, 0 non-blocking mode."""
        _check(_settimeout(self.fileno(), math.inf if seconds is None else seconds))

    def gettimeout(self):
        seconds = c_double()
        _check(_gettimeout(self.fileno(), seconds))
        return None if math.isinf(seconds.value) else seconds.value

    def send(self, data, flags=0):
        data = _readable(data)
        return self._run(select.POLLOUT, lambda fd, done, more: _send(fd, data, len(data), flags | more))

    def recv(self, size, flags=0):
        buffer = bytearray(size)
        return bytes(memoryview(buffer)[:self.recv_into(buffer, flags)])

    def recv_into(self, buffer, flags=0):
        buffer = _writable(buffer)
        return self._run(select.POLLIN, lambda fd, done, more: _recv(fd, buffer, len(buffer), flags | more))

    def sendall(self, data, flags=0):
        """Sends all of it within one timeout."""
        data, part = _readable(data), c_size_t()
        self._run(select.POLLOUT, lambda fd, done, more: _sendall(
            fd, data[done:], len(data) - done, flags | more, part), part)

    def recvall_into(self, buffer, flags=0):
        """Fills the buffer within one timeout; a peer that closes before is a BrokenPipeError."""
        buffer, part = _writable(buffer), c_size_t()
        self._run(select.POLLIN, lambda fd, done, more: _recvall(
            fd, ctypes.byref(buffer, done), len(buffer) - done, flags | more, part), part)

    def accept(self):
        """Gives a new Socket in blocking mode; `sock.getpeername()` of that tells who it is."""
        fd = self._run(select.POLLIN, lambda fd, done, more: _accept(fd, None, None))
        return Socket(socket.socket(fileno=fd))

    def _run(self, events, call, part=c_size_t()):
        # Python runs its handlers when a call has come back with EINTR. To go on it waits, and then calls
        # without waiting: the timeout, which other threads may be using, stays as it is.
        start, fd = time.monotonic(), self.fileno()
        code = call(fd, 0, 0)
        done = part.value
        while code == -errno.EINTR:
            timeout = self.gettimeout()
            left = math.inf if timeout is None else start + timeout - time.monotonic()
            code = _wait(fd, events, left) if left > 0 else -errno.ETIMEDOUT
            if code > 0:
                code = call(fd, done, socket.MSG_DONTWAIT)
                done += part.value
                code = -errno.EINTR if code == -errno.EAGAIN else code
        return _check(code, done)


def _readable(data):
    return data if isinstance(data, bytes) else memoryview(data).tobytes()


def _writable(buffer):
    return (ctypes.c_char * memoryview(buffer).nbytes).from_buffer(buffer)


def _text(value, encoding="utf-8"):
    if value is None:
        return None
    text = str(value).encode(encoding)
    if b"\0" in text:
        raise ValueError("embedded null character")
    return text


def _check(code, transferred=0):
    if code >= 0:
        return code
    words = _strerror(code).decode()
    lookup = _lookup_errors.get(-code)
    error = socket.gaierror(lookup, words) if lookup else OSError(-code, words)
    error.transferred = transferred
    raise error
