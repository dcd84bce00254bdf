//! Sending and receiving.

use std::os::fd::BorrowedFd;

use libc::{c_int, c_void, iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use crate::boundary;
use crate::errno::{Errno, Result};
use crate::mode::{self, Moment, Sending, Side};
use crate::operation::{Beginning, DONT_WAIT, Operation, WAIT};
use crate::{options, sys};

/// What every socket can take as one buffer, if it has any room: under half the smallest send
/// buffer. The kernel counts `SO_SNDTIMEO` afresh for each buffer that a Unix stream fills, so it may
/// wait with no more than this.
const ONE_BUFFER: usize = 2048;

/// The most that one receive of `sock_recvall` asks for. The kernel does not count the time that it
/// spends copying, so that must not amount to much.
const PART: usize = 8 << 20;

/// The most that one send of `sock_sendall` asks for. The kernel takes little more at once, and what it
/// leaves of it must mean something.
const MOST: usize = 1 << 30;

/// Flags of receives that never wait, whatever the mode.
const NEVER_WAIT: c_int = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB;

/// Sends `len` bytes, or some of them, on a connected socket.
///
/// On a stream in blocking mode all are sent, unless an error or a signal comes after a part; with a
/// timeout or in non-blocking mode a part may be. A message is sent whole. To send all of a buffer in
/// every mode use `sock_sendall`. SIGPIPE is never raised.
///
/// @param fd     the socket
/// @param buf    the bytes; may be NULL if `len` is 0
/// @param len    how many
/// @param flags  0, or `MSG_` flags of send(2). `MSG_NOSIGNAL` is implied; `MSG_DONTWAIT` makes it
///               non-blocking whatever the mode
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
/// nothing was sent then:
///   - `-EAGAIN`      non-blocking mode, and there is no room; in any, no local port is free
///   - `-ETIMEDOUT`   there was no room before the timeout ran out
///   - `-EINTR`       a signal was handled, and `sock_setinterrupt` is on
///   - `-EPIPE`       the connection was closed, or shut down for sending
///   - `-ECONNRESET`  the peer reset the connection
///   - `-EMSGSIZE`    the message is too large for the socket
///   - `-ENOTCONN`, `-EDESTADDRREQ`  the socket is not connected
///   - `-EFAULT`      `buf` is NULL and `len` is not 0
///   - `-EINVAL`      `len` is over `SSIZE_MAX`
///   - `-EBADF`       `fd` is not an open descriptor
///   - `-ENOTSOCK`    `fd` is not a socket
///   - any other error of send(2), among them `-EACCES`, `-ENETUNREACH`, `-ENOBUFS` and `-EOPNOTSUPP`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_send(fd: c_int, buf: *const c_void, len: size_t, flags: c_int) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        let reach = move |at| len - at;
        send(socket, len, flags, reach, move |at, len, flags| sys::send(socket, buf.wrapping_byte_add(at), len, flags))
    })
}

/// Receives up to `len` bytes from a connected socket.
///
/// @param fd     the socket
/// @param buf    where to put them; may be NULL if `len` is 0
/// @param len    how many at most. What a message has beyond them is lost
/// @param flags  0, or `MSG_` flags of recv(2). `MSG_DONTWAIT` makes it non-blocking whatever the mode;
///               `MSG_ERRQUEUE` and `MSG_OOB` never wait. With `MSG_WAITALL`, or `SO_RCVLOWAT`, and a
///               timeout, what has come by eight ninths of it may be returned: `sock_recvall` is exact
///
/// @return how many bytes were received; 0 when the peer of a stream has closed its side, or for an
/// empty message; or the negative of an error number, to which `errno` is set too:
///   - `-EAGAIN`        non-blocking mode, and there is nothing
///   - `-ETIMEDOUT`     nothing came before the timeout ran out
///   - `-EINTR`         a signal was handled, and `sock_setinterrupt` is on
///   - `-ECONNREFUSED`  the peer refused a datagram sent before
///   - `-ECONNRESET`    the peer reset the connection
///   - `-ENOTCONN`      the socket is not connected
///   - `-EFAULT`        `buf` is NULL and `len` is not 0
///   - `-EINVAL`        `len` is over `SSIZE_MAX`, or there is no out-of-band data for `MSG_OOB`
///   - `-EBADF`         `fd` is not an open descriptor
///   - `-ENOTSOCK`      `fd` is not a socket
///   - any other error of recv(2), among them `-EHOSTUNREACH`, `-ENOMEM` and `-EOPNOTSUPP`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recv(fd: c_int, buf: *mut c_void, len: size_t, flags: c_int) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        receive(socket, len, flags, move |flags| sys::recv(socket, buf, len, flags))
    })
}

