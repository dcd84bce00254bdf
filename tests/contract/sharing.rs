//! The mode belongs to the socket: its duplicates in any process have it, and its successor on a descriptor does not.

mod common;

use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::Command;
use std::time::Duration;

use common::asleep::sleeps;
use common::call::{getblocking, getinterrupt, gettimeout, recv, recvmsg, send, sendmsg, setinterrupt, settimeout};
use common::*;
use libc::{EAGAIN, ETIMEDOUT, c_int};

const SHORT: f64 = 0.005;
const LONG: f64 = 0.1;
const MODES: [f64; 4] = [FOREVER, 0.0, SHORT, LONG];

/// Receiving takes as long as the mode says, on a socket with nothing to receive.
fn receives_as(seconds: f64, socket: &OwnedFd, peer: &OwnedFd) {
    let one = || sleeps(|| recv(socket, &mut [0], 0));
    if seconds == FOREVER {
        let delay = Duration::from_millis(30);
        assert_eq!(takes(delay, || meanwhile_elsewhere(delay, || assert_eq!(send(peer, b"x", 0), Ok(1)), one)), Ok(1));
    } else {
        let failure = if seconds == 0.0 { EAGAIN } else { ETIMEDOUT };
        assert_eq!(takes(Duration::from_secs_f64(seconds), one), Err(failure));
    }
}

/// Sending takes as long as the mode says, on a socket with room. There is room again afterwards.
fn sends_as(seconds: f64, socket: &OwnedFd, peer: &OwnedFd) {
    let filled = fill(socket);
    if seconds == FOREVER {
        let delay = Duration::from_millis(30);
        let some = || sleeps(|| send(socket, &[0; 5000], 0));
        assert_eq!(takes(delay, || meanwhile_elsewhere(delay, || take(peer, filled + 5000), some)), Ok(5000));
    } else {
        let failure = if seconds == 0.0 { EAGAIN } else { ETIMEDOUT };
        for data in [&[0; 1][..], &[0; 5000]] {
            let some = || sleeps(|| send(socket, data, 0));
            assert_eq!(takes(Duration::from_secs_f64(seconds), some), Err(failure));
        }
        take(peer, filled);
    }
}

/// Receives so many bytes as they come.
fn take(socket: &OwnedFd, total: usize) {
    let mut taken = 0;
    while taken < total {
        assert_ne!(poll(socket, libc::POLLIN, SLACK), 0, "{taken} of {total} bytes came");
        taken += drain(socket);
    }
    assert_eq!(taken, total);
}

fn operates_as(seconds: f64, socket: &OwnedFd, peer: &OwnedFd) {
    assert_eq!(getblocking(socket), Ok(usize::from(seconds != 0.0)));
    receives_as(seconds, socket, peer);
    sends_as(seconds, socket, peer);
}

/// As in the process that has set the mode.
fn is_exactly(seconds: f64, socket: &OwnedFd, peer: &OwnedFd) {
    assert_eq!(gettimeout(socket), Ok(seconds));
    operates_as(seconds, socket, peer);
}

/// As in a process that has it from elsewhere.
fn is_about(seconds: f64, socket: &OwnedFd, peer: &OwnedFd) {
    let told = gettimeout(socket).expect("gettimeout");
    assert!(told >= seconds, "{told} is early");
    assert!(told == seconds || seconds != 0.0 && told < seconds + 0.02, "{told} is late");
    operates_as(seconds, socket, peer);
}

