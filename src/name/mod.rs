//! Sockets by name: text becomes addresses, and addresses become a connection or a listener.
//!
//! ```text
//!   dial   listen      a socket that is connected to one of the addresses, or listens on one
//!      \   /  \
//!      lookup          addresses of a host and a service, in a thread if there is a deadline or a token
//!      /    \
//!   thread   target    thread: on a stack of its own. target: a host and a service, checked and taken apart
//!                \
//!              address   text to sockaddr and back, of IPv4, IPv6 and Unix paths, without a name server
//! ```

pub mod address;
mod dial;
mod listen;
mod lookup;
mod target;
mod thread;

pub use dial::dial;
pub use listen::listen;
pub use target::Target;
