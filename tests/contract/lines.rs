//! Lines: `sock_recvdelim` and its form with limits.

use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{null, null_mut};
use std::thread;
use std::time::Duration;

use crate::common::asleep::once_asleep;
use crate::common::call::*;
use crate::common::limits::{CLOSED, Limits, cancelled, token};
use crate::common::*;
use libc::{EAGAIN, EBADF, ECANCELED, ECONNRESET, EFAULT, EINVAL, EMSGSIZE, ENOTSOCK, EPIPE, ETIMEDOUT};
use socket2::SockRef;

const DELAY: Duration = Duration::from_millis(25);

type Line = fn(&OwnedFd, &mut [u8], usize, &[u8]) -> (Outcome, usize);

/// Both forms, which do the same where nothing ends them.
const BOTH: [(&str, Line); 2] = [
    ("recvdelim", |fd, data, have, delim| recvdelim(fd, data, have, delim)),
    ("recvdelim_until", |fd, data, have, delim| recvdelim_until(fd, data, have, delim, Limits::after(60.0))),
];

/// In the modes in which what is late is waited for: both forms, on every kind of stream.
fn waiting(body: impl Fn(Line, OwnedFd, OwnedFd) + Sync) {
    for_each(product3(Kind::streams(), [FOREVER, 30.0], [0, 1]), |(kind, seconds, form)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, seconds), Ok(0));
        body(BOTH[form].1, socket, peer);
    });
}

#[test]
fn a_line_is_received_with_its_delimiter_and_what_follows_is_kept() {
    for (kind, mode, (name, line)) in product3(Kind::streams(), MODES, BOTH) {
        for delim in [&b"\n"[..], b"\r\n", b"\r\n\r\n", b"\0", b"::end::"] {
            about((kind, mode, name, delim), || {
                let (socket, peer) = kind.pair();
                assert_eq!(settimeout(&socket, mode), Ok(0));
                let sent = [b"first", delim, b"second", delim, b"rest"].concat();
                deliver(&peer, &socket, &sent);
                let mut data = [b'#'; 64];
                let first = 5 + delim.len();
                assert_eq!(line(&socket, &mut data, 0, delim), (Ok(first), sent.len()));
                assert_eq!(&data[..sent.len()], sent);
                assert!(data[sent.len()..].iter().all(|byte| *byte == b'#'), "more was written than is told of");
                // The next is there already, behind the first.
                let have = sent.len() - first;
                let second = 6 + delim.len();
                assert_eq!(line(&socket, &mut data[first..], have, delim), (Ok(second), have));
                // What is left is no line yet.
                let rest = &mut data[first + second..];
                deliver(&peer, &socket, delim);
                assert_eq!(line(&socket, rest, 4, delim), (Ok(4 + delim.len()), 4 + delim.len()));
                assert_eq!(rest[..4], *b"rest");
            });
        }
    }
}

#[test]
fn a_line_that_is_there_is_found_whatever_the_socket_the_deadline_and_the_token() {
    let (reader, _writer) = pipe();
    let mut data = *b"one\ntwo\n";
    let cancelled = cancelled();
    for fd in [CLOSED, reader.as_raw_fd()] {
        assert_eq!(recvdelim(&fd, &mut data, 8, b"\n"), (Ok(4), 8));
        for deadline in [FOREVER, 0.0, -1.0] {
            for token in [-1, cancelled.as_raw_fd(), CLOSED - 1] {
                let outcome = recvdelim_until(&fd, &mut data, 8, b"\n", Limits { deadline, token });
                assert_eq!(outcome, (Ok(4), 8));
            }
        }
    }
    assert_eq!(recvdelim(&CLOSED, &mut data, 3, b"\n"), (Err(EBADF), 3));
    assert_eq!(recvdelim(&reader, &mut data, 3, b"\n"), (Err(ENOTSOCK), 3));
    assert_eq!(recvdelim(&-1, &mut data, 8, b"\n"), (Err(EBADF), 8));
    assert_eq!(&data, b"one\ntwo\n");
}

#[test]
fn what_lies_behind_have_is_not_looked_at() {
    let (socket, peer) = UnixStream.pair();
    let mut data = *b"ab\ncd\nef\n";
    deliver(&peer, &socket, b"x\n");
    assert_eq!(recvdelim(&socket, &mut data, 2, b"\n"), (Ok(4), 4));
    assert_eq!(&data, b"abx\nd\nef\n");
}

