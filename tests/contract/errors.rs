//! Codes and `errno`: descriptors and arguments that are none, and what is said about it.

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::ptr::{null, null_mut};
use std::time::Duration;

use crate::common::call::*;
use crate::common::limits::{Limits, NONE};
use crate::common::*;
use libc::{EBADF, EFAULT, EINVAL, EMSGSIZE, ENOTSOCK, EPIPE};
use socket2::SockAddr;

type Function = fn(&RawFd) -> Outcome;

/// Every function that takes a descriptor, with nothing wrong about the other arguments.
const FUNCTIONS: [(&str, Function); 31] = [
    ("setblocking", |fd| setblocking(fd, true)),
    ("setblocking to 0", |fd| setblocking(fd, false)),
    ("getblocking", |fd| getblocking(fd)),
    ("settimeout", |fd| settimeout(fd, 1.0)),
    ("gettimeout", |fd| gettimeout(fd).map(|_| 0)),
    ("setinterrupt", |fd| setinterrupt(fd, true)),
    ("getinterrupt", |fd| getinterrupt(fd)),
    ("send", |fd| send(fd, b"x", 0)),
    ("recv", |fd| recv(fd, &mut [0], 0)),
    ("sendto", |fd| sendto(fd, b"x", 0, None)),
    ("recvfrom", |fd| recvfrom(fd, &mut [0], 0).map(|_| 0)),
    ("sendmsg", |fd| sendmsg(fd, &[IoSlice::new(b"x")], &[], 0)),
    ("recvmsg", |fd| recvmsg(fd, &mut [IoSliceMut::new(&mut [0])], &mut [], 0).map(|_| 0)),
    ("sendall", |fd| all(sendall(fd, b"x", 0))),
    ("recvall", |fd| all(recvall(fd, &mut [0], 0))),
    ("connect", |fd| connect(fd, &SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 9))))),
    ("accept", |fd| accept(fd).map(|_| 0)),
    ("wait", |fd| wait(fd, libc::POLLIN, 0.0)),
    ("recvdelim", |fd| all(recvdelim(fd, &mut [0], 0, b"x"))),
    ("send_until", |fd| send_until(fd, b"x", 0, Limits::NONE)),
    ("recv_until", |fd| recv_until(fd, &mut [0], 0, Limits::NONE)),
    ("sendto_until", |fd| sendto_until(fd, b"x", 0, None, Limits::NONE)),
    ("recvfrom_until", |fd| recvfrom_until(fd, &mut [0], 0, Limits::NONE).map(|_| 0)),
    ("sendmsg_until", |fd| sendmsg_until(fd, &[IoSlice::new(b"x")], &[], 0, Limits::NONE)),
    ("recvmsg_until", |fd| recvmsg_until(fd, &mut [IoSliceMut::new(&mut [0])], &mut [], 0, Limits::NONE).map(|_| 0)),
    ("sendall_until", |fd| all(sendall_until(fd, b"x", 0, Limits::NONE))),
    ("recvall_until", |fd| all(recvall_until(fd, &mut [0], 0, Limits::NONE))),
    ("recvdelim_until", |fd| all(recvdelim_until(fd, &mut [0], 0, b"x", Limits::NONE))),
    ("connect_until", |fd| {
        connect_until(fd, &SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 9))), Limits::NONE)
    }),
    ("accept_until", |fd| accept_until(fd, Limits::NONE).map(|_| 0)),
    ("wait_until", |fd| wait_until(fd, libc::POLLIN, Limits::NONE)),
];

fn all((outcome, count): (Outcome, usize)) -> Outcome {
    assert_eq!(count, 0);
    outcome
}

/// Every function is refused, even if there is nothing to do.
fn all_fail(fd: RawFd, error: i32) {
    for (name, function) in FUNCTIONS {
        about((name, fd), || assert_eq!(function(&fd), Err(error)));
    }
    for flags in [0, libc::MSG_DONTWAIT] {
        for (name, outcome) in [
            ("send", send(&fd, &[], flags)),
            ("recv", recv(&fd, &mut [], flags)),
            ("sendto", sendto(&fd, &[], flags, None)),
            ("recvfrom", recvfrom(&fd, &mut [], flags).map(|_| 0)),
            ("sendmsg", sendmsg(&fd, &[], &[], flags)),
            ("recvmsg", recvmsg(&fd, &mut [], &mut [], flags).map(|_| 0)),
            ("sendall", all(sendall(&fd, &[], flags))),
            ("recvall", all(recvall(&fd, &mut [], flags))),
            ("send_until", send_until(&fd, &[], flags, Limits::NONE)),
            ("recv_until", recv_until(&fd, &mut [], flags, Limits::NONE)),
            ("sendall_until", all(sendall_until(&fd, &[], flags, Limits::NONE))),
            ("recvall_until", all(recvall_until(&fd, &mut [], flags, Limits::NONE))),
        ] {
            about((name, fd, "empty", flags), || assert_eq!(outcome, Err(error)));
        }
    }
}