fn own(fd: RawFd) -> OwnedFd {
    assert!(fd >= 0, "error {}", errno());
    // SAFETY: each caller has just got it for itself.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A duplicate by `fcntl`, with the lowest number that is free from `lowest` on.
fn duplicate(fd: &impl AsRawFd, command: c_int, lowest: c_int) -> OwnedFd {
    // SAFETY: no pointers.
    own(unsafe { libc::fcntl(fd.as_raw_fd(), command, lowest) })
}

/// Puts `socket` in the place of `old`, which is closed: its descriptor has a new socket at once.
fn replace(old: &OwnedFd, socket: OwnedFd) {
    // SAFETY: no pointers.
    assert_eq!(unsafe { libc::dup2(socket.as_raw_fd(), old.as_raw_fd()) }, old.as_raw_fd());
}

const CONTROL: usize = {
    // SAFETY: only computes.
    (unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) }) as usize
};

/// Sends a descriptor over a Unix socket.
fn pass(channel: &OwnedFd, fd: &OwnedFd) {
    let mut control = [0_usize; CONTROL / size_of::<usize>()];
    // SAFETY: the header and the descriptor after it fit, and are aligned as a size_t is.
    let control = unsafe {
        let header = control.as_mut_ptr().cast::<libc::cmsghdr>();
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd.as_raw_fd());
        std::slice::from_raw_parts(control.as_ptr().cast(), CONTROL)
    };
    assert_eq!(sendmsg(channel, &[std::io::IoSlice::new(b"x")], control, 0), Ok(1));
}

/// Receives a descriptor.
fn passed(channel: &OwnedFd) -> OwnedFd {
    let mut control = [0_usize; CONTROL / size_of::<usize>()];
    // SAFETY: the memory is that of the array, and is used through this slice alone.
    let bytes = unsafe { std::slice::from_raw_parts_mut(control.as_mut_ptr().cast(), CONTROL) };
    let received = recvmsg(channel, &mut [std::io::IoSliceMut::new(&mut [0])], bytes, 0).expect("recvmsg");
    assert_eq!((received.bytes, received.control), (1, CONTROL));
    // SAFETY: one descriptor follows the header.
    own(unsafe { libc::CMSG_DATA(control.as_ptr().cast()).cast::<RawFd>().read_unaligned() })
}

/// A way to duplicate a descriptor.
type Way = fn(&OwnedFd) -> OwnedFd;

const WAYS: [(&str, Way); 5] = [
    // SAFETY: no pointers.
    ("dup", |fd| own(unsafe { libc::dup(fd.as_raw_fd()) })),
    ("dup2", |fd| {
        let other = UnixStream.socket();
        // SAFETY: no pointers.
        assert_eq!(unsafe { libc::dup2(fd.as_raw_fd(), other.as_raw_fd()) }, other.as_raw_fd());
        other
    }),
    ("F_DUPFD", |fd| duplicate(fd, libc::F_DUPFD, 0)),
    ("F_DUPFD_CLOEXEC", |fd| duplicate(fd, libc::F_DUPFD_CLOEXEC, 100)),
    ("SCM_RIGHTS", |fd| {
        let (one, other) = UnixStream.pair();
        pass(&one, fd);
        passed(&other)
    }),
];

#[test]
fn a_duplicate_has_the_mode() {
    for_each(
        [UnixStream, Tcp4].into_iter().flat_map(|kind| MODES.map(|seconds| (kind, seconds))),
        |(kind, seconds)| {
            for (name, way) in WAYS {
                about(name, || {
                    let (socket, peer) = kind.pair();
                    settimeout(&socket, seconds).unwrap();
                    is_exactly(seconds, &way(&socket), &peer);
                });
            }
        },
    );
}

#[test]
fn what_one_duplicate_sets_the_others_have() {
    for_each(MODES, |seconds| {
        for (name, way) in WAYS {
            about(name, || {
                let (socket, peer) = UnixStream.pair();
                let others = [way(&socket), way(&socket)];
                for before in MODES {
                    settimeout(&socket, before).unwrap();
                    settimeout(&others[0], seconds).unwrap();
                    setinterrupt(&others[0], true).unwrap();
                    for duplicate in [&socket, &others[1]] {
                        assert_eq!(getinterrupt(duplicate), Ok(1));
                        assert_eq!(gettimeout(duplicate), Ok(seconds));
                    }
                    setinterrupt(&others[1], false).unwrap();
                    assert_eq!(getinterrupt(&socket), Ok(0));
                }
                is_exactly(seconds, &socket, &peer);
            });
        }
    });
}

