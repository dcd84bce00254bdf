//! Sending and receiving: every function, in every mode, on every kind of socket.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::common::call::*;
use crate::common::*;
use libc::{
    EAGAIN, ECONNREFUSED, ECONNRESET, EINVAL, EPIPE, ETIMEDOUT, MSG_CTRUNC, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB,
    MSG_PEEK, MSG_TRUNC, MSG_WAITALL, POLLERR,
};
use socket2::SockRef;

/// Enough to fill the buffers of any socket several times over.
const LARGE: usize = 16 << 20;

/// How long another thread makes an operation wait.
const DELAY: Duration = Duration::from_millis(25);

/// A part of [`large`] was sent, and no more and no less than that arrives.
fn is_all_that_arrives(sent: usize, socket: OwnedFd, peer: &OwnedFd) {
    assert!(sent > 0 && sent < LARGE, "{sent}");
    drop(socket);
    let mut arrived = vec![0; LARGE];
    assert_eq!(recvall(peer, &mut arrived, 0), (Err(EPIPE), sent));
    assert!(arrived[..sent] == large()[..sent]);
}

fn pair_with(kind: Kind, seconds: f64) -> (OwnedFd, OwnedFd) {
    let (socket, peer) = kind.pair();
    assert_eq!(settimeout(&socket, seconds), Ok(0));
    (socket, peer)
}

/// Bytes that tell where they belong: no two places near each other look alike.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect()
}

/// As many bytes as no socket has room for.
fn large() -> &'static [u8] {
    static LARGE_PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| pattern(LARGE));
    &LARGE_PATTERN
}

/// What an operation that is not ready does in a mode: it fails at once or when time is up, or waits for `event`.
fn obeys<T>(seconds: f64, event: impl FnOnce() + Send, operation: impl FnOnce() -> Result<T, i32>) -> Option<T> {
    match seconds {
        0.0 => assert_eq!(operation().err(), Some(EAGAIN)),
        ..1.0 => assert_eq!(takes(Duration::from_secs_f64(seconds), operation).err(), Some(ETIMEDOUT)),
        _ => return Some(takes(DELAY, || meanwhile(DELAY, event, operation)).expect("the event was waited for")),
    }
    None
}

#[test]
fn what_is_ready_is_received_in_every_mode() {
    for (kind, seconds) in product(Kind::all(), MODES) {
        let (socket, peer) = pair_with(kind, seconds);
        for (name, receive) in RECEIVERS {
            for flags in [0, MSG_DONTWAIT] {
                about((kind, seconds, name, flags), || {
                    deliver(&peer, &socket, b"hello");
                    let mut data = [0; 5];
                    assert_eq!(receive(&socket, &mut data, flags), Ok(5));
                    assert_eq!(&data, b"hello");
                });
            }
        }
    }
}

#[test]
fn what_there_is_room_for_is_sent_in_every_mode() {
    for (kind, seconds) in product(Kind::all(), MODES) {
        let (socket, peer) = pair_with(kind, seconds);
        for (name, send) in SENDERS {
            // Both sides of the size up to which a send is tried in one go.
            for len in [1, 5, 2048, 2049, 9000] {
                about((kind, seconds, name, len), || {
                    let data = pattern(len);
                    let mut received = vec![0; len];
                    assert_eq!(send(&socket, &data, 0), Ok(len));
                    assert_eq!(recvall(&peer, &mut received, 0), (Ok(0), len));
                    assert!(received == data);
                });
            }
        }
    }
}

#[test]
fn receiving_what_is_not_there_yet_obeys_the_mode() {
    for kind in Kind::all() {
        thread::scope(|scope| {
            for (name, receive) in RECEIVERS {
                scope.spawn(move || {
                    for seconds in MODES {
                        about((kind, seconds, name), || {
                            let (socket, peer) = pair_with(kind, seconds);
                            let mut data = [0; 5];
                            let send_late = || assert_eq!(send(&peer, b"later", 0), Ok(5));
                            if obeys(seconds, send_late, || receive(&socket, &mut data, 0)).is_none() {
                                // The socket is as good as it was.
                                deliver(&peer, &socket, b"later");
                                assert_eq!(receive(&socket, &mut data, 0), Ok(5));
                            }
                            assert_eq!(&data, b"later");
                        });
                    }
                });
            }
        });
    }
}

#[test]
fn sending_what_there_is_no_room_for_obeys_the_mode() {
    for kind in Kind::filling() {
        thread::scope(|scope| {
            for (name, send) in SENDERS {
                scope.spawn(move || {
                    for (seconds, len) in product(MODES, [1, 4000]) {
                        about((kind, seconds, name, len), || {
                            let (socket, peer) = pair_with(kind, seconds);
                            fill(&socket);
                            let data = vec![7; len];
                            let event = || assert!(drain(&peer) > 0);
                            if let Some(sent) = obeys(seconds, event, || send(&socket, &data, 0)) {
                                assert!(sent == len || kind.is_stream() && sent > 0 && !is_of_all(name));
                            } else {
                                drain(&peer);
                                assert_eq!(send(&socket, &data, 0), Ok(len));
                            }
                        });
                    }
                });
            }
        });
    }
}

