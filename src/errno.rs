//! Errno values.

use libc::c_int;

use crate::codes;

/// A positive `errno` value, or a `LIBSOCK_EAI_` code. It is as wide as a count, so that a `Result` of a count or an error
/// is passed in registers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(isize);

/// What everything behind the boundary returns.
pub type Result<T> = core::result::Result<T, Errno>;

impl Errno {
    pub const ACCES: Errno = Errno::new(libc::EACCES);
    pub const ADDRNOTAVAIL: Errno = Errno::new(libc::EADDRNOTAVAIL);
    pub const AFNOSUPPORT: Errno = Errno::new(libc::EAFNOSUPPORT);
    pub const AGAIN: Errno = Errno::new(libc::EAGAIN);
    pub const BADF: Errno = Errno::new(libc::EBADF);
    pub const CANCELED: Errno = Errno::new(libc::ECANCELED);
    pub const CONNABORTED: Errno = Errno::new(libc::ECONNABORTED);
    pub const CONNREFUSED: Errno = Errno::new(libc::ECONNREFUSED);
    pub const CONNRESET: Errno = Errno::new(libc::ECONNRESET);
    pub const FAULT: Errno = Errno::new(libc::EFAULT);
    pub const INPROGRESS: Errno = Errno::new(libc::EINPROGRESS);
    pub const INTR: Errno = Errno::new(libc::EINTR);
    pub const INVAL: Errno = Errno::new(libc::EINVAL);
    pub const ISCONN: Errno = Errno::new(libc::EISCONN);
    pub const MSGSIZE: Errno = Errno::new(libc::EMSGSIZE);
    pub const NAMETOOLONG: Errno = Errno::new(libc::ENAMETOOLONG);
    pub const NOMEM: Errno = Errno::new(libc::ENOMEM);
    pub const NOSPC: Errno = Errno::new(libc::ENOSPC);
    pub const NOTCONN: Errno = Errno::new(libc::ENOTCONN);
    pub const OVERFLOW: Errno = Errno::new(libc::EOVERFLOW);
    pub const PERM: Errno = Errno::new(libc::EPERM);
    pub const PIPE: Errno = Errno::new(libc::EPIPE);
    pub const TIMEDOUT: Errno = Errno::new(libc::ETIMEDOUT);
    /// Why a lookup failed.
    pub const NONAME: Errno = Errno::new(codes::LIBSOCK_EAI_NONAME);
    pub const TRY_LATER: Errno = Errno::new(codes::LIBSOCK_EAI_AGAIN);
    pub const FAIL: Errno = Errno::new(codes::LIBSOCK_EAI_FAIL);
    pub const NODATA: Errno = Errno::new(codes::LIBSOCK_EAI_NODATA);
    pub const SERVICE: Errno = Errno::new(codes::LIBSOCK_EAI_SERVICE);
    pub const fn new(code: c_int) -> Errno {
        Errno(code as isize)
    }

    /// The calling thread's `errno`.
    pub fn last() -> Errno {
        // SAFETY: the pointer is to the calling thread's own errno, always valid.
        Errno::new(unsafe { *location() })
    }

    /// Sets the calling thread's `errno` to 0, before a function that may leave its reason there.
    pub fn clear() {
        // SAFETY: as above.
        unsafe { *location() = 0 };
    }

    pub fn code(self) -> c_int {
        self.0 as c_int
    }

    /// There were too few descriptors, or too little memory.
    pub fn lacks_resources(self) -> bool {
        matches!(self.code(), libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    }
}

/// Where the calling thread keeps `errno`: always valid to it. Other systems have another name for that.
#[inline(always)]
pub fn location() -> *mut c_int {
    // SAFETY: it has no conditions.
    unsafe { libc::__errno_location() }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Errno {
        Errno::new(error.raw_os_error().unwrap_or(libc::EIO))
    }
}
