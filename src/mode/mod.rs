//! The mode of a socket: what it is, and where it is kept.
//!
//! A mode belongs to the socket, not to a descriptor or a process, so it lives in the kernel, in
//! three settings that travel with the socket through dup, fork, exec and `SCM_RIGHTS` and die with
//! it: `O_NONBLOCK`, `SO_RCVTIMEO` and `SO_SNDTIMEO`. In ticks of the kernel's timer:
//!
//! | mode            | `O_NONBLOCK` | `SO_RCVTIMEO`  | `SO_SNDTIMEO`                 |
//! | --------------- | ------------ | -------------- | ----------------------------- |
//! | blocking        | clear        | 0              | 0                             |
//! | non-blocking    | set          | 0              | 0                             |
//! | timeout         | clear        | its share      | its share + 1                 |
//! | timeout, polled | set          | all of it      | all of it + [`POLLED`] + 1    |
//!
//! With `sock_setinterrupt` on, `SO_SNDTIMEO` is one tick longer still, and modes without a timeout
//! have [`ENDLESS`] seconds for one: a receive with `SO_RCVTIMEO` set returns `EINTR` even under
//! `SA_RESTART`, which is just what is wanted then.
//!
//! - The *share* is a little less than the timeout. The kernel waits that long inside the operation
//!   itself, and its timer, which may be an eighth and a tick late, is never too late.
//! - A timeout too short for a share is *polled*: the kernel does not wait at all. A listener on which
//!   `accept` must not fall back into the kernel's wait becomes polled too. The settings make sense
//!   even if other code clears `O_NONBLOCK`, or while they change: the kernel then waits all of it, or
//!   [`POLLED`] ticks longer to send.
//! - Two values of which one is 0, or that are equal, were set by other code, and mean what they say.
//! - The exact timeout is in a table ([`exact`]), and believed only where it agrees with the kernel.
//!   Without it the timeout is rebuilt from the kernel's settings: never early, late by about a tick.

mod changes;
mod exact;
mod settings;
mod ticks;

use std::os::fd::BorrowedFd;

use crate::errno::Result;
use crate::options::{cookie, is_nonblocking};
use crate::sys;
use crate::time::Limit;
use changes::Change;
pub use changes::Moment;
use exact::Request;
use settings::{Settings, ticks};
use ticks::Clock;

/// Ticks by which `SO_SNDTIMEO` exceeds `SO_RCVTIMEO` in a polled timeout, but for the last: more than
/// anybody's rounding, and little enough to be waited for should `O_NONBLOCK` be cleared.
const POLLED: u64 = 28;

/// Seconds that stand for "no timeout": 23 days, near the most that every kernel can hold. A wait in the
/// kernel that really lasts that long is simply begun again.
const ENDLESS: u64 = 2_000_000;

/// How often to look again when other threads change the settings meanwhile.
const ROUNDS: u32 = 8;

/// Which of the two timeouts an operation obeys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Receive,
    Send,
}

impl Side {
    fn option(self) -> libc::c_int {
        match self {
            Side::Receive => libc::SO_RCVTIMEO,
            Side::Send => libc::SO_SNDTIMEO,
        }
    }
}

/// What an operation that is not ready needs to know.
#[derive(Clone, Copy)]
pub struct Mode {
    pub limit: Limit,
    /// A signal ends the wait with `EINTR`.
    pub interruptible: bool,
    /// For how many nanoseconds at least the kernel itself waits before it says `EAGAIN`.
    pub kernel_waits: u64,
}

/// How a socket sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    AtOnce,
    Timed,
    Endless,
}

/// The mode in which `side` of the socket operates. `refused` is given when the kernel said that a call
/// is not ready which it was free to wait in: when the call began, and how long it took. If that is next
/// to nothing, and there is no timeout, the mode is non-blocking, at the price of one call. (Or it was a
/// polled timeout, which another process has made endless in this very moment: then `EAGAIN` is stray.)
pub fn get(socket: BorrowedFd, side: Side, refused: Option<(Moment, u64)>) -> Result<Mode> {
    let clock = Clock::get()?;
    let own = ticks(socket, side, clock)?;
    let at_once = refused.is_some_and(|(began, took)| took < clock.nanoseconds(1) / 2 && began.is_undisturbed());
    if own == 0 && at_once {
        return Ok(Mode { limit: Limit::Nothing, interruptible: false, kernel_waits: 0 });
    }
    let settings = Settings::load(socket, clock)?;
    Ok(Mode {
        limit: settings.limit(side, clock, || exact_limit(socket)),
        interruptible: settings.interruptible(),
        kernel_waits: if settings.nonblocking { 0 } else { clock.nanoseconds(own.saturating_sub(1)) },
    })
}

/// The mode in which the socket sends, as far as that takes two calls at most: any timeout will do.
pub fn sending(socket: BorrowedFd, began: Moment) -> Result<Sending> {
    let clock = Clock::get()?;
    let own = ticks(socket, Side::Send, clock)?;
    if own != 0 && own < clock.endless() {
        return Ok(Sending::Timed);
    }
    let nonblocking = is_nonblocking(socket)?;
    if began.is_undisturbed() {
        return Ok(if nonblocking { Sending::AtOnce } else { Sending::Endless });
    }
    Ok(match Settings::load(socket, clock)?.limit(Side::Send, clock, || None) {
        Limit::Nothing => Sending::AtOnce,
        Limit::Nanoseconds(_) => Sending::Timed,
        Limit::Forever => Sending::Endless,
    })
}

