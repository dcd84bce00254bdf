//! What has trapped others, and what this kernel does that one would not expect.

use std::mem::size_of_val;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::asleep::{once_asleep, sleeps};
use crate::common::call::{
    RECEIVERS, SENDERS, accept, connect, getblocking, getinterrupt, gettimeout, is_of_all, recv, recvall, recvfrom,
    send, sendall, sendall_until, sendto, setinterrupt, settimeout, wait,
};
use crate::common::limits::Limits;
use crate::common::*;
use libc::{
    EAGAIN, EALREADY, ECONNREFUSED, ECONNRESET, EINPROGRESS, EINTR, EISCONN, ETIMEDOUT, MSG_DONTWAIT, MSG_ERRQUEUE,
    MSG_OOB, MSG_TRUNC, MSG_WAITALL, SIGUSR1, c_int,
};
use socket2::SockRef;

const SHORT: f64 = 0.005;
const LONG: f64 = 0.3;
const DELAY: Duration = Duration::from_millis(100);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn set_option<T>(socket: &OwnedFd, level: c_int, option: c_int, value: T) {
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the pointer is to a local of that length.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), len) };
    assert_eq!(result, 0, "setsockopt: error {}", errno());
}

#[test]
fn a_connection_does_not_inherit_the_timeouts_of_its_listener() {
    for_each(
        Kind::listening().flat_map(|kind| [SHORT, LONG, 5.0].map(|seconds| (kind, seconds))),
        |(kind, seconds)| {
            let ours = Listener::new(kind, 4);
            settimeout(&ours.fd, seconds).unwrap();
            setinterrupt(&ours.fd, true).unwrap();
            let others = Listener::new(kind, 4);
            set_kernel_timeouts(&others.fd, Some(DELAY), Some(DELAY));
            for listener in [ours, others] {
                let client = listener.connect();
                let connection = accept(&listener.fd).expect("accept");
                assert_eq!(kernel_timeouts(&connection), (None, None));
                assert_eq!(getblocking(&connection), Ok(1));
                assert_eq!(getinterrupt(&connection), Ok(0));
                assert_eq!(gettimeout(&connection), Ok(FOREVER));
                let later = || assert_eq!(send(&client, b"x", 0), Ok(1));
                let delay = 3 * DELAY;
                assert_eq!(takes(delay, || meanwhile(delay, later, || recv(&connection, &mut [0], 0))), Ok(1));
            }
        },
    );
}

#[test]
fn a_large_timeout_does_not_wrap() {
    const MILLISECONDS_OF_31_BITS: f64 = (1_u64 << 31) as f64 / 1e3;
    const MILLISECONDS_OF_32_BITS: f64 = (1_u64 << 32) as f64 / 1e3;
    let large = [4_294_967.3, MILLISECONDS_OF_31_BITS, MILLISECONDS_OF_32_BITS, 1e9, 9.2e9];
    for_each(large.iter().flat_map(|large| [Tcp4, UnixStream].map(|kind| (kind, *large))), |(kind, large)| {
        let listener = Listener::new(kind, 1);
        settimeout(&listener.fd, large).unwrap();
        let later = || drop(listener.connect_to_waiting());
        takes(DELAY, || meanwhile(DELAY, later, || accept(&listener.fd))).expect("accept");

        let (socket, peer) = kind.pair();
        settimeout(&socket, large).unwrap();
        assert_eq!(gettimeout(&socket), Ok(large));
        for (name, receive) in RECEIVERS {
            let later = || assert_eq!(send(&peer, b"x", 0), Ok(1));
            assert_eq!(takes(DELAY, || meanwhile(DELAY, later, || receive(&socket, &mut [0], 0))), Ok(1), "{name}");
        }
        let later = || assert_eq!(send(&peer, b"x", 0), Ok(1));
        let ready = takes(DELAY, || meanwhile(DELAY, later, || wait(&socket, libc::POLLIN, large)));
        assert_eq!(ready, Ok(libc::POLLIN as usize));
        for (name, send) in SENDERS {
            let (socket, peer) = kind.pair();
            settimeout(&socket, large).unwrap();
            fill(&socket);
            let later = || _ = drain(&peer);
            assert_eq!(takes(DELAY, || meanwhile(DELAY, later, || send(&socket, b"x", 0))), Ok(1), "{name}");
        }
    });
}

