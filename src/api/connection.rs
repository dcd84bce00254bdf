//! Making connections.

use libc::{c_int, sockaddr, socklen_t};

use crate::boundary;
use crate::errno::Errno;
use crate::mode::{self, Side};
use crate::operation::{Operation, WAIT};
use crate::{options, sys};

/// Connects a socket to an address.
///
/// An attempt that is interrupted or runs out of time goes on by itself; a later `sock_connect` on
/// the same socket takes it up again. In blocking mode it waits for the end of the attempt, with a
/// timeout for that long at most.
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
        let mut begun = false;
        Operation::run(socket, Side::Send, WAIT, move |flags| {
            // Another connect to a Unix listener waits anew. Elsewhere it only tells how the attempt
            // goes, or went.
            if flags != WAIT && options::is_unix(socket)? {
                mode::poll_from_now_on(socket, Side::Send)?;
            }
            match sys::connect(socket, addr, addrlen) {
                Err(error) if begun && error.code() == libc::EISCONN => Ok(0),
                result => {
                    begun = true;
                    result.map(|()| 0)
                }
            }
        })
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
///   - `-EINVAL`      `fd` is not listening, or `*addrlen` is over `INT_MAX`
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
        unsafe { boundary::address_out(addr, addrlen)? };
        let connection = Operation::run(socket, Side::Receive, WAIT, move |flags| {
            if flags != WAIT {
                // The connection may go to another thread, and accept cannot be told not to wait.
                mode::poll_from_now_on(socket, Side::Receive)?;
            }
            match sys::accept(socket, addr, addrlen) {
                Err(error) if befell_connection(error) => Err(Errno::RESTART),
                result => result.map(|connection| connection as usize),
            }
        })?;
        mode::clear_timeouts(boundary::socket(connection as c_int)?);
        Ok(connection)
    })
}

/// Whether `accept` reports what befell a connection in the queue, which it has taken out. The list
/// is accept(2)'s, without the `EOPNOTSUPP` that also says that a socket cannot accept at all.
fn befell_connection(error: Errno) -> bool {
    matches!(
        error.code(),
        libc::ECONNABORTED
            | libc::EPROTO
            | libc::ENOPROTOOPT
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENONET
    )
}
