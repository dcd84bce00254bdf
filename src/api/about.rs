//! About the library.

use libc::{c_char, ssize_t};

use crate::message;

/// Describes a result in words.
///
/// @param code  what a function of this library returned
///
/// @return a constant string in English, never NULL: "Success" for 0 or more, the error's text for a negative
/// result, "Unknown error" for a negative number that no error has
///
/// Safe to call from any thread, from a signal handler and after fork, unlike strerror(3).
#[unsafe(no_mangle)]
pub extern "C" fn sock_strerror(code: ssize_t) -> *const c_char {
    message::of(code).as_ptr()
}

/// Tells the version of the library.
///
/// @return the version as a constant string, such as "0.1.0"; `LIBSOCK_VERSION` is that of the header
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
