//! Sending and receiving.

use libc::{c_int, c_void, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use crate::boundary;
use crate::operation::{Pace, Role};
use crate::sys;
use crate::transfer::{self, FullTransfer};

/// Sends `len` bytes, or some of them, on a connected socket.
///
/// In blocking mode all bytes are sent on a stream. If an error occurs or a signal is handled when a part was sent, the
/// call ends with that part, as send(2) does; a signal does this even without `sock_setinterrupt`. With a timeout, and in
/// non-blocking mode, a part may be sent in any case. A message is always sent whole. `sock_sendall` sends all of a buffer
/// in every mode. SIGPIPE is never raised.
///
/// @param fd     the socket
/// @param buf    the bytes; may be NULL if `len` is 0
/// @param len    how many
/// @param flags  0, or `MSG_` flags of send(2). `MSG_NOSIGNAL` is implied; `MSG_DONTWAIT` makes it
///               non-blocking whatever the mode
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
/// nothing was sent then:
///   - `-EAGAIN`      non-blocking mode: there is no room; in any mode: no local port is free
///   - `-ETIMEDOUT`   there was no room before the timeout ran out
///   - `-EINTR`       a signal was handled, and `sock_setinterrupt` is on
///   - `-EPIPE`       the connection was closed, or shut down for sending
///   - `-ECONNRESET`  the peer reset the connection
///   - `-ECONNABORTED`  the network's own time ran out: keepalive, retransmissions or `TCP_USER_TIMEOUT`
///   - `-EMSGSIZE`    the message is too large for the socket
///   - `-ENOTCONN`, `-EDESTADDRREQ`  the socket is not connected
///   - `-EFAULT`      `buf` is NULL and `len` is not 0
///   - `-EINVAL`      `len` is over `SSIZE_MAX`
///   - `-EBADF`       `fd` is not an open descriptor
///   - `-ENOTSOCK`    `fd` is not a socket
///   - any other error of send(2), among them `-EACCES`, `-ENETUNREACH`, `-ENOBUFS` and `-EOPNOTSUPP`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_send(fd: c_int, buf: *const c_void, len: size_t, flags: c_int) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        transfer::send(socket, len, flags, Pace::Mode, move |len, flags| sys::send(socket, buf, len, flags))
    })
}

/// Receives up to `len` bytes from a connected socket.
///
/// @param fd     the socket
/// @param buf    where to put them; may be NULL if `len` is 0
/// @param len    how many at most. Bytes of a message that do not fit are lost
/// @param flags  0, or `MSG_` flags of recv(2). `MSG_DONTWAIT` makes it non-blocking whatever the mode;
///               `MSG_ERRQUEUE` and `MSG_OOB` never wait. With a timeout, a receive with `MSG_WAITALL` or
///               `SO_RCVLOWAT` may end after eight ninths of it, with what has come by then;
///               `sock_recvall` uses all of it
///
/// @return how many bytes were received; 0 when the peer of a stream has closed its side, or for an
/// empty message; or the negative of an error number, to which `errno` is set too:
///   - `-EAGAIN`        non-blocking mode: nothing has come
///   - `-ETIMEDOUT`     nothing came before the timeout ran out
///   - `-EINTR`         a signal was handled, and `sock_setinterrupt` is on
///   - `-ECONNREFUSED`  the peer refused a datagram sent before
///   - `-ECONNRESET`    the peer reset the connection
///   - `-ECONNABORTED`  the network's own time ran out: keepalive, retransmissions or `TCP_USER_TIMEOUT`
///   - `-ENOTCONN`      the socket is not connected
///   - `-EFAULT`        `buf` is NULL and `len` is not 0
///   - `-EINVAL`        `len` is over `SSIZE_MAX`, or there is no out-of-band data for `MSG_OOB`
///   - `-EBADF`         `fd` is not an open descriptor
///   - `-ENOTSOCK`      `fd` is not a socket
///   - any other error of recv(2), among them `-EHOSTUNREACH`, `-ENOMEM` and `-EOPNOTSUPP`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recv(fd: c_int, buf: *mut c_void, len: size_t, flags: c_int) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        transfer::receive(socket, len, flags, Pace::Mode, move |len, flags| sys::recv(socket, buf, len, flags), || {})
    })
}

