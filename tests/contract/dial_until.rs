//! `sock_dial_until`: deadlines and tokens.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use crate::common::call::*;
use crate::common::limits::{CLOSED, NONE, eventfd, now, signal};
use crate::common::*;
use libc::{EBADF, ECANCELED, ECONNREFUSED, EINVAL, EOVERFLOW, ETIMEDOUT, POLLIN};
use sock::{LIBSOCK_EAI_NONAME, LIBSOCK_EAI_SERVICE};

/// For a machine that is busy.
const PATIENCE: f64 = 20.0;

fn port(socket: &OwnedFd) -> CString {
    CString::new(address(socket).as_socket().unwrap().port().to_string()).unwrap()
}

/// A listener at which an attempt is never over, and its port.
fn silent() -> (Listener, Vec<OwnedFd>, CString) {
    let (listener, clients) = Listener::full(Tcp4);
    let port = port(&listener.fd);
    (listener, clients, port)
}

const HERE: Option<&CStr> = Some(c"127.0.0.1");
const NAME: Option<&CStr> = Some(c"localhost");

#[test]
fn a_connection_is_blocking_and_close_on_exec() {
    let listener = Listener::new(Tcp4, 16);
    let port = port(&listener.fd);
    let token = eventfd();
    for host in [HERE, NAME] {
        for deadline in [now() + PATIENCE, FOREVER] {
            for token in [NONE, token.as_raw_fd()] {
                about((host, deadline, token), || {
                    let client = dial_until(host, Some(&port), deadline, token).unwrap();
                    assert_eq!(gettimeout(&client), Ok(FOREVER));
                    assert!(!is_nonblocking(&client) && is_close_on_exec(&client));
                    assert_eq!(kernel_timeouts(&client), (None, None));
                });
            }
        }
    }
}

#[test]
fn a_deadline_ends_it_and_never_early() {
    let (_listener, _clients, port) = silent();
    let token = eventfd();
    for seconds in [0.001, 0.05, 0.3] {
        for token in [NONE, token.as_raw_fd()] {
            about((seconds, token), || {
                let deadline = now() + seconds;
                assert_eq!(dial_until(HERE, Some(&port), deadline, token).err(), Some(ETIMEDOUT));
                let late = now() - deadline;
                assert!((0.0..2.0).contains(&late), "{late} s late");
            });
        }
    }
}

#[test]
fn a_deadline_that_has_passed_comes_before_all_else() {
    let listener = Listener::new(Tcp4, 16);
    let port = port(&listener.fd);
    let cancelled = eventfd();
    signal(&cancelled);
    for deadline in [now(), 0.0, -0.0, -1.0, f64::NEG_INFINITY, f64::MIN_POSITIVE] {
        for token in [NONE, cancelled.as_raw_fd(), CLOSED] {
            for host in [HERE, NAME] {
                assert_eq!(dial_until(host, Some(&port), deadline, token).err(), Some(ETIMEDOUT));
            }
        }
        assert_eq!(dial_until(Some(c"@nobody"), None, deadline, NONE).err(), Some(ETIMEDOUT));
    }
    assert_eq!(poll(&listener.fd, POLLIN, Duration::ZERO), 0, "a connection was made");
}

#[test]
fn arguments_come_before_the_deadline() {
    for deadline in [FOREVER, -1.0] {
        for token in [-2, i32::MIN] {
            assert_eq!(dial_until(HERE, Some(c"9"), deadline, token).err(), Some(EBADF));
        }
        assert_eq!(dial_until(None, Some(c"9"), deadline, NONE).err(), Some(EINVAL));
        assert_eq!(dial_until(HERE, None, deadline, NONE).err(), Some(EINVAL));
        assert_eq!(dial_until(Some(c"@"), None, deadline, NONE).err(), Some(EINVAL));
        assert_eq!(dial_until(Some(c"a b"), Some(c"9"), deadline, NONE).err(), Some(LIBSOCK_EAI_NONAME));
        assert_eq!(dial_until(HERE, Some(c"65536"), deadline, NONE).err(), Some(LIBSOCK_EAI_SERVICE));
    }
    assert_eq!(dial_until(HERE, Some(c"9"), f64::NAN, NONE).err(), Some(EINVAL));
    for deadline in [9_223_372_036.854_776, f64::MAX] {
        assert_eq!(dial_until(HERE, Some(c"9"), deadline, NONE).err(), Some(EOVERFLOW));
    }
}

