//! What the binding of Rust promises beyond the scenario: one line for each check. usage: list OFTEN SECONDS [CHECK]

use sock::{
    Address, Cancelled, LineBuffer, LookupError, Mode, Partial, Socket, Token, Until, dial, dial_until, listen,
};
use std::any::Any;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::raw::{c_int, c_long, c_ulong, c_void};
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, process, ptr, slice, thread};

type Outcome = Result<String, Box<dyn Error>>;

/// What a noisy machine may be late by.
const LATE: Duration = Duration::from_secs(5);
/// Longer than any check takes: what ends only then has not been ended.
const LONG: Duration = Duration::from_secs(20);
const TCP_LINGER_0: [c_int; 2] = [1, 0];

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn ok() -> Outcome {
    Ok(String::new())
}

fn pair() -> (Socket<UnixStream>, Socket<UnixStream>) {
    let (one, other) = UnixStream::pair().expect("there are descriptors");
    (one.into(), other.into())
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn cancelled<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| Cancelled::is(&error))
}

fn inet(address: &Address) -> SocketAddr {
    address.as_inet().expect("an address of the Internet")
}

fn port_of(socket: &Socket) -> io::Result<String> {
    Ok(inet(&socket.local_addr()?).port().to_string())
}

#[track_caller]
fn assert_on_time(start: Instant, expected: Duration) {
    let elapsed = start.elapsed();
    assert!(expected <= elapsed && elapsed < expected + LATE, "{elapsed:?} for {expected:?}");
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn processor_time() -> Duration {
    let mut time = [0; 2];
    // SAFETY: there is room for a struct timespec.
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time[0].unsigned_abs(), 0) + Duration::from_nanos(time[1].unsigned_abs())
}

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn handler(_: c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Has a signal handled in this thread, again and again, until what is given back is dropped.
fn signals() -> impl Drop {
    struct Stop(Option<mpsc::Sender<()>>, Option<thread::JoinHandle<()>>);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.take();
            self.1.take().map(thread::JoinHandle::join);
        }
    }
    // SAFETY: all that the handler touches is an atomic.
    unsafe { signal(SIGUSR1, handler) };
    // SAFETY: there is nothing that could go wrong.
    let waiting = unsafe { pthread_self() };
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        while receiver.recv_timeout(ms(20)) == Err(mpsc::RecvTimeoutError::Timeout) {
            // SAFETY: that thread waits for this one to end.
            unsafe { pthread_kill(waiting, SIGUSR1) };
        }
    });
    Stop(Some(sender), Some(thread))
}

/// Sockets that are made and dropped: descriptors and memory flat.
fn dropped(often: u32) -> Outcome {
    let listener = listen("127.0.0.1", "0", 0)?;
    let port = port_of(&listener)?;
    let token = Token::new()?;
    let (mut open, mut memory) = (0, 0);
    for i in 0..often * 10 {
        if i == 500 {
            (open, memory) = (descriptors(), resident());
        }
        let near = dial_until("127.0.0.1", port.as_str(), Until::from(LONG).or(&token))?;
        near.until(LONG).send_all(b"x")?;
        let far = listener.until(&token.clone()).accept()?;
        // So that no port is in use for a minute.
        // SAFETY: the option is a struct linger.
        unsafe { setsockopt(near.as_raw_fd(), SOL_SOCKET, SO_LINGER, TCP_LINGER_0.as_ptr().cast(), 8) };
        let _another = far.try_clone()?;
    }
    let grown = resident().saturating_sub(memory);
    assert_eq!(descriptors(), open, "descriptors");
    assert!(grown < 4 << 20, "{grown} bytes more");
    Ok(format!("{} sockets", often * 20))
}

