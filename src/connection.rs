//! Making connections: connect and accept. Unlike a transfer, these calls have no flag that tells them not to wait.

use std::os::fd::BorrowedFd;

use libc::{AF_UNIX, POLLOUT, c_int, sa_family_t, sockaddr, socklen_t};

use crate::errno::{Errno, Result};
use crate::mode;
use crate::operation::{self, Outcome, Pace, Role, Wait};
use crate::sys::AddressOut;
use crate::time::Reading;
use crate::{options, sys, wait};

/// Makes the connection, or goes on with one that an earlier call has begun.
pub fn connect(connection: Connection, pace: Pace) -> Result<usize> {
    // When TCP is refused, the kernel resets the socket to the state of a new one, and forgets the word of its mode.
    let kept = mode::keep(connection.socket);
    let socket = connection.socket;
    try_to_connect(connection, pace).inspect_err(|_| kept.restore(socket))
}

fn try_to_connect(connection: Connection, pace: Pace) -> Result<usize> {
    let socket = connection.socket;
    let mut has_begun = false;
    match pace {
        Pace::Mode => operation::by_mode(socket, Role::Connect, Wait::InKernel, move |wait| {
            if has_begun {
                return connection.resume(wait);
            }
            has_begun = true;
            connection.begin()
        }),
        Pace::Until(until) => operation::until(socket, Role::Connect, until, &mut |wait| {
            if has_begun {
                return connection.resume(wait);
            }
            has_begun = true;
            connection.begin_without_waiting()
        }),
    }
}

/// Accepts a connection, and gives its descriptor. Writes the address of the peer if the caller has room for it.
#[inline(always)]
pub fn accept(socket: BorrowedFd, peer: AddressOut, pace: Pace) -> Result<usize> {
    let mut start = Reading::NONE;
    let attempt = || sys::accept(socket, peer.addr, peer.addrlen);
    let first = match pace {
        Pace::Mode => {
            start.take();
            attempt()
        }
        Pace::Until(until) => {
            until.check_deadline()?;
            mode::stop_kernel_wait(socket)?;
            attempt()
        }
    };
    let connection = match first {
        Ok(connection) => connection as usize,
        Err(error) => finish_accept(socket, &start, pace, outcome_of_accept(Err(error)), &attempt)?,
    };
    // A connection to a Unix listener inherits no timeouts. Its address tells the family without a system call.
    if !is_of_unix(peer) {
        mode::clear_timeouts(sys::borrow(connection as c_int)?);
    }
    Ok(connection)
}

/// Whether the address that the kernel wrote is of a Unix socket.
fn is_of_unix(peer: AddressOut) -> bool {
    // SAFETY: the kernel has written an address there, and every address begins with its family.
    peer.room as usize >= size_of::<sa_family_t>() && unsafe { (*peer.addr).sa_family } == AF_UNIX as sa_family_t
}

#[cold]
#[inline(never)]
fn finish_accept(
    socket: BorrowedFd,
    start: &Reading,
    pace: Pace,
    first: Outcome,
    attempt: &dyn Fn() -> Result<c_int>,
) -> Result<usize> {
    pace.begin(socket, Role::Accept, start).finish(Wait::InKernel, first, &mut |wait| {
        if wait == Wait::ShutDown {
            return Outcome::Failed(Errno::INVAL);
        }
        // Another thread may take the connection first.
        let stopped = if wait == Wait::Never { mode::stop_kernel_wait(socket) } else { Ok(()) };
        match stopped {
            Ok(()) => outcome_of_accept(attempt()),
            Err(error) => Outcome::Failed(error),
        }
    })
}

/// `accept` also reports the error of a connection that died in the queue, and takes it out. The list is that of accept(2)
/// without `EOPNOTSUPP`, which may also mean that the socket cannot accept at all.
fn outcome_of_accept(result: Result<c_int>) -> Outcome {
    match result.map_err(Errno::code) {
        Err(
            libc::ECONNABORTED
            | libc::EPROTO
            | libc::ENOPROTOOPT
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENONET,
        ) => Outcome::Again,
        _ => result.map(|connection| connection as usize).into(),
    }
}

/// A connection that is to be made.
pub struct Connection<'fd> {
    pub socket: BorrowedFd<'fd>,
    pub addr: *const sockaddr,
    pub addrlen: socklen_t,
}

impl Connection<'_> {
    /// Begins, and waits in the kernel as the mode says.
    #[inline]
    pub fn begin(&self) -> Result<usize> {
        sys::connect(self.socket, self.addr, self.addrlen).map(|()| 0)
    }

    /// Begins without waiting, whatever the mode. A transfer has a flag for that; for this call `O_NONBLOCK` of the socket is
    /// set.
    pub fn begin_without_waiting(&self) -> Result<usize> {
        if options::is_nonblocking(self.socket)? {
            return self.begin();
        }
        sys::set_nonblocking(self.socket, true)?;
        let result = self.begin();
        // Unless another thread sets a mode meanwhile that has the flag.
        if !mode::has_flag(self.socket) {
            sys::set_nonblocking(self.socket, false)?;
            if mode::has_flag(self.socket) {
                sys::set_nonblocking(self.socket, true)?;
            }
        }
        result
    }

    /// What follows an attempt that is not ready or was interrupted. On a Unix socket the listener's queue is full, and the
    /// attempt is made anew. On other sockets it has gone on by itself.
    pub fn resume(&self, wait: Wait) -> Result<usize> {
        if options::domain(self.socket)? != AF_UNIX {
            return self.outcome();
        }
        match wait {
            Wait::InKernel => self.begin(),
            _ => self.begin_without_waiting(),
        }
        .or_else(|error| if error == Errno::ISCONN { Ok(0) } else { Err(error) })
    }

    /// How the attempt under way has ended, or `EINPROGRESS` if it has not. `connect` must not be called before that: if
    /// another thread has shut the socket down, it would begin a new attempt.
    fn outcome(&self) -> Result<usize> {
        let mut entry = [wait::entry(self.socket, POLLOUT)];
        match sys::poll(&mut entry, Some(crate::time::span(0))) {
            // Signals that never stop must not keep it from the wait, which looks at the token.
            Ok(0) | Err(Errno::INTR) => return Err(Errno::INPROGRESS),
            polled => polled?,
        };
        if let Some(error) = options::take_error(self.socket)? {
            self.give_up();
            return Err(error);
        }
        if !options::is_connected(self.socket)? {
            return Err(Errno::CONNABORTED);
        }
        // This call is the one that succeeds, and so the next one says that the socket is connected.
        match self.begin() {
            Err(Errno::ISCONN) => Ok(0),
            result => result,
        }
    }

    /// Ends an attempt whose error has been read, so that the socket can be connected anew. The kernel does the same when
    /// `connect` returns the error. Protocols of the internet know this call, and others refuse it.
    fn give_up(&self) {
        // SAFETY: all zero is a valid sockaddr, and one of no family.
        let nobody: sockaddr = unsafe { std::mem::zeroed() };
        let _ = sys::connect(self.socket, &raw const nobody, size_of::<sockaddr>() as socklen_t);
    }
}
