//! Tokens: what may be one, who may cancel, when it is looked at, and what is left of an operation then.

mod common;

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use common::asleep::once_asleep;
use common::call::*;
use common::limits::{CLOSED, Limits, NONE, cancel, cancelled, eventfd, now, signal, token, write};
use common::waits::for_each_wait_until;
use common::*;
use libc::{EBADF, ECANCELED, EINTR, EINVAL, POLLIN, SIGUSR1, SIGUSR2, c_int};

const DELAY: Duration = Duration::from_millis(25);
const MODES: [f64; 4] = [FOREVER, 0.0, 0.05, 30.0];

/// A descriptor that serves as a token, and what cancels with it.
type Token = (&'static str, OwnedFd, Box<dyn FnOnce() + Send>);

fn own(fd: c_int) -> OwnedFd {
    assert!(fd >= 0, "error {}", errno());
    // SAFETY: each caller has just got it for itself.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn duplicate(fd: &impl AsRawFd) -> OwnedFd {
    // SAFETY: no pointers.
    own(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 0) })
}

fn of_the_library() -> Token {
    let token = token();
    let other = duplicate(&token);
    ("a token, by its duplicate", token, Box::new(move || assert_eq!(cancel(&other), Ok(0))))
}

fn an_eventfd() -> Token {
    let token = eventfd();
    let other = duplicate(&token);
    ("an eventfd", token, Box::new(move || signal(&other)))
}

fn a_pipe_with_data() -> Token {
    let (reader, writer) = pipe();
    ("a pipe", reader, Box::new(move || write(&writer, b"x")))
}

fn a_pipe_that_hangs_up() -> Token {
    let (reader, writer) = pipe();
    ("the end of a pipe", reader, Box::new(move || drop(writer)))
}

fn a_socket() -> Token {
    let (one, other) = UnixStream.pair();
    ("a socket", one, Box::new(move || assert_eq!(send(&other, b"x", 0), Ok(1))))
}

fn a_socket_that_hangs_up() -> Token {
    let (one, other) = Tcp4.pair();
    ("the end of a connection", one, Box::new(move || drop(other)))
}

fn a_listener() -> Token {
    let listener = Listener::new(UnixStream, 1);
    let token = duplicate(&listener.fd);
    ("a listener", token, Box::new(move || drop(listener.connect_to_waiting())))
}

fn an_epoll_of_two() -> Token {
    // SAFETY: no pointers.
    let epoll = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) });
    let (one, other) = (token(), eventfd());
    for fd in [&one, &other] {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: the pointer is to a local.
        let added = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &raw mut event) };
        assert_eq!(added, 0);
    }
    let cancel_one = move || {
        assert_eq!(cancel(&one), Ok(0));
        std::mem::forget((one, other)); // A descriptor that is closed leaves the set.
    };
    ("an epoll descriptor of two", epoll, Box::new(cancel_one))
}

fn a_pidfd() -> Token {
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
    // SAFETY: no pointers.
    let pidfd = own(unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) } as c_int);
    let end = move || {
        drop(child.stdin.take());
        child.wait().expect("the child ends");
    };
    ("a pidfd", pidfd, Box::new(end))
}

const TOKENS: [fn() -> Token; 9] = [
    of_the_library,
    an_eventfd,
    a_pipe_with_data,
    a_pipe_that_hangs_up,
    a_socket,
    a_socket_that_hangs_up,
    a_listener,
    an_epoll_of_two,
    a_pidfd,
];

#[test]
fn any_descriptor_that_becomes_readable_or_hangs_up_is_a_token() {
    in_turn(product(TOKENS, [UnixStream, Tcp4, Udp4]), |(make, kind)| {
        let (socket, peer) = kind.pair();
        for during in [true, false] {
            let (name, token, cancel) = make();
            let limits = Limits::token(&token);
            about((name, during), || {
                let outcome = if during {
                    once_asleep(|| recv_until(&socket, &mut [0], 0, limits), |_| cancel())
                } else {
                    cancel();
                    // What an epoll descriptor, a socket or a process tells may take a moment.
                    assert_ne!(poll(&token, POLLIN, SLACK), 0);
                    recv_until(&socket, &mut [0], 0, limits)
                };
                assert_eq!(outcome, Err(ECANCELED));
                // For good, and nothing was taken from it.
                assert_eq!(recv_until(&socket, &mut [0], 0, limits), Err(ECANCELED));
                assert_ne!(poll(&token, POLLIN, Duration::ZERO), 0);
                deliver(&peer, &socket, b"x");
                assert_eq!(recv_until(&socket, &mut [0], 0, limits), Ok(1));
            });
        }
    });
}