#[test]
fn an_unconnected_socket_receives_and_answers_by_address() {
    in_turn(product(Kind::messages().filter(|kind| *kind != UnixSeqpacket), MODES), |(kind, seconds)| {
        let (server, client) = (kind.bound(), kind.bound());
        assert_eq!(settimeout(&server, seconds), Ok(0));
        assert_eq!(sendto(&client, b"question", 0, Some(&address(&server))), Ok(8));
        let mut data = [0; 32];
        let (received, from) = recvfrom(&server, &mut data, 0).unwrap();
        assert_eq!(&data[..received], b"question");
        assert_eq!(from, address(&client));
        assert_eq!(sendto(&server, b"answer", 0, Some(&from)), Ok(6));
        let (received, from) = recvfrom(&client, &mut data, 0).unwrap();
        assert_eq!(&data[..received], b"answer");
        assert_eq!(from, address(&server));
        let ask = || assert_eq!(sendto(&client, b"again", 0, Some(&address(&server))), Ok(5));
        if let Some((received, from)) = obeys(seconds, ask, || recvfrom(&server, &mut data, 0)) {
            assert_eq!((received, from), (5, address(&client)));
        }
    });
}

#[test]
fn an_address_is_cut_to_its_room_and_a_bad_length_loses_no_datagram() {
    for kind in [Udp4, Udp6, UnixDatagram] {
        if !Kind::all().any(|other| other == kind) {
            continue;
        }
        about(kind, || {
            let (server, client) = (kind.bound(), kind.bound());
            let whole = address(&client);
            let receive = |addr: *mut u8, addrlen: *mut libc::socklen_t| {
                let mut data = [0_u8; 8];
                // SAFETY: the pointers are NULL or to what is long enough for the lengths.
                check(|| unsafe {
                    let (fd, data) = (server.as_raw_fd(), data.as_mut_ptr().cast());
                    sock::sock_recvfrom(fd, data, 8, MSG_DONTWAIT, addr.cast(), addrlen)
                })
            };
            let mut room = [0xAA_u8; 128];

            assert_eq!(sendto(&client, b"x", 0, Some(&address(&server))), Ok(1));
            assert_eq!(receive(room.as_mut_ptr(), std::ptr::null_mut()), Err(libc::EFAULT));
            for bad in [1 << 31, u32::MAX] {
                let mut addrlen = bad;
                assert_eq!(receive(room.as_mut_ptr(), &raw mut addrlen), Err(EINVAL));
                assert_eq!(addrlen, bad);
            }
            assert_eq!(room, [0xAA; 128]);
            assert_eq!(receive(std::ptr::null_mut(), std::ptr::null_mut()), Ok(1));

            for len in [0, 1, 2, 4, whole.len() - 1, whole.len(), 128] {
                assert_eq!(sendto(&client, b"x", 0, Some(&address(&server))), Ok(1));
                let (mut room, mut addrlen) = ([0xAA_u8; 128], len);
                assert_eq!(receive(room.as_mut_ptr(), &raw mut addrlen), Ok(1));
                assert_eq!(addrlen, whole.len());
                let written = len.min(whole.len()) as usize;
                assert_eq!(room[..written], bytes(&whole)[..written]);
                assert!(room[written..].iter().all(|byte| *byte == 0xAA));
            }
        });
    }
}

fn bytes(address: &socket2::SockAddr) -> &[u8] {
    // SAFETY: the pointer and the length belong together.
    unsafe { std::slice::from_raw_parts(address.as_ptr().cast(), address.len() as usize) }
}

#[test]
fn an_empty_message_is_a_success_of_0_and_no_end() {
    for (kind, seconds) in product(Kind::messages(), MODES) {
        let (socket, peer) = pair_with(kind, seconds);
        for (sender, send_one) in SENDERS {
            for (receiver, receive) in RECEIVERS {
                if is_of_all(sender) || is_of_all(receiver) {
                    continue;
                }
                about((kind, seconds, sender, receiver), || {
                    let mut data = [0; 8];
                    assert_eq!(send_one(&socket, b"", 0), Ok(0));
                    assert_eq!(send_one(&peer, b"", 0), Ok(0));
                    assert_eq!(send_one(&peer, b"next", 0), Ok(4));
                    assert_eq!(receive(&socket, &mut data, 0), Ok(0));
                    assert_eq!(receive(&socket, &mut data, 0), Ok(4));
                    assert_eq!(receive(&peer, &mut data, 0), Ok(0));
                });
            }
        }
        about((kind, seconds), || {
            assert_eq!(sendall(&socket, b"", 0), (Ok(0), 0));
            assert_eq!(recv(&peer, &mut [0; 8], MSG_DONTWAIT), Err(EAGAIN), "sendall sends no empty message");
        });
    }
}

