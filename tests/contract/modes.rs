//! The modes: what is set, what reads back, and what other code makes of it and the other way round.

use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use crate::common::call::*;
use crate::common::*;
use libc::{EAGAIN, EINVAL, EOVERFLOW, ETIMEDOUT};

/// The seconds of every sort of mode: none, no wait, too short for the kernel's timer, short, long, endless
/// for all that anyone will see.
const MODES: [f64; 6] = [f64::INFINITY, 0.0, 0.001, 0.05, 5.0, 1e9];

/// Every mode, with and without interruption by signals.
fn modes() -> impl Iterator<Item = (f64, bool)> + Clone {
    MODES.into_iter().flat_map(|seconds| [(seconds, false), (seconds, true)])
}

fn set((seconds, interrupt): (f64, bool), socket: &OwnedFd) {
    assert_eq!(settimeout(socket, seconds), Ok(0));
    assert_eq!(setinterrupt(socket, interrupt), Ok(0));
}

/// All that can be seen of a mode from outside.
fn look(socket: &OwnedFd) -> impl PartialEq + std::fmt::Debug + use<> {
    let own = (gettimeout(socket), getblocking(socket), getinterrupt(socket));
    (own, kernel_timeouts(socket), is_nonblocking(socket))
}

/// A tick of the kernel's timer.
fn tick() -> Duration {
    let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) };
    Duration::from_nanos(tick.tv_nsec as u64)
}

/// Receives one byte, which comes too late for any mode that does not wait.
fn recv_later(socket: &OwnedFd, peer: &OwnedFd) {
    let delay = Duration::from_millis(20);
    let received =
        takes(delay, || meanwhile(delay, || assert_eq!(send(peer, b"x", 0), Ok(1)), || recv(socket, &mut [0; 8], 0)));
    assert_eq!(received, Ok(1));
}

/// That receiving waits for as long as the mode says.
fn obeys(seconds: f64, socket: &OwnedFd, peer: &OwnedFd) {
    match seconds {
        0.0 => assert_eq!(recv(socket, &mut [0; 8], 0), Err(EAGAIN)),
        ..1.0 => {
            let expired = takes(Duration::from_secs_f64(seconds), || recv(socket, &mut [0; 8], 0));
            assert_eq!(expired, Err(ETIMEDOUT));
        }
        _ => recv_later(socket, peer),
    }
}

#[test]
fn a_fresh_socket_is_blocking() {
    in_turn(Kind::all(), |kind| {
        let socket = kind.socket();
        assert_eq!(gettimeout(&socket), Ok(f64::INFINITY));
        assert_eq!(getblocking(&socket), Ok(1));
        assert_eq!(getinterrupt(&socket), Ok(0));
    });
}

#[test]
fn every_transition_reads_back() {
    for kind in Kind::all() {
        let socket = kind.socket();
        for (before, after) in product(modes(), modes()) {
            about((kind, before, after), || {
                set(before, &socket);
                set(after, &socket);
                let (seconds, interrupt) = after;
                assert_eq!(gettimeout(&socket), Ok(seconds));
                assert_eq!(getblocking(&socket), Ok(usize::from(seconds != 0.0)));
                assert_eq!(getinterrupt(&socket), Ok(interrupt.into()));
            });
        }
    }
}

#[test]
fn every_transition_is_obeyed() {
    thread::scope(|scope| {
        for before in modes() {
            scope.spawn(move || {
                let (socket, peer) = UnixStream.pair();
                for after in modes() {
                    about((before, after), || {
                        set(before, &socket);
                        set(after, &socket);
                        obeys(after.0, &socket, &peer);
                    });
                }
            });
        }
    });
}

#[test]
fn interruption_is_kept_when_the_mode_changes_and_changes_no_mode() {
    let socket = UnixStream.socket();
    for ((seconds, interrupt), other) in product(modes(), MODES) {
        about((seconds, interrupt, other), || {
            set((seconds, interrupt), &socket);
            assert_eq!(settimeout(&socket, other), Ok(0));
            assert_eq!(getinterrupt(&socket), Ok(interrupt.into()));
            for on in [!interrupt, !interrupt, interrupt] {
                assert_eq!(setinterrupt(&socket, on), Ok(0));
                assert_eq!(getinterrupt(&socket), Ok(on.into()));
                assert_eq!(gettimeout(&socket), Ok(other));
            }
        });
    }
}

