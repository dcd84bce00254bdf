//! What the tests share: sockets of every kind, time, and a child process.

// Each test crate takes what it needs.
#![allow(dead_code)]

pub mod asleep;
pub mod call;
pub mod limits;
pub mod waits;

use std::fmt::Debug;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use libc::c_int;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// A kind of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tcp4,
    Tcp6,
    Udp4,
    Udp6,
    UnixStream,
    UnixDatagram,
    UnixSeqpacket,
}

pub use Kind::*;

impl Kind {
    /// Every kind that this machine has.
    pub fn all() -> impl Iterator<Item = Kind> {
        [Tcp4, Tcp6, Udp4, Udp6, UnixStream, UnixDatagram, UnixSeqpacket].into_iter().filter(|kind| kind.exists())
    }

    /// Those that carry a stream of bytes.
    pub fn streams() -> impl Iterator<Item = Kind> {
        Kind::all().filter(|kind| kind.is_stream())
    }

    /// Those that carry messages.
    pub fn messages() -> impl Iterator<Item = Kind> {
        Kind::all().filter(|kind| !kind.is_stream())
    }

    /// Those that can listen.
    pub fn listening() -> impl Iterator<Item = Kind> {
        Kind::all().filter(|kind| kind.listens())
    }

    /// Those whose sender waits for a slow receiver. UDP drops what there is no room for.
    pub fn filling() -> impl Iterator<Item = Kind> {
        Kind::all().filter(|kind| kind.fills())
    }

    pub fn listens(self) -> bool {
        matches!(self, Tcp4 | Tcp6 | UnixStream | UnixSeqpacket)
    }

    pub fn fills(self) -> bool {
        !self.is_udp()
    }

    pub fn is_stream(self) -> bool {
        self.r#type() == Type::STREAM
    }

    pub fn is_tcp(self) -> bool {
        matches!(self, Tcp4 | Tcp6)
    }

    pub fn is_udp(self) -> bool {
        matches!(self, Udp4 | Udp6)
    }

    pub fn is_unix(self) -> bool {
        self.domain() == Domain::UNIX
    }

    fn exists(self) -> bool {
        self.domain() != Domain::IPV6 || *IPV6
    }

    fn domain(self) -> Domain {
        match self {
            Tcp4 | Udp4 => Domain::IPV4,
            Tcp6 | Udp6 => Domain::IPV6,
            UnixStream | UnixDatagram | UnixSeqpacket => Domain::UNIX,
        }
    }

    fn r#type(self) -> Type {
        match self {
            Tcp4 | Tcp6 | UnixStream => Type::STREAM,
            Udp4 | Udp6 | UnixDatagram => Type::DGRAM,
            UnixSeqpacket => Type::SEQPACKET,
        }
    }

    /// A fresh socket: blocking, unbound, not connected.
    pub fn socket(self) -> OwnedFd {
        Socket::new(self.domain(), self.r#type(), None).expect("socket").into()
    }

    /// A socket that has a name of the kernel's choice.
    pub fn bound(self) -> OwnedFd {
        let socket = self.socket();
        SockRef::from(&socket).bind(&self.any_address()).expect("bind");
        socket
    }

    /// Loopback with any port, or an abstract name.
    fn any_address(self) -> SockAddr {
        match self.domain() {
            Domain::IPV4 => loopback4(),
            Domain::IPV6 => loopback6(),
            _ => SockAddr::unix("").expect("an empty name"),
        }
    }

    /// Two fresh sockets connected to each other.
    pub fn pair(self) -> (OwnedFd, OwnedFd) {
        match self {
            Tcp4 | Tcp6 => Listener::new(self, 1).pair(),
            Udp4 | Udp6 => {
                let (one, other) = (self.bound(), self.bound());
                SockRef::from(&one).connect(&address(&other)).expect("connect");
                SockRef::from(&other).connect(&address(&one)).expect("connect");
                (one, other)
            }
            UnixStream | UnixDatagram | UnixSeqpacket => {
                let (one, other) = Socket::pair(self.domain(), self.r#type(), None).expect("socketpair");
                (one.into(), other.into())
            }
        }
    }
}

fn loopback4() -> SockAddr {
    std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0)).into()
}

