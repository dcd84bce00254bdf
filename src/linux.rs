//! The system calls and options that only Linux has. A port to another system begins here, and goes on with `mode/`, which
//! knows how Linux keeps a timeout, and with `errno`, which knows where glibc and musl keep that.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use libc::{c_int, itimerspec, timespec};

use crate::errno::{Errno, Result};
use crate::sys::{get_option, owned, set_option, syscall};

/// The `SO_PEEK_OFF` of a socket: the place where a peek begins, or any negative number for "at the beginning".
pub fn peek_offset(socket: BorrowedFd) -> Result<c_int> {
    get_option(socket, libc::SOL_SOCKET, libc::SO_PEEK_OFF)
}

pub fn set_peek_offset(socket: BorrowedFd, offset: c_int) -> Result<()> {
    loop {
        match set_option(socket, libc::SOL_SOCKET, libc::SO_PEEK_OFF, offset) {
            Err(Errno::INTR) => {} // A Unix socket takes a lock for it that a receive may hold.
            result => return result,
        }
    }
}

/// The socket's cookie, a number that no other socket ever gets. Kernels before 4.12 have none.
pub fn cookie(socket: BorrowedFd) -> Option<u64> {
    get_option(socket, libc::SOL_SOCKET, libc::SO_COOKIE).ok()
}

/// Whether a TCP socket has a protocol above TCP in the kernel, such as TLS.
pub fn has_upper_protocol(socket: BorrowedFd) -> bool {
    get_option::<[u8; 16]>(socket, libc::IPPROTO_TCP, libc::TCP_ULP).is_ok_and(|[first, ..]| first != 0)
}

/// The length of the kernel's timer tick in nanoseconds. On most machines the vDSO answers without a system call.
pub fn tick() -> Result<u64> {
    let mut tick = timespec { tv_sec: 0, tv_nsec: 0 };
    syscall!(clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick))?;
    Ok(tick.tv_nsec as u64)
}

/// A descriptor that one thread makes readable and another polls, close-on-exec.
pub fn eventfd() -> Result<OwnedFd> {
    owned(syscall!(eventfd(0, libc::EFD_CLOEXEC))?)
}

/// Makes an eventfd readable.
pub fn signal(eventfd: BorrowedFd) -> Result<()> {
    let one = 1_u64;
    syscall!(write(eventfd.as_raw_fd(), (&raw const one).cast(), size_of_val(&one))).map(drop)
}

/// A timer that never expires, unless [`set_ticks`] or [`expire_now`] makes it: close-on-exec, and reading from it never
/// waits.
pub fn timerfd() -> Result<OwnedFd> {
    owned(syscall!(timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK))?)
}

/// Makes a timer readable for good, without an interrupt, if the kernel was built with `CONFIG_CHECKPOINT_RESTORE`. For a
/// descriptor that is not a timer it fails with `ENOTTY`.
pub fn set_ticks(timer: BorrowedFd) -> Result<()> {
    /// `_IOW('T', 0, __u64)`. A few architectures number it otherwise, and refuse this number.
    const TFD_IOC_SET_TICKS: u32 = 0x4008_5400;
    let ticks = 1_u64;
    syscall!(ioctl(timer.as_raw_fd(), TFD_IOC_SET_TICKS as _, &raw const ticks)).map(drop)
}

/// Makes a timer readable for good. For a descriptor that is not a timer it fails with `EINVAL`.
pub fn expire_now(timer: BorrowedFd) -> Result<()> {
    // The moment 1 ns after the clock's beginning has passed on every machine.
    let long_ago = timespec { tv_sec: 0, tv_nsec: 1 };
    let once = itimerspec { it_interval: timespec { tv_sec: 0, tv_nsec: 0 }, it_value: long_ago };
    let mut before = MaybeUninit::<itimerspec>::uninit();
    syscall!(timerfd_settime(timer.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &raw const once, before.as_mut_ptr()))
        .map(drop)
}