#[test]
fn blocking_and_non_blocking_are_timeouts_of_infinity_and_zero() {
    let socket = UnixStream.socket();
    type Setter = fn(&OwnedFd) -> Outcome;
    let ways: [(Setter, f64); 6] = [
        (|socket| setblocking(socket, true), f64::INFINITY),
        (|socket| setblocking(socket, false), 0.0),
        (|socket| check(|| sock::sock_setblocking(socket.as_raw_fd(), -7) as isize), f64::INFINITY),
        (|socket| settimeout(socket, 0.0), 0.0),
        (|socket| settimeout(socket, f64::INFINITY), f64::INFINITY),
        (|socket| settimeout(socket, -0.0), 0.0),
    ];
    for before in modes() {
        for (way, (set_mode, seconds)) in ways.iter().enumerate() {
            about((before, way), || {
                set(before, &socket);
                assert_eq!(set_mode(&socket), Ok(0));
                let read = gettimeout(&socket).unwrap();
                assert_eq!(read.to_bits(), seconds.to_bits(), "{read}");
                assert_eq!(getblocking(&socket), Ok(usize::from(*seconds != 0.0)));
                assert_eq!(getinterrupt(&socket), Ok(before.1.into()));
            });
        }
    }
}

#[test]
fn timeouts_are_exact_to_the_nanosecond() {
    let socket = UnixStream.socket();
    let unchanged = [
        1e-9,
        2e-9,
        1e-6,
        0.000_1,
        0.001,
        0.003_999_999,
        0.1,
        0.2,
        0.3,
        0.123_456_789,
        1.0,
        7.345,
        59.999_999_999,
        86_400.5,
        123_456.789,
        4_294_967.296,
        4_294_967.3,
        4_294_967_296.0,
        9_000_000_000.0,
        9_223_372_036.0,
    ];
    let rounded_up = [(1e-300, 1e-9), (f64::MIN_POSITIVE, 1e-9), (5e-324, 1e-9), (1.1e-9, 2e-9)];
    let cases = unchanged.map(|seconds| (seconds, seconds)).into_iter().chain(rounded_up);
    for ((set, expected), interrupt) in product(cases, [false, true]) {
        about((set, interrupt), || {
            assert_eq!(setinterrupt(&socket, interrupt), Ok(0));
            assert_eq!(settimeout(&socket, set), Ok(0));
            assert_eq!(gettimeout(&socket), Ok(expected));
            assert_eq!(getblocking(&socket), Ok(1));
        });
    }
}

#[test]
fn what_cannot_be_a_timeout_is_refused_and_changes_nothing() {
    let socket = UnixStream.socket();
    let refused = [
        (-1.0, EINVAL),
        (-1e-300, EINVAL),
        (f64::NEG_INFINITY, EINVAL),
        (f64::NAN, EINVAL),
        (-f64::NAN, EINVAL),
        (9_223_372_036.854_776, EOVERFLOW),
        (1e10, EOVERFLOW),
        (f64::MAX, EOVERFLOW),
    ];
    for (mode, (seconds, error)) in product(modes(), refused) {
        about((mode, seconds), || {
            set(mode, &socket);
            let before = look(&socket);
            assert_eq!(settimeout(&socket, seconds), Err(error));
            assert_eq!(look(&socket), before);
        });
    }
}

#[test]
fn a_long_timeout_does_not_wrap() {
    // Around the limits of 31 and 32 bits of milliseconds, microseconds, ticks and seconds.
    let timeouts = [
        2_147.483_649,
        4_294.967_297,
        2_147_483.649,
        4_294_967.3,
        8_589_934.6,
        17_179_869.2,
        42_949_673.0,
        2_147_483_648.1,
        4_294_967_296.1,
        9_223_372_036.0,
    ];
    for kind in Kind::all() {
        thread::scope(|scope| {
            for seconds in timeouts {
                scope.spawn(move || {
                    about((kind, seconds), || {
                        let (socket, peer) = kind.pair();
                        assert_eq!(settimeout(&socket, seconds), Ok(0));
                        recv_later(&socket, &peer);
                        let read = gettimeout(&socket).unwrap();
                        assert!((seconds..seconds + 2e-5).contains(&read), "{read}");
                    });
                });
            }
        });
    }
}

#[test]
fn other_code_finds_the_flag_that_fits_the_mode() {
    for kind in Kind::all() {
        let socket = kind.socket();
        for (before, (seconds, nonblocking)) in
            product(modes(), [(f64::INFINITY, false), (0.0, true), (5.0, false), (1e9, false)])
        {
            about((kind, before, seconds), || {
                set(before, &socket);
                set((seconds, false), &socket);
                // Where the kernel may not wait, a timeout is polled.
                assert_eq!(is_nonblocking(&socket), nonblocking || seconds.is_finite() && kind.is_udp());
                if matches!(seconds, 0.0 | f64::INFINITY) {
                    assert_eq!(kernel_timeouts(&socket), (None, None));
                }
            });
        }
    }
}

