//! The functions of the library as Rust would call them: with slices, and the code as a `Result`.
//! Each call checks what holds for all of them: on failure `errno` is what the code says, and on success it is
//! what it was before.

use std::ffi::{CStr, CString};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{null, null_mut};

use libc::{c_int, socklen_t};
use socket2::{SockAddr, SockAddrStorage};

use super::limits::{self, Limits};
use super::{errno, set_errno};

/// What was returned if 0 or more, or the error number.
pub type Outcome = Result<usize, c_int>;

/// Makes one call of the library.
pub fn check(call: impl FnOnce() -> isize) -> Outcome {
    const UNTOUCHED: c_int = 12345;
    set_errno(UNTOUCHED);
    let code = call();
    let errno = errno();
    if code >= 0 {
        assert_eq!(errno, UNTOUCHED, "errno was touched by a call that returned {code}");
        return Ok(code as usize);
    }
    assert_eq!(-(errno as isize), code, "errno is not what was returned");
    Err(errno)
}

pub fn setblocking(fd: &impl AsRawFd, blocking: bool) -> Outcome {
    check(|| sock::sock_setblocking(fd.as_raw_fd(), blocking.into()) as isize)
}

pub fn getblocking(fd: &impl AsRawFd) -> Outcome {
    check(|| sock::sock_getblocking(fd.as_raw_fd()) as isize)
}

pub fn settimeout(fd: &impl AsRawFd, seconds: f64) -> Outcome {
    check(|| sock::sock_settimeout(fd.as_raw_fd(), seconds) as isize)
}

pub fn gettimeout(fd: &impl AsRawFd) -> Result<f64, c_int> {
    let mut seconds = f64::NAN;
    // SAFETY: the pointer is to a local.
    check(|| unsafe { sock::sock_gettimeout(fd.as_raw_fd(), &raw mut seconds) as isize })?;
    Ok(seconds)
}

pub fn setinterrupt(fd: &impl AsRawFd, on: bool) -> Outcome {
    check(|| sock::sock_setinterrupt(fd.as_raw_fd(), on.into()) as isize)
}

pub fn getinterrupt(fd: &impl AsRawFd) -> Outcome {
    check(|| sock::sock_getinterrupt(fd.as_raw_fd()) as isize)
}

pub fn send(fd: &impl AsRawFd, data: &[u8], flags: c_int) -> Outcome {
    // SAFETY: the pointer and the length are the slice's.
    check(|| unsafe { sock::sock_send(fd.as_raw_fd(), data.as_ptr().cast(), data.len(), flags) })
}

pub fn send_until(fd: &impl AsRawFd, data: &[u8], flags: c_int, Limits { deadline, token }: Limits) -> Outcome {
    let fd = fd.as_raw_fd();
    // SAFETY: the pointer and the length are the slice's.
    check(|| unsafe { sock::sock_send_until(fd, data.as_ptr().cast(), data.len(), flags, deadline, token) })
}

pub fn recv(fd: &impl AsRawFd, data: &mut [u8], flags: c_int) -> Outcome {
    // SAFETY: the pointer and the length are the slice's.
    check(|| unsafe { sock::sock_recv(fd.as_raw_fd(), data.as_mut_ptr().cast(), data.len(), flags) })
}

pub fn recv_until(fd: &impl AsRawFd, data: &mut [u8], flags: c_int, Limits { deadline, token }: Limits) -> Outcome {
    let fd = fd.as_raw_fd();
    // SAFETY: the pointer and the length are the slice's.
    check(|| unsafe { sock::sock_recv_until(fd, data.as_mut_ptr().cast(), data.len(), flags, deadline, token) })
}

pub fn sendto(fd: &impl AsRawFd, data: &[u8], flags: c_int, to: Option<&SockAddr>) -> Outcome {
    let (addr, addrlen) = to.map_or((null(), 0), |to| (to.as_ptr().cast(), to.len()));
    // SAFETY: the pointers and the lengths belong together.
    check(|| unsafe { sock::sock_sendto(fd.as_raw_fd(), data.as_ptr().cast(), data.len(), flags, addr, addrlen) })
}

pub fn sendto_until(
    fd: &impl AsRawFd,
    data: &[u8],
    flags: c_int,
    to: Option<&SockAddr>,
    Limits { deadline, token }: Limits,
) -> Outcome {
    let (addr, addrlen) = to.map_or((null(), 0), |to| (to.as_ptr().cast(), to.len()));
    let (fd, buf) = (fd.as_raw_fd(), data.as_ptr().cast());
    // SAFETY: the pointers and the lengths belong together.
    check(|| unsafe { sock::sock_sendto_until(fd, buf, data.len(), flags, addr, addrlen, deadline, token) })
}

