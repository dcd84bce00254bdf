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
//!   even if other code clears `O_NONBLOCK`, or while they change: the kernel then waits all of it.
//! - Two values of which one is 0, or that are equal, were set by other code, and mean what they say.
//! - The exact timeout is in a table ([`exact`]), and believed only where it agrees with the kernel.
//!   Without it the timeout is rebuilt from the kernel's settings: never early, late by about a tick.

mod changes;
mod exact;
mod ticks;

use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{Domain, SockRef, Type};

use crate::errno::Result;
use crate::sys;
use crate::time::Limit;
use changes::Change;
pub use changes::Moment;
use ticks::Clock;

/// Ticks by which `SO_SNDTIMEO` exceeds `SO_RCVTIMEO` in a polled timeout, but for the last: more than
/// anybody's rounding, and little enough to be waited for should `O_NONBLOCK` be cleared.
const POLLED: u64 = 28;

/// Seconds that stand for "no timeout": 23 days, near the most that every kernel can hold. A wait in the kernel
/// that really lasts that long is simply begun again.
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
/// to nothing, and there is no timeout, the mode is non-blocking, at the price of one call.
pub fn get(socket: BorrowedFd, side: Side, refused: Option<(Moment, u64)>) -> Result<Mode> {
    let clock = Clock::get();
    let own = ticks(socket, side, clock)?;
    let at_once = refused.is_some_and(|(began, took)| took < clock.nanoseconds(1) / 2 && began.is_undisturbed());
    if own == 0 && at_once {
        return Ok(Mode { limit: Limit::Nothing, interruptible: false, kernel_waits: 0 });
    }
    let settings = Settings::load(socket, clock)?;
    Ok(Mode {
        limit: settings.limit(side, clock, || exact::get(cookie(socket)?)),
        interruptible: settings.interruptible(),
        kernel_waits: if settings.nonblocking { 0 } else { clock.nanoseconds(own.saturating_sub(1)) },
    })
}

/// The mode in which the socket sends, as far as that takes two calls at most: any timeout will do.
pub fn sending(socket: BorrowedFd, began: Moment) -> Result<Sending> {
    let clock = Clock::get();
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
    let clock = Clock::get();
    Ok(Settings::load(socket, clock)?.limit(Side::Receive, clock, || exact::get(cookie(socket)?)))
}

/// Sets the socket's mode and keeps whether signals interrupt it.
pub fn set(socket: BorrowedFd, limit: Limit) -> Result<()> {
    change(socket, |before, cookie, clock| {
        if let Some(cookie) = cookie {
            exact::set(cookie, limit);
        }
        Some(Settings::new(limit, before.interruptible(), clock))
    })
}

/// Whether a signal ends a wait on the socket with `EINTR`.
pub fn is_interruptible(socket: BorrowedFd) -> Result<bool> {
    Ok(Settings::load(socket, Clock::get())?.interruptible())
}

/// Sets whether signals interrupt the socket and keeps its mode.
pub fn set_interruptible(socket: BorrowedFd, on: bool) -> Result<()> {
    change(socket, |before, cookie, clock| {
        if before.interruptible() == on {
            return None;
        }
        Some(match before.limit(Side::Receive, clock, || cookie.and_then(exact::get)) {
            // Ours already: only the mark changes, so that not even a rebuilt timeout drifts.
            Limit::Nanoseconds(_) if before.is_ours() => {
                Settings { send: if on { before.send + 1 } else { before.send - 1 }, ..before }
            }
            limit => Settings::new(limit, on, clock),
        })
    })
}

/// Makes a socket with a timeout a polled one, for calls that cannot be told not to wait. It is in
/// timeout mode just as well; only waiting costs it more calls, until its mode is next set.
pub fn poll_from_now_on(socket: BorrowedFd, side: Side) -> Result<()> {
    change(socket, |before, cookie, clock| match before.limit(side, clock, || cookie.and_then(exact::get)) {
        Limit::Nanoseconds(nanoseconds) if !before.nonblocking => {
            Some(Settings::polled(nanoseconds, before.interruptible(), clock))
        }
        _ => None,
    })
}