#[test]
fn a_forked_child_has_the_mode() {
    for_each(MODES, |seconds| {
        let (socket, peer) = UnixStream.pair();
        settimeout(&socket, seconds).unwrap();
        let child = in_child(|| {
            is_exactly(seconds, &socket, &peer);
            0
        });
        assert!(child.success(), "{child}");
        is_exactly(seconds, &socket, &peer);
    });
}

#[test]
fn what_a_forked_child_sets_its_parent_has() {
    for_each(MODES, |seconds| {
        let (socket, peer) = UnixStream.pair();
        for before in MODES {
            settimeout(&socket, before).unwrap();
            let child = in_child(|| settimeout(&socket, seconds).map_or(1, |_| 0));
            assert!(child.success(), "{child}");
            is_about(seconds, &socket, &peer);
        }
    });
}

#[test]
fn what_a_parent_sets_its_forked_child_has() {
    for_each(MODES, |seconds| {
        for before in MODES {
            let (socket, peer) = UnixStream.pair();
            let (here, there) = UnixStream.pair();
            settimeout(&socket, before).unwrap();
            let child = meanwhile(
                Duration::from_millis(20),
                || {
                    settimeout(&socket, seconds).unwrap();
                    assert_eq!(send(&here, b"x", 0), Ok(1));
                },
                || {
                    in_child(|| {
                        assert_eq!(recv(&there, &mut [0], 0), Ok(1));
                        is_about(seconds, &socket, &peer);
                        0
                    })
                },
            );
            assert!(child.success(), "{child}");
        }
    });
}

/// This test is both sides: it runs itself again, with the descriptors to look at in the environment.
#[test]
fn exec_keeps_the_mode() {
    const VARIABLE: &str = "SOCKETS_OF_EXEC_KEEPS_THE_MODE";
    if let Ok(sockets) = std::env::var(VARIABLE) {
        let numbers: Vec<RawFd> = sockets.split(' ').map(|number| number.parse().expect("a number")).collect();
        let pairs: Vec<(OwnedFd, OwnedFd)> = numbers.chunks(2).map(|pair| (own(pair[0]), own(pair[1]))).collect();
        for_each(0..MODES.len(), |at| is_about(MODES[at], &pairs[at].0, &pairs[at].1));
        return;
    }
    let mut kept = Vec::new();
    for seconds in MODES {
        let (socket, peer) = UnixStream.pair();
        settimeout(&socket, seconds).unwrap();
        kept.extend([socket, peer].map(|fd| duplicate(&fd, libc::F_DUPFD, 0)));
    }
    let numbers: Vec<String> = kept.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
    let this = std::env::current_exe().expect("the path of this program");
    let again = Command::new(this)
        .args(["--exact", "exec_keeps_the_mode"])
        .env(VARIABLE, numbers.join(" "))
        .output()
        .expect("this program runs again");
    let said = String::from_utf8_lossy(&again.stdout) + String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.contains("1 passed"), "{}: {said}", again.status);
}

#[test]
fn a_socket_passed_to_another_process_keeps_its_mode() {
    for_each(MODES, |seconds| {
        let (here, there) = UnixStream.pair();
        let child = meanwhile(
            Duration::from_millis(20),
            || {
                // Made after the fork, so that nothing of it but the descriptor gets there.
                let (socket, peer) = UnixStream.pair();
                settimeout(&socket, seconds).unwrap();
                pass(&here, &socket);
                pass(&here, &peer);
            },
            || {
                in_child(|| {
                    let (socket, peer) = (passed(&there), passed(&there));
                    is_about(seconds, &socket, &peer);
                    0
                })
            },
        );
        assert!(child.success(), "{child}");
    });
}