#[test]
fn a_delimiter_is_found_however_it_is_divided() {
    for_each(product(Kind::streams(), [&b"\r\n\r\n"[..], b"\r\r\n", b"aab", b"abab"]), |(kind, delim)| {
        // With parts of the delimiter before it that do not make it up.
        for before in [&b""[..], b"x", b"\r", b"\r\n", b"\r\n\r", b"a", b"aa", b"ab", b"aba", b"\r\n\rx"] {
            let whole = [before, delim, b"\r\nafter"].concat();
            let end = (1..).find(|end| whole[..*end].ends_with(delim)).unwrap();
            for cut in 1..whole.len() {
                for (name, line) in BOTH {
                    about((name, before, cut), || {
                        let (socket, peer) = kind.pair();
                        let mut data = [0; 64];
                        deliver(&peer, &socket, &whole[..cut]);
                        // The first part is found wanting, or is enough.
                        assert_eq!(setblocking(&socket, false), Ok(0));
                        let (first, have) = recvdelim(&socket, &mut data, 0, delim);
                        assert_eq!((first, have), (if cut < end { Err(EAGAIN) } else { Ok(end) }, cut));
                        deliver(&peer, &socket, &whole[cut..]);
                        assert_eq!(setblocking(&socket, true), Ok(0));
                        let (outcome, have) = line(&socket, &mut data, have, delim);
                        assert_eq!(outcome, Ok(end));
                        assert_eq!(have, if cut < end { whole.len() } else { cut });
                        assert_eq!(data[..have], whole[..have]);
                    });
                }
            }
        }
    });
}

#[test]
fn a_delimiter_is_found_across_the_receives_of_one_call() {
    waiting(|line, socket, peer| {
        let mut data = [0; 64];
        for parts in [&["one\r", "\ntwo"][..], &["one\r", "\r\n"], &["o", "n", "e", "\r", "\n"], &["\r\r", "\r\n\r"]] {
            let whole = parts.concat();
            let end = whole.find("\r\n").unwrap() + 2;
            let in_parts = || {
                for part in parts {
                    thread::sleep(Duration::from_millis(5));
                    assert_eq!(send(&peer, part.as_bytes(), 0), Ok(part.len()));
                }
            };
            let (outcome, have) = thread::scope(|scope| {
                let sender = scope.spawn(in_parts);
                let result = line(&socket, &mut data, 0, b"\r\n");
                sender.join().unwrap();
                result
            });
            assert_eq!(outcome, Ok(end), "{parts:?}");
            assert!(have >= end);
            // Nothing is lost between what is kept and what is still to come.
            let left = whole.len() - have;
            assert_eq!(recvall(&socket, &mut data[have..have + left], 0), (Ok(0), left));
            assert_eq!(data[..whole.len()], *whole.as_bytes());
        }
    });
}

#[test]
fn a_full_buffer_is_emsgsize_and_nothing_is_lost() {
    for (kind, mode, (name, line)) in product3(Kind::streams(), MODES, BOTH) {
        about((kind, mode, name), || {
            let (socket, peer) = kind.pair();
            assert_eq!(settimeout(&socket, mode), Ok(0));
            deliver(&peer, &socket, b"123456789\n");
            let mut data = [0; 16];
            assert_eq!(line(&socket, &mut data[..9], 0, b"\n"), (Err(EMSGSIZE), 9));
            assert_eq!(line(&socket, &mut data[..9], 9, b"\n"), (Err(EMSGSIZE), 9));
            // A larger buffer goes on.
            assert_eq!(line(&socket, &mut data, 9, b"\n"), (Ok(10), 10));
            assert_eq!(&data[..10], b"123456789\n");
            // A delimiter that ends with the buffer fits.
            deliver(&peer, &socket, b"12345678\r\n");
            assert_eq!(line(&socket, &mut data[..10], 0, b"\r\n"), (Ok(10), 10));
            // One that is longer than the buffer never does.
            deliver(&peer, &socket, b"\r\n");
            assert_eq!(line(&socket, &mut data[..2], 0, b"\r\n\r\n"), (Err(EMSGSIZE), 2));
            assert_eq!(&data[..2], b"\r\n");
        });
    }
}

#[test]
fn sizes_of_0_and_1() {
    let (socket, peer) = UnixStream.pair();
    deliver(&peer, &socket, b"a\n");
    let mut data = [0; 1];
    for (_, line) in BOTH {
        assert_eq!(line(&socket, &mut [], 0, b"\n"), (Err(EMSGSIZE), 0));
    }
    assert_eq!(recvdelim(&socket, &mut data, 0, b"\n"), (Err(EMSGSIZE), 1));
    assert_eq!(data, *b"a");
    assert_eq!(recvdelim(&socket, &mut data, 0, b"\n"), (Ok(1), 1));
    assert_eq!(data, *b"\n");
}

