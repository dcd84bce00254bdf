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
//! The timeouts are in ticks of the kernel's timer. The word ([`word`]) has the nanoseconds below a tick, and whether
//! signals interrupt a wait. If they do, `SO_SNDTIMEO` is one tick longer still, and a mode without a timeout has
//! [`Tick::endless`] in place of the 0.
//!
//! - The *share* is a little less than the timeout. The kernel waits that long inside the operation
//!   itself, and its timer, which may be an eighth and a tick late, is never too late.
//! - A timeout is *polled* where the kernel may not wait at all: it is too short for a share, or the socket
//!   is of a kind ([`kinds`]) for which the kernel's wait cannot be trusted.
//! - `accept` has no flag that tells it not to wait. Where it must not wait in the kernel, the listener gets
//!   `O_NONBLOCK` and a mark in `SO_SNDTIMEO`. Neither changes the mode.
//! - Other code set the timeouts that do not agree with the word. They mean what they say.
//! - While a word is lost, or is just being set, the longest timeout with the same ticks is read: it is never early,
//!   and late by about a tick.

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

/// In nanoseconds. A call that says "not ready" only after a longer time may have waited for a timeout that other code
/// set, even if the word says non-blocking.
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
    /// The least time, in nanoseconds, that the kernel itself waits before it says `EAGAIN`.
    pub kernel_waits: u64,
    /// The longest time that it waits before that, if it waits once.
    pub kernel_waits_at_most: u64,
    /// `O_NONBLOCK` is set: the kernel does not wait.
    pub nonblocking: bool,
}

impl Mode {
    /// Whether the kernel can wait so many times and is sure to be done before the deadline.
    pub fn has_time_for_kernel(self, waits: u64, deadline: Option<u64>) -> bool {
        let end = time::now().saturating_add(self.kernel_waits_at_most.saturating_mul(waits));
        self.kernel_waits_at_most > 0 && deadline.is_some_and(|deadline| end < deadline)
    }

    #[cfg(test)]
    fn has_timeout(self) -> bool {
        matches!(self.timeout, Timeout::Nanoseconds(_))
    }
}

/// The mode of `side` of a socket that has just said, after `took` nanoseconds, that it is not ready. For non-blocking
/// mode it reads the word alone, and for a polled timeout the word and its ticks.
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

/// The part of a mode that the kernel may forget: the word.
pub struct Kept(Option<Word>);

/// Reads the word, to be restored.
pub fn keep(socket: BorrowedFd) -> Kept {
    Kept(word::in_socket(socket).flatten())
}

impl Kept {
    /// Writes the word back, if the kernel forgot it.
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
    /// By one call, with the caller's length and flags.
    Whole,
    /// By one call of bounded size: there is a timeout, and the kernel does not count the time that it copies.
    Bounded,
    /// Without waiting, and by calls of bounded size: the timeout is polled.
    Polled,
    /// All of it without waiting, or [`UNIX_PIECE`] bytes in a call that waits: the kernel counts its wait anew for each
    /// buffer.
    Pieces,
}

/// How a send of over [`MAX_UNCHECKED_SEND`] may be made on this socket. A word does not prove that there is a
/// timeout: other code may have cleared it, or the connection inherited the word from its listener.
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

/// Whether `EAGAIN` from a call that could wait is final: no local port is free. (On sockets that are neither of the
/// internet nor Unix it is always taken for final.)
pub fn is_final(socket: BorrowedFd) -> Result<bool> {
    Ok(match options::domain(socket)? {
        libc::AF_INET | libc::AF_INET6 => options::lacks_port(socket),
        domain => domain != libc::AF_UNIX,
    })
}