/// Sends a message to an address.
///
/// As `sock_send`, on a socket that need not be connected.
///
/// @param fd       the socket
/// @param buf      the bytes; may be NULL if `len` is 0
/// @param len      how many
/// @param flags    as for `sock_send`
/// @param addr     where to send them, or NULL on a connected socket
/// @param addrlen  the length of the address in bytes; 0 if `addr` is NULL
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
/// nothing was sent then. The errors are those of `sock_send`, and:
///   - `-EISCONN`  the socket is connected, and of a kind that cannot send elsewhere
///   - `-EFAULT`   `addr` is NULL and `addrlen` is not 0
///   - any other error of sendto(2), among them `-EAFNOSUPPORT`, `-ECONNREFUSED` and `-ENOENT`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes, `addr` for reading `addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendto(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    addr: *const sockaddr,
    addrlen: socklen_t,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        boundary::buffer(addr.cast(), addrlen as usize)?;
        let reach = move |at| len - at;
        send(socket, len, flags, reach, move |at, len, flags| {
            sys::sendto(socket, buf.wrapping_byte_add(at), len, flags, (addr, addrlen))
        })
    })
}

/// Receives a message and the address that it came from.
///
/// As `sock_recv`, on a socket that need not be connected.
///
/// @param fd       the socket
/// @param buf      where to put the message; may be NULL if `len` is 0
/// @param len      how many bytes at most. What the message has beyond them is lost
/// @param flags    as for `sock_recv`. With `MSG_TRUNC` the result is the message's whole length
/// @param addr     where to put the address of the sender, or NULL
/// @param addrlen  in: the bytes that `addr` has room for; out: the length of the address, which was
///                 cut if that is more. Ignored when `addr` is NULL
///
/// @return how many bytes were received, which is 0 for an empty message, or the negative of an error
/// number, to which `errno` is set too. The errors are those of `sock_recv`, and:
///   - `-EFAULT`  `addr` is not NULL but `addrlen` is
///   - `-EINVAL`  `*addrlen` is over `INT_MAX`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes. `addr` is NULL, or `addrlen` is NULL or valid for
/// reading and writing a `socklen_t`, and `addr` is valid for writing `*addrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvfrom(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    addr: *mut sockaddr,
    addrlen: *mut socklen_t,
) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        // SAFETY: the caller promises it.
        unsafe { boundary::address_out(addr, addrlen)? };
        receive(socket, len, flags, move |flags| sys::recvfrom(socket, buf, len, flags, (addr, addrlen)))
    })
}

/// Sends a message gathered from several buffers, with control data.
///
/// As `sock_send`. Control data goes with the first byte.
///
/// @param fd     the socket
/// @param msg    the message, as for sendmsg(2)
/// @param flags  as for `sock_send`
///
/// @return how many bytes were sent, or the negative of an error number, to which `errno` is set too;
/// nothing was sent then. The errors are those of `sock_sendto`, and:
///   - `-EFAULT`    `msg` is NULL, or its `msg_iov` is NULL and `msg_iovlen` is not 0
///   - `-EMSGSIZE`  `msg_iovlen` is over `IOV_MAX`
///   - any other error of sendmsg(2), among them `-EINVAL`, `-EPERM` and `-ETOOMANYREFS`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `msg` is NULL or valid for reading, and so is all that it points to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendmsg(fd: c_int, msg: *const msghdr, flags: c_int) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        if msg.is_null() {
            return Err(Errno::FAULT);
        }
        // SAFETY: not NULL, and the caller promises that it can be read, as it does for its buffers.
        let (message, buffers) = unsafe { (*msg, buffers(&*msg)?) };
        let total = total(buffers);
        let reach = |at| locate(buffers, at).iov_len;
        send(socket, total, flags, reach, move |at, len, flags| {
            if at == 0 && len == total {
                return sys::sendmsg(socket, msg, flags);
            }
            let mut buffer = locate(buffers, at);
            buffer.iov_len = len;
            let mut part = message;
            part.msg_iov = &raw mut buffer;
            part.msg_iovlen = 1;
            if at > 0 {
                part.msg_control = std::ptr::null_mut();
                part.msg_controllen = 0;
            }
            sys::sendmsg(socket, &raw const part, flags)
        })
    })
}

