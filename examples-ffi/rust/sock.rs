//! libsock's socket modes for Rust: blocking, non-blocking, or an exact timeout for every operation.
//!
//! It needs libsock (`make install`) and Rust 1.82 or later, in any edition from 2018 on. Copy this file into your crate
//! and say `mod sock;`. README.md beside it tells how it is used, and what it does not do.

// What a program does not use is no fault of its copy; and what fails is told here, once for all.
#![allow(dead_code, clippy::missing_errors_doc)]

use std::error::Error;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::fmt::{self, Debug, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an operation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Blocking,
    /// What is not ready fails with [`ErrorKind::WouldBlock`].
    NonBlocking,
    /// What takes longer fails with [`ErrorKind::TimedOut`]. A zero timeout is non-blocking mode.
    Timeout(Duration),
}

impl Mode {
    fn seconds(self) -> f64 {
        match self {
            Mode::Blocking => f64::INFINITY,
            Mode::NonBlocking => 0.0,
            Mode::Timeout(duration) => duration.as_secs_f64(),
        }
    }
}

/// Ends waits, from any thread and for good: see [`Until`]. Clones are the same token.
#[derive(Clone, Debug)]
pub struct Token(Arc<OwnedFd>);

impl Token {
    pub fn new() -> io::Result<Token> {
        // SAFETY: no pointer goes along.
        let fd = code(unsafe { sock_token() })?;
        // SAFETY: the descriptor is new, and nobody else's.
        Ok(Token(Arc::new(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// May be called in a signal handler too.
    pub fn cancel(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open as long as the token is.
        code(unsafe { sock_cancel(self.0.as_raw_fd()) }).map(drop)
    }

    pub fn is_cancelled(&self) -> io::Result<bool> {
        // SAFETY: as above; a wait for no socket with a deadline in the past only looks at the token.
        match code(unsafe { sock_wait_until(-1, 0, -1.0, self.0.as_raw_fd()) }) {
            Err(error) if Cancelled::is(&error) => Ok(true),
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(false),
            other => other.map(|_| false),
        }
    }
}

/// Any descriptor cancels once it is readable or hangs up: an eventfd, the read end of a pipe, a pidfd, a signalfd.
/// [`Token::cancel`] is for those of [`Token::new`] alone.
impl From<OwnedFd> for Token {
    fn from(fd: OwnedFd) -> Token {
        Token(Arc::new(fd))
    }
}

impl AsFd for Token {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A moment, a token, or both, that end what is called with [`Socket::until`] or [`dial_until`].
///
/// An [`Instant`], a [`Duration`] from now on, or a `&Token` will do in its place.
#[derive(Clone, Debug)]
pub struct Until {
    deadline: f64,
    token: Option<Token>,
}

impl Until {
    /// What comes first ends the wait.
    #[must_use]
    pub fn or(self, token: &Token) -> Until {
        Until { token: Some(token.clone()), ..self }
    }

    fn raw(&self) -> (f64, c_int) {
        (self.deadline, self.token.as_ref().map_or(-1, |token| token.0.as_raw_fd()))
    }
}

impl From<Duration> for Until {
    fn from(duration: Duration) -> Until {
        // What is longer, 285 years, is no limit.
        let seconds = if duration.as_secs() < 9_000_000_000 { duration.as_secs_f64() } else { f64::INFINITY };
        Until { deadline: sock_deadline(seconds), token: None }
    }
}

impl From<Instant> for Until {
    fn from(moment: Instant) -> Until {
        moment.checked_duration_since(Instant::now()).map_or(Until { deadline: -1.0, token: None }, Until::from)
    }
}

impl From<&Token> for Until {
    fn from(token: &Token) -> Until {
        Until { deadline: f64::INFINITY, token: Some(token.clone()) }
    }
}

/// A [`Token`] was cancelled: what is in the [`io::Error`] then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl Cancelled {
    #[must_use]
    pub fn is(error: &io::Error) -> bool {
        cause::<Cancelled>(error).is_some()
    }
}

impl Display for Cancelled {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl Error for Cancelled {}

/// Why a lookup failed: what is in the [`io::Error`] then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupError {
    NoHost = 5002,
    /// Name servers fail for the time being.
    TryAgain = 5003,
    Failed = 5004,
    NoAddress = 5005,
    NoService = 5008,
}

impl LookupError {
    #[must_use]
    pub fn of(error: &io::Error) -> Option<LookupError> {
        cause(error).copied()
    }

    fn from_code(code: c_int) -> LookupError {
        use LookupError::{Failed, NoAddress, NoHost, NoService, TryAgain};
        *[NoHost, TryAgain, NoAddress, NoService].iter().find(|known| **known as c_int == code).unwrap_or(&Failed)
    }
}

impl Display for LookupError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // SAFETY: it is a constant string whatever the code.
        let words = unsafe { CStr::from_ptr(sock_strerror(-(*self as isize))) };
        f.write_str(&words.to_string_lossy())
    }
}

impl Error for LookupError {}

/// What was moved all the same when all of a buffer was to be, and why it ended.
///
/// It is also what is in the [`io::Error`] of [`Read::read_exact`] and [`Write::write_all`]: [`Partial::of`].
#[derive(Debug)]
pub struct Partial {
    pub transferred: usize,
    pub error: io::Error,
}

impl Partial {
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Partial> {
        error.get_ref()?.downcast_ref()
    }
}

impl Display for Partial {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "ended after {} bytes", self.transferred)
    }
}