/// What was moved is told, whatever ended it, by std's traits too.
fn counts() -> Outcome {
    let (near, far) = pair();
    let (token, big) = (Token::new()?, vec![1; 8 << 20]);
    let partial = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(ms(50));
            token.cancel()
        });
        near.until(&token).send_all(&big).expect_err("there is not that much room")
    });
    assert!(Cancelled::is(&partial.error) && 0 < partial.transferred && partial.transferred < big.len());
    far.until(LONG).recv_all(&mut vec![0; partial.transferred])?;
    assert_eq!(kind(far.until(ms(20)).recv(&mut [0])), Some(ErrorKind::TimedOut), "more came than is told");

    near.send_all(b"begin")?;
    far.set_mode(Mode::Timeout(ms(20)))?;
    let mut buf = [0; 10];
    let error = (&far).read_exact(&mut buf).expect_err("only a part was sent");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(Partial::of(&error).map(|partial| partial.transferred), Some(5));
    assert_eq!(&buf[..5], b"begin");
    near.set_mode(Mode::Timeout(ms(20)))?;
    let error = (&near).write_all(&big).expect_err("nobody receives");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(Partial::of(&error).is_some_and(|partial| partial.transferred > 0));
    drop(far);
    let error = io::Error::from(near.send_all(b"x").expect_err("nobody is there"));
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    ok()
}

/// Errors are std's, with a kind, a source and words, and may be handed from thread to thread.
fn errors() -> Outcome {
    fn is_error<E: Error + Send + Sync + 'static>(_: &E) {}
    let (near, far) = pair();
    drop(far);
    let partial = near.recv_all(&mut [0; 4]).expect_err("it ended");
    is_error(&partial);
    assert_eq!(partial.to_string(), "ended after 0 bytes");
    let source = partial.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.map(io::Error::kind), Some(ErrorKind::UnexpectedEof));
    let token = Token::new()?;
    token.cancel()?;
    let (near, _far) = pair();
    let error = near.until(&token).recv(&mut [0]).expect_err("it is cancelled");
    assert_eq!(error.to_string(), "cancelled");
    is_error(&Cancelled);
    let wrapped = io::Error::from(near.until(&token).recv_all(&mut [0]).expect_err("it is cancelled"));
    assert!(Cancelled::is(&wrapped), "{wrapped:?}");
    let error = dial("no such host", "7", Mode::Timeout(LONG)).expect_err("there is no such host");
    assert_eq!(error.to_string(), "No such host");
    is_error(&LookupError::NoHost);
    assert!(format!("{near:?} {:?} {token:?}", near.until(&token)).contains("UnixStream"));
    // A port that is taken, and where nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let connected = TcpStream::connect(listener.local_addr()?)?;
    let port = connected.local_addr()?.port().to_string();
    let refused = dial("127.0.0.1", port.as_str(), Mode::Timeout(LONG));
    assert_eq!(kind(refused), Some(ErrorKind::ConnectionRefused));
    assert!(near.set_mode(Mode::Timeout(Duration::MAX)).is_err());
    ok()
}

/// Nothing is waited for to receive nothing.
fn zero_sizes() -> Outcome {
    let (mut near, _far) = pair();
    near.set_mode(Mode::Timeout(LONG))?;
    let start = Instant::now();
    assert_eq!(near.recv(&mut [])?, 0);
    assert_eq!(near.peek(&mut [])?, 0);
    assert_eq!(near.read(&mut [])?, 0);
    near.recv_all(&mut [])?;
    near.read_exact(&mut [])?;
    assert_eq!(near.send(&[])?, 0);
    near.send_all(&[])?;
    near.write_all(&[])?;
    assert_on_time(start, Duration::ZERO);
    ok()
}

