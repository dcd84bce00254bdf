//! Waiting without moving data.

use libc::{c_double, c_int, c_short};

use crate::boundary;
use crate::errno::Errno;
use crate::mode;
use crate::operation::poll_until;
use crate::options;
use crate::time::{self, Limit};

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
///   - `-ETIMEDOUT`  nothing became ready in so many seconds
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
        let limit = Limit::from_seconds(seconds)?;
        let events = match c_short::try_from(events) {
            Ok(events) if events >= 0 => events,
            _ => return Err(Errno::INVAL),
        };
        loop {
            match poll_until(socket, events, limit.deadline(start)) {
                Err(Errno::INTR) if !mode::is_interruptible(socket)? => {}
                Err(Errno::TIMEDOUT) if limit == Limit::Nothing => return Err(Errno::AGAIN),
                result => return result.map(|ready| ready as usize),
            }
        }
    })
}
