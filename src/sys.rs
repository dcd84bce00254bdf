//! The system calls of POSIX, each as a `Result`. The system calls that only Linux has are in `linux`. The questions to a
//! socket that go through socket2 are in `options`.
//!
//! They take raw pointers, not slices: the memory is the caller's, may be uninitialised or shared,
//! and is only ever handed on to the kernel. Every send has `MSG_NOSIGNAL`, and so none raises SIGPIPE.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{c_int, c_short, c_ulong, c_void, fd_set, msghdr, pollfd, sockaddr, socklen_t, timespec};

use crate::errno::{Errno, Result};
use crate::options;

/// The whole errno story: -1 becomes the calling thread's errno value.
macro_rules! syscall {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: the kernel checks descriptors, pointers and lengths itself; pointers are either to
        // locals of the right size or the caller's, which it vouched for at the boundary.
        let result = unsafe { libc::$name($($argument),*) };
        if result == -1 { Err($crate::errno::Errno::last()) } else { Ok(result) }
    }};
}
pub(crate) use syscall;

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

/// Sends at most `len` bytes of a message, all from the first of its buffers that has any.
#[cold]
pub fn sendmsg_part(socket: BorrowedFd, message: *const msghdr, len: usize, flags: c_int) -> Result<usize> {
    // SAFETY: the caller's, with all that it points to, which it vouched for at the boundary.
    let (mut part, mut buffer) = unsafe {
        let part = message.read();
        let mut at = part.msg_iov;
        while (*at).iov_len == 0 {
            at = at.wrapping_add(1);
        }
        (part, at.read())
    };
    buffer.iov_len = buffer.iov_len.min(len);
    part.msg_iov = &raw mut buffer;
    part.msg_iovlen = 1;
    sendmsg(socket, &raw const part, flags)
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

/// Receives, and gives at most `len`: with `MSG_TRUNC` the kernel gives the length of the whole message.
pub fn recv_at_most(socket: BorrowedFd, data: *mut c_void, len: usize, flags: c_int) -> Result<usize> {
    recv(socket, data, len, flags).map(|received| received.min(len))
}

/// Receives a message. Descriptors that come with it are close-on-exec. The kernel repeats that flag in the message's
/// flags, and it is taken out there unless the caller asked for it.
pub fn recvmsg(socket: BorrowedFd, message: *mut msghdr, flags: c_int) -> Result<usize> {
    let receive = |flags| syscall!(recvmsg(socket.as_raw_fd(), message, flags));
    let received = match receive(flags | libc::MSG_CMSG_CLOEXEC) {
        Err(Errno::INVAL) if is_without_descriptors(socket) => receive(flags)?,
        received => received?,
    };
    // SAFETY: the kernel has just written to it.
    unsafe { (*message).msg_flags &= !libc::MSG_CMSG_CLOEXEC | flags };
    Ok(received as usize)
}

/// Whether this kind of socket passes no descriptors, so that it may not know the flag for them.
#[cold]
fn is_without_descriptors(socket: BorrowedFd) -> bool {
    let known = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    options::domain(socket).is_ok_and(|domain| !known.contains(&domain))
}

/// A place for a peer's address that the caller may not have given.
#[derive(Clone, Copy)]
pub struct AddressOut {
    pub addr: *mut sockaddr,
    pub addrlen: *mut socklen_t,
    /// How many bytes it has room for.
    pub room: socklen_t,
}

impl AddressOut {
    /// Writes that there is no address.
    pub fn clear(self) {
        if !self.addr.is_null() {
            // SAFETY: it was not NULL with an address, and the caller promises that it can be written to.
            unsafe { self.addrlen.write(0) };
        }
    }
}

/// Clears a message as the kernel does when nothing was received.
pub fn clear(message: *mut msghdr) {
    // SAFETY: the caller's, which it vouched for at the boundary.
    let message = unsafe { &mut *message };
    message.msg_namelen = 0;
    message.msg_controllen = 0;
    message.msg_flags = 0;
}

pub fn connect(socket: BorrowedFd, addr: *const sockaddr, addrlen: socklen_t) -> Result<()> {
    syscall!(connect(socket.as_raw_fd(), addr, addrlen)).map(drop)
}

/// Accepts a connection as a close-on-exec descriptor.
pub fn accept(socket: BorrowedFd, addr: *mut sockaddr, addrlen: *mut socklen_t) -> Result<c_int> {
    syscall!(accept4(socket.as_raw_fd(), addr, addrlen, libc::SOCK_CLOEXEC))
}

/// Sets or clears `O_NONBLOCK` alone, by one call. To read all the flags and write them back could undo what another
/// thread changes in between.
pub fn set_nonblocking(socket: BorrowedFd, on: bool) -> Result<()> {
    let mut on = c_int::from(on);
    syscall!(ioctl(socket.as_raw_fd(), libc::FIONBIO, &raw mut on)).map(drop)
}

/// Reads an option of a fixed size.
pub fn get_option<T: Copy>(socket: BorrowedFd, level: c_int, name: c_int) -> Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as socklen_t;
    syscall!(getsockopt(socket.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut len))?;
    // SAFETY: the types it is used with are numbers, for which all zero is valid, and so is what the
    // kernel wrote over it.
    Ok(unsafe { value.assume_init() })
}

