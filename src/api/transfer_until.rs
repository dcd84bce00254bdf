//! Transfers until a deadline, or until a token cancels them.

use libc::{c_double, c_int, c_void, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use crate::operation::{Pace, Role};
use crate::transfer::{self, FullTransfer};
use crate::{boundary, sys};

/// Sends bytes on a connected socket until a deadline, or until a token cancels it.
///
/// It is `sock_send` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
/// changed. One system call if it need not wait, three if it must.
/// Of a stream it sends what there is room for, 1 MiB at most.
///
/// @param fd        the socket
/// @param buf       the bytes; may be NULL if `len` is 0
/// @param len       how many
/// @param flags     as for `sock_send`
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_send`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
/// looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
/// `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_send_until(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    deadline: c_double,
    token: c_int,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        boundary::buffer(buf, len)?;
        transfer::send(socket, len, flags, pace, move |len, flags| sys::send(socket, buf, len, flags))
    })
}

/// Receives bytes from a connected socket until a deadline, or until a token cancels it.
///
/// It is `sock_recv` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
/// changed. One system call if it need not wait, three if it must.
/// Of a stream it receives 1 MiB at most.
///
/// @param fd        the socket
/// @param buf       where to put the bytes; may be NULL if `len` is 0
/// @param len       how many at most
/// @param flags     as for `sock_recv`
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return how many bytes were received; 0 when the peer of a stream has closed its side, or for an
/// empty message, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_recv`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
/// looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
/// `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recv_until(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    deadline: c_double,
    token: c_int,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        boundary::buffer(buf, len)?;
        transfer::receive(socket, len, flags, pace, move |len, flags| sys::recv(socket, buf, len, flags), || {})
    })
}

/// Sends a message to an address until a deadline, or until a token cancels it.
///
/// It is `sock_sendto` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
/// changed. One system call if it need not wait, three if it must.
///
/// @param fd        the socket
/// @param buf       the bytes; may be NULL if `len` is 0
/// @param len       how many
/// @param flags     as for `sock_send`
/// @param addr      where to send them, or NULL on a connected socket
/// @param addrlen   the length of the address in bytes; 0 if `addr` is NULL
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_sendto`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
/// looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
/// `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes, `addr` for reading `addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendto_until(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    addr: *const sockaddr,
    addrlen: socklen_t,
    deadline: c_double,
    token: c_int,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        boundary::buffer(buf, len)?;
        boundary::buffer(addr.cast(), addrlen as usize)?;
        transfer::send(socket, len, flags, pace, move |len, flags| {
            sys::sendto(socket, buf, len, flags, (addr, addrlen))
        })
    })
}

/// Receives a message and its sender's address until a deadline, or until a token cancels it.
///
/// It is `sock_recvfrom` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
/// changed. One system call if it need not wait, three if it must.
///
/// @param fd        the socket
/// @param buf       where to put the bytes; may be NULL if `len` is 0
/// @param len       how many at most
/// @param flags     as for `sock_recv`
/// @param addr      where to put the address of the sender, or NULL
/// @param addrlen   in: the bytes that `addr` has room for; out: the length of the address
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return how many bytes were received, which is 0 for an empty message, or the negative of an error number,
/// to which `errno` is set too. The errors are those of `sock_recvfrom`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
/// looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
/// `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes. `addr` is NULL, or `addrlen` is NULL or valid for
/// reading and writing a `socklen_t`, and `addr` is valid for writing `*addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvfrom_until(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    addr: *mut sockaddr,
    addrlen: *mut socklen_t,
    deadline: c_double,
    token: c_int,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        boundary::buffer(buf, len)?;
        // SAFETY: the caller promises it.
        let from = unsafe { boundary::address_out(addr, addrlen)? };
        let call = move |len, flags| sys::recvfrom(socket, buf, len, flags, (addr, addrlen));
        transfer::receive(socket, len, flags, pace, call, move || from.clear())
    })
}

