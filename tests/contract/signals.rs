//! Signals: no storm of them shortens or prolongs a wait, and on request a single one ends it.

mod common;

use std::cell::Cell;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::ptr::null_mut;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use common::asleep::{self, once_asleep};
use common::call::{self, SENDERS, plain_of_one};
use common::waits::{Wait, for_each_wait};
use common::*;
use libc::{EINTR, EPIPE, ETIMEDOUT, SIGALRM, SIGPIPE, SIGUSR1, SIGUSR2, c_int};
use socket2::SockRef;

/// Handled with `SA_RESTART`.
const RESTARTING: c_int = SIGUSR1;
/// Handled without.
const INTERRUPTING: c_int = SIGUSR2;

thread_local! {
    static HANDLED: Cell<u32> = const { Cell::new(0) };
}

/// How many signals the calling thread has handled.
fn handled() -> u32 {
    HANDLED.get()
}

fn handle(signal: c_int, flags: c_int) {
    extern "C" fn count(_signal: c_int) {
        HANDLED.set(HANDLED.get() + 1);
    }
    // SAFETY: the handler does nothing but count in the thread's own memory.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as extern "C" fn(c_int) as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &raw const action, null_mut()), 0, "sigaction");
    }
}

fn handle_both() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        handle(RESTARTING, libc::SA_RESTART);
        handle(INTERRUPTING, 0);
    });
}

/// While it lives, the thread that made it gets a signal a thousand times a second.
struct Storm(libc::timer_t);

impl Storm {
    const PERIOD: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };

    fn begin(signal: c_int) -> Storm {
        handle_both();
        let mut timer = null_mut();
        // SAFETY: the pointers are to locals and a constant.
        unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_notify_thread_id = asleep::thread_id();
            let result = libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer);
            assert_eq!(result, 0, "timer_create");
            let every = libc::itimerspec { it_interval: Storm::PERIOD, it_value: Storm::PERIOD };
            assert_eq!(libc::timer_settime(timer, 0, &raw const every, null_mut()), 0, "timer_settime");
        }
        Storm(timer)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        // SAFETY: the timer exists, and for the last time.
        unsafe { libc::timer_delete(self.0) };
    }
}

fn a_storm_keeps_timeouts(signal: c_int) {
    for seconds in [0.3, 0.005] {
        for_each_wait(|wait| {
            let _storm = Storm::begin(signal);
            let before = handled();
            let outcome = takes(Duration::from_secs_f64(seconds), || wait.run(seconds));
            assert_eq!(outcome, Err(ETIMEDOUT));
            assert!(handled() > before, "no signal came");
        });
    }
}

#[test]
fn a_storm_keeps_timeouts_with_sa_restart() {
    a_storm_keeps_timeouts(RESTARTING);
}

#[test]
fn a_storm_keeps_timeouts_without_sa_restart() {
    a_storm_keeps_timeouts(INTERRUPTING);
}

fn a_storm_does_not_end_a_wait(signal: c_int) {
    const DELAY: Duration = Duration::from_millis(100);
    for_each_wait(|wait| {
        // Off again is as never on.
        assert_eq!(call::setinterrupt(&wait.socket, true), Ok(0));
        assert_eq!(call::setinterrupt(&wait.socket, false), Ok(0));
        let _storm = Storm::begin(signal);
        let before = handled();
        let outcome = takes(DELAY, || meanwhile(DELAY, &wait.release, || wait.run(FOREVER)));
        assert!(outcome.is_ok(), "{outcome:?}");
        assert!(handled() > before, "no signal came");
    });
}

#[test]
fn a_storm_does_not_end_a_wait_with_sa_restart() {
    a_storm_does_not_end_a_wait(RESTARTING);
}

#[test]
fn a_storm_does_not_end_a_wait_without_sa_restart() {
    a_storm_does_not_end_a_wait(INTERRUPTING);
}

