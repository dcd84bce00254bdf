//! The boundary to C: one intake and one exit, and nothing clever between.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use libc::{c_char, c_double, c_int, c_short, c_void, iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use crate::errno::{Errno, Result};
use crate::sys::AddressOut;
use crate::wait::Until;
use crate::{errno, sys, time};

/// Intake of a descriptor. A negative number is `EBADF`. Whether another number is an open socket the kernel says, in the
/// call that uses it.
pub fn socket<'fd>(fd: c_int) -> Result<BorrowedFd<'fd>> {
    sys::borrow(fd)
}

/// Intake of a buffer. A result must be able to report its length, and only an empty buffer may be NULL.
pub fn buffer(data: *const c_void, len: size_t) -> Result<()> {
    if len > ssize_t::MAX as size_t {
        return Err(Errno::INVAL);
    }
    if data.is_null() && len > 0 {
        return Err(Errno::FAULT);
    }
    Ok(())
}

/// Intake of the place where the kernel will put a peer's address. It is checked up front because
/// the kernel checks it only after it has taken the datagram or the connection, which are then lost.
///
/// # Safety
///
/// `addrlen` must be NULL or valid for reading.
pub unsafe fn address_out(addr: *mut sockaddr, addrlen: *mut socklen_t) -> Result<AddressOut> {
    if addr.is_null() {
        return Ok(AddressOut { addr, addrlen, room: 0 });
    }
    if addrlen.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: not NULL, and the caller promises that it is readable.
    let room = unsafe { addrlen.read() };
    if room > c_int::MAX as socklen_t {
        return Err(Errno::INVAL);
    }
    Ok(AddressOut { addr, addrlen, room })
}

/// Intake of a string, which must not be NULL.
///
/// # Safety
///
/// `text` must be NULL or end with a NUL, and stay as it is for the call.
pub unsafe fn text<'text>(text: *const c_char) -> Result<&'text CStr> {
    if text.is_null() {
        return Err(Errno::INVAL);
    }
    // SAFETY: not NULL, and the caller promises the rest.
    Ok(unsafe { CStr::from_ptr(text) })
}

/// Intake of a message: checks that it is there, and gives how many bytes its buffers hold.
///
/// # Safety
///
/// `message` must be NULL or valid for reading, and its `msg_iov` NULL or valid for reading `msg_iovlen` entries.
pub unsafe fn message(message: *const msghdr) -> Result<usize> {
    // SAFETY: the caller promises it.
    let Some(message) = (unsafe { message.as_ref() }) else { return Err(Errno::FAULT) };
    #[allow(clippy::unnecessary_cast)] // With musl it is a c_int.
    let (first, len) = (message.msg_iov, message.msg_iovlen as usize);
    if len > libc::UIO_MAXIOV as usize {
        return Err(Errno::MSGSIZE);
    }
    let buffers: &[iovec] = match (first.is_null(), len) {
        (_, 0) => &[],
        (true, _) => return Err(Errno::FAULT),
        // SAFETY: not NULL, and the caller promises it.
        (false, _) => unsafe { std::slice::from_raw_parts(first, len) },
    };
    Ok(buffers.iter().fold(0, |total, buffer| total.saturating_add(buffer.iov_len)))
}

/// Intake of what ends a wait for `fd`: a deadline in seconds of the clock, and a token or -1. Whether the token is open the
/// kernel says, if the operation has to wait.
pub fn until<'fd>(fd: c_int, deadline: c_double, token: c_int) -> Result<Until<'fd>> {
    let token = match token {
        -1 => None,
        token if token == fd => return Err(Errno::INVAL),
        token => Some(socket(token)?),
    };
    Ok(Until { deadline: time::deadline_from_seconds(deadline)?, token })
}

/// Intake of events to wait for.
pub fn events(events: c_int) -> Result<c_short> {
    c_short::try_from(events).ok().filter(|events| *events >= 0).ok_or(Errno::INVAL)
}

/// Intake of the flags of a receive that fills a buffer. `MSG_PEEK` is refused: a peek takes no bytes, so the next step
/// would see the same bytes again.
pub fn flags_of_recvall(flags: c_int) -> Result<c_int> {
    // The transfer decides where `MSG_WAITALL` is used.
    if flags & libc::MSG_PEEK != 0 { Err(Errno::INVAL) } else { Ok(flags & !libc::MSG_WAITALL) }
}

/// The delimiter of a line, and the number of bytes that are in the buffer already.
pub struct LineIn<'a> {
    pub delim: &'a [u8],
    pub have: usize,
}

/// Intake of a line.
///
/// # Safety
///
/// `have` must be NULL or valid for reading, and `delim` NULL or valid for reading `delimlen` bytes.
pub unsafe fn line<'a>(
    buf: *const c_void,
    size: size_t,
    have: *const size_t,
    delim: *const c_void,
    delimlen: size_t,
) -> Result<LineIn<'a>> {
    if buf.is_null() || delim.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: the caller promises it.
    let have = unsafe { have.as_ref() }.copied().ok_or(Errno::INVAL)?;
    if have > size || delimlen == 0 {
        return Err(Errno::INVAL);
    }
    buffer(buf, size)?;
    buffer(delim, delimlen)?;
    // SAFETY: not NULL, and the caller promises the rest.
    Ok(LineIn { delim: unsafe { std::slice::from_raw_parts(delim.cast(), delimlen) }, have })
}

/// A place for a count that the caller may not have given.
///
/// # Safety
///
/// `place` must be NULL or valid for writing for as long as the result is used.
pub unsafe fn count_out(place: *mut size_t) -> impl Fn(size_t) + Copy {
    move |count| {
        if !place.is_null() {
            // SAFETY: not NULL, and the caller promises that it can be written to.
            unsafe { place.write(count) };
        }
    }
}

/// The C types that results are returned in.
pub trait CReturn {
    /// A count, a descriptor or a truth value.
    fn success(value: usize) -> Self;
    /// The negative of an errno value.
    fn failure(error: Errno) -> Self;
}

impl CReturn for c_int {
    fn success(value: usize) -> c_int {
        value as c_int
    }
    fn failure(error: Errno) -> c_int {
        -error.code()
    }
}

impl CReturn for ssize_t {
    fn success(value: usize) -> ssize_t {
        value as ssize_t
    }
    fn failure(error: Errno) -> ssize_t {
        -(error.code() as ssize_t)
    }
}

/// The exit of a function that cannot fail: `errno` stays, even if a call inside failed.
pub fn keep_errno<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the pointer is to the calling thread's own errno, valid for as long as it runs.
    unsafe {
        let errno = errno::location();
        let before = errno.read();
        let value = body();
        errno.write(before);
        value
    }
}

/// The exit: a result becomes a value or a negative code, with `errno` set to the same on failure
/// and left as the caller had it on success, whatever was tried in between.
#[inline(always)]
pub fn exit<C: CReturn>(body: impl FnOnce() -> Result<usize>) -> C {
    // SAFETY: the pointer is to the calling thread's own errno, valid for as long as it runs.
    let (errno, before) = unsafe {
        let errno = errno::location();
        (errno, errno.read())
    };
    match body() {
        Ok(value) => {
            // SAFETY: as above.
            unsafe { errno.write(before) };
            C::success(value)
        }
        Err(error) => fail(error),
    }
}

/// The exit of a failure. It is a function of its own, so that the exit of a success is short.
#[cold]
#[inline(never)]
fn fail<C: CReturn>(error: Errno) -> C {
    // SAFETY: the pointer is to the calling thread's own errno.
    unsafe { errno::location().write(error.code()) };
    C::failure(error)
}