/// Whether a call on a socket in this mode fails in time, and with which of these.
fn fails_with(codes: &[c_int], least: f64, socket: &OwnedFd) {
    let outcome = takes(Duration::from_secs_f64(least), || sleeps(|| recv(socket, &mut [0], 0)));
    assert!(codes.iter().any(|code| outcome == Err(*code)), "recv: {outcome:?}");
    fill(socket);
    for data in [&[0; 1][..], &[0; 5000]] {
        let outcome = takes(Duration::from_secs_f64(least), || sleeps(|| send(socket, data, 0)));
        assert!(codes.iter().any(|code| outcome == Err(*code)), "send of {}: {outcome:?}", data.len());
    }
}

/// `O_NONBLOCK` is set or cleared through a duplicate, which `holds`, until the mode is set again.
fn has_the_last_word(nonblocking: bool, holds: impl Fn(f64, &OwnedFd, &OwnedFd) + Sync) {
    for_each(product(MODES, [false, true]), |(seconds, interrupt)| {
        for (name, way) in WAYS {
            about(name, || {
                let (socket, peer) = UnixStream.pair();
                setinterrupt(&socket, interrupt).unwrap();
                settimeout(&socket, seconds).unwrap();
                set_nonblocking(&way(&socket), nonblocking);
                holds(seconds, &socket, &peer);
                drain(&peer);
                settimeout(&socket, seconds).unwrap();
                is_exactly(seconds, &socket, &peer);
                assert_eq!(getinterrupt(&socket), Ok(interrupt.into()));
            });
        }
    });
}

#[test]
fn nonblocking_set_through_a_duplicate_has_the_last_word() {
    has_the_last_word(true, |seconds, socket, peer| {
        if seconds == SHORT {
            // It was set already: nobody can tell that it was set again.
            fails_with(&[ETIMEDOUT], SHORT, socket);
        } else {
            assert_eq!(gettimeout(socket), Ok(0.0));
            fails_with(&[EAGAIN], 0.0, socket);
            drain(peer);
        }
    });
}

#[test]
fn nonblocking_cleared_through_a_duplicate_has_the_last_word() {
    has_the_last_word(false, |seconds, socket, peer| {
        if seconds == SHORT {
            // The socket still has its timeout. It may be late here, but it does not hang.
            fails_with(&[ETIMEDOUT], SHORT, socket);
        } else {
            is_exactly(if seconds == 0.0 { FOREVER } else { seconds }, socket, peer);
        }
    });
}

/// Set and cleared again by other code.
#[test]
fn nonblocking_set_for_a_while_leaves_the_timeout() {
    for_each([FOREVER, LONG], |seconds| {
        let (socket, peer) = UnixStream.pair();
        settimeout(&socket, seconds).unwrap();
        set_nonblocking(&socket, true);
        is_exactly(0.0, &socket, &peer);
        set_nonblocking(&socket, false);
        is_exactly(seconds, &socket, &peer);
    });
}

/// A socket that finds a used descriptor.
#[derive(Clone, Copy, Debug)]
enum New {
    Fresh,
    Nonblocking,
    /// With timeouts that other code has set, 0 for none.
    Timeouts {
        receive: f64,
        send: f64,
    },
    /// With a mode set through another descriptor.
    Mode {
        seconds: f64,
        interrupt: bool,
    },
}

impl New {
    fn all() -> impl Iterator<Item = New> {
        let timeouts = [(LONG, LONG), (LONG, 0.0), (0.0, LONG), (LONG, 3.0 * LONG), (3.0 * LONG, LONG)];
        let modes = MODES.iter().flat_map(|&seconds| [false, true].map(|interrupt| New::Mode { seconds, interrupt }));
        [New::Fresh, New::Nonblocking]
            .into_iter()
            .chain(timeouts.map(|(receive, send)| New::Timeouts { receive, send }))
            .chain(modes)
    }

