//! The forms that take a deadline and a token: whatever their sockets' modes, which they leave as they are.
//!
//! That they do what the plain forms do is tested with these: see `SENDERS` and `RECEIVERS`.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::common::asleep::sleeps;
use crate::common::call::*;
use crate::common::limits::{CLOSED, Limits, NONE, cancelled, now, token};
use crate::common::waits::for_each_wait_until;
use crate::common::*;
use libc::{EAGAIN, EALREADY, EBADF, EINVAL, EISCONN, EMSGSIZE, ENOTSOCK, EOVERFLOW, ETIMEDOUT, POLLIN, POLLOUT};
use socket2::SockRef;

const DELAY: Duration = Duration::from_millis(25);

/// More bytes than a socket takes or has.
const LARGE: usize = 1 << 30;

type OnPair = fn(&OwnedFd, Limits) -> Outcome;

/// All that send five bytes.
const SENDING: [(&str, OnPair); 4] = [
    ("send_until", |fd, limits| send_until(fd, b"hello", 0, limits)),
    ("sendto_until", |fd, limits| sendto_until(fd, b"hello", 0, None, limits)),
    ("sendmsg_until", |fd, limits| sendmsg_until(fd, &[IoSlice::new(b"hello")], &[], 0, limits)),
    ("sendall_until", |fd, limits| whole(sendall_until(fd, b"hello", 0, limits))),
];

/// All that receive five bytes.
const RECEIVING: [(&str, OnPair); 5] = [
    ("recv_until", |fd, limits| recv_until(fd, &mut [0; 5], 0, limits)),
    ("recvfrom_until", |fd, limits| Ok(recvfrom_until(fd, &mut [0; 5], 0, limits)?.0)),
    ("recvmsg_until", |fd, limits| {
        Ok(recvmsg_until(fd, &mut [IoSliceMut::new(&mut [0; 5])], &mut [], 0, limits)?.bytes)
    }),
    ("recvall_until", |fd, limits| whole(recvall_until(fd, &mut [0; 5], 0, limits))),
    ("recvdelim_until", |fd, limits| recvdelim_until(fd, &mut [0; 5], 0, b"o", limits).0),
];

/// All or nothing.
fn whole((outcome, count): (Outcome, usize)) -> Outcome {
    assert_eq!(count, if outcome.is_ok() { 5 } else { 0 });
    outcome.map(|_| count)
}

fn receiving_on(kind: Kind) -> impl Iterator<Item = (&'static str, OnPair)> {
    RECEIVING.into_iter().filter(move |(name, _)| kind.is_stream() || *name != "recvdelim_until")
}

/// Deadlines that have passed, the last of them seconds that somebody took for a deadline.
fn passed() -> [f64; 7] {
    [now(), 0.0, -0.0, -1.0, f64::NEG_INFINITY, f64::MIN_POSITIVE, 0.5]
}

/// What a socket is like, which must be so afterwards.
fn state(socket: &OwnedFd) -> (Result<f64, i32>, Outcome, Outcome) {
    (gettimeout(socket), getblocking(socket), getinterrupt(socket))
}

#[test]
fn a_deadline_ends_every_wait_in_every_mode_and_never_early() {
    for_each_wait_until(|wait| {
        for (mode, seconds) in product(MODES, [1e-9, 0.001, 0.04]) {
            assert_eq!(settimeout(&wait.socket, mode), Ok(0));
            let before = state(&wait.socket);
            let begun = now();
            let limits = Limits::after(seconds);
            assert!(limits.deadline >= begun + seconds - 1e-6, "sock_deadline is early");
            let outcome = sleeps(|| wait.run_until(limits));
            let late = now() - limits.deadline;
            assert_eq!(outcome, Err(ETIMEDOUT), "in mode {mode}");
            assert!((0.0..SLACK.as_secs_f64()).contains(&late), "{late} s late in mode {mode}");
            assert_eq!(state(&wait.socket), before);
        }
    });
}

