//! The exported functions, grouped as the manual groups them. Their comments become the header.

mod about;
mod addresses;
mod connection;
mod deadline;
mod lines;
mod mode;
mod names;
mod transfer;
mod transfer_until;
mod wait;

pub use about::*;
pub use addresses::*;
pub use connection::*;
pub use deadline::*;
pub use lines::*;
pub use mode::*;
pub use names::*;
pub use transfer::*;
pub use transfer_until::*;
pub use wait::*;