fn loopback6() -> SockAddr {
    std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0)).into()
}

/// Whether there is an IPv6 loopback. If not, a line that reads as an ignored test says so, past
/// libtest's capture of the output.
static IPV6: LazyLock<bool> = LazyLock::new(|| {
    let bound = Socket::new(Domain::IPV6, Type::STREAM, None).and_then(|socket| socket.bind(&loopback6()));
    if let Err(error) = &bound {
        let _ = writeln!(std::io::stdout(), "test ipv6 ... ignored, there is no IPv6 loopback: {error}");
    }
    bound.is_ok()
});

/// The address that a socket is bound to.
pub fn address(socket: &OwnedFd) -> SockAddr {
    SockRef::from(socket).local_addr().expect("getsockname")
}

/// A listening socket and its address.
pub struct Listener {
    pub kind: Kind,
    pub fd: OwnedFd,
    pub address: SockAddr,
}

impl Listener {
    pub fn new(kind: Kind, backlog: c_int) -> Listener {
        let fd = kind.bound();
        SockRef::from(&fd).listen(backlog).expect("listen");
        Listener { kind, address: address(&fd), fd }
    }

    /// A listener on which the next `connect` gets no answer, and the clients that fill its queue.
    pub fn full(kind: Kind) -> (Listener, Vec<OwnedFd>) {
        let listener = Listener::new(kind, 0);
        let mut clients = Vec::new();
        loop {
            let client = listener.client();
            set_nonblocking(&client, true);
            match SockRef::from(&client).connect(&listener.address).err().and_then(|error| error.raw_os_error()) {
                Some(libc::EAGAIN) => return (listener, clients),
                Some(libc::EINPROGRESS) if poll(&client, libc::POLLOUT, Duration::from_millis(100)) == 0 => {
                    return (listener, clients);
                }
                Some(libc::EINPROGRESS) | None => clients.push(client),
                Some(error) => panic!("connect: error {error}"),
            }
        }
    }

    /// A fresh socket that could be connected to this listener.
    pub fn client(&self) -> OwnedFd {
        self.kind.socket()
    }

    /// A client that is connected, though not accepted yet. TCP's listener learns of it a moment later.
    pub fn connect(&self) -> OwnedFd {
        let client = self.connect_to_waiting();
        assert_ne!(poll(&self.fd, libc::POLLIN, SLACK), 0, "the connection did not arrive");
        client
    }

    /// A client that is connected, where others wait to accept it.
    pub fn connect_to_waiting(&self) -> OwnedFd {
        let client = self.client();
        SockRef::from(&client).connect(&self.address).expect("connect");
        client
    }

    /// A connected client and the accepted connection, both fresh.
    pub fn pair(&self) -> (OwnedFd, OwnedFd) {
        let client = self.connect();
        let (connection, _) = SockRef::from(&self.fd).accept().expect("accept");
        (client, connection.into())
    }
}

/// Sends all of `data`, and comes back when something can be received.
pub fn deliver(from: &OwnedFd, to: &OwnedFd, data: &[u8]) {
    assert_eq!(call::send(from, data, 0), Ok(data.len()));
    assert_ne!(poll(to, libc::POLLIN, SLACK), 0, "what was sent did not arrive");
}

/// Sends until no more fits, without waiting, and tells how many bytes that were.
pub fn fill(socket: &OwnedFd) -> usize {
    let options = SockRef::from(socket);
    let is_stream = options.r#type().expect("SO_TYPE") == Type::STREAM;
    let chunk = if is_stream { vec![b'f'; 1 << 16] } else { vec![b'f'; 1024] };
    let mut total = 0;
    loop {
        // SAFETY: the pointer and the length are the chunk's.
        let sent = unsafe {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            libc::send(socket.as_raw_fd(), chunk.as_ptr().cast(), chunk.len(), flags)
        };
        if sent < 0 {
            assert_eq!(errno(), libc::EAGAIN, "send");
            break;
        }
        total += sent as usize;
    }
    if options.domain().expect("SO_DOMAIN") != Domain::UNIX {
        // TCP moves some bytes on to the peer later. In a buffer this much smaller they leave no room.
        let size = options.send_buffer_size().expect("SO_SNDBUF");
        options.set_send_buffer_size(size / 8).expect("SO_SNDBUF");
    }
    total
}

