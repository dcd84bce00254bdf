//! One operation on one socket: attempt, wait, try again.
//!
//! [`Operation::finish`] is the one way from an attempt that did not succeed to a result, for operations
//! that obey the socket's mode and for those that are given a deadline and a token. In it
//! [`Operation::retry`] is the one loop that waits outside the kernel.

use std::os::fd::BorrowedFd;

use libc::{POLLERR, POLLIN, POLLOUT, POLLRDHUP, c_int, c_short};

use crate::errno::{Errno, Result};
use crate::mode::{self, Mode, Side};
use crate::options;
use crate::time::{self, Reading, Timeout};
use crate::wait::{NO_ENTRY, Until};

/// Whether an attempt may wait in the kernel, if the socket's mode has it so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    InKernel,
    Never,
    /// No attempt: its own side of the socket was shut down for receiving, which one that does not wait does not
    /// notice on a datagram socket and a Unix listener. To be given is what the plain call gives that is waiting then.
    ShutDown,
}

impl Wait {
    /// For the flags of a transfer.
    #[inline(always)]
    pub fn flag(self) -> c_int {
        match self {
            Wait::InKernel => 0,
            Wait::Never | Wait::ShutDown => libc::MSG_DONTWAIT,
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy)]
pub enum Outcome {
    Done(usize),
    /// The socket is not ready, or a connection under way: the mode decides what that means.
    NotReady(Errno),
    /// A signal came first.
    Interrupted,
    /// Something was used up that was not the result, such as a connection that died in a queue.
    Again,
    Failed(Errno),
}

impl From<Result<usize>> for Outcome {
    #[inline]
    fn from(result: Result<usize>) -> Outcome {
        match result {
            Ok(value) => Outcome::Done(value),
            Err(error) => match error.code() {
                libc::EAGAIN | libc::EINPROGRESS | libc::EALREADY => Outcome::NotReady(error),
                libc::EINTR => Outcome::Interrupted,
                _ => Outcome::Failed(error),
            },
        }
    }
}

/// What an operation does with its socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Receive,
    Accept,
    Send,
    Connect,
}

impl Role {
    fn side(self) -> Side {
        match self {
            Role::Receive | Role::Accept => Side::Receive,
            Role::Send | Role::Connect => Side::Send,
        }
    }

    /// What to poll for. `POLLRDHUP` tells of a shutdown that an attempt without waiting does not notice.
    fn events(self) -> c_short {
        match self.side() {
            Side::Receive => POLLIN | POLLRDHUP,
            Side::Send => POLLOUT,
        }
    }
}

/// What decides how long an operation waits, over all the steps that it takes.
#[derive(Clone, Copy)]
enum Pace<'fd> {
    /// The socket's mode. A timeout runs from `start`. The mode is looked up on the slow path alone.
    Mode { start: u64, mode: Option<Mode> },
    /// The caller's deadline and token. The kernel never waits.
    Until(Until<'fd>),
}

/// An operation whose first attempt did not succeed, or which takes several steps.
pub struct Operation<'fd> {
    socket: BorrowedFd<'fd>,
    role: Role,
    pace: Pace<'fd>,
    /// How often one attempt may wait in the kernel for all of the time that the kernel has.
    waits: u64,
}

/// How often the socket may be called ready and not be, in a row, before the operation naps between two
/// attempts. The first may be another thread that was quicker.
const SPURIOUS: u32 = 1;

/// How long it naps, in nanoseconds: while the socket has an entry in its error queue, say, or the queue of
/// a Unix peer is full. Nothing wakes a waiter then.
const NAP: u64 = 1_000_000;

/// How long a wait for room may last, in nanoseconds, before a Unix socket must be tried again: `poll` does
/// not tell that a full one was shut down for sending, or its peer for receiving.
const UNIX_SEND_WAIT: u64 = 10_000_000;

/// How often a blocking mode that others keep changing is left to the kernel again after an `EAGAIN` that does not fit.
const ROUNDS: u32 = 8;

/// After how many nanoseconds such a mode is looked up again when it is waited for outside the kernel.
const LOOK_AGAIN: u64 = 10_000_000;

