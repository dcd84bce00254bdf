//! Ten thousand cancels, from other threads and at moments of chance: no byte, no connection, no descriptor and no
//! thread is lost. And one signal stops a thousand threads.

mod common;

use std::fs::read_dir;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::call::*;
use common::limits::{Limits, NONE, cancel, token};
use common::*;
use libc::{ECANCELED, SIGTERM, c_int};

/// How many cancels each of four makes on each of two kinds of socket: together they are 10,000.
const CANCELS: usize = 1250;

fn entries(directory: &str) -> usize {
    read_dir(directory).expect(directory).count()
}

/// Runs `body`, after which there are as many descriptors and threads as before.
fn leaves_nothing(body: fn()) {
    let (descriptors, threads) = (entries("/proc/self/fd"), entries("/proc/self/task"));
    body();
    assert_eq!(entries("/proc/self/fd"), descriptors, "a descriptor is left");
    // A thread that was joined may be there for a moment more.
    let limit = Instant::now() + SLACK;
    while entries("/proc/self/task") != threads {
        assert!(Instant::now() < limit, "a thread is left");
        thread::sleep(Duration::from_millis(1));
    }
}

/// They are one test, for descriptors and threads are the process's.
#[test]
fn cancels_lose_nothing_and_leave_nothing() {
    leaves_nothing(receives_lose_no_byte);
    leaves_nothing(sends_lose_no_byte);
    leaves_nothing(accepts_lose_no_connection);
    leaves_nothing(connects_leave_sockets_as_they_were);
    leaves_nothing(a_cancel_in_the_instant_before_the_call_is_not_lost);
    leaves_nothing(one_sigterm_ends_a_thousand_waiting_threads);
}

/// Numbers of chance.
fn random() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0x9E37_79B9_7F4A_7C15);
    let mut next = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, SeqCst);
    next = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    next ^ (next >> 27)
}

/// Makes one call after the other, each with a token that another thread cancels a moment later, until so many were
/// cancelled. `call` says whether it was.
fn cancelled_again_and_again(mut call: impl FnMut(Limits) -> bool) {
    let (to_cancel, tokens) = std::sync::mpsc::channel::<OwnedFd>();
    thread::scope(|scope| {
        scope.spawn(move || {
            for token in tokens {
                if random() % 2 == 0 {
                    thread::sleep(Duration::from_micros(random() % 200));
                }
                assert_eq!(cancel(&token), Ok(0));
            }
        });
        let mut cancels = 0;
        while cancels < CANCELS {
            let token = token();
            // Its own number, for the other closes it.
            // SAFETY: no pointers.
            let other = unsafe { libc::fcntl(token.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 0) };
            assert!(other >= 0);
            // SAFETY: it is new and nobody else's.
            to_cancel.send(unsafe { std::os::fd::FromRawFd::from_raw_fd(other) }).expect("the other thread is there");
            cancels += usize::from(call(Limits::token(&token)));
        }
        drop(to_cancel);
    });
}

/// Whether it was cancelled; if not it must have succeeded.
fn was_cancelled(outcome: Outcome) -> bool {
    assert!(matches!(outcome, Ok(_) | Err(ECANCELED)), "{outcome:?}");
    outcome.is_err()
}

/// Checks bytes that go on after so many of a stream, and tells how many they are then.
fn checked(data: &[u8], received: usize) -> usize {
    for (at, byte) in data.iter().enumerate() {
        assert_eq!(*byte, self::byte(received + at), "byte {}", received + at);
    }
    received + data.len()
}

/// The byte at a place of a stream.
fn byte(at: usize) -> u8 {
    (at.wrapping_mul(0x9E37_79B9) >> 13) as u8
}

fn receives_lose_no_byte() {
    for kind in [UnixStream, Tcp4] {
        let (socket, peer) = kind.pair();
        let mut received = 0;
        let stop = AtomicUsize::new(0);
        thread::scope(|scope| {
            let stop = &stop;
            let sender = scope.spawn(move || {
                let mut sent = 0;
                while stop.load(SeqCst) == 0 {
                    let data: Vec<u8> = (sent..sent + 1 + random() as usize % 300).map(self::byte).collect();
                    assert_eq!(sendall(&peer, &data, 0), (Ok(0), data.len()));
                    sent += data.len();
                    thread::sleep(Duration::from_micros(random() % 300));
                }
                sent
            });
            let (mut data, mut turn) = ([0; 500], 0);
            cancelled_again_and_again(|limits| {
                turn += 1;
                let (outcome, count) = match turn % 3 {
                    0 => {
                        let outcome = recv_until(&socket, &mut data, 0, limits);
                        (outcome, outcome.unwrap_or(0))
                    }
                    1 => recvall_until(&socket, &mut data, 0, limits),
                    _ => match recvdelim_until(&socket, &mut data, 0, b"no such line", limits) {
                        (Err(libc::EMSGSIZE), have) => (Ok(0), have),
                        line => line,
                    },
                };
                received = checked(&data[..count], received);
                was_cancelled(outcome)
            });
            stop.store(1, SeqCst);
            let sent = sender.join().unwrap();
            let mut rest = vec![0; 1 << 20];
            loop {
                match recv(&socket, &mut rest, 0).expect("recv") {
                    0 => break,
                    count => received = checked(&rest[..count], received),
                }
            }
            assert_eq!(received, sent);
        });
    }
}

