//! Whether a thread sleeps.

use std::fs::read_to_string;
use std::io::Write;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::{SLACK, timed};

/// The calling thread's id, as the kernel knows it.
pub fn thread_id() -> libc::pid_t {
    // SAFETY: no pointers.
    unsafe { libc::gettid() }
}

/// Runs `call` in a thread of its own and, as soon as that sleeps, `then` with its id, which must end the call.
pub fn once_asleep<T: Send>(call: impl FnOnce() -> T + Send, then: impl FnOnce(libc::pid_t)) -> T {
    const TICK: Duration = Duration::from_millis(1);
    let id = AtomicI32::new(0);
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            id.store(thread_id(), SeqCst);
            call()
        });
        let is_asleep = || {
            let stat = read_to_string(format!("/proc/self/task/{}/stat", id.load(SeqCst)));
            stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S')))
        };
        while !is_asleep() && !caller.is_finished() {
            thread::sleep(TICK);
        }
        then(id.load(SeqCst));
        let limit = Instant::now() + 2 * SLACK;
        while !caller.is_finished() {
            if Instant::now() > limit {
                // The scope would wait for the thread without end. The macros print to a buffer.
                let _ = writeln!(std::io::stderr(), "{:?}: a call goes on that should have ended", thread::current());
                std::process::abort();
            }
            thread::sleep(TICK);
        }
        caller.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Runs `body`, which must sleep while it waits, and not spin.
pub fn sleeps<T>(body: impl FnOnce() -> T) -> T {
    let before = busy();
    let (result, elapsed) = timed(body);
    let spent = busy() - before;
    // A new process has to be paged in, which may take a while.
    assert!(spent < elapsed / 5 + Duration::from_millis(50), "busy for {spent:?} of {elapsed:?}");
    result
}

/// For how long the calling thread has kept a processor busy.
fn busy() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "clock_gettime");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