pub fn recvfrom(fd: &impl AsRawFd, data: &mut [u8], flags: c_int) -> Result<(usize, SockAddr), c_int> {
    let mut from = SockAddrStorage::zeroed();
    let mut len = from.size_of();
    // SAFETY: the pointers and the lengths belong together.
    let received = check(|| unsafe {
        let addr = (&raw mut from).cast();
        sock::sock_recvfrom(fd.as_raw_fd(), data.as_mut_ptr().cast(), data.len(), flags, addr, &raw mut len)
    })?;
    // SAFETY: the kernel has put an address of that length there.
    Ok((received, unsafe { SockAddr::new(from, len) }))
}

pub fn recvfrom_until(
    fd: &impl AsRawFd,
    data: &mut [u8],
    flags: c_int,
    Limits { deadline, token }: Limits,
) -> Result<(usize, SockAddr), c_int> {
    let mut from = SockAddrStorage::zeroed();
    let mut len = from.size_of();
    // SAFETY: the pointers and the lengths belong together.
    let received = check(|| unsafe {
        let (fd, buf, addr) = (fd.as_raw_fd(), data.as_mut_ptr().cast(), (&raw mut from).cast());
        sock::sock_recvfrom_until(fd, buf, data.len(), flags, addr, &raw mut len, deadline, token)
    })?;
    // SAFETY: the kernel has put an address of that length there.
    Ok((received, unsafe { SockAddr::new(from, len) }))
}

fn message_to_send(buffers: &[IoSlice], control: &[u8]) -> libc::msghdr {
    // SAFETY: all zero is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = buffers.as_ptr().cast_mut().cast();
    message.msg_iovlen = buffers.len() as _;
    if !control.is_empty() {
        message.msg_control = control.as_ptr().cast_mut().cast();
        message.msg_controllen = control.len() as _;
    }
    message
}

pub fn sendmsg(fd: &impl AsRawFd, buffers: &[IoSlice], control: &[u8], flags: c_int) -> Outcome {
    let message = message_to_send(buffers, control);
    // SAFETY: the pointers and the lengths belong together, and an IoSlice is an iovec.
    check(|| unsafe { sock::sock_sendmsg(fd.as_raw_fd(), &raw const message, flags) })
}

pub fn sendmsg_until(
    fd: &impl AsRawFd,
    buffers: &[IoSlice],
    control: &[u8],
    flags: c_int,
    Limits { deadline, token }: Limits,
) -> Outcome {
    let message = message_to_send(buffers, control);
    // SAFETY: the pointers and the lengths belong together, and an IoSlice is an iovec.
    check(|| unsafe { sock::sock_sendmsg_until(fd.as_raw_fd(), &raw const message, flags, deadline, token) })
}

/// What `recvmsg` gives besides the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub bytes: usize,
    pub control: usize,
    pub flags: c_int,
}

impl Received {
    #[allow(clippy::unnecessary_cast)] // With musl it is narrower.
    fn new(bytes: usize, message: &libc::msghdr) -> Received {
        Received { bytes, control: message.msg_controllen as usize, flags: message.msg_flags }
    }
}

fn message_to_receive(buffers: &mut [IoSliceMut], control: &mut [u8]) -> libc::msghdr {
    // SAFETY: all zero is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = buffers.as_mut_ptr().cast();
    message.msg_iovlen = buffers.len() as _;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = control.len() as _;
    message
}

pub fn recvmsg(
    fd: &impl AsRawFd,
    buffers: &mut [IoSliceMut],
    control: &mut [u8],
    flags: c_int,
) -> Result<Received, c_int> {
    let mut message = message_to_receive(buffers, control);
    // SAFETY: the pointers and the lengths belong together, and an IoSliceMut is an iovec.
    let bytes = check(|| unsafe { sock::sock_recvmsg(fd.as_raw_fd(), &raw mut message, flags) })?;
    Ok(Received::new(bytes, &message))
}

pub fn recvmsg_until(
    fd: &impl AsRawFd,
    buffers: &mut [IoSliceMut],
    control: &mut [u8],
    flags: c_int,
    Limits { deadline, token }: Limits,
) -> Result<Received, c_int> {
    let mut message = message_to_receive(buffers, control);
    // SAFETY: the pointers and the lengths belong together, and an IoSliceMut is an iovec.
    let bytes =
        check(|| unsafe { sock::sock_recvmsg_until(fd.as_raw_fd(), &raw mut message, flags, deadline, token) })?;
    Ok(Received::new(bytes, &message))
}

