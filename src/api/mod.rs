//! The exported functions, grouped as the manual groups them. Their comments become the header.

mod about;
mod addresses;
mod connection;
mod mode;
mod names;
mod transfer;
mod wait;

pub use about::*;
pub use addresses::*;
pub use connection::*;
pub use mode::*;
pub use names::*;
pub use transfer::*;
pub use wait::*;