#[test]
fn a_connection_that_was_reset_in_the_queue_does_no_harm() {
    for_each([Tcp4, Tcp6].into_iter().filter(|kind| Kind::all().any(|has| has == *kind)), |kind| {
        let listener = Listener::new(kind, 4);
        settimeout(&listener.fd, LONG).unwrap();
        let client = listener.connect();
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
        drop(client);
        // Linux hands it out; kernels that do not say so have it skipped.
        match accept(&listener.fd) {
            Ok(connection) => assert_eq!(recv(&connection, &mut [0], 0), Err(ECONNRESET)),
            Err(code) => assert_eq!(code, ETIMEDOUT),
        }
        let client = listener.connect();
        let connection = accept(&listener.fd).expect("accept");
        assert_eq!(send(&client, b"x", 0), Ok(1));
        assert_eq!(recv(&connection, &mut [0], 0), Ok(1));
    });
}

fn accept_one(listener: &Listener) -> OwnedFd {
    SockRef::from(&listener.fd).accept().expect("accept").0.into()
}

#[test]
fn a_connect_that_ran_out_of_time_goes_on() {
    for_each([Tcp4, Tcp6].into_iter().filter(|kind| Kind::all().any(|has| has == *kind)), |kind| {
        for seconds in [SHORT, LONG] {
            let (listener, _clients) = Listener::full(kind);
            let client = listener.client();
            settimeout(&client, seconds).unwrap();
            assert_eq!(takes(self::seconds(seconds), || connect(&client, &listener.address)), Err(ETIMEDOUT));
            settimeout(&client, 0.0).unwrap();
            assert_eq!(connect(&client, &listener.address), Err(EALREADY));
            drop(accept_one(&listener));
            settimeout(&client, 10.0).unwrap();
            assert_eq!(connect(&client, &listener.address), Ok(0));
            assert_eq!(connect(&client, &listener.address), Err(EISCONN));
        }
    });
}

#[test]
fn a_connect_that_was_interrupted_goes_on() {
    extern "C" fn nothing(_signal: c_int) {}
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(SIGUSR1, nothing as extern "C" fn(c_int) as usize) };
    for_each([FOREVER, 20.0], |seconds| {
        let (listener, _clients) = Listener::full(Tcp4);
        let client = listener.client();
        settimeout(&client, seconds).unwrap();
        setinterrupt(&client, true).unwrap();
        let outcome = once_asleep(
            || connect(&client, &listener.address),
            |thread| {
                // SAFETY: no pointers.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGUSR1) };
            },
        );
        assert_eq!(outcome, Err(EINTR));
        drop(accept_one(&listener));
        assert_eq!(connect(&client, &listener.address), Ok(0));
        assert_eq!(connect(&client, &listener.address), Err(EISCONN));
    });
}

#[test]
fn a_connect_in_nonblocking_mode_is_taken_up_by_a_timeout() {
    let (listener, _clients) = Listener::full(Tcp4);
    let client = listener.client();
    settimeout(&client, 0.0).unwrap();
    assert_eq!(connect(&client, &listener.address), Err(EINPROGRESS));
    assert_eq!(connect(&client, &listener.address), Err(EALREADY));
    settimeout(&client, LONG).unwrap();
    assert_eq!(takes(seconds(LONG), || sleeps(|| connect(&client, &listener.address))), Err(ETIMEDOUT));
}

/// The kernel says `EAGAIN`, and has nothing to poll for.
#[test]
fn a_unix_connect_waits_for_room_in_the_queue() {
    for_each([UnixStream, UnixSeqpacket], |kind| {
        let (listener, _clients) = Listener::full(kind);
        let client = listener.client();
        settimeout(&client, 0.0).unwrap();
        assert_eq!(connect(&client, &listener.address), Err(EAGAIN));
        for seconds in [SHORT, LONG] {
            settimeout(&client, seconds).unwrap();
            let outcome = takes(self::seconds(seconds), || sleeps(|| connect(&client, &listener.address)));
            assert_eq!(outcome, Err(ETIMEDOUT));
        }
    });
    // 10 ms is less than the kernel is ever asked to wait with ticks of 4 ms.
    for_each(
        [UnixStream, UnixSeqpacket].into_iter().flat_map(|kind| [0.010, 5.0, FOREVER].map(|s| (kind, s))),
        |(kind, s)| {
            let (listener, _clients) = Listener::full(kind);
            let client = listener.client();
            settimeout(&client, s).unwrap();
            let delay = seconds((s / 2.0).min(0.1));
            let outcome = takes(delay, || {
                meanwhile(
                    delay,
                    || drop(accept_one(&listener)),
                    || {
                        // A machine so busy that it accepts too late is no fault of the library's.
                        (0..100)
                            .map(|_| sleeps(|| connect(&client, &listener.address)))
                            .find(|outcome| *outcome != Err(ETIMEDOUT))
                    },
                )
            });
            assert_eq!(outcome, Some(Ok(0)));
        },
    );
}

