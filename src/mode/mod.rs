//! The mode of a socket: what it is, and where it is kept.
//!
//! A mode belongs to the socket, not to a descriptor or a process, so it lives in the kernel, in four
//! settings that travel with the socket through dup, fork, exec and `SCM_RIGHTS` and die with it:
//!
//! | mode            | `SO_PEEK_OFF` (the word)        | `O_NONBLOCK` | `SO_RCVTIMEO` | `SO_SNDTIMEO`              |
//! | --------------- | ------------------------------- | ------------ | ------------- | -------------------------- |
//! | blocking        | blocking, or untouched          | clear        | 0             | 0                          |
//! | non-blocking    | non-blocking, or untouched      | set          | 0             | 0                          |
//! | timeout         | of TCP or of Unix, and the rest | clear        | its share     | the share + 1, or half     |
//! | timeout, polled | polled, and the rest            | set          | all of it     | all of it + 29             |
//!
//! The timeouts are in ticks of the kernel's timer. The word ([`word`]) has the nanoseconds that they do not
//! tell, and whether signals interrupt a wait; `SO_SNDTIMEO` is then one tick longer still, and modes
//! without a timeout have [`Tick::endless`] for one.
//!
//! - The *share* is a little less than the timeout. The kernel waits that long inside the operation
//!   itself, and its timer, which may be an eighth and a tick late, is never too late.
//! - A timeout is *polled* where the kernel may not wait at all: it is too short for a share, or the socket
//!   is of a kind ([`kinds`]) for which the kernel's wait is not to be trusted.
//! - `accept` cannot be told not to wait. So that it does not fall back into the kernel's wait, it sets
//!   `O_NONBLOCK` and a mark in `SO_SNDTIMEO`, which says nothing of the mode. The mode stays as it was.
//! - Timeouts that do not fit the word were set by other code, and mean what they say.
//! - A word that is lost, or just being set, leaves the longest timeout that has such ticks: never early,
//!   late by about a tick.

mod change;
mod kinds;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod ticks;
mod word;

use std::os::fd::BorrowedFd;

use crate::errno::Result;
use crate::time::{self, Timeout};
use crate::{linux, options};
pub use change::{clear_timeouts, set, set_interruptible, stop_kernel_wait};
pub use kinds::{MAX_UNCHECKED_SEND, UNIX_PIECE};
use settings::{Settings, ticks};
use ticks::{Scale, Tick};
use word::{Form, Home, Word};

/// A call that is refused for longer, in nanoseconds, may have waited for a timeout of other code, even if the
/// mode was non-blocking.
const LONG_REFUSAL: u64 = 10_000_000;

/// Which of the two timeouts an operation obeys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Receive,
    Send,
}

/// What an operation that is not ready needs to know.
#[derive(Clone, Copy)]
pub struct Mode {
    pub timeout: Timeout,
    /// A signal ends the wait with `EINTR`.
    pub interruptible: bool,
    /// For how many nanoseconds at least the kernel itself waits before it says `EAGAIN`.
    pub kernel_waits: u64,
    /// The same at most, if it waits once.
    pub kernel_waits_at_most: u64,
    /// `O_NONBLOCK` is set: the kernel does not wait.
    pub nonblocking: bool,
}

impl Mode {
    /// Whether the kernel may wait this often before the deadline, and is sure to be done by then.
    pub fn has_time_for_kernel(self, waits: u64, deadline: Option<u64>) -> bool {
        let end = time::now().saturating_add(self.kernel_waits_at_most.saturating_mul(waits));
        self.kernel_waits_at_most > 0 && deadline.is_some_and(|deadline| end < deadline)
    }

    #[cfg(test)]
    fn has_timeout(self) -> bool {
        matches!(self.timeout, Timeout::Nanoseconds(_))
    }
}

