"""Sentences that the pages of many functions share, so that no comment in src/api has to repeat them.

The page of a function whose name ends in `_until` has the sentences of the function without that ending, but for its limits,
which are arguments. The markup is that of the comments.
"""

# What an operation waits for.
WAITS = {
    "sock_send": "there is room to send",
    "sock_sendto": "there is room to send",
    "sock_sendmsg": "there is room to send",
    "sock_sendall": "all of the bytes are sent",
    "sock_recv": "something comes",
    "sock_recvfrom": "a message comes",
    "sock_recvmsg": "a message comes",
    "sock_recvall": "all of the bytes have come",
    "sock_recvdelim": "the delimiter has come",
    "sock_connect": "the connection is made",
    "sock_accept": "there is a connection to accept",
    "sock_wait": "one of the events is there",
    "sock_dial": "a connection is made",
}
BY_MODE = """The mode of the socket says how long the function waits until {what}. In blocking mode it waits for as long as
that takes. With a timeout, which `sock_settimeout` sets, it waits for that long at most. In non-blocking mode, which
`sock_setblocking` chooses, it does not wait."""
ENDS = """A wait also ends when {fails}any thread calls shutdown(2) on the socket, and, if
`sock_setinterrupt` asks for that, when a signal is handled. It does not end when another thread closes the descriptor."""
WAIT_ENDS = """A wait also ends, if `sock_setinterrupt` asks for that, when a signal is handled. It does not end when another
thread closes the descriptor."""
# These functions have a limit of their own, in seconds.
BY_SECONDS = {"sock_wait", "sock_dial"}
BY_ARGUMENTS = """The function waits until {what}, until the moment `deadline` that
`sock_deadline` gave, or until `token` is readable: a token of `sock_token` is from `sock_cancel` on."""

# The functions that wait in the kernel or in the resolver, where a thread can be cancelled.
CANCELLATION_POINTS = set(WAITS)
UNCOUNTED = {"sock_sendall", "sock_recvall", "sock_recvdelim"}

# The system calls that the functions are named after.
SYSTEM_CALLS = {"sock_accept", "sock_connect", "sock_recv", "sock_recvfrom", "sock_recvmsg", "sock_send", "sock_sendmsg",
                "sock_sendto", "sock_listen"}

# The headers that a caller needs besides sock.h.
INCLUDES = {"sock_wait": ["poll.h"]}

# The functions to read about next.
USED_WITH = {
    "sock_accept": ["sock_listen"],
    "sock_connect": ["sock_address", "sock_dial", "sock_wait"],
    "sock_dial": ["sock_connect", "sock_settimeout"],
    "sock_listen": ["sock_accept"],
    "sock_recv": ["sock_recvall", "sock_wait"],
    "sock_recvall": ["sock_recv"],
    "sock_send": ["sock_sendall", "sock_wait"],
    "sock_sendall": ["sock_send"],
    "sock_setblocking": ["sock_settimeout", "sock_wait"],
    "sock_getblocking": ["sock_gettimeout"],
    "sock_gettimeout": ["sock_getblocking"],
    "sock_wait": ["sock_settimeout"],
    "sock_address": ["sock_connect", "sock_dial", "sock_sendto"],
    "sock_name": ["sock_accept", "sock_recvfrom"],
    "sock_token": ["sock_cancel", "sock_deadline"],
    "sock_cancel": ["sock_token"],
    "sock_deadline": ["sock_token", "sock_recvall_until"],
}

# The order in which a caller meets them: waiting, the connection, what is sent, shortages, lookups, wrong arguments.
ERRORS = """
    EAGAIN EINPROGRESS EALREADY ETIMEDOUT ECANCELED EINTR
    EPIPE ECONNRESET ECONNREFUSED ECONNABORTED EISCONN ENOTCONN
    EMSGSIZE ENOSPC ENAMETOOLONG
    ENOENT EADDRINUSE EACCES EADDRNOTAVAIL EPERM
    EMFILE ENFILE ENOBUFS ENOMEM
    LIBSOCK_EAI_NONAME LIBSOCK_EAI_NODATA LIBSOCK_EAI_SERVICE LIBSOCK_EAI_AGAIN LIBSOCK_EAI_FAIL
    EFAULT EINVAL EOVERFLOW EOPNOTSUPP EBADF ENOTSOCK
""".split()