#[test]
fn negative_descriptors() {
    for fd in [-1, -2, libc::AT_FDCWD, -EBADF, i32::MIN, i32::MIN + 1] {
        all_fail(fd, EBADF);
    }
}

#[test]
fn closed_descriptors() {
    let (socket, _peer) = UnixStream.pair();
    // A number that no other thread is given meanwhile.
    // SAFETY: the descriptor is new and nobody else's.
    let high = unsafe { OwnedFd::from_raw_fd(libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 1000)) };
    assert_eq!(settimeout(&high, 5.0), Ok(0));
    let closed = high.as_raw_fd();
    drop(high);
    for fd in [closed, i32::MAX, i32::MAX - 1] {
        all_fail(fd, EBADF);
    }
}

#[test]
fn what_is_no_socket() {
    let (reader, writer) = pipe();
    let open = |path| OwnedFd::from(File::open(path).unwrap());
    // SAFETY: the descriptors are new and nobody else's.
    let [epoll, event] = unsafe {
        [libc::epoll_create1(libc::EPOLL_CLOEXEC), libc::eventfd(1, libc::EFD_CLOEXEC)]
            .map(|fd| OwnedFd::from_raw_fd(fd))
    };
    for fd in [reader, writer, open(file!()), open("."), open("/dev/null"), epoll, event] {
        all_fail(fd.as_raw_fd(), ENOTSOCK);
    }
}

#[test]
fn a_descriptor_for_a_path_alone_counts_as_closed() {
    let path = File::options().read(true).custom_flags(libc::O_PATH).open(".").unwrap();
    all_fail(path.as_raw_fd(), EBADF);
}

#[test]
fn errno_is_left_alone_by_a_success_after_attempts_that_failed() {
    let delay = Duration::from_millis(25);
    in_turn(product(Kind::streams(), [f64::INFINITY, 30.0]), |(kind, seconds)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, seconds), Ok(0));

        // The second part is not there when it is first tried.
        let mut data = [0; 10];
        deliver(&peer, &socket, b"first");
        let send_late = || assert_eq!(send(&peer, b"later", 0), Ok(5));
        let (outcome, received) = takes(delay, || meanwhile(delay, send_late, || recvall(&socket, &mut data, 0)));
        assert_eq!((outcome, received), (Ok(0), 10));

        // There is no room when it is first tried.
        fill(&socket);
        let make_room = || assert!(drain(&peer) > 0);
        let outcome = takes(delay, || meanwhile(delay, make_room, || send(&socket, &[0; 3000], 0)));
        assert!(outcome.is_ok());
    });
}

