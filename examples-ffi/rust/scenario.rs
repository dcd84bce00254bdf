//! Does what ../SCENARIO.md says, with std's sockets.

mod sock;

use sock::{dial, listen, LookupError, Mode, Socket};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::raw::{c_int, c_ulong};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port] = arguments.as_slice() else { return Err("usage: scenario HOST PORT".into()) };
    not_ready_then_timeout()?;
    echo(host, port.parse()?)?;
    early_close()?;
    signal_while_waiting()?;
    by_name()?;
    lookups();
    Ok(())
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
    let socket = Socket(TcpStream::connect((host, port))?);
    socket.set_mode(Mode::Timeout(Duration::from_secs(30)))?;
    let sent: Vec<u8> = (0..8 << 20).map(|i: usize| (i % 251) as u8).collect();
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
    let listener = listen(Some("127.0.0.1"), "0", 0)?;
    let port = listener.0.local_addr()?.port().to_string();
    let timeout = Mode::Timeout(Duration::from_secs(5));
    let socket = dial("localhost", &port, timeout)?;
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
    let fails = |host, service| dial(host, service, Mode::Timeout(Duration::from_secs(5))).err().expect("it cannot be");
    let (host, service) = (fails("no such host", "7"), fails("127.0.0.1", "no-such-service"));
    assert_eq!(LookupError::of(&host), Some(LookupError::NO_HOST));
    assert_eq!(LookupError::of(&service), Some(LookupError::NO_SERVICE));
    assert_eq!(fails("127.0.0.1\0.example", "7").kind(), ErrorKind::InvalidInput);
    println!("lookups that fail: {host}, {service}");
}

fn pair() -> io::Result<(Socket<UnixStream>, Socket<UnixStream>)> {
    let (one, other) = UnixStream::pair()?;
    Ok((Socket(one), Socket(other)))
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
extern "C" {
    fn signal(signal: c_int, handler: extern "C" fn(c_int)) -> usize;
    fn pthread_self() -> c_ulong;
    fn pthread_kill(thread: c_ulong, signal: c_int) -> c_int;
}