#[test]
fn a_plain_recv_by_other_code_waits_as_the_mode_does() {
    for kind in Kind::all().filter(|kind| !kind.is_udp()) {
        for seconds in [f64::INFINITY, 5.0, 1e9] {
            about((kind, seconds), || {
                let (socket, peer) = kind.pair();
                set((seconds, false), &socket);
                let delay = Duration::from_millis(20);
                takes(delay, || {
                    meanwhile(
                        delay,
                        || assert_eq!(send(&peer, b"x", 0), Ok(1)),
                        || {
                            assert_eq!(plain_recv(&socket), Ok(1));
                        },
                    )
                });
            });
        }
        about(kind, || {
            let (socket, _peer) = kind.pair();
            set((0.0, false), &socket);
            assert_eq!(plain_recv(&socket), Err(EAGAIN));
        });
    }
}

fn plain_recv(socket: &OwnedFd) -> Outcome {
    let mut byte = 0_u8;
    // SAFETY: the pointer is to one byte.
    let received = unsafe { libc::recv(socket.as_raw_fd(), (&raw mut byte).cast(), 1, 0) };
    if received < 0 { Err(errno()) } else { Ok(received as usize) }
}

/// The ways to set or clear `O_NONBLOCK`.
const FLAG_SETTERS: [fn(&OwnedFd, bool); 2] = [set_nonblocking, |socket, on| {
    let mut on = libc::c_int::from(on);
    // SAFETY: the pointer is to a local.
    assert_eq!(unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONBIO, &raw mut on) }, 0);
}];

#[test]
fn other_codes_flag_and_timeouts_mean_what_they_say_whatever_the_mode_was() {
    const SHORT: Option<Duration> = Some(Duration::from_millis(40));
    const LONG: Option<Duration> = Some(Duration::from_millis(120));
    thread::scope(|scope| {
        for ((way, set_flag), nonblocking, receive) in
            product3(FLAG_SETTERS.into_iter().enumerate(), [false, true], [None, SHORT, LONG])
        {
            for send in [None, SHORT, LONG] {
                scope.spawn(move || {
                    for before in modes() {
                        about((before, way, nonblocking, receive, send), || {
                            let (socket, peer) = UnixStream.pair();
                            set(before, &socket);
                            set_flag(&socket, nonblocking);
                            set_kernel_timeouts(&socket, receive, send);
                            is_seen_as(nonblocking, receive, send, &socket, &peer);
                        });
                    }
                });
            }
        }
    });
}

fn is_seen_as(
    nonblocking: bool,
    receive: Option<Duration>,
    send_timeout: Option<Duration>,
    socket: &OwnedFd,
    peer: &OwnedFd,
) {
    let seconds = gettimeout(socket).unwrap();
    assert_eq!(getblocking(socket), Ok((!nonblocking).into()));
    match receive {
        _ if nonblocking => assert_eq!(seconds, 0.0),
        None => assert_eq!(seconds, f64::INFINITY),
        Some(receive) => {
            let exact = receive.as_secs_f64();
            let loose = exact * 9.0 / 8.0 + 5.0 * tick().as_secs_f64();
            assert!((exact..loose).contains(&seconds), "{seconds} seconds, not {exact}");
        }
    }

    let receive_one = || recv(socket, &mut [0; 8], 0);
    match receive {
        _ if nonblocking => assert_eq!(receive_one(), Err(EAGAIN)),
        None => recv_later(socket, peer),
        Some(receive) => assert_eq!(takes(receive, receive_one), Err(ETIMEDOUT)),
    }

    fill(socket);
    let send_one = || send(socket, b"x", 0);
    match send_timeout {
        _ if nonblocking => assert_eq!(send_one(), Err(EAGAIN)),
        None => {
            let delay = Duration::from_millis(20);
            assert_eq!(takes(delay, || meanwhile(delay, || assert!(drain(peer) > 0), send_one)), Ok(1));
        }
        Some(timeout) => assert_eq!(takes(timeout, send_one), Err(ETIMEDOUT)),
    }
}