#[test]
fn the_end_of_a_stream_is_clean_or_in_the_middle() {
    for (kind, mode, (name, line)) in product3(Kind::streams(), MODES, BOTH) {
        about((kind, mode, name), || {
            let (socket, peer) = kind.pair();
            assert_eq!(settimeout(&socket, mode), Ok(0));
            deliver(&peer, &socket, b"last\nhalf");
            drop(peer);
            let mut data = [0; 16];
            assert_eq!(line(&socket, &mut data, 0, b"\n"), (Ok(5), 9));
            for _ in 0..2 {
                assert_eq!(line(&socket, &mut data[5..], 4, b"\n"), (Err(EPIPE), 4));
                assert_eq!(line(&socket, &mut data[9..], 0, b"\n"), (Ok(0), 0));
            }
            assert_eq!(&data[..9], b"last\nhalf");
        });
    }
}

#[test]
fn the_end_of_a_stream_ends_a_wait() {
    waiting(|line, socket, peer| {
        let mut data = *b"half............";
        let end = || SockRef::from(&peer).shutdown(std::net::Shutdown::Write).unwrap();
        let outcome = takes(DELAY, || meanwhile(DELAY, end, || line(&socket, &mut data, 4, b"\n")));
        assert_eq!(outcome, (Err(EPIPE), 4));
        assert_eq!(line(&socket, &mut data, 0, b"\n"), (Ok(0), 0));
    });
}

#[test]
fn a_reset_is_told_of_with_an_exact_count() {
    for_each(product(Kind::streams().filter(|kind| kind.is_tcp()), [0, 1]), |(kind, form)| {
        let (socket, peer) = kind.pair();
        deliver(&peer, &socket, b"half");
        let mut data = [0; 16];
        let reset = |_| {
            SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
            drop(peer);
        };
        let outcome = once_asleep(|| BOTH[form].1(&socket, &mut data, 0, b"\n"), reset);
        assert_eq!(outcome, (Err(ECONNRESET), 4));
        assert_eq!(&data[..4], b"half");
    });
}

#[test]
fn a_timeout_is_for_the_whole_and_calling_again_goes_on() {
    const TIMEOUT: Duration = Duration::from_millis(150);
    for_each(product(Kind::streams(), [false, true]), |(kind, has_limits)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, TIMEOUT.as_secs_f64()), Ok(0));
        let mut data = vec![0; 1 << 16];
        let (outcome, have) = thread::scope(|scope| {
            let slow = scope.spawn(|| {
                for _ in 0..75 {
                    assert_eq!(send(&peer, b"s", 0), Ok(1));
                    thread::sleep(Duration::from_millis(4));
                }
            });
            let result = takes(TIMEOUT, || match has_limits {
                false => recvdelim(&socket, &mut data, 0, b"\n"),
                true => recvdelim_until(&socket, &mut data, 0, b"\n", Limits::after(TIMEOUT.as_secs_f64())),
            });
            slow.join().unwrap();
            result
        });
        assert_eq!(outcome, Err(ETIMEDOUT));
        assert!(have > 0 && have <= 75, "{have}");
        assert_eq!(send(&peer, b"\nmore", 0), Ok(5));
        assert_eq!(settimeout(&socket, 30.0), Ok(0));
        let (outcome, end) = recvdelim(&socket, &mut data, have, b"\n");
        assert_eq!(outcome, Ok(76));
        assert_eq!(recvall(&socket, &mut data[end..80], 0), (Ok(0), 80 - end));
        assert_eq!(data[..80], *[&[b's'; 75][..], b"\nmore"].concat());
    });
}

#[test]
fn non_blocking_mode_keeps_what_has_come() {
    in_turn(Kind::streams(), |kind| {
        let (socket, peer) = kind.pair();
        assert_eq!(setblocking(&socket, false), Ok(0));
        let mut data = [0; 16];
        let mut have = 0;
        for (at, byte) in b"one\r\n".iter().enumerate() {
            let (outcome, now) = recvdelim(&socket, &mut data, have, b"\r\n");
            assert_eq!((outcome, now), (Err(EAGAIN), at));
            deliver(&peer, &socket, &[*byte]);
            have = now;
        }
        assert_eq!(recvdelim(&socket, &mut data, have, b"\r\n"), (Ok(5), 5));
        assert_eq!(&data[..5], b"one\r\n");
    });
}