/// Sends a message to an address.
///
/// As `sock_send`, on a socket that need not be connected.
///
/// @param fd       the socket
/// @param buf      the bytes; may be NULL if `len` is 0
/// @param len      how many
/// @param flags    as for `sock_send`
/// @param addr     where to send them, or NULL on a connected socket
/// @param addrlen  the length of the address in bytes; 0 if `addr` is NULL
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
/// nothing was sent then. The errors are those of `sock_send`, and:
///   - `-EISCONN`  the socket is connected, and of a kind that cannot send elsewhere
///   - `-EFAULT`   `addr` is NULL and `addrlen` is not 0
///   - any other error of sendto(2), among them `-EAFNOSUPPORT`, `-ECONNREFUSED` and `-ENOENT`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes, `addr` for reading `addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendto(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    addr: *const sockaddr,
    addrlen: socklen_t,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        boundary::buffer(addr.cast(), addrlen as usize)?;
        transfer::send(socket, len, flags, Pace::Mode, move |len, flags| {
            sys::sendto(socket, buf, len, flags, (addr, addrlen))
        })
    })
}

/// Receives a message and the address that it came from.
///
/// As `sock_recv`, on a socket that need not be connected.
///
/// @param fd       the socket
/// @param buf      where to put the message; may be NULL if `len` is 0
/// @param len      how many bytes at most. Bytes of the message that do not fit are lost
/// @param flags    as for `sock_recv`. With `MSG_TRUNC` the result is the message's whole length
/// @param addr     where to put the address of the sender, or NULL
/// @param addrlen  in: the bytes that `addr` has room for; out: the length of the address, which was
///                 cut if that is more. Ignored when `addr` is NULL
///
/// @return how many bytes were received, which is 0 for an empty message, or the negative of an error
/// number, to which `errno` is set too. The errors are those of `sock_recv`, and:
///   - `-EFAULT`  `addr` is not NULL but `addrlen` is
///   - `-EINVAL`  `*addrlen` is over `INT_MAX`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes. `addr` is NULL, or `addrlen` is NULL or valid for
/// reading and writing a `socklen_t`, and `addr` is valid for writing `*addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvfrom(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    addr: *mut sockaddr,
    addrlen: *mut socklen_t,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        // SAFETY: the caller promises it.
        let from = unsafe { boundary::address_out(addr, addrlen)? };
        let call = move |len, flags| sys::recvfrom(socket, buf, len, flags, (addr, addrlen));
        transfer::receive(socket, len, flags, Pace::Mode, call, move || from.clear())
    })
}

/// Sends a message gathered from several buffers, with control data.
///
/// As `sock_send`. Control data goes with the first byte.
///
/// @param fd     the socket
/// @param msg    the message, as for sendmsg(2)
/// @param flags  as for `sock_send`
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
/// nothing was sent then. The errors are those of `sock_sendto`, and:
///   - `-EFAULT`    `msg` is NULL, or its `msg_iov` is NULL and `msg_iovlen` is not 0
///   - `-EMSGSIZE`  `msg_iovlen` is over `IOV_MAX`
///   - any other error of sendmsg(2), among them `-EINVAL`, `-EPERM` and `-ETOOMANYREFS`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `msg` is NULL or valid for reading, and so is all that it points to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendmsg(fd: c_int, msg: *const msghdr, flags: c_int) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        // SAFETY: the caller promises it.
        let total = unsafe { boundary::message(msg)? };
        transfer::send(socket, total, flags, Pace::Mode, move |len, flags| {
            if len == total { sys::sendmsg(socket, msg, flags) } else { sys::sendmsg_part(socket, msg, len, flags) }
        })
    })
}