/// Receives whatever is there, or arrives in its wake, and tells how many bytes that were.
pub fn drain(socket: &OwnedFd) -> usize {
    let is_unix = SockRef::from(socket).domain().expect("SO_DOMAIN") == Domain::UNIX;
    let mut buffer = vec![0_u8; 1 << 16];
    let mut total = 0;
    loop {
        // SAFETY: the pointer and the length are the buffer's.
        let received =
            unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
        match received {
            1.. => total += received as usize,
            -1 if !is_unix && errno() == libc::EAGAIN && poll(socket, libc::POLLIN, Duration::from_millis(50)) != 0 => {
            }
            _ => return total,
        }
    }
}

/// One plain poll(2): the events that are ready, 0 for none in that time.
pub fn poll(fd: &impl AsRawFd, events: i16, time: Duration) -> i16 {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: the pointer is to one entry.
    let ready = unsafe { libc::poll(&raw mut entry, 1, time.as_millis() as c_int) };
    assert!(ready >= 0, "poll: error {}", errno());
    entry.revents
}

/// The two ends of a pipe.
pub fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [-1; 2];
    // SAFETY: there is room for two descriptors, which are fresh and nobody else's.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0, "pipe: error {}", errno());
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    }
}

/// Sets or clears `O_NONBLOCK` as other code would.
pub fn set_nonblocking(socket: &OwnedFd, on: bool) {
    SockRef::from(socket).set_nonblocking(on).expect("fcntl");
}

/// `O_NONBLOCK`.
pub fn is_nonblocking(socket: &OwnedFd) -> bool {
    SockRef::from(socket).nonblocking().expect("fcntl")
}

/// `FD_CLOEXEC`.
pub fn is_close_on_exec(fd: &OwnedFd) -> bool {
    // SAFETY: no pointers.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) & libc::FD_CLOEXEC != 0 }
}

/// `SO_RCVTIMEO` and `SO_SNDTIMEO`, as other code sees them.
pub fn kernel_timeouts(socket: &OwnedFd) -> (Option<Duration>, Option<Duration>) {
    let socket = SockRef::from(socket);
    (socket.read_timeout().expect("SO_RCVTIMEO"), socket.write_timeout().expect("SO_SNDTIMEO"))
}

/// Sets `SO_RCVTIMEO` and `SO_SNDTIMEO` as other code would.
pub fn set_kernel_timeouts(socket: &OwnedFd, receive: Option<Duration>, send: Option<Duration>) {
    let socket = SockRef::from(socket);
    socket.set_read_timeout(receive).expect("SO_RCVTIMEO");
    socket.set_write_timeout(send).expect("SO_SNDTIMEO");
}

/// The calling thread's `errno`.
pub fn errno() -> c_int {
    // SAFETY: the pointer is to the calling thread's own errno, always valid.
    unsafe { *libc::__errno_location() }
}

/// Sets the calling thread's `errno`.
pub fn set_errno(value: c_int) {
    // SAFETY: the pointer is to the calling thread's own errno, always valid.
    unsafe { *libc::__errno_location() = value };
}

pub const FOREVER: f64 = f64::INFINITY;

/// The seconds of every sort of mode: blocking, non-blocking, too short for the kernel's timer, short, long.
pub const MODES: [f64; 5] = [FOREVER, 0.0, 0.001, 0.05, 30.0];

/// Seconds that cannot be waited for, and the error number of each.
pub const IMPOSSIBLE_SECONDS: [(f64, c_int); 6] = [
    (-1.0, libc::EINVAL),
    (-1e-300, libc::EINVAL),
    (f64::NEG_INFINITY, libc::EINVAL),
    (f64::NAN, libc::EINVAL),
    (1e10, libc::EOVERFLOW),
    (f64::MAX, libc::EOVERFLOW),
];