/// The error itself comes once; its entry in the queue stays, and so does POLLERR.
#[test]
fn an_entry_in_the_error_queue_neither_spins_nor_ends_a_receive() {
    for_each([SHORT, LONG], |seconds| {
        let (socket, peer) = Udp4.pair();
        set_option(&socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1);
        let gone = address(&peer);
        drop(peer);
        assert_eq!(send(&socket, b"x", 0), Ok(1));
        assert_ne!(poll(&socket, libc::POLLIN, SLACK) & libc::POLLERR, 0);
        settimeout(&socket, seconds).unwrap();
        assert_eq!(recv(&socket, &mut [0], 0), Err(ECONNREFUSED));
        assert_eq!(poll(&socket, libc::POLLIN, Duration::ZERO), libc::POLLERR, "the entry is gone");
        receives_in_spite(&socket, seconds, || {
            let peer = Udp4.socket();
            SockRef::from(&peer).set_reuse_address(true).expect("SO_REUSEADDR");
            SockRef::from(&peer).bind(&gone).expect("bind");
            assert_eq!(sendto(&peer, b"x", 0, Some(&address(&socket))), Ok(1));
        });
        assert_ne!(poll(&socket, libc::POLLIN, Duration::ZERO) & libc::POLLERR, 0, "the entry is gone");
    });
}

#[test]
fn a_timestamp_of_what_was_sent_neither_spins_nor_ends_a_receive() {
    for_each(
        [Udp4, Tcp4].into_iter().flat_map(|kind| [SHORT, LONG].map(|seconds| (kind, seconds))),
        |(kind, seconds)| {
            let (socket, peer) = kind.pair();
            let flags = libc::SOF_TIMESTAMPING_TX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
            set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags);
            assert_eq!(send(&socket, b"x", 0), Ok(1));
            assert_eq!(poll(&socket, libc::POLLIN, SLACK), libc::POLLERR, "there is no timestamp");
            settimeout(&socket, seconds).unwrap();
            receives_in_spite(&socket, seconds, || assert_eq!(send(&peer, b"x", 0), Ok(1)));
            if kind == Tcp4 {
                settimeout(&socket, seconds).unwrap();
                fill(&socket);
                let data = [0; 5000];
                for (name, send) in SENDERS {
                    let outcome = takes(self::seconds(seconds), || sleeps(|| send(&socket, &data, 0)));
                    assert_eq!(outcome, Err(ETIMEDOUT), "{name}");
                }
            }
            assert_ne!(poll(&socket, libc::POLLIN, Duration::ZERO) & libc::POLLERR, 0, "the timestamp is gone");
        },
    );
}

/// Times out on time and asleep, and receives what comes in time.
fn receives_in_spite(socket: &OwnedFd, seconds: f64, later: impl FnOnce() + Send) {
    for (name, receive) in RECEIVERS {
        let outcome = takes(self::seconds(seconds), || sleeps(|| receive(socket, &mut [0], 0)));
        assert_eq!(outcome, Err(ETIMEDOUT), "{name}");
    }
    settimeout(socket, 5.0).unwrap();
    let outcome = takes(DELAY, || meanwhile(DELAY, later, || sleeps(|| recv(socket, &mut [0], 0))));
    assert_eq!(outcome, Ok(1));
}

