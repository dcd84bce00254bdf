//! For which kinds of socket the kernel may wait inside a call, found by trial.
//!
//! The kernel waits only where it is proven to count that time once, and to be woken by everything that
//! should wake it. All other sockets with a timeout are polled.
//!
//! | kind | receive, accept | connect | send |
//! | --- | --- | --- | --- |
//! | TCP | the share | the share | the share, counted once for a call. The kernel does not count the time that it copies |
//! | Unix | the share | half of it | half of it: a stream may wait for two buffers, a datagram twice, and each is counted anew |
//! | UDP | nothing: after each datagram with a wrong checksum the kernel begins its wait anew | | |
//! | MPTCP | nothing: a listener never sees the timeout | | |
//! | TLS in the kernel, vsock | nothing: after each piece the kernel begins its wait anew | | |
//! | all others | nothing | | |

use std::os::fd::BorrowedFd;

use libc::{AF_INET, AF_INET6, AF_UNIX};

use super::word::Form;
use crate::errno::Result;
use crate::{linux, options};

/// The longest send for which the kernel may wait on any kind of socket, so that the kind need not be looked up: two
/// buffers of a Unix stream. Each of the two may wait for half of the share.
pub const MAX_UNCHECKED_SEND: usize = 2 * UNIX_PIECE;

/// A send of so few bytes on a Unix stream is always one buffer. The kernel cuts a longer one into buffers of half of
/// `SO_SNDBUF` less 64 bytes: of 2,240 bytes where `SO_SNDBUF` has its smallest value, 4,608. 2048 is the power of two below.
pub const UNIX_PIECE: usize = 2048;

/// The most that a record of TLS holds.
pub const TLS_RECORD: usize = 1 << 14;

/// The form of a timeout on this socket that is long enough for a share.
pub fn form(socket: BorrowedFd) -> Result<Form> {
    Ok(match options::domain(socket)? {
        AF_UNIX => Form::Unix,
        AF_INET | AF_INET6 if options::is_tcp(socket)? && !linux::has_upper_protocol(socket) => Form::Tcp,
        _ => Form::Polled,
    })
}
