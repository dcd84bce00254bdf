//! Connecting and accepting.

use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::null_mut;
use std::thread;
use std::time::Duration;

use crate::common::call::*;
use crate::common::limits::Limits;
use crate::common::*;
use libc::{
    EAGAIN, EALREADY, ECONNREFUSED, EFAULT, EINPROGRESS, EINVAL, EISCONN, ENOENT, EOPNOTSUPP, ETIMEDOUT, POLLOUT,
};
use socket2::{SockAddr, SockRef};

const DELAY: Duration = Duration::from_millis(25);

/// TCP asks a listener that did not answer again after 1, 3 and 7 seconds.
const PATIENCE: f64 = 20.0;

fn with_timeout(socket: OwnedFd, seconds: f64) -> OwnedFd {
    assert_eq!(settimeout(&socket, seconds), Ok(0));
    socket
}

/// Connects as programs do: in non-blocking mode, or with a timeout so short that a busy machine needs more,
/// it takes another call to learn the end of the attempt.
fn connect_in_any_mode(socket: &OwnedFd, to: &SockAddr) -> Outcome {
    let first = connect(socket, to);
    match gettimeout(socket) {
        Ok(0.0) if first == Err(EINPROGRESS) => {}
        Ok(0.001..1.0) if first == Err(ETIMEDOUT) => {}
        _ => return first,
    }
    assert_ne!(poll(socket, POLLOUT, Duration::from_secs_f64(PATIENCE)), 0, "no answer");
    connect(socket, to)
}

fn talk(one: &OwnedFd, other: &OwnedFd) {
    for (from, to) in [(one, other), (other, one)] {
        assert_eq!(send(from, b"hello", 0), Ok(5));
        assert_eq!(wait(to, libc::POLLIN, PATIENCE), Ok(libc::POLLIN as usize));
        assert_eq!(recv(to, &mut [0; 8], 0), Ok(5));
    }
}

#[test]
fn connecting_succeeds_in_every_mode() {
    in_turn(product(Kind::listening(), MODES), |(kind, seconds)| {
        let listener = Listener::new(kind, 1);
        let client = with_timeout(listener.client(), seconds);
        assert_eq!(connect_in_any_mode(&client, &listener.address), Ok(0));
        assert_eq!(gettimeout(&client), Ok(seconds));
        talk(&client, &accept(&listener.fd).unwrap());
        for _ in 0..2 {
            assert_eq!(connect(&client, &listener.address), Err(EISCONN));
        }
    });
}

#[test]
fn a_non_blocking_tcp_connect_begins_and_is_asked_after() {
    in_turn(Kind::listening().filter(|kind| kind.is_tcp()), |kind| {
        let listener = Listener::new(kind, 1);
        let client = with_timeout(listener.client(), 0.0);
        assert_eq!(connect(&client, &listener.address), Err(EINPROGRESS));
        let outcome = connect(&client, &listener.address);
        assert!(matches!(outcome, Ok(0) | Err(EALREADY)), "{outcome:?}");
        assert_eq!(wait(&client, POLLOUT, PATIENCE), Ok(POLLOUT as usize));
        if outcome == Err(EALREADY) {
            assert_eq!(connect(&client, &listener.address), Ok(0));
        }
        assert_eq!(connect(&client, &listener.address), Err(EISCONN));

        let (listener, _clients) = Listener::full(kind);
        let client = with_timeout(listener.client(), 0.0);
        assert_eq!(connect(&client, &listener.address), Err(EINPROGRESS));
        for _ in 0..3 {
            assert_eq!(connect(&client, &listener.address), Err(EALREADY));
        }
    });
}

#[test]
fn a_non_blocking_connect_to_a_full_unix_listener_is_eagain() {
    in_turn([UnixStream, UnixSeqpacket], |kind| {
        let (listener, _clients) = Listener::full(kind);
        let client = with_timeout(listener.client(), 0.0);
        for _ in 0..3 {
            assert_eq!(connect(&client, &listener.address), Err(EAGAIN));
        }
        drop(accept(&listener.fd).unwrap());
        assert_eq!(connect(&client, &listener.address), Ok(0));
    });
}

