//! Transfers: how one send or receive is attempted, and transfers that take several steps. A timeout of the network,
//! `ETIMEDOUT` from the kernel, becomes `ECONNABORTED` here: [`connection_lost`].

use std::os::fd::BorrowedFd;

use libc::{MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, MSG_WAITALL, c_int};

use crate::errno::{Errno, Result};
use crate::mode::{self, LargeSend, MAX_UNCHECKED_SEND, UNIX_PIECE};
use crate::operation::{self, Next, Operation, Outcome, Pace, Role, Wait};
use crate::options;
use crate::time::Reading;

/// The most bytes that one step of a receive asks for. The kernel does not count the time that it copies, nor every moment
/// of a wait for more bytes, so a step must be short.
pub const MAX_RECV_CHUNK: usize = 1 << 20;

/// The same for a send. The kernel cuts a send into larger pieces.
const MAX_SEND_CHUNK: usize = 8 << 20;

/// Flags of receives that never wait, whatever the mode.
const NEVER_WAIT: c_int = MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB;

/// `ETIMEDOUT` from the kernel says that the network's time ran out, and that the connection is lost. `ETIMEDOUT` from this
/// library says that the caller's time ran out, and that the socket is still good. So the first becomes `ECONNABORTED`.
fn connection_lost(error: Errno) -> Errno {
    if error == Errno::TIMEDOUT { Errno::CONNABORTED } else { error }
}

/// Makes a call that does not wait, and makes it again if a signal interrupted it.
#[cold]
#[inline(never)]
fn at_once(call: impl Fn() -> Result<usize>) -> Result<usize> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result.map_err(connection_lost),
        }
    }
}

/// Receives up to `len` bytes by one call, whose arguments are the length and the flags. When the socket was shut down there
/// is no call, and `end` writes what the call would have written besides the bytes.
#[inline(always)]
pub fn receive(
    socket: BorrowedFd,
    len: usize,
    flags: c_int,
    pace: Pace,
    call: impl Fn(usize, c_int) -> Result<usize>,
    end: impl Fn(),
) -> Result<usize> {
    if flags & NEVER_WAIT != 0 {
        pace.check_deadline()?;
        return at_once(move || call(len, flags | MSG_DONTWAIT));
    }
    // A receive of no bytes on TCP is a success to the kernel even if its wait was in vain.
    let first = if len == 0 { Wait::Never } else { Wait::InKernel };
    once(socket, Role::Receive, len, first, pace, move |len, wait| {
        if wait == Wait::ShutDown {
            end();
            return Ok(0);
        }
        call(len, flags | wait.flag())
    })
}

/// Sends up to `len` bytes by one call, whose arguments are the length and the flags.
#[inline(always)]
pub fn send(
    socket: BorrowedFd,
    len: usize,
    flags: c_int,
    pace: Pace,
    call: impl Fn(usize, c_int) -> Result<usize>,
) -> Result<usize> {
    if flags & MSG_DONTWAIT != 0 {
        pace.check_deadline()?;
        return at_once(move || call(len, flags));
    }
    if len > MAX_UNCHECKED_SEND && matches!(pace, Pace::Mode) {
        let call = call; // A copy that has an address, so that a small send can keep its own in registers.
        return send_large(socket, len, flags, &call);
    }
    once(socket, Role::Send, len, Wait::InKernel, pace, move |len, wait| call(len, flags | wait.flag()))
}

#[inline(always)]
fn once(
    socket: BorrowedFd,
    role: Role,
    len: usize,
    first: Wait,
    pace: Pace,
    call: impl Fn(usize, Wait) -> Result<usize>,
) -> Result<usize> {
    match pace {
        Pace::Mode => operation::by_mode(socket, role, first, move |wait| call(len, wait).map_err(connection_lost)),
        Pace::Until(until) => {
            // The kernel does not look at the deadline while it copies.
            let len = chunk_of_one(socket, len)?;
            operation::until(socket, role, until, &mut |wait| call(len, wait).map_err(connection_lost))
        }
    }
}

/// The most bytes that one call may ask for. A stream is transferred in chunks, a message is sent and received whole.
#[inline]
fn chunk_of_one(socket: BorrowedFd, len: usize) -> Result<usize> {
    Ok(if len > MAX_RECV_CHUNK && options::is_stream(socket)? { MAX_RECV_CHUNK } else { len })
}

