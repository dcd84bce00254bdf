//! Time: the clock, a caller's seconds, and deadlines.

use libc::timespec;

use crate::errno::{Errno, Result};

/// The longest finite timeout, in nanoseconds: about 292 years.
const LONGEST: u64 = i64::MAX as u64;

/// A reading of `CLOCK_MONOTONIC`. The vDSO answers without a system call. Where it does not, a policy may refuse
/// the call.
pub struct Reading(timespec);

impl Reading {
    pub const NONE: Reading = Reading(timespec { tv_sec: 0, tv_nsec: 0 });

    /// Reads the clock. False if that failed; `errno` says why.
    #[inline]
    pub fn take(&mut self) -> bool {
        // SAFETY: the pointer is to `self`.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut self.0) == 0 }
    }

    pub fn nanoseconds(&self) -> u64 {
        self.0.tv_sec as u64 * 1_000_000_000 + self.0.tv_nsec as u64
    }
}

/// The time, in nanoseconds.
pub fn read_clock() -> Result<u64> {
    let mut reading = Reading::NONE;
    if !reading.take() {
        return Err(Errno::last());
    }
    Ok(reading.nanoseconds())
}

/// The time, or 0 if the clock cannot be read. A wait reads it once more, and fails then.
pub fn now() -> u64 {
    read_clock().unwrap_or(0)
}

/// How long an operation may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timeout {
    /// Not at all.
    Zero,
    /// This many nanoseconds, at least one.
    Nanoseconds(u64),
    /// For as long as it takes.
    Forever,
}

impl Timeout {
    /// A caller's seconds.
    pub fn from_seconds(seconds: f64) -> Result<Timeout> {
        if seconds.is_nan() || seconds < 0.0 {
            return Err(Errno::INVAL);
        }
        match to_nanoseconds(seconds)? {
            None => Ok(Timeout::Forever),
            Some(0) => Ok(Timeout::Zero),
            Some(nanoseconds) => Ok(Timeout::Nanoseconds(nanoseconds)),
        }
    }

    /// The seconds that [`Timeout::from_seconds`] would read as this.
    pub fn to_seconds(self) -> f64 {
        match self {
            Timeout::Zero => 0.0,
            Timeout::Nanoseconds(nanoseconds) => nanoseconds as f64 / 1e9,
            Timeout::Forever => f64::INFINITY,
        }
    }

    /// The moment at which the wait of an operation begun at `start` ends; `None` is never.
    pub fn deadline(self, start: u64) -> Option<u64> {
        match self {
            Timeout::Zero => Some(start),
            Timeout::Nanoseconds(nanoseconds) => Some(start.saturating_add(nanoseconds)),
            Timeout::Forever => None,
        }
    }
}

/// Seconds, 0 or more, in nanoseconds; infinity is `None`. The result is the least number of nanoseconds that is not less
/// than the seconds when it is read back. So a positive value never becomes 0, and 0.1 stays 0.1. (Doubles tell single
/// nanoseconds apart up to three months.)
fn to_nanoseconds(seconds: f64) -> Result<Option<u64>> {
    if seconds == f64::INFINITY {
        return Ok(None);
    }
    if seconds * 1e9 >= LONGEST as f64 {
        return Err(Errno::OVERFLOW);
    }
    // The product may be rounded up or down, by less than one nanosecond as long as doubles have single nanoseconds.
    let mut nanoseconds = (seconds * 1e9) as u64;
    if (nanoseconds as f64) / 1e9 < seconds {
        nanoseconds += 1;
    }
    Ok(Some(nanoseconds))
}

/// A caller's deadline in seconds of the clock, as nanoseconds; infinity is `None`. A deadline before the clock's beginning
/// becomes that beginning, which has passed.
pub fn deadline_from_seconds(seconds: f64) -> Result<Option<u64>> {
    if seconds.is_nan() {
        return Err(Errno::INVAL);
    }
    // Not f64::max, which is a call of the mathematical library on some architectures.
    to_nanoseconds(if seconds < 0.0 { 0.0 } else { seconds })
}

/// The deadline that is `seconds` from now. When [`deadline_from_seconds`] reads it, it is never earlier.
pub fn deadline_in(seconds: f64) -> f64 {
    let start = now();
    match to_nanoseconds(seconds) {
        Ok(Some(nanoseconds)) if seconds >= 0.0 => {
            let end = start.saturating_add(nanoseconds);
            let rounded = end as f64 / 1e9;
            let is_early = to_nanoseconds(rounded).is_ok_and(|read| read.is_some_and(|read| read < end));
            // The next double above: for a positive number its bits are one more.
            if is_early { f64::from_bits(rounded.to_bits() + 1) } else { rounded }
        }
        _ => start as f64 / 1e9 + seconds, // Not a number, infinite, too far away, or past.
    }
}

/// The time left until `deadline`, for `ppoll`. Of a long wait it is a little less: the kernel lets a wait be late by a
/// thousandth of its length, or by five thousandths in a niced process. So a second, short wait follows for its end.
pub fn until(deadline: u64) -> Result<timespec> {
    const LONG: u64 = 20_000_000;
    let left = deadline.saturating_sub(read_clock()?);
    Ok(span(if left > LONG { left - left / 128 } else { left }))
}

/// Nanoseconds as a `timespec`. Where `time_t` has 32 bits, a longer span is cut to its greatest value.
pub fn span(nanoseconds: u64) -> timespec {
    let seconds = (nanoseconds / 1_000_000_000).min(libc::time_t::MAX as u64);
    timespec { tv_sec: seconds as libc::time_t, tv_nsec: (nanoseconds % 1_000_000_000) as _ }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanoseconds(seconds: f64) -> u64 {
        match Timeout::from_seconds(seconds) {
            Ok(Timeout::Nanoseconds(nanoseconds)) => nanoseconds,
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
            assert!(Timeout::Nanoseconds(expected).to_seconds() >= seconds, "{seconds} would be early");
        }
        for milliseconds in 1..20_000_u64 {
            let seconds = milliseconds as f64 / 1e3;
            assert_eq!(nanoseconds(seconds), milliseconds * 1_000_000);
            assert_eq!(Timeout::Nanoseconds(milliseconds * 1_000_000).to_seconds(), seconds);
        }
    }

    #[test]
    fn seconds_out_of_range_are_refused() {
        for seconds in [-1.0, -1e-300, f64::NAN, f64::NEG_INFINITY] {
            assert!(Timeout::from_seconds(seconds) == Err(Errno::INVAL), "{seconds}");
        }
        for seconds in [1e10, 9_223_372_036.854_776, f64::MAX] {
            assert!(Timeout::from_seconds(seconds) == Err(Errno::OVERFLOW), "{seconds}");
        }
        assert!(Timeout::from_seconds(0.0) == Ok(Timeout::Zero));
        assert!(Timeout::from_seconds(-0.0) == Ok(Timeout::Zero));
        assert!(Timeout::from_seconds(f64::INFINITY) == Ok(Timeout::Forever));
    }
}
