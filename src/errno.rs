//! Error numbers, and the two meanings that steer the slow path.

use libc::c_int;

use crate::api;

/// A positive `errno` value, or a `LIBSOCK_EAI_` code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub c_int);

/// What everything behind the boundary returns.
pub type Result<T> = core::result::Result<T, Errno>;

impl Errno {
    pub const ADDRNOTAVAIL: Errno = Errno(libc::EADDRNOTAVAIL);
    pub const AFNOSUPPORT: Errno = Errno(libc::EAFNOSUPPORT);
    pub const AGAIN: Errno = Errno(libc::EAGAIN);
    pub const BADF: Errno = Errno(libc::EBADF);
    pub const CONNREFUSED: Errno = Errno(libc::ECONNREFUSED);
    pub const FAULT: Errno = Errno(libc::EFAULT);
    pub const INPROGRESS: Errno = Errno(libc::EINPROGRESS);
    pub const INTR: Errno = Errno(libc::EINTR);
    pub const INVAL: Errno = Errno(libc::EINVAL);
    pub const NOMEM: Errno = Errno(libc::ENOMEM);
    pub const OVERFLOW: Errno = Errno(libc::EOVERFLOW);
    pub const PIPE: Errno = Errno(libc::EPIPE);
    pub const TIMEDOUT: Errno = Errno(libc::ETIMEDOUT);
    /// Why a lookup failed.
    pub const NONAME: Errno = Errno(api::LIBSOCK_EAI_NONAME);
    pub const TRY_LATER: Errno = Errno(api::LIBSOCK_EAI_AGAIN);
    pub const FAIL: Errno = Errno(api::LIBSOCK_EAI_FAIL);
    pub const NODATA: Errno = Errno(api::LIBSOCK_EAI_NODATA);
    pub const SERVICE: Errno = Errno(api::LIBSOCK_EAI_SERVICE);
    /// Never seen by a caller: an attempt used up something that was not its result, such as a
    /// connection that died in the listener's queue, and asks for another turn.
    pub const RESTART: Errno = Errno(libc::ERESTART);

    /// The calling thread's `errno`.
    pub fn last() -> Errno {
        // SAFETY: the pointer is to the calling thread's own errno, always valid.
        Errno(unsafe { *libc::__errno_location() })
    }

    /// The operation is not ready, or under way: the mode decides what that means.
    pub fn is_not_ready(self) -> bool {
        matches!(self.0, libc::EAGAIN | libc::EINPROGRESS | libc::EALREADY)
    }

    /// The operation did not fail: waiting or trying again can still complete it.
    pub fn is_unfinished(self) -> bool {
        self.is_not_ready() || self == Errno::INTR || self == Errno::RESTART
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Errno {
        Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}