#[test]
fn datagram_sockets_connect_at_once_and_anew() {
    in_turn(product(Kind::messages().filter(|kind| *kind != UnixSeqpacket), MODES), |(kind, seconds)| {
        let socket = with_timeout(kind.bound(), seconds);
        for peer in [kind.bound(), kind.bound()] {
            assert_eq!(connect(&socket, &address(&peer)), Ok(0));
            assert_eq!(send(&socket, b"x", 0), Ok(1));
            assert_eq!(recvfrom(&peer, &mut [0; 8], 0), Ok((1, address(&socket))));
        }
    });
}

#[test]
fn nobody_there_is_refused_in_every_mode() {
    in_turn(product(Kind::listening(), MODES), |(kind, seconds)| {
        let deaf = kind.bound();
        let client = with_timeout(kind.socket(), seconds);
        assert_eq!(connect_in_any_mode(&client, &address(&deaf)), Err(ECONNREFUSED));
        // The socket can still be connected elsewhere.
        let listener = Listener::new(kind, 1);
        assert_eq!(connect_in_any_mode(&client, &listener.address), Ok(0));
    });
    in_turn(product([UnixStream, UnixDatagram, UnixSeqpacket], MODES), |(kind, seconds)| {
        let client = with_timeout(kind.socket(), seconds);
        let nowhere = SockAddr::unix("/nonexistent/socket").unwrap();
        assert_eq!(connect(&client, &nowhere), Err(ENOENT));
    });
}

/// The kernel disconnects a TCP socket then, which takes with it what the exact timeout is kept in.
#[test]
fn a_refused_attempt_leaves_the_mode() {
    in_turn(product(Kind::listening(), MODES), |(kind, seconds)| {
        let deaf = kind.bound();
        let client = with_timeout(kind.socket(), seconds);
        assert_eq!(connect_in_any_mode(&client, &address(&deaf)), Err(ECONNREFUSED));
        assert_eq!(gettimeout(&client), Ok(seconds));
        let client = with_timeout(kind.socket(), seconds);
        assert_eq!(connect_until(&client, &address(&deaf), Limits::after(PATIENCE)), Err(ECONNREFUSED));
        assert_eq!(gettimeout(&client), Ok(seconds));
    });
}

#[test]
fn connecting_times_out_and_never_early() {
    for_each(product(Kind::listening(), [0.001, 0.02, 0.05, 0.3]), |(kind, seconds)| {
        let (listener, _clients) = Listener::full(kind);
        let client = with_timeout(listener.client(), seconds);
        for _ in 0..3 {
            let expired = takes(Duration::from_secs_f64(seconds), || connect(&client, &listener.address));
            assert_eq!(expired, Err(ETIMEDOUT));
        }
        assert_eq!(gettimeout(&client), Ok(seconds));
    });
}

#[test]
fn connecting_waits_for_a_place_in_the_queue() {
    for_each(product(Kind::listening(), [f64::INFINITY, PATIENCE]), |(kind, seconds)| {
        let (listener, _clients) = Listener::full(kind);
        let client = with_timeout(listener.client(), seconds);
        let make_room = || drop(accept(&listener.fd).unwrap());
        let (outcome, elapsed) = timed(|| meanwhile(DELAY, make_room, || connect(&client, &listener.address)));
        assert_eq!(outcome, Ok(0));
        assert!(elapsed >= DELAY);
    });
}

#[test]
fn an_attempt_that_timed_out_is_taken_up_again() {
    thread::scope(|scope| {
        for (kind, before, after) in
            product3(Kind::listening(), [0.001, 0.05, 0.1], [f64::INFINITY, 0.0, 0.001, 0.05, PATIENCE])
        {
            scope.spawn(move || {
                about((kind, before, after), || {
                    let (listener, _clients) = Listener::full(kind);
                    let client = with_timeout(listener.client(), before);
                    assert_eq!(connect(&client, &listener.address), Err(ETIMEDOUT));
                    drop(accept(&listener.fd).unwrap());
                    assert_eq!(settimeout(&client, after), Ok(0));
                    let outcome = (0..10_000).find_map(|_| match connect(&client, &listener.address) {
                        Err(EALREADY) if after == 0.0 => {
                            thread::sleep(Duration::from_millis(1));
                            None
                        }
                        Err(ETIMEDOUT) if after < 1.0 => None,
                        outcome => Some(outcome),
                    });
                    assert_eq!(outcome, Some(Ok(0)));
                    if kind.is_tcp() {
                        assert_eq!(connect(&client, &listener.address), Err(EISCONN));
                    }
                });
            });
        }
    });
}