/// Receives a message into several buffers, with control data and its flags.
///
/// As `sock_recvfrom`. Descriptors that come with the message are close-on-exec, as if by
/// `MSG_CMSG_CLOEXEC`.
///
/// @param fd     the socket
/// @param msg    where to put the message, as for recvmsg(2). It is changed only on success; then its
///               `msg_flags` tell, for one, with `MSG_TRUNC` that the message was longer than the buffers
/// @param flags  as for `sock_recv`
///
/// @return how many bytes were received, which is 0 for an empty message, or when the peer of a stream
/// has closed its side; or the negative of an error number, to which `errno` is set too. The errors are
/// those of `sock_recv`, and:
///   - `-EFAULT`    `msg` is NULL, or its `msg_iov` is NULL and `msg_iovlen` is not 0
///   - `-EMSGSIZE`  `msg_iovlen` is over `IOV_MAX`
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `msg` is NULL or valid for reading and writing, and all that it points to for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvmsg(fd: c_int, msg: *mut msghdr, flags: c_int) -> ssize_t {
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        if msg.is_null() {
            return Err(Errno::FAULT);
        }
        // SAFETY: not NULL, and the caller promises that it can be read, as it does for its buffers.
        let total = total(unsafe { buffers(&*msg)? });
        receive(socket, total, flags, move |flags| sys::recvmsg(socket, msg, flags | libc::MSG_CMSG_CLOEXEC))
    })
}

/// Sends all of a buffer.
///
/// The timeout is for all of it, however many steps that takes. SIGPIPE is never raised.
///
/// @param fd     the socket
/// @param buf    the bytes; may be NULL if `len` is 0
/// @param len    how many. If 0, nothing is sent, not even an empty message
/// @param flags  as for `sock_send`
/// @param sent   where to put how many bytes were sent: `len` on success, and exact on every failure.
///               May be NULL
///
/// @return 0 once all are sent, or the negative of an error number, to which `errno` is set too. The
/// errors are those of `sock_send`; `*sent` bytes were sent all the same.
///
/// Safe to call from any thread, from a signal handler and after fork. When several threads send on one
/// stream at once, their bytes may be interleaved.
///
/// # Safety
///
/// `buf` is NULL or valid for reading `len` bytes, `sent` is NULL or valid for writing a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_sendall(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    sent: *mut size_t,
) -> c_int {
    let count = |count| {
        if !sent.is_null() {
            // SAFETY: not NULL, and the caller promises that it can be written to.
            unsafe { sent.write(count) };
        }
    };
    count(0);
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        Whole { socket, side: Side::Send, len, flags }
            .transfer(count, move |at, len, flags| sys::send(socket, buf.wrapping_byte_add(at), len, flags))
    })
}

/// Receives until a buffer is full.
///
/// The timeout is for all of it, however many steps that takes. It is meant for streams: from a
/// socket with messages it receives one after the other, cuts what does not fit, and takes an empty one
/// for the end.
///
/// @param fd        the socket
/// @param buf       where to put the bytes; may be NULL if `len` is 0
/// @param len       how many. If 0, nothing is received
/// @param flags     as for `sock_recv`
/// @param received  where to put how many bytes were received: `len` on success, and exact on every
///                  failure; that many are in `buf`, unless `flags` have `MSG_TRUNC`. May be NULL
///
/// @return 0 once the buffer is full, or the negative of an error number, to which `errno` is set too.
/// The errors are those of `sock_recv`; `*received` bytes were received all the same. With
/// `sock_setinterrupt` on, `-EINTR` may also tell of control or urgent data in the stream, at which the
/// kernel stopped. And:
///   - `-EPIPE`   the peer closed its side first
///   - `-EINVAL`  `flags` has `MSG_PEEK`, with which no more than one receive can be of use
///
/// Safe to call from any thread, from a signal handler and after fork. When several threads receive
/// from one stream at once, each gets a part of it.
///
/// # Safety
///
/// `buf` is NULL or valid for writing `len` bytes, `received` is NULL or valid for writing a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_recvall(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    received: *mut size_t,
) -> c_int {
    let count = |count| {
        if !received.is_null() {
            // SAFETY: not NULL, and the caller promises that it can be written to.
            unsafe { received.write(count) };
        }
    };
    count(0);
    boundary::exit(|| {
        let socket = boundary::socket(fd)?;
        boundary::buffer(buf, len)?;
        if flags & libc::MSG_PEEK != 0 {
            return Err(Errno::INVAL);
        }
        let flags = flags | libc::MSG_WAITALL;
        Whole { socket, side: Side::Receive, len, flags }.transfer(count, move |at, len, flags| {
            match sys::recv(socket, buf.wrapping_byte_add(at), len, flags)? {
                0 => Err(Errno::PIPE),
                received => Ok(received.min(len)), // MSG_TRUNC tells of bytes beyond.
            }
        })
    })
}