/// As any program gets them: from `setitimer`, and by the one thread that there is.
fn setitimer_keeps_timeouts(flags: c_int) {
    let child = in_child(|| {
        let waits = Wait::all_on(UnixStream);
        handle(SIGALRM, flags);
        let every = libc::timeval { tv_sec: 0, tv_usec: 1000 };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        // SAFETY: the pointer is to a local.
        assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, null_mut()) }, 0);
        for wait in waits.into_iter().map(|make| make()) {
            for seconds in [0.1, 0.005] {
                let before = handled();
                let outcome = takes(Duration::from_secs_f64(seconds), || wait.run(seconds));
                assert_eq!(outcome, Err(ETIMEDOUT), "{}", wait.name);
                assert!(handled() > before, "no signal came");
            }
        }
        0
    });
    assert!(child.success(), "{child}");
}

#[test]
fn setitimer_keeps_timeouts_with_sa_restart() {
    setitimer_keeps_timeouts(libc::SA_RESTART);
}

#[test]
fn setitimer_keeps_timeouts_without_sa_restart() {
    setitimer_keeps_timeouts(0);
}

fn send_signal(signal: c_int, thread: libc::pid_t) {
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
}

/// Runs `call`, and sends it one signal as soon as it sleeps. Both the call and the handler must end.
fn interrupt<T: Send>(signal: c_int, call: impl FnOnce() -> T + Send) -> T {
    handle_both();
    once_asleep(
        || {
            let result = call();
            assert_eq!(handled(), 1);
            result
        },
        |thread| send_signal(signal, thread),
    )
}

/// The same for a call that sleeps in parts of some milliseconds, between which a signal does not count.
fn interrupt_in_parts<T: Send>(signal: c_int, call: impl FnOnce() -> T + Send) -> T {
    handle_both();
    let is_over = AtomicBool::new(false);
    once_asleep(
        || {
            let result = call();
            is_over.store(true, SeqCst);
            assert!(handled() > 0);
            result
        },
        |thread| {
            while !is_over.load(SeqCst) {
                send_signal(signal, thread);
                std::thread::sleep(Duration::from_millis(3));
            }
        },
    )
}

#[test]
fn on_request_one_signal_ends_a_wait() {
    for signal in [RESTARTING, INTERRUPTING] {
        for seconds in [FOREVER, 20.0] {
            for_each_wait(|wait| {
                assert_eq!(call::setinterrupt(&wait.socket, true), Ok(0));
                let (outcome, elapsed) = timed(|| match wait.sleeps_in_parts() {
                    false => interrupt(signal, || wait.run(seconds)),
                    true => interrupt_in_parts(signal, || wait.run(seconds)),
                });
                assert_eq!(outcome, Err(EINTR), "in {seconds} s");
                assert!(elapsed < SLACK, "{elapsed:?}");
            });
        }
    }
}

/// So short a timeout that no moment can be chosen for the signal: one of many has to come in time.
#[test]
fn on_request_a_storm_ends_a_short_wait() {
    for signal in [RESTARTING, INTERRUPTING] {
        for_each_wait(|wait| {
            assert_eq!(call::setinterrupt(&wait.socket, true), Ok(0));
            let _storm = Storm::begin(signal);
            let mut outcomes = std::iter::repeat_with(|| wait.run(0.005)).take(100);
            let other = outcomes.find(|outcome| *outcome != Err(ETIMEDOUT));
            assert_eq!(other, Some(Err(EINTR)));
        });
    }
}

/// Bytes of which each tells where it belongs.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// Receives what there is, until nothing more has come for a while.
fn receive_rest(socket: &OwnedFd) -> Vec<u8> {
    let mut rest = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while poll(socket, libc::POLLIN, Duration::from_millis(200)) != 0 {
        let received = call::recv(socket, &mut buffer, 0).expect("recv");
        rest.extend_from_slice(&buffer[..received]);
    }
    rest
}

