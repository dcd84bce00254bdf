//! What connections need of transfers.

use std::os::fd::BorrowedFd;

use crate::operation::{Operation, Role};
use crate::time::Reading;
use crate::wait::Until;

#[derive(Clone, Copy)]
pub enum Pace<'fd> {
    Mode,
    Until(Until<'fd>),
}

impl<'fd> Pace<'fd> {
    pub fn begin(self, socket: BorrowedFd<'fd>, role: Role, start: &Reading) -> Operation<'fd> {
        match self {
            Pace::Mode => Operation::by_mode(socket, role, start),
            Pace::Until(until) => Operation::until(socket, role, until),
        }
    }
}