#[test]
fn what_comes_in_time_ends_every_wait_in_every_mode() {
    for_each_wait_until(|wait| {
        // A connection, and room, can be made once.
        let is_once = wait.name.starts_with("connect") || wait.name.contains(" of ");
        let times = product(MODES, [Limits::after(60.0), Limits::NONE]).take(if is_once { 1 } else { usize::MAX });
        for (mode, limits) in times {
            assert_eq!(settimeout(&wait.socket, mode), Ok(0));
            let before = state(&wait.socket);
            let outcome = takes(DELAY, || meanwhile(DELAY, &wait.release, || wait.run_until(limits)));
            assert!(outcome.is_ok(), "{outcome:?} in mode {mode}");
            assert_eq!(state(&wait.socket), before);
            if wait.name.starts_with("wait_until on") {
                assert_eq!(recv(&wait.socket, &mut [0; 2], 0), Ok(1));
            }
        }
    });
}

#[test]
fn what_need_not_wait_is_done_whatever_the_token() {
    let cancelled = cancelled();
    for (kind, mode) in product(Kind::all(), MODES) {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, mode), Ok(0));
        let before = state(&socket);
        for (token, deadline) in product([NONE, cancelled.as_raw_fd(), CLOSED], [FOREVER, now() + 1e9, now() + 30.0]) {
            let limits = Limits { deadline, token };
            for (name, send_one) in SENDING {
                about((kind, mode, name, limits), || {
                    assert_eq!(send_one(&socket, limits), Ok(5));
                    assert_eq!(recvall(&peer, &mut [0; 5], 0), (Ok(0), 5));
                });
            }
            for (name, receive) in receiving_on(kind) {
                about((kind, mode, name, limits), || {
                    deliver(&peer, &socket, b"hello");
                    assert_eq!(receive(&socket, limits), Ok(5));
                });
            }
        }
        assert_eq!(state(&socket), before);
    }
    in_turn(product(Kind::listening(), MODES), |(kind, mode)| {
        for token in [NONE, cancelled.as_raw_fd(), CLOSED] {
            let limits = Limits { deadline: now() + 30.0, token };
            let listener = Listener::new(kind, 1);
            assert_eq!(settimeout(&listener.fd, mode), Ok(0));
            let before = state(&listener.fd);
            let client = listener.client();
            assert_eq!(settimeout(&client, mode), Ok(0));
            if kind.is_unix() {
                assert_eq!(connect_until(&client, &listener.address, limits), Ok(0));
                assert_eq!(connect_until(&client, &listener.address, limits), Err(EISCONN));
            } else {
                // A TCP connection has always to be waited for a little.
                assert_eq!(connect_until(&client, &listener.address, Limits::after(30.0)), Ok(0));
                assert_eq!(connect_until(&client, &listener.address, Limits::after(30.0)), Err(EISCONN));
                assert_eq!(poll(&listener.fd, POLLIN, SLACK), POLLIN);
            }
            assert_eq!(gettimeout(&client), Ok(mode));
            let connection = accept_until(&listener.fd, limits).expect("accept");
            assert_eq!(state(&listener.fd), before);
            assert_eq!(state(&connection), (Ok(FOREVER), Ok(1), Ok(0)));
            assert!(is_close_on_exec(&connection) && !is_nonblocking(&connection));
            assert_eq!(kernel_timeouts(&connection), (None, None));
            deliver(&client, &connection, b"hello");
        }
    });
}