#[test]
fn an_attempt_that_succeeded_by_itself_is_a_success() {
    for_each(product(Kind::listening().filter(|kind| kind.is_tcp()), MODES), |(kind, after)| {
        let (listener, _clients) = Listener::full(kind);
        let client = with_timeout(listener.client(), 0.01);
        assert_eq!(connect(&client, &listener.address), Err(ETIMEDOUT));
        drop(accept(&listener.fd).unwrap());
        assert_eq!(wait(&client, POLLOUT, PATIENCE), Ok(POLLOUT as usize));
        assert_eq!(settimeout(&client, after), Ok(0));
        assert_eq!(connect(&client, &listener.address), Ok(0));
        assert_eq!(connect(&client, &listener.address), Err(EISCONN));
    });
}

#[test]
fn an_attempt_that_failed_by_itself_is_told_of() {
    for_each(product(Kind::listening().filter(|kind| kind.is_tcp()), MODES), |(kind, after)| {
        let (listener, _clients) = Listener::full(kind);
        let client = with_timeout(listener.client(), 0.01);
        let to = listener.address.clone();
        assert_eq!(connect(&client, &to), Err(ETIMEDOUT));
        drop(listener);
        assert_ne!(poll(&client, POLLOUT, Duration::from_secs_f64(PATIENCE)), 0);
        assert_eq!(settimeout(&client, after), Ok(0));
        assert_eq!(connect(&client, &to), Err(ECONNREFUSED));
    });
}

/// That a connection is as `sock_accept` promises, whatever the listener's mode.
fn is_fresh(connection: &OwnedFd) {
    assert!(is_close_on_exec(connection));
    assert!(!is_nonblocking(connection));
    assert_eq!(kernel_timeouts(connection), (None, None));
    assert_eq!(gettimeout(connection), Ok(f64::INFINITY));
    assert_eq!(getblocking(connection), Ok(1));
    assert_eq!(getinterrupt(connection), Ok(0));
}

#[test]
fn accepting_obeys_the_mode_and_the_connection_is_blocking() {
    in_turn(product3(Kind::listening(), MODES, [false, true]), |(kind, seconds, interrupt)| {
        let listener = Listener::new(kind, 2);
        assert_eq!(settimeout(&listener.fd, seconds), Ok(0));
        assert_eq!(setinterrupt(&listener.fd, interrupt), Ok(0));

        // Ready.
        let client = listener.connect();
        let connection = accept(&listener.fd).unwrap();
        is_fresh(&connection);
        talk(&client, &connection);

        // Not ready.
        let mut client = None;
        let come = || client = Some(listener.connect_to_waiting());
        let attempt = || accept(&listener.fd);
        match seconds {
            0.0 => assert_eq!(attempt().err(), Some(EAGAIN)),
            ..1.0 => {
                let expired = takes(Duration::from_secs_f64(seconds), attempt);
                assert_eq!(expired.err(), Some(ETIMEDOUT));
            }
            _ => is_fresh(&takes(DELAY, || meanwhile(DELAY, come, attempt)).unwrap()),
        }

        // Again, after having waited.
        let client = listener.connect();
        let connection = accept(&listener.fd).unwrap();
        is_fresh(&connection);
        talk(&client, &connection);
        assert_eq!(gettimeout(&listener.fd), Ok(seconds));
        assert_eq!(getinterrupt(&listener.fd), Ok(interrupt.into()));
    });
}

#[test]
fn a_connection_inherits_no_timeouts_of_other_code() {
    let some = Some(Duration::from_secs(3));
    for (kind, (receive, send), nonblocking) in
        product3(Kind::listening(), [(some, None), (None, some), (some, some)], [false, true])
    {
        about((kind, receive, send, nonblocking), || {
            let listener = Listener::new(kind, 1);
            set_kernel_timeouts(&listener.fd, receive, send);
            set_nonblocking(&listener.fd, nonblocking);
            let _client = listener.connect();
            is_fresh(&accept(&listener.fd).unwrap());
        });
    }
}