/// Does what flags ask to be done without waiting. Apart, as [`Operation::run`] has its follow-up.
#[cold]
#[inline(never)]
fn at_once(call: impl FnOnce() -> Result<usize>) -> Result<usize> {
    call()
}

/// Receives up to `len` bytes in one attempt, or as the mode says. `call` is given the flags.
#[inline(always)]
fn receive(socket: BorrowedFd, len: usize, flags: c_int, call: impl Fn(c_int) -> Result<usize>) -> Result<usize> {
    if flags & NEVER_WAIT != 0 || len == 0 {
        return receive_rarely(socket, flags, call);
    }
    Operation::run(socket, Side::Receive, WAIT, move |more| call(flags | more))
}

/// As [`receive`], without waiting or of no bytes.
#[cold]
#[inline(never)]
fn receive_rarely(socket: BorrowedFd, flags: c_int, call: impl Fn(c_int) -> Result<usize>) -> Result<usize> {
    if flags & NEVER_WAIT != 0 {
        return call(flags | DONT_WAIT);
    }
    // When the kernel has waited in vain for TCP to let no bytes be received, it calls that a success.
    Operation::run(socket, Side::Receive, DONT_WAIT, move |more| call(flags | more))
}

/// Sends in one attempt, or as the mode says. `call` is given where in the data to begin, how much to
/// send, and the flags; it can send up to `reach` of where it begins.
#[inline(always)]
fn send(
    socket: BorrowedFd,
    len: usize,
    flags: c_int,
    reach: impl Fn(usize) -> usize,
    call: impl Fn(usize, usize, c_int) -> Result<usize>,
) -> Result<usize> {
    if flags & libc::MSG_DONTWAIT != 0 {
        return at_once(move || call(0, len, flags));
    }
    if len <= ONE_BUFFER {
        return Operation::run(socket, Side::Send, WAIT, move |more| call(0, len, flags | more));
    }
    // Moved to where they have addresses: the small case keeps them in registers.
    let (reach, call) = (reach, call);
    send_large(socket, len, flags, &reach, &call)
}

/// As [`send`], of more than the kernel may wait with.
#[inline(never)]
fn send_large(
    socket: BorrowedFd,
    len: usize,
    flags: c_int,
    reach: &dyn Fn(usize) -> usize,
    call: &dyn Fn(usize, usize, c_int) -> Result<usize>,
) -> Result<usize> {
    let began = Moment::now();
    // What there is room for goes at once.
    let (mut sent, not_ready) = match call(0, len, flags | DONT_WAIT) {
        Err(error) if error.is_not_ready() => (0, error),
        Err(error) if error.is_unfinished() => (0, Errno::AGAIN),
        Ok(sent) if sent < len => (sent, Errno::AGAIN),
        result => return result,
    };
    let sending = mode::sending(socket, began);
    if sent > 0 && !matches!(sending, Ok(Sending::Endless)) {
        return Ok(sent);
    }
    match sending? {
        Sending::AtOnce => return Err(not_ready),
        Sending::Timed => {
            let len = if options::is_stream(socket)? { ONE_BUFFER.min(reach(0)) } else { len };
            return Operation::run(socket, Side::Send, WAIT, move |more| call(0, len, flags | more));
        }
        Sending::Endless => {}
    }
    // In blocking mode the rest follows.
    let mut beginning = Beginning::new();
    beginning.read_clock();
    let mut operation = Operation::begin(socket, Side::Send, &beginning);
    let mut first = WAIT;
    while sent < len {
        let wanted = if sent == 0 { len } else { reach(sent) };
        match operation.step(first, wanted, &mut |more| call(sent, wanted, flags | more)) {
            Ok(more) => sent += more,
            Err(error) if sent == 0 => return Err(error),
            Err(_) => break,
        }
        first = DONT_WAIT;
    }
    Ok(sent)
}

