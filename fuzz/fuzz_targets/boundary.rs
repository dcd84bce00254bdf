//! Anything that a C program may legally pass: any descriptor, flags, events, seconds and codes, NULL with any length,
//! lengths over what there is where the library must refuse them, and messages of any number of buffers. Nothing may
//! crash or hang; results are 0 or more, or the negative of an error number that is in `errno` too.

#![no_main]

use std::os::fd::{AsRawFd, RawFd};
use std::ptr::null_mut;
use std::sync::LazyLock;

use libc::{c_int, c_void, iovec, msghdr, sockaddr, socklen_t};
use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;

#[derive(Debug)]
enum Call {
    Setblocking(i32),
    Getblocking,
    Settimeout(f64),
    Gettimeout(bool),
    Setinterrupt(i32),
    Getinterrupt,
    Send(Buffer, i32),
    Recv(Buffer, i32),
    Sendto(Buffer, i32, Address),
    Recvfrom(Buffer, i32, Address),
    Sendmsg(Message, i32),
    Recvmsg(Message, i32),
    Sendall(Buffer, i32, bool),
    Recvall(Buffer, i32, bool),
    Connect(Address),
    Accept(Address),
    Wait(i32, f64),
    Recvdelim(Line),
    Until(Until, Box<Call>),
    Deadline(f64),
    Token,
    Cancel(u8, i32),
    Strerror(isize),
    Version,
}

impl<'a> Arbitrary<'a> for Call {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Call> {
        Ok(match from.int_in_range(0..=24)? {
            0 => Call::Setblocking(from.arbitrary()?),
            1 => Call::Getblocking,
            2 => Call::Settimeout(from.arbitrary()?),
            3 => Call::Gettimeout(from.arbitrary()?),
            4 => Call::Setinterrupt(from.arbitrary()?),
            5 => Call::Getinterrupt,
            6 => Call::Send(from.arbitrary()?, from.arbitrary()?),
            7 => Call::Recv(from.arbitrary()?, from.arbitrary()?),
            8 => Call::Sendto(from.arbitrary()?, from.arbitrary()?, from.arbitrary()?),
            9 => Call::Recvfrom(from.arbitrary()?, from.arbitrary()?, from.arbitrary()?),
            10 => Call::Sendmsg(from.arbitrary()?, from.arbitrary()?),
            11 => Call::Recvmsg(from.arbitrary()?, from.arbitrary()?),
            12 => Call::Sendall(from.arbitrary()?, from.arbitrary()?, from.arbitrary()?),
            13 => Call::Recvall(from.arbitrary()?, from.arbitrary()?, from.arbitrary()?),
            14 => Call::Connect(from.arbitrary()?),
            15 => Call::Accept(from.arbitrary()?),
            16 => Call::Wait(from.arbitrary()?, from.arbitrary()?),
            17 => Call::Strerror(from.arbitrary()?),
            18 => Call::Recvdelim(from.arbitrary()?),
            19 => Call::Deadline(from.arbitrary()?),
            20 => Call::Token,
            21 => Call::Cancel(from.arbitrary()?, from.arbitrary()?),
            22 => Call::Version,
            _ => {
                let until = from.arbitrary()?;
                let call = Call::arbitrary(from)?;
                // What has no form with a deadline is called as it is.
                if call.takes_until() { Call::Until(until, Box::new(call)) } else { call }
            }
        })
    }
}

impl Call {
    fn takes_until(&self) -> bool {
        use Call::*;
        matches!(
            self,
            Send(..)
                | Recv(..)
                | Sendto(..)
                | Recvfrom(..)
                | Sendmsg(..)
                | Recvmsg(..)
                | Sendall(..)
                | Recvall(..)
                | Connect(_)
                | Accept(_)
                | Wait(..)
                | Recvdelim(_)
        )
    }
}

/// A deadline, and a token of any kind.
#[derive(Debug)]
struct Until {
    deadline: f64,
    token: Option<(u8, i32)>,
}

impl<'a> Arbitrary<'a> for Until {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Until> {
        let (deadline, token) = from.arbitrary()?;
        Ok(Until { deadline, token })
    }
}

impl Until {
    /// Whatever it is, nothing waits for long.
    fn deadline(&self) -> f64 {
        let soon = sock::sock_deadline(0.0005);
        if self.deadline > soon && self.deadline < 9e9 || self.deadline == f64::INFINITY { soon } else { self.deadline }
    }

    fn token(&self) -> c_int {
        self.token.map_or(-1, |(which, any)| descriptor(which, any))
    }
}

/// A buffer for a line, of which a part is there.
#[derive(Debug)]
struct Line {
    buffer: Buffer,
    have: Option<u16>,
    delim: Vec<u8>,
    no_delim: bool,
}