impl Error for Partial {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl From<Partial> for io::Error {
    fn from(partial: Partial) -> io::Error {
        io::Error::new(partial.error.kind(), partial)
    }
}

/// Connects to a service of a host, lookup included, within the time of a mode, which becomes the socket's.
///
/// The service is a port or a name, `"53/udp"` and so on for UDP. A host that begins with `/` or `@` is a Unix socket, and
/// its service `None`.
pub fn dial<'a>(host: &str, service: impl Into<Option<&'a str>>, mode: Mode) -> io::Result<Socket> {
    let (host, service) = (CString::new(host)?, text(service.into())?);
    // SAFETY: the strings outlive the call.
    let fd = code(unsafe { sock_dial(host.as_ptr(), pointer(service.as_ref()), mode.seconds()) })?;
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(unsafe { Socket::from_raw_fd(fd) })
}

/// Connects as [`dial`] does. The socket is in blocking mode.
pub fn dial_until<'a>(host: &str, service: impl Into<Option<&'a str>>, until: impl Into<Until>) -> io::Result<Socket> {
    let (host, service, until) = (CString::new(host)?, text(service.into())?, until.into());
    let (deadline, token) = until.raw();
    // SAFETY: the strings and the token outlive the call.
    let fd = code(unsafe { sock_dial_until(host.as_ptr(), pointer(service.as_ref()), deadline, token) })?;
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(unsafe { Socket::from_raw_fd(fd) })
}

/// Listens in blocking mode: on all addresses without a host, at any port for the service `"0"`, and with the system's
/// backlog if that is 0. Hosts and services are as for [`dial`].
pub fn listen<'a, 'b>(
    host: impl Into<Option<&'a str>>,
    service: impl Into<Option<&'b str>>,
    backlog: c_int,
) -> io::Result<Socket> {
    let (host, service) = (text(host.into())?, text(service.into())?);
    // SAFETY: the strings outlive the call.
    let fd = code(unsafe { sock_listen(pointer(host.as_ref()), pointer(service.as_ref()), backlog) })?;
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(unsafe { Socket::from_raw_fd(fd) })
}

/// A socket that obeys its mode: whatever owns or borrows a descriptor, such as `TcpStream`, `&UnixStream`, `OwnedFd`.
///
/// Threads may share it. Dropped, it is closed if what is in it owns the descriptor.
#[derive(Debug)]
pub struct Socket<S = OwnedFd> {
    inner: S,
    until: Option<Until>,
}

impl<S: AsFd> Socket<S> {
    /// In the mode that it is in; what std has set to non-blocking, or given a timeout, is that here too.
    pub fn new(inner: S) -> Socket<S> {
        Socket { inner, until: None }
    }

    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The mode goes along: put it into blocking mode before std's own methods are to wait.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// A second descriptor of the same socket, whose mode it shares.
    pub fn try_clone(&self) -> io::Result<Socket> {
        self.as_fd().try_clone_to_owned().map(Socket::new)
    }