/// A size of more than 32 bits is not cut.
fn large_sizes() -> Outcome {
    let (near, far) = pair();
    let size = (1 << 32) + 2;
    // SAFETY: it is new memory, which costs nothing until it is written to, and is never given back.
    let buf = unsafe {
        let start = mmap(ptr::null_mut(), size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
        assert_ne!(start.addr(), usize::MAX, "there is no room");
        slice::from_raw_parts_mut(start.cast::<u8>(), size)
    };
    far.send_all(b"begin")?;
    assert_eq!(near.recv(buf)?, 5);
    far.send_all(b"again")?;
    drop(far);
    let partial = near.recv_all(buf).expect_err("not all came");
    assert_eq!((partial.transferred, &buf[..5]), (5, &b"again"[..]));
    ok()
}

fn names_with_nul() -> Outcome {
    let refused = Some(ErrorKind::InvalidInput);
    assert_eq!(kind(dial("127.0.0.1\0.example", "7", Mode::Timeout(LONG))), refused);
    assert_eq!(kind(dial_until("127.0.0.1", "7\0", LONG)), refused);
    assert_eq!(kind(listen("127.0.0.1\0.example", "0", 0)), refused);
    assert_eq!(kind(listen(None, "0\0", 0)), refused);
    ok()
}

/// Two threads, and std's traits, for one socket.
fn both_directions() -> Outcome {
    let (near, far) = pair();
    let data: Vec<u8> = (0..8u32 << 18).flat_map(|i| i.wrapping_mul(2_654_435_761).to_ne_bytes()).collect();
    let data = &data;
    thread::scope(|scope| -> io::Result<()> {
        let senders = [&near, &far].map(|mut one| scope.spawn(move || one.write_all(data)));
        let receivers = [&near, &far].map(|mut one| {
            scope.spawn(move || {
                let mut came = vec![0; data.len()];
                one.read_exact(&mut came).map(|()| came == *data)
            })
        });
        for sender in senders {
            sender.join().expect("it does not panic")?;
        }
        for receiver in receivers {
            assert!(receiver.join().expect("it does not panic")?, "other bytes came");
        }
        Ok(())
    })?;
    ok()
}

/// A signal that is handled ends a wait only where that is asked for, and `read_exact` and `write_all` never.
fn interrupted() -> Outcome {
    let (near, far) = pair();
    let storm = signals();
    let start = Instant::now();
    assert_eq!(kind(near.until(ms(200)).recv(&mut [0])), Some(ErrorKind::TimedOut));
    assert_on_time(start, ms(200));
    near.set_interrupt(true)?;
    assert_eq!(kind(near.until(LONG).recv(&mut [0])), Some(ErrorKind::Interrupted));
    far.send_all(b"be")?;
    let partial = near.until(LONG).recv_all(&mut [0; 4]).expect_err("a signal comes");
    assert_eq!((partial.transferred, partial.error.kind()), (2, ErrorKind::Interrupted));
    let mut whole = [0; 5];
    thread::scope(|scope| {
        scope.spawn(|| {
            for part in [b"be", b"gi"] {
                far.send_all(part).expect("there is room");
                thread::sleep(ms(100));
            }
            far.send_all(b"n").expect("there is room");
        });
        (&near).read_exact(&mut whole)
    })?;
    assert_eq!(&whole, b"begin");
    drop(storm);
    assert!(HANDLED.load(Ordering::Relaxed) >= 2);
    ok()
}

/// `shutdown` by another thread ends a wait; to drop the last but one of those who share a socket does not close it.
fn shared() -> Outcome {
    let (near, far) = pair();
    let near = Arc::new(near);
    let waiting = thread::spawn({
        let near = Arc::clone(&near);
        move || near.recv(&mut [0])
    });
    thread::sleep(ms(50));
    near.shutdown(Shutdown::Both)?;
    drop(near);
    assert_eq!(waiting.join().expect("it does not panic")?, 0);
    assert_eq!(far.recv(&mut [0])?, 0);

    let (near, far) = pair();
    let near = Arc::new(near);
    let (sender, receiver) = mpsc::channel();
    let waiting = thread::spawn({
        let near = Arc::clone(&near);
        move || {
            sender.send(()).expect("it is waited for");
            let mut byte = [0];
            near.recv_all(&mut byte).map(|()| byte)
        }
    });
    receiver.recv()?;
    thread::sleep(ms(20));
    drop(near);
    far.send_all(b"x")?;
    assert_eq!(waiting.join().expect("it does not panic")?, *b"x");
    ok()
}

/// A token ends every kind of wait, also from before it began, and what is ready is given all the same.
fn tokens() -> Outcome {
    fn may_be_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let token = Token::new()?;
    may_be_shared(&token);
    may_be_shared(&Until::from(&token));
    assert!(!token.is_cancelled()?);
    let (near, far) = pair();
    near.set_mode(Mode::Timeout(LONG))?;
    let listener = listen("127.0.0.1", "0", 0)?;
    let (start, clone) = (Instant::now(), token.clone());
    let canceling = thread::spawn(move || {
        thread::sleep(ms(100));
        clone.cancel()
    });
    assert!(cancelled(near.until(&token).recv(&mut [0])));
    assert_on_time(start, ms(90));
    canceling.join().expect("it does not panic")?;
    assert!(token.is_cancelled()? && token.clone().is_cancelled()?);
    let until = Until::from(LONG).or(&token);
    assert!(cancelled(near.until(until.clone()).recv_all(&mut [0]).map_err(io::Error::from)));
    assert!(cancelled(near.until(until.clone()).recv_from(&mut [0])));
    assert!(cancelled(near.until(until.clone()).recv_line(&mut LineBuffer::default())));
    assert!(cancelled(listener.until(until.clone()).accept()));
    assert!(cancelled(dial_until("localhost", "7", until.clone())));
    assert_on_time(start, Duration::ZERO);
    far.send_all(b"x")?;
    assert_eq!(near.until(until).recv(&mut [0])?, 1, "what need not wait is not cancelled");
    assert_eq!(near.mode()?, Mode::Timeout(LONG));

    let (reader, writer) = UnixStream::pair()?;
    let hangup = Token::from(OwnedFd::from(reader));
    assert_eq!(kind(hangup.cancel()), Some(ErrorKind::InvalidInput), "it is no token of the library's");
    drop(writer);
    assert!(cancelled(near.until(&hangup).recv(&mut [0])) && hangup.is_cancelled()?);
    ok()
}

fn deadlines() -> Outcome {
    let (near, far) = pair();
    let (start, timed_out) = (Instant::now(), Some(ErrorKind::TimedOut));
    let deadline = start + ms(200);
    assert_eq!(kind(near.until(deadline).recv(&mut [0])), timed_out);
    assert_on_time(start, ms(200));
    far.send_all(b"xyz")?;
    assert_eq!(kind(near.until(deadline).recv(&mut [0])), timed_out, "it is past");
    assert_eq!(kind(near.until(Duration::ZERO).recv(&mut [0])), timed_out, "it is past");
    assert_eq!(near.until(Duration::MAX).recv(&mut [0])?, 1);
    assert_eq!(near.until(start + Duration::from_secs(1 << 40)).recv(&mut [0])?, 1);
    assert_eq!(near.until(LONG).recv(&mut [0])?, 1);
    let start = Instant::now();
    let within = Until::from(ms(100));
    assert_eq!(kind(near.until(within.clone()).recv_from(&mut [0])), timed_out);
    assert_eq!(kind(near.until(within.clone()).recv_line(&mut LineBuffer::default())), timed_out);
    assert_eq!(kind(listen("127.0.0.1", "0", 0)?.until(within).accept()), timed_out);
    assert_on_time(start, ms(100));
    assert_eq!(near.mode()?, Mode::Blocking);

    // Once the one place in its queue is taken, a listener answers nobody.
    let full = listen("127.0.0.1", "0", 1)?;
    let address = inet(&full.local_addr()?);
    let _ahead = [TcpStream::connect(address)?, TcpStream::connect(address)?];
    let start = Instant::now();
    assert_eq!(kind(dial_until("127.0.0.1", address.port().to_string().as_str(), ms(100))), timed_out);
    assert_on_time(start, ms(100));
    ok()
}

fn lines() -> Outcome {
    let (near, far) = pair();
    let mut buffer = LineBuffer::new(b"\n", 16);
    far.send_all(b"one\ntwo\nthr")?;
    assert_eq!(near.recv_line(&mut buffer)?, Some(&b"one\n"[..]));
    assert_eq!(near.recv_line(&mut buffer)?, Some(&b"two\n"[..]));
    assert_eq!(buffer.unread(), b"thr");
    assert_eq!(kind(near.until(ms(20)).recv_line(&mut buffer)), Some(ErrorKind::TimedOut));
    far.send_all(b"ee\nrest")?;
    assert_eq!(near.recv_line(&mut buffer)?, Some(&b"three\n"[..]));
    drop(far);
    assert_eq!(kind(near.recv_line(&mut buffer)), Some(ErrorKind::UnexpectedEof));
    assert_eq!(buffer.unread(), b"rest");

    let (near, far) = pair();
    let mut sent = Vec::new();
    for i in 0..1000 {
        writeln!(sent, "{i} {}", "x".repeat(i % 10))?;
    }
    far.send_all(&sent)?;
    drop(far);
    let came: Vec<_> = near.lines(&mut LineBuffer::new(b"\n", 16)).collect::<io::Result<_>>()?;
    assert_eq!((came.len(), came.concat() == sent), (1000, true));

    let (near, far) = pair();
    far.send_all(b"a head\r\n\r\nbody")?;
    let mut head = LineBuffer::new(b"\r\n\r\n", 100);
    assert_eq!(near.recv_line(&mut head)?, Some(&b"a head\r\n\r\n"[..]));
    assert_eq!(head.unread(), b"body");
    far.send_all(&[b'x'; 20])?;
    assert_eq!(kind(near.recv_line(&mut LineBuffer::new(b"\n", 16))), Some(ErrorKind::InvalidData));
    assert_eq!(kind(near.recv_line(&mut LineBuffer::new(b"", 16))), Some(ErrorKind::InvalidInput));
    ok()
}

fn datagrams() -> Outcome {
    let server = listen("127.0.0.1", "0/udp", 0)?;
    let client = dial("localhost", format!("{}/udp", port_of(&server)?).as_str(), Mode::Timeout(LONG))?;
    client.send(b"question")?;
    let mut buf = [0; 100];
    let (size, from) = server.until(LONG).recv_from(&mut buf)?;
    assert_eq!((&buf[..size], from), (&b"question"[..], client.local_addr()?));
    server.send_to(b"answer", from)?;
    assert_eq!(client.recv(&mut buf)?, 6);
    assert_eq!(client.peer_addr()?, server.local_addr()?);
    server.until(LONG).send_to(b"", inet(&from))?;
    assert_eq!(client.recv(&mut buf)?, 0);
    server.send_to(b"long", inet(&from))?;
    assert_eq!((client.recv(&mut buf[..2])?, &buf[..2]), (2, &b"lo"[..]));
    ok()
}

fn addresses() -> Outcome {
    let scoped: SocketAddr = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 7, 0x12345, 3).into();
    for address in [scoped, "192.0.2.1:65535".parse()?, "[2001:db8::1]:1".parse()?] {
        assert_eq!(inet(&address.into()), address);
        assert_eq!(format!("{:?}", Address::from(address)), address.to_string());
    }
    let names = [UnixAddr::from_abstract_name(b"a\0b")?, UnixAddr::from_pathname("/a/b")?];
    for name in names {
        let address = Address::from(&name);
        assert_eq!(format!("{address:?}"), format!("{name:?}"));
        assert!(address == Address::from(&address.as_unix().expect("a Unix address")) && address.as_inet().is_none());
    }
    let longest = UnixAddr::from_pathname("/".repeat(107))?;
    assert_eq!(
        Address::from(&longest).as_unix().and_then(|unix| unix.as_pathname().map(|path| path.as_os_str().len())),
        Some(107)
    );

    let datagram = UnixDatagram::unbound()?;
    let (receiver, name) = bound()?;
    datagram.send_to_addr(b"x", &name)?;
    let (size, from) = Socket::from(&receiver).until(LONG).recv_from(&mut [0])?;
    assert_eq!((size, from.as_inet()), (1, None));
    assert!(from.as_unix().is_none_or(|unix| unix.is_unnamed()));
    assert_eq!(Socket::from(datagram).send_to(b"y", &name)?, 1);

    let stream = TcpListener::bind("[::1]:0");
    if let Ok(listener) = stream {
        let near = Socket::from(TcpStream::connect(listener.local_addr()?)?);
        assert_eq!(inet(&near.peer_addr()?), listener.local_addr()?);
    }
    ok()
}