#[test]
fn a_token_ends_it_with_what_has_come() {
    for_each(product(Kind::streams(), MODES), |(kind, mode)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, mode), Ok(0));
        let mut data = [0; 16];
        deliver(&peer, &socket, b"half");
        let token = token();
        let cancel = |_| assert_eq!(crate::common::limits::cancel(&token), Ok(0));
        let limits = Limits::token(&token);
        let outcome = once_asleep(|| recvdelim_until(&socket, &mut data, 0, b"\n", limits), cancel);
        assert_eq!(outcome, (Err(ECANCELED), 4));
        deliver(&peer, &socket, b" line\n");
        assert_eq!(recvdelim_until(&socket, &mut data, 4, b"\n", limits), (Ok(10), 10));
        assert_eq!(&data[..10], b"half line\n");
        assert_eq!(gettimeout(&socket), Ok(mode));
    });
}

#[test]
fn many_lines_come_one_by_one_in_any_buffer() {
    let text: Vec<u8> = (0..2000).flat_map(|at| format!("{}line {at}\r\n", "\r".repeat(at % 3)).into_bytes()).collect();
    for_each(product(Kind::streams(), [20, 64, 4096]), |(kind, size)| {
        for (name, line) in BOTH {
            about((name, size), || {
                let (socket, peer) = kind.pair();
                let received = thread::scope(|scope| {
                    scope.spawn(|| {
                        for part in text.chunks(17) {
                            assert_eq!(sendall(&peer, part, 0), (Ok(0), part.len()));
                        }
                        SockRef::from(&peer).shutdown(std::net::Shutdown::Write).unwrap();
                    });
                    let (mut data, mut have, mut received) = (vec![0; size], 0, Vec::new());
                    loop {
                        let (outcome, now) = line(&socket, &mut data, have, b"\r\n");
                        let length = outcome.expect("a line");
                        if length == 0 {
                            return received;
                        }
                        assert!(data[..length].ends_with(b"\r\n"));
                        assert_eq!(data[..length].windows(2).filter(|two| two == b"\r\n").count(), 1);
                        received.extend_from_slice(&data[..length]);
                        data.copy_within(length..now, 0);
                        have = now - length;
                    }
                });
                assert!(received == text);
            });
        }
    });
}

#[test]
fn wrong_arguments_are_refused_and_nothing_is_touched() {
    let (socket, peer) = UnixStream.pair();
    deliver(&peer, &socket, b"kept\n");
    let fd = socket.as_raw_fd();
    let (mut data, mut have) = ([b'#'; 8], 0_usize);
    let (buf, mark) = (data.as_mut_ptr().cast(), b"\n".as_ptr().cast());
    // SAFETY: what is wrong with these pointers and lengths is refused before they are followed.
    let both = |buf, size, have: *mut usize, mark, marklen| unsafe {
        let one = check(|| sock::sock_recvdelim(fd, buf, size, have, mark, marklen));
        let other = check(|| sock::sock_recvdelim_until(fd, buf, size, have, mark, marklen, FOREVER, -1));
        assert_eq!(one, other);
        one
    };
    assert_eq!(both(null_mut(), 8, &raw mut have, mark, 1), Err(EFAULT));
    assert_eq!(both(null_mut(), 0, &raw mut have, mark, 1), Err(EFAULT));
    assert_eq!(both(buf, 8, &raw mut have, null(), 1), Err(EFAULT));
    assert_eq!(both(buf, 8, null_mut(), mark, 1), Err(EINVAL));
    assert_eq!(both(buf, 8, &raw mut have, mark, 0), Err(EINVAL));
    for size in [isize::MAX as usize + 1, usize::MAX] {
        assert_eq!(both(buf, size, &raw mut have, mark, 1), Err(EINVAL));
        assert_eq!(both(buf, 8, &raw mut have, mark, size), Err(EINVAL));
    }
    assert_eq!(have, 0);
    for too_many in [9, usize::MAX] {
        have = too_many;
        assert_eq!(both(buf, 8, &raw mut have, mark, 1), Err(EINVAL));
        assert_eq!(have, too_many);
    }
    have = 0;
    // SAFETY: the pointers are to locals of these lengths.
    let limited = |deadline, token| unsafe {
        let mut have = 0;
        check(|| sock::sock_recvdelim_until(fd, buf, 8, &raw mut have, mark, 1, deadline, token))
    };
    assert_eq!(limited(f64::NAN, -1), Err(EINVAL));
    assert_eq!(limited(-1.0, -2), Err(EBADF));
    assert_eq!(limited(-1.0, -1), Err(ETIMEDOUT));
    assert_eq!(data, [b'#'; 8]);
    assert_eq!(recvdelim(&socket, &mut data, have, b"\n"), (Ok(5), 5));
}