    /// The same socket, whose operations end at a moment or by a token, whatever its mode, which stays as it is. One that
    /// is over by then, with [`ErrorKind::TimedOut`] or [`Cancelled`], leaves the socket as good as it was.
    pub fn until(&self, until: impl Into<Until>) -> Socket<BorrowedFd<'_>> {
        Socket { inner: self.as_fd(), until: Some(until.into()) }
    }

    pub fn set_mode(&self, mode: Mode) -> io::Result<()> {
        // SAFETY: no pointer goes along.
        code(unsafe { sock_settimeout(self.as_raw_fd(), mode.seconds()) }).map(drop)
    }

    pub fn mode(&self) -> io::Result<Mode> {
        let mut seconds = 0.0;
        // SAFETY: `seconds` outlives the call.
        code(unsafe { sock_gettimeout(self.as_raw_fd(), &raw mut seconds) })?;
        Ok(match Duration::try_from_secs_f64(seconds) {
            Err(_) => Mode::Blocking,
            Ok(Duration::ZERO) => Mode::NonBlocking,
            Ok(duration) => Mode::Timeout(duration),
        })
    }

    /// Whether a signal that is handled ends waits, with [`ErrorKind::Interrupted`]. They go on otherwise.
    pub fn set_interrupt(&self, on: bool) -> io::Result<()> {
        // SAFETY: no pointer goes along.
        code(unsafe { sock_setinterrupt(self.as_raw_fd(), c_int::from(on)) }).map(drop)
    }

    /// Connects a socket of your own; [`dial`] is for names.
    pub fn connect(&self, address: impl Into<Address>) -> io::Result<()> {
        let (fd, address) = (self.as_raw_fd(), address.into());
        // SAFETY: the address is valid for its length.
        code(unsafe {
            match self.limits() {
                None => sock_connect(fd, address.pointer(), address.length),
                Some((deadline, token)) => sock_connect_until(fd, address.pointer(), address.length, deadline, token),
            }
        })
        .map(drop)
    }

    /// The new socket is in blocking mode; its [`Socket::peer_addr`] tells who it is.
    pub fn accept(&self) -> io::Result<Socket> {
        let (fd, nowhere) = (self.as_raw_fd(), ptr::null_mut());
        // SAFETY: NULL is allowed for both pointers.
        let fd = code(unsafe {
            match self.limits() {
                None => sock_accept(fd, nowhere, ptr::null_mut()),
                Some((deadline, token)) => sock_accept_until(fd, nowhere, ptr::null_mut(), deadline, token),
            }
        })?;
        // SAFETY: the descriptor is new, and nobody else's.
        Ok(unsafe { Socket::from_raw_fd(fd) })
    }

    /// Sends some of the bytes, or all of a datagram.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let (fd, start, size) = (self.as_raw_fd(), buf.as_ptr().cast(), buf.len());
        // SAFETY: the slice is valid for its length.
        count(unsafe {
            match self.limits() {
                None => sock_send(fd, start, size, 0),
                Some((deadline, token)) => sock_send_until(fd, start, size, 0, deadline, token),
            }
        })
    }

    /// Sends a datagram.
    pub fn send_to(&self, buf: &[u8], address: impl Into<Address>) -> io::Result<usize> {
        let (fd, start, size, address) = (self.as_raw_fd(), buf.as_ptr().cast(), buf.len(), address.into());
        let (to, length) = (address.pointer(), address.length);
        // SAFETY: the slice and the address are valid for their lengths.
        count(unsafe {
            match self.limits() {
                None => sock_sendto(fd, start, size, 0, to, length),
                Some((deadline, token)) => sock_sendto_until(fd, start, size, 0, to, length, deadline, token),
            }
        })
    }

    /// Sends all of the bytes within one timeout.
    pub fn send_all(&self, buf: &[u8]) -> Result<(), Partial> {
        let (fd, start, size, mut transferred) = (self.as_raw_fd(), buf.as_ptr().cast(), buf.len(), 0);
        // SAFETY: the slice is valid for its length, and `transferred` outlives the call.
        let sent = code(unsafe {
            match self.limits() {
                None => sock_sendall(fd, start, size, 0, &raw mut transferred),
                Some((deadline, token)) => {
                    sock_sendall_until(fd, start, size, 0, &raw mut transferred, deadline, token)
                }
            }
        });
        sent.map(drop).map_err(|error| Partial { transferred, error })
    }

    /// Receives what is there; 0 is the end of a stream, or an empty buffer, or an empty datagram.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv_with(buf, 0)
    }

    /// Receives what is there, and leaves it there.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv_with(buf, MSG_PEEK)
    }

    fn recv_with(&self, buf: &mut [u8], flags: c_int) -> io::Result<usize> {
        let (fd, start, size) = (self.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len());
        if size == 0 {
            return Ok(0);
        }
        // SAFETY: the slice is valid for its length.
        count(unsafe {
            match self.limits() {
                None => sock_recv(fd, start, size, flags),
                Some((deadline, token)) => sock_recv_until(fd, start, size, flags, deadline, token),
            }
        })
    }

    /// Receives a datagram. What does not fit into the buffer is lost.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, Address)> {
        let (fd, start, size, mut from) = (self.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), Address::empty());
        let (address, length) = from.room();
        // SAFETY: the slice and the address are valid for their lengths.
        let size = count(unsafe {
            match self.limits() {
                None => sock_recvfrom(fd, start, size, 0, address, length),
                Some((deadline, token)) => sock_recvfrom_until(fd, start, size, 0, address, length, deadline, token),
            }
        })?;
        Ok((size, from))
    }

    /// Fills the buffer within one timeout. A peer that closes early is [`ErrorKind::UnexpectedEof`].
    pub fn recv_all(&self, buf: &mut [u8]) -> Result<(), Partial> {
        let (fd, start, size, mut transferred) = (self.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), 0);
        // SAFETY: the slice is valid for its length, and `transferred` outlives the call.
        let received = code(unsafe {
            match self.limits() {
                None => sock_recvall(fd, start, size, 0, &raw mut transferred),
                Some((deadline, token)) => {
                    sock_recvall_until(fd, start, size, 0, &raw mut transferred, deadline, token)
                }
            }
        });
        received.map(drop).map_err(|error| Partial { transferred, error: unexpected_eof(error) })
    }

    /// Receives one line, or whatever ends in the buffer's delimiter, within one timeout; `None` at the end.
    ///
    /// What has come stays in the buffer when it fails: call it again. A line that is too long is
    /// [`ErrorKind::InvalidData`], a stream that ends in the middle of one [`ErrorKind::UnexpectedEof`].
    pub fn recv_line<'b>(&self, lines: &'b mut LineBuffer) -> io::Result<Option<&'b [u8]>> {
        if lines.start > lines.limit {
            lines.buf.copy_within(lines.start..lines.start + lines.have, 0);
            lines.start = 0;
        }
        let LineBuffer { buf, start, have, limit, delimiter } = lines;
        let rest = &mut buf[*start..*start + *limit];
        let (fd, from, size) = (self.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len());
        let (mark, marklen) = (delimiter.as_ptr().cast(), delimiter.len());
        // SAFETY: the slices are valid for their lengths, and `have` outlives the call.
        let received = count(unsafe {
            match self.limits() {
                None => sock_recvdelim(fd, from, size, have, mark, marklen),
                Some((deadline, token)) => sock_recvdelim_until(fd, from, size, have, mark, marklen, deadline, token),
            }
        });
        match received {
            Ok(0) => Ok(None),
            Ok(size) => {
                *start += size;
                *have -= size;
                Ok(Some(&rest[..size]))
            }
            Err(_) if have == limit => Err(io::Error::new(ErrorKind::InvalidData, "a line that is too long")),
            Err(error) => Err(unexpected_eof(error)),
        }
    }

    /// The lines as they come, each with its delimiter, until the end of the stream. What came behind the last one that
    /// was taken is [`LineBuffer::unread`].
    pub fn lines<'a>(&'a self, lines: &'a mut LineBuffer) -> impl Iterator<Item = io::Result<Vec<u8>>> + 'a {
        std::iter::from_fn(move || self.recv_line(lines).map(|line| line.map(<[u8]>::to_vec)).transpose())
    }

    /// Ends the waits of other threads too.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => 0,
            Shutdown::Write => 1,
            Shutdown::Both => 2,
        };
        // SAFETY: no pointer goes along.
        of_libc(unsafe { shutdown(self.as_raw_fd(), how) })
    }

    pub fn local_addr(&self) -> io::Result<Address> {
        let mut address = Address::empty();
        let (room, length) = address.room();
        // SAFETY: the address is valid for its length.
        of_libc(unsafe { getsockname(self.as_raw_fd(), room, length) })?;
        Ok(address)
    }

    pub fn peer_addr(&self) -> io::Result<Address> {
        let mut address = Address::empty();
        let (room, length) = address.room();
        // SAFETY: the address is valid for its length.
        of_libc(unsafe { getpeername(self.as_raw_fd(), room, length) })?;
        Ok(address)
    }

    fn limits(&self) -> Option<(f64, c_int)> {
        self.until.as_ref().map(Until::raw)
    }
}