/// A transfer of all of a buffer, in steps under one timeout.
struct Whole<'fd> {
    socket: BorrowedFd<'fd>,
    side: Side,
    len: usize,
    flags: c_int,
}

impl Whole<'_> {
    fn never_waits(&self) -> bool {
        match self.side {
            Side::Receive => self.flags & NEVER_WAIT != 0,
            Side::Send => self.flags & libc::MSG_DONTWAIT != 0,
        }
    }

    /// How much to ask for at once.
    fn part(&self, done: usize) -> usize {
        match self.side {
            Side::Receive => (self.len - done).min(PART),
            Side::Send => (self.len - done).min(MOST),
        }
    }

    /// Transfers it, and keeps `count` up to date. `call` is given where in the buffer to begin, how much
    /// to transfer, and the flags.
    #[inline(always)]
    fn transfer(self, count: impl Fn(usize), call: impl Fn(usize, usize, c_int) -> Result<usize>) -> Result<usize> {
        if self.len == 0 {
            // No call that could fail is due, and a bad descriptor must.
            return options::is_stream(self.socket).map(|_| 0);
        }
        let waits_in_kernel = self.side == Side::Receive || self.len <= ONE_BUFFER;
        let first = if waits_in_kernel && !self.never_waits() { WAIT } else { DONT_WAIT };
        let mut beginning = Beginning::new();
        if !self.never_waits() {
            beginning.read_clock();
        }
        match call(0, self.part(0), self.flags | first) {
            Ok(done) if done == self.len => {
                count(done);
                Ok(0)
            }
            outcome => self.follow_up(&beginning, first, outcome, &count, &call),
        }
    }

    /// What follows a first attempt that did not do it all.
    #[cold]
    #[inline(never)]
    fn follow_up(
        &self,
        beginning: &Beginning,
        first: c_int,
        outcome: Result<usize>,
        count: &dyn Fn(usize),
        call: &dyn Fn(usize, usize, c_int) -> Result<usize>,
    ) -> Result<usize> {
        let mut operation = Operation::begin(self.socket, self.side, beginning);
        let part = self.part(0);
        let mut done = match outcome {
            _ if self.never_waits() => outcome?,
            _ => operation.settle_step(first, part, outcome, &mut |more| call(0, part, self.flags | more))?,
        };
        count(done);
        while done < self.len {
            let part = self.part(done);
            let mut attempt = |more| call(done, part, self.flags | more);
            done +=
                if self.never_waits() { attempt(DONT_WAIT)? } else { operation.step(DONT_WAIT, part, &mut attempt)? };
            count(done);
        }
        Ok(0)
    }
}

/// The buffers of a message.
///
/// # Safety
///
/// `msg_iov` must be NULL or valid for reading `msg_iovlen` entries.
unsafe fn buffers(message: &msghdr) -> Result<&[iovec]> {
    #[allow(clippy::unnecessary_cast)] // With musl it is a c_int.
    let (first, len) = (message.msg_iov, message.msg_iovlen as usize);
    if len > libc::UIO_MAXIOV as usize {
        return Err(Errno::new(libc::EMSGSIZE));
    }
    match (first.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Errno::FAULT),
        // SAFETY: not NULL, and the caller promises it.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(first, len) }),
    }
}

/// How many bytes the buffers hold.
fn total(buffers: &[iovec]) -> usize {
    buffers.iter().fold(0, |total, buffer| total.saturating_add(buffer.iov_len))
}

/// What follows byte `at` of a message in the buffer that holds it.
fn locate(buffers: &[iovec], mut at: usize) -> iovec {
    for buffer in buffers {
        if at < buffer.iov_len {
            return iovec { iov_base: buffer.iov_base.wrapping_byte_add(at), iov_len: buffer.iov_len - at };
        }
        at -= buffer.iov_len;
    }
    iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }
}
