//! Making connections.

use libc::{c_double, c_int, sockaddr, socklen_t};

use crate::boundary;
use crate::connection::{self, Connection};
use crate::operation::Pace;

/// Connects a socket to an address.
///
/// An attempt that is interrupted, or runs out of time, goes on by itself. Call `sock_connect` on the same
/// socket again to wait for its end: without a limit in blocking mode, for the timeout otherwise.
///
/// @param fd       the socket
/// @param addr     the address of the peer
/// @param addrlen  its length in bytes
///
/// @return 0 once connected, or the negative of an error number, to which `errno` is set too:
///   - `-EINPROGRESS`  non-blocking mode: the attempt has begun. Wait for `POLLOUT`, then call again
///   - `-EALREADY`     non-blocking mode: an attempt begun earlier is still under way
///   - `-EAGAIN`       non-blocking mode: the queue of a Unix listener is full
///   - `-ETIMEDOUT`    the timeout ran out, or the network's own did
///   - `-EINTR`        a signal was handled, and `sock_setinterrupt` is on
///   - `-ECONNREFUSED` nobody listens there
///   - `-EISCONN`      the socket was connected before
///   - `-EFAULT`       `addr` is NULL and `addrlen` is not 0
///   - `-EBADF`        `fd` is not an open descriptor
///   - `-ENOTSOCK`     `fd` is not a socket
///   - any other error of connect(2), among them `-EACCES`, `-EADDRNOTAVAIL`, `-EAFNOSUPPORT`,
///     `-EHOSTUNREACH`, `-EINVAL`, `-ENETUNREACH`, `-ENOENT` and `-EPROTOTYPE`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `addr` is NULL or valid for reading `addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_connect(fd: c_int, addr: *const sockaddr, addrlen: socklen_t) -> c_int {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(addr.cast(), addrlen as usize)?;
        connection::connect(Connection { socket, addr, addrlen }, Pace::Mode)
    })
}

/// Accepts a connection from a listening socket.
///
/// A connection that failed while it waited to be accepted is skipped, and the wait goes on.
///
/// @param fd       the listening socket
/// @param addr     where to put the address of the peer, or NULL
/// @param addrlen  in: the bytes that `addr` has room for; out: the length of the address, which was
///                 cut if that is more. Ignored when `addr` is NULL
///
/// @return the descriptor of the connection, close-on-exec and in blocking mode whatever the
/// listener's, or the negative of an error number, to which `errno` is set too:
///   - `-EAGAIN`      non-blocking mode: there is no connection to accept
///   - `-ETIMEDOUT`   none came before the timeout ran out
///   - `-EINTR`       a signal was handled, and `sock_setinterrupt` is on
///   - `-EINVAL`      `fd` is not listening, or was shut down, even during the wait; or `*addrlen` is over
///     `INT_MAX`
///   - `-EMFILE`, `-ENFILE`, `-ENOBUFS`, `-ENOMEM`  no descriptor or memory is left; the connection is
///     not lost, and can be accepted later
///   - `-EFAULT`      `addr` is not NULL but `addrlen` is
///   - `-EOPNOTSUPP`  the socket is of a kind that does not accept
///   - `-EBADF`       `fd` is not an open descriptor
///   - `-ENOTSOCK`    `fd` is not a socket
///   - `-EPERM`       a firewall forbids it
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `addr` is NULL, or `addrlen` is NULL or valid for reading and writing a `socklen_t`, and `addr` is
/// valid for writing `*addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_accept(fd: c_int, addr: *mut sockaddr, addrlen: *mut socklen_t) -> c_int {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        // SAFETY: the caller promises it.
        let peer = unsafe { boundary::address_out(addr, addrlen)? };
        connection::accept(socket, peer, Pace::Mode)
    })
}

/// Connects a socket to an address until a deadline, or until a token cancels it.
///
/// It is `sock_connect` with other limits: the deadline and the token hold in every mode, and the mode is not obeyed.
/// If the deadline passes or the token cancels, the attempt goes on by itself, and a later call can wait for its end.
///
/// @param fd        the socket
/// @param addr      the address of the peer
/// @param addrlen   its length in bytes
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return 0 once connected, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_connect`, and:
///   - `-ETIMEDOUT`  the deadline has passed, or the network's own time is over
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// While it begins the attempt, the socket has `O_NONBLOCK` set. If the deadline has already
/// passed, the call fails before anything is tried. The token is looked at only if the call has to wait, and then before
/// the socket. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `addr` is NULL or valid for reading `addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_connect_until(
    fd: c_int,
    addr: *const sockaddr,
    addrlen: socklen_t,
    deadline: c_double,
    token: c_int,
) -> c_int {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        boundary::buffer(addr.cast(), addrlen as usize)?;
        connection::connect(Connection { socket, addr, addrlen }, pace)
    })
}

/// Accepts a connection until a deadline, or until a token cancels it.
///
/// It is `sock_accept` with other limits: the deadline and the token hold in every mode, and the mode is not obeyed.
///
/// @param fd        the socket
/// @param addr      where to put the address of the peer, or NULL
/// @param addrlen   in: the bytes that `addr` has room for; out: the length of the address
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return the descriptor of the connection, close-on-exec and in blocking mode whatever the
/// listener's, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_accept`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// A listener that could wait in the kernel has `O_NONBLOCK` set from now on, until its mode is next set: other code that
/// accepts from it must expect `EAGAIN`. To this library its mode stays what it was. If the deadline has
/// already passed, the call fails before anything is tried. The token is looked at only if the call has to wait, and then
/// before the socket. A signal ends the wait only with `sock_setinterrupt`.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `addr` is NULL, or `addrlen` is NULL or valid for
/// reading and writing a `socklen_t`, and `addr` is valid for writing `*addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_accept_until(
    fd: c_int,
    addr: *mut sockaddr,
    addrlen: *mut socklen_t,
    deadline: c_double,
    token: c_int,
) -> c_int {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        // SAFETY: the caller promises it.
        let peer = unsafe { boundary::address_out(addr, addrlen)? };
        connection::accept(socket, peer, pace)
    })
}
