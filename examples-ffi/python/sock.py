"""libsock's socket modes for Python's sockets: blocking, non-blocking, or an exact timeout for every operation.

It needs libsock (`make install`) and CPython 3.7 or later; ctypes comes with Python. Copy this file into your
project. README.md beside it tells how it is used, and what it does not do.

    with sock.dial("localhost", 7007, 5) as connection:
        connection.settimeout(0.25)
        data = connection.recv(4096)
"""

import _thread
import contextlib
import contextvars
import ctypes
import errno
import functools
import io
import math
import operator
import os
import select
import signal
import socket
import threading
import weakref
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_size_t, c_ssize_t, c_uint, c_void_p

_lib = ctypes.CDLL("libsock.so.0")


def _function(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


_UNTIL = c_double, c_int
_ADDRESS = c_void_p, POINTER(c_uint)
_settimeout = _function(_lib, "sock_settimeout", c_int, c_int, c_double)
_gettimeout = _function(_lib, "sock_gettimeout", c_int, c_int, POINTER(c_double))
_send = _function(_lib, "sock_send_until", c_ssize_t, c_int, c_void_p, c_size_t, c_int, *_UNTIL)
_sendto = _function(_lib, "sock_sendto_until", c_ssize_t, c_int, c_void_p, c_size_t, c_int, c_void_p, c_uint, *_UNTIL)
_sendall = _function(_lib, "sock_sendall_until", c_int, c_int, c_void_p, c_size_t, c_int, POINTER(c_size_t), *_UNTIL)
_recv = _function(_lib, "sock_recv_until", c_ssize_t, c_int, c_void_p, c_size_t, c_int, *_UNTIL)
_recvfrom = _function(_lib, "sock_recvfrom_until", c_ssize_t, c_int, c_void_p, c_size_t, c_int, *_ADDRESS, *_UNTIL)
_recvall = _function(_lib, "sock_recvall_until", c_int, c_int, c_void_p, c_size_t, c_int, POINTER(c_size_t), *_UNTIL)
_recvdelim = _function(_lib, "sock_recvdelim_until", c_ssize_t, c_int, c_void_p, c_size_t, POINTER(c_size_t), c_char_p,
                       c_size_t, *_UNTIL)
_recvdelim_now = _function(_lib, "sock_recvdelim", c_ssize_t, c_int, c_void_p, c_size_t, POINTER(c_size_t), c_char_p,
                           c_size_t)
_connect = _function(_lib, "sock_connect_until", c_int, c_int, c_void_p, c_uint, *_UNTIL)
_connect_now = _function(_lib, "sock_connect", c_int, c_int, c_void_p, c_uint)
_accept = _function(_lib, "sock_accept_until", c_int, c_int, *_ADDRESS, *_UNTIL)
_accept_now = _function(_lib, "sock_accept", c_int, c_int, *_ADDRESS)
_dial = _function(_lib, "sock_dial_until", c_int, c_char_p, c_char_p, *_UNTIL)
_listen = _function(_lib, "sock_listen", c_int, c_char_p, c_char_p, c_int)
_wait = _function(_lib, "sock_wait_until", c_int, c_int, c_int, *_UNTIL)
_deadline = _function(_lib, "sock_deadline", c_double, c_double)
_token = _function(_lib, "sock_token", c_int)
_cancel = _function(_lib, "sock_cancel", c_int, c_int)
_address = _function(_lib, "sock_address", c_int, c_char_p, c_char_p, *_ADDRESS)
_name = _function(_lib, "sock_name", c_int, c_void_p, c_uint, c_char_p, c_size_t)
_strerror = _function(_lib, "sock_strerror", c_char_p, c_ssize_t)
_run_handlers = _function(ctypes.pythonapi, "PyErr_CheckSignals", c_int)

# LIBSOCK_EAI_NONAME and so on.
_LOOKUP_ERRORS = {
    5002: socket.EAI_NONAME,
    5003: socket.EAI_AGAIN,
    5004: socket.EAI_FAIL,
    5005: socket.EAI_NODATA,
    5008: socket.EAI_SERVICE,
}


class Cancelled(OSError):
    """A token was cancelled."""


class Token:
    """Ends waits, from any thread, for good: `with sock.within(token=token):` in one, `token.cancel()` in another."""

    def __init__(self):
        # A file, which the interpreter itself opens and, if it is dropped, closes: no handler raises in the middle of that.
        try:
            self._file = io.FileIO("token", opener=_token)
        except ValueError:
            _check(_token())
            raise

    def cancel(self):
        _check(_cancel(self.fileno()))

    @property
    def cancelled(self):
        return _check(_wait(-1, 0, -1, self.fileno()), errno.ETIMEDOUT, errno.ECANCELED) == -errno.ECANCELED

    def fileno(self):
        return self._file.fileno()

    def close(self):
        """When nobody waits with it any more."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# The deadline and the tokens of the block that the code is in.
_limits = contextvars.ContextVar("_limits", default=(math.inf, ()))


class within:
    """All that is called in the block ends within so many seconds altogether, or when the token is cancelled.

    The timeouts of the sockets hold besides, and so do the limits of a block around it.
    """

    def __init__(self, seconds=None, token=None):
        self._seconds, self._token = _seconds(seconds), token

    def __enter__(self):
        deadline, tokens = _limits.get()
        deadline = min(deadline, _deadline(self._seconds))
        self._reset = _limits.set((deadline, tokens if self._token is None else (*tokens, self._token)))

    def __exit__(self, *_):
        _limits.reset(self._reset)


def dial(host, service=None, seconds=None):
    """Connects to a host by name, lookup included, within so many seconds, which become the timeout.

    The service is a port or a name; "53/udp" and so on is for UDP. A host that begins with "/" or "@" is a Unix socket.
    """
    host, service, seconds = _host(host), _service(service), _seconds(seconds)
    limit, tokens = _limits.get()
    deadline = min(limit, _deadline(seconds))
    beside = threading.current_thread() is threading.main_thread()
    return (_dial_beside if beside else _dialed)(host, service, deadline, tokens, seconds)


def listen(host, service=None, backlog=0):
    """Gives a listening Socket in blocking mode. A host of None is all addresses, service 0 any port."""
    return Socket(_check(_listen(None if host is None else _host(host), _service(service), _int(backlog))))


class Socket:
    """A socket in one of the modes, which it closes: one of Python's, or a descriptor.

    It takes over the timeout that a socket of Python's has. Use that socket's own methods no longer for what waits.
    """

    def __init__(self, sock):
        if hasattr(sock, "do_handshake"):
            raise TypeError("a TLS socket: its bytes would go past TLS")
        ours = not isinstance(sock, socket.socket)
        self.sock = socket.socket(fileno=_int(sock)) if ours else sock
        self._descriptor = _Descriptor(self.sock)
        timeout = self.sock.gettimeout()
        if timeout is not None:
            self.sock.settimeout(None)
        if not ours:
            self.settimeout(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return "<sock.Socket closed>" if self.fileno() < 0 else f"<sock.Socket fd={self.fileno()}>"

    def fileno(self):
        """-1 once it is closed."""
        return self._descriptor.fileno()

    def close(self):
        """Whoever waits with it, in another thread or below a handler, gets the error of a closed descriptor at once."""
        self._descriptor.close()

    def detach(self):
        """Gives the descriptor, which is the caller's from now on."""
        return self.sock.detach()

    def shutdown(self, how=socket.SHUT_RDWR):
        self.sock.shutdown(how)

    @property
    def local_address(self):
        """(host, port), or the path of a Unix socket."""
        return _plain(self.sock.getsockname())

    @property
    def remote_address(self):
        return _plain(self.sock.getpeername())

    def settimeout(self, seconds):
        """As socket.settimeout: None is blocking mode, 0 non-blocking mode."""
        seconds = _seconds(seconds)
        _check(self._descriptor.during(lambda fd: _settimeout(fd, seconds)))

    def gettimeout(self):
        seconds = c_double()
        _check(self._descriptor.during(lambda fd: _gettimeout(fd, seconds)))
        return None if math.isinf(seconds.value) else seconds.value

    def send(self, data, flags=0):
        """Sends some of it, and gives how many bytes that were."""
        flags = _int(flags)
        with _view(data) as view:
            start, size = _start(view), view.nbytes
            return _check(self._run(flags, lambda fd, more, *until: _send(fd, start, size, more, *until)))

    def sendto(self, data, address, flags=0):
        """Sends a datagram to (host, port), the host in digits, or to the path of a Unix socket."""
        flags, (addr, length) = _int(flags), _packed(address)
        with _view(data) as view:
            start, size = _start(view), view.nbytes
            return _check(self._run(flags, lambda fd, more, *until: _sendto(fd, start, size, more, addr, length, *until)))

    def sendall(self, data, flags=0):
        """Sends all of it within one timeout."""
        flags = _int(flags)
        with _view(data) as view:
            self._run_all(view, flags, _sendall)

    def recv(self, size, flags=0):
        """Gives some bytes; none at the end of the stream, and for a size of 0."""
        buffer = bytearray(_size(size))
        return bytes(memoryview(buffer)[:self.recv_into(buffer, flags)])

    def recv_into(self, buffer, flags=0):
        flags = _int(flags)
        with _view(buffer, writable=True) as view:
            start, size = _start(view), view.nbytes
            if size == 0:
                return 0
            count = _check(self._run(flags, lambda fd, more, *until: _recv(fd, start, size, more, *until)))
            return min(count, size)  # With MSG_TRUNC it is the whole length of a message.

    def recvfrom(self, size, flags=0):
        """Gives a datagram and where it came from: (host, port), or the path of a Unix socket."""
        flags, buffer, addr, length = _int(flags), bytearray(_size(size)), ctypes.create_string_buffer(128), c_uint(128)
        with _view(buffer, writable=True) as view:
            start = _start(view)
            count = _check(self._run(flags, lambda fd, more, *until: _recvfrom(fd, start, size, more, addr, length, *until)))
        return bytes(memoryview(buffer)[:count]), _unpacked(addr, length)

    def recvall(self, size, flags=0):
        """Gives so many bytes within one timeout; what came before an error is the `data` of that."""
        buffer = bytearray(_size(size))
        try:
            self.recvall_into(buffer, flags)
        except BaseException as error:
            error.data = bytes(memoryview(buffer)[:getattr(error, "transferred", 0)])
            raise
        return bytes(buffer)

    def recvall_into(self, buffer, flags=0):
        """Fills the buffer within one timeout; a peer that closes before is a BrokenPipeError."""
        flags = _int(flags)
        with _view(buffer, writable=True) as view:
            self._run_all(view, flags, _recvall)

    def lines(self, delimiter=b"\n", limit=65536):
        """Gives the lines as they come, each with its delimiter."""
        return Lines(self, delimiter, limit)

    def connect(self, address):
        """Connects to (host, port), the host in digits, or to the path of a Unix socket."""
        addr, length = _packed(address)
        _check(self._run(0, lambda fd, more, *until: _connect(fd, addr, length, *until),
                         lambda fd: _connect_now(fd, addr, length)))

    def accept(self):
        """Gives a new Socket in blocking mode; its `remote_address` tells who it is."""
        accepted = []

        def owned(code):
            if code >= 0:
                accepted.append(Socket(code))
            return code

        _check(self._run(0, lambda fd, more, *until: owned(_accept(fd, None, None, *until)),
                         lambda fd: owned(_accept_now(fd, None, None))))
        return accepted.pop()

    def _run(self, flags, call, now=None):
        return self._descriptor.during(lambda fd: self._run_with(fd, flags, call, now))

    def _run_with(self, fd, flags, call, now):
        # What is ready costs one system call. What waits does so until a moment, that of the mode or of the block, and until
        # a token is readable. That a signal came is one: Python's handlers run, and the deadline stays what it was.
        deadline, tokens = _limits.get()
        if not now:
            code = call(fd, flags | socket.MSG_DONTWAIT, deadline, -1)
            if code != -errno.EAGAIN or flags & socket.MSG_DONTWAIT:
                return code
        timeout = self.gettimeout()
        if timeout == 0:
            return now(fd) if now else -errno.EAGAIN
        deadline = min(deadline, math.inf if timeout is None else _deadline(timeout))
        with _Alarm() as alarm, _any_of((alarm, *tokens)) as token:
            while True:
                alarm.handle()
                if self._descriptor.closed:
                    return -errno.EBADF
                code = call(fd, flags, deadline, token)
                if code != -errno.ECANCELED or any(one.cancelled for one in tokens):
                    return code

    def _run_all(self, view, flags, function):
        # Each call counts in a place of its own, so that the sum is right wherever a handler raises.
        start, size, counts = _start(view), view.nbytes, []

        def moved():
            return sum(count.value for count in counts)

        def call(fd, more, *until):
            done = moved()
            counts.append(c_size_t())
            return function(fd, start + done, size - done, more, counts[-1], *until)

        try:
            if size:
                _check(self._run(flags, call))
        except BaseException as error:
            error.transferred = moved()
            raise


class Lines:
    """The lines of a stream. What came behind them is `unread`: a body, say, after the lines of a head."""

    def __init__(self, connection, delimiter=b"\n", limit=65536):
        self._socket, self._delimiter = connection, bytes(delimiter)
        self._buffer, self._have, self._used = ctypes.create_string_buffer(_size(limit)), c_size_t(), 0

    @property
    def unread(self):
        return ctypes.string_at(byref(self._buffer, self._used), self._have.value - self._used)

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def readline(self):
        """b"" at the end; a stream that ends in the middle is a BrokenPipeError, and one that is too long EMSGSIZE."""
        rest = self.unread
        ctypes.memmove(self._buffer, rest, len(rest))
        self._have.value, self._used = len(rest), 0
        place = self._buffer, len(self._buffer), self._have, self._delimiter, len(self._delimiter)
        size = _check(self._socket._run(0, lambda fd, more, *until: _recvdelim(fd, *place, *until),
                                        lambda fd: _recvdelim_now(fd, *place)))
        self._used = size
        return ctypes.string_at(self._buffer, size)


def _view(data, writable=False):
    # To be used by `with`, which lets go of the object when the call is over, whatever interrupts it.
    view = memoryview(data)
    if writable and view.readonly:
        raise TypeError(f"a read-write bytes-like object is required, not '{type(data).__name__}'")
    return view


class _Buffer(ctypes.Structure):
    """A Py_buffer, which tells the address of bytes that cannot be written, too."""

    _fields_ = [("start", c_void_p), ("obj", c_void_p), ("size", c_ssize_t), ("itemsize", c_ssize_t), ("readonly", c_int),
                ("ndim", c_int), ("format", c_char_p), ("rest", c_void_p * 4)]


_get_buffer = _function(ctypes.pythonapi, "PyObject_GetBuffer", c_int, ctypes.py_object, POINTER(_Buffer), c_int)
_release_buffer = _function(ctypes.pythonapi, "PyBuffer_Release", None, POINTER(_Buffer))


def _start(view):
    buffer = _Buffer()
    steps = functools.partial(_get_buffer, view, buffer, 0), functools.partial(_release_buffer, buffer)
    list(map(functools.partial.__call__, steps))  # One step to the interpreter: no handler raises in the middle.
    return buffer.start


_forks = 0  # Between this process and the first.


def _forked():
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_forked)


