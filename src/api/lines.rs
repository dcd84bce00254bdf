//! Lines.

use libc::{c_double, c_int, c_void, size_t, ssize_t};

use crate::boundary;
use crate::delimiter::Line;
use crate::operation::Pace;

/// Receives a line, or whatever ends in a delimiter, into the caller's buffer.
///
/// What comes after the delimiter stays behind it in the buffer, for the next call: move it to the front, or go on from
/// there with `buf + n`, `size - n` and `*have - n`. Nothing is kept anywhere else. It is for streams, and waits as the
/// socket's mode says. A timeout limits the whole call, however many steps it takes.
///
/// @param fd        the socket
/// @param buf       where to put the bytes. Its first `*have` bytes are looked at first
/// @param size      how many bytes it has room for
/// @param have      in: how many bytes are in `buf` already; out: how many are now, exact on every return
/// @param delim     the delimiter, such as "\n" or "\r\n\r\n"
/// @param delimlen  its length in bytes
///
/// @return the length up to and with the first delimiter; 0 when the peer has closed its side and nothing is left; or the
/// negative of an error number, to which `errno` is set too. The errors are those of `sock_recv`, and:
///   - `-EPIPE`     the peer closed its side in the middle: `*have` bytes are left, without a delimiter
///   - `-EMSGSIZE`  the buffer is full, without a delimiter
///   - `-EINVAL`    `delimlen` is 0, `have` is NULL, `*have` is over `size`, or `size` is over `SSIZE_MAX`
///   - `-EFAULT`    `buf` or `delim` is NULL
///
/// A delimiter that is already there costs no system call. In non-blocking mode `-EAGAIN` means that the
/// delimiter has not come yet. What has come is kept, and the next call goes on from there. So it is after a timeout.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading and writing `size` bytes, of which `*have` are initialised, `have` is NULL or valid
/// for reading and writing a `size_t`, and `delim` is NULL or valid for reading `delimlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvdelim(
    fd: c_int,
    buf: *mut c_void,
    size: size_t,
    have: *mut size_t,
    delim: *const c_void,
    delimlen: size_t,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        // SAFETY: the caller promises it.
        let line = unsafe { boundary::line(buf, size, have, delim, delimlen)? };
        // SAFETY: the caller promises it.
        let tell = unsafe { boundary::count_out(have) };
        Line { socket, buf, size, delim: line.delim, have: line.have, searched: 0, tell: &tell }.receive(Pace::Mode)
    })
}

/// Receives a line, or whatever ends in a delimiter, until a deadline, or until a token cancels it.
///
/// What comes after the delimiter stays behind it in the buffer, for the next call: move it to the front, or go on from
/// there with `buf + n`, `size - n` and `*have - n`. Nothing is kept anywhere else. It is for streams. The
/// deadline and the token hold in every mode, and the mode is neither obeyed nor changed.
///
/// @param fd        the socket
/// @param buf       where to put the bytes. Its first `*have` bytes are looked at first
/// @param size      how many bytes it has room for
/// @param have      in: how many bytes are in `buf` already; out: how many are now, exact on every return
/// @param delim     the delimiter, such as "\n" or "\r\n\r\n"
/// @param delimlen  its length in bytes
/// @param deadline  the moment at which it ends, in seconds of `CLOCK_MONOTONIC`, as `sock_deadline` gives it;
///                  `LIBSOCK_FOREVER` for none
/// @param token     a descriptor that cancels the wait once it is readable or hangs up; -1 for none
///
/// @return the length up to and with the first delimiter; 0 when the peer has closed its side and nothing is left; or the
/// negative of an error number, to which `errno` is set too. The errors are those of `sock_recvdelim`, and:
///   - `-ETIMEDOUT`  the deadline has passed
///   - `-ECANCELED`  the call had to wait, and the token was readable or had hung up
///   - `-EBADF`      `token` is negative and not -1; or the call had to wait, and it is not open
///   - `-EINVAL`     `deadline` is not a number, or `token` is `fd`
///   - `-EOVERFLOW`  `deadline` is finite, and 2^63 nanoseconds or more
///
/// A delimiter that is already there costs no system call, and is found whatever the deadline and the token. What has come
/// is kept when the deadline or the token ends the call, and the next call goes on from there.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading and writing `size` bytes, of which `*have` are initialised, `have` is NULL or valid
/// for reading and writing a `size_t`, and `delim` is NULL or valid for reading `delimlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvdelim_until(
    fd: c_int,
    buf: *mut c_void,
    size: size_t,
    have: *mut size_t,
    delim: *const c_void,
    delimlen: size_t,
    deadline: c_double,
    token: c_int,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        let pace = Pace::Until(boundary::until(fd, deadline, token)?);
        // SAFETY: the caller promises it.
        let line = unsafe { boundary::line(buf, size, have, delim, delimlen)? };
        // SAFETY: the caller promises it.
        let tell = unsafe { boundary::count_out(have) };
        Line { socket, buf, size, delim: line.delim, have: line.have, searched: 0, tell: &tell }.receive(pace)
    })
}
