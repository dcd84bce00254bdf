//! One operation on one socket: attempt, wait, try again.
//!
//! [`Operation::finish`] is the one way from an attempt that did not succeed to a result. Operations that obey the
//! socket's mode and operations with a deadline and a token both take it. In it [`Operation::retry`] is the one loop that
//! waits outside the kernel.

use std::os::fd::BorrowedFd;

use libc::{POLLERR, POLLIN, POLLOUT, POLLRDHUP, c_int, c_short};

use crate::errno::{Errno, Result};
use crate::mode::{self, Mode, Side};
use crate::options;
use crate::time::{self, Reading, Timeout};
use crate::wait::{NO_ENTRY, Until};

/// Whether an attempt may wait in the kernel. It waits there only if the socket's mode does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    InKernel,
    Never,
    /// Not an attempt: the socket was shut down for receiving. On a datagram socket and a Unix listener an attempt that
    /// does not wait does not notice that. The result must be that of a plain call that is waiting at that moment.
    ShutDown,
}

impl Wait {
    /// The flag that a transfer adds to the caller's.
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
    /// The socket is not ready, or a connection is under way. The mode decides what follows.
    NotReady(Errno),
    /// A signal came first.
    Interrupted,
    /// The attempt used something up that is not a result, such as a connection that died in the queue of a listener.
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

    /// The events to poll for. `POLLRDHUP` reports a shutdown that an attempt without waiting does not notice.
    fn events(self) -> c_short {
        match self.side() {
            Side::Receive => POLLIN | POLLRDHUP,
            Side::Send => POLLOUT,
        }
    }
}

/// What decides how long an operation waits.
#[derive(Clone, Copy)]
pub enum Pace<'fd> {
    Mode,
    Until(Until<'fd>),
}

impl<'fd> Pace<'fd> {
    /// An operation at this pace, whose time runs from `start`.
    pub fn begin(self, socket: BorrowedFd<'fd>, role: Role, start: &Reading) -> Operation<'fd> {
        match self {
            Pace::Mode => Operation::by_mode(socket, role, start),
            Pace::Until(until) => Operation::until(socket, role, until),
        }
    }

    /// Fails if there is a deadline that has passed.
    pub fn check_deadline(self) -> Result<()> {
        match self {
            Pace::Mode => Ok(()),
            Pace::Until(until) => until.check_deadline(),
        }
    }
}

/// A pace that is under way, over all steps of an operation.
#[derive(Clone, Copy)]
enum Limit<'fd> {
    /// The socket's mode. A timeout runs from `start`. The mode is looked up on the slow path alone.
    Mode { start: u64, mode: Option<Mode> },
    /// The caller's deadline and token. The kernel never waits.
    Until(Until<'fd>),
}

/// An operation whose first attempt did not succeed, or which takes several steps.
pub struct Operation<'fd> {
    socket: BorrowedFd<'fd>,
    role: Role,
    limit: Limit<'fd>,
    /// How many times one attempt may wait in the kernel, each time for the kernel's whole timeout.
    waits: u64,
}

/// How many spurious readinesses may come before the operation naps between two attempts. The first may only mean that
/// another thread was quicker.
const SPURIOUS: u32 = 1;

/// How long it naps, in nanoseconds. The socket may have an entry in its error queue, for instance, or the queue of a Unix
/// peer may be full, and then nothing wakes a waiter.
const NAP: u64 = 1_000_000;

/// How long a wait for room may last, in nanoseconds, before a Unix socket must be tried again. `poll` does not report that
/// a full socket was shut down for sending, or its peer for receiving.
const UNIX_SEND_WAIT: u64 = 10_000_000;

/// How many times the kernel is asked to wait again after an `EAGAIN` that does not fit blocking mode: others are changing
/// the mode.
const ROUNDS: u32 = 8;

/// After that the wait is outside the kernel, and the mode is read again after so many nanoseconds.
const LOOK_AGAIN: u64 = 10_000_000;

/// Makes `attempt`, and returns if it succeeds. If not, goes on as the socket's mode says. `first` says whether the first
/// attempt may wait in the kernel.
#[inline(always)]
pub fn by_mode(
    socket: BorrowedFd,
    role: Role,
    first: Wait,
    mut attempt: impl FnMut(Wait) -> Result<usize>,
) -> Result<usize> {
    // Not a part of an operation, which would copy it: a processor stalls when it reads as a whole what it has just
    // written in parts.
    let mut start = Reading::NONE;
    start.take();
    match attempt(first) {
        Err(error) => finish_by_mode(socket, role, &start, first, error, attempt),
        done => done,
    }
}

/// What follows a first attempt that failed. It is a function of its own, because the code that most calls run must be
/// short: when the kernel returns, it has filled the processor's caches with other things.
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

/// As [`by_mode`], but until a deadline or a token. No attempt waits in the kernel.
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

/// Waits until the socket is ready for any of `events`, and gives the events that it is ready for.
pub fn wait_for(socket: BorrowedFd, events: c_short, until: Until) -> Result<usize> {
    loop {
        match until.wait_for(socket, events, None) {
            Err(Errno::INTR) if !mode::is_interruptible(socket)? => {}
            result => return result.map(|ready| ready as usize),
        }
    }
}

