//! For which kinds of socket the kernel may wait inside a call, found by trial.
//!
//! The kernel waits only where it is proven to count that time once, and to be woken by everything that
//! should wake it. All other sockets with a timeout are polled.
//!
//! | kind | receive, accept | connect | send |
//! | --- | --- | --- | --- |
//! | TCP | the share | the share | the share, counted once for a call, but without the time that copying takes |
//! | Unix | the share | half of it | half of it: two buffers of a stream, or the two waits of a datagram, are counted one by one |
//! | UDP | nothing: each datagram with a wrong checksum begins the wait anew | | |
//! | MPTCP | nothing: a listener never sees the timeout | | |
//! | TLS in the kernel, vsock | nothing: each piece begins the wait anew | | |
//! | all others | nothing | | |

use std::os::fd::BorrowedFd;

use libc::{AF_INET, AF_INET6, AF_UNIX};

use super::word::Form;
use crate::errno::Result;
use crate::{linux, options};

/// The most that a send may leave to the kernel's wait without looking up what kind the socket is: two
/// buffers of a Unix stream, however small its send buffer is (half the smallest is 2,240 bytes).
pub const MAX_UNCHECKED_SEND: usize = 2 * UNIX_PIECE;

/// What is one buffer of a Unix stream, however small its send buffer is.
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
