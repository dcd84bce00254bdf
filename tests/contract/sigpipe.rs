//! SIGPIPE is never raised. It is at its default here, and would be the end of this whole program.

mod common;

use std::os::fd::OwnedFd;
use std::time::Duration;

use common::call::*;
use common::*;
use libc::{ECONNRESET, EPIPE, POLLERR};
use socket2::SockRef;

/// Two connected sockets, the first with a timeout, in a program like one in C. Rust's start-up code has
/// had the signal ignored.
fn pair_in_c(kind: Kind, seconds: f64) -> (OwnedFd, OwnedFd) {
    // SAFETY: no handler is involved.
    assert_ne!(unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) }, libc::SIG_ERR);
    let (socket, peer) = kind.pair();
    assert_eq!(settimeout(&socket, seconds), Ok(0));
    (socket, peer)
}

fn is_broken(socket: &OwnedFd) {
    for ((name, send), len) in product(SENDERS, [1, 5000]) {
        about((name, len), || assert_eq!(send(socket, &vec![0; len], 0), Err(EPIPE)));
    }
}

#[test]
fn a_closed_peer_is_epipe() {
    in_turn(product(Kind::listening(), MODES), |(kind, seconds)| {
        let (socket, peer) = pair_in_c(kind, seconds);
        drop(peer);
        if kind.is_tcp() {
            // The first bytes only learn that nobody wants them.
            assert_eq!(send(&socket, b"x", 0), Ok(1));
            assert_ne!(poll(&socket, 0, SLACK) & POLLERR, 0, "no reset came back");
        }
        is_broken(&socket);
    });
}

#[test]
fn a_socket_shut_down_is_epipe() {
    in_turn(product(Kind::listening(), MODES), |(kind, seconds)| {
        let (socket, _peer) = pair_in_c(kind, seconds);
        SockRef::from(&socket).shutdown(std::net::Shutdown::Write).unwrap();
        is_broken(&socket);
    });
}

#[test]
fn a_peer_that_closes_during_a_wait_ends_it() {
    for (kind, seconds, (name, send)) in product3(Kind::listening(), [f64::INFINITY, 30.0], SENDERS) {
        about((kind, seconds, name), || {
            let (socket, peer) = pair_in_c(kind, seconds);
            fill(&socket);
            let delay = Duration::from_millis(25);
            let outcome = takes(delay, || meanwhile(delay, || drop(peer), || send(&socket, b"x", 0)));
            // That the peer had not read all makes it a reset.
            assert!(matches!(outcome, Err(EPIPE | ECONNRESET)), "{outcome:?}");
            assert_eq!(send(&socket, b"x", 0), Err(EPIPE));
        });
    }
}

#[test]
fn a_peer_that_closes_in_the_middle_of_a_large_send_ends_it() {
    let data = vec![0; 16 << 20];
    for (kind, seconds, (name, send)) in product3(Kind::streams(), [f64::INFINITY, 30.0], SENDERS) {
        about((kind, seconds, name), || {
            let (socket, peer) = pair_in_c(kind, seconds);
            let outcome = meanwhile(Duration::from_millis(25), || drop(peer), || send(&socket, &data, 0));
            match outcome {
                Ok(part) if !is_of_all(name) => assert!(part > 0 && part < data.len(), "{part}"),
                outcome => {
                    assert!(is_of_all(name), "{outcome:?}");
                    assert!(matches!(outcome, Err(EPIPE | ECONNRESET)), "{outcome:?}");
                }
            }
        });
    }
}