class _Descriptor:
    """A socket's descriptor during calls: a close wakes those that wait, and the last of them closes it."""

    def __init__(self, sock):
        self._sock, self._users, self.closed = sock, {}, False

    def during(self, call):
        # A lock, for nothing comes between one and its `with`: a handler that raises leaves none behind that is held.
        try:
            with self._lock():
                return call(self.fileno())
        finally:
            self._finish()

    def fileno(self):
        return -1 if self.closed else self._sock.fileno()

    def close(self):
        self.closed = True
        for bell, _ in self._in_use():
            bell.ring()
        self._finish()

    def _lock(self):
        # Each thread has its own, and one more for each call that a handler makes in the middle of another.
        bell, thread = _Bell.mine(), threading.get_ident()
        if thread not in self._users or self._users[thread][0]() is not bell:
            self._users[thread] = weakref.ref(bell), []
        locks = self._users[thread][1]
        for lock in locks:
            if not lock.locked():
                return lock
        locks.append(threading.Lock())
        return locks[-1]

    def _in_use(self):
        users = [(bell(), locks) for bell, locks in list(self._users.values())]
        # A child of fork does not have the other threads.
        return [user for user in users if user[0] and user[0].forks == _forks and any(lock.locked() for lock in user[1])]

    def _finish(self):
        if self.closed and not self._in_use():
            self._sock.close()


