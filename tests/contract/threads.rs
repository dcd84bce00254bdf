//! Threads: modes set while others operate, sockets shared by many, signal handlers and fork.

mod common;

use std::fmt::Debug;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::asleep::once_asleep;
use common::call::{
    RECEIVERS, accept, gettimeout, is_of_all, recv, recvall, send, sendall, setblocking, settimeout, wait,
};
use common::*;
use libc::{EAGAIN, EINVAL, EPIPE, ETIMEDOUT, SIGUSR1, c_int};
use socket2::SockRef;

const SHORT: f64 = 0.005;

/// Runs `body` while other threads do each of `others` over and over.
fn amid<T>(others: &[&(dyn Fn() + Sync)], body: impl FnOnce() -> T) -> T {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stopped);
        for other in others {
            scope.spawn(|| {
                while !stopped.load(SeqCst) {
                    other();
                }
            });
        }
        body()
    })
}

/// Whether an outcome belongs to one of these modes.
fn belongs(failure: Option<c_int>, elapsed: Duration, modes: &[f64]) -> bool {
    let least = modes.iter().filter(|seconds| **seconds > 0.0).fold(FOREVER, |least, seconds| seconds.min(least));
    match failure {
        None => true,
        Some(EAGAIN) => modes.contains(&0.0),
        Some(ETIMEDOUT) => elapsed.as_secs_f64() >= least,
        Some(_) => false,
    }
}

const CHANGES: [[f64; 2]; 7] =
    [[SHORT, 0.02], [0.02, 0.03], [FOREVER, SHORT], [FOREVER, 0.02], [0.0, SHORT], [0.0, 0.02], [FOREVER, 0.0]];
/// How long a mode stays: so briefly that an operation sees halves of changes, or long enough to act.
const PAUSES: [Duration; 2] = [Duration::ZERO, Duration::from_millis(3)];

/// Operates for a while as other threads set one mode and the other, and `help` now and then.
fn operate_amid_changes<T: Debug>(
    socket: &OwnedFd,
    modes: [f64; 2],
    pause: Duration,
    operate: impl Fn() -> Result<T, c_int>,
    help: impl Fn() + Sync,
) {
    settimeout(socket, modes[0]).unwrap();
    let change = || {
        for seconds in modes {
            assert_eq!(settimeout(socket, seconds), Ok(0));
            thread::sleep(pause);
        }
    };
    let help = || {
        thread::sleep(Duration::from_millis(40));
        help();
    };
    let end = Instant::now() + Duration::from_millis(800);
    amid(&[&change, &help], || {
        while Instant::now() < end {
            let (outcome, elapsed) = timed(&operate);
            assert!(belongs(outcome.as_ref().err().copied(), elapsed, &modes), "{outcome:?} after {elapsed:?}");
            assert!(elapsed < SLACK, "{outcome:?} after {elapsed:?}");
        }
    });
    let last = gettimeout(socket).expect("gettimeout");
    assert!(modes.contains(&last), "the mode is {last}");
}

#[test]
fn a_receive_amid_changes_of_mode_obeys_one_of_them() {
    for_each(CHANGES.iter().flat_map(|modes| PAUSES.map(|pause| (*modes, pause))), |(modes, pause)| {
        let (socket, peer) = UnixStream.pair();
        let help = || assert_eq!(send(&peer, b"x", 0), Ok(1));
        operate_amid_changes(&socket, modes, pause, || recv(&socket, &mut [0], 0), help);
    });
}

#[test]
fn a_send_amid_changes_of_mode_obeys_one_of_them() {
    for_each(CHANGES.iter().flat_map(|modes| PAUSES.map(|pause| (*modes, pause))), |(modes, pause)| {
        let (socket, peer) = UnixStream.pair();
        fill(&socket);
        operate_amid_changes(&socket, modes, pause, || send(&socket, &[0; 100], 0), || _ = drain(&peer));
    });
}

/// Ends the waits of all who accept from a listener when it goes out of scope.
struct EndOfWaits<'a>(&'a OwnedFd);

impl Drop for EndOfWaits<'_> {
    fn drop(&mut self) {
        shut_down(self.0, Shutdown::Read);
    }
}

#[test]
fn accepts_amid_changes_of_mode_obey_one_of_them() {
    for_each(CHANGES.iter().flat_map(|modes| PAUSES.map(|pause| (*modes, pause))), |(modes, pause)| {
        let listener = Listener::new(UnixStream, 64);
        let rival = || drop(accept(&listener.fd));
        let help = || drop(listener.connect_to_waiting());
        amid(&[&rival, &rival], || {
            let _end = EndOfWaits(&listener.fd);
            operate_amid_changes(&listener.fd, modes, pause, || accept(&listener.fd), help);
        });
    });
}

