//! The kernel's timer ticks, in which it keeps the timeouts of sockets.

use std::num::NonZeroU64;

use libc::timeval;

use crate::errno::Result;
use crate::linux;

/// Seconds that stand for "no timeout": 23 days, which is near the longest timeout that every kernel can hold. If a wait
/// in the kernel really lasts that long, it is begun again.
const ENDLESS: u64 = 2_000_000;

/// The unit, in nanoseconds, in which a long timeout is kept. There are 51 bits for it: the 24 of the rest in the mode word,
/// and 27 for the ticks above [`Tick::long`]. A unit of ten microseconds keeps short decimal fractions exact.
const LONG_UNIT: u64 = 10_000;
const LONG_REST_BITS: u32 = 24;
const LONG_TICKS: u64 = 1 << 27;

/// The part of a timeout that the kernel's ticks stand for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// The share for which the kernel waits.
    Share,
    /// All of it.
    Whole,
}

/// The length of a tick. Non-zero throughout, so that no division can panic.
#[derive(Clone, Copy)]
pub struct Tick {
    per_second: NonZeroU64,
    nanoseconds: NonZeroU64,
    microseconds: NonZeroU64,
}

impl Tick {
    /// Asks the system, and never guesses: with a wrong tick the settings would not be read back as they were written.
    pub fn get() -> Result<Tick> {
        Ok(Tick::of(linux::tick()?))
    }

    /// A tick of this length. If no timer of Linux has such a tick, the slowest tick of Linux is taken. A kernel that
    /// reports 1 ns keeps every timeout as it was given, and so timeouts in slower ticks too.
    fn of(nanoseconds: u64) -> Tick {
        const FASTEST: NonZeroU64 = NonZeroU64::new(100_000).unwrap();
        const SLOWEST: NonZeroU64 = NonZeroU64::new(10_000_000).unwrap();
        let known = NonZeroU64::new(nanoseconds).filter(|tick| (FASTEST..=SLOWEST).contains(tick));
        let nanoseconds = known.unwrap_or(SLOWEST);
        let nearest = (1_000_000_000 + nanoseconds.get() / 2) / nanoseconds;
        let per_second = NonZeroU64::new(nearest).unwrap_or(NonZeroU64::MIN);
        let in_one_tick = |second: u64| NonZeroU64::new(second / per_second).unwrap_or(NonZeroU64::MIN);
        Tick { per_second, nanoseconds: in_one_tick(1_000_000_000), microseconds: in_one_tick(1_000_000) }
    }

    #[cfg(test)]
    pub fn with_rate(per_second: u64) -> Tick {
        Tick::of(1_000_000_000 / per_second)
    }

    /// Ticks as nanoseconds.
    pub fn to_nanoseconds(self, ticks: u64) -> u64 {
        ticks.saturating_mul(self.nanoseconds.get())
    }

    /// The ticks that stand for "no timeout".
    pub fn endless(self) -> u64 {
        ENDLESS * self.per_second.get()
    }

    /// The least ticks that stand for a long timeout.
    fn long(self) -> u64 {
        self.endless() - LONG_TICKS - 1
    }

    /// The share of a timeout, in ticks, or 0 if it is too short for a share. The kernel's timer may fire an eighth of the
    /// time and a tick too late, and even then a part of the timeout must be left.
    pub fn share(self, nanoseconds: u64) -> u64 {
        (nanoseconds / 9 * 8 / self.nanoseconds).saturating_sub(2)
    }

    /// The most ticks that the kernel waits when it is told to wait for `ticks`: an eighth and a tick longer.
    pub fn latest(self, ticks: u64) -> u64 {
        if ticks == 0 { 0 } else { ticks + ticks / 8 + 2 }
    }

    /// The shortest timeout that has these ticks.
    fn least(self, scale: Scale, ticks: u64) -> u64 {
        match scale {
            Scale::Share => self.to_nanoseconds(ticks + 2).div_ceil(8).saturating_mul(9),
            Scale::Whole => self.to_nanoseconds(ticks.saturating_sub(1)) + 1,
        }
    }

    /// Divides a timeout into ticks and the rest.
    pub fn divide(self, scale: Scale, nanoseconds: u64) -> (u64, u64) {
        if nanoseconds >= self.least(scale, self.long()) {
            let units = nanoseconds.div_ceil(LONG_UNIT) - self.long_units(scale);
            return (self.long() + (units >> LONG_REST_BITS), units & ((1 << LONG_REST_BITS) - 1));
        }
        let ticks = match scale {
            Scale::Share => self.share(nanoseconds),
            Scale::Whole => nanoseconds.saturating_sub(1) / self.nanoseconds + 1,
        };
        (ticks, nanoseconds.saturating_sub(self.least(scale, ticks)))
    }

    /// The timeout of these ticks and this rest: the inverse of [`Tick::divide`].
    pub fn join(self, scale: Scale, ticks: u64, rest: u64) -> u64 {
        match ticks.checked_sub(self.long()) {
            Some(beyond) => {
                let units = (beyond.min(LONG_TICKS) << LONG_REST_BITS) + rest + self.long_units(scale);
                units.saturating_mul(LONG_UNIT)
            }
            None => self.least(scale, ticks) + rest,
        }
    }