/// Its own buffer has room, so that poll says POLLOUT, while the queue of the peer has none.
#[test]
fn a_datagram_waits_for_room_in_the_queue_of_its_peer() {
    let (receiver, sender) = (UnixDatagram.bound(), UnixDatagram.socket());
    let to = address(&receiver);
    let mut queued = 0;
    while sendto(&sender, b"x", MSG_DONTWAIT, Some(&to)) == Ok(1) {
        queued += 1;
    }
    assert_eq!(poll(&sender, libc::POLLOUT, Duration::ZERO), libc::POLLOUT, "there is nothing to be trapped by");
    for timeout in [SHORT, LONG] {
        settimeout(&sender, timeout).unwrap();
        for data in [&[0; 1][..], &[0; 5000]] {
            let outcome = takes(seconds(timeout), || sleeps(|| sendto(&sender, data, 0, Some(&to))));
            assert_eq!(outcome, Err(ETIMEDOUT), "{} bytes", data.len());
        }
    }
    settimeout(&sender, 0.0).unwrap();
    assert_eq!(sendto(&sender, b"y", 0, Some(&to)), Err(EAGAIN));
    for timeout in [5.0, FOREVER] {
        settimeout(&sender, timeout).unwrap();
        for data in [&[0; 1][..], &[0; 5000]] {
            let later = || assert_eq!(recv(&receiver, &mut [0; 5000], 0).map(|_| ()), Ok(()));
            let outcome = takes(DELAY, || meanwhile(DELAY, later, || sleeps(|| sendto(&sender, data, 0, Some(&to)))));
            assert_eq!(outcome, Ok(data.len()));
        }
    }
    settimeout(&receiver, 0.0).unwrap();
    let left = std::iter::repeat_with(|| recv(&receiver, &mut [0; 5000], 0)).take_while(Result::is_ok).count();
    assert_eq!(left, queued);
}

#[test]
fn waitall_is_for_all_of_it_or_as_long_as_the_timeout() {
    for_each(Kind::streams(), |kind| {
        let (socket, peer) = kind.pair();
        let halves = || {
            for _ in 0..2 {
                thread::sleep(DELAY / 2);
                assert_eq!(send(&peer, &[7; 100], 0), Ok(100));
            }
        };
        for timeout in [FOREVER, 5.0] {
            settimeout(&socket, timeout).unwrap();
            let outcome =
                takes(DELAY, || meanwhile(Duration::ZERO, halves, || recv(&socket, &mut [0; 200], MSG_WAITALL)));
            assert_eq!(outcome, Ok(200));
        }
        // A part is what there is; how long it is waited for is the kernel's share of the timeout.
        settimeout(&socket, LONG).unwrap();
        assert_eq!(send(&peer, &[7; 100], 0), Ok(100));
        let (outcome, elapsed) = timed(|| recv(&socket, &mut [0; 200], MSG_WAITALL));
        assert_eq!(outcome, Ok(100));
        assert!(elapsed < seconds(LONG) + SLACK, "{elapsed:?}");
        assert_eq!(takes(seconds(LONG), || recv(&socket, &mut [0; 200], MSG_WAITALL)), Err(ETIMEDOUT));
    });
}

/// The kernel does not count the time that it spends copying, nor begins anew for each piece that comes.
#[test]
fn recvall_of_a_trickle_has_one_timeout() {
    for_each(Kind::streams().flat_map(|kind| [SHORT, LONG].map(|seconds| (kind, seconds))), |(kind, seconds)| {
        let (socket, peer) = kind.pair();
        settimeout(&socket, seconds).unwrap();
        let trickle = || {
            let end = Instant::now() + self::seconds(seconds) + DELAY;
            while Instant::now() < end {
                assert_eq!(send(&peer, &[7; 100], 0), Ok(100));
                thread::sleep(Duration::from_millis(2));
            }
        };
        let mut data = vec![0; 64 << 20];
        let ((outcome, received), elapsed) =
            meanwhile(Duration::ZERO, trickle, || timed(|| recvall(&socket, &mut data, 0)));
        assert_eq!(outcome, Err(ETIMEDOUT));
        assert!(elapsed >= self::seconds(seconds) && elapsed < self::seconds(seconds) + SLACK, "{elapsed:?}");
        assert!(data[..received].iter().all(|byte| *byte == 7) && data[received..].iter().all(|byte| *byte == 0));
        assert!(received >= 100, "nothing was received");
    });
}