/// Makes `attempt`, and is done if it succeeds or fails for good. If not, goes on as the socket's mode has it.
/// The first attempt may wait in the kernel if `first` has it so.
#[inline(always)]
pub fn by_mode(
    socket: BorrowedFd,
    role: Role,
    first: Wait,
    mut attempt: impl FnMut(Wait) -> Result<usize>,
) -> Result<usize> {
    // Not a part of an operation, which would copy it: processors stall when what has just been written in
    // parts is read as a whole.
    let mut start = Reading::NONE;
    start.take();
    match attempt(first) {
        Err(error) => finish_by_mode(socket, role, &start, first, error, attempt),
        done => done,
    }
}

/// What follows a first attempt that failed. Apart, for what most calls do must be short: the kernel has
/// driven the processor's caches to other things when it returns.
#[cold]
#[inline(never)]
fn finish_by_mode(
    socket: BorrowedFd,
    role: Role,
    start: &Reading,
    first: Wait,
    error: Errno,
    mut attempt: impl FnMut(Wait) -> Result<usize>,
) -> Result<usize> {
    let outcome = Outcome::from(Err(error));
    Operation::by_mode(socket, role, start).finish(first, outcome, &mut |wait| attempt(wait).into())
}

/// The same until a deadline or a token. No attempt waits in the kernel.
#[inline(never)]
pub fn until<'fd>(
    socket: BorrowedFd<'fd>,
    role: Role,
    until: Until<'fd>,
    attempt: &mut dyn FnMut(Wait) -> Result<usize>,
) -> Result<usize> {
    until.check_deadline()?;
    match attempt(Wait::Never) {
        Err(error) => {
            let outcome = Outcome::from(Err(error));
            Operation::until(socket, role, until).finish(Wait::Never, outcome, &mut |wait| attempt(wait).into())
        }
        done => done,
    }
}

/// Waits until the socket is ready for any of `events`, and gives those that it is ready for.
pub fn wait_for(socket: BorrowedFd, events: c_short, until: Until) -> Result<usize> {
    loop {
        match until.wait_for(socket, events, None) {
            Err(Errno::INTR) if !mode::is_interruptible(socket)? => {}
            result => return result.map(|ready| ready as usize),
        }
    }
}