fn bound() -> io::Result<(UnixDatagram, UnixAddr)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = UnixAddr::from_abstract_name(format!("libsock-rust-{}-{number}", process::id()))?;
    Ok((UnixDatagram::bind_addr(&name)?, name))
}

fn unix() -> Outcome {
    let path = env::temp_dir().join(format!("libsock-rust-{}", process::id()));
    let path = path.to_str().ok_or("a path that is no text")?;
    for name in [path.to_owned(), format!("@libsock-rust-{}", process::id())] {
        let listener = listen(name.as_str(), None, 0)?;
        let near = dial(&name, None, Mode::Timeout(LONG))?;
        let far = listener.accept()?;
        assert_eq!(near.peer_addr()?, listener.local_addr()?);
        assert!(far.peer_addr()?.as_unix().is_some_and(|unix| unix.is_unnamed()));
        near.send_all(b"hello")?;
        let mut came = [0; 5];
        far.recv_all(&mut came)?;
        assert_eq!(&came, b"hello");
        let stream = UnixStream::from(OwnedFd::from(near));
        assert!(stream.read_timeout()?.is_some());
        let own = Socket::from(bare(AF_UNIX)?);
        let address = listener.local_addr()?;
        own.until(LONG).connect(&address.as_unix().expect("a Unix address"))?;
        let own = Socket::from(bare(AF_UNIX)?);
        own.connect(address)?;
        if !name.starts_with('@') {
            fs::remove_file(&name)?;
        }
    }
    ok()
}

