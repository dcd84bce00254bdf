//! A moment, and a way to end waits.

use std::os::fd::IntoRawFd;

use libc::{c_double, c_int};

use crate::{boundary, time, token};

/// Tells the deadline that is a number of seconds from now.
///
/// All functions whose names end in `_until` take it, so that several calls share one limit.
///
/// @param seconds  how long from now
///
/// @return the moment in seconds of `CLOCK_MONOTONIC`, rounded up: never early. `LIBSOCK_FOREVER` stays what it is, and so
/// does what is not a number; for negative seconds it is a moment of the past
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_deadline(seconds: c_double) -> c_double {
    boundary::keep_errno(|| time::deadline_in(seconds))
}

/// Makes a token, with which `sock_cancel` ends waits.
///
/// It is a descriptor, a timer of timerfd_create(2) that never expires by itself. The caller closes it with close(2), once
/// nobody waits with it any more. Any other descriptor that becomes readable or hangs up serves as a token too: an
/// eventfd, the read end of a pipe, a pidfd, a signalfd, or an epoll descriptor for several.
///
/// @return the token, close-on-exec, or the negative of an error number, to which `errno` is set too:
///   - `-EMFILE`, `-ENFILE`, `-ENOMEM`  no descriptor or memory is left
///   - `-ENODEV`  the system lacks what such descriptors are made of
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_token() -> c_int {
    boundary::exit(|| Ok(token::new()?.into_raw_fd() as usize))
}

/// Cancels all that waits with a token, and all that will.
///
/// It is for good: there is no way back, which would race with those that have not looked yet. Make a new token instead.
/// Every call that waits with it, or will have to, gives `-ECANCELED`. What has already been moved is counted, and the
/// socket is still good. To take a token down: cancel, wait for all who use it, close.
///
/// @param token  a token of `sock_token`
///
/// @return 0, also if it was cancelled before, or the negative of an error number, to which `errno` is set too:
///   - `-EBADF`   `token` is not an open descriptor
///   - `-EINVAL`  `token` is open, but no token of `sock_token`
///
/// Safe to call from any thread, from a signal handler and after fork, and in another process that has the descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn sock_cancel(token: c_int) -> c_int {
    boundary::exit(|| token::cancel(boundary::socket(token)?).map(|()| 0))
}