# Warnings, and the functions on whose pages they stand.
CAVEATS = [
    ("sock_accept sock_accept_until",
     "The connection is in blocking mode, whatever the mode of the listener. Give it a timeout of its own."),
    ("sock_connect sock_connect_until",
     """An attempt that ran out of time goes on by itself. Call the function again to wait for it further, or close the
     socket to give up."""),
    ("sock_connect sock_connect_until",
     """`-ETIMEDOUT` may also be the network's own, where the time that was given is longer than the system's patience."""),
    ("sock_dial", "The connection has all of `seconds` for each operation that follows, not what was left of them."),
    ("sock_recv sock_recv_until", "0 is the end of a stream, but also an empty datagram, which ends nothing."),
    ("sock_recv",
     """A timeout is for one call. A peer that sends a byte now and then keeps a loop around this function alive for as
     long as it likes. `sock_recvall` is bounded."""),
    ("sock_settimeout",
     """Where TLS comes into the kernel after the timeout was set (`TCP_ULP`), a receive with `MSG_WAITALL` may wait for the
     whole timeout at each record. Call `sock_setblocking` and `sock_settimeout` again then. All other functions find out."""),
    ("sock_send", "With a timeout a part may be sent, as in non-blocking mode. Use `sock_sendall` unless a part is what you want."),
    ("sock_send_until", "A part may be sent. Use `sock_sendall_until` unless a part is what you want."),
    ("sock_sendall sock_sendall_until",
     """When time runs out the first `*sent` bytes are on their way. Send the rest, or close the socket: a peer cannot tell
     where a message was cut."""),
]


def base(name):
    """The function without a deadline and a token, of which `name` may be the other form."""
    return name.removesuffix("_until")


def waiting(name):
    """How long a function waits, which function sets that, and what else ends the wait."""
    if base(name) not in WAITS:
        return []
    how = BY_ARGUMENTS if name.endswith("_until") else None if name in BY_SECONDS else BY_MODE
    fails = "" if base(name) == "sock_accept" else "the connection fails, when "
    ends = {"sock_wait": [WAIT_ENDS], "sock_dial": []}.get(base(name), [ENDS.format(fails=fails)])
    return ([how.format(what=WAITS[base(name)])] if how else []) + ends


def attributes(name, restricted):
    """Threads, signals and cancellation. The comment of a restricted function says how it is restricted."""
    yield "Thread safety", "MT-Safe."
    yield "Signal safety", "AS-Unsafe." if restricted else "AS-Safe. It is safe after fork(2) too, also in a process with several threads."
    if base(name) in CANCELLATION_POINTS and not restricted:
        yield "Cancellation point", "Yes. A thread that is cancelled here leaves nothing locked, allocated or open" + (
            ", but how far it came is not told." if base(name) in UNCOUNTED else ".")
    elif name == "sock_cancel":
        yield "Cancellation point", "Only in a kernel without `CONFIG_CHECKPOINT_RESTORE`. The token is cancelled all the same."
    else:
        yield "Cancellation point", "Yes." if base(name) in CANCELLATION_POINTS else "As getaddrinfo(3) is." if restricted else "No."


def standards(name):
    if base(name) not in SYSTEM_CALLS:
        return "None."
    obeys = "the deadline and the token" if name.endswith("_until") else "the mode of the socket"
    return f"None. It does what {base(name).removeprefix('sock_')}(2) of POSIX.1-2008 does, and obeys {obeys}."


def inherits(name, flags, reason):
    """Whether an error of the function without `_until` has the same reason in this function."""
    of_the_mode = reason.startswith("non-blocking mode") or "timeout ran out" in reason or reason == "the network's own did"
    if name.endswith("_until") and of_the_mode:
        return False
    return flags or "`MSG_" not in reason


def not_waiting(name, flags):
    """The reason for -EAGAIN in a function that obeys no mode."""
    return [(["-EAGAIN"], "`flags` has `MSG_DONTWAIT`, and there is nothing to do at once")] if name.endswith("_until") and flags else []


def used_with(name, functions):
    related = [*USED_WITH.get(base(name), []), base(name), name + "_until"]
    if name.endswith("_until"):
        related += ["sock_deadline", "sock_token", "sock_cancel"]
    return [other for other in related if other in functions]


def caveats(name):
    return [text for functions, text in CAVEATS if name in functions.split()]


def includes(name):
    return [*INCLUDES.get(base(name), []), "sock.h"]