#[test]
fn a_deadline_that_has_passed_comes_before_all_else_and_nothing_moves() {
    let cancelled = cancelled();
    let tokens = [NONE, cancelled.as_raw_fd(), CLOSED];
    for kind in Kind::all() {
        let (socket, peer) = kind.pair();
        deliver(&peer, &socket, b"hello");
        for (token, deadline) in product(tokens, passed()) {
            let limits = Limits { deadline, token };
            for (name, call) in SENDING.into_iter().chain(receiving_on(kind)) {
                about((kind, name, limits), || assert_eq!(call(&socket, limits), Err(ETIMEDOUT)));
            }
            for (name, outcome) in [
                ("send", send_until(&socket, b"x", libc::MSG_DONTWAIT, limits)),
                ("recv", recv_until(&socket, &mut [0], libc::MSG_DONTWAIT, limits)),
                ("send nothing", send_until(&socket, b"", 0, limits)),
                ("sendall nothing", sendall_until(&socket, b"", 0, limits).0),
                ("recvall nothing", recvall_until(&socket, &mut [], 0, limits).0),
                ("wait", wait_until(&socket, POLLIN | POLLOUT, limits)),
            ] {
                assert_eq!(outcome, Err(ETIMEDOUT), "{name} on {kind:?} with {limits:?}");
            }
        }
        assert_eq!(poll(&peer, POLLIN, Duration::ZERO), 0, "something was sent");
        assert_eq!(recv(&socket, &mut [0; 9], 0), Ok(5), "something was received");
    }
    for kind in Kind::listening() {
        let listener = Listener::new(kind, 2);
        let client = listener.client();
        let _queued = listener.connect();
        for (token, deadline) in product(tokens, passed()) {
            let limits = Limits { deadline, token };
            about((kind, limits), || {
                assert_eq!(connect_until(&client, &listener.address, limits), Err(ETIMEDOUT));
                assert_eq!(accept_until(&listener.fd, limits).err(), Some(ETIMEDOUT));
            });
        }
        assert!(!is_nonblocking(&listener.fd), "the listener was changed");
        drop(accept(&listener.fd).expect("the connection is still there"));
        assert_eq!(connect(&client, &listener.address), Ok(0), "an attempt was made");
    }
}

#[test]
fn arguments_come_before_the_deadline() {
    let (socket, peer) = Tcp4.pair();
    let listener = Listener::new(Tcp4, 1);
    deliver(&peer, &socket, b"hello");
    let wrong = [
        (f64::NAN, NONE, EINVAL),
        (-f64::NAN, NONE, EINVAL),
        (1e10, NONE, EOVERFLOW),
        (9_223_372_036.854_776, NONE, EOVERFLOW),
        (f64::MAX, NONE, EOVERFLOW),
        (FOREVER, -2, EBADF),
        (FOREVER, i32::MIN, EBADF),
        (-1.0, -2, EBADF),
        (now(), -2, EBADF),
        (FOREVER, socket.as_raw_fd(), EINVAL),
        (-1.0, socket.as_raw_fd(), EINVAL),
    ];
    for (deadline, token, error) in wrong {
        let limits = Limits { deadline, token };
        for (name, call) in SENDING.into_iter().chain(RECEIVING) {
            about((name, limits), || assert_eq!(call(&socket, limits), Err(error)));
        }
        about(limits, || {
            assert_eq!(wait_until(&socket, POLLIN, limits), Err(error));
            if token == socket.as_raw_fd() {
                return; // It is another than theirs.
            }
            assert_eq!(check(|| sock::sock_wait_until(-1, 0, deadline, token) as isize), Err(error));
            assert_eq!(accept_until(&listener.fd, limits).err(), Some(error));
            assert_eq!(connect_until(&Tcp4.socket(), &listener.address, limits), Err(error));
            assert_eq!(recv_until(&socket, &mut [0], libc::MSG_DONTWAIT, limits), Err(error));
        });
    }
    assert_eq!(recv(&socket, &mut [0; 9], 0), Ok(5), "something was received");
    assert_eq!(poll(&peer, POLLIN, Duration::ZERO), 0, "something was sent");
}