/// Changes the settings to what `decide` makes of those before, unless that is `None`.
///
/// Threads may do this at once, and each sets three things. So each looks whether all three are in
/// place, and whether another mode has been asked for since, which it then helps to put in place.
fn change(socket: BorrowedFd, decide: impl FnOnce(Settings, Option<u64>, Clock) -> Option<Settings>) -> Result<()> {
    let clock = Clock::get();
    let cookie = cookie(socket);
    let mut asked = cookie.and_then(exact::get);
    let mut before = Settings::load(socket, clock)?;
    let _change = Change::begin();
    let Some(mut wanted) = decide(before, cookie, clock) else { return Ok(()) };
    for _ in 0..ROUNDS {
        let newest = cookie.and_then(exact::get);
        if newest != asked {
            asked = newest;
            wanted = newest.map_or(wanted, |limit| Settings::new(limit, wanted.interruptible(), clock));
        }
        if before == wanted {
            break;
        }
        wanted.store(socket, before, clock)?;
        before = Settings::read(socket, clock)?;
    }
    Ok(())
}

/// Takes away the timeouts that a TCP connection inherits from its listener. They are there to be
/// cleared or the call is needless: an error would be no reason to lose the connection.
pub fn clear_timeouts(socket: BorrowedFd) {
    for side in [Side::Receive, Side::Send] {
        let _ = sys::set_timeval(socket, side.option(), libc::timeval { tv_sec: 0, tv_usec: 0 });
    }
}

/// `O_NONBLOCK`.
pub fn is_nonblocking(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).nonblocking()?)
}

/// Whether the socket carries a stream of bytes, and not messages.
pub fn is_stream(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).r#type()? == Type::STREAM)
}

/// Whether the socket is of the Unix domain.
pub fn is_unix(socket: BorrowedFd) -> Result<bool> {
    Ok(configure(&socket).domain()? == Domain::UNIX)
}

/// The socket's identity, which no other socket ever gets; none on kernels before 4.12.
fn cookie(socket: BorrowedFd) -> Option<u64> {
    configure(&socket).cookie().ok()
}

/// socket2's view of a socket.
fn configure<'fd>(socket: &'fd BorrowedFd) -> SockRef<'fd> {
    // SAFETY: the boundary lets no negative descriptor in. socket2 asserts the same, and this makes
    // the compiler drop its panic.
    unsafe { std::hint::assert_unchecked(socket.as_raw_fd() >= 0) };
    SockRef::from(socket)
}

fn ticks(socket: BorrowedFd, side: Side, clock: Clock) -> Result<u64> {
    Ok(clock.to_ticks(sys::timeval(socket, side.option())?))
}

/// What the kernel holds of a mode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Settings {
    nonblocking: bool,
    /// `SO_RCVTIMEO` in ticks, 0 for none.
    receive: u64,
    /// `SO_SNDTIMEO` in ticks, 0 for none.
    send: u64,
}

impl Settings {
    fn new(limit: Limit, interruptible: bool, clock: Clock) -> Settings {
        let mark = 1 + u64::from(interruptible);
        match limit {
            Limit::Nanoseconds(nanoseconds) => match clock.share(nanoseconds) {
                0 => Settings::polled(nanoseconds, interruptible, clock),
                share => Settings { nonblocking: false, receive: share, send: share + mark },
            },
            endless => {
                let (receive, send) = if interruptible { (clock.endless(), clock.endless() + mark) } else { (0, 0) };
                Settings { nonblocking: endless == Limit::Nothing, receive, send }
            }
        }
    }

    fn polled(nanoseconds: u64, interruptible: bool, clock: Clock) -> Settings {
        let whole = clock.whole(nanoseconds);
        Settings { nonblocking: true, receive: whole, send: whole + POLLED + 1 + u64::from(interruptible) }
    }

    /// Reads the settings, and again if what was read may be half of a change.
    fn load(socket: BorrowedFd, clock: Clock) -> Result<Settings> {
        let began = Moment::now();
        let mut settings = Settings::read(socket, clock)?;
        for _ in 0..ROUNDS {
            // Other processes do not tell of their changes, but this is how most of them look halfway.
            let halfway = settings.nonblocking && settings.is_ours() && !settings.is_polled();
            if began.is_undisturbed() && !(halfway && settings.receive < clock.endless()) {
                break;
            }
            let again = Settings::read(socket, clock)?;
            if again == settings {
                break;
            }
            settings = again;
        }
        Ok(settings)
    }

