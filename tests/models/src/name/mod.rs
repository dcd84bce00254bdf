//! What looks up names: the library's, but for the thread.

#[path = "../../../../src/name/address.rs"]
pub mod address;
#[path = "../../../../src/name/lookup.rs"]
pub mod lookup;
#[path = "../../../../src/name/target.rs"]
pub mod target;
#[path = "../simulated/thread.rs"]
pub mod thread;