/// As [`send`], for more bytes than [`MAX_UNCHECKED_SEND`].
#[inline(never)]
fn send_large(
    socket: BorrowedFd,
    len: usize,
    flags: c_int,
    call: &dyn Fn(usize, c_int) -> Result<usize>,
) -> Result<usize> {
    let call = |len, wait: Wait| call(len, flags | wait.flag()).map_err(connection_lost);
    let mut start = Reading::NONE;
    start.take();
    let (len, first) = match mode::large_send(socket, len, MAX_SEND_CHUNK)? {
        LargeSend::Whole => (len, Wait::InKernel),
        LargeSend::Bounded => (len.min(MAX_SEND_CHUNK), Wait::InKernel),
        LargeSend::Polled => (chunk_of_one(socket, len)?, Wait::InKernel), // It will not: the socket has O_NONBLOCK.
        LargeSend::Pieces => (len, Wait::Never),
    };
    let mut outcome = Outcome::from(call(len, first));
    let mut wanted = len;
    if first == Wait::Never && matches!(outcome, Outcome::NotReady(_) | Outcome::Interrupted) {
        // The most bytes for which the kernel may wait; a message cannot be divided.
        wanted = if options::is_stream(socket)? { UNIX_PIECE } else { len };
        outcome = call(wanted, Wait::InKernel).into();
    }
    Operation::by_mode(socket, Role::Send, &start)
        .finish(Wait::InKernel, outcome, &mut |wait| call(wanted, wait).into())
}

/// A transfer that may take several steps.
pub trait Steps {
    /// How many bytes the next step asks for, if it may wait as `wait` says.
    fn wanted(&self, wait: Wait) -> usize;
    /// Makes one attempt to transfer these bytes.
    fn attempt(&self, wait: Wait) -> Result<usize>;
    /// Counts the bytes that were transferred, and gives the result once all are.
    fn advance(&mut self, count: usize) -> Result<Option<usize>>;
    /// Whether the kernel, if it may wait, completes a step unless something stops it.
    fn kernel_fills(&self) -> bool;
    /// From now on the kernel waits without a limit, and a step may have any size.
    fn unbound(&mut self);
}

/// Finishes a transfer in steps. The first step could wait as `wait` says. `first` is its result, or `None` if that was a part
/// that has been counted already.
#[cold]
#[inline(never)]
pub fn in_steps(
    mut operation: Operation,
    steps: &mut dyn Steps,
    mut wait: Wait,
    first: Option<Result<usize>>,
) -> Result<usize> {
    let mut outcome = first.map(|first| Outcome::from(first.map_err(connection_lost)));
    let mut is_part = true;
    let mut waited = wait;
    loop {
        let kernel_fills = steps.kernel_fills();
        if let Some(outcome) = outcome {
            let count = operation.finish(wait, outcome, &mut |wait| {
                waited = wait;
                steps.attempt(wait).map_err(connection_lost).into()
            })?;
            is_part = count < steps.wanted(waited);
            if let Some(result) = steps.advance(count)? {
                return Ok(result);
            }
        }
        let next = operation.next_step()?;
        wait = if matches!(next, Next::InKernel | Next::OnceInKernel) { Wait::InKernel } else { Wait::Never };
        if next == Next::InKernel {
            steps.unbound();
        }
        let may_be_cut_short = is_part && waited == Wait::InKernel && kernel_fills;
        let was_interrupted = may_be_cut_short && operation.was_interrupted()?;
        waited = wait;
        outcome = Some(match next {
            // The step before took all that was there.
            Next::Poll if is_part && !was_interrupted => Outcome::NotReady(Errno::AGAIN),
            _ if was_interrupted => match steps.attempt(Wait::Never).map_err(connection_lost).into() {
                Outcome::NotReady(_) => Outcome::Interrupted,
                outcome => outcome,
            },
            _ => steps.attempt(wait).map_err(connection_lost).into(),
        });
    }
}

/// A transfer of all of a buffer.
pub struct FullTransfer<'fd> {
    pub socket: BorrowedFd<'fd>,
    pub role: Role,
    pub len: usize,
    pub flags: c_int,
}

