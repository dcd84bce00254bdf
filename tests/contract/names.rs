//! Connecting and listening by name, as far as loopback shows it.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::call::*;
use crate::common::*;
use libc::{EADDRINUSE, EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, EINVAL, ENAMETOOLONG, ENOENT, ETIMEDOUT, POLLIN};
use sock::{LIBSOCK_EAI_NONAME, LIBSOCK_EAI_SERVICE};
use socket2::{Domain, Protocol, SockRef, Type};

/// The seconds of every sort of mode, with some that a coarser clock would not keep.
const MODES: [f64; 7] = [f64::INFINITY, 0.0, 1e-9, 0.05, 7.345, 30.0, 9e9];

/// The seconds of a call that looks up, in each of the ways that there are.
const BUDGETS: [f64; 3] = [f64::INFINITY, 0.0, 30.0];

/// For a machine that is busy.
const PATIENCE: f64 = 20.0;

/// No host has such a name, and no name server need be asked.
const BAD_HOSTS: [&CStr; 15] = [
    c"*",
    c" ",
    c"local host",
    c" localhost",
    c"localhost ",
    c"local\thost",
    c"localhost\n",
    c"localhost\x01",
    c"localhost\x7F",
    c"127.0.0.1 ",
    c"[::1]",
    c"1::2::3",
    c"::1:",
    c"127.0.0.1:80",
    c"fe80::1%no-such-if",
];

const BAD_SERVICES: [&CStr; 22] = [
    c"*",
    c"53/",
    c"53/sctp",
    c"53/UDP",
    c"53/udp/",
    c"53/udp/tcp",
    c"65536/udp",
    c"no-such-service/udp",
    c" ",
    c"65536",
    c"65616",
    c"4294967376",
    c"99999999999999999999999",
    c"-1",
    c"+80",
    c" 80",
    c"80 ",
    c"8 0",
    c"80\n",
    c"0x50",
    c"no such service",
    c"a-name-of-more-than-31-characters",
];

fn host(kind: Kind) -> &'static CStr {
    if kind == Tcp6 { c"::1" } else { c"127.0.0.1" }
}

fn port(socket: &OwnedFd) -> CString {
    CString::new(address(socket).as_socket().unwrap().port().to_string()).unwrap()
}

fn tcp() -> impl Iterator<Item = Kind> {
    Kind::listening().filter(|kind| kind.is_tcp())
}

/// Dials as often as it takes when the time is too short for a busy machine.
fn dial_in_any_mode(host: &CStr, port: &CStr, seconds: f64) -> Result<OwnedFd, i32> {
    let start = Instant::now();
    loop {
        match dial(Some(host), Some(port), seconds) {
            Err(EAGAIN) if seconds == 0.0 && start.elapsed().as_secs_f64() < PATIENCE => {}
            Err(ETIMEDOUT) if seconds < 1.0 && start.elapsed().as_secs_f64() < PATIENCE => {}
            outcome => return outcome,
        }
    }
}

fn talk(one: &OwnedFd, other: &OwnedFd) {
    for (from, to) in [(one, other), (other, one)] {
        deliver(from, to, b"hello");
        assert_eq!(recv(to, &mut [0; 8], 0), Ok(5));
    }
}

/// Accepts the connection whose other end this is. Before it there may be some that were given up.
fn accept_of(listener: &OwnedFd, client: &OwnedFd) -> OwnedFd {
    assert_eq!(settimeout(listener, PATIENCE), Ok(0));
    loop {
        let (connection, from) = accept_from(listener).unwrap();
        if from.as_socket().unwrap().port() == address(client).as_socket().unwrap().port() {
            return connection;
        }
    }
}

#[test]
fn a_connection_is_close_on_exec_and_keeps_the_seconds() {
    in_turn(product(tcp(), MODES), |(kind, seconds)| {
        let listener = Listener::new(kind, 16);
        let client = dial_in_any_mode(host(kind), &port(&listener.fd), seconds).unwrap();
        assert!(is_close_on_exec(&client));
        assert_eq!(gettimeout(&client), Ok(seconds));
        assert_eq!(getblocking(&client), Ok((seconds != 0.0).into()));
        assert_eq!(getinterrupt(&client), Ok(0));
        assert_eq!(SockRef::from(&client).peer_addr().unwrap(), listener.address);
        assert_eq!(SockRef::from(&client).protocol().unwrap(), Some(Protocol::TCP));
        assert_eq!(SockRef::from(&client).take_error().unwrap().map(|error| error.to_string()), None);

        // It is as if the mode had been set on a socket of the caller's own.
        let other = kind.socket();
        assert_eq!(settimeout(&other, seconds), Ok(0));
        assert_eq!(is_nonblocking(&client), is_nonblocking(&other));
        if seconds == f64::INFINITY {
            assert_eq!(kernel_timeouts(&client), (None, None));
        }
        assert_eq!(settimeout(&client, PATIENCE), Ok(0));
        talk(&client, &accept_of(&listener.fd, &client));
    });
}