/// Waits for the end alone, which no signal brings about.
pub fn sleep(until: Until) -> Result<usize> {
    loop {
        match until.wait(&mut [NO_ENTRY], None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

impl<'fd> Operation<'fd> {
    pub fn by_mode(socket: BorrowedFd<'fd>, role: Role, start: &Reading) -> Operation<'fd> {
        // A send on a Unix socket may be of two buffers, or wait for its own and for the peer's.
        let waits = if role == Role::Send { 2 } else { 1 };
        Operation { socket, role, pace: Pace::Mode { start: start.nanoseconds(), mode: None }, waits }
    }

    pub fn until(socket: BorrowedFd<'fd>, role: Role, until: Until<'fd>) -> Operation<'fd> {
        Operation { socket, role, pace: Pace::Until(until), waits: 0 }
    }

    /// Attempts that may wait in the kernel are of one buffer.
    pub fn in_pieces(self) -> Operation<'fd> {
        Operation { waits: 1, ..self }
    }

    /// From how an attempt ended, which could wait as `first` says, to the result.
    pub fn finish(
        &mut self,
        first: Wait,
        mut outcome: Outcome,
        attempt: &mut dyn FnMut(Wait) -> Outcome,
    ) -> Result<usize> {
        // A connection that cannot even begin: no local port is free. To a Unix listener it means a full queue.
        let cannot_begin = self.role == Role::Connect && matches!(outcome, Outcome::NotReady(Errno::AGAIN));
        if cannot_begin && options::domain(self.socket)? != libc::AF_UNIX {
            return Err(Errno::AGAIN);
        }
        let (start, mut known) = match self.pace {
            Pace::Mode { start, mode } => (start, mode),
            Pace::Until(until) => {
                return self.retry(until, None, outcome, attempt)?.ok_or(Errno::TIMEDOUT);
            }
        };
        let mut rounds = 0;
        // A connection under way has no call to wait in, and a receive of no bytes may not: it would be a success.
        let mut kernel_waits = self.role == Role::Send || first == Wait::InKernel && self.role != Role::Connect;
        loop {
            let refused = match outcome {
                Outcome::Done(value) => return Ok(value),
                Outcome::Failed(error) => return Err(error),
                Outcome::NotReady(error) => Some(error),
                Outcome::Interrupted | Outcome::Again => None,
            };
            let mode = match known.take() {
                Some(mode) => mode,
                None if refused.is_some() => {
                    let took = time::now().saturating_sub(start);
                    mode::of_unready(self.socket, self.role.side(), took)?
                }
                None => mode::get(self.socket, self.role.side())?,
            };
            self.pace = Pace::Mode { start, mode: Some(mode) };
            if matches!(outcome, Outcome::Interrupted) && mode.interruptible {
                return Err(Errno::INTR);
            }
            outcome = match (mode.timeout, refused) {
                (Timeout::Zero, Some(error)) => return Err(error),
                (Timeout::Zero, None) => attempt(first),
                // A connection under way goes on by itself: there is no call to wait in.
                (Timeout::Forever, _) if !mode.nonblocking && self.role != Role::Connect && rounds < ROUNDS => {
                    // It is another mode than a moment ago, unless nothing can be waited for.
                    if refused.is_some() && rounds > 0 && mode::is_final(self.socket)? {
                        return Err(Errno::AGAIN);
                    }
                    rounds += u32::from(refused.is_some());
                    attempt(Wait::InKernel)
                }
                // Another wait of the kernel's fits into the time that is left.
                (timeout, _) if kernel_waits && mode.has_time_for_kernel(self.waits, timeout.deadline(start)) => {
                    let before = time::now();
                    let outcome = attempt(Wait::InKernel);
                    // If not even that is waited for, this cannot be waited for in the kernel.
                    let was_refused = matches!(outcome, Outcome::NotReady(_));
                    kernel_waits = !was_refused || time::now().saturating_sub(before) >= mode.kernel_waits;
                    outcome
                }
                (timeout, _) => {
                    let look_again = (rounds == ROUNDS).then(|| time::now().saturating_add(LOOK_AGAIN));
                    let until = Until { deadline: timeout.deadline(start).or(look_again), token: None };
                    match self.retry(until, Some(mode.interruptible), outcome, attempt)? {
                        Some(value) => return Ok(value),
                        None => self.check_timeout(start)?,
                    }
                    Outcome::NotReady(Errno::AGAIN)
                }
            };
        }
    }

    /// When the time is over, the mode is read once more: it may be another by now, or have been read while it
    /// was being set. Fails unless time is left of the timeout that runs from `start`.
    fn check_timeout(&self, start: u64) -> Result<()> {
        let deadline = mode::get(self.socket, self.role.side())?.timeout.deadline(start);
        Until { deadline, token: None }.check_deadline()
    }

    /// Between two steps: fails if the time is over or the token cancels, and tells how the next step may wait.
    /// Steps that never have to wait must not carry an operation past its end.
    pub fn next_step(&mut self) -> Result<Next> {
        let (start, mode) = match self.pace {
            Pace::Mode { start, mode: Some(mode) } => (start, mode),
            Pace::Mode { start, mode: None } => (start, mode::get(self.socket, self.role.side())?),
            Pace::Until(until) => {
                until.check()?;
                return Ok(Next::Poll);
            }
        };
        self.pace = Pace::Mode { start, mode: Some(mode) };
        match mode.timeout {
            Timeout::Zero => Ok(Next::AtOnce),
            Timeout::Forever if !mode.nonblocking => Ok(Next::InKernel),
            timeout => {
                let until = Until { deadline: timeout.deadline(start), token: None };
                if until.check_deadline().is_err() {
                    self.check_timeout(start)?;
                }
                let has_time = self.role == Role::Receive && mode.has_time_for_kernel(1, until.deadline);
                Ok(if has_time { Next::OnceInKernel } else { Next::Poll })
            }
        }
    }

    /// Whether a signal is to end the operation, whose last step could wait in the kernel and did only a part:
    /// nothing else ends it before its time. (Of messages, a part may be a whole one.)
    pub fn was_interrupted(&self) -> Result<bool> {
        let Pace::Mode { start, mode: Some(mode @ Mode { interruptible: true, .. }) } = self.pace else {
            return Ok(false);
        };
        let is_early = mode.timeout == Timeout::Forever || time::read_clock()? - start < mode.kernel_waits;
        Ok(is_early && !mode.nonblocking && (self.role == Role::Send || options::is_stream(self.socket)?))
    }

    /// Waits until the socket is ready and tries again, until that succeeds or fails, or the time is over,
    /// when there is no result. Who does not say whether signals interrupt has the socket asked.
    fn retry(
        &self,
        until: Until,
        interruptible: Option<bool>,
        mut outcome: Outcome,
        attempt: &mut dyn FnMut(Wait) -> Outcome,
    ) -> Result<Option<usize>> {
        let part = (self.role == Role::Send).then_some(UNIX_SEND_WAIT);
        let mut patience = Patience { spurious: 0, part };
        loop {
            let mut events = 0;
            match outcome {
                Outcome::Done(value) => return Ok(Some(value)),
                Outcome::Failed(error) => return Err(error),
                Outcome::NotReady(_) => match self.wait(until, &mut patience) {
                    Ok(ready) => events = ready,
                    Err(Errno::INTR) => {
                        outcome = Outcome::Interrupted;
                        continue;
                    }
                    // What a socket keeps back until there is more of it, it gives at the end.
                    Err(Errno::TIMEDOUT) => {
                        return match self.as_if_waiting(attempt(Wait::Never))? {
                            Outcome::Done(value) => Ok(Some(value)),
                            Outcome::Failed(error) => Err(error),
                            _ => Ok(None),
                        };
                    }
                    Err(error) => return Err(error),
                },
                // Neither signals nor dead connections that come without end carry it past the deadline.
                Outcome::Interrupted | Outcome::Again if until.check_deadline().is_err() => return Ok(None),
                Outcome::Interrupted if interruptible.map_or_else(|| mode::is_interruptible(self.socket), Ok)? => {
                    return Err(Errno::INTR);
                }
                Outcome::Interrupted | Outcome::Again => {}
            }
            outcome = self.as_if_waiting(attempt(Wait::Never))?;
            if let Outcome::NotReady(error) = outcome {
                if self.role.side() == Side::Receive && events & POLLRDHUP != 0 {
                    outcome = attempt(Wait::ShutDown);
                } else if self.role == Role::Send
                    && events & (POLLOUT | POLLERR) == POLLOUT
                    && options::lacks_port(self.socket)
                {
                    outcome = Outcome::Failed(error);
                }
            }
        }
    }

    /// What the plain call gives that was waiting. When the peer of a Unix stream closes with data unread, a new
    /// attempt says `EPIPE` instead, and leaves the reset for the next call to find.
    fn as_if_waiting(&self, outcome: Outcome) -> Result<Outcome> {
        match outcome {
            Outcome::Failed(Errno::PIPE)
                if self.role == Role::Send && options::domain(self.socket)? == libc::AF_UNIX =>
            {
                Err(options::take_error(self.socket)?.unwrap_or(Errno::PIPE))
            }
            outcome => Ok(outcome),
        }
    }

    /// Waits until the socket is ready, or is to be tried again, and gives what it is ready for.
    fn wait(&self, until: Until, patience: &mut Patience) -> Result<c_short> {
        if patience.spurious > SPURIOUS {
            until.sleep(NAP)?;
        }
        let ready = until.wait_for(self.socket, self.role.events(), patience.part)?;
        if ready != 0 {
            patience.spurious += 1;
        } else if patience.part.is_some() && matches!(options::domain(self.socket)?, libc::AF_INET | libc::AF_INET6) {
            patience.part = None;
        }
        Ok(ready)
    }
}

/// How the next step of an operation may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    AtOnce,
    InKernel,
    /// In the kernel, until there is anything.
    OnceInKernel,
    /// Outside the kernel: an attempt that will say "not ready" can be left out.
    Poll,
}

/// How a wait goes on that has been in vain.
struct Patience {
    /// How often the socket was called ready and was not.
    spurious: u32,
    /// How long one part of the wait may last, in nanoseconds.
    part: Option<u64>,
}
