//! What the kernel tells of a socket, by way of socket2.

use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{Domain, SockRef, Type};

use crate::errno::Result;

/// `O_NONBLOCK`.
pub fn is_nonblocking(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).nonblocking()?)
}

/// Whether the socket carries a stream of bytes, and not messages.
pub fn is_stream(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).r#type()? == Type::STREAM)
}

/// Whether the socket is of the Unix domain.
pub fn is_unix(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).domain()? == Domain::UNIX)
}

/// The socket's identity, which no other socket ever gets; none on kernels before 4.12.
pub fn cookie(socket: BorrowedFd) -> Option<u64> {
    configure(&socket).cookie().ok()
}

/// socket2's view of a socket.
fn configure<'fd>(socket: &'fd BorrowedFd) -> SockRef<'fd> {
    // SAFETY: the boundary lets no negative descriptor in. socket2 asserts the same, and this makes
    // the compiler drop its panic.
    unsafe { std::hint::assert_unchecked(socket.as_raw_fd() >= 0) };
    SockRef::from(socket)
}
