//! What is done in a step, by whoever does it: the calls of the library, and those of other code.

use std::mem::{MaybeUninit, zeroed};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};
use std::thread::sleep;
use std::time::Duration;

use libc::{c_char, c_int, c_void, iovec, msghdr, sockaddr, socklen_t};

use crate::step::{DONTWAIT, HUGE, IN, Kind, NULL, OUT, PEEK, SLOTS, Verb};

unsafe extern "C" {
    fn sock_setblocking(fd: c_int, blocking: c_int) -> c_int;
    fn sock_getblocking(fd: c_int) -> c_int;
    fn sock_settimeout(fd: c_int, seconds: f64) -> c_int;
    fn sock_gettimeout(fd: c_int, seconds: *mut f64) -> c_int;
    fn sock_setinterrupt(fd: c_int, on: c_int) -> c_int;
    fn sock_getinterrupt(fd: c_int) -> c_int;
    fn sock_send(fd: c_int, buf: *const c_void, len: usize, flags: c_int) -> isize;
    fn sock_recv(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize;
    fn sock_sendto(
        fd: c_int,
        buf: *const c_void,
        len: usize,
        flags: c_int,
        addr: *const sockaddr,
        addrlen: socklen_t,
    ) -> isize;
    fn sock_recvfrom(
        fd: c_int,
        buf: *mut c_void,
        len: usize,
        flags: c_int,
        addr: *mut sockaddr,
        addrlen: *mut socklen_t,
    ) -> isize;
    fn sock_sendmsg(fd: c_int, msg: *const msghdr, flags: c_int) -> isize;
    fn sock_recvmsg(fd: c_int, msg: *mut msghdr, flags: c_int) -> isize;
    fn sock_sendall(fd: c_int, buf: *const c_void, len: usize, flags: c_int, sent: *mut usize) -> c_int;
    fn sock_recvall(fd: c_int, buf: *mut c_void, len: usize, flags: c_int, received: *mut usize) -> c_int;
    fn sock_connect(fd: c_int, addr: *const sockaddr, addrlen: socklen_t) -> c_int;
    fn sock_accept(fd: c_int, addr: *mut sockaddr, addrlen: *mut socklen_t) -> c_int;
    fn sock_wait(fd: c_int, events: c_int, seconds: f64) -> c_int;
    fn sock_sendall_until(
        fd: c_int,
        buf: *const c_void,
        len: usize,
        flags: c_int,
        sent: *mut usize,
        deadline: f64,
        token: c_int,
    ) -> c_int;
    fn sock_recvall_until(
        fd: c_int,
        buf: *mut c_void,
        len: usize,
        flags: c_int,
        received: *mut usize,
        deadline: f64,
        token: c_int,
    ) -> c_int;
    fn sock_send_until(fd: c_int, buf: *const c_void, len: usize, flags: c_int, deadline: f64, token: c_int) -> isize;
    fn sock_recv_until(fd: c_int, buf: *mut c_void, len: usize, flags: c_int, deadline: f64, token: c_int) -> isize;
    fn sock_sendto_until(
        fd: c_int,
        buf: *const c_void,
        len: usize,
        flags: c_int,
        addr: *const sockaddr,
        addrlen: socklen_t,
        deadline: f64,
        token: c_int,
    ) -> isize;
    fn sock_recvfrom_until(
        fd: c_int,
        buf: *mut c_void,
        len: usize,
        flags: c_int,
        addr: *mut sockaddr,
        addrlen: *mut socklen_t,
        deadline: f64,
        token: c_int,
    ) -> isize;
    fn sock_sendmsg_until(fd: c_int, msg: *const msghdr, flags: c_int, deadline: f64, token: c_int) -> isize;
    fn sock_recvmsg_until(fd: c_int, msg: *mut msghdr, flags: c_int, deadline: f64, token: c_int) -> isize;
    fn sock_recvdelim(
        fd: c_int,
        buf: *mut c_void,
        size: usize,
        have: *mut usize,
        delim: *const c_void,
        delimlen: usize,
    ) -> isize;
    fn sock_recvdelim_until(
        fd: c_int,
        buf: *mut c_void,
        size: usize,
        have: *mut usize,
        delim: *const c_void,
        delimlen: usize,
        deadline: f64,
        token: c_int,
    ) -> isize;
    fn sock_connect_until(fd: c_int, addr: *const sockaddr, addrlen: socklen_t, deadline: f64, token: c_int) -> c_int;
    fn sock_accept_until(fd: c_int, addr: *mut sockaddr, addrlen: *mut socklen_t, deadline: f64, token: c_int)
    -> c_int;
    fn sock_wait_until(fd: c_int, events: c_int, deadline: f64, token: c_int) -> c_int;
    fn sock_deadline(seconds: f64) -> f64;
    fn sock_token() -> c_int;
    fn sock_cancel(token: c_int) -> c_int;
    fn sock_strerror(code: isize) -> *const c_char;
    fn sock_version() -> *const c_char;
}

/// The number of the first descriptor: no other code has one there.
const FIRST: c_int = 200;

pub fn number(slot: usize) -> c_int {
    FIRST + slot as c_int
}

/// What `errno` is before each call, and what must be left alone.
pub const UNTOUCHED: c_int = 4095;

#[derive(Clone, Copy)]
pub struct Command {
    pub verb: Verb,
    pub kind: Kind,
    pub fd: c_int,
    /// Where a new descriptor goes.
    pub onto: c_int,
    pub n: f64,
    pub flags: u32,
    pub delay: u32,
    /// The seconds to the deadline, and the token or -1.
    pub until: Option<f64>,
    pub token: c_int,
    /// What the bytes sent are made of: see [`fill`].
    pub pattern: u64,
    pub offset: u64,
    pub address: libc::sockaddr_storage,
    pub addrlen: socklen_t,
}

impl Command {
    pub fn new(verb: Verb, slot: usize) -> Command {
        // SAFETY: all zero is an address of no family.
        let address = unsafe { zeroed() };
        let kind = Kind::UnixStream;
        let (fd, onto) = (number(slot), -1);
        let (until, token) = (None, -1);
        Command {
            verb,
            kind,
            fd,
            onto,
            n: 0.0,
            flags: 0,
            delay: 0,
            until,
            token,
            pattern: 0,
            offset: 0,
            address,
            addrlen: 0,
        }
    }
}

#[derive(Clone, Copy, Default)]
pub struct Reply {
    pub code: i64,
    pub errno: c_int,
    /// What an out-pointer was set to: bytes, or a value's bits.
    pub out: u64,
    /// Of the bytes received.
    pub hash: u64,
    pub start: u64,
    pub end: u64,
}

/// Shared by all processes of a sequence.
pub struct Shared {
    /// The call that `feed`, `drain` and `signals` go with is done.
    pub done: AtomicU32,
    /// The step under way, for the post-mortem.
    pub step: AtomicU32,
}

impl Shared {
    pub fn new() -> &'static Shared {
        // SAFETY: a fresh mapping, of zeroes, which is what both numbers begin with; it is never unmapped.
        unsafe {
            let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
            let memory = libc::mmap(null_mut(), size_of::<Shared>(), protection, flags, -1, 0);
            assert_ne!(memory, libc::MAP_FAILED, "mmap");
            &*memory.cast::<Shared>()
        }
    }

    fn is_done(&self) -> bool {
        self.done.load(SeqCst) != 0
    }
}