/// An accept that has lost a connection to another changes how the mode is kept, and must not undo a new one.
#[test]
fn a_mode_set_amid_accepts_stays() {
    for_each([FOREVER, 7.0, SHORT, 0.0], |seconds| {
        let listener = Listener::new(UnixStream, 64);
        let rival = || drop(accept(&listener.fd));
        amid(&[&rival as &(dyn Fn() + Sync); 6], || {
            let _end = EndOfWaits(&listener.fd);
            for round in 0..300 {
                settimeout(&listener.fd, 0.05).unwrap();
                thread::sleep(Duration::from_millis(1));
                // One gets it, and the others are losers just now.
                drop(listener.connect_to_waiting());
                for _ in 0..round % 40 * 10 {
                    std::hint::spin_loop();
                }
                settimeout(&listener.fd, seconds).unwrap();
                thread::sleep(Duration::from_millis(1));
                assert_eq!(gettimeout(&listener.fd), Ok(seconds));
            }
        });
    });
}

#[test]
fn a_mode_set_while_a_receive_waits_does_not_end_it_early() {
    const DELAY: Duration = Duration::from_millis(50);
    for_each([(0.3, FOREVER), (FOREVER, 0.3), (0.3, SHORT), (SHORT, 0.3)], |(before, after)| {
        let (socket, peer) = UnixStream.pair();
        settimeout(&socket, before).unwrap();
        let one = || timed(|| recv(&socket, &mut [0], 0));
        let (outcome, elapsed) = meanwhile(
            DELAY,
            || {
                settimeout(&socket, after).unwrap();
                thread::sleep(Duration::from_millis(500));
                assert_eq!(send(&peer, b"x", 0), Ok(1));
            },
            one,
        );
        assert!(belongs(outcome.err(), elapsed, &[before, after]), "{outcome:?} after {elapsed:?}");
    });
}

#[test]
fn shutdown_ends_a_waiting_receive() {
    let kinds = Kind::listening().flat_map(|kind| [FOREVER, 20.0].map(|seconds| (kind, seconds)));
    for_each(kinds, |(kind, seconds)| {
        for (name, receive) in RECEIVERS {
            let (socket, _peer) = kind.pair();
            settimeout(&socket, seconds).unwrap();
            let outcome = once_asleep(|| receive(&socket, &mut [0; 8], 0), |_| shut_down(&socket, Shutdown::Read));
            assert_eq!(outcome, if is_of_all(name) { Err(EPIPE) } else { Ok(0) }, "{name}");
        }
        let (socket, _peer) = kind.pair();
        let ready = once_asleep(|| wait(&socket, libc::POLLIN, seconds), |_| shut_down(&socket, Shutdown::Read));
        assert_eq!(ready.map(|ready| ready & libc::POLLIN as usize), Ok(libc::POLLIN as usize));
    });
}

#[test]
fn shutdown_ends_a_waiting_sendall() {
    let kinds = Kind::streams().flat_map(|kind| [FOREVER, 20.0].map(|seconds| (kind, seconds)));
    for_each(kinds, |(kind, seconds)| {
        let (socket, peer) = kind.pair();
        settimeout(&socket, seconds).unwrap();
        let data = vec![0; 32 << 20];
        // Of less than both, poll(2) says nothing on a Unix socket that is full.
        let how = if kind.is_unix() && seconds < FOREVER { Shutdown::Both } else { Shutdown::Write };
        let (outcome, sent) = once_asleep(|| sendall(&socket, &data, 0), |_| shut_down(&socket, how));
        assert_eq!(outcome, Err(EPIPE));
        settimeout(&peer, 5.0).unwrap();
        let mut received = vec![1; sent + 1];
        assert_eq!(recvall(&peer, &mut received, 0), (Err(EPIPE), sent));
    });
}

#[test]
fn shutdown_ends_a_waiting_accept() {
    let kinds = Kind::listening().flat_map(|kind| [FOREVER, 20.0].map(|seconds| (kind, seconds)));
    for_each(kinds, |(kind, seconds)| {
        let listener = Listener::new(kind, 1);
        settimeout(&listener.fd, seconds).unwrap();
        let outcome = once_asleep(|| accept(&listener.fd), |_| shut_down(&listener.fd, Shutdown::Read));
        assert_eq!(outcome.err(), Some(EINVAL));
    });
}

fn shut_down(socket: &OwnedFd, how: Shutdown) {
    SockRef::from(socket).shutdown(how).expect("shutdown");
}

const MANY: usize = 8;

