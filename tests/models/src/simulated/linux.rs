//! What belongs to Linux alone, as in `sys`.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::timeval;

use crate::errno::Result;
use crate::explore::{Call, Kind, Setting, call, kind};
use crate::memory;

/// Ticks a second, of the kernel's timer.
const RATE: u64 = 250;
const MICROSECONDS: u64 = 1_000_000 / RATE;

pub fn tick() -> Result<u64> {
    Ok(1_000_000_000 / RATE)
}

/// As the kernel keeps a timeout, and gives it back.
pub fn to_ticks(value: timeval) -> u64 {
    value.tv_sec as u64 * RATE + (value.tv_usec as u64).div_ceil(MICROSECONDS)
}

pub fn to_timeval(ticks: u64) -> timeval {
    timeval { tv_sec: (ticks / RATE) as _, tv_usec: (ticks % RATE * MICROSECONDS) as _ }
}

pub fn peek_offset(_: BorrowedFd) -> Result<c_int> {
    call(Call::Get(Setting::PeekOffset)).map(|number| number as c_int)
}

pub fn set_peek_offset(_: BorrowedFd, offset: c_int) -> Result<()> {
    call(Call::Set(Setting::PeekOffset, i64::from(offset) as u64)).map(drop)
}

pub fn cookie(_: BorrowedFd) -> Option<u64> {
    Some(1)
}

pub fn has_upper_protocol(_: BorrowedFd) -> bool {
    kind() == Kind::Tls
}

/// A descriptor of a lookup.
pub fn eventfd() -> Result<OwnedFd> {
    // SAFETY: it is new, and so nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(memory::descriptor()) })
}

pub fn signal(eventfd: BorrowedFd) -> Result<()> {
    memory::make_readable(eventfd.as_raw_fd());
    Ok(())
}
