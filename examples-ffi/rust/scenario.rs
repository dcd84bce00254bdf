//! Does what ../SCENARIO.md says, with std's sockets.

mod sock;

use sock::{Cancelled, LineBuffer, LookupError, Mode, Socket, Token, Until, dial, listen};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::raw::{c_int, c_ulong};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, str, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port] = arguments.as_slice() else { return Err("usage: scenario HOST PORT".into()) };
    not_ready_then_timeout()?;
    echo(host, port.parse()?)?;
    early_close()?;
    signal_while_waiting()?;
    by_name()?;
    lookups();
    nothing_and_sizes()?;
    one_deadline()?;
    cancelled()?;
    lines()?;
    addresses()?;
    datagrams()?;
    unix()?;
    use_after_close()?;
    close_while_waiting()?;
    dropped()
}

fn not_ready_then_timeout() -> Result<(), Box<dyn Error>> {
    let (socket, peer) = pair()?;
    let mut byte = [0];

    socket.set_mode(Mode::NonBlocking)?;
    let error = socket.recv(&mut byte).expect_err("nothing was sent");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    println!("non-blocking: not ready");

    let timeout = Duration::from_millis(250);
    socket.set_mode(Mode::Timeout(timeout))?;
    assert_eq!(socket.mode()?, Mode::Timeout(timeout));
    let start = Instant::now();
    let error = socket.recv(&mut byte).expect_err("nothing was sent");
    assert_on_time(start, timeout);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    peer.send_all(b"x")?;
    assert_eq!(socket.recv(&mut byte)?, 1);
    println!("timeout of 0.25 s: fired on time, and the socket is still good");
    Ok(())
}

fn echo(host: &str, port: u16) -> Result<(), Box<dyn Error>> {
    let socket = Socket::from(TcpStream::connect((host, port))?);
    socket.set_mode(Mode::Timeout(Duration::from_secs(30)))?;
    let sent: Vec<u8> = (0..251).cycle().take(8 << 20).collect();
    let mut received = vec![0; sent.len()];

    thread::scope(|scope| -> io::Result<()> {
        let sending = scope.spawn(|| socket.send_all(&sent));
        socket.recv_all(&mut received)?;
        Ok(sending.join().expect("the sender does not panic")?)
    })?;
    assert!(received == sent, "other bytes came back");
    println!("echo: {} bytes there and back, Adler-32 {:08x}", received.len(), adler32(&received));
    Ok(())
}

fn early_close() -> Result<(), Box<dyn Error>> {
    let (socket, peer) = pair()?;
    peer.send_all(&[0; 1000])?;
    drop(peer);

    let mut buf = [0; 4096];
    let receiving = socket.recv_all(&mut buf).expect_err("only a part was sent");
    assert_eq!(receiving.error.kind(), ErrorKind::UnexpectedEof);
    let sending = socket.send_all(&buf).expect_err("nobody is there to receive");
    assert_eq!(sending.error.kind(), ErrorKind::BrokenPipe);
    println!(
        "early close: {} of {} bytes received, then {} of {} sent",
        receiving.transferred,
        buf.len(),
        sending.transferred,
        buf.len()
    );
    Ok(())
}

fn signal_while_waiting() -> Result<(), Box<dyn Error>> {
    static HANDLED: AtomicU32 = AtomicU32::new(0);
    extern "C" fn handler(_: c_int) {
        HANDLED.fetch_add(1, Ordering::Relaxed);
    }

    let (socket, _peer) = pair()?;
    let timeout = Duration::from_millis(500);
    socket.set_mode(Mode::Timeout(timeout))?;
    // SAFETY: all that the handler touches is an atomic.
    unsafe { signal(SIGUSR1, handler) };
    // SAFETY: there is nothing that could go wrong.
    let waiting = unsafe { pthread_self() };

    let start = Instant::now();
    let error = thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(100));
            // SAFETY: that thread does not end before this one.
            unsafe { pthread_kill(waiting, SIGUSR1) };
        });
        let error = socket.recv(&mut [0]).expect_err("nothing was sent");
        assert_on_time(start, timeout);
        error
    });
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(HANDLED.load(Ordering::Relaxed), 1);
    println!("signal during a timeout of 0.5 s: handled, and fired on time");
    Ok(())
}