/// What several threads get together, each by calling `next` until its timeout runs out, as it must on time.
fn together<T: Send>(seconds: f64, next: impl Fn() -> Result<T, c_int> + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let all: Vec<_> = (0..MANY)
            .map(|_| {
                scope.spawn(|| {
                    let mut got = Vec::new();
                    loop {
                        let (outcome, elapsed) = timed(&next);
                        match outcome {
                            Ok(one) => got.push(one),
                            Err(code) => {
                                let timeout = Duration::from_secs_f64(seconds);
                                assert_eq!(code, ETIMEDOUT);
                                assert!((timeout..timeout + SLACK).contains(&elapsed), "after {elapsed:?}");
                                return got;
                            }
                        }
                    }
                })
            })
            .collect();
        all.into_iter().flat_map(|one| one.join().expect("no panic")).collect()
    })
}

#[test]
fn threads_that_accept_from_one_listener_serve_every_connection_once() {
    const CONNECTIONS: u8 = 100;
    for_each(Kind::listening(), |kind| {
        let listener = Listener::new(kind, CONNECTIONS.into());
        settimeout(&listener.fd, 0.3).unwrap();
        let connect_all = || {
            for id in 0..CONNECTIONS {
                let client = listener.connect_to_waiting();
                assert_eq!(send(&client, &[id], 0), Ok(1));
                // One at a time wakes all for one; the last half comes at once.
                thread::sleep(Duration::from_millis(if id < CONNECTIONS / 2 { 2 } else { 0 }));
            }
        };
        let connections = meanwhile(Duration::from_millis(20), connect_all, || together(0.3, || accept(&listener.fd)));
        let id = |connection: &OwnedFd| {
            let mut id = [0];
            assert_eq!(recv(connection, &mut id, 0), Ok(1));
            id[0]
        };
        let mut ids: Vec<u8> = connections.iter().map(id).collect();
        ids.sort_unstable();
        assert_eq!(ids, Vec::from_iter(0..CONNECTIONS));
    });
}

/// The trap itself: all wake for one connection, and those that do not get it have a deadline all the same.
#[test]
fn of_threads_that_accept_the_losers_keep_their_deadline() {
    for_each(Kind::listening().flat_map(|kind| [0.2, 0.5].map(|seconds| (kind, seconds))), |(kind, seconds)| {
        for _ in 0..2 {
            let listener = Listener::new(kind, 8);
            settimeout(&listener.fd, seconds).unwrap();
            let won = AtomicI32::new(0);
            let clients = [listener.client(), listener.client(), listener.client()];
            let connect = || {
                for client in &clients {
                    SockRef::from(client).connect(&listener.address).expect("connect");
                }
            };
            meanwhile(Duration::from_millis(50), connect, || {
                for_each(0..MANY, |_| {
                    let (outcome, elapsed) = timed(|| accept(&listener.fd));
                    let timeout = Duration::from_secs_f64(seconds);
                    match outcome {
                        Ok(_) => drop(won.fetch_add(1, SeqCst)),
                        Err(code) => {
                            assert_eq!(code, ETIMEDOUT);
                            assert!((timeout..timeout + SLACK).contains(&elapsed), "after {elapsed:?}");
                        }
                    }
                });
            });
            assert_eq!(won.into_inner(), clients.len() as i32);
            assert_eq!(gettimeout(&listener.fd), Ok(seconds));
        }
    });
}

#[test]
fn threads_that_receive_from_one_socket_get_every_message_once() {
    const MESSAGES: u8 = 200;
    for_each(Kind::messages(), |kind| {
        let (socket, peer) = kind.pair();
        settimeout(&socket, 0.2).unwrap();
        let send_all = || {
            for id in 0..MESSAGES {
                assert_eq!(send(&peer, &[id], 0), Ok(1));
                // One at a time wakes all for one; the last half comes at once.
                thread::sleep(Duration::from_millis(if id < MESSAGES / 2 { 1 } else { 0 }));
            }
        };
        let mut ids = meanwhile(Duration::from_millis(20), send_all, || {
            together(0.2, || {
                let mut id = [0; 8];
                recv(&socket, &mut id, 0).map(|received| {
                    assert_eq!(received, 1);
                    id[0]
                })
            })
        });
        ids.sort_unstable();
        assert_eq!(ids, Vec::from_iter(0..MESSAGES));
    });
}