#[test]
fn null_with_a_length_is_refused_in_every_mode() {
    in_turn(product(Kind::all(), MODES), |(kind, seconds)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, seconds), Ok(0));
        let fd = socket.as_raw_fd();
        let mut byte = [0_u8; 1];
        let here = byte.as_mut_ptr();
        let (none, none_mut) = (null(), null_mut());
        // SAFETY: what is wrong with these pointers and lengths is refused before it is followed.
        for (name, outcome) in unsafe {
            [
                ("send", check(|| sock::sock_send(fd, none, 1, 0))),
                ("recv", check(|| sock::sock_recv(fd, none_mut, 1, 0))),
                ("sendto", check(|| sock::sock_sendto(fd, none, 1, 0, null(), 0))),
                ("sendto, address", check(|| sock::sock_sendto(fd, here.cast(), 1, 0, null(), 16))),
                ("recvfrom", check(|| sock::sock_recvfrom(fd, none_mut, 1, 0, null_mut(), null_mut()))),
                ("recvfrom, length", check(|| sock::sock_recvfrom(fd, none_mut, 0, 0, here.cast(), null_mut()))),
                ("sendmsg", check(|| sock::sock_sendmsg(fd, null(), 0))),
                ("recvmsg", check(|| sock::sock_recvmsg(fd, null_mut(), 0))),
                ("sendall", check(|| sock::sock_sendall(fd, none, 1, 0, null_mut()) as isize)),
                ("recvall", check(|| sock::sock_recvall(fd, none_mut, 1, 0, null_mut()) as isize)),
                ("connect", check(|| sock::sock_connect(fd, null(), 16) as isize)),
                ("send_until", check(|| sock::sock_send_until(fd, none, 1, 0, -1.0, NONE))),
                ("recv_until", check(|| sock::sock_recv_until(fd, none_mut, 1, 0, -1.0, NONE))),
                ("sendto_until", check(|| sock::sock_sendto_until(fd, none, 1, 0, null(), 0, -1.0, NONE))),
                (
                    "sendto_until, address",
                    check(|| sock::sock_sendto_until(fd, here.cast(), 1, 0, null(), 16, -1.0, NONE)),
                ),
                (
                    "recvfrom_until",
                    check(|| sock::sock_recvfrom_until(fd, none_mut, 1, 0, null_mut(), null_mut(), -1.0, NONE)),
                ),
                (
                    "recvfrom_until, length",
                    check(|| sock::sock_recvfrom_until(fd, none_mut, 0, 0, here.cast(), null_mut(), -1.0, NONE)),
                ),
                ("sendmsg_until", check(|| sock::sock_sendmsg_until(fd, null(), 0, -1.0, NONE))),
                ("recvmsg_until", check(|| sock::sock_recvmsg_until(fd, null_mut(), 0, -1.0, NONE))),
                ("sendall_until", check(|| sock::sock_sendall_until(fd, none, 1, 0, null_mut(), -1.0, NONE) as isize)),
                (
                    "recvall_until",
                    check(|| sock::sock_recvall_until(fd, none_mut, 1, 0, null_mut(), -1.0, NONE) as isize),
                ),
                ("connect_until", check(|| sock::sock_connect_until(fd, null(), 16, -1.0, NONE) as isize)),
                ("accept_until", check(|| sock::sock_accept_until(fd, here.cast(), null_mut(), -1.0, NONE) as isize)),
                ("accept", check(|| sock::sock_accept(fd, here.cast(), null_mut()) as isize)),
                ("gettimeout", check(|| sock::sock_gettimeout(fd, null_mut()) as isize)),
            ]
        } {
            assert_eq!(outcome, Err(EFAULT), "{name}");
        }
        assert_eq!(poll(&peer, libc::POLLIN, Duration::ZERO), 0, "something was sent");
    });
}

#[test]
fn null_for_no_bytes_and_for_no_answer_is_allowed() {
    for kind in Kind::streams() {
        let (socket, peer) = kind.pair();
        let (fd, there) = (socket.as_raw_fd(), peer.as_raw_fd());
        let mut byte = [0_u8; 1];
        let here = byte.as_mut_ptr().cast();
        deliver(&peer, &socket, b"0123");
        // SAFETY: the pointers are NULL, or to one byte.
        for (at, (outcome, expected)) in unsafe {
            [
                (check(|| sock::sock_send(fd, null(), 0, 0)), 0),
                (check(|| sock::sock_recv(fd, null_mut(), 0, 0)), 0),
                (check(|| sock::sock_sendto(fd, null(), 0, 0, null(), 0)), 0),
                (check(|| sock::sock_recvfrom(fd, null_mut(), 0, 0, null_mut(), null_mut())), 0),
                (check(|| sock::sock_recvfrom(fd, here, 1, 0, null_mut(), null_mut())), 1),
                (check(|| sock::sock_sendall(fd, null(), 0, 0, null_mut()) as isize), 0),
                (check(|| sock::sock_recvall(fd, null_mut(), 0, 0, null_mut()) as isize), 0),
                (check(|| sock::sock_sendall(fd, here, 1, 0, null_mut()) as isize), 0),
                (check(|| sock::sock_recvall(fd, here, 1, 0, null_mut()) as isize), 0),
                (check(|| sock::sock_recv(there, here, 1, 0)), 1),
            ]
        }
        .into_iter()
        .enumerate()
        {
            assert_eq!(outcome, Ok(expected), "call {at}");
        }
        assert_eq!(recv(&socket, &mut [0; 8], 0), Ok(2));
    }
}