#[test]
fn a_timeout_that_was_kept_is_obeyed() {
    let listener = Listener::new(Tcp4, 1);
    let client = dial(Some(c"127.0.0.1"), Some(&port(&listener.fd)), 0.3).unwrap();
    let expired = takes(Duration::from_millis(300), || recv(&client, &mut [0; 8], 0));
    assert_eq!(expired, Err(ETIMEDOUT));
}

#[test]
fn a_name_finds_the_address_that_answers() {
    in_turn([f64::INFINITY, PATIENCE], |seconds| {
        let listener = Listener::new(Tcp4, 1);
        let client = dial(Some(c"localhost"), Some(&port(&listener.fd)), seconds).unwrap();
        assert_eq!(gettimeout(&client), Ok(seconds));
        assert_eq!(SockRef::from(&client).peer_addr().unwrap(), listener.address);
        talk(&client, &accept_of(&listener.fd, &client));
    });
}

#[test]
fn hosts_and_services_that_cannot_be_are_told_of() {
    let long_host = CString::new("x".repeat(1025)).unwrap();
    let endless = CString::new("x".repeat(1 << 20)).unwrap();
    let [host, port] = [Some(c"127.0.0.1"), Some(c"9")];
    for seconds in BUDGETS {
        for nothing in [None, Some(c"")] {
            assert_eq!(dial(nothing, port, seconds).err(), Some(EINVAL));
            assert_eq!(dial(host, nothing, seconds).err(), Some(EINVAL));
            assert_eq!(dial(nothing, nothing, seconds).err(), Some(EINVAL));
        }
        for bad in BAD_HOSTS.into_iter().chain([&*long_host, &*endless]) {
            about(bad, || assert_eq!(dial(Some(bad), port, seconds).err(), Some(LIBSOCK_EAI_NONAME)));
        }
        for bad in BAD_SERVICES.into_iter().chain([&*long_host, &*endless]) {
            about(bad, || assert_eq!(dial(host, Some(bad), seconds).err(), Some(LIBSOCK_EAI_SERVICE)));
        }
    }
    for nothing in [None, Some(c"")] {
        assert_eq!(listen(host, nothing, 1).err(), Some(EINVAL));
        assert_eq!(listen(None, nothing, 1).err(), Some(EINVAL));
    }
    assert_eq!(listen(Some(c""), Some(c"0"), 1).err(), Some(EINVAL));
    for bad in BAD_HOSTS.into_iter().chain([&*long_host, &*endless]) {
        about(bad, || assert_eq!(listen(Some(bad), Some(c"0"), 1).err(), Some(LIBSOCK_EAI_NONAME)));
    }
    for (bad, host) in product(BAD_SERVICES.into_iter().chain([&*long_host, &*endless]), [host, None]) {
        about(bad, || assert_eq!(listen(host, Some(bad), 1).err(), Some(LIBSOCK_EAI_SERVICE)));
    }
}

#[test]
fn seconds_that_cannot_be_are_refused() {
    for ((seconds, error), host) in product(IMPOSSIBLE_SECONDS, [c"127.0.0.1", c"localhost"]) {
        about(seconds, || assert_eq!(dial(Some(host), Some(c"9"), seconds).err(), Some(error)));
    }
}

#[test]
fn nobody_there_is_refused_in_every_mode() {
    in_turn(product(tcp(), MODES), |(kind, seconds)| {
        let deaf = kind.bound();
        assert_eq!(dial_in_any_mode(host(kind), &port(&deaf), seconds).err(), Some(ECONNREFUSED));
    });
}

#[test]
fn dialing_times_out_and_never_early() {
    for_each(product(tcp(), [0.001, 0.02, 0.05, 0.3]), |(kind, seconds)| {
        let (listener, _clients) = Listener::full(kind);
        let port = port(&listener.fd);
        let attempt = || dial(Some(host(kind)), Some(&port), seconds);
        assert_eq!(takes(Duration::from_secs_f64(seconds), attempt).err(), Some(ETIMEDOUT));
    });
}

