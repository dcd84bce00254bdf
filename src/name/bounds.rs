//! What ends a wait for something else: a deadline and a token. All that waits by name waits here.

use std::os::fd::{AsRawFd, BorrowedFd};

use libc::pollfd;

use crate::errno::{Errno, Result};
use crate::time::{self, Limit, now};
use crate::{boundary, sys};

/// How long a wait may be, and what cancels it.
#[derive(Clone, Copy)]
pub struct Bounds<'fd> {
    /// In nanoseconds of the clock; `None` is never.
    pub deadline: Option<u64>,
    token: Option<BorrowedFd<'fd>>,
    /// What comes of it at the deadline.
    expired: Errno,
}

/// No descriptor, which `ppoll` passes over.
pub const NONE: pollfd = pollfd { fd: -1, events: 0, revents: 0 };

impl<'fd> Bounds<'fd> {
    /// A timeout that begins at `start`.
    pub fn timeout(limit: Limit, start: u64) -> Bounds<'fd> {
        let expired = if limit == Limit::Nothing { Errno::AGAIN } else { Errno::TIMEDOUT };
        Bounds { deadline: limit.deadline(start), token: None, expired }
    }

    /// A caller's deadline, in seconds of the clock, and token.
    pub fn until(deadline: f64, token: i32) -> Result<Bounds<'fd>> {
        let token = if token == -1 { None } else { Some(boundary::socket(token)?) };
        let deadline = match deadline {
            past if past < 0.0 => Some(0),
            seconds => Limit::from_seconds(seconds)?.deadline(0),
        };
        Ok(Bounds { deadline, token, expired: Errno::TIMEDOUT })
    }

    /// Nothing but what is waited for ends a wait.
    pub fn is_endless(&self) -> bool {
        self.deadline.is_none() && self.token.is_none()
    }

    pub fn check_deadline(&self) -> Result<()> {
        if self.deadline.is_some_and(|deadline| now() >= deadline) { Err(self.expired) } else { Ok(()) }
    }

    /// Waits until one of the entries is ready, or `turn` comes, and tells whether one is. The first entry is taken
    /// for the token. A signal may end it sooner. Of what ends it, the token is looked at first and the deadline last.
    pub fn wait(&self, entries: &mut [pollfd], turn: Option<u64>) -> Result<bool> {
        entries.iter_mut().for_each(|entry| entry.revents = 0);
        let [token, others @ ..] = entries else { return Err(Errno::INVAL) };
        *token = NONE;
        let timeout = self.deadline.into_iter().chain(turn).min().map(time::until).transpose()?;
        let ended = match self.token {
            None => sys::poll_all(others, timeout),
            Some(fd) => {
                *token = pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
                sys::poll_all(entries, timeout)
            }
        };
        let ready = match ended {
            Ok(ready) => ready > 0,
            Err(Errno::INTR) => false,
            Err(error) => return Err(error),
        };
        match entries.first().map_or(0, |token| token.revents) {
            0 => {}
            events if events & libc::POLLNVAL != 0 => return Err(Errno::BADF),
            _ => return Err(Errno::CANCELED),
        }
        if !ready {
            self.check_deadline()?;
        }
        Ok(ready)
    }

    /// Sleeps for so many nanoseconds.
    pub fn sleep(&self, nanoseconds: u64) -> Result<()> {
        self.wait(&mut [NONE], Some(now().saturating_add(nanoseconds))).map(drop)
    }
}
