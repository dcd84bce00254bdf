//! The kernel's timer ticks, in which it keeps the timeouts of sockets.

use std::num::NonZeroU64;

use libc::{timespec, timeval};

use super::ENDLESS;
use crate::errno::{Errno, Result};

/// The rate of the ticks. Non-zero throughout, so that no division can panic.
#[derive(Clone, Copy)]
pub struct Clock {
    per_second: NonZeroU64,
    nanoseconds_per_tick: NonZeroU64,
    microseconds_per_tick: NonZeroU64,
}

impl Clock {
    /// Asks the system, and takes no guess for an answer: with the wrong tick the settings would not read
    /// back as written. The vDSO of most machines answers without a system call.
    pub fn get() -> Result<Clock> {
        let mut tick = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a local.
        if unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) } == -1 {
            return Err(Errno::last());
        }
        Ok(Clock::with_tick(tick.tv_nsec as u64))
    }

    /// A clock with ticks of so many nanoseconds; given what no timer has, the slowest that Linux has. A
    /// kernel that claims 1 ns keeps timeouts as they are given, and so those in slower ticks as well.
    fn with_tick(nanoseconds: u64) -> Clock {
        const FASTEST: NonZeroU64 = NonZeroU64::new(100_000).unwrap();
        const SLOWEST: NonZeroU64 = NonZeroU64::new(10_000_000).unwrap();
        let known = NonZeroU64::new(nanoseconds).filter(|tick| (FASTEST..=SLOWEST).contains(tick));
        let nanoseconds = known.unwrap_or(SLOWEST);
        let nearest = (1_000_000_000 + nanoseconds.get() / 2) / nanoseconds;
        let per_second = NonZeroU64::new(nearest).unwrap_or(NonZeroU64::MIN);
        let in_one_tick = |second: u64| NonZeroU64::new(second / per_second).unwrap_or(NonZeroU64::MIN);
        Clock {
            per_second,
            nanoseconds_per_tick: in_one_tick(1_000_000_000),
            microseconds_per_tick: in_one_tick(1_000_000),
        }
    }

    /// Ticks as nanoseconds.
    pub fn nanoseconds(self, ticks: u64) -> u64 {
        ticks.saturating_mul(self.nanoseconds_per_tick.get())
    }

    /// What stands for no timeout.
    pub fn endless(self) -> u64 {
        ENDLESS * self.per_second.get()
    }

    /// The most that the kernel is given of a timeout; one that is rebuilt from it is endless.
    pub fn longest(self) -> u64 {
        self.endless() - 1
    }

    /// All of a timeout in ticks, rounded up.
    pub fn whole(self, nanoseconds: u64) -> u64 {
        (nanoseconds.saturating_sub(1) / self.nanoseconds_per_tick + 1).min(self.longest())
    }

    /// The share of a timeout for which the kernel waits. Its timer may fire an eighth of the time
    /// and a tick late, and even then some of the timeout must be left. 0: too short for a share.
    pub fn share(self, nanoseconds: u64) -> u64 {
        (nanoseconds / 9 * 8 / self.nanoseconds_per_tick).saturating_sub(2).min(self.longest())
    }

    /// The shortest timeout, to a few nanoseconds, that no timeout with this share exceeds.
    pub fn rebuild(self, share: u64) -> u64 {
        (self.nanoseconds(share + 3) / 8 + 2).saturating_mul(9)
    }

    /// As the kernel takes it. It divides the microseconds by those of a tick and rounds up.
    pub fn to_timeval(self, ticks: u64) -> timeval {
        let microseconds = ticks % self.per_second * self.microseconds_per_tick.get();
        timeval { tv_sec: (ticks / self.per_second) as _, tv_usec: microseconds as _ }
    }

    /// As the kernel gives it: in microseconds rounded down.
    pub fn to_ticks(self, value: timeval) -> u64 {
        let microseconds = value.tv_usec as u64;
        (value.tv_sec as u64).saturating_mul(self.per_second.get())
            + microseconds.wrapping_mul(self.per_second.get()).div_ceil(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates that Linux has been built with, by the resolution that it reports for them.
    fn clocks() -> impl Iterator<Item = Clock> {
        [100, 250, 300, 1000, 1024].into_iter().map(|rate| Clock::with_tick(1_000_000_000 / rate))
    }

    #[test]
    fn the_rate_is_recognised() {
        let rates: Vec<u64> = clocks().map(|clock| clock.per_second.get()).collect();
        assert_eq!(rates, [100, 250, 300, 1000, 1024]);
        assert_eq!(Clock::with_tick(0).per_second.get(), 100);
        assert_eq!(Clock::with_tick(1).per_second.get(), 100);
        assert_eq!(Clock::with_tick(u64::MAX).per_second.get(), 100);
    }

    #[test]
    fn ticks_survive_the_kernel() {
        for clock in clocks() {
            let kernel_tick = clock.microseconds_per_tick.get();
            for ticks in (0..5000).chain([clock.endless() - 1, clock.endless()]) {
                let set = clock.to_timeval(ticks);
                let held = set.tv_sec as u64 * clock.per_second.get() + (set.tv_usec as u64).div_ceil(kernel_tick);
                assert_eq!(held, ticks);
                let read = timeval {
                    tv_sec: (held / clock.per_second) as _,
                    tv_usec: (held % clock.per_second * 1_000_000 / clock.per_second) as _,
                };
                assert_eq!(clock.to_ticks(read), ticks, "at {} Hz", clock.per_second);
            }
        }
    }

    #[test]
    fn a_share_is_never_late_and_what_is_rebuilt_never_early() {
        for clock in clocks() {
            let tick = clock.nanoseconds_per_tick.get();
            for nanoseconds in (1..400).map(|n| n * n * tick / 7).chain([u64::MAX / 4, i64::MAX as u64]) {
                let share = clock.share(nanoseconds);
                assert!(share * tick / 8 * 9 + tick <= nanoseconds || share == 0, "late: {nanoseconds}");
                assert!(clock.whole(nanoseconds) * tick >= nanoseconds || clock.whole(nanoseconds) == clock.longest());
                if share > 0 && share < clock.longest() {
                    let rebuilt = clock.rebuild(share);
                    assert!(rebuilt >= nanoseconds, "early: {nanoseconds}");
                    assert!(rebuilt <= nanoseconds + tick * 5 / 4 + 20, "loose: {nanoseconds}");
                }
            }
        }
    }
}