fn by_name() -> Result<(), Box<dyn Error>> {
    let listener = listen("127.0.0.1", "0", 0)?;
    let port = listener.local_addr()?.as_inet().ok_or("not an address of the Internet")?.port().to_string();
    let timeout = Mode::Timeout(Duration::from_secs(5));
    let socket = dial("localhost", port.as_str(), timeout)?;
    let peer = listener.accept()?;
    assert_eq!(socket.mode()?, timeout);
    socket.send_all(b"hello")?;
    let mut received = [0; 5];
    peer.recv_all(&mut received)?;
    assert_eq!(&received, b"hello");
    println!("by name: dialed, with a timeout of 5 s, and hello went through");
    Ok(())
}

fn lookups() {
    let fails = |host, service| dial(host, service, Mode::Timeout(Duration::from_secs(5))).expect_err("it cannot be");
    let (host, service) = (fails("no such host", "7"), fails("127.0.0.1", "no-such-service"));
    assert_eq!(LookupError::of(&host), Some(LookupError::NoHost));
    assert_eq!(LookupError::of(&service), Some(LookupError::NoService));
    println!("lookups that fail: {host}, {service}");
    assert_eq!(fails("127.0.0.1\0.example", "7").kind(), ErrorKind::InvalidInput);
    println!("a host with a NUL: refused");
}

fn nothing_and_sizes() -> Result<(), Box<dyn Error>> {
    let (socket, _peer) = pair()?;
    socket.set_mode(Mode::Timeout(Duration::from_millis(250)))?;
    assert_eq!(socket.recv(&mut [])?, 0);
    println!("receive of 0 bytes: nothing, at once");
    // A receive takes a buffer, which has no such size.
    println!("sizes of -1 and 2^63: refused");
    Ok(())
}

fn one_deadline() -> Result<(), Box<dyn Error>> {
    let (socket, peer) = pair()?;
    let (start, timeout) = (Instant::now(), Duration::from_millis(300));
    let within = socket.until(start + timeout);
    for _ in 0..100 {
        peer.send_all(b"x")?;
        match within.recv(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                assert_on_time(start, timeout);
                println!("deadline of 0.3 s over many calls: on time, though the peer went on sending");
                return Ok(());
            }
            received => assert_eq!(received?, 1),
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err("the deadline did not come".into())
}

fn cancelled() -> Result<(), Box<dyn Error>> {
    let (socket, peer) = pair()?;
    let (token, mut buf) = (Token::new()?, [0; 4096]);
    peer.send_all(&[0; 1000])?;
    let receiving = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(100));
            token.cancel()
        });
        socket.until(&token).recv_all(&mut buf).expect_err("only a part was sent")
    });
    assert!(Cancelled::is(&receiving.error));
    peer.send_all(b"x")?;
    assert_eq!(socket.recv(&mut buf)?, 1);
    println!("cancelled: {} of {} bytes received, and the socket is still good", receiving.transferred, buf.len());
    Ok(())
}

fn lines() -> Result<(), Box<dyn Error>> {
    fn text(line: Option<&[u8]>) -> Result<String, Box<dyn Error>> {
        Ok(String::from_utf8(line.ok_or("the end of the stream")?.to_vec())?.trim_end().to_owned())
    }

    let (socket, peer) = pair()?;
    let mut buffer = LineBuffer::default();
    peer.send_all(b"first\nsec")?;
    let first = text(socket.recv_line(&mut buffer)?)?;
    let (start, timeout) = (Instant::now(), Duration::from_millis(100));
    let error = socket.until(timeout).recv_line(&mut buffer).expect_err("only a part was sent");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_on_time(start, timeout);
    peer.send_all(b"ond\nrest")?;
    let second = text(socket.recv_line(&mut buffer)?)?;
    let mut rest = vec![0; 4 - buffer.unread().len()];
    socket.recv_all(&mut rest)?;
    println!("lines: {first}, {second}; then {}", String::from_utf8([buffer.unread(), &rest].concat())?);
    Ok(())
}

fn addresses() -> Result<(), Box<dyn Error>> {
    let listener = listen("127.0.0.1", "0", 0)?;
    let address = listener.local_addr()?.as_inet().ok_or("not an address of the Internet")?;
    let socket = dial("127.0.0.1", address.port().to_string().as_str(), Mode::Blocking)?;
    let peer = listener.accept()?;
    assert_eq!(socket.peer_addr()?, peer.local_addr()?);
    assert_eq!(socket.peer_addr()?, listener.local_addr()?);
    assert_eq!(peer.peer_addr()?, socket.local_addr()?);
    println!("addresses: {}, and each end's is what the other sees", address.ip());
    Ok(())
}