    /// The longest timeout that has these ticks. Where the rest is not known this one is never early.
    pub fn most(self, scale: Scale, ticks: u64) -> u64 {
        match ticks.checked_sub(self.long()) {
            Some(_) => self.join(scale, ticks, 1 << LONG_REST_BITS),
            None => self.least(scale, ticks + 1) - 1,
        }
    }

    fn long_units(self, scale: Scale) -> u64 {
        self.least(scale, self.long()) / LONG_UNIT
    }

    /// Ticks in the form that the kernel takes. It divides the microseconds by the length of a tick and rounds up.
    pub fn to_timeval(self, ticks: u64) -> timeval {
        let microseconds = ticks % self.per_second * self.microseconds.get();
        timeval { tv_sec: (ticks / self.per_second) as _, tv_usec: microseconds as _ }
    }

    /// Ticks from the form that the kernel gives: in microseconds, rounded down.
    pub fn to_ticks(self, value: timeval) -> u64 {
        let microseconds = value.tv_usec as u64;
        (value.tv_sec as u64).saturating_mul(self.per_second.get())
            + microseconds.wrapping_mul(self.per_second.get()).div_ceil(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALES: [Scale; 2] = [Scale::Share, Scale::Whole];

    /// The rates that Linux has been built with, by the resolution that it reports for them.
    fn ticks() -> impl Iterator<Item = Tick> {
        [100, 250, 300, 1000, 1024].into_iter().map(|rate| Tick::of(1_000_000_000 / rate))
    }

    /// Timeouts of every size, more of them where they are short.
    fn timeouts(tick: Tick) -> impl Iterator<Item = u64> {
        let longest = i64::MAX as u64;
        (1..600)
            .map(move |n| n * n * tick.nanoseconds.get() / 7)
            .chain((1..2000).map(move |n| n * 700_000_000_000_000))
            .chain([longest / 4, longest - 1, longest])
            .filter(move |nanoseconds| (1..=longest).contains(nanoseconds))
    }

    #[test]
    fn the_rate_is_recognised() {
        let rates: Vec<u64> = ticks().map(|tick| tick.per_second.get()).collect();
        assert_eq!(rates, [100, 250, 300, 1000, 1024]);
        assert_eq!(Tick::of(0).per_second.get(), 100);
        assert_eq!(Tick::of(1).per_second.get(), 100);
        assert_eq!(Tick::of(u64::MAX).per_second.get(), 100);
    }

    #[test]
    fn ticks_survive_the_kernel() {
        for tick in ticks() {
            let kernel_tick = tick.microseconds;
            for ticks in (0..5000).chain([tick.long(), tick.endless() - 1, tick.endless() + 9]) {
                let set = tick.to_timeval(ticks);
                let held = set.tv_sec as u64 * tick.per_second.get() + (set.tv_usec as u64).div_ceil(kernel_tick.get());
                assert_eq!(held, ticks);
                let read = timeval {
                    tv_sec: (held / tick.per_second) as _,
                    tv_usec: (held % tick.per_second * 1_000_000 / tick.per_second) as _,
                };
                assert_eq!(tick.to_ticks(read), ticks, "at {} Hz", tick.per_second);
            }
        }
    }

    #[test]
    fn a_timeout_is_joined_as_it_was_divided() {
        for (tick, scale) in ticks().flat_map(|tick| SCALES.map(|scale| (tick, scale))) {
            let has_ticks = |nanoseconds: &u64| scale == Scale::Whole || tick.share(*nanoseconds) > 0;
            for nanoseconds in timeouts(tick).filter(has_ticks) {
                let (ticks, rest) = tick.divide(scale, nanoseconds);
                assert!(rest < 1 << LONG_REST_BITS, "{nanoseconds} leaves {rest}");
                assert!(ticks < tick.endless(), "{nanoseconds}");
                let joined = tick.join(scale, ticks, rest);
                let is_long = ticks >= tick.long();
                assert!(joined == nanoseconds || is_long && (nanoseconds..nanoseconds + LONG_UNIT).contains(&joined));
                let (most, unit) = (tick.most(scale, ticks), tick.nanoseconds.get());
                assert!(most >= nanoseconds, "early: {nanoseconds} is taken for {most}");
                assert!(is_long || most <= nanoseconds + unit * 5 / 4 + 20, "loose: {nanoseconds} is taken for {most}");
            }
        }
    }

    #[test]
    fn a_share_is_never_late() {
        for tick in ticks() {
            let unit = tick.nanoseconds.get();
            for nanoseconds in timeouts(tick) {
                let (share, _) = tick.divide(Scale::Share, nanoseconds);
                assert!(share == 0 || share * unit / 8 * 9 + unit <= nanoseconds, "late: {nanoseconds}");
            }
        }
    }
}