#[test]
fn sock_deadline_is_never_early() {
    for seconds in [0.0, 1e-300, 1e-9, 1e-6, 0.1, 0.3, 1.0, 3.7, 1e6, 123_456_789.123] {
        for _ in 0..1000 {
            let before = now();
            let deadline = sock::sock_deadline(seconds);
            let after = now();
            assert!(deadline >= before + seconds, "{deadline} is before {before} + {seconds}");
            // Doubles of this size are that far apart.
            assert!(deadline <= after + seconds + 1e-6, "{deadline} is after {after} + {seconds}");
        }
    }
    set_errno(12345);
    assert_eq!(sock::sock_deadline(FOREVER), FOREVER);
    assert!(sock::sock_deadline(f64::NAN).is_nan());
    for past in [-1e-3, -1.0, -1e300, f64::NEG_INFINITY] {
        assert!(sock::sock_deadline(past) < now(), "{past}");
    }
    assert!(sock::sock_deadline(-0.0) >= now() - 1.0);
    assert!(sock::sock_deadline(f64::MAX) > 1e300);
    assert_eq!(errno(), 12345);
    let (socket, _peer) = UnixStream.pair();
    for (seconds, error) in [(1e10, EOVERFLOW), (f64::NAN, EINVAL), (-1.0, ETIMEDOUT), (0.0, ETIMEDOUT)] {
        assert_eq!(recv_until(&socket, &mut [0], 0, Limits::after(seconds)), Err(error), "{seconds}");
    }
}

#[test]
fn msg_dontwait_does_not_wait_and_looks_at_no_token() {
    let cancelled = cancelled();
    for (kind, token) in product(Kind::all(), [NONE, cancelled.as_raw_fd(), CLOSED]) {
        let (socket, peer) = kind.pair();
        let limits = Limits { deadline: now() + 30.0, token };
        for (name, receive) in [
            ("recv", recv_until(&socket, &mut [0], libc::MSG_DONTWAIT, limits)),
            ("recvfrom", recvfrom_until(&socket, &mut [0], libc::MSG_DONTWAIT, limits).map(|_| 0)),
            ("recvall", recvall_until(&socket, &mut [0], libc::MSG_DONTWAIT, limits).0),
        ] {
            assert_eq!(receive, Err(EAGAIN), "{name} on {kind:?}");
        }
        if kind.is_stream() {
            deliver(&peer, &socket, b"part");
            let mut data = [0; 8];
            assert_eq!(recvall_until(&socket, &mut data, libc::MSG_DONTWAIT, limits), (Err(EAGAIN), 4));
        }
        if kind.fills() {
            fill(&socket);
            assert_eq!(send_until(&socket, b"x", libc::MSG_DONTWAIT, limits), Err(EAGAIN));
            assert_eq!(sendall_until(&socket, b"x", libc::MSG_DONTWAIT, limits), (Err(EAGAIN), 0));
        }
    }
}

/// While it lives, a thread does something again and again.
fn during<T>(step: impl FnMut() + Send, body: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut step = step;
        let is_over = &is_over;
        scope.spawn(move || {
            while !is_over.load(SeqCst) {
                step();
            }
        });
        let result = body();
        is_over.store(true, SeqCst);
        result
    })
}

const LIMIT: f64 = 0.2;

/// Ends at the deadline, no earlier and not much later.
fn ends_on_time<T>(body: impl FnOnce(Limits) -> T) -> T {
    let limits = Limits::after(LIMIT);
    let result = body(limits);
    let late = now() - limits.deadline;
    assert!((0.0..SLACK.as_secs_f64()).contains(&late), "{late} s late");
    result
}

#[test]
fn a_peer_that_sends_byte_by_byte_holds_nothing_past_its_deadline() {
    for_each(Kind::streams(), |kind| {
        let (socket, peer) = kind.pair();
        let mut buffer = vec![0; 1 << 20];
        let mut sent = 0;
        let byte = || {
            sent += send(&peer, b"t", 0).expect("send");
            thread::sleep(Duration::from_millis(2));
        };
        let mut counted = 0;
        during(byte, || {
            let (outcome, received) = ends_on_time(|limits| recvall_until(&socket, &mut buffer, 0, limits));
            assert_eq!(outcome, Err(ETIMEDOUT));
            counted += received;
            let (outcome, have) = ends_on_time(|limits| recvdelim_until(&socket, &mut buffer, 0, b"\n", limits));
            assert_eq!(outcome, Err(ETIMEDOUT));
            assert!(buffer[..have].iter().all(|byte| *byte == b't'));
            counted += have;
        });
        assert!(counted > 0);
        assert_eq!(counted + drain(&socket), sent, "bytes were lost");
    });
}