/// Also gives how many bytes were sent.
pub fn sendall(fd: &impl AsRawFd, data: &[u8], flags: c_int) -> (Outcome, usize) {
    let mut sent = usize::MAX;
    // SAFETY: the pointers and the length are the slice's and a local's.
    let outcome = check(|| unsafe {
        sock::sock_sendall(fd.as_raw_fd(), data.as_ptr().cast(), data.len(), flags, &raw mut sent) as isize
    });
    (outcome, sent)
}

/// Also gives how many bytes were sent.
pub fn sendall_until(
    fd: &impl AsRawFd,
    data: &[u8],
    flags: c_int,
    Limits { deadline, token }: Limits,
) -> (Outcome, usize) {
    let mut sent = usize::MAX;
    let (fd, buf) = (fd.as_raw_fd(), data.as_ptr().cast());
    // SAFETY: the pointers and the length are the slice's and a local's.
    let outcome = check(|| unsafe {
        sock::sock_sendall_until(fd, buf, data.len(), flags, &raw mut sent, deadline, token) as isize
    });
    (outcome, sent)
}

/// Also gives how many bytes were received.
pub fn recvall(fd: &impl AsRawFd, data: &mut [u8], flags: c_int) -> (Outcome, usize) {
    let mut received = usize::MAX;
    // SAFETY: the pointers and the length are the slice's and a local's.
    let outcome = check(|| unsafe {
        sock::sock_recvall(fd.as_raw_fd(), data.as_mut_ptr().cast(), data.len(), flags, &raw mut received) as isize
    });
    (outcome, received)
}

/// Also gives how many bytes were received.
pub fn recvall_until(
    fd: &impl AsRawFd,
    data: &mut [u8],
    flags: c_int,
    Limits { deadline, token }: Limits,
) -> (Outcome, usize) {
    let mut received = usize::MAX;
    let (fd, buf) = (fd.as_raw_fd(), data.as_mut_ptr().cast());
    // SAFETY: the pointers and the length are the slice's and a local's.
    let outcome = check(|| unsafe {
        sock::sock_recvall_until(fd, buf, data.len(), flags, &raw mut received, deadline, token) as isize
    });
    (outcome, received)
}

/// `have` bytes of the buffer are there. Also gives how many are there then.
pub fn recvdelim(fd: &impl AsRawFd, data: &mut [u8], have: usize, delim: &[u8]) -> (Outcome, usize) {
    let mut have = have;
    let (fd, buf) = (fd.as_raw_fd(), data.as_mut_ptr().cast());
    // SAFETY: the pointers and the lengths are the slices' and a local's.
    let outcome = check(|| unsafe {
        sock::sock_recvdelim(fd, buf, data.len(), &raw mut have, delim.as_ptr().cast(), delim.len())
    });
    (outcome, have)
}

/// `have` bytes of the buffer are there. Also gives how many are there then.
pub fn recvdelim_until(
    fd: &impl AsRawFd,
    data: &mut [u8],
    have: usize,
    delim: &[u8],
    Limits { deadline, token }: Limits,
) -> (Outcome, usize) {
    let mut have = have;
    let (fd, buf, mark) = (fd.as_raw_fd(), data.as_mut_ptr().cast(), delim.as_ptr().cast());
    // SAFETY: the pointers and the lengths are the slices' and a local's.
    let outcome = check(|| unsafe {
        sock::sock_recvdelim_until(fd, buf, data.len(), &raw mut have, mark, delim.len(), deadline, token)
    });
    (outcome, have)
}

pub fn connect(fd: &impl AsRawFd, to: &SockAddr) -> Outcome {
    // SAFETY: the pointer and the length belong together.
    check(|| unsafe { sock::sock_connect(fd.as_raw_fd(), to.as_ptr().cast(), to.len()) as isize })
}

pub fn connect_until(fd: &impl AsRawFd, to: &SockAddr, Limits { deadline, token }: Limits) -> Outcome {
    let (fd, addr) = (fd.as_raw_fd(), to.as_ptr().cast());
    // SAFETY: the pointer and the length belong together.
    check(|| unsafe { sock::sock_connect_until(fd, addr, to.len(), deadline, token) as isize })
}

