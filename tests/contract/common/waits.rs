//! Every call that can wait, on every kind of socket, and what ends its wait.

use std::os::fd::OwnedFd;
use std::thread;

use socket2::SockRef;

use super::call::{self, Outcome, RECEIVERS, SENDERS};
use super::limits::Limits;
use super::*;

type Make = dyn FnOnce() -> Wait + Send;
type ByMode = dyn Fn(&OwnedFd, f64) -> Outcome + Send + Sync;
type UntilLimits = dyn Fn(&OwnedFd, Limits) -> Outcome + Send + Sync;

/// How long a call waits.
enum Call {
    /// As the socket's mode says, or for so many seconds where it takes its own.
    ByMode(Box<ByMode>),
    /// Until a deadline or a token.
    Until(Box<UntilLimits>),
}

fn by_mode(call: impl Fn(&OwnedFd, f64) -> Outcome + Send + Sync + 'static) -> Call {
    Call::ByMode(Box::new(call))
}

fn until(call: impl Fn(&OwnedFd, Limits) -> Outcome + Send + Sync + 'static) -> Call {
    Call::Until(Box::new(call))
}

/// A call that has to wait.
pub struct Wait {
    pub name: String,
    pub socket: OwnedFd,
    call: Call,
    /// Makes the call succeed.
    pub release: Box<dyn Fn() + Send + Sync>,
}

impl Wait {
    fn new(name: String, socket: OwnedFd, call: Call, release: impl Fn() + Send + Sync + 'static) -> Wait {
        Wait { name, socket, call, release: Box::new(release) }
    }

    /// Gives the socket a mode and makes the call, whose limits are that mode's where it has its own.
    pub fn run(&self, seconds: f64) -> Outcome {
        assert_eq!(call::settimeout(&self.socket, seconds), Ok(0));
        match &self.call {
            Call::ByMode(call) => call(&self.socket, seconds),
            Call::Until(call) => call(&self.socket, Limits::after(seconds)),
        }
    }

    /// Makes the call with limits, which it must be one for.
    pub fn run_until(&self, limits: Limits) -> Outcome {
        match &self.call {
            Call::ByMode(_) => panic!("{} takes no limits", self.name),
            Call::Until(call) => call(&self.socket, limits),
        }
    }

    /// Whether it sleeps in parts of some milliseconds, between which a signal is not one that comes during a wait.
    pub fn sleeps_in_parts(&self) -> bool {
        let sends = ["send", "connect", "wait_until of"].iter().any(|what| self.name.starts_with(what));
        matches!(self.call, Call::Until(_)) && sends
    }

    fn to_receive(name: &str, kind: Kind, call: Call) -> Wait {
        let (socket, peer) = kind.pair();
        let release = move || assert_eq!(SockRef::from(&peer).send(b"x").expect("send"), 1);
        Wait::new(format!("{name} on {kind:?}"), socket, call, release)
    }

    fn to_send(name: &str, len: usize, kind: Kind, call: Call) -> Wait {
        let (socket, peer) = kind.pair();
        let total = fill(&socket) + len;
        Wait::new(format!("{name} of {len} on {kind:?}"), socket, call, move || receive(&peer, total))
    }

    fn to_accept(name: &str, kind: Kind, call: Call) -> Wait {
        let Listener { fd, address, .. } = Listener::new(kind, 1);
        let release = move || SockRef::from(&kind.socket()).connect(&address).expect("connect");
        Wait::new(format!("{name} on {kind:?}"), fd, call, release)
    }

    fn to_connect(name: &str, kind: Kind, call: impl FnOnce(socket2::SockAddr) -> Call) -> Wait {
        let (listener, clients) = Listener::full(kind);
        let call = call(listener.address.clone());
        let release = move || {
            let _full = &clients;
            SockRef::from(&listener.fd).accept().expect("accept");
        };
        Wait::new(format!("{name} on {kind:?}"), kind.socket(), call, release)
    }

    /// What makes one wait of each function that can wait on this kind of socket.
    pub fn all_on(kind: Kind) -> Vec<Box<Make>> {
        let mut waits = Wait::all_plain_on(kind);
        waits.extend(Wait::all_until_on(kind));
        waits
    }

