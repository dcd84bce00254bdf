//! Receiving up to a delimiter, into a buffer that keeps what comes after it.

use std::os::fd::BorrowedFd;

use libc::c_void;

use crate::errno::{Errno, Result};
use crate::operation::{Pace, Role, Wait};
use crate::sys;
use crate::time::Reading;
use crate::transfer::{MAX_RECV_CHUNK, Steps, in_steps};

/// A line, or any record that ends in a delimiter, in the caller's buffer.
pub struct Line<'a> {
    pub socket: BorrowedFd<'a>,
    pub buf: *mut c_void,
    pub size: usize,
    pub delim: &'a [u8],
    /// How many bytes are in the buffer, and how many of them were searched without success.
    pub have: usize,
    pub searched: usize,
    /// Writes the number of bytes in the buffer to the caller.
    pub tell: &'a dyn Fn(usize),
}

impl Line<'_> {
    /// Receives until the delimiter is there, and gives the length of the line with its delimiter, or 0 at a clean end.
    pub fn receive(mut self, pace: Pace) -> Result<usize> {
        if let Some(length) = self.find()? {
            return Ok(length);
        }
        pace.check_deadline()?;
        let mut start = Reading::NONE;
        start.take();
        let wait = if matches!(pace, Pace::Mode) { Wait::InKernel } else { Wait::Never };
        let operation = pace.begin(self.socket, Role::Receive, &start);
        match self.attempt(wait) {
            Ok(count) => match self.advance(count)? {
                Some(length) => Ok(length),
                None => in_steps(operation, &mut self, wait, None),
            },
            failed => in_steps(operation, &mut self, wait, Some(failed)),
        }
    }

    /// The length of the line with its delimiter, if that is there. Fails if the buffer is full without one.
    fn find(&mut self) -> Result<Option<usize>> {
        // The bytes that were searched may end with a part of the delimiter.
        let from = self.searched.saturating_sub(self.delim.len() - 1);
        let found = sys::find(self.buf, from..self.have, self.delim);
        self.searched = self.have;
        match found {
            Some(at) => Ok(Some(at + self.delim.len())),
            None if self.have == self.size => Err(Errno::MSGSIZE),
            None => Ok(None),
        }
    }
}

impl Steps for Line<'_> {
    fn wanted(&self, _: Wait) -> usize {
        (self.size - self.have).min(MAX_RECV_CHUNK)
    }

    fn attempt(&self, wait: Wait) -> Result<usize> {
        if wait == Wait::ShutDown {
            return Ok(0);
        }
        sys::recv(self.socket, self.buf.wrapping_byte_add(self.have), self.wanted(wait), wait.flag())
    }

    fn advance(&mut self, count: usize) -> Result<Option<usize>> {
        match (count, self.have) {
            (0, 0) => Ok(Some(0)),
            (0, _) => Err(Errno::PIPE),
            _ => {
                self.have += count;
                (self.tell)(self.have);
                self.find()
            }
        }
    }

    fn kernel_fills(&self) -> bool {
        false
    }

    fn unbound(&mut self) {}
}