#[test]
fn a_token_that_came_before_is_not_lost() {
    let listener = Listener::new(Tcp4, 16);
    let (port, deaf) = (port(&listener.fd), Tcp4.bound());
    let refusing = self::port(&deaf);
    let cancelled = eventfd();
    signal(&cancelled);
    let (hung_up, writer) = pipe();
    drop(writer);
    for token in [&cancelled, &hung_up] {
        for host in [HERE, NAME] {
            for deadline in [FOREVER, now() + PATIENCE] {
                for port in [&port, &refusing] {
                    let outcome = dial_until(host, Some(port), deadline, token.as_raw_fd());
                    assert_eq!(outcome.err(), Some(ECANCELED));
                }
            }
        }
    }
}

#[test]
fn a_token_ends_the_handshake() {
    let (_listener, _clients, port) = silent();
    for deadline in [FOREVER, now() + PATIENCE] {
        let token = eventfd();
        let outcome = meanwhile(
            Duration::from_millis(100),
            || signal(&token),
            || takes(Duration::from_millis(50), || dial_until(HERE, Some(&port), deadline, token.as_raw_fd())),
        );
        assert_eq!(outcome.err(), Some(ECANCELED));
        // Nothing was taken from the token.
        assert_eq!(poll(&token, POLLIN, Duration::ZERO), POLLIN);
    }
    let (token, writer) = pipe();
    let outcome = meanwhile(
        Duration::from_millis(100),
        || drop(writer),
        || takes(Duration::from_millis(50), || dial_until(HERE, Some(&port), FOREVER, token.as_raw_fd())),
    );
    assert_eq!(outcome.err(), Some(ECANCELED));
}

#[test]
fn a_token_that_is_not_open_is_told_of_when_it_is_looked_at() {
    let (_listener, _clients, port) = silent();
    for host in [HERE, NAME] {
        assert_eq!(dial_until(host, Some(&port), FOREVER, CLOSED).err(), Some(EBADF));
    }
}

#[test]
fn what_need_not_wait_is_not_cancelled() {
    let cancelled = eventfd();
    signal(&cancelled);
    let receiver = listen(HERE, Some(c"0/udp"), 0).unwrap();
    let udp = CString::new(format!("{}/udp", port(&receiver).to_str().unwrap())).unwrap();
    let listener = Listener::new(UnixStream, 1);
    let (name, _) = name_of(&listener.address, 110).unwrap();
    for token in [cancelled.as_raw_fd(), CLOSED] {
        let client = dial_until(HERE, Some(&udp), FOREVER, token).unwrap();
        deliver(&client, &receiver, b"hello");
        assert_eq!(recv(&receiver, &mut [0; 8], 0), Ok(5));
        drop(dial_until(Some(&name), None, FOREVER, token).unwrap());
        drop(accept(&listener.fd).unwrap());
    }
}

#[test]
fn a_full_unix_listener_is_waited_for() {
    let (listener, _clients) = Listener::full(UnixStream);
    let (name, _) = name_of(&listener.address, 110).unwrap();
    let name: &CStr = &name;
    let expired = takes(Duration::from_millis(200), || dial(Some(name), None, 0.2));
    assert_eq!(expired.err(), Some(ETIMEDOUT));
    let deadline = now() + 0.2;
    assert_eq!(dial_until(Some(name), None, deadline, NONE).err(), Some(ETIMEDOUT));
    assert!(now() >= deadline);
    assert_eq!(dial(Some(name), None, 0.0).err(), Some(libc::EAGAIN));

    let token = eventfd();
    let outcome = meanwhile(
        Duration::from_millis(100),
        || signal(&token),
        || takes(Duration::from_millis(100), || dial_until(Some(name), None, FOREVER, token.as_raw_fd())),
    );
    assert_eq!(outcome.err(), Some(ECANCELED));
    assert_eq!(dial_until(Some(name), None, FOREVER, CLOSED).err(), Some(EBADF));

    let token = eventfd();
    for (deadline, token) in [(FOREVER, NONE), (FOREVER, token.as_raw_fd()), (now() + PATIENCE, NONE)] {
        let outcome = meanwhile(
            Duration::from_millis(100),
            || drop(accept(&listener.fd).unwrap()),
            || takes(Duration::from_millis(100), || dial_until(Some(name), None, deadline, token)),
        );
        assert_eq!(gettimeout(&outcome.unwrap()), Ok(FOREVER));
    }
}

#[test]
fn nobody_there_is_refused() {
    let deaf = Tcp4.bound();
    for host in [HERE, NAME] {
        let outcome = dial_until(host, Some(&port(&deaf)), now() + PATIENCE, eventfd().as_raw_fd());
        assert_eq!(outcome.err(), Some(ECONNREFUSED));
    }
}
