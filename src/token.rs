//! Tokens: descriptors that end waits for good.
//!
//! A token is a timer, because the kernel checks that what is cancelled is a timer. If it were an eventfd whose number was
//! closed and reused, a write to it would put eight bytes into a stranger's stream.

use std::os::fd::{BorrowedFd, OwnedFd};

use libc::POLLIN;

use crate::errno::{Errno, Result};
use crate::linux;
use crate::wait::Until;

/// How long it may take until an expired timer is readable, in nanoseconds: an interrupt makes it readable.
const INTERRUPT: u64 = 1_000_000_000;

pub fn new() -> Result<OwnedFd> {
    linux::timerfd()
}

/// Cancels, and returns once the token is readable.
pub fn cancel(token: BorrowedFd) -> Result<()> {
    if linux::set_ticks(token).is_ok() {
        return Ok(());
    }
    linux::expire_now(token)?;
    let until = Until { deadline: None, token: None };
    loop {
        match until.wait_for(token, POLLIN, Some(INTERRUPT)) {
            Err(Errno::INTR) => {}
            ready => return ready.map(drop),
        }
    }
}