    fn all_plain_on(kind: Kind) -> Vec<Box<Make>> {
        let mut waits: Vec<Box<Make>> = Vec::new();
        let wait_for = |events| by_mode(move |fd, seconds| call::wait(fd, events, seconds));
        for (name, receive) in call::plain(RECEIVERS) {
            let call = by_mode(move |fd, _| receive(fd, &mut [0], 0));
            waits.push(Box::new(move || Wait::to_receive(name, kind, call)));
        }
        waits.push(Box::new(move || Wait::to_receive("wait", kind, wait_for(libc::POLLIN))));
        if kind.is_stream() {
            let call = by_mode(|fd, _| call::recvdelim(fd, &mut [0; 2], 0, b"x").0);
            waits.push(Box::new(move || Wait::to_receive("recvdelim", kind, call)));
        }
        if kind.fills() {
            for (name, send) in call::plain(SENDERS) {
                // A large send that is one call of the kernel's ends with a part at a signal, as the plain call does.
                let lengths: &[usize] = if kind.is_stream() && name == "sendall" { &[100, 1 << 20] } else { &[100] };
                for &len in lengths {
                    let call = by_mode(move |fd, _| send(fd, &vec![0; len], 0));
                    waits.push(Box::new(move || Wait::to_send(name, len, kind, call)));
                }
            }
            waits.push(Box::new(move || Wait::to_send("wait", 0, kind, wait_for(libc::POLLOUT))));
        }
        if kind.listens() {
            let accept = by_mode(|fd, _| call::accept(fd).map(|_| 0));
            waits.push(Box::new(move || Wait::to_accept("accept", kind, accept)));
            let connect = |to| by_mode(move |fd, _| call::connect(fd, &to));
            waits.push(Box::new(move || Wait::to_connect("connect", kind, connect)));
        }
        waits
    }

    /// Those that take a deadline and a token.
    pub fn all_until_on(kind: Kind) -> Vec<Box<Make>> {
        let mut waits: Vec<Box<Make>> = Vec::new();
        let wait_for = |events| until(move |fd, limits| call::wait_until(fd, events, limits));
        let mut receivers = vec![
            ("recv_until", until(|fd, limits| call::recv_until(fd, &mut [0], 0, limits))),
            ("recvfrom_until", until(|fd, limits| Ok(call::recvfrom_until(fd, &mut [0], 0, limits)?.0))),
            (
                "recvmsg_until",
                until(|fd, limits| {
                    Ok(call::recvmsg_until(fd, &mut [std::io::IoSliceMut::new(&mut [0])], &mut [], 0, limits)?.bytes)
                }),
            ),
            ("recvall_until", until(|fd, limits| call::recvall_until(fd, &mut [0], 0, limits).0)),
            ("wait_until", wait_for(libc::POLLIN)),
        ];
        if kind.is_stream() {
            let call = until(|fd, limits| call::recvdelim_until(fd, &mut [0; 2], 0, b"x", limits).0);
            receivers.push(("recvdelim_until", call));
        }
        for (name, call) in receivers {
            waits.push(Box::new(move || Wait::to_receive(name, kind, call)));
        }
        let mut senders = Vec::new();
        if kind.fills() {
            senders.extend([
                ("send_until", 100, until(|fd, limits| call::send_until(fd, &[0; 100], 0, limits))),
                ("sendto_until", 100, until(|fd, limits| call::sendto_until(fd, &[0; 100], 0, None, limits))),
                (
                    "sendmsg_until",
                    100,
                    until(|fd, limits| call::sendmsg_until(fd, &[std::io::IoSlice::new(&[0; 100])], &[], 0, limits)),
                ),
                ("sendall_until", 100, until(|fd, limits| call::sendall_until(fd, &[0; 100], 0, limits).0)),
                ("wait_until", 0, wait_for(libc::POLLOUT)),
            ]);
        }
        if kind.fills() && kind.is_stream() {
            let call = until(|fd, limits| call::sendall_until(fd, &vec![0; 1 << 20], 0, limits).0);
            senders.push(("sendall_until", 1 << 20, call));
        }
        for (name, len, call) in senders {
            waits.push(Box::new(move || Wait::to_send(name, len, kind, call)));
        }
        if kind.listens() {
            let accept = until(|fd, limits| call::accept_until(fd, limits).map(|_| 0));
            waits.push(Box::new(move || Wait::to_accept("accept_until", kind, accept)));
            let connect = |to| until(move |fd, limits| call::connect_until(fd, &to, limits));
            waits.push(Box::new(move || Wait::to_connect("connect_until", kind, connect)));
        }
        waits
    }
}

/// Receives so many bytes.
fn receive(socket: &OwnedFd, total: usize) {
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    while received < total {
        received += call::recv(socket, &mut buffer, 0).expect("recv");
    }
    assert_eq!(received, total);
}

/// Runs `body` for each wait on each kind of socket, all at the same time.
pub fn for_each_wait(body: impl Fn(Wait) + Sync) {
    for_each_of(Kind::all().flat_map(Wait::all_on), body);
}

/// The same for those that take a deadline and a token.
pub fn for_each_wait_until(body: impl Fn(Wait) + Sync) {
    for_each_of(Kind::all().flat_map(Wait::all_until_on), body);
}

fn for_each_of(waits: impl Iterator<Item = Box<Make>>, body: impl Fn(Wait) + Sync) {
    thread::scope(|scope| {
        for make in waits {
            scope.spawn(|| {
                let wait = make();
                about(wait.name.clone(), || body(wait))
            });
        }
    });
}
