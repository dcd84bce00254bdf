//! Seconds to a timeout and back, and deadlines, for any double; the spans that poll is given; and what the kernel
//! holds of them.

#![no_main]
#![allow(dead_code)]

#[path = "../../src/codes.rs"]
mod codes;
#[path = "../../src/errno.rs"]
mod errno;
#[path = "../../src/mode/ticks.rs"]
mod ticks;
#[path = "../../src/time.rs"]
mod time;

/// What the ticks ask the system.
mod linux {
    pub fn tick() -> crate::errno::Result<u64> {
        Ok(4_000_000)
    }
}

use libfuzzer_sys::fuzz_target;
use ticks::{Scale, Tick};
use time::Timeout;

fuzz_target!(|seconds: f64| {
    deadline(seconds);
    match Timeout::from_seconds(seconds) {
        Ok(Timeout::Zero) => assert!(seconds == 0.0),
        Ok(Timeout::Forever) => assert!(seconds == f64::INFINITY),
        Ok(Timeout::Nanoseconds(nanoseconds)) => {
            assert!(seconds > 0.0 && nanoseconds > 0 && nanoseconds < 1 << 63);
            let timeout = Timeout::Nanoseconds(nanoseconds);
            assert!(timeout.to_seconds() >= seconds || nanoseconds > 1 << 52, "early");
            // As long as doubles tell nanoseconds apart.
            if nanoseconds < 1 << 52 {
                assert!((nanoseconds - 1) as f64 / 1e9 < seconds, "not the fewest nanoseconds");
                assert!(Timeout::from_seconds(timeout.to_seconds()) == Ok(timeout), "what is read back is set again");
            }
            let span = time::span(nanoseconds);
            assert!((0..1_000_000_000).contains(&span.tv_nsec));
            assert!(span.tv_sec as u64 * 1_000_000_000 + span.tv_nsec as u64 == nanoseconds);
            assert!(timeout.deadline(u64::MAX) == Some(u64::MAX));
            shares(nanoseconds);
        }
        Err(error) if error == errno::Errno::OVERFLOW => assert!(seconds >= 9_223_372_036.0),
        Err(error) => assert!(error == errno::Errno::INVAL && (seconds.is_nan() || seconds < 0.0)),
    }
});

/// A deadline that is told is read as no earlier than it was asked for.
fn deadline(seconds: f64) {
    let before = time::now();
    let told = time::deadline_in(seconds);
    assert!(told.is_nan() == seconds.is_nan());
    match time::deadline_from_seconds(told) {
        Ok(None) => assert!(told == f64::INFINITY),
        Ok(Some(read)) => {
            let asked = (seconds.max(0.0) * 1e9) as u64;
            // As far as doubles go: after centuries they are microseconds apart.
            let step = if seconds < 1e6 { 0 } else { 4096 };
            assert!(seconds < 0.0 || read + step >= before.saturating_add(asked), "{seconds} is told as {told}, early");
            assert!(seconds >= 0.0 || read <= time::now(), "not yet past");
        }
        Err(error) if error == errno::Errno::OVERFLOW => assert!(seconds >= 9e9),
        Err(error) => assert!(error == errno::Errno::INVAL && seconds.is_nan()),
    }
}

/// The kernel's share of a timeout is never late, and what is joined from its ticks never early.
fn shares(nanoseconds: u64) {
    let Ok(tick) = Tick::get() else { panic!("the tick is not there") };
    let length = tick.to_nanoseconds(1);
    for scale in [Scale::Share, Scale::Whole] {
        if scale == Scale::Share && tick.share(nanoseconds) == 0 {
            continue; // It is polled.
        }
        let (ticks, rest) = tick.divide(scale, nanoseconds);
        let value = tick.to_timeval(ticks);
        assert!((0..1_000_000).contains(&value.tv_usec) && tick.to_ticks(value) == ticks, "ticks are lost");
        assert!(rest < 1 << 24, "the rest does not fit the word");
        assert!(ticks < tick.endless(), "it looks like none");
        assert!(tick.join(scale, ticks, rest) >= nanoseconds && tick.most(scale, ticks) >= nanoseconds, "early");
        if scale == Scale::Share {
            assert!(ticks * length / 8 * 9 + length <= nanoseconds, "late");
        }
    }
}
