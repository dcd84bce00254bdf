//! What other code may have set, in any combination, and what this library then sets: modes are read, changed and
//! read again through the public functions, on one socket.

#![no_main]

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static SOCKET: LazyLock<(UnixStream, UnixStream)> = LazyLock::new(|| UnixStream::pair().expect("socketpair"));

/// Whether `O_NONBLOCK` is set; the two timeouts; by how many microseconds sending is to exceed receiving, for most
/// inputs would miss the marks; a wish for interruption; and the seconds to be set.
type Input = (bool, (u32, u32), (u32, u32), Option<u16>, Option<bool>, f64);

fn set(fd: i32, option: i32, (seconds, microseconds): (u32, u32)) {
    let value = libc::timeval { tv_sec: seconds.into(), tv_usec: i64::from(microseconds % 1_000_000) };
    // SAFETY: the pointer is to a local of that size.
    let result = unsafe {
        libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const value).cast(), size_of::<libc::timeval>() as u32)
    };
    assert_eq!(result, 0);
}

fn timeout(fd: i32) -> f64 {
    let mut seconds = f64::NAN;
    // SAFETY: the pointer is to a local.
    assert_eq!(unsafe { sock::sock_gettimeout(fd, &raw mut seconds) }, 0);
    assert!(seconds >= 0.0);
    seconds
}

fuzz_target!(|input: Input| {
    let (nonblocking, receive, send, beyond, interrupt, seconds) = input;
    let fd = SOCKET.0.as_raw_fd();
    let send = match beyond {
        Some(beyond) => {
            let microseconds = receive.1 % 1_000_000 + u32::from(beyond) * 4;
            (receive.0.saturating_add(microseconds / 1_000_000), microseconds % 1_000_000)
        }
        None => send,
    };
    SOCKET.0.set_nonblocking(nonblocking).expect("a socket");
    set(fd, libc::SO_RCVTIMEO, receive);
    set(fd, libc::SO_SNDTIMEO, send);

    let before = timeout(fd);
    assert_eq!(sock::sock_getblocking(fd), i32::from(before != 0.0), "the two ways to ask agree");
    if !nonblocking {
        assert!(before > 0.0);
        let asked = f64::from(receive.0) + f64::from(receive.1 % 1_000_000) / 1e6;
        assert!(asked == 0.0 || before >= asked, "what other code set is early");
    }
    if let Some(on) = interrupt {
        assert_eq!(sock::sock_setinterrupt(fd, on.into()), 0);
        assert_eq!(sock::sock_getinterrupt(fd), on.into());
        let after = timeout(fd);
        assert!(after >= before, "{before} s became {after} s, with {receive:?} and {send:?}");
        assert_eq!(timeout(fd) == 0.0, before == 0.0);
    }
    let mode = timeout(fd);
    let result = sock::sock_settimeout(fd, seconds);
    if result < 0 {
        assert!([-libc::EINVAL, -libc::EOVERFLOW].contains(&result));
        assert_eq!(timeout(fd), mode, "what failed changed the mode");
        return;
    }
    let after = timeout(fd);
    // One of weeks is kept in steps of 10 us.
    let step = if seconds > 1e6 { 1.1e-5 } else { 1e-9 };
    assert!(after == seconds || after - seconds <= step + after * 1e-15, "{after} is not {seconds}");
    assert!(after >= seconds || seconds > 1e6, "{after} is shorter than {seconds}");
    if let Some(on) = interrupt {
        assert_eq!(sock::sock_getinterrupt(fd), on.into(), "the wish for interruption was lost");
        assert_eq!(sock::sock_setinterrupt(fd, 0), 0);
        assert_eq!(timeout(fd), after, "the mode was lost");
    }
    assert_eq!(sock::sock_setblocking(fd, 0), 0);
    assert_eq!(timeout(fd), 0.0);
});