    fn set_up(self, socket: &OwnedFd) {
        let timeout = |seconds| Some(Duration::from_secs_f64(seconds)).filter(|timeout| !timeout.is_zero());
        match self {
            New::Fresh => {}
            New::Nonblocking => set_nonblocking(socket, true),
            New::Timeouts { receive, send } => set_kernel_timeouts(socket, timeout(receive), timeout(send)),
            New::Mode { seconds, interrupt } => {
                settimeout(socket, seconds).unwrap();
                setinterrupt(socket, interrupt).unwrap();
            }
        }
    }

    /// For how long it receives and sends.
    fn seconds(self) -> (f64, f64) {
        let forever = |seconds| if seconds == 0.0 { FOREVER } else { seconds };
        match self {
            New::Fresh => (FOREVER, FOREVER),
            New::Nonblocking => (0.0, 0.0),
            New::Timeouts { receive, send } => (forever(receive), forever(send)),
            New::Mode { seconds, .. } => (seconds, seconds),
        }
    }

    fn interrupt(self) -> bool {
        matches!(self, New::Mode { interrupt: true, .. })
    }
}

#[test]
fn a_socket_on_a_used_descriptor_is_itself() {
    // Two hundred at the same time, each with a child, would be late by more than a machine may be.
    in_turn(product([FOREVER, 0.0, SHORT, 5.0], [false, true]), |(seconds, interrupt)| {
        let new = New::all().flat_map(|new| [UnixStream, UnixDatagram, Tcp4].map(|kind| (new, kind)));
        for_each(new, |(new, kind)| {
            let (socket, peer) = kind.pair();
            settimeout(&socket, seconds).unwrap();
            setinterrupt(&socket, interrupt).unwrap();
            // The library has had a look at it, on the slow path too where that ends by itself.
            assert_eq!(send(&peer, b"x", 0), Ok(1));
            receives_one(&socket);
            if seconds < 1.0 {
                recv(&socket, &mut [0], 0).expect_err("there is nothing");
            }

            let (successor, peer) = kind.pair();
            new.set_up(&successor);
            replace(&socket, successor);
            assert_eq!(getinterrupt(&socket), Ok(new.interrupt().into()));
            receives_as(new.seconds().0, &socket, &peer);
            sends_as(new.seconds().1, &socket, &peer);
        });
    });
}

/// Receives what is on its way.
fn receives_one(socket: &OwnedFd) {
    assert_ne!(poll(socket, libc::POLLIN, SLACK), 0);
    assert_eq!(recv(socket, &mut [0], 0), Ok(1));
}

/// Raises the limit on open files so far that a descriptor may have this number, or as far as it goes, and tells
/// the highest number.
fn raise_limit(number: c_int) -> c_int {
    let wanted = number as libc::rlim_t + 1;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to locals.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let enough = libc::rlimit { rlim_cur: wanted.max(limit.rlim_cur), rlim_max: wanted.max(limit.rlim_max) };
        let most = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
        // Only a privileged process may raise the second limit.
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const enough) != 0 {
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const most), 0);
        }
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
    }
    limit.rlim_cur.min(wanted) as c_int - 1
}

/// Above what `select` can take, and above 16 bits, or as high as this system lets them be.
#[test]
fn a_high_descriptor_is_as_any() {
    for number in [1500, 70_000] {
        let number = number.min(raise_limit(number) - MODES.len() as c_int);
        println!("descriptor {number}");
        for_each(MODES, |seconds| {
            let (low, peer) = UnixStream.pair();
            let socket = duplicate(&low, libc::F_DUPFD_CLOEXEC, number);
            assert!(socket.as_raw_fd() >= number);
            settimeout(&socket, seconds).unwrap();
            is_exactly(seconds, &socket, &peer);
            drop(low);
            is_exactly(seconds, &socket, &peer);
        });
    }
}