#[test]
fn both_ends_send_and_receive_a_lot_at_once() {
    const LEN: usize = 8 << 20;
    let there: Vec<u8> = (0..LEN).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect();
    let back: Vec<u8> = there.iter().rev().map(|byte| byte ^ 0x5a).collect();
    for_each(Kind::streams().flat_map(|kind| [FOREVER, 20.0].map(|seconds| (kind, seconds))), |(kind, seconds)| {
        let (one, other) = kind.pair();
        for socket in [&one, &other] {
            settimeout(socket, seconds).unwrap();
        }
        let receive = |socket, expected: &[u8]| {
            let mut data = vec![0; LEN];
            assert_eq!(recvall(socket, &mut data, 0), (Ok(0), LEN));
            assert!(data == expected, "not what was sent");
        };
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(sendall(&one, &there, 0), (Ok(0), LEN)));
            scope.spawn(|| assert_eq!(sendall(&other, &back, 0), (Ok(0), LEN)));
            scope.spawn(|| receive(&one, &back));
            scope.spawn(|| receive(&other, &there));
        });
    });
}

#[test]
fn a_signal_handler_may_call_everything() {
    /// The socket that the handler uses, the other end of it, and the one that the thread waits on.
    static SOCKETS: [AtomicI32; 3] = [const { AtomicI32::new(-1) }; 3];
    static RESULTS: [AtomicI32; 6] = [const { AtomicI32::new(1) }; 6];
    static SECONDS: AtomicU64 = AtomicU64::new(0);

    extern "C" fn handler(_signal: c_int) {
        let before = errno();
        let [own, peer, waiting] = SOCKETS.each_ref().map(|fd| fd.load(SeqCst));
        let (mut data, mut seconds) = ([0_u8; 2], 0.0);
        // SAFETY: the pointers are to locals of these lengths.
        let results = unsafe {
            [
                sock::sock_settimeout(own, SHORT),
                sock::sock_recv(own, data.as_mut_ptr().cast(), 1, 0) as c_int,
                sock::sock_sendall(peer, b"ab".as_ptr().cast(), 2, 0, std::ptr::null_mut()),
                sock::sock_recvall(own, data.as_mut_ptr().cast(), 2, 0, std::ptr::null_mut()),
                sock::sock_gettimeout(waiting, &raw mut seconds),
                sock::sock_settimeout(waiting, 30.0),
            ]
        };
        for (at, result) in results.into_iter().enumerate() {
            RESULTS[at].store(result, SeqCst);
        }
        SECONDS.store(seconds.to_bits(), SeqCst);
        set_errno(before);
    }

    // SAFETY: the handler calls what may be called there.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(c_int) as usize;
        assert_eq!(libc::sigaction(SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    for seconds in [20.0, FOREVER] {
        let (own, peer) = UnixStream.pair();
        let (waiting, other) = UnixStream.pair();
        settimeout(&waiting, seconds).unwrap();
        for (number, fd) in SOCKETS.iter().zip([&own, &peer, &waiting]) {
            number.store(fd.as_raw_fd(), SeqCst);
        }
        let outcome = once_asleep(
            || recv(&waiting, &mut [0], 0),
            |thread| {
                // SAFETY: no pointers.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGUSR1) };
                let end = Instant::now() + SLACK;
                while RESULTS[5].load(SeqCst) != 0 && Instant::now() < end {
                    thread::sleep(Duration::from_millis(1));
                }
                assert_eq!(send(&other, b"x", 0), Ok(1));
            },
        );
        assert_eq!(outcome, Ok(1));
        assert_eq!(RESULTS.each_ref().map(|result| result.swap(1, SeqCst)), [0, -ETIMEDOUT, 0, 0, 0, 0]);
        assert_eq!(f64::from_bits(SECONDS.load(SeqCst)), seconds);
        assert_eq!(gettimeout(&waiting), Ok(30.0));
    }
}

#[test]
fn a_process_with_threads_may_fork_at_any_time() {
    let (socket, _peer) = UnixStream.pair();
    let busy = || {
        settimeout(&socket, SHORT).unwrap();
        let _ = recv(&socket, &mut [0], 0);
        setblocking(&socket, false).unwrap();
    };
    amid(&[&busy, &busy, &busy], || {
        for _ in 0..20 {
            let child = in_child(|| {
                let (one, other) = UnixStream.pair();
                settimeout(&one, SHORT).unwrap();
                let timeout = Duration::from_secs_f64(SHORT);
                assert_eq!(takes(timeout, || recv(&one, &mut [0], 0)), Err(ETIMEDOUT));
                assert_eq!(sendall(&other, &[7; 100], 0), (Ok(0), 100));
                assert_eq!(recvall(&one, &mut [0; 100], 0), (Ok(0), 100));
                settimeout(&socket, SHORT).unwrap();
                0
            });
            assert!(child.success(), "{child}");
        }
    });
}