impl<'a> Arbitrary<'a> for Line {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Line> {
        let (buffer, have, delim, no_delim) = from.arbitrary()?;
        Ok(Line { buffer, have, delim, no_delim })
    }
}

impl Line {
    /// What is there is never more than the memory has, unless the library must refuse it.
    fn call(&self, memory: &mut [u8], fd: c_int, until: Option<(f64, c_int)>) -> i64 {
        let (data, size) = self.buffer.parts(memory);
        let before = self.have.map_or(0, usize::from);
        let mut have = before;
        let place = if self.have.is_some() { &raw mut have } else { null_mut() };
        let delim = if self.no_delim { std::ptr::null() } else { self.delim.as_ptr().cast() };
        // SAFETY: the memory has room for what the lengths say, or the library refuses them before it looks.
        let code = unsafe {
            match until {
                None => sock::sock_recvdelim(fd, data, size, place, delim, self.delim.len()),
                Some((deadline, token)) => {
                    sock::sock_recvdelim_until(fd, data, size, place, delim, self.delim.len(), deadline, token)
                }
            }
        } as i64;
        assert!(have >= before && (have == before || have <= size), "{before} bytes became {have} of {size}");
        assert!(code <= have as i64);
        if code > 0 {
            let line = &memory[..code as usize];
            assert!(line.ends_with(&self.delim), "the delimiter is not at the end");
        }
        code
    }
}

/// NULL with any length, real bytes, or more of them than can be.
#[derive(Debug)]
enum Buffer {
    Null(usize),
    Real(u16),
    Huge(usize),
}

impl<'a> Arbitrary<'a> for Buffer {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Buffer> {
        Ok(match from.int_in_range(0..=3)? {
            0 => Buffer::Null(from.arbitrary()?),
            1 => Buffer::Huge(from.arbitrary()?),
            _ => Buffer::Real(from.arbitrary()?),
        })
    }
}

impl Buffer {
    fn parts(&self, memory: &mut [u8]) -> (*mut c_void, usize) {
        match self {
            Buffer::Null(len) => (null_mut(), *len),
            Buffer::Real(len) => (memory.as_mut_ptr().cast(), *len as usize),
            Buffer::Huge(len) => (memory.as_mut_ptr().cast(), *len | 1 << 63),
        }
    }
}

#[derive(Debug)]
struct Address {
    null: bool,
    null_length: bool,
    bytes: [u8; 32],
    len: u32,
}

impl<'a> Arbitrary<'a> for Address {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Address> {
        let (null, null_length, bytes, len) = from.arbitrary()?;
        Ok(Address { null, null_length, bytes, len })
    }
}

impl Address {
    /// As an argument, no longer than it is. A peer's would be on the network.
    fn to(&mut self) -> (*const sockaddr, socklen_t) {
        if self.null {
            return (std::ptr::null(), self.len);
        }
        if !matches!(u16::from_ne_bytes([self.bytes[0], self.bytes[1]]).into(), libc::AF_UNIX | libc::AF_UNSPEC) {
            self.bytes[..2].fill(0);
        }
        (self.bytes.as_ptr().cast(), self.len.min(32))
    }

    /// As a place to put one in.
    fn from(&mut self) -> (*mut sockaddr, *mut socklen_t) {
        self.len = if self.len > i32::MAX as u32 { self.len } else { self.len.min(32) };
        let address = if self.null { null_mut() } else { self.bytes.as_mut_ptr().cast() };
        (address, if self.null_length { null_mut() } else { &raw mut self.len })
    }
}

#[derive(Debug)]
struct Message {
    null: bool,
    null_buffers: bool,
    count: Option<usize>,
    buffers: Vec<u8>,
    control: Vec<u8>,
}

impl<'a> Arbitrary<'a> for Message {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Message> {
        let (null, null_buffers, count, buffers, control) = from.arbitrary()?;
        Ok(Message { null, null_buffers, count, buffers, control })
    }
}

/// Nobody cancels it.
static TOKEN: LazyLock<RawFd> = LazyLock::new(|| sock::sock_token());