/// A signalfd tells the thread that waits of its own signals too.
#[test]
fn a_signalfd_is_a_token() {
    let (socket, _peer) = UnixStream.pair();
    let wait = || {
        // SAFETY: the pointers are to locals.
        let signals = unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&raw mut set, SIGUSR2);
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut()), 0);
            own(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC))
        };
        recv_until(&socket, &mut [0], 0, Limits::token(&signals))
    };
    // SAFETY: no pointers.
    let raise = |thread: libc::pid_t| unsafe {
        libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGUSR2);
    };
    assert_eq!(once_asleep(wait, raise), Err(ECANCELED));
}

#[test]
fn every_wait_is_cancelled_before_during_and_for_good() {
    for_each_wait_until(|wait| {
        for mode in MODES {
            assert_eq!(settimeout(&wait.socket, mode), Ok(0));
            let token = token();
            let limits = Limits { deadline: now() + 100.0, ..Limits::token(&token) };
            let cancel = |_: libc::pid_t| assert_eq!(cancel(&token), Ok(0));
            assert_eq!(once_asleep(|| wait.run_until(limits), cancel), Err(ECANCELED), "in mode {mode}");
            for deadline in [FOREVER, limits.deadline] {
                assert_eq!(wait.run_until(Limits { deadline, ..limits }), Err(ECANCELED), "in mode {mode}");
            }
            assert_eq!(gettimeout(&wait.socket), Ok(mode));
        }
        // The socket is as good as it was.
        let outcome = takes(DELAY, || meanwhile(DELAY, &wait.release, || wait.run_until(Limits::NONE)));
        assert!(outcome.is_ok(), "{outcome:?}");
    });
}

#[test]
fn a_token_that_is_not_open_is_told_of_by_all_that_have_to_wait() {
    for_each_wait_until(|wait| {
        for (token, error) in [(CLOSED, EBADF), (-2, EBADF), (wait.socket.as_raw_fd(), EINVAL)] {
            for deadline in [FOREVER, now() + 100.0] {
                assert_eq!(wait.run_until(Limits { deadline, token }), Err(error), "{token}");
            }
        }
    });
}

#[test]
fn one_token_ends_all_that_wait_with_it() {
    let token = token();
    let limits = Limits::token(&token);
    let pairs = Vec::from_iter((0..50).map(|_| UnixStream.pair()));
    let listener = Listener::new(Tcp4, 1);
    pairs.iter().for_each(|(socket, _)| _ = fill(socket));
    thread::scope(|scope| {
        let mut waits = vec![scope.spawn(|| accept_until(&listener.fd, limits).map(|_| 0))];
        for (socket, _) in &pairs {
            waits.push(scope.spawn(move || recv_until(socket, &mut [0], 0, limits)));
            waits.push(scope.spawn(move || send_until(socket, b"x", 0, limits)));
        }
        thread::sleep(DELAY);
        assert_eq!(cancel(&token), Ok(0));
        for wait in waits {
            assert_eq!(wait.join().unwrap(), Err(ECANCELED));
        }
    });
}

#[test]
fn a_handler_cancels_what_it_interrupts() {
    static TOKEN: AtomicI32 = AtomicI32::new(NONE);
    extern "C" fn handler(_signal: c_int) {
        assert_eq!(sock::sock_cancel(TOKEN.load(SeqCst)), 0);
    }
    // SAFETY: the handler calls what may be called there.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(c_int) as usize;
        assert_eq!(libc::sigaction(SIGUSR1, &raw const action, null_mut()), 0);
    }
    for (kind, interruptible) in product(Kind::all(), [false, true]) {
        let (socket, _peer) = kind.pair();
        assert_eq!(setinterrupt(&socket, interruptible), Ok(0));
        let token = token();
        TOKEN.store(token.as_raw_fd(), SeqCst);
        // SAFETY: no pointers.
        let raise = |thread: libc::pid_t| unsafe {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGUSR1);
        };
        let outcome = once_asleep(|| recv_until(&socket, &mut [0], 0, Limits::token(&token)), raise);
        // The signal itself ends the wait too, if that is asked for.
        assert_eq!(outcome, Err(if interruptible { EINTR } else { ECANCELED }), "{kind:?}");
        assert_eq!(recv_until(&socket, &mut [0], 0, Limits::token(&token)), Err(ECANCELED));
    }
}

