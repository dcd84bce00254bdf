//! A mode that another process changes while an operation looks it up: between any two of the calls that this
//! takes, so that half of what is found is of the mode before, and half of the mode after.

mod common;

use std::cell::Cell;
use std::os::fd::{AsRawFd, RawFd};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::call::*;
use common::*;
use libc::{ETIMEDOUT, SO_RCVTIMEO, SO_SNDTIMEO, c_int, c_void, socklen_t};

/// A mode for a socket, to be set by another process after so many looks at its timeouts.
#[derive(Clone, Copy)]
struct Interference {
    looks: u32,
    socket: RawFd,
    seconds: f64,
    done: &'static AtomicBool,
}

thread_local! {
    static INTERFERENCE: Cell<Option<Interference>> = const { Cell::new(None) };
}

/// In place of libc's.
///
/// # Safety
///
/// As for getsockopt(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's arguments.
    let result = unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, option, value, len) };
    if let (SO_RCVTIMEO | SO_SNDTIMEO, Some(next)) = (option, INTERFERENCE.get()) {
        let looks = next.looks - 1;
        INTERFERENCE.set((looks > 0).then_some(Interference { looks, ..next }));
        if looks == 0 {
            let child = in_child(|| settimeout(&next.socket, next.seconds).map_or(1, |_| 0));
            assert_eq!(child, ExitStatus::default(), "the other process");
            next.done.store(true, SeqCst);
        }
    }
    result as c_int
}

/// An operation under way has the timeout before or the timeout after, and no third.
#[test]
fn make_no_timeout_of_their_own() {
    const TIMEOUT: f64 = 0.27;
    const POLLED: f64 = 0.008;
    for (before, after) in
        [(TIMEOUT, f64::INFINITY), (TIMEOUT, 30.0), (TIMEOUT, POLLED), (POLLED, f64::INFINITY), (POLLED, TIMEOUT)]
    {
        let cases = [libc::POLLIN, libc::POLLOUT]
            .into_iter()
            .flat_map(|events| (1..=3).map(move |looks| (events, looks, before, after)));
        for_each(cases, |(events, looks, before, after)| {
            let (one, other) = Kind::UnixStream.pair();
            fill(&one);
            assert_eq!(settimeout(&one, before), Ok(0));
            let done: &AtomicBool = Box::leak(Box::default());
            let make_ready = || {
                let end = Instant::now() + SLACK;
                while !done.load(SeqCst) && Instant::now() < end {
                    thread::sleep(Duration::from_millis(1));
                }
                thread::sleep(Duration::from_secs_f64(2.0 * TIMEOUT));
                drain(&other);
                assert_eq!(send(&other, b"x", 0), Ok(1));
            };
            let (outcome, elapsed) = meanwhile(Duration::ZERO, make_ready, || {
                INTERFERENCE.set(Some(Interference { looks, socket: one.as_raw_fd(), seconds: after, done }));
                timed(|| match events {
                    libc::POLLIN => recv(&one, &mut [0; 8], 0),
                    _ => send(&one, b"x", 0),
                })
            });
            assert!(INTERFERENCE.get().is_none(), "fewer looks than that");
            assert!(gettimeout(&one).is_ok_and(|seconds| seconds >= after));
            match outcome {
                Ok(1) => {}
                Err(ETIMEDOUT) => assert!(elapsed.as_secs_f64() >= before.min(after), "early: {elapsed:?}"),
                other => panic!("{other:?} after {elapsed:?}"),
            }
        });
    }
}