/// A result and the time that it took.
pub fn timed<T>(body: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = body();
    (result, start.elapsed())
}

/// How much later than it should a thing may happen on a busy machine: less than the long timeouts of the tests.
pub const SLACK: Duration = Duration::from_secs(4);

/// Runs `body`, which must take as long as expected: never less, and not much more.
pub fn takes<T>(expected: Duration, body: impl FnOnce() -> T) -> T {
    let (result, elapsed) = timed(body);
    assert!(elapsed >= expected, "early: {elapsed:?} of {expected:?}");
    assert!(elapsed < expected + SLACK, "late: {elapsed:?}, not {expected:?}");
    result
}

/// Runs `body` while another thread does `later` after some time.
pub fn meanwhile<T>(delay: Duration, later: impl FnOnce() + Send, body: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(delay);
            later();
        });
        body()
    })
}

/// As [`meanwhile`], but in another process: in the child of one with threads, std's locks may be taken for
/// ever, and a thread that starts takes one.
pub fn meanwhile_elsewhere<T>(delay: Duration, later: impl FnOnce(), body: impl FnOnce() -> T) -> T {
    let child = fork(|| {
        thread::sleep(delay);
        later();
        0
    });
    let result = body();
    let child = end_of(child);
    assert!(child.success(), "{child}");
    result
}

/// Runs `body` in a forked child in which signals have the actions that a C program starts with, and
/// tells how the child ended: with what `body` returned for its code, 101 after a panic, or by a signal.
/// The child has one thread and half a minute.
pub fn in_child(body: impl FnOnce() -> c_int) -> ExitStatus {
    end_of(fork(body))
}

fn fork(body: impl FnOnce() -> c_int) -> libc::pid_t {
    // SAFETY: the child does no more than what `body` does, and exits without unwinding further.
    unsafe {
        match libc::fork() {
            -1 => panic!("fork: error {}", errno()),
            0 => {
                libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                libc::alarm(30);
                libc::_exit(catch_unwind(AssertUnwindSafe(body)).unwrap_or(101));
            }
            child => child,
        }
    }
}

fn end_of(child: libc::pid_t) -> ExitStatus {
    let mut status = 0;
    // SAFETY: the pointer is to a local.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } == -1 {
        assert_eq!(errno(), libc::EINTR, "waitpid");
    }
    ExitStatus::from_raw(status)
}

/// Runs `body`, and says about what it was if it panics.
pub fn about<T>(subject: impl Debug, body: impl FnOnce() -> T) -> T {
    struct Subject<D: Debug>(D);
    impl<D: Debug> Drop for Subject<D> {
        fn drop(&mut self) {
            if thread::panicking() {
                eprintln!("... with {:?}", self.0);
            }
        }
    }
    let _subject = Subject(subject);
    body()
}

/// Every one of the first with every one of the second.
pub fn product<A: Copy, B>(
    first: impl IntoIterator<Item = A>,
    second: impl IntoIterator<Item = B> + Clone,
) -> impl Iterator<Item = (A, B)> {
    first.into_iter().flat_map(move |a| second.clone().into_iter().map(move |b| (a, b)))
}

/// As [`product`], of three.
pub fn product3<A: Copy, B: Copy, C>(
    first: impl IntoIterator<Item = A>,
    second: impl IntoIterator<Item = B> + Clone,
    third: impl IntoIterator<Item = C> + Clone,
) -> impl Iterator<Item = (A, B, C)> {
    product(first, second).flat_map(move |(a, b)| third.clone().into_iter().map(move |c| (a, b, c)))
}

/// Runs `body` for each of the subjects, one after the other.
pub fn in_turn<T: Copy + Debug>(subjects: impl IntoIterator<Item = T>, mut body: impl FnMut(T)) {
    for subject in subjects {
        about(subject, || body(subject));
    }
}

/// Runs `body` for each of the subjects, all at the same time.
pub fn for_each<T: Copy + Debug + Send>(subjects: impl IntoIterator<Item = T>, body: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for subject in subjects {
            let body = &body;
            scope.spawn(move || about(subject, || body(subject)));
        }
    });
}