/// Receives a message into several buffers, with control data and its flags.
///
/// As `sock_recvfrom`. Descriptors that come with the message are close-on-exec, as if by
/// `MSG_CMSG_CLOEXEC`.
///
/// @param fd     the socket
/// @param msg    where to put the message, as for recvmsg(2). It is changed only on success; then its
///               `msg_flags` tell, for one, with `MSG_TRUNC` that the message was longer than the buffers
/// @param flags  as for `sock_recv`
///
/// @return how many bytes were received, which is 0 for an empty message, or when the peer of a stream
/// has closed its side; or the negative of an error number, to which `errno` is set too. The errors are
/// those of `sock_recv`, and:
///   - `-EFAULT`    `msg` is NULL, or its `msg_iov` is NULL and `msg_iovlen` is not 0
///   - `-EMSGSIZE`  `msg_iovlen` is over `IOV_MAX`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `msg` is NULL or valid for reading and writing, and all that it points to for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvmsg(fd: c_int, msg: *mut msghdr, flags: c_int) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        // SAFETY: the caller promises it.
        let total = unsafe { boundary::message(msg)? };
        transfer::receive(
            socket,
            total,
            flags,
            Pace::Mode,
            move |_, flags| sys::recvmsg(socket, msg, flags),
            move || sys::clear(msg),
        )
    })
}

/// Sends all of a buffer.
///
/// The timeout limits the whole call, however many steps it takes. SIGPIPE is never raised.
///
/// @param fd     the socket
/// @param buf    the bytes; may be NULL if `len` is 0
/// @param len    how many. If 0, nothing is sent, not even an empty message
/// @param flags  as for `sock_send`
/// @param sent   where to put how many bytes were sent: `len` on success, and exact on every failure.
///               May be NULL
///
/// @return 0 once all are sent, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_send`; `*sent` bytes were sent nevertheless.
///
/// Safe to call from any thread, from a signal handler and after fork. When several threads send on one
/// stream at once, their bytes may be interleaved.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes, `sent` is NULL or valid for writing a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendall(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    sent: *mut size_t,
) -> c_int {
    // SAFETY: the caller promises it.
    let count = unsafe { boundary::count_out(sent) };
    count(0);
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        FullTransfer { socket, role: Role::Send, len, flags }
            .transfer(Pace::Mode, count, move |at, len, flags| sys::send(socket, buf.wrapping_byte_add(at), len, flags))
    })
}

/// Receives until a buffer is full.
///
/// The timeout limits the whole call, however many steps it takes. It is meant for streams. From a socket
/// with messages it receives one message after the other, cuts one that does not fit, and takes an empty
/// one for the end.
///
/// @param fd        the socket
/// @param buf       where to put the bytes; may be NULL if `len` is 0
/// @param len       how many. If 0, nothing is received
/// @param flags     as for `sock_recv`
/// @param received  where to put how many bytes were received: `len` on success, and exact on every
///                  failure; that many are in `buf`, unless `flags` have `MSG_TRUNC`. May be NULL
///
/// @return 0 once the buffer is full, or the negative of an error number, to which `errno` is set too.
/// The errors are those of `sock_recv`; `*received` bytes were received nevertheless. With
/// `sock_setinterrupt` on, `-EINTR` may also tell of control or urgent data in the stream, at which the
/// kernel stopped. And:
///   - `-EPIPE`   the peer closed its side first
///   - `-EINVAL`  `flags` has `MSG_PEEK`: a second receive would see the same bytes
///
/// Safe to call from any thread, from a signal handler and after fork. When several threads receive
/// from one stream at once, each gets a part of it.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes, `received` is NULL or valid for writing a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvall(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    received: *mut size_t,
) -> c_int {
    // SAFETY: the caller promises it.
    let count = unsafe { boundary::count_out(received) };
    count(0);
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        let flags = boundary::flags_of_recvall(flags)?;
        FullTransfer { socket, role: Role::Receive, len, flags }.transfer(Pace::Mode, count, move |at, len, flags| {
            sys::recv_at_most(socket, buf.wrapping_byte_add(at), len, flags)
        })
    })
}
