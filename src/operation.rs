//! One operation on one socket, and the slow path that all operations share.

use std::os::fd::BorrowedFd;

use libc::{c_int, c_short};

use crate::errno::{Errno, Result};
use crate::mode::{self, Mode, Moment, Side};
use crate::time::{self, Limit, Reading};
use crate::{options, sys};

/// Flags for an attempt that may wait in the kernel, if the socket's mode has it so.
pub const WAIT: c_int = 0;
/// Flags for an attempt that must not wait.
pub const DONT_WAIT: c_int = libc::MSG_DONTWAIT;

/// How long to sleep, in nanoseconds, while `poll` calls a socket ready that is not: one with an
/// entry in its error queue, say, or a Unix peer's whose queue is full. Nothing wakes a waiter then.
const NAP: u64 = 1_000_000;

/// What an attempt that may have to be followed up notes before it is made.
pub struct Beginning {
    moment: Moment,
    clock: Reading,
}

impl Beginning {
    #[inline]
    pub fn new() -> Beginning {
        Beginning { moment: Moment::now(), clock: Reading::NONE }
    }

    /// Not a part of `new`, which would copy the reading, and processors stall when what has just been
    /// written in parts is read as a whole.
    #[inline]
    pub fn read_clock(&mut self) {
        self.clock.take();
    }
}

/// An operation under way. Its timeout runs from its beginning, over all the steps that it takes.
pub struct Operation<'fd> {
    socket: BorrowedFd<'fd>,
    side: Side,
    began: Moment,
    start: u64,
    /// Looked up on the slow path alone, and once.
    mode: Option<Mode>,
    previous: Step,
}

/// How the step before ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Complete,
    /// It could wait in the kernel, and did only a part.
    CutShort,
    /// It could not wait, and sent all that there was room for. (Receiving, a part may be a message.)
    Exhausted,
}

