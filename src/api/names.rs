//! Connecting and listening by name.

use std::os::fd::IntoRawFd;

use libc::{c_char, c_double, c_int};

use crate::boundary;
use crate::errno::Errno;
use crate::name::{self, Target};
use crate::time::{self, Timeout};
use crate::wait::Until;

/// Connects to a service of a host, within a time that covers all of it: the lookup of the name, every address, and
/// the handshake.
///
/// All addresses of the host are tried as RFC 8305 (Happy Eyeballs) has it: IPv6 and IPv4 in turn, in
/// the system's order of preference. The next attempt begins when the one before has failed, or after 250 ms;
/// earlier if otherwise not every address would have its turn in the first half of the time. There are at most 128
/// attempts at once. The first connection that is made is the result, and the other attempts are closed.
///
/// @param host     the name of the host, or a numeric address: of IPv4, or of IPv6, with its scope
///                 where it needs one, such as "fe80::1%eth0". Or a Unix stream socket: its path, which begins with
///                 "/", or its abstract name, which begins with "@"
/// @param service  a port number from 0 to 65535, or the name of a service, such as "http". "/udp" after it, as in
///                 "53/udp" or "domain/udp", is for a socket of UDP; "/tcp" may be there too. NULL for a Unix socket
/// @param seconds  how long it may take, as in `sock_settimeout`: with 0, only a numeric address or a Unix socket can be
///                 connected to, at once; `LIBSOCK_FOREVER` sets no limit
///
/// @return a connected descriptor, close-on-exec, with `seconds` for its timeout, or the negative of
/// an error number, to which `errno` is set too:
///   - `-ETIMEDOUT`            no connection was made within `seconds`, or the network's own timeout came first
///   - `-EAGAIN`               `seconds` is 0 and no connection could be made at once, or 64 lookups that were
///                             abandoned are still under way
///   - `-LIBSOCK_EAI_NONAME`   there is no such host, or no host can have that name
///   - `-LIBSOCK_EAI_NODATA`   the host has no address
///   - `-LIBSOCK_EAI_SERVICE`  there is no such service, no port of that number, or no such protocol
///   - `-LIBSOCK_EAI_AGAIN`    the name servers fail at the moment
///   - `-LIBSOCK_EAI_FAIL`     the lookup failed for another reason
///   - `-EINVAL`               `host` is NULL or empty, or `service` is NULL or empty or begins with "/", or is not NULL
///                             for a Unix socket, or `host` is "@" alone or a link-local address without its scope, or
///                             `seconds` is negative or not a number
///   - `-EOVERFLOW`            `seconds` is finite, and 2^63 nanoseconds or more
///   - `-ENAMETOOLONG`         the path of the Unix socket has more than 107 bytes, or the abstract name more than 107
///                             after its "@"
///   - `-ENOENT`               there is no Unix socket at that path
///   - when every address failed, the most telling error of them: `-EMFILE`, `-ENFILE`, `-ENOBUFS` or
///     `-ENOMEM` before `-ECONNREFUSED`, then `-ECONNRESET`, `-EACCES` or `-EPERM`, `-ETIMEDOUT`,
///     `-EHOSTUNREACH`, and after these any other of socket(2) and connect(2), among them
///     `-ENETUNREACH`, `-EADDRNOTAVAIL` and `-EAFNOSUPPORT`; of equals the first
///
/// The timeout of the connection is all of `seconds` for each operation that follows, not what is left
/// of it. On a socket of your own, or of another kind, use `sock_connect`. A socket of UDP is connected at once, whether
/// or not anybody is there.
///
/// A signal that is handled meanwhile changes nothing. A name is looked up with getaddrinfo(3); when
/// `seconds` is neither 0 nor infinite, in a thread of its own. That thread blocks all signals but those that it raises
/// itself, such as SIGSEGV and SIGSYS. Without a limit the resolver runs in the calling thread, and may take a signal for
/// a name server that fails. With a numeric address there is no thread, and the name of a service, if it is not a number,
/// is looked up at once. Where too few descriptors or too little memory keep the resolver from its files, the code says so.
///
/// The thread is gone when the function returns, unless time ran out first: then the lookup is abandoned. Its thread ends
/// when the resolver gives up, and until then counts as a thread of the process, also for what a program may do after
/// fork. Its memory (300 KiB of address space, little of it in use) is given back when a later lookup begins. The
/// object that contains the library's code, such as a plug-in, stays loaded for good.
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
        let (host, service) = unsafe { (boundary::text(host)?, boundary::text(service).ok()) };
        let timeout = Timeout::from_seconds(seconds)?;
        let target = Target::parse(Some(host), service)?;
        let until = Until { deadline: timeout.deadline(start), token: None };
        match name::dial(&target, until, timeout) {
            Err(Errno::TIMEDOUT) if timeout == Timeout::Zero => Err(Errno::AGAIN),
            connection => connection.map(|connection| connection.into_raw_fd() as usize),
        }
    })
}