/// Sends a message with control data until a deadline, or until a token cancels it.
///
/// It is `sock_sendmsg` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
/// changed. One system call if it need not wait, three if it must.
///
/// @param fd        the socket
/// @param msg       the message, as for sendmsg(2)
/// @param flags     as for `sock_send`
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_sendmsg`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
/// looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
/// `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `msg` is NULL or valid for reading, and so is all that it points to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendmsg_until(
    fd: c_int,
    msg: *const msghdr,
    flags: c_int,
    deadline: c_double,
    token: c_int,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        // SAFETY: the caller promises it.
        let total = unsafe { boundary::message(msg)? };
        transfer::send(socket, total, flags, pace, move |len, flags| {
            if len == total { sys::sendmsg(socket, msg, flags) } else { sys::sendmsg_part(socket, msg, len, flags) }
        })
    })
}

/// Receives a message with control data until a deadline, or until a token cancels it.
///
/// It is `sock_recvmsg` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
/// changed. One system call if it need not wait, three if it must.
///
/// @param fd        the socket
/// @param msg       where to put the message, as for `sock_recvmsg`
/// @param flags     as for `sock_recv`
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return how many bytes were received, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_recvmsg`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
/// looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
/// `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `msg` is NULL or valid for reading and writing, and all that it points to for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvmsg_until(
    fd: c_int,
    msg: *mut msghdr,
    flags: c_int,
    deadline: c_double,
    token: c_int,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        // SAFETY: the caller promises it.
        let total = unsafe { boundary::message(msg)? };
        transfer::receive(
            socket,
            total,
            flags,
            pace,
            move |_, flags| sys::recvmsg(socket, msg, flags),
            move || sys::clear(msg),
        )
    })
}

/// Sends all of a buffer until a deadline, or until a token cancels it.
///
/// It is `sock_sendall` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
/// changed. It looks at both between any two steps, so that a peer which never stops cannot hold it for longer.
///
/// @param fd        the socket
/// @param buf       the bytes; may be NULL if `len` is 0
/// @param len       how many. If 0, nothing is sent
/// @param flags     as for `sock_send`
/// @param sent      where to put how many bytes were sent: exact on every return. May be NULL
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return 0 once all are sent, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_sendall`, and:
///   - `-ETIMEDOUT`  the deadline has passed; `*sent` bytes were sent nevertheless
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
/// looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
/// `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes, `sent` is NULL or valid for writing a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendall_until(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    sent: *mut size_t,
    deadline: c_double,
    token: c_int,
) -> c_int {
    // SAFETY: the caller promises it.
    let count = unsafe { boundary::count_out(sent) };
    count(0);
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        boundary::buffer(buf, len)?;
        FullTransfer { socket, role: Role::Send, len, flags }
            .transfer(pace, count, move |at, len, flags| sys::send(socket, buf.wrapping_byte_add(at), len, flags))
    })
}

/// Receives until a buffer is full, a deadline has passed, or a token cancels it.
///
/// It is `sock_recvall` with other limits: the deadline and the token hold in every mode, and the mode is neither obeyed nor
/// changed. It looks at both between any two steps, so that a peer which never stops cannot hold it for longer.
///
/// @param fd        the socket
/// @param buf       where to put the bytes; may be NULL if `len` is 0
/// @param len       how many. If 0, nothing is received
/// @param flags     as for `sock_recv`
/// @param received  where to put how many bytes were received: exact on every return. May be NULL
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return 0 once the buffer is full, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_recvall`, and:
///   - `-ETIMEDOUT`  the deadline has passed; `*received` bytes were received nevertheless
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried, even if the socket is ready. The token is
/// looked at only if the call has to wait, and then before the socket: a token that was cancelled earlier cancels it too.
/// `MSG_DONTWAIT` still gives `-EAGAIN`. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes, `received` is NULL or valid for writing a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvall_until(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    received: *mut size_t,
    deadline: c_double,
    token: c_int,
) -> c_int {
    // SAFETY: the caller promises it.
    let count = unsafe { boundary::count_out(received) };
    count(0);
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        boundary::buffer(buf, len)?;
        let flags = boundary::flags_of_recvall(flags)?;
        FullTransfer { socket, role: Role::Receive, len, flags }.transfer(pace, count, move |at, len, flags| {
            sys::recv_at_most(socket, buf.wrapping_byte_add(at), len, flags)
        })
    })
}