#[test]
fn an_empty_message_ends_a_wait() {
    for (kind, seconds) in product(Kind::messages(), [f64::INFINITY, 30.0]) {
        let (socket, peer) = pair_with(kind, seconds);
        for (name, receive) in of_one(RECEIVERS) {
            about((kind, seconds, name), || {
                let send_late = || assert_eq!(send(&peer, b"", 0), Ok(0));
                assert_eq!(takes(DELAY, || meanwhile(DELAY, send_late, || receive(&socket, &mut [0; 8], 0))), Ok(0));
            });
        }
    }
}

#[test]
fn no_bytes_from_a_stream_are_0_and_take_nothing() {
    for (kind, seconds) in product(Kind::streams(), MODES) {
        let (socket, peer) = pair_with(kind, seconds);
        deliver(&peer, &socket, b"kept");
        for (name, receive) in RECEIVERS {
            about((kind, seconds, name), || assert_eq!(receive(&socket, &mut [], 0), Ok(0)));
        }
        for (name, send) in SENDERS {
            about((kind, seconds, name), || assert_eq!(send(&socket, &[], 0), Ok(0)));
        }
        let mut data = [0; 8];
        assert_eq!(recv(&socket, &mut data, 0), Ok(4));
        assert_eq!(&data[..4], b"kept");
    }
}

#[test]
fn all_of_nothing_is_done_at_once() {
    in_turn(product(Kind::all(), MODES), |(kind, seconds)| {
        let (socket, _peer) = pair_with(kind, seconds);
        assert_eq!(recvall(&socket, &mut [], 0), (Ok(0), 0));
        assert_eq!(sendall(&socket, &[], 0), (Ok(0), 0));
    });
}

#[test]
fn a_message_longer_than_the_buffer_is_cut() {
    for (kind, seconds) in product(Kind::messages(), MODES) {
        let (socket, peer) = pair_with(kind, seconds);
        for (name, receive) in RECEIVERS {
            about((kind, seconds, name), || {
                // recvall tells of no more bytes than there are in the buffer.
                let whole = if is_of_all(name) { 4 } else { 10 };
                for (flags, expected) in [(0, 4), (MSG_TRUNC, whole)] {
                    let mut data = [0; 4];
                    deliver(&peer, &socket, b"0123456789");
                    deliver(&peer, &socket, b"next");
                    assert_eq!(receive(&socket, &mut data, flags), Ok(expected));
                    assert_eq!(&data, b"0123");
                    assert_eq!(receive(&socket, &mut data, flags), Ok(4));
                    assert_eq!(&data, b"next", "the rest of a message is lost");
                }
            });
        }
        about((kind, seconds, "msg_flags"), || {
            let mut data = [0; 4];
            for (flags, expected) in [(0, 4), (MSG_TRUNC, 10)] {
                deliver(&peer, &socket, b"0123456789");
                let received = recvmsg(&socket, &mut [IoSliceMut::new(&mut data)], &mut [], flags).unwrap();
                assert_eq!((received.bytes, received.flags & MSG_TRUNC), (expected, MSG_TRUNC));
            }
            deliver(&peer, &socket, b"fits");
            let received = recvmsg(&socket, &mut [IoSliceMut::new(&mut data)], &mut [], 0).unwrap();
            assert_eq!((received.bytes, received.flags & MSG_TRUNC), (4, 0));
        });
    }
}

#[test]
fn recvall_puts_messages_one_after_the_other() {
    in_turn(product(Kind::messages(), MODES), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        for part in [b"one".as_slice(), b"two", b"three"] {
            deliver(&peer, &socket, part);
        }
        let mut data = [0; 9];
        assert_eq!(recvall(&socket, &mut data, 0), (Ok(0), 9));
        assert_eq!(&data, b"onetwothr");
    });
}

#[test]
fn recvall_reads_past_the_marks_in_a_stream() {
    let (witness, _) = UnixDatagram.pair();
    let control = rights(&[witness.as_raw_fd()]);
    in_turn(product(Kind::streams(), MODES), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        for part in [b"one", b"two", b"six"] {
            // One receive does not go beyond a descriptor, or urgent data.
            if kind.is_unix() {
                assert_eq!(sendmsg(&peer, &[IoSlice::new(part)], &control, 0), Ok(3));
            } else {
                deliver(&peer, &socket, part);
                assert_eq!(send(&peer, b"!", MSG_OOB), Ok(1));
            }
        }
        let mut data = [0; 9];
        assert_eq!(recvall(&socket, &mut data, 0), (Ok(0), 9));
        // Urgent data that newer data follows is like any other.
        assert_eq!(&data, if kind.is_unix() { b"onetwosix" } else { b"one!two!s" });
    });
}

