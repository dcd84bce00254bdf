//! A socket in one of libsock's modes: blocking, non-blocking, or with a timeout for every operation.
//!
//! It needs libsock (`make install`) and Rust 1.74 or later. Copy this file into your crate and say `mod sock;`. The
//! program beside it: `rustc scenario.rs --edition 2021 && ./scenario HOST PORT`
//!
//! [`Socket`] takes whatever owns a descriptor: `TcpStream`, `UnixStream`, `OwnedFd`, socket2's `Socket`; [`dial`] and
//! [`listen`] make one. A call that waits blocks its thread, so from an async task go through `spawn_blocking`. Signals
//! neither end nor prolong the wait, and SIGPIPE is never raised.
//!
//! It is for streams, not for datagrams.

use std::error::Error;
use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::ptr;
use std::time::Duration;

/// How long an operation may take.
#[derive(Clone, Copy, Debug, PartialEq)]
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

/// Connects by TCP, lookup included, within the time of a mode, which becomes the socket's.
pub fn dial(host: &str, service: &str, mode: Mode) -> io::Result<Socket<TcpStream>> {
    let (host, service) = (CString::new(host)?, CString::new(service)?);
    // SAFETY: the strings outlive the call.
    let fd = result(unsafe { sock_dial(host.as_ptr(), service.as_ptr(), mode.seconds()) } as isize)?;
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(Socket(unsafe { TcpStream::from_raw_fd(fd as c_int) }))
}

/// Listens in blocking mode: on all addresses without a host, at any port for the service "0", and with the system's
/// backlog if that is 0.
pub fn listen(host: Option<&str>, service: &str, backlog: c_int) -> io::Result<Socket<TcpListener>> {
    let (host, service) = (host.map(CString::new).transpose()?, CString::new(service)?);
    let host = host.as_ref().map_or(ptr::null(), |host| host.as_ptr());
    // SAFETY: the strings outlive the call.
    let fd = result(unsafe { sock_listen(host, service.as_ptr(), backlog) } as isize)?;
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(Socket(unsafe { TcpListener::from_raw_fd(fd as c_int) }))
}

/// Why a lookup failed: what is in the [`io::Error`] then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupError(c_int);

#[allow(dead_code)]
impl LookupError {
    pub const NO_HOST: LookupError = LookupError(5002);
    pub const TRY_AGAIN: LookupError = LookupError(5003);
    pub const FAILED: LookupError = LookupError(5004);
    pub const NO_ADDRESS: LookupError = LookupError(5005);
    pub const NO_SERVICE: LookupError = LookupError(5008);

    pub fn of(error: &io::Error) -> Option<LookupError> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl Display for LookupError {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        // SAFETY: it is a constant string whatever the code.
        let words = unsafe { CStr::from_ptr(sock_strerror(-(self.0 as isize))) };
        f.write_str(&words.to_string_lossy())
    }
}

impl Error for LookupError {}

/// An error after a part of a buffer.
#[derive(Debug)]
pub struct Partial {
    /// How many bytes were sent or received all the same.
    pub transferred: usize,
    pub error: io::Error,
}

impl Display for Partial {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{} after {} bytes", self.error, self.transferred)
    }
}

impl Error for Partial {}

impl From<Partial> for io::Error {
    fn from(partial: Partial) -> io::Error {
        partial.error
    }
}

/// A socket, owned or borrowed, that obeys its mode.
pub struct Socket<S: AsFd>(pub S);

impl<S: AsFd> Socket<S> {
    pub fn set_mode(&self, mode: Mode) -> io::Result<()> {
        // SAFETY: no pointer goes along.
        result(unsafe { sock_settimeout(self.fd(), mode.seconds()) } as isize)?;
        Ok(())
    }

    pub fn mode(&self) -> io::Result<Mode> {
        let mut seconds = 0.0;
        // SAFETY: `seconds` outlives the call.
        result(unsafe { sock_gettimeout(self.fd(), &mut seconds) } as isize)?;
        Ok(match seconds {
            f64::INFINITY => Mode::Blocking,
            0.0 => Mode::NonBlocking,
            seconds => Mode::Timeout(Duration::from_secs_f64(seconds)),
        })
    }