#[test]
fn without_any_time_only_a_number_can_be_connected_to() {
    let listener = Listener::new(Tcp4, 1);
    let name = takes(Duration::ZERO, || dial(Some(c"localhost"), Some(&port(&listener.fd)), 0.0));
    assert_eq!(name.err(), Some(EAGAIN));
    let (full, _clients) = Listener::full(Tcp4);
    let number = takes(Duration::ZERO, || dial(Some(c"127.0.0.1"), Some(&port(&full.fd)), 0.0));
    assert_eq!(number.err(), Some(EAGAIN));
}

#[test]
fn many_threads_dial_at_once() {
    const THREADS: usize = 64;
    const DIALS: usize = 16;
    in_turn([(c"127.0.0.1", PATIENCE), (c"localhost", PATIENCE), (c"localhost", f64::INFINITY)], |(host, seconds)| {
        let listener = listen(Some(c"127.0.0.1"), Some(c"0"), 0).unwrap();
        assert_eq!(settimeout(&listener, PATIENCE), Ok(0));
        let (port, connected) = (port(&listener), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..DIALS {
                        let client = dial(Some(host), Some(&port), seconds).unwrap();
                        assert_eq!(recvall(&client, &mut [0; 5], 0), (Ok(0), 5));
                        connected.fetch_add(1, Relaxed);
                    }
                });
            }
            for _ in 0..THREADS * DIALS {
                assert_eq!(send(&accept(&listener).unwrap(), b"hello", 0), Ok(5));
            }
        });
        assert_eq!(connected.into_inner(), THREADS * DIALS);
    });
}