impl<S: AsFd> From<S> for Socket<S> {
    fn from(inner: S) -> Socket<S> {
        Socket::new(inner)
    }
}

impl<S: Into<OwnedFd>> From<Socket<S>> for OwnedFd {
    fn from(socket: Socket<S>) -> OwnedFd {
        socket.inner.into()
    }
}

impl<S: AsFd> AsFd for Socket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<S: AsFd> AsRawFd for Socket<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<S: IntoRawFd> IntoRawFd for Socket<S> {
    fn into_raw_fd(self) -> RawFd {
        self.inner.into_raw_fd()
    }
}

impl<S: AsFd + FromRawFd> FromRawFd for Socket<S> {
    unsafe fn from_raw_fd(fd: RawFd) -> Socket<S> {
        // SAFETY: the caller's promise, that the descriptor is open and nobody else's, is handed on.
        Socket::new(unsafe { S::from_raw_fd(fd) })
    }
}

impl<S: AsFd> Read for &Socket<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv(buf)
    }

    // Within one timeout, unless signals interrupt it, which must not end it here.
    fn read_exact(&mut self, mut buf: &mut [u8]) -> io::Result<()> {
        loop {
            match self.recv_all(buf) {
                Err(partial) if partial.error.kind() == ErrorKind::Interrupted => buf = &mut buf[partial.transferred..],
                other => return Ok(other?),
            }
        }
    }
}