/// It waits as for one byte, and takes nothing but an empty part of a message. After a wait that was in vain the
/// kernel says 0 on TCP, which would read as the end of the stream.
#[test]
fn receiving_no_bytes_waits_for_some() {
    for_each(Kind::all().flat_map(|kind| [0.0, SHORT, LONG].map(|seconds| (kind, seconds))), |(kind, seconds)| {
        let (socket, peer) = kind.pair();
        settimeout(&socket, seconds).unwrap();
        let none = || recv(&socket, &mut [], 0);
        let failure = if seconds == 0.0 { EAGAIN } else { ETIMEDOUT };
        assert_eq!(takes(self::seconds(seconds), none), Err(failure));
        assert_eq!(recvall(&socket, &mut [], 0), (Ok(0), 0));
        assert_eq!(send(&peer, b"x", 0), Ok(1));
        assert_ne!(poll(&socket, libc::POLLIN, SLACK), 0);
        assert_eq!(none(), Ok(0));
        assert_eq!(poll(&socket, libc::POLLIN, Duration::ZERO) != 0, kind.is_stream(), "was it taken?");
    });
}

#[test]
fn an_empty_message_is_a_success_and_a_long_one_is_cut() {
    for_each(
        Kind::messages().flat_map(|kind| [FOREVER, SHORT, LONG].map(|seconds| (kind, seconds))),
        |(kind, seconds)| {
            let (socket, peer) = kind.pair();
            settimeout(&socket, 5.0).unwrap();
            assert_eq!(send(&peer, &[], 0), Ok(0));
            assert_eq!(recv(&socket, &mut [0; 4], 0), Ok(0));
            settimeout(&socket, seconds).unwrap();
            for flags in [0, MSG_TRUNC] {
                assert_eq!(send(&peer, &[7; 100], 0), Ok(100));
                assert_ne!(poll(&socket, libc::POLLIN, SLACK), 0);
                let received = recvfrom(&socket, &mut [0; 10], flags).map(|(received, _)| received);
                assert_eq!(received, Ok(if flags == MSG_TRUNC { 100 } else { 10 }));
            }
        },
    );
}

#[test]
fn what_never_waits_in_the_kernel_does_not_wait_here() {
    for_each([FOREVER, 20.0, SHORT], |seconds| {
        let (socket, _peer) = Tcp4.pair();
        settimeout(&socket, seconds).unwrap();
        let (outcome, elapsed) = timed(|| recv(&socket, &mut [0], MSG_ERRQUEUE));
        assert_eq!(outcome, Err(EAGAIN));
        assert!(elapsed < SLACK);
        let (outcome, elapsed) = timed(|| recv(&socket, &mut [0], MSG_OOB));
        assert_eq!(outcome, Err(libc::EINVAL));
        assert!(elapsed < SLACK);
        let (outcome, elapsed) = timed(|| recv(&socket, &mut [0], MSG_DONTWAIT));
        assert_eq!(outcome, Err(EAGAIN));
        assert!(elapsed < SLACK);
    });
}

/// A short timeout has O_NONBLOCK and both of these set too.
#[test]
fn nonblocking_with_timeouts_of_other_code_is_nonblocking() {
    let some = |milliseconds| Some(Duration::from_millis(milliseconds));
    let timeouts = [
        (some(8), some(8)),
        (some(5), None),
        (None, some(5)),
        (some(300), some(300)),
        (some(5), some(300)),
        (some(300), some(5)),
    ];
    for_each(
        timeouts.iter().flat_map(|timeouts| [UnixStream, Tcp4].map(|kind| (kind, *timeouts))),
        |(kind, timeouts)| {
            let (socket, _peer) = kind.pair();
            set_kernel_timeouts(&socket, timeouts.0, timeouts.1);
            set_nonblocking(&socket, true);
            assert_eq!(getblocking(&socket), Ok(0));
            assert_eq!(gettimeout(&socket), Ok(0.0));
            for (name, receive) in RECEIVERS {
                assert_eq!(receive(&socket, &mut [0], 0), Err(EAGAIN), "{name}");
            }
            fill(&socket);
            for ((name, send), data) in product(SENDERS, [&[0; 1][..], &[0; 5000]]) {
                assert_eq!(send(&socket, data, 0), Err(EAGAIN), "{name} of {}", data.len());
            }
            let listener = Listener::new(kind, 1);
            set_kernel_timeouts(&listener.fd, timeouts.0, timeouts.1);
            set_nonblocking(&listener.fd, true);
            assert_eq!(accept(&listener.fd).err(), Some(EAGAIN));
        },
    );
}