#[test]
fn the_end_of_a_stream_is_0_and_for_recvall_epipe() {
    for (kind, seconds, (name, receive)) in product3(Kind::listening(), MODES, RECEIVERS) {
        about((kind, seconds, name), || {
            let (socket, peer) = pair_with(kind, seconds);
            deliver(&peer, &socket, b"last words");
            drop(peer);
            let mut data = [0; 10];
            assert_eq!(receive(&socket, &mut data, 0), Ok(10));
            for _ in 0..2 {
                let end = if is_of_all(name) { Err(EPIPE) } else { Ok(0) };
                assert_eq!(receive(&socket, &mut data, 0), end);
            }
        });
    }
}

#[test]
fn the_end_of_a_stream_ends_a_wait() {
    for (kind, seconds, (name, receive)) in product3(Kind::listening(), [f64::INFINITY, 30.0], RECEIVERS) {
        about((kind, seconds, name), || {
            let (socket, peer) = pair_with(kind, seconds);
            let end = if is_of_all(name) { Err(EPIPE) } else { Ok(0) };
            let outcome = takes(DELAY, || meanwhile(DELAY, || drop(peer), || receive(&socket, &mut [0; 8], 0)));
            assert_eq!(outcome, end);
        });
    }
}

/// Closes a connection so that its peer finds it reset.
fn reset(kind: Kind, socket: &OwnedFd, peer: OwnedFd) {
    if kind.is_tcp() {
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    } else {
        assert_eq!(send(socket, b"never read", 0), Ok(10));
    }
    drop(peer);
}

#[test]
fn a_reset_connection_is_econnreset() {
    for (kind, seconds) in product(Kind::streams(), MODES) {
        for (name, receive) in RECEIVERS {
            about((kind, seconds, name), || {
                let (socket, peer) = pair_with(kind, seconds);
                reset(kind, &socket, peer);
                assert_eq!(receive(&socket, &mut [0; 8], 0), Err(ECONNRESET));
            });
        }
        for (name, send) in SENDERS.into_iter().filter(|_| kind.is_tcp()) {
            about((kind, seconds, name), || {
                let (socket, peer) = pair_with(kind, seconds);
                reset(kind, &socket, peer);
                assert_eq!(send(&socket, b"x", 0), Err(ECONNRESET));
                assert_eq!(send(&socket, b"x", 0), Err(EPIPE));
            });
        }
    }
}

#[test]
fn a_reset_ends_a_wait() {
    for (kind, seconds, (name, receive)) in
        product3(Kind::streams().filter(|kind| kind.is_tcp()), [f64::INFINITY, 30.0], RECEIVERS)
    {
        about((kind, seconds, name), || {
            let (socket, peer) = pair_with(kind, seconds);
            let event = || reset(kind, &socket, peer);
            let outcome = takes(DELAY, || meanwhile(DELAY, event, || receive(&socket, &mut [0; 8], 0)));
            assert_eq!(outcome, Err(ECONNRESET));
        });
    }
}

#[test]
fn a_refused_datagram_is_told_of() {
    for (kind, seconds, (name, receive)) in
        product3(Kind::all().filter(|kind| matches!(kind, Udp4 | Udp6)), MODES, RECEIVERS)
    {
        about((kind, seconds, name), || {
            let (socket, peer) = pair_with(kind, seconds);
            drop(peer);
            assert_eq!(send(&socket, b"x", 0), Ok(1));
            assert_ne!(poll(&socket, 0, SLACK) & POLLERR, 0, "no refusal came back");
            assert_eq!(receive(&socket, &mut [0; 8], 0), Err(ECONNREFUSED));
            if seconds == 0.0 {
                assert_eq!(receive(&socket, &mut [0; 8], 0), Err(EAGAIN));
            }
        });
    }
}

#[test]
fn recvall_counts_exactly_on_every_failure() {
    let failures: [(&str, f64, i32); 6] = [
        ("quiet", 0.0, EAGAIN),
        ("quiet", 0.001, ETIMEDOUT),
        ("quiet", 0.05, ETIMEDOUT),
        ("closed", f64::INFINITY, EPIPE),
        ("closed", 30.0, EPIPE),
        ("closed", 0.0, EPIPE),
    ];
    for (kind, (event, seconds, error), came) in product3(Kind::streams(), failures, [0, 1, 1000, 60_000]) {
        about((kind, event, seconds, came), || {
            let (socket, peer) = pair_with(kind, seconds);
            let data = pattern(came);
            assert_eq!(sendall(&peer, &data, 0), (Ok(0), came));
            let _peer = (event == "quiet").then_some(peer);
            let mut buffer = vec![0xEE; 100_000];
            assert_eq!(recvall(&socket, &mut buffer, 0), (Err(error), came));
            assert!(buffer[..came] == data);
            assert!(buffer[came..].iter().all(|byte| *byte == 0xEE));
        });
    }
}

#[test]
fn recvall_counts_exactly_when_the_connection_is_reset() {
    in_turn(product(Kind::streams().filter(|kind| kind.is_tcp()), MODES), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        deliver(&peer, &socket, &pattern(1000));
        let mut buffer = vec![0; 2000];
        reset(kind, &socket, peer);
        let (outcome, received) = recvall(&socket, &mut buffer, 0);
        assert_eq!((outcome, received), (Err(ECONNRESET), 1000));
        assert!(buffer[..1000] == pattern(1000));
    });
}