fn bare(family: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointer goes along.
    let fd = unsafe { socket(family, 1, 0) };
    // SAFETY: the descriptor is new, and nobody else's.
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) }
}

/// An entry in the error queue makes nothing spin, before a signal and after it.
fn error_queue() -> Outcome {
    // What is connected elsewhere takes nothing from anybody else.
    let elsewhere = UdpSocket::bind("127.0.0.1:0")?;
    elsewhere.connect("127.0.0.1:9")?;
    let plain = UdpSocket::bind("127.0.0.1:0")?;
    let on: c_int = 1;
    // SAFETY: the option is an int.
    unsafe { setsockopt(plain.as_raw_fd(), 0, IP_RECVERR, (&raw const on).cast(), 4) };
    plain.connect(elsewhere.local_addr()?)?;
    let waiting = Socket::from(plain);
    waiting.send(b"x")?;
    assert_eq!(kind(waiting.recv(&mut [0])), Some(ErrorKind::ConnectionRefused));
    waiting.set_mode(Mode::Timeout(ms(300)))?;
    let _storm = signals();
    let (start, used) = (Instant::now(), processor_time());
    assert_eq!(kind(waiting.recv(&mut [0])), Some(ErrorKind::TimedOut));
    assert_eq!(kind(waiting.until(ms(300)).recv(&mut [0])), Some(ErrorKind::TimedOut));
    assert_on_time(start, ms(600));
    let used = processor_time().saturating_sub(used);
    assert!(used < ms(200), "{used:?} of processor time in waits of 0.6 s");
    ok()
}