#[test]
fn a_peer_that_floods_holds_nothing_past_its_deadline() {
    let data = vec![b'f'; 1 << 20];
    for_each(Kind::streams(), |kind| {
        let (socket, peer) = kind.pair();
        // Untouched, it takes no memory.
        let mut buffer = vec![0; LARGE];
        let mut sent = 0;
        let flood = || sent += send(&peer, &data, libc::MSG_DONTWAIT).unwrap_or(0);
        let mut counted = 0;
        during(flood, || {
            let (outcome, received) = recvall_until(&socket, &mut buffer, 0, Limits::after(LIMIT));
            assert!(outcome == Err(ETIMEDOUT) || received == LARGE, "{outcome:?} of {received}");
            counted += received;
            let (outcome, have) = recvdelim_until(&socket, &mut buffer, 0, b"\n", Limits::after(LIMIT));
            assert!(outcome == Err(ETIMEDOUT) || outcome == Err(EMSGSIZE) && have == LARGE, "{outcome:?} of {have}");
            counted += have;
        });
        assert_eq!(counted + drain(&socket), sent, "bytes were lost");
    });
}

#[test]
fn a_peer_that_takes_all_holds_no_sender_past_its_deadline() {
    for_each(Kind::streams(), |kind| {
        let (socket, peer) = kind.pair();
        let data = vec![0; 8 * LARGE];
        let mut buffer = vec![0; 1 << 20];
        let mut taken = 0;
        let take = || taken += recv(&peer, &mut buffer, libc::MSG_DONTWAIT).unwrap_or(0);
        let sent = during(take, || {
            let (outcome, sent) = ends_on_time(|limits| sendall_until(&socket, &data, 0, limits));
            assert_eq!(outcome, Err(ETIMEDOUT));
            sent
        });
        assert!(sent > 0);
        assert_eq!(taken + drain(&peer), sent, "bytes were lost, or sent twice");
    });
}

#[test]
fn counts_are_exact_at_a_deadline() {
    let pattern: Vec<u8> = (0..LARGE as u32 >> 6).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect();
    in_turn(product(Kind::streams(), MODES), |(kind, mode)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, mode), Ok(0));
        let (outcome, sent) = sendall_until(&socket, &pattern, 0, Limits::after(0.03));
        assert_eq!(outcome, Err(ETIMEDOUT));
        assert!(sent > 0 && sent < pattern.len(), "{sent}");
        let mut arrived = vec![0; sent + 9];
        let (outcome, received) = recvall_until(&peer, &mut arrived, 0, Limits::after(0.3));
        assert_eq!((outcome, received), (Err(ETIMEDOUT), sent));
        assert!(arrived[..sent] == pattern[..sent]);
        // What is left goes on where it ended.
        assert_eq!(sendall_until(&socket, &pattern[sent..sent + 9], 0, Limits::after(30.0)), (Ok(0), 9));
        assert_eq!(recvall_until(&peer, &mut arrived[sent..], 0, Limits::after(30.0)), (Ok(0), 9));
        assert!(arrived == pattern[..sent + 9]);
    });
}

#[test]
fn a_large_transfer_is_done_before_its_deadline() {
    let data: Vec<u8> = (0..16_u32 << 20).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect();
    in_turn(product(Kind::streams(), MODES), |(kind, mode)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, mode), Ok(0));
        assert_eq!(settimeout(&peer, mode), Ok(0));
        let mut arrived = vec![0; data.len()];
        thread::scope(|scope| {
            let sender = scope.spawn(|| sendall_until(&socket, &data, 0, Limits::after(60.0)));
            assert_eq!(recvall_until(&peer, &mut arrived, 0, Limits::after(60.0)), (Ok(0), data.len()));
            assert_eq!(sender.join().unwrap(), (Ok(0), data.len()));
        });
        assert!(arrived == data);
    });
}