/// Of every kind, sockets and not.
static DESCRIPTORS: LazyLock<Vec<RawFd>> = LazyLock::new(|| {
    let mut all = Vec::new();
    let mut pair = [0; 2];
    // SAFETY: plain system calls, with pointers to locals.
    unsafe {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
            assert_eq!(libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()), 0);
            all.extend(pair);
        }
        let listener = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
        let name: libc::sockaddr_un = libc::sockaddr_un { sun_family: libc::AF_UNIX as u16, sun_path: [0; 108] };
        assert_eq!(libc::bind(listener, (&raw const name).cast(), 2), 0);
        assert_eq!(libc::listen(listener, 1), 0);
        all.push(listener);
        all.extend(
            [(libc::AF_UNIX, libc::SOCK_STREAM), (libc::AF_INET, libc::SOCK_STREAM), (libc::AF_INET, libc::SOCK_DGRAM)]
                .map(|(family, kind)| libc::socket(family, kind, 0)),
        );
        assert_eq!(libc::pipe(pair.as_mut_ptr()), 0);
        all.extend(pair);
    }
    // And what a wait may be cancelled by.
    // SAFETY: plain system calls.
    unsafe {
        let cancelled = sock::sock_token();
        assert_eq!(sock::sock_cancel(cancelled), 0);
        all.extend([*TOKEN, cancelled, libc::eventfd(0, 0), libc::epoll_create1(0)]);
    }
    all.push(std::mem::ManuallyDrop::new(std::fs::File::open("/dev/null").expect("/dev/null")).as_raw_fd());
    all
});

const UNTOUCHED: c_int = 4095;

fn descriptor(which: u8, any: i32) -> c_int {
    let all = &*DESCRIPTORS;
    match all.get(which as usize % (all.len() + 2)) {
        Some(fd) => *fd,
        // Negative, or more than there can be: no descriptor that the fuzzer itself has.
        None => any | if any & 2 == 0 { i32::MIN } else { 1 << 30 },
    }
}

