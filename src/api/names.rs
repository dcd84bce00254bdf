//! Connecting and listening by name.

use std::os::fd::IntoRawFd;

use libc::{c_char, c_double, c_int};

use crate::boundary;
use crate::time::{self, Limit};
use crate::{dial, listen, lookup};

/// There is no such host. These codes are not error numbers, which end at 4095: they tell why a lookup failed.
pub const LIBSOCK_EAI_NONAME: c_int = 5002;
/// The host cannot be looked up now, but later perhaps: no name server answered, or not in time.
pub const LIBSOCK_EAI_AGAIN: c_int = 5003;
/// The host cannot be looked up: a name server refused, or its answer made no sense.
pub const LIBSOCK_EAI_FAIL: c_int = 5004;
/// The host exists, but has no address.
pub const LIBSOCK_EAI_NODATA: c_int = 5005;
/// There is no such service.
pub const LIBSOCK_EAI_SERVICE: c_int = 5008;

/// Connects to a service of a host by TCP, within a time that covers all of it: the lookup of the name,
/// every address, and the handshake.
///
/// All addresses of the host are tried as RFC 8305 (Happy Eyeballs) has it: IPv6 and IPv4 in turn, in
/// the system's order of preference, each next one when the one before has failed or has had 250 ms,
/// or less where not all would have their turn in the first half of the time, and 128 at once at most.
/// The first connection that is made is the result, the other attempts are closed.
///
/// @param host     the name of the host, or an address in numbers: of IPv4, or of IPv6, with its scope
///                 where it needs one, such as "fe80::1%eth0"
/// @param service  a port number from 0 to 65535, or the name of a service, such as "http"
/// @param seconds  how long it may take, as in `sock_settimeout`: with 0 only a host in numbers can be
///                 connected to, and that at once; with `LIBSOCK_FOREVER` it takes as long as it takes
///
/// @return a connected descriptor, close-on-exec, with `seconds` for its timeout, or the negative of
/// an error number, to which `errno` is set too:
///   - `-ETIMEDOUT`            no connection was made in so many seconds, or before the network's own
///                             timeout
///   - `-EAGAIN`               `seconds` is 0, and no connection could be made at once
///   - `-LIBSOCK_EAI_NONAME`   there is no such host, or no host can have that name
///   - `-LIBSOCK_EAI_NODATA`   the host has no address
///   - `-LIBSOCK_EAI_SERVICE`  there is no such service, or no port of that number
///   - `-LIBSOCK_EAI_AGAIN`    name servers fail for the time being
///   - `-LIBSOCK_EAI_FAIL`     the lookup failed for another reason
///   - `-EINVAL`               `host` or `service` is NULL or empty, or `seconds` is negative or not a
///                             number
///   - `-EOVERFLOW`            `seconds` is finite, and 2^63 nanoseconds or more
///   - when every address failed, the most telling error of them: `-EMFILE`, `-ENFILE`, `-ENOBUFS` or
///     `-ENOMEM` before `-ECONNREFUSED`, then `-ECONNRESET`, `-EACCES` or `-EPERM`, `-ETIMEDOUT`,
///     `-EHOSTUNREACH`, and after these any other of socket(2) and connect(2), among them
///     `-ENETUNREACH`, `-EADDRNOTAVAIL` and `-EAFNOSUPPORT`; of equals the first
///
/// The timeout of the connection is all of `seconds` for each operation that follows, not what is left
/// of them. On a socket of your own, or of another kind, use `sock_connect`.
///
/// A signal that is handled meanwhile changes nothing. A name is looked up with getaddrinfo(3); when
/// `seconds` are neither 0 nor infinite, in a thread of its own, which has all signals blocked. If time
/// runs out first, that thread is left to itself, and ends when the resolver gives up. Without a limit
/// the resolver runs in the calling thread, and may take a signal for a name server that fails. With a
/// host in numbers there is no thread, and the name of a service, if it is not a number, is looked up at
/// once.
///
/// Safe to call from any thread, but not from a signal handler, nor after fork in a process that had
/// several threads: the resolver allocates memory and takes locks. A thread that is cancelled meanwhile
/// leaks descriptors and memory.
///
/// # Safety
///
/// `host` and `service` are NULL or end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_dial(host: *const c_char, service: *const c_char, seconds: c_double) -> c_int {
    boundary::exit(|| {
        let start = time::now();
        // SAFETY: the caller promises it.
        let (host, service) = unsafe { (boundary::text(host)?, boundary::text(service)?) };
        let limit = Limit::from_seconds(seconds)?;
        let deadline = limit.deadline(start);
        let addresses = lookup::peers(host, service, limit, deadline)?;
        let connection = dial::connect_to_any(&addresses, limit, deadline)?;
        Ok(connection.into_raw_fd() as usize)
    })
}

/// Listens for connections to a service by TCP.
///
/// The address may be used again at once when a listener is gone, as if by `SO_REUSEADDR`.
///
/// @param host     the name or the address of this machine on which to listen, or NULL for all
///                 addresses, of IPv6 and of IPv4 by the one descriptor. With a name it is the first of
///                 its addresses that can be listened on; "::" is all addresses of IPv6 alone
/// @param service  a port number, or the name of a service; "0" for a port that is free, which
///                 getsockname(2) tells
/// @param backlog  how many connections may wait to be accepted; 0 or less for the system's default,
///                 net.core.somaxconn, which is the most as well
///
/// @return a listening descriptor, close-on-exec and in blocking mode, or the negative of an error
/// number, to which `errno` is set too:
///   - `-EADDRINUSE`      another socket listens there
///   - `-EACCES`          the port is for privileged users
///   - `-EADDRNOTAVAIL`   the address is not this machine's
///   - `-EINVAL`          `host` is empty, or `service` is NULL or empty
///   - `-LIBSOCK_EAI_NONAME`, `-LIBSOCK_EAI_NODATA`, `-LIBSOCK_EAI_SERVICE`, `-LIBSOCK_EAI_AGAIN`,
///     `-LIBSOCK_EAI_FAIL`  the lookup failed, as in `sock_dial`
///   - any other error of socket(2), bind(2) and listen(2), among them `-EAFNOSUPPORT`, `-EMFILE`,
///     `-ENFILE`, `-ENOBUFS` and `-ENOMEM`
///
/// `sock_accept` accepts the connections. A name is looked up with getaddrinfo(3) for as long as it
/// takes; a number takes no time.
///
/// Safe to call from any thread, but not from a signal handler, nor after fork in a process that had
/// several threads: the resolver allocates memory and takes locks.
///
/// # Safety
///
/// `host` and `service` are NULL or end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_listen(host: *const c_char, service: *const c_char, backlog: c_int) -> c_int {
    boundary::exit(|| {
        // SAFETY: the caller promises it.
        let (host, service) = unsafe { (boundary::text(host), boundary::text(service)?) };
        let listener = listen::listen(host.ok(), service, backlog)?;
        Ok(listener.into_raw_fd() as usize)
    })
}