impl<'fd> Operation<'fd> {
    pub fn begin(socket: BorrowedFd<'fd>, side: Side, beginning: &Beginning) -> Operation<'fd> {
        let (began, start) = (beginning.moment, beginning.clock.nanoseconds());
        Operation { socket, side, began, start, mode: None, previous: Step::Complete }
    }

    /// Makes `attempt`, and is done if it succeeds or fails for good. It is given flags to add to its
    /// own: `first` to begin with, [`DONT_WAIT`] where a deadline would not hold otherwise.
    #[inline(always)]
    pub fn run(
        socket: BorrowedFd<'fd>,
        side: Side,
        first: c_int,
        mut attempt: impl FnMut(c_int) -> Result<usize>,
    ) -> Result<usize> {
        let mut beginning = Beginning::new();
        beginning.read_clock();
        match attempt(first) {
            Err(error) => Operation::follow_up(socket, side, &beginning, first, error, attempt),
            done => done,
        }
    }

    /// What follows a first attempt that failed. Apart, for what most calls do must be short: the kernel
    /// has driven the processor's caches to other things when it returns.
    #[cold]
    #[inline(never)]
    fn follow_up(
        socket: BorrowedFd<'fd>,
        side: Side,
        beginning: &Beginning,
        first: c_int,
        error: Errno,
        mut attempt: impl FnMut(c_int) -> Result<usize>,
    ) -> Result<usize> {
        Operation::begin(socket, side, beginning).settle(first, Err(error), &mut attempt)
    }

    /// One step on the way to `wanted` bytes.
    pub fn step(
        &mut self,
        first: c_int,
        wanted: usize,
        attempt: &mut dyn FnMut(c_int) -> Result<usize>,
    ) -> Result<usize> {
        let outcome = match self.previous {
            Step::Exhausted => Err(Errno::AGAIN),
            _ => attempt(first),
        };
        self.settle_step(first, wanted, outcome, attempt)
    }

    /// As [`Operation::step`], with the outcome of its first attempt.
    pub fn settle_step(
        &mut self,
        first: c_int,
        wanted: usize,
        outcome: Result<usize>,
        attempt: &mut dyn FnMut(c_int) -> Result<usize>,
    ) -> Result<usize> {
        let mut flags = first;
        let done = self.settle(first, outcome, &mut |now| {
            flags = now;
            attempt(now)
        })?;
        self.previous = match flags {
            _ if done == wanted => Step::Complete,
            WAIT => Step::CutShort,
            _ if self.side == Side::Send => Step::Exhausted,
            _ => Step::Complete,
        };
        Ok(done)
    }

    fn settle(
        &mut self,
        first: c_int,
        outcome: Result<usize>,
        attempt: &mut dyn FnMut(c_int) -> Result<usize>,
    ) -> Result<usize> {
        match outcome {
            Err(error) if error.is_unfinished() => self.persist(first, error, attempt),
            outcome => outcome,
        }
    }

    /// The slow path: what is this socket's mode, how much time is left, wait, try again.
    fn persist(
        &mut self,
        first: c_int,
        mut error: Errno,
        attempt: &mut dyn FnMut(c_int) -> Result<usize>,
    ) -> Result<usize> {
        let mut mode = match self.mode {
            Some(mode) => mode,
            None if first == WAIT && error.is_not_ready() => self.look_up_mode(Some((self.began, self.elapsed()?)))?,
            None => self.look_up_mode(None)?,
        };
        if self.previous == Step::CutShort
            && error.is_not_ready()
            && self.elapsed()? < mode.kernel_waits
            && (self.side == Side::Send || options::is_stream(self.socket)?)
        {
            // There was no more, yet the kernel did not wait for it: a signal had come.
            error = Errno::INTR;
        }
        let mut false_alarms = 0_u32;
        loop {
            if error == Errno::INTR && mode.interruptible {
                return Err(error);
            }
            let outcome = match mode.limit.deadline(self.start) {
                _ if mode.limit == Limit::Nothing && error.is_not_ready() => return Err(error),
                _ if mode.limit == Limit::Nothing => attempt(first),
                None => {
                    let began = Moment::now();
                    let outcome = attempt(WAIT);
                    if let Err(Errno::AGAIN) = outcome {
                        // Other code has set O_NONBLOCK since, or what is missing is not to be waited for.
                        mode = self.look_up_mode(None)?;
                        if mode.limit == Limit::Forever && began.is_undisturbed() {
                            return outcome;
                        }
                    }
                    outcome
                }
                Some(deadline) => match self.wait(deadline, false_alarms) {
                    Ok(()) => {
                        false_alarms += 1;
                        attempt(DONT_WAIT)
                    }
                    Err(error) => Err(error),
                },
            };
            match outcome {
                Err(again) if again.is_unfinished() => error = again,
                result => return result,
            }
        }
    }

    fn look_up_mode(&mut self, refused: Option<(Moment, u64)>) -> Result<Mode> {
        let mode = mode::get(self.socket, self.side, refused)?;
        self.mode = Some(mode);
        Ok(mode)
    }

    fn elapsed(&self) -> Result<u64> {
        Ok(time::clock()? - self.start)
    }

    /// Waits until the socket is ready, after so many times that it was called so and was not.
    fn wait(&self, deadline: u64, false_alarms: u32) -> Result<()> {
        if false_alarms > 0 && time::now() >= deadline {
            return Err(Errno::TIMEDOUT);
        }
        // One may be another thread that was quicker.
        if false_alarms > 1 {
            let left = deadline.saturating_sub(time::now());
            let nap = sys::poll(None, 0, Some(time::span(left.min(NAP))));
            // Napping anew, signals that come faster than naps end would keep it from trying again.
            if nap == Err(Errno::INTR) && self.mode.is_some_and(|mode| mode.interruptible) {
                return nap.map(drop);
            }
        }
        let events = match self.side {
            Side::Receive => libc::POLLIN,
            Side::Send => libc::POLLOUT,
        };
        poll_until(self.socket, events, Some(deadline)).map(drop)
    }
}

/// Waits for any of `events`, errors and hang-ups until `deadline`, and gives those that are ready.
/// A deadline that has passed still looks once.
pub fn poll_until(socket: BorrowedFd, events: c_short, deadline: Option<u64>) -> Result<c_short> {
    loop {
        let ready = sys::poll(Some(socket), events, deadline.map(time::until).transpose()?)?;
        if ready != 0 {
            return Ok(ready);
        }
        // A long wait is made in parts.
        if deadline.is_some_and(|deadline| time::now() >= deadline) {
            return Err(Errno::TIMEDOUT);
        }
    }
}