fn accept_into(listener: &Listener, addr: *mut u8, addrlen: *mut libc::socklen_t) -> Result<OwnedFd, i32> {
    // SAFETY: the pointers are NULL or to what is long enough for the length.
    let accepted = check(|| unsafe { sock::sock_accept(listener.fd.as_raw_fd(), addr.cast(), addrlen) as isize })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(accepted as i32) })
}

fn bytes(address: &SockAddr) -> &[u8] {
    // SAFETY: the pointer and the length belong together.
    unsafe { std::slice::from_raw_parts(address.as_ptr().cast(), address.len() as usize) }
}

#[test]
fn the_address_of_the_peer_is_told_and_cut_to_its_room() {
    in_turn(Kind::listening(), |kind| {
        let listener = Listener::new(kind, 1);
        let connect_named = || {
            let client = kind.bound();
            SockRef::from(&client).connect(&listener.address).unwrap();
            client
        };

        let client = connect_named();
        let (connection, from) = accept_from(&listener.fd).unwrap();
        assert_eq!(from, address(&client));
        assert_eq!(SockRef::from(&connection).peer_addr().unwrap(), from);

        for len in [0, 1, 2, 3, 7, 128] {
            let client = connect_named();
            let whole = address(&client);
            let (mut room, mut addrlen) = ([0xAA_u8; 128], len);
            accept_into(&listener, room.as_mut_ptr(), &raw mut addrlen).unwrap();
            assert_eq!(addrlen, whole.len());
            let written = len.min(whole.len()) as usize;
            assert_eq!(room[..written], bytes(&whole)[..written]);
            assert!(room[written..].iter().all(|byte| *byte == 0xAA));
        }
    });
}

#[test]
fn a_bad_address_length_loses_no_connection() {
    in_turn(product(Kind::listening(), MODES), |(kind, seconds)| {
        let listener = Listener::new(kind, 1);
        assert_eq!(settimeout(&listener.fd, seconds), Ok(0));
        let client = listener.connect();
        let mut room = [0xAA_u8; 128];
        assert_eq!(accept_into(&listener, room.as_mut_ptr(), null_mut()).err(), Some(EFAULT));
        for bad in [1 << 31, u32::MAX] {
            let mut addrlen = bad;
            assert_eq!(accept_into(&listener, room.as_mut_ptr(), &raw mut addrlen).err(), Some(EINVAL));
            assert_eq!(addrlen, bad);
        }
        assert_eq!(room, [0xAA; 128]);
        // Without a place for the address its length does not matter.
        let mut ignored = u32::MAX;
        talk(&client, &accept_into(&listener, null_mut(), &raw mut ignored).unwrap());
        assert_eq!(ignored, u32::MAX);
    });
}

#[test]
fn only_listeners_accept() {
    in_turn(product(Kind::all(), MODES), |(kind, seconds)| {
        let socket = with_timeout(kind.bound(), seconds);
        let listens = Kind::listening().any(|other| other == kind);
        assert_eq!(accept(&socket).err(), Some(if listens { EINVAL } else { EOPNOTSUPP }));
    });
}

#[test]
fn what_is_no_address_is_refused() {
    in_turn(product(Kind::all(), MODES), |(kind, seconds)| {
        let socket = with_timeout(kind.socket(), seconds);
        let connect_raw = |addr: *const u8, addrlen| {
            // SAFETY: the address is NULL or as long as is said.
            check(|| unsafe { sock::sock_connect(socket.as_raw_fd(), addr.cast(), addrlen) as isize })
        };
        let whole = address(&kind.bound());
        assert_eq!(connect_raw(std::ptr::null(), whole.len()), Err(EFAULT));
        assert_eq!(connect_raw(bytes(&whole).as_ptr(), 1), Err(EINVAL));
        assert_eq!(connect_raw([0; 512].as_ptr(), 512), Err(EINVAL));
    });
}
