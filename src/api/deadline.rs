//! A moment, and a way to end waits.

use std::os::fd::IntoRawFd;

use libc::{c_double, c_int};

use crate::{boundary, time, token};

/// Gives the deadline that is a number of seconds from now.
///
/// All functions whose names end in `_until` take it, so that several calls share one limit.
///
/// @param seconds  how long from now
///
/// @return the moment in seconds of `CLOCK_MONOTONIC`, rounded up: never early. Infinity and what is not a number
/// are returned as they are. Negative seconds give a moment in the past
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
///   - `-ENODEV`  the kernel was built without such descriptors
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_token() -> c_int {
    boundary::exit(|| Ok(token::new()?.into_raw_fd() as usize))
}

/// Cancels every wait with a token, now and from now on.
///
/// A token cannot be reset, for that would race with waits that have not looked at it yet: make a new one. Every call that
/// waits with the token, or has to wait later, gives `-ECANCELED`. Bytes that were moved are counted, and the socket is
/// still good. To remove a token, cancel it, wait until nobody uses it, and close it.
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