impl<S: AsFd> Write for &Socket<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        loop {
            match self.send_all(buf) {
                Err(partial) if partial.error.kind() == ErrorKind::Interrupted => buf = &buf[partial.transferred..],
                other => return Ok(other?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: AsFd> Read for Socket<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        (&*self).read_exact(buf)
    }
}

impl<S: AsFd> Write for Socket<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        (&*self).write_all(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What came of a stream and is not yet taken, for [`Socket::recv_line`].
#[derive(Clone, Debug)]
pub struct LineBuffer {
    buf: Vec<u8>, // Twice the limit, so that what is unread is moved down once in a while.
    start: usize,
    have: usize,
    limit: usize,
    delimiter: Vec<u8>,
}

impl LineBuffer {
    /// The limit is the longest line, with its delimiter.
    #[must_use]
    pub fn new(delimiter: &[u8], limit: usize) -> LineBuffer {
        LineBuffer { buf: vec![0; limit.saturating_mul(2)], start: 0, have: 0, limit, delimiter: delimiter.to_vec() }
    }

    /// What came behind the last line: the beginning of a body, say, after the lines of a head.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.buf[self.start..self.start + self.have]
    }
}

/// Lines of up to 64 KiB.
impl Default for LineBuffer {
    fn default() -> LineBuffer {
        LineBuffer::new(b"\n", 1 << 16)
    }
}

/// The address of a socket, of whatever family: a `sockaddr_storage`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Address {
    bytes: [u8; 128],
    length: u32,
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

impl Address {
    #[must_use]
    pub fn as_inet(&self) -> Option<SocketAddr> {
        let (family, rest) = self.split()?;
        let port = u16::from_be_bytes(array(rest, 0)?);
        match family {
            AF_INET => Some(SocketAddrV4::new(array::<4>(rest, 2)?.into(), port).into()),
            AF_INET6 => {
                let (flow, scope) = (u32::from_be_bytes(array(rest, 2)?), u32::from_ne_bytes(array(rest, 22)?));
                Some(SocketAddrV6::new(array::<16>(rest, 6)?.into(), port, flow, scope).into())
            }
            _ => None,
        }
    }