class _Bell:
    """What wakes a thread from its waits: a pipe, made for the first of them."""

    _local = threading.local()

    @classmethod
    def mine(cls):
        if not hasattr(cls._local, "bell"):
            cls._local.bell = cls()
        bell = cls._local.bell
        if bell.forks != _forks:  # A child of fork would wake its parent.
            bell.close()
            bell.forks = _forks
        return bell

    def __init__(self):
        self.forks, self.pipe = _forks, None

    def open(self):
        if self.pipe is None:
            self.pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        return self.pipe

    def ring(self):
        if self.pipe and self.forks == _forks:
            with contextlib.suppress(BlockingIOError):  # It is full of rings.
                os.write(self.pipe[1], b"\0")

    def silence(self):
        """What came: the numbers of signals, and zeros."""
        try:
            return os.read(self.pipe[0], 4096)
        except BlockingIOError:
            return b""

    def close(self):
        pipe, self.pipe = self.pipe, None
        for fd in pipe or ():
            os.close(fd)

    __del__ = close


class _Alarm:
    """Ends a wait of this thread when a socket is closed, or a signal comes, in the instant before a call too.

    Python's handler in C writes to the pipe, if this is the thread in which the program's handlers run.
    """

    def __enter__(self):
        self._bell = _Bell.mine()
        self._pipe = self._bell.open()
        self._bell.silence()  # What came after the last wait.
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        return self

    def __exit__(self, *_):
        if self._main:
            signal.set_wakeup_fd(self._before, warn_on_full_buffer=False)

    def fileno(self):
        return self._pipe[0]

    def handle(self):
        """Runs the handlers of the signals that came, and tells who listened before, such as asyncio."""
        came = self._bell.silence().replace(b"\0", b"")
        if came and self._before not in (-1, self._pipe[1]):
            with contextlib.suppress(OSError):
                os.write(self._before, came)
        if self._main:
            _run_handlers()