pub fn accept(fd: &impl AsRawFd) -> Result<OwnedFd, c_int> {
    // SAFETY: NULL is allowed.
    let connection = check(|| unsafe { sock::sock_accept(fd.as_raw_fd(), null_mut(), null_mut()) as isize })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(connection as c_int) })
}

pub fn accept_until(fd: &impl AsRawFd, Limits { deadline, token }: Limits) -> Result<OwnedFd, c_int> {
    let fd = fd.as_raw_fd();
    // SAFETY: NULL is allowed.
    let accepted = check(|| unsafe { sock::sock_accept_until(fd, null_mut(), null_mut(), deadline, token) as isize })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(accepted as c_int) })
}

/// Also gives the address of the peer.
pub fn accept_from(fd: &impl AsRawFd) -> Result<(OwnedFd, SockAddr), c_int> {
    let mut from = SockAddrStorage::zeroed();
    let mut len = from.size_of();
    // SAFETY: the pointers are to locals, and the length is that of the first.
    let connection =
        check(|| unsafe { sock::sock_accept(fd.as_raw_fd(), (&raw mut from).cast(), &raw mut len) as isize })?;
    // SAFETY: the descriptor is new and nobody else's, and the kernel has put an address of that length there.
    Ok(unsafe { (OwnedFd::from_raw_fd(connection as c_int), SockAddr::new(from, len)) })
}

/// None is NULL.
pub type Text<'text> = Option<&'text CStr>;

pub fn dial(host: Text, service: Text, seconds: f64) -> Result<OwnedFd, c_int> {
    let (host, service) = (host.map_or(null(), CStr::as_ptr), service.map_or(null(), CStr::as_ptr));
    // SAFETY: the strings are NULL or end with a NUL.
    let connection = check(|| unsafe { sock::sock_dial(host, service, seconds) as isize })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(connection as c_int) })
}

/// Until a moment of the clock, or a token.
pub fn dial_until(host: Text, service: Text, deadline: f64, token: c_int) -> Result<OwnedFd, c_int> {
    let (host, service) = (host.map_or(null(), CStr::as_ptr), service.map_or(null(), CStr::as_ptr));
    // SAFETY: the strings are NULL or end with a NUL.
    let connection = check(|| unsafe { sock::sock_dial_until(host, service, deadline, token) as isize })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(connection as c_int) })
}

/// The address that a text stands for.
pub fn address_of(host: Text, service: Text) -> Result<SockAddr, c_int> {
    let (host, service) = (host.map_or(null(), CStr::as_ptr), service.map_or(null(), CStr::as_ptr));
    let mut found = SockAddrStorage::zeroed();
    let mut len = socklen_t::MAX;
    // SAFETY: the strings are NULL or end with a NUL, and the other pointers are to locals.
    check(|| unsafe { sock::sock_address(host, service, (&raw mut found).cast(), &raw mut len) as isize })?;
    // SAFETY: the library has put an address of that length there.
    Ok(unsafe { SockAddr::new(found, len) })
}

/// The text of an address, within so much room, and its port.
pub fn name_of(address: &SockAddr, size: usize) -> Result<(CString, usize), c_int> {
    let mut text = vec![b'#'; size.max(1)];
    // SAFETY: the pointers are to the address and to so much room.
    let port = check(|| unsafe {
        sock::sock_name(address.as_ptr().cast(), address.len(), text.as_mut_ptr().cast(), size) as isize
    });
    if port.is_err() {
        assert!(text.iter().all(|byte| *byte == b'#'), "a failure has left a text");
    }
    let port = port?;
    Ok((CStr::from_bytes_until_nul(&text).expect("it ends with a NUL").to_owned(), port))
}

pub fn listen(host: Text, service: Text, backlog: c_int) -> Result<OwnedFd, c_int> {
    let (host, service) = (host.map_or(null(), CStr::as_ptr), service.map_or(null(), CStr::as_ptr));
    // SAFETY: the strings are NULL or end with a NUL.
    let listener = check(|| unsafe { sock::sock_listen(host, service, backlog) as isize })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(listener as c_int) })
}

pub fn wait(fd: &impl AsRawFd, events: i16, seconds: f64) -> Outcome {
    check(|| sock::sock_wait(fd.as_raw_fd(), events.into(), seconds) as isize)
}

pub fn wait_until(fd: &impl AsRawFd, events: i16, Limits { deadline, token }: Limits) -> Outcome {
    check(|| sock::sock_wait_until(fd.as_raw_fd(), events.into(), deadline, token) as isize)
}

/// A function that sends on a connected socket.
pub type Sender = fn(&OwnedFd, &[u8], c_int) -> Outcome;