/// A connection that another thread takes, after a signal too, makes an accept neither longer nor shorter.
fn accept_taken() -> Outcome {
    let _storm = signals();
    let mut taken = 0;
    for _ in 0..3 {
        let listener = listen("127.0.0.1", "0", 0)?;
        listener.set_mode(Mode::Timeout(ms(300)))?;
        let address = inet(&listener.local_addr()?);
        thread::scope(|scope| -> io::Result<()> {
            scope.spawn(|| listener.accept());
            scope.spawn(|| {
                thread::sleep(ms(100));
                TcpStream::connect(address)
            });
            let start = Instant::now();
            if kind(listener.accept()) == Some(ErrorKind::TimedOut) {
                taken += 1;
                assert_on_time(start, ms(300));
            }
            Ok(())
        })?;
    }
    Ok(format!("{taken} of 3 were taken"))
}

/// A program ends while a thread of it waits.
fn exits() -> Outcome {
    let start = Instant::now();
    let mut child = Command::new(env::current_exe()?).args(["1", "1", "leave while a thread waits"]).spawn()?;
    while start.elapsed() < LONG {
        if let Some(status) = child.try_wait()? {
            assert!(status.success(), "{status}");
            return ok();
        }
        thread::sleep(ms(5));
    }
    child.kill()?;
    child.wait()?;
    Err("it did not end".into())
}

fn leave() -> ! {
    let (near, _far) = pair();
    thread::spawn(move || near.recv(&mut [0]));
    thread::sleep(ms(50));
    exit(0)
}