/// The mode that was set, as far as receiving goes.
pub fn limit(socket: BorrowedFd) -> Result<Limit> {
    let clock = Clock::get()?;
    Ok(Settings::load(socket, clock)?.limit(Side::Receive, clock, || exact_limit(socket)))
}

/// Sets the socket's mode and keeps whether signals interrupt it.
pub fn set(socket: BorrowedFd, limit: Limit) -> Result<()> {
    change(socket, Some(limit), &|before, _, clock| Settings::new(limit, before.interruptible(), clock))
}

/// Whether a signal ends a wait on the socket with `EINTR`.
pub fn is_interruptible(socket: BorrowedFd) -> Result<bool> {
    Ok(Settings::load(socket, Clock::get()?)?.interruptible())
}

/// Sets whether signals interrupt the socket and keeps its mode.
pub fn set_interruptible(socket: BorrowedFd, on: bool) -> Result<()> {
    change(socket, None, &|before, asked, clock| match before {
        _ if before.interruptible() == on => before,
        // Ours already: only the mark changes, so that not even a rebuilt timeout drifts.
        _ if before.has_timeout(clock) => {
            Settings { send: if on { before.send + 1 } else { before.send - 1 }, ..before }
        }
        _ => Settings::new(before.limit(Side::Receive, clock, || asked), on, clock),
    })
}

/// Makes a socket with a timeout a polled one, for calls that cannot be told not to wait. It is in
/// timeout mode just as well; only waiting costs it more calls, until its mode is next set.
pub fn poll_from_now_on(socket: BorrowedFd, side: Side) -> Result<()> {
    change(socket, None, &|before, asked, clock| match before.limit(side, clock, || asked) {
        Limit::Nanoseconds(nanoseconds) if !before.nonblocking => {
            Settings::polled(nanoseconds, before.interruptible(), clock)
        }
        _ => before,
    })
}

/// Changes the settings to what `decide` makes of those before and of the limit in the table. When a
/// mode is set, and not only changed in kind, it is `new`.
fn change(
    socket: BorrowedFd,
    new: Option<Limit>,
    decide: &dyn Fn(Settings, Option<Limit>, Clock) -> Settings,
) -> Result<()> {
    let clock = Clock::get()?;
    let cookie = cookie(socket);
    let request = || cookie.and_then(exact::get);
    let known = request();
    let original = Settings::load(socket, clock)?;
    let _change = Change::begin();
    let (before, asked) = match request() {
        // Not what is about to go, but what is about to come.
        Some(asked) if asked.pending => {
            (Settings::new(asked.limit, original.interruptible(), clock), Some(asked.limit))
        }
        asked => (original, asked.map(|asked| asked.limit)),
    };
    let entry = cookie.zip(new);
    if let Some((cookie, limit)) = entry {
        exact::begin(cookie, limit);
    }
    let changed = put_in_place(socket, original, decide(before, asked, clock), known, &request, clock);
    if let Some((cookie, limit)) = entry {
        match changed {
            Ok(()) => exact::end(cookie, limit),
            Err(_) => exact::take_back(cookie, limit, before.limit(Side::Receive, clock, || asked)),
        }
    }
    changed
}

/// Puts settings in place of others.
///
/// Threads may do this at once, and each sets three things. So each looks whether all three are in
/// place, and whether another mode than the `known` has been requested since, which it then helps to
/// put in place.
fn put_in_place(
    socket: BorrowedFd,
    original: Settings,
    mut wanted: Settings,
    mut known: Option<Request>,
    request: &dyn Fn() -> Option<Request>,
    clock: Clock,
) -> Result<()> {
    let mut before = original;
    for _ in 0..ROUNDS {
        let newest = request();
        if newest != known {
            known = newest;
            wanted = newest.map_or(wanted, |asked| Settings::new(asked.limit, wanted.interruptible(), clock));
        }
        if before == wanted {
            break;
        }
        let stored = wanted.store(socket, before, clock).and_then(|()| Settings::read(socket, clock));
        before = stored.inspect_err(|_| {
            // Only a policy refuses such calls, and it may refuse some. The others are taken back.
            if let Ok(halfway) = Settings::read(socket, clock) {
                let _ = original.store(socket, halfway, clock);
            }
        })?;
    }
    Ok(())
}

/// The limit that was last asked for in this process.
fn exact_limit(socket: BorrowedFd) -> Option<Limit> {
    Some(exact::get(cookie(socket)?)?.limit)
}

/// Takes away the timeouts that a TCP connection inherits from its listener. They are there to be
/// cleared or the call is needless: an error would be no reason to lose the connection.
pub fn clear_timeouts(socket: BorrowedFd) {
    for side in [Side::Receive, Side::Send] {
        let _ = sys::set_timeval(socket, side.option(), libc::timeval { tv_sec: 0, tv_usec: 0 });
    }
}
