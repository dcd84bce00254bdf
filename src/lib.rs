//! libsock: the socket modes that Python made familiar, deadlines, tokens and lines, for every language that can call C.
//!
//! A plain `int fd` goes in, a result or a negative errno comes out, and nothing else crosses the boundary. The map, from
//! the outside in:
//!
//! ```text
//!   C caller
//!      |
//!   api/           the exported functions: comment, arguments, one line
//!   boundary       one intake (int, pointer, length) and one exit (Result to code and errno)
//!      |
//!   transfer  delimiter  connection  name/  token   what an operation attempts: bytes, lines, connections, names
//!      |
//!   operation      attempt, wait, try again: the one way from an attempt that is not ready to a result
//!      |      \
//!   mode/    wait       mode: what a socket's timeout is, where it is kept, and whether the kernel may wait for it
//!      |       |        wait: the one wait outside the kernel's calls, for a socket or a token, until a moment
//!   time
//!      |
//!   sys  linux  options  errno  codes  message     the system
//! ```
//!
//! An operation that succeeds is one system call. Only when that call says "not ready" does the library ask for the mode
//! of the socket. Until then it runs nothing but its page of `api` and the first lines of `transfer` and `operation`.

mod api;
mod boundary;
mod codes;
mod connection;
mod delimiter;
mod errno;
mod linux;
mod message;
mod mode;
mod name;
mod operation;
mod options;
mod sys;
mod time;
mod token;
mod transfer;
mod wait;

// The models of the atomics' protocols (`tests/models`) have others in their place.
use std::sync::atomic;

pub use api::*;
pub use codes::*;
