//! The mode of a socket: blocking, non-blocking or with a timeout.

use libc::{c_double, c_int};

use crate::boundary;
use crate::errno::Errno;
use crate::mode;
use crate::time::Timeout;

/// Puts a socket in blocking or in non-blocking mode.
///
/// In blocking mode an operation waits for as long as it takes; in non-blocking mode one that is not
/// ready fails with `-EAGAIN` at once. A timeout set before is gone. The mode belongs to the socket:
/// all its duplicates have it, in every process.
///
/// @param fd        the socket
/// @param blocking  0 for non-blocking mode, any other value for blocking mode
///
/// @return 0, or the negative of an error number, to which `errno` is set too:
///   - `-EBADF`     `fd` is not an open descriptor
///   - `-ENOTSOCK`  `fd` is not a socket
///
/// On failure the socket keeps the mode it had. Safe to call from any thread, from a signal handler
/// and after fork. An operation that is waiting meanwhile obeys the old mode or the new one.
#[unsafe(no_mangle)]
pub extern "C" fn sock_setblocking(fd: c_int, blocking: c_int) -> c_int {
    boundary::exit(|| {
        let timeout = if blocking != 0 { Timeout::Forever } else { Timeout::Zero };
        mode::set(boundary::socket(fd)?, timeout)?;
        Ok(0)
    })
}

/// Tells whether a socket's operations may wait.
///
/// @param fd  the socket
///
/// @return 1 in blocking mode or with a timeout, 0 in non-blocking mode, or the negative of an error
/// number, to which `errno` is set too:
///   - `-EBADF`     `fd` is not an open descriptor
///   - `-ENOTSOCK`  `fd` is not a socket
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_getblocking(fd: c_int) -> c_int {
    boundary::exit(|| Ok(usize::from(mode::timeout(boundary::socket(fd)?)? != Timeout::Zero)))
}

/// Gives a socket a timeout, which every operation on it obeys.
///
/// An operation that cannot complete within the timeout fails with `-ETIMEDOUT`. That is never early, and late only by
/// the time that the system takes to schedule the thread. The socket is still good, and every byte that was sent or
/// received is counted. The mode belongs to the socket: all its duplicates have it, in every process.
///
/// Sending and receiving share the mode. To give each a limit of its own, use the functions whose names end in
/// `_until`: they take their limits as arguments, and neither obey the mode nor change it.
///
/// To set the timeout that is there already costs four system calls, another timeout six, a change from another mode up to
/// ten, and the first mode of a socket up to sixteen. So set it once, to the longest time that a single wait may last. For
/// a limit that covers several calls, or differs from call to call, use a deadline: `sock_deadline` makes no system call.
///
/// @param fd       the socket
/// @param seconds  how long an operation may take; rounded up to a nanosecond, so that no positive
///                 value becomes 0. 0 is non-blocking mode, `LIBSOCK_FOREVER` is blocking mode
///
/// @return 0, or the negative of an error number, to which `errno` is set too:
///   - `-EBADF`      `fd` is not an open descriptor
///   - `-ENOTSOCK`   `fd` is not a socket
///   - `-EINVAL`     `seconds` is negative or not a number
///   - `-EOVERFLOW`  `seconds` is finite, and 2^63 nanoseconds (292 years) or more
///
/// On failure the socket keeps the mode it had. An operation that is waiting meanwhile obeys the old
/// timeout or the new one.
///
/// The mode is kept in `O_NONBLOCK`, `SO_RCVTIMEO`, `SO_SNDTIMEO` and `SO_PEEK_OFF`, and other code that uses the
/// socket sees them. With a timeout, a plain recv(2) on it fails with `EAGAIN` a little before the timeout is over. It fails
/// at once, because `O_NONBLOCK` is set, if the timeout is a few milliseconds or the socket is neither a TCP nor a Unix
/// socket. `SO_PEEK_OFF` is negative, which means "off". If other code has set it to 0 or more, this library does not
/// change it.
///
/// On some sockets a timeout may be late by about a tick of the kernel's timer (1 to 10 ms), or by up to three minutes if
/// it is over a week. It is never early there either. These are MPTCP sockets; and TCP sockets before Linux 6.9, or with a
/// `SO_PEEK_OFF` of other code, if another process has set the timeout or the process has more than 16,384 of them. On all
/// other sockets a timeout of over a week is exact to 10 microseconds.
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_settimeout(fd: c_int, seconds: c_double) -> c_int {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        mode::set(socket, Timeout::from_seconds(seconds)?)?;
        Ok(0)
    })
}

/// Tells a socket's timeout.
///
/// @param fd       the socket
/// @param seconds  where to put the timeout: what was set, to the nanosecond; 0 in non-blocking
///                 mode, `LIBSOCK_FOREVER` in blocking mode. It is not changed on failure. On sockets
///                 on which a timeout may be late (see `sock_settimeout`), it may be longer by as much
///
/// @return 0, or the negative of an error number, to which `errno` is set too:
///   - `-EBADF`     `fd` is not an open descriptor
///   - `-ENOTSOCK`  `fd` is not a socket
///   - `-EFAULT`    `seconds` is NULL
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `seconds` is NULL or valid for writing a `double`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_gettimeout(fd: c_int, seconds: *mut c_double) -> c_int {
    boundary::exit(|| {
        let timeout = mode::timeout(boundary::socket(fd)?)?;
        if seconds.is_null() {
            return Err(Errno::FAULT);
        }
        // SAFETY: not NULL, and the caller promises that it can be written to.
        unsafe { seconds.write(timeout.to_seconds()) };
        Ok(0)
    })
}

/// Chooses whether a signal ends an operation that waits.
///
/// By default it does not: handlers run, and the wait goes on for the time that is left. With this on,
/// an operation that is waiting when a signal is handled fails with `-EINTR`, even if the handler was
/// installed with `SA_RESTART`. Functions that count tell how much was done. This is for languages
/// that run their handlers only between calls. A process that is stopped and continued (`SIGSTOP`,
/// `SIGCONT`) may then get `-EINTR` too, although no handler has run. The setting belongs to the socket,
/// like the mode. It is kept when the mode changes, but may end when other code sets `SO_RCVTIMEO` or `SO_SNDTIMEO`. If
/// another thread or process sets a mode at the same time, one of the two changes may be lost.
///
/// @param fd  the socket
/// @param on  0 to wait on through signals (the default), any other value to be interrupted by them
///
/// @return 0, or the negative of an error number, to which `errno` is set too:
///   - `-EBADF`     `fd` is not an open descriptor
///   - `-ENOTSOCK`  `fd` is not a socket
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_setinterrupt(fd: c_int, on: c_int) -> c_int {
    boundary::exit(|| {
        mode::set_interruptible(boundary::socket(fd)?, on != 0)?;
        Ok(0)
    })
}

/// Tells whether a signal ends an operation that waits on a socket.
///
/// @param fd  the socket
///
/// @return 1 or 0, as set by `sock_setinterrupt`, or the negative of an error number, to which `errno`
/// is set too:
///   - `-EBADF`     `fd` is not an open descriptor
///   - `-ENOTSOCK`  `fd` is not a socket
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_getinterrupt(fd: c_int) -> c_int {
    boundary::exit(|| Ok(usize::from(mode::is_interruptible(boundary::socket(fd)?)?)))
}