#[test]
fn sendall_of_a_message_that_waits_for_room_is_one_message() {
    in_turn(product([UnixDatagram, UnixSeqpacket], [FOREVER, 5.0]), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        fill(&socket);
        settimeout(&peer, 0.3).unwrap();
        let message = vec![7; 20_000];
        let receive_all = || {
            let received = std::iter::from_fn(|| recv(&peer, &mut vec![0; 30_000], 0).ok());
            assert_eq!(received.last(), Some(message.len()), "the last message");
        };
        let outcome = meanwhile(DELAY, receive_all, || sendall(&socket, &message, 0));
        assert_eq!(outcome, (Ok(0), message.len()));
    });
}

#[test]
fn sendall_counts_exactly_on_every_failure() {
    for (kind, (seconds, error)) in product(Kind::streams(), [(0.0, EAGAIN), (0.001, ETIMEDOUT), (0.05, ETIMEDOUT)]) {
        about((kind, seconds), || {
            let (socket, peer) = pair_with(kind, seconds);
            let data = large();
            let (outcome, sent) = takes(Duration::from_secs_f64(seconds), || sendall(&socket, data, 0));
            assert_eq!(outcome, Err(error));
            is_all_that_arrives(sent, socket, &peer);
        });
    }
}

#[test]
fn sendall_on_a_broken_pipe_has_sent_nothing() {
    in_turn(product(Kind::streams(), MODES), |(kind, seconds)| {
        let (socket, _peer) = pair_with(kind, seconds);
        SockRef::from(&socket).shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(sendall(&socket, large(), 0), (Err(EPIPE), 0));
    });
}

#[test]
fn a_large_buffer_goes_and_comes_whole() {
    let data = large();
    in_turn(product(Kind::streams(), [f64::INFINITY, 30.0]), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        assert_eq!(settimeout(&peer, seconds), Ok(0));
        let mut arrived = vec![0; LARGE];
        thread::scope(|scope| {
            let sender = scope.spawn(|| sendall(&socket, data, 0));
            assert_eq!(recvall(&peer, &mut arrived, 0), (Ok(0), LARGE));
            assert_eq!(sender.join().unwrap(), (Ok(0), LARGE));
        });
        assert!(arrived == data);
    });
}

#[test]
fn a_large_send_is_whole_in_blocking_mode_and_a_part_in_others() {
    let data = large();
    for (kind, (name, send)) in product(Kind::streams(), plain_of_one(SENDERS)) {
        about((kind, name), || {
            let (socket, peer) = kind.pair();
            let mut arrived = vec![0; LARGE];
            thread::scope(|scope| {
                let sender = scope.spawn(|| send(&socket, data, 0));
                thread::sleep(DELAY);
                assert_eq!(recvall(&peer, &mut arrived, 0), (Ok(0), LARGE));
                assert_eq!(sender.join().unwrap(), Ok(LARGE));
            });
            assert!(arrived == data);
        });
        for seconds in [0.0, 0.001, 0.05, 0.3] {
            about((kind, name, seconds), || {
                let (socket, peer) = pair_with(kind, seconds);
                let (sent, elapsed) = timed(|| send(&socket, data, 0).unwrap());
                assert!(elapsed < Duration::from_secs_f64(seconds) + SLACK, "{elapsed:?}");
                is_all_that_arrives(sent, socket, &peer);
            });
        }
    }
}

#[test]
fn a_large_send_cut_off_by_the_peer_tells_its_part() {
    for kind in Kind::streams() {
        for (name, send) in plain_of_one(SENDERS) {
            about((kind, name), || {
                let (socket, peer) = kind.pair();
                let sent = meanwhile(DELAY, || drop(peer), || send(&socket, large(), 0)).unwrap();
                assert!(sent > 0 && sent < LARGE, "{sent}");
                assert!(matches!(send(&socket, b"x", 0), Err(EPIPE | ECONNRESET)));
            });
        }
        about((kind, "sendall"), || {
            let (socket, peer) = kind.pair();
            let (outcome, sent) = meanwhile(DELAY, || drop(peer), || sendall(&socket, large(), 0));
            assert!(matches!(outcome, Err(EPIPE | ECONNRESET)), "{outcome:?}");
            assert!(sent > 0 && sent < LARGE, "{sent}");
        });
    }
}

/// A control message that carries descriptors.
fn rights(descriptors: &[RawFd]) -> Vec<u8> {
    let len = size_of_val(descriptors) as u32;
    // SAFETY: the space is as long as CMSG_SPACE says, and aligned as a vector of u64 is.
    unsafe {
        let space = libc::CMSG_SPACE(len) as usize;
        let mut control = vec![0_u8; space];
        let header = libc::cmsghdr {
            cmsg_len: libc::CMSG_LEN(len) as _,
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        };
        control.as_mut_ptr().cast::<libc::cmsghdr>().write_unaligned(header);
        let data = control.as_mut_ptr().add(libc::CMSG_LEN(0) as usize).cast::<RawFd>();
        std::ptr::copy_nonoverlapping(descriptors.as_ptr().cast::<u8>(), data.cast(), len as usize);
        control
    }
}