/// Sets an option of a fixed size.
pub fn set_option<T: Copy>(socket: BorrowedFd, level: c_int, name: c_int, value: T) -> Result<()> {
    let len = size_of::<T>() as socklen_t;
    syscall!(setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), len)).map(drop)
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

/// Maps `len` bytes of memory for a thread's stack.
pub fn map(len: usize) -> Result<*mut c_void> {
    let (access, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK);
    // SAFETY: the kernel finds a place that nobody has.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, flags, -1, 0) };
    if start == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(start) }
}

/// Forbids all access to memory: a thread that touches it gets SIGSEGV.
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

/// Borrows a descriptor for a call. A negative number is `EBADF`. Whether another number is open the kernel says.
pub fn borrow<'fd>(fd: c_int) -> Result<BorrowedFd<'fd>> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: `fd` is not -1. The descriptor is only lent for the call; should another thread close it meanwhile, system
    // calls fail or meet its successor, as they would in any C program.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Lends a descriptor that is owned.
pub fn lend(owned: &OwnedFd) -> BorrowedFd<'_> {
    // SAFETY: an open descriptor is never negative. std asserts nearly the same, up to Rust 1.85 at least, and this makes
    // the compiler drop its panic.
    unsafe { std::hint::assert_unchecked(owned.as_raw_fd() >= 0) };
    owned.as_fd()
}

/// Takes a descriptor that a system call has made.
pub fn owned(fd: c_int) -> Result<OwnedFd> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: it is new, and so nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// One `ppoll` for at most `timeout`, or for as long as it takes: how many entries are ready.
pub fn poll(entries: &mut [pollfd], timeout: Option<timespec>) -> Result<usize> {
    let time = timeout.as_ref().map_or(std::ptr::null(), |timeout| &raw const *timeout);
    let (first, len) = (entries.as_mut_ptr(), entries.len() as libc::nfds_t);
    match syscall!(ppoll(first, len, time, std::ptr::null())) {
        // There are more entries than the process may open descriptors.
        Err(Errno::INVAL) => select(entries, time),
        ready => ready.map(|ready| ready as usize),
    }
}

/// The same by `pselect`. It works however few descriptors the process may open, but it knows fewer events, and only
/// small descriptors.
#[cold]
#[inline(never)]
fn select(entries: &mut [pollfd], timeout: *const timespec) -> Result<usize> {
    const EVENTS: [c_short; 3] = [libc::POLLIN, libc::POLLOUT, libc::POLLPRI];
    let mut sets = [[0; DESCRIPTORS]; EVENTS.len()];
    let mut end = 0;
    for entry in entries.iter().filter(|entry| entry.fd >= 0) {
        end = end.max(entry.fd + 1);
        for (set, _) in sets.iter_mut().zip(EVENTS).filter(|(_, event)| entry.events & event != 0) {
            let (index, bit) = place(entry.fd);
            *set.get_mut(index).ok_or(Errno::INVAL)? |= bit;
        }
    }
    let [read, write, except] = &mut sets;
    let set = |set: &mut [c_ulong; DESCRIPTORS]| set.as_mut_ptr().cast::<fd_set>();
    syscall!(pselect(end, set(read), set(write), set(except), timeout, std::ptr::null()))?;
    let mut ready = 0;
    for entry in entries.iter_mut() {
        entry.revents = 0;
        for (set, event) in sets.iter().zip(EVENTS).filter(|_| entry.fd >= 0) {
            let (index, bit) = place(entry.fd);
            if set.get(index).is_some_and(|bits| bits & bit != 0) {
                entry.revents |= event;
            }
        }
        ready += usize::from(entry.revents != 0);
    }
    Ok(ready)
}

/// The number of words in an `fd_set` of C.
const DESCRIPTORS: usize = size_of::<fd_set>() / size_of::<c_ulong>();

/// Where a descriptor stands in a set.
fn place(fd: c_int) -> (usize, c_ulong) {
    (fd as usize / c_ulong::BITS as usize, 1 << (fd as u32 % c_ulong::BITS))
}

/// Where `what` begins in a part of the caller's memory.
pub fn find(memory: *const c_void, part: std::ops::Range<usize>, what: &[u8]) -> Option<usize> {
    let start = memory.wrapping_byte_add(part.start);
    // SAFETY: the caller vouched for the memory at the boundary, and the part is one that holds bytes.
    let found = unsafe { libc::memmem(start, part.len(), what.as_ptr().cast(), what.len()) };
    (!found.is_null()).then(|| found.addr() - memory.addr())
}