/// Connects to a service of a host until a deadline, or until a token cancels it.
///
/// It is `sock_dial` with other limits. They hold for the lookup of the name, for every attempt and for the handshake.
///
/// @param host      as in `sock_dial`
/// @param service   as in `sock_dial`
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`; `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return a connected descriptor, close-on-exec and in blocking mode, or the negative of an error number, to which
/// `errno` is set too. The errors are those of `sock_dial`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// If the deadline has already passed, the call fails before anything is tried; a negative one has always passed. The token
/// is looked at only if the call has to wait: for the lookup of a host, or for a connection that is not made at once. Then
/// it is looked at first, so that a token which was cancelled earlier cancels the wait. Nothing is left behind
/// that `sock_dial` would not leave: all attempts are closed, and a lookup is abandoned.
///
/// Safe to call from any thread, but not from a signal handler, nor after fork in a process that had
/// several threads: the resolver allocates memory and takes locks. A thread that is cancelled meanwhile
/// leaks descriptors and memory.
///
/// # Safety
///
/// `host` and `service` are NULL or end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_dial_until(
    host: *const c_char,
    service: *const c_char,
    deadline: c_double,
    token: c_int,
) -> c_int {
    boundary::exit(|| {
        // SAFETY: the caller promises it.
        let (host, service) = unsafe { (boundary::text(host)?, boundary::text(service).ok()) };
        let until = boundary::until(-1, deadline, token)?;
        let target = Target::parse(Some(host), service)?;
        until.check_deadline()?;
        let connection = name::dial(&target, until, Timeout::Forever)?;
        Ok(connection.into_raw_fd() as usize)
    })
}

/// Listens for connections to a service, or makes a socket of UDP that receives what is sent to it.
///
/// The address of a listener of TCP may be used again at once when it is gone, as if by `SO_REUSEADDR`.
///
/// @param host     the name or the numeric address of this machine on which to listen, or NULL for all
///                 addresses, of IPv6 and of IPv4 by the one descriptor (of IPv4 alone where IPv6 is missing or
///                 refused). With a name it is the first of its addresses that can be listened on; "::" is all
///                 addresses of IPv6 alone. Or a Unix stream socket, which is made: its path, which begins with "/",
///                 or its abstract name, which begins with "@"
/// @param service  a port number, or the name of a service; "0" for a port that is free, which
///                 getsockname(2) and `sock_name` tell. "/udp" after it, as in "53/udp", is for a socket of UDP. NULL
///                 for a Unix socket
/// @param backlog  how many connections may wait to be accepted; 0 or less for the system's default,
///                 net.core.somaxconn, which is also the maximum. UDP has none
///
/// @return a listening descriptor, or one of UDP, close-on-exec and in blocking mode, or the negative of an error
/// number, to which `errno` is set too:
///   - `-EADDRINUSE`      another socket listens there, or there is a file at the path of the Unix socket
///   - `-EACCES`          the port is for privileged users, or the directory of the Unix socket cannot be written to
///   - `-EADDRNOTAVAIL`   the address is not this machine's
///   - `-EINVAL`          `host` is empty, or `service` is NULL or empty or begins with "/", or is not NULL for a Unix
///                        socket, or `host` is "@" alone or a link-local address without its scope
///   - `-ENAMETOOLONG`    the path of the Unix socket has more than 107 bytes, or the abstract name more than 107
///                        after its "@"
///   - `-LIBSOCK_EAI_NONAME`, `-LIBSOCK_EAI_NODATA`, `-LIBSOCK_EAI_SERVICE`, `-LIBSOCK_EAI_AGAIN`,
///     `-LIBSOCK_EAI_FAIL`  the lookup failed, as in `sock_dial`
///   - any other error of socket(2), bind(2) and listen(2), among them `-EAFNOSUPPORT`, `-EMFILE`,
///     `-ENFILE`, `-ENOBUFS`, `-ENOENT` and `-ENOMEM`
///
/// `sock_accept` accepts the connections. A name is looked up with getaddrinfo(3) for as long as it
/// takes; a number takes no time. The file of a Unix socket stays when the listener is gone: unlink(2) removes it.
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
        let (host, service) = unsafe { (boundary::text(host), boundary::text(service)) };
        let target = Target::parse(host.ok(), service.ok())?;
        let listener = name::listen(&target, backlog)?;
        Ok(listener.into_raw_fd() as usize)
    })
}