#[test]
fn an_interrupted_sendall_tells_how_far_it_came() {
    let data = pattern(32 << 20);
    for_each_stream(|kind, signal, seconds| {
        let (socket, peer) = kind.pair();
        set_mode(&socket, seconds);
        let (outcome, sent) = interrupt_in_parts(signal, || call::sendall(&socket, &data, 0));
        assert_eq!(outcome, Err(EINTR));
        assert!(sent > 0 && sent < data.len(), "{sent}");
        assert!(receive_rest(&peer) == data[..sent], "not what was sent");
    });
}

#[test]
fn an_interrupted_recvall_tells_how_far_it_came() {
    let data = pattern(100_000);
    for_each_stream(|kind, signal, seconds| {
        let (socket, peer) = kind.pair();
        set_mode(&socket, seconds);
        let mut buffer = vec![0; data.len() + 1];
        let (outcome, received) = interrupt(signal, || {
            assert_eq!(call::sendall(&peer, &data, 0), (Ok(0), data.len()));
            call::recvall(&socket, &mut buffer, 0)
        });
        assert_eq!((outcome, received), (Err(EINTR), data.len()));
        assert!(buffer[..received] == data, "not what was sent");
    });
}

/// In blocking mode a send that has begun has a part to tell of, as the kernel's own would have it.
#[test]
fn an_interrupted_send_gives_the_part_that_was_sent() {
    let data = pattern(32 << 20);
    for_each_stream(|kind, signal, _| {
        for (name, send) in plain_of_one(SENDERS) {
            let (socket, peer) = kind.pair();
            set_mode(&socket, FOREVER);
            let sent = interrupt(signal, || send(&socket, &data, 0)).expect(name);
            assert!(sent > 0 && sent < data.len(), "{name}: {sent}");
            assert!(receive_rest(&peer) == data[..sent], "{name}: not what was sent");
        }
    });
}

fn for_each_stream(body: impl Fn(Kind, c_int, f64) + Sync) {
    thread::scope(|scope| {
        for kind in Kind::streams() {
            for signal in [RESTARTING, INTERRUPTING] {
                for seconds in [FOREVER, 20.0] {
                    let body = &body;
                    scope.spawn(move || about((kind, signal, seconds), || body(kind, signal, seconds)));
                }
            }
        }
    });
}

fn set_mode(socket: &OwnedFd, seconds: f64) {
    assert_eq!(call::settimeout(socket, seconds), Ok(0));
    assert_eq!(call::setinterrupt(socket, true), Ok(0));
}

#[test]
fn a_closed_peer_is_an_error_and_no_sigpipe() {
    let kinds = || Kind::filling().filter(|kind| *kind != UnixDatagram);
    let plain = in_child(|| {
        let (socket, peer) = UnixStream.pair();
        drop(peer);
        // SAFETY: the pointer and the length belong together.
        unsafe { libc::send(socket.as_raw_fd(), b"x".as_ptr().cast(), 1, 0) as c_int }
    });
    assert_eq!(plain.signal(), Some(SIGPIPE), "a plain send does not raise it either: {plain}");
    let child = in_child(|| {
        for kind in kinds() {
            for seconds in [FOREVER, 0.3, 0.005, 0.0] {
                for ((name, send), len) in SENDERS.into_iter().flat_map(|sender| [1, 1 << 16].map(|len| (sender, len)))
                {
                    let (socket, peer) = kind.pair();
                    assert_eq!(call::settimeout(&socket, seconds), Ok(0));
                    // A TCP peer that is gone makes itself known only later.
                    SockRef::from(&socket).shutdown(std::net::Shutdown::Write).expect("shutdown");
                    drop(peer);
                    assert_eq!(send(&socket, &vec![0; len], 0), Err(EPIPE), "{name} of {len} on {kind:?}, {seconds} s");
                }
            }
        }
        0
    });
    assert!(child.success(), "{child}");
}
