//! Sockets by name: text becomes addresses, and addresses become a connection or a listener.
//!
//! ```text
//!   dial   listen      a socket that is connected to one of the addresses, or listens on one
//!      \   /  \
//!      lookup          addresses of a host and a service, in a thread if the wait for them may end
//!      /    \
//!   thread   target    thread: on a stack of its own. target: what a host and a service are
//!                \
//!              address   text to sockaddr and back, without asking anybody
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