#[test]
fn each_thread_has_its_own_deadline_on_one_socket() {
    for_each(product(Kind::filling(), MODES), |(kind, mode)| {
        let (socket, peer) = kind.pair();
        fill(&socket);
        assert_eq!(settimeout(&socket, mode), Ok(0));
        let socket = &socket;
        thread::scope(|scope| {
            let ends = |seconds: f64, call: fn(&OwnedFd, Limits) -> Outcome| {
                scope.spawn(move || {
                    let limits = Limits::after(seconds);
                    assert_eq!(call(socket, limits), Err(ETIMEDOUT));
                    let late = now() - limits.deadline;
                    assert!((0.0..SLACK.as_secs_f64()).contains(&late), "{late} s late");
                })
            };
            ends(0.02, |fd, limits| recv_until(fd, &mut [0], 0, limits));
            ends(0.1, |fd, limits| recvall_until(fd, &mut [0], 0, limits).0);
            ends(0.05, |fd, limits| send_until(fd, b"x", 0, limits));
            ends(0.15, |fd, limits| sendall_until(fd, b"x", 0, limits).0);
            ends(0.07, |fd, limits| wait_until(fd, POLLIN, limits));
        });
        // What one waits for, comes, while the others run out of time.
        let later = || assert_eq!(send(&peer, b"x", 0), Ok(1));
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(send_until(socket, b"x", 0, Limits::after(0.05)), Err(ETIMEDOUT)));
            let received = takes(DELAY, || meanwhile(DELAY, later, || recv_until(socket, &mut [0], 0, Limits::NONE)));
            assert_eq!(received, Ok(1));
        });
        assert_eq!(gettimeout(socket), Ok(mode));
    });
}

#[test]
fn a_listener_keeps_its_mode_for_those_who_accept_with_it() {
    for_each(product(Kind::listening(), MODES), |(kind, mode)| {
        let listener = Listener::new(kind, 4);
        assert_eq!(settimeout(&listener.fd, mode), Ok(0));
        assert_eq!(accept_until(&listener.fd, Limits::after(0.01)).err(), Some(ETIMEDOUT));
        assert_eq!(gettimeout(&listener.fd), Ok(mode));
        assert_eq!(getblocking(&listener.fd), Ok(usize::from(mode != 0.0)));
        let accept_one = || accept(&listener.fd).map(drop);
        match mode {
            0.0 => assert_eq!(accept_one(), Err(EAGAIN)),
            ..1.0 => assert_eq!(takes(Duration::from_secs_f64(mode), accept_one), Err(ETIMEDOUT)),
            _ => {
                let come = || drop(listener.connect_to_waiting());
                assert_eq!(takes(DELAY, || meanwhile(DELAY, come, || sleeps(accept_one))), Ok(()));
            }
        }
        // Also where one thread has its mode and another a deadline, and only one connection comes.
        if mode == FOREVER {
            thread::scope(|scope| {
                let by_mode = scope.spawn(accept_one);
                let until = scope.spawn(|| accept_until(&listener.fd, Limits::after(0.3)).map(drop));
                let first = listener.connect_to_waiting();
                let taken = until.join().unwrap();
                assert!(taken == Ok(()) || taken == Err(ETIMEDOUT), "{taken:?}");
                let second = taken.is_ok().then(|| listener.connect_to_waiting());
                assert_eq!(by_mode.join().unwrap(), Ok(()));
                drop((first, second));
            });
        }
        // A mode that is set anew holds for the kernel too.
        assert_eq!(settimeout(&listener.fd, FOREVER), Ok(0));
        assert!(!is_nonblocking(&listener.fd));
    });
}