/// That a listener is as `sock_listen` promises.
fn is_fresh(listener: &OwnedFd) {
    assert!(is_close_on_exec(listener));
    assert!(!is_nonblocking(listener));
    assert_eq!(gettimeout(listener), Ok(f64::INFINITY));
    assert_eq!(getinterrupt(listener), Ok(0));
    let listener = SockRef::from(listener);
    assert!(listener.is_listener().unwrap());
    assert!(listener.reuse_address().unwrap());
    assert_eq!(listener.r#type().unwrap(), Type::STREAM);
    assert_eq!(listener.protocol().unwrap(), Some(Protocol::TCP));
}

/// How many connections may wait to be accepted, as the kernel tells it of a listener.
fn backlog(listener: &OwnedFd) -> u32 {
    // SAFETY: all zero is a valid tcp_info, and the pointers are to locals.
    unsafe {
        let mut info: libc::tcp_info = std::mem::zeroed();
        let mut len = size_of_val(&info) as libc::socklen_t;
        let (level, option) = (libc::IPPROTO_TCP, libc::TCP_INFO);
        let code = libc::getsockopt(listener.as_raw_fd(), level, option, (&raw mut info).cast(), &raw mut len);
        assert_eq!(code, 0, "TCP_INFO: error {}", errno());
        info.tcpi_sacked
    }
}

fn has_ipv6() -> bool {
    tcp().any(|kind| kind == Tcp6)
}

#[test]
fn without_a_host_one_listener_is_for_both_families() {
    let listener = listen(None, Some(c"0"), 4).unwrap();
    is_fresh(&listener);
    assert_eq!(SockRef::from(&listener).domain().unwrap(), if has_ipv6() { Domain::IPV6 } else { Domain::IPV4 });
    in_turn(tcp(), |kind| {
        let client = dial(Some(host(kind)), Some(&port(&listener)), PATIENCE).unwrap();
        talk(&client, &accept_of(&listener, &client));
    });
}

#[test]
fn a_listener_is_for_the_host_alone() {
    in_turn(tcp(), |kind| {
        let listener = listen(Some(host(kind)), Some(c"0"), 4).unwrap();
        is_fresh(&listener);
        assert!(address(&listener).as_socket().unwrap().ip().is_loopback());
        let client = dial(Some(host(kind)), Some(&port(&listener)), PATIENCE).unwrap();
        talk(&client, &accept_of(&listener, &client));
    });
    let named = listen(Some(c"localhost"), Some(c"0"), 4).unwrap();
    is_fresh(&named);
    assert!(address(&named).as_socket().unwrap().ip().is_loopback());

    let all_of_v4 = listen(Some(c"0.0.0.0"), Some(c"0"), 4).unwrap();
    assert_eq!(SockRef::from(&all_of_v4).domain().unwrap(), Domain::IPV4);
    if has_ipv6() {
        let all_of_v6 = listen(Some(c"::"), Some(c"0"), 4).unwrap();
        is_fresh(&all_of_v6);
        assert!(SockRef::from(&all_of_v6).only_v6().unwrap());
        let port = port(&all_of_v6);
        let client = dial(Some(c"::1"), Some(&port), PATIENCE).unwrap();
        talk(&client, &accept_of(&all_of_v6, &client));
    }
}

#[test]
fn a_port_is_one_listeners_and_free_again_at_once() {
    in_turn([None, Some(c"127.0.0.1"), Some(c"localhost")], |host| {
        let listener = listen(host, Some(c"0"), 1).unwrap();
        let port = port(&listener);
        assert_eq!(listen(host, Some(&port), 1).err(), Some(EADDRINUSE));

        // The side that closes first keeps the port busy for a minute.
        let client = dial(Some(host.unwrap_or(c"127.0.0.1")), Some(&port), PATIENCE).unwrap();
        drop(accept_of(&listener, &client));
        assert_eq!(wait(&client, POLLIN, PATIENCE), Ok(POLLIN as usize));
        assert_eq!(recv(&client, &mut [0; 8], 0), Ok(0));
        drop((client, listener));
        is_fresh(&listen(host, Some(&port), 1).unwrap());
    });
}

#[test]
fn a_backlog_is_the_callers_or_the_systems() {
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    for (given, told) in [(0, most), (-1, most), (i32::MIN, most), (i32::MAX, most), (1, 1), (7, most.min(7))] {
        let listener = listen(Some(c"127.0.0.1"), Some(c"0"), given).unwrap();
        assert_eq!(backlog(&listener), told, "of {given}");
    }
}

#[test]
fn an_address_of_another_machine_cannot_be_listened_on() {
    assert_eq!(listen(Some(c"192.0.2.1"), Some(c"0"), 1).err(), Some(EADDRNOTAVAIL));
    if has_ipv6() {
        assert_eq!(listen(Some(c"2001:db8::1"), Some(c"0"), 1).err(), Some(EADDRNOTAVAIL));
    }
}

#[test]
fn a_service_may_have_a_name() {
    let known = std::fs::read_to_string("/etc/services").is_ok_and(|services| services.contains("\nhttp"));
    let outcome = listen(Some(c"192.0.2.1"), Some(c"http"), 1).err();
    assert_eq!(outcome, Some(if known { EADDRNOTAVAIL } else { LIBSOCK_EAI_SERVICE }));
}

/// A service by UDP.
fn udp(port: &CStr) -> CString {
    CString::new(format!("{}/udp", port.to_str().unwrap())).unwrap()
}

#[test]
fn a_service_may_name_its_protocol() {
    let listener = listen(Some(c"127.0.0.1"), Some(c"0/tcp"), 4).unwrap();
    is_fresh(&listener);
    let service = CString::new(format!("{}/tcp", port(&listener).to_str().unwrap())).unwrap();
    talk(&dial(Some(c"127.0.0.1"), Some(&service), PATIENCE).unwrap(), &accept(&listener).unwrap());
    for service in [c"/udp", c"/tcp", c"/"] {
        assert_eq!(dial(Some(c"127.0.0.1"), Some(service), PATIENCE).err(), Some(EINVAL));
        assert_eq!(listen(Some(c"127.0.0.1"), Some(service), 1).err(), Some(EINVAL));
    }
    let known = std::fs::read_to_string("/etc/services").is_ok_and(|services| services.contains("53/udp"));
    let outcome = listen(Some(c"192.0.2.1"), Some(c"domain/udp"), 1).err();
    assert_eq!(outcome, Some(if known { EADDRNOTAVAIL } else { LIBSOCK_EAI_SERVICE }));
}

#[test]
fn udp_is_connected_or_bound() {
    for kind in tcp() {
        for (name, seconds) in product([host(kind), c"localhost"], [f64::INFINITY, PATIENCE, 0.0]) {
            about((kind, name, seconds), || {
                let receiver = listen(Some(name), Some(c"0/udp"), 7).unwrap();
                assert!(is_close_on_exec(&receiver) && !is_nonblocking(&receiver));
                assert_eq!(gettimeout(&receiver), Ok(f64::INFINITY));
                let socket = SockRef::from(&receiver);
                assert_eq!(socket.protocol().unwrap(), Some(Protocol::UDP));
                assert!(!socket.reuse_address().unwrap(), "others could take its port");
                let service = udp(&port(&receiver));
                let outcome = dial(Some(name), Some(&service), seconds);
                if name == c"localhost" && seconds == 0.0 {
                    return assert_eq!(outcome.err(), Some(EAGAIN));
                }
                let sender = outcome.unwrap();
                assert!(is_close_on_exec(&sender));
                assert_eq!(gettimeout(&sender), Ok(seconds));
                assert_eq!(SockRef::from(&sender).r#type().unwrap(), Type::DGRAM);
                assert_eq!(SockRef::from(&sender).peer_addr().unwrap(), address(&receiver));
                deliver(&sender, &receiver, b"hello");
                assert_eq!(recv(&receiver, &mut [0; 8], 0), Ok(5));
                assert_eq!(listen(Some(name), Some(&service), 7).err(), Some(EADDRINUSE));
            });
        }
    }
    let all = listen(None, Some(c"0/udp"), 0).unwrap();
    for kind in tcp() {
        let sender = dial(Some(host(kind)), Some(&udp(&port(&all))), PATIENCE).unwrap();
        deliver(&sender, &all, b"hello");
        assert_eq!(recv(&all, &mut [0; 8], 0), Ok(5));
    }
}

#[test]
fn a_host_may_be_a_unix_socket() {
    let directory = std::env::temp_dir().join(format!("libsock-names-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let path = CString::new(directory.join("socket").to_str().unwrap()).unwrap();
    let name = CString::new(format!("@libsock-names-{}", std::process::id())).unwrap();
    for host in [&path, &name] {
        assert_ne!(dial(Some(host), None, PATIENCE).err(), None);
        let listener = listen(Some(host), None, 4).unwrap();
        assert!(is_close_on_exec(&listener) && !is_nonblocking(&listener));
        assert_eq!(gettimeout(&listener), Ok(f64::INFINITY));
        assert_eq!(name_of(&address(&listener), 110), Ok((host.clone(), 0)));
        for seconds in MODES {
            about((host, seconds), || {
                let client = match dial(Some(host), None, seconds) {
                    Err(ETIMEDOUT) if seconds < 1.0 => dial(Some(host), None, PATIENCE),
                    outcome => outcome,
                };
                let client = client.unwrap();
                assert!(is_close_on_exec(&client));
                assert_eq!(SockRef::from(&client).r#type().unwrap(), Type::STREAM);
                if gettimeout(&client) != Ok(PATIENCE) {
                    assert_eq!(gettimeout(&client), Ok(seconds));
                }
                assert_eq!(settimeout(&client, PATIENCE), Ok(0));
                talk(&client, &accept(&listener).unwrap());
            });
        }
        assert_eq!(listen(Some(host), None, 4).err(), Some(EADDRINUSE));
        for service in [c"80", c""] {
            assert_eq!(dial(Some(host), Some(service), PATIENCE).err(), Some(EINVAL));
            assert_eq!(listen(Some(host), Some(service), 1).err(), Some(EINVAL));
        }
        drop(listener);
        assert_eq!(dial(Some(host), None, PATIENCE).err(), Some(ECONNREFUSED));
    }
    // The file is the program's to remove.
    assert_eq!(listen(Some(&path), None, 4).err(), Some(EADDRINUSE));
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(dial(Some(&path), None, PATIENCE).err(), Some(ENOENT));
    assert_eq!(listen(Some(&path), None, 4).err(), Some(ENOENT));
    let long = |first: char, more| CString::new(format!("{first}{}", "x".repeat(more))).unwrap();
    for (host, error) in [(c"@".into(), EINVAL), (long('/', 107), ENAMETOOLONG), (long('@', 108), ENAMETOOLONG)] {
        assert_eq!(dial(Some(&host), None, PATIENCE).err(), Some(error));
        assert_eq!(listen(Some(&host), None, 1).err(), Some(error));
    }
}

#[test]
fn an_address_of_ipv4_may_be_written_as_one_of_ipv6() {
    if !has_ipv6() {
        return;
    }
    let mapped = Some(c"::ffff:127.0.0.1");
    let listener = listen(mapped, Some(c"0"), 4).unwrap();
    is_fresh(&listener);
    for host in [mapped, Some(c"127.0.0.1")] {
        let client = dial(host, Some(&port(&listener)), PATIENCE).unwrap();
        talk(&client, &accept(&listener).unwrap());
    }
    assert_eq!(dial(Some(c"::1"), Some(&port(&listener)), PATIENCE).err(), Some(ECONNREFUSED));
}

#[test]
fn a_link_local_address_needs_its_scope() {
    if !has_ipv6() {
        return;
    }
    assert_eq!(dial(Some(c"fe80::1"), Some(c"9"), PATIENCE).err(), Some(EINVAL));
    assert_eq!(listen(Some(c"fe80::1"), Some(c"0"), 1).err(), Some(EINVAL));
}