#[test]
fn each_side_obeys_its_own_timeout_of_other_code() {
    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(5);
    let (socket, _peer) = UnixStream.pair();
    fill(&socket);
    for ((name, send), len) in product(plain(SENDERS), [1, 1 << 16]) {
        about((name, len), || {
            set_kernel_timeouts(&socket, Some(LONG), Some(SHORT));
            assert_eq!(takes(SHORT, || send(&socket, &vec![0; len], 0)), Err(ETIMEDOUT));
            set_kernel_timeouts(&socket, Some(SHORT), Some(4 * SHORT));
            assert_eq!(takes(4 * SHORT, || send(&socket, &vec![0; len], 0)), Err(ETIMEDOUT));
        });
    }
    for (name, receive) in plain(RECEIVERS) {
        about(name, || {
            set_kernel_timeouts(&socket, Some(SHORT), Some(LONG));
            assert_eq!(takes(SHORT, || receive(&socket, &mut [0; 8], 0)), Err(ETIMEDOUT));
            set_kernel_timeouts(&socket, Some(4 * SHORT), Some(SHORT));
            assert_eq!(takes(4 * SHORT, || receive(&socket, &mut [0; 8], 0)), Err(ETIMEDOUT));
        });
    }
}

#[test]
fn a_timeout_of_other_code_that_looks_like_ours_is_not_early() {
    // The library's own timeout takes up part of a tick, that of other code the whole of it.
    let whole = tick() * (Duration::from_micros(50_100).as_nanos() / tick().as_nanos()) as u32 + tick();
    let (socket, _peer) = UnixStream.pair();
    for interrupt in [false, true] {
        set((0.050_1, interrupt), &socket);
        set_nonblocking(&socket, false);
        set_kernel_timeouts(&socket, Some(whole), Some(whole));
        assert_eq!(takes(whole, || recv(&socket, &mut [0; 8], 0)), Err(ETIMEDOUT));
    }
}

#[test]
fn the_flag_set_by_other_code_makes_a_socket_non_blocking_until_it_is_cleared() {
    for (set_flag, interrupt, seconds) in product3(FLAG_SETTERS, [false, true], [f64::INFINITY, 5.0, 1e9]) {
        about((seconds, interrupt), || {
            let (socket, peer) = UnixStream.pair();
            set((seconds, interrupt), &socket);
            set_flag(&socket, true);
            assert_eq!(gettimeout(&socket), Ok(0.0));
            assert_eq!(getblocking(&socket), Ok(0));
            obeys(0.0, &socket, &peer);
            set_flag(&socket, false);
            assert_eq!(gettimeout(&socket), Ok(seconds));
            assert_eq!(getinterrupt(&socket), Ok(interrupt.into()));
            obeys(seconds, &socket, &peer);
        });
    }
}

#[test]
fn the_flag_cleared_by_other_code_makes_a_non_blocking_socket_blocking() {
    for (set_flag, interrupt) in product(FLAG_SETTERS, [false, true]) {
        let (socket, peer) = UnixStream.pair();
        set((0.0, interrupt), &socket);
        set_flag(&socket, false);
        assert_eq!(gettimeout(&socket), Ok(f64::INFINITY));
        assert_eq!(getblocking(&socket), Ok(1));
        obeys(f64::INFINITY, &socket, &peer);
    }
}

#[test]
fn a_timeout_outlives_the_flag_that_other_code_clears() {
    for (set_flag, interrupt, seconds) in product3(FLAG_SETTERS, [false, true], [0.001, 0.008, 0.05, 0.2]) {
        about((seconds, interrupt), || {
            let (socket, peer) = UnixStream.pair();
            set((seconds, interrupt), &socket);
            set_flag(&socket, false);
            assert_eq!(getblocking(&socket), Ok(1));
            assert_eq!(gettimeout(&socket), Ok(seconds));
            obeys(seconds, &socket, &peer);
        });
    }
}

#[test]
fn the_library_has_the_last_word_again() {
    for ((mode, other), nonblocking, timeout) in
        product3(modes().zip(modes().skip(3).chain(modes())), [false, true], [None, Some(Duration::from_millis(40))])
    {
        about((mode, other, nonblocking, timeout), || {
            let (socket, peer) = UnixStream.pair();
            set(mode, &socket);
            set_nonblocking(&socket, nonblocking);
            set_kernel_timeouts(&socket, timeout, timeout);
            set(other, &socket);
            assert_eq!(gettimeout(&socket), Ok(other.0));
            assert_eq!(getinterrupt(&socket), Ok(other.1.into()));
            obeys(other.0, &socket, &peer);
        });
    }
}
