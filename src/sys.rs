//! The system calls, each as a `Result`; those that set and read options are in `options`.
//!
//! They take raw pointers, not slices: the memory is the caller's, may be uninitialised or shared,
//! and is only ever handed on to the kernel.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{c_int, c_short, c_void, msghdr, sockaddr, socklen_t};

use crate::errno::{Errno, Result};

/// The whole errno story: -1 becomes the calling thread's error number.
macro_rules! syscall {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: the kernel checks descriptors, pointers and lengths itself; pointers are either to
        // locals of the right size or the caller's, which it vouched for at the boundary.
        let result = unsafe { libc::$name($($argument),*) };
        if result == -1 { Err(Errno::last()) } else { Ok(result) }
    }};
}

pub fn send(socket: BorrowedFd, data: *const c_void, len: usize, flags: c_int) -> Result<usize> {
    syscall!(send(socket.as_raw_fd(), data, len, flags | libc::MSG_NOSIGNAL)).map(|n| n as usize)
}

pub fn sendto(
    socket: BorrowedFd,
    data: *const c_void,
    len: usize,
    flags: c_int,
    (addr, addrlen): (*const sockaddr, socklen_t),
) -> Result<usize> {
    syscall!(sendto(socket.as_raw_fd(), data, len, flags | libc::MSG_NOSIGNAL, addr, addrlen)).map(|n| n as usize)
}

pub fn sendmsg(socket: BorrowedFd, message: *const msghdr, flags: c_int) -> Result<usize> {
    syscall!(sendmsg(socket.as_raw_fd(), message, flags | libc::MSG_NOSIGNAL)).map(|n| n as usize)
}

pub fn recv(socket: BorrowedFd, data: *mut c_void, len: usize, flags: c_int) -> Result<usize> {
    syscall!(recv(socket.as_raw_fd(), data, len, flags)).map(|n| n as usize)
}

pub fn recvfrom(
    socket: BorrowedFd,
    data: *mut c_void,
    len: usize,
    flags: c_int,
    (addr, addrlen): (*mut sockaddr, *mut socklen_t),
) -> Result<usize> {
    syscall!(recvfrom(socket.as_raw_fd(), data, len, flags, addr, addrlen)).map(|n| n as usize)
}

pub fn recvmsg(socket: BorrowedFd, message: *mut msghdr, flags: c_int) -> Result<usize> {
    syscall!(recvmsg(socket.as_raw_fd(), message, flags)).map(|n| n as usize)
}

pub fn connect(socket: BorrowedFd, addr: *const sockaddr, addrlen: socklen_t) -> Result<()> {
    syscall!(connect(socket.as_raw_fd(), addr, addrlen)).map(drop)
}

/// Accepts a connection as a close-on-exec descriptor.
pub fn accept(socket: BorrowedFd, addr: *mut sockaddr, addrlen: *mut socklen_t) -> Result<c_int> {
    syscall!(accept4(socket.as_raw_fd(), addr, addrlen, libc::SOCK_CLOEXEC))
}

/// Sets or clears `O_NONBLOCK` alone and at once; a read and a write of all the flags could undo
/// what another thread changes in between.
pub fn set_nonblocking(socket: BorrowedFd, on: bool) -> Result<()> {
    let mut on = c_int::from(on);
    syscall!(ioctl(socket.as_raw_fd(), libc::FIONBIO, &raw mut on)).map(drop)
}

/// Reads `SO_RCVTIMEO` or `SO_SNDTIMEO`. As a raw `timeval`: neither Rust's `Duration` nor socket2
/// keeps it to the tick.
pub fn timeval(socket: BorrowedFd, option: c_int) -> Result<libc::timeval> {
    let mut value = MaybeUninit::<libc::timeval>::zeroed();
    let mut len = size_of::<libc::timeval>() as socklen_t;
    syscall!(getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value.as_mut_ptr().cast(), &raw mut len))?;
    // SAFETY: zeroed, which is a valid timeval, before the kernel wrote to it.
    Ok(unsafe { value.assume_init() })
}

/// Sets `SO_RCVTIMEO` or `SO_SNDTIMEO`.
pub fn set_timeval(socket: BorrowedFd, option: c_int, value: libc::timeval) -> Result<()> {
    let len = size_of::<libc::timeval>() as socklen_t;
    syscall!(setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const value).cast(), len)).map(drop)
}

/// Makes a socket, close-on-exec.
pub fn socket(domain: c_int, kind: c_int, protocol: c_int) -> Result<OwnedFd> {
    owned(syscall!(socket(domain, kind | libc::SOCK_CLOEXEC, protocol))?)
}

pub fn bind(socket: BorrowedFd, addr: *const sockaddr, addrlen: socklen_t) -> Result<()> {
    syscall!(bind(socket.as_raw_fd(), addr, addrlen)).map(drop)
}

pub fn listen(socket: BorrowedFd, backlog: c_int) -> Result<()> {
    syscall!(listen(socket.as_raw_fd(), backlog)).map(drop)
}

/// A descriptor to be signalled by one thread and polled by another, close-on-exec.
pub fn eventfd() -> Result<OwnedFd> {
    owned(syscall!(eventfd(0, libc::EFD_CLOEXEC))?)
}

/// Makes an eventfd readable.
pub fn signal(eventfd: BorrowedFd) -> Result<()> {
    let one = 1_u64;
    syscall!(write(eventfd.as_raw_fd(), (&raw const one).cast(), size_of_val(&one))).map(drop)
}

/// So many bytes of memory, as a thread's stack.
pub fn map(len: usize) -> Result<*mut c_void> {
    let (access, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK);
    // SAFETY: the kernel finds a place that nobody has.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, flags, -1, 0) };
    if start == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(start) }
}

/// Makes memory such that whoever touches it is stopped.
///
/// # Safety
///
/// It must be from [`map`], and in use by nobody.
pub unsafe fn forbid(start: *mut c_void, len: usize) -> Result<()> {
    syscall!(mprotect(start, len, libc::PROT_NONE)).map(drop)
}

/// Gives memory back.
///
/// # Safety
///
/// It must be all of what [`map`] gave, and in use by nobody.
pub unsafe fn unmap(start: *mut c_void, len: usize) {
    // SAFETY: the caller promises it.
    unsafe { libc::munmap(start, len) };
}

/// Takes a descriptor that a system call has made.
fn owned(fd: c_int) -> Result<OwnedFd> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: it is new, and so nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// One `ppoll` of one descriptor for at most `timeout` (forever without one): the events that are
/// ready, or 0 when time ran out. Without a descriptor it only sleeps.
pub fn poll(fd: Option<BorrowedFd>, events: c_short, timeout: Option<libc::timespec>) -> Result<c_short> {
    let mut entry = [libc::pollfd { fd: fd.map_or(-1, |fd| fd.as_raw_fd()), events, revents: 0 }];
    poll_all(&mut entry, timeout)?;
    let [entry] = entry;
    if entry.revents & libc::POLLNVAL != 0 {
        return Err(Errno::BADF);
    }
    Ok(entry.revents)
}

/// One `ppoll` of several descriptors, as [`poll`]: how many are ready.
pub fn poll_all(entries: &mut [libc::pollfd], timeout: Option<libc::timespec>) -> Result<usize> {
    let timeout = timeout.as_ref().map_or(std::ptr::null(), |timeout| &raw const *timeout);
    let (first, len) = (entries.as_mut_ptr(), entries.len() as libc::nfds_t);
    syscall!(ppoll(first, len, timeout, std::ptr::null())).map(|ready| ready as usize)
}