/// The descriptors in control data, which may hold one message of them.
fn descriptors(control: &[u8]) -> Vec<OwnedFd> {
    let head = size_of::<libc::cmsghdr>();
    if control.len() < head {
        return Vec::new();
    }
    // SAFETY: there are that many bytes, and any are a valid header.
    let header: libc::cmsghdr = unsafe { control.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
    assert_eq!((header.cmsg_level, header.cmsg_type), (libc::SOL_SOCKET, libc::SCM_RIGHTS));
    #[allow(clippy::unnecessary_cast)] // With musl it is narrower.
    let end = header.cmsg_len as usize;
    control[head..end]
        .chunks_exact(size_of::<RawFd>())
        // SAFETY: the descriptors are new and nobody else's.
        .map(|raw| unsafe { OwnedFd::from_raw_fd(RawFd::from_ne_bytes(raw.try_into().unwrap())) })
        .collect()
}

#[test]
fn a_message_of_many_buffers_is_gathered_and_its_control_data_goes_once() {
    let data = pattern(12 << 20);
    let (witness, _) = UnixDatagram.pair();
    // Buffers of uneven lengths, some of them empty, that together are far more than there is room for.
    let mut rest = data.as_slice();
    let mut buffers = Vec::new();
    for at in 0.. {
        if rest.is_empty() {
            break;
        }
        let len = [0, 1, 70_000, 13, 300_000, 4096, 0][at % 7].min(rest.len());
        buffers.push(IoSlice::new(&rest[..len]));
        rest = &rest[len..];
    }
    in_turn(Kind::streams(), |kind| {
        let (socket, peer) = kind.pair();
        let control = if kind.is_unix() { rights(&[witness.as_raw_fd()]) } else { Vec::new() };
        let mut arrived = Vec::new();
        let mut passed = 0;
        thread::scope(|scope| {
            let sender = scope.spawn(|| sendmsg(&socket, &buffers, &control, 0));
            thread::sleep(DELAY);
            let (mut first, mut second, mut space) = ([0; 10_000], [0; 50_000], [0; 64]);
            while arrived.len() < data.len() {
                let mut into = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
                let received = recvmsg(&peer, &mut into, &mut space, 0).unwrap();
                arrived.extend_from_slice(&first[..received.bytes.min(10_000)]);
                arrived.extend_from_slice(&second[..received.bytes.saturating_sub(10_000)]);
                passed += descriptors(&space[..received.control]).len();
                assert_eq!(received.flags & MSG_CTRUNC, 0);
            }
            assert_eq!(sender.join().unwrap(), Ok(data.len()));
        });
        assert!(arrived == data);
        assert_eq!(passed, usize::from(kind.is_unix()));
    });
}

#[test]
fn a_message_of_many_buffers_goes_in_part_when_it_may_not_wait() {
    let data = large();
    let buffers: Vec<IoSlice> = data.chunks(100_000).map(IoSlice::new).collect();
    in_turn(product(Kind::streams(), [0.0, 0.001, 0.05, 30.0]), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        let sent = sendmsg(&socket, &buffers, &[], 0).unwrap();
        is_all_that_arrives(sent, socket, &peer);
    });
}

#[test]
fn control_data_waits_with_its_first_byte_and_goes_once() {
    let (witness, _) = UnixDatagram.pair();
    let control = rights(&[witness.as_raw_fd()]);
    in_turn(
        product([UnixStream, UnixDatagram, UnixSeqpacket], [f64::INFINITY, 0.0, 0.001, 0.05, 30.0]),
        |(kind, seconds)| {
            let (socket, peer) = pair_with(kind, seconds);
            let filled = fill(&socket);
            let data = pattern(4000);
            let send = || sendmsg(&socket, &[IoSlice::new(&data[..1000]), IoSlice::new(&data[1000..])], &control, 0);
            let make_room = || assert_eq!(recvall(&peer, &mut vec![0; filled], 0), (Ok(0), filled));
            let sent = obeys(seconds, make_room, send).unwrap_or_else(|| {
                make_room();
                assert_eq!(drain(&peer), 0, "a failed send sends nothing");
                send().unwrap()
            });
            let (mut buffer, mut space) = ([0; 8000], [0; 64]);
            let (mut arrived, mut passed) = (0, 0);
            while arrived < sent {
                let mut into = [IoSliceMut::new(&mut buffer)];
                let received = recvmsg(&peer, &mut into, &mut space, MSG_DONTWAIT).unwrap();
                arrived += received.bytes;
                passed += descriptors(&space[..received.control]).len();
            }
            assert_eq!((arrived, passed), (sent, 1));
        },
    );
}

