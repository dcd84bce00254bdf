//! Waiting without moving data.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::common::call::*;
use crate::common::*;
use libc::{
    EAGAIN, EBADF, EINVAL, ENOTSOCK, ETIMEDOUT, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLWRNORM,
};
use socket2::SockRef;

const DELAY: Duration = Duration::from_millis(25);

/// The seconds with which something that is ready is found so.
const SECONDS: [f64; 6] = [0.0, -0.0, 1e-300, 0.05, 30.0, f64::INFINITY];

/// The modes of a socket, none of which matters here.
const MODES: [f64; 4] = [f64::INFINITY, 0.0, 0.001, 5.0];

#[test]
fn what_is_ready_is_told_at_once() {
    for (kind, mode) in product(Kind::all(), MODES) {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, mode), Ok(0));
        for seconds in SECONDS {
            about((kind, mode, seconds), || {
                assert_eq!(wait(&socket, POLLOUT, seconds), Ok(POLLOUT as usize));
                assert_eq!(wait(&socket, POLLIN | POLLOUT, seconds), Ok(POLLOUT as usize));
                assert_eq!(wait(&socket, POLLOUT | POLLWRNORM, seconds), Ok((POLLOUT | POLLWRNORM) as usize));
            });
        }
        deliver(&peer, &socket, b"x");
        for seconds in SECONDS {
            about((kind, mode, seconds), || {
                assert_eq!(wait(&socket, POLLIN, seconds), Ok(POLLIN as usize));
                assert_eq!(wait(&socket, POLLIN | POLLOUT, seconds), Ok((POLLIN | POLLOUT) as usize));
            });
        }
        assert_eq!(recv(&socket, &mut [0; 2], 0), Ok(1), "waiting took the data");
    }
}

#[test]
fn what_is_not_ready_is_waited_for_as_long_as_said_and_no_less() {
    in_turn(product(Kind::all(), MODES), |(kind, mode)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, mode), Ok(0));
        assert_eq!(wait(&socket, POLLIN, 0.0), Err(EAGAIN));
        assert_eq!(wait(&socket, POLLIN, -0.0), Err(EAGAIN));
        assert_eq!(wait(&socket, 0, 0.0), Err(EAGAIN));
        for seconds in [1e-300, 0.000_1, 0.001, 0.03] {
            let expired = takes(Duration::from_secs_f64(seconds), || wait(&socket, POLLIN, seconds));
            assert_eq!(expired, Err(ETIMEDOUT));
        }
        for seconds in [30.0, 4_294_967.3, 4_294_967_296.1, 9_223_372_036.0, f64::INFINITY] {
            let send_late = || assert_eq!(send(&peer, b"x", 0), Ok(1));
            let ready = takes(DELAY, || meanwhile(DELAY, send_late, || wait(&socket, POLLIN, seconds)));
            assert_eq!(ready, Ok(POLLIN as usize));
            assert_eq!(recv(&socket, &mut [0; 2], 0), Ok(1));
        }
    });
}

#[test]
fn a_full_socket_waits_for_room() {
    in_turn(Kind::filling(), |kind| {
        let (socket, peer) = kind.pair();
        fill(&socket);
        assert_eq!(wait(&socket, POLLOUT, 0.0), Err(EAGAIN));
        assert_eq!(takes(DELAY, || wait(&socket, POLLOUT, DELAY.as_secs_f64())), Err(ETIMEDOUT));
        let make_room = || assert!(drain(&peer) > 0);
        let ready = takes(DELAY, || meanwhile(DELAY, make_room, || wait(&socket, POLLOUT, 30.0)));
        assert_eq!(ready, Ok(POLLOUT as usize));
    });
}

#[test]
fn a_listener_is_readable_when_there_is_a_connection() {
    in_turn(Kind::listening(), |kind| {
        let listener = Listener::new(kind, 1);
        assert_eq!(wait(&listener.fd, POLLIN, 0.0), Err(EAGAIN));
        let mut client = None;
        let connect = || client = Some(listener.connect_to_waiting());
        let ready = takes(DELAY, || meanwhile(DELAY, connect, || wait(&listener.fd, POLLIN, 30.0)));
        assert_eq!(ready, Ok(POLLIN as usize));
    });
}