/// `CLOCK_MONOTONIC`, the same in all processes.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Each byte of each stream, and of each message, is its own.
pub fn fill(buffer: &mut [u8], pattern: u64, offset: u64) {
    for (at, byte) in (offset..).zip(buffer) {
        *byte = ((at + (pattern << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
    }
}

/// Bytes as one number, which may be had in parts.
pub fn hash(before: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(before, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

pub const NO_BYTES: u64 = 0xCBF2_9CE4_8422_2325;

/// Does what the command says.
pub fn perform(command: &Command, shared: &Shared) -> Reply {
    sleep(Duration::from_millis(command.delay.into()));
    let mut reply = Reply { start: now(), hash: NO_BYTES, ..Reply::default() };
    match command.verb {
        Verb::Feed => feed(command, shared, &mut reply),
        Verb::Drain => drain(command, shared, &mut reply),
        Verb::Signals => signals(command, shared),
        Verb::Handle => reply.code = handle(command.fd).into(),
        verb if verb.is_ours() => ours(command, &mut reply),
        _ => reply.code = others(command).into(),
    }
    reply.end = now();
    reply
}

/// A call of the library.
fn ours(command: &Command, reply: &mut Reply) {
    let Command { fd, n, flags, .. } = *command;
    let is_null = flags & NULL != 0;
    let count = if flags & HUGE != 0 { isize::MAX as usize + 1 } else { n as usize };
    let passed = [(DONTWAIT, libc::MSG_DONTWAIT), (PEEK, libc::MSG_PEEK)];
    let passed = passed.iter().filter(|(bit, _)| flags & bit != 0).fold(0, |all, (_, flag)| all | flag);
    let moves = command.verb.sends() || command.verb.receives();
    let mut buffer = vec![0_u8; if moves && flags & HUGE == 0 { n as usize } else { 0 }];
    if command.verb.sends() {
        fill(&mut buffer, command.pattern, command.offset);
    }
    let data: *mut c_void = if is_null { null_mut() } else { buffer.as_mut_ptr().cast() };
    let mut out = if command.verb == Verb::Recvdelim { 0 } else { u64::MAX };
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut addrlen = size_of::<libc::sockaddr_storage>() as socklen_t;
    // Three parts, the second of them empty.
    let third = buffer.len() / 3;
    let mut parts = [
        iovec { iov_base: data, iov_len: third },
        iovec { iov_base: null_mut(), iov_len: 0 },
        iovec { iov_base: data.wrapping_byte_add(third), iov_len: count - third },
    ];
    // SAFETY: all zero is an empty message; it is of bytes and pointers.
    let mut message: msghdr = unsafe { zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = 3;
    let whole = !is_null && flags & HUGE == 0;
    let events = [(IN, libc::POLLIN), (OUT, libc::POLLOUT)];
    let events = events.iter().filter(|(bit, _)| flags & bit != 0).fold(0, |all, (_, event)| all | c_int::from(*event));
    let to = (&raw const command.address).cast::<sockaddr>();
    let from: *mut sockaddr = address.as_mut_ptr().cast();
    let (done, delim) = ((&raw mut out).cast(), (&raw const LINE_END).cast());
    let token = command.token;
    // SAFETY: the pointers are to locals that have room for what the lengths say, or the arguments are ones
    // that the library refuses. `errno` is this thread's own.
    unsafe {
        *libc::__errno_location() = UNTOUCHED;
        reply.start = now();
        reply.code = match command.verb {
            Verb::Setblocking => sock_setblocking(fd, n as c_int).into(),
            Verb::Getblocking => sock_getblocking(fd).into(),
            Verb::Settimeout => sock_settimeout(fd, n).into(),
            Verb::Gettimeout => sock_gettimeout(fd, if is_null { null_mut() } else { (&raw mut out).cast() }).into(),
            Verb::Setinterrupt => sock_setinterrupt(fd, n as c_int).into(),
            Verb::Getinterrupt => sock_getinterrupt(fd).into(),
            Verb::Send => match command.until {
                None => sock_send(fd, data, count, passed) as i64,
                Some(s) => sock_send_until(fd, data, count, passed, sock_deadline(s), token) as i64,
            },
            Verb::Recv => match command.until {
                None => sock_recv(fd, data, count, passed) as i64,
                Some(s) => sock_recv_until(fd, data, count, passed, sock_deadline(s), token) as i64,
            },
            Verb::Sendto => match command.until {
                None => sock_sendto(fd, data, count, passed, null(), 0) as i64,
                Some(s) => sock_sendto_until(fd, data, count, passed, null(), 0, sock_deadline(s), token) as i64,
            },
            Verb::Recvfrom => match command.until {
                None => sock_recvfrom(fd, data, count, passed, from, &raw mut addrlen) as i64,
                Some(s) => {
                    let addrlen = &raw mut addrlen;
                    sock_recvfrom_until(fd, data, count, passed, from, addrlen, sock_deadline(s), token) as i64
                }
            },
            Verb::Sendmsg => {
                let message = if whole { &raw const message } else { null() };
                match command.until {
                    None => sock_sendmsg(fd, message, passed) as i64,
                    Some(s) => sock_sendmsg_until(fd, message, passed, sock_deadline(s), token) as i64,
                }
            }
            Verb::Recvmsg => {
                let message = if whole { &raw mut message } else { null_mut() };
                match command.until {
                    None => sock_recvmsg(fd, message, passed) as i64,
                    Some(s) => sock_recvmsg_until(fd, message, passed, sock_deadline(s), token) as i64,
                }
            }
            Verb::Sendall => match command.until {
                None => sock_sendall(fd, data, count, passed, done).into(),
                Some(s) => sock_sendall_until(fd, data, count, passed, done, sock_deadline(s), token).into(),
            },
            Verb::Recvall => match command.until {
                None => sock_recvall(fd, data, count, passed, done).into(),
                Some(s) => sock_recvall_until(fd, data, count, passed, done, sock_deadline(s), token).into(),
            },
            Verb::Recvdelim => match command.until {
                None => sock_recvdelim(fd, data, count, done, delim, 1) as i64,
                Some(s) => sock_recvdelim_until(fd, data, count, done, delim, 1, sock_deadline(s), token) as i64,
            },
            Verb::Connect => match command.until {
                None => sock_connect(fd, to, command.addrlen).into(),
                Some(s) => sock_connect_until(fd, to, command.addrlen, sock_deadline(s), token).into(),
            },
            Verb::Accept => match command.until {
                None => sock_accept(fd, from, &raw mut addrlen).into(),
                Some(s) => sock_accept_until(fd, from, &raw mut addrlen, sock_deadline(s), token).into(),
            },
            Verb::Wait => match command.until {
                None => sock_wait(fd, events, n).into(),
                Some(s) => sock_wait_until(fd, events, sock_deadline(s), token).into(),
            },
            Verb::Deadline => i64::from(!tells_deadline(n)),
            Verb::Token => sock_token().into(),
            Verb::Cancel => sock_cancel(fd).into(),
            Verb::Strerror => c_int::from(sock_strerror(n as isize).is_null()).into(),
            Verb::Version => c_int::from(sock_version().is_null()).into(),
            _ => unreachable!("not ours"),
        };
        reply.errno = *libc::__errno_location();
    }
    reply.out = out;
    if command.verb.receives() {
        let received = if matches!(command.verb, Verb::Recvall | Verb::Recvdelim) { out as i64 } else { reply.code };
        if let Some(bytes) = usize::try_from(received).ok().and_then(|received| buffer.get(..received)) {
            reply.hash = hash(NO_BYTES, bytes);
        }
    }
    if command.verb == Verb::Accept && reply.code >= 0 {
        adopt(reply, command);
    }
    if command.verb == Verb::Token && reply.code >= 0 {
        place(reply.code as c_int, command.fd);
        reply.code = 0;
    }
}

/// What ends a line.
pub static LINE_END: u8 = b'\n';

/// A deadline is no earlier than it was asked for, and no number stays none.
fn tells_deadline(seconds: f64) -> bool {
    let before = now() as f64 / 1e9;
    // SAFETY: it has no conditions.
    let told = unsafe { sock_deadline(seconds) };
    if seconds.is_nan() { told.is_nan() } else { told >= before + seconds - 1e-6 && (told > 0.0 || seconds < 0.0) }
}

/// Puts a new descriptor where it is to be. It must have come close-on-exec, and blocking.
fn adopt(reply: &mut Reply, command: &Command) {
    let new = reply.code as c_int;
    let look = look(new);
    // SAFETY: plain system calls on a descriptor that is ours.
    let closes_on_exec = unsafe { libc::fcntl(new, libc::F_GETFD) } & libc::FD_CLOEXEC != 0;
    reply.out = u64::from(closes_on_exec && look.settings() == (false, 0, 0));
    place(new, command.onto);
    if command.kind == Kind::Tcp {
        set_option(command.onto, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    }
}

fn check(result: c_int, what: &str) -> c_int {
    assert!(result >= 0, "{what}: {}", std::io::Error::last_os_error());
    result
}

fn place(fd: c_int, onto: c_int) {
    // SAFETY: plain system calls on descriptors that are ours.
    unsafe {
        check(libc::dup2(fd, onto), "dup2");
        libc::close(fd);
    }
}

fn set_option(fd: c_int, level: c_int, option: c_int, value: c_int) -> c_int {
    // SAFETY: the pointer is to a local of that size.
    unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size_of::<c_int>() as socklen_t) }
}

/// What other code does, 0 or -1.
fn others(command: &Command) -> c_int {
    let Command { fd, n, .. } = *command;
    // SAFETY: plain system calls, on numbers and locals.
    unsafe {
        match command.verb {
            Verb::Close => libc::close(fd),
            Verb::Dup => libc::dup2(fd, command.onto),
            Verb::Nonblock => {
                let flags = libc::fcntl(fd, libc::F_GETFL);
                libc::fcntl(
                    fd,
                    libc::F_SETFL,
                    if n != 0.0 { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK },
                )
            }
            Verb::Rcvtimeo | Verb::Sndtimeo => {
                let option = if command.verb == Verb::Rcvtimeo { libc::SO_RCVTIMEO } else { libc::SO_SNDTIMEO };
                let microseconds = (n * 1e6) as i64;
                let value = libc::timeval { tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000 };
                let len = size_of::<libc::timeval>() as socklen_t;
                libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const value).cast(), len)
            }
            Verb::Sndbuf => set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, n as c_int),
            Verb::Shutdown => libc::shutdown(fd, n as c_int),
            Verb::Event => {
                place(check(libc::eventfd(0, 0), "eventfd"), fd);
                0
            }
            Verb::Fire => {
                let one = 1_u64;
                libc::write(fd, (&raw const one).cast(), 8) as c_int
            }
            verb => unreachable!("{} is not performed", verb.name()),
        }
    }
}

/// Whether the call that this goes with has ended, after waiting a little for more to do.
fn ended(fd: c_int, events: i16, shared: &Shared) -> bool {
    if shared.is_done() {
        return true;
    }
    let mut entry = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: the pointer is to a local.
    unsafe { libc::poll(&raw mut entry, 1, 1) };
    false
}

fn feed(command: &Command, shared: &Shared, reply: &mut Reply) {
    let mut buffer = vec![0; command.n as usize];
    fill(&mut buffer, command.pattern, command.offset);
    let part = if command.kind.is_stream() { (buffer.len() / 4).max(1) } else { buffer.len() };
    let mut sent = 0;
    loop {
        let data = &buffer[sent..buffer.len().min(sent + part)];
        // SAFETY: the pointer and the length are the slice's.
        let result = unsafe {
            libc::send(command.fd, data.as_ptr().cast(), data.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
        };
        if result >= 0 {
            sent += result as usize;
            reply.code = 1; // Which tells an empty message from none.
            if sent == buffer.len() {
                break;
            }
        }
        if result < 0 && std::io::Error::last_os_error().raw_os_error() != Some(libc::EAGAIN) {
            break;
        }
        if ended(command.fd, libc::POLLOUT, shared) {
            break;
        }
    }
    reply.out = sent as u64;
}

fn drain(command: &Command, shared: &Shared, reply: &mut Reply) {
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let done = ended(command.fd, libc::POLLIN, shared);
        // SAFETY: the pointer and the length are the buffer's.
        while let received @ 1.. =
            unsafe { libc::recv(command.fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) }
        {
            reply.out += received as u64;
            reply.hash = hash(reply.hash, &buffer[..received as usize]);
        }
        if done {
            return;
        }
    }
}

/// Signals for the main thread of the sequence, a millisecond apart.
fn signals(command: &Command, shared: &Shared) {
    for _ in 0..command.n as u32 {
        // SAFETY: plain system calls; in a worker the parent is the process whose main thread it is.
        unsafe { libc::syscall(libc::SYS_tgkill, command.fd, command.fd, libc::SIGUSR1) };
        sleep(Duration::from_millis(1));
        if shared.is_done() {
            return;
        }
    }
}

/// The token that the next signal's handler is to cancel, or -1.
static TO_CANCEL: AtomicI32 = AtomicI32::new(-1);

/// Has a handler in the main thread cancel a token.
fn handle(token: c_int) -> c_int {
    TO_CANCEL.store(token, SeqCst);
    let process = std::process::id() as c_int;
    // SAFETY: a plain system call.
    unsafe { libc::syscall(libc::SYS_tgkill, process, process, libc::SIGUSR1) };
    for _ in 0..5_000 {
        if TO_CANCEL.load(SeqCst) < 0 {
            return 0;
        }
        sleep(Duration::from_millis(1));
    }
    -1
}

/// What the handler does.
pub extern "C" fn on_signal(_: c_int) {
    let token = TO_CANCEL.load(SeqCst);
    if token >= 0 {
        // SAFETY: it has no conditions, and leaves errno alone if it succeeds.
        unsafe { sock_cancel(token) };
        TO_CANCEL.store(-1, SeqCst);
    }
}

/// What the kernel says of a descriptor.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Look {
    pub nonblocking: bool,
    /// In microseconds.
    pub receive: u64,
    pub send: u64,
    pub cookie: u64,
    /// Of `POLLIN`, `POLLOUT` and what is always told.
    pub ready: i16,
}

impl Look {
    pub fn settings(self) -> (bool, u64, u64) {
        (self.nonblocking, self.receive, self.send)
    }
}

pub fn look(fd: c_int) -> Look {
    fn option<T>(fd: c_int, name: c_int) -> T {
        let mut value = MaybeUninit::<T>::zeroed();
        let mut len = size_of::<T>() as socklen_t;
        // SAFETY: the pointer is to a local of that size, of numbers, and zeroed; what fails leaves it so.
        unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, name, value.as_mut_ptr().cast(), &raw mut len);
            value.assume_init()
        }
    }
    let microseconds = |value: libc::timeval| value.tv_sec as u64 * 1_000_000 + value.tv_usec as u64;
    let mut entry = libc::pollfd { fd, events: libc::POLLIN | libc::POLLOUT, revents: 0 };
    // SAFETY: plain system calls, with a pointer to a local.
    let nonblocking = unsafe {
        libc::poll(&raw mut entry, 1, 0);
        libc::fcntl(fd, libc::F_GETFL) & libc::O_NONBLOCK != 0
    };
    Look {
        nonblocking,
        receive: microseconds(option(fd, libc::SO_RCVTIMEO)),
        send: microseconds(option(fd, libc::SO_SNDTIMEO)),
        cookie: option(fd, libc::SO_COOKIE),
        ready: entry.revents,
    }
}

