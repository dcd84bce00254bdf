//! libsock: the three socket modes that Python made familiar, for every language that can call C.
//!
//! A plain `int fd` goes in, a result or a negative errno comes out, and nothing else crosses the
//! boundary. The map, from the outside in:
//!
//! ```text
//!   C caller
//!      |
//!   api/            the exported functions, grouped as the manual groups them
//!      |              mode  transfer  connection  names  wait  about
//!   boundary        one intake (int, pointer, length) and one exit (Result to code and errno)
//!      |
//!   operation       the one slow path: whose turn is it, how long is left, wait, try again
//!      |      \
//!   mode/      sys        mode: what a socket's timeout is and where it is kept
//!   time       options    sys, options: the system calls
//! ```
//!
//! Beside it stands `name/`: what makes sockets by name, and turns text into addresses and back.
//!
//! An operation is one system call when it succeeds. Only when that call says "not now" does the
//! library ask which mode the socket is in, and only then does it need more of this crate than
//! `api`, `boundary`, and the first lines of `operation`.

mod api;
mod boundary;
mod connection;
mod delimiter;
mod errno;
mod linux;
mod mode;
mod name;
mod operation;
mod options;
mod sys;
mod time;
mod token;
mod transfer;
mod wait;

pub use api::*;
