//! Tokens: descriptors that end waits for good.
//!
//! A token is a timer, because the kernel checks what is to be cancelled: writing to an eventfd whose number was closed and
//! reused would put eight bytes into a stranger's stream.

use std::os::fd::{BorrowedFd, OwnedFd};

use libc::POLLIN;

use crate::errno::{Errno, Result};
use crate::linux;
use crate::wait::Until;

/// How long it may take until a timer that has expired is readable, in nanoseconds: that is an interrupt's work.
const INTERRUPT: u64 = 1_000_000_000;

pub fn new() -> Result<OwnedFd> {
    linux::timerfd()
}

/// Cancels, and returns once whoever looks at the token sees it.
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
