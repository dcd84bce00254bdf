//! Seconds to a limit and back, for any double; the spans that poll is given; and what the kernel holds of them.

#![no_main]
#![allow(dead_code)]

#[path = "../../src/errno.rs"]
mod errno;
#[path = "../../src/mode/ticks.rs"]
mod ticks;
#[path = "../../src/time.rs"]
mod time;

use libfuzzer_sys::fuzz_target;
// Where `errno` looks for the codes that are no error numbers.
use sock as api;
use ticks::Clock;
use time::Limit;

/// As in the library's module `mode`.
const ENDLESS: u64 = 2_000_000;

fuzz_target!(|seconds: f64| {
    match Limit::from_seconds(seconds) {
        Ok(Limit::Nothing) => assert!(seconds == 0.0),
        Ok(Limit::Forever) => assert!(seconds == f64::INFINITY),
        Ok(Limit::Nanoseconds(nanoseconds)) => {
            assert!(seconds > 0.0 && nanoseconds > 0 && nanoseconds < 1 << 63);
            let limit = Limit::Nanoseconds(nanoseconds);
            assert!(limit.to_seconds() >= seconds || nanoseconds > 1 << 52, "early");
            // As long as doubles tell nanoseconds apart.
            if nanoseconds < 1 << 52 {
                assert!((nanoseconds - 1) as f64 / 1e9 < seconds, "not the fewest nanoseconds");
                assert!(Limit::from_seconds(limit.to_seconds()) == Ok(limit), "what is read back is set again");
            }
            let span = time::span(nanoseconds);
            assert!((0..1_000_000_000).contains(&span.tv_nsec));
            assert!(span.tv_sec as u64 * 1_000_000_000 + span.tv_nsec as u64 == nanoseconds);
            assert!(limit.deadline(u64::MAX) == Some(u64::MAX));
            shares(nanoseconds);
        }
        Err(error) if error == errno::Errno::OVERFLOW => assert!(seconds >= 9_223_372_036.0),
        Err(error) => assert!(error == errno::Errno::INVAL && (seconds.is_nan() || seconds < 0.0)),
    }
});

/// The kernel's share of a timeout is never late, and what is rebuilt from it never early.
fn shares(nanoseconds: u64) {
    let Ok(clock) = Clock::get() else { panic!("the clock is not there") };
    let tick = clock.nanoseconds(1);
    let (share, whole) = (clock.share(nanoseconds), clock.whole(nanoseconds));
    for ticks in [share, whole] {
        let value = clock.to_timeval(ticks);
        assert!((0..1_000_000).contains(&value.tv_usec) && clock.to_ticks(value) == ticks, "ticks are lost");
    }
    assert!(share == 0 || share * tick / 8 * 9 + tick <= nanoseconds, "late");
    assert!(whole * tick >= nanoseconds || whole == clock.longest(), "early");
    assert!(share == 0 || share == clock.longest() || clock.rebuild(share) >= nanoseconds, "early");
}