#[test]
fn a_length_that_no_result_could_tell_is_refused() {
    let (socket, peer) = UnixStream.pair();
    let fd = socket.as_raw_fd();
    deliver(&peer, &socket, b"x");
    let mut byte = [0_u8; 1];
    let here = byte.as_mut_ptr().cast();
    for (len, (pointer, which)) in
        product([isize::MAX as usize + 1, usize::MAX - 1, usize::MAX], [(here, "a buffer"), (null_mut(), "NULL")])
    {
        let (mut sent, mut received) = (1, 1);
        // SAFETY: such a length is refused before the pointer is followed.
        for (name, outcome) in unsafe {
            [
                ("send", check(|| sock::sock_send(fd, pointer, len, 0))),
                ("recv", check(|| sock::sock_recv(fd, pointer, len, 0))),
                ("sendto", check(|| sock::sock_sendto(fd, pointer, len, 0, null(), 0))),
                ("recvfrom", check(|| sock::sock_recvfrom(fd, pointer, len, 0, null_mut(), null_mut()))),
                ("sendall", check(|| sock::sock_sendall(fd, pointer, len, 0, &raw mut sent) as isize)),
                ("recvall", check(|| sock::sock_recvall(fd, pointer, len, 0, &raw mut received) as isize)),
            ]
        } {
            assert_eq!(outcome, Err(EINVAL), "{name} {len} of {which}");
        }
        assert_eq!((sent, received), (0, 0));
    }
    assert_eq!(recv(&socket, &mut [0; 8], 0), Ok(1), "what was there was taken");
}

#[test]
fn messages_have_buffers_and_not_too_many() {
    let (socket, peer) = UnixStream.pair();
    let fd = socket.as_raw_fd();
    // SAFETY: all zero is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iovlen = 1;
    // SAFETY: the message is valid, and its missing buffers are refused.
    unsafe {
        assert_eq!(check(|| sock::sock_sendmsg(fd, &raw const message, 0)), Err(EFAULT));
        assert_eq!(check(|| sock::sock_recvmsg(fd, &raw mut message, 0)), Err(EFAULT));
    }
    let most = libc::UIO_MAXIOV as usize;
    for (count, outcome) in [(most, Ok(most)), (most + 1, Err(EMSGSIZE))] {
        let buffers: Vec<IoSlice> = (0..count).map(|_| IoSlice::new(b"x")).collect();
        assert_eq!(sendmsg(&socket, &buffers, &[], 0), outcome);
        let mut bytes = vec![0; count];
        let mut buffers: Vec<IoSliceMut> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
        assert_eq!(recvmsg(&peer, &mut buffers, &mut [], 0).map(|received| received.bytes), outcome);
    }
}

/// What the library says about a result.
fn words(result: isize) -> &'static str {
    set_errno(12345);
    let words = sock::sock_strerror(result);
    assert_eq!(errno(), 12345);
    assert!(!words.is_null(), "{result}");
    // SAFETY: not NULL, and the library promises a constant string.
    unsafe { CStr::from_ptr(words) }.to_str().unwrap()
}

#[test]
fn every_result_is_put_into_words() {
    for success in [0, 1, 11, 110, 4096, 5002, i32::MAX as isize, isize::MAX] {
        assert_eq!(words(success), "Success", "{success}");
    }
    for unknown in [isize::MIN, isize::MIN + 1, i32::MIN as isize, -(i32::MAX as isize), -4096, -200, -134] {
        assert_eq!(words(unknown), "Unknown error", "{unknown}");
    }
    assert_eq!(words(-(EPIPE as isize)), "Connection closed");
}

#[test]
fn every_error_of_the_system_has_its_own_words() {
    let known: Vec<isize> = (1..=133)
        .filter(|code| {
            // SAFETY: strerror gives a string, and no other thread of this program calls it.
            !unsafe { CStr::from_ptr(libc::strerror(*code)) }.to_string_lossy().starts_with("Unknown")
        })
        .map(|code| -(code as isize))
        .collect();
    assert!(known.len() > 120);
    for code in &known {
        assert_ne!(words(*code), "Unknown error", "{code}");
    }
    assert_eq!(known.iter().map(|code| words(*code)).collect::<HashSet<_>>().len(), known.len());
}

#[test]
fn every_code_of_a_lookup_has_words_too() {
    let codes = [
        (sock::LIBSOCK_EAI_NONAME, "No such host"),
        (sock::LIBSOCK_EAI_AGAIN, "Host lookup fails for the time being"),
        (sock::LIBSOCK_EAI_FAIL, "Host lookup failed"),
        (sock::LIBSOCK_EAI_NODATA, "Host has no address"),
        (sock::LIBSOCK_EAI_SERVICE, "No such service"),
    ];
    for (code, expected) in codes {
        assert_eq!(words(-(code as isize)), expected);
    }
    for code in (4096..6000).filter(|code| codes.iter().all(|(known, _)| known != code)) {
        assert_eq!(words(-(code as isize)), "Unknown error", "{code}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    // SAFETY: the library promises a constant string.
    let version = unsafe { CStr::from_ptr(sock::sock_version()) };
    assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
}