/// All of them, with one meaning: so many bytes were sent, or none. The `_until` forms are given the limits that the
/// mode has, and must do the same.
pub const SENDERS: [(&str, Sender); 8] = [
    ("send", |fd, data, flags| send(fd, data, flags)),
    ("sendto", |fd, data, flags| sendto(fd, data, flags, None)),
    ("sendmsg", |fd, data, flags| sendmsg(fd, &[IoSlice::new(data)], &[], flags)),
    ("sendall", |fd, data, flags| {
        let (outcome, sent) = sendall(fd, data, flags);
        outcome.map(|_| sent)
    }),
    ("sendall_until", |fd, data, flags| {
        let (flags, limits) = as_the_mode(fd, flags);
        let (outcome, sent) = sendall_until(fd, data, flags, limits);
        outcome.map(|_| sent)
    }),
    ("send_until", |fd, data, flags| {
        let (flags, limits) = as_the_mode(fd, flags);
        send_until(fd, data, flags, limits)
    }),
    ("sendto_until", |fd, data, flags| {
        let (flags, limits) = as_the_mode(fd, flags);
        sendto_until(fd, data, flags, None, limits)
    }),
    ("sendmsg_until", |fd, data, flags| {
        let (flags, limits) = as_the_mode(fd, flags);
        sendmsg_until(fd, &[IoSlice::new(data)], &[], flags, limits)
    }),
];

/// A function that receives from a connected socket.
pub type Receiver = fn(&OwnedFd, &mut [u8], c_int) -> Outcome;

/// All of them, with one meaning: so many bytes were received. `recvall` takes no fewer than all. As for [`SENDERS`].
pub const RECEIVERS: [(&str, Receiver); 8] = [
    ("recv", |fd, data, flags| recv(fd, data, flags)),
    ("recvfrom", |fd, data, flags| Ok(recvfrom(fd, data, flags)?.0)),
    ("recvmsg", |fd, data, flags| Ok(recvmsg(fd, &mut [IoSliceMut::new(data)], &mut [], flags)?.bytes)),
    ("recvall", |fd, data, flags| {
        let (outcome, received) = recvall(fd, data, flags);
        outcome.map(|_| received)
    }),
    ("recvall_until", |fd, data, flags| {
        let (flags, limits) = as_the_mode(fd, flags);
        let (outcome, received) = recvall_until(fd, data, flags, limits);
        outcome.map(|_| received)
    }),
    ("recv_until", |fd, data, flags| {
        let (flags, limits) = as_the_mode(fd, flags);
        recv_until(fd, data, flags, limits)
    }),
    ("recvfrom_until", |fd, data, flags| {
        let (flags, limits) = as_the_mode(fd, flags);
        Ok(recvfrom_until(fd, data, flags, limits)?.0)
    }),
    ("recvmsg_until", |fd, data, flags| {
        let (flags, limits) = as_the_mode(fd, flags);
        Ok(recvmsg_until(fd, &mut [IoSliceMut::new(data)], &mut [], flags, limits)?.bytes)
    }),
];

/// Whether a function of [`SENDERS`] or [`RECEIVERS`] transfers all of a buffer.
pub fn is_of_all(name: &str) -> bool {
    name.starts_with("sendall") || name.starts_with("recvall")
}

/// Those that make one transfer.
pub fn of_one<F: Copy>(table: [(&'static str, F); 8]) -> impl Iterator<Item = (&'static str, F)> + Clone {
    table.into_iter().filter(|(name, _)| !is_of_all(name))
}

/// Those that obey the mode themselves.
pub fn plain<F: Copy>(table: [(&'static str, F); 8]) -> impl Iterator<Item = (&'static str, F)> + Clone {
    table.into_iter().filter(|(name, _)| !name.ends_with("_until"))
}

/// Those of both sorts.
pub fn plain_of_one<F: Copy>(table: [(&'static str, F); 8]) -> impl Iterator<Item = (&'static str, F)> + Clone {
    plain(table).filter(|(name, _)| !is_of_all(name))
}

/// The flags and the limits with which an `_until` form does what the socket's mode says.
fn as_the_mode(fd: &OwnedFd, flags: c_int) -> (c_int, Limits) {
    match gettimeout(fd) {
        Ok(0.0) => (flags | libc::MSG_DONTWAIT, Limits::NONE),
        Ok(seconds) => (flags, Limits { deadline: sock::sock_deadline(seconds), token: limits::NONE }),
        Err(_) => (flags, Limits::NONE),
    }
}