/// Waits until what TCP and UDP deliver by themselves is there: so many bytes, or any event of `events`.
pub fn settle(fd: c_int, bytes: u64, events: i16) {
    for _ in 0..500 {
        let mut unread: c_int = 0;
        let mut entry = libc::pollfd { fd, events, revents: 0 };
        // SAFETY: the pointers are to locals.
        unsafe {
            libc::ioctl(fd, libc::FIONREAD, &raw mut unread);
            libc::poll(&raw mut entry, 1, 0);
        }
        if unread as u64 >= bytes && (events == 0 || entry.revents & events != 0) {
            return;
        }
        sleep(Duration::from_millis(1));
    }
}

/// Two connected descriptors.
pub fn pair(kind: Kind, a: c_int, b: c_int) {
    let mut ends = [0; 2];
    // SAFETY: the pointer is to a local of two.
    unsafe {
        match kind {
            Kind::UnixStream | Kind::UnixDatagram | Kind::UnixSeqpacket => {
                check(libc::socketpair(libc::AF_UNIX, socktype(kind), 0, ends.as_mut_ptr()), "socketpair");
            }
            Kind::Pipe | Kind::Event | Kind::Token => {
                check(libc::pipe(ends.as_mut_ptr()), "pipe");
            }
            Kind::Tcp => {
                let listener = bound(kind);
                check(libc::listen(listener, 1), "listen");
                let (address, len) = name(listener);
                ends[0] = socket(kind);
                check(libc::connect(ends[0], (&raw const address).cast(), len), "connect");
                ends[1] = check(libc::accept(listener, null_mut(), null_mut()), "accept");
                libc::close(listener);
                for end in ends {
                    set_option(end, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
                }
            }
            Kind::Udp => {
                ends = [bound(kind), bound(kind)];
                for (one, other) in [(0, 1), (1, 0)] {
                    let (address, len) = name(ends[other]);
                    check(libc::connect(ends[one], (&raw const address).cast(), len), "connect");
                }
            }
        }
    }
    place(ends[0], a);
    place(ends[1], b);
}

fn socktype(kind: Kind) -> c_int {
    match kind {
        Kind::UnixStream | Kind::Tcp | Kind::Pipe | Kind::Event | Kind::Token => libc::SOCK_STREAM,
        Kind::UnixDatagram | Kind::Udp => libc::SOCK_DGRAM,
        Kind::UnixSeqpacket => libc::SOCK_SEQPACKET,
    }
}

fn socket(kind: Kind) -> c_int {
    let family = if kind.is_unix() { libc::AF_UNIX } else { libc::AF_INET };
    // SAFETY: a plain system call.
    check(unsafe { libc::socket(family, socktype(kind), 0) }, "socket")
}

fn bound(kind: Kind) -> c_int {
    let socket = socket(kind);
    // SAFETY: all zero is an address, and the pointer is to a local.
    unsafe {
        let mut address: libc::sockaddr_in = zeroed();
        address.sin_family = if kind.is_unix() { libc::AF_UNIX } else { libc::AF_INET } as libc::sa_family_t;
        address.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
        // A Unix address of no more than its family gets a name of the kernel's choice.
        let len = if kind.is_unix() { size_of::<libc::sa_family_t>() } else { size_of::<libc::sockaddr_in>() };
        check(libc::bind(socket, (&raw const address).cast(), len as socklen_t), "bind");
    }
    socket
}

pub fn name(fd: c_int) -> (libc::sockaddr_storage, socklen_t) {
    let mut len = size_of::<libc::sockaddr_storage>() as socklen_t;
    // SAFETY: all zero is an address, and the pointers are to locals.
    unsafe {
        let mut address: libc::sockaddr_storage = zeroed();
        check(libc::getsockname(fd, (&raw mut address).cast(), &raw mut len), "getsockname");
        (address, len)
    }
}

/// A socket that listens.
pub fn listener(kind: Kind, backlog: c_int, onto: c_int) {
    let fd = bound(kind);
    // SAFETY: a plain system call.
    check(unsafe { libc::listen(fd, backlog) }, "listen");
    place(fd, onto);
}

/// A socket that is not connected.
pub fn fresh(kind: Kind, onto: c_int) {
    let fd = socket(kind);
    if kind == Kind::Tcp {
        set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    }
    place(fd, onto);
}

/// Closes all descriptors that steps may have.
pub fn close_all() {
    for slot in 0..SLOTS {
        // SAFETY: a plain system call.
        unsafe { libc::close(number(slot)) };
    }
}