#[test]
fn descriptors_received_are_close_on_exec() {
    let (one, other) = UnixStream.pair();
    in_turn(product([UnixStream, UnixDatagram, UnixSeqpacket], MODES), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        let control = rights(&[one.as_raw_fd(), other.as_raw_fd()]);
        let send_late = || assert_eq!(sendmsg(&peer, &[IoSlice::new(b"x")], &control, 0), Ok(1));
        let (mut byte, mut space) = ([0; 1], [0; 64]);
        let mut receive = || recvmsg(&socket, &mut [IoSliceMut::new(&mut byte)], &mut space, 0);
        let received = obeys(seconds, send_late, &mut receive).unwrap_or_else(|| {
            send_late();
            receive().unwrap()
        });
        let passed = descriptors(&space[..received.control]);
        assert_eq!((received.bytes, passed.len()), (1, 2));
        assert!(passed.iter().all(is_close_on_exec));
    });
}

#[test]
fn a_slow_reader_does_not_prolong_sendall() {
    const TIMEOUT: Duration = Duration::from_millis(400);
    let data = large();
    for_each(product(Kind::streams(), [1, 4096, 20_000]), |(kind, appetite)| {
        let (socket, peer) = pair_with(kind, TIMEOUT.as_secs_f64());
        let (done, peer) = (&AtomicBool::new(false), &peer);
        let (outcome, read) = thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let (mut read, mut buffer) = (0, vec![0; appetite]);
                while !done.load(Relaxed) {
                    thread::sleep(Duration::from_millis(5));
                    read += recv(peer, &mut buffer, MSG_DONTWAIT).unwrap_or(0);
                }
                read
            });
            let outcome = takes(TIMEOUT, || sendall(&socket, data, 0));
            done.store(true, Relaxed);
            (outcome, reader.join().unwrap())
        });
        drop(socket);
        let (_, rest) = recvall(peer, &mut vec![0; LARGE], 0);
        assert_eq!(outcome, (Err(ETIMEDOUT), read + rest));
    });
}

