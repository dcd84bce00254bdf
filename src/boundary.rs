//! The boundary to C: one intake and one exit, and nothing clever between.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use libc::{c_char, c_int, c_void, size_t, ssize_t};

use crate::errno::{Errno, Result};

/// Intake of a descriptor. A negative number is `EBADF`; whether any other number is open, and a
/// socket, is for the kernel to say in the call that uses it.
pub fn socket<'fd>(fd: c_int) -> Result<BorrowedFd<'fd>> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: `fd` is not -1. The descriptor is only lent for the call; should another thread close
    // it meanwhile, system calls fail or meet its successor, as they would in any C program.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Intake of a buffer: its length must be one that a result can report, and only an empty one may
/// be NULL.
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
pub unsafe fn address_out(addr: *const libc::sockaddr, addrlen: *const libc::socklen_t) -> Result<()> {
    if addr.is_null() {
        return Ok(());
    }
    if addrlen.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: not NULL, and the caller promises that it is readable.
    if unsafe { addrlen.read() } > c_int::MAX as libc::socklen_t {
        return Err(Errno::INVAL);
    }
    Ok(())
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

/// The C types that results are returned in.
pub trait Code {
    /// A count, a descriptor or a truth value.
    fn success(value: usize) -> Self;
    /// The negative of an error number.
    fn failure(error: Errno) -> Self;
}

impl Code for c_int {
    fn success(value: usize) -> c_int {
        value as c_int
    }
    fn failure(error: Errno) -> c_int {
        -error.code()
    }
}

impl Code for ssize_t {
    fn success(value: usize) -> ssize_t {
        value as ssize_t
    }
    fn failure(error: Errno) -> ssize_t {
        -(error.code() as ssize_t)
    }
}

/// The exit: a result becomes a value or a negative code, with `errno` set to the same on failure
/// and left as the caller had it on success, whatever was tried in between.
#[inline(always)]
pub fn exit<C: Code>(body: impl FnOnce() -> Result<usize>) -> C {
    // SAFETY: the pointer is to the calling thread's own errno, valid for as long as it runs.
    let (errno, before) = unsafe {
        let errno = libc::__errno_location();
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

/// The exit of a failure, apart from that of a success, which is to be short.
#[cold]
#[inline(never)]
fn fail<C: Code>(error: Errno) -> C {
    // SAFETY: the pointer is to the calling thread's own errno.
    unsafe { libc::__errno_location().write(error.code()) };
    C::failure(error)
}
