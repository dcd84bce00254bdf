//! Questions to a socket, and options that are set when it is made, through socket2.

use std::os::fd::{AsRawFd, BorrowedFd};

use libc::c_int;
use socket2::{Protocol, SockRef, Type};

use crate::errno::{Errno, Result};

/// `O_NONBLOCK`.
pub fn is_nonblocking(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).nonblocking()?)
}

/// The domain, such as `AF_INET`.
pub fn domain(socket: BorrowedFd) -> Result<c_int> {
    Ok(configure(&socket).domain()?.into())
}

/// Whether the socket carries a stream of bytes, and not messages.
pub fn is_stream(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).r#type()? == Type::STREAM)
}

/// Whether the protocol is TCP, if the socket is one of IPv4 or IPv6.
pub fn is_tcp(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).protocol()? == Some(Protocol::TCP) && is_stream(socket)?)
}

/// Whether the socket is one of IPv4 or IPv6 that has no local port.
pub fn lacks_port(socket: BorrowedFd) -> bool {
    let local = configure(&socket).local_addr().ok();
    local.and_then(|local| local.as_socket()).is_some_and(|local| local.port() == 0)
}

/// The pending error of the socket. To read it clears it.
pub fn take_error(socket: BorrowedFd) -> Result<Option<Errno>> {
    Ok(configure(&socket).take_error()?.map(Errno::from))
}

/// Whether the socket listens for connections.
pub fn is_listener(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).is_listener()?)
}

/// Whether the socket is connected.
pub fn is_connected(socket: BorrowedFd) -> Result<bool> {
    match configure(&socket).peer_addr() {
        Err(error) if error.raw_os_error() != Some(libc::ENOTCONN) => Err(error.into()),
        peer => Ok(peer.is_ok()),
    }
}

/// Whether both ends of a connection are the same socket.
pub fn is_connected_to_itself(socket: BorrowedFd) -> Result<bool> {
    let socket = configure(&socket);
    Ok(socket.local_addr()? == socket.peer_addr()?)
}

/// Lets the socket be bound to an address on which connections of an earlier listener are still closing.
pub fn reuse_address(socket: BorrowedFd) -> Result<()> {
    Ok(configure(&socket).set_reuse_address(true)?)
}

/// Makes a socket of IPv6 one for IPv6 alone, or dual-stack.
pub fn set_only_v6(socket: BorrowedFd, on: bool) -> Result<()> {
    Ok(configure(&socket).set_only_v6(on)?)
}

/// socket2's view of a socket. It must stay a function of its own in the machine code: inlined into cold code, on some
/// architectures, it would keep its panic.
#[inline(never)]
fn configure<'fd>(socket: &'fd BorrowedFd) -> SockRef<'fd> {
    // SAFETY: the boundary lets no negative descriptor in. socket2 asserts the same, and this makes
    // the compiler drop its panic.
    unsafe { std::hint::assert_unchecked(socket.as_raw_fd() >= 0) };
    SockRef::from(socket)
}