#[test]
fn an_attempt_that_ran_out_of_time_goes_on() {
    for_each(product(Kind::listening(), MODES), |(kind, mode)| {
        let (listener, _clients) = Listener::full(kind);
        let client = listener.client();
        assert_eq!(settimeout(&client, mode), Ok(0));
        let before = (is_nonblocking(&client), kernel_timeouts(&client));
        for _ in 0..2 {
            assert_eq!(connect_until(&client, &listener.address, Limits::after(0.01)), Err(ETIMEDOUT));
            assert_eq!((is_nonblocking(&client), kernel_timeouts(&client)), before);
        }
        if mode == 0.0 && kind.is_tcp() {
            assert_eq!(connect(&client, &listener.address), Err(EALREADY));
        }
        drop(SockRef::from(&listener.fd).accept().expect("accept"));
        assert_eq!(connect_until(&client, &listener.address, Limits::after(30.0)), Ok(0));
        if kind.is_tcp() {
            // A Unix socket looks at the queue first, which is full again.
            assert_eq!(connect_until(&client, &listener.address, Limits::after(30.0)), Err(EISCONN));
        }
        assert_eq!((is_nonblocking(&client), kernel_timeouts(&client)), before);
    });
}

#[test]
fn nobody_there_is_refused() {
    in_turn(product(Kind::listening(), MODES), |(kind, mode)| {
        let deaf = kind.bound();
        let client = kind.socket();
        assert_eq!(settimeout(&client, mode), Ok(0));
        let limits = Limits::after(30.0);
        assert_eq!(connect_until(&client, &address(&deaf), limits), Err(libc::ECONNREFUSED));
        // The socket can still be connected elsewhere.
        let listener = Listener::new(kind, 1);
        assert_eq!(connect_until(&client, &listener.address, limits), Ok(0));
    });
}

fn sleep_until(deadline: f64, token: i32) -> Outcome {
    check(|| sock::sock_wait_until(-1, 0, deadline, token) as isize)
}

#[test]
fn waiting_for_nothing_sleeps_or_asks_a_token() {
    let (fresh, gone) = (token(), cancelled());
    for token in [NONE, fresh.as_raw_fd()] {
        let deadline = sock::sock_deadline(0.05);
        assert_eq!(sleeps(|| sleep_until(deadline, token)), Err(ETIMEDOUT));
        assert!(now() >= deadline);
    }
    for deadline in passed() {
        assert_eq!(sleep_until(deadline, NONE), Err(ETIMEDOUT));
        assert_eq!(sleep_until(deadline, fresh.as_raw_fd()), Err(ETIMEDOUT));
        assert_eq!(sleep_until(deadline, gone.as_raw_fd()), Err(libc::ECANCELED));
        assert_eq!(sleep_until(deadline, CLOSED), Err(EBADF));
    }
    assert_eq!(sleep_until(FOREVER, gone.as_raw_fd()), Err(libc::ECANCELED));
    assert_eq!(sleep_until(FOREVER, CLOSED), Err(EBADF));
}

#[test]
fn waiting_until_takes_sockets_alone_and_looks_at_the_token_first() {
    let (socket, peer) = UnixStream.pair();
    let (reader, _writer) = pipe();
    let limits = Limits::after(30.0);
    assert_eq!(wait_until(&-1, POLLIN, limits), Err(EBADF));
    assert_eq!(wait_until(&-2, 0, limits), Err(EBADF));
    assert_eq!(wait_until(&CLOSED, POLLIN, limits), Err(EBADF));
    assert_eq!(wait_until(&reader, POLLIN, limits), Err(ENOTSOCK));
    for events in [-1, i32::MIN, 0x8000, 0x1_0000, i32::MAX] {
        let outcome = check(|| sock::sock_wait_until(socket.as_raw_fd(), events, limits.deadline, NONE) as isize);
        assert_eq!(outcome, Err(EINVAL), "{events:#x}");
    }
    deliver(&peer, &socket, b"x");
    assert_eq!(wait_until(&socket, POLLIN, limits), Ok(POLLIN as usize));
    assert_eq!(wait_until(&socket, POLLIN | POLLOUT, limits), Ok((POLLIN | POLLOUT) as usize));
    let gone = cancelled();
    assert_eq!(wait_until(&socket, POLLIN, Limits::token(&gone)), Err(libc::ECANCELED));
    assert_eq!(wait_until(&socket, POLLIN, Limits::token(&CLOSED)), Err(EBADF));
}