#[test]
fn a_slow_writer_does_not_prolong_recvall() {
    const TIMEOUT: Duration = Duration::from_millis(400);
    for_each(product(Kind::streams(), [1, 1000, 10_000]), |(kind, portion)| {
        let (socket, peer) = pair_with(kind, TIMEOUT.as_secs_f64());
        let done = &AtomicBool::new(false);
        let mut buffer = vec![0; LARGE];
        let first = send(&peer, &vec![b'w'; portion], 0).unwrap();
        let (outcome, written) = thread::scope(|scope| {
            let writer = scope.spawn(move || {
                let mut written = first;
                while !done.load(Relaxed) {
                    thread::sleep(Duration::from_millis(5));
                    written += send(&peer, &vec![b'w'; portion], MSG_DONTWAIT).unwrap_or(0);
                }
                written
            });
            let outcome = takes(TIMEOUT, || recvall(&socket, &mut buffer, 0));
            done.store(true, Relaxed);
            (outcome, writer.join().unwrap())
        });
        let (_, rest) = recvall(&socket, &mut vec![0; LARGE], 0);
        assert_eq!(outcome, (Err(ETIMEDOUT), written - rest));
        let received = written - rest;
        assert!(buffer[..received].iter().all(|byte| *byte == b'w'));
        assert!(buffer[received..].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn msg_dontwait_does_not_wait_in_any_mode() {
    for (kind, seconds) in product(Kind::all(), MODES) {
        let (socket, _peer) = pair_with(kind, seconds);
        for (name, receive) in RECEIVERS {
            about((kind, seconds, name), || {
                assert_eq!(receive(&socket, &mut [0; 8], MSG_DONTWAIT), Err(EAGAIN));
            });
        }
        if Kind::filling().any(|filling| filling == kind) {
            fill(&socket);
            for (name, send) in SENDERS {
                about((kind, seconds, name), || {
                    assert_eq!(send(&socket, b"x", MSG_DONTWAIT), Err(EAGAIN));
                    assert_eq!(send(&socket, &[0; 5000], MSG_DONTWAIT), Err(EAGAIN));
                });
            }
        }
    }
}

#[test]
fn msg_dontwait_sends_and_receives_a_part_in_any_mode() {
    in_turn(product(Kind::streams(), MODES), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        for (_, send) in of_one(SENDERS) {
            let sent = send(&socket, large(), MSG_DONTWAIT).unwrap();
            assert!(sent > 0 && sent < LARGE);
            assert_eq!(drain(&peer), sent);
        }
        let (outcome, sent) = sendall(&socket, large(), MSG_DONTWAIT);
        assert_eq!(outcome, Err(EAGAIN));
        assert!(sent > 0 && sent < LARGE);
        deliver(&peer, &socket, b"part");
        assert_eq!(recvall(&socket, &mut [0; 8], MSG_DONTWAIT), (Err(EAGAIN), 4));
    });
}

#[test]
fn msg_peek_leaves_the_data_there() {
    for (kind, seconds) in product(Kind::all(), MODES) {
        let (socket, peer) = pair_with(kind, seconds);
        for (name, receive) in of_one(RECEIVERS) {
            about((kind, seconds, name), || {
                let mut data = [0; 8];
                let send_late = || assert_eq!(send(&peer, b"peek", 0), Ok(4));
                if obeys(seconds, send_late, || receive(&socket, &mut data, MSG_PEEK)).is_none() {
                    send_late();
                }
                for flags in [MSG_PEEK, MSG_PEEK, 0] {
                    data.fill(0);
                    assert_eq!(receive(&socket, &mut data, flags), Ok(4));
                    assert_eq!(&data[..4], b"peek");
                }
            });
        }
        about((kind, seconds), || {
            deliver(&peer, &socket, b"x");
            assert_eq!(recvall(&socket, &mut [0; 1], MSG_PEEK), (Err(EINVAL), 0));
            assert_eq!(recv(&socket, &mut [0; 1], 0), Ok(1));
        });
    }
}

#[test]
fn msg_waitall_waits_for_all_unless_time_runs_out() {
    for (kind, (name, receive)) in product(Kind::streams(), plain_of_one(RECEIVERS)) {
        for seconds in [f64::INFINITY, 30.0] {
            about((kind, name, seconds), || {
                let (socket, peer) = pair_with(kind, seconds);
                deliver(&peer, &socket, b"first ");
                let send_late = || assert_eq!(send(&peer, b"second", 0), Ok(6));
                let mut data = [0; 12];
                let outcome = takes(DELAY, || meanwhile(DELAY, send_late, || receive(&socket, &mut data, MSG_WAITALL)));
                assert_eq!(outcome, Ok(12));
                assert_eq!(&data, b"first second");
            });
        }
        for seconds in [0.0, 0.001, 0.05] {
            about((kind, name, seconds), || {
                let (socket, peer) = pair_with(kind, seconds);
                deliver(&peer, &socket, b"first ");
                assert_eq!(receive(&socket, &mut [0; 12], MSG_WAITALL), Ok(6));
                assert!(matches!(receive(&socket, &mut [0; 12], MSG_WAITALL), Err(EAGAIN | ETIMEDOUT)));
            });
        }
    }
}

#[test]
fn out_of_band_data_is_never_waited_for() {
    for (kind, seconds) in product(Kind::streams().filter(|kind| kind.is_tcp()), MODES) {
        for (name, receive) in RECEIVERS {
            about((kind, seconds, name), || {
                let (socket, peer) = pair_with(kind, seconds);
                assert_eq!(receive(&socket, &mut [0; 1], MSG_OOB), Err(EINVAL));
                let mut urgent = [0; 1];
                assert_eq!(send(&peer, b"!", MSG_OOB), Ok(1));
                assert_ne!(poll(&socket, libc::POLLPRI, SLACK), 0);
                assert_eq!(receive(&socket, &mut urgent, MSG_OOB), Ok(1));
                assert_eq!(&urgent, b"!");
                assert_eq!(receive(&socket, &mut urgent, MSG_OOB), Err(EINVAL));
            });
        }
        for (name, send) in SENDERS {
            about((kind, seconds, name), || {
                let (socket, peer) = pair_with(kind, seconds);
                assert_eq!(send(&socket, b"!", MSG_OOB), Ok(1));
                assert_ne!(poll(&peer, libc::POLLPRI, SLACK), 0);
                assert_eq!(recv(&peer, &mut [0; 1], MSG_OOB), Ok(1));
            });
        }
    }
}

#[test]
fn the_error_queue_is_never_waited_for() {
    in_turn(product(Kind::all().filter(|kind| matches!(kind, Udp4 | Udp6)), MODES), |(kind, seconds)| {
        let (socket, peer) = pair_with(kind, seconds);
        let (level, option) = match kind {
            Udp4 => (libc::SOL_IP, libc::IP_RECVERR),
            _ => (libc::SOL_IPV6, libc::IPV6_RECVERR),
        };
        let on = 1;
        // SAFETY: the pointer is to an int, of which the length is given.
        let set = unsafe {
            libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), size_of_val(&on) as u32)
        };
        assert_eq!(set, 0);
        let mut data = [0; 8];
        for (_, receive) in RECEIVERS {
            assert_eq!(receive(&socket, &mut data, MSG_ERRQUEUE), Err(EAGAIN));
        }
        drop(peer);
        assert_eq!(send(&socket, b"lost", 0), Ok(4));
        assert_ne!(poll(&socket, 0, SLACK) & POLLERR, 0, "no refusal came back");
        let mut control = [0; 512];
        let received = recvmsg(&socket, &mut [IoSliceMut::new(&mut data)], &mut control, MSG_ERRQUEUE).unwrap();
        assert_eq!((received.bytes, received.flags & MSG_ERRQUEUE), (4, MSG_ERRQUEUE));
        assert!(received.control > 0);
        assert_eq!(&data[..4], b"lost");
    });
}