/// A Unix stream counts SO_SNDTIMEO afresh for every buffer that it fills.
#[test]
fn sending_to_a_slow_reader_has_one_timeout() {
    let data = vec![7; 64 << 20];
    for_each(Kind::streams().flat_map(|kind| [SHORT, LONG].map(|seconds| (kind, seconds))), |(kind, seconds)| {
        for (name, send) in SENDERS {
            let (socket, peer) = kind.pair();
            let filled = fill(&socket);
            settimeout(&socket, seconds).unwrap();
            settimeout(&peer, 5.0).unwrap();
            let is_sent = AtomicBool::new(false);
            let (sent, received) = thread::scope(|scope| {
                let reader = scope.spawn(|| {
                    let mut buffer = vec![0; 1 << 16];
                    let mut received = 0;
                    loop {
                        if !is_sent.load(SeqCst) {
                            thread::sleep(Duration::from_millis(20));
                        }
                        match recv(&peer, &mut buffer, 0).expect("recv") {
                            0 => return received,
                            more => received += more,
                        }
                    }
                });
                let sent = if is_of_all(name) {
                    let all = || match name {
                        "sendall" => sendall(&socket, &data, 0),
                        _ => sendall_until(&socket, &data, 0, Limits::after(seconds)),
                    };
                    let (outcome, sent) = takes(self::seconds(seconds), all);
                    assert_eq!(outcome, Err(ETIMEDOUT));
                    sent
                } else {
                    // A part is an answer, and nothing is one too if there is no room in time.
                    let (outcome, elapsed) = timed(|| send(&socket, &data, 0));
                    assert!(elapsed < self::seconds(seconds) + SLACK, "{name}: {elapsed:?}");
                    let early = elapsed < self::seconds(seconds);
                    outcome.unwrap_or_else(|code| {
                        assert!(code == ETIMEDOUT && !early, "{name}: error {code} after {elapsed:?}");
                        0
                    })
                };
                is_sent.store(true, SeqCst);
                SockRef::from(&socket).shutdown(std::net::Shutdown::Write).expect("shutdown");
                (sent, reader.join().expect("no panic"))
            });
            assert_eq!(filled + sent, received, "{name}");
        }
    });
}

#[test]
fn urgent_data_obeys_the_mode_as_any_other() {
    for_each([SHORT, LONG], |timeout| {
        let (socket, _peer) = Kind::Tcp4.pair();
        fill(&socket);
        settimeout(&socket, timeout).unwrap();
        assert_eq!(takes(seconds(timeout), || sendall(&socket, &[0; 100], MSG_OOB)), (Err(ETIMEDOUT), 0));
    });
}

/// Unix sockets ignore `MSG_ERRQUEUE`, and would wait for data.
#[test]
fn an_error_queue_is_not_waited_for_where_there_is_none() {
    for_each([FOREVER, LONG], |timeout| {
        let (socket, _peer) = Kind::UnixStream.pair();
        settimeout(&socket, timeout).unwrap();
        let ((outcome, _), elapsed) = timed(|| recvall(&socket, &mut [0; 4], MSG_ERRQUEUE));
        assert_eq!((outcome, recv(&socket, &mut [0; 4], MSG_ERRQUEUE)), (Err(EAGAIN), Err(EAGAIN)));
        assert!(elapsed < DELAY, "it waited {elapsed:?}");
    });
}

/// The kernel ends a `MSG_WAITALL` at the end of a message, which must not pass for a signal.
#[test]
fn a_short_message_is_no_interruption() {
    for_each([Kind::UnixSeqpacket, Kind::UnixDatagram, Kind::Udp4], |kind| {
        let (socket, peer) = kind.pair();
        settimeout(&socket, LONG).unwrap();
        setinterrupt(&socket, true).unwrap();
        assert_eq!(send(&peer, b"abc", 0), Ok(3));
        assert_eq!(takes(seconds(LONG), || recvall(&socket, &mut [0; 8], 0)), (Err(ETIMEDOUT), 3));
    });
}

#[test]
fn interruption_can_be_asked_for_over_two_timeouts_of_other_code() {
    let (socket, _peer) = Kind::UnixStream.pair();
    set_kernel_timeouts(&socket, Some(Duration::from_secs(1)), Some(Duration::from_secs(3)));
    setinterrupt(&socket, true).unwrap();
    assert_eq!(getinterrupt(&socket), Ok(1));
    assert!(gettimeout(&socket).unwrap() >= 1.0);
}
