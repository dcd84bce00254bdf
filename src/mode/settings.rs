//! What the kernel holds of a mode: written, read, and made sense of.

use std::os::fd::BorrowedFd;

use super::changes::Moment;
use super::ticks::Clock;
use super::{POLLED, ROUNDS, Side};
use crate::errno::Result;
use crate::time::Limit;
use crate::{options, sys};

/// One of the two timeouts in ticks, 0 for none.
pub fn ticks(socket: BorrowedFd, side: Side, clock: Clock) -> Result<u64> {
    Ok(clock.to_ticks(sys::timeval(socket, side.option())?))
}

/// What the kernel holds of a mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub nonblocking: bool,
    /// `SO_RCVTIMEO` in ticks, 0 for none.
    pub receive: u64,
    /// `SO_SNDTIMEO` in ticks, 0 for none.
    pub send: u64,
}

impl Settings {
    pub fn new(limit: Limit, interruptible: bool, clock: Clock) -> Settings {
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

    pub fn polled(nanoseconds: u64, interruptible: bool, clock: Clock) -> Settings {
        let whole = clock.whole(nanoseconds);
        Settings { nonblocking: true, receive: whole, send: whole + POLLED + 1 + u64::from(interruptible) }
    }

    /// Reads the settings, and again if what was read may be half of a change.
    pub fn load(socket: BorrowedFd, clock: Clock) -> Result<Settings> {
        let began = Moment::now();
        let mut settings = Settings::read(socket, clock)?;
        for _ in 0..ROUNDS {
            if began.is_undisturbed() && !settings.may_be_halfway(clock) {
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

    pub fn read(socket: BorrowedFd, clock: Clock) -> Result<Settings> {
        Ok(Settings {
            // First, because it alone tells a socket from other descriptors.
            receive: ticks(socket, Side::Receive, clock)?,
            send: ticks(socket, Side::Send, clock)?,
            nonblocking: options::is_nonblocking(socket)?,
        })
    }

    /// Sets what differs, in an order in which every step is the mode before or the mode after to a
    /// thread that operates meanwhile.
    pub fn store(self, socket: BorrowedFd, before: Settings, clock: Clock) -> Result<()> {
        let mut nonblocking = before.nonblocking;
        let mut set_nonblocking = |on| {
            if nonblocking != on {
                sys::set_nonblocking(socket, on)?;
                nonblocking = on;
            }
            Ok(())
        };
        if self.nonblocking && !self.is_polled() {
            set_nonblocking(true)?;
        } else if before.is_polled() {
            set_nonblocking(false)?;
        }
        let set = |side: Side, ticks| sys::set_timeval(socket, side.option(), clock.to_timeval(ticks));
        // One timeout alone would pass for other code's: as they come or go, one stands for none.
        let alone = (self.send == 0) != (before.send == 0);
        if alone {
            set(Side::Send, clock.endless())?;
        }
        if self.receive != before.receive {
            set(Side::Receive, self.receive)?;
        }
        if self.send != before.send {
            set(Side::Send, self.send)?;
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

    /// Other processes do not tell of their changes, but this is how nearly all look that are met halfway
    /// and must not be taken for what they seem: non-blocking mode, or a single timeout of other code's.
    fn may_be_halfway(self, clock: Clock) -> bool {
        let seems_nonblocking = self.nonblocking && !self.is_polled() && self.receive < clock.endless();
        let alone = (self.receive == 0) != (self.send == 0);
        alone || seems_nonblocking && self.differ()
    }

    /// A timeout of this library's.
    pub fn has_timeout(self, clock: Clock) -> bool {
        (self.has_mark() || self.has_polled_mark()) && self.receive < clock.endless()
    }

    pub fn interruptible(self) -> bool {
        self.mark() == 2 || self.mark() == POLLED + 2
    }

    /// Two timeouts that differ: this library's, but for two of other code's.
    fn differ(self) -> bool {
        self.receive != 0 && self.send != 0 && self.receive != self.send
    }

    /// How long `side` may wait. `exact` is asked for the socket's entry in the table.
    pub fn limit(self, side: Side, clock: Clock, exact: impl FnOnce() -> Option<Limit>) -> Limit {
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
        if !self.differ() {
            return if own < clock.longest() { Limit::Nanoseconds(clock.nanoseconds(own)) } else { Limit::Forever };
        }
        match exact() {
            Some(Limit::Nanoseconds(exact)) if self.agrees_with(exact, side, clock) => Limit::Nanoseconds(exact),
            _ if own >= clock.longest() => Limit::Forever,
            _ if self.has_polled_mark() => Limit::Nanoseconds(clock.nanoseconds(self.receive)),
            _ if self.has_mark() => Limit::Nanoseconds(clock.rebuild(self.receive)),
            // Two of other code's, or halves of two of ours.
            _ => Limit::Nanoseconds(clock.rebuild(own)),
        }
    }

    /// Whether the settings are those that this library makes for that timeout; or `side` is, if the
    /// other is about to change.
    fn agrees_with(self, nanoseconds: u64, side: Side, clock: Clock) -> bool {
        let (share, whole) = (clock.share(nanoseconds), clock.whole(nanoseconds));
        match side {
            _ if self.has_mark() => self.receive == share,
            _ if self.has_polled_mark() => self.receive == whole,
            Side::Receive => self.receive == share || self.receive == whole,
            Side::Send => {
                matches!(self.send.wrapping_sub(share), 1 | 2)
                    || matches!(self.send.wrapping_sub(whole + POLLED), 1 | 2)
            }
        }
    }
}