class _any_of:
    """One descriptor that stands for all."""

    # contextlib.contextmanager would make a cycle of an error, and what it holds wait for the collector.
    def __init__(self, tokens):
        self._tokens, self._poll = tokens, None

    def __enter__(self):
        if len(self._tokens) < 2:
            return self._tokens[0].fileno() if self._tokens else -1
        self._poll = select.epoll()
        for token in self._tokens:
            self._poll.register(token, select.EPOLLIN)
        return self._poll.fileno()

    def __exit__(self, *_):
        if self._poll:
            self._poll.close()


def _dialed(host, service, deadline, tokens, seconds):
    with _any_of(tokens) as token:
        connection = Socket(_check(_dial(host, service, deadline, token)))
    connection.settimeout(seconds)
    return connection


def _dial_beside(host, service, deadline, tokens, seconds):
    # In a thread, so that a handler that returns does not make it begin anew. There the descriptor gets its owner too, which
    # one of the two drops, wherever a handler raises here.
    outcome, abandoned, cancel, done, over = [], [], Token(), Token(), threading.Lock()

    def work():
        try:
            outcome.append(_dialed(host, service, deadline, (cancel, *tokens), seconds))
        except Exception as error:
            outcome.append(error)
        if abandoned:
            outcome.clear()
        done.cancel()
        over.release()

    over.acquire()
    try:
        _thread.start_new_thread(work, ())
        with _Alarm() as alarm, _any_of((alarm, done)) as token:
            while not done.cancelled:
                _wait(-1, 0, math.inf, token)
                alarm.handle()
    except BaseException:
        abandoned.append(True)
        cancel.cancel()
        raise
    finally:
        if over.acquire(timeout=1):  # It was not begun if that takes so long.
            cancel.close()
            done.close()
    if isinstance(outcome[0], Exception):
        raise outcome.pop()
    return outcome.pop()