fuzz_target!(|input: (u8, i32, Call)| {
    let (which, any, call) = input;
    let (until, mut call) = match call {
        Call::Until(until, call) => (Some(until), *call),
        call => (None, call),
    };
    let fd = descriptor(which, any);
    let sets = matches!(call, Call::Settimeout(_) | Call::Setblocking(_) | Call::Setinterrupt(_));
    if !sets {
        // Whatever was set, nothing waits for long.
        sock::sock_settimeout(fd, if any & 1 == 0 { 0.0 } else { 0.0005 });
    }
    let mut memory = vec![0_u8; 1 << 16];
    let mut count = 0_usize;
    let mut seconds = 0.0;
    let out = |null: bool, count: &mut usize| if null { null_mut() } else { &raw mut *count };
    // SAFETY: pointers are NULL or to locals that have room for what the lengths say; where the lengths say more, the
    // library refuses them before it looks. `errno` is this thread's own.
    let (code, errno) = unsafe {
        let limits = until.map(|until| (until.deadline(), until.token()));
        *libc::__errno_location() = UNTOUCHED;
        let code = match &mut call {
            Call::Setblocking(on) => sock::sock_setblocking(fd, *on) as i64,
            Call::Getblocking => sock::sock_getblocking(fd).into(),
            Call::Settimeout(seconds) => sock::sock_settimeout(fd, *seconds).into(),
            Call::Gettimeout(null) => {
                sock::sock_gettimeout(fd, if *null { null_mut() } else { &raw mut seconds }).into()
            }
            Call::Setinterrupt(on) => sock::sock_setinterrupt(fd, *on).into(),
            Call::Getinterrupt => sock::sock_getinterrupt(fd).into(),
            Call::Send(buffer, flags) => {
                let (data, len) = buffer.parts(&mut memory);
                match limits {
                    None => sock::sock_send(fd, data, len, *flags) as i64,
                    Some((deadline, token)) => sock::sock_send_until(fd, data, len, *flags, deadline, token) as i64,
                }
            }
            Call::Recv(buffer, flags) => {
                let (data, len) = buffer.parts(&mut memory);
                match limits {
                    None => sock::sock_recv(fd, data, len, *flags) as i64,
                    Some((deadline, token)) => sock::sock_recv_until(fd, data, len, *flags, deadline, token) as i64,
                }
            }
            Call::Sendto(buffer, flags, address) => {
                let ((data, len), (to, to_len)) = (buffer.parts(&mut memory), address.to());
                match limits {
                    None => sock::sock_sendto(fd, data, len, *flags, to, to_len) as i64,
                    Some((deadline, token)) => {
                        sock::sock_sendto_until(fd, data, len, *flags, to, to_len, deadline, token) as i64
                    }
                }
            }
            Call::Recvfrom(buffer, flags, address) => {
                let ((data, len), (from, from_len)) = (buffer.parts(&mut memory), address.from());
                match limits {
                    None => sock::sock_recvfrom(fd, data, len, *flags, from, from_len) as i64,
                    Some((deadline, token)) => {
                        sock::sock_recvfrom_until(fd, data, len, *flags, from, from_len, deadline, token) as i64
                    }
                }
            }
            Call::Sendmsg(message, flags) => with(message, &mut memory, |message| match limits {
                None => sock::sock_sendmsg(fd, message, *flags) as i64,
                Some((deadline, token)) => sock::sock_sendmsg_until(fd, message, *flags, deadline, token) as i64,
            }),
            Call::Recvmsg(message, flags) => with(message, &mut memory, |message| match limits {
                None => sock::sock_recvmsg(fd, message, *flags) as i64,
                Some((deadline, token)) => sock::sock_recvmsg_until(fd, message, *flags, deadline, token) as i64,
            }),
            Call::Sendall(buffer, flags, null) => {
                let (data, len) = buffer.parts(&mut memory);
                match limits {
                    None => sock::sock_sendall(fd, data, len, *flags, out(*null, &mut count)).into(),
                    Some((deadline, token)) => {
                        sock::sock_sendall_until(fd, data, len, *flags, out(*null, &mut count), deadline, token).into()
                    }
                }
            }
            Call::Recvall(buffer, flags, null) => {
                let (data, len) = buffer.parts(&mut memory);
                match limits {
                    None => sock::sock_recvall(fd, data, len, *flags, out(*null, &mut count)).into(),
                    Some((deadline, token)) => {
                        sock::sock_recvall_until(fd, data, len, *flags, out(*null, &mut count), deadline, token).into()
                    }
                }
            }
            Call::Connect(address) => {
                let (to, len) = address.to();
                match limits {
                    None => sock::sock_connect(fd, to, len).into(),
                    Some((deadline, token)) => sock::sock_connect_until(fd, to, len, deadline, token).into(),
                }
            }
            Call::Accept(address) => {
                let (from, len) = address.from();
                match limits {
                    None => sock::sock_accept(fd, from, len).into(),
                    Some((deadline, token)) => sock::sock_accept_until(fd, from, len, deadline, token).into(),
                }
            }
            Call::Wait(events, seconds) => {
                let seconds =
                    if *seconds > 0.002 && *seconds < 9e9 || *seconds == f64::INFINITY { 0.001 } else { *seconds };
                match limits {
                    None => sock::sock_wait(fd, *events, seconds).into(),
                    Some((deadline, token)) => sock::sock_wait_until(fd, *events, deadline, token).into(),
                }
            }
            Call::Recvdelim(line) => line.call(&mut memory, fd, limits),
            Call::Until(..) => unreachable!("taken apart"),
            Call::Deadline(seconds) => {
                let told = sock::sock_deadline(*seconds);
                assert!(told.is_nan() == seconds.is_nan());
                0
            }
            Call::Token => sock::sock_token().into(),
            // One token is to stay as it is.
            Call::Cancel(which, any) => {
                let token = descriptor(*which, *any);
                if token == *TOKEN { 0 } else { sock::sock_cancel(token).into() }
            }
            Call::Strerror(code) => {
                assert!(!std::ffi::CStr::from_ptr(sock::sock_strerror(*code)).is_empty());
                0
            }
            Call::Version => {
                assert!(!std::ffi::CStr::from_ptr(sock::sock_version()).is_empty());
                0
            }
        };
        (code, *libc::__errno_location())
    };
    if code < 0 {
        assert!((1..=133).contains(&-code) && i64::from(errno) == -code, "{code}, and errno is {errno}");
    } else {
        assert_eq!(errno, UNTOUCHED, "a success touched errno");
    }
    assert!(count <= memory.len());
    if matches!(call, Call::Accept(_) | Call::Token) && code >= 0 {
        // SAFETY: the descriptor is new.
        unsafe { libc::close(code as c_int) };
    }
});

/// A message header of any count of buffers, as far as they are there or the library must refuse them.
fn with(input: &mut Message, memory: &mut [u8], call: impl FnOnce(*mut msghdr) -> i64) -> i64 {
    let mut at = 0;
    let mut buffers: Vec<iovec> = Vec::new();
    for len in input.buffers.iter().map(|len| usize::from(*len)) {
        if at + len > memory.len() {
            break;
        }
        buffers.push(iovec { iov_base: memory[at..].as_mut_ptr().cast(), iov_len: len });
        at += len;
    }
    // SAFETY: all zero is an empty message.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = if input.null_buffers { null_mut() } else { buffers.as_mut_ptr() };
    message.msg_iovlen = match input.count {
        Some(count) if input.null_buffers || count > libc::UIO_MAXIOV as usize => count,
        _ => buffers.len(),
    };
    if !input.control.is_empty() {
        message.msg_control = input.control.as_mut_ptr().cast();
        message.msg_controllen = input.control.len();
    }
    call(if input.null { null_mut() } else { &raw mut message })
}
