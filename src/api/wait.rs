//! Waiting without moving data.

use libc::{c_double, c_int};

use crate::errno::Errno;
use crate::time::{self, Timeout};
use crate::wait::Until;
use crate::{boundary, operation, options};

/// Waits until a socket is ready, whatever its mode.
///
/// @param fd       the socket
/// @param events   what to wait for: `POLLIN`, `POLLOUT` and the other events of poll(2), or'ed.
///                 `POLLERR` and `POLLHUP` are always waited for
/// @param seconds  how long to wait at most, as in `sock_settimeout`: 0 looks once, `LIBSOCK_FOREVER`
///                 waits for as long as it takes
///
/// @return the events that are ready, more than 0, or the negative of an error number, to which `errno`
/// is set too:
///   - `-EAGAIN`     `seconds` is 0 and nothing is ready
///   - `-ETIMEDOUT`  nothing became ready within `seconds`
///   - `-EINTR`      a signal was handled, and `sock_setinterrupt` is on
///   - `-EINVAL`     `seconds` is negative or not a number, or `events` is negative or
///                   does not fit a short
///   - `-EOVERFLOW`  `seconds` is finite, and 2^63 nanoseconds or more
///   - `-EBADF`      `fd` is not an open descriptor
///   - `-ENOTSOCK`   `fd` is not a socket
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_wait(fd: c_int, events: c_int, seconds: c_double) -> c_int {
    boundary::exit(|| {
        let start = time::now();
        let socket = boundary::socket(fd)?;
        options::is_stream(socket)?; // Any question only a socket answers: poll itself takes all descriptors.
        let timeout = Timeout::from_seconds(seconds)?;
        let events = boundary::events(events)?;
        let until = Until { deadline: timeout.deadline(start), token: None };
        match operation::wait_for(socket, events, until) {
            Err(Errno::TIMEDOUT) if timeout == Timeout::Zero => Err(Errno::AGAIN),
            result => result,
        }
    })
}

/// Waits until a socket is ready, a deadline has passed, or a token cancels it.
///
/// It is `sock_wait` with other limits: a moment instead of seconds, and a token.
///
/// @param fd        the socket; or -1, with `events` 0, to wait for the deadline and the token alone
/// @param events    what to wait for, as in `sock_wait`
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return the events that are ready, more than 0, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_wait`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the token was readable, or had hung up, meanwhile or before
///   - `-EBADF`      `token` is negative and not -1, or is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// With `fd` -1 and `events` 0 it only sleeps, until `-ETIMEDOUT` or `-ECANCELED`; no signal ends that. With a deadline in
/// the past it then asks whether a token is cancelled. With a socket, a deadline that has passed is found before the
/// socket is looked at. The token is looked at before the socket.
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_wait_until(fd: c_int, events: c_int, deadline: c_double, token: c_int) -> c_int {
    boundary::exit(|| {
        let until = boundary::until(fd, deadline, token)?;
        let events = boundary::events(events)?;
        if fd == -1 && events == 0 {
            return operation::sleep(until);
        }
        let socket = boundary::socket(fd)?;
        options::is_stream(socket)?;
        until.check_deadline()?;
        operation::wait_for(socket, events, until)
    })
}