/// Whoever owns the descriptor closes it, once; who borrows it, or looks at it until a moment, does not.
fn ownership() -> Outcome {
    let open = descriptors();
    let (near, far) = UnixStream::pair()?;
    {
        let borrowed = Socket::from(&near);
        borrowed.set_mode(Mode::Timeout(ms(10)))?;
        drop(borrowed.until(ms(10)));
        assert_eq!(borrowed.get_ref().as_raw_fd(), borrowed.as_fd().as_raw_fd());
    }
    assert_eq!(descriptors(), open + 2);
    let near: OwnedFd = Socket::new(near).into();
    let number = near.as_raw_fd();
    let raw = Socket::from(near).into_raw_fd();
    assert_eq!(raw, number);
    // SAFETY: it was given away by the line before.
    let near: Socket = unsafe { Socket::from_raw_fd(raw) };
    let second = near.try_clone()?;
    assert_eq!(second.mode()?, Mode::Timeout(ms(10)));
    drop(near);
    far.shutdown(Shutdown::Both)?;
    assert_eq!(second.recv(&mut [0])?, 0);
    drop((second, far));
    let listener = listen("127.0.0.1", "0", 0)?;
    let near = dial("127.0.0.1", port_of(&listener)?.as_str(), Mode::Timeout(LONG))?;
    let stream = TcpStream::from(near.into_inner());
    stream.set_nodelay(true)?;
    let mut far = Socket::from(TcpStream::from(listener.accept()?.into_inner()));
    (&stream).write_all(b"by std\n")?;
    let mut line = [0; 7];
    far.read_exact(&mut line)?;
    assert_eq!(&line, b"by std\n");
    drop((stream, far, listener));
    assert_eq!(descriptors(), open);
    ok()
}

fn why(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").replace('\n', " ")
}

fn main() {
    let mut arguments = env::args().skip(1);
    let often = arguments.next().and_then(|often| often.parse().ok()).unwrap_or(100);
    let only = arguments.nth(1);
    if only.as_deref() == Some("leave while a thread waits") {
        leave();
    }
    let dropped = || dropped(often);
    let checks: &[(&str, &dyn Fn() -> Outcome)] = &[
        ("dropped", &dropped),
        ("counts", &counts),
        ("errors", &errors),
        ("zero_sizes", &zero_sizes),
        ("large_sizes", &large_sizes),
        ("names_with_nul", &names_with_nul),
        ("both_directions", &both_directions),
        ("interrupted", &interrupted),
        ("shared", &shared),
        ("tokens", &tokens),
        ("deadlines", &deadlines),
        ("lines", &lines),
        ("datagrams", &datagrams),
        ("addresses", &addresses),
        ("unix", &unix),
        ("error_queue", &error_queue),
        ("accept_taken", &accept_taken),
        ("exits", &exits),
        ("ownership", &ownership),
    ];
    for (name, check) in checks.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name)) {
        match panic::catch_unwind(AssertUnwindSafe(check)) {
            Ok(Ok(found)) if found.is_empty() => println!("ok {name}"),
            Ok(Ok(found)) => println!("ok {name}: {found}"),
            Ok(Err(error)) => println!("not ok {name}: {error:?}"),
            Err(panic) => println!("not ok {name}: {}", why(&*panic)),
        }
    }
}

// What a program with dependencies has from the libc crate.
const SIGUSR1: c_int = 10;
const SOL_SOCKET: c_int = 1;
const SO_LINGER: c_int = 13;
const IP_RECVERR: c_int = 11;
const AF_UNIX: c_int = 1;
const CLOCK_PROCESS_CPUTIME_ID: c_int = 2;
const PROT_READ_WRITE: c_int = 3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE: c_int = 0x4022;
unsafe extern "C" {
    fn signal(signal: c_int, handler: extern "C" fn(c_int)) -> usize;
    fn pthread_self() -> c_ulong;
    fn pthread_kill(thread: c_ulong, signal: c_int) -> c_int;
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, length: u32) -> c_int;
    fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn mmap(at: *mut c_void, size: usize, protection: c_int, flags: c_int, fd: c_int, offset: c_long) -> *mut c_void;
    fn clock_gettime(clock: c_int, time: *mut [c_long; 2]) -> c_int;
}