#[test]
fn a_hang_up_is_told_of_even_if_nothing_is_asked_for() {
    in_turn(Kind::listening(), |kind| {
        let (socket, peer) = kind.pair();
        SockRef::from(&socket).shutdown(std::net::Shutdown::Write).unwrap();
        let hang_up = || drop(peer);
        let ready = takes(DELAY, || meanwhile(DELAY, hang_up, || wait(&socket, 0, 30.0)));
        assert_eq!(ready, Ok(POLLHUP as usize));
        let all = POLLIN | POLLRDHUP;
        assert_eq!(wait(&socket, all, 0.0), Ok((all | POLLHUP) as usize));
    });
}

#[test]
fn a_half_closed_peer_is_readable() {
    in_turn(Kind::listening(), |kind| {
        let (socket, peer) = kind.pair();
        assert_eq!(wait(&socket, POLLRDHUP, 0.0), Err(EAGAIN));
        let shut_down = || SockRef::from(&peer).shutdown(std::net::Shutdown::Write).unwrap();
        let ready = takes(DELAY, || meanwhile(DELAY, shut_down, || wait(&socket, POLLIN | POLLRDHUP, 30.0)));
        assert_eq!(ready, Ok((POLLIN | POLLRDHUP) as usize));
    });
}

#[test]
fn an_error_is_told_of_even_if_nothing_is_asked_for() {
    in_turn(Kind::all().filter(|kind| matches!(kind, Udp4 | Udp6)), |kind| {
        let (socket, peer) = kind.pair();
        drop(peer);
        let send_in_vain = || assert_eq!(send(&socket, b"x", 0), Ok(1));
        let ready = takes(DELAY, || meanwhile(DELAY, send_in_vain, || wait(&socket, 0, 30.0)));
        assert_eq!(ready, Ok(POLLERR as usize));
    });
}

#[test]
fn urgent_data_is_told_of() {
    in_turn(Kind::all().filter(|kind| kind.is_tcp()), |kind| {
        let (socket, peer) = kind.pair();
        assert_eq!(wait(&socket, POLLPRI, 0.0), Err(EAGAIN));
        let send_late = || assert_eq!(send(&peer, b"!", libc::MSG_OOB), Ok(1));
        let ready = takes(DELAY, || meanwhile(DELAY, send_late, || wait(&socket, POLLPRI, 30.0)));
        assert_eq!(ready, Ok(POLLPRI as usize));
    });
}

#[test]
fn seconds_that_are_none_are_refused_ready_or_not() {
    let (socket, _peer) = UnixStream.pair();
    for ((seconds, error), events) in product(IMPOSSIBLE_SECONDS, [POLLIN, POLLOUT]) {
        about((seconds, events), || assert_eq!(wait(&socket, events, seconds), Err(error)));
    }
}

#[test]
fn events_that_are_none_are_refused() {
    let (socket, _peer) = UnixStream.pair();
    in_turn([-1, i32::MIN, 0x8000, 0x1_0000, 0x10_0001, i32::MAX], |events| {
        let outcome = check(|| sock::sock_wait(socket.as_raw_fd(), events, 0.0) as isize);
        assert_eq!(outcome, Err(EINVAL));
    });
}

#[test]
fn what_is_no_socket_is_refused_ready_or_not() {
    let (reader, writer) = pipe();
    let file = File::open("/dev/zero").unwrap();
    for (seconds, events) in product(SECONDS, [POLLIN, POLLOUT, 0]) {
        assert_eq!(wait(&reader, events, seconds), Err(ENOTSOCK));
        assert_eq!(wait(&writer, events, seconds), Err(ENOTSOCK));
        assert_eq!(wait(&file, events, seconds), Err(ENOTSOCK));
        assert_eq!(wait(&-1, events, seconds), Err(EBADF));
    }
}