/// Waits for the deadline or the token alone. No signal ends this wait.
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
        // A send on a Unix stream may wait for each of two buffers, a datagram for its own queue and for the peer's.
        let waits = if role == Role::Send { 2 } else { 1 };
        Operation { socket, role, limit: Limit::Mode { start: start.nanoseconds(), mode: None }, waits }
    }

    pub fn until(socket: BorrowedFd<'fd>, role: Role, until: Until<'fd>) -> Operation<'fd> {
        Operation { socket, role, limit: Limit::Until(until), waits: 0 }
    }

    /// From now on an attempt that may wait in the kernel is of one buffer, and waits once.
    pub fn in_pieces(self) -> Operation<'fd> {
        Operation { waits: 1, ..self }
    }

    /// Goes on from the outcome of an attempt to the result. `first` says how that attempt could wait.
    pub fn finish(
        &mut self,
        first: Wait,
        mut outcome: Outcome,
        attempt: &mut dyn FnMut(Wait) -> Outcome,
    ) -> Result<usize> {
        // A connection that cannot even begin, because no local port is free. (For a Unix socket `EAGAIN` means that the
        // listener's queue is full.)
        let cannot_begin = self.role == Role::Connect && matches!(outcome, Outcome::NotReady(Errno::AGAIN));
        if cannot_begin && options::domain(self.socket)? != libc::AF_UNIX {
            return Err(Errno::AGAIN);
        }
        let (start, mut known) = match self.limit {
            Limit::Mode { start, mode } => (start, mode),
            Limit::Until(until) => {
                return self.retry(until, None, outcome, attempt)?.ok_or(Errno::TIMEDOUT);
            }
        };
        let mut rounds = 0;
        // A connection under way has no call that could wait. A receive of no bytes must not wait in the kernel: it would
        // return as a success.
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
            self.limit = Limit::Mode { start, mode: Some(mode) };
            if matches!(outcome, Outcome::Interrupted) && mode.interruptible {
                return Err(Errno::INTR);
            }
            outcome = match (mode.timeout, refused) {
                (Timeout::Zero, Some(error)) => return Err(error),
                (Timeout::Zero, None) => attempt(first),
                // A connection under way goes on by itself, and has no call that could wait.
                (Timeout::Forever, _) if !mode.nonblocking && self.role != Role::Connect && rounds < ROUNDS => {
                    // The mode has changed since a moment ago, unless this socket cannot wait at all.
                    if refused.is_some() && rounds > 0 && mode::is_final(self.socket)? {
                        return Err(Errno::AGAIN);
                    }
                    rounds += u32::from(refused.is_some());
                    attempt(Wait::InKernel)
                }
                // The time that is left is enough for another wait in the kernel.
                (timeout, _) if kernel_waits && mode.has_time_for_kernel(self.waits, timeout.deadline(start)) => {
                    let before = time::now();
                    let outcome = attempt(Wait::InKernel);
                    // If the kernel did not wait even then, it cannot wait for this.
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

    /// Reads the mode once more when the time is over: it may have changed, or may have been read while it was being set.
    /// Fails unless a part of the timeout that runs from `start` is left.
    fn check_timeout(&self, start: u64) -> Result<()> {
        let deadline = mode::get(self.socket, self.role.side())?.timeout.deadline(start);
        Until { deadline, token: None }.check_deadline()
    }

    /// Between two steps: fails if the time is over or the token cancels, and says how the next step may wait. An operation
    /// whose steps never have to wait must end in time too.
    pub fn next_step(&mut self) -> Result<Next> {
        let (start, mode) = match self.limit {
            Limit::Mode { start, mode: Some(mode) } => (start, mode),
            Limit::Mode { start, mode: None } => (start, mode::get(self.socket, self.role.side())?),
            Limit::Until(until) => {
                until.check()?;
                return Ok(Next::Poll);
            }
        };
        self.limit = Limit::Mode { start, mode: Some(mode) };
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

    /// Whether a signal ended the last step, which could wait in the kernel and transferred only a part: nothing else ends
    /// such a step before its time. (On a socket of messages a part may be a whole message.)
    pub fn was_interrupted(&self) -> Result<bool> {
        let Limit::Mode { start, mode: Some(mode @ Mode { interruptible: true, .. }) } = self.limit else {
            return Ok(false);
        };
        let is_early = mode.timeout == Timeout::Forever || time::read_clock()? - start < mode.kernel_waits;
        Ok(is_early && !mode.nonblocking && (self.role == Role::Send || options::is_stream(self.socket)?))
    }

    /// Waits until the socket is ready and tries again, until an attempt succeeds or fails. There is no result if the time is
    /// over first. If `interruptible` is `None`, the socket is asked after a signal.
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
                    // The socket may hold bytes back until there are more (SO_RCVLOWAT). It gives them at the end.
                    Err(Errno::TIMEDOUT) => {
                        return match self.as_if_waiting(attempt(Wait::Never))? {
                            Outcome::Done(value) => Ok(Some(value)),
                            Outcome::Failed(error) => Err(error),
                            _ => Ok(None),
                        };
                    }
                    Err(error) => return Err(error),
                },
                // An endless stream of signals or of dead connections must not carry it past the deadline.
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

    /// The outcome that a plain call would have that was waiting. When the peer of a Unix stream closes with data unread, a
    /// waiting send says `ECONNRESET`. A new attempt says `EPIPE` instead, and leaves the reset to the next call.
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

    /// Waits until the socket is ready or must be tried again, and gives the events that it is ready for.
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
    /// In the kernel, until anything can be transferred.
    OnceInKernel,
    /// Outside the kernel. An attempt that is sure to say "not ready" can be left out.
    Poll,
}

/// How the waits outside the kernel go on when earlier ones were in vain.
struct Patience {
    /// How many readinesses were spurious.
    spurious: u32,
    /// How long one part of the wait may last, in nanoseconds.
    part: Option<u64>,
}