impl FullTransfer<'_> {
    /// Transfers the buffer at this pace, and keeps `count` up to date. The arguments of `call` are the place in the
    /// buffer, the length, and the flags.
    #[inline(always)]
    pub fn transfer(
        self,
        pace: Pace,
        count: impl Fn(usize),
        call: impl Fn(usize, usize, c_int) -> Result<usize>,
    ) -> Result<usize> {
        pace.check_deadline()?;
        if self.len == 0 {
            // There is nothing to transfer, but a bad descriptor must be an error.
            return options::is_stream(self.socket).map(|_| 0);
        }
        let is_small_step = self.len <= if self.role == Role::Send { MAX_UNCHECKED_SEND } else { MAX_RECV_CHUNK };
        if self.never_waits() || !is_small_step || matches!(pace, Pace::Until(_)) {
            return self.transfer_rarely(pace, &count, &call);
        }
        let mut start = Reading::NONE;
        start.take();
        match call(0, self.len, self.flags) {
            Ok(done) if done == self.len => {
                count(done);
                Ok(0)
            }
            first => {
                let operation = Operation::by_mode(self.socket, self.role, &start);
                in_steps(
                    operation,
                    &mut self.begun((MAX_RECV_CHUNK, MAX_RECV_CHUNK), &count, &call),
                    Wait::InKernel,
                    Some(first),
                )
            }
        }
    }

    /// As [`FullTransfer::transfer`], for a large buffer, for flags that forbid waiting, and for a deadline or a token.
    #[cold]
    #[inline(never)]
    fn transfer_rarely(
        &self,
        pace: Pace,
        count: &dyn Fn(usize),
        call: &dyn Fn(usize, usize, c_int) -> Result<usize>,
    ) -> Result<usize> {
        let mut start = Reading::NONE;
        start.take();
        let chunk = || chunk_of_one(self.socket, self.len).map(|chunk| (chunk, chunk));
        let (wait, most) = match pace {
            _ if self.never_waits() => (Wait::Never, (usize::MAX, usize::MAX)),
            Pace::Until(_) => (Wait::Never, chunk()?),
            Pace::Mode if self.role == Role::Receive => (Wait::InKernel, chunk()?),
            Pace::Mode => match mode::large_send(self.socket, self.len, MAX_SEND_CHUNK)? {
                LargeSend::Whole => (Wait::InKernel, (usize::MAX, usize::MAX)),
                LargeSend::Bounded => (Wait::InKernel, (MAX_SEND_CHUNK, MAX_SEND_CHUNK)),
                LargeSend::Polled => (Wait::Never, chunk()?),
                LargeSend::Pieces if options::is_stream(self.socket)? => {
                    (Wait::Never, (self.len.min(MAX_RECV_CHUNK), UNIX_PIECE))
                }
                LargeSend::Pieces => (Wait::Never, (self.len, self.len)), // A message is sent whole.
            },
        };
        let mut steps = self.begun(most, count, call);
        if self.never_waits() {
            loop {
                let done = at_once(|| steps.attempt(Wait::Never))?;
                if let Some(result) = steps.advance(done)? {
                    return Ok(result);
                }
            }
        }
        let operation = pace.begin(self.socket, self.role, &start);
        let operation = if steps.most_in_kernel == UNIX_PIECE { operation.in_pieces() } else { operation };
        let first = steps.attempt(wait);
        in_steps(operation, &mut steps, wait, Some(first))
    }

    fn never_waits(&self) -> bool {
        match self.role {
            Role::Receive => self.flags & NEVER_WAIT != 0,
            _ => self.flags & MSG_DONTWAIT != 0,
        }
    }

    fn begun<'a>(
        &'a self,
        (most, most_in_kernel): (usize, usize),
        count: &'a dyn Fn(usize),
        call: &'a dyn Fn(usize, usize, c_int) -> Result<usize>,
    ) -> Begun<'a> {
        Begun { whole: self, most, most_in_kernel, is_unbound: false, done: 0, count, call }
    }
}

/// A transfer of all of a buffer that has begun.
struct Begun<'a> {
    whole: &'a FullTransfer<'a>,
    /// The most bytes that a step asks for, and the most for a step in which the kernel may wait.
    most: usize,
    most_in_kernel: usize,
    /// There is no timeout, so the kernel may wait until all bytes are there (`MSG_WAITALL`). With a timeout it may not: it
    /// begins the timeout anew for each record of TLS, counts only the time that it sleeps, and a peer may send every byte
    /// alone.
    is_unbound: bool,
    done: usize,
    count: &'a dyn Fn(usize),
    call: &'a dyn Fn(usize, usize, c_int) -> Result<usize>,
}

impl Steps for Begun<'_> {
    fn wanted(&self, wait: Wait) -> usize {
        let most = if wait == Wait::InKernel { self.most_in_kernel } else { self.most };
        (self.whole.len - self.done).min(most)
    }

    fn attempt(&self, wait: Wait) -> Result<usize> {
        if wait == Wait::ShutDown {
            return Ok(0);
        }
        let waits_for_all = if self.is_unbound && self.whole.role == Role::Receive { MSG_WAITALL } else { 0 };
        (self.call)(self.done, self.wanted(wait), self.whole.flags | wait.flag() | waits_for_all)
    }

    fn advance(&mut self, count: usize) -> Result<Option<usize>> {
        if count == 0 && self.whole.role == Role::Receive {
            return Err(Errno::PIPE);
        }
        self.done += count;
        (self.count)(self.done);
        Ok((self.done == self.whole.len).then_some(0))
    }

    fn kernel_fills(&self) -> bool {
        self.whole.role == Role::Send || self.is_unbound
    }

    fn unbound(&mut self) {
        self.most_in_kernel = usize::MAX;
        self.is_unbound = true;
    }
}