def _seconds(seconds):
    if seconds is None:
        return math.inf
    if math.isnan(seconds):
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("Timeout value out of range")
    if not math.isinf(seconds) and seconds * 10**9 >= 2**63:
        raise OverflowError("timeout too large")
    return float(seconds)


def _size(size):
    size = operator.index(size)
    if size < 0:
        raise ValueError("negative buffersize")
    return size


def _int(number):
    number = operator.index(number)
    if not -2**31 <= number < 2**31:
        raise OverflowError("signed integer is out of range for an int of C")
    return number


def _host(host):
    if isinstance(host, str):
        host = os.fsencode(host) if host[:1] in ("/", "@") else host.encode("idna")
    if not isinstance(host, bytes):
        raise TypeError(f"a host is str or bytes, not '{type(host).__name__}'")
    return _text(host)


def _service(service):
    if service is None:
        return None
    return _text(service.encode() if isinstance(service, str) else b"%d" % operator.index(service))


def _text(text):
    if b"\0" in text:
        raise ValueError("embedded null character")
    return text


def _packed(address):
    host, service = (address, None) if isinstance(address, (str, bytes)) else address[:2]
    addr, length = ctypes.create_string_buffer(128), c_uint()
    code = _address(_host(host), _service(service), addr, length)
    if code == -errno.EINVAL:
        raise ValueError(f"not an address: {address!r}")
    _check(code)
    return addr, length.value


def _unpacked(addr, length):
    host = ctypes.create_string_buffer(110)
    port = _name(addr, length, host, len(host))
    if port < 0:
        return None  # No text stands for it.
    text, family = os.fsdecode(host.value), ctypes.c_ushort.from_buffer(addr).value
    return text if family == socket.AF_UNIX else (text, port)


def _plain(address):
    if isinstance(address, tuple):
        return address[:2]
    return os.fsdecode(b"@" + address[1:] if isinstance(address, bytes) and address[:1] == b"\0" else address)


def _check(code, *expected):
    if code >= 0 or -code in expected:
        return code
    # Not in a variable: an error that its own traceback refers to stays until the collector comes, and all buffers with it.
    raise _error(code)


def _error(code):
    words = _strerror(code).decode()
    lookup = _LOOKUP_ERRORS.get(-code)
    if lookup:
        return socket.gaierror(lookup, words)
    return Cancelled(-code, words) if code == -errno.ECANCELED else OSError(-code, words)
