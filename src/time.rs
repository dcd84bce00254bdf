//! Time: the clock, a caller's seconds, and deadlines.

use libc::timespec;

use crate::errno::{Errno, Result};

/// The longest finite timeout, in nanoseconds: about 292 years.
const LONGEST: u64 = i64::MAX as u64;

/// What `CLOCK_MONOTONIC` says. The vDSO answers without a system call; only where it does not can that
/// fail, if a policy refuses it.
pub struct Reading(timespec);

impl Reading {
    pub const NONE: Reading = Reading(timespec { tv_sec: 0, tv_nsec: 0 });

    /// Whether it could be taken; `errno` says why not.
    #[inline]
    pub fn take(&mut self) -> bool {
        // SAFETY: the pointer is to `self`.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut self.0) == 0 }
    }

    pub fn nanoseconds(&self) -> u64 {
        self.0.tv_sec as u64 * 1_000_000_000 + self.0.tv_nsec as u64
    }
}

/// The clock, in nanoseconds.
pub fn clock() -> Result<u64> {
    let mut reading = Reading::NONE;
    if !reading.take() {
        return Err(Errno::last());
    }
    Ok(reading.nanoseconds())
}

/// The same for those who would rather not know yet, to whom it may be 0: all who wait ask once more.
pub fn now() -> u64 {
    clock().unwrap_or(0)
}

/// How long an operation may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Not at all.
    Nothing,
    /// So many nanoseconds, one at least.
    Nanoseconds(u64),
    /// For as long as it takes.
    Forever,
}

impl Limit {
    /// A caller's seconds. The nanoseconds are the fewest that read back as no less than what was
    /// asked for (as long as doubles tell them apart, which is three months), so that a positive value
    /// never becomes 0 and 0.1 stays 0.1.
    pub fn from_seconds(seconds: f64) -> Result<Limit> {
        if seconds.is_nan() || seconds < 0.0 {
            return Err(Errno::INVAL);
        }
        if seconds == 0.0 {
            return Ok(Limit::Nothing);
        }
        if seconds == f64::INFINITY {
            return Ok(Limit::Forever);
        }
        if seconds * 1e9 >= LONGEST as f64 {
            return Err(Errno::OVERFLOW);
        }
        // The product may round either way, by less than one nanosecond until doubles run out of them.
        let mut nanoseconds = (seconds * 1e9) as u64;
        if (nanoseconds as f64) / 1e9 < seconds {
            nanoseconds += 1;
        }
        Ok(Limit::Nanoseconds(nanoseconds))
    }

    /// The seconds that [`Limit::from_seconds`] would read as this.
    pub fn to_seconds(self) -> f64 {
        match self {
            Limit::Nothing => 0.0,
            Limit::Nanoseconds(nanoseconds) => nanoseconds as f64 / 1e9,
            Limit::Forever => f64::INFINITY,
        }
    }

    /// The moment at which the wait of an operation begun at `start` ends; `None` is never.
    pub fn deadline(self, start: u64) -> Option<u64> {
        match self {
            Limit::Nothing => Some(start),
            Limit::Nanoseconds(nanoseconds) => Some(start.saturating_add(nanoseconds)),
            Limit::Forever => None,
        }
    }
}

/// What is left until `deadline`, as `ppoll` takes it, or nearly: the kernel lets a wait be late by a
/// thousandth of its length, or five in a niced process, so that the end of a long one is left to be
/// waited for by itself.
pub fn until(deadline: u64) -> Result<timespec> {
    const LONG: u64 = 20_000_000;
    let left = deadline.saturating_sub(clock()?);
    Ok(span(if left > LONG { left - left / 128 } else { left }))
}

/// Nanoseconds as a `timespec`. Where `time_t` is narrow a long span is cut to what it holds.
pub fn span(nanoseconds: u64) -> timespec {
    let seconds = (nanoseconds / 1_000_000_000).min(libc::time_t::MAX as u64);
    timespec { tv_sec: seconds as libc::time_t, tv_nsec: (nanoseconds % 1_000_000_000) as _ }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanoseconds(seconds: f64) -> u64 {
        match Limit::from_seconds(seconds) {
            Ok(Limit::Nanoseconds(nanoseconds)) => nanoseconds,
            _ => panic!("{seconds} is not a finite timeout"),
        }
    }

    #[test]
    fn seconds_round_up_and_read_back() {
        for (seconds, expected) in [
            (0.1, 100_000_000),
            (7.345, 7_345_000_000),
            (123_456.789, 123_456_789_000_000),
            (4_294_967.3, 4_294_967_300_000_000),
            (1e-9, 1),
            (1e-300, 1),
            (f64::MIN_POSITIVE, 1),
            (1.000_000_000_1, 1_000_000_001),
        ] {
            assert_eq!(nanoseconds(seconds), expected, "{seconds}");
            assert!(Limit::Nanoseconds(expected).to_seconds() >= seconds, "{seconds} would be early");
        }
        for milliseconds in 1..20_000_u64 {
            let seconds = milliseconds as f64 / 1e3;
            assert_eq!(nanoseconds(seconds), milliseconds * 1_000_000);
            assert_eq!(Limit::Nanoseconds(milliseconds * 1_000_000).to_seconds(), seconds);
        }
    }

    #[test]
    fn seconds_out_of_range_are_refused() {
        for seconds in [-1.0, -1e-300, f64::NAN, f64::NEG_INFINITY] {
            assert!(Limit::from_seconds(seconds) == Err(Errno::INVAL), "{seconds}");
        }
        for seconds in [1e10, 9_223_372_036.854_776, f64::MAX] {
            assert!(Limit::from_seconds(seconds) == Err(Errno::OVERFLOW), "{seconds}");
        }
        assert!(Limit::from_seconds(0.0) == Ok(Limit::Nothing));
        assert!(Limit::from_seconds(-0.0) == Ok(Limit::Nothing));
        assert!(Limit::from_seconds(f64::INFINITY) == Ok(Limit::Forever));
    }
}
