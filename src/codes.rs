//! The codes that are no errno values: why a lookup failed.

use libc::c_int;

/// There is no such host. These codes are not error numbers, which end at 4095: they tell why a lookup failed.
pub const LIBSOCK_EAI_NONAME: c_int = 5002;
/// The host cannot be looked up now, but later perhaps: no name server answered, or not in time.
pub const LIBSOCK_EAI_AGAIN: c_int = 5003;
/// The host cannot be looked up, for another reason. It is rare with glibc: a name server that refuses is
/// `LIBSOCK_EAI_AGAIN` there, and an answer that makes no sense is `LIBSOCK_EAI_NONAME`.
pub const LIBSOCK_EAI_FAIL: c_int = 5004;
/// The host exists, but has no address.
pub const LIBSOCK_EAI_NODATA: c_int = 5005;
/// There is no such service.
pub const LIBSOCK_EAI_SERVICE: c_int = 5008;