    /// Sends some of the bytes.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        // SAFETY: the slice is valid for its length.
        result(unsafe { sock_send(self.fd(), buf.as_ptr().cast(), buf.len(), 0) })
    }

    /// Receives what is there; 0 is the end of a stream.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the slice is valid for its length.
        result(unsafe { sock_recv(self.fd(), buf.as_mut_ptr().cast(), buf.len(), 0) })
    }

    /// Sends all of the bytes within one timeout.
    pub fn send_all(&self, buf: &[u8]) -> Result<(), Partial> {
        let mut transferred = 0;
        // SAFETY: the slice is valid for its length, and `transferred` outlives the call.
        let code = unsafe { sock_sendall(self.fd(), buf.as_ptr().cast(), buf.len(), 0, &mut transferred) };
        result(code as isize).map(drop).map_err(|error| Partial { transferred, error })
    }

    /// Fills the buffer within one timeout. A peer that closes early is [`ErrorKind::UnexpectedEof`].
    pub fn recv_all(&self, buf: &mut [u8]) -> Result<(), Partial> {
        let mut transferred = 0;
        // SAFETY: the slice is valid for its length, and `transferred` outlives the call.
        let code = unsafe { sock_recvall(self.fd(), buf.as_mut_ptr().cast(), buf.len(), 0, &mut transferred) };
        result(code as isize).map(drop).map_err(|error| Partial {
            transferred,
            error: match error.kind() {
                ErrorKind::BrokenPipe => ErrorKind::UnexpectedEof.into(),
                _ => error,
            },
        })
    }

    fn fd(&self) -> c_int {
        self.0.as_fd().as_raw_fd()
    }
}

impl Socket<TcpListener> {
    /// The new socket is in blocking mode.
    pub fn accept(&self) -> io::Result<Socket<TcpStream>> {
        // SAFETY: NULL is allowed for both.
        let fd = result(unsafe { sock_accept(self.fd(), ptr::null_mut(), ptr::null_mut()) } as isize)?;
        // SAFETY: the descriptor is new, and nobody else's.
        Ok(Socket(unsafe { TcpStream::from_raw_fd(fd as c_int) }))
    }
}

impl<S: AsFd> Read for Socket<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv(buf)
    }

    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        Ok(self.recv_all(buf)?)
    }
}

impl<S: AsFd> Write for Socket<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        Ok(self.send_all(buf)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn result(code: isize) -> io::Result<usize> {
    /// The highest number that an error of Linux can have.
    const LAST_ERRNO: c_int = 4095;
    usize::try_from(code).map_err(|_| match -code as c_int {
        number if number > LAST_ERRNO => io::Error::other(LookupError(number)),
        number => io::Error::from_raw_os_error(number),
    })
}

#[link(name = "sock")]
extern "C" {
    fn sock_settimeout(fd: c_int, seconds: f64) -> c_int;
    fn sock_gettimeout(fd: c_int, seconds: *mut f64) -> c_int;
    fn sock_send(fd: c_int, buf: *const c_void, len: usize, flags: c_int) -> isize;
    fn sock_recv(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize;
    fn sock_sendall(fd: c_int, buf: *const c_void, len: usize, flags: c_int, sent: *mut usize) -> c_int;
    fn sock_recvall(fd: c_int, buf: *mut c_void, len: usize, flags: c_int, received: *mut usize) -> c_int;
    fn sock_accept(fd: c_int, addr: *mut c_void, addrlen: *mut u32) -> c_int;
    fn sock_dial(host: *const c_char, service: *const c_char, seconds: f64) -> c_int;
    fn sock_listen(host: *const c_char, service: *const c_char, backlog: c_int) -> c_int;
    fn sock_strerror(code: isize) -> *const c_char;
}