    #[must_use]
    pub fn as_unix(&self) -> Option<UnixAddr> {
        match self.split()? {
            (AF_UNIX, [0, name @ ..]) => UnixAddr::from_abstract_name(name).ok(),
            (AF_UNIX, path) => {
                let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                UnixAddr::from_pathname(OsStr::from_bytes(&path[..end])).ok()
            }
            _ => None,
        }
    }

    fn of(family: u16, parts: &[&[u8]]) -> Address {
        let mut address = Address::empty();
        let mut end = 0;
        for part in [&family.to_ne_bytes()[..]].iter().chain(parts) {
            address.bytes[end..end + part.len()].copy_from_slice(part);
            end += part.len();
        }
        #[allow(clippy::cast_possible_truncation, reason = "the longest is that of a Unix socket, 110 bytes")]
        let length = end as u32;
        Address { length, ..address }
    }

    fn empty() -> Address {
        Address { bytes: [0; 128], length: 0 }
    }

    fn as_bytes(&self) -> &[u8] {
        // The kernel gives the whole length of an address that it had to cut.
        &self.bytes[..self.bytes.len().min(self.length as usize)]
    }

    fn split(&self) -> Option<(u16, &[u8])> {
        let (family, rest) = self.as_bytes().split_at_checked(2)?;
        Some((u16::from_ne_bytes(array(family, 0)?), rest))
    }

    fn pointer(&self) -> *const c_void {
        self.bytes.as_ptr().cast()
    }

    fn room(&mut self) -> (*mut c_void, *mut u32) {
        self.length = 128;
        (self.bytes.as_mut_ptr().cast(), &raw mut self.length)
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        let port = address.port().to_be_bytes();
        match address {
            SocketAddr::V4(v4) => Address::of(AF_INET, &[&port, &v4.ip().octets(), &[0; 8]]),
            SocketAddr::V6(v6) => {
                let (flow, scope) = (v6.flowinfo().to_be_bytes(), v6.scope_id().to_ne_bytes());
                Address::of(AF_INET6, &[&port, &flow, &v6.ip().octets(), &scope])
            }
        }
    }
}

impl From<&UnixAddr> for Address {
    fn from(address: &UnixAddr) -> Address {
        match (address.as_pathname(), address.as_abstract_name()) {
            (Some(path), _) => Address::of(AF_UNIX, &[path.as_os_str().as_bytes(), &[0]]),
            (_, Some(name)) => Address::of(AF_UNIX, &[&[0], name]),
            _ => Address::of(AF_UNIX, &[]),
        }
    }
}

impl Debug for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.as_inet(), self.as_unix()) {
            (Some(inet), _) => Debug::fmt(&inet, f),
            (_, Some(unix)) => Debug::fmt(&unix, f),
            _ => f.debug_tuple("Address").field(&self.as_bytes()).finish(),
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

fn text(text: Option<&str>) -> io::Result<Option<CString>> {
    Ok(text.map(CString::new).transpose()?) // What has a NUL in it is ErrorKind::InvalidInput.
}

fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(ptr::null(), |text| text.as_ptr())
}

fn cause<E: Error + 'static>(error: &io::Error) -> Option<&E> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| cause(&inner.downcast_ref::<Partial>()?.error))
}

fn unexpected_eof(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::BrokenPipe { ErrorKind::UnexpectedEof.into() } else { error }
}

fn of_libc(code: c_int) -> io::Result<()> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn count(count: isize) -> io::Result<usize> {
    #[allow(clippy::cast_possible_truncation, reason = "what is negative is an error's number")]
    if count < 0 { Err(failure(-count as c_int)) } else { Ok(count.unsigned_abs()) }
}

fn code(code: c_int) -> io::Result<c_int> {
    if code < 0 { Err(failure(-code)) } else { Ok(code) }
}

fn failure(number: c_int) -> io::Error {
    /// The highest number that an error of Linux can have.
    const LAST_ERRNO: c_int = 4095;
    match number {
        ECANCELED => io::Error::other(Cancelled),
        number if number > LAST_ERRNO => io::Error::other(LookupError::from_code(number)),
        number => io::Error::from_raw_os_error(number),
    }
}