fn sends_lose_no_byte() {
    for kind in [UnixStream, Tcp4] {
        let (socket, peer) = kind.pair();
        thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let (mut received, mut data) = (0, vec![0; 30_000]);
                loop {
                    match recv(&peer, &mut data, 0).expect("recv") {
                        0 => return received,
                        count => received = checked(&data[..count], received),
                    }
                    thread::sleep(Duration::from_micros(random() % 1000));
                }
            });
            let (mut sent, mut turn) = (0, 0);
            let pattern: Vec<u8> = (0..1 << 24).map(self::byte).collect();
            cancelled_again_and_again(|limits| {
                turn += 1;
                // So large that it has to wait; the pattern is long enough to begin anywhere in it.
                let data: Vec<u8> = match pattern.get(sent..sent + (1 << 19)) {
                    Some(data) => data.to_vec(),
                    None => (sent..sent + (1 << 19)).map(self::byte).collect(),
                };
                let (outcome, count) = match turn % 2 {
                    0 => {
                        let outcome = send_until(&socket, &data, 0, limits);
                        (outcome, outcome.unwrap_or(0))
                    }
                    _ => sendall_until(&socket, &data, 0, limits),
                };
                sent += count;
                was_cancelled(outcome)
            });
            drop(socket);
            assert_eq!(reader.join().unwrap(), sent);
        });
    }
}

fn accepts_lose_no_connection() {
    for kind in [UnixStream, Tcp4] {
        let listener = Listener::new(kind, 64);
        let stop = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (stop, listener) = (&stop, &listener);
            let clients = scope.spawn(move || {
                let mut clients = 0;
                while stop.load(SeqCst) == 0 {
                    drop(listener.connect_to_waiting());
                    clients += 1;
                    thread::sleep(Duration::from_micros(random() % 500));
                }
                clients
            });
            let mut accepted = 0;
            cancelled_again_and_again(|limits| {
                let outcome = accept_until(&listener.fd, limits).map(|connection| {
                    accepted += 1;
                    usize::from(connection.as_raw_fd() >= 0)
                });
                was_cancelled(outcome)
            });
            stop.store(1, SeqCst);
            // The one that tries to connect while the queue is full must find room.
            while !clients.is_finished() || poll(&listener.fd, libc::POLLIN, Duration::from_millis(100)) != 0 {
                if accept_until(&listener.fd, Limits::after(0.05)).is_ok() {
                    accepted += 1;
                }
            }
            assert_eq!(accepted, clients.join().unwrap());
        });
        assert_eq!(gettimeout(&listener.fd), Ok(FOREVER));
    }
}

fn connects_leave_sockets_as_they_were() {
    for kind in [UnixStream, Tcp4] {
        let (listener, clients) = Listener::full(kind);
        cancelled_again_and_again(|limits| {
            let client = listener.client();
            let outcome = connect_until(&client, &listener.address, limits);
            assert!(!is_nonblocking(&client));
            was_cancelled(outcome)
        });
        drop(clients);
    }
}

/// As many descriptors as may be.
fn raise_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to a local.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
}

/// As in a server: the handler cancels, and every thread comes back with all that it was sent.
fn one_sigterm_ends_a_thousand_waiting_threads() {
    const THREADS: usize = 1000;
    static TOKEN: AtomicI32 = AtomicI32::new(NONE);
    static ASLEEP: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn stop(_signal: c_int) {
        sock::sock_cancel(TOKEN.load(SeqCst));
    }
    raise_limit();
    let token = token();
    TOKEN.store(token.as_raw_fd(), SeqCst);
    // SAFETY: the pointers are to locals, and the handler calls what may be called there.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = stop as extern "C" fn(c_int) as usize;
        assert_eq!(libc::sigaction(SIGTERM, &raw const action, null_mut()), 0);
    }
    let pairs: Vec<_> = (0..THREADS).map(|_| UnixStream.pair()).collect();
    let mut ended = Duration::ZERO;
    thread::scope(|scope| {
        let threads: Vec<_> = pairs
            .iter()
            .enumerate()
            .map(|(at, (socket, peer))| {
                let limits = Limits::token(&token);
                let serve = move || {
                    let question = vec![b'q'; at];
                    assert_eq!(sendall(peer, &question, 0), (Ok(0), at));
                    let mut data = vec![0; at + 1];
                    ASLEEP.fetch_add(1, SeqCst);
                    assert_eq!(recvall_until(socket, &mut data, 0, limits), (Err(ECANCELED), at));
                    assert_eq!(data[..at], question);
                };
                thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, serve).expect("a thread")
            })
            .collect();
        while ASLEEP.load(SeqCst) < THREADS {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(200));
        let begun = Instant::now();
        // SAFETY: no pointers.
        unsafe { libc::kill(libc::getpid(), SIGTERM) };
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        ended = begun.elapsed();
    });
    assert!(ended < SLACK, "{ended:?}");
    eprintln!("{THREADS} threads ended within {ended:?}");
}

/// A token that is cancelled in the instant before a call ends that call.
fn a_cancel_in_the_instant_before_the_call_is_not_lost() {
    let (socket, _peer) = UnixStream.pair();
    let mut slowest = Duration::ZERO;
    for _ in 0..1000 {
        let token = token();
        let begun = thread::scope(|scope| {
            let canceller = scope.spawn(|| {
                let begun = Instant::now();
                assert_eq!(cancel(&token), Ok(0));
                begun
            });
            assert_eq!(recv_until(&socket, &mut [0], 0, Limits::token(&token)), Err(ECANCELED));
            canceller.join().unwrap()
        });
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < SLACK, "{slowest:?}");
    eprintln!("the slowest of 1000 came back within {slowest:?}");
}