#[test]
fn another_process_cancels() {
    let token = token();
    let (socket, _peer) = Tcp4.pair();
    let limits = Limits::token(&token);
    let cancel = || assert_eq!(cancel(&token), Ok(0));
    let outcome = takes(DELAY, || meanwhile_elsewhere(DELAY, cancel, || recv_until(&socket, &mut [0], 0, limits)));
    assert_eq!(outcome, Err(ECANCELED));
    let child = in_child(|| c_int::from(recv_until(&socket, &mut [0], 0, limits) != Err(ECANCELED)));
    assert!(child.success(), "{child}");
}

#[test]
fn a_token_is_close_on_exec_and_quiet() {
    let token = token();
    assert!(is_close_on_exec(&token));
    assert_eq!(poll(&token, POLLIN, 2 * DELAY), 0);
    let (socket, _peer) = UnixStream.pair();
    let limits = Limits { token: token.as_raw_fd(), ..Limits::after(0.05) };
    assert_eq!(recv_until(&socket, &mut [0], 0, limits), Err(libc::ETIMEDOUT));
    // Reading it, as other code might, does not hang.
    let mut expirations = [0_u8; 8];
    // SAFETY: there is room for so many bytes.
    let read = unsafe { libc::read(token.as_raw_fd(), expirations.as_mut_ptr().cast(), 8) };
    assert_eq!((read, errno()), (-1, libc::EAGAIN));
    for _ in 0..3 {
        assert_eq!(cancel(&token), Ok(0));
        assert_eq!(poll(&token, POLLIN, Duration::ZERO), POLLIN, "sock_cancel came back too soon");
    }
}

#[test]
fn what_is_no_token_is_refused_and_not_touched() {
    let (reader, writer) = pipe();
    let (socket, peer) = UnixStream.pair();
    let event = eventfd();
    let file = OwnedFd::from(File::open("/dev/null").unwrap());
    // SAFETY: no pointers.
    let epoll = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) });
    for fd in [&reader, &writer, &socket, &event, &file, &epoll] {
        assert_eq!(cancel(fd), Err(EINVAL));
    }
    for fd in [-1, -2, i32::MIN, CLOSED] {
        assert_eq!(cancel(&fd), Err(EBADF));
    }
    for fd in [&reader, &peer, &event] {
        assert_eq!(poll(fd, POLLIN, Duration::ZERO), 0, "something was written");
    }
}

/// Bytes that tell where they belong.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect()
}

#[test]
fn counts_are_exact_when_it_is_cancelled() {
    let data = pattern(32 << 20);
    for_each(product(Kind::streams(), MODES), |(kind, mode)| {
        let (socket, peer) = kind.pair();
        assert_eq!(settimeout(&socket, mode), Ok(0));
        let stop = token();
        let cancel = |_: libc::pid_t| assert_eq!(cancel(&stop), Ok(0));
        let (outcome, sent) = once_asleep(|| sendall_until(&socket, &data, 0, Limits::token(&stop)), cancel);
        assert_eq!(outcome, Err(ECANCELED));
        assert!(sent > 0 && sent < data.len(), "{sent}");
        let mut arrived = vec![0; sent + 1];
        let stop = token();
        let cancel = |_: libc::pid_t| assert_eq!(common::limits::cancel(&stop), Ok(0));
        let (outcome, received) = once_asleep(|| recvall_until(&peer, &mut arrived, 0, Limits::token(&stop)), cancel);
        assert_eq!((outcome, received), (Err(ECANCELED), sent));
        assert!(arrived[..sent] == data[..sent]);
    });
}