const ECANCELED: c_int = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    158
} else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
    127
} else {
    125
};
const MSG_PEEK: c_int = 2;

#[rustfmt::skip]
#[link(name = "sock")]
unsafe extern "C" {
    fn sock_settimeout(fd: c_int, seconds: f64) -> c_int;
    fn sock_gettimeout(fd: c_int, seconds: *mut f64) -> c_int;
    fn sock_setinterrupt(fd: c_int, on: c_int) -> c_int;
    safe fn sock_deadline(seconds: f64) -> f64;
    fn sock_token() -> c_int;
    fn sock_cancel(token: c_int) -> c_int;
    fn sock_wait_until(fd: c_int, events: c_int, deadline: f64, token: c_int) -> c_int;
    fn sock_send(fd: c_int, buf: *const c_void, len: usize, flags: c_int) -> isize;
    fn sock_send_until(fd: c_int, buf: *const c_void, len: usize, flags: c_int, deadline: f64, token: c_int) -> isize;
    fn sock_sendto(fd: c_int, buf: *const c_void, len: usize, flags: c_int, addr: *const c_void, addrlen: u32) -> isize;
    fn sock_sendto_until(fd: c_int, buf: *const c_void, len: usize, flags: c_int, addr: *const c_void, addrlen: u32, deadline: f64, token: c_int) -> isize;
    fn sock_sendall(fd: c_int, buf: *const c_void, len: usize, flags: c_int, sent: *mut usize) -> c_int;
    fn sock_sendall_until(fd: c_int, buf: *const c_void, len: usize, flags: c_int, sent: *mut usize, deadline: f64, token: c_int) -> c_int;
    fn sock_recv(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize;
    fn sock_recv_until(fd: c_int, buf: *mut c_void, len: usize, flags: c_int, deadline: f64, token: c_int) -> isize;
    fn sock_recvfrom(fd: c_int, buf: *mut c_void, len: usize, flags: c_int, addr: *mut c_void, addrlen: *mut u32) -> isize;
    fn sock_recvfrom_until(fd: c_int, buf: *mut c_void, len: usize, flags: c_int, addr: *mut c_void, addrlen: *mut u32, deadline: f64, token: c_int) -> isize;
    fn sock_recvall(fd: c_int, buf: *mut c_void, len: usize, flags: c_int, received: *mut usize) -> c_int;
    fn sock_recvall_until(fd: c_int, buf: *mut c_void, len: usize, flags: c_int, received: *mut usize, deadline: f64, token: c_int) -> c_int;
    fn sock_recvdelim(fd: c_int, buf: *mut c_void, size: usize, have: *mut usize, delim: *const c_void, delimlen: usize) -> isize;
    fn sock_recvdelim_until(fd: c_int, buf: *mut c_void, size: usize, have: *mut usize, delim: *const c_void, delimlen: usize, deadline: f64, token: c_int) -> isize;
    fn sock_connect(fd: c_int, addr: *const c_void, addrlen: u32) -> c_int;
    fn sock_connect_until(fd: c_int, addr: *const c_void, addrlen: u32, deadline: f64, token: c_int) -> c_int;
    fn sock_accept(fd: c_int, addr: *mut c_void, addrlen: *mut u32) -> c_int;
    fn sock_accept_until(fd: c_int, addr: *mut c_void, addrlen: *mut u32, deadline: f64, token: c_int) -> c_int;
    fn sock_dial(host: *const c_char, service: *const c_char, seconds: f64) -> c_int;
    fn sock_dial_until(host: *const c_char, service: *const c_char, deadline: f64, token: c_int) -> c_int;
    fn sock_listen(host: *const c_char, service: *const c_char, backlog: c_int) -> c_int;
    safe fn sock_strerror(code: isize) -> *const c_char;
    fn shutdown(fd: c_int, how: c_int) -> c_int;
    fn getsockname(fd: c_int, addr: *mut c_void, addrlen: *mut u32) -> c_int;
    fn getpeername(fd: c_int, addr: *mut c_void, addrlen: *mut u32) -> c_int;
}