/// The mode in which `side` of a socket operates that has just said, after this many nanoseconds, that it is
/// not ready. The word alone tells of non-blocking mode, and the word and its ticks of a polled timeout.
pub fn of_unready(socket: BorrowedFd, side: Side, took: u64) -> Result<Mode> {
    if took > LONG_REFUSAL {
        return get(socket, side);
    }
    let polled = |timeout, interruptible| {
        Ok(Mode { timeout, interruptible, kernel_waits: 0, kernel_waits_at_most: 0, nonblocking: true })
    };
    match word::in_socket(socket).flatten() {
        Some(Word { form: Form::NonBlocking, .. }) => polled(Timeout::Zero, false),
        Some(word @ Word { form: Form::Polled, .. }) => {
            let tick = Tick::get()?;
            match ticks(socket, Side::Receive, tick)? {
                receive if receive != 0 && word.agrees_with(receive) => {
                    let nanoseconds = tick.join(Scale::Whole, receive, u64::from(word.rest));
                    polled(Timeout::Nanoseconds(nanoseconds), word.interruptible)
                }
                _ => get(socket, side),
            }
        }
        _ => get(socket, side),
    }
}

/// The mode in which `side` of the socket operates.
pub fn get(socket: BorrowedFd, side: Side) -> Result<Mode> {
    let tick = Tick::get()?;
    Ok(Settings::read(socket, tick)?.mode(side, tick))
}

/// The mode that was set, as far as receiving goes.
pub fn timeout(socket: BorrowedFd) -> Result<Timeout> {
    Ok(get(socket, Side::Receive)?.timeout)
}

/// Whether a signal ends a wait on the socket with `EINTR`.
pub fn is_interruptible(socket: BorrowedFd) -> Result<bool> {
    Ok(get(socket, Side::Receive)?.interruptible)
}

/// Whether `O_NONBLOCK` belongs to the mode, by its word.
pub fn has_flag(socket: BorrowedFd) -> bool {
    let form = word::in_socket(socket).flatten().map(|word| word.form);
    matches!(form, Some(Form::Polled | Form::NonBlocking))
}

/// What of a mode the kernel may forget.
pub struct Kept(Option<Word>);

/// Keeps it.
pub fn keep(socket: BorrowedFd) -> Kept {
    Kept(word::in_socket(socket).flatten())
}

impl Kept {
    /// Brings it back, if it was forgotten.
    #[cold]
    pub fn restore(self, socket: BorrowedFd) {
        if self.0.is_some() && word::in_socket(socket) == Some(None) {
            let _ = change::bring_back(socket, self.0);
        }
    }
}

/// How a large send may be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LargeSend {
    /// By one call, as the caller has it.
    Whole,
    /// By one call of bounded size: there is a timeout, in which the kernel does not count what copying takes.
    Bounded,
    /// Without waiting, and by calls of bounded size: the timeout is polled.
    Polled,
    /// All of it only without waiting. The kernel counts anew for each buffer, and may wait with no more than
    /// [`UNIX_PIECE`].
    Pieces,
}

/// How a send of over [`MAX_UNCHECKED_SEND`] may be made on this socket. A word alone does not
/// tell that there is a timeout: other code may have taken it away, or TCP passed it on with a connection.
pub fn large_send(socket: BorrowedFd, len: usize, bound: usize) -> Result<LargeSend> {
    let (home, word) = word::read(socket);
    Ok(match (home, word.map(|word| word.form)) {
        (_, Some(Form::Unix)) => LargeSend::Pieces,
        // TLS came into the kernel after the mode was set, and counts anew for each record.
        (_, Some(Form::Tcp)) if len > kinds::TLS_RECORD && linux::has_upper_protocol(socket) => LargeSend::Pieces,
        (_, Some(Form::Polled)) => LargeSend::Polled,
        (_, Some(Form::Blocking | Form::NonBlocking)) => LargeSend::Whole,
        // Other code's timeouts mean what they say, to the kernel.
        (Home::Socket, None) => LargeSend::Whole,
        _ if len <= bound || ticks(socket, Side::Send, Tick::get()?)? == 0 => LargeSend::Whole,
        _ => LargeSend::Bounded,
    })
}

/// Whether `EAGAIN` from a call that could wait is the kernel's last word: no local port is free. (Of sockets
/// that are neither of the internet nor Unix it must be believed.)
pub fn is_final(socket: BorrowedFd) -> Result<bool> {
    Ok(match options::domain(socket)? {
        libc::AF_INET | libc::AF_INET6 => options::lacks_port(socket),
        domain => domain != libc::AF_UNIX,
    })
}