    fn read(socket: BorrowedFd, clock: Clock) -> Result<Settings> {
        Ok(Settings {
            // First, because it alone tells a socket from other descriptors.
            receive: ticks(socket, Side::Receive, clock)?,
            send: ticks(socket, Side::Send, clock)?,
            nonblocking: is_nonblocking(socket)?,
        })
    }

    /// Sets what differs, in an order in which every step is the mode before or the mode after to a
    /// thread that operates meanwhile.
    fn store(self, socket: BorrowedFd, before: Settings, clock: Clock) -> Result<()> {
        let mut nonblocking = before.nonblocking;
        let mut set_nonblocking = |on| {
            if nonblocking != on {
                sys::set_nonblocking(socket, on)?;
                nonblocking = on;
            }
            Ok(())
        };
        let waits_not = self.nonblocking && !self.is_polled();
        if waits_not {
            set_nonblocking(true)?;
        } else if before.is_polled() {
            set_nonblocking(false)?;
        }
        let set = |side: Side, ticks| sys::set_timeval(socket, side.option(), clock.to_timeval(ticks));
        // While the timeouts go, one alone would pass for other code's.
        let disguise = self.send == 0 && before.send != 0 && !waits_not;
        if disguise {
            set(Side::Send, clock.endless())?;
        } else if self.send != before.send {
            set(Side::Send, self.send)?;
        }
        if self.receive != before.receive {
            set(Side::Receive, self.receive)?;
        }
        if disguise {
            set(Side::Send, 0)?;
        }
        set_nonblocking(self.nonblocking)
    }

    /// By how much `SO_SNDTIMEO` exceeds `SO_RCVTIMEO`, if both are set.
    fn mark(self) -> u64 {
        if self.receive == 0 { 0 } else { self.send.saturating_sub(self.receive) }
    }

    fn is_polled(self) -> bool {
        self.nonblocking && self.has_polled_mark()
    }

    fn has_polled_mark(self) -> bool {
        matches!(self.mark().wrapping_sub(POLLED), 1 | 2)
    }

    fn has_mark(self) -> bool {
        matches!(self.mark(), 1 | 2)
    }

    fn interruptible(self) -> bool {
        self.mark() == 2 || self.mark() == POLLED + 2
    }

    fn is_ours(self) -> bool {
        self.receive != 0 && self.send != 0 && self.receive != self.send
    }

    /// How long `side` may wait. `exact` is asked for the socket's entry in the table.
    fn limit(self, side: Side, clock: Clock, exact: impl FnOnce() -> Option<Limit>) -> Limit {
        if self.nonblocking && !self.is_polled() {
            return Limit::Nothing;
        }
        let own = match side {
            Side::Receive => self.receive,
            Side::Send => self.send,
        };
        if own == 0 {
            return Limit::Forever;
        }
        match exact() {
            Some(Limit::Nanoseconds(exact)) if self.agrees_with(exact, side, clock) => Limit::Nanoseconds(exact),
            _ if own >= clock.longest() => Limit::Forever,
            _ if !self.is_ours() => Limit::Nanoseconds(clock.nanoseconds(own)),
            _ if self.has_polled_mark() => Limit::Nanoseconds(clock.nanoseconds(self.receive)),
            _ if self.has_mark() => Limit::Nanoseconds(clock.rebuild(self.receive)),
            // Two of other code's, or halves of two of ours.
            _ => Limit::Nanoseconds(clock.rebuild(own)),
        }
    }

    /// Whether `side` is as this library sets it for that timeout. The other side may be about to
    /// change.
    fn agrees_with(self, nanoseconds: u64, side: Side, clock: Clock) -> bool {
        let (share, whole) = (clock.share(nanoseconds), clock.whole(nanoseconds));
        match side {
            Side::Receive => self.receive == share || self.receive == whole,
            Side::Send => {
                matches!(self.send.wrapping_sub(share), 1 | 2)
                    || matches!(self.send.wrapping_sub(whole + POLLED), 1 | 2)
            }
        }
    }
}