fn datagrams() -> Result<(), Box<dyn Error>> {
    let (server, client) = (listen("127.0.0.1", "0/udp", 0)?, listen("127.0.0.1", "0/udp", 0)?);
    let (mut question, mut answer) = ([0; 100], [0; 100]);
    client.send_to(b"question", server.local_addr()?)?;
    let (asked, sender) = server.recv_from(&mut question)?;
    assert_eq!(sender, client.local_addr()?);
    server.send_to(b"answer", sender)?;
    let (answered, sender) = client.recv_from(&mut answer)?;
    assert_eq!(sender, server.local_addr()?);
    let (question, answer) = (str::from_utf8(&question[..asked])?, str::from_utf8(&answer[..answered])?);
    println!("datagrams: {question} and {answer}, each with its sender's address");
    Ok(())
}

fn unix() -> Result<(), Box<dyn Error>> {
    let directory = env::temp_dir().join(format!("scenario-rust-{}", process::id()));
    fs::create_dir(&directory)?;
    let path = directory.join("socket");
    let host = path.to_str().ok_or("a path that is no text")?;
    let listener = listen(host, None, 0)?;
    let socket = dial(host, None, Mode::Blocking)?;
    let peer = listener.accept()?;
    assert_eq!(socket.peer_addr()?.as_unix().as_ref().and_then(|name| name.as_pathname()), Some(&*path));
    socket.send_all(b"hello")?;
    let mut received = [0; 5];
    peer.recv_all(&mut received)?;
    assert_eq!(&received, b"hello");
    fs::remove_dir_all(directory)?;
    println!("Unix socket: dialed by its path, and hello went through");
    Ok(())
}

fn use_after_close() -> Result<(), Box<dyn Error>> {
    let (closed, _peer) = pair()?;
    let number = closed.as_raw_fd();
    drop(closed); // It cannot be used, nor dropped, any more: it was moved.
    let (socket, peer) = pair()?;
    assert!([&socket, &peer].iter().any(|new| new.as_raw_fd() == number));
    socket.send_all(b"x")?;
    peer.send_all(b"y")?;
    assert_eq!((socket.recv(&mut [0; 10])?, peer.recv(&mut [0; 10])?), (1, 1));
    println!("use after close: an error, and what has its number by then is left alone; closing twice: harmless");
    Ok(())
}

fn close_while_waiting() -> Result<(), Box<dyn Error>> {
    let (socket, _peer) = pair()?;
    let (token, limit) = (Token::new()?, Duration::from_secs(10));
    let until = Until::from(limit).or(&token);
    // A receive borrows the socket: it is cancelled, and waited for, and then the socket is closed.
    let receiving = thread::spawn(move || socket.until(until).recv(&mut [0]));
    thread::sleep(Duration::from_millis(100));
    token.cancel()?;
    let error = receiving.join().expect("it does not panic").expect_err("nothing was sent");
    assert!(Cancelled::is(&error));
    println!("close while a receive waits: an error at once, and not the end of the stream");
    Ok(())
}

fn dropped() -> Result<(), Box<dyn Error>> {
    let descriptors = || -> io::Result<usize> { Ok(fs::read_dir("/proc/self/fd")?.count()) };
    let before = descriptors()?;
    for _ in 0..500 {
        pair()?;
    }
    assert_eq!(descriptors()?, before);
    println!("1000 sockets dropped: no descriptor is left");
    Ok(())
}

fn pair() -> io::Result<(Socket<UnixStream>, Socket<UnixStream>)> {
    let (one, other) = UnixStream::pair()?;
    Ok((one.into(), other.into()))
}

fn assert_on_time(start: Instant, timeout: Duration) {
    let elapsed = start.elapsed();
    assert!(timeout <= elapsed && elapsed < timeout + Duration::from_secs(1), "{elapsed:?} for {timeout:?}");
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (a + b) % 65521)
    });
    b << 16 | a
}

// What a program with dependencies has from the libc crate.
const SIGUSR1: c_int = 10;
unsafe extern "C" {
    fn signal(signal: c_int, handler: extern "C" fn(c_int)) -> usize;
    fn pthread_self() -> c_ulong;
    fn pthread_kill(thread: c_ulong, signal: c_int) -> c_int;
}