/// What never has to wait looks at the token between its steps.
#[test]
fn a_flood_is_cancelled() {
    let data = pattern(1 << 20);
    for_each(Kind::streams(), |kind| {
        let (socket, peer) = kind.pair();
        let mut buffer = vec![0; 1 << 30];
        for is_line in [false, true] {
            let (stop, is_over) = (token(), AtomicBool::new(false));
            let (mut sent, mut counted) = (0, 0);
            thread::scope(|scope| {
                let flood = scope.spawn(|| {
                    let mut sent = 0;
                    while !is_over.load(SeqCst) {
                        sent += send(&peer, &data, libc::MSG_DONTWAIT).unwrap_or(0);
                    }
                    sent
                });
                scope.spawn(|| {
                    thread::sleep(2 * DELAY);
                    assert_eq!(cancel(&stop), Ok(0));
                });
                let limits = Limits::token(&stop);
                let ((outcome, count), elapsed) = timed(|| match is_line {
                    false => recvall_until(&socket, &mut buffer, 0, limits),
                    true => recvdelim_until(&socket, &mut buffer, 0, b"no such delimiter", limits),
                });
                is_over.store(true, SeqCst);
                assert!(outcome == Err(ECANCELED) || count == buffer.len(), "{outcome:?} of {count}");
                assert!(elapsed < 2 * DELAY + SLACK, "{elapsed:?}");
                counted = count;
                sent = flood.join().unwrap();
            });
            assert_eq!(counted + drain(&socket), sent, "bytes were lost");
        }
    });
}

/// Room for so many bytes, if this process may have that.
fn has_room(socket: &OwnedFd, size: c_int) -> bool {
    let (pointer, len) = ((&raw const size).cast(), size_of::<c_int>() as libc::socklen_t);
    // SAFETY: the pointer is to a local of that size.
    unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, pointer, len) == 0 }
}

/// No step has to wait: all is there, or there is room for all.
#[test]
fn what_never_has_to_wait_is_cancelled_between_its_steps() {
    let data = pattern(3 << 20);
    let (socket, peer) = UnixStream.pair();
    if !has_room(&socket, 8 << 20) || !has_room(&peer, 8 << 20) {
        eprintln!("buffers of this size need CAP_NET_ADMIN");
        return;
    }
    let stop = cancelled();
    let is_part = |count: usize| assert!(count > 0 && count < data.len(), "{count} after the token");
    let mut buffer = vec![0; data.len()];

    assert_eq!(send(&peer, &data, libc::MSG_DONTWAIT), Ok(data.len()));
    let (outcome, received) = recvall_until(&socket, &mut buffer, 0, Limits::token(&stop));
    assert_eq!(outcome, Err(ECANCELED));
    is_part(received);
    let (outcome, have) =
        recvdelim_until(&socket, &mut buffer[received..], 0, b"no such delimiter", Limits::token(&stop));
    assert_eq!(outcome, Err(ECANCELED));
    is_part(have);
    let rest = &mut buffer[received + have..];
    let len = rest.len();
    assert_eq!(recvall_until(&socket, rest, 0, Limits::NONE), (Ok(0), len));
    assert!(buffer == data);

    let (outcome, sent) = sendall_until(&socket, &data, 0, Limits::token(&stop));
    assert_eq!(outcome, Err(ECANCELED));
    is_part(sent);
    assert_eq!(drain(&peer), sent, "bytes were lost");
}

#[test]
fn a_token_that_was_cancelled_goes_before_the_socket_and_the_time() {
    let gone = cancelled();
    let (socket, peer) = UnixStream.pair();
    deliver(&peer, &socket, b"half");
    let mut data = [0; 8];
    // The part that is there is taken; then there is something to wait for.
    assert_eq!(recvall_until(&socket, &mut data, 0, Limits::token(&gone)), (Err(ECANCELED), 4));
    let limits = Limits { token: gone.as_raw_fd(), ..Limits::after(0.2) };
    let (outcome, elapsed) = timed(|| recv_until(&socket, &mut data, 0, limits));
    assert_eq!(outcome, Err(ECANCELED));
    assert!(elapsed < SLACK, "{elapsed:?}");
}
