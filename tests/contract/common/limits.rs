//! Deadlines and tokens.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::c_int;

use super::call::{Outcome, check};
use super::errno;

/// No token.
pub const NONE: c_int = -1;

/// A number that no descriptor has.
pub const CLOSED: c_int = c_int::MAX;

/// What an `_until` form is given besides: a deadline and a token.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub deadline: f64,
    pub token: c_int,
}

impl Limits {
    /// No limits.
    pub const NONE: Limits = Limits { deadline: f64::INFINITY, token: NONE };

    /// So many seconds from now.
    pub fn after(seconds: f64) -> Limits {
        Limits { deadline: sock::sock_deadline(seconds), token: NONE }
    }

    /// A token alone.
    pub fn token(token: &impl AsRawFd) -> Limits {
        Limits { deadline: f64::INFINITY, token: token.as_raw_fd() }
    }
}

/// What the clock of deadlines says.
pub fn now() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A token of the library.
pub fn token() -> OwnedFd {
    let token = check(|| sock::sock_token() as isize).expect("a token");
    // SAFETY: the descriptor is new and nobody else's.
    unsafe { OwnedFd::from_raw_fd(token as c_int) }
}

pub fn cancel(token: &impl AsRawFd) -> Outcome {
    check(|| sock::sock_cancel(token.as_raw_fd()) as isize)
}

/// A token that was cancelled.
pub fn cancelled() -> OwnedFd {
    let token = token();
    assert_eq!(cancel(&token), Ok(0));
    token
}

pub fn eventfd() -> OwnedFd {
    // SAFETY: the descriptor is new and nobody else's.
    unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) }
}

/// Makes an eventfd readable.
pub fn signal(eventfd: &OwnedFd) {
    write(eventfd, &1_u64.to_ne_bytes());
}

/// Writes as other code would.
pub fn write(fd: &impl AsRawFd, data: &[u8]) {
    // SAFETY: the pointer and the length are the slice's.
    let written = unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len()) };
    assert_eq!(written, data.len() as isize, "write: error {}", errno());
}
