//! The system's calls: those on the one socket of an exploration, each a step of it, and those of a lookup.

use std::ffi::{c_int, c_void};
use std::mem::transmute_copy;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{SO_RCVTIMEO, pollfd, sockaddr, socklen_t, timespec, timeval};

use crate::errno::{Errno, Result};
use crate::explore::{Call, Setting, call};
use crate::memory;

pub fn get_option<T: Copy>(_: BorrowedFd, _: c_int, name: c_int) -> Result<T> {
    const { assert!(size_of::<T>() == size_of::<timeval>()) };
    let ticks = call(Call::Get(timeout(name)))?;
    // SAFETY: only timeouts are asked for, which are timevals.
    Ok(unsafe { transmute_copy(&crate::linux::to_timeval(ticks)) })
}

pub fn set_option<T: Copy>(socket: BorrowedFd, _: c_int, name: c_int, value: T) -> Result<()> {
    const { assert!(size_of::<T>() == size_of::<timeval>()) };
    if socket.as_raw_fd() != crate::explore::SOCKET {
        return Ok(()); // A connection that was accepted.
    }
    // SAFETY: only timeouts are set, which are timevals.
    let value: timeval = unsafe { transmute_copy(&value) };
    call(Call::Set(timeout(name), crate::linux::to_ticks(value))).map(drop)
}

fn timeout(name: c_int) -> Setting {
    if name == SO_RCVTIMEO { Setting::Receive } else { Setting::Send }
}

pub fn set_nonblocking(_: BorrowedFd, on: bool) -> Result<()> {
    call(Call::Set(Setting::Flag, on.into())).map(drop)
}

pub fn connect(_: BorrowedFd, _: *const sockaddr, _: socklen_t) -> Result<()> {
    call(Call::Connect).map(drop)
}

pub fn accept(_: BorrowedFd, _: *mut sockaddr, _: *mut socklen_t) -> Result<c_int> {
    call(Call::Accept).map(|connection| connection as c_int)
}

pub struct AddressOut {
    pub addr: *mut sockaddr,
    pub addrlen: *mut socklen_t,
    pub room: socklen_t,
}

/// Waits for descriptors in a model of loom's. In an exploration there is only the nap, of which the others may make use.
pub fn poll(entries: &mut [pollfd], _: Option<timespec>) -> Result<usize> {
    if entries.is_empty() {
        return call(Call::Nap).map(|_| 0);
    }
    loop {
        for entry in &mut *entries {
            entry.revents = if memory::is_readable(entry.fd) { libc::POLLIN } else { 0 };
        }
        match entries.iter().filter(|entry| entry.revents != 0).count() {
            0 => loom::thread::yield_now(),
            ready => return Ok(ready),
        }
    }
}

pub fn map(len: usize) -> Result<*mut c_void> {
    Ok(memory::map(len))
}

pub unsafe fn forbid(_: *mut c_void, _: usize) -> Result<()> {
    Ok(())
}

pub unsafe fn unmap(start: *mut c_void, len: usize) {
    memory::unmap(start, len);
}

pub fn borrow<'fd>(fd: c_int) -> Result<BorrowedFd<'fd>> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: it is not -1, and looked at by what is simulated alone.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
