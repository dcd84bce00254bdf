//! The one wait outside the kernel's calls: for descriptors or a token, until a moment.

use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{POLLIN, POLLNVAL, c_short, pollfd};

use crate::errno::{Errno, Result};
use crate::{sys, time};

/// What ends a wait before the socket is ready.
#[derive(Clone, Copy)]
pub struct Until<'fd> {
    /// A moment, in nanoseconds of `CLOCK_MONOTONIC`; `None` is never.
    pub deadline: Option<u64>,
    /// A descriptor that cancels the wait once it is readable or has hung up.
    pub token: Option<BorrowedFd<'fd>>,
}

/// No descriptor, which `ppoll` passes over.
pub const NO_ENTRY: pollfd = pollfd { fd: -1, events: 0, revents: 0 };

/// An entry for `ppoll`: a descriptor and its events.
pub fn entry(fd: BorrowedFd, events: c_short) -> pollfd {
    pollfd { fd: fd.as_raw_fd(), events, revents: 0 }
}

impl Until<'_> {
    /// Whether there is neither a deadline nor a token.
    pub fn is_endless(self) -> bool {
        self.deadline.is_none() && self.token.is_none()
    }

    /// Fails if the deadline has passed.
    pub fn check_deadline(self) -> Result<()> {
        match self.deadline {
            Some(deadline) if time::read_clock()? >= deadline => Err(Errno::TIMEDOUT),
            _ => Ok(()),
        }
    }

    /// Fails if the token cancels or the deadline has passed. It is for the moment between two steps that need not wait.
    pub fn check(self) -> Result<()> {
        if self.token.is_some() {
            self.wait(&mut [NO_ENTRY], Some(0))?;
        }
        self.check_deadline()
    }

    /// Waits until one of the entries is ready, or until `turn`, and says whether one is ready. The first entry is free for the
    /// token. If several things have happened, the token comes first, then the other entries, then the deadline. A signal
    /// ends the wait with `EINTR`, unless the time is over: an endless stream of signals must not prolong the wait.
    pub fn wait(self, entries: &mut [pollfd], turn: Option<u64>) -> Result<bool> {
        entries.iter_mut().for_each(|entry| entry.revents = 0);
        let [token, others @ ..] = &mut *entries else { return Err(Errno::INVAL) };
        // Without a token its entry is left out: the kernel allows no more entries than descriptors.
        let entries = match self.token {
            Some(fd) => {
                *token = entry(fd, POLLIN);
                entries
            }
            None => others,
        };
        let is_ready = self.poll(entries, self.deadline.into_iter().chain(turn).min())?;
        match entries.first() {
            Some(pollfd { revents, .. }) if self.token.is_some() && *revents != 0 => {
                return Err(if revents & POLLNVAL != 0 { Errno::BADF } else { Errno::CANCELED });
            }
            _ => {}
        }
        if !is_ready {
            self.check_deadline()?;
        }
        Ok(is_ready)
    }

    fn poll(self, entries: &mut [pollfd], end: Option<u64>) -> Result<bool> {
        let is_over = || end.is_some_and(|end| time::now() >= end);
        loop {
            match sys::poll(entries, end.map(time::until).transpose()?) {
                Ok(0) | Err(Errno::INTR) if is_over() => return Ok(false),
                Ok(0) => {} // A long wait is several polls.
                ready => return ready.map(|_| true),
            }
        }
    }

    /// Waits until `socket` is ready for any of `events`, has an error or has hung up, and gives these events. Gives 0 if none
    /// came within `at_most` nanoseconds.
    pub fn wait_for(self, socket: BorrowedFd, events: c_short, at_most: Option<u64>) -> Result<c_short> {
        let mut entries = [NO_ENTRY, entry(socket, events)];
        self.wait(&mut entries, at_most.map(|most| time::now().saturating_add(most)))?;
        match entries {
            [_, pollfd { revents, .. }] if revents & POLLNVAL != 0 => Err(Errno::BADF),
            [_, pollfd { revents, .. }] => Ok(revents),
        }
    }

    /// Sleeps for this many nanoseconds, or until the deadline or the token.
    pub fn sleep(self, nanoseconds: u64) -> Result<()> {
        self.wait(&mut [NO_ENTRY], Some(time::now().saturating_add(nanoseconds))).map(drop)
    }
}
